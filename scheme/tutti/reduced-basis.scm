;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Reduced bases for affine problems: a basis is built from solutions; a reduced model is what remains of the problem in
;; it, small and quick, together with what its error is estimated from.
;;
;; The dual norm of the residual is computed from its coordinates in an orthonormal basis of all residuals that can
;; occur: sums of inner products would cancel at the square root of the machine precision (Buhr, Engwer, Ohlberger and
;; Rave 2014).
(define-module (tutti reduced-basis)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti greedy)
  #:use-module (tutti linear)
  #:use-module (tutti pool)
  #:use-module (tutti reduced-basis problem)
  #:use-module (tutti vector)
  #:re-export (make-affine-problem affine-problem? affine-problem-matrix solve-affine-problem)
  #:export (make-reduced-basis reduced-basis? reduced-basis-size reduced-basis-vectors reduced-basis-extend reduced-basis-lift
            reduced-basis-model
            reduced-model? solve-reduced-model residual-dual-norm error-estimate true-error
            reduced-basis-greedy reduced-basis-adaptive-greedy))

;;; Gram-Schmidt with respect to a product.

(define (linear-combination coordinates vectors zero)
  (fold (lambda (c v sum) (vec+ sum (vec-scale c v))) zero coordinates vectors))

;; What is left of a vector after it has lost all but this share of its norm is rounding.
(define smallest-share 1e-12)

