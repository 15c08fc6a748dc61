;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The diagonal of A^H Q A for a linear operator A and a diagonal Q: for each column of the matrix of A, the sum of its
;; squares, weighted.
(define-module (tutti operator gram)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti operator algebra)
  #:use-module (tutti operator leaf)
  #:use-module (tutti operator sparse)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (gram-diagonal operator-row operator-column add-squares! squares cheaper-by-rows?))

(define (matrix-row rows columns entries i)
  (let ((row (vec-slice entries (* i columns) (* (1+ i) columns))))
    (if (c64vector? row) (vec-conjugate row) row)))

(define (operator-row op i)
  "Return the conjugate of row @var{i} of the matrix of the linear operator @var{op}: its adjoint at a unit vector."
  (let ((parts (or (operator-parts op) '(#f))))
    (cond ((operator-original op) => (lambda (original) (operator-row original i)))
          ((eq? (car parts) matrix-operator)
           (apply matrix-row (append (cdr parts) (list i))))
          ((eq? (car parts) operator-compose)
           (fold apply-adjoint (operator-row (cadr parts) i) (cddr parts)))
          (else (apply-adjoint op (space-unit (operator-codomain op) i))))))

(define (operator-column op j)
  "Return column @var{j} of the matrix of the linear operator @var{op}."
  (evaluate op (space-unit (operator-domain op) j)))

(define (squares v)
  "Return the f64vector of the squared magnitudes of the vector @var{v}."
  (if (f64vector? v)
      (vec* v v)
      (let* ((n (c64vector-length v))
             (result (make-f64vector n)))
        (do ((i 0 (1+ i)))
            ((= i n) result)
          (let ((z (c64vector-ref v i)))
            (f64vector-set! result i (+ (* (real-part z) (real-part z)) (* (imag-part z) (imag-part z)))))))))

(define (add-squares! sum weight v)
  "Add @var{weight} times the squared magnitudes of the vector @var{v} to the f64vector @var{sum}."
  (vec-axpy! weight (squares v) sum))

(define (cheaper-by-rows? domain codomain)
  "Return true if the matrix of an operator from @var{domain} to @var{codomain} is to be had by its rows, and there are
not more of them than columns."
  ;; Between a real and a complex space the adjoint, which is with respect to the real part, does not give the rows.
  (and (eq? (space-complex? domain) (space-complex? codomain))
       (<= (space-dimension codomain) (space-dimension domain))))

(define (diagonal-by-rows op weights)
  (let ((sum (make-f64vector (space-dimension (operator-domain op)) 0.)))
    (do ((i 0 (1+ i)))
        ((= i (f64vector-length weights)) sum)
      (unless (zero? (f64vector-ref weights i))
        (add-squares! sum (f64vector-ref weights i) (operator-row op i))))))

(define (diagonal-by-columns op weights)
  (let* ((n (space-dimension (operator-domain op)))
         (diagonal (make-f64vector n)))
    (do ((j 0 (1+ j)))
        ((= j n) diagonal)
      (f64vector-set! diagonal j (vec-dot weights (squares (operator-column op j)))))))

(define (gram-diagonal op weights)
  "Return the f64vector with number j the sum over k of @var{weights}[k] |A[k, j]|^2 for the matrix A of the linear
operator @var{op}; @var{weights} is an f64vector, @code{#f} for ones. If @var{op} is not known as a sparse matrix it is
applied to unit vectors."
  (let ((weights (or weights (make-f64vector (space-dimension (operator-codomain op)) 1.))))
    (cond ((operator->sparse op #:dense? #f) => (lambda (matrix) (%sparse-adjoint (%sparse-square matrix) weights)))
          ((cheaper-by-rows? (operator-domain op) (operator-codomain op)) (diagonal-by-rows op weights))
          (else (diagonal-by-columns op weights)))))
