;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Proper orthogonal decompositions: the left singular vectors and the singular values of a series of snapshots, in
;; the inner product of a symmetric positive definite matrix. Either from the eigenvectors of the Gramian, which is
;; quick and knows singular values to the square root of the machine precision (Sirovich 1987), or from a QR
;; decomposition, which knows them to the machine precision.
(define-module (tutti reduction pod)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti pool)
  #:use-module ((tutti pool type) #:select (serial-pool?))
  #:use-module (tutti base primitives)
  #:use-module ((tutti reduced-basis matrix) #:select (check-product))
  #:use-module (tutti reduction orthonormal)
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti remote object)
  #:use-module (tutti vector)
  #:export (pod pod-here make-pod-result
            pod-result? pod-result-modes pod-result-singular-values pod-result-snapshot-count pod-project combine-snapshots))

(define-record-type <pod-result>
  (make-pod-result modes singular-values count size product)
  %pod-result?
  (modes %modes)                        ; list of f64vectors, orthonormal in the product
  (singular-values result-singular-values)    ; list of numbers, one for each mode, largest first
  (count %count)                        ; of snapshots
  (size %size)                          ; how many numbers a snapshot has; #f without any
  (product %product))                   ; f64vector, linear operator or #f

(set-record-type-printer! <pod-result>
  (lambda (result port)
    (format port "#<pod-result: ~a modes of ~a snapshots>" (length (%modes result)) (%count result))))

