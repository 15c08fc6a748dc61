;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gauss-Newton for Tikhonov functionals phi_d + beta phi_m, with bounds on the model by projection (the active set of
;; Bertsekas 1982), and a line search that lets no step raise the functional.
(define-module (tutti solver gauss-newton)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti solver krylov)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver schedule)
  #:use-module (tutti solver stop)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (gauss-newton))

;;; The functional, and what is known of it at a model.

(define-record-type <functional>
  (make-functional op data weigh penalize reference)
  functional?
  (op functional-op)
  (data functional-data)
  (weigh functional-weigh)              ; vector of data -> the same divided by the standard deviations
  (penalize functional-penalize)        ; the regularisation operator as a procedure
  (reference functional-reference))     ; model, or #f for zero

(define-record-type <point>
  (make-point model residual derivative pull phi-d phi-m)
  point?
  (model point-model)
  (residual point-residual)             ; W (F(m) - d)
  (derivative point-derivative)
  (pull point-pull)                     ; R (m - reference)
  (phi-d point-phi-d)
  (phi-m point-phi-m))

(define (functional-at functional model)
  "Return the point of @var{functional} at @var{model}."
  (let*-values (((value derivative) (linearize (functional-op functional) model))
                ((residual) ((functional-weigh functional) (vec- value (functional-data functional))))
                ((distance) (if (functional-reference functional) (vec- model (functional-reference functional)) model))
                ((pull) ((functional-penalize functional) distance)))
    (make-point model residual derivative pull (square-norm residual) (inner-product distance pull))))

(define (objective point beta)
  (+ (point-phi-d point) (* beta (point-phi-m point))))

(define (half-gradient functional point beta)
  "Return J* W r + beta R (m - reference) at @var{point}, half the gradient of the functional with the weight
@var{beta}."
  (vec-axpy beta (point-pull point)
            (apply-adjoint (point-derivative point) ((functional-weigh functional) (point-residual point)))))

(define (half-hessian functional point beta)
  "Return J* W W J + beta R at @var{point} as a procedure."
  (define weigh (functional-weigh functional))
  (define derivative (point-derivative point))
  (lambda (x)
    (vec-axpy beta ((functional-penalize functional) x)
              (apply-adjoint derivative (weigh (weigh (evaluate derivative x)))))))

;;; Bounds: a pair of f64vectors, or #f.

(define (->bound bound space who what)
  (cond ((and (real? bound) (= bound bound)) (make-f64vector (space-dimension space) bound))
        ((f64vector? bound)
         (check-element bound space who what)
         (when (any (lambda (x) (not (= x x))) (f64vector->list bound))
           (refuse who "~a: a bound is not a number" what))
         bound)
        (else (refuse who "~a: expected a number or an f64vector, got ~s" what bound))))

