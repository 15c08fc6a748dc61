;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Checks of arguments, and of numbers that are not finite.
(define-module (tutti base check)
  #:use-module (ice-9 format)
  #:use-module (tutti conditions)
  #:export (refuse finite-number?))

(define (refuse who message . arguments)
  "Raise a @code{&tutti-error} in the name of the procedure @var{who} with the text that @code{format} makes of @var{message} and
@var{arguments}."
  (raise-tutti (make-tutti-error (apply format #f message arguments)) who))

(define (finite-number? x)
  "Return true if @var{x} is a real number that is finite, also when it has become an inexact one: an exact one may be larger than any of
those."
  (and (real? x) (< -inf.0 (exact->inexact x) +inf.0)))
