;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a script for an application, which has its own program and goes on.  The script runs as by `tutti run' (see there), in a session
;; and a module of its own; what differs is where its output goes (to the application), how it ends (it never ends the process), that it
;; can be interrupted, and that the application gives it procedures.
(define-module (tutti program application)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (mutex?))
  #:use-module (srfi srfi-1)
  #:use-module ((system vm program) #:select (program-free-variable-ref program-num-free-variables))
  #:use-module (tutti)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:use-module (tutti base session)
  #:use-module (tutti conditions)
  #:use-module (tutti program report)
  #:use-module (tutti program run)
  #:use-module (tutti remote parameter)
  #:use-module (tutti worker wire)
  #:export (run-for-application))

;;; Waiting for the application.

(define (wait-for-application run done?)
  "Wait until @var{done?}, which may change with whatever the application does for @var{run}, returns true."
  (unless (done?)
    (let ((wakeup #f))
      (dynamic-wind
        (lambda ()
          (set! wakeup (%make-wakeup))
          (%script-add-wakeup! run wakeup))
        (lambda ()
          (let loop ()
            (unless (done?)
              (%wakeup-wait wakeup #f)
              (loop))))
        (lambda ()
          (%script-remove-wakeup! run wakeup)
          (%close-wakeup wakeup))))))

;;; Output.

(define (make-output-port run error?)
  "Return a port from which the application gets lines."
  (define (write! bytes start count)
    (%script-write! run bytes start count error?)
    ;; An application that is slow, or does something else, is waited for.
    (wait-for-application run (lambda () (%script-room? run)))
    count)
  (let ((port (make-custom-binary-output-port (if error? "script errors" "script output") write! #f #f #f)))
    (set-port-encoding! port "UTF-8")
    (set-port-conversion-strategy! port 'substitute)
    (setvbuf port 'line)
    port))

;;; Procedures of the application.

(define (argument-name . indices)
  (match indices
    ((i) (format #f "argument ~a" i))
    (_ #f)))

(define (application-procedure run name index)
  "Return the procedure that calls the procedure number @var{index} of the application, which is called @var{name}."
  (define who (string->symbol name))
  (define (call arguments)
    (let ((call (%script-call! run index (map (lambda (argument i)
                                                (encode-value argument who #f (lambda indices
                                                                                (and (null? indices) (argument-name i)))))
                                              arguments (iota (length arguments))))))
      (dynamic-wind
        (const #t)
        (lambda ()
          (wait-for-application run (lambda () (%script-call-done? run call)))
          (match (%script-call-result call)
            ((message domain code) (raise-tutti (make-application-error message domain code) who))
            (payload (decode-value payload))))
        ;; It was interrupted: what the application returns is of no use any more.
        (lambda () (%script-call-forget! run call)))))
  (let ((procedure (lambda arguments (call arguments))))
    (set-procedure-property! procedure 'name who)
    procedure))

;;; The module of the script.

(define root (resolve-module '() #f))

(define (make-script-module run names)
  "Return a module as scripts have it, with the application's procedures, @var{names}."
  (let ((module (make-fresh-user-module)))
    (set-module-declarative?! module #f)
    (module-autoload! module '(system base compile) '(compile compile-file))
    (for-each (lambda (name index)
                (module-define! module (string->symbol name) (application-procedure run name index)))
              names (iota (length names)))
    module))

(define (forget-module! module)
  ;; Guile gives a module its name, and keeps it by that for ever.
  (hashq-remove! (module-submodules root) (last (module-name module))))

;; The load path is the process's: the folder of a script is there as long as it runs.
(define load-path-lock (make-shared-mutex))

(define (call-with-folders folders thunk)
  (dynamic-wind
    (lambda ()
      (with-mutex load-path-lock
        (set! %load-path (load-path-with %load-path folders))))
    thunk
    (lambda ()
      (with-mutex load-path-lock
        ;; Each time one: two scripts of a folder may run.
        (set! %load-path (fold (lambda (folder path)
                                 (match (member folder path)
                                   (#f path)
                                   (found (append (take path (- (length path) (length found))) (cdr found)))))
                               %load-path folders))))))

;;; The run.

;; An interrupt that leaves a module half loaded would leave it so for all scripts that come.
(define modules-being-loaded (module-variable the-root-module 'autoloads-in-progress))

;; Nor may it leave locked what all share: Guile has a mutex for modules, which only its procedure knows.
(let ((locked (variable-ref (module-variable the-root-module 'call-with-module-autoload-lock))))
  (for-each (lambda (i)
              (let ((value (program-free-variable-ref locked i)))
                (when (mutex? value)
                  (note-shared-mutex! value))))
            (iota (program-num-free-variables locked))))

(define most-postponements 100)         ; some seconds

(define (make-interrupter run tag)
  "Return what the thread of @var{run} calls when the application wants to interrupt it: it is called again and again until it does so."
  (let ((postponed 0))
    (lambda ()
      (let ((now? (or (and (or (not modules-being-loaded) (null? (variable-ref modules-being-loaded)))
                           (not (holds-shared-mutex?)))
                      (>= postponed most-postponements))))
        (set! postponed (1+ postponed))
        (when (%script-interrupt! run now?)
          ;; There is no such prompt if the script has just ended.
          (with-exception-handler (const #f)
            (lambda () (abort-to-prompt tag '(interrupted)))
            #:unwind? #t))))))

(define (exit-outcome arguments)
  (match (%exit-status arguments)
    (0 '(value))
    (status `(exited ,status))))

