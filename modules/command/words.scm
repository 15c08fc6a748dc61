;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What users say of a program: its arguments, and keywords after them.
(define-module (tutti command words)
  #:use-module (ice-9 match)
  #:use-module (tutti base check)
  #:export (split-command))

(define (split-command rest who reserved)
  "Return two values for the list @var{rest} of arguments and keywords with values: the arguments, as strings, and the association list of
the keywords, which must be among @var{reserved}."
  (let loop ((rest rest) (arguments '()) (keywords '()))
    (match rest
      (() (values (reverse! arguments) keywords))
      (((? keyword? key) value . rest)
       (unless (memq key reserved)
         (refuse who "there is no keyword ~s; expected one of ~{~s~^ ~}" key reserved))
       (when (assq key keywords)
         (refuse who "the keyword ~s is there twice" key))
       (loop rest arguments (acons key value keywords)))
      (((? keyword? key))
       (refuse who "the keyword ~s has no value after it" key))
      ((value . rest)
       (unless (null? keywords)
         (refuse who "the argument ~s comes after keywords; arguments of the program come first" value))
       (loop rest (cons (argument-text who value) arguments) keywords)))))

(define (argument-text who value)
  (let ((text (cond ((string? value) value)
                    ((symbol? value) (symbol->string value))
                    ((exact-integer? value) (number->string value))
                    ((finite-number? value) (number->string (exact->inexact value)))
                    (else (refuse who "an argument of the program is ~s; expected a string or a finite number" value)))))
    (when (string-index text #\nul)
      (refuse who "an argument of the program has the character NUL: ~s" text))
    text))
