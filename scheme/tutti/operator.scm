;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators: things with a domain and a codomain that can be evaluated, linearised and put together.
(define-module (tutti operator)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti operator algebra)
  #:use-module (tutti operator check)
  #:use-module (tutti operator differences)
  #:use-module (tutti operator leaf)
  #:use-module (tutti operator missing)
  #:use-module (tutti operator native)
  #:use-module (tutti operator parallel)
  #:use-module (tutti operator stack)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:re-export (complex-space direct-sum direct-sum-split direct-sum-join
               make-operator make-linear-operator operator? operator-name operator-domain operator-codomain operator-pool
               operator-statistics linear? evaluate linearize adjoint apply-adjoint
               identity-operator matrix-operator matrix-product-operator sparse-operator diagonal-operator projection-operator
               embedding-operator exp-operator affine-operator
               fourier-operator operator-compose operator-sum operator-scale
               load-operator-module operator-module? operator-module-name operator-module-file operator-module-description
               operator-module-classes operator-module-text-parameters native-operator operator-module operator-parameters
               with-differences missing-columns vector-of-operators parallel-vector-of-operators distributed-vector-of-operators
               block-diagonal-operator parallel-block-diagonal-operator
               check-adjoint check-derivative operator-checks)
  #:export (operator->matrix))

(define (check-entries rows columns)
  ;; Guile's own check of sizes crashes for what does not fit in 64 bits.
  (unless (space? (* rows columns))
    (raise-tutti (make-tutti-error (format #f "a matrix of ~a x ~a has ~a entries: no vector has so many" rows columns (* rows columns)))
                 'operator->matrix)))

(define (columns->matrix op)
  (let* ((rows (space-dimension (operator-codomain op)))
         (columns (space-dimension (operator-domain op)))
         (complex? (space-complex? (operator-codomain op)))
         (matrix (begin
                   (check-entries rows columns)
                   (if complex? (make-c64vector (* rows columns)) (make-f64vector (* rows columns))))))
    (do ((j 0 (1+ j)))
        ((= j columns) matrix)
      (let ((column (evaluate op (space-unit (operator-domain op) j))))
        (do ((i 0 (1+ i)))
            ((= i rows))
          (if complex?
              (c64vector-set! matrix (+ j (* i columns)) (c64vector-ref column i))
              (f64vector-set! matrix (+ j (* i columns)) (f64vector-ref column i))))))))

(define (operator->matrix op)
  "Return the matrix of the linear operator @var{op}: a vector of its entries, row-major, codomain by domain. There is none from a complex
space to a real one."
  (unless (linear? op)
    (raise-tutti (make-tutti-error (format #f "~a is not linear; take the derivative that linearize returns" op)) 'operator->matrix))
  (when (and (space-complex? (operator-domain op)) (not (space-complex? (operator-codomain op))))
    (raise-tutti (make-shape-error 'complex (operator-codomain op)
                                   (format #f "~a takes vectors of ~a and returns vectors of ~a: no matrix does that" (operator-name op)
                                           (space->string (operator-domain op)) (space->string (operator-codomain op))))
                 'operator->matrix))
  (or (native-derivative-matrix op)
      (columns->matrix op)))
