;; SPDX-License-Identifier: LGPL-3.0-or-later
;; umbridge.scm [--times N]: what an evaluation through UM-Bridge takes, from a client that is not ours and keeps its connection: with 10
;; numbers and with 10^5, with one client and with many, and with a worker killed every 100 ms.
(use-modules (bench) (tutti) (tutti umbridge) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 textual-ports) (ice-9 threads))

(define times
  (match (cdr (command-line))
    (() 100000)
    (("--times" (= string->number (? exact-integer? (? positive? n)))) n)
    (_ (display "usage: umbridge.scm [--times N]\n" (current-error-port))
       (exit 2))))

(define python (or (getenv "TUTTI_PYTHON") "/usr/bin/python3"))

(define (client server . words)
  "Return what the client prints."
  (let* ((pipe (apply open-pipe* OPEN_READ python (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/umbridge-client.py")
                      (number->string (umbridge-port server)) (map (lambda (word) (format #f "~a" word)) words)))
         (text (string-trim-right (get-string-all pipe))))
    (close-pipe pipe)
    text))

(define (report what text)
  (format #t "~40a ~a~%" what text)
  (force-output))

(define (call-killing pool thunk)
  "Call @var{thunk} while one worker of @var{pool} after the other is killed, each 100 ms after the one before; return its value and how
many were killed."
  (let* ((done? #f) (killed 0)
         (killer (call-with-new-thread
                  (lambda ()
                    (let loop ((i 0))
                      (unless done?
                        (let ((pid (worker-pid (list-ref (pool-workers pool) (modulo i (pool-size pool))))))
                          (when (and pid (false-if-exception (begin (kill pid SIGKILL) #t)))
                            (set! killed (1+ killed))))
                        (usleep 100000)
                        (loop (1+ i)))))))
         (value (thunk)))
    (set! done? #t)
    (join-thread killer)
    (values value killed)))

(define (square n)
  (let ((identity (identity-operator n)))
    (make-operator #:name "identity" #:domain n #:codomain n #:evaluate (remote ((identity identity)) (lambda (x) (evaluate identity x))))))

(format #t "~a workers~%" (default-pool-size))
(parameterize ((death-port #f))
  (call-with-pool (default-pool-size)
    (lambda (pool)
      (let ((server (umbridge-serve `(("small" . ,(square 10)) ("large" . ,(square 100000))) #:port 0)))
        (report "Info" (client server "info" 1000))
        (report "Evaluate, 10 numbers" (client server "evaluate" "small" 10 1 (quotient times 20)))
        (report "Evaluate, 10 numbers, 8 clients" (client server "evaluate" "small" 10 8 (quotient times 80)))
        (report "Evaluate, 10^5 numbers" (client server "evaluate" "large" 100000 1 20))
        (call-with-values (lambda ()
                            (call-killing pool (lambda () (client server "evaluate" "small" 10 8 (quotient times 8)))))
          (lambda (text killed)
            (report (format #f "8 clients, ~a workers killed" killed) text)))
        (umbridge-stop server)))))
