;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sums of large private vectors, which come from their workers in rounds: the same bits as here, whatever else the workers do meanwhile,
;; and whichever of them dies.
(use-modules (ice-9 threads) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64) (tap) (tutti) (tutti sum) (tutti vector)
             (tutti worker left))

(define n 2100003)                      ; two rounds and a bit

(define-remote (numbers k n)
  (let ((v (make-f64vector n 0)))
    (do ((i 0 (+ i 97))) ((>= i n) v)
      (f64vector-set! v i (/ (+ k i 0.1) 3)))))
(define-remote (complex-numbers k n) (vec->complex (numbers k n)))
(define-remote (some-shared k n) (if (odd? k) (numbers k n) (vector->shared (numbers k n))))
(define-remote (some-shorter k n) (numbers k (if (= k 1) (1- n) n)))
(define-remote (like-a-node) (list 0 1 'left 5 'f64 3))
(define-remote (give v) v)
(define-remote (die) (kill (getpid) SIGKILL))

(define (sum-of make workers) (sum-vectors #f (map (lambda (k) (make k n)) (iota workers))))

(define (test-kinds workers)
  (define expected (sum-of numbers workers))
  (define who (per-worker (iota workers)))
  (call-with-pool workers
    (lambda (pool)
      (define (name text) (format #f "~a, ~a workers" text workers))
      (test-assert (name "real") (equal? expected (pool-sum pool numbers who n)))
      (test-assert (name "some are shared") (equal? expected (pool-sum pool some-shared who n)))
      (test-assert (name "complex") (equal? (vec->complex expected) (pool-sum pool complex-numbers who n)))
      (when (> workers 1)
        (test-assert (name "one is shorter")
          (with-exception-handler shape-error? (lambda () (pool-sum pool some-shorter who n) #f) #:unwind? #t)))
      (test-assert (name "and the next one") (equal? expected (pool-sum pool numbers who n))))))

(define (test-no-vectors)
  (call-with-pool 2
    (lambda (pool)
      (test-equal "what is no vector" "worker 0 returned (0 1 left 5 f64 3), expected an f64vector or a c64vector"
        (with-exception-handler worker-free-text (lambda () (pool-sum pool like-a-node)) #:unwind? #t)))))

(define (worker-free-text exception)
  (let ((text (condition->string exception)))
    (substring text (or (string-contains text "worker 0") 0))))

(define (test-disturbed)
  (define expected (sum-of numbers 3))
  (call-with-pool 3
    (lambda (pool)
      (define parts (pool-keep pool numbers (per-worker (iota 3)) n))
      (define (sum-during task . arguments)
        (let* ((others (begin-thread
                         (for-each (lambda (i)
                                     (false-if-exception (apply pool-apply-only pool (modulo i 3) task arguments)))
                                   (iota 6))))
               (sum (pool-sum pool give parts)))
          (join-thread others)
          sum))
      (test-assert "other tasks in between" (equal? expected (sum-during + 1 2)))
      (for-each (lambda (i) (test-assert "deaths in between" (equal? expected (sum-during die)))) (iota 3))
      (test-assert "after that" (equal? expected (pool-sum pool give parts))))))

;; As in a worker, which runs one task at a time.
(define (test-left)
  (let* ((v (f64vector 1 2 3)) (number (leave-vector! v)))
    (test-eq "as it is" v (left-vector number))
    (settle-left! +)
    (f64vector-set! v 0 -1)
    (test-equal "as it was, after another task" (f64vector 1 2 3) (left-vector number))
    (forget-left! number)
    (test-equal "forgotten" #f (left-vector number))
    (let ((numbers (map (lambda (i) (leave-vector! (c64vector i))) (iota 40))))
      (test-equal "not more than a few" 16 (count left-vector numbers))
      (test-equal "the last ones" (c64vector 39) (left-vector (last numbers)))
      (for-each forget-left! numbers))))

(call-with-tap
 (lambda ()
   (test-group "left" (test-left))
   (test-group "kinds" (for-each test-kinds '(1 2 3)))
   (test-no-vectors)
   (test-group "disturbed" (test-disturbed))))
