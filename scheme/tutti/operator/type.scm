;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What an operator is: two spaces and what it can do, how it travels, and the count of its calls.
;;
;; An operator never travels as it is. It travels as a call that makes it again: that of the constructor with its parts, or that of the
;; remote procedure which returned it.
(define-module (tutti operator type)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti remote)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:use-module (tutti worker wire)
  #:export (make-nonlinear make-linear
            operator? operator-name operator-domain operator-codomain operator-pool operator-parts operator-detail
            operator-original linear? operator-statistics evaluate linearize adjoint apply-adjoint derivative-at copy-element
            check-operator-argument))

;; EVALUATE is a procedure from a vector to a vector. An operator that is linear has ADJOINT, the same in the other direction; one that
;; is not has LINEARIZE, from a vector to two values, the value and the derivative there. PARTS is the list of the constructor and its
;; arguments, #f for what has none. CALL is the remembered call of a remote procedure. DETAIL belongs to the module that made it.
;; ORIGINAL is what a derivative was before it belonged to its operator and point, #f for what is no derivative.
(define-record-type <operator>
  (make-operator-record name domain codomain evaluate linearize adjoint parts call pool detail original calls)
  operator?
  (name operator-record-name)
  (domain operator-record-domain)
  (codomain operator-record-codomain)
  (evaluate operator-evaluate)
  (linearize operator-linearize)
  (adjoint operator-adjoint)
  (parts operator-parts)
  (call operator-call set-operator-call!)
  (pool operator-record-pool)
  (detail operator-detail)
  (original operator-original)
  (calls operator-calls))               ; vector of a count and seconds for each kind

(set-record-type-printer! <operator>
  (lambda (op port)
    (format port "#<~aoperator ~a: ~a -> ~a>" (if (linear? op) "linear " "") (operator-name op)
            (space->string (operator-domain op)) (space->string (operator-codomain op)))))

