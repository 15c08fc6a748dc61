;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Ctrl-C on a real terminal: a script ends by SIGINT after its scopes were left, a REPL has its prompt back and its pool usable, within
;; a second; whatever the workers are doing, who never see the signal.
(use-modules (tap) (programs) (srfi srfi-1) (srfi srfi-64))

(define patience 20)

;;; Scripts.

(define (interrupted-script command waiting how)
  (run-on-terminal (append command (list (fixture "busy.scm") waiting how))
                   `((expect ,patience "processes (")
                     (expect ,patience "apart #t")
                     (expect ,patience "] busy")
                     (expect ,patience "] busy")
                     (interrupt)
                     (exit 1))))

(define (last-milliseconds terminal)
  (step-milliseconds (last (terminal-steps terminal))))

(define (test-script name command waiting how)
  (test-group (format #f "~a, ~a of ~a" name waiting how)
    (let* ((terminal (interrupted-script command waiting how))
           (processes (mentioned-processes (terminal-text terminal))))
      (test-assert "ends within a second" (every step-ok? (terminal-steps terminal)))
      (test-equal "by SIGINT" (list 'signal SIGINT) (terminal-end terminal))
      (test-assert "its scopes were left" (string-contains (terminal-text terminal) "unwound with 0 workers"))
      (test-assert "guard, watcher and two workers were there" (>= (length processes) 4))
      (test-equal "no process is left" '() (remove process-gone? processes))
      (when (member #f (map step-ok? (terminal-steps terminal)))
        (display (terminal-text terminal) (current-error-port))))))

(define ways '(("map" "sleep") ("map" "loop") ("map" "blocked") ("map" "child") ("wait" "sleep") ("wait" "loop") ("wait" "blocked")
               ("wait" "child") ("apply" "sleep") ("apply" "loop") ("scope" "sleep") ("scope" "loop")))

;;; A shell sees 130, and stops what it was doing.

(define (test-shell)
  (let ((terminal (run-on-terminal
                   (list "bash" "-c" "\"$0\" run \"$1\" map sleep; echo the status is $?" tutti (fixture "busy.scm"))
                   `((expect ,patience "] busy") (expect ,patience "] busy") (interrupt) (exit 2)))))
    (test-equal "a shell stops after the script as after any that Ctrl-C ended" (list 'signal SIGINT) (terminal-end terminal))
    (test-assert "and does not go on" (not (string-contains (terminal-text terminal) "the status is")))))

;;; REPLs.

(define definitions
  (string-append "(define-remote (be-busy how) (format #t \"busy~%\") (force-output) "
                 "(case how ((loop) (let loop () (loop))) ((sleep) (sleep 1000)) (else (read-char (car (pipe))))))\n"))

(define (round number prompt)
  "The steps of one interruption in a REPL whose prompt then is PROMPT."
  (let ((how (list-ref '("'sleep" "'loop" "'blocked") (modulo number 3))))
    `((send ,(if (even? number)
                 (format #f "(pool-map pool be-busy (list ~a ~a))\n" how how)
                 (format #f "(let ((a (pool-submit! pool be-busy ~a)) (b (pool-submit! pool be-busy ~a))) ~a (task-wait b))\n"
                         how how "(set! other a)")))
      (expect ,patience "] busy")
      (expect ,patience "] busy")
      (interrupt)
      (expect 1 ,prompt)
      ;; Only what was waited for has been cancelled.
      ,@(if (even? number) '() `((send "(task-cancel! other)\n") (expect ,patience ,prompt)))
      (send ,(format #f "(pool-map pool + '(1 2 3) '(~a 20 30))\n" number))
      (expect ,patience ,(format #f "= (~a 22 33)" (1+ number)))
      (expect ,patience ,prompt))))

(define (test-repl name command first-steps prompt rounds)
  (test-group name
    (let* ((terminal
            (run-on-terminal command
              `(,@first-steps
                (send ,definitions) (expect ,patience ,(prompt 0))
                (send "(define other #f)\n") (expect ,patience ,(prompt 0))
                (send "(define pool (make-pool 2))\n") (expect ,patience ,(prompt 0))
                (send "(begin (format #t \"processes ~a~%\" (descendants)) (newline))\n") (expect ,patience ,(prompt 0))
                ,@(append-map (lambda (number) (round number (prompt (1+ number)))) (iota rounds))
                ;; However deep it is by now.
                (send "(primitive-exit 3)\n")
                (exit ,patience))
              #:env '("XDG_STATE_HOME=/nonexistent")))
           (steps (terminal-steps terminal)))
      (test-assert (format #f "~a interruptions, each time the prompt within a second and the pool usable" rounds)
        (every step-ok? steps))
      (unless (every step-ok? steps)
        (display (terminal-text terminal) (current-error-port)))
      (test-equal "its exit status is kept" '(exited 3) (terminal-end terminal))
      (test-equal "no process is left" '() (remove process-gone? (mentioned-processes (terminal-text terminal)))))))

(call-with-tap
 (lambda ()
   (for-each (lambda (way)
               (test-script "tutti run" (list tutti "run") (first way) (second way))
               (test-script "guile" (list "guile") (first way) (second way)))
             ways)
   (test-shell)
   (test-repl "tutti repl" (list tutti "repl")
              `((expect ,patience "> ") (send "(use-modules (programs))\n") (expect ,patience "> "))
              (lambda (level) "(guile-user)> ") 26)
   (test-repl "the REPL of guile" (list "guile" "-q")
              `((expect ,patience "> ") (send "(use-modules (tutti) (programs))\n") (expect ,patience "> "))
              (lambda (level) (if (zero? level) "(guile-user)> " (format #f "(guile-user) [~a]> " level))) 26)))
