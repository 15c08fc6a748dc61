;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is written beside the job: where it cannot be written the job goes on, and what was lost is counted and told.
(use-modules (tap) (programs) (ice-9 regex) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions) (tutti base log))

(define-remote (talk i)
  (format #t "line ~a~%" i)
  i)

(define (lines text)
  (remove string-null? (string-split text #\newline)))

(define (errors-of thunk)
  "Return two values: that of @var{thunk}, and the lines that were written to the error port meanwhile."
  (let* ((value #f)
         (text (call-with-output-string
                 (lambda (port)
                   (parameterize ((current-error-port port))
                     (set! value (thunk)))))))
    (values value (lines text))))

(define (closed-port)
  (let ((port (open-output-file "/dev/null")))
    (close-port port)
    port))

(define (failing-port fails? taken)
  "A port without a buffer that has no room while FAILS? returns true; other texts are given to TAKEN."
  (let ((port (make-soft-port (vector (lambda (c) (taken (string c)))
                                      (lambda (text)
                                        (when (fails?) (scm-error 'system-error "write" "~A" (list (strerror EIO)) (list EIO)))
                                        (taken text))
                                      (const #t) #f #f)
                              "w")))
    (setvbuf port 'none)
    port))

(define (test-port pool name port reason)
  (call-with-values
      (lambda ()
        (errors-of
         (lambda ()
           (parameterize ((worker-output-port port))
             (list (pool-map pool talk (iota 6)) (pool-map pool talk (iota 6)) (pool-map pool talk '(3)))))))
    (lambda (value told)
      (test-equal (string-append name ": the values") (list (iota 6) (iota 6) '(3)) value)
      (test-equal (string-append name ": told once") 1 (length told))
      (test-assert (string-append name ": with the reason")
        (string-match (string-append "^tutti: warning: lines of workers cannot be written to .* and are lost: .*" reason) (first told))))))

(define (test-recovery pool)
  (let* ((full? #t)
         (text "")
         (port (failing-port (lambda () full?) (lambda (part) (set! text (string-append text part))))))
    (errors-of
     (lambda ()
       (parameterize ((worker-output-port port))
         (pool-map pool talk (iota 6))
         (set! full? #f)
         (pool-map pool talk '(7))
         (pool-map pool talk '(8)))))
    (let ((found (lines text)))
      (test-equal "how many were lost is told when there is room again"
        "[workers] 6 lines could not be written: Input/output error" (first found))
      (test-equal "and lines come as before" '("line 7" "line 8")
        (map (lambda (line) (match:substring (string-match "line [0-9]$" line))) (cdr found))))))

(define (test-interruption)
  (define (interrupted thunk)
    (with-exception-handler (lambda (e) (and (interruption? e) 'interrupted))
      (lambda () (write-line-beside (failing-port thunk (const #t)) "x"))
      #:unwind? #t))
  (test-equal "a signal while it writes goes through" 'interrupted (interrupted (lambda () (throw 'quit 130))))
  (test-equal "an interruption in a REPL as well" 'interrupted
    (interrupted (lambda () (scm-error 'signal #f "User interrupt" '() (list SIGINT))))))

(define (test-progress pool)
  (test-equal "a progress port that is closed" '(1 2)
    (parameterize ((progress-port (closed-port))) (pool-map pool identity '(1 2)))))

(define (test-parameters)
  (for-each (lambda (parameter name)
              (test-equal (string-append name " is a port") (list name "expected an output port or #f, got ~S" '(log))
                (catch 'wrong-type-arg
                  (lambda () (parameterize ((parameter 'log)) #f))
                  (lambda (key who text arguments . _) (list who text arguments)))))
            (list worker-output-port progress-port) '("worker-output-port" "progress-port")))

(define (test-program)
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (call-with-output-file file
         (lambda (port)
           (for-each (lambda (form) (write form port))
                     '((use-modules (tutti))
                       (define-remote (talk i) (display "line\n") (display "line\n" (current-error-port)) i)
                       (parameterize ((worker-count-warning 1))
                         (write (call-with-pool 2 (lambda (pool) (pool-map pool talk '(1 2 3))))))))))
       (let ((program (run-program (list "sh" "-c" "exec \"$0\" run \"$1\" 2> /dev/full" tutti file))))
         (test-equal "the standard error on a full disk" "(1 2 3)" (program-output program))
         (test-equal "is no failure" 0 (program-status program)))))))

(call-with-tap
 (lambda ()
   (test-group "log"
     (call-with-pool 2
       (lambda (pool)
         (test-port pool "a full disk" (open-output-file "/dev/full") "No space left on device")
         (test-port pool "a full disk, without a buffer" (open-file "/dev/full" "w0") "No space left on device")
         (test-port pool "a closed port" (closed-port) "")
         (test-port pool "a terminal that is gone" (failing-port (const #t) (const #t)) "Input/output error")
         (test-recovery pool)
         (test-progress pool)))
     (test-interruption)
     (test-parameters)
     (test-program))))
