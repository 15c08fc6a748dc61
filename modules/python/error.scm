;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What Python raises, and what cannot go between the two languages, as conditions.
(define-module (tutti python error)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (tutti base text)
  #:use-module (tutti conditions)
  #:export (&python-error python-error? python-error-type python-error-text python-error-frames
            raise-python-exception raise-argument raise-result))

(define-exception-type &python-error &tutti-error
  make-python-error python-error?
  (type python-error-type)
  (text python-error-text)
  (frames python-error-frames))

(set-object-property! &python-error 'documentation "A condition that tells of an exception that Python has raised.")
(for-each (lambda (procedure text) (set-procedure-property! procedure 'documentation text))
          (list python-error? python-error-type python-error-text python-error-frames)
          '("Return true if the argument tells of an exception that Python has raised, here or, as a @code{&worker-error}, in a task."
            "Return the name of the type of the Python exception, a string: @code{\"ValueError\"}."
            "Return what the Python exception says, a string."
            "Return where the Python exception was raised: a list of lists of file, line (from 1) and function, the innermost last."))

;; The key by which a &worker-error names it. Its text is that of the message.
(set-exception-printer! 'python-error
  (lambda (port key arguments default)
    (match arguments
      ((who type text lines) (display (exception-text who type text lines) port))
      (_ (default)))))

;; Guile has no name for it.
(define make-exception-with-kind-and-args (record-constructor &exception-with-kind-and-args))

(define (exception-text who type text lines)
  (string-append "In procedure python: " who " raised " type (if (string-null? text) "" ": ") text
                 (if (string-null? lines) "" "\n") (string-trim-right lines)))

(define (raise-python-exception who description)
  "Raise what Python has raised when @var{who}, a string, was called: @var{description} is what describe of tutti_support.py returns, or
@code{#f} if even that failed; or, if that was an exit, leave as @code{exit} does."
  (match description
    (#(_ _ _ _ (? exact-integer? status))
     (exit status))
    (#(type text lines frames _)
     (raise-exception
      (make-exception (make-python-error type text (map vector->list frames))
                      (make-exception-with-message (exception-text who type text lines))
                      (make-exception-with-kind-and-args 'python-error (list who type text lines)))))
    (_ (raise-tutti (make-tutti-error (string-append who " raised an exception that cannot be described")) 'python))))

(define (refuse who where what why)
  (raise-tutti (make-tutti-error (format #f "~a~a~a~@[; ~a~]" who (if (string-null? where) "" (string-append ", " where)) what why))
               'python))

(define most-shown 80)                  ; characters

(define (raise-argument who where value why)
  "Raise that the @var{value} that is at @var{where} in what @var{who} is given has no counterpart in Python, for the reason
@var{why}, or @code{#f}."
  (refuse who where (format #f ": ~a has no counterpart in Python~a" (object->text value most-shown)
                            (if why "" "; expected numbers, text, booleans, lists, vectors, hash tables, vectors and arrays of \
numbers, bytevectors, or Python objects"))
          why))

(define (raise-result who where type why)
  "Raise that what @var{who} has returned, at @var{where} in it, is of the Python @var{type}, which has no counterpart here, for the
reason @var{why}, or @code{#f}."
  (refuse (string-append who " returned") where
          (format #f "~a an object of the type ~a, which has no counterpart in Scheme" (if (string-null? where) "" ":") type)
          (or why "return numbers, text, lists, tuples, dicts, bytes or numpy arrays of numbers; what is to stay in Python is made by \
python-object")))
