;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a pool is to Scheme: an engine's pool of processes, or no process at all.
(define-module (tutti pool-type)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti primitives)
  #:export (make-engine-pool make-serial-pool pool? serial-pool? pool-handle pool-name pool-size pool-closed?
            pool-mark-closed! current-pool check-open))

;; HANDLE is the engine's object, #f for a serial pool, whose CLOSED? is its own.
(define-record-type <pool>
  (make-pool-record handle name size closed?)
  pool?
  (handle pool-handle)
  (name pool-name)
  (size pool-size)
  (closed? pool-record-closed? set-pool-record-closed!))

(set-record-type-printer! <pool>
  (lambda (pool port)
    (format port "#<pool ~a: ~a~a>" (pool-name pool)
            (if (serial-pool? pool) "serial" (format #f "~a worker~p" (pool-size pool) (pool-size pool)))
            (if (pool-closed? pool) ", closed" ""))))

(define (make-engine-pool handle)
  "Return the pool for @var{handle}, the engine's object."
  (make-pool-record handle (%pool-name handle) (%pool-size handle) #f))

(define (make-serial-pool)
  "Return a pool without processes: its one worker is the caller. Everything is as with workers (arguments and results are copies, each
task has a random state of its own), so that a workflow can be debugged in one process."
  (make-pool-record #f "serial" 1 #f))

(define (serial-pool? x)
  "Return true if @var{x} is a pool made by @code{make-serial-pool}."
  (and (pool? x) (not (pool-handle x))))

(define (pool-closed? pool)
  "Return true if @var{pool} was closed."
  (if (pool-handle pool)
      (%pool-closed? (pool-handle pool))
      (pool-record-closed? pool)))

(define (pool-mark-closed! pool)
  "Close @var{pool}, which is serial."
  (set-pool-record-closed! pool #t))

(define (check-open pool who)
  "Raise a @code{&pool-closed} as @var{who} if @var{pool} is closed, and complain if it is no pool."
  (unless (pool? pool)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a pool, got ~S" (list pool) (list pool)))
  (when (pool-closed? pool)
    (raise-tutti (make-pool-closed pool) who)))

(define current-pool (make-parameter #f))
(set-object-property! current-pool 'documentation
                         "The pool of the dynamic extent: a parameter. Inside a task it is a serial pool.")
