;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Interpolated operators and reduced models of nonlinear problems: derivatives, exactness in what they are made of, how much they look at,
;; Newton's method, and what is refused.
(use-modules (tap)
             (reduction)
             (tutti)
             (tutti reduced-basis)
             (tutti reduction)
             (srfi srfi-1)
             (srfi srfi-64))

;;; -a u'' + b u^3 = 1 between 0 and 1, by differences: N (u) = h u^3 is local.

(define (diffusion n)
  (let* ((h (/ 1. (1+ n)))
         (entries (append-map (lambda (i) (filter (lambda (e) (< -1 (second e) n))
                                                  (list (list i (1- i) (/ -1 h)) (list i i (/ 2 h)) (list i (1+ i) (/ -1 h)))))
                              (iota n))))
    (sparse-operator n n (map first entries) (map second entries) (list->f64vector (map third entries)))))

(define-remote (cubes h n)
  (make-operator #:name "cubes" #:domain n #:codomain n
                 #:evaluate (lambda (u) (vec-scale h (vec* u (vec* u u))))
                 #:linearize (lambda (u)
                               (values (vec-scale h (vec* u (vec* u u))) (diagonal-operator (vec-scale (* 3 h) (vec* u u)))))))

(define looked-at '())                  ; how many numbers restrictions have asked for

(define (restriction n)
  (lambda (dofs)
    (set! looked-at (cons (length dofs) looked-at))
    (values dofs (cubes (/ 1. (1+ n)) (length dofs)))))

(define (affine n)
  (make-affine-problem #:matrices (list (diffusion n)) #:coefficients (remote (lambda (mu) (list (first mu))))
                       #:right-hand-side (make-f64vector n (/ 1. (1+ n))) #:product (diffusion n)))

(define (problem n)
  (make-nonlinear-problem (affine n) (cubes (/ 1. (1+ n)) n) #:factor (remote (lambda (mu) (second mu)))))

(define training (append-map (lambda (a) (map (lambda (b) (list a b)) '(1. 30. 300. 1000.))) '(0.02 0.1 0.5)))
(define others '((0.05 100.) (0.3 500.) (0.03 5.)))

(define (residual n mu u)
  (let ((h (/ 1. (1+ n))))
    (vec- (vec+ (vec-scale (first mu) (evaluate (diffusion n) u)) (vec-scale (* h (second mu)) (vec* u (vec* u u))))
          (make-f64vector n h))))

(define (lift modes coefficients)
  (fold (lambda (c mode sum) (vec+ sum (vec-scale c mode))) (vec-scale 0 (car modes)) (f64vector->list coefficients) modes))

(define (test-newton n)
  (define name (format #f "~a unknowns: " n))
  (define right (vec-norm (make-f64vector n (/ 1. (1+ n)))))
  (for-each (lambda (mu)
              (test-assert (format #f "~asolves for ~a" name mu)
                (<= (vec-norm (residual n mu (solve-nonlinear-problem (problem n) mu))) (* 1e-10 right))))
            others)
  (test-assert (string-append name "from another start")
    (let ((mu (first others)))
      (< (distance (solve-nonlinear-problem (problem n) mu #:start (make-f64vector n 2.)) (solve-nonlinear-problem (problem n) mu)) 1e-7)))
  (test-assert (string-append name "a linear problem")
    (< (distance (solve-nonlinear-problem (problem n) '(1. 0.)) (solve-affine-problem (affine n) '(1. 0.))) 1e-9))
  (test-assert (string-append name "too few steps")
    (complains? "after 1 steps the norm of the residual is" (lambda () (solve-nonlinear-problem (problem n) '(0.02 1000.) #:most 1))))
  (test-assert (string-append name "a precision that there is not")
    (complains? "falls no further" (lambda () (solve-nonlinear-problem (problem n) '(0.02 1000.) #:tolerance 1e-30)))))

(define (test-operator)
  (define n 80)
  (define solutions (map (lambda (mu) (solve-nonlinear-problem (problem n) mu)) training))
  (define exact (cubes (/ 1. (1+ n)) n))
  (define values-of (map (lambda (u) (evaluate exact u)) solutions))
  (for-each
   (lambda (name ei)
     (define op (interpolated-operator ei (restriction n)))
     (test-assert (string-append name ": values that it was made of")
       (every (lambda (u v) (< (distance (evaluate op u) v) 1e-6)) solutions values-of))
     (test-assert (string-append name ": values in between")
       (let ((u (solve-nonlinear-problem (problem n) (first others))))
         (< (distance (evaluate op u) (evaluate exact u)) 1e-3)))
     (test-assert (string-append name ": its derivative") (< (check-derivative op (first solutions)) 1e-5))
     (test-assert (string-append name ": the adjoint of that")
       (< (check-adjoint (call-with-values (lambda () (linearize op (first solutions))) (lambda (y d) d))) 1e-10))
     (test-equal (string-append name ": it looks at its degrees of freedom") (ei-result-dofs ei) (interpolated-sources op)))
   '("ei-greedy" "nodal" "deim" "qdeim")
   (list (ei-greedy values-of #:rtol 1e-9) (ei-greedy values-of #:rtol 1e-9 #:nodal-basis? #t)
         (deim values-of #:rtol 1e-9 #:method 'svd)
         (qdeim values-of #:rtol 1e-9 #:method 'svd))))

(define (reduced n)
  "Return a reduced model for @var{n} unknowns, and its modes."
  (let* ((solutions (map (lambda (mu) (solve-nonlinear-problem (problem n) mu)) training))
         (exact (cubes (/ 1. (1+ n)) n))
         (ei (ei-greedy (map (lambda (u) (evaluate exact u)) solutions) #:rtol 1e-9))
         (modes (pod-result-modes (pod solutions #:product (diffusion n) #:method 'svd #:rtol 1e-9))))
    (values (nonlinear-reduced-model (problem n) modes (interpolated-operator ei (restriction n))) modes)))

(define (test-model)
  (for-each
   (lambda (n)
     (call-with-values (lambda () (reduced n))
       (lambda (model modes)
         (test-assert (format #f "~a unknowns: what it was made of" n)
           (every (lambda (mu) (< (distance (lift modes (solve-nonlinear-model model mu)) (solve-nonlinear-problem (problem n) mu)) 1e-6))
                  training))
         (test-assert (format #f "~a unknowns: other parameters" n)
           (every (lambda (mu) (< (distance (lift modes (solve-nonlinear-model model mu)) (solve-nonlinear-problem (problem n) mu)) 1e-4))
                  others))
         (test-assert (format #f "~a unknowns: few modes" n) (<= 3 (length modes) 12))
         (test-equal (format #f "~a unknowns: as many coefficients" n) (length modes)
           (f64vector-length (solve-nonlinear-model model (first others)))))))
   '(60 400))
  ;; What is evaluated does not grow with the problem.
  (test-assert "as few numbers are looked at in the large problem as in the small one"
    (let ((large (first looked-at)) (small (second looked-at)))
      (<= (abs (- large small)) 3)))
  (let* ((n 60)
         (solutions (map (lambda (mu) (solve-nonlinear-problem (problem n) mu)) (list-head training 4)))
         (basis (fold (lambda (u basis) (or (reduced-basis-extend basis u) basis)) (make-reduced-basis (affine n)) solutions))
         (ei (ei-greedy (map (lambda (u) (evaluate (cubes (/ 1. 61) n) u)) solutions)))
         (model (nonlinear-reduced-model (problem n) basis (interpolated-operator ei (restriction n)))))
    (test-assert "a reduced basis"
      (every (lambda (mu u) (< (distance (reduced-basis-lift basis (solve-nonlinear-model model mu)) u) 1e-7))
             (list-head training 4) solutions))))

(define (test-travel)
  (define expected (map (lambda (mu) (solve-nonlinear-problem (problem 150) mu)) training))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "problems travel: the same bits on workers" expected
        (pool-map pool solve-nonlinear-problem (make-list (length training) (problem 150)) training)))))

(define (test-reduced-travel)
  (call-with-values (lambda () (reduced 60))
    (lambda (model modes)
      (define expected (map (lambda (mu) (solve-nonlinear-model model mu)) training))
      (call-with-pool 2
        (lambda (pool)
          (let ((pushed (pool-push pool model)))
            (test-equal "reduced models travel" expected
              (pool-map pool solve-nonlinear-model (make-list (length training) pushed) training))))))))

(define (test-refusals)
  (define n 20)
  (define ei (ei-greedy (list (make-f64vector n 1.) (list->f64vector (iota n)))))
  (define-syntax-rule (refused name part expression)
    (test-assert name (complains? part (lambda () expression))))
  (refused "no affine problem" "expected a problem that make-affine-problem returned" (make-nonlinear-problem 3 (cubes 1. n)))
  (refused "no operator" "expected an operator" (make-nonlinear-problem (affine n) 3))
  (test-condition "an operator of another size" shape-error? (make-nonlinear-problem (affine n) (cubes 1. (1+ n))))
  (refused "#:factor" "#:factor: expected a finite number" (make-nonlinear-problem (affine n) (cubes 1. n) #:factor +nan.0))
  (refused "#:factor beyond the range of numbers" "#:factor: expected a finite number"
           (make-nonlinear-problem (affine n) (cubes 1. n) #:factor (expt 10 400)))
  (refused "what #:factor returns" "#:factor returned none for the parameter (1.0 2.0)"
           (solve-nonlinear-problem (make-nonlinear-problem (affine n) (cubes 1. n) #:factor (lambda (mu) 'none)) '(1. 2.)))
  (refused "#:tolerance" "#:tolerance: expected a positive number" (solve-nonlinear-problem (problem n) '(1. 1.) #:tolerance 0))
  (refused "#:most" "#:most: expected an exact integer" (solve-nonlinear-problem (problem n) '(1. 1.) #:most -1))
  (test-condition "#:start" shape-error? (solve-nonlinear-problem (problem n) '(1. 1.) #:start (f64vector 1)))
  (refused "a singular derivative" "the derivative is singular after 0 steps"
           (solve-nonlinear-problem (problem n) '(0. 1.)))
  (refused "no result" "expected what ei-greedy, deim or qdeim returned" (interpolated-operator 3 (restriction n)))
  (refused "no restriction" "expected a procedure of a list" (interpolated-operator ei 3))
  (refused "an empty basis" "the basis is empty" (interpolated-operator (ei-greedy (list (make-f64vector n 0.))) (restriction n)))
  (refused "one value" "the restriction returned 1 value; expected two" (interpolated-operator ei (lambda (dofs) 1)))
  (refused "three values" "the restriction returned 3 values; expected two" (interpolated-operator ei (lambda (dofs) (values 1 2 3))))
  (for-each (lambda (domain)
              (refused (format #f "#:domain ~s" domain) "#:domain: expected an exact integer from 1"
                       (interpolated-operator ei (restriction n) #:domain domain)))
            '(x 0 2.5))
  (refused "#:name" "#:name: expected a string, got x" (interpolated-operator ei (restriction n) #:name 'x))
  (refused "sources outside" "returned the source 20; expected indices from 0 to 19"
           (interpolated-operator ei (lambda (dofs) (values (list 20) (cubes 1. 1)))))
  (refused "sources of another kind" "expected a list of indices" (interpolated-operator ei (lambda (dofs) (values 3 (cubes 1. 1)))))
  (refused "no local operator" "expected an operator from the numbers at the sources"
           (interpolated-operator ei (lambda (dofs) (values dofs 3))))
  (test-condition "a local operator of another size" shape-error? (interpolated-operator ei (lambda (dofs) (values dofs (cubes 1. 5)))))
  (refused "an operator that is not interpolated" "expected an operator that interpolated-operator returned"
           (nonlinear-reduced-model (problem n) '() (cubes 1. n)))
  (refused "vectors of another length" "the basis: expected a reduced basis or a list of f64vectors of 20 numbers"
           (nonlinear-reduced-model (problem n) (list (f64vector 1)) (interpolated-operator ei (restriction n))))
  (refused "no model" "expected a model that nonlinear-reduced-model returned" (solve-nonlinear-model 3 '(1. 1.))))

(call-with-tap
 (lambda ()
   (test-group "newton" (test-newton 20) (test-newton 300))
   (test-group "operator" (test-operator))
   (test-group "model" (test-model))
   (test-group "travel" (test-travel) (test-reduced-travel))
   (test-group "refused" (test-refusals))))
