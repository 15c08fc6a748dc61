;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The place of the members of a meta-simulation: this process, or the workers of a pool, which hold them. Calls of the members, and the
;; use of the results, are the same for both.
(define-module (tutti simulation member-workers)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base scope)
  #:use-module (tutti operator check)
  #:use-module (tutti operator parallel)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti remote lifetime)
  #:use-module (tutti remote object)
  #:use-module (tutti simulation member)
  #:use-module (tutti sum)
  #:export (make-members members-pool members-call members-sum members-keep members-release!))

;; HELD is a list, or a remote object on the first WORKERS workers of POOL, #f for here. LIFETIME is what the pool of the
;; simulation, also a serial one, has of it as long as its scope lasts; #f without a pool.
(define-record-type <members>
  (%make-members pool workers size held lifetime)
  members?
  (pool members-pool)
  (workers members-workers)
  (size members-size)
  (held members-held)
  (lifetime members-lifetime))

(set-object-property! members-pool 'documentation
                      "Return the pool whose workers hold the members, @code{#f} if they are in this process.")

(define (deal-pairs simulations mappings repeated? workers)
  "Return the list of pairs of simulations and mappings for @code{build-members}, by worker: neighbours are on one. If @var{repeated?} the
one simulation goes to each worker once."
  (map (lambda (mine)
         (cons (if repeated?
                   (list (cons 0 (car simulations)))
                   (map (lambda (i) (cons i (list-ref simulations i))) mine))
               (map (lambda (i) (list i (if repeated? 0 i) (list-ref mappings i))) mine)))
       (deal (length mappings) workers)))

(define (build-here pool name simulations mappings repeated?)
  (match (deal-pairs simulations mappings repeated? 1)
    (((simulations . mappings))
     (match (build-members simulations mappings repeated? (operator-checks))
       ((held . summaries)
        (values (%make-members #f 0 (length summaries) held (and pool (make-lifetime name pool)))
                (map cdr summaries)))))))

(define (build-there pool name simulations mappings repeated?)
  (let* ((size (length mappings))
         (workers (min (pool-size pool) size))
         (dealt (deal-pairs simulations mappings repeated? workers)))
    (call-with-values
        (lambda ()
          (keep-answering pool workers build-members (per-worker (map car dealt)) (per-worker (map cdr dealt)) repeated?
                          (operator-checks)))
      (lambda (held answers)
        (let ((lifetime (make-lifetime name pool)))
          (values (%make-members pool workers size (lifetime-add! lifetime held) lifetime) (in-order size answers)))))))

(define (make-members pool name simulations mappings repeated?)
  "Return two values: the members for the specs @var{simulations} and @var{mappings}, held by workers of
@var{pool} as long as the current scope lasts, or here if that is @code{#f} or serial; and the list of their summaries.
If @var{repeated?}, the first simulation serves all mappings. @var{name} is that of the simulation, for messages."
  (when pool (check-scope))
  (if (or (not pool) (serial-pool? pool))
      (build-here pool name simulations mappings repeated?)
      (build-there pool name simulations mappings repeated?)))

(define (check-members members)
  (and=> (members-lifetime members) check-lifetime))

(define (members-apply members proc . arguments)
  (in-order (members-size members) (apply apply-on-workers (members-pool members) (members-workers members) proc arguments)))

(define (members-call members proc . arguments)
  "Call @var{proc} with what @var{members} hold and @var{arguments}, where they are. It returns pairs of number and value;
return the list of values by number."
  (check-members members)
  (if (members-pool members)
      (apply members-apply members proc (members-held members) arguments)
      (map cdr (apply proc (members-held members) arguments))))

(define (members-sum members proc . arguments)
  "Like @code{members-call}, but the values are vectors; return their sum."
  (check-members members)
  (if (members-pool members)
      (apply call-members-and-sum (members-pool members) (members-workers members) (members-size members) proc (members-held members)
             arguments)
      (sum-vectors #f (apply members-call members proc arguments))))

(define (members-with members held)
  (%make-members (members-pool members) (members-workers members) (members-size members) held (members-lifetime members)))

(define (members-keep members proc . arguments)
  "Return the members that hold what @var{proc} returns for what @var{members} hold and @var{arguments}, in the first of a pair, where
@var{members} are."
  (check-members members)
  (if (members-pool members)
      (call-with-values
          (lambda () (apply keep-answering (members-pool members) (members-workers members) proc (members-held members) arguments))
        (lambda (held answers) (members-with members (lifetime-add! (members-lifetime members) held))))
      (members-with members (car (apply proc (members-held members) arguments)))))

(define (members-release! members)
  "Make the workers forget what @var{members}, whose members are states, hold."
  (if (members-pool members)
      (remote-object-remove! (members-held members))
      (release-states (members-held members))))
