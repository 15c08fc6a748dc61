;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The tree of conditions: types, accessors, texts, and what Guile itself prints of them.
(use-modules (tap)
             (tutti conditions)
             (ice-9 exceptions)
             (ice-9 popen)
             (ice-9 textual-ports)
             (srfi srfi-64))

(define (includes? text . parts)
  (and-map (lambda (part) (string-contains text part)) parts))

(define (caught thunk)
  (with-exception-handler (lambda (error) error) thunk #:unwind? #t))

(define (guile-output . arguments)
  "Run guile and return all that it wrote, and its exit status."
  (let* ((port (apply open-pipe* OPEN_READ "sh" "-c" "exec guile \"$@\" 2>&1 </dev/null" "sh" arguments))
         (text (get-string-all port)))
    (list text (status:exit-val (close-pipe port)))))

(define certificate
  (make-certificate #:reason 'killed #:signal SIGSEGV #:stderr "first\nlast words\n" #:task 17
                    #:peak-memory 12000000 #:worker 3 #:pid 4711 #:input-size 8000 #:detail "it was heavy"))

(define remote-failure
  (make-worker-error 'wrong-type-arg '("car" "Wrong type: ~s" (3)) "In procedure car: Wrong type: 3"
                     "In script.scm:\n   3:2  2 (f 3)" 1 17))

(call-with-tap
 (lambda ()
   (test-group "tree"
     (for-each
      (lambda (name condition predicate)
        (test-assert name (and (tutti-error? condition) (error? condition) (predicate condition)
                               (exception-with-message? condition)))
        (test-equal (string-append name "/only-itself") 1
          (length (filter (lambda (other) (other condition))
                          (list worker-error? worker-died? task-timeout? wait-timeout? task-cancelled?
                                pool-closed-error? removed? shape-error? not-remotable? vector-busy?)))))
      '("worker-error" "worker-died" "task-timeout" "wait-timeout" "task-cancelled" "pool-closed" "removed"
        "shape-error" "not-remotable" "vector-busy")
      (list remote-failure (make-worker-died certificate) (make-task-timeout 3 0.5) (make-wait-timeout 2)
            (make-task-cancelled 3) (make-pool-closed 'p) (make-removed 'o) (make-shape-error 3 4)
            (make-not-remotable "no") (make-vector-busy #f64(1)))
      (list worker-error? worker-died? task-timeout? wait-timeout? task-cancelled? pool-closed-error? removed?
            shape-error? not-remotable? vector-busy?))
     (test-assert "interrupted/no-error"
       (let ((condition (make-interrupted)))
         (and (interrupted? condition) (not (error? condition)) (not (tutti-error? condition)))))
     (test-equal "interruptions"
       '(#t #t #t #f #f #f)
       (map (lambda (thunk) (with-exception-handler interruption? thunk #:unwind? #t))
            (list (lambda () (exit 3))
                  (lambda () (scm-error 'signal #f "User interrupt" '() (list SIGINT)))
                  (lambda () (raise-exception (make-interrupted)))
                  (lambda () (throw 'signal "of my own"))
                  (lambda () (car 1))
                  (lambda () (raise-exception 'no-condition)))))
     (test-equal "what handles errors lets interruptions pass" '(5 #f through)
       (list (false-if-error 5) (false-if-error (car 1))
             (with-exception-handler (const 'through) (lambda () (false-if-error (exit 3))) #:unwind? #t))))

   (test-group "accessors"
     (test-equal "worker-error"
       '(wrong-type-arg ("car" "Wrong type: ~s" (3)) "In procedure car: Wrong type: 3"
         "In script.scm:\n   3:2  2 (f 3)" 1 17)
       (map (lambda (get) (get remote-failure))
            (list worker-error-key worker-error-arguments worker-error-message worker-error-backtrace
                  worker-error-worker worker-error-task)))
     (test-equal "certificate"
       `(killed #f ,SIGSEGV ("first" "last words") 17 12000000 3 4711 8000 "it was heavy")
       (map (lambda (get) (get (worker-died-certificate (make-worker-died certificate))))
            (list certificate-reason certificate-status certificate-signal certificate-stderr certificate-task
                  certificate-peak-memory certificate-worker certificate-pid certificate-input-size certificate-detail)))
     (test-equal "shape-error" '(3 (2 2))
       (let ((condition (make-shape-error 3 '(2 2))))
         (list (shape-error-expected condition) (shape-error-actual condition))))
     (test-equal "task-timeout" '(8 0.5)
       (let ((condition (make-task-timeout 8 0.5)))
         (list (task-timeout-task condition) (task-timeout-seconds condition))))
     (test-equal "not-remotable" '(v "here" z "do" ("f.scm" 3 4))
       (let ((condition (make-not-remotable "no" #:value 'v #:where "here" #:variable 'z #:advice "do"
                                            #:source '("f.scm" 3 4))))
         (map (lambda (get) (get condition))
              (list not-remotable-value not-remotable-where not-remotable-variable not-remotable-advice
                    not-remotable-source)))))

   (test-group "text"
     (test-assert "worker-error"
       (includes? (condition->string remote-failure)
                  "In procedure car: Wrong type: 3" "task 17" "worker 1" "wrong-type-arg"
                  "(\"car\" \"Wrong type: ~s\" (3))"
                  "\n    In script.scm:\n       3:2  2 (f 3)"))
     (test-equal "worker-died"
       "worker 3 (pid 4711) died: killed, signal 11 (SIGSEGV)
  it was heavy
  it was running task 17, whose inputs have 8000 bytes
  peak memory: 12.0 MB
  the last lines of its standard error:
    first
    last words"
       (condition->string (make-worker-died certificate)))
     (test-equal "node-lost"
       '("worker 2 (pid 7) on elsewhere died: watcher-lost" #t #t "elsewhere")
       (let ((lost (make-worker-died (make-certificate #:reason 'watcher-lost #:worker 2 #:pid 7 #:node "elsewhere"))))
         (list (car (string-split (condition->string lost) #\newline)) (worker-died? lost) (node-lost? lost) (node-lost-node lost))))
     (test-equal "a worker that is lost here, or dies elsewhere, is none"
       '(#f #f)
       (list (node-lost? (make-worker-died (make-certificate #:reason 'watcher-lost #:node (gethostname))))
             (node-lost? (make-worker-died (make-certificate #:reason 'signal #:signal 9 #:node "elsewhere")))))
     (test-equal "certificate/little-known"
       "worker died: exited, exit status 3\n  it wrote nothing to its standard error"
       (certificate->string (make-certificate #:reason 'exited #:status 3 #:stderr "")))
     (test-equal "certificate/nothing twice"
       '("worker died: exit status 3" "worker died: signal 9 (SIGKILL)" "worker died: memory-limit, signal 9 (SIGKILL)")
       (map (lambda (certificate) (car (string-split (certificate->string certificate) #\newline)))
            (list (make-certificate #:reason 'exit #:status 3) (make-certificate #:reason 'signal #:signal 9)
                  (make-certificate #:reason 'memory-limit #:signal 9))))
     (test-assert "certificate/task-without-input-size"
       (includes? (certificate->string (make-certificate #:task 4)) "it was running task 4\n"))
     (test-equal "not-remotable" "f.scm:3:4: no\n  at: item 3 (counted from 0)\n  do this"
       (condition->string (make-not-remotable "no" #:where "item 3" #:advice "do this" #:source '("f.scm" 3 4))))
     (test-equal "shape-error" "wrong shape: expected 3, got (2 2)" (condition->string (make-shape-error 3 '(2 2))))
     (test-assert "who"
       (includes? (condition->string (caught (lambda () (raise-tutti (make-wait-timeout 2) 'task-wait))))
                  "In procedure task-wait: nothing was done within 2 s"))
     (test-assert "any/plain" (includes? (condition->string (caught (lambda () (error "plain" 7)))) "plain 7"))
     (test-assert "any/car" (includes? (condition->string (caught (lambda () (car 7)))) "car" "7"))
     (test-equal "any/object" "7" (condition->string 7)))

   (test-group "compound"
     (let* ((original (caught (lambda () (car 7))))
            (condition (make-worker-error 'wrong-type-arg '() "car of 7" #f 0 1 original)))
       (test-assert "both-types" (and (worker-error? condition) (assertion-failure? condition)))
       (test-assert "text-is-ours" (includes? (condition->string condition) "error in task 1 on worker 0: car of 7"))
       ;; With the original's key, Guile would print the original and nothing else.
       (test-equal "no-key" '%exception (exception-kind condition)))
     (let ((condition (make-worker-error 'x '() "m" #f 0 1 (make-shape-error 3 4))))
       (test-assert "own-type" (and (worker-error? condition) (shape-error? condition)))
       (test-equal "own-type/fields" 4 (shape-error-actual condition)))
     (let ((quit (with-exception-handler (lambda (error) error) (lambda () (exit 3)) #:unwind? #t)))
       (test-assert "exit-ends-nothing-here"
         (and (quit-exception? quit) (not (quit-exception? (make-worker-error 'quit '(3) "exit" #f 0 1 quit))))))
     (test-assert "not-a-condition" (worker-error? (make-worker-error 'x '() "m" #f 0 1 7))))

   (test-group "printed-by-guile"
     (let ((result (guile-output "--no-auto-compile" "-c" "(use-modules (tutti conditions))
(raise-tutti (make-worker-died (make-certificate #:reason 'killed #:signal 9 #:stderr \"line one\\nline two\")))")))
       (test-assert "uncaught/text" (includes? (car result) "signal 9 (SIGKILL)" "\n    line one\n    line two\n"))
       (test-equal "uncaught/status" 1 (cadr result)))
     (test-assert "others-as-before"
       (includes? (call-with-output-string
                    (lambda (port) (print-exception port #f '%exception (list (make-warning)))))
                  "ERROR:" "1. &warning"))
     (test-assert "print-exception"
       (includes? (call-with-output-string (lambda (port) (print-exception port #f '%exception (list remote-failure))))
                  "\n    In script.scm:\n")))))
