;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote objects: values that workers hold, under a number.
(define-module (tutti remote object-type)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool type)
  #:use-module (tutti remote holder)
  #:export (make-storage storage-handle storage-alive? storage-share! storage-drop!
            hold-serial-value! keep-serial-value! serial-value
            make-remote-object remote-object? remote-object-pool remote-object-kind remote-object-storage remote-object-places
            remote-object-id remote-object-placed? remote-object-remove! check-not-removed))

;; What workers hold: HANDLE is the engine's object, #f in a serial pool; COUNT is the number of remote objects that stand for it.
(define-record-type <storage>
  (%make-storage handle id count)
  storage?
  (handle storage-handle)
  (id storage-id)
  (count storage-count set-storage-count!))

;; What serial pools hold, by number. What stands for it may be forgotten without being removed. Nothing is protected by a fault here: that
;; would end the user's program.
(define serial-holder (make-holder (make-hash-table) #t))
(define forgotten (make-guardian))

;; Held around every use of SERIAL-HOLDER and of the counts of storages: threads may share them, and Guile's tables know no threads. One
;; held value may have others in it.
(define lock (make-shared-mutex 'recursive))

(define (drop-forgotten!)
  (let ((storage (forgotten)))
    (when storage
      (drop! serial-holder (storage-id storage))
      (drop-forgotten!))))

(define (hold-serial-value! id decode)
  "Let serial pools hold what @var{decode} returns under the number @var{id}."
  (with-mutex lock
    (drop-forgotten!)
    (hold! serial-holder id decode)))

(define (keep-serial-value! id value)
  "Let serial pools hold @var{value}, which a task has made, under the number @var{id}."
  (with-mutex lock
    (drop-forgotten!)
    (keep! serial-holder id value)))

(define (serial-value id)
  "Return what serial pools hold under the number @var{id}, for one task."
  (with-mutex lock
    (use-held! serial-holder id)))

(define (make-storage handle id)
  "Return the storage with the number @var{id} of @var{handle}, the engine's object, which is @code{#f} in a serial pool."
  (let ((storage (%make-storage handle id 1)))
    (unless handle (forgotten storage))
    storage))

(define (storage-alive? storage)
  "Return true unless workers were told to forget @var{storage}."
  (positive? (storage-count storage)))

(define (storage-share! storage)
  "Let one more remote object stand for @var{storage}, and return it; or return @code{#f} if workers were told to forget it."
  (with-mutex lock
    (and (storage-alive? storage)
         (begin
           (set-storage-count! storage (1+ (storage-count storage)))
           storage))))

(define (storage-drop! storage)
  "Let one remote object less stand for @var{storage}; with the last, workers forget it."
  (with-mutex lock
    (set-storage-count! storage (1- (storage-count storage)))
    (when (zero? (storage-count storage))
      (if (storage-handle storage)
          (%held-release! (storage-handle storage))
          (drop! serial-holder (storage-id storage))))))

;; KIND is pushed, scattered or kept. PLACES is the number of parts, #f if any number of workers can have it: then there is a part for each
;; worker that the pool had when it was made, and workers that come to have the place of another have that one's parts.
(define-record-type <remote-object>
  (%make-remote-object pool kind storage places removed?)
  remote-object?
  (pool remote-object-pool)
  (kind remote-object-kind)
  (storage remote-object-storage)
  (places remote-object-places)
  (removed? remote-object-removed? set-remote-object-removed!))

(set-object-property! remote-object? 'documentation "Return true if the argument stands for something that workers hold.")

(set-object-property! remote-object-places 'documentation
                      "Return the number of parts of a remote object, or @code{#f} if any number of workers can have it.")

(define* (make-remote-object pool kind storage #:optional places)
  "Return the remote object of @var{kind} that stands for @var{storage} in @var{pool}: in as many parts as @var{places} says, or, if that is
@code{#f}, for any number of workers."
  (%make-remote-object pool kind storage places #f))

(define (remote-object-id object)
  "Return the number of @var{object}, by which messages name it."
  (storage-id (remote-object-storage object)))

(set-record-type-printer! <remote-object>
  (lambda (object port)
    (format port "#<remote object ~a, ~a in ~a~a>" (remote-object-id object) (remote-object-kind object)
            (pool-name (remote-object-pool object)) (if (remote-object-removed? object) ", removed" ""))))

(define (remote-object-placed? object)
  "Return true if workers may hold different things for @var{object}."
  (not (eq? (remote-object-kind object) 'pushed)))

(define (check-remote-object object who)
  (unless (remote-object? object)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a remote object, got ~S" (list object) (list object))))

(define (check-not-removed object who)
  "Raise a @code{&removed} in the name of @var{who} if @var{object} was removed, and complain if it is no remote object."
  (check-remote-object object who)
  (when (remote-object-removed? object)
    (raise-tutti (make-removed object) who)))

(define (remote-object-remove! object)
  "Let the workers forget @var{object}; tasks that were submitted before still have it. Its use is an error from now on, but for removing
it again."
  (check-remote-object object 'remote-object-remove!)
  (when (with-mutex lock
          (and (not (remote-object-removed? object))
               (begin
                 (set-remote-object-removed! object #t)
                 #t)))
    (storage-drop! (remote-object-storage object))))
