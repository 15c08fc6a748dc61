;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations and simulations of simulations: what they compute, what they remember, what they refuse, and what
;; outlives a worker.
(use-modules (tap) ((operators) #:select (make-squares)) (ice-9 match) (srfi srfi-1) (srfi srfi-11) (srfi srfi-64) (tutti) (tutti manager)
             (tutti simulation) (vectors))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refused? predicate thunk . parts)
  (let ((condition (condition-of thunk)))
    (and (predicate condition) (every (lambda (part) (string-contains (condition->string condition) part)) parts))))

(define (derivative-of op x)
  (let-values (((y derivative) (linearize op x))) derivative))

(define (random-matrix rows columns) (matrix-operator rows columns (random-real (* rows columns))))

;;; Simulations. Workers make them again by repeating these calls.

(define-remote (make-fragile n)
  (make-simulation #:name "the fragile one" #:model-size n #:data-size n
                   #:dpred (lambda (m f)
                             (when (> (f64vector-ref m 0) 1) (error "too large:" (f64vector-ref m 0)))
                             (vec-scale 3 m))
                   #:jvec (lambda (m v f)
                            (when (> (f64vector-ref v 0) 1) (error "too steep:" (f64vector-ref v 0)))
                            (vec-scale 3 v))
                   #:jtvec (lambda (m u f) (vec-scale 3 u))))

(define-remote (only-on-a-worker op)
  (if (current-worker-index) op (error "made in the master")))

(define-remote (leave) (primitive-_exit 3))

(define (kill-worker pool index)
  (condition-of (lambda () (parameterize ((task-retries 0)) (pool-apply-only pool index leave)))))

(define (squares name rows columns) (make-squares name rows columns (random-real (* rows columns))))

;;; By hand.