(define (->bounds bounds space who)
  (cond ((not bounds) #f)
        ((not (pair? bounds))
         (refuse who "#:bounds: expected a pair of the lower and the upper bound, numbers or f64vectors; got ~s" bounds))
        ((space-complex? space)
         (refuse who "#:bounds: the models are complex (~a), and complex numbers have no order" (space->string space)))
        (else
         (let* ((lower (->bound (car bounds) space who "the lower bound"))
                (upper (->bound (cdr bounds) space who "the upper bound"))
                (index (list-index > (f64vector->list lower) (f64vector->list upper))))
           (when index
             (refuse who "#:bounds: the lower bound of unknown ~a (from 0) is ~a, above the upper bound ~a" index
                     (f64vector-ref lower index) (f64vector-ref upper index)))
           (cons lower upper)))))

(define (project model bounds)
  (if bounds
      (vec-map (lambda (x lower upper) (min (max x lower) upper)) model (car bounds) (cdr bounds))
      model))

(define (free-mask model gradient bounds)
  "Return the f64vector with 0 for each unknown that is at a bound and that the negative @var{gradient} drives against
it, else 1; @code{#f} if there are no bounds."
  (and bounds
       (vec-map (lambda (x g lower upper) (if (or (and (<= x lower) (> g 0)) (and (>= x upper) (< g 0))) 0. 1.))
                model gradient (car bounds) (cdr bounds))))

(define (masked mask v)
  (if mask (vec* mask v) v))

;;; A step.

(define (find-direction functional point beta gradient mask stop)
  "Return the result of conjugate gradients for the direction of Gauss and Newton, in the unknowns that @var{mask}
leaves free."
  (define hessian (half-hessian functional point beta))
  (define (free-hessian x) (masked mask (hessian x)))
  (run-conjugate-gradient 'gauss-newton free-hessian (vec-scale -1 (masked mask gradient)) #f stop #f))

(define most-halvings 30)

(define (search-line functional point beta gradient direction bounds)
  "Return two values: the first point along @var{direction} that lowers the functional enough, and its step length; or
@code{#f} and 0."
  (define start (objective point beta))
  (define promised (* 2 (abs (inner-product gradient direction))))
  (let try ((length 1.) (left (if (> promised (* 1e-15 start)) most-halvings 0)))
    (let* ((next (functional-at functional (project (vec-axpy length direction (point-model point)) bounds)))
           (value (objective next beta))
           (slope (* 2 (inner-product gradient (vec- (point-model next) (point-model point))))))
      ;; What is not a number is not less either.
      (cond ((and (< value start) (<= value (+ start (* 1e-4 (min 0 slope))))) (values next length))
            ((zero? left) (values #f 0.))
            (else (try (/ length 2) (1- left)))))))

(define (account number point beta length inner change)
  (make-iteration number #:phi-d (point-phi-d point) #:phi-m (point-phi-m point) #:weight beta
                  #:residual-norm (sqrt (point-phi-d point)) #:step-length length #:inner-iterations inner #:change change))

(define (make-advance functional betas bounds inner-stop)
  "Return the step of @code{run-solver}, whose state is a pair of the point and the weight that was found for the next
iteration, or @code{#f}."
  (lambda (state model last-iteration fail)
    (let*-values (((point) (car state))
                  ((number) (1+ (iteration-number last-iteration)))
                  ((beta) (or (cdr state) (betas number last-iteration)))
                  ((gradient) (half-gradient functional point beta))
                  ((mask) (free-mask model gradient bounds))
                  ((inner) (call-with-inner-solver fail
                             (lambda () (find-direction functional point beta gradient mask inner-stop))))
                  ((next length) (search-line functional point beta gradient (solver-result-solution inner) bounds))
                  ((steps) (solver-result-iterations inner)))
      (if next
          (values (cons next #f)
                  (account number next beta length steps
                           (relative-change (vec- (point-model next) model) model (point-model next)))
                  (point-model next))
          ;; This is the minimum for this weight; the next weight may have another.
          (let* ((entry (account number point beta 0. steps 0.))
                 (next-beta (betas (1+ number) entry)))
            (if (= beta next-beta)
                (values #f 'no-descent (format #f "no step lowers the functional with beta ~a any further" beta))
                (values (cons point next-beta) entry model)))))))

(define* (gauss-newton op data start #:key std regularization reference beta beta-schedule bounds
                       (stop (stop-when #:relative-change 1e-6 #:iterations 50))
                       (inner-stop (stop-when #:tolerance 1e-6 #:iterations 1000))
                       (callback (solver-callback)))
  "Return the result of the method of Gauss and Newton, from the model @var{start} on, for the minimum of phi_d + beta
phi_m, where

phi_d = |W (F(m) - @var{data})|^2 with F = @var{op} and W = 1 / @var{std}, a number or an f64vector of one for each
datum (1);

phi_m = <m - r, R (m - r)> with R = @var{regularization}, a linear, self-adjoint and positive semidefinite operator on
models (the identity), and r = @var{reference} (zero).

@var{beta} (1) is the weight in the first iteration. @var{beta-schedule} says how it goes on: a number by which it is
multiplied after each iteration (1: it stays); a list of the weights themselves, the last of which stays; or a
procedure of the number of an iteration and the account of the one before, which returns the weight.

The step is found by conjugate gradients for (J* W^2 J + beta R) p = -g, g half the gradient, until @var{inner-stop}:
by default a relative residual of 1e-6, or 1000 iterations. It is halved until the functional, with the beta of this
iteration, falls by at least 1e-4 times what the gradient promises: no step raises it. Where 30 halvings do not help,
the model is at the minimum for this beta: it is kept, and the run ends with the reason @code{no-descent} if the next
beta is the same.

@var{bounds} is a pair of lower and upper bounds of the unknowns, numbers or f64vectors, for real models. The start
and each trial are projected on them; unknowns at a bound that the gradient drives against it are left out of the
step.

By default the run ends when the model changes by at most 1e-6 of its norm, or after 50 iterations."
  (define who 'gauss-newton)
  (check-operator op who)
  (let* ((space (operator-domain op))
         (bounds (->bounds bounds space who)))
    (check-vector data (operator-codomain op) who "the data")
    (check-vector start space who "the start")
    (when reference (check-vector reference space who "#:reference"))
    (when regularization (check-regularization regularization space who))
    (let* ((functional (make-functional op data (->weighting std (operator-codomain op) who)
                                        (if regularization (lambda (x) (evaluate regularization x)) identity)
                                        reference))
           (betas (->schedule who "beta" beta beta-schedule))
           (point (functional-at functional (project start bounds))))
      (run-solver who (account 0 point #f #f #f #f) (point-model point) (cons point #f)
                  (make-advance functional betas bounds inner-stop) #:stop stop #:callback callback))))

(define (check-regularization op space who)
  (check-linear op who "#:regularization")
  (unless (and (space-like? (operator-domain op) space) (space-like? (operator-codomain op) space))
    (raise-tutti (make-shape-error space (operator-domain op)
                                   (format #f "#:regularization: expected an operator from ~a, the space of models, to \
itself; ~a is from ~a to ~a"
                                           (space->string space) (operator-name op)
                                           (space->string (operator-domain op)) (space->string (operator-codomain op))))
                 who)))
