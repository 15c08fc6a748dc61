;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators written in Python.
(define-module (tutti python operator)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti operator type)
  #:use-module (tutti python model)
  #:use-module (tutti python object)
  #:use-module (tutti python primitives)
  #:use-module (tutti python worker)
  #:use-module (tutti remote)
  #:use-module (tutti space)
  #:export (python-operator))

;;; In a worker: the operator calls the object.

(define (find-attribute outline names)
  (find (lambda (name) (has-attribute? outline name)) names))

(define attributes '("domain" "codomain" "evaluate" "linearize" "linearise" "apply" "adjoint"))

(define (object->operator object place)
  (let ((outline (model-outline object attributes)))
    (define (has? name) (has-attribute? outline name))
    (unless (and (has? "domain") (has? "codomain") (or (has? "evaluate") (and (has? "apply") (has? "adjoint"))))
      (refuse-model outline place "operator, which has the attributes domain and codomain, and the methods evaluate (x) and, with a \
derivative, linearize (x), or apply (x) and adjoint (y) if it is linear"))
    (let ((name (string-append (place->text place) " " (second outline)))
          (domain (attribute-space outline "domain"))
          (codomain (attribute-space outline "codomain")))
      (if (has? "evaluate")
          (make-operator #:name name #:domain domain #:codomain codomain
                         #:evaluate (method->procedure outline "evaluate" codomain)
                         #:linearize (and=> (find-attribute outline '("linearize" "linearise"))
                                            (lambda (method) (linearizer outline method place domain codomain))))
          (make-linear-operator #:name name #:domain domain #:codomain codomain
                                #:apply (method->procedure outline "apply" codomain)
                                #:adjoint (method->procedure outline "adjoint" domain))))))

(define (linearizer outline name place domain codomain)
  "Return the procedure for @code{make-operator} that calls the method @var{name} of the object of @var{outline}."
  (define method (model-method outline name))
  (define who (format #f "~a.~a" (second outline) name))
  (lambda (x)
    (match (%python-call-parts who method (list x) 2)
      ((y derivative)
       (values (returned-element (%python-value who y) codomain (string-append who ", as its first value,"))
               (handle->derivative derivative who place domain codomain)))
      (#f (refuse 'python "~a must return two values, y and the derivative, an object with apply (h) and adjoint (y)" who)))))

(define (handle->derivative handle who place domain codomain)
  (let ((outline (model-outline handle '("apply" "adjoint"))))
    (unless (and (has-attribute? outline "apply") (has-attribute? outline "adjoint"))
      (refuse-model outline place
                    (format #f "derivative, which has the methods apply (h) and adjoint (y); ~a has returned it as its second value"
                            who)))
    (make-linear-operator #:name (string-append "derivative of " who) #:domain domain #:codomain codomain
                          #:apply (method->procedure outline "apply" codomain)
                          #:adjoint (method->procedure outline "adjoint" domain))))

;;; In the master: a worker holds the operator, and makes it again if it has taken the place of another. That is what vectors of operators
;;; do; this is one of one member.

(define (operator-there pool remake name)
  (let* ((held (parallel-vector-of-operators (list remake) #:pool pool))
         (domain (operator-domain held))
         (codomain (match (space-parts (operator-codomain held)) ; a direct sum, also of one space
                     ((space) space)
                     (_ (operator-codomain held)))))
    (if (linear? held)
        (make-linear #:name name #:domain domain #:codomain codomain #:pool pool
                     #:apply (lambda (x) (evaluate held x)) #:adjoint (lambda (y) (apply-adjoint held y)))
        (make-nonlinear #:name name #:domain domain #:codomain codomain #:pool pool
                        #:evaluate (lambda (x) (evaluate held x)) #:linearize (lambda (x) (linearize held x))))))

(define-remote (python-operator place class . rest)
  "Return the operator that the Python @var{class} of @var{place}, a module or file, describes; the object is made with the other
arguments, as by @code{python-object}. It has the attributes @code{domain} and @code{codomain}, numbers of unknowns and data
(@code{(\"complex\", n)} for complex ones, a list for a direct sum), and the methods @code{evaluate (x)} and, if there is a derivative,
@code{linearize (x)}, which returns the value and an object with @code{apply (h)} and @code{adjoint (y)}; or, if it is
linear, @code{apply (x)} and @code{adjoint (y)} itself. All take and return numpy arrays; a method with a parameter @code{out} is given
an array to write its value to, all of it.

In a task it is the worker's own. In the master it is held by the first worker of @code{#:pool}, or of the current pool, or by a
helper."
  (call-with-values (lambda () (split-arguments rest 'python-operator '(#:python #:pool)))
    (lambda (arguments keywords ours)
      (let ((place (whole-place place 'python-operator)) (python (assq-ref ours #:python)))
        (if (here?)
            (object->operator (make-here place class arguments keywords python) place)
            (operator-there (python-pool (assq-ref ours #:pool) python 'python-operator)
                            (repeated-call place class (without-pool rest))
                            (string-append (place->text place) " " class)))))))

(define (repeated-call place class rest)
  (remote ((place place) (class class) (rest rest))
    (lambda () (apply python-operator place class rest))))
