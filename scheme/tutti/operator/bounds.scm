;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Bounds of the numbers of a vector, as callers give them: for differences, and for solvers.
(define-module (tutti operator bounds)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti space)
  #:export (->bounds))

(define (->bound bound space who what)
  (cond ((and (real? bound) (= bound bound)) (make-f64vector (space-dimension space) bound))
        ((f64vector? bound)
         (check-element bound space who what)
         (when (any (lambda (x) (not (= x x))) (f64vector->list bound))
           (refuse who "~a: a bound is not a number" what))
         bound)
        (else (refuse who "~a: expected a number or an f64vector, got ~s" what bound))))

(define (->bounds bounds space who)
  "Return the pair of f64vectors that @var{bounds} means for vectors of @var{space}, models: a pair of the lower and the upper
bound, each a number or an f64vector; or @code{#f}."
  (cond ((not bounds) #f)
        ((not (pair? bounds))
         (refuse who "#:bounds: expected a pair of the lower and the upper bound, numbers or f64vectors; got ~s" bounds))
        ((space-complex? space)
         (refuse who "#:bounds: the models are complex (~a), and complex numbers have no order" (space->string space)))
        (else
         (let* ((lower (->bound (car bounds) space who "the lower bound"))
                (upper (->bound (cdr bounds) space who "the upper bound"))
                (index (list-index (lambda (low high) (or (> low high) (= low high +inf.0) (= low high -inf.0)))
                                   (f64vector->list lower) (f64vector->list upper))))
           (when index
             (refuse who "#:bounds: the lower bound of unknown ~a (from 0) is ~a, ~a the upper bound ~a" index
                     (f64vector-ref lower index)
                     (if (> (f64vector-ref lower index) (f64vector-ref upper index)) "above" "and so is")
                     (f64vector-ref upper index)))
           (cons lower upper)))))
