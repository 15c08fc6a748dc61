;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gauss-Newton for Tikhonov functionals phi_d + beta phi_m within bounds, in a trust region (Conn, Gould and Toint, Trust-Region
;; Methods, 2000): each step minimises the linearised functional within the bounds and a radius, and the radius shrinks where the
;; functional does not fall as its linearisation says. So the run goes to a point at which the projected gradient vanishes.
(define-module (tutti solver gauss-newton)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti solver bounds)
  #:use-module (tutti solver dense-step)
  #:use-module (tutti solver functional)
  #:use-module (tutti solver krylov-step)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver schedule)
  #:use-module (tutti solver step)
  #:use-module (tutti solver stop)
  #:use-module (tutti solver units)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (gauss-newton))

;;; The radius.

(define enough 1e-4)                    ; of the promised reduction: a step is accepted
(define nearly-all 0.9)                 ; a step is accepted though it is beyond the radius: the functional is nearly quadratic
(define most-shrinkings 60)

(define (next-radius radius ratio size)
  "Return the radius after an accepted step of @var{size}, for which the functional fell by @var{ratio} times what was promised."
  (cond ((< ratio 0.25) (/ (if (= radius +inf.0) size radius) 2))
        ((< 0.6 ratio 1.5) (max radius (* 3 size)))
        (else radius)))

;;; One iteration.

;; What is carried from one iteration to the next.
(define-record-type <state>
  (make-state point beta radius promises ratio)
  state?
  (point state-point)
  (beta state-beta)                     ; the weight found for the next iteration, or #f
  (radius state-radius)                 ; #f at the start
  (promises state-promises)             ; reductions that full steps with this beta promised, latest first
  (ratio state-ratio))                  ; of actual to promised reduction of the last step, or #f

(define-record-type <trial>
  (make-trial point step ratio)
  trial?
  (point trial-point)
  (step trial-step)
  (ratio trial-ratio))

;; How far the minimum is, whatever the units: the part of the functional that the full step promises to take away. Where this is less than
;; hardly-visible, or the reduction less than the rounding of data and residual makes of nothing, the functional cannot tell a better model
;; from a worse one any more, and the linearisation is believed.
(define hardly-visible 1e-9)
(define epsilon 2.220446049250313e-16)

(define (rounding functional point value)
  "Return about how much rounding changes @var{value}, that of the functional at @var{point}."
  (* 4 epsilon (+ value (* (functional-data-norm functional) (sqrt (point-phi-d point))))))

(define (most-rounding point value quadratic)
  "Return how much rounding may change @var{value} at worst: data are sums of what may be much larger than they are."
  (let ((gap (* 4 epsilon (if (quadratic-magnitude quadratic) ((quadratic-magnitude quadratic) (point-model point)) 0))))
    (* gap (+ gap (* 2 (sqrt value))))))

(define (at-rounding? predicted value noise)
  (<= predicted (max (* hardly-visible value) (* 1000 noise))))

(define (stationary? predicted value noise before)
  "Return true if the reduction that is @var{predicted} says that the model is at a minimum to the last digits: it is zero but for
rounding, or cannot be seen in the @var{value} of the functional and is no longer getting smaller. @var{before} is the list of those
before it."
  (or (<= predicted (* 1e-28 value))
      (and (at-rounding? predicted value noise)
           (>= (length before) 5)
           (>= predicted (* (if (<= predicted noise) 0.5 0.9) (apply min (take before 5)))))))

(define (try-step functional bounds point beta step)
  (let* ((next (functional-at functional (project (vec+ (point-model point) (step-vector step)) bounds)))
         (gain (reduction point next beta)))
    (make-trial next step (if (> (step-predicted step) 0) (/ gain (step-predicted step)) -inf.0))))

(define (acceptable? trial noise beyond?)
  ;; A ratio that is not a number fails all of these.
  (let ((ratio (trial-ratio trial))
        (predicted (step-predicted (trial-step trial))))
    (if beyond?
        (>= ratio nearly-all)
        (or (>= ratio enough)
            (and (<= predicted (* 100 noise)) (>= (* ratio predicted) (* -10 noise)))))))

