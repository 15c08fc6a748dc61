# SPDX-License-Identifier: LGPL-3.0-or-later
"""Clients of UM-Bridge that are not ours: with nothing but Python's own library, as those of other languages work.

    umbridge-client.py PORT ask METHOD PATH BODY …      each on one connection; prints status and body of each answer in a line
    umbridge-client.py PORT many CLIENTS TIMES          CLIENTS at once, TIMES evaluations each of x -> x * x; prints what came of them
    umbridge-client.py PORT leave PATH BODY             asks and goes away at once
    umbridge-client.py PORT patient PATH BODY           asks, and prints 'asked' before it waits for the answer
    umbridge-client.py PORT slow                        begins many requests and never ends one; prints how they ended
"""
import http.client
import json
import random
import socket
import sys
import threading

SECONDS = 120
port = int(sys.argv[1])


def connect():
    return http.client.HTTPConnection('127.0.0.1', port, timeout=SECONDS)


def ask(connection, method, path, body):
    connection.request(method, path, body.encode() or None)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer


def run_ask(words):
    connection = connect()
    while words:
        status, text, answer = ask(connection, *words[:3])
        print(status, text or '-', 'retry-after=' + answer.headers['Retry-After'] if 'Retry-After' in answer.headers else '', flush=True)
        words = words[3:]


def run_many(clients, times):
    counts = {'right': 0, 'wrong': 0, 'refused': 0, 'lost': 0}
    lock = threading.Lock()
    begin = threading.Barrier(clients)

    def evaluate_many(number):
        numbers = random.Random(number)
        mine = dict.fromkeys(counts, 0)
        problems = []
        connection = connect()
        begin.wait()
        for _ in range(times):
            x = [numbers.uniform(-1e3, 1e3) for _ in range(10)]
            try:
                status, text, _ = ask(connection, 'POST', '/Evaluate', json.dumps({'name': 'forward', 'input': [x], 'config': {}}))
                if status == 200:
                    mine['right' if json.loads(text)['output'] == [[a * a for a in x]] else 'wrong'] += 1
                else:
                    mine['refused'] += 1
                    problems.append(text)
            except (OSError, http.client.HTTPException) as error:
                mine['lost'] += 1
                problems.append(repr(error))
                connection.close()
        with lock:
            for key in mine:
                counts[key] += mine[key]
            for problem in problems[:1]:
                print(problem, file=sys.stderr)

    threads = [threading.Thread(target=evaluate_many, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(' '.join('%s %d' % pair for pair in counts.items()))


def run_leave(path, body):
    connection = connect()
    connection.request('POST', path, body.encode())
    connection.close()


def run_patient(path, body):
    connection = connect()
    connection.request('POST', path, body.encode())
    print('asked', flush=True)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())


def run_slow():
    begins = [b'', b'P', b'POST /Evaluate HTTP/1.1\r\nHost: x\r\n', b'POST /Evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{']
    sockets = []
    for number in range(200):
        sockets.append(socket.create_connection(('127.0.0.1', port), timeout=SECONDS))
        sockets[-1].sendall(begins[number % len(begins)])
    # While they are there, others are served.
    print(*ask(connect(), 'GET', '/Info', '')[:2])
    ends = set()
    for number, slow in enumerate(sockets):
        if begins[number % len(begins)]:
            heard = b''
            while True:
                more = slow.recv(65536)
                if not more:
                    break
                heard += more
            ends.add(heard.split(b'\r\n')[0].decode())
    print(*ends)


def main():
    words = sys.argv[3:]
    {'ask': lambda: run_ask(words),
     'many': lambda: run_many(int(words[0]), int(words[1])),
     'leave': lambda: run_leave(*words),
     'patient': lambda: run_patient(*words),
     'slow': run_slow}[sys.argv[2]]()


main()
