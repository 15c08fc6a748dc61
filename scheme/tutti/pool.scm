;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools of workers.
(define-module (tutti pool)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base hooks)
  #:use-module (tutti base interrupt)
  #:use-module (tutti conditions)
  #:use-module (tutti gather)
  #:use-module (tutti launcher)
  #:autoload (tutti launcher nodes) (acquire-nodes! release-nodes! nodes-pointers nodes-processors add-member!)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool deaths)
  #:use-module (tutti pool files)
  #:use-module (tutti pool map)
  #:use-module (tutti pool options)
  #:use-module (tutti pool resize)
  #:use-module (tutti pool resources)
  #:use-module (tutti worker answer)
  #:use-module ((tutti pool type) #:hide (make-serial-pool))
  #:use-module ((tutti pool type) #:select ((make-serial-pool . make-plain-serial-pool)))
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:use-module (tutti base session)
  #:use-module (tutti pool environment)
  #:use-module (tutti pool progress)
  #:use-module (tutti pool wait)
  #:use-module (tutti random)
  #:use-module (tutti remote object)
  #:use-module (tutti remote)
  #:use-module (tutti sum)
  #:use-module (tutti task)
  #:re-export (pool? pool-size pool-closed? current-pool current-worker-index
               pool-map pool-for-each pool-apply pool-apply-only per-worker pool-gather pool-sum
               pool-grow! pool-shrink!
               pool-push pool-scatter pool-keep pool-fetch remote-object? remote-object-remove! call-with-remote-object
               default-pool-size pool-submit! task? task-done? task-wait task-wait-any task-cancel!
               task-timeout task-retries task-resources random-seed progress-port progress-interval worker-output-port death-port
               remote define-remote define-remote-parameter
               make-launcher launcher? launcher-name local slurm ssh current-launcher
               request? request-hosts request-command request-invitation-file)
  #:export (make-pool make-serial-pool call-with-pool pool-close!
            pool-workers worker? worker-index worker-pid worker-state worker-restarts worker-tasks-done worker-peak-memory
            worker-node worker-cpus worker-gpus))

