;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What an operator holds on the workers of a pool, for itself and for its derivatives, as long as its scope lasts.
(define-module (tutti remote lifetime)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base scope)
  #:use-module (tutti conditions)
  #:use-module (tutti pool type)
  #:use-module (tutti remote object-type)
  #:export (make-holding holding-add! check-holding))

;; OBJECTS is a weak set of remote objects: the state of a derivative may go before the operator.
(define-record-type <holding>
  (make-holding-record name pool manager objects left?)
  holding?
  (name holding-name)
  (pool holding-pool)
  (manager holding-manager)
  (objects holding-objects)
  (left? holding-left? set-holding-left!))

(define (make-holding name pool)
  "Return a new holding of the operator @var{name} in @var{pool}, which belongs to the current scope if there is one. It lasts as long as
somebody refers to it, but not longer than the scope."
  (let* ((manager (current-manager))
         (holding (make-holding-record name pool manager (make-weak-key-hash-table) #f)))
    (if manager
        (adopt! holding 'operator close-holding!)
        holding)))

(define (close-holding! holding)
  (for-each remote-object-remove!
            (call-exclusively
             (lambda ()
               (let ((objects (hash-map->list (lambda (object _) object) (holding-objects holding))))
                 (set-holding-left! holding #t)
                 (hash-clear! (holding-objects holding))
                 objects)))))

(define (holding-add! holding object)
  "Let the remote object @var{object} be one of @var{holding}, and return it. If the scope was left meanwhile, remove it instead and raise
@code{&pool-closed}."
  (unless (call-exclusively
           (lambda ()
             (and (not (holding-left? holding))
                  (hashq-set! (holding-objects holding) object #t)
                  #t)))
    (remote-object-remove! object)
    (check-holding holding))
  object)

(define (check-holding holding)
  "Raise a @code{&pool-closed} that names the operator of @var{holding} if its scope was left, or if its pool was closed."
  (define (refuse text . arguments)
    (raise-tutti (make-pool-closed (holding-pool holding)
                                   (format #f "~a cannot be used any more: ~?" (holding-name holding) text arguments))))
  (cond ((holding-left? holding)
         (refuse "the scope that it was made in (~a) was left; use it inside, or make it outside of that scope"
                 (manager->string (holding-manager holding))))
        ((pool-closed? (holding-pool holding))
         (refuse "its pool, ~a, is closed" (holding-pool holding)))))
