;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators on workers: every kind gives the bits there that it gives here; differences; checks, also by workers that take the place of
;; others.
(use-modules (tap) (operators) (processes) (vectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64)
             (tutti) (tutti operator) (tutti space))

(define c complex-space)

;;; Every kind.

(define-remote (itself x) x)

(define (test-travel pool)
  (let* ((named (all-operators))
         (names (map car named))
         (ops (map cdr named))
         (xs (map (lambda (op) (element-of (operator-domain op))) ops))
         (hs (map (lambda (op) (element-of (operator-domain op))) ops))
         (ys (map (lambda (op) (element-of (operator-codomain op))) ops))
         (derivatives (map derivative-of ops xs))
         (adjoints (map adjoint derivatives)))
    (for-each (lambda (name here there) (test-equal name here there))
              names (map all-numbers ops xs hs ys) (pool-map pool all-numbers ops xs hs ys))
    (for-each (lambda (name here there) (test-equal (string-append "derivative: " name) here there))
              names (map linear-numbers derivatives hs ys) (pool-map pool linear-numbers derivatives hs ys))
    (for-each (lambda (name here there) (test-equal (string-append "adjoint: " name) here there))
              names (map linear-numbers adjoints ys hs) (pool-map pool linear-numbers adjoints ys hs))
    (for-each (lambda (name here back-again) (test-equal (string-append "there and back: " name) here back-again))
              names (map all-numbers ops xs hs ys) (map all-numbers (pool-map pool itself ops) xs hs ys))
    (test-equal "all of them, on every worker" (make-list 2 (map evaluate ops xs))
      (pool-apply pool (remote (lambda (ops xs) (map evaluate ops xs))) ops xs))
    (test-equal "in a parallel vector, each on its worker" (map evaluate ops xs)
      (map (lambda (op x) (evaluate (parallel-vector-of-operators (list op) #:pool pool) x)) ops xs))))

(define-remote (make-local)
  (identity-operator (getpid)))

(define-remote (make-closed k)
  (make-linear-operator #:name (format #f "times ~a in ~a" k (getpid)) #:domain 1 #:codomain 1
                        #:apply (lambda (x) (vec-scale k x)) #:adjoint (lambda (y) (vec-scale k y))))

(define-remote (hand-on op) op)
(define-remote (make-outer k) (make-closed k))
(define-remote (name-and-process op) (list (operator-name op) (getpid)))

(define (closed)
  (let ((k 3.))
    (make-linear-operator #:name "closed" #:domain 1 #:codomain 1
                          #:apply (lambda (x) (vec-scale k x)) #:adjoint (lambda (y) (vec-scale k y)))))

(define-remote (local-for whatever)
  (identity-operator 1))

;; Arguments as users have them: what the call returns is looked for in them.
(define (test-call-arguments)
  (define woven (let loop ((i 0) (l '())) (if (= i 100) l (loop (1+ i) (cons l l)))))
  (for-each (lambda (name argument)
              (test-assert (string-append "arguments: " name) (operator? (local-for argument))))
            '("a circle" "shared parts" "very long" "very deep")
            (list (circular-list 1 2 3) woven (iota 100000) (fold (lambda (i l) (list l)) '() (iota 100000))))
  (let ((op (closed)))
    (test-eq "one that is deep in the arguments" op (hand-on-last (list 1 (list 2 op))))
    (test-assert "was not made by the call"
      (refused? not-remotable? (lambda () (call-with-pool 1 (lambda (pool) (pool-map pool operator-name (list op)))))
                "made of closures" "make its procedures remote"))))

(define-remote (hand-on-last l) (last (last l)))

(define (test-calls pool)
  (define (cannot-travel? op)
    (refused? not-remotable? (lambda () (pool-map pool operator-name (list op)))
              "closed" "closures" "define-remote" "make its procedures remote"))
  (define (made-again? op)
    (let ((answer (pool-apply-only pool 1 name-and-process op)))
      (equal? (first answer) (format #f "times 2 in ~a" (second answer)))))
  (test-assert "one of closures cannot" (cannot-travel? (closed)))
  (for-each (lambda (name op) (test-assert (string-append name " of closures cannot") (cannot-travel? op)))
            '("a composition" "a sum" "a multiple" "an adjoint" "a vector" "what has differences" "a derivative")
            (list (operator-compose (identity-operator 1) (closed)) (operator-sum (closed) (identity-operator 1))
                  (operator-scale 2 (closed)) (adjoint (closed)) (vector-of-operators (list (closed))) (with-differences (closed) #:pool #f)
                  (derivative-of (operator-compose (exp-operator 1) (closed)) (f64vector 1))))
  (test-assert "it can if it is handed on by a remote procedure that made it" (made-again? (make-closed 2)))
  (test-assert "through others too" (made-again? (make-outer 2)))
  (test-assert "also if it was handed to another since" (made-again? (hand-on (make-closed 2))))
  (test-assert "but not if it was only handed on" (cannot-travel? (hand-on (closed))))
  (test-equal "what has parts is not made again, but taken by its parts" (getpid)
    (operator-domain (pool-apply-only pool 0 itself (hand-on (identity-operator (getpid))))))
  (test-equal "with remote procedures it has parts" '(6.0)
    (let ((op (make-linear-operator #:name "twice" #:domain 1 #:codomain 1
                                    #:apply (remote (lambda (x) (vec-scale 2 x))) #:adjoint (remote (lambda (y) (vec-scale 2 y))))))
      (f64vector->list (pool-apply-only pool 0 evaluate op (f64vector 3))))))

;;; Differences.

(define-remote (differences-at op x)
  (operator->matrix (call-with-values (lambda () (linearize op x)) (lambda (value derivative) derivative))))

(define-remote (make-fragile)
  (make-operator #:name "the fragile one" #:domain 3 #:codomain 1
                 #:evaluate (lambda (x) (if (> (f64vector-ref x 1) 1) (error "too large:" (f64vector-ref x 1)) (f64vector 1)))
                 #:linearize (lambda (x) (values (f64vector 1) (matrix-operator 1 3 (f64vector 0 0 0))))))

(define (error-of scheme step)
  "Return the error of the derivative of exp at 1."
  (let ((op (with-differences (exp-operator 1) #:scheme scheme #:step step #:pool #f)))
    (abs (- (exp 1) (f64vector-ref (differences-at op (f64vector 1)) 0)))))

(define (calls-of scheme)
  (let ((op (make-square 5)))
    (linearize (with-differences op #:scheme scheme #:pool #f) (make-f64vector 5 1.))
    (second (assq 'evaluate (operator-statistics op)))))

(define (test-differences-here)
  (define (order scheme) (log10 (/ (error-of scheme 1e-2) (error-of scheme 1e-3))))
  (test-approximate "forward is of first order" 1. (order 'forward) 0.01)
  (test-approximate "central is of second order" 2. (order 'central) 0.01)
  (test-assert "the usual steps" (and (< (error-of 'forward 1.5e-8) 1e-7) (< (error-of 'central 6e-6) 1e-9)))
  ;; Of x^2, (x + s)^2 - x^2 over s is 2 x + s: the step shows.
  (test-assert "the step is relative to large numbers alone"
    (close? (f64vector 200.1 0 0 1.001)
            (differences-at (with-differences (make-square 2) #:scheme 'forward #:step 1e-3 #:pool #f) (f64vector 100 0.5)) 1e-12))
  (test-equal "evaluations" '(6 11) (map calls-of '(forward central)))
  (test-assert "the derivative is right"
    (call-with-values (lambda () (check-derivative (with-differences (make-square 3) #:pool #f) (f64vector 1 -2 3)))
      (lambda (gap slopes) (< gap 1e-9))))
  (test-assert "the adjoint is one" (< (check-adjoint (with-differences (make-square 3) #:pool #f)) 1e-15))
  (test-assert "an operator that has no derivative of its own"
    (let ((square (make-operator #:domain 1 #:codomain 1 #:evaluate (lambda (x) (vec* x x)))))
      (< (abs (- 6 (f64vector-ref (evaluate (derivative-of (with-differences square #:pool #f) (f64vector 3)) (f64vector 1)) 0))) 1e-6)))
  (test-assert "complex domain" (refused? shape-error? (lambda () (with-differences (exp-operator (c 2)))) "real" "domain of exp" "C^2"))
  (test-assert "complex values" (refused? shape-error? (lambda () (with-differences (embedding-operator 2))) "codomain of embedding" "C^2"))
  (test-assert "scheme" (refused? wrong-type? (lambda () (with-differences (exp-operator 2) #:scheme 'backward)) "#:scheme" "backward"))
  (for-each (lambda (step)
              (test-assert (format #f "step ~a" step)
                (refused? wrong-type? (lambda () (with-differences (exp-operator 2) #:step step)) "#:step" (format #f "got ~s" step))))
            '(0 -1e-3 +nan.0 +inf.0 a #f))
  (test-assert "pool" (refused? wrong-type? (lambda () (with-differences (exp-operator 2) #:pool 2)) "#:pool" "got 2"))
  (test-assert "an error tells where"
    (refused? operator-error?
              (lambda () (linearize (with-differences (make-fragile) #:retries 0 #:scheme 'forward #:missing 'raise #:pool #f)
                                    (f64vector 0 1 0)))
              "the fragile one" "number 1 of the argument is larger" "too large: 1.00")))

(define (test-differences pool)
  (let* ((op (operator-compose (matrix-operator 3 4 (random-real 12)) (exp-operator 4) (matrix-operator 4 5 (random-real 20))))
         (x (random-real 5)))
    (for-each
     (lambda (scheme)
       (let ((here (differences-at (with-differences op #:scheme scheme #:step 1e-3 #:pool #f) x))
             (there (with-differences op #:scheme scheme #:step 1e-3 #:pool pool)))
         (test-equal (format #f "~a: the same bits" scheme) here (differences-at there x))
         (test-equal (format #f "~a: inside a task" scheme) (list here) (pool-map pool differences-at (list there) (list x)))
         (test-equal (format #f "~a: in a vector of operators" scheme) here
           (differences-at (parallel-vector-of-operators (list there) #:pool pool) x))
         (test-equal (format #f "~a: made inside a task" scheme) here
           (pool-apply-only pool 1 (remote (lambda (op scheme x) (differences-at (with-differences op #:scheme scheme #:step 1e-3) x)))
                           op scheme x))))
     '(central forward))
    (test-eq "its pool" pool (operator-pool (with-differences op #:pool pool)))
    (test-eq "the current one" pool (operator-pool (parameterize ((current-pool pool)) (with-differences op)))))
  (let ((op (parallel-vector-of-operators (list (remote (lambda () (with-differences (make-closed 2))))) #:pool pool)))
    (test-assert "of what its worker has made of closures" (close? (f64vector 2) (differences-at op (f64vector 1)) 1e-9)))
  (test-assert "of closures in a serial pool"
    (close? (f64vector 3) (differences-at (with-differences (closed) #:pool (make-serial-pool)) (f64vector 1)) 1e-9))
  (test-assert "an error tells where"
    (refused? worker-error?
              (lambda () (linearize (with-differences (make-fragile) #:retries 0 #:scheme 'forward #:missing 'raise #:pool pool)
                                    (f64vector 0 1 0)))
              "the fragile one" "number 1 of the argument is larger" "too large: 1.00"))
  (test-assert "what cannot travel"
    (refused? not-remotable? (lambda () (linearize (with-differences (closed) #:pool pool) (f64vector 1))) "closed" "define-remote")))

;;; Checks.

(define-remote (make-checked apply-it adjoint-it)
  (make-linear-operator #:name "the crooked one" #:domain 1 #:codomain 1 #:apply apply-it #:adjoint adjoint-it))

(define-remote (make-derived factor)
  (make-operator #:name "the crooked one" #:domain 1 #:codomain 1
                 #:evaluate (lambda (x) (vec* x x))
                 #:linearize (lambda (x) (values (vec* x x) (diagonal-operator (vec-scale factor x))))))

(define-remote (twice x) (vec-scale 2 x))
(define-remote (thrice x) (vec-scale 3 x))
(define-remote (no-number x) (f64vector +nan.0))
(define-remote (infinite x) (f64vector +inf.0))

(define (test-checks name make)
  ;; MAKE: a remote thunk, or an operator -> what uses the operator.
  (define-syntax-rule (test-refused case expression part ...)
    (test-assert (string-append name ": " case)
      (refused? tutti-error? (lambda () (make (remote (lambda () expression)))) "the crooked one" part ...)))
  (parameterize ((operator-checks #t))
    (test-assert (string-append name ": what is right") (operator? (make (remote (lambda () (make-checked twice twice))))))
    (test-assert (string-append name ": a right derivative") (operator? (make (remote (lambda () (make-derived 2))))))
    ;; |2 - 3| / (2 + 3).
    (test-assert (string-append name ": one that was made unchecked")
      (let ((op (parameterize ((operator-checks #f)) (make-checked twice thrice))))
        (or (string=? name "here")
            (refused? tutti-error? (lambda () (make op)) "the crooked one" "gap 0.200"))))
    (test-refused "adjoint" (make-checked twice thrice) "its adjoint does not fit" "gap 0.200")
    (test-refused "derivative" (make-derived 3) "its derivative does not fit" "gap 0.333")
    (test-refused "NaN" (make-checked no-number twice) "gap +nan.0")
    (test-refused "NaN in the adjoint" (make-checked twice no-number) "gap +nan.0")
    (test-refused "infinity" (make-checked infinite twice) "gap +nan.0")
    (test-refused "NaN in the derivative" (make-derived +nan.0) "gap +nan.0"))
  (test-assert (string-append name ": unchecked") (operator? (make (remote (lambda () (make-checked twice thrice)))))))

(define-remote (make-turncoat file)
  ;; As it should be until there is FILE.
  (make-checked twice (if (file-exists? file) thrice twice)))

(define (test-replaced pool)
  (let* ((folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-operator-travel-XXXXXX")))
         (file (string-append folder "/turned"))
         (first-pid (lambda () (worker-pid (first (pool-workers pool))))))
    (define (kill-worker)
      (let ((pid (first-pid)))
        (kill pid SIGKILL)
        (await (lambda () (not (eqv? pid (first-pid)))) 60)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let ((op (parameterize ((operator-checks #t)) (parallel-vector-of-operators (list (make-turncoat-thunk file)) #:pool pool)))
              (unchecked (parallel-vector-of-operators (list (make-turncoat-thunk file)) #:pool pool)))
          (test-equal "before" (f64vector 6) (evaluate op (f64vector 3)))
          (kill-worker)
          (test-equal "replaced, still right" (f64vector 6) (evaluate op (f64vector 3)))
          (call-with-output-file file newline)
          (test-equal "made only once" (f64vector 6) (apply-adjoint op (f64vector 3)))
          (kill-worker)
          (test-assert "replaced, wrong"
            (refused? worker-error? (lambda () (evaluate op (f64vector 3)))
                      "operator 0" "the crooked one" "its adjoint does not fit" "gap 0.200"))
          (test-assert "and again" (refused? worker-error? (lambda () (apply-adjoint op (f64vector 3))) "gap 0.200"))
          (test-equal "without checks nothing is said" (f64vector 9) (apply-adjoint unchecked (f64vector 3)))
          (delete-file file)
          (test-equal "right again" (f64vector 6) (evaluate op (f64vector 3)))))
      (lambda ()
        (when (file-exists? file) (delete-file file))
        (rmdir folder)))))

(define (make-turncoat-thunk file)
  (remote ((file file)) (lambda () (make-turncoat file))))

(call-with-tap
 (lambda ()
   (test-group "operator-travel"
     (test-group "differences here" (test-differences-here))
     (test-group "checks" (test-checks "here" (lambda (thunk) (thunk))))
     (call-with-pool 2
       (lambda (pool)
         (test-group "travel" (test-travel pool))
         (test-group "calls" (test-call-arguments)
       (test-calls pool))
         (test-group "differences" (test-differences pool))
         (test-group "checks"
           (test-checks "serial vector" (lambda (thunk) (vector-of-operators (list (identity-operator 1) thunk))))
           (test-checks "on a worker" (lambda (thunk) (parallel-vector-of-operators (list (identity-operator 1) thunk) #:pool pool)))
           (test-checks "distributed" (lambda (thunk)
                                        (distributed-vector-of-operators (list thunk (identity-operator 1)) (direct-sum 1 1)
                                                                         '((#t #f) (#f #t)) #:pool pool))))
         (test-group "replaced" (test-replaced pool)))))))
