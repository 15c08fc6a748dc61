;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Random numbers that do not depend on the worker that draws them: each item of a map and each task has a random state of its own, made
;; from the seed, the place of the map or task in its pool, and the item's number.
(define-module (tutti random)
  #:use-module ((srfi srfi-4) #:select (make-u64vector))
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool type)
  #:export (random-seed next-stream! task-random-state))

;; The value of the parameter is a scope: the seed, and for each pool the counter of streams that were taken under this seed. Each
;; parameterize makes a new scope, so that the same computation under the same seed draws the same numbers.
(define (make-scope seed)
  (unless (and (exact-integer? seed) (>= seed 0))
    (scm-error 'wrong-type-arg "random-seed" "expected an exact non-negative integer, got ~S" (list seed) (list seed)))
  (cons seed (make-weak-key-hash-table)))

(define %scope (make-fluid (make-scope 0)))

(define random-seed
  ;; The value of a parameter is that of its fluid. That of this one is only the seed in it, by a procedure of its own; it is made as by
;; make-parameter, of procedure, fluid and converter.
  (make-struct/no-tail (struct-vtable (make-parameter #f))
                       (case-lambda
                         (() (car (fluid-ref %scope)))
                         ((seed) (let ((before (car (fluid-ref %scope))))
                                   (fluid-set! %scope (make-scope seed))
                                   before)))
                       %scope make-scope))

(set-object-property! random-seed 'documentation
                         "The seed, an exact integer from 0, of the random numbers in tasks: a parameter. The default is 0.")

(define counters-lock (make-shared-mutex))

(define (stream-counter pool scope)
  "Return the pair of @var{scope} and a u64vector with the number of streams that @var{pool} has used under it."
  ;; A pool remembers the last counter: weak tables are slow.
  (let ((last (pool-streams pool)))
    (if (and last (eq? (car last) scope))
        last
        (let ((counter (with-mutex counters-lock
                         (or (hashq-ref (cdr scope) pool)
                             (let ((new (cons scope (make-u64vector 1 0))))
                               (hashq-set! (cdr scope) pool new)
                               (%fact! "seed" (number->string (car scope)))
                               new)))))
          (set-pool-streams! pool counter)
          counter))))

(define (next-stream! pool)
  "Return a pair of the current seed and the number of the next stream of random numbers that @var{pool} has not used under it."
  (let* ((scope (fluid-ref %scope))
         (counter (stream-counter pool scope)))
    ;; Two threads that map with one pool must not draw the same numbers.
    (cons (car scope) (%next-number! (cdr counter)))))

(define (task-random-state stream item)
  "Return the random state of item number @var{item} of @var{stream}, a pair of seed and number."
  (%task-random-state (car stream) (cdr stream) item))
