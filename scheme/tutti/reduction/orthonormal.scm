;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Inner products of many vectors, and orthonormal ones, in the product of a symmetric positive definite matrix.
(define-module (tutti reduction orthonormal)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti pool)
  #:use-module ((tutti pool type) #:select (serial-pool?))
  #:use-module (tutti base primitives)
  #:use-module ((tutti reduced-basis matrix) #:select (matrix-times))
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti vector)
  #:export (product-image gramian inner-products orthonormalise orthonormal?))

(define (product-image product v)
  "Return @var{product}, an f64vector, a linear operator or @code{#f} for the identity, times the vector @var{v}."
  (if product (matrix-times product (f64vector-length v) v) v))

(define (map-on pool proc . lists)
  "Return the list of what @var{proc} returns for the items of @var{lists}, on the workers of @var{pool}; here if it
is @code{#f} or serial."
  (if (or (not pool) (serial-pool? pool))
      (apply map proc lists)
      (apply pool-map pool proc lists)))

;;; Gramians. Blocks have one shape, whatever the number of workers: its order of summation is part of the result.

(define block 32)

(define (blocks vectors)
  (let loop ((rest vectors) (found '()))
    (if (null? rest)
        (reverse found)
        (let ((count (min block (length rest))))
          (loop (list-tail rest count) (cons (list-head rest count) found))))))

(define (put-block! gram n row column numbers rows columns)
  ;; Of a block on the diagonal only the upper triangle: the other one may differ by rounding.
  (do ((i 0 (1+ i)))
      ((= i rows))
    (do ((j (if (= row column) i 0) (1+ j)))
        ((= j columns))
      (let ((x (f64vector-ref numbers (+ j (* block i))))
            (i (+ i (* block row)))
            (j (+ j (* block column))))
        (f64vector-set! gram (+ j (* n i)) x)
        (f64vector-set! gram (+ i (* n j)) x)))))

(define (gramian pool vectors images)
  "Return the matrix of the inner products of @var{vectors} with their @var{images} under a symmetric matrix, an
f64vector, row-major. The workers of @var{pool} compute it, block by block; the bits are the same without (@code{#f})."
  (let* ((n (length vectors))
         (left (blocks vectors))
         (right (blocks images))
         (places (append-map (lambda (row) (map (lambda (column) (cons row column)) (iota (- (length left) row) row)))
                             (iota (length left))))
         (gram (make-f64vector (* n n) 0.)))
    (for-each (lambda (place numbers)
                (put-block! gram n (car place) (cdr place) numbers (length (list-ref left (car place)))
                            (length (list-ref right (cdr place)))))
              places
              (map-on pool inner-products
                      (map (lambda (place) (list-ref left (car place))) places)
                      (map (lambda (place) (list-ref right (cdr place))) places)))
    gram))

(define (inner-products left right)
  "Return the inner products of the vectors in the lists @var{left} and @var{right}, at most 32 of each. Workers call
this."
  (%vectors-gram left right))

;;; Gram and Schmidt.

;; What is left of a vector after it has lost all but this share of its norm is rounding.
(define smallest-share 1e-13)

(define (norm-of v image)
  (sqrt (max 0. (vec-dot v image))))

(define (project v product basis images)
  "Return two values: @var{v} without its components along @var{basis}, and these."
  (if (null? basis)
      (values v '())
      (let ((coordinates (map (lambda (image) (vec-dot image v)) images)))
        (values (combination (cons 1. (map - coordinates)) (cons v basis)) coordinates))))

(define (orthonormalise who vectors product)
  "Return two values: a list of orthonormal vectors that span @var{vectors}, at most as many, and for each of
@var{vectors} the list of its coordinates in them; what is missing at its end is zero. Raise an error in the name of @var{who} if their
norms are no numbers."
  ;; BASIS and IMAGES have the first one first; so do coordinates.
  (let loop ((rest vectors) (basis '()) (images '()) (found '()))
    (if (null? rest)
        (values basis (reverse found))
        (let* ((v (car rest))
               (before (norm-of v (product-image product v))))
          (unless (< before +inf.0)
            (refuse who "the squares of the norms of the snapshots in #:product are beyond the range of numbers: scale the snapshots or \
the product"))
          (call-with-values (lambda () (project v product basis images))
            (lambda (once first-coordinates)
              ;; Twice is enough, once is not.
              (call-with-values (lambda () (project once product basis images))
                (lambda (twice second-coordinates)
                  (let* ((image (product-image product twice))
                         (after (norm-of twice image))
                         (coordinates (map + first-coordinates second-coordinates)))
                    (if (> after (* smallest-share before))
                        (loop (cdr rest) (append basis (list (vec-scale (/ after) twice)))
                              (append images (list (vec-scale (/ after) image)))
                              (cons (append coordinates (list after)) found))
                        (loop (cdr rest) basis images (cons coordinates found))))))))))))

(define (orthonormal? vectors product)
  "Return true if no inner product of @var{vectors} is further than 1e-10 from what it should be."
  (let* ((n (length vectors))
         (gram (gramian #f vectors (map (lambda (v) (product-image product v)) vectors))))
    (every (lambda (i)
             (every (lambda (j) (< (abs (- (f64vector-ref gram (+ j (* i n))) (if (= i j) 1 0))) 1e-10)) (iota n)))
           (iota n))))
