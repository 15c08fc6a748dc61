;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Everything that can go wrong in Tutti is a condition of the tree in this module, and is raised at one place.  A
;; condition is a compound: its own component, and a &message with the full text, so that every printer can show it.
(define-module (tutti conditions)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base exception-text)
  #:use-module (tutti base text)
  #:use-module (tutti certificate)
  #:re-export (exception->text
               make-certificate certificate? certificate-reason certificate-status certificate-signal certificate-stderr
               certificate-task certificate-peak-memory certificate-worker certificate-pid certificate-input-size certificate-detail
               certificate-node certificate-core-dumped? certificate->string)
  #:export (&tutti-error make-tutti-error tutti-error?
            &worker-error make-worker-error worker-error? worker-error-key worker-error-arguments worker-error-message
            worker-error-backtrace worker-error-worker worker-error-task worker-error-item
            &in-item make-in-item in-item? &in-call make-in-call in-call? condition-item condition-procedure
            &worker-died make-worker-died worker-died? worker-died-certificate
            &node-lost node-lost? node-lost-node
            &task-timeout make-task-timeout task-timeout? task-timeout-task task-timeout-seconds
            &wait-timeout make-wait-timeout wait-timeout? wait-timeout-seconds
            &task-cancelled make-task-cancelled task-cancelled? task-cancelled-task
            &dependency-failed make-dependency-failed dependency-failed? dependency-failed-task dependency-failed-culprit
            dependency-failed-worker dependency-failed-attempt
            &pool-closed make-pool-closed pool-closed-error? pool-closed-pool
            &removed make-removed removed? removed-object
            &shape-error make-shape-error shape-error? shape-error-expected shape-error-actual
            &not-remotable make-not-remotable not-remotable? not-remotable-value not-remotable-where
            not-remotable-variable not-remotable-advice not-remotable-source
            &value-changed make-value-changed value-changed? value-changed-names
            &operator-error make-operator-error operator-error? operator-error-name
            &vector-busy make-vector-busy vector-busy? vector-busy-vector
            &application-error make-application-error application-error? application-error-domain application-error-code
            &command-failed make-command-failed command-failed? command-failed-program command-failed-status command-failed-folder
            command-failed-kind
            &interrupted make-interrupted interrupted? interruption? false-if-error
            source->string condition->string raise-tutti))

;;; The tree.

