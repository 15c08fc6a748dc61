;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a simulation is: an operator that can be asked more. Questions at one model go to a STATE;
;; fields are a state that belongs to the user, and each simulation remembers its last one.
(define-module (tutti simulation type)
  #:use-module (ice-9 atomic)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti operator check)
  #:use-module (tutti operator gram)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (make-state state-run state-release! state-jacobian state-at
            make-simulation-operator simulation-parts simulation-mappings
            fields fields? fields-model fields-simulation fields-value fields-remove!
            call-with-state check-model squared-weights))

;; A simulation at a model that does not change any more. RUN: kind, argument -> value. The kinds, and what goes in and
;; out:
;;   dpred                  #f -> data
;;   jvec, jvec-approx      model -> data
;;   jtvec, jtvec-approx    data -> model
;;   diagonal               weights, 1/std, or #f -> model: the simulation's own diagonal of J^T W^2 J
;;   exact-diagonal         the same, without approximations
;;   jacobian               #f -> linear operator
;;   value                  #f -> what it is that is kept
;; RELEASE lets workers forget what they keep for it.
(define-record-type <state>
  (%make-state run release)
  state?
  (run state-procedure)
  (release state-releaser))

(define* (make-state run #:optional (release (const #t)))
  "Return the state that answers by the procedure @var{run}, of a kind and an argument; the thunk @var{release} lets
workers forget it."
  (%make-state run release))

(define* (state-run state kind #:optional argument)
  "Return what @var{state} answers to @var{kind} with @var{argument}."
  ((state-procedure state) kind argument))

(define (state-release! state)
  "Let workers forget what they keep for @var{state}."
  ((state-releaser state)))

(define (state-jacobian state op)
  "Return the derivative of @var{op} as the linear operator whose value and adjoint @var{state} computes."
  (make-linear #:name (string-append "derivative of " (operator-name op))
               #:domain (operator-domain op) #:codomain (operator-codomain op) #:pool (operator-pool op)
               #:apply (lambda (v) (state-run state 'jvec v))
               #:adjoint (lambda (u) (state-run state 'jtvec u))))

(define (squared-weights w)
  "Return the squares of the weights @var{w}, @code{#f} for none."
  (and w (vec* w w)))

;;; Simulations. What makes an operator one is in its detail.

;; STATE-AT: operator, model -> state. LAST holds a pair of a model and the state there, #f for none. OPERATOR is the
;; one this belongs to: others made of it may have its detail too.
(define-record-type <simulation>
  (%make-simulation state-at parts mappings last operator)
  simulation?
  (state-at simulation-state-at)
  (parts detail-parts)
  (mappings detail-mappings)
  (last simulation-last)
  (operator simulation-operator set-simulation-operator!))

(define (simulation-of op)
  "Return the detail that makes the operator @var{op} a simulation, @code{#f} if it is a mere operator."
  (let ((detail (operator-detail op)))
    (and (simulation? detail) (eq? op (simulation-operator detail)) detail)))

(define* (make-simulation-operator #:key name domain codomain evaluate adjoint state-at (members '()) (mappings '())
                                   parts pool)
  "Return the operator from @var{domain} to @var{codomain} with the value @var{evaluate} whose derivative, and what else
a simulation can be asked, come from @var{state-at}, a procedure of the operator and a model; linear with the given
@var{adjoint}, unless that is @code{#f}."
  (let ((simulation (%make-simulation state-at members mappings (make-atomic-box #f) #f)))
    (define (linearize-at m)
      (let ((state (state-at op (copy-element m))))
        (values (state-run state 'dpred) (state-jacobian state op))))
    (define op
      (if adjoint
          (make-linear #:name name #:domain domain #:codomain codomain #:apply evaluate #:adjoint adjoint
                       #:parts parts #:pool pool #:detail simulation)
          (make-nonlinear #:name name #:domain domain #:codomain codomain #:evaluate evaluate #:linearize linearize-at
                          #:parts parts #:pool pool #:detail simulation)))
    (set-simulation-operator! simulation op)
    (checked op)))

(define (simulation-parts sim)
  "Return the list of the simulations that the meta-simulation @var{sim} was made of, as they were passed; of any other the empty list."
  (check-operator-argument sim 'simulation-parts)
  (match (simulation-of sim) (#f '()) (simulation (detail-parts simulation))))

(define (simulation-mappings sim)
  "Return the list of the mappings that the meta-simulation @var{sim} was made of, as they were passed; of any other the empty list."
  (check-operator-argument sim 'simulation-mappings)
  (match (simulation-of sim) (#f '()) (simulation (detail-mappings simulation))))

;;; States.

(define (operator-state op m)
  "Return the state of an operator that is no more than that."
  (call-with-values (lambda () (if (linear? op) (values #f op) (linearize op m)))
    (lambda (y derivative)
      (make-state
       (lambda (kind argument)
         (case kind
           ((dpred) (if y (copy-element y) (evaluate op m)))
           ((jvec jvec-approx) (evaluate derivative argument))
           ((jtvec jtvec-approx) (apply-adjoint derivative argument))
           ((diagonal exact-diagonal) (gram-diagonal derivative (squared-weights argument)))
           ((jacobian value) derivative)))))))

(define (state-at op m)
  "Return the state of @var{op}, any operator, at the model @var{m}, of which it keeps a copy."
  (let ((m (copy-element m)))
    (match (simulation-of op)
      (#f (operator-state op m))
      (simulation ((simulation-state-at simulation) op m)))))

;;; Fields.

(define-record-type <fields>
  (make-fields simulation model state removed?)
  fields?
  (simulation fields-operator)
  (model fields-own-model)               ; a copy, which nobody else has
  (state fields-state)
  (removed? fields-removed? set-fields-removed!))

(set-record-type-printer! <fields>
  (lambda (fields port)
    (format port "#<fields of ~a~a>" (operator-name (fields-operator fields)) (if (fields-removed? fields) ", removed" ""))))

(set-object-property! fields? 'documentation "Return true if the argument is what @code{fields} returns.")

(define (check-fields x who)
  (unless (fields? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected fields, got ~S" (list x) (list x))))

(define (fields-model fields)
  "Return a copy of the model of @var{fields}."
  (check-fields fields 'fields-model)
  (copy-element (fields-own-model fields)))

(define (fields-simulation fields)
  "Return the simulation whose fields @var{fields} are."
  (check-fields fields 'fields-simulation)
  (fields-operator fields))

(define (check-not-removed fields who)
  (when (fields-removed? fields)
    (raise-tutti (make-removed fields (format #f "~a were removed; make them again with (fields simulation model)" fields))
                 who)))

(define (fields-value fields)
  "Return what @var{fields} stands for: what the procedure @code{#:fields} of the simulation returned, of an operator
the derivative, of a meta-simulation the list of these of its parts, which come here from their workers."
  (check-fields fields 'fields-value)
  (check-not-removed fields 'fields-value)
  (state-run (fields-state fields) 'value))

(define (fields-remove! fields)
  "Let workers forget @var{fields}. Their use is an error from now on, but for removing them again. Fields that nothing
refers to any more are forgotten in time without this."
  (check-fields fields 'fields-remove!)
  (unless (fields-removed? fields)
    (set-fields-removed! fields #t)
    (state-release! (fields-state fields))))

(define (check-model sim m who)
  "Raise an error in the name of @var{who} unless @var{m} is a model of @var{sim}, or fields of it."
  (check-operator-argument sim who)
  (cond ((not (fields? m))
         (check-element m (operator-domain sim) who (format #f "the model of ~a" (operator-name sim))))
        ((not (eq? sim (fields-operator m)))
         (raise-tutti (make-tutti-error
                       (format #f "these are fields of another simulation, ~a; ~a needs a model or fields of its own"
                               (operator-name (fields-operator m)) (operator-name sim)))
                      who))
        (else (check-not-removed m who))))

(define (fields sim m)
  "Return the fields of @var{sim} at the model @var{m}, which they know from now on, whatever becomes of the vector.
They are kept where they were made, and may stand wherever a model of @var{sim} is expected, so that nothing is computed
again."
  (check-model sim m 'fields)
  (if (fields? m)
      m
      (let ((model (copy-element m)))
        (make-fields sim model (state-at sim model) #f))))

;;; The last state.

(define (call-with-remembered-state op simulation m proc)
  ;; A state is taken out of its box while it is used: another thread that comes in between makes one of its own. What
  ;; is not put back, because PROC was left by an error, is collected.
  (let* ((box (simulation-last simulation))
         (last (match (atomic-box-swap! box #f)
                 (((? (lambda (model) (equal? model m)) model) . state) (cons model state))
                 (#f #f)
                 ;; Before the next one is made: there may not be room for both.
                 ((_ . state) (state-release! state) #f)))
         (entry (or last (let ((model (copy-element m))) (cons model (state-at op model)))))
         (result (proc (cdr entry)))
         (other (atomic-box-swap! box entry)))
    (when other (state-release! (cdr other)))
    result))

(define (call-with-state sim m proc)
  "Call @var{proc} with the state of @var{sim} at @var{m}, a model or fields, and return its value. If @var{m} has bit
by bit the numbers of the last model for which this was done, the state is that one."
  (cond ((fields? m) (proc (fields-state m)))
        ((simulation-of sim) => (lambda (simulation) (call-with-remembered-state sim simulation m proc)))
        (else (proc (state-at sim m)))))
