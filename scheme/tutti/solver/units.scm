;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Units in which the numbers of a problem are near 1. Solvers square norms, and products of a matrix and its adjoint square
;; that; the square of a number below 1e-162 is zero, and that of one above 1e154 infinite. So a problem with such numbers is
;; solved in units of its own, one for data and one for models, and what is reported is in those of the caller. They are
;; powers of two: every digit is the same.
(define-module (tutti solver units)
  #:use-module (srfi srfi-11)
  #:use-module (tutti operator)
  #:use-module (tutti operator missing)
  #:use-module (tutti solver result)
  #:use-module (tutti vector)
  #:export (usual-units make-units choose-units power-of-two
            data-in-units model-in-units weight-in-units step-in-units linear-in-units derivative-in-units operator-in-units
            model-out-of-units iteration-out-of-units))

(define (make-units data model)
  "Return the units @var{data} and @var{model}, powers of two. A linear map in them is itself times @var{model} by @var{data}."
  (cons data model))

(define usual-units (make-units 1. 1.))
(define data-unit car)
(define model-unit cdr)

(define (usual-size? x)
  "Return true if squares of the squares of @var{x} are numbers, with much to spare, or if @var{x} itself is none."
  (or (not (< 0 x +inf.0)) (< 1e-30 x 1e30)))

(define most 1000)                      ; of exponents: 2^1000 and its inverse are both numbers

(define (exponent x)
  ;; Of numbers that are not normal the logarithm is right, too.
  (inexact->exact (round (/ (log x) (log 2)))))

(define (two-to-the k)
  (expt 2. (max (- most) (min most k))))

(define (power-of-two x)
  "Return a power of two that is near the positive number @var{x}."
  (two-to-the (exponent x)))

(define (choose-units residual transpose weight distance)
  "Return two values: the units for a problem with @var{residual} and @var{distance} from what the penalty with
@var{weight} pulls to, and the vector that the adjoint of the derivative, @var{transpose}, makes of the residual in these units."
  (let* ((pull (sqrt weight))
         (size (max (vec-norm residual) (* pull (vec-norm distance))))
         (usual? (usual-size? size))
         (near-one (if usual? residual (vec-scale (/ (power-of-two size)) residual)))
         (image (transpose near-one))
         (norm (vec-norm near-one))
         (slope (max pull (if (zero? norm) 0. (/ (vec-norm image) norm)))))
    (if (or (and usual? (usual-size? slope) (or (zero? slope) (usual-size? (/ size slope))))
            (not (< size +inf.0))
            (not (< slope +inf.0)))
        (values usual-units image)
        (let* ((units (make-units (power-of-two size)
                                  (if (zero? slope) (power-of-two size) (two-to-the (- (exponent size) (exponent slope))))))
               (before (if usual? 1. (power-of-two size))))
          (values units (vec-scale (* (/ (model-unit units) (data-unit units)) (/ before (data-unit units))) image))))))

;;; Into units.

(define (scale factor v)
  (if (= factor 1.) v (vec-scale factor v)))

(define (data-in-units units v)
  "Return the data @var{v} in @var{units}."
  (scale (/ (data-unit units)) v))

(define (model-in-units units v)
  "Return the model @var{v} in @var{units}."
  (scale (/ (model-unit units)) v))

(define (slope-unit units)
  (/ (model-unit units) (data-unit units)))

(define (weight-in-units units x)
  "Return the weight @var{x} of a penalty in @var{units}."
  (if (equal? units usual-units) x (* x (slope-unit units) (slope-unit units))))

(define (step-in-units units x)
  "Return the factor @var{x} of a step along a gradient in @var{units}."
  (if (equal? units usual-units) x (/ x (slope-unit units) (slope-unit units))))

(define (linear-in-units units apply)
  "Return the linear map @var{apply} from models to data, or from data to models, in @var{units}."
  (if (equal? units usual-units)
      apply
      (lambda (x) (vec-scale (slope-unit units) (apply x)))))

(define (derivative-in-units units derivative)
  "Return the linear operator @var{derivative}, from models to data, in @var{units}."
  (if (equal? units usual-units)
      derivative
      (map-known-part
       (lambda (derivative)
         (make-linear-operator #:name (operator-name derivative) #:domain (operator-domain derivative)
                               #:codomain (operator-codomain derivative)
                               #:apply (linear-in-units units (lambda (h) (evaluate derivative h)))
                               #:adjoint (linear-in-units units (lambda (y) (apply-adjoint derivative y)))))
       derivative)))

(define (operator-in-units units op)
  "Return the operator @var{op} in @var{units}."
  (if (equal? units usual-units)
      op
      (make-operator #:name (operator-name op) #:domain (operator-domain op) #:codomain (operator-codomain op)
                     #:evaluate (lambda (m) (data-in-units units (evaluate op (model-out-of-units units m))))
                     #:linearize (lambda (m)
                                   (let-values (((value derivative) (linearize op (model-out-of-units units m))))
                                     (values (data-in-units units value) (derivative-in-units units derivative)))))))

;;; Out of them.

(define (model-out-of-units units v)
  "Return what the model @var{v} in @var{units} is in those of the caller."
  (scale (model-unit units) v))

(define* (iteration-out-of-units units iteration #:key gradient-steps?)
  "Return what the account @var{iteration} in @var{units} is in those of the caller. Its step length is the factor of a
gradient if @var{gradient-steps?} is true, and otherwise a share. A number that is too large or too small is infinite or zero."
  (define (times x factor)
    (and x (* x factor factor)))
  (if (equal? units usual-units)
      iteration
      (make-iteration (iteration-number iteration)
                      #:phi-d (times (iteration-phi-d iteration) (data-unit units))
                      #:phi-m (times (iteration-phi-m iteration) (model-unit units))
                      #:weight (times (iteration-weight iteration) (/ (slope-unit units)))
                      #:residual-norm (and (iteration-residual-norm iteration) (* (data-unit units) (iteration-residual-norm iteration)))
                      #:step-length (if gradient-steps?
                                        (times (iteration-step-length iteration) (slope-unit units))
                                        (iteration-step-length iteration))
                      #:inner-iterations (iteration-inner-iterations iteration)
                      #:change (iteration-change iteration)
                      #:convergence (iteration-convergence iteration)
                      #:frozen (iteration-frozen-parameters iteration))))
