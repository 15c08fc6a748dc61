;; SPDX-License-Identifier: LGPL-3.0-or-later
;; For tests of sums: vectors that have other sums in another order, operators and simulations that return them, and what a sum is by its
;; definition.
(define-module (summands)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti)
  #:use-module (tutti operator)
  #:use-module (tutti simulation)
  #:use-module (tutti vector)
  #:export (noise own-noise own-shared-noise list-of same-numbers? is-sum? line lines rays))

;;; Numbers of all sizes, and some that are none: other orders give other bits.

(define-remote (odd-number k)
  (list-ref '(0. -0. +inf.0 -inf.0 1e308 -1e308 5e-324 1. -1. +nan.0 0. -0. 1e-320) (modulo k 13)))

;; The same block again and again, each time by another factor: it takes no time to make many.
(define-remote (noise item n)
  (let* ((length (min n 499))
         (block (make-f64vector length))
         (state (seed->random-state (+ 1 item))))
    (do ((i 0 (1+ i))) ((= i length))
      (f64vector-set! block i (if (zero? (modulo i 5))
                                  (odd-number (+ (* 5 item) (quotient i 5)))
                                  (* (- (random 2. state) 1) (expt 10. (modulo (+ item i) 17))))))
    (if (= n length)
        block
        (vec-slice (vec-concatenate (map (lambda (k) (vec-scale (+ 1 (* 0.001 k)) block)) (iota (ceiling-quotient n length)))) 0 n))))

(define (list-of v)
  "Return the list of the numbers of the vector @var{v}."
  (if (f64vector? v) (f64vector->list v) (c64vector->list v)))

(define (reference lists)
  "Return the sum of @var{lists} of numbers, by the definition."
  (let ((n (length lists)))
    (if (= n 1)
        (car lists)
        (let ((middle (let loop ((power 1)) (if (< (* 2 power) n) (loop (* 2 power)) power))))
          (map + (reference (list-head lists middle)) (reference (list-tail lists middle)))))))

(define (same-numbers? a b)
  "Return true if the lists @var{a} and @var{b} have the same numbers, zeros with their signs; any NaN is as good as another."
  (and (= (length a) (length b)) (every eqv? a b)))
(define (is-sum? v vectors)
  "Return true if the vector @var{v} is the sum of the list @var{vectors}."
  (same-numbers? (list-of v) (reference (map list-of vectors))))

;;; On workers.

(define-remote (own-noise n) (noise (current-worker-index) n))
(define-remote (own-shared-noise n) (vector->shared (own-noise n)))

(define-remote (line item n)
  ;; x to the product with noise; so the adjoint at 1 is that noise.
  (make-linear-operator #:name "line" #:domain n #:codomain 1
                        #:apply (lambda (x) (f64vector (f64vector-ref x 0)))
                        #:adjoint (lambda (y) (vec-scale (f64vector-ref y 0) (noise item n)))))

(define-remote (line-simulation item n)
  ;; m (one number) to m times noise
  (make-simulation #:name "ray" #:model-size 1 #:data-size n
                   #:dpred (lambda (m f) (vec-scale (f64vector-ref m 0) (noise item n)))
                   #:jvec (lambda (m v f) (vec-scale (f64vector-ref v 0) (noise item n)))
                   #:jtvec (lambda (m u f) (f64vector (f64vector-ref u 1)))))

(define (lines count n)
  "Return a list of @var{count} remote thunks, each of which returns a linear operator from vectors of @var{n} numbers to one, whose
adjoint at 1 is noise."
  (map (lambda (i) (remote ((i i) (n n)) (lambda () (line i n)))) (iota count)))
(define (rays count n)
  "Return a list of @var{count} remote thunks, each of which returns a simulation of one number, whose data at 1 are @var{n} numbers of
noise."
  (map (lambda (i) (remote ((i i) (n n)) (lambda () (line-simulation i n)))) (iota count)))
