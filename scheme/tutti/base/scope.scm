;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A list of the pools and operators that are open, in the order in which they were opened, each with its scope. The list keeps nothing
;; alive: an object without references cannot be used, and is closed when it is collected, in a scope or not. So the list of a long
;; scope does not grow.
(define-module (tutti base scope)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base lock)
  #:use-module (tutti base session)
  #:use-module (tutti conditions)
  #:export (current-manager execution-manager? manager->string open-manager! close-manager!
            check-scope call-exclusively adopt! disown! adopted close-things!))

(define-record-type <execution-manager>
  (make-manager number closed?)
  execution-manager?
  (number manager-number)
  (closed? manager-closed? set-manager-closed!))

(set-object-property! execution-manager? 'documentation "Return true if the argument is an execution manager.")

(define current-manager (make-parameter #f))
(set-object-property! current-manager 'documentation
                      "The execution manager of the innermost scope, @code{#f} outside of all scopes: a parameter.")

;; Of something that is open: NUMBER counts up, KIND is manager, pool or operator, MANAGER is that of its scope, #f for none, SESSION that
;; in which it was made, and CLOSE! is called with the thing. It must not refer to the thing itself.
(define-record-type <listing>
  (make-listing number kind session manager close!)
  listing?
  (number listing-number)
  (kind listing-kind)
  (session listing-session)
  (manager listing-manager)
  (close! listing-close!))

(define listings (make-weak-key-hash-table))
(define last-number 0)
(define mutex (make-shared-mutex))

(define (call-exclusively thunk)
  "Call @var{thunk}, which must be short, while no other thread is in such a call, and return its value."
  ;; A handler of a signal may use pools as well, or leave for good.
  (call-with-blocked-asyncs
   (lambda () (with-mutex mutex (thunk)))))

(define (next-number!)
  (set! last-number (1+ last-number))
  last-number)

;;; Making.

(define* (refuse-closed manager #:optional who)
  (raise-tutti (make-tutti-error
                (format #f "~a is closed, and nothing can be made in its scope any more; make it before, or outside of that scope"
                        (manager->string manager)))
               who))

(define* (check-scope #:optional who)
  "Raise an error in the name of @var{who} if the current execution manager is closed."
  (let ((manager (current-manager)))
    (when (and manager (manager-closed? manager))
      (refuse-closed manager who))))

(define (adopt! thing kind close!)
  "List @var{thing}, which is open and of @var{kind}, as one of the current scope, and return it. The procedure @var{close!} is called
with it in the end; at once, and an error raised, if another thread has closed the scope."
  (let* ((manager (current-manager))
         (listed? (call-exclusively
                   (lambda ()
                     (and (not (and manager (manager-closed? manager)))
                          (hashq-set! listings thing (make-listing (next-number!) kind (current-session) manager close!))
                          #t)))))
    (unless listed?
      (close! thing)
      (refuse-closed manager))
    thing))

(define (disown! thing)
  "Forget @var{thing}, which was closed."
  (call-exclusively (lambda () (hashq-remove! listings thing))))

;;; Looking.

(define any-manager (list 'any))

(define (listed kinds manager)
  "Return the pairs of thing and listing for what is of one of @var{kinds} and in the scope of @var{manager}, of the current session, newest
first."
  (sort (filter (match-lambda
                  ((_ . listing)
                   (and (memq (listing-kind listing) kinds)
                        (if (eq? manager any-manager)
                            (eq? (current-session) (listing-session listing))
                            (eq? manager (listing-manager listing))))))
                (call-exclusively (lambda () (hash-map->list cons listings))))
        (lambda (a b) (> (listing-number (cdr a)) (listing-number (cdr b))))))

(define* (adopted kind #:optional (manager any-manager))
  "Return the list of the open objects of @var{kind}, in the scope of @var{manager} or in any of the current session, newest first."
  (map car (listed (list kind) manager)))

(define (manager->string manager)
  "Return the name of @var{manager} for messages."
  (format #f "execution manager ~a" (manager-number manager)))

(set-record-type-printer! <execution-manager>
  (lambda (manager port)
    (define (count-of kind) (length (adopted kind manager)))
    (format port "#<~a: ~a>" (manager->string manager)
            (if (manager-closed? manager)
                "closed"
                (format #f "~a pool~:p, ~a parallel operator~:p" (count-of 'pool) (count-of 'operator))))))

;;; Closing.

(define (graver one other)
  ;; The first error counts; but that somebody wants to end the program counts more.
  (define (mere-error? x)
    (and (error? x) (not (interruption? x))))
  (cond ((not one) other)
        ((and other (mere-error? one) (not (mere-error? other))) other)
        (else one)))

(define (close-listed! things)
  (fold (match-lambda*
          (((thing . listing) problem)
           (graver problem
                   (with-exception-handler identity
                     (lambda ()
                       ((listing-close! listing) thing)
                       (disown! thing)
                       #f)
                     #:unwind? #t))))
        #f things))

(define (close-things! kind)
  "Close everything of @var{kind} in the current session, newest first, whatever closing one of them raises. Return the first exception, or
@code{#f}."
  (close-listed! (listed (list kind) any-manager)))

(define last-manager-number 0)

(define (open-manager!)
  "Return a new execution manager for a scope inside of the current one."
  (check-scope 'call-with-execution-manager)
  (adopt! (make-manager (call-exclusively (lambda ()
                                            (set! last-manager-number (1+ last-manager-number))
                                            last-manager-number))
                        #f)
          'manager
          (lambda (manager) (and=> (close-manager! manager) raise-exception))))

(define (close-manager! manager)
  "Close what is in the scope of @var{manager}, and let nothing more be made in it: first the scopes inside, then the rest, newest first,
whatever closing one of them raises. Return the first exception, or @code{#f}."
  (call-exclusively (lambda () (set-manager-closed! manager #t)))
  (let* ((inner (close-listed! (listed '(manager) manager)))
         (problem (graver inner (close-listed! (listed '(operator pool) manager)))))
    (unless problem (disown! manager))
    problem))
