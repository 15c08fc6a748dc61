;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How long somebody waits who attaches to a running job: from the start of the program to its prompt on a terminal, and for an answer of
;; the commands; while the workers compute.
(use-modules (bench) (programs) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1))

(define rounds 20)
(define prompt "scheme@(guile-user)> ")

(define (start-job folder)
  (let* ((file (string-append folder "/output"))
         (pipe (open-pipe* OPEN_READ "sh" "-c" "out=$0; \"$@\" > \"$out\" 2>&1 < /dev/null & echo $!" file tutti "run" "--listen"
                           (fixture "inspected-job.scm")))
         (pid (string->number (read-line pipe))))
    (close-pipe pipe)
    (wait-for (lambda ()
                (false-if-exception
                 (string-contains (call-with-input-file file (lambda (port) (or (read-delimited "" port) ""))) "listening"))))
    pid))

(define commands '(",pools" ",workers" ",tasks" ",why computing" ",backtrace 0 tiles"))

(define (round pid)
  "Return how long the prompt took, and each of the commands, in microseconds."
  (let* ((steps (append-map (lambda (command)
                              `((send ,(string-append command "\n")) (expect 20 ,(string-append command "\r\n")) (expect 20 ,prompt)))
                            commands))
         (terminal (run-on-terminal (list tutti "attach" (number->string pid))
                                    `((expect 20 ,prompt) ,@steps (send ",q\n") (exit 20))
                                    #:env '("XDG_STATE_HOME=/dev/null/none" "INPUTRC=/dev/null"))))
    (unless (every step-ok? (terminal-steps terminal))
      (error "it was not answered" (terminal-text terminal)))
    (let loop ((steps (cdr (terminal-steps terminal))) (times (list (* 1000 (step-milliseconds (car (terminal-steps terminal)))))))
      (match steps
        ((send echo answer . rest)
         (loop rest (cons (* 1000 (+ (step-milliseconds echo) (step-milliseconds answer))) times)))
        (_ (reverse times))))))

(call-with-folder
 (lambda (folder)
   (setenv "XDG_RUNTIME_DIR" folder)
   (let ((pid (start-job folder)))
     (dynamic-wind
       (const #t)
       (lambda ()
         (round pid)                    ; loads what the first one needs
         (let ((times (repeat rounds (lambda () (round pid)))))
           (print-machine)
           (print-header)
           (print-row "attach, to the prompt" (map first times) #:target 100)
           (for-each (lambda (command i) (print-row command (map (lambda (round) (list-ref round (1+ i))) times)))
                     commands (iota (length commands)))))
       (lambda () (kill pid SIGKILL))))))
