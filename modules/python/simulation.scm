;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations written in Python, by the names that SimPEG has for their methods.
(define-module (tutti python simulation)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti operator)
  #:use-module (tutti pool)
  #:use-module (tutti python model)
  #:use-module (tutti python object)
  #:use-module (tutti python primitives)
  #:use-module (tutti python worker)
  #:use-module (tutti remote)
  #:use-module (tutti simulation)
  #:export (python-simulation object->simulation object-domain))

(define needed '("dpred" "Jvec" "Jtvec"))
(define optional '("fields" "Jvec_approx" "Jtvec_approx" "getJtJdiag"))

;;; In a worker.

(define (fields-passer method)
  "Return the procedure that makes of fields, @code{#f} for none, the list of pairs of name and value by which @var{method} gets them."
  (if (%python-takes? method "f")
      (lambda (f) (list (cons "f" (or f *unspecified*))))
      (const '())))

(define (caller outline name space)
  "Return a procedure of fields, or @code{#f}, and further arguments that calls the method @var{name}."
  (let* ((method (model-method outline name))
         (who (format #f "~a.~a" (second outline) name))
         (pass-fields (fields-passer method)))
    (lambda (f . arguments)
      (returned-element (%python-call who method arguments (pass-fields f)) space who))))

(define (diagonal-caller outline space)
  (let* ((method (model-method outline "getJtJdiag"))
         (who (format #f "~a.getJtJdiag" (second outline)))
         (pass-fields (fields-passer method)))
    (lambda (m weights f)
      (let ((matrix (and weights (make-here "tutti_support" "diagonal_matrix" (list weights) '() #f))))
        (returned-element (%python-call who method (list m) (append (if matrix (list (cons "W" matrix)) '()) (pass-fields f)))
                          space who)))))

(define (object->simulation object place)
  "Return the simulation that @var{object}, a Python object in this process, describes."
  (let ((outline (model-outline object (append needed optional))))
    (define (has? name) (has-attribute? outline name))
    (unless (every has? needed)
      (refuse-model outline place "simulation, which has the methods dpred (m, f), Jvec (m, v, f) and Jtvec (m, v, f), and may have \
fields (m) and getJtJdiag (m, W, f)"))
    (let* ((spaces (object-spaces object))
           (model (car spaces)) (data (cdr spaces))
           (dpred (caller outline "dpred" data))
           (jvec (caller outline "Jvec" data))
           (jtvec (caller outline "Jtvec" model)))
      (define (approximation name space exact) (if (has? name) (caller outline name space) exact))
      (define jvec-approx (approximation "Jvec_approx" data jvec))
      (define jtvec-approx (approximation "Jtvec_approx" model jtvec))
      (make-simulation #:name (string-append (place->text place) " " (second outline))
                       #:model-size model #:data-size data
                       #:fields (and (has? "fields")
                                     (lambda (m) (%python-make (string-append (second outline) ".fields") object "fields" (list m) '())))
                       #:dpred (lambda (m f) (dpred f m))
                       #:jvec (lambda (m v f) (jvec f m v))
                       #:jtvec (lambda (m u f) (jtvec f m u))
                       #:jvec-approx (lambda (m v f) (jvec-approx f m v))
                       #:jtvec-approx (lambda (m u f) (jtvec-approx f m u))
                       #:jtj-diagonal (and (has? "getJtJdiag") (diagonal-caller outline model))))))

(define (object-spaces object)
  "Return the pair of the spaces of models and data of the simulation @var{object}."
  (match (call-here "tutti_support" "simulation_spaces" (list object) '() #f)
    (#(model data) (cons (value->space model) (value->space data)))))

(define (object-domain object)
  "Return the space of the models of the simulation @var{object}."
  (car (object-spaces object)))

;;; In the master: the simulation of one, which a worker holds.

(define (simulation-there place class rest pool)
  (let* ((object (apply python-object place class rest))
         (domain (pool-apply-only pool 0 object-domain object)))
    (make-meta-simulation (list (remote ((object object) (place place)) (lambda () (object->simulation object place))))
                          (list (identity-operator domain))
                          #:name (string-append (place->text place) " " class)
                          #:pool pool)))

(define-remote (python-simulation place class . rest)
  "Return the simulation that the Python @var{class} of @var{place}, a module or file, describes; the object is made with the other
arguments, as by @code{python-object}. It has the methods of SimPEG's simulations: @code{dpred (m, f)}, @code{Jvec (m, v, f)} and
@code{Jtvec (m, v, f)}, and may have @code{fields (m)}, @code{getJtJdiag (m, W, f)}, @code{Jvec_approx} and
@code{Jtvec_approx}. Where a method takes no @code{f}, it gets none. Sizes are the attributes @code{model_size} and
@code{data_size}, or @code{mapping.nP} and @code{survey.nD}. What @code{fields} returns stays in Python.

In a task it is the worker's own. In the master it is held by a worker, as by @code{python-operator}."
  (call-with-values (lambda () (split-arguments rest 'python-simulation '(#:python #:pool)))
    (lambda (arguments keywords ours)
      (let ((place (whole-place place 'python-simulation)) (python (assq-ref ours #:python)))
        (if (here?)
            (object->simulation (make-here place class arguments keywords python) place)
            (let ((pool (python-pool (assq-ref ours #:pool) python 'python-simulation)))
              (simulation-there place class (append (without-pool rest) (list #:pool pool)) pool)))))))
