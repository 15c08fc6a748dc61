;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks: submit, wait, cancel.
(define-module (tutti task)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:use-module (tutti base seconds)
  #:use-module ((tutti base text) #:select (lines))
  #:use-module (tutti conditions)
  #:use-module (tutti pool files)
  #:use-module (tutti pool request)
  #:use-module (tutti pool resources)
  #:use-module (tutti pool serial)
  #:use-module (tutti pool type)
  #:use-module (tutti pool wait)
  #:use-module (tutti random)
  #:use-module (tutti remote arguments)
  #:use-module ((tutti remote names) #:select (name-of))
  #:use-module (tutti remote object-type)
  #:use-module (tutti remote)
  #:use-module (tutti worker description)
  #:use-module (tutti worker wire)
  #:re-export (current-pool task-resources)
  #:export (task-timeout task-retries
            pool-submit! task? task-done? task-wait task-wait-any task-cancel!
            submit-request submit-plain encode-request submit-payload check-procedure
            task-await polled-task-value task-settle! task-number task-worker tried-again? task-handle call-with-answer))

(define task-timeout (make-parameter #f (lambda (x) (seconds-allowed x "task-timeout"))))
(set-object-property! task-timeout 'documentation
                         "How many seconds one attempt of a task may run; @code{#f}, the default, or @code{+inf.0}: as long as it takes.")

(define (checked-retries x)
  (unless (and (exact-integer? x) (<= 0 x 1000000))
    (scm-error 'wrong-type-arg "task-retries" "expected an exact integer from 0, got ~S" (list x) (list x)))
  x)

(define task-retries (make-parameter 2 checked-retries))
(set-object-property! task-retries 'documentation
                         "How often a task is tried again after the worker that ran it has died: a parameter, 2 by default. If its node
was lost, that is not counted, up to five times; but with 0 no task is run twice.")

;; HANDLE is the engine's task, #f in a serial pool. OUTCOME is decoded when it is first needed: (value . x) or (error . condition).
(define-record-type <task>
  (make-task-record pool handle outcome seconds procedure)
  task?
  (pool task-pool)
  (handle task-handle)
  (outcome task-outcome set-task-outcome!)
  (seconds task-seconds)                ; its time-out, for messages
  (procedure task-procedure))           ; the user's, also for messages; #f: none

(set-object-property! task? 'documentation "Return true if the argument is a task, as @code{pool-submit!} returns it.")

(set-record-type-printer! <task>
  (lambda (task port)
    (if (task-handle task)
        (format port "#<task ~a ~a>" (task-number task) (standing-text (task-handle task)))
        (format port "#<task ~a>" (match (task-outcome task) (('error . _) 'raised) (_ 'done))))))

(define (beginning text) (let ((line (car (lines text)))) (string-take line (min 100 (string-length line)))))

(define (standing-text handle)
  (match (%task-now handle)
    (#(_ _ _ standing _ worker host _ seconds _ _ _ n missing)
     (let ((where (format #f "worker ~a~a" worker (if host (format #f " on ~a" host) ""))))
       (case standing
         ((running) (format #f "running ~a on ~a" (duration->string seconds) where))
         ((given pinned) (format #f "queued for ~a" where))
         ((waiting) (format #f "waiting for task~p ~a~a" n (string-join (map number->string missing) ", ")
                            (if (> n (length missing)) (format #f " and ~a more" (- n (length missing))) "")))
         (else "queued"))))
    (reason
     (let ((worker (%task-worker handle)))
       (format #f "~a~a~a" (%task-state handle) (if (negative? worker) "" (format #f " on worker ~a" worker))
               (if reason (string-append ": " (beginning reason)) ""))))))

(define (task-number task)
  "Return the number of @var{task}, by which messages name it; @code{#f} in a serial pool."
  (and (task-handle task) (%task-id (task-handle task))))

(define (task-worker task)
  "Return the index of the worker that had @var{task} last."
  (if (task-handle task) (%task-worker (task-handle task)) 0))

(define (tried-again? task)
  "Return true if @var{task} was given to a worker more than once."
  (and (task-handle task) (> (%task-attempts (task-handle task)) 1)))

(define handler-scheme 2)

;;; Submitting.

(define (find-value object)
  (and (task? object) (list (task-wait object))))

(define (find-task object)
  ;; The value of a task of a serial pool is here; those of the engine's tasks need not come through here.
  (if (and (task? object) (task-handle object))
      (task-handle object)
      (find-value object)))

(define (with-settings request)
  (let ((settings (current-settings)))
    (if (null? settings)
        request
        (vector 'with settings request))))

(define* (encode-request pool request who #:key fits? settled?)
  "Return two values: the payload of @var{request}, and the cargo that goes along. @var{fits?} is as for @code{make-cargo}; with
@var{settled?}, tasks are waited for, and their values are in it. The values of remote parameters go along."
  (let* ((request (with-settings request))
         (find (if (or settled? (serial-pool? pool)) find-value find-task))
         (cargo (make-cargo pool #:find-task find #:fits? fits?))
         (payload (encode-value request who cargo (request-step-name request))))
    (values payload cargo)))

(define* (submit-payload pool payload cargo who #:key (worker -1) (retries (task-retries)) (timeout (task-timeout)) makes procedure
                         (name (name-of procedure)) (leave 0))
  "Submit the request in @var{payload} to @var{pool}, for the worker with the index @var{worker}, -1 for any, and return the task.
@var{makes} is the engine's object that the worker holds when it is done, or @code{#f}. @var{procedure} is the one that the user wants
called, or @code{#f}; @var{name} is what people call that, a string or @code{#f}. If @var{leave} is not 0, vectors of its value that have
at least so many bytes may be left on the worker's node: they come without contents, and @code{%vector-home} tells."
  (send-files! pool)
  (if (serial-pool? pool)
      (make-task-record pool #f (name-procedure (serial-outcome pool payload) procedure) #f procedure)
      (let ((handle (%make-task handler-scheme payload (cargo-tasks cargo) (cargo-held cargo) (seconds->microseconds timeout)
                                ;; Who wants no task to be run again does not want it for the loss of a node either.
                                (cons retries (zero? (task-retries))) worker makes (resources->pair))))
        (unless (zero? leave)
          (%task-leave! handle leave))
        (when name
          (%task-name! handle name))
        (and=> (%pool-submit! (pool-handle pool) handle)
               (lambda (refusal) (raise-refusal pool refusal who)))
        (make-task-record pool handle #f timeout procedure))))

(define* (submit-request pool request who #:key (worker -1) (retries (task-retries)) (name (name-of (request-procedure request))))
  "Submit @var{request} to @var{pool} and return the task."
  (check-open pool who)
  (call-with-values (lambda () (encode-request pool request who #:fits? (and (>= worker 0) (lambda (places) (< worker places)))))
    (lambda (payload cargo)
      (submit-payload pool payload cargo who #:worker worker #:retries retries #:procedure (request-procedure request)
                      #:name name))))

(define (raise-refusal pool refusal who)
  ;; A pool that was not closed refuses tasks when its workers cannot live: the last one's certificate says why.
  (raise-tutti (case (car refusal)
                 ((closed) (make-pool-closed pool (cdr refusal)))
                 ((died) (make-worker-died (vector->certificate (%pool-last-death (pool-handle pool))) (cdr refusal)))
                 (else (make-tutti-error (cdr refusal))))
               who))

(define* (submit-plain pool proc arguments stream who #:optional worker)
  "Submit the application of @var{proc} to @var{arguments}, which are settled, the short way, and return the task; or return @code{#f} if
that is not possible. With @var{worker}, an index, it is as by @code{pool-apply-only}, and the task one for @code{polled-task-value}."
  (let ((held (and (pool-handle pool) (null? (current-settings)) (remote-argument pool proc))))
    (and held
         (send-files! pool)
         (let* ((timeout (task-timeout))
                (handle (%submit-call (pool-handle pool) worker (storage-handle (remote-object-storage held)) arguments stream
                                      (or worker -1) (vector (task-retries) (seconds->microseconds timeout) worker (resources->pair)))))
           (when (pair? handle) (raise-refusal pool handle who))
           (and handle (make-task-record pool handle #f timeout proc))))))

(define (submit-call pool proc arguments who)
  "Submit the application of @var{proc} to @var{arguments} as a task."
  (check-procedure proc who)
  (let ((stream (next-stream! pool)))
    (or (submit-plain pool proc arguments stream who)
        (if (serial-pool? pool)
            (submit-here pool proc arguments stream who)
            (submit-request pool (vector 'call proc arguments stream) who)))))

(define (submit-here pool proc arguments stream who)
  "Submit the application of @var{proc} to @var{arguments} to @var{pool}, which is serial: it is done at once. If one of the tasks
among the arguments has no value, the task ends as that one did."
  (let ((failed #f)
        (request (with-settings (vector 'call proc arguments stream))))
    (define (find object)
      (and (task? object)
           (begin
             (task-await object)
             (match (task-settle! object)
               (('value . value) (list value))
               (outcome
                (set! failed (or failed outcome))
                (list #f))))))
    (let ((payload (encode-value request who (make-cargo pool #:find-task find) (request-step-name request))))
      (if failed
          (make-task-record pool #f failed #f proc)
          (submit-payload pool payload #f who #:procedure proc)))))

(define (check-procedure proc who)
  "Raise an error in the name of @var{who} if @var{proc} is no procedure."
  (unless (procedure? proc)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a procedure, got ~S" (list proc) (list proc))))

(define (pool-submit! pool proc . arguments)
  "Submit the application of @var{proc} to @var{arguments} to @var{pool}, and return a task at once. Where a task is among the
arguments, its value is passed."
  (check-open pool 'pool-submit!)
  (submit-call pool proc arguments 'pool-submit!))

;;; Ends.

(define (name-procedure outcome procedure)
  "Return @var{outcome}, whose condition, if it is one, names @var{procedure}."
  (match outcome
    (('error . condition)
     (let ((name (name-of procedure)))
       (if name
           (cons 'error (make-in-call condition name))
           outcome)))
    (_ outcome)))

(define (vector->certificate certificate)
  (match certificate
    (#f (make-certificate))
    (#(reason status signal stderr task peak-memory worker pid input-size detail node core-dumped?)
     (make-certificate #:reason reason #:status status #:signal signal #:stderr stderr #:task task
                       #:peak-memory (and (positive? peak-memory) peak-memory) #:worker worker
                       #:pid (and (positive? pid) pid) #:input-size input-size #:detail detail
                       #:node node #:core-dumped? core-dumped?))))

(define (failure->condition task number worker seconds)
  (let* ((handle (task-handle task))
         (failure (%task-error handle))
         (message (cdr failure)))
    (case (car failure)
      ((cancelled) (make-task-cancelled number))
      ((closed) (make-pool-closed (task-pool task) message))
      ((timeout) (make-task-timeout number seconds message))
      ((died) (make-worker-died (vector->certificate (%task-certificate handle)) message))
      ((fault) (make-worker-error 'read-only-vector '() message #f worker number))
      (else (make-tutti-error message)))))

(define* (bad-answer task what #:optional problem)
  "Return the condition for an answer to @var{task} that is none: @var{what} tells why not, and @var{problem} is the exception that using
it has raised."
  ;; It also has those of Tutti's types that the problem has: a module that is missing here, for instance, is not the fault of the worker.
  (apply make-exception
         (make-tutti-error (format #f "worker ~a answered task ~a with something that cannot be used here:~%  ~a"
                                   (task-worker task) (task-number task) what))
         (if problem (filter tutti-error? (simple-exceptions problem)) '())))

(define (call-with-answer task use refuse)
  "Return what @var{use} returns, a procedure without arguments that looks at the answer to @var{task}; if it raises an error, what
@var{refuse} returns for the condition that says whose answer that was. A worker may have sent anything."
  (with-exception-handler
      (lambda (problem)
        (if (and (error? problem) (not (interruption? problem)))
            (refuse (bad-answer task (condition->string problem) problem))
            (raise-exception problem)))
    use
    #:unwind? #t))

(define (call-settling task decode)
  "Return the pair of the symbol value and the value of @var{decode}, or of the symbol error and what tells why there is none."
  (call-with-answer task
    decode
    (lambda (condition) (cons 'error condition))))

(define (end->condition task number worker seconds)
  "Return the condition with which @var{task} has ended, by a failure of the task with @var{number} on @var{worker}, whose time-out was
@var{seconds}."
  (let ((handle (task-handle task)))
    (if (eq? (%task-state handle) 'raised)
        (cdr (call-settling task
               (lambda () (cons 'error (description->condition (decode-value (%task-result handle)) worker number (%task-host handle))))))
        (failure->condition task number worker seconds))))

(define (settle task)
  (let ((handle (task-handle task)))
    (if (eq? (%task-state handle) 'done)
        (call-settling task
          (lambda ()
            (let* ((result (%task-result handle))
                   (value (decode-value result)))
              (%payload-drop! result)   ; or it would keep its vectors until a collector finds it
              (cons 'value value))))
        (cons 'error
              (match (%task-culprit handle)
                (#f (end->condition task (task-number task) (%task-worker handle) (task-seconds task)))
                (#(number worker attempts timeout maker?)
                 (make-dependency-failed (task-number task) number (and (>= worker 0) worker) attempts
                                         (end->condition task number worker (/ timeout 1e6))
                                         #:maker? maker?)))))))

(define (task-settle! task)
  "Return the outcome of @var{task}, which has ended: a pair of the symbol value or error, and the value or condition."
  (or (task-outcome task)
      (let* ((plain (%task-plain-value (task-handle task) nothing))
             (outcome (if (eq? plain nothing) (name-procedure (settle task) (task-procedure task)) (cons 'value plain))))
        (set-task-outcome! task outcome)
        outcome)))

(define (check-task task who)
  (unless (task? task)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a task, got ~S" (list task) (list task))))

(define (task-done? task)
  "Return true if @var{task} has ended, with a value or otherwise."
  (check-task task 'task-done?)
  (or (not (task-handle task)) (%task-ended? (task-handle task))))

(define (outcome-value outcome)
  (if (eq? (car outcome) 'value)
      (cdr outcome)
      (raise-tutti (cdr outcome))))

(define (value-or-raise task)
  (outcome-value (task-settle! task)))

(define no-default (list 'no-default))
(define (nothing) #t)

(define (poll-for-end task)
  (or (not (task-handle task))
      (wait-briefly (lambda () (%task-ended? (task-handle task))) (task-pool task))))

(define (poll-or-cancel task)
  ;; As in call-cancelling; but only exceptions from outside can be raised here.
  (let ((complete? #f))
    (dynamic-wind
      nothing
      (lambda ()
        (let ((ended? (poll-for-end task)))
          (set! complete? #t)
          ended?))
      (lambda () (unless complete? (task-cancel! task))))))

(define* (task-await task #:optional seconds)
  "Wait until @var{task} has ended, and return true; or for @var{seconds}, and return @code{#f}. If the wait is left by an exception, the
task is cancelled."
  (or (and (not seconds) (poll-or-cancel task))
      (call-cancelling
       (lambda ()
         (wait-until (lambda () (task-done? task))
                     (if (task-handle task) (list (task-pool task)) '())
                     #:deadline (and seconds (+ (now) seconds))))
       (lambda () (task-cancel! task)))))

(define (polled-task-value task)
  "Return the value of @var{task}, made by @code{submit-plain} for one worker, when it has ended, or raise what it ended with. The task
cannot be used again."
  (let* ((handle (task-handle task))
         (outcome
          (dynamic-wind
            nothing
            (lambda ()
              (unless (poll-for-end task) (task-await task))
              (let ((value (%task-plain-value handle nothing)))
                (if (eq? value nothing) (task-settle! task) value)))
            (lambda ()
              (unless (%task-ended? handle) (task-cancel! task))
              (%release-call! handle)))))
    (if (pair? outcome) (outcome-value outcome) outcome)))

(define* (task-wait task #:optional seconds (default no-default))
  "Return the value of @var{task}, or raise what it ended with. If it has not ended after @var{seconds}, return @var{default} if there
is one, otherwise raise @code{&wait-timeout}; the task goes on. @code{#f} and @code{+inf.0} are no limit."
  (check-task task 'task-wait)
  (cond ((task-await task (seconds-to-wait seconds "task-wait")) (value-or-raise task))
        ((eq? default no-default) (raise-tutti (make-wait-timeout seconds) 'task-wait))
        (else default)))

(define (first-ended tasks)
  (define (order task) (if (task-handle task) (%task-order (task-handle task)) 0))
  (match (filter task-done? tasks)
    (() #f)
    ((one . others) (fold (lambda (task first) (if (< (order task) (order first)) task first)) one others))))

(define* (task-wait-any tasks #:optional seconds)
  "Return the one of @var{tasks} that ended first, waiting for it if none has. If none has after @var{seconds}, raise
@code{&wait-timeout}; @code{#f} and @code{+inf.0} are no limit."
  (for-each (lambda (task) (check-task task 'task-wait-any)) tasks)
  (when (null? tasks)
    (scm-error 'wrong-type-arg "task-wait-any" "expected at least one task" '() '()))
  (or (let ((seconds (seconds-to-wait seconds "task-wait-any")))
        (call-cancelling
         (lambda ()
           (wait-until (lambda () (first-ended tasks))
                       (delete-duplicates (filter-map (lambda (task) (and (task-handle task) (task-pool task))) tasks) eq?)
                       #:deadline (and seconds (+ (now) seconds))))
         (lambda () (for-each task-cancel! tasks))))
      (raise-tutti (make-wait-timeout seconds) 'task-wait-any)))

(define (task-cancel! task)
  "End @var{task} with @code{&task-cancelled}, unless it has ended. The worker that runs it is replaced."
  (check-task task 'task-cancel!)
  (when (task-handle task)
    (%task-cancel! (task-handle task))))
