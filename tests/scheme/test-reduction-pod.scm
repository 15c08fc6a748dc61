;; SPDX-License-Identifier: LGPL-3.0-or-later
;; POD and HAPOD: what decompositions must satisfy, the bound of the l2-mean error, the figures of pyMOR, the same
;; bits on any number of workers and when these are killed, and what is refused.
(use-modules (tap)
             (reduction)
             (tutti)
             (tutti linear)
             (tutti reduction)
             (srfi srfi-1)
             (srfi srfi-64))

(define modes pod-result-modes)
(define singular-values pod-result-singular-values)

(define (summary result)
  (list (modes result) (singular-values result) (pod-result-snapshot-count result)))

(define (chain n below middle)
  "Return the symmetric tridiagonal matrix with these numbers, row-major."
  (let ((matrix (make-f64vector (* n n) 0.)))
    (do ((i 0 (1+ i)))
        ((= i n) matrix)
      (f64vector-set! matrix (+ i (* n i)) middle)
      (when (< (1+ i) n)
        (f64vector-set! matrix (+ i 1 (* n i)) below)
        (f64vector-set! matrix (+ i (* n (1+ i))) below)))))

(define (chain-operator n below middle)
  (let ((places (append-map (lambda (i) (filter (lambda (p) (< -1 (second p) n))
                                                (list (list i (1- i) below) (list i i middle) (list i (1+ i) below))))
                            (iota n))))
    (sparse-operator n n (map first places) (map second places) (list->f64vector (map third places)))))

(define (times product v)
  (cond ((not product) v)
        ((operator? product) (evaluate product v))
        (else (matrix-vector (f64vector-length v) (f64vector-length v) product v))))

(define (inner product x y) (vec-dot x (times product y)))
(define (squared product v) (max 0. (inner product v v)))

(define (squared-error result product snapshots)
  (fold (lambda (s sum) (+ sum (squared product (vec- s (pod-project result s))))) 0. snapshots))

(define (orthonormal? result product)
  (every (lambda (i x)
           (every (lambda (j y) (< (abs (- (inner product x y) (if (= i j) 1 0))) 1e-9)) (iota (length (modes result))) (modes result)))
         (iota (length (modes result))) (modes result)))

;;; One decomposition.

