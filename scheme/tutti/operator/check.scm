;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Is an operator what it claims to be? The adjoint by the inner product, the derivative by a Taylor test.
(define-module (tutti operator check)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti conditions)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (operator-checks check-adjoint check-derivative checked))

(define operator-checks (make-parameter #f ->bool))
(set-object-property! operator-checks 'documentation
                      "If true, every operator is checked when it is made, also on a worker that takes the place of another: the
adjoint of its derivative against the inner product, the derivative against differences. A parameter; the default is @code{#f}.")

;; Gaps that are taken for rounding errors.
(define adjoint-tolerance 1e-8)
(define derivative-tolerance 1e-4)

;; The same numbers in every run: a check that fails must fail again.
(define (check-state) (seed->random-state 20))

(define (real-dot x y)
  (real-part (vec-dot x y)))

(define* (check-adjoint op #:key at)
  "Return by how much |<A h, y> - <h, A* y>| differs from zero, relative to |A h| |y| + |h| |A* y|, for the derivative A of @var{op} at
the point @var{at} (a random one) and random h and y. Rounding alone gives some 1e-16. Inner products are real parts."
  (check-operator-argument op 'check-adjoint)
  (let* ((state (check-state))
         (x (or at (space-random (operator-domain op) state)))
         (h (space-random (operator-domain op) state))
         (y (space-random (operator-codomain op) state))
         (derivative (if (linear? op) op (derivative-at op x)))
         (ah (evaluate derivative h))
         (a*y (apply-adjoint derivative y))
         (scale (+ (* (vec-norm ah) (vec-norm y)) (* (vec-norm h) (vec-norm a*y)))))
    (if (zero? scale)
        0.
        (/ (abs (- (real-dot ah y) (real-dot h a*y))) scale))))

(define (moved x step h)
  (let ((moved (copy-element x)))
    (vec-axpy! step h moved)
    moved))

(define taylor-steps '(1e-1 1e-2 1e-3 1e-4 1e-5 1e-6))

(define (difference-gap op x h ah step)
  (let* ((difference (vec-scale (/ 0.5 step) (vec- (evaluate op (moved x step h)) (evaluate op (moved x (- step) h)))))
         (gap (vec-norm (vec- difference ah)))
         (scale (vec-norm ah)))
    (if (zero? scale) gap (/ gap scale))))

(define (taylor-remainder op x y h ah step)
  (let ((remainder (vec- (evaluate op (moved x step h)) y)))
    (vec-axpy! (- step) ah remainder)
    (vec-norm remainder)))

(define (slopes remainders)
  ;; From one step to the next, ten times smaller, the remainder of first order shrinks by 10^slope: 2 for a right derivative.
  (map (lambda (a b) (if (or (zero? a) (zero? b)) +nan.0 (/ (log (/ a b)) (log 10.)))) remainders (cdr remainders)))

(define (check-derivative op x)
  "Return two values: the smallest relative gap between the derivative of @var{op} at @var{x} in a random direction and central
differences of steps from 1e-1 to 1e-6, and the list of slopes of the Taylor remainder |T(x + s h) - T(x) - s T'(x) h| between
these steps. With a right derivative the slopes are about 2 until rounding errors take over."
  (check-operator-argument op 'check-derivative)
  (check-element x (operator-domain op) 'check-derivative "the point")
  (let* ((direction (space-random (operator-domain op) (check-state)))
         (h (vec-scale (/ (max 1e-3 (vec-norm x)) (max 1e-300 (vec-norm direction))) direction)))
    (call-with-values (lambda () (linearize op x))
      (lambda (y derivative)
        (let ((ah (evaluate derivative h)))
          (values (apply min (map (lambda (step) (difference-gap op x h ah step)) taylor-steps))
                  (slopes (map (lambda (step) (taylor-remainder op x y h ah step)) taylor-steps))))))))

(define (check-gap op what gap tolerance)
  ;; A gap that is not a number is not small.
  (unless (< gap tolerance)
    (raise-tutti (make-tutti-error (format #f "~a: ~a (relative gap ~a, allowed ~a)" op what
                                        (string-trim-right (format #f "~,3g" gap)) tolerance)) 'operator-checks)))

(define (checked op)
  "Return @var{op}, after checking it if the parameter @code{operator-checks} says so."
  (when (operator-checks)
    (parameterize ((operator-checks #f))
      (let ((x (space-random (operator-domain op) (check-state))))
        (check-gap op "its adjoint does not fit" (check-adjoint op #:at x) adjoint-tolerance)
        (unless (linear? op)
          (check-gap op "its derivative does not fit"
                     (call-with-values (lambda () (check-derivative op x)) (lambda (gap slopes) gap))
                     derivative-tolerance)))))
  op)
