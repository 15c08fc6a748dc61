;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What must run in a worker, wherever it is asked for: domains start neither interpreters nor programs in the master.
(define-module (tutti pool helper)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (tutti launcher)
  #:use-module (tutti pool)
  #:use-module (tutti pool type)
  #:export (pool-of-processes))

(define helpers '())                    ; pools of one worker, by what they are for
(define lock (make-mutex))

(define (helper name key)
  (with-mutex lock
    (let ((known (assoc-ref helpers key)))
      (if (and known (not (pool-closed? known)))
          known
          (let ((pool (make-pool 1 #:name name #:on (local))))
            (set! helpers (acons key pool (assoc-remove! helpers key)))
            pool)))))

(define (pool-of-processes pool who name key)
  "Return the pool of processes in which @var{who} runs for this one: @var{pool}, if that is not @code{#f}, else the current one; where
these have no processes, a helper with one worker, which has @var{name} and is the same for the same @var{key}."
  (unless (or (not pool) (pool? pool))
    (scm-error 'wrong-type-arg (symbol->string who) "#:pool: expected a pool, got ~S" (list pool) (list pool)))
  (let ((pool (or pool (current-pool))))
    (if (and pool (not (serial-pool? pool)))
        pool
        (helper name key))))
