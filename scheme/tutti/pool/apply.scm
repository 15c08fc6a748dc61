;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The same on every worker, or on one of them by its index.
(define-module (tutti pool apply)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool type)
  #:use-module (tutti random)
  #:use-module (tutti remote object-type)
  #:use-module (tutti task)
  #:export (per-worker per-worker? pool-apply pool-apply-only
            places-for requests-by-worker encode-for-workers submit-encoded apply-on-workers apply-in-places submit-in-place wait-for-all))

(define-record-type <per-worker>
  (make-per-worker items)
  per-worker?
  (items per-worker-items))

(set-record-type-printer! <per-worker>
  (lambda (argument port)
    (format port "#<per-worker ~a item~:p>" (length (per-worker-items argument)))))

(define (per-worker items)
  "Return an argument for @code{pool-apply} of which each worker gets its own item: worker @var{i} the one at index @var{i} of the list
@var{items}."
  (unless (list? items)
    (scm-error 'wrong-type-arg "per-worker" "expected a list, got ~S" (list items) (list items)))
  (make-per-worker items))

(set-object-property! per-worker? 'documentation "Return true if the argument was made by @code{per-worker}.")

;; A pool may grow and shrink. What is in parts then has parts for places, the indices of the workers that there were: those behind the last
;; worker are with others.
(define (places-for pool arguments who)
  "Return for how many places a call with @var{arguments} on all workers of @var{pool} is: for as many as there are parts of what is in
parts among them; without such, for its workers."
  (let ((places (filter-map (lambda (argument) (and (remote-object? argument) (remote-object-places argument))) arguments)))
    (cond ((null? places) (pool-size pool))
          ((apply = places) (car places))
          (else
           (refuse who "remote objects in ~a parts cannot be used together: the pool has grown or shrunk after the first of them was made; \
make them again" (string-join (map number->string (delete-duplicates places)) " and in "))))))

(define (check-per-worker pool arguments places who)
  (for-each (lambda (argument)
              (when (and (per-worker? argument) (not (= (length (per-worker-items argument)) places)))
                (raise-tutti (make-shape-error places (length (per-worker-items argument))
                                               (format #f "per-worker: ~a items for a pool of ~a workers"
                                                       (length (per-worker-items argument)) places))
                             who)))
            arguments))

(define (argument-of-worker argument index)
  (if (per-worker? argument) (list-ref (per-worker-items argument) index) argument))

;;; Requests to all workers are encoded once, unless workers get different arguments.

(define (requests-by-worker pool who arguments workers make-request)
  "Return the list of what @var{make-request} returns for the @var{arguments} of each of the first @var{workers} workers of @var{pool}: one
item if they are the same for all."
  (check-per-worker pool arguments workers who)
  (if (any per-worker? arguments)
      (map (lambda (index) (make-request (map (lambda (a) (argument-of-worker a index)) arguments)))
           (iota workers))
      (list (make-request arguments))))

(define* (encode-for-workers pool requests workers who #:key settled?)
  "Return a list with a pair of payload and cargo for each of @var{requests}, which are for the first @var{workers} workers of @var{pool};
with @var{settled?}, tasks in them are waited for."
  (map (lambda (request)
         (call-with-values
             (lambda () (encode-request pool request who #:fits? (lambda (places) (= places workers)) #:settled? settled?))
           cons))
       requests))

(define* (submit-encoded pool encoded who #:key workers (places (iota workers)) makes procedure (leave 0))
  "Submit to each of the first @var{workers} workers of @var{pool}, or in each of @var{places}, its one of @var{encoded}, pairs of payload
and cargo, or the only one; return the list of tasks. @var{procedure} is the one that they call, for messages. @var{leave} is as for
@code{submit-payload}."
  (map (lambda (place request)
         (submit-payload pool (car request) (cdr request) who #:worker place #:makes makes #:procedure procedure #:leave leave))
       places (if (and (pair? encoded) (null? (cdr encoded))) (make-list (length places) (car encoded)) encoded)))

(define (wait-for-all tasks)
  "Return the values of @var{tasks}, one for each worker of a pool, when all have ended; if some have none, raise what the first of these
ended with. If the wait is left otherwise, the tasks are cancelled."
  ;; One error does not cancel the others: that would end their workers, and with them what these hold.
  (call-cancelling
   (lambda () (for-each task-await tasks))
   (lambda () (for-each task-cancel! tasks)))
  (map task-wait tasks))

(define (copied-once arguments)
  "Return two values: @var{arguments}, which go into a request for each worker, with copies in place of large private vectors; and the list
of these. Each request would copy them again."
  (if (any per-worker? arguments)
      (let ((copied (map %copy-for-several arguments)))
        (values copied (filter-map (lambda (old new) (and (not (eq? old new)) new)) arguments copied)))
      (values arguments '())))

(define (apply-on-workers pool workers proc . arguments)
  "Call @var{proc} with @var{arguments} on the first @var{workers} workers of @var{pool}, or in their places on others; return the list of
values by worker index."
  (apply-in-places pool workers (iota workers) proc arguments (next-stream! pool)))

(define* (apply-in-places pool workers places proc arguments stream #:key (leave 0))
  "Do that part of a call of @var{proc} with the list @var{arguments} on the first @var{workers} workers of @var{pool} which belongs to
@var{places}, indices of these; return the list of their values. @var{stream} is for random numbers. @var{leave} is as for
@code{submit-payload}."
  (call-with-values (lambda () (copied-once arguments))
    (lambda (arguments copies)
      (let* ((requests (requests-by-worker pool 'pool-apply arguments workers (lambda (arguments) (vector 'apply proc arguments stream))))
             (wanted (if (null? (cdr requests)) requests (map (lambda (place) (list-ref requests place)) places)))
             (encoded (encode-for-workers pool wanted workers 'pool-apply))
             (tasks (submit-encoded pool encoded 'pool-apply #:places places #:procedure proc #:leave leave))
             (values (dynamic-wind
                       (const #t)
                       (lambda () (wait-for-all tasks))
                       ;; What was left elsewhere stays as long as anybody here could ask for it.
                       (lambda () (unless (zero? leave) (for-each (lambda (task) (%task-forget! (task-handle task))) tasks))))))
        ;; Copies of private vectors are for the next call to use, not for the collector to find.
        (for-each (lambda (pair) (%payload-drop! (car pair))) encoded)
        (for-each %vector-release! copies)
        values))))

(define (submit-in-place pool place proc arguments stream)
  "Submit the application of @var{proc} to the list @var{arguments} in the place @var{place} of @var{pool}, and return the task."
  (call-with-values (lambda () (encode-request pool (vector 'apply proc arguments stream) 'pool-apply))
    (lambda (payload cargo)
      (let ((task (submit-payload pool payload cargo 'pool-apply #:worker place #:procedure proc)))
        (%payload-drop! payload)        ; the engine has it, as long as the task has not ended
        task))))

(define (pool-apply pool proc . arguments)
  "Call @var{proc} with @var{arguments} on every worker of @var{pool}; return the list of values by worker index. If some
raise, the condition of the first worker among these is raised when all have ended. If the pool has grown or shrunk since a remote object
among @var{arguments} was scattered, or kept in parts, the call is for its parts: there is a value for each."
  (check-open pool 'pool-apply)
  (check-procedure proc 'pool-apply)
  (apply apply-on-workers pool (places-for pool arguments 'pool-apply) proc arguments))

(define (pool-apply-only pool index proc . arguments)
  "Call @var{proc} with @var{arguments} on the worker of @var{pool} whose index is @var{index}, and return its value."
  (check-open pool 'pool-apply-only)
  (check-procedure proc 'pool-apply-only)
  (let ((places (places-for pool arguments 'pool-apply-only)))
    (check-per-worker pool arguments places 'pool-apply-only)
    (unless (and (exact-integer? index) (< -1 index (max places (pool-size pool))))
      (scm-error 'out-of-range "pool-apply-only" "the pool has workers 0 to ~A, not ~S" (list (1- (pool-size pool)) index)
                 (list index))))
  (let* ((arguments (map (lambda (a) (argument-of-worker a index)) arguments))
         (stream (next-stream! pool))
         (task (submit-plain pool proc arguments stream 'pool-apply-only index)))
    (if task
        (polled-task-value task)
        (car (wait-for-all
              (list (submit-request pool (vector 'apply proc arguments stream) 'pool-apply-only #:worker index)))))))
