;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Solvers: against direct solutions, against models that are known, against figures of SimPEG, and with what they
;; must refuse.
(use-modules (tap)
             (tutti)
             (tutti linear)
             (tutti solver)
             (tutti space)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-11)
             (srfi srfi-64))

(define shared (getenv "TUTTI_SHARED"))
(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

;;; Small problems.

(define (near? x y tolerance)
  "Return true if the vectors @var{x} and @var{y} differ by at most @var{tolerance} of the norm of @var{y}."
  (<= (vec-norm (vec- x y)) (* tolerance (vec-norm y))))

(define (f64vector-generate n f)
  (list->f64vector (map (lambda (i) (exact->inexact (f i))) (iota n))))

(define n 12)
(define positive-definite                       ; of a chain of springs, of different strength
  (f64vector-generate (* n n)
                      (lambda (k)
                        (let ((i (quotient k n)) (j (remainder k n)))
                          (cond ((= i j) (+ 2 (* i 1/4)))
                                ((= 1 (abs (- i j))) -1)
                                (else 0))))))
(define b (f64vector-generate n (lambda (i) (sin (+ i 1)))))
(define direct (solve-positive-definite n positive-definite b))
(define springs (matrix-operator n n positive-definite))

(define tall (f64vector-generate 24 (lambda (k) (+ (cos (* k k)) (if (= (quotient k 4) (remainder k 4)) 2 0)))))   ; 6 x 4
(define tall-data (f64vector 1 -2 3 0.5 0 4))
(define tall-operator (matrix-operator 6 4 tall))

(define (damped-solution damping)
  (let ((normal (matrix-gram 6 4 tall)))
    (do ((i 0 (1+ i)))
        ((= i 4))
      (f64vector-set! normal (* 5 i) (+ damping (f64vector-ref normal (* 5 i)))))
    (solve-positive-definite 4 normal (matrix-transpose-vector 6 4 tall tall-data))))

(define (complex-diagonal factors)
  "Return the operator that multiplies by the complex numbers in the c64vector @var{factors}."
  (let ((space (complex-space (c64vector-length factors))))
    (make-linear-operator #:name "complex diagonal" #:domain space #:codomain space
                          #:apply (lambda (x) (vec* factors x))
                          #:adjoint (lambda (y) (vec* (vec-conjugate factors) y)))))

(define exponentials                            ; exp (A m), R^3 -> R^5
  (let ((a (f64vector 1 0 0  0 1 0  0 0 1  1 1 0  0 0.5 -1)))
    (define (values-at m) (vec-map exp (matrix-vector 5 3 a m)))
    (make-operator #:name "exponentials" #:domain 3 #:codomain 5
                   #:evaluate values-at
                   #:linearize (lambda (m)
                                 (let ((y (values-at m)))
                                   (values y
                                           (make-linear-operator
                                            #:name "their derivative" #:domain 3 #:codomain 5
                                            #:apply (lambda (h) (vec* y (matrix-vector 5 3 a h)))
                                            #:adjoint (lambda (z) (matrix-transpose-vector 5 3 a (vec* y z))))))))))
(define true-model (f64vector 0.4 -0.3 0.7))
(define exact-data (evaluate exponentials true-model))
(define zero3 (f64vector 0 0 0))

(define (phases m)
  (vec-map (lambda (x) (exp (* 0+i x))) m))

(define (real-parts z)
  (list->f64vector (map real-part (c64vector->list z))))

(define phase-operator                          ; R^3 -> C^3
  (make-operator #:name "phases" #:domain 3 #:codomain (complex-space 3)
                 #:evaluate phases
                 #:linearize (lambda (m)
                               (let ((slope (vec-scale 0+i (phases m))))
                                 (values (phases m)
                                         (make-linear-operator
                                          #:name "their derivative" #:domain 3 #:codomain (complex-space 3)
                                          #:apply (lambda (h) (vec* slope h))
                                          #:adjoint (lambda (y) (real-parts (vec* (vec-conjugate slope) y)))))))))

(define squares                                 ; C^2 -> C^2
  (make-operator #:name "squares" #:domain (complex-space 2) #:codomain (complex-space 2)
                 #:evaluate (lambda (z) (vec* z z))
                 #:linearize (lambda (z) (values (vec* z z) (complex-diagonal (vec-scale 2 z))))))

(define (broken-from number)
  "Return a linear operator on R^3 that returns NaN from its call of this @var{number} on."
  (let ((calls 0))
    (define (apply x)
      (set! calls (1+ calls))
      (if (>= calls number) (vec-scale +nan.0 x) (vec* (f64vector 1 2 3) x)))
    (make-linear-operator #:name "broken" #:domain 3 #:codomain 3 #:apply apply #:adjoint apply)))

;;; Looking at results.

(define solution solver-result-solution)
(define reason solver-result-reason)
(define count-iterations solver-result-iterations)
(define (column accessor result) (map accessor (solver-result-history result)))
(define (falling? numbers) (every >= numbers (cdr numbers)))

(define (objectives result beta)
  (map (lambda (entry) (+ (iteration-phi-d entry) (* beta (iteration-phi-m entry)))) (solver-result-history result)))

(define (complaint thunk)
  "Return the text of the error that @var{thunk} raises."
  (with-exception-handler condition->string (lambda () (thunk) "no error") #:unwind? #t))

(define-syntax-rule (test-refused name part expression)
  (let ((text (complaint (lambda () expression))))
    (test-equal name (list #t text) (list (->bool (string-contains text part)) text))))

(define (error-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (test-conjugate-gradient)
  (let ((result (conjugate-gradient springs b)))
    (test-assert "agrees with Cholesky" (near? (solution result) direct 1e-9))
    (test-assert "in as many iterations as dimensions" (<= (count-iterations result) n))
    (test-equal "says why it ended" 'tolerance (reason result))
    (test-assert "the history has the start and each iteration"
      (equal? (column iteration-number result) (iota (1+ (count-iterations result)))))
    (test-assert "residual norms are those of the residuals"
      (let* ((two (conjugate-gradient springs b #:stop (stop-when #:iterations 2)))
             (norm (vec-norm (vec- b (evaluate springs (solution two))))))
        (< (abs (- 1 (/ norm (iteration-residual-norm (last (solver-result-history two)))))) 1e-12)))
    (test-equal "the same bits again" (solution result) (solution (conjugate-gradient springs b))))
  (test-equal "three different eigenvalues, three iterations" 3
    (count-iterations (conjugate-gradient (diagonal-operator (f64vector 1 2 2 2 5 5)) (f64vector 1 1 2 3 4 5)
                                          #:stop (stop-when #:tolerance 1e-12))))
  (test-equal "from the solution" 0 (count-iterations (conjugate-gradient springs b #:start direct)))
  (test-equal "of zero" (list (make-f64vector n 0.) 0)
    (let ((result (conjugate-gradient springs (make-f64vector n 0.))))
      (list (solution result) (count-iterations result))))
  (test-equal "an exact end is one" 'converged
    (reason (conjugate-gradient (identity-operator 2) (f64vector 3 4) #:stop (stop-when #:iterations 5))))
  (test-equal "semidefinite, and a right-hand side that it can have: to the end" (list (f64vector 1 -1) 'converged)
    (let ((result (conjugate-gradient (matrix-operator 2 2 (f64vector 1 -1 -1 1)) (f64vector 2 -2) #:stop (stop-when #:iterations 9))))
      (list (solution result) (reason result))))
  (test-assert "complex, Hermitian"
    (let* ((space (complex-space 2))       ; ((2 i) (-i 3))
           (times (lambda (x)
                    (let ((x0 (c64vector-ref x 0)) (x1 (c64vector-ref x 1)))
                      (c64vector (+ (* 2 x0) (* 0+i x1)) (+ (* 0-i x0) (* 3 x1))))))
           (op (make-linear-operator #:name "Hermitian" #:domain space #:codomain space #:apply times #:adjoint times))
           (z (c64vector 1+2i -1+0.5i)))
      (near? (solution (conjugate-gradient op (times z))) z 1e-12)))
  (let ((start (f64vector-generate n (lambda (i) i))))
    (conjugate-gradient springs b #:start start)
    (test-equal "arguments are left alone" (f64vector-generate n (lambda (i) i)) start)))

(define (test-cgls)
  (test-assert "agrees with the normal equations" (near? (solution (cgls tall-operator tall-data)) (damped-solution 0) 1e-9))
  (test-assert "with damping" (near? (solution (cgls tall-operator tall-data #:damping 0.7)) (damped-solution 0.7) 1e-9))
  (test-assert "from another start"
    (near? (solution (cgls tall-operator tall-data #:damping 0.7 #:start (f64vector 5 6 7 8))) (damped-solution 0.7) 1e-9))
  (test-assert "misfit and norm"
    (let* ((result (cgls tall-operator tall-data #:damping 0.7))
           (end (last (solver-result-history result)))
           (r (vec- (evaluate tall-operator (solution result)) tall-data)))
      (and (< (abs (- (iteration-phi-d end) (vec-dot r r))) 1e-9)
           (< (abs (- (iteration-phi-m end) (vec-dot (solution result) (solution result)))) 1e-9)
           (= (iteration-weight end) 0.7))))
  (test-assert "the residual norm falls" (falling? (column iteration-residual-norm (cgls tall-operator tall-data))))
  (test-assert "the least norm of many solutions"
    (near? (solution (cgls (matrix-operator 1 3 (f64vector 1 2 2)) (f64vector 18))) (f64vector 2 4 4) 1e-12))
  (test-assert "complex"
    (let ((factors (c64vector 1+i 2 0-3i)))
      (near? (solution (cgls (complex-diagonal factors) (c64vector 2 4 3))) (c64vector 1-i 2 0+i) 1e-10)))
  (test-equal "data that no model explains at all" (list 0 zero3)
    (let ((result (cgls (matrix-operator 2 3 (f64vector 1 1 1 0 0 0)) (f64vector 0 5))))
      (list (count-iterations result) (solution result)))))

(define (test-landweber)
  (let ((result (landweber tall-operator tall-data (make-f64vector 4 0.) #:stop (stop-when #:relative-change 1e-7 #:iterations 5000))))
    (test-assert "goes to the least squares" (near? (solution result) (damped-solution 0) 1e-5))
    (test-assert "monotonically" (falling? (column iteration-residual-norm result))))
  (let* ((step 0.1)
         (result (landweber tall-operator tall-data (make-f64vector 4 0.) #:step step #:stop (stop-when #:iterations 1))))
    (test-assert "one step" (near? (solution result) (vec-scale step (apply-adjoint tall-operator tall-data)) 1e-14))
    (test-equal "its length" (list #f step) (column iteration-step-length result)))
  (test-assert "the step that is chosen is 0.9 over the square of the norm"
    (let ((result (landweber (diagonal-operator (f64vector 1 -4 2)) (f64vector 1 1 1) zero3 #:stop (stop-when #:iterations 1))))
      (< (abs (- (iteration-step-length (last (solver-result-history result))) (/ 0.9 16))) 1e-4)))
  (let ((result (landweber exponentials exact-data zero3 #:stop (stop-when #:discrepancy 1e-4 #:tau 1 #:iterations 5000))))
    (test-equal "nonlinear: to the discrepancy" 'discrepancy (reason result))
    (test-assert "nonlinear: near the model" (near? (solution result) true-model 1e-3)))
  (test-equal "100 iterations if nothing is said" 100
    (count-iterations (landweber (diagonal-operator (f64vector 1 0.01)) (f64vector 1 1) (f64vector 0 0))))
  (let ((e (error-of (lambda () (landweber tall-operator tall-data (make-f64vector 4 0.) #:step 1000
                                           #:stop (stop-when #:iterations 1000))))))
    (test-assert "a step that is too long" (solver-error? e))
    (test-assert "is named" (string-contains (condition->string e) "The step 1000 may be too long"))
    (test-assert "and the last good model is there"
      (let ((result (solver-error-result e)))
        (and (solver-result? result) (eq? (reason result) 'failed)
             (< (vec-norm (solution result)) +inf.0)
             (string-contains (condition->string e) (format #f "in iteration ~a" (1+ (count-iterations result)))))))))

(define roughness (matrix-operator 3 3 (f64vector 1 -1 0  -1 2 -1  0 -1 1)))

(define (test-gauss-newton)
  (let ((result (gauss-newton exponentials exact-data zero3 #:beta 0)))
    (test-assert "recovers the model of exact data" (near? (solution result) true-model 1e-9))
    (test-assert "quickly" (<= (count-iterations result) 10)))
  (let* ((data (vec+ exact-data (f64vector 0.1 -0.1 0.05 0.1 -0.1)))
         (std (f64vector 0.1 0.2 0.1 0.3 0.1))
         (reference (f64vector 0.1 0.2 0.3))
         (result (gauss-newton exponentials data (f64vector 2 -2 2) #:std std #:regularization roughness #:reference reference
                               #:beta 3 #:inner-stop (stop-when #:tolerance 1e-12)))
         (m (solution result)))
    (define (functional m)
      (let ((r (vec-map / (vec- (evaluate exponentials m) data) std))
            (x (vec- m reference)))
        (+ (vec-dot r r) (* 3 (vec-dot x (evaluate roughness x))))))
    (test-assert "phi is what it is said to be"
      (let ((end (last (objectives result 3)))) (< (abs (- 1 (/ end (functional m)))) 1e-12)))
    (test-assert "is at its minimum"
      (every (lambda (i)
               (every (lambda (h)
                        (let ((other (vec+ m (f64vector-generate 3 (lambda (j) (if (= i j) h 0))))))
                          (> (functional other) (functional m))))
                      '(1e-3 -1e-3)))
             '(0 1 2)))
    (test-assert "no step raises phi" (falling? (objectives result 3))))
  (let* ((op (make-operator #:name "exp" #:domain 1 #:codomain 1
                            #:evaluate (lambda (m) (vec-map exp m))
                            #:linearize (lambda (m) (values (vec-map exp m) (diagonal-operator (vec-map exp m))))))
         (result (gauss-newton op (f64vector 1) (f64vector -3) #:beta 0)))
    (test-assert "steps that overshoot are shortened" (any (lambda (x) (and x (< 0 x 1))) (column iteration-step-length result)))
    (test-assert "and the end is the same" (< (abs (f64vector-ref (solution result) 0)) 1e-6))
    (test-assert "and phi falls" (falling? (objectives result 0))))
  (test-assert "linear: one iteration is enough"
    (near? (solution (gauss-newton tall-operator tall-data (f64vector 1 2 3 4) #:beta 0.7 #:stop (stop-when #:iterations 1)
                                   #:inner-stop (stop-when #:tolerance 1e-13)))
           (damped-solution 0.7) 1e-9))
  (test-equal "linear: a second one finds nothing" 'no-descent
    (reason (gauss-newton tall-operator tall-data (make-f64vector 4 0.) #:beta 0.7 #:inner-stop (stop-when #:tolerance 1e-15))))
  (test-assert "real models, complex data"
    (near? (solution (gauss-newton phase-operator (phases (f64vector 0.5 -0.25 1)) zero3 #:beta 0 #:std 0.1))
           (f64vector 0.5 -0.25 1) 1e-8))
  (test-assert "complex models"
    (near? (solution (gauss-newton squares (c64vector 0+2i 3-4i) (c64vector 1 1) #:beta 0)) (c64vector 1+i 2-i) 1e-8)))

(define (weights-of . options)
  (cdr (column iteration-weight (apply gauss-newton exponentials exact-data zero3 #:stop (stop-when #:iterations 4) options))))

(define (test-beta)
  (test-equal "stays" '(2 2 2 2) (weights-of #:beta 2))
  (test-equal "is 1" '(1 1 1 1) (weights-of))
  (test-equal "by a factor" '(8 4 2 1) (weights-of #:beta 8 #:beta-schedule 1/2))
  (test-equal "from a list, to its last" '(5 3 2 2) (weights-of #:beta-schedule '(5 3 2)))
  (test-equal "from a procedure" '(10 20 30 40) (weights-of #:beta-schedule (lambda (k before) (* 10 k))))
  (test-assert "a procedure gets the iteration before"
    (let ((told '()))
      (weights-of #:beta-schedule (lambda (k before) (set! told (cons (cons k (iteration-number before)) told)) 1))
      (equal? (reverse told) '((1 . 0) (2 . 1) (3 . 2) (4 . 3)))))
  (test-assert "where there is nothing to gain with one beta, the next one is tried"
    (let ((result (gauss-newton tall-operator tall-data (make-f64vector 4 0.) #:beta-schedule '(1. 1. 0.5 0.5)
                                #:inner-stop (stop-when #:tolerance 1e-15) #:stop (stop-when #:iterations 10))))
      (and (near? (solution result) (damped-solution 0.5) 1e-9)
           (eq? (reason result) 'no-descent)))))

(define (bounded-optimum? m data lower upper)
  "Return true if @var{m} is the least-squares solution of tall-operator between the numbers @var{lower} and
@var{upper}."
  (let ((gradient (apply-adjoint tall-operator (vec- (evaluate tall-operator m) data))))
    (every (lambda (x g)
             (and (<= lower x upper)
                  (cond ((= x lower) (>= g -1e-6))
                        ((= x upper) (<= g 1e-6))
                        (else (< (abs g) 1e-6)))))
           (f64vector->list m) (f64vector->list gradient))))

(define (test-bounds)
  (test-equal "of the identity: the projection" (f64vector 0 0.5 1)
    (solution (gauss-newton (identity-operator 3) (f64vector -4 0.5 7) (f64vector 0.5 0.5 0.5) #:beta 0 #:bounds '(0 . 1))))
  (let ((unbounded (damped-solution 0))
        (bounded (solution (gauss-newton tall-operator tall-data (make-f64vector 4 0.3) #:beta 0 #:bounds '(0.1 . 0.9)
                                         #:inner-stop (stop-when #:tolerance 1e-12)))))
    (test-assert "they matter" (any (lambda (x) (or (< x 0.1) (> x 0.9))) (f64vector->list unbounded)))
    (test-assert "the optimum within them" (bounded-optimum? bounded tall-data 0.1 0.9)))
  (test-assert "vectors, and infinite ones"
    (let ((m (solution (gauss-newton tall-operator tall-data (make-f64vector 4 0.) #:beta 0
                                     #:bounds (cons (f64vector -inf.0 -1 -inf.0 -inf.0) +inf.0)))))
      (>= (f64vector-ref m 1) -1)))
  (test-equal "a start beyond them is projected" (f64vector 1 1 0)
    (solution (gauss-newton (identity-operator 3) (f64vector 0 0 0) (f64vector 5 1 -5) #:bounds '(0 . 1)
                            #:stop (stop-when #:iterations 0))))
  (test-assert "nonlinear: no step raises phi"
    (let ((result (gauss-newton exponentials exact-data (f64vector 0.5 0 0) #:beta 0 #:bounds '(0 . 0.5))))
      (and (falling? (objectives result 0))
           (every (lambda (x) (<= 0 x 0.5)) (f64vector->list (solution result)))
           (= 0. (f64vector-ref (solution result) 1))))))

;;; Bounded problems with known minima.

(define (functional-of result beta)
  (let ((end (last (solver-result-history result)))) (+ (iteration-phi-d end) (* beta (iteration-phi-m end)))))

(define (hilbert n) (f64vector-generate (* n n) (lambda (k) (/ (+ 1. (quotient k n) (remainder k n))))))

(define (gaussian-kernel n)
  (f64vector-generate (* n n) (lambda (k) (exp (- (/ (expt (- (quotient k n) (remainder k n)) 2) 18.))))))

(define (within-bounds-problem n)
  "Return the matrix, row-major n + 20 by n, and the data of a problem with n unknowns, of which many have to be at their bounds."
  (values (f64vector-generate (* (+ n 20) n) (lambda (k) (+ (sin (* 1.7 k)) (if (= (quotient k n) (remainder k n)) 3 0))))
          (f64vector-generate (+ n 20) (lambda (i) (* 4 (cos (* 0.3 i i)))))))

(define (test-bounded-minima)
  (let* ((h (hilbert 10))
         (op (matrix-operator 10 10 h))
         (data (evaluate op (f64vector-generate 10 (lambda (i) (cos (* 5 i))))))
         (result (gauss-newton op data (make-f64vector 10 0.) #:beta 1e-8 #:bounds '(-0.3 . 0.3))))
    (test-assert "an ill-conditioned matrix within bounds" (< (functional-of result 1e-8) 0.06497)))
  (let* ((op (matrix-operator 40 40 (gaussian-kernel 40)))
         (noise (f64vector-generate 40 (lambda (i) (* 0.01 (cos (* i i))))))
         (data (vec+ noise (evaluate op (f64vector-generate 40 (lambda (i) (max 0 (sin (/ i 4.))))))))
         (minima (map (lambda (start)
                        (functional-of (gauss-newton op data (make-f64vector 40 start) #:beta 0 #:bounds '(0 . +inf.0)
                                                     #:stop (stop-when #:iterations 60))
                                       0))
                      '(0. 1. 10.))))
    (test-assert "the same minimum from every start"
      (every (lambda (x) (< (abs (- x (car minima))) (* 1e-8 (car minima)))) minima)))
  (let-values (((a data) (within-bounds-problem 150)))
    ;; With so many unknowns steps are found by conjugate gradients; the reference is the active set on the matrix.
    (let* ((result (gauss-newton (matrix-operator 170 150 a) data (make-f64vector 150 0.2) #:beta 0 #:bounds '(-0.1 . 0.3)
                                 #:stop (stop-when #:iterations 60) #:inner-stop (stop-when #:tolerance 1e-10 #:iterations 5000)))
           (x (solve-least-squares 170 150 a data #:lower (make-f64vector 150 -0.1) #:upper (make-f64vector 150 0.3)))
           (r (vec- (matrix-vector 170 150 a x) data)))
      (test-assert "many unknowns: bounds matter" (> (count (lambda (x) (or (= x -0.1) (= x 0.3))) (f64vector->list x)) 20))
      (test-assert "many unknowns: the same minimum" (< (abs (- 1 (/ (functional-of result 0) (vec-dot r r)))) 1e-8))))
  (let* ((b (f64vector-generate 72 (lambda (k) (cos (* 1.3 k k)))))        ; y = B exp m, 12 x 6
         (values-at (lambda (m) (matrix-vector 12 6 b (vec-map exp m))))
         (op (make-operator #:name "sums of exponentials" #:domain 6 #:codomain 12 #:evaluate values-at
                            #:linearize (lambda (m)
                                          (let ((e (vec-map exp m)))
                                            (values (values-at m) (operator-compose (matrix-operator 12 6 b) (diagonal-operator e)))))))
         (data (f64vector-generate 12 (lambda (i) (* 3 (sin i)))))
         (minima (map (lambda (start)
                        (functional-of (gauss-newton op data (make-f64vector 6 start) #:beta 0 #:bounds '(-1 . +inf.0)
                                                     #:stop (stop-when #:iterations 60)) 0))
                      '(-1. 0. 1.))))
    (test-assert "nonlinear, with lower bounds: the same minimum from every start"
      (every (lambda (x) (< (abs (- x (car minima))) (* 1e-8 (car minima)))) minima))))

(define (test-wrong-operators)
  (let ((skew (matrix-operator 3 3 (f64vector 0 1 0  -1 0 0  0 0 0))))
    (test-refused "a skew regularization" "is not self-adjoint" (gauss-newton exponentials exact-data zero3 #:regularization skew)))
  (test-refused "an indefinite regularization" "is not positive semidefinite"
    (gauss-newton exponentials exact-data zero3 #:regularization (diagonal-operator (f64vector 1 -5 1))))
  (test-refused "a complex matrix that is not Hermitian" "not self-adjoint"
    (conjugate-gradient (complex-diagonal (c64vector 1+i 2 3)) (c64vector 1 1 1)))
  (let ((result (landweber (diagonal-operator (f64vector 1 2)) (f64vector 1 1) (f64vector 0 0) #:step 0.6
                           #:stop (stop-when #:iterations 40))))
    (test-equal "landweber: a step that is a little too long" 'diverged (reason result)))
  (let* ((wrong (make-operator #:name "wrong" #:domain 1 #:codomain 1 #:evaluate (lambda (m) (vec-map exp m))
                               #:linearize (lambda (m) (values (vec-map exp m) (diagonal-operator (vec-scale -1 (vec-map exp m)))))))
         (result (gauss-newton wrong (f64vector 3) (f64vector 0) #:beta 0)))
    (test-equal "a wrong derivative is no minimum" 'stalled (reason result))
    (test-assert "which is said" (string-contains (solver-result-message result) "check-derivative"))))

(define (test-muted)
  (let* ((corrupted (vec+ exact-data (f64vector 0 0 100 0 0)))
         (std (f64vector 0.1 0.1 +inf.0 0.1 0.1)))
    (test-assert "gauss-newton: a muted datum does not count"
      (near? (solution (gauss-newton exponentials corrupted zero3 #:beta 0 #:std std)) true-model 1e-8))
    (test-assert "irgnm: a muted datum does not count"
      (near? (solution (irgnm exponentials corrupted zero3 #:std std #:noise-level #f #:stop (stop-when #:iterations 60))) true-model 1e-4))
    (test-refused "all muted" "all are infinite" (gauss-newton exponentials corrupted zero3 #:std (make-f64vector 5 +inf.0)))))

;;; Numbers the squares of which are none.

(define (same-scaled? result expected model data)
  "Return true if @var{result} is @var{expected} with its models times @var{model} and its data times @var{data}, powers of two: then every
bit is the same."
  (and (equal? (vec-scale (/ model) (solution result)) (solution expected))
       (eq? (reason result) (reason expected))
       (equal? (map (lambda (norm) (/ norm data)) (column iteration-residual-norm result)) (column iteration-residual-norm expected))))

(define (test-scaled-by operator data)
  (define model (/ data operator))
  (define-syntax-rule (test-scaled name (op d m) solve)
    ;; M: what is like a model, times its scale.
    (let* ((run (lambda (operator data)
                  (let ((op (lambda (rows columns entries) (matrix-operator rows columns (vec-scale operator entries))))
                        (d (lambda (v) (vec-scale data v)))
                        (m (lambda (x) (let ((scale (/ data operator))) (if (number? x) (* scale x) (vec-scale scale x))))))
                    solve))))
      (test-assert (format #f "~a: an operator times ~a, data times ~a" name operator data)
        (same-scaled? (run operator data) (run 1. 1.) model data))))
  (define start (f64vector 0.2 0.3 0.4 0.5))
  (define wide (f64vector-generate 6400 (lambda (k) (+ (sin (* 1.7 k)) (if (= (quotient k 80) (remainder k 80)) 30 0)))))
  (define many-data (f64vector-generate 80 (lambda (i) (cos (* 0.3 i i)))))
  (define many (stop-when #:iterations 3))
  (test-scaled "conjugate-gradient" (op d m) (conjugate-gradient (op n n positive-definite) (d b)))
  (test-scaled "cgls" (op d m) (cgls (op 6 4 tall) (d tall-data)))
  (test-scaled "cgls, from a start" (op d m) (cgls (op 6 4 tall) (d tall-data) #:start (m start)))
  (test-scaled "landweber" (op d m) (landweber (op 6 4 tall) (d tall-data) (m start) #:stop (stop-when #:relative-change 1e-2)))
  (test-scaled "irgnm" (op d m)
    (irgnm (op 6 4 tall) (d tall-data) (m start) #:noise-level (vec-norm (d (f64vector 1 1 1 1 1 1))) #:stop (stop-when #:iterations 30)))
  (test-scaled "gauss-newton" (op d m) (gauss-newton (op 6 4 tall) (d tall-data) (m start) #:beta 0))
  (test-scaled "gauss-newton, with bounds" (op d m)
    (gauss-newton (op 6 4 tall) (d tall-data) (m start) #:beta 0 #:bounds (cons (m 0.1) (m 0.9))))
  (test-scaled "gauss-newton, many unknowns" (op d m)
    (gauss-newton (op 80 80 wide) (d many-data) (m (make-f64vector 80 0.)) #:beta 0 #:stop many))
  (test-scaled "gauss-newton, many unknowns with bounds" (op d m)
    (gauss-newton (op 80 80 wide) (d many-data) (m (make-f64vector 80 0.)) #:beta 0 #:bounds (cons (m -0.01) (m 0.02)) #:stop many))
  (when (= operator 1.)                 ; so that weights of penalties are the same
    (test-scaled "cgls, damped" (op d m) (cgls (op 6 4 tall) (d tall-data) #:damping 0.7 #:start (m start)))
    (test-scaled "irgnm, with alphas" (op d m)
      (irgnm (op 6 4 tall) (d tall-data) (m start) #:alpha-schedule '(4. . 1/2) #:stop (stop-when #:iterations 4)))
    (test-scaled "gauss-newton, with a reference and a schedule" (op d m)
      (gauss-newton (op 6 4 tall) (d tall-data) (m start) #:beta 3. #:beta-schedule 1/2 #:reference (m (f64vector 1 0 1 0))
                    #:stop (stop-when #:iterations 4)))))

(define (test-scaled)
  (define tiny (expt 2. -664))          ; 1.3e-200
  (define huge (expt 2. 664))
  (for-each test-scaled-by (list 1. 1. tiny huge tiny huge (expt 2. -560)) (list tiny huge tiny huge 1. 1. (expt 2. -100)))
  (let* ((seen '())
         (result (gauss-newton tall-operator (vec-scale 1e-200 tall-data) (make-f64vector 4 0.) #:beta-schedule (lambda (k before) 2)
                               #:stop (lambda (iteration model)
                                         (set! seen (cons (vec-norm model) seen))
                                         (>= (iteration-number iteration) 2)))))
    (test-equal "criteria see models in the caller's units" (vec-norm (solution result)) (car seen))
    (test-equal "weights are the caller's" 2. (exact->inexact (last (column iteration-weight result))))))

(define noise (f64vector 0.03 -0.02 0.01 0.02 -0.03))
(define noisy-data (vec+ exact-data noise))

(define (test-irgnm)
  (let ((result (irgnm exponentials noisy-data zero3 #:noise-level (vec-norm noise) #:tau 1.2)))
    (test-equal "stops at the discrepancy" 'discrepancy (reason result))
    (test-assert "not before, and not after"
      (let ((norms (column iteration-residual-norm result))
            (level (* 1.2 (vec-norm noise))))
        (and (<= (last norms) level) (every (lambda (norm) (> norm level)) (drop-right norms 1)))))
    (test-assert "near the model" (near? (solution result) true-model 0.1))
    (test-assert "alphas fall by 2/3"
      (let ((alphas (cdr (column iteration-weight result))))
        (every (lambda (a b) (< (abs (- 2/3 (/ b a))) 1e-12)) alphas (cdr alphas)))))
  (test-equal "alphas as they are given" '(4. 2. 1.)
    (cdr (column iteration-weight (irgnm exponentials noisy-data zero3 #:alpha-schedule '(4. . 1/2) #:stop (stop-when #:iterations 3)))))
  (test-equal "alphas from a list" '(4 1 1)
    (cdr (column iteration-weight (irgnm exponentials noisy-data zero3 #:alpha-schedule '(4 1) #:stop (stop-when #:iterations 3)))))
  (let ((start (f64vector 0.1 0.2 0.3 0.4))
        (alpha 0.7))
    (test-assert "linear: the damped solution around the start"
      (near? (vec- (solution (irgnm tall-operator tall-data start #:alpha-schedule (list alpha) #:stop (stop-when #:iterations 2)
                                    #:inner-stop (stop-when #:tolerance 1e-14)))
                   start)
             (solution (cgls tall-operator (vec- tall-data (evaluate tall-operator start)) #:damping alpha))
             1e-9)))
  (test-assert "deviations: the noise level is the root of the number of data"
    (let ((result (irgnm exponentials noisy-data zero3 #:std 0.03)))
      (and (eq? (reason result) 'discrepancy)
           (<= (iteration-residual-norm (last (solver-result-history result))) (* 1.5 (sqrt 5))))))
  (test-equal "unless that is turned off" 'iterations
    (reason (irgnm exponentials noisy-data zero3 #:std 0.03 #:noise-level #f #:stop (stop-when #:iterations 12))))
  (test-assert "exact data: the model" (near? (solution (irgnm exponentials exact-data zero3)) true-model 1e-6))
  (test-assert "complex models"
    (near? (solution (irgnm squares (c64vector 0+2i 3-4i) (c64vector 1 1.5))) (c64vector 1+i 2-i) 1e-4)))

(define (reason-for stop)
  (reason (conjugate-gradient springs b #:stop stop)))

(define (test-stop)
  (test-equal "iterations" '(iterations 3)
    (let ((result (conjugate-gradient springs b #:stop (stop-when #:iterations 3))))
      (list (reason result) (count-iterations result))))
  (test-equal "relative change" 'relative-change (reason-for (stop-when #:relative-change 1e-2)))
  (test-equal "discrepancy" 'discrepancy (reason-for (stop-when #:discrepancy 0.5)))
  (test-assert "discrepancy, with tau"
    (< (count-iterations (conjugate-gradient springs b #:stop (stop-when #:discrepancy 0.1 #:tau 10)))
       (count-iterations (conjugate-gradient springs b #:stop (stop-when #:discrepancy 0.1 #:tau 1)))))
  (test-equal "the first that is met" 'iterations (reason-for (stop-when #:tolerance 1e-10 #:iterations 2)))
  (test-equal "criteria of criteria" 'relative-change
    (reason-for (stop-when (stop-when #:iterations 20) (stop-when #:relative-change 0.5))))
  (test-equal "a procedure" 'enough (reason-for (lambda (iteration model) (and (= 2 (iteration-number iteration)) 'enough))))
  (test-equal "a procedure sees the model" 'custom
    (reason-for (stop-when (lambda (model-iteration model) (> (vec-norm model) 0)) #:iterations 5)))
  (test-equal "a text as reason" "the user has seen enough"
    (solver-result-message (conjugate-gradient springs b #:stop (lambda (iteration model) "the user has seen enough"))))
  (test-assert "numbers in texts have three digits"
    (let* ((result (conjugate-gradient springs b #:stop (stop-when #:relative-change 0.5)))
           (number (third (string-tokenize (string-drop (solver-result-message result) (string-length "the model "))))))
      (<= (string-length (string-trim (string-delete #\. (first (string-split number #\e))) #\0)) 3)))
  (test-assert "all are criteria" (and (stop-criterion? (stop-when)) (stop-criterion? (const #f)) (not (stop-criterion? 10))))
  (test-equal "what would never end does" '(iterations 10000)
    (let ((result (landweber (identity-operator 1) (f64vector 1) (f64vector 0) #:step 1e-9 #:stop (const #f))))
      (list (reason result) (count-iterations result)))))

(define-remote (solve-in-a-task)
  (call-with-output-string
    (lambda (port)
      (parameterize ((progress-port port) (solver-callback print-iteration))
        (conjugate-gradient (identity-operator 2) (f64vector 1 2))))))

(define (test-callback)
  (define (lines thunk)
    (call-with-output-string
      (lambda (port)
        (parameterize ((progress-port port) (solver-callback print-iteration)) (thunk)))))
  (test-equal "a line for each iteration" "   0  residual 5.000e+00
   1  residual 0.000e+00  change 1.000e+00  step 1.000e+00
"
    (lines (lambda () (conjugate-gradient (identity-operator 2) (f64vector 3 4)))))
  (test-equal "of Gauss and Newton" "   0  phi_d 2.500e+01  phi_m 0.000e+00
   1  phi_d 6.250e+00  phi_m 6.250e+00  weight 1.000e+00  change 1.000e+00  step 1.000e+00  inner    1
"
    (lines (lambda () (gauss-newton (identity-operator 2) (f64vector 3 4) (f64vector 0 0) #:stop (stop-when #:iterations 1)))))
  (test-equal "numbers at the end of a decade" "   0  residual 1.000e+05\n"
    (lines (lambda () (conjugate-gradient (identity-operator 1) (f64vector 99999.9) #:stop (stop-when #:iterations 0)))))
  (test-equal "#f: none" "" (lines (lambda () (conjugate-gradient springs b #:callback #f))))
  (test-equal "no port: none" 'tolerance
    (parameterize ((progress-port #f) (solver-callback print-iteration)) (reason (conjugate-gradient springs b))))
  (test-equal "none in a task" '("") (pool-map (make-serial-pool) (remote (lambda (i) (solve-in-a-task))) '(0)))
  (test-assert "gets iteration and model"
    (let* ((seen '())
           (result (conjugate-gradient springs b #:callback (lambda (iteration model) (set! seen (cons (cons iteration model) seen))))))
      (and (equal? (map car (reverse seen)) (solver-result-history result))
           (eq? (cdr (first seen)) (solution result)))))
  (test-equal "a parameter" 4
    (let ((calls 0))
      (parameterize ((solver-callback (lambda (iteration model) (set! calls (1+ calls)))))
        (conjugate-gradient springs b #:stop (stop-when #:iterations 3)))
      calls)))

(define (test-refusals)
  (define (gn . options) (apply gauss-newton exponentials exact-data zero3 options))
  (test-refused "nonlinear: conjugate-gradient" "exponentials is not linear" (conjugate-gradient exponentials exact-data))
  (test-refused "nonlinear: cgls" "exponentials is not linear" (cgls exponentials exact-data))
  (test-refused "nonlinear: regularization" "#:regularization: exponentials is not linear" (gn #:regularization exponentials))
  (test-refused "no operator" "expected an operator" (landweber car exact-data zero3))
  (test-refused "not square" "from R^4 to R^6; expected an operator from a space to itself"
    (conjugate-gradient tall-operator tall-data))
  (test-condition "data of another length" shape-error? (cgls tall-operator (f64vector 1 2 3)))
  (test-refused "data of another length, in words" "the data: expected an element of R^6 (an f64vector of 6), got an f64vector of 3"
    (cgls tall-operator (f64vector 1 2 3)))
  (test-condition "complex data for a real operator" shape-error? (cgls tall-operator (make-c64vector 6 0.)))
  (test-condition "a start of another length" shape-error? (conjugate-gradient springs b #:start zero3))
  (test-refused "a start, in words" "the start: expected an element of R^3"
    (landweber exponentials exact-data (f64vector 1 2)))
  (test-refused "the reference" "#:reference: expected an element of R^3" (gn #:reference (f64vector 1)))
  (test-refused "the regularization" "expected an operator from R^3, the space of models, to itself"
    (gn #:regularization springs))
  ;; Exact, but beyond the range of inexact numbers.
  (let ((vast (expt 10 400)))
    (test-refused "vast #:std" "#:std: expected a positive number" (gn #:std vast))
    (test-refused "tiny #:std" "#:std: expected a positive number" (gn #:std (/ vast)))
    (test-refused "vast #:beta" "expected" (gn #:beta vast))
    (test-refused "vast #:damping" "#:damping: expected a number from 0" (cgls tall-operator tall-data #:damping vast))
    (test-refused "vast #:tolerance" "#:tolerance: expected a number from 0" (stop-when #:tolerance vast))
    (test-refused "vast #:tau" "#:tau: expected a positive number" (stop-when #:discrepancy 1 #:tau vast)))
  (test-refused "data that are not finite" "the data: number 3 (from 0) is +nan.0"
    (cgls tall-operator (f64vector 1 2 3 +nan.0 5 6)))
  (test-refused "a start that is not finite" "the start: number 1 (from 0) is +inf.0"
    (gauss-newton exponentials exact-data (f64vector 0 +inf.0 0)))
  (test-refused "not positive definite" "in iteration 1 the direction p has <p, A p> = -1.0: the operator is not positive definite"
    (conjugate-gradient (diagonal-operator (f64vector -1 1)) (f64vector 1 0)))
  (test-refused "std of zero" "#:std: number 2 (from 0) is 0.0; standard deviations must be positive"
    (gn #:std (f64vector 1 1 0 1 1)))
  (test-refused "negative std" "#:std: expected a positive number, got -1" (gn #:std -1))
  (test-condition "std of another length" shape-error? (gn #:std (f64vector 1 1)))
  (test-refused "std of another kind" "#:std: expected a number or an f64vector"
    (irgnm exponentials exact-data zero3 #:std 'small))
  (test-refused "damping" "#:damping: expected a number from 0, got -1" (cgls tall-operator tall-data #:damping -1))
  (test-refused "step" "#:step: expected a positive number, got 0" (landweber exponentials exact-data zero3 #:step 0))
  (test-refused "no derivative to choose a step from" "give #:step"
    (landweber (diagonal-operator (f64vector 0 0 0)) (f64vector 1 1 1) zero3))
  (test-refused "beta" "#:beta: expected a number from 0, got -2" (gn #:beta -2))
  (test-refused "beta twice" "leave one of them out" (gn #:beta 1 #:beta-schedule '(1 2)))
  (test-refused "beta-schedule" "#:beta-schedule: expected a positive factor, a list of weights, or a procedure"
    (gn #:beta-schedule "half"))
  (test-refused "in a beta-schedule" "#:beta-schedule: expected a number from 0, got oops" (gn #:beta-schedule '(1 oops)))
  (test-refused "what a beta-schedule returned" "what #:beta-schedule returned for iteration 1: expected a number from 0, got #f"
    (gn #:beta-schedule (const #f)))
  (test-refused "alpha-schedule" "#:alpha-schedule: expected a pair" (irgnm exponentials exact-data zero3 #:alpha-schedule 3))
  (test-refused "noise-level" "#:noise-level: expected a positive number, got 0"
    (irgnm exponentials exact-data zero3 #:noise-level 0))
  (test-refused "tau alone" "there is no #:noise-level" (irgnm exponentials exact-data zero3 #:tau 2))
  (test-refused "bounds" "#:bounds: expected a pair" (gn #:bounds 3))
  (test-refused "bounds the wrong way round" "the lower bound of unknown 1 (from 0) is 2.0, above the upper bound 1.0"
    (gn #:bounds (cons (f64vector 0 2 0) 1.)))
  (test-condition "bounds of another length" shape-error? (gn #:bounds (cons (f64vector 0 0) 1)))
  (test-refused "bounds of complex models" "complex numbers have no order"
    (gauss-newton squares (c64vector 1 1) (c64vector 1 1) #:bounds '(0 . 1)))
  (test-refused "stop" "#:stop: expected what stop-when returns" (gn #:stop 10))
  (for-each
   (lambda (low high)
     (test-refused (format #f "solve-least-squares between ~a and ~a" low high) "the bounds of unknown 1 (from 0) are"
       (solve-least-squares 6 4 tall tall-data #:lower (f64vector 0 low 0 0) #:upper (f64vector 1 high 1 1))))
   '(2. +nan.0 0. +inf.0 -inf.0) '(1. 1. +nan.0 +inf.0 -inf.0))
  (test-refused "callback" "#:callback: expected a procedure" (gn #:callback 'print))
  (test-refused "inner-stop" "#:inner-stop: expected what stop-when returns" (gn #:inner-stop 1e-6))
  (test-refused "inner-stop of irgnm" "#:inner-stop: expected what stop-when returns" (irgnm exponentials exact-data zero3 #:inner-stop 5))
  (for-each
   (lambda (x)
     (test-refused (format #f "beta ~a" x) "#:beta: expected a number from 0" (gn #:beta x))
     (test-refused (format #f "a factor ~a" x) "#:beta-schedule: expected a positive factor" (gn #:beta-schedule x))
     (test-refused (format #f "std ~a" x) "#:std: expected a positive number" (gn #:std x))
     (test-refused (format #f "std of irgnm ~a" x) "#:std: expected a positive number" (irgnm exponentials exact-data zero3 #:std x))
     (test-refused (format #f "damping ~a" x) "#:damping: expected a number from 0" (cgls tall-operator tall-data #:damping x))
     (test-refused (format #f "a step ~a" x) "#:step: expected a positive number" (landweber exponentials exact-data zero3 #:step x))
     (test-refused (format #f "a first alpha ~a" x) "#:alpha: expected a number from 0"
       (irgnm exponentials exact-data zero3 #:alpha-schedule (cons x 1/2)))
     (test-refused (format #f "a noise level ~a" x) "#:noise-level: expected a positive number"
       (irgnm exponentials exact-data zero3 #:noise-level x))
     (test-refused (format #f "a tolerance ~a" x) "#:tolerance: expected a number from 0" (stop-when #:tolerance x))
     (test-refused (format #f "iterations ~a" x) "#:iterations: expected a number of iterations" (stop-when #:iterations x))
     (test-refused (format #f "a reference with ~a" x) "#:reference: number 1 (from 0) is" (gn #:reference (f64vector 0 x 0)))
     (test-refused (format #f "a start of conjugate-gradient with ~a" x) "#:start: number 1 (from 0) is"
       (conjugate-gradient (identity-operator 3) zero3 #:start (f64vector 0 x 0))))
   '(+nan.0 -inf.0 +inf.0))
  (test-refused "std that is no number" "#:std: number 1 (from 0) is +nan.0" (gn #:std (f64vector 1 +nan.0 1 1 1)))
  (test-refused "stop-when: what is that" "got 5" (stop-when 5))
  (test-refused "stop-when: a key alone" "got #:iterations" (stop-when #:iterations))
  (test-refused "stop-when: an unknown key" "got #:iteration" (stop-when #:iteration 5))
  (test-refused "stop-when: iterations" "#:iterations: expected a number of iterations" (stop-when #:iterations 1.5))
  (test-refused "stop-when: tolerance" "#:tolerance: expected a number from 0, got -1" (stop-when #:tolerance -1))
  (test-refused "stop-when: tau alone" "there is no #:discrepancy" (stop-when #:tau 2))
  (test-refused "stop-when: tau" "#:tau: expected a positive number, got 0" (stop-when #:discrepancy 1 #:tau 0))
  (test-refused "a tolerance where there is no measure" "use #:relative-change or #:discrepancy"
    (gn #:stop (stop-when #:tolerance 1e-3))))

(define (test-not-finite)
  (let ((e (error-of (lambda () (conjugate-gradient (broken-from 3) (f64vector 1 2 4))))))
    (test-assert "an operator that breaks" (solver-error? e))
    (test-assert "in which iteration"
      (string-contains (condition->string e)
                       "In procedure conjugate-gradient: in iteration 3 the operator returned numbers that are not finite"))
    (test-equal "and what there was" (list 2 'failed)
      (list (count-iterations (solver-error-result e)) (reason (solver-error-result e))))
    (test-assert "with the last good model"
      (every (lambda (x) (< -inf.0 x +inf.0)) (f64vector->list (solution (solver-error-result e))))))
  (test-refused "at the start" "at the start the norm of the residual is +nan.0"
    (landweber (broken-from 1) (f64vector 1 2 3) zero3 #:step 1))
  (test-equal "at the start there is no good model" #f
    (solver-error-result (error-of (lambda () (landweber (broken-from 1) (f64vector 1 2 3) zero3 #:step 1)))))
  (let ((e (error-of (lambda () (gauss-newton (broken-from 3) (f64vector 1 2 3) zero3)))))
    (test-assert "in the inner solver" (string-contains (condition->string e) "In procedure gauss-newton: in iteration"))
    (test-assert "in the inner solver: named" (string-contains (condition->string e) "the inner solver failed: "))
    (test-equal "in the inner solver: the model of the outer one" zero3 (solution (solver-error-result e))))
  (test-condition "in irgnm" solver-error? (irgnm (broken-from 4) (f64vector 1 2 3) zero3 #:alpha-schedule '(1)))
  (test-condition "in cgls" solver-error? (cgls (broken-from 4) (f64vector 1 2 3))))

;;; SimPEG's inversion of gravity data.

(define (read-oracle name)
  (call-with-input-file (string-append shared "/oracle/simpeg/" name ".json") json->scm))

(define (field object . names)
  (fold (lambda (name object) (assoc-ref object name)) object names))

(define (field->f64vector object . names)
  (list->f64vector (map exact->inexact (vector->list (apply field object names)))))

(define (compare-with-simpeg)
  (let* ((inversion (read-oracle "grav_inversion"))
         (tiled (read-oracle "grav_tiled"))
         (coo (field inversion "regularization" "R_coo"))
         (result (gauss-newton (matrix-operator 25 384 (field->f64vector tiled "G_rowmajor_in_meta_data_order"))
                               (field->f64vector inversion "dobs_mGal") (make-f64vector 384 0.)
                               #:std (field->f64vector inversion "standard_deviation")
                               #:regularization (sparse-operator 384 384 (vector->list (field coo "row")) (vector->list (field coo "col"))
                                                                 (field->f64vector coo "val"))
                               #:beta (field inversion "beta0") #:beta-schedule 1/2 #:stop (stop-when #:iterations 10))))
    (define (same? entry expected)
      (define (near? x name) (< (abs (- 1 (/ x (field expected name)))) 1e-4))
      (and (near? (iteration-weight entry) "beta_used")
           (near? (iteration-phi-d entry) "phi_d") (near? (iteration-phi-m entry) "phi_m")
           (near? (iteration-phi-d entry) "phi_d_exact_minimiser") (near? (iteration-phi-m entry) "phi_m_exact_minimiser")
           (= 1 (iteration-step-length entry))))
    (for-each (lambda (entry expected)
                (test-assert (format #f "iteration ~a" (iteration-number entry)) (same? entry expected)))
              (cdr (solver-result-history result)) (vector->list (field inversion "iterations")))
    (test-assert "the model" (near? (solution result) (field->f64vector inversion "final_model") 1e-4))))

(call-with-tap
 (lambda ()
   ;; A test's output is its results.
   (parameterize ((solver-callback #f))
     (test-group "conjugate-gradient" (test-conjugate-gradient))
     (test-group "cgls" (test-cgls))
     (test-group "landweber" (test-landweber))
     (test-group "gauss-newton" (test-gauss-newton))
     (test-group "beta" (test-beta))
     (test-group "bounds" (test-bounds) (test-bounded-minima))
     (test-group "wrong operators" (test-wrong-operators))
     (test-group "muted data" (test-muted))
     (test-group "scaled" (test-scaled))
     (test-group "irgnm" (test-irgnm))
     (test-group "stop" (test-stop))
     (test-group "callback" (test-callback))
     (test-group "refused" (test-refusals))
     (test-group "not finite" (test-not-finite))
     (test-group "oracle"
       (cond ((not shared) (tap-skip "gravity" "TUTTI_SHARED is not set"))
             ((not json->scm) (tap-skip "gravity" "guile-json is not installed"))
             (else (compare-with-simpeg)))))))
