;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Linear operators as sparse matrices, as far as they are made of known parts: numbers, indices, and products and sums of these.
(define-module (tutti operator sparse)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti operator algebra)
  #:use-module (tutti operator leaf)
  #:use-module (tutti operator native)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (operator->sparse))

(define (count-up n)
  "Return the u32vector of the numbers from 0 to @var{n} - 1."
  (let ((numbers (make-u32vector n)))
    (do ((i 0 (1+ i)))
        ((= i n) numbers)
      (u32vector-set! numbers i i))))

(define (diagonal->sparse diagonal)
  (let* ((n (element-dimension diagonal))
         (places (count-up n)))
    (%make-sparse n n places places diagonal)))

(define (ones n) (make-f64vector n 1.))

(define (count-nonzeros ref n entries)
  (let loop ((k 0) (count 0))
    (if (= k n) count (loop (1+ k) (if (zero? (ref entries k)) count (1+ count))))))

(define (dense->sparse rows columns entries)
  "Return the sparse matrix of what is not zero of a row-major matrix."
  (let* ((complex? (c64vector? entries))
         (ref (if complex? c64vector-ref f64vector-ref))
         (set (if complex? c64vector-set! f64vector-set!))
         (count (count-nonzeros ref (* rows columns) entries))
         (row-indices (make-u32vector count))
         (column-indices (make-u32vector count))
         (values (if complex? (make-c64vector count) (make-f64vector count))))
    (do ((k 0 (1+ k))
         (place 0 (if (zero? (ref entries k))
                      place
                      (begin
                        (u32vector-set! row-indices place (quotient k columns))
                        (u32vector-set! column-indices place (remainder k columns))
                        (set values place (ref entries k))
                        (1+ place)))))
        ((= k (* rows columns)) (%make-sparse rows columns row-indices column-indices values)))))

(define (sparse-adjoint matrix)
  (match (list (%sparse-sizes matrix) (%sparse-entries matrix))
    (((rows columns _ complex?) (row-indices column-indices values))
     (%make-sparse columns rows column-indices row-indices (if complex? (vec-conjugate values) values)))))

(define (sparse-scale a matrix)
  (let ((rows (first (%sparse-sizes matrix))))
    (%sparse-scale-rows matrix (if (real? a) (make-f64vector rows a) (make-c64vector rows a)))))

(define (combine combination ops dense?)
  ;; Nothing is computed if one of them is not known.
  (let ((matrices (map (lambda (op) (operator->sparse op #:dense? dense?)) ops)))
    (and (every identity matrices)
         (fold (lambda (matrix sum) (combination sum matrix)) (car matrices) (cdr matrices)))))

(define (parts->sparse op constructor arguments dense?)
  (define (made-by? procedure) (eq? constructor procedure))
  (cond ((made-by? identity-operator) (diagonal->sparse (ones (space-dimension (first arguments)))))
        ((made-by? diagonal-operator) (diagonal->sparse (first arguments)))
        ((or (made-by? projection-operator) (made-by? sparse-operator)) (operator-detail op))
        ((made-by? matrix-operator) (and dense? (apply dense->sparse arguments)))
        ((made-by? operator-compose) (combine %sparse-multiply arguments dense?))
        ((made-by? operator-sum) (combine %sparse-add arguments dense?))
        ((made-by? operator-scale)
         (and=> (operator->sparse (second arguments) #:dense? dense?)
                (lambda (matrix) (sparse-scale (first arguments) matrix))))
        ((made-by? adjoint)
         (and=> (operator->sparse (first arguments) #:dense? dense?) sparse-adjoint))
        (else #f)))

(define (native->sparse op)
  (and=> (native-derivative-matrix op)
         (lambda (entries)
           (dense->sparse (space-dimension (operator-codomain op)) (space-dimension (operator-domain op)) entries))))

(define* (operator->sparse op #:key (dense? #t))
  "Return the matrix of @var{op} as the engine's sparse matrix, @code{#f} if it is not linear or not made by the
constructors of sparse, diagonal and dense matrices, projections and the identity, or composed of such. Derivatives are
known as what linearize returned. If @var{dense?} is false, dense matrices count as unknown: where they are large, there
are better ways."
  (cond ((operator-original op) => (lambda (original) (operator->sparse original #:dense? dense?)))
        ((not (linear? op)) #f)
        ((operator-parts op) => (lambda (parts) (parts->sparse op (car parts) (cdr parts) dense?)))
        (dense? (native->sparse op))
        (else #f)))
