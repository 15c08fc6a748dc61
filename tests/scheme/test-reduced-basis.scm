;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Reduced bases: errors against estimates where theory says how far they can be apart, matrices of every kind, and what is no problem.
(use-modules (tap)
             (tutti)
             (tutti greedy)
             (tutti linear)
             (tutti reduced-basis)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-64))

(define (complaint thunk)
  "Return the text of the error that @var{thunk} raises."
  (with-exception-handler condition->string (lambda () (thunk) "no error") #:unwind? #t))

(define-syntax-rule (test-refused name part expression)
  (let ((text (complaint (lambda () expression))))
    (test-equal name (list #t text) (list (->bool (string-contains text part)) text))))

;;; -u'' + c u' + m u = f between 0 and 1 by linear finite elements, with the parameter (c m), m from 0. In the norm of u' it
;;; is coercive with the bound 1, as the convection is skew, and continuous with 1 + |c| / pi + m / pi^2, by the inequality
;;; of Poincaré and Friedrichs.

(define n 24)
(define h (/ 1. (1+ n)))
(define pi (acos -1))

(define (band below middle above)
  "Return the lists of rows, columns and numbers of the tridiagonal matrix with these."
  (let ((places (filter (lambda (place) (< -1 (second place) n))
                        (append-map (lambda (i) (list (list i (1- i) below) (list i i middle) (list i (1+ i) above))) (iota n)))))
    (list (map first places) (map second places) (map third places))))

(define (sparse band)
  (sparse-operator n n (first band) (second band) (list->f64vector (third band))))

(define (dense band)
  (let ((matrix (make-f64vector (* n n) 0.)))
    (for-each (lambda (i j x) (f64vector-set! matrix (+ j (* i n)) x)) (first band) (second band) (third band))
    matrix))

(define diffusion (band (/ -1 h) (/ 2 h) (/ -1 h)))
(define convection (band -0.5 0. 0.5))
(define mass (band (/ h 6) (/ h 3/2) (/ h 6)))
(define load (list->f64vector (map (lambda (i) (* h (exp (* 2 h i)))) (iota n))))

(define-remote (thetas mu) (list 1 (first mu) (second mu)))

(define* (problem #:key (kind sparse) (matrices (map kind (list diffusion convection mass))) (coefficients thetas) (load load)
                  (product (kind diffusion)) (coercivity 1))
  (make-affine-problem #:matrices matrices #:coefficients coefficients #:right-hand-side load #:product product
                       #:coercivity coercivity))

;; The default of #:coercivity is 1.
(define (usual-problem kind)
  (make-affine-problem #:matrices (map kind (list diffusion convection mass)) #:coefficients thetas #:right-hand-side load
                       #:product (kind diffusion)))

(define training (append-map (lambda (c) (map (lambda (m) (list c m)) '(0. 1. 10. 100.))) '(-20. -5. 0. 5. 20.)))
(define others '((-13. 3.) (2. 50.) (17. 0.5) (-1. 80.) (0.5 0.5)))

(define (energy-norm v)
  (sqrt (vec-dot v (matrix-vector n n (dense diffusion) v))))

(define (error-at problem basis mu)
  "Return the error of the reduced solution for @var{mu}, from matrices that are put together here."
  (let* ((matrix (fold vec+ (dense diffusion) (list (vec-scale (first mu) (dense convection)) (vec-scale (second mu) (dense mass)))))
         (full (solve-linear n matrix load)))
    (energy-norm (vec- full (reduced-basis-lift basis (solve-reduced-model (reduced-basis-model basis) mu))))))

(define (greedy pool problem . options)
  (apply reduced-basis-greedy pool problem training #:callback #f options))

(define (test-effectivity problem)
  (define result (greedy (make-serial-pool) problem #:max-size 4))
  (define basis (greedy-result-model result))
  (define model (reduced-basis-model basis))
  (test-assert "the estimate is above the error, by no more than continuity by coercivity"
    (every (lambda (mu)
             (let* ((effectivity (/ (error-estimate model mu) (error-at problem basis mu)))
                    (most (+ 1 (/ (abs (first mu)) pi) (/ (second mu) pi pi))))
               (and (<= (- 1 1e-9) effectivity) (<= effectivity (+ most 1e-9)))))
           others))
  (test-assert "the true error is the error"
    (every (lambda (mu)
             (let ((error (error-at problem basis mu)))
               (< (abs (- 1 (/ (true-error (list model (reduced-basis-vectors basis) problem) mu) error))) 1e-8)))
           others))
  (test-assert "the largest errors are those of the training set"
    (let ((largest (apply max (map (lambda (mu) (error-estimate model mu)) training)))
          (next (last (greedy-result-errors (greedy (make-serial-pool) problem #:max-size 5)))))
      (< (abs (- 1 (/ next largest))) 1e-6))))

(define (summary result)
  (list (greedy-result-indices result) (greedy-result-errors result) (greedy-result-reason result)))

(define (near? a b)
  "Return true if the summaries @var{a} and @var{b} are the same but for rounding."
  (and (equal? (first a) (first b)) (equal? (third a) (third b))
       (every (lambda (x y) (<= (abs (- x y)) (* 1e-8 (abs y)))) (second a) (second b))))

(define (test-kinds pool)
  (define expected (summary (greedy (make-serial-pool) (problem #:kind dense) #:tolerance 1e-5)))
  (for-each
   (lambda (name kind)
     (test-assert (string-append name ": the same basis as from f64vectors")
       (near? (summary (greedy pool (problem #:kind kind) #:tolerance 1e-5)) expected))
     (test-assert (string-append name ": by true errors")
       (let ((result (greedy pool (problem #:kind kind) #:tolerance 1e-5 #:true-error? #t)))
         (and (eq? 'tolerance (greedy-result-reason result))
              (every (lambda (mu) (<= (error-at (problem) (greedy-result-model result) mu) 1.001e-5)) training)))))
   '("sparse operators" "dense operators" "sums of operators")
   (list sparse
         (lambda (band) (matrix-operator n n (dense band)))
         (lambda (band) (operator-sum (operator-scale 0.5 (sparse band)) (operator-scale 0.5 (matrix-operator n n (dense band)))))))
  (test-assert "the default of #:coercivity is 1, on workers, too"
    (near? (summary (greedy pool (usual-problem sparse) #:tolerance 1e-5)) expected))
  (test-assert "a number for all parameters: estimates are that much larger"
    (let ((errors (second (summary (greedy pool (problem #:coercivity 0.25) #:max-size 2)))))
      (every (lambda (x y) (< (abs (- 1 (/ x y 4))) 1e-8)) errors (second expected))))
  (test-equal "the matrix, whatever it is made of" (affine-problem-matrix (problem #:kind dense) '(3. 4.))
    (affine-problem-matrix (problem) '(3. 4.))))

(define (test-training pool)
  (define (select training . options)
    (let ((result (apply reduced-basis-greedy pool (problem) training #:callback #f options)))
      (list (map (lambda (index) (list-ref training index)) (greedy-result-indices result)) (greedy-result-reason result))))
  (test-equal "parameters that come twice change nothing" (first (select others #:tolerance 1e-8))
    (first (select (append others others) #:tolerance 1e-8)))
  (test-equal "all parameters the same: one solution is enough" '(((2. 3.)) tolerance) (select '((2. 3.) (2. 3.) (2. 3.)) #:tolerance 1e-9))
  (test-refused "no parameter" "at least one parameter" (select '()))
  (test-equal "nothing acts: nothing is needed" '(() tolerance)
    (let ((result (reduced-basis-greedy pool (problem #:load (make-f64vector n 0.)) training #:callback #f)))
      (list (greedy-result-indices result) (greedy-result-reason result))))
  (for-each
   (lambda (scale)
     (test-assert (format #f "a load of ~a: the same parameters, and errors in proportion" scale)
       (let ((expected (greedy pool (problem) #:max-size 3))
             (result (greedy pool (problem #:load (vec-scale scale load)) #:max-size 3)))
         (and (equal? (greedy-result-indices result) (greedy-result-indices expected))
              (every (lambda (x y) (< (abs (- 1 (/ x scale y))) 1e-8)) (greedy-result-errors result) (greedy-result-errors expected))))))
   '(1e-200 1e200)))

(define (with-number matrix place x)
  (let ((copy (vec-scale 1 matrix)))
    (f64vector-set! copy place x)
    copy))

(define (test-construction)
  (define a (dense diffusion))
  (for-each
   (lambda (x)
     (test-refused (format #f "~a in a matrix" x)
       (format #f "matrix 1 (from 0): the number in row 2, column 3 (from 0) is ~a" x)
       (problem #:kind dense #:matrices (list a (with-number a (+ 3 (* 2 n)) x))
                #:coefficients thetas))
     (test-refused (format #f "~a in a sparse matrix" x)
       (format #f "matrix 0 (from 0): the number in row 0, column 1 (from 0) is ~a" x)
       (problem #:matrices (list (sparse-operator n n '(0) '(1) (f64vector x)))))
     (test-refused (format #f "~a in the right-hand side" x) (format #f "#:right-hand-side: number 5 (from 0) is ~a" x)
       (problem #:load (with-number load 5 x)))
     (test-refused (format #f "~a in the product" x) (format #f "#:product: the number in row 0, column 0 (from 0) is ~a" x)
       (problem #:product (with-number a 0 x)))
     (test-refused (format #f "~a as coercivity" x) "#:coercivity: expected a positive number or a procedure" (problem #:coercivity x)))
   '(+nan.0 +inf.0 -inf.0))
  (test-refused "a product that is not symmetric"
    "#:product is not symmetric: the number in row 1, column 0 (from 0) is 7.0, that in row 0, column 1"
    (problem #:product (with-number a n 7)))
  (test-refused "an indefinite product" "#:product is not positive definite" (problem #:product (with-number a 0 -1)))
  (test-refused "a semidefinite product" "#:product is not positive definite" (problem #:product (make-f64vector (* n n) 0.)))
  (test-refused "an indefinite sparse product" "#:product is not positive definite"
    (problem #:product (operator-scale -1 (sparse diffusion))))
  (test-condition "an operator of another size" shape-error? (problem #:matrices (list (identity-operator 3))))
  (test-condition "an operator that is not square" shape-error? (problem #:matrices (list (matrix-operator 1 n load))))
  (test-condition "a product of another size" shape-error? (problem #:product (identity-operator (1+ n))))
  (test-condition "a complex operator" shape-error? (problem #:matrices (list (identity-operator (complex-space n)))))
  (test-refused "an operator that is not linear" "is not linear" (problem #:matrices (list (exp-operator n))))
  (test-refused "a matrix of another kind" "matrix 0 (from 0): expected an f64vector of 24 x 24 numbers"
    (problem #:matrices (list 'identity)))
  (test-refused "no matrix" "#:matrices: expected a list" (problem #:matrices '()))
  (test-refused "no unknown" "at least one number" (problem #:load (f64vector)))
  (test-refused "no coefficients" "#:coefficients: expected a procedure" (problem #:coefficients '(1 2 3)))
  (test-refused "no positive coercivity" "#:coercivity: expected a positive number" (problem #:coercivity 0))
  (test-refused "no problem" "expected a problem that make-affine-problem returned, got 3" (make-reduced-basis 3)))

(define (test-procedures pool)
  "What the procedures of a problem return for the parameter (5. 1.)."
  (define (with-coercivity bound)
    (greedy pool (problem #:coercivity (remote ((bound bound)) (lambda (mu) (if (equal? mu '(5. 1.)) bound 1)))) #:tolerance 1e-3))
  (define (with-thetas odd)
    (greedy pool (problem #:coefficients (remote ((odd odd)) (lambda (mu) (if (equal? mu '(5. 1.)) odd (thetas mu))))) #:tolerance 1e-3))
  (for-each (lambda (bound)
              (test-refused (format #f "a coercivity of ~s" bound)
                (format #f "#:coercivity returned ~s for the parameter (5.0 1.0); expected a positive number" bound)
                (with-coercivity bound)))
            '(+nan.0 +inf.0 -inf.0 0 -1. #f 1+2i))
  (for-each (lambda (odd)
              (test-refused (format #f "coefficients of ~s" odd) (format #f "#:coefficients returned ~s for the parameter (5.0 1.0)" odd)
                (with-thetas odd)))
            '((1 +nan.0 2) (1 2 +inf.0) (1 2 #f) 7 (1 2 . 3)))
  (test-refused "too few coefficients" "the problem has 3 matrices, and #:coefficients returned 2 numbers for the parameter (5.0 1.0)"
    (with-thetas '(1 2)))
  (test-refused "coefficients that are too large" "the matrix for the parameter (5.0 1.0) has numbers that are not finite"
    (solve-affine-problem (problem #:coefficients (lambda (mu) '(1 1e308 1e308)) #:matrices (make-list 3 (sparse diffusion))) '(5. 1.)))
  (test-refused "a singular matrix" "the 24 x 24 matrix for the parameter (0 0) is singular"
    (solve-affine-problem (problem #:coefficients (lambda (mu) '(0 0 0))) '(0 0)))
  (test-refused "a snapshot that is not finite" "the snapshot: number 3 (from 0) is +nan.0"
    (reduced-basis-extend (make-reduced-basis (problem)) (with-number load 3 +nan.0)))
  (test-condition "coefficients of another basis" shape-error? (reduced-basis-lift (make-reduced-basis (problem)) (f64vector 1 2))))

(define (test-estimates pool)
  "What estimates may be, whatever the model is."
  (define (estimated x)
    (weak-greedy pool '(a b c) (remote ((x x)) (lambda (model parameter) (if (eq? parameter 'b) x 0))) (lambda (model parameter) #f)
                 #:model '() #:callback #f))
  (for-each (lambda (x)
              (test-refused (format #f "an estimate of ~s" x)
                (format #f "the estimate for training parameter 1 (from 0) is ~s; expected a number from 0. The parameter is b" x)
                (estimated x)))
            '(+nan.0 -inf.0 -1e-300 -2 #f 1+2i "small"))
  (test-equal "nothing known" '(+inf.0) (greedy-result-errors (estimated +inf.0)))
  (test-equal "exact" '(1/3) (greedy-result-errors (estimated 1/3)))
  (test-refused "no procedure" "expected a procedure that estimates" (weak-greedy pool '(1) 3 cons))
  (test-refused "an improper list" "the training set: expected a list" (weak-greedy pool '(1 . 2) (remote (lambda (m x) 1)) cons))
  (test-refused "a tolerance that is not a number" "#:tolerance: expected a number from 0, got +nan.0"
    (weak-greedy pool '(1) (remote (lambda (m x) 1)) cons #:tolerance +nan.0)))

;;; Problems that are large enough to be solved as bands: -u_xx - mu u_yy + c u_x = 1 on a square.

(define side 15)
(define points (* side side))

(define (stencil dx dy middle before after)
  "Return the operator on the grid that has @var{middle} at a point, and @var{before} and @var{after} beside it in the direction of
@var{dx} and @var{dy}."
  (define places
    (append-map (lambda (k)
                  (let ((x (quotient k side)) (y (remainder k side)))
                    (filter-map (lambda (step number)
                                  (let ((x (+ x (* step dx))) (y (+ y (* step dy))))
                                    (and (< -1 x side) (< -1 y side) (list k (+ y (* side x)) number))))
                                '(-1 0 1) (list before middle after))))
                (iota points)))
  (sparse-operator points points (map first places) (map second places) (list->f64vector (map third places))))

(define across (stencil 1 0 2. -1. -1.))
(define along (stencil 0 1 2. -1. -1.))
(define wind (stencil 1 0 0. -0.5 0.5))

(define (test-bands)
  (define-syntax-rule (on-square convert)
    (make-affine-problem #:matrices (map convert (list across along wind)) #:coefficients (remote (lambda (mu) (cons 1 mu)))
                         #:right-hand-side (make-f64vector points 1.) #:product (convert (operator-sum across along))
                         #:coercivity (remote (lambda (mu) (min 1 (car mu))))))
  (define banded (on-square identity))
  (define full (on-square operator->matrix))
  (define parameters (append-map (lambda (d) (map (lambda (c) (list d c)) '(0. 0.3 1.1))) '(0.1 0.7 3.)))
  (test-assert "solutions of unsymmetric matrices"
    (every (lambda (mu)
             (let ((u (solve-affine-problem banded mu)) (v (solve-affine-problem full mu)))
               (< (vec-norm (vec- u v)) (* 1e-12 (vec-norm v)))))
           parameters))
  (test-equal "the matrix" (affine-problem-matrix full '(2. 0.5)) (affine-problem-matrix banded '(2. 0.5)))
  (let ((expected (reduced-basis-greedy (make-serial-pool) full parameters #:callback #f #:tolerance 1e-6)))
    (for-each
     (lambda (workers)
       (call-with-pool workers
         (lambda (pool)
           (test-assert (format #f "the same basis, ~a workers" workers)
             (near? (summary (reduced-basis-greedy pool banded parameters #:callback #f #:tolerance 1e-6)) (summary expected)))
           (test-assert "by true errors"
             (near? (summary (reduced-basis-greedy pool banded parameters #:callback #f #:max-size 3 #:true-error? #t))
                    (summary (reduced-basis-greedy pool full parameters #:callback #f #:max-size 3 #:true-error? #t)))))))
     '(1 3)))
  (test-refused "singular" "the 225 x 225 matrix for the parameter (0 0) is singular"
    (solve-affine-problem (make-affine-problem #:matrices (list across) #:coefficients (lambda (mu) '(0)) #:product across
                                               #:right-hand-side (make-f64vector points 1.))
                          '(0 0)))
  (test-refused "coefficients that are too large" "the matrix for the parameter big has numbers that are not finite"
    (solve-affine-problem (make-affine-problem #:matrices (list across along) #:coefficients (lambda (mu) '(1e308 1e308)) #:product across
                                               #:right-hand-side (make-f64vector points 1.))
                          'big))
  (test-refused "an indefinite product" "#:product is not positive definite"
    (make-affine-problem #:matrices (list across) #:coefficients identity #:right-hand-side (make-f64vector points 1.)
                         #:product (operator-sum across (operator-scale -1 along))))
  (test-refused "a product that is not symmetric" "#:product is not symmetric: the number in row 15, column 0 (from 0) is -0.5"
    (make-affine-problem #:matrices (list across) #:coefficients identity #:right-hand-side (make-f64vector points 1.)
                         #:product (operator-sum (identity-operator points) wind))))

(call-with-tap
 (lambda ()
   (test-group "bands" (test-bands))
   (test-group "effectivity" (test-effectivity (problem)))
   (test-group "construction" (test-construction))
   (test-group "serial" (test-procedures (make-serial-pool)) (test-estimates (make-serial-pool)))
   (call-with-pool 2
     (lambda (pool)
       (test-group "kinds of matrices" (test-kinds pool))
       (test-group "training sets" (test-training pool))
       (test-group "what procedures return" (test-procedures pool))
       (test-group "estimates" (test-estimates pool))))))
