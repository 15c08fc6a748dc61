;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What an operator holds on the workers of a pool, for itself and for its derivatives, as long as its scope lasts.
(define-module (tutti remote lifetime)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base scope)
  #:use-module (tutti conditions)
  #:use-module (tutti pool type)
  #:use-module (tutti remote object-type)
  #:export (make-lifetime lifetime-add! check-lifetime))

;; OBJECTS is a weak set of remote objects: the state of a derivative may go before the operator.
(define-record-type <lifetime>
  (make-lifetime-record name pool manager objects left?)
  lifetime?
  (name lifetime-name)
  (pool lifetime-pool)
  (manager lifetime-manager)
  (objects lifetime-objects)
  (left? lifetime-left? set-lifetime-left!))

(define (make-lifetime name pool)
  "Return a new lifetime of the operator @var{name} in @var{pool}, which belongs to the current scope if there is one. It lasts as long as
somebody refers to it, but not longer than the scope."
  (let* ((manager (current-manager))
         (lifetime (make-lifetime-record name pool manager (make-weak-key-hash-table) #f)))
    (if manager
        (adopt! lifetime 'operator close-lifetime!)
        lifetime)))

(define (close-lifetime! lifetime)
  (for-each remote-object-remove!
            (call-exclusively
             (lambda ()
               (let ((objects (hash-map->list (lambda (object _) object) (lifetime-objects lifetime))))
                 (set-lifetime-left! lifetime #t)
                 (hash-clear! (lifetime-objects lifetime))
                 objects)))))

(define (lifetime-add! lifetime object)
  "Let the remote object @var{object} be one of @var{lifetime}, and return it. If the scope was left meanwhile, remove it instead and raise
@code{&pool-closed}."
  (unless (call-exclusively
           (lambda ()
             (and (not (lifetime-left? lifetime))
                  (hashq-set! (lifetime-objects lifetime) object #t)
                  #t)))
    (remote-object-remove! object)
    (check-lifetime lifetime))
  object)

(define (check-lifetime lifetime)
  "Raise a @code{&pool-closed} that names the operator of @var{lifetime} if its scope was left, or if its pool was closed."
  (define (refuse text . arguments)
    (raise-tutti (make-pool-closed (lifetime-pool lifetime)
                                   (format #f "~a cannot be used any more: ~?" (lifetime-name lifetime) text arguments))))
  (cond ((lifetime-left? lifetime)
         (refuse "the scope that it was made in (~a) was left; use it inside, or make it outside of that scope"
                 (manager->string (lifetime-manager lifetime))))
        ((pool-closed? (lifetime-pool lifetime))
         (refuse "its pool, ~a, is closed; make the operator again with a pool that is open" (lifetime-pool lifetime)))))
