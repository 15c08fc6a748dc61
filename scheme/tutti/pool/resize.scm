;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools that grow and shrink.
(define-module (tutti pool resize)
  #:use-module (tutti base check)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool type)
  #:use-module (tutti pool wait)
  #:export (pool-grow! pool-shrink!))

;; The engine says whether it is too large.
(define largest-count (1- (expt 2 31)))

(define (check-resizing pool n who)
  (check-open pool who)
  (unless (and (exact-integer? n) (<= 1 n largest-count))
    (refuse who "expected how many workers ~a, a positive number; got ~s" (if (eq? who 'pool-grow!) "more" "fewer") n))
  (when (serial-pool? pool)
    (refuse who "a serial pool has no workers but the caller, and cannot ~a; make a pool of workers with make-pool"
            (if (eq? who 'pool-grow!) "grow" "shrink"))))

(define (pool-grow! pool n)
  "Give @var{pool} @var{n} workers more, and wait until they run. If they cannot be started, the pool stays as it was, and an error says
why, as by @code{make-pool}. Tasks and maps that are going on use the new workers as well. What was scattered, or kept in parts, stays on
those that have it; so do the members of parallel operators and simulations."
  (check-resizing pool n 'pool-grow!)
  (let ((handle (pool-handle pool)))
    (%pool-grow! handle n)
    (call-cancelling
     (lambda () (wait-until (lambda () (not (%pool-growth handle))) (list pool)))
     (lambda () (%pool-cancel-growth! handle)))
    (warn-of-many-workers n)))

(define (pool-shrink! pool n)
  "Take @var{n} workers from @var{pool}, those with the highest indices; there must be one left. The pool is smaller at once, and nothing is
lost: those workers finish what they are running, and what was submitted for them alone, and then end, while the others do the rest. Parts
of remote objects, and members of parallel operators and simulations, that they had are made again by others when they are needed next."
  (check-resizing pool n 'pool-shrink!)
  (%pool-shrink! (pool-handle pool) n))
