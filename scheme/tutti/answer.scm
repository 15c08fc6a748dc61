;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a request, wherever that is: in a worker, or in the serial pool. A request says what to call; an answer is a value, or the
;; description of an exception.
(define-module (tutti answer)
  ;; Guile's debugger takes longer to load than all that a worker needs to run a task: not before there is something to describe.
  #:autoload (tutti backtrace) (backtrace-text procedure-place)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti conditions)
  #:use-module (tutti random)
  #:use-module (tutti wire)
  #:export (current-worker-index answer-request exception->answer answer->condition))

(define current-worker-index
  (let ((index (make-parameter #f)))
    index))
(set-object-property! current-worker-index 'documentation
                         "Return the index of the worker that runs the current task, @code{#f} outside of tasks.")

;;; Exceptions.

(define (ends-process? exception)
  "Return true for what no task may survive: an exit, and Guile's own lack of memory, after which nothing in the process can be trusted."
  (or (quit-exception? exception)
      (eq? (exception-kind exception) 'out-of-memory)))

(define (call-or-else thunk handle)
  "Call @var{thunk} and return its value; if it raises, return what @var{handle} returns for the exception."
  (with-exception-handler
      (lambda (exception)
        (if (ends-process? exception) (raise-exception exception) (handle exception)))
    thunk
    #:unwind? #t))

(define (exception-text exception)
  (string-trim-right
   (call-with-output-string
     (lambda (port)
       (print-exception port #f (exception-kind exception) (exception-args exception))))))

(define (exception->answer exception backtrace item)
  "Return the description of @var{exception}: a vector of key, arguments, text, backtrace, the number of the item that raised it
or @code{#f}, and the exception itself."
  (vector (exception-kind exception) (exception-args exception) (exception-text exception) backtrace item exception))

(define (travel-problem value)
  "Return the condition that says why @var{value} cannot travel, or @code{#f} if it can."
  (call-or-else (lambda () (encode-value value 'task) #f) identity))

(define (printed-unless-travels value)
  (if (travel-problem value) (object->string value) value))

(define (component-that-travels component)
  ;; An exception's type is what handlers look at: it must arrive, even if what it carries cannot.
  (let ((type (record-type-descriptor component)))
    (apply make-struct/no-tail type
           (map (lambda (i) (printed-unless-travels (struct-ref component i)))
                (iota (length (record-type-fields type)))))))

(define (answer-that-travels answer)
  (match answer
    (#(key arguments text backtrace item exception)
     (let ((components (remove travel-problem (map component-that-travels (simple-exceptions exception)))))
       (vector key (map printed-unless-travels (if (list? arguments) arguments (list arguments))) text backtrace item
               (and (pair? components) (apply make-exception components)))))))

(define (encode-exception answer)
  ;; As it is, if that can travel: it mostly can.
  (call-or-else
   (lambda () (encode-value answer 'task))
   (lambda (_) (encode-value (answer-that-travels answer) 'task))))

(define (answer->condition answer worker task)
  "Return the @code{&worker-error} for @var{answer}, which @code{exception->answer} made on @var{worker} for @var{task}."
  (match answer
    (#(key arguments text (and backtrace (or #f (? string?))) item original)
     (make-worker-error key arguments text (and backtrace (not (string-null? backtrace)) backtrace) worker
                        (if item (format #f "~a, item ~a" task item) task) original))
    (_ (raise-tutti (make-tutti-error "it does not describe an exception")))))

(define (call-catching thunk handle)
  "Call @var{thunk} and return its value; if it raises, return what @var{handle} returns for the exception and its backtrace. What ends
the process goes its way."
  (let ((tag (make-prompt-tag "task")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (if (ends-process? exception)
                  (raise-exception exception)
                  ;; The innermost frames are those of this handler and of raising.
                  (abort-to-prompt tag exception (make-stack #t 3))))
          thunk))
      (lambda (_ exception stack)
        (handle exception (backtrace-text stack))))))

(define (one-value thunk)
  (call-with-values thunk
    (case-lambda
      ((value) value)
      (() *unspecified*)
      (values (error (format #f "a task returns one value, this one returned ~a; put them into a list" (length values))
                     values)))))

;;; Requests.

(define (call-with-random-state stream item thunk)
  (let ((before *random-state*))
    (dynamic-wind
      (lambda () (set! *random-state* (task-random-state stream item)))
      thunk
      (lambda () (set! *random-state* before)))))

(define (answer-catching procedure thunk)
  "Return the answer with the value of @var{thunk}, or with the exception that it raises, which is the fault of @var{procedure}."
  (call-catching
   (lambda () (cons (encode-value (thunk) 'task) #f))
   (lambda (exception backtrace)
     (cons (encode-exception (exception->answer exception (string-append (procedure-place procedure) backtrace) #f)) #t))))

(define (apply-with-random-state procedure arguments stream item)
  (call-with-random-state stream item (lambda () (one-value (lambda () (apply procedure arguments))))))

(define (answer-call procedure arguments stream item)
  (answer-catching procedure (lambda () (apply-with-random-state procedure arguments stream item))))

(define (answer-keep id procedure arguments stream split)
  ;; SPLIT makes what is kept and what is answered, two values, out of what the procedure returns.
  (answer-catching procedure
                   (lambda ()
                     (call-with-values
                         (lambda () (split (apply-with-random-state procedure arguments stream (current-worker-index))))
                       (lambda (kept answer)
                         (keep-object! id kept)
                         answer)))))

(define (map-item procedure arguments stream item)
  "Return the value for one item, or a pair of the symbol error and a description that can travel."
  (call-catching
   (lambda () (apply-with-random-state procedure arguments stream item))
   (lambda (exception backtrace)
     (make-failed-item (exception->answer exception (string-append (procedure-place procedure) backtrace) item)))))

(define failed-item-tag (list 'failed))
(define (make-failed-item answer) (cons failed-item-tag answer))
(define (failed-item? value) (and (pair? value) (eq? (car value) failed-item-tag)))

(define (map-chunk procedure first lists stream stop?)
  "Return the values of the items up to the end or, if @var{stop?}, to the first that raised, and the failed items by number."
  (let loop ((item first) (lists lists) (values '()) (failures '()))
    (if (or (null? (car lists)) (and stop? (pair? failures)))
        (cons (reverse! values) (reverse! failures))
        (let ((value (map-item procedure (map car lists) stream item)))
          (if (failed-item? value)
              (loop (1+ item) (map cdr lists) (cons #f values) (acons item (cdr value) failures))
              (loop (1+ item) (map cdr lists) (cons value values) failures))))))

(define (seconds-since start)
  (/ (exact->inexact (- (get-internal-real-time) start)) internal-time-units-per-second))

(define (answer-map procedure first lists stream stop?)
  (let ((start (get-internal-real-time)))
    (call-catching
     (lambda ()
       (let ((result (map-chunk procedure first lists stream stop?)))
         (cons (encode-chunk (seconds-since start) (car result) (cdr result) first stop?) #f)))
     (lambda (exception backtrace)
       (cons (encode-exception (exception->answer exception backtrace #f)) #t)))))

(define (encode-chunk seconds values failures first stop?)
  ;; In the usual case all of it can travel at once. Otherwise the items at fault are found one by one, so that each gets its own error.
  (call-or-else
   (lambda () (encode-value (vector seconds values failures) 'task))
   (lambda (_)
     (let loop ((item first) (rest values) (kept '()) (failures failures))
       (cond ((null? rest)
              (encode-value (vector seconds (reverse! kept)
                                    (map (lambda (failure)
                                           (cons (car failure)
                                                 (if (travel-problem (cdr failure))
                                                     (answer-that-travels (cdr failure))
                                                     (cdr failure))))
                                         (sort failures (lambda (a b) (< (car a) (car b))))))
                            'task))
             (else
              (let ((problem (travel-problem (car rest))))
                (loop (1+ item) (cdr rest) (cons (if problem #f (car rest)) kept)
                      (if problem (acons item (exception->answer problem "" item) failures) failures)))))))))

(define (answer-request payload)
  "Run the request in @var{payload}. Return a pair: the payload of the answer, and whether that describes an exception."
  (match (call-catching (lambda () (decode-value payload)) exception->pair)
    (#('call procedure arguments stream)
     (answer-call procedure arguments stream 0))
    ;; The same request goes to every worker: its index tells their random numbers apart.
    (#('apply procedure arguments stream)
     (answer-call procedure arguments stream (current-worker-index)))
    (#('keep id procedure arguments stream)
     (answer-keep id procedure arguments stream (lambda (kept) (values kept *unspecified*))))
    (#('keep-answering id procedure arguments stream)
     (answer-keep id procedure arguments stream (lambda (pair) (values (car pair) (cdr pair)))))
    (#('fetch object)
     (answer-catching identity (lambda () object)))
    (#('map procedure first lists stream stop?)
     (answer-map procedure first lists stream stop?))
    (('undecodable . answer)
     (cons (encode-exception answer) #t))))

(define (exception->pair exception backtrace)
  (cons 'undecodable (exception->answer exception backtrace #f)))
