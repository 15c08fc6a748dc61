;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What goes wrong with a model behind HTTP, as a condition.
(define-module (tutti umbridge error)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (tutti conditions)
  #:export (&umbridge-error umbridge-error? umbridge-error-type umbridge-error-message umbridge-error-url
            raise-failure refuse-answer))

(define-exception-type &umbridge-error &tutti-error
  make-umbridge-error umbridge-error?
  (type umbridge-error-type)
  (text umbridge-error-message)
  (url umbridge-error-url))

(set-object-property! &umbridge-error 'documentation "A condition that tells of an error of a model behind HTTP, or of its server.")
(for-each (lambda (procedure text) (set-procedure-property! procedure 'documentation text))
          (list umbridge-error? umbridge-error-type umbridge-error-message umbridge-error-url)
          '("Return true if the argument tells of an error of a model behind HTTP, or of its server, here or in a task."
            "Return the type of the error: a string, as the server says it, like @code{\"InvalidInput\"}; or a symbol, where it is not
the model's: @code{unreachable} (there is no connection, or it was lost), @code{late} (no answer in time), @code{busy} (the server says
that it has no time), @code{failed} (it says no more than that it failed) or @code{answer} (what it sent is no answer)."
            "Return what the error says, a string: the server's own words if its type is a string."
            "Return the URL of the server that was asked last, a string."))

(define (advice kind)
  (case kind
    ((unreachable) "; is the server running?")
    ((late) "; give it more time with #:timeout, or ask for it again with #:retries")
    ((busy) "; ask for it again more often with #:retries")
    (else "")))

(define (raise-umbridge-error who type message url text)
  (raise-tutti (make-exception (make-umbridge-error type message url) (make-exception-with-message text)) who))

(define (raise-failure who model failure)
  "Raise, in the name of @var{who}, what the vector @var{failure} of a primitive tells of a request for @var{model}, a string or
@code{#f}."
  (match failure
    (#(kind type message url)
     (raise-umbridge-error who (or type kind) message url
                           (format #f "~@[model ~s at ~]~a~@[: ~a~]: ~a~a" model url type message (advice kind))))))

(define (refuse-answer who url format-string . arguments)
  "Raise, in the name of @var{who}, that the server of @var{url} has answered something wrong, as @code{format} makes a text of it."
  (let ((message (apply format #f format-string arguments)))
    (raise-umbridge-error who 'answer message url (string-append url ": " message))))
