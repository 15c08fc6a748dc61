;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Reduced bases for affine problems: A(mu) u = f with A(mu) = theta_1(mu) A_1 + theta_2(mu) A_2 + ...  A basis is
;; built from solutions; a reduced model is what remains of the problem in it, small and quick, together with what its
;; error is estimated from.
;;
;; The dual norm of the residual is computed from its coordinates in an orthonormal basis of all residuals that can
;; occur: sums of inner products would cancel at the square root of the machine precision (Buhr, Engwer, Ohlberger and
;; Rave 2014).
(define-module (tutti reduced-basis)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti conditions)
  #:use-module (tutti greedy)
  #:use-module (tutti linear)
  #:use-module (tutti pool)
  #:use-module (tutti vector)
  #:export (make-affine-problem affine-problem? affine-problem-matrix solve-affine-problem
            make-reduced-basis reduced-basis? reduced-basis-size reduced-basis-vectors reduced-basis-extend reduced-basis-lift
            reduced-basis-model
            reduced-model? solve-reduced-model residual-dual-norm error-estimate true-error
            reduced-basis-greedy))

;;; Problems.

(define-record-type <affine-problem>
  (%make-affine-problem size matrices coefficients right-hand-side product coercivity)
  %affine-problem?
  (size problem-size)
  (matrices problem-matrices)           ; list of f64vectors, row-major
  (coefficients problem-coefficients)   ; parameter -> list of numbers
  (right-hand-side problem-right-hand-side)
  (product problem-product)             ; f64vector: the matrix P
  (coercivity problem-coercivity))      ; parameter -> lower bound

