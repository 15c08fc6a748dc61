;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What to do about exceptions of Guile's own, whose texts do not say.
(define-module (tutti advice)
  #:use-module (ice-9 exceptions)
  #:autoload (tutti keywords) (keyword-advice)
  #:autoload (tutti unbound) (unbound-variable-advice)
  #:autoload (tutti unclosed) (unclosed-advice)
  #:export (exception-advice with-advice))

(define (exception-advice exception stack)
  "Return a line that says what else is to be known of @var{exception}, which was raised in @var{stack} (or @code{#f}), or @code{#f}."
  (let ((advice (and (exception? exception)
                     (case (exception-kind exception)
                       ((unbound-variable) (unbound-variable-advice exception))
                       ((keyword-argument-error) (and stack (keyword-advice stack)))
                       ((read-error) (unclosed-advice exception))
                       (else #f)))))
    (and advice (string-append "  " advice))))

(define (with-advice text advice)
  "Return @var{text} with the line @var{advice} below, if that is not @code{#f}."
  (if advice (string-append text "\n" advice) text))
