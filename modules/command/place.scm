;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where programs run: in workers.  A process that is none asks one, and raises what was wrong there as its own condition.
(define-module (tutti command place)
  #:use-module ((ice-9 exceptions) #:select (exception-message))
  #:use-module (ice-9 match)
  #:use-module (tutti base check)
  #:use-module (tutti command primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool helper)
  #:export (apply-in-worker report))

(define (report procedure . arguments)
  "Return a list of what @var{procedure} returns for @var{arguments}; or a vector of the parts of its @code{&command-failed}; or the text of
another error of ours."
  (with-exception-handler
      (lambda (exception)
        (cond ((command-failed? exception)
               (vector (exception-message exception) (command-failed-program exception) (command-failed-status exception)
                       (command-failed-folder exception) (command-failed-kind exception)))
              ((tutti-error? exception) (exception-message exception))
              (else (raise-exception exception))))
    (lambda () (list (apply procedure arguments)))
    #:unwind? #t))

(define (apply-in-worker who procedure . arguments)
  "Call @var{procedure}, which workers find by its name, with @var{arguments}, for @var{who}, and return its value: in this process, if it
is a worker, else in a worker of the current pool, or in a helper."
  (if (%command-worker?)
      (apply procedure arguments)
      (match (apply pool-apply-only (pool-of-processes #f who "command" 'command) 0 report procedure arguments)
        ((value) value)
        ((? string? message) (refuse who "~a" message))
        (#(message program status folder kind)
         (raise-tutti (make-command-failed message program status folder kind) who)))))