(set-object-property! operator? 'documentation "Return true if the argument is an operator; simulations are operators, too.")
(set-object-property! operator-parts 'documentation
                      "Return the list of the constructor of an operator and its arguments, @code{#f} for what has none.")
(set-object-property! operator-detail 'documentation "Return what the constructor of an operator left for itself.")
(set-object-property! operator-original 'documentation
                      "Return the operator that a derivative was before it belonged to its operator and point; @code{#f} for an
operator that is no derivative.")

(define (no-calls) (vector 0 0. 0 0. 0 0. 0 0.))

(define* (make-nonlinear #:key name domain codomain evaluate linearize parts pool detail (calls (no-calls)))
  "Return the operator from the space @var{domain} to @var{codomain} with the procedures @var{evaluate}, from a vector to a vector, and
@var{linearize}, from a vector to two values: the value and the derivative, a linear operator."
  (make-operator-record name domain codomain evaluate linearize #f parts #f pool detail #f calls))

(define* (make-linear #:key name domain codomain apply adjoint parts pool detail original (calls (no-calls)))
  "Return the linear operator with the procedures @var{apply} and @var{adjoint}, from a vector to a vector."
  (make-operator-record name domain codomain apply #f adjoint parts #f pool detail original calls))

(define (check-operator-argument x who)
  "Raise an error in the name of @var{who} if @var{x} is no operator."
  (unless (operator? x)
    (scm-error 'wrong-type-arg (symbol->string who) "Wrong type argument in position 1 (expecting operator): ~S" (list x) (list x))))

(define (operator-name op)
  "Return the name of the operator @var{op}, for people."
  (check-operator-argument op 'operator-name)
  (operator-record-name op))

(define (operator-domain op)
  "Return the space of the arguments of @var{op}."
  (check-operator-argument op 'operator-domain)
  (operator-record-domain op))

(define (operator-codomain op)
  "Return the space of the values of @var{op}."
  (check-operator-argument op 'operator-codomain)
  (operator-record-codomain op))

(define (operator-pool op)
  "Return the pool whose workers hold the parts of @var{op}, @code{#f} if it is evaluated here."
  (check-operator-argument op 'operator-pool)
  (operator-record-pool op))

(define (linear? op)
  "Return true if @var{op} is a linear operator."
  (check-operator-argument op 'linear?)
  (->bool (operator-adjoint op)))

;;; Travelling.

(define (can-travel? object)
  (or (not (procedure? object)) (remotable-procedure? object) (procedure-reference object)))

(define (operator-reducer op)
  (let ((call (or (operator-call op) (operator-parts op))))
    (cond ((not call)
           (cons* 'refused (format #f "the operator ~a cannot travel: it exists in this process alone" (operator-name op))
                  "return it from a remote procedure, or give a remote thunk in its place"))
          ((every can-travel? call) call)
          (else
           (cons* 'refused (format #f "the operator ~a cannot travel: it is made of closures" (operator-name op))
                  (string-append "return it from a procedure defined with define-remote, which workers then call again, "
                                 "or make its procedures remote"))))))

(set-record-reducer! <operator> operator-reducer)

(define (tree-has? tree op)
  "Return true if @var{op} is @var{tree} or in a pair of it. Pairs may be in a circle, or be reached on many ways."
  ;; Almost always there are only a few; only if there are many is it worth remembering which have been visited.
  (define seen #f)
  (define (first-time? pair steps)
    (when (= steps 1000)
      (set! seen (make-hash-table)))
    (or (not seen)
        (not (hashq-get-handle seen pair))))
  (let walk ((todo (list tree)) (steps 0))
    (cond ((null? todo) #f)
          ((eq? (car todo) op) #t)
          ((and (pair? (car todo)) (first-time? (car todo) steps))
           (let ((pair (car todo)))
             (when seen (hashq-set! seen pair #t))
             (walk (cons* (car pair) (cdr pair) (cdr todo)) (1+ steps))))
          (else (walk (cdr todo) steps)))))

;; An operator that a remote procedure returns remembers the call: workers repeat it. Of several procedures through which it was
;; returned the innermost counts whose call can travel. One that was handed in was not made by the call.
(set-call-memory!
 (lambda (result procedure arguments)
   (when (and (operator? result)
              (not (and=> (operator-call result) (lambda (call) (every can-travel? call))))
              (not (tree-has? arguments result)))
     (let ((call (cons procedure arguments)))
       ;; If a call cannot be repeated, only the reason for that is kept alive.
       (set-operator-call! result (if (every can-travel? call) call (remove can-travel? call)))))))

;;; Calls, counted and checked.

(define kinds '((evaluate . 0) (linearize . 2) (derivative . 4) (adjoint . 6)))

(define (counting op kind thunk)
  (let* ((calls (operator-calls op))
         (index (assq-ref kinds kind))
         (start (get-internal-real-time)))
    (call-with-values thunk
      (lambda results
        (vector-set! calls index (1+ (vector-ref calls index)))
        (vector-set! calls (1+ index) (+ (vector-ref calls (1+ index))
                                         (/ (- (get-internal-real-time) start) 1. internal-time-units-per-second)))
        (apply values results)))))

(define (report-calls calls)
  (filter-map (match-lambda
                ((kind . index)
                 (and (positive? (vector-ref calls index))
                      (list kind (vector-ref calls index) (vector-ref calls (1+ index))))))
              kinds))

(define (operator-statistics op)
  "Return how often what was done with @var{op} and its derivatives, and how long that took: a list of lists of the kind (evaluate,
linearize, derivative, adjoint), the number of calls and the seconds."
  (check-operator-argument op 'operator-statistics)
  (report-calls (operator-calls op)))

(define (check-result op value argument space)
  (check-element value space (string->symbol (operator-name op)) "its value")
  ;; A caller that changes a value must not thereby change the argument, or a point that is kept.
  (if (eq? value argument) (copy-element value) value))

(define (evaluate op x)
  "Return the value of @var{op} at @var{x}, a new vector."
  (check-operator-argument op 'evaluate)
  (check-element x (operator-domain op) 'evaluate (format #f "the argument of ~a" (operator-name op)))
  (check-result op
                (counting op (if (linear? op) 'derivative 'evaluate) (lambda () ((operator-evaluate op) x)))
                x (operator-codomain op)))

(define (apply-adjoint op y)
  "Return the value of the adjoint of the linear operator @var{op} at @var{y}, a new vector. The adjoint is with respect to the real
part of the inner product."
  (check-operator-argument op 'apply-adjoint)
  (check-linear op 'apply-adjoint)
  (check-element y (operator-codomain op) 'apply-adjoint (format #f "the argument of the adjoint of ~a" (operator-name op)))
  (check-result op (counting op 'adjoint (lambda () ((operator-adjoint op) y))) y (operator-domain op)))

(define (check-linear op who)
  (unless (linear? op)
    (raise-tutti (make-tutti-error (format #f "~a is not linear; take the derivative that linearize returns" op)) who)))

(define (linearize op x)
  "Return two values: the value of @var{op} at @var{x}, and its derivative there, a linear operator that belongs to this point
for ever."
  (check-operator-argument op 'linearize)
  (check-element x (operator-domain op) 'linearize (format #f "the argument of ~a" (operator-name op)))
  (if (linear? op)
      (values (evaluate op x) op)
      (linearize-at-own-point op (copy-element x))))

(define (linearize-at-own-point op point)
  ;; The derivative may keep POINT, which nobody else can change.
  (call-with-values (lambda () (counting op 'linearize (lambda () ((operator-linearize op) point))))
    (lambda (y derivative)
      (check-derivative-shape op derivative)
      (values (check-result op y point (operator-codomain op)) (belonging-to op point derivative)))))

(define (check-derivative-shape op derivative)
  (unless (and (operator? derivative) (linear? derivative))
    (raise-tutti (make-tutti-error (format #f "~a: linearize must return a linear operator as its second value, got ~s"
                                           (operator-name op) derivative))
                 'linearize))
  (check-like (operator-domain op) (operator-domain derivative) 'linearize
              (format #f "the domain of the derivative of ~a" (operator-name op)))
  (check-like (operator-codomain op) (operator-codomain derivative) 'linearize
              (format #f "the codomain of the derivative of ~a" (operator-name op))))

(define (check-like expected actual who what)
  "Raise a @code{&shape-error} in the name of @var{who} unless vectors of the space @var{actual} are vectors of @var{expected}; @var{what}
says what they are."
  (unless (space-like? expected actual)
    (raise-tutti (make-shape-error expected actual
                                   (format #f "~a: expected ~a, got ~a" what (space->string expected) (space->string actual)))
                 who)))

(define (copy-element x)
  "Return a private copy of the vector @var{x}."
  (let ((copy (space-zero (if (c64vector? x) (complex-space (element-dimension x)) (element-dimension x)))))
    (vec-copy! copy x)
    copy))

(define (derivative-at op x)
  "Return the derivative of @var{op} at @var{x}."
  (call-with-values (lambda () (linearize op x)) (lambda (y derivative) derivative)))

(define (belonging-to op point derivative)
  ;; It travels as the derivative of this operator at this point.
  (make-linear #:name (string-append "derivative of " (operator-name op))
               #:domain (operator-domain op) #:codomain (operator-codomain op)
               #:apply (operator-evaluate derivative) #:adjoint (operator-adjoint derivative)
               #:parts (list derivative-at op point)
               #:pool (operator-record-pool derivative) #:detail (operator-detail derivative)
               #:original derivative #:calls (operator-calls op)))

(define (adjoint op)
  "Return the adjoint of the linear operator @var{op}, from its codomain to its domain. The adjoint of the adjoint is @var{op}."
  (check-operator-argument op 'adjoint)
  (check-linear op 'adjoint)
  (match (operator-parts op)
    (((? (lambda (f) (eq? f adjoint))) original) original)
    ;; Without the detail of OP: whose matrix that has is not the matrix of the adjoint.
    (_ (make-linear #:name (string-append "adjoint of " (operator-name op))
                    #:domain (operator-codomain op) #:codomain (operator-domain op)
                    #:apply (operator-adjoint op) #:adjoint (operator-evaluate op)
                    #:parts (list adjoint op) #:pool (operator-record-pool op)))))
