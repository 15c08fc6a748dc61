;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The matrices of problems and of inner products: f64vectors, row-major, or linear operators. What is known to be
;; sparse stays so, and is factorised as a band.
(define-module (tutti reduced-basis matrix)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti operator sparse)
  #:use-module (tutti base primitives)
  #:use-module (tutti space)
  #:export (first-not-finite check-length check-numbers
            matrix-times matrix-entries matrix->sparse check-matrix check-product solve-positive worth-a-band? combine-sparse
            solve-sparse))

;;; Numbers.

(define (first-not-finite v)
  "Return the first index in the f64vector @var{v} of a number that is not finite, or @code{#f}."
  (%vec-stray v))

(define (check-length who what expected v)
  "Raise an error in the name of @var{who} unless @var{v}, which is @var{what}, is an f64vector of @var{expected} numbers."
  (unless (f64vector? v)
    (refuse who "~a: expected an f64vector of ~a numbers, got ~s" what expected v))
  (unless (= (f64vector-length v) expected)
    (raise-tutti (make-shape-error expected (f64vector-length v)
                                   (format #f "~a: expected ~a numbers, got ~a" what expected (f64vector-length v)))
                 who)))

(define (check-numbers who what expected v)
  "Raise an error in the name of @var{who} unless @var{v}, which is @var{what}, is an f64vector of @var{expected} finite numbers."
  (check-length who what expected v)
  (let ((index (first-not-finite v)))
    (when index
      (refuse who "~a: number ~a (from 0) is ~a; expected finite numbers" what index (f64vector-ref v index)))))

;;; Matrices.

(define (matrix-times matrix n v)
  "Return the product of the @var{n} by @var{n} @var{matrix} and the vector @var{v}."
  (if (f64vector? matrix) (matrix-vector n n matrix v) (evaluate matrix v)))

(define (matrix->sparse matrix)
  "Return @var{matrix}, an f64vector or a linear operator, as the engine's sparse matrix of real numbers, if it is
known to be one; else @code{#f}."
  (let ((sparse (and (operator? matrix) (operator->sparse matrix #:dense? #f))))
    (and sparse (not (fourth (%sparse-sizes sparse))) sparse)))

(define (matrix-entries matrix)
  "Return the numbers of @var{matrix}, an f64vector or a linear operator, row-major."
  (cond ((f64vector? matrix) matrix)
        ((any-sparse matrix)
         => (lambda (sparse)
              (apply fill-matrix (space-dimension (operator-codomain matrix)) (space-dimension (operator-domain matrix))
                     (%sparse-entries sparse))))
        (else (operator->matrix matrix))))

(define (any-sparse op)
  ;; Products with unit vectors would not show where a number is not finite.
  (let ((sparse (operator->sparse op)))
    (and sparse (not (fourth (%sparse-sizes sparse))) sparse)))

(define (fill-matrix m n rows columns numbers)
  (let ((matrix (make-f64vector (* m n) 0.)))
    (do ((k 0 (1+ k)))
        ((= k (f64vector-length numbers)) matrix)
      (f64vector-set! matrix (+ (u32vector-ref columns k) (* n (u32vector-ref rows k))) (f64vector-ref numbers k)))))

(define (check-operator-matrix who what n op)
  (unless (linear? op)
    (refuse who "~a: ~a is not linear; expected an f64vector or a linear operator, such as sparse-operator returns" what
            (operator-name op)))
  (unless (and (space-like? (operator-domain op) n) (space-like? (operator-codomain op) n))
    (raise-tutti (make-shape-error (list n n) (map space-dimension (list (operator-codomain op) (operator-domain op)))
                                   (format #f "~a: ~a is from ~a to ~a; expected a matrix of ~a x ~a real numbers" what
                                           (operator-name op) (space->string (operator-domain op))
                                           (space->string (operator-codomain op)) n n))
                 who)))

(define (first-stray n matrix)
  "Return the row, the column and the value of a number of @var{matrix} that is not finite, a list, or @code{#f}."
  (define (dense-stray numbers)
    (let ((index (first-not-finite numbers)))
      (and index (list (quotient index n) (remainder index n) (f64vector-ref numbers index)))))
  (define (sparse-stray rows columns numbers)
    (let ((index (first-not-finite numbers)))
      (and index (list (u32vector-ref rows index) (u32vector-ref columns index) (f64vector-ref numbers index)))))
  (let ((sparse (matrix->sparse matrix)))
    (if sparse
        (apply sparse-stray (%sparse-entries sparse))
        (dense-stray (matrix-entries matrix)))))

(define (check-matrix who what n matrix)
  "Raise an error in the name of @var{who} unless @var{matrix}, which is @var{what}, is one of @var{n} by @var{n} finite numbers."
  (cond ((operator? matrix) (check-operator-matrix who what n matrix))
        ((f64vector? matrix) (check-length who (format #f "~a, ~a x ~a," what n n) (* n n) matrix))
        (else
         (refuse who "~a: expected an f64vector of ~a x ~a numbers, row-major, or a linear operator, such as sparse-operator returns; \
got ~s" what n n matrix)))
  (let ((stray (first-stray n matrix)))
    (when stray
      (apply refuse who "~a: the number in row ~a, column ~a (from 0) is ~a; expected finite numbers" what stray))))

;;; Products.

(define (refuse-asymmetric who i j below above)
  (refuse who "#:product is not symmetric: the number in row ~a, column ~a (from 0) is ~a, that in row ~a, column ~a is ~a"
          i j below j i above))

(define (largest v)
  (if (zero? (f64vector-length v)) 0. (abs (f64vector-ref v (%vec-largest v)))))

(define (check-dense-symmetry who n p)
  (define most (largest p))
  (do ((i 0 (1+ i)))
      ((= i n))
    (do ((j 0 (1+ j)))
        ((= j i))
      (let ((below (f64vector-ref p (+ j (* i n))))
            (above (f64vector-ref p (+ i (* j n)))))
        (unless (<= (abs (- below above)) (* 1e-10 most))
          (refuse-asymmetric who i j below above))))))

(define (sparse-transpose sparse n)
  (let ((parts (%sparse-entries sparse)))
    (%make-sparse n n (second parts) (first parts) (third parts))))

(define (sparse-entry sparse n i j)
  (f64vector-ref (%sparse-apply sparse (space-unit n j)) i))

(define (check-sparse-symmetry who n sparse)
  (let* ((most (largest (third (%sparse-entries sparse))))
         (opposite (%sparse-scale-rows (sparse-transpose sparse n) (make-f64vector n -1.)))
         (difference (%sparse-entries (%sparse-add sparse opposite)))
         (index (%vec-largest (third difference))))
    (unless (<= (largest (third difference)) (* 1e-10 most))
      (let ((i (u32vector-ref (first difference) index))
            (j (u32vector-ref (second difference) index)))
        (refuse-asymmetric who (max i j) (min i j) (sparse-entry sparse n (max i j) (min i j))
                           (sparse-entry sparse n (min i j) (max i j)))))))

(define (check-product who n product)
  "Raise an error in the name of @var{who} unless @var{product} is the symmetric positive definite matrix of an inner product of vectors
of @var{n} numbers."
  (let ((sparse (matrix->sparse product)))
    (cond ((and (operator? product) (not sparse))
           ;; Its numbers are products with unit vectors: once.
           (check-operator-matrix who "#:product" n product)
           (check-product who n (matrix-entries product)))
          (else
           (check-matrix who "#:product" n product)
           (if sparse
               (check-sparse-symmetry who n sparse)
               (check-dense-symmetry who n product))
           (unless (positive-definite? n product)
             (refuse who "#:product is not positive definite; expected the matrix of an inner product"))))))

;; A dense factorisation of a smaller matrix takes no longer.
(define least-band-size 128)

(define (worth-a-band? n)
  "Return true if a sparse matrix of @var{n} by @var{n} numbers is to be factorised as a band."
  (>= n least-band-size))

;; Factorisations of sparse products, by the product: one for all its systems.
(define factors (make-weak-key-hash-table))

(define (sparse-factor product sparse)
  (or (hashq-ref factors product)
      (let ((factor (%sparse-factor sparse #t)))
        (when factor (hashq-set! factors product factor))
        factor)))

(define (band-factor n product)
  "Return a factorisation of @var{product}, if it is sparse and worth one as a band; @code{#f} if it is not positive definite, or not so."
  (let ((sparse (and (worth-a-band? n) (matrix->sparse product))))
    (and sparse (sparse-factor product sparse))))

(define (positive-definite? n product)
  "Return true if the symmetric matrix @var{product} of @var{n} by @var{n} numbers is positive definite."
  (if (and (worth-a-band? n) (matrix->sparse product))
      (->bool (band-factor n product))
      (->bool (%solve-positive-definite n (matrix-entries product) (make-f64vector n 0.)))))

(define (solve-positive n product functional)
  "Return the solution of the system of @var{product}, which is positive definite, for the f64vector @var{functional} of @var{n} numbers."
  (let ((factor (band-factor n product)))
    (if factor
        (%sparse-solve factor functional)
        (solve-positive-definite n (matrix-entries product) functional))))

;;; Sums of sparse matrices.

(define (combine-sparse n thetas matrices)
  "Return the sum of the sparse @var{matrices} times the numbers @var{thetas}."
  (reduce (lambda (term sum) (%sparse-add sum term)) #f
          (map (lambda (theta matrix) (%sparse-scale-rows matrix (make-f64vector n (exact->inexact theta)))) thetas matrices)))

(define (solve-sparse matrix right-hand-side)
  "Return the solution of the system of the sparse @var{matrix}; @code{#f} if it is singular."
  (let ((factor (%sparse-factor matrix #f)))
    (and factor (%sparse-solve factor right-hand-side))))
