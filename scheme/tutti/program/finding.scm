;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the doctor has found: a list of ok, warn or fail, and a text that says what was found and, unless it is ok, what to do.
(define-module (tutti program finding)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti conditions)
  #:use-module (tutti program end)
  #:export (ok fail call-check show!)
  #:replace (warn))

(define (ok text . arguments)
  "Return the finding that all is well, with the text that @code{format} makes of @var{text} and @var{arguments}."
  (list 'ok (apply format #f text arguments)))

(define (warn text . arguments)
  "Return a finding that need not be a fault."
  (list 'warn (apply format #f text arguments)))

(define (fail text . arguments)
  "Return the finding of a fault."
  (list 'fail (apply format #f text arguments)))

(define (call-check check)
  "Return what @var{check} finds; a fault if it raises."
  (with-exception-handler
      (lambda (error)
        (if (interruption? error)
            (raise-exception error)
            (fail "~a" (condition->string error))))
    check
    #:unwind? #t))

(define (show! what finding)
  "Print a line with @var{finding} about @var{what}, and return its first item; end the program if it cannot be printed."
  ;; Further lines of a text stand below its first.
  (let ((indented (string-join (string-split (second finding) #\newline) (string-append "\n" (make-string 24 #\space)))))
    (format #t "~4a  ~16a  ~a~%" (first finding) what indented)
    (unless (flush-output) (exit 1))
    (first finding)))
