;; SPDX-License-Identifier: LGPL-3.0-or-later
;; JSON, by guile-json, which a system need not have: objects are association lists with strings, arrays are vectors.
(define-module (tutti command json)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:export (json-text->value value->json-text))

(define (json-procedure name)
  (let ((module (false-if-exception (resolve-interface '(json)))))
    (if module
        (module-ref module name)
        (refuse 'json "JSON needs the Guile module (json), which is not installed; install guile-json (Debian: apt install guile-json)"))))

(define strings (make-regexp "\"([^\"\\\\]|\\\\.)*\""))
(define enormous (make-regexp "[0-9.][eE][-+]?0*[1-9][0-9]{3}"))

(define (check-sizes text where)
  "Raise a @code{&tutti-error} if a number in @var{text} has so large an exponent that guile-json, which makes it exact, takes all memory."
  (let ((found (and (regexp-exec enormous text)
                    (regexp-exec enormous (regexp-substitute/global #f strings text 'pre "\"\"" 'post)))))
    (when found
      (refuse 'json "~a has a number that no double can be, with the exponent ~a…" where (substring (match:substring found) 1)))))

(define (json-text->value text where)
  "Return the value that @var{text} is in JSON; @var{where} says in errors where it is from."
  (check-sizes text where)
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
