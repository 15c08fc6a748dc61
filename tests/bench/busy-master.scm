;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A master to be killed: the argument is the number of its workers, all of which compute for ever. Prints its process number and those
;; of all that it has started, then waits.
(use-modules (programs) (srfi srfi-1) (tutti))

(define-remote (compute) (let loop ((i 0)) (loop (logand (1+ i) 65535))))

(define n (string->number (cadr (command-line))))
(define pool (make-pool n))
(define tasks (map (lambda (i) (pool-submit! pool compute)) (iota n)))

(let loop ()
  (unless (every (lambda (worker) (eq? (worker-state worker) 'busy)) (pool-workers pool))
    (usleep 1000)
    (loop)))
(format #t "~a~{ ~a~}~%" (getpid) (descendants))
(force-output)
(read)