(define (orthogonalize v product-times basis)
  "Return three values: what of @var{v} is orthogonal to @var{basis}, which is orthonormal, its norm, and the list of
the coordinates of the rest; or @code{#f}, 0, and the coordinates if it is within the span of the basis."
  (define (pass v)
    (let* ((image (product-times v))
           (coordinates (map (lambda (b) (vec-dot b image)) basis)))
      (values (vec- v (linear-combination coordinates basis (vec-scale 0. v))) coordinates)))
  ;; Twice is enough, once is not.
  (let*-values (((before) (product-norm product-times v))
                ((once first-coordinates) (pass v))
                ((twice second-coordinates) (pass once))
                ((after) (product-norm product-times twice))
                ((coordinates) (map + first-coordinates second-coordinates)))
    (if (> after (* smallest-share before))
        (values (vec-scale (/ after) twice) after coordinates)
        (values #f 0. coordinates))))

;;; Bases.

(define-record-type <reduced-basis>
  (%make-reduced-basis problem vectors images range load-coordinates coordinates)
  %reduced-basis?
  (problem basis-problem)
  (vectors basis-vectors)               ; list of f64vectors, orthonormal
  (images basis-images)                 ; for each vector: list of A_q times it
  (range basis-range)                   ; list of f64vectors, orthonormal: residuals, by their representatives
  (load-coordinates basis-load-coordinates)   ; of the right-hand side in the range; missing ones are zero
  (coordinates basis-coordinates))      ; for each vector: list of the coordinates of its images

(set-record-type-printer! <reduced-basis>
  (lambda (basis port)
    (format port "#<reduced-basis of ~a vector~:p for ~a>" (length (basis-vectors basis)) (basis-problem basis))))

(define (add-to-range problem range functional)
  "Return two values: @var{range} with the representative of @var{functional}, and its coordinates there."
  (let*-values (((representative) (solve-product problem functional))
                ((new norm coordinates) (orthogonalize representative (product-times problem) range)))
    (if new
        (values (append range (list new)) (append coordinates (list norm)))
        (values range coordinates))))

(define (make-reduced-basis problem)
  "Return an empty basis for @var{problem}."
  (check-problem problem 'make-reduced-basis)
  (let-values (((range coordinates) (add-to-range problem '() (problem-right-hand-side problem))))
    (%make-reduced-basis problem '() '() range coordinates '())))

(define (reduced-basis? x)
  "Return true if @var{x} is a reduced basis."
  (%reduced-basis? x))

(define (reduced-basis-size basis)
  "Return how many vectors @var{basis} has."
  (length (basis-vectors basis)))

(define (reduced-basis-vectors basis)
  "Return the list of the vectors of @var{basis}, orthonormal with respect to the problem's product."
  (basis-vectors basis))

(define (reduced-basis-extend basis snapshot)
  "Return @var{basis} with @var{snapshot}, a solution of its problem, orthonormalised by Gram-Schmidt, twice;
@code{#f} if it is in the span of the basis, up to 1e-12 of its norm."
  (define problem (basis-problem basis))
  (define n (problem-size problem))
  (check-numbers 'reduced-basis-extend "the snapshot" n snapshot)
  (let-values (((new norm coordinates) (orthogonalize snapshot (product-times problem) (basis-vectors basis))))
    (and new
         (let ((images (map (lambda (matrix) (matrix-times matrix n new)) (problem-matrices problem))))
           (let loop ((rest images) (range (basis-range basis)) (found '()))
             (if (null? rest)
                 (%make-reduced-basis problem
                                      (append (basis-vectors basis) (list new))
                                      (append (basis-images basis) (list images))
                                      range
                                      (basis-load-coordinates basis)
                                      (append (basis-coordinates basis) (list (reverse found))))
                 (let-values (((range coordinates) (add-to-range problem range (car rest))))
                   (loop (cdr rest) range (cons coordinates found)))))))))

(define (reduced-basis-lift basis coefficients)
  "Return the vector with the @var{coefficients}, as @code{solve-reduced-model} returns them, in @var{basis}."
  (lift 'reduced-basis-lift (basis-vectors basis) coefficients (problem-size (basis-problem basis))))

(define (lift who vectors coefficients n)
  (check-length who "the coefficients" (length vectors) coefficients)
  (linear-combination (f64vector->list coefficients) vectors (make-f64vector n 0.)))

;;; Reduced models: all that is needed to solve, and to estimate errors, without the full problem.

(define-record-type <reduced-model>
  (make-reduced-model size rank matrices right-hand-side load-coordinates coordinates coefficients coercivity)
  %reduced-model?
  (size model-size)
  (rank model-rank)                     ; dimension of the space of residuals
  (matrices model-matrices)             ; list of f64vectors, size x size
  (right-hand-side model-right-hand-side)
  (load-coordinates model-load-coordinates)   ; f64vector of rank numbers
  (coordinates model-coordinates)       ; list of f64vectors, rank x size
  (coefficients model-coefficients)
  (coercivity model-coercivity))

(set-record-type-printer! <reduced-model>
  (lambda (model port)
    (format port "#<reduced-model of size ~a>" (model-size model))))

(define (rows->matrix rows)
  (list->f64vector (concatenate rows)))

(define (columns->matrix columns rows)
  ;; Columns that are too short end in zeros.
  (rows->matrix
   (map (lambda (i) (map (lambda (column) (if (< i (length column)) (list-ref column i) 0.)) columns))
        (iota rows))))

(define (reduced-basis-model basis)
  "Return the reduced model of the problem of @var{basis}: its Galerkin projection, and what the dual norm of its
residual is computed from."
  (define problem (basis-problem basis))
  (define vectors (basis-vectors basis))
  (define rank (length (basis-range basis)))
  (define (projected q)
    (rows->matrix (map (lambda (row) (map (lambda (images) (vec-dot row (list-ref images q))) (basis-images basis))) vectors)))
  (define (coordinates q)
    (columns->matrix (map (lambda (by-matrix) (list-ref by-matrix q)) (basis-coordinates basis)) rank))
  (define matrices (iota (length (problem-matrices problem))))
  (make-reduced-model (length vectors) rank
                      (map projected matrices)
                      (list->f64vector (map (lambda (v) (vec-dot v (problem-right-hand-side problem))) vectors))
                      (columns->matrix (list (basis-load-coordinates basis)) rank)
                      (map coordinates matrices)
                      (problem-coefficients problem) (problem-coercivity problem)))

(define (reduced-model? x)
  "Return true if @var{x} is a reduced model."
  (%reduced-model? x))

(define (solve-model model thetas parameter who)
  (solve-combined (model-size model) (combine thetas (model-matrices model) parameter who) (model-right-hand-side model) parameter who))

(define (model-thetas model parameter who)
  (thetas-at (model-coefficients model) (length (model-matrices model)) parameter who))

(define (solve-reduced-model model parameter)
  "Return the solution of the reduced @var{model} for @var{parameter}: the coefficients of the basis vectors, an
f64vector."
  (define who 'solve-reduced-model)
  (solve-model model (model-thetas model parameter who) parameter who))

(define (dual-norm model parameter who)
  (let* ((thetas (model-thetas model parameter who))
         (solution (solve-model model thetas parameter who)))
    (vec-norm (fold (lambda (theta matrix residual)
                      (vec- residual (vec-scale theta (matrix-vector (model-rank model) (model-size model) matrix solution))))
                    (model-load-coordinates model) thetas (model-coordinates model)))))

(define (residual-dual-norm model parameter)
  "Return the norm of the residual of the solution of the reduced @var{model} for @var{parameter} in the full problem,
dual to the problem's product."
  (dual-norm model parameter 'residual-dual-norm))

(define (error-estimate model parameter)
  "Return the upper bound of the error of the reduced @var{model} for @var{parameter}: the dual norm of the residual
by the lower bound of the coercivity. A bound that is no positive number is an error that names the parameter."
  (define who 'error-estimate)
  (let ((bound (coercivity-at (model-coercivity model) parameter who)))
    (/ (dual-norm model parameter who) bound)))

(define (true-error model+basis+problem parameter)
  "Return the norm, in the problem's product, of the difference of the full and the reduced solution for
@var{parameter}. @var{model+basis+problem} is the list of a reduced model, the vectors of its basis, and the full
problem, which is solved."
  (let*-values (((model vectors problem) (apply values model+basis+problem))
                ((difference) (vec- (solve-affine-problem problem parameter)
                                    (lift 'true-error vectors (solve-reduced-model model parameter) (problem-size problem)))))
    (product-norm (product-times problem) difference)))

;;; The greedy algorithm for them.

(define* (reduced-basis-greedy pool problem training #:key true-error? (tolerance 0) max-size (callback print-extension))
  "Return the result of the weak greedy algorithm for a reduced basis of @var{problem} with the parameters
@var{training}: a @code{greedy-result} whose model is the basis. Errors are those of @code{error-estimate}; if
@var{true-error?} is true, the errors themselves, for which workers solve the full problem again and again. The rest
is as for @code{weak-greedy}."
  (define (run estimate ship)
    (weak-greedy pool training estimate (extending problem) #:model (make-reduced-basis problem) #:ship ship #:tolerance tolerance
                 #:max-size max-size #:callback callback))
  (check-problem problem 'reduced-basis-greedy)
  (call-estimating pool problem true-error? run))

(define (extending problem)
  "Return the procedure that extends a basis by the solution of @var{problem} for a parameter."
  (lambda (basis parameter)
    (reduced-basis-extend basis (solve-affine-problem problem parameter))))

(define (call-estimating pool problem true-error? run)
  "Return what @var{run} returns for a procedure that estimates errors for @var{problem}, and one that returns what
that needs of a basis."
  (if true-error?
      (call-with-remote-object (pool-push pool problem)
        (lambda (pushed)
          (run true-error (lambda (basis) (list (reduced-basis-model basis) (basis-vectors basis) pushed)))))
      (run error-estimate reduced-basis-model)))

(define* (reduced-basis-adaptive-greedy pool problem ranges #:key true-error? #:allow-other-keys #:rest options)
  "Return the result of the weak greedy algorithm with an adaptive training set, for a reduced basis of @var{problem}
with parameters that are lists of numbers within @var{ranges}: an @code{adaptive-result} whose model is the basis.
@var{true-error?} is as for @code{reduced-basis-greedy}; the other @var{options} are those of
@code{adaptive-weak-greedy}."
  (define (run estimate ship)
    (apply adaptive-weak-greedy pool ranges estimate (extending problem) #:model (make-reduced-basis problem) #:ship ship
           (without-keyword #:true-error? options)))
  (check-problem problem 'reduced-basis-adaptive-greedy)
  (call-estimating pool problem true-error? run))

(define (without-keyword keyword options)
  (cond ((null? options) '())
        ((eq? (car options) keyword) (without-keyword keyword (cddr options)))
        (else (cons* (car options) (cadr options) (without-keyword keyword (cddr options))))))
