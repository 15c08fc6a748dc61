;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Reports of workers that die: a line for each, with what becomes of its task, and how many there were.
(use-modules (tap) (programs) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define-remote (once-fragile x items marks)
  (let ((mark (string-append marks "/" (number->string x))))
    (when (and (memv x items) (not (file-exists? mark)))
      (close-port (open-output-file mark))
      (kill (getpid) SIGSEGV))
    (* x x)))

(define-remote (fragile x)
  (case x
    ((3) (kill (getpid) SIGKILL))
    ((5) (error "no good:" x))
    ((7) (sleep 60)))
  x)

(define-remote (write-to wanted? v)
  (when wanted? (f64vector-set! v 0 5.)))

(define (lines text)
  (remove string-null? (string-split text #\newline)))

(define (told thunk)
  "Return the lines that are written to the death port while THUNK runs, which may raise."
  (lines (call-with-output-string
           (lambda (port)
             (parameterize ((death-port port))
               (condition-of thunk))))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (matches? patterns lines)
  (or (and (= (length patterns) (length lines)) (every string-match patterns lines))
      (begin (format #t "# told: ~s~%" lines) #f)))

(define (squares n) (map (lambda (x) (* x x)) (iota n)))

(define died "^tutti: pool \"pool\": worker [0-9]+ \\(pid [0-9]+\\) was ended by signal [^;]*while it ran task [0-9]+; peak memory [^;]*; ")

(define (test-maps pool)
  (call-with-folder
   (lambda (marks)
     (define value #f)
     (define (map-once n items)
       (lambda () (set! value (pool-map pool once-fragile (iota n) (make-list n items) (make-list n marks)))))
     (test-assert "an item of many is tried again"
       (matches? (list (string-append died "item 57 of a map of `once-fragile' is tried again(, attempt 2)?$")
                       "^tutti: a map of `once-fragile': 1 worker died, 1 item tried again$")
                 (told (map-once 100 '(57)))))
     (test-equal "and all values are there" (squares 100) value)
     (test-assert "two of few"
       (let ((lines (told (map-once 4 '(1 3)))))
         (and (= 3 (length lines))
              (matches? '("^tutti: a map of `once-fragile': 2 workers died, 2 items tried again$") (take-right lines 1)))))
     (test-equal "nowhere" '() (told (lambda () (parameterize ((death-port #f)) ((map-once 10 '(8)))))))))
  (test-assert "an item that always kills, each time"
    (parameterize ((task-retries 1))
      (matches? (list (string-append died "item 0 of a map of `fragile' is tried again, attempt 2$")
                      (string-append died "item 0 of a map of `fragile' is not tried again$")
                      "^tutti: a map of `fragile': 2 workers died, 1 item tried again$")
                (told (lambda () (pool-map pool fragile '(3)))))))
  (test-equal "nobody died" '() (told (lambda () (pool-map pool fragile '(0 1 5) #:on-error 'collect)))))

(define (test-tasks pool)
  (call-with-folder
   (lambda (marks)
     (test-assert "a task is tried again"
       (matches? (list (string-append died "task [0-9]+ is tried again, attempt 2$"))
                 (told (lambda () (task-wait (pool-submit! pool once-fragile 1 '(1) marks))))))))
  (test-assert "or not"
    (matches? (list (string-append died "task [0-9]+ is not tried again$"))
              (told (lambda () (parameterize ((task-retries 0)) (task-wait (pool-submit! pool fragile 3)))))))
  (test-equal "what the script ends itself is not told" '()
              (told (lambda ()
                      (let ((task (pool-submit! pool fragile 7)))
                        (task-cancel! task)
                        (condition-of (lambda () (task-wait task)))
                        (pool-apply pool list 1)))))
  (test-assert "a time-out, before the map returns"
    (matches? '("took too long while it ran task [0-9]+; .*; item 1 of a map of `fragile' is not tried again$"
                "^tutti: a map of `fragile': 1 worker died, nothing was tried again$")
              (told (lambda ()
                      (parameterize ((task-timeout 0.2))
                        (pool-map pool fragile '(1 7) #:on-error 'collect))))))
  (test-assert "a write to what may only be read"
    (matches? '("wrote to a vector that it may only read while it ran task [0-9]+; .*; item 1 of a map of `write-to' is not tried again$"
                "^tutti: a map of `write-to': 1 worker died, nothing was tried again$")
              (told (lambda ()
                      (pool-map pool write-to '(#f #t) (make-list 2 (make-shared-f64vector 1000 1.)) #:on-error 'collect))))))

(define (test-conditions pool)
  (define (ends-of thunk)
    (let ((condition (condition-of thunk)))
      (list (condition-item condition) (condition-procedure condition))))
  (parameterize ((death-port #f) (task-retries 0))
    (let ((all (pool-map pool fragile '(0 3 5) #:on-error 'collect)))
      (test-equal "which item, of which procedure" '((1 "fragile") (2 "fragile"))
                  (map (lambda (c) (list (condition-item c) (condition-procedure c))) (cdr all)))
      (test-assert "and which task" (exact-integer? (worker-error-task (third all))))
      (test-assert "they are written in a line each"
        (every string-match
               '("^#<&worker-died item 1 of a map of `fragile': worker [0-9]+ \\(pid [0-9]+\\) [^\n]*>$"
                 "^#<&worker-error item 2 of a map of `fragile': error in task [0-9]+ on worker [0-9]+: no good: 5>$")
               (map object->string (cdr all)))))
    (test-equal "a task that raises" '(#f "fragile") (ends-of (lambda () (task-wait (pool-submit! pool fragile 5)))))
    (test-equal "a task whose worker dies" '(#f "fragile") (ends-of (lambda () (task-wait (pool-submit! pool fragile 3)))))
    (test-equal "on all workers" '(#f "fragile") (ends-of (lambda () (pool-apply pool fragile 5))))
    (test-equal "on one" '(#f "fragile") (ends-of (lambda () (pool-apply-only pool 0 fragile 5))))
    (test-equal "without a name" '(#f #f) (ends-of (lambda () (pool-apply pool (remote (lambda () (car 1)))))))
    (test-assert "it is in the text"
      (string-contains (condition->string (condition-of (lambda () (task-wait (pool-submit! pool fragile 5)))))
                       "\n  in a call of `fragile'\n"))))

;;; A whole program.

(define (script . forms)
  (string-append "(use-modules (tutti))
(define-remote (mortal mark)
  (unless (file-exists? mark)
    (close-port (open-output-file mark))
    (kill (getpid) SIGKILL))
  1)
" (string-join forms "\n")))

(define (errors-of-script . forms)
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (call-with-output-file file (lambda (port) (put-string port (apply script forms))))
       (lines (program-errors (run-program (list tutti "run" file folder))))))))

(define mark "(define (mark n) (string-append (cadr (command-line)) \"/\" (number->string n)))")

(define (test-programs)
  (test-assert "at the end, all there were"
    (matches? (list (string-append died "task [0-9]+ is tried again, attempt 2$")
                    (string-append died "item 0 of a map of `mortal' is tried again, attempt 2$")
                    "^tutti: a map of `mortal': 1 worker died, 1 item tried again$"
                    "^tutti: in all, 2 workers died, 1 item and 1 task tried again$")
              (errors-of-script mark "(call-with-pool 1 (lambda (pool)
  (task-wait (pool-submit! pool mortal (mark 1)))
  (pool-map pool mortal (list (mark 2)))))")))
  (test-assert "once is enough if it was one map"
    (matches? (list (string-append died "item 0 of a map of `mortal' is tried again, attempt 2$")
                    "^tutti: a map of `mortal': 1 worker died, 1 item tried again$")
              (errors-of-script mark "(call-with-pool 1 (lambda (pool) (pool-map pool mortal (list (mark 1)))))")))
  (test-equal "nobody died" '() (errors-of-script "(call-with-pool 1 (lambda (pool) (pool-map pool sqrt '(1 4))))")))

(call-with-tap
 (lambda ()
   (test-group "deaths"
     (call-with-pool 2
       (lambda (pool)
         (test-group "maps" (test-maps pool))
         (test-group "tasks" (test-tasks pool))
         (test-group "conditions" (test-conditions pool))))
     (test-group "programs" (test-programs)))))