(define (test-pod name product)
  (define n 60)
  (define snapshots (bumps n 25))
  (define (test what passed?) (test-assert (string-append name ", " what) passed?))
  (define total (fold (lambda (s sum) (+ sum (squared product s))) 0. snapshots))
  (define all (pod snapshots #:product product #:method 'svd))
  (define (tail k) (sqrt (max 0. (- total (fold (lambda (s sum) (+ sum (* s s))) 0. (list-head (singular-values all) k))))))
  (for-each
   (lambda (method)
     (let* ((result (pod snapshots #:product product #:method method #:modes 6))
            (error (sqrt (squared-error result product snapshots))))
       (test (format #f "~a: as many as asked for" method) (= 6 (length (modes result)) (length (singular-values result))))
       (test (format #f "~a: orthonormal" method) (orthonormal? result product))
       (test (format #f "~a: singular values fall" method) (apply > (singular-values result)))
       (test (format #f "~a: they are those of the whole" method)
             (every (lambda (a b) (< (abs (- 1 (/ a b))) 1e-9)) (singular-values result) (singular-values all)))
       (test (format #f "~a: the error is what is left of them" method) (< (abs (- 1 (/ error (tail 6)))) 1e-6))
       (let* ((bound (* 1.01 (tail 4)))
              (limited (pod snapshots #:product product #:method method #:l2-error bound)))
         (test (format #f "~a: no more than an error needs" method) (= 4 (length (modes limited))))
         (test (format #f "~a: and the error holds" method) (<= (sqrt (squared-error limited product snapshots)) bound)))
       (let ((third (third (singular-values all))))
         (test (format #f "~a: above an absolute tolerance" method)
               (= 3 (length (modes (pod snapshots #:product product #:method method #:atol (* 0.999 third))))))
         (test (format #f "~a: above a relative tolerance" method)
               (= 3 (length (modes (pod snapshots #:product product #:method method
                                        #:rtol (/ (* 0.999 third) (first (singular-values all)))))))))))
   '(snapshots svd))
  (test "more modes than there are" (<= (length (modes (pod snapshots #:product product #:modes 1000))) 25)))

(define (test-small)
  (define (found . vectors) (summary (pod vectors)))
  (test-assert "one"
    (let ((one (found (f64vector 3 4))))
      (and (= 1 (length (first one)) (length (second one)) (third one))
           (< (distance (first (first one)) (f64vector 0.6 0.8)) 1e-15) (< (abs (- 5 (first (second one)))) 1e-14))))
  (test-equal "zeros" '(() () 2) (found (f64vector 0 0) (f64vector 0 0)))
  (test-equal "zeros, by the other method" '(() () 2) (summary (pod (list (f64vector 0 0) (f64vector 0 0)) #:method 'svd)))
  (test-equal "the same twice" 1 (length (first (found (f64vector 1 2 3) (f64vector 1 2 3)))))
  (test-equal "no modes" '(() () 1) (summary (pod (list (f64vector 3 4)) #:modes 0)))
  (test-equal "more snapshots than numbers" 2 (length (first (found (f64vector 1 2) (f64vector 3 4) (f64vector 5 7)))))
  (for-each
   (lambda (method)
     (let ((result (pod (list (f64vector 1 2 3) (f64vector 4 5 6) (f64vector 5 7 9) (f64vector 3 3 3)) #:method method #:rtol 0)))
       (test-assert (format #f "~a: a singular value for each mode, also where these are made of rounding" method)
         (and (<= 2 (length (modes result)) 3) (= (length (modes result)) (length (singular-values result))) (orthonormal? result #f)))))
   '(snapshots svd))
  (test-equal "zero is projected on nothing" (f64vector 0 0) (pod-project (pod (list (f64vector 0 0))) (f64vector 3 4)))
  (test-assert "singular values far below the square root of the precision"
    (let* ((small (map (lambda (k) (expt 10. (- k))) '(0 3 6 9 12)))
           (snapshots (map (lambda (s k) (let ((v (make-f64vector 9 0.))) (f64vector-set! v k s) v)) small (iota 5))))
      (every (lambda (a b) (< (abs (- 1 (/ a b))) 1e-10)) (singular-values (pod snapshots #:method 'svd #:rtol 0)) small))))

(define (test-sizes)
  ;; By powers of two, which change no bit: so must not what is found.
  (define snapshots (bumps 40 12))
  (define (equivalent? a b scale)
    (and (= (length (modes a)) (length (modes b)))
         (every (lambda (x y) (< (distance x y) 1e-6)) (modes a) (modes b))
         (every (lambda (x y) (< (abs (- 1 (/ x scale y))) 1e-9)) (singular-values a) (singular-values b))))
  (for-each
   (lambda (power)
     (define scale (expt 2. power))
     (define these (map (lambda (s) (vec-scale scale s)) snapshots))
     (define (test what passed?) (test-assert (format #f "times 2^~a: ~a" power what) passed?))
     (for-each
      (lambda (method)
        (define (same? . options)
          (equivalent? (apply pod these #:method method (append options (list #:l2-error (* scale 1e-2))))
                       (apply pod snapshots #:method method (append options (list #:l2-error 1e-2))) scale))
        (test (format #f "~a" method) (same?))
        (test (format #f "~a, in a product" method) (same? #:product (chain 40 -1. 2.5)))
        (test (format #f "~a, above an absolute tolerance" method)
              (equivalent? (pod these #:method method #:atol (* scale 0.1)) (pod snapshots #:method method #:atol 0.1) scale)))
      '(snapshots svd))
     (for-each (lambda (tree expected)
                 (let ((errors (map (lambda (s) (vec- s (vec-scale (/ scale) (pod-project (cdr tree) (vec-scale scale s))))) snapshots)))
                   (test (car tree)
                         (and (= (length (modes (cdr tree))) (length (modes (cdr expected))))
                              (<= (sqrt (/ (fold (lambda (e sum) (+ sum (vec-dot e e))) 0. errors) 12)) 1e-3)))))
               (trees (make-serial-pool) these #:eps (* scale 1e-3)) (trees (make-serial-pool) snapshots #:eps 1e-3)))
   '(-1000 -565 -530 -400 400 530 665 1000))
  (for-each
   (lambda (scale)
     (define these (map (lambda (s) (vec-scale scale s)) snapshots))
     (test-assert (format #f "times ~a: the same bits on any number of workers" scale)
       (all-equal? (with-all-pools (lambda (pool) (list (summary (pod these #:pool pool #:modes 4))
                                                        (summary (hapod these #:pool pool #:slices 3 #:eps (* scale 1e-3)))))))))
   '(1e200 1e-170))
  (test-assert "the smallest numbers" (= 1 (length (modes (pod (list (f64vector 5e-324 0)))))))
  (test-assert "a product that is too small"
    (complains? "scale the snapshots or the product"
                (lambda () (pod (list (f64vector 1e-90 0)) #:product (f64vector 1e-200 0 0 1e-200)))))
  (for-each
   (lambda (method)
     (test-assert (format #f "a product that is too large, ~a" method)
       (complains? "scale the snapshots or the product"
                   (lambda () (pod (list (f64vector 1e90 0) (f64vector 0 1)) #:method method #:product (f64vector 1e200 0 0 1e200))))))
   '(snapshots svd)))

(define (test-pools)
  ;; More than two blocks of the Gramian.
  (define snapshots (append (bumps 700 41) (waves 700 30)))
  (define products (list #f (chain 700 -1. 2.5) (chain-operator 700 -1. 2.5)))
  (for-each
   (lambda (name product)
     (let ((results (with-all-pools (lambda (pool) (summary (pod snapshots #:pool pool #:product product #:modes 12))))))
       (test-equal (string-append name ": modes") 12 (length (first (car results))))
       (test-assert (string-append name ": the same bits on any number of workers") (all-equal? results))))
   '("no product" "a matrix" "a sparse operator") products)
  (call-with-pool 3
    (lambda (pool)
      (define expected (summary (pod snapshots #:pool (make-serial-pool) #:modes 12)))
      (test-equal "scattered" expected (summary (pod (pool-scatter pool snapshots) #:modes 12)))
      (test-equal "by the other method, scattered" (summary (pod snapshots #:pool (make-serial-pool) #:method 'svd #:modes 12))
        (summary (pod (pool-scatter pool snapshots) #:method 'svd #:modes 12)))
      (for-each (lambda (worker) (kill-worker pool worker)) '(0 2))
      (test-equal "after two were killed" expected (summary (pod snapshots #:pool pool #:modes 12))))))

;;; Trees of them.

(define (mean-error result product snapshots)
  (sqrt (/ (squared-error result product snapshots) (length snapshots))))

(define (trees pool snapshots . options)
  "Return the alist of the decompositions by trees of many shapes."
  (define (run . more) (apply hapod snapshots #:pool pool (append more options)))
  `(("one slice" . ,(run #:slices 1)) ("two slices" . ,(run #:slices 2)) ("seven slices" . ,(run #:slices 7))
    ("binary" . ,(run #:slices 7 #:arity 2)) ("ternary" . ,(run #:slices 10 #:arity 3))
    ("a slice each" . ,(run #:slices (length snapshots) #:arity 4)) ("more slices than snapshots" . ,(run #:slices 1000))
    ("one step" . ,(run #:steps 1)) ("two steps" . ,(run #:steps 2)) ("six steps" . ,(run #:steps 6))
    ("a step each" . ,(run #:steps (length snapshots)))))

(define (test-bound)
  (define snapshots (append (bumps 50 13) (waves 50 12)))
  (for-each
   (lambda (product)
     (for-each
      (lambda (eps)
        (for-each
         (lambda (omega)
           (let ((best (length (modes (pod snapshots #:product product #:method 'svd #:rtol 0 #:l2-error (* eps (sqrt 25)))))))
             (for-each
              (lambda (tree)
                (let ((result (cdr tree)))
                  (test-assert (format #f "~a: the mean error is at most ~a, with omega ~a" (car tree) eps omega)
                    (<= (mean-error result product snapshots) (* eps (+ 1 1e-12))))
                  (test-assert "orthonormal" (orthonormal? result product))
                  (test-assert "not many more modes than a single POD needs for that share"
                    (<= (1- best) (length (modes result))
                        (length (modes (pod snapshots #:product product #:method 'svd #:rtol 0 #:l2-error (* 0.9 omega eps (sqrt 25)))))))
                  (test-equal "all are counted" 25 (pod-result-snapshot-count result))))
              (trees (make-serial-pool) snapshots #:eps eps #:omega omega #:product product))))
         '(0.3 0.9)))
      '(0.1 1e-4 1e-7)))
   (list #f (chain 50 -1. 2.2))))

(define (test-hapod-pools)
  (define snapshots (append (bumps 900 13) (waves 900 12)))
  (define (run pool) (map (lambda (tree) (summary (cdr tree))) (trees pool snapshots #:eps 1e-3)))
  (test-assert "the same bits on any number of workers" (all-equal? (with-all-pools run)))
  (let* ((slices (map (lambda (k) (remote ((k k)) (lambda () (bumps 900 (+ 3 k))))) (iota 5)))
         (vectors (append-map (lambda (k) (bumps 900 (+ 3 k))) (iota 5))))
    (test-assert "slices that workers compute: the same bits"
      (all-equal? (with-all-pools (lambda (pool)
                                    (map (lambda (options) (summary (apply hapod slices #:pool pool #:eps 1e-3 options)))
                                         '(() (#:arity 2) (#:steps 5)))))))
    (test-assert "and the bound" (<= (mean-error (hapod slices #:eps 1e-3) #f vectors) 1e-3))
    (test-equal "as from a list, where slices are the same"
      (summary (hapod (append-map (lambda (k) (bumps 900 4)) (iota 3)) #:slices 3 #:eps 1e-3))
      (summary (hapod (map (lambda (k) (remote (lambda () (list->vector (bumps 900 4))))) (iota 3)) #:eps 1e-3))))
  (test-equal "and by steps" (summary (hapod (append-map (lambda (k) (bumps 900 4)) (iota 3)) #:steps 3 #:eps 1e-3))
    (summary (hapod (map (lambda (k) (remote (lambda () (bumps 900 4)))) (iota 3)) #:steps 3 #:eps 1e-3)))
  (for-each
   (lambda (name options)
     (call-with-pool 2
       (lambda (pool)
         (call-with-counter
          (lambda (folder)
            ;; Each waits until another one is there.
            (let ((slices (map (lambda (k)
                                 (remote ((folder folder) (k k))
                                         (lambda ()
                                           (count-and-die folder '())
                                           (let wait ((left 100000))
                                             (unless (or (file-exists? (string-append folder "/2")) (zero? left))
                                               (usleep 1000)
                                               (wait (1- left))))
                                           (if (file-exists? (string-append folder "/2")) (bumps 900 (+ 3 k)) 'alone))))
                               (iota 4))))
              (test-equal (string-append name ": slices are computed at the same time") 18
                (pod-result-snapshot-count (apply hapod slices #:pool pool #:eps 1e-3 options)))))))))
   '("a distributed tree" "steps") '(() (#:steps 4)))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "scattered" (summary (hapod snapshots #:pool (make-serial-pool) #:slices 6 #:eps 1e-3))
        (summary (hapod (pool-scatter pool snapshots) #:slices 6 #:eps 1e-3)))
      (test-equal "on workers, not here" #f
        (let ((here (getpid)))
          (memv here (map (lambda (v) (inexact->exact (f64vector-ref v 0)))
                          (list (first (modes (hapod (list (remote (lambda () (list (f64vector (exact->inexact (getpid))))))) #:eps 1e-3
                                                     #:pool pool)))))))))))

(define (test-kills)
  (define snapshots (append (bumps 60 9) (waves 60 8)))
  (define (product folder mortal)
    ;; A slow inner product that all decompositions need, and during which a worker may be killed.
    (let ((matrix (chain 60 -1. 2.5)))
      (make-linear-operator #:domain 60 #:codomain 60
                            #:apply (remote ((matrix matrix) (folder folder) (mortal mortal))
                                            (lambda (v) (count-and-die folder mortal) (matrix-vector 60 60 matrix v)))
                            #:adjoint (remote ((matrix matrix)) (lambda (v) (matrix-vector 60 60 matrix v))))))
  (define (run mortal reduce)
    (call-with-pool 2
      (lambda (pool)
        (call-with-values (lambda () (call-with-counter (lambda (folder) (summary (reduce pool (product folder mortal))))))
          list))))
  (for-each
   (lambda (name reduce)
     (let* ((expected (run '() reduce))
            (calls (second expected)))
       (for-each (lambda (share)
                   ;; The first sixty calls of all are those of the check, here.
                   (let ((mortal (+ 61 (inexact->exact (floor (* share (- calls 62)))))))
                     (test-equal (format #f "~a: killed in call ~a of ~a" name mortal calls) (first expected)
                       (first (run (list mortal) reduce)))))
                 '(0 0.2 0.4 0.6 0.8))))
   '("distributed" "binary" "incremental")
   (list (lambda (pool product) (hapod snapshots #:pool pool #:product product #:eps 1e-2 #:slices 4))
         (lambda (pool product) (hapod snapshots #:pool pool #:product product #:eps 1e-2 #:slices 5 #:arity 2))
         (lambda (pool product) (hapod snapshots #:pool pool #:product product #:eps 1e-2 #:steps 4))))
  (for-each
   (lambda (mortal)
     (call-with-pool 2
       (lambda (pool)
         (call-with-values
             (lambda ()
               (call-with-counter
                (lambda (folder)
                  (summary (hapod (map (lambda (k)
                                         (remote ((k k) (folder folder) (mortal mortal))
                                                 (lambda () (count-and-die folder mortal) (bumps 60 (+ 3 k)))))
                                       (iota 4))
                                  #:pool pool #:eps 1e-2)))))
           (lambda (result calls)
             (test-equal (format #f "killed while it computes snapshots, in call ~a" mortal)
               (summary (hapod (map (lambda (k) (remote ((k k)) (lambda () (bumps 60 (+ 3 k))))) (iota 4)) #:eps 1e-2))
               result)
             (test-equal "and was asked again" (+ 4 (length mortal)) calls))))))
   '((1) (2 4)))
  (call-with-values
      (lambda ()
        (call-with-counter
         (lambda (folder)
           (call-with-pool 2
             (lambda (pool)
               (parameterize ((task-retries 0))
                 (complains? "SIGKILL" (lambda ()
                                         (hapod (list (remote ((folder folder)) (lambda () (count-and-die folder '(1)) (bumps 60 3)))
                                                      (remote (lambda () (bumps 60 4))))
                                                #:pool pool #:eps 1e-2)))))))))
    (lambda (told? calls)
      (test-assert "without retries, it is told who died" told?))))

;;; Refusals.

(define (test-refusals)
  (define good (list (f64vector 1 2) (f64vector 3 5)))
  (define-syntax-rule (refused name part expression)
    (test-assert name (complains? part (lambda () expression))))
  (refused "no snapshots" "there are no snapshots" (pod '()))
  (refused "NaN" "snapshot 1 (from 0): number 0 (from 0) is +nan.0" (pod (list (f64vector 1 2) (f64vector +nan.0 2))))
  (refused "lengths" "snapshot 1 (from 0) has 1 numbers" (pod (list (f64vector 1 2) (f64vector 1))))
  (refused "#:modes" "#:modes: expected an exact integer from 0" (pod good #:modes -1))
  (refused "#:rtol" "#:rtol: expected a finite number" (pod good #:rtol 'small))
  (refused "#:atol" "#:atol: expected a finite number" (pod good #:atol -1))
  (refused "#:l2-error" "#:l2-error: expected a finite number" (pod good #:l2-error +inf.0))
  (refused "#:method" "#:method: expected snapshots or svd" (pod good #:method 'qr))
  (for-each
   (lambda (reduce)
     (refused "a product that is not positive" "#:product is not positive definite" (reduce good (f64vector 1 0 0 -1)))
     (refused "a product that is zero" "#:product is not positive definite" (reduce good (f64vector 1 0 0 0)))
     (refused "a product that is not symmetric" "#:product is not symmetric: the number in row 1, column 0 (from 0) is 0.0"
              (reduce good (f64vector 1 1 0 1)))
     (refused "a product of another size" "#:product" (reduce good (make-f64vector 9 1.)))
     (refused "a product with NaN" "#:product: the number in row 0, column 1 (from 0) is +nan.0" (reduce good (f64vector 1 +nan.0 0 1)))
     (refused "a product that is none" "#:product: expected an f64vector" (reduce good 'identity)))
   (list (lambda (s product) (pod s #:product product))
         (lambda (s product) (hapod s #:product product #:slices 2 #:eps 0.1))
         (lambda (s product) (hapod (list (remote ((s s)) (lambda () s))) #:product product #:eps 0.1))))
  (refused "a sparse product that is not positive" "#:product is not positive definite"
           (pod (bumps 200 3) #:product (chain-operator 200 -1. 1.9)))
  (refused "a sparse product that is not symmetric" "#:product is not symmetric: the number in row 5, column 3 (from 0) is 7.0"
           (pod (bumps 200 3) #:product (operator-sum (chain-operator 200 -1. 3.) (sparse-operator 200 200 '(5) '(3) (f64vector 7)))))
  (refused "eps 0" "#:eps: expected the bound of the l2-mean error, a positive number, got 0" (hapod good #:slices 2 #:eps 0))
  (refused "no eps" "#:eps: expected the bound of the l2-mean error" (hapod good #:slices 2))
  (refused "eps beyond the range of numbers" "#:eps: expected the bound" (hapod good #:slices 2 #:eps (expt 10 400)))
  (refused "NaN eps" "#:eps: expected the bound" (hapod good #:slices 2 #:eps +nan.0))
  (for-each (lambda (omega)
              (refused (format #f "omega ~a" omega) "#:omega: expected a number between 0 and 1"
                       (hapod good #:slices 2 #:eps 1 #:omega omega)))
            '(0 1 -0.5 1.5 +nan.0 #f))
  (for-each
   (lambda (name result)
     (refused (string-append name ": projecting a symbol") "expected an f64vector of 2 numbers, got x" (pod-project result 'x))
     (refused (string-append name ": projecting a complex vector") "expected an f64vector of 2 numbers"
              (pod-project result (c64vector 1 2)))
     (refused (string-append name ": projecting another length") "expected an f64vector of 2 numbers, got one of 3"
              (pod-project result (f64vector 1 2 3)))
     (test-condition (string-append name ": that is a shape-error") shape-error? (pod-project result (f64vector 1 2 3))))
   '("pod" "no modes" "hapod" "no modes of hapod")
   (list (pod good) (pod good #:modes 0) (hapod good #:slices 2 #:eps 1e-3) (hapod good #:slices 2 #:eps 1e6)))
  (refused "a product that is too small, by the other method" "scale the snapshots or the product"
           (pod (list (f64vector 1e-90 0)) #:method 'svd #:product (f64vector 1e-200 0 0 1e-200)))
  (refused "no tree" "expected #:slices" (hapod good #:eps 1))
  (refused "two trees" "both #:slices" (hapod good #:eps 1 #:slices 2 #:steps 2))
  (refused "no slices" "#:slices: expected an exact integer from 1" (hapod good #:eps 1 #:slices 0))
  (refused "arity 1" "#:arity: expected an exact integer from 2" (hapod good #:eps 1 #:slices 2 #:arity 1))
  (refused "arity of steps" "#:arity is of a distributed tree" (hapod good #:eps 1 #:steps 2 #:arity 2))
  (refused "hapod: NaN" "snapshot 1 (from 0): number 0 (from 0) is +nan.0"
           (hapod (list (f64vector 1) (f64vector +nan.0)) #:eps 1 #:slices 2))
  (refused "as many procedures as slices" "there are 1 procedures" (hapod (list (remote (lambda () '()))) #:eps 1 #:slices 2))
  (test-equal "zeros" '(() () 2) (summary (hapod (list (f64vector 0 0) (f64vector 0 0)) #:slices 2 #:eps 1e-3)))
  (test-equal "an error that allows everything" '(() () 2) (summary (hapod good #:slices 2 #:eps 1e6)))
  (call-with-pool 2
    (lambda (pool)
      (for-each
       (lambda (name reduce)
         (refused (string-append name ": a vector that was scattered") "the snapshots: expected a list or vector of f64vectors"
                  (reduce (pool-scatter pool (make-f64vector 10 1.))))
         (refused (string-append name ": numbers on workers") "or a remote object for such; got 7"
                  (reduce (pool-keep pool (remote (lambda (x) 7)) 1)))
         (refused (string-append name ": nothing on one worker") "or a remote object for such; got #f"
                  (reduce (pool-keep pool (remote (lambda (part) (and (memv 0 part) (list (f64vector 1 2)))))
                                     (pool-scatter pool '(0 1)))))
         (refused (string-append name ": NaN on a worker, by its number among all") "snapshot 2 (from 0): number 0 (from 0) is +nan.0"
                  (reduce (pool-scatter pool (append good (list (f64vector +nan.0 1) (f64vector 1 2))))))
         (refused (string-append name ": no snapshots on workers") "there are no snapshots" (reduce (pool-scatter pool '()))))
       '("pod" "hapod" "deim" "qdeim")
       (list pod (lambda (s) (hapod s #:slices 2 #:eps 1e-3)) (lambda (s) (deim s #:modes 1)) (lambda (s) (qdeim s #:modes 1))))
      (define (slices . vectors)
        (map (lambda (v) (remote ((v v)) (lambda () v))) vectors))
      (refused "a slice with NaN" "slice 1 (from 0): snapshot 0 (from 0): number 1 (from 0) is +nan.0"
               (hapod (slices good (list (f64vector 1 +nan.0))) #:pool pool #:eps 1))
      (refused "a slice that is none" "slice 0 (from 0): the snapshots: expected a list or vector of f64vectors of one length; got 3"
               (hapod (slices 3 good) #:pool pool #:eps 1))
      (refused "slices of other lengths" "some snapshots have 2 numbers, some 3"
               (hapod (slices good (list (f64vector 1 2 3))) #:pool pool #:eps 1e-3))
      (for-each
       (lambda (options)
         (refused (format #f "a product of another size than slices that workers compute, ~s" options)
                  "#:product is a matrix of 3 x 3 numbers; the snapshots have 2"
                  (apply hapod (slices good good) #:pool pool #:eps 1e-3 #:product (f64vector 1 0 0 0 1 0 0 0 1) options))
         (refused (format #f "an operator of another size as product, ~s" options)
                  "#:product is a matrix of 3 x 3 numbers; the snapshots have 2"
                  (apply hapod (slices good good) #:pool pool #:eps 1e-3 #:product (chain-operator 3 -1. 2.5) options)))
       '(() (#:steps 2)))
      (refused "a product that is not square" "#:product: expected the numbers of a square matrix, row-major; got 10 numbers"
               (hapod (slices good) #:pool pool #:eps 1e-3 #:product (make-f64vector 10 1.)))
      (test-equal "an empty slice" (summary (hapod (slices good) #:eps 1e-3))
        (let ((with-empty (summary (hapod (slices '() good) #:pool pool #:eps 1e-3))))
          with-empty))
      (test-condition "a procedure that cannot travel" not-remotable?
        (hapod (list (let ((x good)) (lambda () x))) #:pool pool #:eps 1))
      (test-equal "and the pool goes on" '(1 4) (pool-map pool (remote (lambda (x) (* x x))) '(1 2))))))

;;; pyMOR's.

(define (compare-with-pymor c)
  (define snapshots (columns (field c "snapshots_columns")))
  (define product (and=> (known (field c "product")) rows->matrix))
  (define (test what passed?) (test-assert (string-append (field c "name") ": " what) passed?))
  (define (run pool)
    (if (string=? "dist" (field c "kind"))
        (hapod snapshots #:slices (field c "slices") #:arity (known (field c "arity")) #:eps (field c "eps") #:omega (field c "omega")
               #:product product #:pool pool)
        (hapod snapshots #:steps (field c "slices") #:eps (field c "eps") #:omega (field c "omega") #:product product #:pool pool)))
  (define result (run (make-serial-pool)))
  (define expected (vector->list (field c "singular_values")))
  (test-equal (string-append (field c "name") ": modes") (field c "n_modes") (length (modes result)))
  (test "singular values"
        (and (= (length expected) (length (singular-values result)))
             (every (lambda (a b) (or (< b (* 1e-6 (first expected))) (< (abs (- 1 (/ a b))) 1e-8))) (singular-values result) expected)))
  (test-equal (string-append (field c "name") ": snapshots") (field c "snap_count") (pod-result-snapshot-count result))
  (test "the l2-mean error"
        (< (abs (- (mean-error result product snapshots) (field c "l2_mean_error"))) (* 1e-7 (field c "l2_mean_error"))))
  (test "its bound" (<= (mean-error result product snapshots) (field c "eps")))
  (test "projections"
        (< (distance (vec-concatenate (map (lambda (s) (pod-project result s)) snapshots))
                     (vec-concatenate (columns (field c "projected_snapshots_columns"))))
           1e-7))
  (test-equal (string-append (field c "name") ": modes of one POD") (field c "n_modes_of_one_pod")
    (length (modes (pod snapshots #:product product #:rtol 0 #:l2-error (* (field c "eps") (sqrt (length snapshots)))))))
  (test "the same bits on any number of workers" (all-equal? (with-all-pools (lambda (pool) (summary (run pool)))))))

;;; Slices that are computed on workers pass through, if at all: without the collector, hardly anything stays.

(define-remote (long-waves slice)
  (map (lambda (k)
         (let ((v (make-f64vector 20000)))
           (do ((i 0 (1+ i)))
               ((= i 20000) v)
             (f64vector-set! v i (sin (* 1e-3 i (+ 1 (modulo (+ k (* 10 slice)) 7))))))))
       (iota 10)))

(define (test-memory)
  (define slice-bytes (* 10 20000 8))
  (define (live) (assq-ref (shared-memory-report) 'live))
  (call-with-pool 2
    (lambda (pool)
      (define (growth . options)
        (gc)
        (let ((before (live)))
          (apply hapod (map (lambda (s) (remote ((s s)) (lambda () (long-waves s)))) (iota 30)) #:eps 1e-3 #:pool pool options)
          (- (live) before)))
      (test-assert "an incremental tree keeps no slices" (< (growth #:steps 30) (* 6 slice-bytes)))
      (test-assert "nor does a distributed one" (< (growth #:arity 2) (* 6 slice-bytes))))))

(call-with-tap
 (lambda ()
   (test-group "pod"
     (test-pod "no product" #f)
     (test-pod "a matrix" (chain 60 -1. 2.5))
     (test-pod "an operator" (chain-operator 60 -1. 2.5)))
   (test-group "small" (test-small))
   (test-group "sizes" (test-sizes))
   (test-group "pools" (test-pools))
   (test-group "bound" (test-bound))
   (test-group "hapod on pools" (test-hapod-pools))
   (test-group "memory" (test-memory))
   (test-group "kills" (test-kills))
   (test-group "refused" (test-refusals))
   (test-group "oracle" (and=> (oracle-cases "hapod.json" "cases") (lambda (cases) (for-each compare-with-pymor cases))))))
