;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Snapshots: vectors of one length, here or shared out among workers. Errors about them name their numbers in the whole series, wherever
;; they are.
(define-module (tutti reduction snapshots)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti pool)
  #:use-module ((tutti pool type) #:select (pool-name))
  #:use-module (tutti base primitives)
  #:use-module (tutti remote object-type)
  #:export (finite-from-zero? check-tolerance check-count check-pool pool-for examine-part raise-fault
            snapshots->list fetch-snapshots fetch-part call-with-scattered list-of-snapshots combination))

(define (finite-from-zero? x)
  "Return true if @var{x} is a real number from 0 that is finite also as an inexact one."
  (and (finite-number? x) (>= x 0)))

(define (check-tolerance who keyword x)
  "Raise an error in the name of @var{who} unless @var{x} is @code{#f} or a finite number from 0."
  (unless (or (not x) (finite-from-zero? x))
    (refuse who "~a: expected a finite number from 0, or #f; got ~s" keyword x)))

(define* (check-count who keyword x #:optional (least 0))
  "Raise an error in the name of @var{who} unless @var{x} is @code{#f} or an exact integer from @var{least}."
  (unless (or (not x) (and (exact-integer? x) (>= x least)))
    (refuse who "~a: expected an exact integer from ~a, or #f; got ~s" keyword least x)))

(define (check-pool who pool)
  "Raise an error in the name of @var{who} unless @var{pool} is one or @code{#f}."
  (unless (or (not pool) (pool? pool))
    (scm-error 'wrong-type-arg (symbol->string who) "#:pool: expected a pool or #f, got ~S" (list pool) (list pool))))

(define (pool-for who pool snapshots)
  "Return the pool to work on: @var{pool}, or where @var{snapshots} are, or the current one, or a serial one."
  (check-pool who pool)
  (when (remote-object? snapshots)
    (check-not-removed snapshots who)
    (unless (remote-object-placed? snapshots)
      (refuse who "the snapshots were pushed, so that every worker has all of them; expected what pool-scatter or pool-keep returned"))
    (unless (or (not pool) (eq? pool (remote-object-pool snapshots)))
      (refuse who "the snapshots are held by the workers of ~a, not by those of #:pool, ~a" (pool-name (remote-object-pool snapshots))
              (pool-name pool))))
  (or pool (and (remote-object? snapshots) (remote-object-pool snapshots)) (current-pool) (make-serial-pool)))

;;; Looking at them, also on a worker, which knows only its own part.

(define (list-of-snapshots x)
  "Return the list of the items of @var{x}, a list or vector; @code{#f} if it is neither."
  (cond ((list? x) x)
        ((vector? x) (vector->list x))
        (else #f)))

(define (fault-of v n)
  "Return what is wrong with @var{v} as a snapshot of @var{n} numbers, a list that can travel, or @code{#f}. Without
@var{n}, any length will do."
  (cond ((not (f64vector? v)) (list 'kind (format #f "~s" v)))
        ((zero? (f64vector-length v)) (list 'empty))
        ((and n (not (= n (f64vector-length v)))) (list 'length n (f64vector-length v)))
        ;; The norm is quick, and finite where all numbers are, unless it is too large itself.
        ((< (f64vector-ref (%vectors-norms (list v) 'euclidean) 0) +inf.0) #f)
        ((%vec-stray v) => (lambda (index) (list 'number index (f64vector-ref v index))))
        (else (list 'size))))

(define* (examine-part part #:optional n)
  "Return what there is to know of the snapshots in @var{part}: a vector of the symbol good, how many there are, and
of how many numbers, @code{#f} without any; or of the symbol bad, the number of the first bad one, and what is wrong
with it. @var{n} is how many numbers each must have. Workers call this."
  (let ((snapshots (list-of-snapshots part)))
    (if (not snapshots)
        (vector 'bad #f (list 'sequence (format #f "~s" part)))
        (let loop ((rest snapshots) (index 0) (n n))
          (if (null? rest)
              (vector 'good index n)
              (let ((fault (fault-of (car rest) n)))
                (if fault
                    (vector 'bad index fault)
                    (loop (cdr rest) (1+ index) (f64vector-length (car rest))))))))))

(define* (raise-fault who what index fault #:optional (where ""))
  "Raise as @var{who} what is wrong with number @var{index} of @var{what}, as @code{examine-part} tells it. @var{where} is the
beginning of a text that says whose number that is."
  (define name (format #f "~a~a ~a (from 0)" where what index))
  (case (car fault)
    ((sequence) (refuse who "~athe ~as: expected a list or vector of f64vectors of one length~a; got ~a" where what
                        ;; A part of snapshots that are on workers already is not a list of snapshots.
                        (if (string-null? where) ", or a remote object for such" "") (cadr fault)))
    ((kind) (refuse who "~a: expected an f64vector, got ~a" name (cadr fault)))
    ((empty) (refuse who "~a has no numbers" name))
    ((length)
     (raise-tutti (make-shape-error (cadr fault) (caddr fault)
                                    (format #f "~a has ~a numbers, those before it have ~a: all must have one length" name (caddr fault)
                                            (cadr fault)))
                  who))
    ((number) (refuse who "~a: number ~a (from 0) is ~a; expected finite numbers" name (cadr fault) (caddr fault)))
    (else (refuse who "~a is too large: the square of its norm is no number" name))))

(define (check-report who what report offset)
  "Return @var{report}, of @code{examine-part}, whose first item is number @var{offset} of all."
  (when (eq? (vector-ref report 0) 'bad)
    (raise-fault who what (+ offset (or (vector-ref report 1) 0)) (vector-ref report 2)))
  report)

(define* (snapshots->list who snapshots #:optional (what "snapshot"))
  "Return the list of @var{snapshots}, at least one, which are here; raise an error in the name of @var{who} if they are none."
  (let ((report (check-report who what (examine-part snapshots) 0)))
    (when (zero? (vector-ref report 1))
      (refuse who "there are no ~as; expected at least one" what))
    (list-of-snapshots snapshots)))

(define (fetch-part part)
  "Return the list of the snapshots in @var{part}. Workers call this."
  (list-of-snapshots part))

(define (examine-parts who pool parts)
  "Return the list of how many snapshots the workers of @var{pool} hold as @var{parts}."
  (let loop ((reports (pool-apply pool examine-part parts)) (offset 0) (n #f) (counts '()))
    (if (null? reports)
        (let ((counts (reverse counts)))
          (when (zero? offset)
            (refuse who "there are no snapshots; expected at least one"))
          counts)
        (let* ((report (check-report who "snapshot" (car reports) offset))
               (count (vector-ref report 1))
               (its-n (vector-ref report 2)))
          (when (and n its-n (not (= n its-n)))
            (raise-fault who "snapshot" offset (list 'length n its-n)))
          (loop (cdr reports) (+ offset count) (or n its-n) (cons count counts))))))

(define (fetch-snapshots who pool snapshots)
  "Return the list of @var{snapshots}, at least one, which are here or, as a remote object, on the workers of
@var{pool}; raise an error in the name of @var{who} if they are none."
  (cond ((remote-object? snapshots)
         (examine-parts who pool snapshots)
         (concatenate (pool-apply pool fetch-part snapshots)))
        (else (snapshots->list who snapshots))))

(define (call-with-scattered who pool snapshots proc)
  "Call @var{proc} with a remote object of @var{pool} for @var{snapshots}, of which each worker holds a part, and the
list of the sizes of these parts. What is made here is removed."
  (define (use parts)
    (proc parts (examine-parts who pool parts)))
  (if (remote-object? snapshots)
      (use snapshots)
      (call-with-remote-object (pool-scatter pool (snapshots->list who snapshots)) use)))

(define (combination factors vectors)
  "Return the sum of the @var{vectors}, a list of at least one, times @var{factors}, a list or f64vector."
  (%vectors-combine (f64vector-length (car vectors)) (if (list? factors) (list->f64vector factors) factors) vectors))
