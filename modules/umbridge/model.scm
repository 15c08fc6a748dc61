;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A model as a server has it: an operator, or a procedure that makes one.  Workers hold it, and compute.  One thread at a time uses it.
(define-module (tutti umbridge model)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti base lock)
  #:use-module (tutti operator)
  #:use-module (tutti operator type)
  #:use-module (tutti remote memory)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (check-model configured? model-facts compute operator-facts))

;;; Kinds.

(define (configured? model)
  "Return true if @var{model} is a procedure from configurations to operators."
  (and (procedure? model)
       (match (procedure-minimum-arity (raw-procedure model))
         ((required optional rest?) (or (positive? required) (positive? optional) rest?))
         (_ #f))))

(define (check-model model name)
  "Raise an error unless @var{model}, which is to be served as @var{name}, may be a model."
  (define (refuse-it)
    (refuse 'umbridge-serve "~a: expected an operator, or a procedure that returns one: without arguments, or from a configuration, an \
association list; got ~s" name model))
  (cond ((operator? model) #t)
        ((not (procedure? model)) (refuse-it))
        (else
         (match (procedure-minimum-arity (raw-procedure model))
           ((required _ _) (when (> required 1) (refuse-it)))
           (_ #t)))))

(define (has-derivative? op)
  "Return false if it is known that @var{op} has no derivative."
  (match (operator-parts op)
    (((? (lambda (f) (eq? f make-operator))) . rest) (->bool (and=> (memq #:linearize rest) cadr)))
    (_ #t)))

(define (sizes space op what)
  (when (space-complex? space)
    (refuse 'umbridge-serve "~a of ~a is ~a, but UM-Bridge has real numbers only; serve an operator of vectors that have the real parts, \
and the imaginary parts behind them" what (operator-name op) (space->string space)))
  (map space-dimension (space-parts space)))

(define (operator-facts op)
  "Return a list of what clients are told of @var{op}: the sizes of the vectors of its argument, those of its value, and whether it has
derivatives."
  (unless (operator? op)
    (refuse 'umbridge-serve "the procedure that makes a model must return an operator, not ~s" op))
  (list (sizes (operator-domain op) op "the domain") (sizes (operator-codomain op) op "the codomain") (has-derivative? op)))

;;; What was made of a model for configurations: an association list, the latest first, from the configuration as a text to an entry.  An
;;; entry has the operator, and its derivative where it was asked for last: whoever wants a whole Jacobian asks again and again.

(define-record-type <entry>
  (make-entry operator point derivative)
  entry?
  (operator entry-operator)
  (point entry-point set-entry-point!)
  (derivative entry-derivative set-entry-derivative!))

(define most-entries 8)

;; From models, which workers hold from one task to the next, to these lists.
(define made (make-weak-key-hash-table))
(define lock (make-shared-mutex))

(define (entries-of model) (with-mutex lock (hashq-ref made model '())))
(define (set-entries! model entries) (with-mutex lock (hashq-set! made model entries)))

(define (make-operator-of model config)
  (cond ((operator? model) model)
        ((configured? model) (model config))
        (else (model))))

(define (find-entry model key config)
  (let* ((entries (entries-of model))
         (known (assoc key entries)))
    (if (and known (eq? known (car entries)))
        (cdr known)
        (let ((pair (or known
                        (let ((op (make-operator-of model config)))
                          (operator-facts op) ; is it one that can be served?
                          (cons key (make-entry op #f #f)))))
              (others (delq known entries)))
          (set-entries! model (cons pair (if (< (length others) most-entries) others (list-head others (1- most-entries)))))
          (cdr pair)))))

(define (model-facts model key config)
  "Return @code{operator-facts} for @var{model} with the configuration @var{config}, whose text is @var{key}."
  (operator-facts (entry-operator (find-entry model key config))))

;;; Computing.

(define (derivative-there entry point)
  (unless (equal? (entry-point entry) point)
    (set-entry-point! entry #f)
    (set-entry-derivative! entry (derivative-at (entry-operator entry) point))
    (set-entry-point! entry point))
  (entry-derivative entry))

(define (embed vector space index)
  "Return the element of @var{space} whose part @var{index} is @var{vector}; the others are zero."
  (match (space-parts space)
    ((_) vector)
    (parts (vec-concatenate (map (lambda (part i) (if (= i index) vector (space-zero part))) parts (iota (length parts)))))))

(define (part vector space index)
  (match (space-ranges space)
    ((_) vector)
    (ranges (let ((range (list-ref ranges index))) (vec-slice vector (car range) (cdr range))))))

(define (compute model key config call point vector out-wrt in-wrt)
  "Return what @var{call}, a symbol, asks of @var{model}, an f64vector."
  (let* ((entry (find-entry model key config))
         (op (entry-operator entry)))
    (case call
      ((Evaluate) (evaluate op point))
      ((ApplyJacobian)
       (part (evaluate (derivative-there entry point) (embed vector (operator-domain op) in-wrt)) (operator-codomain op) out-wrt))
      ((Gradient)
       (part (apply-adjoint (derivative-there entry point) (embed vector (operator-codomain op) out-wrt)) (operator-domain op) in-wrt)))))
