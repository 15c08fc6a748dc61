;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What to do about Guile's own exceptions, whose messages do not say it.
(define-module (tutti advice exception)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module ((srfi srfi-1) #:select (any))
  #:autoload (tutti advice keywords) (keyword-advice)
  #:autoload (tutti advice missing-module) (missing-module-advice)
  #:autoload (tutti advice unbound) (unbound-variable-advice)
  #:autoload (tutti advice unclosed) (unclosed-advice)
  #:autoload (tutti advice unwritten) (unwritten-advice)
  #:export (exception-advice with-advice))

;; For instance a keyword of pool-map, whose exception tells which ones there are.
(define (timeout-advice exception)
  (define (asks? x) (and (list? x) (memq #:timeout x)))
  (match (exception-args exception)
    (((or (? symbol?) (? string?)) _ (? list? irritants) . _)
     (and (string-prefix? "pool-" (format #f "~a" (car (exception-args exception))))
          (any asks? (cons irritants irritants))
          "task-timeout is a parameter: (parameterize ((task-timeout 5)) …)"))
    (_ #f)))

;; The handler runs where the error is raised; Guile says no more than the name of a type.
(define handler-advice
  "write #:unwind? #t behind its procedures, (with-exception-handler HANDLER THUNK #:unwind? #t), to go on with what the handler returns; \
or let it raise the exception again")

(define (exception-advice exception stack)
  "Return a line that says what else is to be known of @var{exception}, which was raised in @var{stack} (or @code{#f}), or @code{#f}."
  (let ((advice (and (exception? exception)
                     (case (exception-kind exception)
                       ((unbound-variable) (unbound-variable-advice exception))
                       ((keyword-argument-error) (and stack (keyword-advice stack)))
                       ((read-error) (unclosed-advice exception))
                       ((system-error) (and stack (unwritten-advice exception stack)))
                       ((misc-error) (or (timeout-advice exception) (missing-module-advice exception)))
                       ((wrong-type-arg) (timeout-advice exception))
                       (else (and (non-continuable-error? exception) handler-advice))))))
    (and advice (string-append "  " advice))))

(define (with-advice text advice)
  "Return @var{text} with the line @var{advice} below, if that is not @code{#f}."
  (if advice (string-append text "\n" advice) text))
