;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The members of a meta-simulation: pairs of a simulation and the mapping from the common model to its own. This is
;; what runs where they are, here or on a worker. HELD is a list of pairs of a member's number and the member, or its
;; state.
(define-module (tutti simulation member)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti conditions)
  #:use-module (tutti operator algebra)
  #:use-module (tutti operator check)
  #:use-module ((tutti operator family) #:select (build-member call-naming))
  #:use-module (tutti operator gram)
  #:use-module (tutti operator type)
  #:use-module (tutti simulation type)
  #:use-module (tutti vector)
  #:export (build-members summary-name summary-simulation summary-mapping summary-linear?
            run-members keep-states run-states states-lines release-states))

(define-record-type <member>
  (make-member name simulation mapping)
  member?
  (name member-name)                   ; for messages
  (simulation member-simulation)
  (mapping member-mapping))

;;; Building.

(define (member-summary member)
  (let ((describe (lambda (op) (list (operator-name op) (operator-domain op) (operator-codomain op)))))
    (list (member-name member) (describe (member-simulation member)) (describe (member-mapping member))
          (and (linear? (member-simulation member)) (linear? (member-mapping member))))))

(define (summary-name summary)
  "Return the name of a member out of its @var{summary}."
  (first summary))

(define (summary-simulation summary)
  "Return name, domain and codomain of a member's simulation out of its @var{summary}."
  (second summary))

(define (summary-mapping summary)
  "Return name, domain and codomain of a member's mapping out of its @var{summary}."
  (third summary))

(define (summary-linear? summary)
  "Return whether a member is linear out of its @var{summary}."
  (fourth summary))

(define (build-members simulations mappings repeated? checks?)
  "Return a pair of the members to be held and the list of pairs of their numbers and summaries. @var{simulations} is a
list of pairs of number and spec, each of which is built once; @var{mappings} one of lists of the member's number, its
simulation's number, and the spec of its mapping. If @var{repeated?} the members have one simulation, and names by
number."
  (parameterize ((operator-checks checks?))
    (let* ((built (map (match-lambda ((number . spec) (cons number (build-member spec number "simulation")))) simulations))
           (held (map (match-lambda
                        ((index number spec)
                         (let ((simulation (assv-ref built number)))
                           (cons index
                                 (make-member (if repeated?
                                                  (format #f "~a, model ~a" (operator-name simulation) index)
                                                  (operator-name simulation))
                                              simulation (build-member spec index "mapping"))))))
                      mappings)))
      (cons held (map (match-lambda ((index . member) (cons index (member-summary member)))) held)))))

;;; Members.

(define (call-as member thunk)
  (call-naming (member-name member) thunk))

(define (own-model member m)
  (call-naming (string-append "the mapping of " (member-name member)) (lambda () (evaluate (member-mapping member) m))))

(define (part x ranges index)
  ;; All of it without ranges; #f for #f.
  (if (and x ranges)
      (match (vector-ref ranges index) ((start . end) (vec-slice x start end)))
      x))

(define (run-members held kind x ranges)
  "Return the list of pairs of number and value of each member: the data at the model @var{x} if @var{kind} is dpred; if
it is adjoint, that of a linear member at its part of @var{x}, data, by @var{ranges}: a vector of pairs of first index
and the one behind the last, @code{#f} for all."
  (map (match-lambda
         ((index . member)
          (call-as member
            (lambda ()
              (cons index
                    (if (eq? kind 'adjoint)
                        (apply-adjoint (member-mapping member)
                                       (apply-adjoint (member-simulation member) (part x ranges index)))
                        (evaluate (member-simulation member) (own-model member x))))))))
       held))

;;; Their states.

(define (member-state member m)
  "Return the state of @var{member} at the common model @var{m}."
  (let-values (((own mapping) (call-naming (string-append "the mapping of " (member-name member))
                                (lambda () (linearize (member-mapping member) m)))))
    (let ((state (state-at (member-simulation member) own)))
      (define (jacobian) (operator-compose (state-run state 'jacobian) mapping))
      (make-state
       (lambda (kind argument)
         (case kind
           ((dpred value) (state-run state kind))
           ((jvec jvec-approx) (state-run state kind (evaluate mapping argument)))
           ((jtvec jtvec-approx) (apply-adjoint mapping (state-run state kind argument)))
           ((diagonal) (gram-diagonal mapping (state-run state 'diagonal argument)))
           ((exact-diagonal) (gram-diagonal (jacobian) (squared-weights argument)))
           ((jacobian) (jacobian))))
       (lambda () (state-release! state))))))

(define (keep-states held m)
  "Return a pair of the states of the members at the model @var{m}, to be held, and the list of pairs of number and
@code{#t}."
  (let ((states (map (match-lambda
                       ((index . member)
                        (list index (member-name member) (call-as member (lambda () (member-state member m))))))
                     held)))
    (cons states (map (lambda (item) (cons (first item) #t)) states))))

(define (over-states states proc)
  (map (match-lambda
         ((index name state) (cons index (call-naming name (lambda () (proc index state))))))
       states))

(define (run-states states kind x ranges)
  "Return the list of pairs of number and what each of @var{states} answers to @var{kind} with its part of @var{x}."
  (over-states states (lambda (index state) (state-run state kind (part x ranges index)))))

(define (states-lines states rows? start end)
  "Return the list of pairs of number and, for each of @var{states}, the list of rows (conjugate) or columns from
@var{start} up to, not including, @var{end} of the matrix of its derivative."
  (over-states states
    (lambda (index state)
      (let ((jacobian (state-run state 'jacobian)))
        (map (lambda (i) ((if rows? operator-row operator-column) jacobian i)) (iota (- end start) start))))))

(define (release-states states)
  "Let workers forget what they keep for @var{states}, which are here."
  (for-each (match-lambda ((_ _ state) (state-release! state))) states))