(define (check-length who what expected v)
  (unless (f64vector? v)
    (raise-tutti (make-tutti-error (format #f "~a: expected an f64vector of ~a numbers, got ~s" what expected v)) who))
  (unless (= (f64vector-length v) expected)
    (raise-tutti (make-shape-error expected (f64vector-length v)
                                   (format #f "~a: expected ~a numbers, got ~a" what expected (f64vector-length v)))
                 who)))

(define* (make-affine-problem #:key matrices coefficients right-hand-side product (coercivity (const 1)))
  "Return the problem A(mu) u = @var{right-hand-side}, where A(mu) is the sum of @var{matrices} times the list of
numbers that the procedure @var{coefficients} returns for the parameter mu. Matrices are f64vectors, row-major.
@var{product} is the symmetric positive definite matrix of the inner product for which errors are measured, and the
procedure @var{coercivity} (1) returns for mu a lower bound of @var{v}'A(mu)@var{v} by @var{v}'P@var{v}. Workers are
given both procedures."
  (define who 'make-affine-problem)
  (unless (and (pair? matrices) (list? matrices))
    (raise-tutti (make-tutti-error (format #f "#:matrices: expected a list of f64vectors, got ~s" matrices)) who))
  (unless (and (procedure? coefficients) (procedure? coercivity))
    (raise-tutti (make-tutti-error "#:coefficients and #:coercivity: expected procedures of a parameter") who))
  (unless (f64vector? right-hand-side)
    (raise-tutti (make-tutti-error (format #f "#:right-hand-side: expected an f64vector, got ~s" right-hand-side)) who))
  (let ((n (f64vector-length right-hand-side)))
    (for-each (lambda (matrix q) (check-length who (format #f "matrix ~a (from 0), ~a x ~a," q n n) (* n n) matrix))
              matrices (iota (length matrices)))
    (check-length who (format #f "#:product, ~a x ~a," n n) (* n n) product)
    (%make-affine-problem n matrices coefficients right-hand-side product coercivity)))

(define (affine-problem? x)
  "Return true if @var{x} is an affine problem."
  (%affine-problem? x))

(define (combine who coefficients matrices)
  (unless (= (length coefficients) (length matrices))
    (raise-tutti (make-shape-error (length matrices) (length coefficients)
                                   (format #f "the problem has ~a matrices, and #:coefficients returned ~a numbers"
                                           (length matrices) (length coefficients)))
                 who))
  (reduce vec+ #f (map vec-scale coefficients matrices)))

(define (affine-problem-matrix problem parameter)
  "Return the matrix of @var{problem} for @var{parameter}, row-major."
  (combine 'affine-problem-matrix ((problem-coefficients problem) parameter) (problem-matrices problem)))

(define (solve-affine-problem problem parameter)
  "Return the solution of @var{problem} for @var{parameter}."
  (solve-linear (problem-size problem) (affine-problem-matrix problem parameter) (problem-right-hand-side problem)))

;;; Gram-Schmidt with respect to a product.

(define (linear-combination coordinates vectors zero)
  (fold (lambda (c v sum) (vec+ sum (vec-scale c v))) zero coordinates vectors))

;; What is left of a vector after it has lost all but this share of its norm is rounding.
(define smallest-share 1e-12)

(define (orthogonalize v product-times basis)
  "Return three values: what of @var{v} is orthogonal to @var{basis}, which is orthonormal, its norm, and the list of
the coordinates of the rest; or @code{#f}, 0, and the coordinates if it is within the span of the basis."
  (define (product-norm v)
    ;; Rounding may make the square of a tiny one negative.
    (sqrt (max 0. (vec-dot v (product-times v)))))
  (define (pass v)
    (let* ((image (product-times v))
           (coordinates (map (lambda (b) (vec-dot b image)) basis)))
      (values (vec- v (linear-combination coordinates basis (vec-scale 0. v))) coordinates)))
  ;; Twice is enough, once is not.
  (let*-values (((before) (product-norm v))
                ((once first-coordinates) (pass v))
                ((twice second-coordinates) (pass once))
                ((after) (product-norm twice))
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

(define (product-times problem)
  (let ((n (problem-size problem)))
    (lambda (v) (matrix-vector n n (problem-product problem) v))))

(define (add-to-range problem range functional)
  "Return two values: @var{range} with the representative of @var{functional}, and its coordinates there."
  (let*-values (((representative) (solve-positive-definite (problem-size problem) (problem-product problem) functional))
                ((new norm coordinates) (orthogonalize representative (product-times problem) range)))
    (if new
        (values (append range (list new)) (append coordinates (list norm)))
        (values range coordinates))))

(define (make-reduced-basis problem)
  "Return an empty basis for @var{problem}."
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
  (check-length 'reduced-basis-extend "the snapshot" n snapshot)
  (let-values (((new norm coordinates) (orthogonalize snapshot (product-times problem) (basis-vectors basis))))
    (and new
         (let ((images (map (lambda (matrix) (matrix-vector n n matrix new)) (problem-matrices problem))))
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
  (lift (basis-vectors basis) coefficients (problem-size (basis-problem basis))))

(define (lift vectors coefficients n)
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

(define (solve-reduced-model model parameter)
  "Return the solution of the reduced @var{model} for @var{parameter}: the coefficients of the basis vectors, an
f64vector."
  (let ((thetas ((model-coefficients model) parameter)))
    (solve-linear (model-size model) (combine 'solve-reduced-model thetas (model-matrices model))
                  (model-right-hand-side model))))

(define (residual-dual-norm model parameter)
  "Return the norm of the residual of the solution of the reduced @var{model} for @var{parameter} in the full problem,
dual to the problem's product."
  (let ((thetas ((model-coefficients model) parameter))
        (solution (solve-reduced-model model parameter)))
    (vec-norm (fold (lambda (theta matrix residual)
                      (vec- residual (vec-scale theta (matrix-vector (model-rank model) (model-size model) matrix solution))))
                    (model-load-coordinates model) thetas (model-coordinates model)))))

(define (error-estimate model parameter)
  "Return the upper bound of the error of the reduced @var{model} for @var{parameter}: the dual norm of the residual
by the lower bound of the coercivity."
  (/ (residual-dual-norm model parameter) ((model-coercivity model) parameter)))

(define (true-error model+basis+problem parameter)
  "Return the norm, in the problem's product, of the difference of the full and the reduced solution for
@var{parameter}. @var{model+basis+problem} is the list of a reduced model, the vectors of its basis, and the full
problem, which is solved."
  (let*-values (((model vectors problem) (apply values model+basis+problem))
                ((difference) (vec- (solve-affine-problem problem parameter)
                                    (lift vectors (solve-reduced-model model parameter) (problem-size problem)))))
    (sqrt (max 0. (vec-dot difference ((product-times problem) difference))))))

;;; The greedy algorithm for them.

(define* (reduced-basis-greedy pool problem training #:key true-error? (tolerance 0) max-size (callback print-extension))
  "Return the result of the weak greedy algorithm for a reduced basis of @var{problem} with the parameters
@var{training}: a @code{greedy-result} whose model is the basis. Errors are those of @code{error-estimate}; if
@var{true-error?} is true, the errors themselves, for which workers solve the full problem again and again. The rest
is as for @code{weak-greedy}."
  (define (extend basis parameter)
    (reduced-basis-extend basis (solve-affine-problem problem parameter)))
  (define (run estimate ship)
    (weak-greedy pool training estimate extend #:model (make-reduced-basis problem) #:ship ship #:tolerance tolerance
                 #:max-size max-size #:callback callback))
  (if true-error?
      (call-with-remote-object (pool-push pool problem)
        (lambda (pushed)
          (run true-error (lambda (basis) (list (reduced-basis-model basis) (basis-vectors basis) pushed)))))
      (run error-estimate reduced-basis-model)))