(define (check-result x who)
  (unless (%pod-result? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected what pod or hapod returned, got ~S" (list x) (list x))))

(define (pod-result? x)
  "Return true if @var{x} is what @code{pod} or @code{hapod} returned."
  (%pod-result? x))

(define-documented #:check check-result
  (pod-result-modes %modes
   "Return the list of the modes of the decomposition @var{x}, f64vectors, orthonormal in its product, those with the
largest singular value first. The first of the largest coefficients that a mode is made with is positive.")
  (pod-result-singular-values result-singular-values
   "Return the list of the singular values of the decomposition @var{x}, one for each mode, largest first. Of
@code{hapod} they are approximate, like the modes.")
  (pod-result-snapshot-count %count
   "Return how many snapshots the decomposition @var{x} is of."))

(define (pod-project x v)
  "Return the orthogonal projection of the f64vector @var{v} on the modes of the decomposition @var{x}, in its product."
  (check-result x 'pod-project)
  (let ((modes (%modes x)) (n (%size x)))
    (unless (and (f64vector? v) (or (not n) (= n (f64vector-length v))))
      (raise-tutti (make-shape-error n (if (f64vector? v) (f64vector-length v) v)
                                     (if (f64vector? v)
                                         (format #f "expected an f64vector of ~a numbers, got one of ~a" n (f64vector-length v))
                                         (format #f "expected an f64vector of ~a numbers, got ~s" (or n "some") v)))
                   'pod-project))
    (if (null? modes)
        (vec-scale 0. v)
        (let ((image (product-image (%product x) v)))
          (combination (map (lambda (mode) (vec-dot mode image)) modes) modes)))))

;;; How many modes.

(define (count-modes squares modes rtol atol l2-error)
  "Return how many of the singular values, whose @var{squares} are given, largest first, are wanted: those that are at
least @var{rtol} times the first and at least @var{atol}, at most @var{modes}, and no more than leave a sum of squares
of at most that of @var{l2-error}."
  (define n (f64vector-length squares))
  (define (square k) (f64vector-ref squares k))
  (define least (if (zero? n) 0 (max (* rtol rtol (square 0)) (* atol atol))))
  (define (large-enough)
    (let loop ((k 0))
      (if (and (< k n) (> (square k) 0) (>= (square k) least)) (loop (1+ k)) k)))
  (define (small-rest)
    ;; The smallest first: a sum the other way would lose them.
    (let loop ((k n) (rest 0.))
      (if (zero? k)
          0
          (let ((rest (+ rest (square (1- k)))))
            (if (<= rest (* l2-error l2-error)) (loop (1- k) rest) k)))))
  (min (large-enough) (small-rest) (or modes n)))

;;; By the eigenvectors of the Gramian.

(define (check-definite who squares)
  (let ((n (f64vector-length squares)))
    (when (and (positive? n) (< (f64vector-ref squares (1- n)) (* -1e-8 (abs (f64vector-ref squares 0)))))
      (refuse who "#:product is not positive: the snapshots have a combination whose inner product with itself is negative"))))

;; The product may be extremely large or small as well.
(define (check-range who squares vectors)
  (let ((first (if (zero? (f64vector-length squares)) 0. (f64vector-ref squares 0))))
    (unless (and (< first +inf.0) (or (> first 0) (zero? (largest-number vectors))))
      (refuse who "the squares of the norms of the snapshots in #:product are beyond the range of numbers: scale the snapshots or \
the product"))))

(define (row matrix n k factor)
  (vec-scale factor (vec-slice matrix (* n k) (* n (1+ k)))))

(define (eigen who n gram)
  (or (%symmetric-eigen n gram)
      (refuse who "the eigenvalues of the ~a x ~a Gramian could not be computed; expected numbers that are not extremely large" n n)))

(define (combine-snapshots factors vectors)
  "Return the sum of @var{vectors} times @var{factors}. Workers call this."
  (combination factors vectors))

(define (combine-all pool who factors vectors)
  "Return the list of the combinations of @var{vectors} with each of @var{factors}, a list of f64vectors."
  (cond ((null? factors) '())
        ((or (not pool) (serial-pool? pool)) (map (lambda (f) (combination f vectors)) factors))
        (else
         (call-with-remote-object (give-to-workers pool vectors who)
           (lambda (vectors)
             (pool-map pool combine-snapshots factors (make-list (length factors) vectors)))))))

(define (by-gramian who pool vectors product choose)
  "Return two values: the modes of @var{vectors} and the list of their singular values. @var{choose} returns for the
squares of all how many are wanted; if it returns @code{#f}, so does this."
  (let* ((n (length vectors))
         (images (if product (map-images pool who product vectors) vectors))
         (values+vectors (eigen who n (gramian pool vectors images)))
         (squares (car values+vectors)))
    (check-definite who squares)
    (check-range who squares vectors)
    (let ((count (choose squares)))
      (if (not count)
          (values #f #f)
          (let ((singular-values (map (lambda (k) (sqrt (f64vector-ref squares k))) (iota count))))
            (values (combine-all pool who
                                 (map (lambda (k s) (row (cdr values+vectors) n k (/ s))) (iota count) singular-values)
                                 vectors)
                    singular-values))))))

(define (map-images pool who product vectors)
  (if (or (not pool) (serial-pool? pool))
      (map (lambda (v) (product-image product v)) vectors)
      (call-with-remote-object (give-to-workers pool product who)
        (lambda (product)
          (map vector->shared (pool-map pool product-image (make-list (length vectors) product) vectors))))))

;;; By a QR decomposition.

(define (coordinates->matrix coordinates rows)
  (let* ((columns (length coordinates))
         (matrix (make-f64vector (* rows columns) 0.)))
    (for-each (lambda (column j)
                (for-each (lambda (x i) (f64vector-set! matrix (+ j (* i columns)) x)) column (iota (length column))))
              coordinates (iota columns))
    matrix))

(define (by-qr who vectors product choose)
  "Return what @code{by-gramian} does."
  (call-with-values (lambda () (orthonormalise who vectors product))
    (lambda (basis coordinates)
      (let* ((rows (length basis))
             (values+vectors (%singular-values rows (length vectors) (coordinates->matrix coordinates rows))))
        (unless values+vectors
          (refuse who "the singular values of ~a snapshots could not be computed; expected numbers that are not extremely large"
                  (length vectors)))
        (let* ((found (car values+vectors))
               (squares (vec* found found))
               (count (begin (check-range who squares vectors) (choose squares))))
          (values (map (lambda (k) (combination (row (cdr values+vectors) rows k 1) basis)) (iota count))
                  (map (lambda (k) (f64vector-ref found k)) (iota count))))))))

;;; Both.

;; The squares of singular values come out of a Gramian with errors of the machine precision times the largest of
;; them. From here on they are wrong by more than 1e-9.
(define smallest-square 5e-7)

(define (choose-if-exact squares count)
  (and (or (zero? count)
           (>= (f64vector-ref squares (1- count)) (* smallest-square (f64vector-ref squares 0))))
       count))

;; A mode that is within the span of those before it was made of rounding, and is not there any more.
(define (values-of-kept singular-values coordinates)
  (let loop ((rest singular-values) (coordinates coordinates) (kept '()))
    (cond ((null? rest) (reverse kept))
          ((= (length (car coordinates)) (1+ (length kept))) (loop (cdr rest) (cdr coordinates) (cons (car rest) kept)))
          (else (loop (cdr rest) (cdr coordinates) kept)))))

;; Singular values come from squares, which are no numbers any more, or have lost digits, where the snapshots are
;; extremely large or small. A power of two changes no bit of what is in between.
(define least-largest 1e-100)
(define most-largest 1e100)

(define (largest-number vectors)
  "Return the largest magnitude of a number of @var{vectors}."
  (fold (lambda (v most) (max most (abs (f64vector-ref v (%vec-largest v))))) 0. vectors))

(define (scale-for vectors)
  "Return the power of two by which to multiply @var{vectors}; 1 for those of ordinary size."
  (let ((largest (largest-number vectors)))
    (if (or (zero? largest) (<= least-largest largest most-largest))
        1
        ;; Within the exponents of normal numbers.
        (expt 2. (max -1000 (min 1000 (- (inexact->exact (floor (/ (log largest) (log 2)))))))))))

(define* (pod-here vectors product #:key pool modes rtol (atol 0) (l2-error 0) method (orthonormal-modes? #t) (who 'pod))
  "Return two values: the list of the modes of @var{vectors}, a list of f64vectors, and the list of their singular
values. Without @var{method}, one that is accurate enough is taken. Without @var{orthonormal-modes?}, the modes
need not be quite orthonormal."
  (define scale (scale-for vectors))
  (define (scaled v)
    (let ((v (vec-scale scale v)))
      (if (or (not pool) (serial-pool? pool)) v (vector->shared v))))
  (define (unscaled s)
    (let ((s (/ s scale)))
      (unless (< s +inf.0)
        (refuse who "the largest singular value is beyond the range of numbers: scale the snapshots"))
      s))
  (define (decompose vectors atol l2-error)
    (decomposition vectors product #:pool pool #:modes modes #:rtol rtol #:atol atol #:l2-error l2-error #:method method
                   #:orthonormal-modes? orthonormal-modes? #:who who))
  (if (eqv? scale 1)
      (decompose vectors atol l2-error)
      (call-with-values (lambda () (decompose (map scaled vectors) (* scale atol) (* scale l2-error)))
        (lambda (found singular-values)
          (values found (map unscaled singular-values))))))

(define* (decomposition vectors product #:key pool modes rtol atol l2-error method orthonormal-modes? who)
  "Return what @code{pod-here} does for @var{vectors} of ordinary size."
  (define (choose-by rtol)
    (lambda (squares) (count-modes squares modes rtol atol l2-error)))
  (define (finish found singular-values)
    (if (or (not orthonormal-modes?) (null? found) (orthonormal? found product))
        (values found singular-values)
        (call-with-values (lambda () (orthonormalise who found product))
          (lambda (basis coordinates)
            (values basis (values-of-kept singular-values coordinates))))))
  (case method
    ((snapshots) (call-with-values (lambda () (by-gramian who pool vectors product (choose-by (or rtol 1e-7)))) finish))
    ((svd) (call-with-values (lambda () (by-qr who vectors product (choose-by (or rtol 4e-8)))) finish))
    (else
     (let ((choose (choose-by (or rtol 0))))
       (call-with-values (lambda ()
                           (by-gramian who pool vectors product (lambda (squares) (choose-if-exact squares (choose squares)))))
         (lambda (found singular-values)
           (if found
               (finish found singular-values)
               (call-with-values (lambda () (by-qr who vectors product choose)) finish))))))))

(define (check-arguments who modes rtol atol l2-error method)
  (check-count who "#:modes" modes)
  (check-tolerance who "#:rtol" rtol)
  (check-tolerance who "#:atol" atol)
  (check-tolerance who "#:l2-error" l2-error)
  (unless (memq method '(snapshots svd))
    (refuse who "#:method: expected snapshots or svd, got ~s" method)))

(define* (pod snapshots #:key product modes rtol (atol 0) (l2-error 0) (method 'snapshots) pool)
  "Return the proper orthogonal decomposition of @var{snapshots}, a @code{pod-result}: the left singular vectors and
the singular values of the matrix whose columns they are. @var{snapshots} is a list or vector of f64vectors of one
length, at least one, or a remote object for such. @var{product} is the symmetric positive definite matrix of the
inner product, an f64vector, row-major, or a linear operator such as @code{sparse-operator} returns; @code{#f} is the
Euclidean one.

Modes whose singular value is less than @var{rtol} times the largest or less than @var{atol} (0) are left out; there
are at most @var{modes} of them, and no more than are needed for the square root of the sum of the squared errors of
all snapshots to be at most @var{l2-error} (0). More modes than snapshots are never found.

With the @var{method} @code{snapshots} they come from the eigenvectors of the Gramian, which the workers of @var{pool}
compute, block by block; singular values below 1e-7 times the largest cannot be known then, so that is the default of
@var{rtol}. With @code{svd} they come from a QR decomposition, computed here, and are exact; the default of @var{rtol}
is 4e-8. Modes that are not orthonormal up to 1e-10 are made so. The result is the same on any number of workers, to
the last bit."
  (define who 'pod)
  (check-arguments who modes rtol atol l2-error method)
  (let* ((pool (pool-for who pool snapshots))
         (vectors (fetch-snapshots who pool snapshots))
         (vectors (if (serial-pool? pool) vectors (map vector->shared vectors))))
    (when product
      (check-product who (f64vector-length (car vectors)) product))
    (call-with-values (lambda ()
                        (pod-here vectors product #:pool pool #:modes modes #:rtol rtol #:atol (or atol 0)
                                  #:l2-error (or l2-error 0) #:method method))
      (lambda (found singular-values)
        (make-pod-result found singular-values (length vectors) (f64vector-length (car vectors)) product)))))
