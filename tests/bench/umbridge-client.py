# SPDX-License-Identifier: LGPL-3.0-or-later
"""umbridge-client.py PORT info TIMES
umbridge-client.py PORT evaluate MODEL NUMBERS CLIENTS TIMES: processes that ask one after the other, each on one connection of its own, and
look at each answer, which are the numbers that were sent."""
import json
import multiprocessing
import socket
import statistics
import sys
import time

port = int(sys.argv[1])


def exchange(connection, request):
    connection.sendall(request)
    heard = connection.recv(1 << 20)
    while b'\r\n\r\n' not in heard:
        heard += connection.recv(1 << 20)
    head, _, body = heard.partition(b'\r\n\r\n')
    length = int(head.lower().split(b'content-length:')[1].split(b'\r\n')[0])
    parts = [body]
    have = len(body)
    while have < length:
        parts.append(connection.recv(1 << 20))
        have += len(parts[-1])
    return head.split(b' ')[1], b''.join(parts)


def connect():
    connection = socket.create_connection(('127.0.0.1', port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def evaluate_many(arguments):
    model, numbers, times, seed = arguments
    connection = connect()
    taken, wrong, lost = [], 0, 0
    for i in range(times):
        x = [seed + i + 0.1 * j for j in range(numbers)]
        body = json.dumps({'name': model, 'input': [x], 'config': {}}).encode()
        request = b'POST /Evaluate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body
        start = time.perf_counter()
        status, answer = exchange(connection, request)
        taken.append(time.perf_counter() - start)
        if status != b'200':
            lost += 1
        elif json.loads(answer)['output'] != [x]:
            wrong += 1
    return taken, wrong, lost


def report(taken, seconds, rest):
    taken.sort()
    print('median %.3f ms, 99%% %.3f ms, %.0f/s%s' % (1e3 * statistics.median(taken), 1e3 * taken[int(0.99 * len(taken))],
                                                   len(taken) / seconds, rest))


def main():
    start = time.perf_counter()
    if sys.argv[2] == 'info':
        connection, taken = connect(), []
        for _ in range(int(sys.argv[3])):
            begin = time.perf_counter()
            exchange(connection, b'GET /Info HTTP/1.1\r\nHost: h\r\n\r\n')
            taken.append(time.perf_counter() - begin)
        report(taken, time.perf_counter() - start, '')
        return
    model, numbers, clients, times = sys.argv[3], *map(int, sys.argv[4:])
    with multiprocessing.Pool(clients) as pool:
        results = pool.map(evaluate_many, [(model, numbers, times, 1000 * i) for i in range(clients)], 1)
    taken = [t for result in results for t in result[0]]
    report(taken, time.perf_counter() - start,
           ', %d in all, %d wrong, %d lost' % (len(taken), sum(r[1] for r in results), sum(r[2] for r in results)))


main()
