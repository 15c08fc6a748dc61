;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Bounds of the unknowns of a model: a pair of f64vectors, or #f for none.
(define-module (tutti solver bounds)
  #:use-module (srfi srfi-4)
  #:use-module (tutti operator bounds)
  #:use-module (tutti solver units)
  #:use-module (tutti vector)
  #:re-export (->bounds)
  #:export (bounds-in-units project step-bounds hold-parameters! intersect-radius project-gradient strictly-inside))

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

(define (hold-parameters! bounds frozen)
  "Let the @var{bounds} of a step allow none for the parameters in the list @var{frozen}, pairs of number and name."
  (for-each (lambda (parameter)
              (f64vector-set! (car bounds) (car parameter) 0.)
              (f64vector-set! (cdr bounds) (car parameter) 0.))
            frozen))

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
