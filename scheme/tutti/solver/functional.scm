;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tikhonov functionals phi_d + beta phi_m, and their values and derivatives at a model.
(define-module (tutti solver functional)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti operator)
  #:use-module (tutti operator missing)
  #:use-module (tutti solver run)
  #:use-module (tutti solver units)
  #:use-module (tutti vector)
  #:export (make-functional functional-in-units functional-space functional-weigh functional-regularization functional-penalize
            functional-data-norm functional-at units-at point-in-units
            point-model point-residual point-derivative point-frozen point-distance point-phi-d point-phi-m
            objective reduction half-gradient half-hessian))

(define-record-type <functional>
  (make-functional op data weigh regularization reference)
  functional?
  (op functional-op)
  (data functional-data)
  (weigh functional-weigh)                    ; vector of data -> the same divided by the standard deviations
  (regularization functional-regularization)  ; linear operator, or #f for the identity
  (reference functional-reference))           ; model, or #f for zero

(define (functional-space functional)
  "Return the space of the models of @var{functional}."
  (operator-domain (functional-op functional)))

(define (functional-penalize functional)
  "Return the regularisation of @var{functional} as a procedure of a model."
  (let ((op (functional-regularization functional)))
    (if op (lambda (x) (evaluate op x)) identity)))

(define (functional-data-norm functional)
  "Return the norm of the data of @var{functional}, divided by their standard deviations."
  (vec-norm ((functional-weigh functional) (functional-data functional))))

(define-record-type <point>
  (make-point model residual derivative frozen distance pull phi-d phi-m)
  point?
  (model point-model)
  (residual point-residual)             ; W (F(m) - d)
  (derivative point-derivative)         ; with zeros for its missing columns
  (frozen point-frozen)                 ; the parameters of these: list of pairs of number and name, or #f
  (distance point-distance)             ; m - reference
  (pull point-pull)                     ; R (m - reference)
  (phi-d point-phi-d)
  (phi-m point-phi-m))

(define (functional-at functional model)
  "Return the point of @var{functional} at @var{model}."
  (let*-values (((value derivative) (linearize (functional-op functional) model))
                ((residual) ((functional-weigh functional) (vec- value (functional-data functional))))
                ((distance) (if (functional-reference functional) (vec- model (functional-reference functional)) model))
                ((pull) ((functional-penalize functional) distance)))
    (make-point model residual (known-part derivative)
                (map (lambda (gap) (cons (gap-index gap) (gap-name gap))) (derivative-gaps derivative))
                distance pull (square-norm residual) (inner-product distance pull))))

(define (objective point beta)
  "Return the value of the functional with the weight @var{beta} at @var{point}."
  (+ (point-phi-d point) (* beta (point-phi-m point))))

(define (reduction before after beta)
  "Return by how much the functional with the weight @var{beta} is less at the point @var{after} than at @var{before}. The
difference is multiplied out, so it is exact where the two values are the same but for their last digits."
  (define (gain a b weighted-a weighted-b)
    (inner-product (vec- a b) (vec+ weighted-a weighted-b)))
  (+ (gain (point-residual before) (point-residual after) (point-residual before) (point-residual after))
     (* beta (gain (point-distance before) (point-distance after) (point-pull before) (point-pull after)))))

(define (half-gradient functional point beta)
  "Return J* W r + beta R (m - reference) at @var{point}, half the gradient of the functional with the weight
@var{beta}."
  (vec-axpy beta (point-pull point)
            (apply-adjoint (point-derivative point) ((functional-weigh functional) (point-residual point)))))

(define (half-hessian functional point beta)
  "Return J* W W J + beta R at @var{point} as a procedure."
  (define weigh (functional-weigh functional))
  (define derivative (point-derivative point))
  (define penalize (functional-penalize functional))
  (lambda (x)
    (vec-axpy beta (penalize x) (apply-adjoint derivative (weigh (weigh (evaluate derivative x)))))))

;;; In units.

(define (functional-in-units units functional)
  "Return @var{functional} in @var{units}."
  (make-functional (operator-in-units units (functional-op functional))
                   (data-in-units units (functional-data functional))
                   (functional-weigh functional)
                   (functional-regularization functional)
                   (and (functional-reference functional) (model-in-units units (functional-reference functional)))))

(define (point-in-units units point)
  "Return @var{point}, that of a functional, as that of the functional in @var{units}."
  (if (equal? units usual-units)
      point
      (let ((residual (data-in-units units (point-residual point)))
            (distance (model-in-units units (point-distance point)))
            (pull (model-in-units units (point-pull point))))
        (make-point (model-in-units units (point-model point)) residual (derivative-in-units units (point-derivative point))
                    (point-frozen point) distance pull (square-norm residual) (inner-product distance pull)))))

(define (units-at functional point weight)
  "Return the units for @var{functional} with the @var{weight} of its penalty, from @var{point} on."
  (let*-values (((weigh) (functional-weigh functional))
                ((units image) (choose-units (point-residual point)
                                             (lambda (y) (apply-adjoint (point-derivative point) (weigh y)))
                                             weight (point-distance point))))
    units))
