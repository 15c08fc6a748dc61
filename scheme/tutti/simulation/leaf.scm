;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations made of procedures.
(define-module (tutti simulation leaf)
  #:use-module (tutti operator gram)
  #:use-module (tutti operator type)
  #:use-module (tutti simulation type)
  #:use-module (tutti space)
  #:export (make-simulation))

(define (check-procedure keyword value optional?)
  (unless (or (procedure? value) (and optional? (not value)))
    (scm-error 'wrong-type-arg "make-simulation" "~A: expected a procedure~A, got ~S"
               (list keyword (if optional? " or #f" "") value) (list value))))

(define (checked-value op value space what)
  (check-element value space (string->symbol (operator-name op)) what)
  value)

;; PROCEDURES: jvec jtvec jvec-approx jtvec-approx jtj-diagonal, the last of which may be #f.
(define (leaf-state op m f dpred jvec jtvec jvec-approx jtvec-approx jtj-diagonal)
  "Return the state of the simulation @var{op} at @var{m}, which has the fields @var{f}."
  (define (model-sized value what) (checked-value op value (operator-domain op) what))
  (define (data-sized value what) (checked-value op value (operator-codomain op) what))
  (define (run kind argument)
    (case kind
      ((dpred) (data-sized (dpred m f) "what #:dpred returned"))
      ((jvec) (data-sized (jvec m argument f) "what #:jvec returned"))
      ((jtvec) (model-sized (jtvec m argument f) "what #:jtvec returned"))
      ((jvec-approx) (data-sized (jvec-approx m argument f) "what #:jvec-approx returned"))
      ((jtvec-approx) (model-sized (jtvec-approx m argument f) "what #:jtvec-approx returned"))
      ((diagonal)
       (if jtj-diagonal
           (checked-value op (jtj-diagonal m argument f) (space-dimension (operator-domain op))
                          "what #:jtj-diagonal returned")
           (run 'exact-diagonal argument)))
      ((exact-diagonal) (gram-diagonal (run 'jacobian #f) (squared-weights argument)))
      ((jacobian) (state-jacobian state op))
      ((value) f)))
  (define state (make-state run))
  state)

(define* (make-simulation #:key (name "simulation") model-size data-size fields dpred jvec jtvec
                          (jvec-approx jvec) (jtvec-approx jtvec) jtj-diagonal)
  "Return the simulation with the name @var{name} that is computed by procedures. @var{model-size} and @var{data-size}
are numbers or spaces. @var{dpred}, of model and fields, returns the data; @var{jvec}, of model, a vector like a model
and fields, the derivative times that vector; @var{jtvec}, of model, a vector like data and fields, the transposed
derivative times that vector. @var{fields}, of a model, returns what these can share: anything. Where there are none,
fields are @code{#f}: without @var{fields}, and in @var{dpred} where a model was given. @var{jtj-diagonal}, of model,
weights (1/std, or @code{#f}) and fields, returns the diagonal of J^T W^2 J, which otherwise is taken from the
derivative at unit vectors; @var{jvec-approx} and @var{jtvec-approx} are cheaper kinds, by default the exact ones."
  (check-space model-size 'make-simulation)
  (check-space data-size 'make-simulation)
  (for-each check-procedure
            '(#:dpred #:jvec #:jtvec #:jvec-approx #:jtvec-approx #:fields #:jtj-diagonal)
            (list dpred jvec jtvec jvec-approx jtvec-approx fields jtj-diagonal)
            '(#f #f #f #f #f #t #t))
  (make-simulation-operator
   #:name name #:domain model-size #:codomain data-size
   #:evaluate (lambda (m) (dpred m #f))
   #:state-at (lambda (op m)
                (leaf-state op m (and fields (fields m)) dpred jvec jtvec jvec-approx jtvec-approx jtj-diagonal))
   #:parts (list make-simulation #:name name #:model-size model-size #:data-size data-size #:fields fields #:dpred dpred
                 #:jvec jvec #:jtvec jtvec #:jvec-approx jvec-approx #:jtvec-approx jtvec-approx
                 #:jtj-diagonal jtj-diagonal)))
