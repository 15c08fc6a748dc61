;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The text of any exception, within a limit.
(define-module (tutti base exception-text)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base text)
  #:export (exception->text most-text))

(define most-text 5000)                 ; characters

(define (type-names object)
  "Return a description of the type of @var{object}, made without printing it, or @code{#f}."
  (cond ((exception? object)
         (string-join (map (lambda (component) (symbol->string (record-type-name (record-type-descriptor component))))
                           (simple-exceptions object))
                      ", "))
        ((record? object) (format #f "a record of type ~a" (record-type-name (record-type-descriptor object))))
        (else #f)))

(define (exception->text exception)
  "Return what Guile writes of @var{exception}, which may be any object that was raised; with a limit."
  (define (print port)
    (print-exception port #f (exception-kind exception) (exception-args exception)))
  (cond ((not (exception? exception))
         (format #f "raised what is no exception~@[, ~a~]: ~a" (type-names exception) (object->text exception most-text)))
        ;; A guard costs as much as all the rest of an exception in a task.
        ((harmless? (exception-args exception))
         (string-trim-right (call-with-output-string print)))
        (else
         (let ((text (string-trim-right (call-with-bounded-text print most-text))))
           (if (any (lambda (words) (string-contains text words)) '("Error while printing exception" "(printing it "))
               (format #f "~a [~a]" text (type-names exception))
               text)))))
