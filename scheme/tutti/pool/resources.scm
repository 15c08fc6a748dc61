;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What tasks and workers need of the machine: processors, memory, GPUs.
(define-module (tutti pool resources)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool type)
  #:export (task-resources resources->pair warn-of-shared-processors))

;;; Of tasks.

(define most-cpus 65536)

(define (complain x)
  (scm-error 'wrong-type-arg "task-resources"
             "expected a list such as (#:cpus 2 #:memory 8000000000), a number of processors from 1 and of bytes, or (), got ~S"
             (list x) (list x)))

(define (checked-resources x)
  (let loop ((rest (if (list? x) x (complain x))) (seen '()))
    (match rest
      (() x)
      (((and name (or #:cpus #:memory)) (? exact-integer? n) . rest)
       (unless (and (not (memq name seen)) (< 0 n (if (eq? name #:cpus) most-cpus (expt 2 63))))
         (complain x))
       (loop rest (cons name seen)))
      (_ (complain x)))))

(define task-resources (make-parameter '() checked-resources))
(set-object-property! task-resources 'documentation
                         "What each task needs of the machine: a list of @code{#:cpus} and a number of processors, @code{#:memory} and a
number of bytes, or both; @code{()}, the default: what any worker has. A task that needs more than its worker has waits until enough workers
on the same machine have nothing to do, and these run nothing while it runs. Its worker is lent the processors that they are bound to
(@code{#:cpus-per-worker} of @code{make-pool}; without that, each worker counts as one), and the memory that they may have
(@code{#:memory-limit}; without that, each counts for its part of the machine's).")

(define nothing '(0 . 0))

(define (resources->pair)
  "Return the value of @code{task-resources} as the engine wants it: a pair of the number of processors and that of bytes, 0 where nothing
is said."
  (let ((resources (task-resources)))
    (define (get name)
      (match (memq name resources)
        ((_ n . _) n)
        (#f 0)))
    (if (null? resources)
        nothing
        (cons (get #:cpus) (get #:memory)))))

;;; Of workers.

(define (processors-of pool)
  (append-map (lambda (index) (or (vector-ref (%pool-worker (pool-handle pool) index) 6) '()))
              (iota (pool-size pool))))

(define (warn-of-shared-processors pool)
  "Write a line to the error port if workers of @var{pool}, which is new, are bound to processors that workers of other pools are bound to."
  (let* ((others (delete pool (open-engine-pools) eq?))
         (own (processors-of pool))
         (shared (lset-intersection eqv? (delete-duplicates own) (append-map processors-of others))))
    (unless (null? shared)
      (write-line-beside
       (current-error-port)
       (format #f "tutti: warning: ~a of the ~a processors of pool ~a ~:[are~;is~] also bound to workers of other pools; close these, \
or ask for fewer #:cpus-per-worker"
               (length shared) (length (delete-duplicates own)) (pool-name pool) (= 1 (length shared)))))))