(define (outcome-of run tag thunk)
  "Call @var{thunk}, which returns the list of the values of a script, and return what becomes of that: a list of a symbol and what belongs
to it."
  (call-with-prompt tag
    (lambda ()
      (%script-begin! run (make-interrupter run tag))
      (let ((outcome (catch 'quit
                       (lambda ()
                         (parameterize ((script-failure (lambda (kind text) (abort-to-prompt tag (list kind text)))))
                           (cons 'value (thunk))))
                       (lambda (key . arguments) (exit-outcome arguments)))))
        (%script-leave! run)
        outcome))
    (lambda (_ outcome)
      (%script-leave! run)
      outcome)))

(define (text-or-fallback exception)
  (or (false-if-error (condition->string exception)) "an error that cannot be printed"))

(define (close-session!)
  "Do what is to be done at the end of a session.  Return an outcome if that fails, else @code{#f}."
  (with-exception-handler
      (lambda (exception) (list 'raised (text-or-fallback exception)))
    (lambda ()
      (call-ends)
      (and=> (fold (lambda (kind problem) (or problem (close-things! kind))) #f '(manager operator pool))
             (lambda (exception) (list 'raised (text-or-fallback exception)))))
    #:unwind? #t))

(define (encoded-value values)
  "Return the payload of the first of @var{values}; @code{#f} if it cannot travel, or there is none."
  (and (pair? values)
       (with-exception-handler (const #f)
         (lambda () (encode-value (car values) 'script))
         #:unwind? #t)))

(define (finish outcome session)
  (let ((problem (close-session!)))
    (forget-parameters! session)
    (match (if (and problem (eq? (car outcome) 'value)) problem outcome)
      (('value . values) (list 'value (encoded-value values)))
      (other other))))

(define (run-for-application run number file text arguments names)
  "Run the script @var{file}, or @var{text} if that is @code{#f}, for the application that has made @var{run}, as session @var{number}, with
the command line @var{arguments}.  @var{names} are those of the application's procedures.  Return a list: @code{value} and
the payload of the last value, or @code{#f}; @code{unreadable}, @code{syntax} or @code{raised} and the text of a report; @code{exited} and
the status; or @code{interrupted}."
  (let* ((output (make-output-port run #f))
         (errors (make-output-port run #t))
         (session (make-session number run errors
                                (lambda (progress done total text) (%script-tell! run (object-address progress) done total text))))
         (module (make-script-module run names))
         (tag (make-prompt-tag "script")))
    (define (run-it)
      (set-program-arguments (cons (or file "expression") arguments))
      (if file
          (call-with-folders (folder-of file) (lambda () (script-values file module)))
          (expression-values text module "expression")))
    (call-with-session session
      (lambda ()
        (parameterize ((current-warning-port errors)
                       (progress-port errors)
                       (worker-output-port errors)
                       (death-port errors)
                       (random-seed 0))
          (with-output-to-port output
            (lambda ()
              (with-error-to-port errors
                (lambda ()
                  (with-input-from-string ""
                    (lambda ()
                      (save-module-excursion
                       (lambda ()
                         (let ((outcome (finish (outcome-of run tag run-it) session)))
                           (for-each (lambda (port) (false-if-error (force-output port))) (list output errors))
                           (%script-end-lines! run)
                           (forget-module! module)
                           outcome))))))))))))))
