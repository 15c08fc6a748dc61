;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote objects: what workers hold from one task to the next. The master remembers how each was made, and a worker that takes the place
;; of another gets them back in the same way.
(define-module (tutti remote-object)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti apply)
  #:use-module (tutti pool-type)
  #:use-module (tutti primitives)
  #:use-module (tutti random)
  #:use-module (tutti remote-object-type)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti wire)
  #:re-export (remote-object? remote-object-remove!)
  #:export (pool-push pool-scatter pool-keep pool-fetch call-with-remote-object give-to-workers))

;;; Given: the same for all.

(define (new-storage pool id made? encoded)
  "Return the storage under the number @var{id} for what is in @var{encoded}, pairs of payload and cargo: one for all workers, or one for
each."
  (make-storage (%make-held id made? (map car encoded) (delete-duplicates (append-map (lambda (e) (cargo-held (cdr e))) encoded) eq?)
                            (seconds->microseconds (task-timeout)) (task-retries))
                id))

(define (give-to-workers pool value who)
  "Return a remote object for @var{value}, which is sent once to each worker that needs it; @var{who} names the procedure that is to
blame for what cannot travel. @var{pool} is not serial."
  (let* ((cargo (make-cargo pool))
         (payload (encode-value value who cargo)))
    (make-remote-object pool 'pushed (new-storage pool (%next-held-id) #f (list (cons payload cargo))))))

;; What was pushed to each pool and not been forgotten: a weak set of storages.
(define pushed (make-weak-key-hash-table))

(define (pushed-storages pool)
  (or (hashq-ref pushed pool)
      (let ((storages (make-weak-key-hash-table)))
        (hashq-set! pushed pool storages)
        storages)))

(define (find-equal-storage storages handle)
  (hash-fold (lambda (storage _ found)
               (or found (and (storage-alive? storage) (%held-equal? (storage-handle storage) handle) storage)))
             #f storages))

(define (push-to-workers pool value)
  (let* ((cargo (make-cargo pool))
         (payload (%payload-freeze (encode-value value 'pool-push cargo) #t))
         (new (new-storage pool (%next-held-id) #f (list (cons payload cargo))))
         (storages (pushed-storages pool))
         (known (find-equal-storage storages (storage-handle new))))
    (cond (known (storage-drop! new)
                 (storage-share! known))
          (else (hashq-set! storages new #t)
                new))))

(define* (keep-here pool value who #:key snapshot? placed?)
  "Return the storage for a copy of @var{value} in @var{pool}, which is serial."
  (let ((id (%next-held-id))
        (payload (%payload-freeze (encode-value value who (make-cargo pool #:placed? placed?)) snapshot?)))
    (keep-serial-value! id (call-with-held-objects serial-value keep-serial-value! (lambda () (decode-value payload))))
    (make-storage #f id)))

(define (pool-push pool value)
  "Return a remote object for a copy of @var{value} as it is now, which every worker of @var{pool} holds. Pushing equal contents again sends
nothing."
  (check-open pool 'pool-push)
  (make-remote-object pool 'pushed (if (serial-pool? pool) (keep-here pool value 'pool-push #:snapshot? #t) (push-to-workers pool value))))

;;; Given: to each its part.

(define (part-bounds total parts)
  "Return the list of pairs of the first index and the one behind the last of each of @var{parts} parts of @var{total} items: contiguous, in
order, and of sizes that differ by at most one, the larger ones first."
  (let ((size (quotient total parts))
        (larger (remainder total parts)))
    (define (bound part) (+ (* part size) (min part larger)))
    (map (lambda (part) (cons (bound part) (bound (1+ part)))) (iota parts))))

(define (slice-of-typed vector start end)
  ;; Of a shared vector the slice is the same memory; any other kind of vector is copied.
  (if (shared-vector? vector)
      (vec-slice vector start end)
      (let ((part (make-typed-array (array-type vector) *unspecified* (- end start))))
        (array-copy! (make-shared-array vector (lambda (i) (list (+ i start))) (- end start)) part)
        part)))

(define (sequence-length sequence)
  (cond ((list? sequence) (length sequence))
        ((vector? sequence) (vector-length sequence))
        ((and (array? sequence) (= 1 (array-rank sequence)) (not (string? sequence))) (array-length sequence))
        (else
         (scm-error 'wrong-type-arg "pool-scatter" "expected a list, a vector or a SRFI-4 vector, got ~S" (list sequence)
                    (list sequence)))))

(define (sequence-part sequence bounds)
  (let ((start (car bounds)) (end (cdr bounds)))
    (cond ((list? sequence) (list-head (list-tail sequence start) (- end start)))
          ((vector? sequence) (vector-copy sequence start end))
          (else (slice-of-typed sequence start end)))))

(define (pool-scatter pool sequence)
  "Return a remote object for @var{sequence}, of which each worker of @var{pool} holds a contiguous part, in the order of the workers: of a
list or vector its items, of a SRFI-4 vector a slice, which for a shared one is the same memory. The sizes differ by at most one; there
are empty parts only if there are fewer items than workers."
  (check-open pool 'pool-scatter)
  (let ((parts (map (lambda (bounds) (sequence-part sequence bounds))
                    (part-bounds (sequence-length sequence) (pool-size pool)))))
    (make-remote-object
     pool 'scattered
     (if (serial-pool? pool)
         (keep-here pool (car parts) 'pool-scatter #:placed? #t)
         (new-storage pool (%next-held-id) #f
                      (map (lambda (part)
                             (let ((cargo (make-cargo pool #:placed? #t)))
                               (cons (%payload-freeze (encode-value part 'pool-scatter cargo) #f) cargo)))
                           parts))))))

;;; Made by the workers.

(define (keep-requests pool id proc arguments)
  (let ((stream (next-stream! pool)))
    (requests-by-worker pool 'pool-keep arguments
                        (lambda (arguments) (vector 'keep id proc arguments stream)))))

(define (keep-by-workers pool proc arguments)
  (let* ((id (%next-held-id))
         (encoded (encode-for-workers pool (keep-requests pool id proc arguments) 'pool-keep))
         (object (make-remote-object pool 'kept (new-storage pool id #t encoded))))
    ;; That a worker holds the object is all that these tasks need: so the engine has it made.
    (wait-for-all (submit-to-workers pool (list (vector 'prepare object)) 'pool-keep))
    object))

(define (keep-by-serial pool proc arguments)
  (let ((id (%next-held-id)))
    (wait-for-all (submit-to-workers pool (keep-requests pool id proc arguments) 'pool-keep))
    (make-remote-object pool 'kept (make-storage #f id))))

(define (pool-keep pool proc . arguments)
  "Return a remote object for what @var{proc} returns for @var{arguments} on each worker of @var{pool}, where it stays: anything, also what
could not travel. Arguments are as for @code{pool-apply}. A worker that takes the place of another calls @var{proc} again with the same
arguments, before the next task that needs the object."
  (check-open pool 'pool-keep)
  (check-procedure proc 'pool-keep)
  (if (serial-pool? pool)
      (keep-by-serial pool proc arguments)
      (keep-by-workers pool proc arguments)))

;;; Using them.

(define (pool-fetch object)
  "Return the list of what each worker holds for the remote object @var{object}, by worker index."
  (check-not-removed object 'pool-fetch)
  (let ((pool (remote-object-pool object)))
    (check-open pool 'pool-fetch)
    (wait-for-all (submit-to-workers pool (list (vector 'fetch object)) 'pool-fetch))))

(define (call-with-remote-object object proc)
  "Call @var{proc} with the remote object @var{object} and return its values. The object is removed however @var{proc} is left."
  (check-not-removed object 'call-with-remote-object)
  (dynamic-wind
    (const #t)
    (lambda () (proc object))
    (lambda () (remote-object-remove! object))))
