;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The engine is shut down and the process goes on, as in an application: what it had says so at once, and new pools work like the first.
(use-modules (tap) (test-primitives) (ice-9 exceptions) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti operator) (vectors))

(define-remote offset (make-shared-f64vector 5000 0.5))
(define-remote large (make-shared-f64vector 100000 2.0))

;; Code with values of the script's, small and large, which workers are given once and hold.
(define-remote (add-offset x) (+ x (f64vector-ref offset 4999)))
(define-remote (nth-of-large i) (f64vector-ref large i))
(define-remote (stay-forever) (let loop () (sleep 1000) (loop)))
(define-remote (make-doubling n) (operator-scale 2 (identity-operator n)))
(define-remote (total object) (apply + object))

(define (outcome thunk)
  "Return what @var{thunk} raises, or its value in a list."
  (with-exception-handler identity (lambda () (list (thunk))) #:unwind? #t))

(define (closed? result . words)
  "Is @var{result} a @code{&pool-closed} whose message has all @var{words}?"
  (let ((right? (and (pool-closed-error? result)
                     (every (lambda (word) (string-contains (condition->string result) word)) words))))
    (unless right? (format #t "# ~a~%" (if (exception? result) (condition->string result) result)))
    (and right? #t)))

(define (use pool)
  "Return what comes of all kinds of work in @var{pool}."
  (let ((object (pool-push pool '(1 2 3)))
        (operator (parallel-vector-of-operators (list (make-doubling 2) (make-doubling 2)) #:pool pool)))
    (list (pool-map pool add-offset '(1 2 3 4))
          (delete-duplicates (pool-apply pool nth-of-large 99999))
          (delete-duplicates (pool-apply pool total object))
          (f64vector->list (evaluate operator (f64vector 1 2)))
          (let ((first (pool-submit! pool add-offset 1)))
            (task-wait (pool-submit! pool add-offset first))))))

(define expected '((1.5 2.5 3.5 4.5) (2.0) (6) (2.0 4.0 2.0 4.0) 2.0))

(define (test-refused what thunk . words)
  (test-assert what (apply closed? (outcome thunk) words)))

(define (test-left pool operator derivative object done)
  "What belonged to the engine that was shut down."
  (test-assert "the pool is closed" (pool-closed? pool))
  (test-refused "a task" (lambda () (pool-submit! pool add-offset 1)) "closed" "make another")
  (test-refused "a map" (lambda () (pool-map pool add-offset '(1 2))) "make another")
  (test-refused "an object" (lambda () (pool-fetch object)))
  (test-refused "a parallel operator" (lambda () (evaluate operator (f64vector 1 2))) "pool" "closed" "make the operator again")
  (test-refused "its derivative" (lambda () (evaluate derivative (f64vector 1 2))) "pool" "make the operator again")
  (test-equal "what a task had answered is there" 1.5 (task-wait done))
  (test-assert "the pool can be closed" (begin (pool-close! pool) #t)))

(define (test-round name)
  (test-group name
    (let* ((pool (make-pool 2))
           (done (pool-submit! pool add-offset 1)))
      (test-equal "works" expected (use pool))
      (task-wait done)
      (let* ((object (pool-push pool '(1 2)))
             (operator (parallel-vector-of-operators (list (make-doubling 2) (make-doubling 2)) #:pool pool))
             (derivative (call-with-values (lambda () (linearize operator (f64vector 1 2))) (lambda (y derivative) derivative)))
             (running (pool-submit! pool stay-forever))
             (queued (map (lambda (i) (pool-submit! pool stay-forever)) (iota 3)))
             (waiter (call-with-new-thread (lambda () (outcome (lambda () (task-wait running))))))
             (mapper (call-with-new-thread (lambda () (outcome (lambda () (pool-map pool (remote (lambda (x) (stay-forever))) '(1 2))))))))
        (%engine-shutdown!)
        (test-assert "who waits for a task in flight" (closed? (join-thread waiter)))
        (test-assert "who maps" (closed? (join-thread mapper)))
        (test-assert "who asks later" (closed? (outcome (lambda () (task-wait running)))))
        (for-each (lambda (task) (test-assert "queued" (closed? (outcome (lambda () (task-wait task)))))) queued)
        (test-left pool operator derivative object done)
        (let* ((next (make-pool 1))
               (task (pool-submit! next add-offset 2)))
          (test-equal "a wait for tasks of both engines" '(1.5 2.5)
            (let ((first (task-wait-any (list done task))))
              (list (task-wait first) (task-wait task))))
          (test-equal "the next pool works" expected (use next))
          (test-equal "a parallel operator there" '(2.0 4.0)
            (f64vector->list (evaluate (parallel-vector-of-operators (list (make-doubling 2)) #:pool next) (f64vector 1 2))))
          (test-assert "an object of the other engine"
            (string-contains (condition->string (outcome (lambda () (pool-apply next total object)))) "push it to that pool as well"))
          (pool-close! next))))))

(call-with-tap
 (lambda ()
   (for-each test-round '("once" "again"))
   ;; With nothing open, and twice.
   (%engine-shutdown!)
   (%engine-shutdown!)
   (test-equal "in a scope" expected (call-with-pool 2 use))))
