;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How a request runs, in a worker as in the serial pool. A request says what to call; an answer is a value, or the
;; description of an exception.
(define-module (tutti worker answer)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti random)
  #:use-module (tutti remote holder)
  #:use-module (tutti remote shared)
  #:use-module (tutti remote)
  #:use-module (tutti worker base-state)
  #:use-module (tutti worker description)
  #:use-module (tutti worker files)
  #:use-module (tutti worker left)
  #:use-module (tutti worker wire)
  #:export (current-worker-index chunk-patience chunk-checks answer-request refuse-answer answer-uncaught release-after-answer!))

(define current-worker-index
  (let ((index (make-parameter #f)))
    index))
(set-object-property! current-worker-index 'documentation
                         "Return the index of the worker that runs the current task, @code{#f} outside of tasks.")

;;; Exceptions.

;; In a child that the task has forked: its error is not that of the task, which the parent answers.
(define (end-raised-copy! exception)
  (call-or-else
   (lambda ()
     (display (string-append "tutti: process " (number->string (getpid)) ", which a task has forked, ended with an error: "
                             (exception->text exception) "\n")
              (current-error-port)))
   (const #f))
  (%end-copy! 1))

(define (call-catching thunk handle)
  "Call @var{thunk} and return its value; if it raises, return what @var{handle} returns for the exception and the stack. What ends the
process goes its way."
  (let ((tag (make-prompt-tag "task")))
    (call-with-prompt tag
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              (when (and (%copy?) (not (ends-process? exception)))
                (end-raised-copy! exception))
              (if (ends-process? exception)
                  (raise-exception exception)
                  ;; The innermost frames are those of this handler and of raising.
                  (abort-to-prompt tag exception (make-stack #t 3))))
          thunk))
      ;; All handlers are gone: it may go on with the next item, and so on.
      (lambda (_ exception stack)
        (handle exception stack)))))

(define (answer-uncaught key arguments)
  "Return the payload of the answer of a task that was left by throwing @var{key} with @var{arguments}, past all handlers: Guile does so
when its own recursion, on what is nested deeply, has used up the stack."
  (check-uses!)
  (encode-description
   (describe-exception (with-exception-handler identity
                         (lambda () (apply throw key arguments))
                         #:unwind? #t))))

(define one-value
  (case-lambda
    ((value) value)
    (() *unspecified*)
    (values (error (format #f "a task returns one value, this one returned ~a; put them into a list" (length values))
                   values))))

;;; Requests.

(define (call-keeping-random-state thunk)
  (let ((before *random-state*))
    (dynamic-wind
      (const #t)
      thunk
      (lambda () (set! *random-state* before)))))

(define (apply-with-random-state procedure arguments stream item)
  (call-keeping-random-state
   (lambda ()
     (set! *random-state* (task-random-state stream item))
     (call-with-values (lambda () (apply procedure arguments)) one-value))))

(define (answer-value value)
  "Return the answer with @var{value}: a pair, as all answers are, but for plain values, which are their own answers."
  (if (or (boolean? value) (number? value) (unspecified? value))
      value
      (cons (encode-value value 'task) #f)))

;;; Maps.

;; A chunk was made as large as seemed good when it was handed out. If its items turn out to take longer, what was not begun after this
;; time goes back, so that other workers can have it. If one item turns out to take longer, the master takes back what comes after it; see
;; (tutti pool map).
(define chunk-patience (make-parameter 20000))
(set-object-property! chunk-patience 'documentation
                      "The microseconds after which a worker begins no further item of a chunk: a parameter, for tests.")

;; After a chunk the worker checks whether one of its items has changed what the others see. The chunk takes so many times as long as that.
(define chunk-checks 10)

(define (truncate-after! pair)
  (set-cdr! pair '()))

(define (map-chunk procedure renew first lists stream stop? patience)
  "Replace the items in the first of @var{lists} by their values, up to the last or, if @var{stop?}, to the first that raised; or until
they have taken longer than @var{patience}, microseconds, or the master has taken items back, then the rest is cut off. Return the failed
items by number. @var{renew}, if not @code{#f}, returns the procedure for the next item."
  (define deadline (+ (%coarse-time) patience))
  (define state (task-random-state stream first))
  ;; The item that runs. One handler of exceptions serves all items: setting one up takes longer than many an item.
  (define item first)
  (define here (car lists))
  (define others (cdr lists))
  (define (next-item!)
    "Go on to the next item and return true, unless there is none or it should not be begun."
    (cond ((null? (cdr here)) #f)
          ((%begin-item! state (1+ item) deadline)
           (set! item (1+ item))
           (set! here (cdr here))
           (unless (null? others) (set! others (map cdr others)))
           (when renew (set! procedure (renew)))
           #t)
          (else (truncate-after! here) #f)))
  (define (run!)
    (let ((here here))
      (set! *random-state* state)
      (call-with-values
          (lambda () (if (null? others) (procedure (car here)) (apply procedure (car here) (map car others))))
        (lambda values
          (set-car! here (if (and (pair? values) (null? (cdr values))) (car values) (apply one-value values))))))
    (if (next-item!) (run!) '()))
  (define (failed! exception stack)
    (let ((failure (describe-exception exception procedure stack item))
          (item item))
      (set-car! here #f)
      (when stop? (truncate-after! here))
      (acons item failure (if (next-item!) (run-catching!) '()))))
  (define (run-catching!)
    (call-catching run! failed!))
  (%begin-items! state (length here))
  (call-keeping-random-state run-catching!))

(define (seconds-since start)
  (/ (exact->inexact (- (get-internal-real-time) start)) internal-time-units-per-second))

(define (patience-now)
  ;; The check for changes after a chunk should not take longer than the chunk itself.
  (max (chunk-patience) (inexact->exact (ceiling (* 1e6 chunk-checks (uses-check-seconds))))))

(define (answer-map procedure first lists stream stop?)
  (let* ((start (get-internal-real-time))
         (failures (map-chunk procedure (renewal procedure) first lists stream stop? (patience-now)))
         (seconds (seconds-since start))
         (changes (check-uses! #:always? #t)))
    ;; The items after one that has changed what they see are wrong: this is no answer, unless that one was alone, and has failed anyway.
    (unless (or (null? changes) (and (null? (cdar lists)) (pair? failures)))
      (raise-changes changes))
    (cons (encode-chunk seconds (car lists) failures first (uses-check-seconds)) #f)))

(define (encode-chunk seconds values failures first check-seconds)
  ;; In the usual case all of it can travel at once. Otherwise the items at fault are found one by one, so that each gets its own error.
  (call-or-else
   (lambda () (encode-value (vector seconds values failures check-seconds) 'task))
   (lambda (_)
     (let loop ((item first) (rest values) (kept '()) (failures failures))
       (cond ((null? rest)
              (encode-value (vector seconds (reverse! kept)
                                    (map (lambda (failure)
                                           (cons (car failure) (description-that-travels (cdr failure))))
                                         (sort failures (lambda (a b) (< (car a) (car b)))))
                                    check-seconds)
                            'task))
             (else
              (let ((problem (travel-problem (car rest))))
                (loop (1+ item) (cdr rest) (cons (if problem #f (car rest)) kept)
                      (if problem (acons item (describe-exception problem #f #f item) failures) failures)))))))))

;; Vectors that were made only for the present answer.
(define to-release (make-thread-local-fluid '()))

(define (release-after-answer! v)
  "Let the shared vector @var{v}, which the running task has made for its answer, have no numbers any more when that is encoded: the
memory is free as soon as the receiver has done with it, and not when a collector here finds that nobody uses it."
  (fluid-set! to-release (cons v (fluid-ref to-release))))

(define (call-releasing thunk)
  "Call @var{thunk}, which does not raise, and return its value; then release what was registered meanwhile."
  (let ((outer (fluid-ref to-release)))
    (fluid-set! to-release '())
    (let ((value (thunk)))
      (for-each %vector-release! (fluid-ref to-release))
      (fluid-set! to-release outer)
      value)))

(define (answer-request payload)
  "Run the request in @var{payload}. Return the answer: a pair of its payload and whether that describes an exception; or the value, if
that is a number, a boolean or unspecified."
  ;; Errors name this procedure. Those of a map name the item.
  (define blamed #f)
  (define (run procedure arguments stream item)
    (set! blamed procedure)
    (let* ((value (apply-with-random-state procedure arguments stream item))
           (changes (check-uses!)))
      (unless (null? changes)
        (raise-changes changes))
      value))
  (define (answer)
    (answer-decoded (decode-value payload)))
  (define (answer-decoded request)
    (match request
      (#('with settings inner)
       (call-with-settings settings (lambda () (answer-decoded inner))))
      ;; The same request goes to every worker: the index of each distinguishes their random numbers.
      (#('apply procedure arguments stream)
       (settle-left! procedure)
       (answer-value (run procedure arguments stream (current-worker-index))))
      (#('call procedure arguments stream)
       (settle-left! procedure)
       (answer-value (run procedure arguments stream 0)))
      (#('map procedure first lists stream stop?)
       (settle-left! procedure)
       (answer-map procedure first lists stream stop?))
      (#('keep id procedure arguments stream)
       (settle-left! procedure)
       (keep-object! id (run procedure arguments stream (current-worker-index)))
       *unspecified*)
      (#('keep-answering id procedure arguments stream)
       (settle-left! procedure)
       (match (run procedure arguments stream (current-worker-index))
         ((kept . answer)
          (keep-object! id kept)
          (answer-value answer))))
      (#('setup id procedure arguments stream)
       (settle-left! procedure)
       ;; Its value does not matter.
       (call-keeping (lambda () (run procedure arguments stream (current-worker-index))))
       (keep-object! id #t)
       *unspecified*)
      (#('files id items)
       (call-keeping (lambda () (take-files! items)))
       (keep-object! id #t)
       *unspecified*)
      (#('fetch object)
       (answer-value object))))
  (call-noting-uses
   (lambda ()
     (call-releasing
      (lambda ()
        (call-catching
         answer
         (lambda (exception stack)
           ;; The next task finds the base state, whatever this one has changed.
           (check-uses!)
           (cons (encode-description (describe-exception exception blamed stack)) #t))))))))

(define (refuse-answer reason)
  "Return the payload of an answer that says that the value of a task could not be sent, for @var{reason}."
  (encode-description (describe-exception (make-tutti-error (format #f "its value could not be sent: ~a" reason)))))
