;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks of serial pools: in the process that submits them, by the rules of workers.
(define-module (tutti pool serial)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:use-module (tutti base session)
  #:use-module (tutti pool progress)
  #:use-module (tutti pool type)
  #:use-module (tutti pool wait)
  #:use-module (tutti remote object-type)
  #:use-module (tutti worker answer)
  #:use-module (tutti worker base-state)
  #:use-module (tutti worker description)
  #:use-module (tutti worker wire)
  #:export (serial-outcome))

;; As in guile-copy.c: a task's forked child ends with the task, also in a serial pool, and never runs the rest of the script.
(define (call-as-task thunk)
  (let ((outer #f))
    (dynamic-wind
      (lambda () (set! outer (%task-begin!)))
      (lambda ()
        (let ((value (catch 'quit thunk
                       (lambda (key . arguments)
                         (when (%copy?) (%end-copy! (%exit-status arguments)))
                         (apply throw key arguments)))))
          (when (%copy?) (%end-copy! 0))
          value))
      (lambda () (%task-end! outer)))))

;; When this module is loaded, nobody has set any yet: what is defined later has its default here.
(define defaults (current-dynamic-state))

(define (call-with-defaults thunk)
  "Call @var{thunk} and return its value. Parameters and fluids have their defaults meanwhile, as in a process of its own, but for
ports, the current module and the session."
  (let ((output (current-output-port))
        (error (current-error-port))
        (input (current-input-port))
        (warning (current-warning-port))
        (lines (worker-output-port))
        (progress (progress-port))
        (module (current-module))
        (session (current-session)))
    (define (call)
      (parameterize ((current-warning-port warning)
                     (worker-output-port lines)
                     (progress-port progress))
        (set-current-output-port output)
        (set-current-error-port error)
        (set-current-input-port input)
        (set-current-module module)
        (let ((value (thunk)))
          (lambda () value))))
    ;; Its handlers are those of the time when this was loaded. What ends the task goes on in the caller's state.
    ((with-dynamic-state defaults
       (lambda ()
         (with-exception-handler
             (lambda (exception) (lambda () (raise-exception exception)))
           (lambda () (call-with-session session call))
           #:unwind? #t))))))

(define (answer-or-explain payload)
  ;; As the worker's loop does, in C.
  (catch #t
    (lambda () (answer-request payload))
    (lambda (key . arguments)
      (if (eq? key 'quit)
          (apply throw key arguments)
          (cons (answer-uncaught key arguments) #t)))))

;; Of several threads that use serial pools, one has a task at a time: the state of the process and Guile's state of random numbers, with
;; which each task begins, are there once.
(define one-at-a-time (make-mutex))

(define (serial-answer pool payload)
  (define (answer)
    (parameterize ((current-worker-index 0) (current-pool pool) (current-manager #f))
      (call-with-held-objects serial-value keep-serial-value! (lambda () (answer-or-explain payload)))))
  (define (answer-apart) (call-with-defaults answer))
  ;; A worker notices all changes anyway. A nested task, also one in a thread that the outer task has started, belongs to the outer one.
  (if (current-worker-index)
      (call-as-task answer-apart)
      (with-mutex one-at-a-time
        (call-as-task (lambda () (call-noticing answer-apart))))))

(define (serial-outcome pool payload)
  "Run the request in @var{payload} in @var{pool}; return the pair of the symbol value and the value, or of error and the condition."
  (match (serial-answer pool payload)
    ((answer . #f) (cons 'value (decode-value answer)))
    ((? (negate pair?) value) (cons 'value value))
    ((answer . #t) (cons 'error (description->condition (decode-value answer) 0 #f)))))