(define (find-trial functional bounds point beta solve full radius noise beyond-first?)
  "Return two values: the trial that is accepted, or @code{#f}; and the radius that it was found with."
  (let try ((step (if (or beyond-first? (<= (step-size full) radius)) full (solve radius)))
            (radius radius)
            (left most-shrinkings))
    (let* ((beyond? (> (step-size step) (* radius (+ 1 1e-12))))
           (trial (try-step functional bounds point beta step)))
      (cond ((acceptable? trial noise beyond?) (values trial radius))
            ((or (zero? left) (zero? (step-size step))) (values #f radius))
            (beyond? (try (solve radius) radius (1- left)))
            (else
             (let ((radius (/ (min radius (step-size step)) 2)))
               (try (solve radius) radius (1- left))))))))

(define* (account number point beta length inner change #:optional (frozen '()))
  (make-iteration number #:frozen frozen #:phi-d (point-phi-d point) #:phi-m (point-phi-m point) #:weight beta
                  #:residual-norm (sqrt (point-phi-d point)) #:step-length length #:inner-iterations inner #:change change))

(define (frozen-names frozen)
  (iteration-frozen-names (make-iteration 0 #:frozen frozen)))

(define (note-frozen result)
  "Return @var{result}; its message also names the parameters that were held in the last step."
  (let ((names (iteration-frozen-names (last (solver-result-history result)))))
    (if (or (null? names) (eq? (solver-result-reason result) 'frozen))
        result
        (make-solver-result (solver-result-solution result) (solver-result-history result) (solver-result-reason result)
                            (format #f "~a; held in the last step, as their columns of the derivative were missing: ~a"
                                    (solver-result-message result) (string-join names ", "))))))

(define (change-of trial full model)
  ;; A step that the radius has shortened does not show how near the minimum is.
  (define (change step next) (relative-change step model next))
  (let ((actual (change (vec- (point-model (trial-point trial)) model) (point-model (trial-point trial)))))
    (if (eq? (trial-step trial) full)
        actual
        (max actual (change (step-vector full) (vec+ model (step-vector full)))))))

(define (make-advance functional betas bounds linearizer)
  "Return the step of @code{run-solver}; its state is a @code{state}."
  (define (at-the-end state number beta point inner predicted noise quadratic)
    ;; This is the minimum for this weight, or as near to it as we get; the next weight may have another.
    (let* ((frozen (point-frozen point))
           (entry (account number point beta 0. inner 0. frozen))
           (next-beta (betas (1+ number) entry)))
      (cond ((not (= beta next-beta))
             (values (make-state point next-beta (state-radius state) '() #f) entry (point-model point)))
            ((at-rounding? predicted (objective point beta) (max noise (most-rounding point (objective point beta) quadratic)))
             (if (null? frozen)
                 (values #f 'no-descent (format #f "no step lowers the functional with beta ~a any further" beta))
                 (values #f 'frozen (format #f "no step of the others lowers the functional with beta ~a any further, but the columns \
of the derivative for ~a are missing here: whether these parameters would is not known" beta (string-join (frozen-names frozen) ", ")))))
            (else
             (values #f 'stalled
                     (format #f "no step lowers the functional with beta ~a, though its linearisation promises to take ~a of ~a away: \
this is no minimum. Is the derivative right (see check-derivative), and the operator smooth and finite near the model?"
                             beta predicted (objective point beta)))))))
  (lambda (state model last-iteration fail)
    (let* ((point (state-point state))
           (number (1+ (iteration-number last-iteration)))
           (beta (or (state-beta state) (betas number last-iteration)))
           (value (objective point beta))
           (noise (rounding functional point value))
           (before (if (eqv? beta (iteration-weight last-iteration)) (state-promises state) '()))
           (quadratic (linearizer point beta fail))
           (solve (quadratic-solve quadratic))
           (full (solve #f))
           (inner (step-inner-iterations full))
           (predicted (step-predicted full)))
      (if (stationary? predicted value noise before)
          (at-the-end state number beta point inner predicted noise quadratic)
          (let*-values (((radius) (or (state-radius state) (start-radius quadratic model)))
                        ((quadratic?) (or (not (state-ratio state)) (< (abs (- 1 (state-ratio state))) 1e-6)))
                        ((trial radius) (find-trial functional bounds point beta solve full radius noise quadratic?)))
            (if trial
                (let ((step (trial-step trial))
                      (next (trial-point trial)))
                  (values (make-state next #f (next-radius radius (trial-ratio trial) (step-size step)) (cons predicted before)
                                      (trial-ratio trial))
                          (account number next beta (if (eq? step full) 1. (/ (step-size step) (step-size full)))
                                   (step-inner-iterations step) (change-of trial full model) (point-frozen point))
                          (point-model next)))
                (at-the-end (make-state point #f radius before #f) number beta point inner predicted noise quadratic)))))))

(define (start-radius quadratic model)
  ;; As far as from zero; from zero itself as far as the linearisation says.
  (let ((size ((quadratic-measure quadratic) model)))
    (if (zero? size) +inf.0 size)))

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

@var{bounds} is a pair of lower and upper bounds of the unknowns, numbers or f64vectors, for real models. The start is
projected on them, and no model leaves them.

Each step minimises the linearised functional within the bounds and a trust region. A step is accepted if the functional, with the
beta of this iteration, falls by at least 1e-4 times what the linearisation promises, so no step raises it, but for rounding; else the
radius is halved. With at most 64 real unknowns the Jacobian is made a matrix, and steps are those of Levenberg and Marquardt, by
orthogonal factorisations and an active set for bounds. With more, or complex ones, they are found by conjugate gradients for (J*
W^2 J + beta R) p = -g, g half the gradient, within bounds on the face that gradient projection finds, until @var{inner-stop}: by
default a relative residual of 1e-6, or 1000 iterations.

Where columns of the derivative are missing, see @code{missing-columns}, their parameters are held in this step: @code{iteration-frozen}
names them. When no step of the others lowers the functional, the reason is @code{frozen}: in the held ones this is no minimum.

When the model is at the minimum for this beta, to the last digits of the functional, the run ends with the reason @code{no-descent} if
the next beta is the same. The reason @code{stalled} says that no step lowers the functional though it should: the derivative is wrong or
inexact, or the operator is not smooth.

By default the run ends when the model changes by at most 1e-6 of its norm, or after 50 iterations. Where the trust region shortened
the step, the change that counts is that of the full one."
  (define who 'gauss-newton)
  (check-operator op who)
  (let* ((space (operator-domain op))
         (bounds (->bounds bounds space who)))
    (check-vector data (operator-codomain op) who "the data")
    (check-vector start space who "the start")
    (when reference (check-vector reference space who "#:reference"))
    (when regularization (check-regularization regularization space who))
    (check-criterion inner-stop who #:inner-stop)
    (let* ((betas (->schedule who "beta" beta beta-schedule))
           (functional (make-functional op data (->weighting std (operator-codomain op) who) regularization reference))
           (start (functional-at functional (project start bounds)))
           (units (units-at functional start (first-weight beta beta-schedule)))
           (functional (functional-in-units units functional))
           (limits (bounds-in-units units bounds))
           (linearizer (if (dense? functional op)
                           (make-dense-linearizer functional limits who)
                           (make-krylov-linearizer functional limits inner-stop)))
           (point (point-in-units units start)))
      (note-frozen
       (run-solver who (account 0 point #f #f #f #f) (point-model point) (make-state point #f #f '() #f)
                   (make-advance functional (schedule-in-units units betas) limits linearizer) #:stop stop #:callback callback
                   #:show-iteration (lambda (iteration) (iteration-out-of-units units iteration))
                   ;; A bound that the units made zero or infinite is kept all the same.
                   #:show-model (if (equal? units usual-units)
                                    identity
                                    (lambda (m) (project (model-out-of-units units m) bounds))))))))

(define (check-regularization op space who)
  (check-linear op who "#:regularization")
  (unless (and (space-like? (operator-domain op) space) (space-like? (operator-codomain op) space))
    (raise-tutti (make-shape-error space (operator-domain op)
                                   (format #f "#:regularization: expected an operator from ~a, the space of models, to \
itself; ~a is from ~a to ~a"
                                           (space->string space) (operator-name op)
                                           (space->string (operator-domain op)) (space->string (operator-codomain op))))
                 who))
  (check-semidefinite op space who))

(define (check-semidefinite op space who)
  ;; Two vectors that are always the same: only by an unlikely coincidence does an operator that is not self-adjoint look so for them.
  (let* ((random (seed->random-state "regularization"))
         (x (space-random space random))
         (y (space-random space random))
         (r-x (evaluate op x))
         (r-y (evaluate op y))
         (size (max (* (vec-norm x) (vec-norm r-y)) (* (vec-norm r-x) (vec-norm y))))
         (left (vec-dot x r-y))
         (right (vec-dot r-x y)))
    (unless (<= (magnitude (- left right)) (* 1e-8 size))
      (refuse who "#:regularization: ~a is not self-adjoint: for two vectors <x, R y> is ~a, but <R x, y> is ~a"
              (operator-name op) left right))
    (when (< (inner-product x r-x) (* -1e-8 (vec-norm x) (vec-norm r-x)))
      (refuse who "#:regularization: ~a is not positive semidefinite: for a vector <x, R x> is ~a"
              (operator-name op) (inner-product x r-x)))))