(define (all-of sim m v u w)
  "Return the list of all that SIM gives at M."
  (list (dpred sim m) (jvec sim m v) (jtvec sim m u) (jvec-approx sim m v) (jtvec-approx sim m u)
        (jtj-diagonal sim m) (jtj-diagonal sim m #:weights w)
        (jtj-diagonal sim m #:exact? #t) (jtj-diagonal sim m #:weights w #:exact? #t)))

(define (test-by-hand)
  ;; d_1 = x + y, d_2 = (x, 2 y): J = (1 1; 1 0; 0 2). The formula knows G_1 = (1 1) after the identity, so that it is
  ;; exact there; G_2 = 1 after (1 1) as d_3 = x + y it is exact too; after a mapping with two numbers in a column it is
  ;; not.
  (let* ((simulations (list (matrix-operator 1 2 (f64vector 1 1)) (matrix-operator 2 2 (f64vector 1 0 0 2))))
         (mappings (list (identity-operator 2) (matrix-operator 2 2 (f64vector 1 1 1 -1))))
         (m (f64vector 1 2)) (v (f64vector 1 1)) (u (f64vector 1 10 100)) (w (f64vector 1 2 3)))
    (for-each
     (lambda (pool)
       (test-group (format #f "~a" pool)
         (let ((sim (make-meta-simulation simulations mappings #:pool pool)))
           ;; J = (1 1; 1 1; 2 -2)
           (test-equal "concatenated"
             (list (f64vector 3 3 -2) (f64vector 2 2 0) (f64vector 211 -189) (f64vector 2 2 0) (f64vector 211 -189)
                   (f64vector 6 6) (f64vector 41 41) (f64vector 6 6) (f64vector 41 41))
             (all-of sim m v u w))
           (test-equal "data" (direct-sum 1 2) (operator-codomain sim))
           (test-assert "linear, as all parts are" (linear? sim))
           (test-equal "parts" simulations (simulation-parts sim))
           (test-equal "mappings" mappings (simulation-mappings sim)))
         (let ((sim (make-sum-meta-simulation
                     (list (matrix-operator 1 2 (f64vector 1 1)) (matrix-operator 1 2 (f64vector 3 5)))
                     (list (identity-operator 2) (matrix-operator 2 2 (f64vector 1 1 0 2)))
                     #:pool pool)))
           ;; J = (1 1) + (3 5) (1 1; 0 2) = (4 14); the formula says 1 + 9, 1 + 9 + 25 4.
           (test-equal "added"
             (list (f64vector 32) (f64vector 18) (f64vector 4 14) (f64vector 18) (f64vector 4 14)
                   (f64vector 10 110) (f64vector 40 440) (f64vector 16 196) (f64vector 64 784))
             (all-of sim m v (f64vector 1) (f64vector 2))))
         (let ((sim (make-repeated-meta-simulation (matrix-operator 1 1 (f64vector 3))
                                                   (map (lambda (row) (matrix-operator 1 2 row))
                                                        (list (f64vector 1 0) (f64vector 0 1) (f64vector 1 1)))
                                                   #:pool pool)))
           (test-equal "repeated"
             (list (f64vector 3 6 9) (f64vector 3 3 6) (f64vector 303 330) (f64vector 3 3 6) (f64vector 303 330)
                   (f64vector 18 18) (f64vector 90 117) (f64vector 18 18) (f64vector 90 117))
             (all-of sim m v u w)))))
     (list #f (make-serial-pool) 2))))

;;; Simulations made of procedures.

(define (test-leaf)
  (let* ((calls '())
         (note! (lambda (what f) (set! calls (cons (list what f) calls))))
         (sim (make-simulation #:name "counting" #:model-size 2 #:data-size 2
                               #:fields (lambda (m) (note! 'fields #f) (f64vector-ref m 0))
                               #:dpred (lambda (m f) (note! 'dpred f) (vec* m m))
                               #:jvec (lambda (m v f) (note! 'jvec f) (vec-scale 2 (vec* m v)))
                               #:jtvec (lambda (m u f) (note! 'jtvec f) (vec-scale 2 (vec* m u)))))
         (m (f64vector 3 4)))
    (define-syntax-rule (calls-of expression)
      (begin (set! calls '()) expression (reverse calls)))
    (test-equal "dpred of a model has no fields" '((dpred #f)) (calls-of (dpred sim m)))
    (test-equal "linearize computes them once" '((fields #f) (dpred 3.) (jvec 3.) (jtvec 3.))
                (calls-of (let ((derivative (derivative-of sim m))) (evaluate derivative m) (apply-adjoint derivative m))))
    (test-equal "the last model is remembered" '((fields #f) (jvec 3.) (jtvec 3.) (jvec 3.))
                (calls-of (begin (jvec sim m m) (jtvec sim (f64vector 3 4) m) (jvec-approx sim m m))))
    (test-equal "another one counts, if it differs by 1e-9 only" (list '(fields #f) (list 'jvec (+ 3 1e-9)))
                (calls-of (jvec sim (f64vector (+ 3 1e-9) 4) m)))
    (test-equal "and what it gives is its own" (f64vector (* 2 (+ 3 1e-9)) 8)
                (jvec sim (f64vector (+ 3 1e-9) 4) (f64vector 1 1)))
    (jvec sim m m)
    (f64vector-set! m 0 5.)
    (test-equal "so does the same vector, changed" '((fields #f) (jvec 5.)) (calls-of (jvec sim m m)))
    (let ((f (fields sim m)))
      (test-equal "nothing is computed again with fields" '((dpred 5.) (jvec 5.) (jtvec 5.))
                  (calls-of (begin (dpred sim f) (jvec sim f m) (jtvec sim f m) (fields sim f))))
      (f64vector-set! m 0 7.)
      (test-equal "fields know their model" (list (f64vector 5 4) sim 5.)
                  (list (fields-model f) (fields-simulation f) (fields-value f)))
      (test-equal "and keep it" (f64vector 10 8) (jvec sim f (f64vector 1 1)))
      (fields-remove! f)
      (test-assert "until they are removed"
        (refused? removed? (lambda () (dpred sim f)) "fields of counting" "make them again")))
    (test-equal "the diagonal is that of the derivative" (f64vector 36 64) (jtj-diagonal sim (f64vector 3 4)))
    (test-equal "with weights" (f64vector 36 256) (jtj-diagonal sim (f64vector 3 4) #:weights (f64vector 1 2)))
    (test-equal "with others" (f64vector 144 64) (jtj-diagonal sim (f64vector 3 4) #:weights (f64vector 2 1)))
    (test-equal "as an operator" (f64vector 9 16) (evaluate sim (f64vector 3 4)))
    (test-assert "the adjoint is one" (< (check-adjoint sim) 1e-14))
    (test-assert "the derivative is one" (< (check-derivative sim (f64vector 3 4)) 1e-8))
    (test-equal "no parts" '(() ()) (list (simulation-parts sim) (simulation-mappings sim)))))

(define (test-approximate-kinds)
  ;; At m = (1, 2) the derivative of d = (1 3) m^2 is (2 12); the approximate one is half of it.
  (let ((sim (make-squares "halved" 1 2 (f64vector 1 3)))
        (m (f64vector 1 2)) (v (f64vector 1 1)))
    (define (kinds sim m u)
      (list (jvec sim m v) (jvec-approx sim m v) (jtvec sim m u) (jtvec-approx sim m u)))
    (test-equal "approximate kinds" (list (f64vector 14) (f64vector 7) (f64vector 2 12) (f64vector 1 6))
                (kinds sim m (f64vector 1)))
    (for-each
     (lambda (pool)
       (let ((meta (make-meta-simulation (list sim sim)
                                         (list (identity-operator 2) (diagonal-operator (f64vector 1 0))) #:pool pool)))
         (test-equal (format #f "approximate kinds of parts, ~a" pool)
           (list (f64vector 14 2) (f64vector 7 1) (f64vector 22 12) (f64vector 11 6))
           (kinds meta m (f64vector 1 10)))
         (test-equal (format #f "the same with fields, ~a" pool)
           (list (f64vector 14 2) (f64vector 7 1) (f64vector 22 12) (f64vector 11 6))
           (kinds meta (fields meta m) (f64vector 1 10)))))
     '(#f 1 2 3))))

(define (test-own-diagonal)
  (let ((sim (make-simulation #:model-size 2 #:data-size 1
                              #:dpred (lambda (m f) (f64vector 0)) #:jvec (lambda (m v f) (f64vector 0))
                              #:jtvec (lambda (m u f) (f64vector 1 2))
                              #:jtj-diagonal (lambda (m w f) (if w (f64vector (f64vector-ref w 0) 8) (f64vector 7 8))))))
    (test-equal "a diagonal of its own" (f64vector 7 8) (jtj-diagonal sim (f64vector 0 0)))
    (test-equal "gets the weights" (f64vector 5 8) (jtj-diagonal sim (f64vector 0 0) #:weights (f64vector 5)))
    (test-equal "the true one is computed" (f64vector 1 4) (jtj-diagonal sim (f64vector 0 0) #:exact? #t))
    (test-equal "in a meta-simulation" (f64vector 7 32)
                (jtj-diagonal (make-meta-simulation (list sim) (list (diagonal-operator (f64vector 1 2))) #:pool #f)
                              (f64vector 0 0)))
    (test-assert "what is returned is checked"
      (refused? shape-error?
                (lambda ()
                  (jtvec (make-simulation #:name "short" #:model-size 2 #:data-size 1 #:dpred (lambda (m f) f)
                                          #:jvec (lambda (m v f) v) #:jtvec (lambda (m u f) u))
                         (f64vector 0 0) (f64vector 1)))
                "short" "#:jtvec" "R^2" "f64vector of 1"))))

(define (test-plain-operators)
  (let ((op (operator-compose (exp-operator 2) (matrix-operator 2 3 (f64vector 1 0 2 0 1 0))))
        (m (f64vector 0 0 0)))
    (test-equal "any operator is a simulation"
      (list (f64vector 1 1) (f64vector 3 1) (f64vector 1 1 2) (f64vector 3 1) (f64vector 1 1 2)
            (f64vector 1 1 4) (f64vector 4 9 16) (f64vector 1 1 4) (f64vector 4 9 16))
      (all-of op m (f64vector 1 1 1) (f64vector 1 1) (f64vector 2 3)))
    (test-equal "with fields" (f64vector 3 1) (jvec op (fields op m) (f64vector 1 1 1)))
    (test-equal "the value of its fields" #t (linear? (fields-value (fields op m))))
    (test-equal "no parts" '() (simulation-parts op))))

;;; Synthetic data.

(define (test-synthetic)
  (let ((op (diagonal-operator (make-f64vector 2000 2.)))
        (m (make-f64vector 2000 -5.)))
    (define* (data-and-std #:rest options)
      (let-values (((data std) (apply make-synthetic-data op m options))) (cons data std)))
    (test-equal "without noise" (cons (make-f64vector 2000 -10.) (make-f64vector 2000 .5)) (data-and-std))
    (test-assert "floor and relative error"
      (close? (make-f64vector 2000 5.) (cdr (data-and-std #:relative-error 0.3 #:noise-floor 4.))))
    (match (data-and-std #:add-noise? #t #:seed 3)
      ((data . std)
       (let ((noise (vec-scale 2 (vec- data (make-f64vector 2000 -10.)))))
         (test-assert "noise is Gaussian" (and (< 0.9 (/ (vec-dot noise noise) 2000) 1.1)
                                               (< (abs (/ (vec-dot noise (make-f64vector 2000 1.)) 2000)) 0.1)))
         (test-equal "the deviations are those without it" (make-f64vector 2000 .5) std)
         (test-equal "the same seed, the same noise" data (car (data-and-std #:add-noise? #t #:seed 3)))
         (test-assert "another one, another" (not (equal? data (car (data-and-std #:add-noise? #t #:seed 4))))))))
    (test-assert "from random-seed" (equal? (parameterize ((random-seed 9)) (data-and-std #:add-noise? #t))
                                            (data-and-std #:add-noise? #t #:seed 9)))
    (test-assert "complex"
      (let-values (((data std) (make-synthetic-data (identity-operator (complex-space 1)) (c64vector 3+4i)
                                                    #:relative-error 0.1 #:add-noise? #t)))
        (and (equal? std (f64vector 0.5)) (c64vector? data) (not (equal? data (c64vector 3+4i))))))
    (test-equal "residual" (make-f64vector 2000 -11.) (residual op m (make-f64vector 2000 1.)))))

;;; Here and there.

(define (meta-parts)
  "Return simulations and mappings of several kinds on R^7."
  (values (list (squares "a" 3 4) (random-matrix 5 6) (squares "c" 2 7) (squares "d" 3 2)
                (operator-compose (exp-operator 3) (random-matrix 3 4)))
          (list (random-matrix 4 7) (operator-compose (exp-operator 6) (random-matrix 6 7)) (identity-operator 7)
                (projection-operator 7 '(5 1)) (sparse-operator 4 7 '(0 1 2 2) '(3 2 1 6) (f64vector 1 -1 2 .5)))))

(define (test-same-everywhere pools)
  (let*-values (((simulations mappings) (meta-parts))
                ((n) 16)
                ((m v u w) (values (random-real 7) (random-real 7) (random-real n) (random-real n))))
    (define (same-as-here? make u w)
      (let ((here (all-of (make #f) m v u w)))
        (every (lambda (pool)
                 (let ((there (make pool)))
                   (and (equal? here (all-of there m v u w))
                        (equal? here (all-of there (fields there m) v u w)))))
               pools)))
    (define (meta pool) (make-meta-simulation simulations mappings #:pool pool))
    (test-assert "concatenated: the same bits" (same-as-here? meta u w))
    (test-assert "the derivative is one" (< (check-derivative (meta #f) m) 1e-7))
    (test-assert "the adjoint is one" (< (check-adjoint (meta #f) #:at m) 1e-14))
    (test-assert "the true diagonal is that of the Jacobian"
      (let ((j (derivative-of (meta #f) m)))
        (close? (list->f64vector (map (lambda (i) (square-of (evaluate j (unit 7 i)))) (iota 7)))
                (jtj-diagonal (meta #f) m #:exact? #t))))
    (let ((simulations (map (lambda (i) (squares "s" 3 4)) (iota 9)))
          (mappings (map (lambda (i) (random-matrix 4 7)) (iota 9))))
      (test-assert "added: the same bits"
        (same-as-here? (lambda (pool) (make-sum-meta-simulation simulations mappings #:pool pool))
                       (random-real 3) (random-real 3)))
      (test-assert "repeated: the same bits"
        (same-as-here? (lambda (pool) (make-repeated-meta-simulation (car simulations) mappings #:pool pool))
                       (random-real 27) (random-real 27)))
      (test-equal "repeated is the same simulation again and again"
        (dpred (make-meta-simulation (map (const (car simulations)) mappings) mappings #:pool #f) m)
        (dpred (make-repeated-meta-simulation (car simulations) mappings #:pool #f) m))
      (test-assert "the true diagonal of a sum, by columns"
        (let* ((sim (make-sum-meta-simulation (list (random-matrix 9 4) (random-matrix 9 4)) (take mappings 2) #:pool #f))
               (w (random-real 9)))
          (close? (jtj-diagonal sim m #:weights w #:exact? #t)
                  (list->f64vector (map (lambda (i) (square-of (vec* w (jvec sim m (unit 7 i))))) (iota 7)))))))))

(define (square-of v) (vec-dot v v))

(define (unit n i)
  (let ((v (make-f64vector n 0.))) (f64vector-set! v i 1.) v))

(define (test-nested pools)
  (let*-values (((simulations mappings) (meta-parts))
                ((m v) (values (random-real 3) (random-real 3)))
                ((outer-mapping) (random-matrix 7 3)))
    (define (nested outer inner)
      (make-meta-simulation
       (list (make-meta-simulation (take simulations 3) (take mappings 3) #:pool inner #:name "inner")
             (make-sum-meta-simulation (list (squares-of 1) (squares-of 2)) (list (identity-operator 3) (identity-operator 3))
                                       #:pool inner))
       (list outer-mapping (identity-operator 3))
       #:pool outer))
    (define (squares-of k) (make-squares "sum" 2 3 (f64vector 1 2 3 k 5 6)))
    (define (figures sim)
      (all-of sim m v (f64vector 1 2 3 4 5 6 7 8 9 10 11 12) (f64vector 1 2 3 4 5 6 7 8 9 10 11 12)))
    (let ((here (figures (nested #f #f))))
      (for-each (lambda (pool)
                  (test-equal (format #f "~a outside" pool) here (figures (nested pool #f)))
                  (test-equal (format #f "~a inside" pool) here (figures (nested #f pool)))
                  (test-equal (format #f "~a both" pool) here (figures (nested pool pool))))
                pools))))

(define (test-complex pools)
  (let* ((space (complex-space 4))
         (simulations (list (fourier-operator space '(4)) (diagonal-operator (random-complex 4))))
         (mappings (list (diagonal-operator (random-complex 4)) (fourier-operator space '(2 2))))
         (m (random-complex 4)) (u (random-complex 8)) (w (random-real 8)))
    (define (meta pool) (make-meta-simulation simulations mappings #:pool pool))
    (let ((here (all-of (meta #f) m m u w)))
      (test-assert "complex: the true diagonal"
        (close? (last here)
                (list->f64vector
                 (map (lambda (j)
                        (let ((column (jvec (meta #f) m (let ((e (make-c64vector 4 0.))) (c64vector-set! e j 1.) e))))
                          (fold (lambda (i sum) (+ sum (expt (* (f64vector-ref w i) (magnitude (c64vector-ref column i))) 2)))
                                0 (iota 8))))
                      (iota 4)))))
      (for-each (lambda (pool) (test-equal "complex: the same bits" here (all-of (meta pool) m m u w))) pools))))

;;; On workers.

(define (test-on-a-pool pool)
  (let*-values (((simulations mappings) (meta-parts))
                ((m v u) (values (random-real 7) (random-real 7) (random-real 16)))
                ((here) (make-meta-simulation simulations mappings #:pool #f))
                ((there) (make-meta-simulation simulations mappings #:pool pool)))
    (test-equal "its pool" pool (operator-pool there))
    (let* ((f (fields there m))
           (expected (jtvec here m u))
           (expected-data (dpred here m))
           (at-another (jvec here v v)))
      (f64vector-set! m 0 100.)
      (kill-worker pool 0)
      (test-equal "fields outlive a worker" expected (jtvec there f u))
      (kill-worker pool 1)
      (test-equal "and another, at their model" expected-data (dpred there f))
      (kill-worker pool 0)
      (test-equal "the simulation does too" at-another (jvec there v v))
      (kill-worker pool 1)
      (test-equal "and what it remembers" at-another (jvec there v v))
      (test-equal "fields come from their workers" (vec-scale 2 (fields-model f)) (third (fields-value f)))
      (fields-remove! f)
      (test-assert "removed fields" (refused? removed? (lambda () (jvec there f v))))
      (test-equal "the simulation goes on" at-another (jvec there v v)))
    (test-equal "simulations travel" (list (dpred (car simulations) (make-f64vector 4 1.)) (dpred (third simulations) v))
                (pool-map pool (remote (lambda (sim m) (dpred sim m))) (list (car simulations) (third simulations))
                          (list (make-f64vector 4 1.) v)))
    (test-equal "simulations of simulations too" (list (jvec here v v))
                (pool-map pool (remote (lambda (sim m) (jvec sim m m))) (list there) (list v)))
    (test-equal "the current pool is used" pool (operator-pool (make-meta-simulation simulations mappings)))))

(define (test-scope pool)
  (let-values (((simulations mappings) (meta-parts))
               ((m v) (values (random-real 7) (random-real 7))))
    (let* ((sim #f)
           (f (with-execution-manager
                (set! sim (make-meta-simulation simulations mappings #:pool pool))
                (fields sim m))))
      (for-each (match-lambda
                  ((name . thunk)
                   (test-assert (string-append name " after its scope") (refused? pool-closed-error? thunk "meta-simulation" "scope"))))
                (list (cons "dpred" (lambda () (dpred sim m)))
                      (cons "jvec" (lambda () (jvec sim m v)))
                      (cons "linearize" (lambda () (linearize sim m)))
                      (cons "fields" (lambda () (jvec sim f v)))))
      (test-equal "the pool goes on" '(1 2) (pool-map pool (remote (lambda (x) x)) '(1 2))))))

(define (test-thunks pool)
  (let* ((entries (f64vector 1 2 3 4))
         (simulation (remote ((entries entries)) (lambda () (only-on-a-worker (matrix-operator 2 2 entries)))))
         (mapping (remote (lambda () (only-on-a-worker (identity-operator 2)))))
         (sim (make-meta-simulation (list simulation simulation) (list mapping mapping) #:pool pool)))
    (test-equal "what is made on its worker" (f64vector 3 7 3 7) (dpred sim (f64vector 1 1)))
    (test-equal "and again after its death" (f64vector 3 7 3 7) (begin (kill-worker pool 0) (dpred sim (f64vector 1 1))))
    (test-equal "once for many models" (f64vector 3 7 3 7 3 7)
                (dpred (make-repeated-meta-simulation simulation (list mapping mapping mapping) #:pool pool) (f64vector 1 1)))
    (test-assert "a thunk that returns something else"
      (refused? worker-error? (lambda () (make-meta-simulation (list (remote (lambda () 42))) (list mapping) #:pool pool))
                "simulation 0" "42"))
    (test-assert "a mapping that does"
      (refused? worker-error? (lambda () (make-meta-simulation (list simulation) (list (remote (lambda () 42))) #:pool pool))
                "mapping 0" "42"))))

(define (test-errors pool)
  (let ((sim (make-meta-simulation (list (make-squares "the solid one" 2 2 (f64vector 1 0 0 1)) (make-fragile 2))
                                   (list (identity-operator 2) (identity-operator 2)) #:pool pool))
        (good (f64vector 0 1)) (bad (f64vector 2 0)))
    (define (named? thunk text)
      (and (refused? operator-error? thunk "in the fragile one" text "2.0")
           (equal? "the fragile one" (operator-error-name (condition-of thunk)))))
    (test-assert "an error in the data names the simulation" (named? (lambda () (dpred sim bad)) "too large"))
    (test-assert "an error in the derivative does" (named? (lambda () (jvec sim good bad)) "too steep"))
    (test-assert "also with fields" (let ((f (fields sim good))) (named? (lambda () (jvec sim f bad)) "too steep")))
    (test-equal "it is usable afterwards" (list (f64vector 0 1 0 3) (f64vector 0 2 0 3) (f64vector 3 8))
                (list (dpred sim good) (jvec sim good good) (jtvec sim good (f64vector 1 1 1 2))))
    (test-assert "of one simulation with many models"
      (refused? operator-error?
                (lambda ()
                  (dpred (make-repeated-meta-simulation
                          (make-fragile 2) (list (identity-operator 2) (diagonal-operator (f64vector 2 2))) #:pool pool)
                         (f64vector 1 0)))
                "the fragile one, model 1"))
    (test-assert "an error in a mapping names it"
      (refused? operator-error?
                (lambda ()
                  (dpred (make-meta-simulation (list (make-squares "good" 2 2 (f64vector 1 0 0 1))) (list (make-fragile 2))
                                               #:pool pool)
                         bad))
                "in good" "the mapping of good" "too large"))))

;;; Refusals.

(define (test-refusals)
  (define (meta simulations mappings) (lambda () (make-meta-simulation simulations mappings #:pool #f)))
  (let* ((a (squares "a" 3 4)) (b (squares "b" 2 4))
         (sim ((meta (list a b) (list (random-matrix 4 7) (random-matrix 4 7)))))
         (other ((meta (list a) (list (random-matrix 4 7)))))
         (m (make-f64vector 7 1.)))
    (define-syntax-rule (shapes name expression part ...)
      (test-assert name (refused? shape-error? (lambda () expression) part ...)))
    (for-each
     (lambda (x)
       (define (names? part thunk) (refused? (const #t) thunk part))
       (unless (= x -1)
         (test-assert (format #f "a weight of ~a" x)
           (names? "number 1 (from 0) is" (lambda () (jtj-diagonal a (f64vector 1 2 3 4) #:weights (f64vector 1 x 1))))))
       (test-assert (format #f "an error of ~a" x)
         (names? "relative-error" (lambda () (make-synthetic-data a (f64vector 1 2 3 4) #:relative-error x #:add-noise? #t))))
       (test-assert (format #f "a noise floor of ~a" x)
         (names? "noise-floor" (lambda () (make-synthetic-data a (f64vector 1 2 3 4) #:noise-floor x #:add-noise? #t)))))
     '(+nan.0 +inf.0 -1.))
    (test-assert "a weight of zero mutes its datum"
      (let ((column (evaluate (derivative-of a (f64vector 1 2 3 4)) (f64vector 1 0 0 0))))
        (< (abs (- (f64vector-ref (jtj-diagonal a (f64vector 1 2 3 4) #:weights (f64vector 1 0 1)) 0)
                   (+ (expt (f64vector-ref column 0) 2) (expt (f64vector-ref column 2) 2))))
           1e-12)))
    (shapes "a mapping that does not fit" ((meta (list a b) (list (random-matrix 4 7) (random-matrix 5 7))))
            "b takes models of R^4" "R^5")
    (shapes "too few mappings" ((meta (list a b) (list (random-matrix 4 7)))) "2 simulations" "1")
    (shapes "too many" ((meta (list a) (list (random-matrix 4 7) (random-matrix 4 7)))) "1 simulation " "2")
    (shapes "mappings of different models" ((meta (list a b) (list (random-matrix 4 7) (random-matrix 4 8))))
            "of a takes" "R^7" "of b" "R^8")
    (shapes "data that cannot be added"
            (make-sum-meta-simulation (list a b) (list (random-matrix 4 7) (random-matrix 4 7)) #:pool #f)
            "one size" "a are in R^3" "b in R^2")
    (shapes "real and complex data"
            ((meta (list (identity-operator 2)
                         (make-linear-operator #:name "widen" #:domain 2 #:codomain (complex-space 2)
                                               #:apply (lambda (x) (list->c64vector (f64vector->list x)))
                                               #:adjoint (lambda (y) (list->f64vector (map real-part (c64vector->list y))))))
                   (list (identity-operator 2) (identity-operator 2))))
            "all real or all complex" "widen")
    (shapes "too long a model" (dpred sim (make-f64vector 8 1.)) "meta-simulation" "R^7" "f64vector of 8")
    (shapes "too short a model" (jvec sim (make-f64vector 6 1.) m) "R^7" "f64vector of 6")
    (shapes "too long a vector for jvec" (jvec sim m (make-f64vector 8 1.)) "R^7" "f64vector of 8")
    (shapes "too long a vector for jtvec" (jtvec sim m (make-f64vector 6 1.)) "R^3 + R^2" "f64vector of 5" "f64vector of 6")
    (shapes "too short a vector for jtvec-approx" (jtvec-approx sim m (make-f64vector 4 1.)) "f64vector of 4")
    (shapes "too many weights" (jtj-diagonal sim m #:weights (make-f64vector 6 1.)) "weights" "R^5" "f64vector of 6")
    (shapes "too few observations" (residual sim m (make-f64vector 4 1.)) "observed" "f64vector of 4")
    (test-assert "fields of another simulation"
      (refused? tutti-error? (lambda () (jvec sim (fields other m) m)) "another simulation"))
    (test-assert "no simulation at all" (wrong-type? (condition-of (meta (list 3) (list (random-matrix 4 7))))))
    (test-assert "no simulations" (condition-of (meta '() '())))
    (test-assert "no procedure" (wrong-type? (condition-of (lambda () (make-simulation #:model-size 1 #:data-size 1)))))))

(call-with-tap
 (lambda ()
   (test-group "simulation"
     (test-group "by hand" (test-by-hand))
     (test-group "leaf" (test-leaf) (test-approximate-kinds) (test-own-diagonal))
     (test-group "operators" (test-plain-operators))
     (test-group "synthetic" (test-synthetic))
     (test-group "refusals" (test-refusals))
     (test-group "errors here" (test-errors #f))
     (call-with-pool 2
       (lambda (two)
         (test-group "pool" (test-on-a-pool two))
         (test-group "scope" (test-scope two) (test-scope (make-serial-pool)))
         (test-group "thunks" (test-thunks two))
         (test-group "errors" (test-errors two))
         (call-with-pool 1
           (lambda (one)
             (call-with-pool 8
               (lambda (eight)
                 (test-group "same" (test-same-everywhere (list (make-serial-pool) one two eight)))
                 (test-group "nested" (test-nested (list one two)))
                 (test-group "complex" (test-complex (list one two eight))))))))))))
