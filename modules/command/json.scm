;; SPDX-License-Identifier: LGPL-3.0-or-later
;; JSON, by guile-json, which a system need not have: objects are association lists with strings, arrays are vectors.
(define-module (tutti command json)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:export (json-text->value value->json-text))

(define (json-procedure name)
  (let ((module (false-if-exception (resolve-interface '(json)))))
    (if module
        (module-ref module name)
        (refuse 'json "JSON needs the Guile module (json), which is not installed; install guile-json (Debian: apt install guile-json)"))))

(define (json-text->value text where)
  "Return the value that @var{text} is in JSON; @var{where} says in errors where it is from."
  (catch 'json-invalid
    (lambda () ((json-procedure 'json-string->scm) text))
    (lambda _
      (refuse 'json "~a is not JSON: ~s" where
              (if (> (string-length text) 200) (string-append (substring text 0 200) "…") text)))))

(define (->json value)
  (cond ((or (string? value) (boolean? value)) value)
        ((symbol? value) (symbol->string value))
        ((and (real? value) (finite-number? value)) (if (and (exact? value) (not (integer? value))) (exact->inexact value) value))
        ((f64vector? value) (list->vector (map ->json (f64vector->list value))))
        ((vector? value) (list->vector (map ->json (vector->list value))))
        ((and (pair? value) (list? value)
              (and-map (lambda (entry) (and (pair? entry) (or (string? (car entry)) (symbol? (car entry))))) value))
         (map (match-lambda ((key . inner) (cons (->json key) (->json inner)))) value))
        ((list? value) (list->vector (map ->json value)))
        (else (refuse 'json "~s cannot be written in JSON; expected finite numbers, strings, booleans, vectors of numbers, lists, and \
association lists with names" value))))

(define (value->json-text value)
  "Return the text of @var{value} in JSON, on one line: numbers with full precision, f64vectors and lists as arrays, association lists as
objects."
  ((json-procedure 'scm->json-string) (->json value)))
