;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks of very different lengths in every order, ways to run them, and how long that takes if they are scheduled in their order.
(define-module (orders)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti)
  #:export (sleep-for compute-for orders ways seconds-of minimum-of list-schedule overhead-of))

;;; Tasks.

(define-remote (sleep-for us)
  (when (>= us 60) (usleep (- us 55)))  ; what going to sleep and waking up costs
  us)

(define-remote (compute-for us)
  (let ((end (+ (get-internal-real-time) (* us (quotient internal-time-units-per-second 1000000)))))
    (let loop () (if (< (get-internal-real-time) end) (loop) us))))

(define-remote (sleep-after us . before) (sleep-for us))

;;; Orders: lists of microseconds.

(define (lengths-at-random n exponent us-longest)
  "Return N lengths whose logarithms are spread by EXPONENT around that of a hundredth of US-LONGEST."
  (let ((state (seed->random-state 7)))
    (map (lambda (i)
           (min us-longest (inexact->exact (round (* 0.01 us-longest (exp (* exponent (random:normal state))))))))
         (iota n))))

(define (orders n-workers longest)
  "Return lists of a name and an order, for N-WORKERS and tasks of up to LONGEST seconds."
  (define us-longest (inexact->exact (round (* 1e6 longest))))
  (define tiny (make-list 2000 1))
  (define long (make-list n-workers us-longest))
  `(("tiny then long" ,(append tiny long))
    ("tiny then many of a tenth" ,(append tiny (make-list (* 5 n-workers) (quotient us-longest 10))))
    ("long then tiny" ,(append long tiny))
    ("long within tiny" ,(append tiny long tiny))
    ("alternating" ,(append-map (lambda (i) (list 1 (quotient us-longest 10))) (iota (* 4 n-workers))))
    ("exponential" ,(let ((state (seed->random-state 5)))
                      (map (lambda (i) (inexact->exact (round (* 0.05 us-longest (random:exp state))))) (iota (* 8 n-workers)))))
    ("log-normal" ,(lengths-at-random (* 12 n-workers) 2.5 us-longest))
    ("log-normal, narrow" ,(lengths-at-random (* 12 n-workers) 0.5 us-longest))))

;;; Ways to run them.

(define (submit-all pool proc order)
  (map (lambda (us) (pool-submit! pool proc us)) order))

(define ways
  `(("submitted" ,(lambda (pool proc order) (for-each task-wait (submit-all pool proc order))))
    ("mapped" ,(lambda (pool proc order) (pool-map pool proc order)))
    ("dependent" ,(lambda (pool proc order)
                    (let ((first (pool-submit! pool proc 1)))
                      (for-each task-wait (map (lambda (us) (pool-submit! pool sleep-after us first)) order)))))
    ("waited for last" ,(lambda (pool proc order)
                          (for-each task-wait (reverse (submit-all pool proc order)))))
    ("while computing" ,(lambda (pool proc order)
                          (let ((tasks (submit-all pool proc order)))
                            ;; As a script does that has something else to do.
                            (let loop ((tasks tasks))
                              (let ((rest (drop-while task-done? tasks)))
                                (unless (null? rest) (loop rest)))))))))

(define (seconds-of thunk)
  (let ((start (get-internal-real-time)))
    (thunk)
    (/ (exact->inexact (- (get-internal-real-time) start)) internal-time-units-per-second)))

(define (list-schedule order n-workers overhead)
  "Return the seconds that ORDER takes on N-WORKERS, each of which takes the next when it is free; no task begins before those before it
were given out."
  (let ((free (make-vector n-workers 0.)))
    (let loop ((order order) (given 0.) (end 0.))
      (match order
        (() end)
        ((us . rest)
         (let* ((worker (fold (lambda (i best) (if (< (vector-ref free i) (vector-ref free best)) i best)) 0 (iota n-workers)))
                (given (+ given overhead))
                (done (+ (max given (vector-ref free worker)) (* 1e-6 us))))
           (vector-set! free worker done)
           (loop rest given (max end done))))))))

(define (minimum-of n thunk)
  (apply min (map-in-order (lambda (i) (thunk)) (iota n))))

(define (overhead-of pool run proc)
  "Return the seconds that a task of next to nothing takes in POOL when many of PROC are run by RUN."
  (define n 4000)
  (/ (minimum-of 3 (lambda () (seconds-of (lambda () (run pool proc (make-list n 1)))))) n))
