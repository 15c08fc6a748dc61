;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sums by the tree, and what workers write in place: the bits of a plain recursion, whoever has which items; parts of all sizes, errors and
;; deaths in between. It is run once more over a stream of bytes, as if the workers were on another machine.
(use-modules (ice-9 match) (programs) (summands) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-11) (srfi srfi-64) (tap)
             (tutti) (tutti operator) (tutti pool tree) (tutti pool type) (tutti simulation) (tutti sum) (tutti vector))

(define sizes '(0 1 5 4095 4096))
(define large-sizes '(65535 65537))     ; from 512 KiB on workers add

(define (test-vectors)
  (for-each
   (lambda (count)
     (for-each (lambda (n)
                 (let ((vectors (map (lambda (i) (noise i n)) (iota count))))
                   (test-assert (format #f "~a vectors of ~a numbers" count n) (is-sum? (sum-vectors #f vectors) vectors))))
               (if (= count 7) (append sizes '(65536)) (take sizes 3))))
   (iota 17 1))
  (let ((complex (map (lambda (i) (c64vector (make-rectangular (expt 10. i) -0.) (make-rectangular +inf.0 (- i)) 1.)) (iota 6))))
    (test-assert "complex" (is-sum? (sum-vectors #f complex) complex))
    (let ((mixed (list (car complex) (f64vector 1 +inf.0 -0.) (cadr complex) (f64vector 1e300 1 -0.))))
      (test-assert "real ones among complex ones" (is-sum? (sum-vectors #f mixed) (map vec->complex mixed)))))
  (test-error "other lengths" shape-error? (sum-vectors #f (list (f64vector 1) (f64vector 1 2)))))

;;; Nodes.

(define (test-nodes)
  (define n 17)
  (test-equal "all items are one node" '((0 17 (0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)))
    (tree-nodes n (map (lambda (i) (cons i i)) (iota n))))
  (test-equal "neighbours, in any order" '((3 4 (3)) (4 8 (4 5 6 7)) (8 12 (8 9 10 11)) (12 13 (12)))
    (tree-nodes n (map (lambda (i) (cons i i)) (reverse (iota 10 3)))))
  (test-equal "the last ones" '((10 12 (10 11)) (12 16 (12 13 14 15)) (16 17 (16)))
    (tree-nodes n (map (lambda (i) (cons i i)) (iota 7 10))))
  (test-equal "an end that is no power of two" '((4 7 (4 5 6))) (tree-nodes 7 (map (lambda (i) (cons i i)) (iota 3 4))))
  (test-equal "every other one" (map (lambda (i) (list i (1+ i) (list i))) (iota 9 0 2))
    (tree-nodes n (map (lambda (i) (cons i i)) (iota 9 0 2))))
  (test-equal "none" '() (tree-nodes n '()))
  (test-assert "few for many"
    (every (lambda (start) (<= (length (tree-nodes 1000 (map (lambda (i) (cons i i)) (iota 500 start)))) 18)) (iota 500 1 7)))
  (let* ((vectors (map (lambda (i) (noise i 6)) (iota n)))
         (nodes-of (lambda (numbers)
                     (call-members-to-sum n (lambda () (map (lambda (i) (cons i (list-ref vectors i))) numbers))))))
    (test-assert "shared out anyhow"
      (every (lambda (deal)
               (let* ((dealt (map (lambda (who) (filter (lambda (i) (= who (deal i))) (iota n))) (iota 3)))
                      (nodes (append-map nodes-of dealt)))
                 (is-sum? (sum-nodes #f (reverse nodes)) vectors)))
             (list (lambda (i) (modulo i 3)) (lambda (i) (quotient i 6)) (const 1) (lambda (i) (if (< i 5) 2 0)))))
    (test-error "what is missing is missed" tutti-error? (sum-nodes #f (nodes-of '(0 1 2 3 5 6))))
    (test-equal "vectors that do not fit are left to who has all" 3
      (length (call-members-to-sum 3 (lambda () (list (cons 0 (f64vector 1)) (cons 1 (c64vector 1)) (cons 2 (f64vector 1)))))))))

;;; On workers.

(define (test-pool-sums workers)
  (call-with-pool workers
    (lambda (pool)
      (test-equal "memory is shared, or not" (not (equal? (getenv "TUTTI_TRANSPORT") "stream")) (pool-shares-memory? pool))
      (for-each (lambda (n)
                  (let ((vectors (map (lambda (i) (noise i n)) (iota workers))))
                    (for-each (lambda (proc)
                                (test-assert (format #f "pool-sum of ~a workers, ~a numbers" workers n)
                                  (is-sum? (pool-sum pool proc n) vectors)))
                              (list own-noise own-shared-noise))))
                (append sizes large-sizes))
      (let ((vectors (map (lambda (i) (noise i 70001)) (iota 11))))
        (test-assert (format #f "11 vectors, added by ~a workers" workers) (is-sum? (sum-vectors pool vectors) vectors))))))

(define (test-families pool name)
  (for-each
   (lambda (count)
     (for-each
      (lambda (n)
        (define vectors (map (lambda (i) (noise i n)) (iota count)))
        (test-assert (format #f "~a: adjoint of ~a operators, ~a numbers" name count n)
          (is-sum? (apply-adjoint (parallel-vector-of-operators (lines count n) #:pool pool) (make-f64vector count 1.)) vectors))
        (test-assert (format #f "~a: sum of ~a simulations, ~a numbers" name count n)
          (is-sum? (dpred (make-sum-meta-simulation (rays count n) (make-list count (identity-operator 1)) #:pool pool) (f64vector 1))
                   vectors)))
      (if (= count 5) '(6 65536) '(6))))
   '(1 2 3 4 5 7 8 13 16 17))
  ;; Of the components of a domain each has those operators that use it.
  (let* ((n 6)
         (rows '((#t #f #f) (#f #t #f) (#t #f #f) (#t #f #f) (#f #t #f) (#t #f #f) (#t #f #f)))
         (who (lambda (component) (filter-map (lambda (row i) (and (list-ref row component) i)) rows (iota 7))))
         (op (distributed-vector-of-operators (lines 7 n) (direct-sum n n 2) rows #:pool pool))
         (sum (apply-adjoint op (make-f64vector 7 1.))))
    (test-assert (format #f "~a: components" name)
      (and (is-sum? (vec-slice sum 0 n) (map (lambda (i) (noise i n)) (who 0)))
           (is-sum? (vec-slice sum n (* 2 n)) (map (lambda (i) (noise i n)) (who 1)))
           (equal? (f64vector 0 0) (vec-slice sum (* 2 n) (+ 2 (* 2 n))))))))

(define (test-algebra)
  (let ((vectors (map (lambda (i) (noise i 6)) (iota 7))))
    (test-assert "a sum of operators is one of seven"
      (is-sum? (apply-adjoint (apply operator-sum (map (lambda (i) (line i 6)) (iota 7))) (f64vector 1)) vectors))))

;;; Written in place.

(define-remote (own-part lengths seed)
  (let ((n (list-ref lengths (current-worker-index))))
    (make-f64vector n (+ seed (current-worker-index)))))
(define-remote (own-part-or-error lengths)
  (when (= 1 (current-worker-index)) (error "no part of" lengths))
  (own-part lengths 50.))
(define-remote (change! index x)
  (f64vector-set! x 0 (+ (f64vector-ref x 0) index))
  (f64vector-ref x 0))

(define (test-gathered)
  (call-with-pool 3
    (lambda (pool)
      (for-each
       (lambda (lengths)
         (define (expected seed) (append-map (lambda (n i) (make-list n (+ seed i))) lengths (iota 3)))
         ;; The second time, they are written in place.
         (for-each (lambda (seed)
                     (test-assert (format #f "parts of ~a numbers" lengths)
                       (same-numbers? (expected seed) (list-of (pool-gather pool own-part lengths seed)))))
                   '(1. 2. 3.)))
       '((4096 0 0) (0 5000 0) (5000 1 0) (1 0 4500) (1366 1366 1366) (2048 2048 2049) (100000 3 5) (0 0 0)))
      (let* ((lengths '(3000000 2000000 7))
             (gathered (begin (pool-gather pool own-part lengths 1.) (pool-gather pool own-part lengths 1.))))
        (test-equal "huge parts" '(1. 1. 2. 2. 3.)
          (map (lambda (i) (f64vector-ref gathered i)) '(0 2999999 3000000 4999999 5000006)))
        (test-error "an error on one worker" worker-error? (pool-gather pool own-part-or-error lengths))
        (test-equal "does not touch what was gathered before" 2. (f64vector-ref gathered 3000001)))
      (let ((x (make-f64vector 30000 1.)))
        (test-equal "a private argument is another one for each worker, and may be changed" '(1. 2. 3.)
          (pool-apply pool change! (per-worker '(0 1 2)) x))
        (test-equal "and here it is as before" 1. (f64vector-ref x 0))))))

(define-remote (plain n factor)
  (make-linear-operator #:name "plain" #:domain 30000 #:codomain n
                        #:apply (lambda (x)
                                  (let ((y (make-f64vector n (* factor (f64vector-ref x 1)))))
                                    (f64vector-set! x 0 -1.) ; as it may with a copy of its own
                                    y))
                        #:adjoint (lambda (y) (make-f64vector 30000 (f64vector-ref y 0)))))

;; Members 0 and 1 are on one worker: it dies when the first has been written.
(define-remote (mortal n factor file)
  (make-linear-operator #:name "mortal" #:domain 30000 #:codomain n
                        #:apply (lambda (x)
                                  (unless (file-exists? file)
                                    (close-port (open-output-file file))
                                    (kill (getpid) SIGKILL))
                                  (make-f64vector n (* factor (f64vector-ref x 1))))
                        #:adjoint (lambda (y) (make-f64vector 30000 (f64vector-ref y 0)))))

(define-remote (fragile n)
  (make-linear-operator #:name "fragile" #:domain 30000 #:codomain n
                        #:apply (lambda (x) (if (= 13. (f64vector-ref x 1)) (error "thirteen") (make-f64vector n (f64vector-ref x 1))))
                        #:adjoint (lambda (y) (make-f64vector 30000 (f64vector-ref y 0)))))

(define (test-values)
  (define x (make-f64vector 30000 2.))
  (define (value-of lengths pool)
    (list-of (evaluate (parallel-vector-of-operators
                        (map (lambda (n i) (remote ((n n) (i i)) (lambda () (plain n (+ 1. i))))) lengths (iota (length lengths)))
                        #:pool pool)
                       x)))
  (for-each
   (lambda (lengths)
     (define expected (append-map (lambda (n i) (make-list n (* 2. (+ 1 i)))) lengths (iota (length lengths))))
     (for-each (lambda (workers)
                 (call-with-pool workers
                   (lambda (pool)
                     (test-assert (format #f "values of ~a operators on ~a workers" (length lengths) workers)
                       (same-numbers? expected (value-of lengths pool))))))
               '(1 2 3 7)))
   (list '(5000) '(1 5000) '(4000 1 4000 1 2) (make-list 40 200) '(2048 2048 2049) '(70000 1 300000)))
  (test-equal "the argument is not the operators' to change" 2. (f64vector-ref x 0)))

(define (test-deaths)
  (call-with-folder
   (lambda (folder)
     (define file (string-append folder "/died"))
     (define x (make-f64vector 30000 2.))
     (call-with-pool 2
       (lambda (pool)
         (let ((op (parallel-vector-of-operators
                    (list (remote (lambda () (plain 3000 1.))) (remote ((file file)) (lambda () (mortal 3000 2. file)))
                          (remote (lambda () (plain 3000 3.))) (remote (lambda () (fragile 3000))))
                    #:pool pool)))
           (test-assert "a worker that dies while it writes"
             (same-numbers? (append-map (lambda (value) (make-list 3000 value)) '(2. 4. 6. 2.)) (list-of (evaluate op x))))
           (test-assert "it died" (file-exists? file))
           (test-error "an error while others write" worker-error? (evaluate op (make-f64vector 30000 13.)))
           (test-equal "and the next value is right" 4. (f64vector-ref (evaluate op x) 3000))))))))

(call-with-tap
 (lambda ()
   (test-group "vectors" (test-vectors))
   (test-group "nodes" (test-nodes))
   (test-group "pool-sum" (for-each test-pool-sums '(1 2 3 7)))
   (test-group "families"
     (test-families #f "here")
     (test-families (make-serial-pool) "serial")
     (for-each (lambda (workers) (call-with-pool workers (lambda (pool) (test-families pool (format #f "~a workers" workers)))))
               '(1 2 3 7)))
   (test-group "algebra" (test-algebra))
   (test-group "gathered" (test-gathered))
   (test-group "values" (test-values))
   (test-group "deaths" (test-deaths))))