;; Exception types make their procedures without a docstring.
(define-syntax-rule (define-condition type supertype constructor (predicate what) (field accessor text) ...)
  (begin
    (define-exception-type type supertype constructor predicate (field accessor) ...)
    (set-object-property! type 'documentation (string-append "A condition that " what "."))
    (set-procedure-property! predicate 'documentation (string-append "Return true if the argument " what "."))
    (set-procedure-property! accessor 'documentation (string-append "Return " text "."))
    ...))

(define-condition &tutti-error &error %make-tutti-error (tutti-error? "is an error of Tutti, of any kind"))

(define-condition &worker-error &tutti-error %make-worker-error (worker-error? "tells of an exception in a task")
  (key worker-error-key "the key of the original exception, a symbol: @code{%exception} if it had none")
  (arguments worker-error-arguments "the list of what was thrown with the key")
  (message worker-error-message "the text of the original exception")
  (backtrace worker-error-backtrace "the worker's backtrace, a string, or @code{#f}")
  (worker worker-error-worker "the index in the pool of the worker, or @code{#f}")
  (task worker-error-task "the number of the task, or @code{#f}"))
(define-condition &in-item &tutti-error %make-in-item (in-item? "tells of what happened to an item of a map")
  (item in-item-item "the item's number, from 0")
  (procedure in-item-procedure "the name of the procedure that is mapped, a string, or @code{#f}"))
(define-condition &in-call &tutti-error %make-in-call (in-call? "tells of what happened to a task that calls a procedure")
  (procedure in-call-procedure "the name of the procedure, a string"))
(define-condition &worker-died &tutti-error %make-worker-died (worker-died? "tells of the death of a worker")
  (certificate worker-died-certificate "the death certificate"))
(define-condition &node-lost &worker-died %make-node-lost (node-lost? "tells of the loss of a node, and with it of a worker")
  (node node-lost-node "the name of the node"))
(define-condition &task-timeout &tutti-error %make-task-timeout (task-timeout? "tells of a task that took too long")
  (task task-timeout-task "the task")
  (seconds task-timeout-seconds "the seconds that it was allowed"))
(define-condition &wait-timeout &tutti-error %make-wait-timeout (wait-timeout? "tells of a wait without a result")
  (seconds wait-timeout-seconds "the seconds that it lasted"))
(define-condition &task-cancelled &tutti-error %make-task-cancelled (task-cancelled? "tells of a cancelled task")
  (task task-cancelled-task "the task"))
(define-condition &dependency-failed &tutti-error %make-dependency-failed
  (dependency-failed? "tells of a task that has no value because another, on which it depends, has none")
  (task dependency-failed-task "the number of the task that was waited for")
  (culprit dependency-failed-culprit "the number of the task that failed")
  (worker dependency-failed-worker "the index of the worker that had the failed task last, or @code{#f}")
  (attempt dependency-failed-attempt "which attempt of the failed task was the last, 0: it was never begun"))
(define-condition &pool-closed &tutti-error %make-pool-closed (pool-closed-error? "tells of a use of a closed pool")
  (pool pool-closed-pool "the pool"))
(define-condition &removed &tutti-error %make-removed (removed? "tells of a use of a removed remote object")
  (object removed-object "the remote object"))
(define-condition &shape-error &tutti-error %make-shape-error (shape-error? "tells of a wrong shape")
  (expected shape-error-expected "the shape that was needed")
  (actual shape-error-actual "the shape that was given"))
(define-condition &not-remotable &tutti-error %make-not-remotable (not-remotable? "tells of what cannot travel")
  (value not-remotable-value "the value or procedure that cannot travel")
  (where not-remotable-where "where it sits in what was to be sent, a string, or @code{#f}")
  (variable not-remotable-variable "the name of the free variable at fault, or @code{#f}")
  (advice not-remotable-advice "what to write instead, a string, or @code{#f}")
  (source not-remotable-source "the list of file, line from 1 and column from 0, or @code{#f}"))
(define-condition &vector-busy &tutti-error %make-vector-busy (vector-busy? "tells of a write to a borrowed vector")
  (vector vector-busy-vector "the vector"))

(define-condition &value-changed &tutti-error %make-value-changed
  (value-changed? "tells that a task has changed what is the same for all tasks")
  (names value-changed-names "the list of strings that name what was changed"))

(define-condition &operator-error &tutti-error %make-operator-error
  (operator-error? "tells of an error in an operator or simulation")
  (name operator-error-name "the name of the operator or simulation"))

;; What is wrong with a run of a program is the STATUS that it ended with, or what it has written.
(define-condition &command-failed &tutti-error %make-command-failed (command-failed? "tells of a program that has failed")
  (program command-failed-program "the file name of the program")
  (status command-failed-status "how the program ended: its exit status, an integer; @code{(signal @var{n})}; @code{timeout}; \
@code{flooded}, it wrote too much; or @code{not-started}")
  (folder command-failed-folder "the folder of the run if it was kept, else @code{#f}")
  (kind command-failed-kind "what kind of failure it is, a symbol: one that was declared for it, such as @code{diverged}; else \
@code{status}, @code{signal}, @code{timeout}, @code{flooded}, @code{not-started}, @code{not-finite} or @code{output}, which could not be \
read"))

;; Not an error: a handler that retries whatever goes wrong in Tutti must not swallow the user's Ctrl-C.
(define-condition &application-error &tutti-error %make-application-error
  (application-error? "tells of an error in a procedure of the application that runs the script")
  (domain application-error-domain "the domain of the application's error, a string")
  (code application-error-code "the code of the application's error in its domain, an integer"))
(define-condition &interrupted &exception %make-interrupted (interrupted? "tells that the user typed Ctrl-C"))

;;; Constructors: the component, and the text of the whole.

(define (with-message component text)
  (make-exception component (make-exception-with-message text)))

(define* (make-tutti-error message)
  "Return a @code{&tutti-error} of no particular kind with the text @var{message}."
  (with-message (%make-tutti-error) message))

(define (known-components original)
  ;; A component with key and arguments would take over the printing, and hide all but the original's own words.  A call
  ;; of exit in a task must not end the master.
  (define (misleading? component)
    (or (exception-with-kind-and-args? component) (quit-exception? component)))
  (if (exception? original)
      (remove misleading? (simple-exceptions original))
      '()))

(define exception-with-kind-and-args? (exception-predicate &exception-with-kind-and-args))

;; What Python raises has nothing else, and its traceback is long.
(define (all-told? arguments message)
  (and (pair? arguments) (list? arguments) (string? message)
       (every (lambda (argument) (and (string? argument) (string-contains message (string-trim-right argument)))) arguments)))

(define* (make-worker-error key arguments message backtrace worker task #:optional original host)
  "Return the @code{&worker-error} for an exception in a task: @var{key}, @var{arguments} and @var{message} are those
of the original, @var{backtrace} is a string or @code{#f}.  If @var{original}, the exception itself, is given, what is
returned is also of all its types.  @var{host} is the name of the worker's, if that is not this one."
  (apply make-exception
         (%make-worker-error key arguments message backtrace worker task)
         (make-exception-with-message
          ;; Without format: a thousand tasks may raise, and it would take longer than all the rest.
          (join-lines
           (string-append "error" (if task (string-append " in task " (shown task)) "")
                          (if worker (string-append " on worker " (shown worker)) "") (if host (string-append " on " host) "")
                          ": " (shown message))
           (string-append "  key: " (shown key))
           (and (not (all-told? arguments message)) (string-append "  arguments: " (object->text arguments)))
           (and backtrace
                (cons "  backtrace on the worker:" (indent (lines backtrace))))))
         (known-components original)))

(define (make-in-item condition item procedure)
  "Return @var{condition} as that of item number @var{item}, from 0, of a map of the procedure with the name @var{procedure}, a string or
@code{#f}: an @code{&in-item} that is of all its types, too."
  (apply make-exception
         (%make-in-item item procedure)
         (make-exception-with-message
          (string-append "item " (number->string item) " of a map" (if procedure (string-append " of `" procedure "'") "") ": "
                         (condition->string condition)))
         (remove (exception-predicate &message) (simple-exceptions condition))))

(define (make-in-call condition procedure)
  "Return @var{condition} as that of a task that calls the procedure with the name @var{procedure}, a string: an @code{&in-call} that
is of all its types, too."
  (apply make-exception
         (%make-in-call procedure)
         (make-exception-with-message
          (match (lines (condition->string condition))
            ((first . rest) (join-lines first (string-append "  in a call of `" procedure "'") rest))
            (() (string-append "in a call of `" procedure "'"))))
         (remove (exception-predicate &message) (simple-exceptions condition))))

(define (condition-item condition)
  "Return the number, from 0, of the item of a map that @var{condition} is of, or @code{#f}."
  (and (in-item? condition) (in-item-item condition)))

(define (condition-procedure condition)
  "Return the name of the procedure that a task called, or that was mapped, when @var{condition} came about: a string, or @code{#f} if it
has none or none was."
  (cond ((in-item? condition) (in-item-procedure condition))
        ((in-call? condition) (in-call-procedure condition))
        (else #f)))

(define worker-error-item condition-item)

(define* (make-worker-died certificate #:optional message)
  "Return the @code{&worker-died} that carries @var{certificate}: a @code{&node-lost} if the worker was lost with its node, another host
than this one."
  (with-message (if (and (eq? (certificate-reason certificate) 'watcher-lost) (certificate-elsewhere? certificate))
                    (%make-node-lost certificate (certificate-node certificate))
                    (%make-worker-died certificate))
                (if message
                    (join-lines message (certificate->string certificate))
                    (certificate->string certificate))))

(define* (make-task-timeout task seconds #:optional message)
  "Return the @code{&task-timeout} of @var{task}, which ran for more than @var{seconds}."
  (with-message (%make-task-timeout task seconds)
                (or message
                    (format #f "task ~a ran for more than ~a s and was ended; the parameter task-timeout allows more"
                            task seconds))))

(define* (make-wait-timeout seconds #:optional message)
  "Return the @code{&wait-timeout} of a wait that lasted @var{seconds}."
  (with-message (%make-wait-timeout seconds)
                (or message (format #f "nothing was done within ~a s; the tasks go on" seconds))))

(define* (make-task-cancelled task #:optional message)
  "Return the @code{&task-cancelled} of @var{task}."
  (with-message (%make-task-cancelled task) (or message (format #f "task ~a was cancelled" task))))

(define* (make-dependency-failed task culprit worker attempt original #:key maker?)
  "Return the @code{&dependency-failed} for @var{task}, which depends on @var{culprit}: that ended with the condition @var{original}, of
whose types the result also is, when it was tried for the time @var{attempt} on @var{worker}. With @var{maker?}, @var{culprit} was to make
what the worker must hold."
  (apply make-exception
         (%make-dependency-failed task culprit worker attempt)
         (make-exception-with-message
          (format #f "task ~a ~a, ~a:~%~a" task
                  (if maker?
                      (format #f "needs a remote object that task ~a was to make" culprit)
                      (format #f "depends on task ~a" culprit))
                  (if worker
                      (format #f "which failed on worker ~a, attempt ~a" worker attempt)
                      "which ended before a worker had it")
                  (condition->string original)))
         (remove (exception-predicate &message) (simple-exceptions original))))

(define* (make-pool-closed pool #:optional message)
  "Return the @code{&pool-closed} for a use of @var{pool} after its end."
  (with-message (%make-pool-closed pool)
                (or message (format #f "~a is closed; use it before its end, or make another" pool))))

(define (make-command-failed message program status folder kind)
  "Return the @code{&command-failed} with @var{message} for a run of @var{program} that ended with @var{status}; @var{folder} is that of the
run if it was kept, @var{kind} a symbol."
  (with-message (%make-command-failed program status folder kind) message))

(define (make-application-error message domain code)
  "Return the @code{&application-error} for the error with @var{message}, @var{domain} and @var{code} of an application's procedure."
  (with-message (%make-application-error domain code) message))

(define* (make-removed object #:optional message)
  "Return the @code{&removed} for a use of the remote object @var{object} after its removal."
  (with-message (%make-removed object)
                (or message (format #f "~a was removed from its workers; push it again" object))))

(define* (make-shape-error expected actual #:optional message)
  "Return the @code{&shape-error} for something of the shape @var{actual} where @var{expected} was needed."
  (with-message (%make-shape-error expected actual)
                (or message (format #f "wrong shape: expected ~a, got ~a" expected actual))))

(define* (make-vector-busy vector #:optional message)
  "Return the @code{&vector-busy} for a write to @var{vector} while a task reads it."
  (with-message (%make-vector-busy vector)
                (or message
                    "a shared vector cannot be changed while a running task reads it; wait for the task, or copy it")))

(define* (make-value-changed names #:optional message)
  "Return the @code{&value-changed} for what @var{names}, a list of strings, describe: a task has changed it, though others see it, too."
  (with-message (%make-value-changed names)
                (or message
                    (format #f "~{~a~^ and ~} ~a changed by a task, but is the same for all; tasks may only read it: copy it first, \
with list-copy for example"
                            names (if (null? (cdr names)) "was" "were")))))

(define (make-operator-error name original)
  "Return the @code{&operator-error} that says of the exception @var{original} that it came out of the operator @var{name}. It is
also of all types that @var{original} has."
  (apply make-exception
         (%make-operator-error name)
         (make-exception-with-message (format #f "in ~a: ~a" name (condition->string original)))
         ;; The text has what these say.
         (remove (lambda (component) (or (exception-with-message? component) (exception-with-origin? component)))
                 (known-components original))))

(define* (make-interrupted #:optional (message "interrupted"))
  "Return the @code{&interrupted} that ends a wait when the user types Ctrl-C."
  (with-message (%make-interrupted) message))

(define (interruption? object)
  "Return true if @var{object} was raised in order to end the present work: by @code{exit}, by Ctrl-C in a REPL or by a signal.  A
handler of all that a procedure may raise should let it pass."
  (and (exception? object)
       (or (quit-exception? object)
           (interrupted? object)
           ;; The exceptions of Guile's REPL at Ctrl-C, which look like any other error but for this.
           (and (eq? (exception-kind object) 'signal)
                (match (exception-args object)
                  ((_ "User interrupt" . _) #t)
                  (_ #f))))))

(define-syntax-rule (false-if-error body ...)
  "Return the value of @var{body}, or @code{#f} if it raises an error; not if it is interrupted, as @code{false-if-exception} does."
  (with-exception-handler
      (lambda (exception) (if (interruption? exception) (raise-exception exception) #f))
    (lambda () body ...)
    #:unwind? #t))

(define (source->string source)
  "Return the place @var{source}, a list of file, line from 1 and column from 0, as @samp{file:line:column}."
  (if source
      (format #f "~a:~a:~a" (or (first source) "<unknown file>") (second source) (third source))
      "<unknown place>"))

(define* (make-not-remotable message #:key value where variable advice source)
  "Return the @code{&not-remotable} for what a worker cannot be given.  @var{message} says what is wrong, @var{where}
where @var{value} is in what was to be sent, @var{variable} names the free variable at fault, @var{advice} says what
to write, and @var{source} is a list of file, line and column."
  (with-message (%make-not-remotable value where variable advice source)
                (join-lines
                 (format #f "~@[~a: ~]~a" (and source (source->string source)) message)
                 (and where (format #f "  at: ~a~a" where (if (string-any char-numeric? where) " (counted from 0)" "")))
                 (and advice (format #f "  ~a" advice)))))

;;; Raising and printing.

(define* (raise-tutti condition #:optional who)
  "Raise @var{condition}.  @var{who}, a symbol, names the procedure that was called."
  (raise-exception (if who
                       (make-exception condition (make-exception-with-origin who))
                       condition)))

(define (ours? object)
  (or (tutti-error? object) (interrupted? object)))

(define (condition->string condition)
  "Return the full text of @var{condition}, whatever its type; of a remote error with the remote backtrace, of the
death of a worker with its certificate."
  (cond ((and (ours? condition) (exception-with-message? condition))
         (let ((origin (and (exception-with-origin? condition) (not (worker-error? condition)) (exception-origin condition)))
               (message (shown (exception-message condition))))
           (if origin (string-append "In procedure " (shown origin) ": " message) message)))
        ((exception? condition)
         (exception->text condition))
        (else
         (object->text condition most-text))))

(define install-printer!
  ;; Guile prints compounds component by component, with strings as they are written in a program: a backtrace would
  ;; be one long line full of \n.  Its printer stays in charge of everything that is not ours.
  (let ((usual (and=> (module-variable (resolve-module '(ice-9 exceptions)) 'exception-printer) variable-ref)))
    (lambda ()
      (set-exception-printer! '%exception
        (lambda (port key args default)
          (cond ((and (pair? args) (ours? (car args))) (display (condition->string (car args)) port))
                (usual (usual port key args default))
                (else (default))))))))

(install-printer!)

;; One of ours, such as one among the values of a map, is printed by its type and its first line.
(define most-line 200)                  ; characters

(define (condition->line condition)
  (let* ((text (condition->string condition))
         (line (substring text 0 (or (string-index text #\newline) (string-length text)))))
    (if (> (string-length line) most-line)
        (string-append (substring line 0 most-line) "…")
        line)))

(define main-types
  (list &node-lost &worker-died &task-timeout &task-cancelled &dependency-failed &worker-error &not-remotable &shape-error))

(define (main-type condition)
  (record-type-name (or (find (lambda (type) ((exception-predicate type) condition)) main-types)
                        &tutti-error)))

(define install-writer!
  (let* ((compound (record-type-descriptor (make-exception (%make-tutti-error) (%make-tutti-error))))
         (usual (struct-ref compound vtable-index-printer)))
    (lambda ()
      (struct-set! compound vtable-index-printer
                   (lambda (condition port)
                     (if (and (exception? condition) (tutti-error? condition) (exception-with-message? condition))
                         (format port "#<~a ~a>" (main-type condition) (condition->line condition))
                         (usual condition port)))))))

(install-writer!)
