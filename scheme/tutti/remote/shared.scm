;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Values that are the same for all items and tasks: what a procedure has captured, what define-remote has made, what was pushed. As far as
;; Guile and the machine can protect them, they arrive protected; see guile-frozen.c. The rest, pairs and the like, are parts that a task
;; might change for the next one. A value with few of them is copied for each; one with many is watched: a digest tells whether it was
;; changed.
(define-module (tutti remote shared)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti remote code)
  #:use-module (tutti remote record-reducer)
  #:export (share shared-current shared-renews? shared-watched? shared-changes shared-check-due? shared-check-seconds raise-changes))

;; Copying so many parts takes some 2 µs.
(define most-parts-copied 256)

;; Where a check would be made for each of many small tasks, it is made so rarely that it takes at most one part in so many of the time.
(define check-share 10)
;; Checking so many parts, or words of numbers, takes no longer than the rest of a task.
(define most-words-always-checked 1024)

(define-record-type <shared>
  (make-shared value renew watched seconds checked-at)
  shared?
  (value shared-value)
  (renew shared-renew)                  ; returns the value for the next item or task; #f: VALUE serves all
  (watched shared-watched)              ; list of the values in it that have to be watched
  (seconds shared-check-seconds set-shared-check-seconds!) ; that checking them took
  (checked-at shared-checked-at set-shared-checked-at!)) ; #f: not yet

(define-record-type <watched>
  (make-watched name value numbers? parts words digest)
  watched?
  (name watched-name)
  (value watched-value)
  (numbers? watched-numbers?)
  (parts watched-parts)
  (words watched-words)
  (digest watched-digest))

;;; What can be changed in records and procedures.

(define (arrived-description x)
  "Return the description of @var{x}, if that is a remote procedure that was made from what has arrived."
  (let ((description (description x)))
    (and description (environment? (description-environment description)) description)))

(define (assigned-captures? description)
  (any cdr (vector->list (unit-captured (description-unit description)))))

