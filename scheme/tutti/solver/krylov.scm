;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Conjugate gradients, for positive definite operators (Hestenes and Stiefel 1952) and for least squares (CGLS, see
;; Björck, Numerical Methods for Least Squares Problems, 1996).
(define-module (tutti solver krylov)
  #:use-module (ice-9 match)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver stop)
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
  (define scale (vec-norm b))
  (define x (or start (vec-scale 0. b)))
  (define r (if start (vec- b (apply start)) b))
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
  (run-solver who (account 0 r #f #f) x (list r r (square-norm r)) advance #:stop stop #:callback callback))

(define* (conjugate-gradient op b #:key start stop (callback (solver-callback)))
  "Return the result of the method of conjugate gradients for the solution of @var{op} x = @var{b}, where @var{op} is
a self-adjoint and positive definite linear operator; the first iterate is @var{start} (zero).
@code{iteration-convergence} is the norm of the residual by that of @var{b}. By default it ends when that is at most
1e-10, or after twice as many iterations as @var{op} has real dimensions. An operator that is found not to be positive
definite is a @code{&solver-error}."
  (define who 'conjugate-gradient)
  (check-linear op who "the operator")
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
  (define scale #f)
  (define floor 0.)                     ; of the norm of the gradient: below there is nothing but rounding
  (define (gradient x r)
    (if (zero? damping) (transpose r) (vec-axpy (- damping) x (transpose r))))
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
                (s (gradient next r))
                (ss* (square-norm s)))
           (values (list r (vec-axpy (/ ss* ss) p s) ss*)
                   (account (1+ (iteration-number last-iteration)) next r s step (relative-change change x next))
                   next))))))
  (let* ((r (vec- data (apply start)))
         (s (gradient start r)))
    (set! scale (vec-norm (if from-start? s (transpose data))))
    (when from-start? (set! floor (* 1e-14 (vec-norm (transpose data)))))
    (run-solver who (account 0 start r s #f #f) start (list r s (square-norm s)) advance #:stop stop #:callback callback)))

(define* (cgls op data #:key start (damping 0) stop (callback (solver-callback)))
  "Return the result of CGLS, conjugate gradients for the least-squares problem: the minimum of |@var{op} x -
@var{data}|^2 + @var{damping} |x|^2, where @var{op} is linear and @var{damping}, a number from 0, stands for itself,
not for its square. The first iterate is @var{start} (zero); from zero, and without damping, the limit is the solution
of least norm. @code{iteration-convergence} is the norm of half the gradient by that at zero. By default it ends when
that is at most 1e-10, or after twice as many iterations as @var{op}'s domain has real dimensions."
  (define who 'cgls)
  (check-linear op who "the operator")
  (let ((space (operator-domain op)))
    (check-vector data (operator-codomain op) who "the data")
    (when start (check-vector start space who "#:start"))
    (unless (and (real? damping) (<= 0 damping) (< damping +inf.0))
      (refuse who "#:damping: expected a number from 0, got ~s" damping))
    (run-cgls who (lambda (x) (evaluate op x)) (lambda (y) (apply-adjoint op y)) data (or start (space-zero space)) damping
              (or stop (usual-stop space)) callback)))
