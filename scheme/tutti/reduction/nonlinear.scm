;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Nonlinear problems, A(mu) u + c(mu) N(u) = f, and their reduced models: Galerkin's in a reduced basis, with N
;; interpolated, so that nothing as long as u is touched when one is solved.
(define-module (tutti reduction nonlinear)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti reduced-basis)
  #:use-module ((tutti reduced-basis matrix) #:select (combine-sparse first-not-finite matrix-entries matrix->sparse
                                                       matrix-times solve-sparse))
  #:use-module ((tutti reduced-basis problem) #:select (combine check-problem problem-coefficients problem-matrices problem-operator
                                                        problem-right-hand-side problem-size problem-thetas thetas-at))
  #:use-module (tutti reduction interpolated)
  #:use-module ((tutti reduction snapshots) #:select (check-count))
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (make-nonlinear-problem nonlinear-problem? solve-nonlinear-problem
            nonlinear-reduced-model nonlinear-reduced-model? solve-nonlinear-model))

(define-record-type <nonlinear-problem>
  (%make-nonlinear-problem affine operator factor)
  %nonlinear-problem?
  (affine problem-affine)
  (operator problem-nonlinear)
  (factor problem-factor))              ; number, or parameter -> number

(set-record-type-printer! <nonlinear-problem>
  (lambda (problem port)
    (format port "#<nonlinear-problem: ~a and ~a>" (problem-affine problem) (operator-name (problem-nonlinear problem)))))

(define (nonlinear-problem? x)
  "Return true if @var{x} is a nonlinear problem."
  (%nonlinear-problem? x))

