;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators for the clients of UM-Bridge.  The part in C listens, in a thread of its own, and queues what needs a model; threads here take
;; that, let the workers of a pool compute it, and answer.  There are as many of these as workers, so that all have something to do; what
;; is not for workers is computed by one of them at a time.
(define-module (tutti umbridge serve)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (call-with-new-thread join-thread make-mutex with-mutex))
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base log)
  #:use-module (tutti base scope)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti pool)
  #:use-module (tutti pool type)
  #:use-module (tutti pool wait)
  #:use-module (tutti umbridge model)
  #:use-module (tutti umbridge primitives)
  #:export (umbridge-serve umbridge-server? umbridge-port umbridge-url umbridge-stop umbridge-wait umbridge-statistics))

(define-primitives %umbridge-serve %umbridge-port %umbridge-counts %umbridge-next %umbridge-job %umbridge-check! %umbridge-arguments
  %umbridge-answer! %umbridge-answer-sizes! %umbridge-fail! %umbridge-done! %umbridge-close! %umbridge-drain %umbridge-end!)

;; MODELS is an association list of name and <served>.  THREADS is a list of pairs of a thread and a box, a list of one task, which it
;; waits for, or #f.  OWN-POOL? tells that the pool is closed with the server.
(define-record-type <server>
  (make-server handle address port models pool own-pool? threads stopped?)
  umbridge-server?
  (handle server-handle)
  (address server-address)
  (port server-port)
  (models server-models)
  (pool server-pool)
  (own-pool? server-own-pool?)
  (threads server-threads set-server-threads!)
  (stopped? server-stopped? set-server-stopped!))

(set-object-property! umbridge-server? 'documentation "Return true if the argument is what @code{umbridge-serve} returned.")

(set-record-type-printer! <server>
  (lambda (server port)
    (format port "#<umbridge-server ~a: ~a~a>" (umbridge-url server) (string-join (map car (server-models server)) ", ")
            (if (server-stopped? server) ", stopped" ""))))

;; HELD is what computes: a remote object, or the model itself if it is computed HERE?.  FACTS are those of a model without
;; configurations; for others a table of them by the text of the configuration.
(define-record-type <served>
  (make-served held here? facts lock)
  served?
  (held served-held)
  (here? served-here?)
  (facts served-facts)
  (lock served-lock))

;;; Models.

(define most-known-facts 1000)

(define (needs-pool? model)
  (not (and (operator? model) (operator-pool model))))

(define (prepare model pool)
  "Return the @code{<served>} for @var{model}, for the workers of @var{pool}, or to be computed here if that is @code{#f}."
  (let* ((here? (not (and pool (needs-pool? model))))
         (held (if here? model (pool-push pool model))))
    (define (ask-for-facts)
      (if here? (model-facts held "" '()) (task-wait (pool-submit! pool model-facts held "" '()))))
    (make-served held here?
                 (cond ((operator? model) (operator-facts model))
                       ((configured? model) (make-hash-table))
                       (else (ask-for-facts)))
                 (make-mutex))))

