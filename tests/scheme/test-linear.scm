;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Dense linear algebra on small matrices that can be checked by hand.
(use-modules (tap)
             (tutti conditions)
             (tutti linear)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-64)
             (ice-9 popen)
             (ice-9 rdelim))

(define (threads-of-a-new-process . settings)
  (let* ((port (apply open-pipe* OPEN_READ "env" "-u" "OPENBLAS_NUM_THREADS" "-u" "OMP_NUM_THREADS"
                      (append settings '("guile" "-c" "(use-modules (tutti linear)) (display ((@ (test-primitives) %blas-threads)))"))))
         (line (read-line port)))
    (close-pipe port)
    line))

(define a (f64vector 1 2 3
                     4 5 6))

(define (shapes thunk)
  (with-exception-handler
      (lambda (e) (if (shape-error? e) (list (shape-error-expected e) (shape-error-actual e) (exception-message e)) e))
    thunk #:unwind? #t))

(call-with-tap
 (lambda ()
   (test-group "products"
     (test-equal "matrix-vector" (f64vector 1 4) (matrix-vector 2 3 a (f64vector 3 -4 2)))
     (test-equal "matrix-transpose-vector" (f64vector -2 -1 0) (matrix-transpose-vector 2 3 a (f64vector 2 -1)))
     (test-equal "matrix-scale-rows" (f64vector 2 4 6 -4 -5 -6) (matrix-scale-rows 2 3 a (f64vector 2 -1)))
     (test-equal "matrix-gram" (f64vector 17 22 27 22 29 36 27 36 45) (matrix-gram 2 3 a))
     (test-equal "no rows" (f64vector 0 0) (matrix-transpose-vector 0 2 (f64vector) (f64vector)))
     (test-equal "arguments are left alone" (f64vector 1 2 3 4 5 6) a))

   (test-group "solve-positive-definite"
     (let ((matrix (f64vector 4 1 0 1 3 1 0 1 2))
           (b (f64vector 6 10 8)))
       (test-assert "solves" (every (lambda (x y) (< (abs (- x y)) 1e-14)) '(1 2 3)
                                    (f64vector->list (solve-positive-definite 3 matrix b))))
       (test-assert "reads the upper triangle only"
         (equal? (solve-positive-definite 3 matrix b)
                 (solve-positive-definite 3 (f64vector 4 1 0 9 3 1 9 9 2) b)))
       (test-equal "arguments are left alone" (list (f64vector 4 1 0 1 3 1 0 1 2) (f64vector 6 10 8)) (list matrix b)))
     (test-equal "of no unknowns" (f64vector) (solve-positive-definite 0 (f64vector) (f64vector)))
     (test-condition "not positive definite" tutti-error? (solve-positive-definite 2 (f64vector 1 2 2 1) (f64vector 1 1))))

   (test-group "solve-linear"
     (let ((matrix (f64vector 0 2 0  1 0 3  4 0 0))       ; needs exchanges of rows
           (b (f64vector 4 10 4)))
       (test-assert "solves" (every (lambda (x y) (< (abs (- x y)) 1e-14)) '(1 2 3) (f64vector->list (solve-linear 3 matrix b))))
       (test-equal "arguments are left alone" (list (f64vector 0 2 0 1 0 3 4 0 0) (f64vector 4 10 4)) (list matrix b)))
     (test-equal "of no unknowns" (f64vector) (solve-linear 0 (f64vector) (f64vector)))
     (test-condition "singular" tutti-error? (solve-linear 2 (f64vector 1 2 2 4) (f64vector 1 1)))
     (test-equal "shape of the matrix" '(4 3 "the matrix needs 4 numbers, its vector has 3")
       (shapes (lambda () (solve-linear 2 (f64vector 1 2 3) (f64vector 1 1)))))
     (test-equal "shape of the right-hand side" '(2 1 "the right-hand side needs 2 numbers, its vector has 1")
       (shapes (lambda () (solve-linear 2 (f64vector 1 2 3 4) (f64vector 1)))))
     (test-condition "negative" (lambda (e) (eq? (exception-kind e) 'out-of-range)) (solve-linear -1 (f64vector) (f64vector))))

   (test-group "threads"
     (test-equal "one, in the master as well" "1" (threads-of-a-new-process))
     (test-equal "unless the user has said otherwise" "2" (threads-of-a-new-process "OPENBLAS_NUM_THREADS=2")))
   (test-group "shapes"
     (test-equal "of the entries" '(6 5 "a 2 x 3 matrix needs 6 numbers, its vector has 5")
       (shapes (lambda () (matrix-vector 2 3 (make-f64vector 5 0.) (f64vector 1 2 3)))))
     (test-equal "of the vector" '(3 2 "the matrix is 2 x 3, so the vector must have length 3; it has 2")
       (shapes (lambda () (matrix-vector 2 3 a (f64vector 1 2)))))
     (test-equal "of the transposed product's vector" '(2 3 "the matrix is 2 x 3, so the vector must have length 2; it has 3")
       (shapes (lambda () (matrix-transpose-vector 2 3 a (f64vector 1 2 3)))))
     (test-condition "of the factors" shape-error? (matrix-scale-rows 2 3 a (f64vector 1 2 3)))
     (test-condition "of the gram matrix" shape-error? (matrix-gram 3 3 a))
     (test-condition "of the right-hand side" shape-error? (solve-positive-definite 2 (f64vector 1 0 0 1) (f64vector 1)))
     (test-condition "negative" (lambda (e) (eq? (exception-kind e) 'out-of-range)) (matrix-gram -1 3 a))
     (test-condition "not a vector" (lambda (e) (eq? (exception-kind e) 'wrong-type-arg)) (matrix-gram 2 3 '(1 2 3 4 5 6))))))
