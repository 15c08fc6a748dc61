;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where the members of a meta-simulation are: here, or held by the workers of a pool. What they are asked, and what is
;; made of the answers, is the same for both.
(define-module (tutti simulation member-workers)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base scope)
  #:use-module (tutti gather)
  #:use-module (tutti operator check)
  #:use-module (tutti operator parallel)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti remote lifetime)
  #:use-module (tutti remote object)
  #:use-module (tutti simulation member)
  #:export (make-crew crew-pool crew-call crew-call-to-sum crew-keep crew-release!))

;; HELD is a list, or a remote object on the first WORKERS workers of POOL, #f for here. HOLDING is what the pool of the
;; simulation, also a serial one, has of it as long as its scope lasts; #f without a pool.
(define-record-type <crew>
  (%make-crew pool workers size held holding)
  crew?
  (pool crew-pool)
  (workers crew-workers)
  (size crew-size)
  (held crew-held)
  (holding crew-holding))

(set-object-property! crew-pool 'documentation
                      "Return the pool whose workers hold the members of a crew, @code{#f} if they are here.")

(define (deal simulations mappings repeated? workers)
  "Return the list of pairs of simulations and mappings for @code{build-members}, by worker: member i is for worker i
modulo @var{workers}. If @var{repeated?} the one simulation goes to each worker once."
  (map (lambda (worker)
         (let ((mine (filter (lambda (i) (= worker (modulo i workers))) (iota (length mappings)))))
           (cons (if repeated?
                     (list (cons 0 (car simulations)))
                     (map (lambda (i) (cons i (list-ref simulations i))) mine))
                 (map (lambda (i) (list i (if repeated? 0 i) (list-ref mappings i))) mine))))
       (iota workers)))

(define (per-worker-padded pool items)
  (per-worker (append items (make-list (- (pool-size pool) (length items)) '()))))

(define (build-here pool name simulations mappings repeated?)
  (match (deal simulations mappings repeated? 1)
    (((simulations . mappings))
     (match (build-members simulations mappings repeated? (operator-checks))
       ((held . summaries)
        (values (%make-crew #f 0 (length summaries) held (and pool (make-holding name pool)))
                (map cdr summaries)))))))

(define (build-there pool name simulations mappings repeated?)
  (let* ((size (length mappings))
         (workers (min (pool-size pool) size))
         (dealt (deal simulations mappings repeated? workers)))
    (call-with-values
        (lambda ()
          (keep-answering pool workers build-members (per-worker-padded pool (map car dealt))
                          (per-worker-padded pool (map cdr dealt)) repeated? (operator-checks)))
      (lambda (held answers)
        (let ((holding (make-holding name pool)))
          (values (%make-crew pool workers size (holding-add! holding held) holding) (in-order size answers)))))))

(define (make-crew pool name simulations mappings repeated?)
  "Return two values: the crew of the members for the specs @var{simulations} and @var{mappings}, held by workers of
@var{pool} as long as the current scope lasts, or here if that is @code{#f} or serial; and the list of their summaries.
If @var{repeated?}, the first simulation serves all mappings. @var{name} is that of the simulation, for messages."
  (when pool (check-scope))
  (if (or (not pool) (serial-pool? pool))
      (build-here pool name simulations mappings repeated?)
      (build-there pool name simulations mappings repeated?)))

(define (check-crew crew)
  (and=> (crew-holding crew) check-holding))

(define (crew-apply crew proc . arguments)
  (in-order (crew-size crew) (apply apply-on-workers (crew-pool crew) (crew-workers crew) proc arguments)))

(define (crew-call crew proc . arguments)
  "Call @var{proc} with what @var{crew} holds and @var{arguments}, where that is. It returns pairs of number and value;
return the list of values by number."
  (check-crew crew)
  (if (crew-pool crew)
      (apply crew-apply crew proc (crew-held crew) arguments)
      (map cdr (apply proc (crew-held crew) arguments))))

(define (crew-call-to-sum crew proc . arguments)
  "Like @code{crew-call}, for vectors that are then added by @code{sum-vectors}."
  (cond ((crew-pool crew)
         (check-crew crew)
         (apply crew-apply crew call-members-to-sum proc (crew-held crew) arguments))
        (else (apply crew-call crew proc arguments))))

(define (crew-with crew held)
  (%make-crew (crew-pool crew) (crew-workers crew) (crew-size crew) held (crew-holding crew)))

(define (crew-keep crew proc . arguments)
  "Return a crew of what @var{proc} returns for what @var{crew} holds and @var{arguments}, in the first of a pair, where
that is."
  (check-crew crew)
  (if (crew-pool crew)
      (call-with-values
          (lambda () (apply keep-answering (crew-pool crew) (crew-workers crew) proc (crew-held crew) arguments))
        (lambda (held answers) (crew-with crew (holding-add! (crew-holding crew) held))))
      (crew-with crew (car (apply proc (crew-held crew) arguments)))))

(define (crew-release! crew)
  "Let workers forget what @var{crew}, one of states, holds."
  (if (crew-pool crew)
      (remote-object-remove! (crew-held crew))
      (release-states (crew-held crew))))
