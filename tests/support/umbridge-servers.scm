;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Servers of UM-Bridge for tests, written in Python: see umbridge-server.py.
(define-module (umbridge-servers)
  #:use-module (ice-9 format)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 rdelim)
  #:use-module (pythons)
  #:use-module (srfi srfi-4)
  #:use-module (tap)
  #:use-module (tutti operator)
  #:use-module (tutti umbridge)
  #:use-module ((tutti umbridge primitives) #:select (available?))
  #:export (skip-without-servers call-with-servers server-counts))

(define (skip-without-servers)
  "Skip the whole test program if there is no Python for servers, or this build has no clients."
  (cond ((not (file-exists? python)) (tap-skip-all (string-append "there is no " python)))
        ((not (available?)) (tap-skip-all "this build has no part for UM-Bridge: libsoup-3.0 was not found"))))

(define* (call-with-servers options proc #:key (scheme "http") (host "127.0.0.1"))
  "Call @var{proc} with the list of the URLs of servers that @file{umbridge-server.py} has started with @var{options}, a list of
strings."
  (let* ((file (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/umbridge-server.py"))
         (pipe (apply open-pipe* OPEN_BOTH python file options))
         (ports (string-split (read-line pipe) #\space)))
    (dynamic-wind
      (const #t)
      (lambda () (proc (map (lambda (port) (format #f "~a://~a:~a" scheme host port)) ports)))
      (lambda () (close-pipe pipe)))))

(define (server-counts url)
  "Return the list of how often the server at @var{url} was asked for an evaluation, and how many it had at once at most."
  (map inexact->exact (f64vector->list (evaluate (umbridge-operator url "count") (f64vector 0.)))))
