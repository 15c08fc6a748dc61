;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Configurations of models as JSON.
(define-module (tutti umbridge config)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:export (config->json))

(define (string->json text)
  (call-with-output-string
    (lambda (port)
      (write-char #\" port)
      (string-for-each
       (lambda (c)
         (cond ((memv c '(#\" #\\)) (write-char #\\ port) (write-char c port))
               ((char<? c #\space) (format port "\\u~4,'0x" (char->integer c)))
               (else (write-char c port))))
       text)
      (write-char #\" port))))

(define (key->string key)
  (cond ((string? key) key)
        ((symbol? key) (symbol->string key))
        (else #f)))

(define (object? value)
  "Return true if @var{value} is an association list whose keys are names."
  (and (pair? value) (list? value) (every (lambda (item) (and (pair? item) (key->string (car item)))) value)))

;; PLACE says where the value is, for messages: ".solver[2]".
(define (refuse-value place value)
  (refuse 'umbridge-operator "#:config~a: ~s cannot be said in JSON; expected numbers that are finite, strings, symbols, booleans, lists \
or vectors of such, or association lists with names as keys" place value))

(define (number->json value place)
  (cond ((exact-integer? value) (number->string value))
        ((and (real? value) (finite-number? value)) (number->string (exact->inexact value)))
        (else (refuse-value place value))))

(define (array->json items place)
  (string-append "["
                 (string-join (map (lambda (item i) (value->json item (format #f "~a[~a]" place i))) items (iota (length items))) ",")
                 "]"))

(define (object->json members place)
  (define names (map (lambda (member) (key->string (car member))) members))
  (let ((twice (find (lambda (name) (> (count (lambda (other) (string=? name other)) names) 1)) names)))
    (when twice
      (refuse 'umbridge-operator "#:config~a: ~s is there more than once" place twice)))
  (string-append "{"
                 (string-join (map (lambda (name member)
                                     (string-append (string->json name) ":"
                                                    (value->json (cdr member) (string-append place "." name))))
                                   names members)
                              ",")
                 "}"))

(define (value->json value place)
  (cond ((number? value) (number->json value place))
        ((string? value) (string->json value))
        ((boolean? value) (if value "true" "false"))
        ((eq? value 'null) "null")
        ((symbol? value) (string->json (symbol->string value)))
        ((object? value) (object->json value place))
        ((list? value) (array->json value place))
        ((f64vector? value) (array->json (f64vector->list value) place))
        ((vector? value) (array->json (vector->list value) place))
        (else (refuse-value place value))))

(define (config->json config)
  "Return the association list @var{config} as the text of an object of JSON. Its values are numbers, strings, symbols (@code{null} is
JSON's, others are strings), booleans, lists and vectors of such (arrays), and association lists (objects)."
  (unless (or (null? config) (object? config))
    (refuse 'umbridge-operator "#:config: expected an association list with names as keys, like ((level . 3)), got ~s" config))
  (object->json config ""))