(define (check-setup setup who)
  (unless (or (not setup) (procedure? setup))
    (raise-tutti (make-tutti-error
                  (format #f "#:setup: expected a procedure that may run on workers, such as (remote (lambda () …)), or #f; got ~s" setup))
                 who)))

(define by-default (list 'default))     ; not the size of a pool

(define* (make-pool #:optional (size by-default)
                    #:key (name "pool") (env '()) (load-path %load-path) (threads 1) (memory-limit #f) (setup #f)
                          (output-limit 100000000) (cpus-per-worker #f) (gpus-per-worker 0) (on (current-launcher))
                          (allow-different-bits #f))
  "Return a pool of @var{size} workers, processes of their own that are there until @code{pool-close!}. @var{env} adds to their environment:
a list of \"NAME=VALUE\" or (\"NAME\" . \"VALUE\"). @var{load-path} is where they look for modules, by default where the master does.
@var{threads} is the number of BLAS threads of each; with another number than 1 results may depend on it. @var{cpus-per-worker} is the
number of processors that each worker is bound to, and no other worker of the pool; @code{#f}: it may run on all. @var{gpus-per-worker} is
the number of GPUs that each worker has for itself as long as the pool is open; $CUDA_VISIBLE_DEVICES or $ROCR_VISIBLE_DEVICES tells it
which. If there are not so many, a @code{&tutti-error} says how many there are. @var{memory-limit} is how many bytes of memory of its own
each worker may have, together with all processes below it; one that goes over it is ended, with the reason @code{memory-limit}.
@var{output-limit} is how many bytes of what each worker writes are kept in a file, in a folder in that for temporary files, if they come
faster than they can be shown; the file is named then, and stays. @var{setup} is a remote procedure without arguments, which is called on
each worker, and on each that takes the place of another before its first task: for what is to hold in all tasks. If it fails, so does
@code{make-pool}. If the workers' program cannot be started, a @code{&tutti-error} says which and why.

@var{on} is a launcher, or a text that describes one, which starts the machines that the workers run on: see @code{slurm}, @code{ssh} and
@code{local}. Pools with the same launcher, or equal texts, share these machines, which stay for ten seconds after the last of these pools.
@code{make-pool} waits until they are there; if some do not come, it says so and goes on with the others, and if none does, a
@code{&tutti-error} says why. Without @var{size}, and if @env{TUTTI_WORKERS} does not say, there are as many workers as processors of all
of them, or as there are @var{cpus-per-worker} for. A machine whose processor or libraries differ, so that results may differ in their
last bits, is refused unless @var{allow-different-bits} is true."
  (check-pool-options (if (eq? size by-default) 1 size) name load-path threads memory-limit output-limit cpus-per-worker gpus-per-worker)
  (check-setup setup 'make-pool)
  (check-scope 'make-pool)
  ;; Guile starts a thread for its first handler of a signal: now, as later there may be none to be had, in the middle of a wait.
  (call-with-interrupts (const #t))
  (let* ((launcher (as-launcher on 'make-pool))
         (cluster (and (not (local? launcher)) (acquire-nodes! launcher allow-different-bits)))
         (pool (call-cancelling
                (lambda ()
                  (make-engine-pool
                   (%make-pool (if (eq? size by-default) (size-on cluster cpus-per-worker) size) name
                               ;; A process can be copied while it has one thread.
                               (= threads 1)
                               (worker-settings env load-path threads)
                               (or memory-limit 0)
                               output-limit
                               (cons (or cpus-per-worker 0) gpus-per-worker)
                               (session-owner (current-session))
                               (if cluster (nodes-pointers cluster) '()))
                   cluster))
                (lambda () (when cluster (release-nodes! cluster))))))
    (adopt! pool 'pool pool-close!)
    (run-hook pool-made-hook)
    (when cluster
      (add-member! cluster (pool-handle pool)))
    (warn-of-many-workers (pool-size pool))
    (when cpus-per-worker
      (warn-of-shared-processors pool))
    (send-files-or-close! pool)
    (when setup
      (set-up-or-close! pool setup))
    pool))

(define (size-on cluster cpus)
  "Return how many workers, each bound to CPUS processors unless that is #f, a pool on CLUSTER, or on this machine, has if nothing else is
said."
  (if (and cluster (not (getenv "TUTTI_WORKERS")))
      (min largest-pool (max 1 (quotient (nodes-processors cluster) (or cpus 1))))
      (bound-pool-size cpus)))

(define* (make-serial-pool #:key (setup #f))
  "Return a pool without processes: its one worker is the caller. Everything is as with workers (arguments and results are copies, each
task has a random state of its own), so that a workflow can be debugged in one process. @var{setup} is called once, as by
@code{make-pool} on a worker; here it changes the script's own process."
  (check-setup setup 'make-serial-pool)
  (let ((pool (make-plain-serial-pool)))
    (when setup
      (set-up-or-close! pool setup))
    pool))

(define (set-up-or-close! pool setup)
  (call-cancelling
   (lambda () (set-up-workers! pool setup) #t)
   (lambda () (pool-close! pool))))

(define (send-files-or-close! pool)
  (call-cancelling
   (lambda () (send-files! pool))
   (lambda () (pool-close! pool))))

(define grace-seconds 1)

(define (pool-close! pool)
  "End the workers of @var{pool}. Tasks that have not ended fail with @code{&pool-closed}. Workers get a second to end by themselves.
Closing twice is fine."
  (cond ((serial-pool? pool) (pool-mark-closed! pool))
        ;; The workers are those of the process that was copied; the copy leaves scopes as well when it ends.
        ((%forked-copy?) #f)
        (else
         (let ((handle (pool-handle pool)))
           (%pool-close! handle (* 1000 grace-seconds))
           (wait-until (lambda () (%pool-quiet? handle)) (list pool)
                       ;; By then the engine has given up those that cannot be ended.
                       #:deadline (+ (now) grace-seconds 4))
           (drain-last-output! pool)
           (and=> (leave-cluster! pool) release-nodes!)
           ;; Only now: if the wait was left by an interrupt, the scope of the pool waits again.
           (disown! pool))))
  *unspecified*)

(define (call-with-pool size proc . options)
  "Call @var{proc} with a pool of @var{size} workers and return its values. The pool is closed however @var{proc} is left. Options are
those of @code{make-pool}."
  (check-pool-procedure proc 'call-with-pool)
  (let ((pool (apply make-pool size options)))
    (dynamic-wind
      (const #t)
      (lambda () (parameterize ((current-pool pool)) (proc pool)))
      (lambda () (pool-close! pool)))))

;;; Looking at workers.

(define-record-type <worker>
  (make-worker index pid state restarts tasks-done peak-memory node cpus gpus)
  worker?
  (index worker-index)
  (pid worker-pid)                      ; #f while there is no process
  (state worker-state)                  ; spawning, booting, idle, busy, ending, dead
  (restarts worker-restarts)            ; how often it was replaced
  (tasks-done worker-tasks-done)
  (peak-memory worker-peak-memory)      ; bytes, the most that one of its processes has had until now; #f: not known
  (node worker-node)                    ; the name of its host
  (cpus worker-cpus)                    ; numbers of processors; #f: it is not bound
  (gpus worker-gpus))                   ; names of GPUs; #f: it is told of none

(set-record-type-printer! <worker>
  (lambda (worker port)
    (format port "#<worker ~a ~a~a>" (worker-index worker) (worker-state worker)
            (if (worker-pid worker) (format #f ", process ~a" (worker-pid worker)) ""))))

(for-each (lambda (procedure text) (set-object-property! procedure 'documentation text))
          (list worker? worker-index worker-pid worker-state worker-restarts worker-tasks-done worker-peak-memory worker-node
                worker-cpus worker-gpus)
          '("Return true if the argument tells of a worker, as those in the list of @code{pool-workers} do."
            "Return the worker's index in its pool, from 0."
            "Return the process identifier of the worker, or @code{#f} while there is no process."
            "Return what the worker was doing when @code{pool-workers} was called, a symbol: @code{spawning}, @code{booting}, @code{idle},
@code{busy}, @code{ending} or @code{dead}."
            "Return how often the worker was replaced."
            "Return how many tasks the worker has done."
            "Return the most memory, in bytes, that a process had at a time which was this worker and has ended; @code{#f} if none has."
            "Return the name of the host on which the worker runs, or ran last, a string."
            "Return the list of the numbers of the processors that the worker is bound to; @code{#f} if it is not."
            "Return the list of the GPUs that the worker was told to use, strings; @code{#f} if it was told of none."))

(define (pool-workers pool)
  "Return what is known of the workers of @var{pool} now: a list of records, by index."
  (if (serial-pool? pool)
      (list (make-worker 0 (getpid) (if (pool-closed? pool) 'dead 'idle) 0 0 (%own-peak-memory) (gethostname) #f #f))
      (map (lambda (index)
             (let ((info (%pool-worker (pool-handle pool) index)))
               (make-worker index (let ((pid (vector-ref info 0))) (and (positive? pid) pid))
                            (vector-ref info 1) (vector-ref info 2) (vector-ref info 3)
                            (let ((peak (vector-ref info 4))) (and (positive? peak) peak))
                            (vector-ref info 5) (vector-ref info 6)
                            (and=> (vector-ref info 7) (lambda (names) (string-split names #\,))))))
           (iota (pool-size pool)))))
