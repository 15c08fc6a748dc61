;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The Scheme side of a worker process: what the engine's worker loop calls.
(define-module (tutti worker)
  #:use-module (tutti answer)
  #:use-module (tutti base-state)
  #:use-module (tutti pool-type)
  #:use-module (tutti wire)
  #:export (start-worker! run-request hold-object! drop-object!))

(fluid-set! %default-port-encoding "UTF-8")
(for-each prepare-port! (list (current-output-port) (current-error-port)))
(notice-in-worker!)

;; Held objects: their payload until they are needed, then their value.
(define held (make-hash-table))

(define (hold-object! id payload)
  "Keep the value in @var{payload} under @var{id}."
  (hashv-set! held id (delay (decode-value payload))))

(define (drop-object! id)
  "Forget what is kept under @var{id}."
  (hashv-remove! held id))

(define (keep-object-here! id value)
  (hashv-set! held id (delay value)))

(define (held-object id)
  (let ((promise (hashv-ref held id)))
    (if promise
        (force promise)
        (error "this worker does not hold object number" id))))

(define worker-index #f)

;; All of the worker's own that a template, from which it may be a copy, cannot have.
(define (start-worker!)
  "Begin to be the worker that the environment tells of."
  (set! worker-index (string->number (or (getenv "TUTTI_WORKER_INDEX") "0"))))

(define serial-pool (make-pool-of-tasks))

(define (establish! parameter value)
  ;; A task may have set it.
  (unless (eq? (parameter) value)
    (parameter value)))

;; Nothing runs here but tasks, so what holds in all of them need not be bound for each.
(set-held-objects! held-object keep-object-here!)

(define (run-request payload id)
  "Run the request in @var{payload} of the task @var{id}; return the answer as @code{answer-request} does."
  (establish! current-worker-index worker-index)
  (establish! current-pool serial-pool)
  (answer-request payload))
