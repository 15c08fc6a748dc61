;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How programs end that run-command has started: late, flooding, deaf to signals, with children, or because their worker or task does;
;; and how they go on after a death.
(use-modules (tap) (programs) (temporary) (processes) (pace) ((python-models) #:select (says? outcome)) (ice-9 format)
             (ice-9 ftw) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti command))

(define (sh script . rest) (apply run-command "/bin/sh" "-c" script rest))
(define-remote (sh-there script . rest) (apply run-command "/bin/sh" "-c" script rest))

(define (failure thunk)
  (let ((raised (outcome thunk)))
    (if (command-failed? raised)
        (list (command-failed-kind raised) (command-failed-status raised))
        raised)))

(define (text-in file) (or (false-if-exception (call-with-input-file file get-string-all)) ""))

;; Every process that a program here starts has a mark, by which it is found whatever has become of its parents.
(define mark (make-mark))
(define (marked) (cons (match (string-split mark #\=) ((name value) (cons name value))) '()))
(define (all-gone?) (await (lambda () (null? (marked-processes mark))) patience))
(define (some-there? n) (await (lambda () (>= (length (marked-processes mark)) n)) patience))

(define-syntax-rule (test-gone name)
  (test-assert (string-append name ": no process is left") (all-gone?)))

;; Sleeping children: in its group, in a session of its own, and whose parent has gone.
(define family "sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &) & ")

;;; By itself.

(define (test-late)
  (for-each (match-lambda
              ((name script)
               (test-equal name '(timeout timeout) (failure (lambda () (sh script #:timeout 0.2 #:environment (marked)))))
               (test-gone name)))
            `(("a program that is late" "exec sleep 1000")
              ("one that ignores signals" "trap '' TERM INT HUP QUIT; while :; do sleep 1000; done")
              ("one that is stopped" "kill -STOP $$")
              ("one with children" ,(string-append family "wait; sleep 1000"))))
  (test-assert "its message says how long"
    (says? (lambda () (sh "echo begun >&2; exec sleep 1000" #:timeout 0.2)) "did not end within 0.2 s" "begun" "its folder was kept"))
  (test-equal "time enough" '("ok\n") (failure (lambda () (sh "echo ok" #:timeout 1000)))))

(define (test-children)
  (test-equal "children that stay behind" "done\n" (sh (string-append family "echo done") #:environment (marked)))
  (test-gone "after the task"))

(define (test-flood)
  (for-each (lambda (script)
              (test-equal (string-append "endless: " script) '(flooded flooded)
                (failure (lambda () (sh script #:limit 100000 #:keep 'never #:environment (marked)))))
              (test-gone script))
            '("exec yes" "exec yes >&2" "yes & exec sleep 1000"))
  (test-equal "as much as it may" 100000 (string-length (sh "head -c 100000 /dev/zero | tr '\\0' x" #:limit 100000)))
  (test-equal "a byte more, by a program that has ended" '(flooded flooded)
    (failure (lambda () (sh "head -c 100001 /dev/zero" #:limit 100000 #:keep 'never))))
  (test-assert "its message says how much" (says? (lambda () (sh "exec yes" #:limit 1000 #:keep 'never)) "more than 1000 bytes" "#:limit")))

;;; With its task or worker.

(define (test-task-ends)
  (call-with-pool 2
    (lambda (pool)
      (define (submit script) (pool-submit! pool sh-there script #:environment (marked)))
      (test-assert "a task that is late"
        (task-timeout? (outcome (lambda ()
                                  (parameterize ((task-timeout 0.5) (task-retries 0))
                                    (pool-apply-only pool 0 sh-there (string-append family "exec sleep 1000") #:environment (marked)))))))
      (test-gone "a task that is late")
      (let ((task (submit (string-append family "exec sleep 1000"))))
        (test-assert "it runs" (some-there? 4))
        (task-cancel! task)
        (test-gone "a task that is cancelled"))
      (test-assert "a worker that is killed"
        (let ((task (parameterize ((task-retries 0)) (submit (string-append family "kill -KILL $PPID; exec sleep 1000")))))
          (worker-died? (outcome (lambda () (task-wait task))))))
      (test-gone "a worker that is killed")
      (test-equal "the pool goes on" "ok\n" (pool-apply-only pool 0 sh-there "echo ok"))
      (submit (string-append family "exec sleep 1000"))
      (some-there? 4)))
  (test-gone "a pool that is closed"))

;;; After a death.

(define (test-checkpoint folder)
  (define root (string-append folder "/runs"))
  (define log (string-append folder "/log"))
  (define (entries) (scandir root (lambda (name) (not (member name '("." ".."))))))
  ;; It counts to 3 in a file; at 2 in its first attempt it kills its worker.
  (define script "i=$(cat state 2> /dev/null || echo 0); echo \"$TUTTI_ATTEMPT from $i in $(pwd)\" >> \"$0\"
while [ $i -lt 3 ]; do i=$((i+1)); echo $i > state; echo step $i
if [ $i = 2 ] && [ $TUTTI_ATTEMPT = 1 ]; then kill -KILL $PPID; sleep 1000; fi; done")
  (define-remote (run-twice script log root)
    (let ((first (run-command "/bin/sh" "-c" script log #:directory root #:checkpoint #t)))
      (list first (run-command "/bin/sh" "-c" "basename \"$(pwd)\"" #:directory root #:checkpoint #t))))
  (call-with-pool 1
    (lambda (pool)
      (match (parameterize ((task-retries 2)) (pool-apply-only pool 0 run-twice script log root))
        ((steps other)
         (match (map (lambda (line) (string-split line #\space)) (string-split (string-trim-right (text-in log)) #\newline))
           ((("1" "from" "0" "in" first) ("2" "from" "2" "in" second))
            (test-equal "the second attempt has the folder of the first" first second)
            (test-assert "another run of the task has another" (not (string=? (string-append (basename first) "\n") other))))
           (other (test-equal "two attempts" 'two other)))
         (test-equal "and goes on, with outputs of its own" "step 3\n" steps)))
      (test-equal "the folders are removed" '() (entries))
      (test-equal "tries in one attempt begin anew" "1\n"
        (pool-apply-only pool 0 sh-there "echo 1 >> n; cat n; test -e \"$0\" || { : > \"$0\"; exit 3; }" (string-append folder "/once")
                         #:directory root #:checkpoint #t #:retry '(3)))
      (outcome (lambda () (pool-apply-only pool 0 sh-there "exit 3" #:directory root #:checkpoint #t #:retry '(3) #:keep 'always)))
      (test-equal "each try is kept, if all are" 3 (length (entries))))))

;;; Ctrl-C.

(define definitions "(define-remote (run-it script) (run-command \"/bin/sh\" \"-c\" script))\n")

(define (test-interrupt name expression)
  (let* ((terminal (run-on-terminal
                    (list tutti "repl" "-l" (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/quick-readline.scm"))
                    `((expect ,patience "> ") (send "(use-modules (tutti command))\n") (expect ,patience "> ")
                      (send ,definitions) (expect ,patience "> ")
                      (send "(define pool (make-pool 1))\n") (expect ,patience "> ")
                      (send ,(string-append expression "\n"))
                      (expect ,patience "] begun")
                      (interrupt)
                      (expect ,patience "> ")
                      (send "(pool-map pool run-it '(\"echo $((41+1))\"))\n")
                      (expect ,patience "(\"42\\n\")")
                      (send "(primitive-exit 3)\n")
                      (exit ,patience))
                    #:env (list "XDG_STATE_HOME=/nonexistent" mark))))
    (test-assert (string-append name ": the prompt is back, and the pool works") (every step-ok? (terminal-steps terminal)))
    (unless (every step-ok? (terminal-steps terminal))
      (display (terminal-text terminal) (current-error-port)))
    (test-equal (string-append name ": its end") '(exited 3) (terminal-end terminal))
    (test-gone name)))

(define (test-interrupts)
  ;; What the worker prints is seen on the terminal; what the program prints, goes to its file.
  (define say "echo '[x] begun' > /proc/$PPID/fd/1; ")
  (define script (string-append family "exec sleep 1000"))
  (define-values (from-task from-master)
    (values (format #f "(pool-apply-only pool 0 run-it ~s)" (string-append say script))
            (format #f "(run-command \"/bin/sh\" \"-c\" ~s)" (string-append say script))))
  (test-interrupt "Ctrl-C while a task runs a program" from-task)
  (test-interrupt "Ctrl-C while the master does" from-master))

(call-with-tap
 (lambda ()
   (call-with-temporary-files
    (lambda (folder)
      (with-execution-manager
        (test-group "late" (test-late))
        (test-group "children" (test-children))
        (test-group "flood" (test-flood))
        (test-group "tasks" (test-task-ends))
        (test-group "checkpoint" (call-with-folder test-checkpoint)))
      (test-group "interrupt" (test-interrupts))))))
