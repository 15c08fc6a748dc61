;; SPDX-License-Identifier: LGPL-3.0-or-later
;; order.scm [LONGEST [WORKERS ...]]: tasks of very different lengths in every order, submitted, mapped and with dependencies; how long all
;; of them take together, against scheduling them in their order with what a task costs in this run. Tasks of up to LONGEST seconds (0.1),
;; which sleep, on 2, 8 and 64 workers; and some that compute, on no more of them than there are processors.
(use-modules (bench) (ice-9 format) (ice-9 match) (srfi srfi-1) (tutti))

(define longest (match (cdr (command-line)) (() 0.1) ((text . _) (string->number text))))

;;; Tasks.

(define-remote (sleep-for us)
  (when (>= us 60) (usleep (- us 55)))  ; what going to sleep and waking up costs
  us)

(define-remote (compute-for us)
  (let ((end (+ (get-internal-real-time) (* us (quotient internal-time-units-per-second 1000000)))))
    (let loop () (if (< (get-internal-real-time) end) (loop) us))))

(define-remote (sleep-after us . before) (sleep-for us))

;;; Orders: lists of microseconds.

(define us-longest (inexact->exact (round (* 1e6 longest))))

(define (lengths-at-random n exponent)
  "Return N lengths whose logarithms are spread by EXPONENT around that of a hundredth of the longest."
  (let ((state (seed->random-state 7)))
    (map (lambda (i)
           (min us-longest (inexact->exact (round (* 0.01 us-longest (exp (* exponent (random:normal state))))))))
         (iota n))))

(define (orders n-workers)
  (define tiny (make-list 2000 1))
  (define long (make-list n-workers us-longest))
  `(("tiny then long" ,(append tiny long))
    ("tiny then many of a tenth" ,(append tiny (make-list (* 5 n-workers) (quotient us-longest 10))))
    ("long then tiny" ,(append long tiny))
    ("long within tiny" ,(append tiny long tiny))
    ("alternating" ,(append-map (lambda (i) (list 1 (quotient us-longest 10))) (iota (* 4 n-workers))))
    ("exponential" ,(let ((state (seed->random-state 5)))
                      (map (lambda (i) (inexact->exact (round (* 0.05 us-longest (random:exp state))))) (iota (* 8 n-workers)))))
    ("log-normal" ,(lengths-at-random (* 12 n-workers) 2.5))
    ("log-normal, narrow" ,(lengths-at-random (* 12 n-workers) 0.5))))

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

(define (measure n-workers kind proc n-hands)
  (call-with-pool n-workers
    (lambda (pool)
      (pool-apply pool proc 1)
      (for-each
       (match-lambda
         ((way run)
          (let* ((n 4000)
                 (overhead (/ (minimum-of 3 (lambda () (seconds-of (lambda () (run pool proc (make-list n 1)))))) n)))
            (for-each
             (match-lambda
               ((name order)
                (let* ((bound (list-schedule order n-hands overhead))
                       (taken (minimum-of 3 (lambda () (seconds-of (lambda () (run pool proc order)))))))
                  (format #t "~2d ~8a ~16a ~26a ~8,4f s  list ~8,4f s  ~5,2f~a~%" n-workers kind way name taken bound (/ taken bound)
                          (if (> taken (* 1.3 bound)) "  *" ""))
                  (force-output))))
             (orders n-hands)))))
       ways))))

(define (minimum-of n thunk)
  (apply min (map-in-order (lambda (i) (thunk)) (iota n))))

(define sizes (match (cdr (command-line)) ((_ (= string->number size) ..1) size) (_ '(2 8 64))))

(for-each (lambda (n) (measure n "sleep" sleep-for n)) sizes)
(for-each (lambda (n) (measure n "compute" compute-for (min n (default-pool-size)))) (filter (lambda (n) (<= n 8)) sizes))
