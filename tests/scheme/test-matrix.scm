;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What linear operators of dense matrices are made of, real and complex.
(use-modules (tap)
             (vectors)
             (tutti base primitives)
             (tutti vector)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

(define a (f64vector 1 2 3
                     4 5 6))
(define z (c64vector 1+i 2 0-i
                     0 3-2i 1))

(define (makers complex?) (if complex? random-complex random-real))
(define (mixtures proc)
  (for-each (lambda (a? x?)
              (proc (makers a?) (makers x?)
                    (format #f "~a matrix, ~a vector" (if a? 'complex 'real) (if x? 'complex 'real))))
            '(#f #f #t #t) '(#f #t #f #t)))

(call-with-tap
 (lambda ()
   (test-group "known values"
     (test-equal "real" (f64vector 1 4) (%matrix-apply 2 3 a (f64vector 3 -4 2)))
     (test-equal "real, adjoint" (f64vector -2 -1 0) (%matrix-adjoint 2 3 a (f64vector 2 -1)))
     (test-equal "real times complex" (c64vector 1+3i 4+6i) (%matrix-apply 2 3 a (c64vector 3 -4 2+i)))
     (test-equal "real times complex, adjoint" (c64vector -2-4i -1-5i 0-6i) (%matrix-adjoint 2 3 a (c64vector 2 -1-i)))
     (test-equal "complex" (c64vector 2+3i 6+i) (%matrix-apply 2 3 z (c64vector 1+i 1+i 1)))
     (test-equal "complex, adjoint" (c64vector 1-i 5+2i 1+i) (%matrix-adjoint 2 3 z (c64vector 1 1)))
     (test-equal "complex times real" (c64vector 3 4-2i) (%matrix-apply 2 3 z (f64vector 1 1 1)))
     (test-equal "complex times real, adjoint" (c64vector 1-i 5+2i 1+i) (%matrix-adjoint 2 3 z (f64vector 1 1)))
     (test-equal "no columns" (f64vector 0 0) (%matrix-apply 2 0 (f64vector) (f64vector)))
     (test-equal "no rows, adjoint" (c64vector 0 0) (%matrix-adjoint 0 2 (c64vector) (f64vector)))
     (test-equal "arguments are left alone" (f64vector 1 2 3 4 5 6) a))

   (mixtures
    (lambda (make-a make-x name)
      (test-group name
        (let ((a (make-a (* 23 31))) (x (make-x 31)) (y (make-x 23)))
          (test-assert "adjoint" (same-dot? (lambda (x) (%matrix-apply 23 31 a x)) (lambda (y) (%matrix-adjoint 23 31 a y)) x y))
          (test-assert "one at a time"
            (let ((x (make-x 31)))
              (close? (%matrix-apply 23 31 a (vec+ x x)) (vec+ (%matrix-apply 23 31 a x) (%matrix-apply 23 31 a x)))))
          (test-assert "the same bits from everywhere" (same-everywhere? (lambda (a x) (%matrix-apply 23 31 a x)) a x))
          (test-assert "the same bits from everywhere, adjoint"
            (same-everywhere? (lambda (a y) (%matrix-adjoint 23 31 a y)) a y))))))

   (test-group "shapes"
     (test-equal "of the entries" '(6 5 "a 2 x 3 matrix needs 6 numbers, its vector has 5")
       (shape-message (lambda () (%matrix-apply 2 3 (make-c64vector 5 0) (f64vector 1 2 3)))))
     (test-equal "of the vector" '(3 2 "the matrix is 2 x 3, so the vector must have length 3; it has 2")
       (shape-message (lambda () (%matrix-apply 2 3 a (c64vector 1 2)))))
     (test-equal "of the adjoint's vector" '(2 3 "the matrix is 2 x 3, so the vector must have length 2; it has 3")
       (shape-message (lambda () (%matrix-adjoint 2 3 z (f64vector 1 2 3)))))
     (test-condition "a list" wrong-type? (%matrix-apply 2 3 a '(1 2 3)))
     (test-condition "other numbers" wrong-type? (%matrix-apply 2 3 a (f32vector 1 2 3)))
     (test-condition "a negative number of rows" (lambda (e) (eq? (exception-kind e) 'out-of-range))
                     (%matrix-apply -2 -3 a (f64vector 1 2 3))))

   (test-group "number by number"
     (test-equal "exp" (f64vector 1 (exp 1.) (exp -3.)) (%exp-elements (f64vector 0 1 -3)))
     (test-assert "exp of complex numbers"
       (close? (c64vector 1 (exp 1+i) -1) (%exp-elements (c64vector 0 1+i (make-rectangular 0 (acos -1)))) 1e-15))
     (test-equal "none" (c64vector) (%exp-elements (c64vector)))
     (test-assert "the same bits from everywhere" (same-everywhere? %exp-elements (random-complex 101)))
     (test-condition "a number" wrong-type? (%exp-elements 1.)))))
