;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Dense linear algebra on row-major matrices in f64vectors.  A matrix is given by its rows, its columns and its entries; what does
;; not fit together is a &shape-error that names both shapes.
(define-module (tutti linear)
  #:use-module (srfi srfi-4)
  #:use-module (tutti conditions)
  #:use-module (tutti primitives)
  #:export (matrix-vector
            matrix-transpose-vector
            matrix-scale-rows
            matrix-gram
            solve-positive-definite
            solve-linear))

(define (matrix-vector rows columns a x)
  "Return the product of the @var{rows} by @var{columns} matrix @var{a} and the vector @var{x}."
  (%matrix-vector rows columns a x))

(define (matrix-transpose-vector rows columns a y)
  "Return the product of the transpose of the @var{rows} by @var{columns} matrix @var{a} and the vector @var{y}."
  (%matrix-transpose-vector rows columns a y))

(define (matrix-scale-rows rows columns a factors)
  "Return the @var{rows} by @var{columns} matrix @var{a} with each row multiplied by its number in @var{factors}."
  (%matrix-scale-rows rows columns a factors))

(define (matrix-gram rows columns a)
  "Return the product of the transpose of the @var{rows} by @var{columns} matrix @var{a} with @var{a}, a symmetric
@var{columns} by @var{columns} matrix."
  (%matrix-gram rows columns a))

(define (solve-positive-definite n a b)
  "Return the solution of the system of the symmetric positive definite @var{n} by @var{n} matrix @var{a}, of which
only the upper triangle is read, and the right-hand side @var{b}.  A matrix that is not positive definite is an error."
  (or (%solve-positive-definite n a b)
      (raise-tutti (make-tutti-error (format #f "the ~a x ~a matrix is not positive definite" n n))
                   'solve-positive-definite)))

(define (solve-linear n a b)
  "Return the solution of the system of the @var{n} by @var{n} matrix @var{a} and the right-hand side @var{b}.  A matrix that is singular is
an error."
  (or (%solve-linear n a b)
      (raise-tutti (make-tutti-error (format #f "the ~a x ~a matrix is singular" n n)) 'solve-linear)))
