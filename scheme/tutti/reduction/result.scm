;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What empirical interpolation returns, and interpolating with it.
(define-module (tutti reduction result)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti reduction snapshots)
  #:export (make-ei-result ei-result-with-nodal-basis ei-result-dimension
            ei-result? ei-result-dofs ei-result-basis ei-result-errors ei-result-last-error ei-result-coefficients
            ei-result-interpolation-matrix ei-result-reason ei-result-message
            ei-interpolate ei-expand check-ei-result))

(define-record-type <ei-result>
  (%make-ei-result dofs basis errors coefficients reason message last-error)
  %ei-result?
  (dofs %dofs)                          ; list of indices
  (basis %basis)                        ; list of f64vectors
  (errors %errors)                      ; list: the largest error before each step
  (coefficients %coefficients)          ; for each basis vector: f64vector of its coefficients in the snapshots
  (reason %reason)                      ; tolerance, size, stagnation, or modes
  (message %message)                    ; string
  (last-error %last-error))             ; after the last step, or #f

(define (make-ei-result dofs basis errors coefficients reason message last-error)
  "Return the result of an empirical interpolation. @var{coefficients} has one f64vector for each vector of the
@var{basis}."
  (%make-ei-result dofs basis errors coefficients reason message last-error))

(define (check-ei-result x who)
  "Raise an error in the name of @var{who} unless @var{x} is what empirical interpolation returned."
  (unless (%ei-result? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected what ei-greedy, deim or qdeim returned, got ~S" (list x) (list x))))

(define (ei-result? x)
  "Return true if @var{x} is what @code{ei-greedy}, @code{deim} or @code{qdeim} returned."
  (%ei-result? x))

(define-documented #:check check-ei-result
  (ei-result-dofs %dofs
   "Return the list of the degrees of freedom of the result @var{x}, indices from 0, in the order in which they were
found.")
  (ei-result-basis %basis
   "Return the list of the vectors of the collateral basis of the result @var{x}, f64vectors, in the order of the
degrees of freedom.")
  (ei-result-errors %errors
   "Return the list of the largest errors before each step that led to the result @var{x}: as many as there are
degrees of freedom. Of @code{deim} and @code{qdeim} these are the largest numbers of what is left of each mode, and
how large the columns are that are left.")
  (ei-result-last-error %last-error
   "Return the largest error after the last step that led to the result @var{x}; @code{#f} of @code{deim} and
@code{qdeim}.")
  (ei-result-reason %reason
   "Return the symbol that says why the algorithm ended that returned @var{x}: @code{tolerance}, @code{size},
@code{stagnation}, or @code{modes}, if each mode has got its degree of freedom.")
  (ei-result-message %message
   "Return a text for people that says why the algorithm ended that returned @var{x}."))

(set-record-type-printer! <ei-result>
  (lambda (result port)
    (format port "#<ei-result of ~a degree~:p of freedom: ~a>" (length (%dofs result)) (%message result))))

(define (ei-result-dimension result)
  "Return how many numbers the vectors have that @var{result} interpolates; @code{#f} if its basis is empty."
  (and (pair? (%basis result)) (f64vector-length (car (%basis result)))))

(define (values-at v dofs)
  (map (lambda (dof) (f64vector-ref v dof)) dofs))

(define (rows->columns rows)
  "Return the f64vector with the transpose of the matrix that has the f64vectors @var{rows}, row-major."
  (let* ((n (length rows))
         (count (if (null? rows) 0 (f64vector-length (car rows))))
         (matrix (make-f64vector (* n count))))
    (for-each (lambda (row j)
                (do ((i 0 (1+ i)))
                    ((= i count))
                  (f64vector-set! matrix (+ j (* i n)) (f64vector-ref row i))))
              rows (iota n))
    matrix))

(define (ei-result-interpolation-matrix x)
  "Return the interpolation matrix of the result @var{x}, an f64vector, row-major: the number in row i and column j is
that of basis vector j at degree of freedom i. From @code{ei-greedy} it is lower triangular, with ones on the
diagonal."
  (check-ei-result x 'ei-result-interpolation-matrix)
  (rows->columns (map (lambda (v) (list->f64vector (values-at v (%dofs x)))) (%basis x))))

(define (ei-result-coefficients x)
  "Return the matrix with which the basis of the result @var{x} is made of the snapshots, an f64vector, row-major,
with a row for each snapshot and a column for each basis vector. Of @code{deim} and @code{qdeim} it has a row for each
mode."
  (check-ei-result x 'ei-result-coefficients)
  (rows->columns (%coefficients x)))

(define (ei-result-with-nodal-basis x)
  "Return the result @var{x}, whose interpolation matrix is lower triangular with ones on the diagonal, with another
basis of the same space: each vector is 1 at its own degree of freedom and 0 at the others."
  (define dofs (%dofs x))
  (define (nodal v)
    (for-each (lambda (dof) (f64vector-set! v dof 0.)) dofs)
    v)
  ;; From the last one to the first: each vector vanishes where those before it were found.
  (let loop ((basis (reverse (%basis x))) (rows (reverse (%coefficients x))) (own (reverse dofs))
             (later '()) (new-basis '()) (new-rows '()))
    (if (null? basis)
        (%make-ei-result dofs new-basis (%errors x) new-rows (%reason x) (%message x) (%last-error x))
        (let* ((factors (cons 1. (map - (values-at (car basis) later))))
               (vector (nodal (combination factors (cons (car basis) new-basis)))))
          (f64vector-set! vector (car own) 1.)
          (loop (cdr basis) (cdr rows) (cdr own) (cons (car own) later)
                (cons vector new-basis)
                (cons (combination factors (cons (car rows) new-rows)) new-rows))))))

(define (ei-expand x values)
  "Return the vector that the result @var{x} makes of @var{values}, an f64vector of the numbers at its degrees of
freedom: the combination of its basis that has these there."
  (check-ei-result x 'ei-expand)
  (let ((size (length (%dofs x))))
    (unless (and (f64vector? values) (= size (f64vector-length values)))
      (raise-tutti (make-shape-error size (if (f64vector? values) (f64vector-length values) values)
                                     (format #f "expected an f64vector of ~a numbers, one for each degree of freedom, got ~s" size
                                             values))
                   'ei-expand))
    (when (zero? size)
      (refuse 'ei-expand "the basis is empty: nothing is known of the vectors, not even their length"))
    (combination (solve-linear size (ei-result-interpolation-matrix x) values) (%basis x))))

(define (ei-interpolate x v)
  "Return the interpolation of the f64vector @var{v} by the result @var{x}: the combination of its basis that agrees
with @var{v} at its degrees of freedom. Of an empty basis that is zero."
  (check-ei-result x 'ei-interpolate)
  (let ((n (ei-result-dimension x)))
    (unless (and (f64vector? v) (or (not n) (= n (f64vector-length v))))
      (raise-tutti (make-shape-error n (if (f64vector? v) (f64vector-length v) v)
                                     (format #f "expected an f64vector of ~a numbers, got ~s" (or n "some") v))
                   'ei-interpolate))
    (if n
        (ei-expand x (list->f64vector (values-at v (%dofs x))))
        (make-f64vector (f64vector-length v) 0.))))
