;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Landweber's iteration, for linear and nonlinear operators (Hanke, Neubauer and Scherzer 1995).
(define-module (tutti solver landweber)
  #:use-module ((srfi srfi-1) #:select (first last))
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti operator)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver stop)
  #:use-module (tutti solver units)
  #:use-module (tutti vector)
  #:export (landweber))

(define (usual-step derivative who)
  (let ((estimate (norm-square-estimate (lambda (x) (evaluate derivative x)) (lambda (y) (apply-adjoint derivative y))
                                        (operator-domain derivative))))
    (unless (< 0 estimate +inf.0)
      (refuse who "the square of the norm of the derivative at the start is estimated as ~a: give #:step, or another \
start" estimate))
    (/ 0.9 estimate)))

(define (note-divergence result step)
  ;; With a step that is short enough the residual never grows, for linear operators.
  (let* ((history (solver-result-history result))
         (before (iteration-residual-norm (first history)))
         (after (iteration-residual-norm (last history))))
    (if (and (eq? (solver-result-reason result) 'iterations) (> after before))
        (make-solver-result (solver-result-solution result) history 'diverged
                            (format #f "~a; the residual norm has grown from ~a to ~a: the step ~a is too long, a smaller #:step is more \
careful"
                                    (solver-result-message result) before after step))
        result)))

(define* (landweber op data start #:key step (stop (stop-when #:iterations 100)) (callback (solver-callback)))
  "Return the result of Landweber's iteration for @var{op} m = @var{data} from the model @var{start} on: to each model
m it adds @var{step} times F'(m)* (@var{data} - F(m)), where F is @var{op} and F'(m)* the adjoint of its derivative.
@var{step} must be less than 2 / |F'|^2; by default it is 0.9 divided by an estimate of |F'(@var{start})|^2, made by
20 steps of the power method. By default it ends after 100 iterations. With noisy data end it at the discrepancy: what
follows fits the noise. If the residual is larger at the end than at the start, the reason is @code{diverged}."
  (define who 'landweber)
  (check-operator op who)
  (check-vector data (operator-codomain op) who "the data")
  (check-vector start (operator-domain op) who "the start")
  (when step (check-positive step who "#:step"))
  (let*-values (((value derivative) (linearize-completely op start who))
                ((units image) (choose-units (vec- data value) (lambda (y) (apply-adjoint derivative y)) 0 start))
                ((derivative) (derivative-in-units units derivative)))
    (run-landweber who (operator-in-units units op) (data-in-units units data) (model-in-units units start)
                   (data-in-units units value) derivative
                   (if step (step-in-units units step) (usual-step derivative who)) units stop callback)))

(define (run-landweber who op data start value derivative step units stop callback)
  (define (account number residual change)
    (let ((norm (vec-norm residual)))
      (make-iteration number #:residual-norm norm #:phi-d (square-norm residual) #:step-length (and change step)
                      #:change change)))
  (define (show-iteration iteration)
    (iteration-out-of-units units iteration #:gradient-steps? #t))
  (define shown-step (iteration-step-length (show-iteration (make-iteration 0 #:step-length step))))
  (define (advance residual+derivative model last-iteration fail)
    (let*-values (((change) (vec-scale step (apply-adjoint (cdr residual+derivative) (car residual+derivative))))
                  ((next) (vec+ model change))
                  ((value derivative) (linearize-completely op next who fail))
                  ((residual) (vec- data value)))
      (values (cons residual derivative)
              (account (1+ (iteration-number last-iteration)) residual (relative-change change model next))
              next)))
  (let ((residual (vec- data value)))
    (note-divergence
     (run-solver who (account 0 residual #f) start (cons residual derivative) advance #:stop stop #:callback callback
                 #:advice (format #f "The step ~a may be too long: a smaller #:step is more careful" shown-step)
                 #:show-iteration show-iteration
                 #:show-model (lambda (m) (model-out-of-units units m)))
     shown-step)))
