;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations of simulations: the data of all one after the other, or their sum. Sums are by the tree over the members,
;; wherever these are, so that the bits are the same.
(define-module (tutti simulation meta)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-11)
  #:use-module (tutti conditions)
  #:use-module (tutti operator gram)
  #:use-module (tutti operator parallel)
  #:use-module (tutti operator stack)
  #:use-module (tutti operator type)
  #:use-module (tutti simulation member)
  #:use-module (tutti simulation member-workers)
  #:use-module (tutti simulation type)
  #:use-module (tutti space)
  #:use-module (tutti sum)
  #:use-module (tutti vector)
  #:export (make-meta-simulation make-sum-meta-simulation make-repeated-meta-simulation))

;;; Checks. A summary's simulation and mapping are lists of name, domain and codomain.

(define name first)
(define domain second)
(define codomain third)

(define (raise-shape who expected actual message . arguments)
  (raise-tutti (make-shape-error expected actual (apply format #f message arguments)) who))

(define (check-counts simulations mappings who)
  (unless (= (length simulations) (length mappings))
    (raise-shape who (length simulations) (length mappings) "~a simulation~:p need as many mappings, got ~a"
                 (length simulations) (length mappings))))

(define (check-pair summary who)
  (let ((simulation (summary-simulation summary))
        (mapping (summary-mapping summary)))
    (unless (space-like? (domain simulation) (codomain mapping))
      (raise-shape who (domain simulation) (codomain mapping)
                   "~a takes models of ~a, but its mapping (~a) returns vectors of ~a" (summary-name summary)
                   (space->string (domain simulation)) (name mapping) (space->string (codomain mapping))))))

(define (check-mappings summaries who)
  (let ((common (domain (summary-mapping (car summaries)))))
    (for-each (lambda (summary)
                (unless (space-like? common (domain (summary-mapping summary)))
                  (raise-shape who common (domain (summary-mapping summary))
                               "all mappings start from the common model: that of ~a takes vectors of ~a, that of ~a of ~a"
                               (summary-name (car summaries)) (space->string common) (summary-name summary)
                               (space->string (domain (summary-mapping summary))))))
              summaries)))

(define (check-data summaries fit? what who)
  (let ((first-data (codomain (summary-simulation (car summaries)))))
    (for-each (lambda (summary)
                (let ((data (codomain (summary-simulation summary))))
                  (unless (fit? first-data data)
                    (raise-shape who first-data data "~a: those of ~a are in ~a, those of ~a in ~a" what
                                 (summary-name (car summaries)) (space->string first-data) (summary-name summary)
                                 (space->string data)))))
              summaries)))

(define (same-kind? a b) (eq? (space-complex? a) (space-complex? b)))

;;; How data are put together. RANGES: where the data of each member are, a vector of pairs, #f if all have all.

(define (call-and-join members ranges . arguments)
  (if ranges
      (vec-concatenate (apply members-call members arguments))
      (apply members-sum members arguments)))

;;; The true diagonal of a sum: the squares are those of the sums, not the sums of squares.

(define block-size 1000000)             ; numbers of each member that are on the way at a time

(define (diagonal-of-sum states domain codomain weights)
  "Return the diagonal of J^T W^2 J for the sum J of the derivatives that @var{states} hold; @var{weights} are the
diagonal of W^2."
  (let* ((rows? (cheaper-by-rows? domain codomain))
         (count (space-dimension (if rows? codomain domain)))
         (block (max 1 (quotient block-size (max 1 (space-dimension (if rows? domain codomain))))))
         (weights (or weights (make-f64vector (space-dimension codomain) 1.)))
         (diagonal (make-f64vector (space-dimension domain) 0.)))
    (define (take-line! i line)
      (if rows?
          (add-squares! diagonal (f64vector-ref weights i) line)
          (f64vector-set! diagonal i (vec-dot weights (squares line)))))
    (let loop ((start 0))
      (if (= start count)
          diagonal
          (let ((end (min count (+ start block))))
            (apply for-each (lambda (i . lines) (take-line! i (sum-vectors #f lines)))
                   (iota (- end start) start)
                   (members-call states states-lines rows? start end))
            (loop end))))))

;;; The simulation.

(define (meta-state op members ranges m)
  (let ((states (members-keep members keep-states m)))
    (define (join kind x ranges-of-x) (call-and-join states ranges run-states kind x ranges-of-x))
    (define (add kind x) (members-sum states run-states kind x ranges))
    (define (run kind argument)
      (case kind
        ((dpred) (join kind #f ranges))
        ((jvec jvec-approx) (join kind argument #f))
        ((jtvec jtvec-approx diagonal) (add kind argument))
        ((exact-diagonal)
         (if ranges
             (add kind argument)
             (diagonal-of-sum states (operator-domain op) (operator-codomain op) (squared-weights argument))))
        ((jacobian) (state-jacobian state op))
        ((value) (members-call states run-states kind #f ranges))))
    (define state (make-state run (lambda () (members-release! states))))
    state))

(define (meta-simulation who label simulations mappings repeated? sum? pool parts)
  (check-specs simulations who)
  (check-specs mappings who)
  (unless repeated? (check-counts simulations mappings who))
  (let*-values (((members summaries)
                 (make-members (pool-for-members pool (length mappings)) label simulations mappings repeated?))
                ((data) (map (lambda (summary) (codomain (summary-simulation summary))) summaries)))
    (for-each (lambda (summary) (check-pair summary who)) summaries)
    (check-mappings summaries who)
    (if sum?
        (check-data summaries space-like? "data that are added must be of one size" who)
        (check-data summaries same-kind? "the data must be all real or all complex" who))
    (let ((ranges (and (not sum?) (list->vector (consecutive-ranges (map space-dimension data))))))
      (make-simulation-operator
       #:name label
       #:domain (domain (summary-mapping (car summaries)))
       #:codomain (if sum? (car data) (apply direct-sum data))
       #:evaluate (lambda (m) (call-and-join members ranges run-members 'dpred m #f))
       #:adjoint (and (every summary-linear? summaries)
                      (lambda (u) (members-sum members run-members 'adjoint u ranges)))
       #:state-at (lambda (op m) (meta-state op members ranges m))
       #:members simulations #:mappings mappings
       #:parts parts
       #:pool (members-pool members)))))

(define* (make-meta-simulation simulations mappings #:key (name "meta-simulation") (pool default-argument))
  "Return the simulation whose data are those of @var{simulations}, a list, one after the other. @var{mappings} is the
list of operators from the common model to the model of each. In both, remote thunks may stand in place of operators:
each is called only where its pair is. Pairs of simulation and mapping are held by the workers of @var{pool}: without
it, of the current pool, or of one of its own with no more workers than cores; a number is the size of one of its own;
with @code{#f} all is here."
  (meta-simulation 'make-meta-simulation name simulations mappings #f #f pool
                   (list make-meta-simulation simulations mappings #:name name)))

(define* (make-sum-meta-simulation simulations mappings #:key (name "sum meta-simulation") (pool default-argument))
  "Return the simulation whose data are the sum of those of @var{simulations}, a list; these have data of one size. The
rest is as for @code{make-meta-simulation}."
  (meta-simulation 'make-sum-meta-simulation name simulations mappings #f #t pool
                   (list make-sum-meta-simulation simulations mappings #:name name)))

(define* (make-repeated-meta-simulation simulation mappings #:key (name "repeated meta-simulation") (pool default-argument))
  "Return the simulation whose data are those of @var{simulation} for each of the models that @var{mappings}, a list,
make of the common one, one after the other. Each worker has @var{simulation} once. The rest is as for
@code{make-meta-simulation}."
  (meta-simulation 'make-repeated-meta-simulation name (list simulation) mappings #t #f pool
                   (list make-repeated-meta-simulation simulation mappings #:name name)))
