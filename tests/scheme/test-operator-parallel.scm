;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Vectors of operators, here and on workers: the numbers of the oracle, the same bits everywhere, replaced workers, refusals.
(use-modules (tap) (json) (ice-9 match) (processes) (srfi srfi-1) (srfi srfi-11) (srfi srfi-64) (tutti) (tutti operator) (vectors))

;;; Operators of the kinds of the oracle. Workers make them again by repeating these calls.

(define-remote (elementwise f n name f*)
  ;; F and the derivative F*, number by number.
  (make-operator #:name name #:domain n #:codomain n
                 #:evaluate (lambda (x) (vec-map f x))
                 #:linearize (lambda (x) (values (vec-map f x) (diagonal-operator (vec-map f* x))))))

(define-remote (make-square n) (elementwise (lambda (t) (* t t)) n "square" (lambda (t) (* 2 t))))

(define-remote (make-tanh-mix rows columns entries)
  ;; tanh (A x) |x|^2
  (let ((a (matrix-operator rows columns entries)))
    (make-operator
     #:name "tanh-mix" #:domain columns #:codomain rows
     #:evaluate (lambda (x) (vec-scale (vec-dot x x) (vec-map tanh (evaluate a x))))
     #:linearize
     (lambda (x)
       (let* ((t (vec-map tanh (evaluate a x)))
              (s (vec-map (lambda (t) (- 1 (* t t))) t))
              (square (vec-dot x x)))
         (values (vec-scale square t)
                 (make-linear-operator
                  #:name "derivative of tanh-mix" #:domain columns #:codomain rows
                  #:apply (lambda (h)
                            (vec+ (vec-scale square (vec* s (evaluate a h))) (vec-scale (* 2 (vec-dot x h)) t)))
                  #:adjoint (lambda (y)
                              (vec+ (vec-scale square (apply-adjoint a (vec* s y))) (vec-scale (* 2 (vec-dot t y)) x))))))))))

(define-remote (make-thirds n)
  (operator-scale 1/3 (identity-operator n)))