(define (value-cells description)
  "Return the list of pairs of the name and the variable of the values made by define-remote that the procedure uses."
  (let ((environment (description-environment description)))
    (filter-map (lambda (free cell variable)
                  (and (eq? (car cell) 'value) (cons (free-name free) variable)))
                (vector->list (environment-free environment))
                (vector->list (environment-cells environment))
                (vector->list (environment-variables environment)))))

(define (needed-procedures description)
  "Return the list of procedures that have arrived as parts of the procedure."
  (let ((environment (description-environment description)))
    (append (filter-map (lambda (cell variable) (and (eq? (car cell) 'instance) (variable-ref variable)))
                        (vector->list (environment-cells environment))
                        (vector->list (environment-variables environment)))
            (filter arrived-description (vector->list (description-captures description))))))

(define (record-fields record)
  (map (lambda (i) (struct-ref record i))
       (iota (length (record-type-fields (record-type-descriptor record))))))

(define (plain-record? x)
  ;; What travels as a call has its state for itself, as operators have.
  (and (record? x) (not (procedure? x)) (not (record-reducer x))))

(define (make-part-finder)
  "Return the hook of @code{%parts}."
  (define seen (make-hash-table))
  (lambda (object)
    (cond ((hashq-ref seen object) '())
          ((arrived-description object)
           => (lambda (description)
                (hashq-set! seen object #t)
                (cons (assigned-captures? description)
                      (append (vector->list (description-captures description))
                              (map (lambda (cell) (variable-ref (cdr cell))) (value-cells description))
                              (needed-procedures description)))))
          ((plain-record? object) (cons #t (record-fields object)))
          (else '()))))

(define (copy-value value)
  (%copy-parts value
               (lambda (object)
                 (cond ((arrived-description object)
                        (let ((renew (procedure-renewer object (const #t))))
                          (if renew (renew) object)))
                       ((plain-record? object)
                        (apply make-struct/no-tail (record-type-descriptor object) (map copy-value (record-fields object))))
                       (else object)))))

;;; Procedures.

(define (procedure-graph root)
  "Return the list of @var{root} and of all procedures that have arrived with it."
  (let visit ((procedure root) (found '()))
    (if (memq procedure found)
        found
        (fold visit (cons procedure found) (needed-procedures (arrived-description procedure))))))

(define (procedure-renewer root copied?)
  "Return a procedure that makes another @var{root}, with copies of the values for which @var{copied?} returns true, and of all that such
values are bound to; or @code{#f} if there is nothing to copy."
  (define procedures (procedure-graph root))
  (define (copied-values description)
    (filter copied? (append (remove arrived-description (vector->list (description-captures description)))
                            (map (lambda (cell) (variable-ref (cdr cell))) (value-cells description)))))
  (define (renew)
    (define variables (map (lambda (procedure) (cons procedure (make-undefined-variable))) procedures))
    (define made (make-hash-table))
    (define (renewed value)
      (cond ((assq value variables) (procedure-at value))
            ((copied? value) (copy-value value))
            (else value)))
    (define (renewed-variable cell variable)
      (case (car cell)
        ((instance) (assq-ref variables (variable-ref variable)))
        ((value) (if (copied? (variable-ref variable)) (make-variable (copy-value (variable-ref variable))) variable))
        (else variable)))
    (define (make procedure)
      (let* ((description (arrived-description procedure))
             (old (description-environment description))
             (free (map renewed-variable (vector->list (environment-cells old)) (vector->list (environment-variables old))))
             (environment (make-environment (environment-maker old) (environment-free old) (environment-cells old)
                                            (list->vector free)))
             (captures (map renewed (vector->list (description-captures description)))))
        (attach-remote! (apply (apply (environment-maker old) environment free) captures)
                        (description-unit description) environment (list->vector captures))))
    (define (procedure-at procedure)
      ;; As when they were linked: what is captured comes before what captures it.
      (or (hashq-ref made procedure)
          (let ((new (make procedure)))
            (hashq-set! made procedure new)
            (variable-set! (assq-ref variables procedure) new)
            new)))
    (for-each procedure-at procedures)
    (hashq-ref made root))
  (and (any (lambda (procedure)
              (let ((description (arrived-description procedure)))
                (or (assigned-captures? description)
                    (pair? (copied-values description)))))
            procedures)
       renew))

(define (named-values root)
  "Return the list of pairs of name and value for what @var{root} and the procedures that it needs have captured, or found made by
define-remote."
  (append-map (lambda (procedure)
                (let ((description (arrived-description procedure)))
                  (append (map (lambda (captured value)
                                 (cons (format #f "`~a', which a remote procedure has captured," (car captured)) value))
                               (vector->list (unit-captured (description-unit description)))
                               (vector->list (description-captures description)))
                          (map (lambda (cell)
                                 (cons (format #f "`~a', made by define-remote," (car cell)) (variable-ref (cdr cell))))
                               (value-cells description)))))
              (procedure-graph root)))

;;; Sharing.

(define (now)
  (/ (exact->inexact (get-internal-real-time)) internal-time-units-per-second))

(define* (find-parts value numbers? #:optional (limit (1- (expt 2 60))))
  (%parts value (make-part-finder) numbers? limit))

(define (examine name value numbers?)
  "Return two values: whether @var{value} is to be copied, and what has to be watched, or @code{#f}."
  (let* ((found (find-parts value numbers?))
         (parts (car found))
         (few? (<= parts most-parts-copied)))
    (values (and few? (positive? parts))
            (and (or (not few?) (positive? (cadr found)))
                 (make-watched name value numbers? parts (+ parts (quotient (cadr found) 8)) (cddr found))))))

(define (share-named value names+values numbers? make-renew)
  (define start (now))
  (define copied '())
  (define watched '())
  (for-each (lambda (named)
              (unless (arrived-description (cdr named))
                (call-with-values (lambda () (examine (car named) (cdr named) numbers?))
                  (lambda (copy? watch)
                    (when copy? (set! copied (cons (cdr named) copied)))
                    (when watch (set! watched (cons watch watched)))))))
            names+values)
  (make-shared value (make-renew (lambda (value) (memq value copied))) watched (if (null? watched) 0 (- (now) start)) #f))

(define* (share value name #:key numbers?)
  "Return an object by which several tasks use @var{value}, which @var{name} describes, without seeing changes by others. With
@var{numbers?}, vectors of numbers are not protected."
  (if (arrived-description value)
      (share-named value (named-values value) numbers? (lambda (copied?) (procedure-renewer value copied?)))
      (share-named value (list (cons name value)) numbers?
                   (lambda (copied?) (and (copied? value) (lambda () (copy-value value)))))))

(define (shared-renews? shared)
  "Return true if each item or task has to get another value of @var{shared}."
  (->bool (shared-renew shared)))

(define (shared-watched? shared)
  "Return true if a task could change something in @var{shared} for the next one."
  (pair? (shared-watched shared)))

(define (shared-current shared)
  "Return the value of @var{shared} for the next item or task."
  (let ((renew (shared-renew shared)))
    (if renew (renew) (shared-value shared))))

(define (shared-check-due? shared)
  "Return true if @var{shared} may be checked now: if that is quick, or so much time has passed since the last check."
  (or (not (shared-checked-at shared))
      (<= (fold (lambda (watched sum) (+ (watched-words watched) sum)) 0 (shared-watched shared)) most-words-always-checked)
      (>= (- (now) (shared-checked-at shared)) (* check-share (shared-check-seconds shared)))))

(define (changed? watched)
  (let ((found (find-parts (watched-value watched) (watched-numbers? watched) (watched-parts watched))))
    (not (and (= (car found) (watched-parts watched))
              (= (cddr found) (watched-digest watched))))))

(define (shared-changes shared)
  "Return the list of the names of what was changed in @var{shared}."
  (let* ((start (now))
         (changed (filter changed? (shared-watched shared)))
         (end (now)))
    (set-shared-check-seconds! shared (- end start))
    (set-shared-checked-at! shared end)
    (map watched-name changed)))

(define (raise-changes names)
  "Raise the @code{&value-changed} for the values with @var{names}."
  (raise-tutti (make-value-changed names)))
