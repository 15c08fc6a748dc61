;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Empirical interpolation: what it must satisfy, the figures of pyMOR, the same bits on any number of workers and
;; when these are killed, and what is refused.
(use-modules (tap)
             (reduction)
             (tutti)
             (tutti reduction)
             (srfi srfi-1)
             (srfi srfi-64))

(define (summary result)
  (list (ei-result-dofs result) (ei-result-basis result) (ei-result-errors result) (ei-result-last-error result)
        (ei-result-coefficients result) (ei-result-interpolation-matrix result) (ei-result-reason result) (ei-result-message result)))

(define-remote (sum-of-magnitudes v)
  (fold (lambda (x sum) (+ sum (abs x))) 0. (f64vector->list v)))

(define (at v dofs) (map (lambda (dof) (f64vector-ref v dof)) dofs))

(define (column matrix n j)
  (list->f64vector (map (lambda (i) (f64vector-ref matrix (+ j (* i n)))) (iota (quotient (f64vector-length matrix) n)))))

(define (made-of snapshots coefficients n j)
  (fold (lambda (c s sum) (vec+ sum (vec-scale c s))) (vec-scale 0 (car snapshots)) (f64vector->list (column coefficients n j))
        snapshots))

;;; What follows from the definition.

(define (test-interpolation norm size)
  (define snapshots (bumps 200 30))
  (define result (ei-greedy snapshots #:norm norm #:most 8))
  (define dofs (ei-result-dofs result))
  (define basis (ei-result-basis result))
  (define errors (ei-result-errors result))
  (test-equal "as many as were asked for" '(8 8 8 size)
    (list (length dofs) (length basis) (length errors) (ei-result-reason result)))
  (test-equal "no degree of freedom twice" 8 (length (delete-duplicates dofs)))
  (test-equal "basis vectors are 1 at their own, 0 at those before"
    (map (lambda (i) (append (make-list i 0.) '(1.))) (iota 8))
    (map (lambda (v i) (at v (list-head dofs (1+ i)))) basis (iota 8)))
  (test-assert "no number of a basis vector is larger"
    (every (lambda (v) (every (lambda (x) (<= (abs x) (+ 1 1e-15))) (f64vector->list v))) basis))
  (test-assert "interpolation agrees at the degrees of freedom"
    (every (lambda (s) (< (distance (list->f64vector (at (ei-interpolate result s) dofs)) (list->f64vector (at s dofs))) 1e-12))
           snapshots))
  (test-assert "the errors are those of interpolation"
    (let ((largest (apply max (map (lambda (s) (size (vec- s (ei-interpolate result s)))) snapshots))))
      (< (abs (- 1 (/ (ei-result-last-error result) largest))) 1e-10)))
  (test-assert "and so they were before each step"
    (every (lambda (k)
             (let ((shorter (ei-greedy snapshots #:norm norm #:most k)))
               (and (equal? (ei-result-dofs shorter) (list-head dofs k))
                    (equal? (ei-result-last-error shorter) (list-ref errors k)))))
           (iota 8)))
  (test-assert "the coefficients make the basis of the snapshots"
    (every (lambda (v j) (< (distance (made-of snapshots (ei-result-coefficients result) 8 j) v) 1e-12)) basis (iota 8)))
  (let ((nodal (ei-greedy snapshots #:norm norm #:most 8 #:nodal-basis? #t)))
    (test-equal "a nodal basis: the same degrees of freedom" dofs (ei-result-dofs nodal))
    (test-equal "is 1 at its own and 0 at the others"
      (f64vector->list (ei-result-interpolation-matrix nodal))
      (append-map (lambda (i) (map (lambda (j) (if (= i j) 1. 0.)) (iota 8))) (iota 8)))
    (test-assert "is made of the snapshots"
      (every (lambda (v j) (< (distance (made-of snapshots (ei-result-coefficients nodal) 8 j) v) 1e-11))
             (ei-result-basis nodal) (iota 8)))
    (test-assert "and interpolates as the other one"
      (every (lambda (s) (< (distance (ei-interpolate nodal s) (ei-interpolate result s)) 1e-11)) snapshots))))

(define (sup v) (apply max (map abs (f64vector->list v))))

(define (test-ends)
  (define snapshots (waves 100 20))
  (let ((result (ei-greedy snapshots #:rtol 1e-3)))
    (test-equal "a relative tolerance" 'tolerance (ei-result-reason result))
    (test-assert "is reached by the last step only"
      (let ((bound (* 1e-3 (first (ei-result-errors result)))))
        (and (<= (ei-result-last-error result) bound) (every (lambda (e) (> e bound)) (ei-result-errors result))))))
  (let ((result (ei-greedy snapshots #:atol 1e-2 #:norm 'sup)))
    (test-assert "an absolute tolerance"
      (and (eq? 'tolerance (ei-result-reason result)) (<= (ei-result-last-error result) 1e-2)
           (every (lambda (e) (> e 1e-2)) (ei-result-errors result)))))
  (let ((result (ei-greedy snapshots)))
    (test-assert "without a limit it ends where only rounding is left"
      (and (memq (ei-result-reason result) '(tolerance stagnation)) (<= 5 (length (ei-result-dofs result)) 20))))
  (let ((result (ei-greedy (list (f64vector 1 -4 2)))))
    (test-equal "one snapshot" (list '(1) (list (f64vector -0.25 1. -0.5)) 'tolerance)
      (list (ei-result-dofs result) (ei-result-basis result) (ei-result-reason result))))
  (let ((result (ei-greedy (list (f64vector 0 0) (f64vector 0 0)))))
    (test-equal "nothing but zeros" (list '() '() '() 0. 'tolerance (f64vector) (f64vector))
      (list (ei-result-dofs result) (ei-result-basis result) (ei-result-errors result) (ei-result-last-error result)
            (ei-result-reason result) (ei-result-coefficients result) (ei-result-interpolation-matrix result)))
    (test-equal "interpolates by zero" (f64vector 0 0) (ei-interpolate result (f64vector 3 4))))
  (test-equal "no step" '(() () size) (let ((result (ei-greedy snapshots #:most 0)))
                                        (list (ei-result-dofs result) (ei-result-errors result) (ei-result-reason result))))
  (test-equal "one number each" '((0) (2.)) (let ((result (ei-greedy (list (f64vector 1) (f64vector -2) (f64vector 2)))))
                                              (list (ei-result-dofs result) (ei-result-errors result))))
  (test-equal "the first of the largest, of snapshots and of numbers" '(1 2)
    (ei-result-dofs (ei-greedy (list (f64vector 0 2 0 -2) (f64vector 0 0 2 2)))))
  (let ((seen '()))
    (ei-greedy (list (f64vector 0 1) (f64vector 3 0)) #:callback (lambda arguments (set! seen (cons arguments seen))))
    (test-equal "the callback" '((1 1 3.) (2 0 1.)) (reverse seen))))

;;; Pools.

(define (test-pools)
  (define snapshots (append (bumps 5000 9) (waves 5000 8)))
  (for-each
   (lambda (name norm)
     (let ((results (with-all-pools (lambda (pool) (summary (ei-greedy snapshots #:pool pool #:norm norm #:most 9))))))
       (test-assert (string-append name ": the same bits on any number of workers") (all-equal? results))
       (test-equal (string-append name ": steps") 9 (length (first (car results))))))
   '("euclidean" "sup" "a procedure") (list 'euclidean 'sup sum-of-magnitudes))
  (test-assert "fewer snapshots than workers"
    (all-equal? (with-all-pools (lambda (pool) (summary (ei-greedy (list-head snapshots 2) #:pool pool))))))
  (call-with-pool 2
    (lambda (pool)
      (define expected (summary (ei-greedy snapshots #:pool (make-serial-pool) #:most 5)))
      (test-equal "the current pool" expected (summary (ei-greedy snapshots #:most 5)))
      (let ((scattered (pool-scatter pool snapshots)))
        (test-equal "scattered" expected (summary (ei-greedy scattered #:most 5)))
        (test-equal "and still there" expected (summary (ei-greedy scattered #:pool pool #:most 5))))
      (test-equal "computed by the workers" (summary (ei-greedy (append-map (lambda (w) (bumps (+ 100) (+ 3 w))) '(0 1)) #:most 4))
        (summary (ei-greedy (pool-keep pool (remote (lambda () (bumps 100 (+ 3 (current-worker-index)))))) #:most 4)))
      (test-assert "shared vectors" (equal? expected (summary (ei-greedy (map vector->shared snapshots) #:most 5)))))))

(define (test-kills)
  (define snapshots (bumps 3000 11))
  (define expected (summary (ei-greedy snapshots #:most 6)))
  (call-with-pool 3
    (lambda (pool)
      (for-each
       (lambda (step)
         (for-each
          (lambda (worker)
            (test-equal (format #f "worker ~a is killed in step ~a" worker step) expected
              (summary (ei-greedy snapshots #:pool pool #:most 6
                                  #:callback (lambda (number index error) (when (= number step) (kill-worker pool worker)))))))
          '(0 1 2)))
       '(1 3 6))
      (test-equal "each is killed in each step" expected
        (summary (ei-greedy snapshots #:pool pool #:most 6
                            #:callback (lambda (number index error) (kill-worker pool (modulo number 3))))))))
  ;; In the middle of a task, by a norm that is called for 11 snapshots in each step.
  (define by-procedure (summary (ei-greedy snapshots #:norm sum-of-magnitudes #:most 6)))
  (for-each
   (lambda (mortal)
     (call-with-pool 2
       (lambda (pool)
         (call-with-values
             (lambda ()
               (call-with-counter
                (lambda (folder)
                  (summary (ei-greedy snapshots #:pool pool #:most 6
                                      #:norm (remote ((folder folder) (mortal mortal))
                                                     (lambda (v)
                                                       (count-and-die folder mortal)
                                                       (sum-of-magnitudes v))))))))
           (lambda (result calls)
             (test-equal (format #f "killed in call ~a" mortal) by-procedure result)
             (test-assert "and was asked again" (> calls 77)))))))
   '((3) (30 31) (76))))

;;; Refusals.

(define (test-refusals)
  (define good (list (f64vector 1 2) (f64vector 3 4)))
  (define-syntax-rule (refused name part expression)
    (test-assert name (complains? part (lambda () expression))))
  (refused "no snapshots" "there are no snapshots" (ei-greedy '()))
  (refused "no list" "expected a list or vector of f64vectors" (ei-greedy 3))
  (refused "one vector" "expected a list or vector of f64vectors" (ei-greedy (f64vector 1 2)))
  (refused "a number in a list" "snapshot 1 (from 0): expected an f64vector, got 7" (ei-greedy (list (f64vector 1 2) 7)))
  (refused "complex" "snapshot 0 (from 0): expected an f64vector" (ei-greedy (list (c64vector 1 2))))
  (refused "empty vectors" "snapshot 0 (from 0) has no numbers" (ei-greedy (list (f64vector))))
  (refused "NaN" "snapshot 1 (from 0): number 1 (from 0) is +nan.0" (ei-greedy (list (f64vector 1 2) (f64vector 1 +nan.0))))
  (refused "infinite" "snapshot 0 (from 0): number 0 (from 0) is -inf.0" (ei-greedy (list (f64vector -inf.0 2))))
  (refused "lengths" "snapshot 1 (from 0) has 3 numbers, those before it have 2" (ei-greedy (list (f64vector 1 2) (f64vector 1 2 3))))
  (test-condition "lengths are a shape-error" shape-error? (ei-greedy (list (f64vector 1 2) (f64vector 1 2 3))))
  (refused "#:norm" "#:norm: expected euclidean, sup, or a procedure" (ei-greedy good #:norm 'max))
  (refused "#:atol" "#:atol: expected a finite number from 0" (ei-greedy good #:atol -1))
  (refused "#:rtol" "#:rtol: expected a finite number from 0" (ei-greedy good #:rtol +nan.0))
  (refused "#:most" "#:most: expected an exact integer from 0" (ei-greedy good #:most 1.5))
  (refused "#:pool" "#:pool: expected a pool" (ei-greedy good #:pool 2))
  (refused "a norm that is none" "#:norm returned -1" (ei-greedy good #:norm (remote (lambda (v) -1))))
  (refused "a norm beyond the range of numbers" "expected a finite number from 0"
           (ei-greedy good #:norm (remote (lambda (v) (expt 10 400)))))
  (refused "#:atol beyond the range of numbers" "#:atol: expected a finite number from 0" (ei-greedy good #:atol (expt 10 400)))
  (refused "interpolating another length" "expected an f64vector of 2 numbers" (ei-interpolate (ei-greedy good) (f64vector 1 2 3)))
  (refused "no result" "expected what ei-greedy, deim or qdeim returned" (ei-result-dofs 3))
  (call-with-pool 2
    (lambda (pool)
      (refused "NaN on a worker, by its number among all" "snapshot 3 (from 0): number 0 (from 0) is +nan.0"
               (ei-greedy (pool-scatter pool (append good (list (f64vector 1 2) (f64vector +nan.0 1))))))
      (refused "lengths that differ between workers" "snapshot 2 (from 0) has 3 numbers"
               (ei-greedy (pool-scatter pool (append good (list (f64vector 1 2 3) (f64vector 1 2 3))))))
      (refused "nothing on any worker" "there are no snapshots" (ei-greedy (pool-scatter pool '())))
      (refused "what is pushed" "the snapshots were pushed" (ei-greedy (pool-push pool good)))
      (refused "another pool's" "are held by the workers of"
               (ei-greedy (pool-scatter pool good) #:pool (make-serial-pool)))
      (test-condition "removed" removed?
        (let ((object (pool-scatter pool good)))
          (remote-object-remove! object)
          (ei-greedy object)))
      (test-condition "a norm that cannot travel" not-remotable? (ei-greedy good #:pool pool #:norm (let ((x 1)) (lambda (v) x))))
      (test-equal "and the pool goes on" '(1 4) (pool-map pool (remote (lambda (x) (* x x))) '(1 2))))))

;;; Given modes.

(define (test-deim)
  (define modes (pod-result-modes (pod (bumps 120 30) #:modes 7)))
  (define (norm-of-inverse result)
    ;; By how much interpolation can be worse than projection: what it makes of the unit vectors.
    (apply max (map (lambda (k)
                      (let ((unit (make-f64vector 7 0.)))
                        (f64vector-set! unit k 1.)
                        (vec-norm (ei-expand result unit))))
                    (iota 7))))
  (for-each
   (lambda (name algorithm)
     (let ((result (algorithm modes)))
       (test-equal (string-append name ": all modes") '(7 modes)
         (list (length (delete-duplicates (ei-result-dofs result))) (ei-result-reason result)))
       (test-assert (string-append name ": the basis is the modes") (every equal? modes (ei-result-basis result)))
       (test-assert (string-append name ": interpolation is exact in their space")
         (let ((v (fold (lambda (m c sum) (vec+ sum (vec-scale c m))) (vec-scale 0 (car modes)) modes '(1 -2 3 -4 5 -6 7))))
           (< (distance (ei-interpolate result v) v) 1e-11)))
       (test-assert (string-append name ": from snapshots")
         (equal? (summary result) (summary (algorithm (bumps 120 30) #:modes 7))))
       (test-equal (string-append name ": a mode within the span of others") '(stagnation 2)
         (let ((result (algorithm (list (first modes) (second modes) (vec+ (first modes) (second modes))))))
           (list (ei-result-reason result) (length (ei-result-dofs result)))))
       (test-assert (string-append name ": more modes than numbers")
         (complains? "there are 3 modes of 2 numbers" (lambda () (algorithm (list (f64vector 1 2) (f64vector 2 1) (f64vector 1 1))))))
       (test-assert (string-append name ": numbers too small to divide by")
         (complains? "mode 1 (from 0): the largest number that interpolation leaves of it is"
                     (lambda () (algorithm (list (f64vector 1 0 0) (f64vector 0 1e-310 0))))))
       (test-assert (string-append name ": no pool")
         (complains? "#:pool: expected a pool" (lambda () (algorithm modes #:pool 3))))
       (test-assert (string-append name ": snapshots on workers, and no keyword")
         (complains? "give #:modes or another keyword of pod, or #:pod? #t"
                     (lambda () (call-with-pool 1 (lambda (pool) (algorithm (pool-scatter pool (bumps 120 30))))))))
       (test-assert (string-append name ": no modes") (complains? "there are no modes" (lambda () (algorithm '()))))
       (test-assert (string-append name ": NaN")
         (complains? "mode 0 (from 0): number 1 (from 0) is +nan.0" (lambda () (algorithm (list (f64vector 1 +nan.0))))))))
   '("deim" "qdeim") (list deim qdeim))
  (test-assert "qdeim interpolates nearly as well as anything could"
    (< (norm-of-inverse (qdeim modes)) 10)))

;;; pyMOR's.

(define (compare-with-pymor c)
  (define name (field c "name"))
  (define snapshots (columns (field c "snapshots_columns")))
  (define (run pool)
    (ei-greedy snapshots #:pool pool #:norm (string->symbol (field c "error_norm")) #:most (known (field c "max_interpolation_dofs"))
               #:atol (known (field c "atol")) #:rtol (known (field c "rtol"))))
  (define result (run (make-serial-pool)))
  (test-equal (string-append name ": dofs") (vector->list (field c "dofs")) (ei-result-dofs result))
  (for-each (lambda (what got expected)
              (test-assert (string-append name ": " what) (< (distance got expected) 1e-8)))
            '("errors" "basis" "interpolation matrix" "coefficients")
            (list (list->f64vector (ei-result-errors result)) (vec-concatenate (ei-result-basis result))
                  (ei-result-interpolation-matrix result) (ei-result-coefficients result))
            (list (list->f64vector (vector->list (field c "errors"))) (rows->matrix (field c "collateral_basis"))
                  (rows->matrix (field c "interpolation_matrix")) (rows->matrix (field c "coefficients"))))
  (test-assert (string-append name ": the same bits on any number of workers")
    (all-equal? (with-all-pools (lambda (pool) (summary (run pool)))))))

(define (compare-deim c)
  (define modes (columns (field c "vectors_columns")))
  (test-equal (string-append (field c "name") ": deim") (vector->list (field c "deim_dofs")) (ei-result-dofs (deim modes)))
  (test-equal (string-append (field c "name") ": qdeim") (vector->list (field c "qdeim_dofs")) (ei-result-dofs (qdeim modes))))

(call-with-tap
 (lambda ()
   (test-group "euclidean" (test-interpolation 'euclidean vec-norm))
   (test-group "sup" (test-interpolation 'sup sup))
   (test-group "ends" (test-ends))
   (test-group "pools" (test-pools))
   (test-group "kills" (test-kills))
   (test-group "refused" (test-refusals))
   (test-group "deim" (test-deim))
   (test-group "oracle"
     (and=> (oracle-cases "ei-greedy.json" "cases") (lambda (cases) (for-each compare-with-pymor cases)))
     (and=> (oracle-cases "ei-greedy.json" "deim") (lambda (cases) (for-each compare-deim cases))))))
