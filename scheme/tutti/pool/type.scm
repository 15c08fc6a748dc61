;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools as values: an engine's pool of processes, or a serial pool, which has no process.
(define-module (tutti pool type)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:use-module (tutti conditions)
  #:export (make-engine-pool make-serial-pool make-pool-of-tasks pool? serial-pool? pool-handle pool-name pool-size pool-closed?
            pool-mark-closed! pool-streams set-pool-streams! pool-remote-arguments set-pool-remote-arguments! pool-watches set-pool-watches!
            pool-spills set-pool-spills! pool-cluster leave-cluster! pool-files set-pool-files! current-pool
            pool-shares-memory? check-open open-engine-pools total-worker-count worker-count-warning warn-of-many-workers))

;; HANDLE is the engine's object, #f for a serial pool, whose CLOSED? is its own.
(define-record-type <pool>
  (make-pool-record handle name closed? streams remote-arguments watches spills cluster files)
  pool?
  (handle pool-handle)
  (name pool-name)
  (closed? pool-record-closed? set-pool-record-closed!)
  (streams pool-streams set-pool-streams!) ; the counter of random streams that was used last; #f: none
  (remote-arguments pool-remote-arguments set-pool-remote-arguments!) ; of (tutti remote arguments); #f: none
  (watches pool-watches set-pool-watches!) ; who counts its workers' deaths; of (tutti pool deaths)
  (spills pool-spills set-pool-spills!) ; what its workers have written too fast; of (tutti pool spills)
  (cluster pool-cluster set-pool-cluster!)               ; the machines that its workers run on, of (tutti launcher nodes); #f: this one
  (files pool-files set-pool-files!))   ; which of the script's these have; of (tutti pool files)

(set-object-property! pool? 'documentation "Return true if the argument is a pool, a serial one included.")

(set-record-type-printer! <pool>
  (lambda (pool port)
    (format port "#<pool ~s ~a>" (pool-name pool)
            (cond ((pool-closed? pool) "closed")
                  ((serial-pool? pool) "serial")
                  (else (workers-text (%pool-facts (pool-handle pool))))))))

(define (workers-text facts)
  (match facts
    (#(_ _ _ size goal busy _ _ _ _ _ reason)
     (format #f "~a worker~:p, ~a busy~a~a" size busy
             (if (< size goal) (format #f ", growing to ~a" goal) "")
             (if reason (format #f ", failed: ~a" reason) "")))))

(define* (make-engine-pool handle #:optional cluster)
  "Return the pool for @var{handle}, the engine's object, whose workers run on the nodes of @var{cluster}, or on this machine."
  (make-pool-record handle (%pool-name handle) #f #f #f '() '() cluster #f))

(define (pool-size pool)
  "Return the number of workers that @var{pool} has now; a serial pool counts as one."
  (let ((handle (pool-handle pool)))
    (if handle (%pool-size handle) 1)))

(define (leave-cluster! pool)
  "Return the cluster of @var{pool}, which is closed, and forget it: @code{#f} from then on."
  (call-exclusively
   (lambda ()
     (let ((cluster (pool-cluster pool)))
       (set-pool-cluster! pool #f)
       cluster))))

(define (make-serial-pool)
  "Return a pool without processes: its one worker is the caller. Everything is as with workers (arguments and results are copies, each
task has a random state of its own), so that a workflow can be debugged in one process."
  (check-scope 'make-serial-pool)
  (adopt! (make-pool-of-tasks) 'pool pool-mark-closed!))

(define (make-pool-of-tasks)
  "Return a serial pool for the tasks of a worker. It belongs to no scope."
  (make-pool-record #f "serial" #f #f #f '() '() #f #f))

(define (serial-pool? x)
  "Return true if @var{x} is a pool made by @code{make-serial-pool}."
  (and (pool? x) (not (pool-handle x))))

(define (pool-shares-memory? pool)
  "Return true if all workers of @var{pool} can map memory of this process: then what one of them has returned can be seen by the others
without being sent to each."
  (or (serial-pool? pool) (%pool-shares-memory? (pool-handle pool))))

(define (pool-closed? pool)
  "Return true if @var{pool} was closed."
  (if (pool-handle pool)
      (%pool-closed? (pool-handle pool))
      (pool-record-closed? pool)))

(define (pool-mark-closed! pool)
  "Close @var{pool}, which is serial."
  (set-pool-record-closed! pool #t)
  (disown! pool))

(define (check-open pool who)
  "Raise a @code{&pool-closed} in the name of @var{who} if @var{pool} is closed, and complain if it is no pool."
  (unless (pool? pool)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a pool, got ~S" (list pool) (list pool)))
  (when (pool-closed? pool)
    (raise-tutti (make-pool-closed pool) who)))

(define current-pool (make-parameter #f))
(set-object-property! current-pool 'documentation
                         "The pool of the dynamic extent: a parameter. Inside a task it is a serial pool.")

;;; How many there are.

(define (open-engine-pools)
  "Return the pools of this process that have workers and are not closed."
  (remove (lambda (pool) (or (serial-pool? pool) (pool-closed? pool))) (adopted 'pool)))

(define (total-worker-count)
  "Return the number of workers of all open pools of this process, or if an application runs several scripts of this one."
  (fold (lambda (pool sum) (+ (pool-size pool) sum)) 0 (open-engine-pools)))

(define (checked-count x)
  (unless (or (not x) (and (exact-integer? x) (>= x 0)))
    (scm-error 'wrong-type-arg "worker-count-warning" "expected a number of workers or #f, got ~S" (list x) (list x)))
  x)

(define worker-count-warning (make-parameter 128 checked-count))
(set-object-property! worker-count-warning 'documentation
                         "How many workers all pools may have together without a warning; @code{#f}: any number.")

(define (warn-of-many-workers new)
  "Write a line to the error port if @var{new} workers, which were just started, are those that are more than @code{worker-count-warning}."
  (let ((total (total-worker-count))
        (limit (worker-count-warning)))
    (when (and limit (<= (- total new) limit (1- total)))
      (write-line-beside
       (current-error-port)
       (format #f "tutti: warning: there are now ~a workers in ~a pool~:p; share a pool, close some, or raise worker-count-warning (~a)"
               total (length (open-engine-pools)) limit)))))
