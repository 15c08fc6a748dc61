;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Conjugate gradients, for positive definite operators (Hestenes and Stiefel 1952) and for least squares (CGLS, see
;; Björck, Numerical Methods for Least Squares Problems, 1996).
(define-module (tutti solver krylov)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver stop)
  #:use-module (tutti solver units)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (conjugate-gradient cgls run-conjugate-gradient run-cgls))

(define (real-dimension space)
  (* (if (space-complex? space) 2 1) (space-dimension space)))

(define (usual-stop space)
  ;; In exact arithmetic as many iterations as dimensions are enough.
  (stop-when #:tolerance 1e-10 #:iterations (max 1 (* 2 (real-dimension space)))))

(define (ratio x reference)
  (cond ((zero? x) 0.)
        ((zero? reference) 1.)
        (else (/ x reference))))

;;; Positive definite.

(define (run-conjugate-gradient who apply b start stop callback)
  "Return the result of conjugate gradients as @var{who} for the positive definite map @var{apply} from @var{start}
on, @code{#f} for zero."
  (define residual (if start (vec- b (apply start)) b))
  (define size (vec-norm residual))
  ;; The map is not squared, so one unit for both sides is enough. It is used early: with a small map the square may be all that is left.
  (define unit (if (or (zero? size) (< 1e-10 size 1e10) (not (< size +inf.0))) 1. (power-of-two size)))
  (define units (make-units unit unit))
  (define scale (/ (vec-norm b) unit))
  (define x (if start (model-in-units units start) (vec-scale 0. b)))
  (define r (data-in-units units residual))
  (define (account number r step change)
    (let ((norm (vec-norm r)))
      (make-iteration number #:residual-norm norm #:convergence (ratio norm scale) #:step-length step #:change change)))
  (define (advance state x last-iteration fail)
    (match state
      ((_ _ 0.) (values #f 'converged "the residual is zero"))
      ((r p rr)
       (let* ((q (apply p))
              (product (vec-dot p q))
              (curvature (real-part product)))
         (cond
          ((not (= curvature curvature))
           (fail "the operator returned numbers that are not finite"))
          ((> (abs (imag-part product)) (* 1e-8 (vec-norm p) (vec-norm q)))
           (fail (format #f "the direction p has <p, A p> = ~a, which is not real: the operator is not self-adjoint" product)))
          ((positive? curvature)
           (let* ((step (/ rr curvature))
                  (change (vec-scale step p))
                  (next (vec+ x change))
                  (r (vec-axpy (- step) q r))
                  (rr* (square-norm r)))
             (values (list r (vec-axpy (/ rr* rr) p r) rr*)
                     (account (1+ (iteration-number last-iteration)) r step (relative-change change x next))
                     next)))
          ;; An operator that is only semidefinite has nothing but rounding left to offer in the end.
          ((<= (sqrt rr) (* 1e-12 scale))
           (values #f 'converged "the residual is zero, up to rounding"))
          (else
           (fail (format #f "the direction p has <p, A p> = ~a: the operator is not positive definite" curvature))))))))
  (run-solver who (account 0 r #f #f) x (list r r (square-norm r)) advance #:stop stop #:callback callback
              #:show-iteration (lambda (iteration) (iteration-out-of-units units iteration #:gradient-steps? #t))
              #:show-model (lambda (x) (model-out-of-units units x))))

(define* (conjugate-gradient op b #:key start stop (callback (solver-callback)))
  "Return the result of the method of conjugate gradients for the solution of @var{op} x = @var{b}, where @var{op} is
a self-adjoint and positive definite linear operator; the first iterate is @var{start} (zero).
@code{iteration-convergence} is the norm of the residual by that of @var{b}. By default it ends when that is at most
1e-10, or after twice as many iterations as @var{op} has real dimensions. An operator that is found not to be positive
definite is a @code{&solver-error}."
  (define who 'conjugate-gradient)
  (check-linear op who "the operator")
  (check-complete op who)
  (let ((space (operator-domain op)))
    (unless (space-like? space (operator-codomain op))
      (raise-tutti (make-shape-error space (operator-codomain op)
                                     (format #f "~a is from ~a to ~a; expected an operator from a space to itself"
                                             (operator-name op) (space->string space)
                                             (space->string (operator-codomain op))))
                   who))
    (check-vector b space who "the right-hand side")
    (when start (check-vector start space who "#:start"))
    (run-conjugate-gradient who (lambda (x) (evaluate op x)) b start (or stop (usual-stop space)) callback)))

;;; Least squares.

(define* (run-cgls who apply transpose data start damping stop callback #:key from-start?)
  "Return the result of CGLS as @var{who} for the linear map @var{apply} with the adjoint @var{transpose}, from
@var{start} on, a model. Convergence is relative to the gradient at zero; to that at @var{start} if @var{from-start?} is true."
  (let*-values (((residual) (vec- data (apply start)))
                ((units image) (choose-units residual transpose damping start)))
    (run-cgls-in-units who (linear-in-units units apply) (linear-in-units units transpose) (data-in-units units data)
                       (model-in-units units start) (data-in-units units residual) image (weight-in-units units damping)
                       from-start? units stop callback)))

(define (run-cgls-in-units who apply transpose data start residual image damping from-start? units stop callback)
  ;; RESIDUAL is that at the start, and IMAGE that of RESIDUAL by TRANSPOSE.
  (define (gradient x image)
    (if (zero? damping) image (vec-axpy (- damping) x image)))
  (define first-gradient (gradient start image))
  (define data-gradient (vec-norm (transpose data)))
  (define scale (if from-start? (vec-norm first-gradient) data-gradient))
  ;; Of the norm of the gradient: below there is nothing but rounding.
  (define floor (if from-start? (* 1e-14 data-gradient) 0.))
  (define (account number x r s step change)
    (let ((norm (vec-norm r)))
      (make-iteration number #:residual-norm norm #:phi-d (square-norm r) #:phi-m (square-norm x) #:weight damping
                      #:convergence (ratio (vec-norm s) scale) #:step-length step #:change change)))
  (define (advance state x last-iteration fail)
    (match state
      ((_ _ 0.) (values #f 'converged "the gradient is zero"))
      ((_ _ (? (lambda (ss) (<= (sqrt ss) floor)))) (values #f 'converged "the gradient is zero, up to rounding"))
      ((r p ss)
       (let* ((q (apply p))
              (curvature (+ (square-norm q) (* damping (square-norm p)))))
         (cond ((not (= curvature curvature)) (fail "the operator returned numbers that are not finite"))
               ((zero? curvature)
                (fail "the operator maps the gradient to zero: its adjoint does not fit it; see check-adjoint")))
         (let* ((step (/ ss curvature))
                (change (vec-scale step p))
                (next (vec+ x change))
                (r (vec-axpy (- step) q r))
                (s (gradient next (transpose r)))
                (ss* (square-norm s)))
           (values (list r (vec-axpy (/ ss* ss) p s) ss*)
                   (account (1+ (iteration-number last-iteration)) next r s step (relative-change change x next))
                   next))))))
  (run-solver who (account 0 start residual first-gradient #f #f) start
              (list residual first-gradient (square-norm first-gradient)) advance #:stop stop #:callback callback
              #:show-iteration (lambda (iteration) (iteration-out-of-units units iteration #:gradient-steps? #t))
              #:show-model (lambda (x) (model-out-of-units units x))))

(define* (cgls op data #:key start (damping 0) stop (callback (solver-callback)))
  "Return the result of CGLS, conjugate gradients for the least-squares problem: the minimum of |@var{op} x -
@var{data}|^2 + @var{damping} |x|^2, where @var{op} is linear and @var{damping}, a number from 0, stands for itself,
not for its square. The first iterate is @var{start} (zero); from zero, and without damping, the limit is the solution
of least norm. @code{iteration-convergence} is the norm of half the gradient by that at zero. By default it ends when
that is at most 1e-10, or after twice as many iterations as @var{op}'s domain has real dimensions."
  (define who 'cgls)
  (check-linear op who "the operator")
  (check-complete op who)
  (let ((space (operator-domain op)))
    (check-vector data (operator-codomain op) who "the data")
    (when start (check-vector start space who "#:start"))
    (unless (and (finite-number? damping) (>= damping 0))
      (refuse who "#:damping: expected a number from 0, got ~s" damping))
    (run-cgls who (lambda (x) (evaluate op x)) (lambda (y) (apply-adjoint op y)) data (or start (space-zero space)) damping
              (or stop (usual-stop space)) callback)))
