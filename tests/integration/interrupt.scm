;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Ctrl-C on a real terminal: a script ends by SIGINT after its scopes were left, a REPL has its prompt back and its pool usable, within
;; a second by the pace of the machine; whatever the workers are doing, who never see the signal.
(use-modules (tap) (programs) (pace) (srfi srfi-1) (srfi srfi-11) (srfi srfi-64))

;; Who is late is given another chance.
(define* (on-terminal-in-pace command steps #:key (env '()))
  "Run @var{command} as @code{run-on-terminal} does; return the terminal, and whether each step after an interruption took less than a
second."
  (define terminal #f)
  (define in-time?
    (until-in-pace
     (lambda ()
       (set! terminal (run-on-terminal command steps #:env env))
       (or (not (all-ok? terminal))
           (every (lambda (milliseconds) (in-pace? (/ milliseconds 1000) 1)) (reactions steps terminal))))))
  (values terminal in-time?))

(define (all-ok? terminal) (every step-ok? (terminal-steps terminal)))

(define (reactions steps terminal)
  "Return how long, in milliseconds, each step took that came after an interruption."
  (define done (terminal-steps terminal))
  (filter-map (lambda (before step) (and (equal? before '(interrupt)) (step-milliseconds step)))
              steps (if (pair? done) (cdr done) '())))

;;; Scripts.

(define (interrupted-script command waiting how)
  (on-terminal-in-pace (append command (list (fixture "busy.scm") waiting how))
                   `((expect ,patience "processes (")
                     (expect ,patience "apart #t")
                     (expect ,patience "] busy")
                     (expect ,patience "] busy")
                     (interrupt)
                     (exit ,patience))))

(define (test-script name command waiting how)
  (test-group (format #f "~a, ~a of ~a" name waiting how)
    (let*-values (((terminal in-time?) (interrupted-script command waiting how))
                  ((processes) (mentioned-processes (terminal-text terminal))))
      (test-assert "ends" (all-ok? terminal))
      (test-assert "within a second" in-time?)
      (test-equal "by SIGINT" (list 'signal SIGINT) (terminal-end terminal))
      (test-assert "its scopes were left" (string-contains (terminal-text terminal) "unwound with 0 workers"))
      (test-assert "guard, watcher and two workers were there" (>= (length processes) 4))
      (test-equal "no process is left" '() (remove process-gone? processes))
      (unless (all-ok? terminal)
        (display (terminal-text terminal) (current-error-port))))))

(define ways '(("map" "sleep") ("map" "loop") ("map" "blocked") ("map" "child") ("wait" "sleep") ("wait" "loop") ("wait" "blocked")
               ("wait" "child") ("apply" "sleep") ("apply" "loop") ("scope" "sleep") ("scope" "loop")))

;;; A shell sees 130, and stops what it was doing.

(define (test-shell)
  (let ((terminal (run-on-terminal
                   (list "bash" "-c" "\"$0\" run \"$1\" map sleep; echo the status is $?" tutti (fixture "busy.scm"))
                   `((expect ,patience "] busy") (expect ,patience "] busy") (interrupt) (exit ,patience)))))
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
      (expect ,patience ,prompt)
      ;; Only what was waited for has been cancelled.
      ,@(if (even? number) '() `((send "(task-cancel! other)\n") (expect ,patience ,prompt)))
      (send ,(format #f "(pool-map pool + '(1 2 3) '(~a 20 30))\n" number))
      (expect ,patience ,(format #f "= (~a 22 33)" (1+ number)))
      (expect ,patience ,prompt))))

(define (test-repl name command first-steps prompt rounds)
  (test-group name
    (let*-values (((terminal in-time?)
                   (on-terminal-in-pace command
                     `(,@first-steps
                       (send ,definitions) (expect ,patience ,(prompt 0))
                       (send "(define other #f)\n") (expect ,patience ,(prompt 0))
                       (send "(define pool (make-pool 2))\n") (expect ,patience ,(prompt 0))
                       (send "(begin (format #t \"processes ~a~%\" (descendants)) (newline))\n") (expect ,patience ,(prompt 0))
                       ,@(append-map (lambda (number) (round number (prompt (1+ number)))) (iota rounds))
                       ;; However deep it is by now.
                       (send "(primitive-exit 3)\n")
                       (exit ,patience))
                     #:env '("XDG_STATE_HOME=/nonexistent"))))
      (test-assert (format #f "~a interruptions, each time the prompt and the pool usable" rounds) (all-ok? terminal))
      (test-assert "each time within a second" in-time?)
      (unless (all-ok? terminal)
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
   (test-repl "tutti repl" (list tutti "repl" "-l" (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/quick-readline.scm"))
              `((expect ,patience "> ") (send "(use-modules (programs))\n") (expect ,patience "> "))
              (lambda (level) "(guile-user)> ") 26)
   (test-repl "the REPL of guile" (list "guile" "-q")
              `((expect ,patience "> ") (send "(use-modules (tutti) (programs))\n") (expect ,patience "> "))
              (lambda (level) (if (zero? level) "(guile-user)> " (format #f "(guile-user) [~a]> " level))) 26)))