(define (model->description name served)
  (match (served-facts served)
    ((input output derivatives?) (vector name #f input output derivatives?))
    (_ (vector name #t '() '() #t))))

;;; Work.

(define (call-for-worker task thunk)
  "Return the value of the task that @var{thunk} submits, which is in the box @var{task} meanwhile."
  (dynamic-wind
    (const #t)
    (lambda ()
      (set-car! task (thunk))
      (task-wait (car task)))
    (lambda () (set-car! task #f))))

(define (ask server served task procedure . arguments)
  "Apply @var{procedure} to what is held of @var{served} and @var{arguments}, where that is."
  (if (served-here? served)
      (with-mutex (served-lock served)
        (apply procedure (served-held served) arguments))
      (call-for-worker task (lambda () (apply pool-submit! (server-pool server) procedure (served-held served) arguments)))))

(define (known-facts server served task key config)
  "Return what clients are told of @var{served}, a model with configurations, for @var{config}."
  (define table (served-facts served))
  (or (with-mutex (served-lock served) (hash-ref table key))
      (let ((facts (ask server served task model-facts key config)))
        (with-mutex (served-lock served)
          (when (>= (hash-count (const #t) table) most-known-facts)
            (hash-clear! table))
          (hash-set! table key facts))
        facts)))

(define (unsupported handle name)
  (%umbridge-fail! handle 400 "UnsupportedFeature"
                   (format #f "the operator behind ~a has no derivative for this configuration" name)))

(define (answer server handle task)
  (match (%umbridge-job handle)
    (#(call name config key)
     (let* ((served (assoc-ref (server-models server) name))
            (facts (and (hash-table? (served-facts served)) (known-facts server served task key config))))
       (define (compute-it)
         (match (%umbridge-arguments handle)
           (#(point vector out-wrt in-wrt)
            (%umbridge-answer! handle (ask server served task compute key config call point vector out-wrt in-wrt)))))
       (match facts
         (#f (compute-it))
         ((input output derivatives?)
          (cond ((eq? call 'InputSizes) (%umbridge-answer-sizes! handle input))
                ((eq? call 'OutputSizes) (%umbridge-answer-sizes! handle output))
                ((not (or (eq? call 'Evaluate) derivatives?)) (unsupported handle name))
                ((%umbridge-check! handle input output) (compute-it)))))))))

(define (failure-status condition)
  ;; That is not the model's fault, and another server may do it.
  (if (or (pool-closed-error? condition) (task-cancelled? condition)) 503 500))

(define (answer-whatever-happens server handle task)
  (with-exception-handler
      (lambda (condition)
        (%umbridge-fail! handle (failure-status condition) #f (condition->string condition)))
    (lambda () (answer server handle task))
    #:unwind? #t)
  (%umbridge-done! handle))

(define (work server task)
  (let ((handle (%umbridge-next (server-handle server))))
    (when handle
      (answer-whatever-happens server handle task)
      (work server task))))

(define (start-threads! server)
  (set-server-threads! server
                       (map (lambda (_)
                              (let ((task (list #f)))
                                (cons (call-with-new-thread (lambda () (work server task))) task)))
                            (iota (if (server-pool server) (pool-size (server-pool server)) 1)))))

;;; Beginning.

(define (check-models models)
  (when (null? models)
    (refuse 'umbridge-serve "expected at least one model"))
  (for-each (match-lambda
              (((? string? name) . model)
               (when (string-null? name)
                 (refuse 'umbridge-serve "the name of a model must not be empty"))
               (check-model model name))
              (other (refuse 'umbridge-serve "expected an association list from names, strings, to operators; there is ~s in it" other)))
            models)
  (let ((names (map car models)))
    (unless (= (length names) (length (delete-duplicates names)))
      (refuse 'umbridge-serve "two models have the same name: ~a" (string-join names ", ")))))

(define (check-number value keyword low high)
  (unless (and (real? value) (<= low value high))
    (scm-error 'wrong-type-arg "umbridge-serve" "~A: expected a number from ~A to ~A, got ~S" (list keyword low high value) (list value)))
  (unless (or (eq? keyword #:patience) (exact-integer? value))
    (scm-error 'wrong-type-arg "umbridge-serve" "~A: expected an exact integer, got ~S" (list keyword value) (list value))))

(define (loopback? address)
  (or (string-prefix? "127." address) (string=? address "::1")))

(define (warn-of-address address)
  (unless (loopback? address)
    (let ((port (worker-output-port)))
      (when port
        (write-line-beside port (format #f "umbridge-serve: anybody who reaches ~a may use the models: clients of UM-Bridge do not \
authenticate themselves" address))))))

(define default-argument (list 'default))

(define (choose-pool pool models)
  "Return two values: the pool for @var{models}, @code{#f} if they are computed here, and whether that is one of the server's own."
  (cond ((not (any (lambda (model) (needs-pool? (cdr model))) models)) (values #f #f))
        ((eq? pool default-argument)
         (match (current-pool)
           (#f (values (make-pool (default-pool-size) #:name "umbridge") #t))
           ((? serial-pool?) (values #f #f))
           (pool (values pool #f))))
        ((or (not pool) (and (pool? pool) (serial-pool? pool))) (values #f #f))
        ((pool? pool) (values pool #f))
        (else (scm-error 'wrong-type-arg "umbridge-serve" "#:pool: expected a pool or #f, got ~S" (list pool) (list pool)))))

(define (close-own-pool pool own?)
  (when own? (pool-close! pool)))

(define most-requests 100000)
(define megabyte 1000000)

(define* (umbridge-serve models #:key (name "forward") (port 4242) (address "127.0.0.1") (pool default-argument) (clients 512)
                         (waiting 1024) (bytes (* 256 megabyte)) (memory (* 4 bytes)) (patience 30) (wait? #f))
  "Serve @var{models} to clients of UM-Bridge (protocol 1.0), and return the server.  @var{models} is an operator, which clients know as
@var{name}, or an association list from names to operators.  The vectors of a model are the parts of the operator's domain and codomain.
In the place of an operator a remote procedure may stand: without arguments, it is called on each worker and returns the operator there;
with one, it is called with the configuration that a client sends (an association list with strings as keys; arrays are vectors, and null
the symbol @code{null}) and returns the operator for that.

The workers of @var{pool}, by default the current pool or else one of the server's own, compute, as many requests at once as there are
workers; a worker that dies is replaced, and its request tried again: @code{task-timeout} and @code{task-retries} hold as they are now.
Operators that have workers themselves are computed from here, one request at a time, and so is everything if @var{pool} is @code{#f} or
serial.

@var{port} is where it listens, 0 for any that is free; on @var{address}, digits, by default for this machine only.  There are bounds, so
that no client can stop it: at most @var{clients} connections and @var{waiting} requests that wait for a worker, others are told to come
again; at most @var{bytes} in one request, and @var{memory} in all of them; and a client that takes longer than @var{patience} seconds for
no progress is given up.  With @var{wait?}, it goes on as by @code{umbridge-wait}."
  (let ((models (if (or (operator? models) (procedure? models)) (list (cons name models)) models)))
    (unless (list? models)
      (refuse 'umbridge-serve "expected an operator, a procedure that makes one, or an association list of these; got ~s" models))
    (unless (string? name)
      (scm-error 'wrong-type-arg "umbridge-serve" "#:name: expected a string, got ~S" (list name) (list name)))
    (check-models models)
    (for-each (match-lambda ((value keyword low high) (check-number value keyword low high)))
              `((,port #:port 0 65535) (,clients #:clients 1 ,most-requests) (,waiting #:waiting 0 ,most-requests)
                (,bytes #:bytes 1 ,(expt 2 30)) (,memory #:memory ,bytes ,(expt 2 40)) (,patience #:patience 0.01 86400)))
    (unless (string? address)
      (scm-error 'wrong-type-arg "umbridge-serve" "#:address: expected a string, got ~S" (list address) (list address)))
    (check-scope 'umbridge-serve)
    ;; Signals are for this thread, also when only the others wait.
    (install-interrupt-handler!)
    (let ((server (call-with-values (lambda () (choose-pool pool models))
                    (lambda (pool own?)
                      (start models pool own? (lambda (descriptions)
                                                (%umbridge-serve descriptions address port clients bytes memory
                                                                 (exact->inexact patience) waiting))
                             address)))))
      (warn-of-address address)
      (when wait?
        (umbridge-wait server))
      server)))

(define (start models pool own? begin-serving address)
  (let ((served '()) (handle #f))
    (call-cancelling
     (lambda ()
       (for-each (match-lambda ((name . model) (set! served (acons name (prepare model pool) served)))) models)
       (set! handle (begin-serving (map (match-lambda ((name . it) (model->description name it))) (reverse served))))
       (let ((server (make-server handle address (%umbridge-port handle) (reverse served) pool own? '() #f)))
         (start-threads! server)
         (adopt! server 'operator umbridge-stop)))
     (lambda ()
       (when handle (%umbridge-end! handle))
       (for-each (match-lambda ((_ . it) (forget it))) served)
       (close-own-pool pool own?)))))

(define (forget served)
  (unless (served-here? served)
    (remote-object-remove! (served-held served))))

;;; Looking, waiting.

(define (umbridge-port server)
  "Return the port at which @var{server} listens."
  (server-port server))

(define (umbridge-url server)
  "Return the address of @var{server} as clients want it, such as @code{\"http://127.0.0.1:4242\"}."
  (let ((address (server-address server)))
    (format #f "http://~a:~a" (if (string-index address #\:) (string-append "[" address "]") address) (server-port server))))

(define (umbridge-statistics server)
  "Return what @var{server} has done until now: an association list with numbers of @code{connections}, @code{requests}, @code{answers},
requests and connections that were refused before they were complete (@code{refusals}), requests whose client went away before the answer
(@code{lost}), and, at present, @code{clients} and requests that are @code{waiting} for a worker."
  (map cons '(connections requests answers refusals lost clients waiting) (vector->list (%umbridge-counts (server-handle server)))))

(define (umbridge-wait server)
  "Wait until @var{server} is stopped: by another thread, or by Ctrl-C, which ends the script.  Meanwhile what workers write is shown."
  (wait-until (lambda () (server-stopped? server))
              (if (server-pool server) (list (server-pool server)) '())
              #:interval (const 0.2))
  *unspecified*)

;;; The end.

(define cancelled-seconds 2)

(define (cancel-work server)
  (for-each (match-lambda ((_ task) (and=> task task-cancel!))) (server-threads server)))

(define (join server)
  (for-each (match-lambda ((thread . _) (join-thread thread (+ (current-time) cancelled-seconds) #f))) (server-threads server)))

(define* (umbridge-stop server #:optional (seconds 5))
  "Stop @var{server}.  Requests that wait for a worker are refused at once, those that are being computed have @var{seconds} to end, and are
cancelled then.  Stopping twice is fine."
  (unless (server-stopped? server)
    (let ((handle (server-handle server)))
      (set-server-stopped! server #t)
      (%umbridge-close! handle)
      (unless (%umbridge-drain handle (exact->inexact seconds))
        (cancel-work server)
        (%umbridge-drain handle (exact->inexact cancelled-seconds)))
      (%umbridge-end! handle)
      (join server)
      (for-each (match-lambda ((_ . served) (forget served))) (server-models server))
      (close-own-pool (server-pool server) (server-own-pool? server))
      (disown! server)))
  *unspecified*)
