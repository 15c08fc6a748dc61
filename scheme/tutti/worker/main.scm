;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The Scheme side of a worker process: what the engine's worker loop calls.
(define-module (tutti worker main)
  #:use-module (tutti pool type)
  #:use-module (tutti remote holder)
  #:use-module (tutti remote)
  #:use-module (tutti worker answer)
  #:autoload (tutti worker backtrace) (present-backtrace)
  #:use-module (tutti worker base-state)
  #:use-module (tutti worker description)
  #:use-module (tutti worker wire)
  #:re-export (refuse-answer answer-uncaught)
  #:export (start-worker! run-request hold-object! drop-object! task-backtrace))

(fluid-set! %default-port-encoding "UTF-8")
(for-each prepare-port! (list (current-output-port) (current-error-port)))
(notice-in-worker!)

;; Vectors of numbers are in memory that cannot be written to: the fault ends the task, and this process.
(define held (make-hash-table))
(define holder (make-holder held #f))

(define (hold-object! id payload)
  "Keep the value in @var{payload} under @var{id}, the key of a held object (engine/process/worker-protocol.h)."
  (hold! holder id (lambda () (decode-held-value payload #:protect-numbers? #t))))

(define (drop-object! id)
  "Forget what is kept under @var{id}, such a key."
  (drop! holder id))

(define worker-index #f)

;; If the pool has become smaller, a worker also runs tasks in places of others, with what these held: PLACE is the index of such a one, #f
;; in its own place. Some of what it holds is the same in all.
(define place #f)

(define (key-in-place id)
  (if place (logior id (ash (1+ place) 48)) id))

(define (key-of id)
  (let ((key (key-in-place id)))
    (if (holds? holder key) key id)))

;; Settings that differ from worker to worker: the template, of which a worker may be a copy, cannot have them.
(define (start-worker!)
  "Become the worker that the environment describes."
  (spare-descriptors!)
  (set! worker-index (string->number (or (getenv "TUTTI_WORKER_INDEX") "0"))))

(define serial-pool (make-pool-of-tasks))

;; A parameter is slower than its fluid.
(define index-fluid (parameter-fluid current-worker-index))
(define pool-fluid (parameter-fluid current-pool))

(define (establish! fluid value)
  ;; A task may have set it.
  (unless (eq? (fluid-ref fluid) value)
    (fluid-set! fluid value)))

;; Nothing runs here but tasks, so what holds in all of them need not be bound for each.
(set-held-objects! (lambda (id) (use-held! holder (if place (key-of id) id)))
                   (lambda (id value) (keep! holder (key-in-place id) value)))

(define (run-request payload its-place)
  "Run the request in @var{payload} of a task in @var{its-place}, @code{#f} for the worker's own; return the answer as @code{answer-request}
does."
  (set! place its-place)
  (establish! index-fluid (or place worker-index))
  (establish! pool-fluid serial-pool)
  (parameters-set-back!)
  (answer-request payload))

(define (task-backtrace)
  "Return the text of the frames of the task that runs now, by which an async calls this."
  (present-backtrace))
