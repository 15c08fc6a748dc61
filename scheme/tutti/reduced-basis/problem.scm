;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Affine problems: A(mu) u = f with A(mu) = theta_1(mu) A_1 + theta_2(mu) A_2 + ...  The parts of a problem, and what its procedures
;; return, is checked here: a number that is none must not become an error estimate.
(define-module (tutti reduced-basis problem)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti reduced-basis matrix)
  #:use-module (tutti vector)
  #:re-export (matrix-times check-numbers check-length)
  #:export (make-affine-problem affine-problem? affine-problem-matrix solve-affine-problem
            problem-size problem-matrices problem-coefficients problem-right-hand-side problem-coercivity
            product-times solve-product product-norm
            combine solve-combined thetas-at coercivity-at check-problem problem-operator problem-thetas))

(define-record-type <affine-problem>
  (%make-affine-problem size matrices coefficients right-hand-side product coercivity)
  %affine-problem?
  (size problem-size)
  (matrices problem-matrices)           ; list of matrices: f64vectors, row-major, or linear operators
  (coefficients problem-coefficients)   ; parameter -> list of numbers
  (right-hand-side problem-right-hand-side)
  (product problem-product)             ; the matrix P
  (coercivity problem-coercivity))      ; lower bound, or parameter -> lower bound

(set-record-type-printer! <affine-problem>
  (lambda (problem port)
    (format port "#<affine-problem of size ~a, ~a matri~a>" (problem-size problem) (length (problem-matrices problem))
            (if (= 1 (length (problem-matrices problem))) "x" "ces"))))

(define (affine-problem? x)
  "Return true if @var{x} is an affine problem."
  (%affine-problem? x))

(define (check-problem x who)
  "Raise an error in the name of @var{who} unless @var{x} is an affine problem."
  (unless (affine-problem? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a problem that make-affine-problem returned, got ~S" (list x) (list x))))

;;; Problems.

(define* (make-affine-problem #:key matrices coefficients right-hand-side product (coercivity 1))
  "Return the problem A(mu) u = @var{right-hand-side}, where A(mu) is the sum of @var{matrices} times the list of
numbers that the procedure @var{coefficients} returns for the parameter mu. Matrices are f64vectors, row-major, or linear operators, such
as those of @code{sparse-operator}: where all are known to be sparse, their sum is, and is solved as a band. @var{product} is the symmetric
positive definite matrix P of the inner product for which errors are measured. @var{coercivity} (1) is a positive lower bound of
@var{v}'A(mu)@var{v} by @var{v}'P@var{v}: a number for all parameters, or a procedure that returns it for mu. Workers are given both
procedures. Numbers that are not finite, and a product that is none, are refused; so is what the procedures return for a
parameter, where it is not as many finite numbers as there are matrices, or no positive number."
  (define who 'make-affine-problem)
  (unless (and (pair? matrices) (list? matrices))
    (refuse who "#:matrices: expected a list of f64vectors or linear operators, got ~s" matrices))
  (unless (procedure? coefficients)
    (refuse who "#:coefficients: expected a procedure of a parameter, got ~s" coefficients))
  (unless (or (procedure? coercivity) (and (finite-number? coercivity) (positive? coercivity)))
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
    (unless (every finite-number? thetas)
      (refuse who "#:coefficients returned ~s for the parameter ~s; expected finite real numbers" thetas parameter))
    thetas))

(define (coercivity-at coercivity parameter who)
  "Return the lower bound that @var{coercivity}, a number or a procedure, is or returns for @var{parameter}."
  (let ((bound (if (procedure? coercivity) (coercivity parameter) coercivity)))
    (unless (and (finite-number? bound) (positive? bound))
      (refuse who "#:coercivity returned ~s for the parameter ~s; expected a positive number" bound parameter))
    bound))

(define (check-sum numbers thetas parameter who)
  (when (first-not-finite numbers)
    (refuse who "the matrix for the parameter ~s has numbers that are not finite: #:coefficients returned ~s" parameter thetas)))

(define (combine thetas matrices parameter who)
  "Return the sum of @var{matrices}, f64vectors, times the numbers @var{thetas}, those for @var{parameter}."
  (let ((sum (reduce (lambda (term sum) (vec+ sum term)) #f (map vec-scale thetas matrices))))
    (check-sum sum thetas parameter who)
    sum))

(define (check-solution n solution parameter who)
  (unless solution
    (refuse who "the ~a x ~a matrix for the parameter ~s is singular" n n parameter))
  (when (first-not-finite solution)
    (refuse who "the ~a x ~a matrix for the parameter ~s is singular but for rounding: its solution is not finite" n n parameter))
  solution)

(define (solve-combined n matrix right-hand-side parameter who)
  "Return the solution of the system of @var{matrix}, that for @var{parameter}, and @var{right-hand-side}."
  (check-solution n (%solve-linear n matrix right-hand-side) parameter who))

(define (problem-thetas problem parameter who)
  "Return the list of the factors of the matrices of @var{problem} for @var{parameter}."
  (thetas-at (problem-coefficients problem) (length (problem-matrices problem)) parameter who))

(define (matrix-at problem parameter who)
  (combine (problem-thetas problem parameter who) (map matrix-entries (problem-matrices problem)) parameter who))

(define (problem-operator problem parameter who)
  "Return the matrix of @var{problem} for @var{parameter}: the engine's sparse matrix if all of the problem are known to be sparse, else
an f64vector."
  (let ((sparse (if (worth-a-band? (problem-size problem)) (map matrix->sparse (problem-matrices problem)) '(#f))))
    (if (every identity sparse)
        (let* ((thetas (problem-thetas problem parameter who))
               (sum (combine-sparse (problem-size problem) thetas sparse)))
          (check-sum (third (%sparse-entries sum)) thetas parameter who)
          sum)
        (matrix-at problem parameter who))))

(define (solve-system n matrix right-hand-side parameter who)
  "Return the solution of the system of @var{matrix}, an f64vector or the engine's sparse matrix, as @code{solve-combined} does."
  (if (f64vector? matrix)
      (solve-combined n matrix right-hand-side parameter who)
      (check-solution n (solve-sparse matrix right-hand-side) parameter who)))

(define (affine-problem-matrix problem parameter)
  "Return the matrix of @var{problem} for @var{parameter}, an f64vector, row-major."
  (check-problem problem 'affine-problem-matrix)
  (matrix-at problem parameter 'affine-problem-matrix))

(define (solve-affine-problem problem parameter)
  "Return the solution of @var{problem} for @var{parameter}. Where all matrices of the problem are known to be sparse, such as those of
@code{sparse-operator}, time and memory grow with the width of the band that they can be brought into."
  (define who 'solve-affine-problem)
  (check-problem problem who)
  (solve-system (problem-size problem) (problem-operator problem parameter who) (problem-right-hand-side problem) parameter who))

;;; The product.

(define (product-times problem)
  "Return the product of @var{problem} as a procedure of a vector."
  (let ((n (problem-size problem)))
    (lambda (v) (matrix-times (problem-product problem) n v))))

(define (solve-product problem functional)
  "Return the vector whose products with all others are those of @var{functional}."
  (solve-positive (problem-size problem) (problem-product problem) functional))

(define (product-norm product-times v)
  "Return the norm of @var{v} in the product."
  (let ((size (vec-norm v)))
    (if (zero? size)
        0.
        ;; The squares of small numbers would vanish, those of large ones overflow. Rounding may make a tiny square negative.
        (let ((unit (vec-scale (/ size) v)))
          (* size (sqrt (max 0. (vec-dot unit (product-times unit)))))))))
