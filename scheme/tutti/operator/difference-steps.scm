;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where an operator is evaluated for its derivative by differences, and what is made of its values there. The kinds of steps and the
;; formulas are those of PEST (Doherty, PEST: Model-Independent Parameter Estimation, user manual part I, section 3.5).
(define-module (tutti operator difference-steps)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti vector)
  #:export (make-rules rule-name rule-scheme rule-formula rule-size-text step-sizes make-mover within-bounds level-plans room-mover
            place-value place-offset difference-column))

;;; Rules: how the column of a parameter is computed.

;; A step. KIND is scaled, absolute, relative or relative-to-max; GROUP, of the last of these, any object. LOGARITHM?: the parameter is the
;; logarithm to base 10 of what the step is for.
(define-record-type <step>
  (make-step kind factor least group logarithm? text)
  step?
  (kind step-kind)
  (factor step-factor)
  (least step-least)
  (group step-group)
  (logarithm? step-logarithm?)
  (text step-text))

(define-record-type <rule>
  (make-rule step scheme multiplier formula name)
  rule?
  (step rule-step)
  (scheme rule-scheme)
  (multiplier rule-multiplier)
  (formula rule-formula)
  (name rule-name))

;; The classical compromises between the error of the formula and that of rounding, for numbers of order 1.
(define default-steps '((forward . 1.5e-8) (central . 6e-6)))

(define who 'with-differences)

(define (positive-number? x)
  (and (finite-number? x) (positive? x)))

(define (least-size? x)
  (and (finite-number? x) (>= x 0)))

(define* (parse-step entry place #:optional (whole entry))
  (define (step kind factor least group)
    (make-step kind (exact->inexact factor) (exact->inexact least) group #f entry))
  (match entry
    ((? positive-number? factor) (step 'scaled factor 0 #f))
    (('absolute (? positive-number? size)) (step 'absolute size 0 #f))
    (('relative (? positive-number? factor)) (step 'relative factor 0 #f))
    (('relative (? positive-number? factor) (? least-size? least)) (step 'relative factor least #f))
    (('relative-to-max (? positive-number? factor)) (step 'relative-to-max factor 0 #f))
    (('relative-to-max (? positive-number? factor) (? least-size? least)) (step 'relative-to-max factor least #f))
    (('relative-to-max (? positive-number? factor) (? least-size? least) group) (step 'relative-to-max factor least group))
    (('log10 inner)
     (let ((step (parse-step inner place whole)))
       (when (step-logarithm? step)
         (refuse who "~a: log10 of log10 in ~s" place entry))
       (make-step (step-kind step) (step-factor step) (step-least step) (step-group step) #t entry)))
    (_ (refuse who "~a: expected a positive number, (absolute SIZE), (relative FACTOR [LEAST]), (relative-to-max FACTOR [LEAST [GROUP]]) \
or (log10 STEP), with positive numbers; got ~s" place whole))))

(define (for-each-parameter value n keyword one?)
  "Return the list of what @var{value}, the argument of @var{keyword}, says of each of @var{n} parameters: @var{value} itself for all if it
is @var{one?}, else its items."
  (let ((items (cond ((one? value) (make-list n value))
                     ((list? value) value)
                     ((vector? value) (vector->list value))
                     ((f64vector? value) (f64vector->list value))
                     (else (refuse who "~s: expected one for all, or a list of one for each parameter; got ~s" keyword value)))))
    (unless (= (length items) n)
      (refuse who "~s: there are ~a for ~a parameters" keyword (length items) n))
    items))

(define (one-step? value)
  (or (number? value) (and (pair? value) (symbol? (car value)))))

(define (check-items items ok? keyword expected)
  (for-each (lambda (item j)
              (unless (ok? item)
                (refuse who "~s, parameter ~a (from 0): expected ~a, got ~s" keyword j expected item)))
            items (iota (length items))))

(define (->names names n)
  (cond ((not names) (make-list n #f))
        (else
         (let ((names (for-each-parameter names n #:names (const #f))))
           (check-items names (lambda (name) (or (string? name) (symbol? name))) #:names "a string or symbol")
           (map (lambda (name) (if (symbol? name) (symbol->string name) name)) names)))))

(define* (make-rules n #:key scheme step steps multiplier formula names)
  "Return the list of the rules for @var{n} parameters, made of the arguments of @code{with-differences}, which are checked."
  (let* ((schemes (for-each-parameter scheme n #:scheme symbol?))
         (steps (if steps (for-each-parameter steps n #:steps one-step?) (make-list n step)))
         (multipliers (for-each-parameter multiplier n #:multiplier number?))
         (formulas (for-each-parameter formula n #:formula symbol?)))
    (check-items schemes (lambda (scheme) (memq scheme '(central forward))) #:scheme "central or forward")
    (check-items multipliers positive-number? #:multiplier "a positive number")
    (check-items formulas (lambda (formula) (memq formula '(parabolic best-fit outside))) #:formula "parabolic, best-fit or outside")
    (map (lambda (step scheme multiplier formula name j)
           (make-rule (parse-step (or step (assq-ref default-steps scheme)) (format #f "#:steps, parameter ~a (from 0)" j))
                      scheme multiplier formula name))
         steps schemes multipliers formulas (->names names n) (iota n))))

(define (rule-size-text rule)
  "Return the step of @var{rule} as it was given."
  (format #f "~s" (step-text (rule-step rule))))

;;; Sizes of steps.

(define (own-value rule x)
  (if (step-logarithm? (rule-step rule)) (expt 10. x) x))

(define (largest-of-groups rules x)
  "Return the association list of each group of the steps that are relative to the largest parameter, and that. Without a group it is
the largest of all parameters."
  (define (note group size largest)
    (assoc-set! largest group (max size (or (assoc-ref largest group) 0.))))
  (if (any (lambda (rule) (eq? (step-kind (rule-step rule)) 'relative-to-max)) rules)
      (fold (lambda (rule x largest)
              (let* ((size (abs (own-value rule x)))
                     (group (step-group (rule-step rule)))
                     (largest (note #f size largest)))
                (if group (note group size largest) largest)))
            '() rules (f64vector->list x))
      '()))

(define (step-size rule x largest)
  (let* ((step (rule-step rule))
         (factor (* (step-factor step) (if (eq? (rule-scheme rule) 'central) (rule-multiplier rule) 1))))
    (case (step-kind step)
      ((scaled) (* factor (max 1. (abs (own-value rule x)))))
      ((absolute) factor)
      ((relative) (max (step-least step) (* factor (abs (own-value rule x)))))
      (else (max (step-least step) (* factor (assoc-ref largest (step-group step))))))))

(define (step-sizes rules x)
  "Return the list of the sizes of the steps of the parameters @var{x} by the list @var{rules}."
  (let ((largest (largest-of-groups rules x)))
    (map (lambda (rule x) (step-size rule x largest)) rules (f64vector->list x))))

(define epsilon 2.220446049250313e-16)

;;; Places: a value of the parameter, and how far it is from where the derivative is wanted.

(define-record-type <place>
  (make-place value offset)
  place?
  (value place-value)
  (offset place-offset))

(define (make-mover rule x size)
  "Return the procedure that returns the place so many steps of @var{size} from the parameter @var{x} of @var{rule}; @code{#f} if there
is none."
  (if (step-logarithm? (rule-step rule))
      (lambda (count)
        (let ((own (+ (expt 10. x) (* count size))))
          (and (positive? own)
               (let ((value (log10 own)))
                 (make-place value (- value x))))))
      (lambda (count)
        (let ((offset (* count size)))
          (make-place (+ x offset) offset)))))

(define (within-bounds move x lower upper)
  "Return the procedure like @var{move} that returns @code{#f} for places beyond the bounds, and those that rounding does not tell from
@var{x}."
  (lambda (count)
    (let ((place (move count)))
      (and place
           (<= lower (place-value place) upper)
           (< -inf.0 (place-value place) +inf.0)
           (not (= (place-value place) x))
           place))))

(define (room-mover rule x lower upper)
  "Return the procedure that moves the parameter @var{x} of @var{rule} by the longest steps for which there is room between the bounds,
and their size: for three points two steps to one side, or one to each."
  (let* ((above (- upper x))
         (below (- x lower))
         (size (if (eq? (rule-scheme rule) 'forward)
                   (max above below)
                   (max (min above below) (/ (max above below) 2)))))
    (values (lambda (count)
              (let* ((offset (* count size))
                     (value (max lower (min upper (+ x offset)))))
                ;; What is beyond the bounds by rounding alone is taken back.
                (and (<= (abs (- value x offset)) (+ (* 1e-9 (abs offset)) (* 4 epsilon (abs x))))
                     (make-place value (- value x)))))
            size)))

(define (level-plans scheme move scale)
  "Return the plans for a column with steps of @var{scale} times the usual ones, in the order in which they should be tried: lists of
places, as @var{move} finds them."
  (filter (lambda (plan) (every identity plan))
          (map (lambda (counts) (map (lambda (count) (move (* count scale))) counts))
               (if (eq? scheme 'forward)
                   '((1) (-1))
                   '((1 -1) (1 2) (-1 -2))))))

;;; Formulas.

(define (pair-weights formula d1 d2)
  "Return two values: the weights of the changes of the operator's value at the offsets @var{d1} and @var{d2} in its derivative."
  (case formula
    ((parabolic)
     (values (/ d2 (* d1 (- d2 d1))) (- (/ d1 (* d2 (- d2 d1))))))
    ((outside)                          ; the two points that are farthest from each other, and zero may be one
     (cond ((negative? (* d1 d2)) (values (/ (- d1 d2)) (/ (- d2 d1))))
           ((> (abs d1) (abs d2)) (values (/ d1) 0.))
           (else (values 0. (/ d2)))))
    (else                               ; the slope of the line of least squares through the three points
     (let* ((mean (/ (+ d1 d2) 3))
            (squares (+ (* mean mean) (* (- d1 mean) (- d1 mean)) (* (- d2 mean) (- d2 mean)))))
       (values (/ (- d1 mean) squares) (/ (- d2 mean) squares))))))

(define (difference-column formula y offsets vectors)
  "Return the column of the derivative: @var{y} is the operator's value where it is wanted, @var{vectors} are its values at one or two
@var{offsets}."
  (match (list offsets vectors)
    (((d) (v)) (vec-scale (/ d) (vec- v y)))
    (((d1 d2) (v1 v2))
     (if (= d1 (- d2))
         ;; All formulas are the same.
         (vec-scale (/ 0.5 d1) (vec- v1 v2))
         (call-with-values (lambda () (pair-weights formula d1 d2))
           (lambda (w1 w2)
             (let ((column (vec-scale w1 (vec- v1 y))))
               (vec-axpy! w2 (vec- v2 y) column)
               column)))))))