(define* (make-nonlinear-problem affine operator #:key (factor 1))
  "Return the problem A(mu) u + c(mu) N(u) = f, where A(mu) and f are those of the problem @var{affine}, N is
@var{operator}, from as many numbers to as many, with a derivative, and c(mu) is @var{factor}, a number or a procedure
of the parameter. Where the matrices of @var{affine} and the derivatives of @var{operator} are known to be sparse,
such as those of @code{sparse-operator}, so are the systems that are solved."
  (define who 'make-nonlinear-problem)
  (check-problem affine who)
  (unless (operator? operator)
    (scm-error 'wrong-type-arg (symbol->string who) "expected an operator, got ~S" (list operator) (list operator)))
  (let ((n (problem-size affine)))
    (unless (and (space-like? (operator-domain operator) n) (space-like? (operator-codomain operator) n))
      (raise-tutti (make-shape-error (list n n) (map space-dimension (list (operator-codomain operator) (operator-domain operator)))
                                     (format #f "~a is from ~a to ~a; expected one from ~a to ~a real numbers" (operator-name operator)
                                             (space->string (operator-domain operator)) (space->string (operator-codomain operator))
                                             n n))
                   who)))
  (unless (or (procedure? factor) (finite-number? factor))
    (refuse who "#:factor: expected a finite number or a procedure of a parameter, got ~s" factor))
  (%make-nonlinear-problem affine operator factor))

(define (factor-at factor parameter who)
  (let ((c (if (procedure? factor) (factor parameter) factor)))
    (unless (finite-number? c)
      (refuse who "#:factor returned ~s for the parameter ~s; expected a finite number" c parameter))
    c))

;;; Newton's method.

(define shortest-step 1e-6)

(define (newton start bound tolerance most residual-at solve-at parameter who)
  "Return the vector, beginning with @var{start}, where the norm of what @var{residual-at} returns is at most
@var{bound}, or that of the last step at most @var{tolerance} times that of the vector. @var{solve-at} returns for a
vector and a residual the solution of the system of the derivative there. Steps are halved until the residual falls."
  (let loop ((u start) (residual (residual-at start)) (steps 0))
    (define norm (vec-norm residual))
    (define (shorten direction length)
      (let* ((next (vec- u (vec-scale length direction)))
             (its-residual (residual-at next)))
        (cond ((< (vec-norm its-residual) (* norm (- 1 (* 1e-4 length)))) (loop next its-residual (1+ steps)))
              ((< length shortest-step)
               (refuse who "Newton's method for the parameter ~s: after ~a steps the residual, of norm ~a, falls no further; ~a was wanted"
                       parameter steps norm bound))
              (else (shorten direction (/ length 2))))))
    (cond ((not (finite-number? norm))
           (refuse who "Newton's method for the parameter ~s: the residual has numbers that are not finite" parameter))
          ((<= norm bound) u)
          ((= steps most)
           (refuse who "Newton's method for the parameter ~s: after ~a steps the norm of the residual is ~a; ~a was wanted" parameter
                   steps norm bound))
          (else
           (let ((direction (solve-at u residual)))
             (unless (and direction (not (first-not-finite direction)))
               (refuse who "Newton's method for the parameter ~s: the derivative is singular after ~a steps" parameter steps))
             ;; Where numbers are large, rounding may keep the residual above any bound.
             (if (<= (vec-norm direction) (* tolerance (vec-norm u)))
                 (vec- u direction)
                 (shorten direction 1.)))))))

(define (check-options who tolerance most)
  (unless (and (finite-number? tolerance) (positive? tolerance))
    (refuse who "#:tolerance: expected a positive number, got ~s" tolerance))
  (check-count who "#:most" most))

(define (check-start who start n)
  (unless (and (f64vector? start) (= n (f64vector-length start)))
    (raise-tutti (make-shape-error n (if (f64vector? start) (f64vector-length start) start)
                                   (format #f "#:start: expected an f64vector of ~a numbers, got ~s" n start))
                 who)))

(define (bound-for tolerance right-hand-side first-residual)
  ;; Without a right-hand side the residual of the start is what there is to compare with.
  (* tolerance (let ((size (vec-norm right-hand-side))) (if (zero? size) (max 1e-300 (vec-norm first-residual)) size))))

;;; The problem itself.

(define (derivative-system problem parameter c u who)
  "Return a procedure that solves systems of the derivative of @var{problem} at @var{u}."
  (let* ((affine (problem-affine problem))
         (n (problem-size affine))
         (matrix (problem-operator affine parameter who))
         (derivative (call-with-values (lambda () (linearize (problem-nonlinear problem) u)) (lambda (y derivative) derivative)))
         (sparse (and (not (f64vector? matrix)) (matrix->sparse derivative))))
    (if sparse
        (let ((sum (combine-sparse n (list 1. c) (list matrix sparse))))
          (lambda (residual) (solve-sparse sum residual)))
        (let ((sum (vec+ (affine-problem-matrix affine parameter) (vec-scale c (matrix-entries derivative)))))
          (lambda (residual) (%solve-linear n sum residual))))))

(define* (solve-nonlinear-problem problem parameter #:key start (tolerance 1e-10) (most 50))
  "Return the solution of @var{problem}, of @code{make-nonlinear-problem}, for @var{parameter}, by Newton's method
with steps that are halved until the residual falls, from @var{start} (zero) on: until the norm of the residual is at
most @var{tolerance} times that of the right-hand side, or a step that short beside the solution. If that takes more
than @var{most} steps, or cannot be reached, it is an error that says how far it came."
  (define who 'solve-nonlinear-problem)
  (unless (nonlinear-problem? problem)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a problem that make-nonlinear-problem returned, got ~S" (list problem)
               (list problem)))
  (check-options who tolerance most)
  (let* ((affine (problem-affine problem))
         (n (problem-size affine))
         (c (factor-at (problem-factor problem) parameter who))
         (start (or start (make-f64vector n 0.)))
         (thetas (problem-thetas affine parameter who)))
    (define (residual-at u)
      (fold (lambda (theta matrix sum) (vec+ sum (vec-scale theta (matrix-times matrix n u))))
            (vec- (vec-scale c (evaluate (problem-nonlinear problem) u)) (problem-right-hand-side affine))
            thetas (problem-matrices affine)))
    (check-start who start n)
    (newton start (bound-for tolerance (problem-right-hand-side affine) (residual-at start)) tolerance most residual-at
            (lambda (u residual) ((derivative-system problem parameter c u who) residual))
            parameter who)))

;;; Reduced models. All that they have is as long as the basis or as there are degrees of freedom.

(define-record-type <nonlinear-model>
  (make-nonlinear-model size matrices right-hand-side coefficients factor rows projection local)
  %nonlinear-model?
  (size model-size)
  (matrices model-matrices)             ; list of f64vectors, size x size
  (right-hand-side model-right-hand-side)
  (coefficients model-coefficients)     ; parameter -> list of numbers
  (factor model-factor)
  (rows model-rows)                     ; f64vector, sources x size: the basis at the sources
  (projection model-projection)         ; f64vector, size x degrees of freedom
  (local model-local))                  ; operator from the sources to the degrees of freedom

(set-record-type-printer! <nonlinear-model>
  (lambda (model port)
    (format port "#<nonlinear-reduced-model of size ~a>" (model-size model))))

(define (nonlinear-reduced-model? x)
  "Return true if @var{x} is a reduced model of a nonlinear problem."
  (%nonlinear-model? x))

(define (matrix-of-products rows columns)
  (list->f64vector (append-map (lambda (row) (map (lambda (column) (vec-dot row column)) columns)) rows)))

(define (nonlinear-reduced-model problem basis operator)
  "Return the reduced model of @var{problem}, of @code{make-nonlinear-problem}: Galerkin's in @var{basis}, a reduced
basis of its affine problem or a list of vectors, such as the modes of a POD, with @var{operator}, of
@code{interpolated-operator}, in place of the nonlinear one. To solve it takes no longer for a larger problem. It can
travel if the restriction of @var{operator} has returned an operator that can, such as one made by a remote procedure."
  (define who 'nonlinear-reduced-model)
  (unless (nonlinear-problem? problem)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a problem that make-nonlinear-problem returned, got ~S" (list problem)
               (list problem)))
  (check-interpolated operator who)
  (let* ((affine (problem-affine problem))
         (n (problem-size affine))
         (vectors (if (reduced-basis? basis) (reduced-basis-vectors basis) basis)))
    (unless (and (list? vectors) (every (lambda (v) (and (f64vector? v) (= n (f64vector-length v)))) vectors))
      (refuse who "the basis: expected a reduced basis or a list of f64vectors of ~a numbers, got ~s" n basis))
    (unless (and (= n (space-dimension (operator-domain operator))) (= n (space-dimension (operator-codomain operator))))
      (raise-tutti (make-shape-error n (space-dimension (operator-domain operator))
                                     (format #f "the problem has ~a unknowns; ~a is from ~a to ~a" n (operator-name operator)
                                             (space->string (operator-domain operator)) (space->string (operator-codomain operator))))
                   who))
    (make-nonlinear-model
     (length vectors)
     (map (lambda (matrix) (matrix-of-products vectors (map (lambda (v) (matrix-times matrix n v)) vectors)))
          (problem-matrices affine))
     (list->f64vector (map (lambda (v) (vec-dot v (problem-right-hand-side affine))) vectors))
     (problem-coefficients affine)
     (problem-factor problem)
     (list->f64vector (append-map (lambda (source) (map (lambda (v) (f64vector-ref v source)) vectors))
                                  (interpolated-sources operator)))
     (matrix-of-products vectors (expansion-columns operator))
     (interpolated-local operator))))

(define (matrix-product rows inner columns a b)
  (let ((result (make-f64vector (* rows columns))))
    (do ((j 0 (1+ j)))
        ((= j columns) result)
      (let* ((column (make-f64vector inner)))
        (do ((k 0 (1+ k)))
            ((= k inner))
          (f64vector-set! column k (f64vector-ref b (+ j (* columns k)))))
        (let ((image (matrix-vector rows inner a column)))
          (do ((i 0 (1+ i)))
              ((= i rows))
            (f64vector-set! result (+ j (* columns i)) (f64vector-ref image i))))))))

(define* (solve-nonlinear-model model parameter #:key start (tolerance 1e-10) (most 50))
  "Return the solution of the reduced @var{model}, of @code{nonlinear-reduced-model}, for @var{parameter}: the
coefficients of the basis vectors, an f64vector, which @code{reduced-basis-lift} makes a vector of. The rest is as for
@code{solve-nonlinear-problem}."
  (define who 'solve-nonlinear-model)
  (unless (nonlinear-reduced-model? model)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a model that nonlinear-reduced-model returned, got ~S" (list model)
               (list model)))
  (check-options who tolerance most)
  (let* ((size (model-size model))
         (local (model-local model))
         (sources (space-dimension (operator-domain local)))
         (dofs (space-dimension (operator-codomain local)))
         (c (factor-at (model-factor model) parameter who))
         (thetas (thetas-at (model-coefficients model) (length (model-matrices model)) parameter who))
         (matrix (combine thetas (model-matrices model) parameter who))
         (start (or start (make-f64vector size 0.))))
    (define (at-sources a) (matrix-vector sources size (model-rows model) a))
    (define (project values) (matrix-vector size dofs (model-projection model) values))
    (define (residual-at a)
      (vec- (vec+ (matrix-vector size size matrix a) (vec-scale c (project (evaluate local (at-sources a)))))
            (model-right-hand-side model)))
    (define (derivative-at a)
      (call-with-values (lambda () (linearize local (at-sources a)))
        (lambda (values derivative)
          (vec+ matrix
                (vec-scale c (matrix-product size dofs size (model-projection model)
                                             (matrix-product dofs sources size (matrix-entries derivative) (model-rows model))))))))
    (check-start who start size)
    (newton start (bound-for tolerance (model-right-hand-side model) (residual-at start)) tolerance most residual-at
            (lambda (a residual) (%solve-linear size (derivative-at a) residual))
            parameter who)))
