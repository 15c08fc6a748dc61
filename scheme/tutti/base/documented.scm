;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Accessors with docstrings, which SRFI-9 cannot give.
(define-module (tutti base documented)
  #:export (define-documented))

(define-syntax define-documented
  (syntax-rules ()
    "Define each @var{name} as a procedure of one argument that returns what @var{field} returns for it, with the docstring
@var{text}. Behind @code{#:check}, @var{check} is called before, with the argument and the name; behind @code{#:of}, the argument has the
name @var{argument}, as the texts may call it."
    ((_ #:check check (name field text) ...)
     (begin (define (name x) text (check x 'name) (field x)) ...))
    ((_ #:of argument (name field text) ...)
     (begin (define (name argument) text (field argument)) ...))
    ((_ (name field text) ...)
     (begin (define (name x) text (field x)) ...))))
