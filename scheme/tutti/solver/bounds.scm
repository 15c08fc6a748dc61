;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Bounds of the unknowns of a model: a pair of f64vectors, or #f for none.
(define-module (tutti solver bounds)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti solver units)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (->bounds bounds-in-units project step-bounds intersect-radius project-gradient strictly-inside))

(define (->bound bound space who what)
  (cond ((and (real? bound) (= bound bound)) (make-f64vector (space-dimension space) bound))
        ((f64vector? bound)
         (check-element bound space who what)
         (when (any (lambda (x) (not (= x x))) (f64vector->list bound))
           (refuse who "~a: a bound is not a number" what))
         bound)
        (else (refuse who "~a: expected a number or an f64vector, got ~s" what bound))))

(define (->bounds bounds space who)
  "Return the pair of f64vectors that @var{bounds} means for models in @var{space}: a pair of the lower and the upper
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

(define (bounds-in-units units bounds)
  "Return @var{bounds} of models in @var{units}."
  (and bounds (cons (model-in-units units (car bounds)) (model-in-units units (cdr bounds)))))

(define (project model bounds)
  "Return @var{model}, each unknown moved to the bound that it is beyond."
  (if bounds
      (vec-map (lambda (x lower upper) (min (max x lower) upper)) model (car bounds) (cdr bounds))
      model))

(define (step-bounds bounds model)
  "Return the bounds that a step from @var{model} has to keep, so that the next model keeps @var{bounds}."
  (cons (vec- (car bounds) model) (vec- (cdr bounds) model)))

(define (intersect-radius bounds radius)
  "Return @var{bounds} of a step, and no unknown changed by more than @var{radius}."
  (cons (vec-map (lambda (lower) (max lower (- radius))) (car bounds))
        (vec-map (lambda (upper) (min upper radius)) (cdr bounds))))

(define (project-gradient gradient x bounds)
  "Return @var{gradient} at @var{x}, but zero for each unknown that is at a bound and that its negative drives against that bound:
it vanishes at a minimum within @var{bounds} and nowhere else, if the functional is convex."
  (vec-map (lambda (g x lower upper) (if (or (and (<= x lower) (> g 0)) (and (>= x upper) (< g 0))) 0. g))
           gradient x (car bounds) (cdr bounds)))

(define (strictly-inside x bounds)
  "Return the f64vector with 1 for each unknown of @var{x} that is at no bound, else 0."
  (vec-map (lambda (x lower upper) (if (and (< lower x) (< x upper)) 1. 0.)) x (car bounds) (cdr bounds)))
