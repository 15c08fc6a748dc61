;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Affine problems: A(mu) u = f with A(mu) = theta_1(mu) A_1 + theta_2(mu) A_2 + ...  What a problem is made of, and what its procedures
;; return, is checked here: a number that is none must not become an error estimate.
(define-module (tutti reduced-basis problem)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti operator sparse)
  #:use-module (tutti primitives)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (make-affine-problem affine-problem? affine-problem-matrix solve-affine-problem
            problem-size problem-matrices problem-coefficients problem-right-hand-side problem-coercivity
            matrix-times product-times solve-product product-norm
            combine solve-combined thetas-at coercivity-at check-numbers check-length check-problem))

(define-record-type <affine-problem>
  (%make-affine-problem size matrices coefficients right-hand-side product coercivity)
  %affine-problem?
  (size problem-size)
  (matrices problem-matrices)           ; list of matrices: f64vectors, row-major, or linear operators
  (coefficients problem-coefficients)   ; parameter -> list of numbers
  (right-hand-side problem-right-hand-side)
  (product problem-product)             ; the matrix P
  (coercivity problem-coercivity))      ; lower bound, or parameter -> lower bound

(define (affine-problem? x)
  "Return true if @var{x} is an affine problem."
  (%affine-problem? x))

(define (refuse who message . arguments)
  (raise-tutti (make-tutti-error (apply format #f message arguments)) who))

(define (check-problem x who)
  "Complain as @var{who} unless @var{x} is an affine problem."
  (unless (affine-problem? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a problem that make-affine-problem returned, got ~S" (list x) (list x))))

;;; Numbers.

(define (finite? x)
  (and (real? x) (< -inf.0 x +inf.0)))

(define (first-not-finite v)
  "Return the first index in the f64vector @var{v} of a number that is not finite, or @code{#f}."
  ;; The norm is quick, and finite where all numbers are, unless it is too large itself.
  (and (not (finite? (vec-norm v)))
       (list-index (negate finite?) (f64vector->list v))))

(define (check-length who what expected v)
  "Complain as @var{who} unless @var{v}, which is @var{what}, is an f64vector of @var{expected} numbers."
  (unless (f64vector? v)
    (refuse who "~a: expected an f64vector of ~a numbers, got ~s" what expected v))
  (unless (= (f64vector-length v) expected)
    (raise-tutti (make-shape-error expected (f64vector-length v)
                                   (format #f "~a: expected ~a numbers, got ~a" what expected (f64vector-length v)))
                 who)))

(define (check-numbers who what expected v)
  "Complain as @var{who} unless @var{v}, which is @var{what}, is an f64vector of @var{expected} finite numbers."
  (check-length who what expected v)
  (let ((index (first-not-finite v)))
    (when index
      (refuse who "~a: number ~a (from 0) is ~a; expected finite numbers" what index (f64vector-ref v index)))))

;;; Matrices.

(define (matrix-times matrix n v)
  "Return the product of the @var{n} by @var{n} @var{matrix} and the vector @var{v}."
  (if (f64vector? matrix) (matrix-vector n n matrix v) (evaluate matrix v)))

(define (entries matrix)
  "Return the numbers of @var{matrix}, an f64vector or a linear operator, row-major."
  (cond ((f64vector? matrix) matrix)
        ((sparse-entries matrix) => (lambda (parts) (apply fill-matrix (space-dimension (operator-domain matrix)) parts)))
        (else (operator->matrix matrix))))

(define (sparse-entries op)
  ;; Products with unit vectors would not tell where a number is that is none.
  (let* ((matrix (operator->sparse op))
         (parts (and matrix (%sparse-entries matrix))))
    (and parts (f64vector? (third parts)) parts)))

(define (fill-matrix n rows columns numbers)
  (let ((matrix (make-f64vector (* n n) 0.)))
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

(define (check-matrix who what n matrix)
  (cond ((operator? matrix) (check-operator-matrix who what n matrix))
        ((f64vector? matrix) (check-length who (format #f "~a, ~a x ~a," what n n) (* n n) matrix))
        (else
         (refuse who "~a: expected an f64vector of ~a x ~a numbers, row-major, or a linear operator, such as sparse-operator returns; \
got ~s" what n n matrix)))
  (let* ((numbers (entries matrix))
         (index (first-not-finite numbers)))
    (when index
      (refuse who "~a: the number in row ~a, column ~a (from 0) is ~a; expected finite numbers" what (quotient index n)
              (remainder index n) (f64vector-ref numbers index)))))

(define (check-product who n product)
  (check-matrix who "#:product" n product)
  (let* ((p (entries product))
         (most (fold (lambda (x most) (max most (abs x))) 0. (f64vector->list p))))
    (do ((i 0 (1+ i)))
        ((= i n))
      (do ((j 0 (1+ j)))
          ((= j i))
        (let ((below (f64vector-ref p (+ j (* i n))))
              (above (f64vector-ref p (+ i (* j n)))))
          (unless (<= (abs (- below above)) (* 1e-10 most))
            (refuse who "#:product is not symmetric: the number in row ~a, column ~a (from 0) is ~a, that in row ~a, column ~a is ~a"
                    i j below j i above)))))
    (unless (%solve-positive-definite n p (make-f64vector n 0.))
      (refuse who "#:product is not positive definite; expected the matrix of an inner product"))))

;;; Problems.

(define* (make-affine-problem #:key matrices coefficients right-hand-side product (coercivity 1))
  "Return the problem A(mu) u = @var{right-hand-side}, where A(mu) is the sum of @var{matrices} times the list of
numbers that the procedure @var{coefficients} returns for the parameter mu. Matrices are f64vectors, row-major, or linear operators, such
as those of @code{sparse-operator}; to solve the problem their sum is made an f64vector. @var{product} is the symmetric positive
definite matrix P of the inner product for which errors are measured. @var{coercivity} (1) is a positive lower bound of
@var{v}'A(mu)@var{v} by @var{v}'P@var{v}: a number for all parameters, or a procedure that returns it for mu. Workers are given both
procedures. Numbers that are not finite, and a product that is none, are refused; so is what the procedures return for a
parameter, where it is not as many finite numbers as there are matrices, or no positive number."
  (define who 'make-affine-problem)
  (unless (and (pair? matrices) (list? matrices))
    (refuse who "#:matrices: expected a list of f64vectors or linear operators, got ~s" matrices))
  (unless (procedure? coefficients)
    (refuse who "#:coefficients: expected a procedure of a parameter, got ~s" coefficients))
  (unless (or (procedure? coercivity) (and (finite? coercivity) (positive? coercivity)))
    (refuse who "#:coercivity: expected a positive number or a procedure of a parameter, got ~s" coercivity))
  (unless (and (f64vector? right-hand-side) (positive? (f64vector-length right-hand-side)))
    (refuse who "#:right-hand-side: expected an f64vector of at least one number, got ~s" right-hand-side))
  (let ((n (f64vector-length right-hand-side)))
    (check-numbers who "#:right-hand-side" n right-hand-side)
    (for-each (lambda (matrix q) (check-matrix who (format #f "matrix ~a (from 0)" q) n matrix))
              matrices (iota (length matrices)))
    (check-product who n product)
    (%make-affine-problem n matrices coefficients right-hand-side product coercivity)))

(define (thetas-at coefficients count parameter who)
  "Return the list of @var{count} numbers that @var{coefficients} returns for @var{parameter}."
  (let ((thetas (coefficients parameter)))
    (unless (list? thetas)
      (refuse who "#:coefficients returned ~s for the parameter ~s; expected a list of ~a numbers" thetas parameter count))
    (unless (= (length thetas) count)
      (raise-tutti (make-shape-error count (length thetas)
                                     (format #f "the problem has ~a matrices, and #:coefficients returned ~a numbers for the parameter ~s"
                                             count (length thetas) parameter))
                   who))
    (unless (every finite? thetas)
      (refuse who "#:coefficients returned ~s for the parameter ~s; expected finite real numbers" thetas parameter))
    thetas))

(define (coercivity-at coercivity parameter who)
  "Return the lower bound that @var{coercivity}, a number or a procedure, is or returns for @var{parameter}."
  (let ((bound (if (procedure? coercivity) (coercivity parameter) coercivity)))
    (unless (and (finite? bound) (positive? bound))
      (refuse who "#:coercivity returned ~s for the parameter ~s; expected a positive number" bound parameter))
    bound))

(define (combine thetas matrices parameter who)
  "Return the sum of @var{matrices}, f64vectors, times the numbers @var{thetas}, those for @var{parameter}."
  (let ((sum (reduce (lambda (term sum) (vec+ sum term)) #f (map vec-scale thetas matrices))))
    (when (first-not-finite sum)
      (refuse who "the matrix for the parameter ~s has numbers that are not finite: #:coefficients returned ~s" parameter thetas))
    sum))

(define (solve-combined n matrix right-hand-side parameter who)
  "Return the solution of the system of @var{matrix}, that for @var{parameter}, and @var{right-hand-side}."
  (let ((solution (%solve-linear n matrix right-hand-side)))
    (unless solution
      (refuse who "the ~a x ~a matrix for the parameter ~s is singular" n n parameter))
    (when (first-not-finite solution)
      (refuse who "the ~a x ~a matrix for the parameter ~s is singular but for rounding: its solution is not finite" n n parameter))
    solution))

(define (matrix-at problem parameter who)
  (let ((matrices (problem-matrices problem)))
    (combine (thetas-at (problem-coefficients problem) (length matrices) parameter who) (map entries matrices) parameter who)))

(define (affine-problem-matrix problem parameter)
  "Return the matrix of @var{problem} for @var{parameter}, an f64vector, row-major."
  (check-problem problem 'affine-problem-matrix)
  (matrix-at problem parameter 'affine-problem-matrix))

(define (solve-affine-problem problem parameter)
  "Return the solution of @var{problem} for @var{parameter}."
  (define who 'solve-affine-problem)
  (check-problem problem who)
  (solve-combined (problem-size problem) (matrix-at problem parameter who) (problem-right-hand-side problem) parameter who))

;;; The product.

(define (product-times problem)
  "Return the product of @var{problem} as a procedure of a vector."
  (let ((n (problem-size problem)))
    (lambda (v) (matrix-times (problem-product problem) n v))))

(define (solve-product problem functional)
  "Return the vector whose products with all others are those of @var{functional}."
  (solve-positive-definite (problem-size problem) (entries (problem-product problem)) functional))

(define (product-norm product-times v)
  "Return the norm of @var{v} in the product."
  (let ((size (vec-norm v)))
    (if (zero? size)
        0.
        ;; The squares of small numbers would vanish, those of large ones overflow. Rounding may make a tiny square negative.
        (let ((unit (vec-scale (/ size) v)))
          (* size (sqrt (max 0. (vec-dot unit (product-times unit)))))))))
