;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators in C whose sides are complex, here and on a worker.
(use-modules (tap)
             (vectors)
             (tutti conditions)
             (tutti operator)
             (tutti pool)
             (tutti vector)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

(define module (load-operator-module (string-append (getenv "TUTTI_HELPERS") "/complex-operator.so")))
(define square (native-operator module "square" #:n 2))
(define power (native-operator module "power" #:n 2))

(define (derivative-at op x)
  (call-with-values (lambda () (linearize op x)) (lambda (y derivative) derivative)))

(define (same-real-dot? op x y)
  (let ((real-dot (lambda (a b) (real-part (vec-dot a b)))))
    (< (abs (- (real-dot (evaluate op x) y) (real-dot x (apply-adjoint op y)))) 1e-14)))

(call-with-tap
 (lambda ()
   (test-group "spaces"
     (test-equal "of square" (list (complex-space 2) (complex-space 2)) (list (operator-domain square) (operator-codomain square)))
     (test-equal "of power" (list (complex-space 2) 2) (list (operator-domain power) (operator-codomain power))))

   (test-group "values"
     (test-equal "square" (c64vector 0+2i -9) (evaluate square (c64vector 1+i +3i)))
     (test-equal "power" (f64vector 2 9) (evaluate power (c64vector 1+i +3i)))
     (test-equal "linearize" (f64vector 2 9) (call-with-values (lambda () (linearize power (c64vector 1+i +3i))) (lambda (y d) y)))
     (test-equal "derivative of square" (c64vector -2+2i 6) (evaluate (derivative-at square (c64vector 1+i +3i)) (c64vector +i 0-i)))
     (test-equal "derivative of power" (f64vector 2 -6) (evaluate (derivative-at power (c64vector 1+i +3i)) (c64vector +i 0-i)))
     (test-equal "adjoint of power" (c64vector 2+2i 0+6i) (apply-adjoint (derivative-at power (c64vector 1+i +3i)) (f64vector 1 1)))
     (for-each (lambda (op make-y)
                 (test-assert (string-append "adjoint and derivative, " (operator-name op))
                   (every (lambda (_) (same-real-dot? (derivative-at op (random-complex 2)) (random-complex 2) (make-y 2))) (iota 5))))
               (list square power) (list random-complex random-real))
     (test-equal "matrix" (c64vector 2+2i 0 0 0+6i) (operator->matrix (derivative-at square (c64vector 1+i +3i)))))

   (test-group "refused"
     (test-condition "another length" shape-error? (evaluate square (c64vector 1)))
     (test-assert "complex numbers where the operator is real"
       (exception? (with-exception-handler identity
                     (lambda () (apply-adjoint (derivative-at power (c64vector 1 2)) (c64vector 1 2))) #:unwind? #t))))

   (test-group "on a worker"
     (test-equal "the same" (list (c64vector 0+2i -9) (f64vector 2 9))
       (call-with-pool 1 (lambda (pool) (pool-map pool evaluate (list square power) (list (c64vector 1+i +3i) (c64vector 1+i +3i)))))))))
