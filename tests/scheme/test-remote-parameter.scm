;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Parameters whose values travel with tasks, and those that do not: the same in the serial pool and with workers.
(use-modules (tap) (parameter-module) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define-remote-parameter tolerance 1e-3)
(define-remote-parameter level "low" (lambda (x) (if (string? x) x (error "no level:" x))))
(define-remote-parameter limits '(0 1))
(define-remote (the-tolerance . _) (tolerance))
(define-remote (double x) (* 2 x))
(define-remote-parameter transform double)

(define pools '())

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (everywhere proc)
  (let ((all (map proc pools)))
    (if (every (lambda (one) (equal? one (car all))) all) (car all) (cons 'different all))))

(define-syntax-rule (test-everywhere name expected pool expression)
  (test-equal name expected (everywhere (lambda (pool) expression))))

(define (test-travel)
  (test-everywhere "the default" '(1e-3 1e-3) pool (pool-map pool the-tolerance '(1 2)))
  (test-everywhere "pool-map" '(1e-9 1e-9) pool (parameterize ((tolerance 1e-9)) (pool-map pool the-tolerance '(1 2))))
  (test-everywhere "and not afterwards" '(1e-3 1e-3) pool (pool-map pool the-tolerance '(1 2)))
  (test-everywhere "pool-apply" #t pool
                   (parameterize ((tolerance 1e-9)) (every (lambda (x) (= x 1e-9)) (pool-apply pool the-tolerance))))
  (test-everywhere "pool-apply-only" 1e-9 pool (parameterize ((tolerance 1e-9)) (pool-apply-only pool 0 the-tolerance)))
  (test-everywhere "a task has the value of the time when it was submitted" '(1e-9 1e-3) pool
                   (let* ((one (parameterize ((tolerance 1e-9)) (pool-submit! pool the-tolerance)))
                          (other (pool-submit! pool the-tolerance)))
                     (parameterize ((tolerance 5)) (list (task-wait one) (task-wait other)))))
  (test-everywhere "assigned here" '(7 1e-3) pool
                   (begin
                     (tolerance 7)
                     (let ((seven (task-wait (pool-submit! pool the-tolerance))))
                       (tolerance 1e-3)
                       (list seven (task-wait (pool-submit! pool the-tolerance))))))
  (test-everywhere "assigned in a task: not in the next" '(5 1e-3) pool
                   (list (task-wait (pool-submit! pool (remote (lambda () (tolerance 5) (tolerance)))))
                         (first (delete-duplicates (append (pool-apply pool the-tolerance) (pool-map pool the-tolerance (iota 20)))))))
  (test-everywhere "several" '("high" (2 3)) pool
                   (parameterize ((level "high") (limits '(2 3)))
                     (task-wait (pool-submit! pool (remote (lambda () (list (level) (limits))))))))
  (test-everywhere "a remote procedure as the value" '(10 5) pool
                   (append (pool-map pool (remote (lambda (x) ((transform) x))) '(5))
                           (parameterize ((transform (remote (lambda (x) x))))
                             (pool-map pool (remote (lambda (x) ((transform) x))) '(5)))))
  (test-everywhere "with other arguments and tasks among them" 11 pool
                   (parameterize ((limits '(10 20)))
                     (let ((one (pool-submit! pool (remote (lambda () 1)))))
                       (task-wait (pool-submit! pool (remote (lambda (x) (+ x (first (limits))))) one))))))

(define (test-tasks)
  (test-everywhere "nested maps" '((1e-9 1e-9)) pool
                   (parameterize ((tolerance 1e-9))
                     (pool-map pool (remote (lambda (x) (pool-map (current-pool) the-tolerance '(1 2)))) '(1))))
  (test-everywhere "parameterize in a task, around a nested map" '((2 2)) pool
                   (pool-map pool
                             (remote (lambda (x) (parameterize ((tolerance 2)) (pool-map (current-pool) the-tolerance '(1 2)))))
                             '(1)))
  (test-everywhere "the converter is there" '(worker-error "high") pool
                   (list (if (worker-error? (condition-of (lambda ()
                                                            (pool-map pool (remote (lambda (x) (parameterize ((level 5)) (level)))) '(1)))))
                             'worker-error
                             'none)
                         (first (pool-map pool (remote (lambda (x) (parameterize ((level "high")) (level)))) '(1)))))
  (test-everywhere "in a closure that travels back" 4 pool
                   (let ((back (task-wait (pool-submit! pool (remote (lambda () (remote (lambda () (tolerance)))))))))
                     (parameterize ((tolerance 4)) (back))))
  (test-everywhere "given as an argument" 6 pool
                   (parameterize ((tolerance 6)) (task-wait (pool-submit! pool (remote (lambda (p) (p))) tolerance)))))

(define (test-modules)
  (test-everywhere "a parameter of a module" '((3 3) 30 3) pool
                   (list (pool-map pool module-scale '(1 1)) (parameterize ((scale 10)) (task-wait (pool-submit! pool module-scale 3)))
                         (task-wait (pool-submit! pool module-scale 1))))
  (test-everywhere "an undeclared parameter has its default" '(0.5 0.5) pool
                   (list (parameterize ((undeclared 9)) (task-wait (pool-submit! pool module-undeclared)))
                         (task-wait (pool-submit! pool module-undeclared))))
  (test-everywhere "also in a nested task" '(0.5) pool
                   (pool-map pool
                             (remote (lambda (x)
                                       (parameterize ((undeclared 9))
                                         (first (pool-map (current-pool) module-undeclared '(1))))))
                             '(1)))
  (test-everywhere "and random seeds" #t pool
                   (parameterize ((random-seed 5)) (equal? 0 (task-wait (pool-submit! pool (remote (lambda () (random-seed)))))))))

(define (test-errors)
  (test-assert "a value that cannot travel is named"
    (string-contains (condition->string
                      (condition-of (lambda () (parameterize ((limits (current-output-port)))
                                                 (pool-map (second pools) the-tolerance '(1))))))
                     "the value of the parameter `limits'"))
  (test-equal "the names of arguments stay" "argument 1"
              (not-remotable-where
               (condition-of (lambda () (parameterize ((limits 1)) (pool-submit! (second pools) list 1 (current-output-port)))))))
  (test-assert "an interrupt leaves a task of the serial pool"
    (eq? 'out (catch 'quit (lambda () (pool-map (car pools) (remote (lambda (x) (exit 3))) '(1))) (lambda _ 'out)))))

(define (test-replacement)
  (call-with-pool 1
    (lambda (pool)
      (let ((kept (parameterize ((tolerance 1e-9)) (pool-keep pool (remote (lambda () (list (tolerance))))))))
        (test-equal "what is kept" '((1e-9)) (pool-fetch kept))
        (parameterize ((task-retries 0))
          (condition-of (lambda () (task-wait (pool-submit! pool (remote (lambda () (kill (getpid) SIGKILL))))))))
        (test-equal "is made again with the same values" '((1e-9)) (pool-fetch kept)))))
  (test-equal "an operator's derivative, too" '(4. 4.)
              (call-with-pool 1
                (lambda (pool)
                  (let* ((op (parallel-vector-of-operators (list (make-scaled)) #:pool pool))
                         (run (lambda (x) (f64vector-ref (evaluate op (f64vector x)) 0))))
                    (let ((before (parameterize ((scale 2)) (run 2.))))
                      (parameterize ((task-retries 0))
                        (condition-of (lambda () (task-wait (pool-submit! pool (remote (lambda () (kill (getpid) SIGKILL))))))))
                      (list before (parameterize ((scale 2)) (run 2.)))))))))

(call-with-tap
 (lambda ()
   (test-group "remote parameters"
     (worker-output-port #f)
     (progress-port #f)
     (set! pools (cons (make-serial-pool) (map make-pool '(1 2))))
     (test-group "travel" (test-travel))
     (test-group "tasks" (test-tasks))
     (test-group "modules" (test-modules))
     (test-group "errors" (test-errors))
     (for-each pool-close! pools)
     (test-group "replacement" (test-replacement)))))
