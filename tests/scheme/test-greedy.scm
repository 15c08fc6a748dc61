;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The weak greedy algorithm, for models of any kind and for reduced bases: what it selects, when it ends, the same
;; bits on any number of workers, and the figures of pyMOR.
(use-modules (tap)
             (tutti)
             (tutti greedy)
             (tutti linear)
             (tutti reduced-basis)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-64))

(define shared (getenv "TUTTI_SHARED"))
(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

(define indices greedy-result-indices)
(define errors greedy-result-errors)
(define model greedy-result-model)
(define reason greedy-result-reason)

(define (complaint thunk)
  "Return the text of the error that @var{thunk} raises."
  (with-exception-handler condition->string (lambda () (thunk) "no error") #:unwind? #t))

(define (complains? part thunk)
  (let ((text (complaint thunk)))
    (or (string-contains text part) (begin (format (current-error-port) "~a~%" text) #f))))

;;; Points on a line: the model is a list of points, the error of a parameter its distance to the nearest one.

(define-remote (distance points x)
  (if (null? points) 100 (apply min (map (lambda (p) (abs (- p x))) points))))

(define (add-point points x)
  (and (not (memv x points)) (append points (list x))))

(define line (iota 9))                  ; 0 … 8

(define* (cover pool training #:rest options)
  (apply weak-greedy pool training distance add-point #:model '() #:callback #f options))

(define (test-any-model pool)
  (let ((result (cover pool line #:tolerance 1)))
    ;; All are equally far from nothing: the first. Then 8, then 4; then 2 and 6 are far by 2, and the first is 2.
    (test-equal "the first of the largest" '(0 8 4 2 6) (indices result))
    (test-equal "the errors" '(100 8 4 2 2 1) (errors result))
    (test-equal "the model" '(0 8 4 2 6) (model result))
    (test-equal "the reason" 'tolerance (reason result)))
  (let ((result (cover pool (list->vector line) #:max-size 3)))
    (test-equal "a vector, to a size" '((0 8 4) (100 8 4) size) (list (indices result) (errors result) (reason result))))
  (test-equal "no extension" '(() () size) (let ((result (cover pool line #:max-size 0)))
                                             (list (indices result) (errors result) (reason result))))
  (test-equal "good enough from the start" '(() (0) tolerance)
    (let ((result (cover pool '(5 5) #:model '(5))))
      (list (indices result) (errors result) (reason result))))
  (test-equal "what adds nothing" '((0) (100 100) stagnation (0))
    (let ((result (weak-greedy pool '(0 1) (remote (lambda (points x) 100)) add-point #:model '() #:callback #f)))
      (list (indices result) (errors result) (reason result) (model result))))
  (test-equal "fewer parameters than workers" '(0) (indices (cover pool '(3))))
  (test-equal "only what is shipped reaches the workers" '(0 8 4)
    ;; A port cannot travel.
    (indices (weak-greedy pool line distance (lambda (m x) (cons (car m) (append (cdr m) (list x)))) #:model (list (current-output-port))
                          #:ship cdr #:max-size 3 #:callback #f)))
  (test-equal "what is shipped may be held by workers" '(0 8 4)
    (let ((far (pool-push pool 100)))
      (indices (weak-greedy pool line
                            (remote (lambda (shipped x)
                                      (apply min (car shipped) (map (lambda (p) (abs (- p x))) (cadr shipped)))))
                            add-point #:model '() #:ship (lambda (points) (list far points)) #:max-size 3 #:callback #f))))
  (test-assert "an estimate that is not a number is named"
    (complains? "the estimate for training parameter 4 (from 0) is +nan.0"
                (lambda ()
                  (weak-greedy pool line (remote (lambda (m x) (if (= x 4) +nan.0 1))) add-point #:model '() #:callback #f))))
  (test-condition "an estimate that raises" worker-error?
    (weak-greedy pool line (remote (lambda (m x) (error "not today"))) add-point #:model '() #:callback #f))
  (test-condition "an estimate that cannot travel" not-remotable?
    (weak-greedy pool line (lambda (m x) 1) add-point #:model '() #:callback #f)))

(define (test-callback)
  (let* ((seen '())
         (text (call-with-output-string
                 (lambda (port)
                   (parameterize ((progress-port port))
                     (weak-greedy (make-serial-pool) line distance add-point #:model '() #:max-size 2)))))
         (result (cover (make-serial-pool) line #:max-size 2 #:callback (lambda arguments (set! seen (cons arguments seen))))))
    (test-equal "a line for each extension" "   1  parameter     0  error 100\n   2  parameter     8  error 8\n" text)
    (test-equal "number, index and error" '((1 0 100) (2 8 8)) (reverse seen))))

(define (test-refusals)
  (define pool (make-serial-pool))
  (for-each (lambda (name part thunk) (test-assert name (complains? part thunk)))
            '("pool" "training set" "empty training set" "extend" "tolerance" "max-size")
            '("expected a pool" "the training set: expected a list or vector" "at least one parameter" "expected a procedure that extends"
              "#:tolerance: expected a number from 0, got -1" "#:max-size: expected a number of extensions")
            (list (lambda () (cover 3 line))
                  (lambda () (cover pool 3))
                  (lambda () (cover pool '()))
                  (lambda () (weak-greedy pool line distance #f))
                  (lambda () (cover pool line #:tolerance -1))
                  (lambda () (cover pool line #:max-size 1.5)))))

;;; Diffusion on a line, with one coefficient left and another right.

(define n 19)
(define h (/ 1. (1+ n)))

(define (stiffness side)
  "Return the n x n matrix of linear finite elements between 0 and 1 with the diffusion 1 where @var{side} is true of
the element."
  (let ((matrix (make-f64vector (* n n) 0.)))
    (define (add! i j x)
      (when (and (< -1 i n) (< -1 j n))
        (f64vector-set! matrix (+ (* i n) j) (+ x (f64vector-ref matrix (+ (* i n) j))))))
    (do ((e 0 (1+ e)))                  ; between the nodes e - 1 and e
        ((> e n) matrix)
      (when (side e)
        (for-each add! (list e e (1- e) (1- e)) (list e (1- e) e (1- e)) (map (lambda (x) (/ x h)) '(1 -1 -1 1)))))))

(define left (stiffness (lambda (e) (< e 10))))
(define right (stiffness (lambda (e) (>= e 10))))

(define diffusion
  (make-affine-problem #:matrices (list left right)
                       #:coefficients (remote (lambda (mu) mu))
                       #:right-hand-side (make-f64vector n h)
                       #:product (vec+ left right)
                       #:coercivity (remote (lambda (mu) (apply min mu)))))

(define training                        ; 7 x 7, between 0.1 and 10
  (append-map (lambda (i) (map (lambda (j) (list (expt 10. (/ i 3)) (expt 10. (/ j 3)))) (iota 7 -3))) (iota 7 -3)))

(define (energy-norm v)
  (sqrt (vec-dot v (matrix-vector n n (vec+ left right) v))))

(define (reduced-error basis mu)
  (energy-norm (vec- (solve-affine-problem diffusion mu)
                     (reduced-basis-lift basis (solve-reduced-model (reduced-basis-model basis) mu)))))

(define (close? a b tolerance) (<= (abs (- a b)) (* tolerance (abs b))))

(define (test-reduced-basis)
  (define empty (make-reduced-basis diffusion))
  (define snapshots (map (lambda (mu) (solve-affine-problem diffusion mu)) '((1. 1.) (10. 0.1) (0.1 5.))))
  (define basis (fold (lambda (u basis) (reduced-basis-extend basis u)) empty (take snapshots 2)))
  (define reduced (reduced-basis-model basis))
  (test-assert "the truth: u = x (1 - x) / 2 where all is 1"
    (every (lambda (i u) (let ((x (* h (1+ i)))) (close? u (/ (* x (- 1 x)) 2) 1e-10)))
           (iota n) (f64vector->list (first snapshots))))
  (test-assert "vectors are orthonormal"
    (let ((vectors (reduced-basis-vectors basis)))
      (every (lambda (i v)
               (every (lambda (j w)
                        (< (abs (- (vec-dot v (matrix-vector n n (vec+ left right) w)) (if (= i j) 1 0))) 1e-12))
                      (iota 2) vectors))
             (iota 2) vectors)))
  (test-assert "what is in the basis is solved exactly"
    (every (lambda (mu) (< (reduced-error basis mu) 1e-12)) '((1. 1.) (10. 0.1))))
  (test-equal "a vector of its span does not extend it" #f
    (reduced-basis-extend basis (vec+ (first snapshots) (vec-scale 2 (second snapshots)))))
  (test-assert "the error is the residual's, by definition"
    ;; |r| in the dual norm is the energy norm of P^-1 r.
    (every (lambda (mu)
             (let* ((u (reduced-basis-lift basis (solve-reduced-model reduced mu)))
                    (r (vec- (make-f64vector n h) (matrix-vector n n (affine-problem-matrix diffusion mu) u))))
               (close? (residual-dual-norm reduced mu) (energy-norm (solve-positive-definite n (vec+ left right) r)) 1e-9)))
           '((0.1 5.) (3. 2.) (0.2 0.1))))
  (test-assert "the estimate is an upper bound, and no wild one"
    (every (lambda (mu)
             (let ((bound (error-estimate reduced mu)) (error (reduced-error basis mu)))
               (and (<= error (+ bound 1e-12)) (<= bound (+ (* 100.01 error) 1e-11)))))
           training))
  (test-assert "the true error"
    (let ((arguments (list reduced (reduced-basis-vectors basis) diffusion)))
      (close? (true-error arguments '(0.1 5.)) (reduced-error basis '(0.1 5.)) 1e-12)))
  (test-assert "residuals far below the square root of the precision"
    (let ((full (reduced-basis-extend basis (third snapshots))))
      (every (lambda (mu) (< (residual-dual-norm (reduced-basis-model full) mu) 1e-12)) '((0.1 5.) (1. 1.)))))
  (test-equal "predicates" '(#t #t #t #f)
    (list (affine-problem? diffusion) (reduced-basis? basis) (reduced-model? reduced) (reduced-model? basis)))
  (test-equal "an empty one" (list 0 (f64vector))
    (list (reduced-basis-size empty) (solve-reduced-model (reduced-basis-model empty) '(1. 1.)))))

(define (test-shapes)
  (define* (problem #:key (matrices (list left right)) (coefficients (remote (lambda (mu) mu))) (right-hand-side (make-f64vector n h))
                    (product left))
    (make-affine-problem #:matrices matrices #:coefficients coefficients #:right-hand-side right-hand-side #:product product))
  (test-condition "a matrix" shape-error? (problem #:matrices (list left (f64vector 1 2 3))))
  (test-assert "a matrix, in words" (complains? "matrix 1 (from 0), 19 x 19,: expected 361 numbers, got 3"
                                                (lambda () (problem #:matrices (list left (f64vector 1 2 3))))))
  (test-condition "the right-hand side" shape-error? (problem #:right-hand-side (f64vector 1 2)))
  (test-condition "the product" shape-error? (problem #:product (f64vector 1 2)))
  (test-condition "no matrices" tutti-error? (problem #:matrices '()))
  (test-condition "no procedure" tutti-error? (problem #:coefficients '(1 2)))
  (test-assert "the coefficients" (complains? "the problem has 2 matrices, and #:coefficients returned 3 numbers"
                                              (lambda () (solve-affine-problem diffusion '(1 2 3)))))
  (test-condition "a snapshot" shape-error? (reduced-basis-extend (make-reduced-basis diffusion) (f64vector 1 2)))
  (test-assert "a problem without a solution" (complains? "is singular" (lambda () (solve-affine-problem diffusion '(0 0))))))

(define (summary result)
  (list (indices result) (errors result) (reason result)
        (map f64vector->list (reduced-basis-vectors (model result)))))

(define (diffusion-greedy pool . options)
  (apply reduced-basis-greedy pool diffusion training #:callback #f options))

(define (call-with-pools proc)
  "Return the list of what @var{proc} returns for a serial pool and for pools of 1, 2, 3 and 8 workers."
  (cons (proc (make-serial-pool))
        (map (lambda (workers) (call-with-pool workers proc)) '(1 2 3 8))))

(define (all-equal? items)
  (every (lambda (item) (equal? item (car items))) (cdr items)))

(define (test-diffusion)
  (let* ((results (call-with-pools (lambda (pool) (summary (diffusion-greedy pool #:tolerance 1e-8)))))
         (result (car results)))
    (test-equal "ends within the tolerance" 'tolerance (third result))
    (test-assert "errors fall" (every > (second result) (cdr (second result))))
    (test-assert "few vectors are enough" (<= 2 (length (fourth result)) 8))
    (test-assert "the same bits on any number of workers" (all-equal? results)))
  (let ((results (call-with-pools (lambda (pool) (summary (diffusion-greedy pool #:tolerance 1e-8 #:true-error? #t))))))
    (test-assert "with the true error: the same bits on any number of workers" (all-equal? results)))
  (let ((basis (model (diffusion-greedy (make-serial-pool) #:tolerance 1e-8))))
    (test-assert "the bound holds on all of the training set"
      (every (lambda (mu) (<= (reduced-error basis mu) 1e-8)) training))))

;;; pyMOR's.

(define (compare-with-pymor instance)
  (define (field . names)
    (fold (lambda (name object) (assoc-ref object name)) instance names))
  (define (list-of . names)
    (vector->list (apply field names)))
  (define (matrix rows)
    (list->f64vector (map exact->inexact (append-map vector->list (vector->list rows)))))
  (define problem
    (make-affine-problem #:matrices (map matrix (list-of "affine_matrices")) #:coefficients (remote (lambda (item) (car item)))
                         #:right-hand-side (list->f64vector (list-of "rhs")) #:product (matrix (field "product"))
                         #:coercivity (remote (lambda (item) (apply min (cdr item))))))
  (define items
    (map (lambda (theta mu) (cons (vector->list theta) (vector->list mu))) (list-of "theta") (list-of "training_mu")))
  (define (run true-error?)
    (lambda (pool)
      (reduced-basis-greedy pool problem items #:true-error? true-error? #:max-size (field "rbsize") #:callback #f)))
  (for-each
   (lambda (name true-error?)
     (let* ((results (call-with-pools (run true-error?)))
            (expected (list-of "runs" name "max_errs")))
       (test-equal (string-append name ": selected") (list-of "runs" name "selected_indices") (indices (car results)))
       (test-assert (string-append name ": errors")
         (and (= (length expected) (length (errors (car results))))
              (every (lambda (a b) (close? a b 1e-8)) (errors (car results)) expected)))
       (test-assert (string-append name ": the same bits on any number of workers") (all-equal? (map summary results)))))
   '("estimator" "true_error") '(#f #t)))

(define (test-oracle)
  (cond ((not shared) (tap-skip "weak-greedy" "TUTTI_SHARED is not set"))
        ((not json->scm) (tap-skip "weak-greedy" "guile-json is not installed"))
        (else
         (for-each compare-with-pymor
                   (vector->list (assoc-ref (call-with-input-file (string-append shared "/oracle/pymor/weak-greedy.json") json->scm)
                                            "instances"))))))

(call-with-tap
 (lambda ()
   (test-group "serial" (test-any-model (make-serial-pool)))
   (test-group "three workers" (call-with-pool 3 test-any-model))
   (test-group "callback" (test-callback))
   (test-group "refused" (test-refusals))
   (test-group "reduced basis" (test-reduced-basis))
   (test-group "shapes" (test-shapes))
   (test-group "diffusion" (test-diffusion))
   (test-group "oracle" (test-oracle))))
