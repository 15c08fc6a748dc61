;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Dense linear algebra on row-major matrices in f64vectors.  A matrix is given by its rows, its columns and its entries; what does
;; not fit together is a &shape-error that names both shapes.
(define-module (tutti linear)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:export (matrix-vector
            matrix-transpose-vector
            matrix-scale-rows
            matrix-gram
            solve-positive-definite
            solve-linear
            solve-least-squares
            reduce-least-squares
            semidefinite-factor))

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

(define (reduce-least-squares rows columns a b)
  "Return the pair of the upper triangular @var{columns} by @var{columns} matrix R and the f64vector c for which |R x - c|^2
is |A x - @var{b}|^2 less what no x changes. @var{a} has the @var{rows} by @var{columns} matrix A column after column.
Return @code{#f} if a number is not finite."
  (%least-squares-reduce rows columns a b))

(define (semidefinite-factor n a)
  "Return an @var{n} by @var{n} matrix F, the transpose of which times itself is the symmetric positive semidefinite matrix
@var{a}, of which only the upper triangle is read; @code{#f} if @var{a} is not positive semidefinite."
  (%semidefinite-factor n a))

(define (check-bounds lower upper)
  (do ((j 0 (1+ j)))
      ((= j (min (f64vector-length lower) (f64vector-length upper))))
    (let ((low (f64vector-ref lower j))
          (high (f64vector-ref upper j)))
      ;; What is not a number fails this, too.
      (unless (and (<= low high) (< low +inf.0) (> high -inf.0))
        (raise-tutti (make-tutti-error (format #f "the bounds of unknown ~a (from 0) are ~a and ~a: no number is between them" j low high))
                     'solve-least-squares)))))

(define* (solve-least-squares rows columns a b #:key damping (lower (make-f64vector columns -inf.0))
                              (upper (make-f64vector columns +inf.0)))
  "Return two values: the minimiser x of |A x - @var{b}|^2 + sum_j (@var{damping}_j x_j)^2 with @var{lower} <= x <=
@var{upper}, and the number of factorisations that this took. @var{a} is the row-major @var{rows} by @var{columns} matrix A,
@var{damping} an f64vector or @code{#f} for none. Where the minimiser is not unique, it is one near the point within the
bounds that is nearest to zero (Stark and Parker 1995, with orthogonal factorisations). Numbers that are not finite in @var{a},
@var{b} or @var{damping} are an error."
  (check-bounds lower upper)
  (let ((result (%least-squares-bounded rows columns (cons a b) damping lower upper)))
    (unless result
      (raise-tutti (make-tutti-error "a number of the matrix, the right-hand side or the damping is not finite") 'solve-least-squares))
    (values (car result) (cdr result))))
