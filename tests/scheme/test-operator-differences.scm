;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Derivatives by differences: every kind of step and formula against what it gives by hand, bounds, evaluations that fail in every way, and
;; derivatives of which columns are missing.
(use-modules (tap) (operators) (programs) (vectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64)
             (tutti) (tutti command) (tutti operator) (tutti space))

(define-remote (matrix-at op x)
  (operator->matrix (call-with-values (lambda () (linearize op x)) (lambda (value derivative) derivative))))

(define (columns-missing op x) (map car (missing-columns (derivative-of op x))))

(define* (elementwise f n #:optional (note! (const #f)))
  "Return the operator that applies F to each of N numbers; NOTE! is called with the list of the numbers each time."
  (make-operator #:name "the model" #:domain n #:codomain n
                 #:evaluate (lambda (x)
                              (note! (f64vector->list x))
                              (vec-map f x))))

(define (square x) (* x x))
(define (cube x) (* x x x))

(define (slopes f x . keywords)
  "Return the list of the diagonal of the derivative at the numbers X of the operator that applies F to each, by differences."
  (let* ((n (length x))
         (matrix (matrix-at (apply with-differences (elementwise f n) #:pool #f keywords) (list->f64vector x))))
    (map (lambda (j) (f64vector-ref matrix (* j (1+ n)))) (iota n))))

(define (points f x . keywords)
  "Return the list of the points at which the operator that applies F is evaluated for its derivative at the numbers X."
  (let ((seen '()))
    (linearize (apply with-differences (elementwise f (length x) (lambda (point) (set! seen (cons point seen)))) #:pool #f keywords)
               (list->f64vector x))
    (reverse seen)))

(define (near? tolerance a b)
  (every (lambda (a b) (<= (abs (- a b)) (* tolerance (max 1 (abs b))))) a b))

;;; Steps. Of x^2 the forward difference is 2 x + h, and of x^3 the central one 3 x^2 + h^2: the step shows. All numbers have few digits, so
;;; that nothing is rounded.

(define x '(4. 0.5 -2. 0.))

(define (steps-of . keywords)
  (map - (apply slopes square x #:scheme 'forward keywords) (map (lambda (x) (* 2 x)) x)))

(define (test-steps)
  (test-equal "a number, for all" '(1. 0.25 0.5 0.25) (steps-of #:steps 0.25))
  (test-equal "as #:step" (steps-of #:step 0.25) (steps-of #:steps 0.25))
  (test-equal "absolute" '(0.125 0.125 0.125 0.125) (steps-of #:steps '(absolute 0.125)))
  (test-equal "relative, with a least one" '(1. 0.25 0.5 0.25) (steps-of #:steps '(relative 1/4 0.25)))
  (test-equal "relative to the largest" '(0.5 0.5 0.5 0.5) (steps-of #:steps '(relative-to-max 0.125)))
  (test-equal "relative to the largest, at least" '(2. 2. 2. 2.) (steps-of #:steps '(relative-to-max 0.125 2)))
  (test-equal "relative to the largest of a group" '(0.5 0.25 0.25 0.5)
    (steps-of #:steps '((relative-to-max 0.125 0) (relative-to-max 0.125 0 b) (relative-to-max 0.125 0 b) (relative-to-max 0.125 0))))
  (test-equal "one for each" '(0.5 0.25 0.125 0.25) (steps-of #:steps '(0.125 (absolute 0.25) (relative 0.0625 0) (relative 1 0.25))))
  (test-equal "in a vector" '(0.5 0.25 0.125 0.25) (steps-of #:steps #(0.125 (absolute 0.25) (relative 0.0625) (absolute 0.25))))
  (test-equal "in an f64vector" '(0.5 0.25 1. 0.125) (steps-of #:steps (f64vector 0.125 0.25 0.5 0.125)))
  (test-assert "the default for one of them" (near? 1e-6 '(0.125 0 0 0) (steps-of #:steps '((absolute 0.125) #f #f #f))))
  (test-equal "the multiplier is for three points alone, and before the least one" '(0.25 4. 0.25 1.)
    (map (lambda (x slope scheme) (if (eq? scheme 'central) (- slope (* 3 x x)) (- slope (+ (* 3 x x) (* 3 x 0.25)) -0.1875)))
         '(1. 1. 1. 1.)
         (slopes cube '(1. 1. 1. 1.) #:multiplier '(2 4 8 2) #:scheme '(central central forward central)
                 #:steps '((absolute 0.25) (absolute 0.5) (absolute 0.25) (relative 0.25 1)))
         '(central central forward central)))
  (test-equal "schemes for each" '(1.25 1.) (slopes square '(0.5 0.5) #:scheme '(forward central) #:step 0.25)))

(define (test-multiplier)
  (define (central-step . keywords) (map (lambda (slope) (sqrt (- slope 3))) (apply slopes cube '(1.) #:scheme 'central keywords)))
  (test-equal "absolute" '(0.5) (central-step #:steps '(absolute 0.25) #:multiplier 2))
  (test-equal "number" '(0.5) (central-step #:step 0.25 #:multiplier 2))
  (test-equal "the least one is not multiplied" '(1.) (central-step #:steps '(relative 0.25 1) #:multiplier 2))
  (test-equal "but what exceeds it is" '(2.) (central-step #:steps '(relative 1 1) #:multiplier 2))
  (test-equal "not with two points" '(2.25) (slopes square '(1.) #:scheme 'forward #:step 0.25 #:multiplier 8)))

(define (test-logarithms)
  ;; The model takes 10^p: for it 100 becomes 125, and p = 2 becomes log10 125.
  (define (power p) (expt 10. p))
  (test-assert "forward" (near? 1e-12 (list (/ 25 (- (log10 125.) 2)))
                                (slopes power '(2.) #:scheme 'forward #:steps '(log10 (relative 0.25)))))
  (test-assert "where" (near? 1e-14 (list 2. (log10 125.))
                              (concatenate (points power '(2.) #:scheme 'forward #:steps '(log10 (relative 0.25))))))
  (test-assert "to both sides" (near? 1e-14 (list 2. (log10 125.) (log10 75.))
                                      (concatenate (points power '(2.) #:steps '(log10 (absolute 25))))))
  (test-assert "relative to the largest of what the logarithms are of" (near? 1e-14 (list 0. (log10 26.))
                 (map first (take (points power '(0. 2.) #:scheme 'forward #:steps '(log10 (relative-to-max 0.25))) 2))))
  ;; The points are not at equal distances; the formulas by hand.
  (let* ((d1 (- (log10 125.) 2)) (d2 (- (log10 75.) 2)) (mean (/ (+ d1 d2) 3)))
    (define (slope . keywords) (apply slopes power '(2.) #:steps '(log10 (absolute 25)) keywords))
    (test-assert "outside" (near? 1e-12 (list (/ 50 (- d1 d2))) (slope #:formula 'outside)))
    (test-assert "parabolic" (near? 1e-12 (list (+ (/ 25 d1) (* (- d1) (/ (- (/ 25 d1) (/ -25 d2)) (- d1 d2))))) (slope)))
    (test-assert "best fit" (near? 1e-12 (list (/ (+ (* (- d1 mean) 125) (* (- d2 mean) 75) (* (- mean) 100))
                                                  (+ (square mean) (square (- d1 mean)) (square (- d2 mean)))))
                                   (slope #:formula 'best-fit))))
  (test-assert "there is nothing below zero to be the logarithm of: three points above"
    (near? 1e-12 (list 0. (log10 3.) (log10 5.)) (concatenate (points power '(0.) #:steps '(log10 (absolute 2)))))))

;;; Bounds.

(define (moves x lower upper . keywords)
  (map (lambda (point) (- (car point) x)) (cdr (apply points square (list x) #:bounds (cons lower upper) keywords))))

(define (test-bounds)
  (define (forward x lower upper) (moves x lower upper #:scheme 'forward #:steps '(absolute 0.25)))
  (define (central x lower upper) (moves x lower upper #:steps '(absolute 0.25)))
  (test-equal "forward, with room" '(0.25) (forward 1. 0 1.25))
  (test-equal "forward, the other way" '(-0.25) (forward 1. 0 1.125))
  (test-equal "forward, shortened" '(0.125) (forward 1. 0.9375 1.125))
  (test-equal "forward, shortened the other way" '(-0.125) (forward 1. 0.875 1.0625))
  (test-equal "central, with room" '(0.25 -0.25) (central 1. 0.75 1.25))
  (test-equal "central, at the upper bound" '(-0.25 -0.5) (central 1. 0 1))
  (test-equal "central, at the lower bound" '(0.25 0.5) (central 1. 1 +inf.0))
  (test-equal "central, shortened to both sides" '(0.125 -0.125) (central 1. 0.875 1.1875))
  (test-equal "central, shortened to one" '(-0.125 -0.25) (central 1. 0.75 1.0625))
  (test-equal "of a parabola the slope of the parabola, at a bound too" '(2. 2.)
    (map (lambda (bounds) (car (slopes square '(1.) #:steps '(absolute 0.25) #:bounds bounds))) '((0 . 1) (1 . 2))))
  (test-equal "that of the outer points is another" '(1.5 2.5)
    (map (lambda (bounds) (car (slopes square '(1.) #:steps '(absolute 0.25) #:formula 'outside #:bounds bounds))) '((0 . 1) (1 . 2))))
  (test-equal "at equal distances the line of least squares has the slope of the outer points" '(1.5 2.5)
    (map (lambda (bounds) (car (slopes square '(1.) #:steps '(absolute 0.25) #:formula 'best-fit #:bounds bounds))) '((0 . 1) (1 . 2))))
  (test-equal "bounds for each" '((0. 0.) (0.25 0.) (0. -0.25))
    (points square '(0. 0.) #:scheme 'forward #:steps '(absolute 0.25) #:bounds (cons (f64vector 0 -1) (f64vector 1 0))))
  (test-equal "where there is no room the column is missing" '(1)
    (columns-missing (with-differences (elementwise square 2) #:pool #f #:bounds (cons (f64vector 0 1) (f64vector 2 1))) (f64vector 1 1)))
  (test-assert "and the reason says so"
    (string-contains (cdar (missing-columns (derivative-of (with-differences (elementwise square 2) #:pool #f
                                                                             #:bounds (cons (f64vector 0 1) (f64vector 2 1)))
                                                           (f64vector 1 1))))
                     "no room for a step between the bounds 1.0 and 1.0"))
  (test-assert "a point outside"
    (refused? tutti-error? (lambda () (points square '(0. 2.) #:bounds '(0 . 1) #:names '(a b)))
              "number 1 (b) of the point is 2.0" "#:bounds" "0.0 and 1.0")))

(define (test-random-bounds)
  ;; Boxes from tiny to wide with points anywhere in them, often at their sides.
  (define state (seed->random-state 7))
  (define (draw) (let ((t (random 1. state))) (cond ((< t 0.2) 0.) ((> t 0.8) 1.) (else (random 1. state)))))
  (define (try)
    (let* ((n 6)
           (lower (list-tabulate n (lambda (_) (- (random 10. state) 5))))
           (upper (map (lambda (l) (+ l (expt 10. (- (random 12. state) 10)))) lower))
           (x (map (lambda (l u) (max l (min u (+ l (* (draw) (- u l)))))) lower upper))
           (bounds (cons (list->f64vector lower) (list->f64vector upper))))
      (every (lambda (scheme)
               (and (every (lambda (point) (every <= lower point upper))
                           (points square x #:scheme scheme #:step 0.01 #:bounds bounds))
                    ;; A step of 1e-10 leaves six digits of the difference.
                    (near? (if (eq? scheme 'forward) 0.06 1e-4) (slopes square x #:scheme scheme #:step 0.01 #:bounds bounds)
                           (map (lambda (x) (* 2 x)) x))))
             '(forward central))))
  (test-assert "no evaluation leaves the bounds, and the derivative is right" (every (lambda (_) (try)) (iota 200))))

;;; Evaluations that fail, here.

(define (moves-of-first f . keywords)
  "Return by which multiples of the step the first number is moved, from 1, for the derivative of the operator that applies F. There is a
second number, 100, so that not all columns fail."
  (filter-map (lambda (point) (and (= (second point) 100) (not (= (first point) 1)) (* 4 (1- (first point)))))
              (apply points f '(1. 100.) #:steps '(absolute 0.25) #:retry-ratio 0.5 keywords)))

(define (diverging fails?)
  "Return the square, which fails where FAILS? of the number of steps from 1 is true, but not far from there."
  (lambda (y) (if (and (< y 50) (fails? (* 4 (1- y)))) (error "it diverged") (square y))))

(define (first-slope f . keywords)
  (car (apply slopes f '(1. 100.) #:steps '(absolute 0.25) #:retry-ratio 0.5 keywords)))

(define (test-retries)
  (define (moves fails? . keywords) (apply moves-of-first (diverging fails?) keywords))
  (define (far? t) (>= (abs t) 1))
  (define moved? (negate zero?))
  (test-equal "forward: the opposite step" '(1. -1.) (moves positive? #:scheme 'forward))
  (test-equal "then a smaller one" '(1. -1. 0.5) (moves far? #:scheme 'forward))
  (test-equal "no more than there are retries" '(1. -1. 0.5) (moves moved? #:scheme 'forward))
  (test-equal "more of them" '(1. -1. 0.5 -0.5 0.25) (moves moved? #:scheme 'forward #:retries 4))
  (test-equal "none" '(1.) (moves moved? #:scheme 'forward #:retries 0))
  (test-equal "central: what fails at one side is taken further on at the other" '(1. -1. -2.) (moves positive?))
  (test-equal "and the other way" '(1. -1. 2.) (moves negative?))
  (test-equal "then smaller ones" '(1. -1. -2. 0.5 -0.5) (moves (lambda (t) (or (>= t 1) (<= t -2)))))
  (test-equal "where both fail the next is smaller" '(1. -1. 0.5 -0.5) (moves far?))
  (test-equal "not beyond bounds" '(1. 0.5)
    (moves moved? #:scheme 'forward #:retries 1 #:bounds (cons (f64vector 1 0) (f64vector 9 200))))
  (test-equal "the slope of the parabola by three points at one side" 2. (first-slope (diverging positive?)))
  (test-equal "of the opposite step" 1.75 (first-slope (diverging positive?) #:scheme 'forward))
  (test-equal "of a smaller step" 2.125 (first-slope (diverging far?) #:scheme 'forward))
  (test-equal "all that was found out is used: the difference to one side" 1.75
    (first-slope (diverging (lambda (t) (or (positive? t) (= t -2)))) #:retries 1))
  (for-each (lambda (bad)
              (test-equal (format #f "~a is a failure" bad) '(1. -1.)
                (moves-of-first (lambda (y) (if (< 1 y 50) bad (square y))) #:scheme 'forward)))
            '(+nan.0 +inf.0 -inf.0)))

;;; Derivatives with missing columns.

;; Number 1 must be what it is at the point.
(define-remote (make-stiff)
  (make-operator #:name "the stiff one" #:domain 3 #:codomain 2
                 #:evaluate (lambda (x)
                              (unless (= (f64vector-ref x 1) 5) (error "no convergence at" (f64vector-ref x 1)))
                              (f64vector (* (f64vector-ref x 0) (f64vector-ref x 0)) (+ (f64vector-ref x 0) (* 3 (f64vector-ref x 2)))))))

(define point (f64vector 1 5 2))
(define names '("k_clay" "k_sand" "porosity"))

(define (stiff . keywords) (apply with-differences (make-stiff) #:pool #f #:names names keywords))

(define (test-marks)
  (define derivative (derivative-of (stiff) point))
  (define-syntax-rule (refuses what expression)
    (test-assert what (refused? operator-error? (lambda () expression) "column 1 (k_sand)" "is missing" "no convergence at"
                                "where number 1 of the argument, k_sand, is larger")))
  (test-equal "which" '(1) (map car (missing-columns derivative)))
  (test-assert "why" (string-contains (condition->string (cdar (missing-columns derivative))) "no convergence at 5.0"))
  (refuses "evaluate" (evaluate derivative (f64vector 1 1 1)))
  (refuses "evaluate, though the column would not count" (evaluate derivative (f64vector 1 0 1)))
  (refuses "the adjoint" (apply-adjoint derivative (f64vector 1 1)))
  (refuses "the operator of the adjoint" (evaluate (adjoint derivative) (f64vector 1 1)))
  (refuses "the matrix" (operator->matrix derivative))
  (refuses "check-adjoint" (check-adjoint (stiff) #:at point))
  (refuses "check-derivative" (check-derivative (stiff) point))
  (refuses "a composition" (evaluate (operator-compose (matrix-operator 1 2 (f64vector 1 2)) derivative) point))
  (refuses "one in which it is not the first" (evaluate (operator-compose derivative (identity-operator 3)) point))
  (refuses "the derivative of a composition" (evaluate (derivative-of (operator-compose (exp-operator 2) (stiff)) point) point))
  (refuses "and its adjoint" (apply-adjoint (derivative-of (operator-compose (exp-operator 2) (stiff)) point) (f64vector 1 1)))
  (refuses "a sum" (evaluate (operator-sum derivative derivative) point))
  (refuses "a sum with one that has all" (operator->matrix (operator-sum (matrix-operator 2 3 (make-f64vector 6 1.)) derivative)))
  (refuses "a multiple" (evaluate (operator-scale 2 derivative) point))
  (refuses "a vector" (evaluate (derivative-of (vector-of-operators (list (identity-operator 3) (stiff))) point) point))
  (refuses "its adjoint"
    (apply-adjoint (derivative-of (vector-of-operators (list (identity-operator 3) (stiff))) point) (make-f64vector 5 1.)))
  (refuses "a block" (operator->matrix (block-diagonal-operator (list (identity-operator 3) derivative))))
  (test-equal "that of a composition is known" '(1)
    (columns-missing (operator-compose (exp-operator 2) (stiff)) point))
  (test-equal "those of a sum" '(1) (columns-missing (operator-sum (stiff) (stiff)) point))
  (test-equal "of a multiple" '(1) (columns-missing (operator-scale 3 (stiff)) point))
  (test-equal "others have none" '(() ())
    (list (missing-columns (identity-operator 2))
          (missing-columns (derivative-of (with-differences (exp-operator 2) #:pool #f) (f64vector 1 2)))))
  (test-assert "of no operator" (refused? wrong-type? (lambda () (missing-columns 3)) "missing-columns"))
  (test-assert "without names"
    (refused? operator-error? (lambda () (operator->matrix (derivative-of (with-differences (make-stiff) #:pool #f) point)))
              "column 1 of the"))
  (test-assert "names may be symbols"
    (refused? operator-error? (lambda () (operator->matrix (derivative-of (stiff #:names '(a b c)) point))) "column 1 (b) of the"))
  (test-assert "a step that is zero"
    (let ((missing (missing-columns (derivative-of (with-differences (exp-operator 2) #:pool #f #:steps '(relative 0.1)) (f64vector 1 0)))))
      (and (equal? '(1) (map car missing))
           (string-contains (cdar missing) "(relative 0.1)")
           (string-contains (cdar missing) "least size"))))
  (test-equal "a step that rounding swallows" '(0)
    (columns-missing (with-differences (exp-operator 2) #:pool #f #:steps '(absolute 1e-3)) (f64vector -1e20 1))))

(define (short-when-large x) (if (> (f64vector-ref x 0) 1) (f64vector 1) x))

(define (test-errors)
  (define (linearized f . keywords)
    (linearize (apply with-differences (elementwise f 2) #:pool #f keywords) (f64vector 1 1)))
  (define (only-at-1 otherwise) (lambda (y) (if (= y 1) 1 (otherwise y))))
  (test-assert "the point itself"
    (refused? (negate operator-error?) (lambda () (linearized (lambda (y) (error "never")))) "never"))
  (test-assert "all columns"
    (refused? operator-error? (lambda () (linearized (only-at-1 (lambda (y) (error "never at" y))) #:names '(a b)))
              "all columns" "parameter 0 (a)" "never at"))
  (test-equal "where there is no value there is no derivative" '(0 1)
    (columns-missing (with-differences (elementwise (lambda (y) +nan.0) 2) #:pool #f) (f64vector 1 2)))
  (for-each (lambda (bounds)
              (call-with-values
                  (lambda () (linearize (with-differences (elementwise square 2) #:pool #f #:bounds bounds) (f64vector +nan.0 1)))
                (lambda (y derivative)
                  (test-assert "nor is there one at a point that is none" (not (= (f64vector-ref y 0) (f64vector-ref y 0))))
                  (test-equal "which the derivative knows" '(0 1) (map car (missing-columns derivative))))))
            '(#f (0 . 2)))
  (test-assert "if asked for, the reason is raised"
    (refused? tutti-error? (lambda () (linearize (stiff #:missing 'raise) point)) "the stiff one" "no convergence at"))
  (test-assert "also for a value that is not finite"
    (refused? operator-error? (lambda () (linearized (only-at-1 (const +nan.0)) #:missing 'raise))
              "number 0 (from 0) of the value" "+nan.0"))
  (test-assert "a mistake in the program is none of the evaluation"
    (refused? tutti-error? (lambda () (linearized (lambda (y) (if (= y 1.25) (primitive-eval '(nobody-has-defined-it)) y))
                                                    #:steps '((absolute 0.25) (absolute 0.5))))
              "nobody-has-defined-it"))
  (test-equal "whatever is raised is a failure" '(0)
    (columns-missing (with-differences (elementwise (lambda (y) (if (= (abs (- y 1)) 0.25) (raise-exception 'odd) y)) 2) #:pool #f
                                       #:scheme 'forward #:retries 1 #:steps '((absolute 0.25) (absolute 0.5)))
                     (f64vector 1 1)))
  (test-assert "nor is a wrong shape"
    (let ((op (make-operator #:name "the model" #:domain 2 #:codomain 2 #:evaluate short-when-large)))
      (refused? shape-error? (lambda () (linearize (with-differences op #:pool #f) (f64vector 1 1))) "the model"))))

(define (test-arguments)
  (define-syntax-rule (refuses what expression part ...)
    (test-assert what (refused? tutti-error? (lambda () expression) "with-differences" part ...)))
  (define (differences . keywords) (apply with-differences (exp-operator 2) #:pool #f keywords))
  (for-each (lambda (step)
              (refuses (format #f "step ~s" step) (differences #:steps (list 0.1 step)) "#:steps" "parameter 1" (format #f "~s" step)))
            '(0 -1 (absolute) (absolute 0) (absolute a) (relative 0.1 -1) (relative 0.1 1 2) (log10 (log10 0.1)) (log10) (log10 0) () "0.1"
              (fixed) (relative +inf.0) (relative-to-max 0.1 0 a b)))
  (refuses "too few steps" (differences #:steps '(0.1)) "#:steps" "1 for 2 parameters")
  (refuses "both" (differences #:steps 0.1 #:step 0.1) "#:step" "#:steps")
  (refuses "neither a step nor some" (differences #:steps "0.1") "#:steps" "\"0.1\"")
  (refuses "a scheme among others" (differences #:scheme '(central sideways)) "#:scheme" "parameter 1" "sideways")
  (refuses "formula" (differences #:formula 'cubic) "#:formula" "best-fit" "cubic")
  (refuses "multiplier" (differences #:multiplier 0) "#:multiplier" "got 0")
  (refuses "names" (differences #:names '(1 2)) "#:names" "got 1")
  (refuses "too many names" (differences #:names '(a b c)) "#:names" "3 for 2")
  (refuses "bounds" (differences #:bounds 3) "#:bounds" "got 3")
  (refuses "bounds that cross" (differences #:bounds '(1 . 0)) "above the upper bound")
  (for-each (lambda (keyword value)
              (test-assert (format #f "~s ~s" keyword value)
                (refused? wrong-type? (lambda () (differences keyword value)) (format #f "~s" keyword) (format #f "got ~s" value))))
            '(#:retries #:retries #:retry-ratio #:retry-ratio #:missing) '(-1 1.5 0 1 freeze)))

;;; On pools.

(define-remote (make-perilous)
  ;; Of six numbers, two are as they should be.
  (make-operator #:name "the perilous one" #:domain 6 #:codomain 6
                 #:evaluate (lambda (x)
                              (define (moved? j) (not (= 1 (f64vector-ref x j))))
                              (cond ((moved? 1) (error "it diverged"))
                                    ((moved? 2) (kill (getpid) SIGKILL) (sleep 60))
                                    ((and (moved? 3) (> (f64vector-ref x 3) 1)) (raise-tutti (make-tutti-error "no licence")))
                                    ((moved? 4) (make-f64vector 6 +nan.0))
                                    (else (vec* x x))))))

(define ones (make-f64vector 6 1.))

(define (reason-of derivative j) (assv-ref (missing-columns derivative) j))

(define (test-failures pool)
  (let ((derivative (parameterize ((task-retries 0))
                      (derivative-of (with-differences (make-perilous) #:pool pool #:scheme 'forward #:steps '(absolute 0.25)) ones))))
    (test-equal "what failed is missing" '(1 2 4) (map car (missing-columns derivative)))
    (test-assert "an error" (worker-error? (reason-of derivative 1)))
    (test-assert "it is also of its own type" (operator-error? (reason-of derivative 1)))
    (test-assert "a death" (worker-died? (reason-of derivative 2)))
    (test-equal "of which there is a certificate" SIGKILL (certificate-signal (worker-died-certificate (reason-of derivative 2))))
    (test-assert "a value that is not finite" (string? (reason-of derivative 4))))
  (test-assert "what takes too long"
    (let ((op (make-operator #:name "the slow one" #:domain 2 #:codomain 2
                             #:evaluate (remote (lambda (x) (unless (= 1 (f64vector-ref x 1)) (sleep 600)) x)))))
      (parameterize ((task-timeout 1))
        (let ((derivative (derivative-of (with-differences op #:pool pool #:retries 0 #:scheme 'forward) (f64vector 1 1))))
          (and (equal? '(1) (map car (missing-columns derivative))) (task-timeout? (reason-of derivative 1)))))))
  (test-assert "the point itself"
    (refused? worker-error? (lambda () (linearize (with-differences (make-stiff) #:pool pool) (f64vector 1 4 2))) "no convergence at"))
  (test-assert "the error of all columns is of the type of the first"
    (let ((op (make-operator #:name "the model" #:domain 1 #:codomain 1
                             #:evaluate (remote (lambda (x) (unless (= 1 (f64vector-ref x 0)) (error "never")) x)))))
      (refused? (lambda (c) (and (operator-error? c) (worker-error? c)))
                (lambda () (linearize (with-differences op #:pool pool) (f64vector 1)))
                "all columns" "never")))
  (test-assert "a mistake in the program"
    (let ((op (make-operator #:name "the model" #:domain 2 #:codomain 2
                             #:evaluate (remote (lambda (x) (if (> (f64vector-ref x 0) 1) (primitive-eval '(nobody-has-defined-it)) x))))))
      (refused? worker-error? (lambda () (linearize (with-differences op #:pool pool) (f64vector 1 1))) "nobody-has-defined-it")))
  (test-assert "a wrong shape"
    (let ((op (make-operator #:name "the model" #:domain 2 #:codomain 2
                             #:evaluate (remote (lambda (x) (if (> (f64vector-ref x 0) 1) (f64vector 1) x))))))
      (refused? shape-error? (lambda () (linearize (with-differences op #:pool pool) (f64vector 1 1))) "the model")))
  (test-equal "marks are made again where the derivative goes" '((1))
    (pool-map pool (remote (lambda (op x) (map car (missing-columns (call-with-values (lambda () (linearize op x)) (lambda (y d) d))))))
              (list (stiff)) (list point)))
  (test-assert "a derivative that travelled refuses"
    (refused? worker-error? (lambda () (pool-map pool evaluate (list (derivative-of (stiff) point)) (list point)))
              "column 1 (k_sand)" "is missing"))
  (test-assert "so does one of a parallel vector"
    (refused? operator-error?
              (lambda () (evaluate (derivative-of (parallel-vector-of-operators (list (stiff)) #:pool pool) point) point))
              "column 1 (k_sand)" "is missing")))

(define script "{ if ($2 != 5) { print \"no convergence\" > \"/dev/stderr\"; exit 3 } print \"a =\", $1 * $1, \"b =\", $1 + 3 * $3 }")

(define (test-program pool)
  (call-with-folder
   (lambda (folder)
     (let ((template (string-append folder "/in.tpl")))
       (call-with-output-file template (lambda (port) (display "@{clay} @{sand} @{porosity}\n" port)))
       (let* ((op (command-operator "awk" script "in.txt" #:parameters '(clay sand porosity) #:templates (list (cons template "in.txt"))
                                    #:read (list (output-value "stdout" "a =") (output-value "stdout" "b =")) #:keep 'never))
              (differences (with-differences op #:pool pool #:steps '(absolute 0.25) #:names '(clay sand porosity))))
         (test-equal "of a program a run fails" '(1) (columns-missing differences point))
         (let ((reason (reason-of (derivative-of differences point) 1)))
           (test-equal "the reason has all" '(#t 3) (list (command-failed? reason) (command-failed-status reason))))
         (test-assert "the error that refuses, too"
           (refused? command-failed? (lambda () (operator->matrix (derivative-of differences point))) "column 1 (sand)" "awk")))))))

(define-remote (make-partly-failing)
  (make-operator #:name "the model" #:domain 5 #:codomain 4
                 #:evaluate (lambda (x)
                              (when (> (f64vector-ref x 1) 0.5) (error "too large"))
                              (when (and (not (= (f64vector-ref x 2) 0.5)) (> (abs (- (f64vector-ref x 2) 0.5)) 1e-4)) (error "too far"))
                              (unless (= (f64vector-ref x 4) 0.5) (error "fixed"))
                              (list->f64vector (map (lambda (k) (exp (* k (vec-dot x (f64vector 0.1 0.2 0.3 0.4 0.5))))) '(1 2 3 4))))))

(define (test-bits)
  ;; The columns that are there, seen through what leaves number 4 alone, and which ones are missing.
  (define number-4-alone
    (affine-operator (matrix-operator 5 4 (vec-concatenate (list (identity-entries 4) (make-f64vector 4 0.)))) (f64vector 0 0 0 0 0.5)))
  (define (all-bits pool)
    (append-map (lambda (scheme)
                  (define (differences op) (with-differences op #:scheme scheme #:step 1e-3 #:pool pool))
                  (list (matrix-at (differences (operator-compose (make-partly-failing) number-4-alone)) (make-f64vector 4 0.5))
                        (columns-missing (differences (make-partly-failing)) (make-f64vector 5 0.5))))
                '(forward central)))
  (let ((here (all-bits #f)))
    (test-equal "what is missing" '((4) (4)) (list (second here) (fourth here)))
    (for-each (lambda (workers)
                (call-with-pool workers (lambda (pool) (test-equal (format #f "~a workers" workers) here (all-bits pool)))))
              '(1 2 7))
    (test-equal "serial" here (all-bits (make-serial-pool)))))

(define (identity-entries n)
  (let ((entries (make-f64vector (* n n) 0.)))
    (for-each (lambda (i) (f64vector-set! entries (* i (1+ n)) 1.)) (iota n))
    entries))

(define (test-closed)
  (let ((pool (call-with-pool 1 identity)))
    (test-assert "a closed pool"
      (refused? pool-closed-error? (lambda () (linearize (with-differences (make-stiff) #:pool pool) point)) "closed"))))

(call-with-tap
 (lambda ()
   (test-group "operator-differences"
     (test-group "steps" (test-steps) (test-multiplier))
     (test-group "logarithms" (test-logarithms))
     (test-group "bounds" (test-bounds) (test-random-bounds))
     (test-group "retries" (test-retries))
     (test-group "marks" (test-marks))
     (test-group "errors" (test-errors))
     (test-group "arguments" (test-arguments))
     (call-with-pool 2 (lambda (pool) (test-group "failures" (test-failures pool) (test-program pool))))
     (test-group "bits" (test-bits))
     (test-group "closed" (test-closed)))))