(define-remote (fail-above-one n)
  (make-operator #:name "the fragile one" #:domain n #:codomain n
                 #:evaluate (lambda (x) (if (> (f64vector-ref x 0) 1) (error "too large:" (f64vector-ref x 0)) x))
                 #:linearize (lambda (x) (values x (identity-operator n)))))

(define-remote (leave) (primitive-_exit 3))

(define-remote (held-count)
  (hash-count (const #t) (module-ref (resolve-module '(tutti worker main)) 'held)))

(define (->f64 sequence) (list->f64vector (map exact->inexact (vector->list sequence))))

(define (matrix-of op)
  "Return the linear operator in the description OP of the oracle."
  (match (vector->list (assoc-ref op "shape"))
    ((rows columns)
     (if (equal? (assoc-ref op "format") "dense")
         (matrix-operator rows columns (->f64 (vector-concatenate* (assoc-ref op "data"))))
         (let ((data (assoc-ref op "data")))
           (sparse-operator rows columns (vector->list (assoc-ref data "row")) (vector->list (assoc-ref data "col"))
                            (->f64 (or (assoc-ref data "val") (assoc-ref data "data")))))))))

(define (vector-concatenate* rows)
  (if (vector? (vector-ref rows 0))
      (list->vector (append-map vector->list (vector->list rows)))
      rows))

(define (operator-of op)
  (let* ((a (matrix-of op))
         (rows (operator-codomain a)))
    (match (assoc-ref op "kind")
      ("linear" a)
      ("exp" (operator-compose (exp-operator rows) a))
      ("square" (operator-compose (make-square rows) a))
      ("tanh_mix" (make-tanh-mix rows (operator-domain a) (operator->matrix a))))))

(define (booleans rows)
  (map vector->list (vector->list rows)))

(define (operator-of-case case pool)
  "Return the operator of CASE with its parts on POOL; on #t, with vector-of-operators."
  (let ((ops (map operator-of (vector->list (assoc-ref case "ops")))))
    (cond ((equal? (assoc-ref case "type") "distributed")
           (distributed-vector-of-operators ops (apply direct-sum (vector->list (assoc-ref case "domain_dims")))
                                            (booleans (assoc-ref case "distribution_matrix")) #:pool (if (eq? pool #t) #f pool)))
          ((eq? pool #t) (vector-of-operators ops))
          (else (parallel-vector-of-operators ops #:pool pool)))))

(define (numbers-at op point)
  "Return the list of value, derivative and adjoint of OP at POINT of the oracle."
  (let ((number (lambda (key) (->f64 (assoc-ref point key)))))
    (call-with-values (lambda () (linearize op (number "x")))
      (lambda (y derivative)
        (list y (evaluate op (number "x")) (evaluate derivative (number "h")) (apply-adjoint derivative (number "y")))))))

(define (expected-at point)
  (map (lambda (key) (->f64 (assoc-ref point key))) '("T_x" "T_x" "dT_h" "adj_y")))

(define (test-case case)
  (let* ((points (vector->list (assoc-ref case "points")))
         (numbers (lambda (pool) (map (lambda (point) (numbers-at (operator-of-case case pool) point)) points)))
         (serial (numbers #f)))
    (test-assert "the numbers"
      (every (lambda (ours theirs) (every (lambda (a b) (close? a b 1e-12)) ours theirs)) serial (map expected-at points)))
    (test-equal "vector-of-operators gives the same bits" serial (numbers #t))
    (for-each (lambda (workers)
                (call-with-pool workers
                  (lambda (pool) (test-equal (format #f "~a workers give the same bits" workers) serial (numbers pool)))))
              '(1 2 3 8))))

(define (test-oracle)
  (let ((folder (getenv "TUTTI_SHARED")))
    (if folder
        (let ((cases (call-with-input-file (string-append folder "/oracle/regpy/cases.json") json->scm)))
          (for-each (lambda (case) (test-group (assoc-ref case "name") (test-case case)))
                    (vector->list (assoc-ref cases "cases"))))
        (tap-skip "cases.json" "TUTTI_SHARED is not set"))))

;;; What needs no oracle.

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refused? predicate thunk . parts)
  (let ((condition (condition-of thunk)))
    (and (predicate condition) (every (lambda (part) (string-contains (condition->string condition) part)) parts))))

(define (random-matrix rows columns)
  (matrix-operator rows columns (random-real (* rows columns))))

(define (test-own-case)
  ;; Three operators on R^2 + R^1, by hand: T(x, y, z) = (x + 2 y, 3 z, exp (x) , exp (y), exp (z)).
  (let* ((ops (list (matrix-operator 1 2 (f64vector 1 2)) (matrix-operator 1 1 (f64vector 3)) (exp-operator 3)))
         (matrix '((#t #f) (#f #t) (#t #t)))
         (x (f64vector 0 1 2)))
    (for-each
     (lambda (pool)
       (let ((op (distributed-vector-of-operators ops (direct-sum 2 1) matrix #:pool pool)))
         (test-assert (format #f "by hand: ~a" pool)
           (call-with-values (lambda () (linearize op x))
             (lambda (y derivative)
               (and (close? y (f64vector 2 6 1 (exp 1) (exp 2)))
                    (close? (evaluate derivative (f64vector 1 1 1)) (f64vector 3 3 1 (exp 1) (exp 2)))
                    (close? (apply-adjoint derivative (f64vector 1 1 1 1 1)) (f64vector 2 (+ 2 (exp 1)) (+ 3 (exp 2))))
                    (equal? (operator-codomain op) (direct-sum 1 1 3))
                    (< (check-adjoint op #:at x) 1e-14)))))))
     (list #f (make-serial-pool) 2))))

(define (test-block-diagonal)
  (let* ((ops (list (random-matrix 30 40) (operator-compose (exp-operator 5) (random-matrix 5 7)) (make-thirds 3)
                    (remote (lambda () (make-thirds 4)))))
         (here (block-diagonal-operator ops))
         (x (random-real 54)) (h (random-real 54)) (y (random-real 42)))
    (define (all-of op)
      (call-with-values (lambda () (linearize op x))
        (lambda (value derivative) (list (evaluate op x) value (evaluate derivative h) (apply-adjoint derivative y)))))
    (test-assert "block diagonal: adjoint" (< (check-adjoint here #:at x) 1e-14))
    (for-each
     (lambda (pool)
       (let ((there (parallel-block-diagonal-operator ops #:pool pool)))
         (test-equal (format #f "block diagonal: the same bits, ~a" pool) (all-of here) (all-of there))
         (test-equal (format #f "block diagonal: spaces, ~a" pool) (list (direct-sum 40 7 3 4) (direct-sum 30 5 3 4))
           (list (operator-domain there) (operator-codomain there)))))
     (list #f (make-serial-pool) 1 3))
    (test-assert "block diagonal: real and complex"
      (refused? shape-error? (lambda () (parallel-block-diagonal-operator (list (make-thirds 2) (embedding-operator 2)) #:pool 2))
                "values must be all real or all complex"))))

(define (test-on-a-pool pool)
  (let* ((a (random-matrix 30 40))
         (ops (list (operator-compose (exp-operator 30) (operator-scale 0.1 a)) (make-thirds 40) (random-matrix 5 40)
                    (remote (lambda () (make-thirds 40))) (random-matrix 7 40)))
         (here (vector-of-operators ops))
         (there (parallel-vector-of-operators ops #:pool pool))
         (x (random-real 40))
         (z (random-real 40))
         (y (random-real (+ 30 40 5 40 7)))
         (derivative-here (call-with-values (lambda () (linearize here x)) (lambda (value derivative) derivative)))
         (derivative-there (call-with-values (lambda () (linearize there x)) (lambda (value derivative) derivative))))
    (define (same-derivative?)
      (and (equal? (evaluate derivative-here z) (evaluate derivative-there z))
           (equal? (apply-adjoint derivative-here y) (apply-adjoint derivative-there y))))
    (test-equal "its pool" pool (operator-pool there))
    (test-equal "more operators than workers" (evaluate here x) (evaluate there x))
    (test-assert "a derivative" (same-derivative?))
    (linearize there z)
    (test-assert "a derivative belongs to its point for ever" (same-derivative?))
    (condition-of (lambda () (parameterize ((task-retries 0)) (pool-apply-only pool 0 leave))))
    (test-assert "also after the death of the worker that had its state" (same-derivative?))
    (f64vector-set! x 0 100.)
    (condition-of (lambda () (parameterize ((task-retries 0)) (pool-apply-only pool 1 leave))))
    (test-assert "and if the vector of its point was changed since" (same-derivative?))
    (test-equal "the operator is as it was" (evaluate here z) (evaluate there z))
    (test-assert "in a composition"
      (let ((outer (random-matrix 3 122)))
        (equal? (evaluate (operator-compose outer here) z) (evaluate (operator-compose outer there) z))))
    (test-assert "inside each other"
      (let* ((inner (parallel-vector-of-operators (take ops 2) #:pool pool))
             (nested (parallel-vector-of-operators (list inner a) #:pool pool))
             (serial (vector-of-operators (list (vector-of-operators (take ops 2)) a))))
        (and (equal? (evaluate serial z) (evaluate nested z))
             (equal? (apply-adjoint (derivative-of serial z) (random-like nested))
                     (apply-adjoint (derivative-of nested z) (random-like nested))))))
    (test-assert "statistics"
      (let ((statistics (operator-statistics there)))
        (and (assq 'evaluate statistics) (assq 'linearize statistics) (assq 'adjoint statistics)
             (positive? (third (assq 'evaluate statistics))))))))

(define (derivative-of op x)
  (call-with-values (lambda () (linearize op x)) (lambda (value derivative) derivative)))

(define (random-like op)
  (list->f64vector (map (lambda (i) (sin (* 1. i))) (iota (f64vector-length (evaluate op (make-f64vector 40 0.)))))))

(define (test-complex pool)
  (let* ((n 16)
         (space (complex-space n))
         (coils (map (lambda (i) (operator-compose (fourier-operator space '(4 4)) (diagonal-operator (random-complex n)))) (iota 3)))
         (here (vector-of-operators coils))
         (there (parallel-vector-of-operators coils #:pool pool))
         (x (random-complex n))
         (y (random-complex (* 3 n))))
    (test-equal "complex: values" (evaluate here x) (evaluate there x))
    (test-equal "complex: adjoint" (apply-adjoint here y) (apply-adjoint there y))
    (test-assert "complex: the adjoint is one" (< (check-adjoint there) 1e-14))))

(define (test-errors pool)
  (let ((there (parallel-vector-of-operators (list (make-thirds 2) (fail-above-one 2)) #:pool pool)))
    (test-assert "an error names the operator"
      (refused? worker-error? (lambda () (evaluate there (f64vector 2 0))) "in the fragile one" "too large" "2.0"))
    (test-assert "it is also an operator-error"
      (equal? "the fragile one" (operator-error-name (condition-of (lambda () (evaluate there (f64vector 2 0)))))))
    (test-equal "and the operator is usable afterwards" '(0.0 0.0 0.0 0.0) (f64vector->list (evaluate there (f64vector 0 0)))))
  (test-assert "closures cannot travel"
    (refused? not-remotable?
              (lambda ()
                (let ((k 2))
                  (parallel-vector-of-operators
                   (list (make-linear-operator #:name "times k" #:domain 1 #:codomain 1
                                               #:apply (lambda (x) (vec-scale k x)) #:adjoint (lambda (y) (vec-scale k y))))
                   #:pool pool)))
              "times k" "closures" "define-remote"))
  (test-assert "different domains"
    (refused? shape-error? (lambda () (parallel-vector-of-operators (list (make-thirds 2) (random-matrix 2 3)) #:pool pool))
              "same domain" "R^2" "R^3" "2 x 3 matrix"))
  (test-assert "too long an argument"
    (refused? shape-error? (lambda () (evaluate (parallel-vector-of-operators (list (make-thirds 2)) #:pool pool) (f64vector 1 2 3)))
              "R^2" "f64vector of 3"))
  (test-assert "no operators" (condition-of (lambda () (parallel-vector-of-operators '() #:pool pool))))
  (test-assert "a thunk that returns something else"
    (refused? worker-error? (lambda () (parallel-vector-of-operators (list (remote (lambda () 42))) #:pool pool)) "operator 0" "42")))

(define (test-refusals)
  ;; The error cases of the oracle: the first names what does not fit.
  (test-assert "a component of the wrong size"
    (refused? shape-error? (lambda () (distributed-vector-of-operators (list (random-matrix 3 4)) (direct-sum 4 3) '((#f #t)) #:pool #f))
              "row 0" "R^3" "R^4"))
  (test-assert "more rows than operators"
    (refused? shape-error? (lambda () (distributed-vector-of-operators (list (random-matrix 3 4)) (direct-sum 4 4)
                                                                       '((#t #f) (#f #t)) #:pool #f))
              "2 rows" "1 operators"))
  (test-assert "a row that selects nothing"
    (refused? shape-error? (lambda () (distributed-vector-of-operators (list (random-matrix 3 4)) 4 '((#f)) #:pool #f))
              "row 0" "selects nothing"))
  (test-assert "a row of the wrong length"
    (refused? shape-error? (lambda () (distributed-vector-of-operators (list (random-matrix 3 4)) (direct-sum 4 1) '((#t)) #:pool #f))
              "row 0" "1 entries" "2 components")))

(define (test-checks pool)
  (define (make-wrong)
    (remote (lambda ()
              (make-linear-operator #:name "no adjoint" #:domain 3 #:codomain 3
                                    #:apply (lambda (x) (vec-scale 2 x)) #:adjoint (lambda (y) y)))))
  (test-assert "unchecked, nothing is said" (operator? (parallel-vector-of-operators (list (make-wrong)) #:pool pool)))
  (parameterize ((operator-checks #t))
    (test-assert "checked when it is made, on its worker"
      (refused? worker-error? (lambda () (parallel-vector-of-operators (list (make-wrong)) #:pool pool)) "no adjoint" "gap"))
    (test-assert "what is right passes"
      (operator? (parallel-vector-of-operators (list (make-thirds 3) (make-square 3)) #:pool pool)))))

(define (test-forgetting pool)
  ;; A derivative that nobody has any more is given up by the workers, too. They are told in the background.
  (let* ((op (parallel-vector-of-operators (list (make-square 3) (make-square 3)) #:pool pool))
         (before (pool-apply pool held-count))
         (use (lambda ()
                (let-values (((y derivative) (linearize op (f64vector 1 2 3))))
                  (evaluate derivative (f64vector 1 1 1))))))
    (do ((i 0 (1+ i))) ((= i 20)) (use))
    (test-assert "derivatives that are collected here are freed there"
      (await (lambda () (gc) (every <= (pool-apply pool held-count) (map 1+ before))) 60))
    (test-equal "the operator goes on" (f64vector 2 4 6 2 4 6) (use))))

(call-with-tap
 (lambda ()
   (test-group "operator-parallel"
     (test-oracle)
     (test-own-case)
     (test-block-diagonal)
     (test-group "serial" (test-complex (make-serial-pool)))
     (call-with-pool 2
       (lambda (pool)
         (test-group "pool" (test-on-a-pool pool))
         (test-group "complex" (test-complex pool))
         (test-group "errors" (test-errors pool))
         (test-group "forgetting" (test-forgetting pool))
         (test-group "checks" (test-checks pool))))
     (test-group "refusals" (test-refusals)))))
