;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote objects: what workers hold from one task to the next. The master remembers how each was made, and a worker that takes the place
;; of another gets them back in the same way.
(define-module (tutti remote object)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti base seconds)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti random)
  #:use-module (tutti remote object-type)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti worker wire)
  #:re-export (remote-object? remote-object-remove!)
  #:export (pool-push pool-scatter pool-keep pool-fetch call-with-remote-object give-to-workers keep-answering set-up-workers! part-bounds))

;;; Pushed: the same for all.

(define (new-storage pool id made? encoded)
  "Return the storage under the number @var{id} for what is in @var{encoded}, pairs of payload and cargo: one for all workers, or one for
each."
  (make-storage (%make-held id made? (map car encoded) (delete-duplicates (append-map (lambda (e) (cargo-held (cdr e))) encoded) eq?)
                            (seconds->microseconds (task-timeout)) (task-retries))
                id))

(define (give-to-workers pool value who)
  "Return a remote object for @var{value}, which is sent once to each worker that needs it; @var{who} names the procedure that is to
blame for what cannot travel."
  (make-remote-object
   pool 'pushed
   (if (serial-pool? pool)
       (keep-here pool value who)
       (let* ((cargo (make-cargo pool))
              (payload (%payload-freeze (encode-value value who cargo) #f #t)))
         (new-storage pool (%next-held-id) #f (list (cons payload cargo)))))))

;; What was pushed to each pool and not been forgotten: a pair of two weak tables. The second finds by the hash of the contents the weak
;; set of those storages that have it; the first, from storage to set, keeps a set alive as long as there is a storage in it.
(define pushed (make-weak-key-hash-table))
(define pushed-lock (make-shared-mutex))

(define (pushed-storages pool)
  (or (hashq-ref pushed pool)
      (let ((tables (cons (make-weak-key-hash-table) (make-weak-value-hash-table))))
        (hashq-set! pushed pool tables)
        tables)))

(define (find-equal-storage set handle)
  "Return the storage in @var{set} whose contents are those of @var{handle}, with one more remote object that stands for it; or
@code{#f}."
  ;; Alike by their hash they are rarely different.
  (hash-fold (lambda (storage _ found)
               (or found
                   (and (storage-share! storage)
                        (if (%held-equal? (storage-handle storage) handle)
                            storage
                            (begin (storage-drop! storage) #f)))))
             #f set))

(define (find-or-note-storage! pool new)
  "Return a storage in @var{pool} that has the contents of @var{new}: another one, or @var{new}, which is noted."
  (let* ((handle (storage-handle new))
         (hash (%held-hash handle)))
    (with-mutex pushed-lock
      (let* ((tables (pushed-storages pool))
             (set (or (hashv-ref (cdr tables) hash)
                      (let ((set (make-weak-key-hash-table)))
                        (hashv-set! (cdr tables) hash set)
                        set))))
        (or (find-equal-storage set handle)
            (begin
              (hashq-set! set new #t)
              (hashq-set! (car tables) new set)
              new))))))

(define (push-to-workers pool value)
  (let* ((cargo (make-cargo pool))
         (payload (%payload-freeze (encode-value value 'pool-push cargo) #t #t))
         (new (new-storage pool (%next-held-id) #f (list (cons payload cargo))))
         (storage (find-or-note-storage! pool new)))
    (unless (eq? storage new)
      (storage-drop! new))
    storage))

(define* (keep-here pool value who #:key snapshot? fits?)
  "Return the storage for a copy of @var{value} in @var{pool}, which is serial."
  (let ((id (%next-held-id))
        (payload (%payload-freeze (encode-value value who (make-cargo pool #:fits? fits?)) snapshot? #t)))
    (hold-serial-value! id (lambda ()
                             (call-with-held-objects serial-value keep-serial-value! (lambda () (decode-held-value payload)))))
    (make-storage #f id)))

(define (pool-push pool value)
  "Return a remote object for a copy of @var{value} as it is now, which every worker of @var{pool} holds. Pushing equal contents again
sends nothing."
  (check-open pool 'pool-push)
  (make-remote-object pool 'pushed (if (serial-pool? pool) (keep-here pool value 'pool-push #:snapshot? #t) (push-to-workers pool value))))

;;; Scattered: to each worker its part.

(define (part-bounds total parts)
  "Return the list of pairs of the first index and the one behind the last of each of @var{parts} parts of @var{total} items:
contiguous, in order, and of sizes that differ by at most one, the larger ones first."
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
         (scm-error 'wrong-type-arg "pool-scatter" "expected a list, a vector or an SRFI-4 vector, got ~S" (list sequence)
                    (list sequence)))))

(define (sequence-part sequence bounds)
  (let ((start (car bounds)) (end (cdr bounds)))
    (cond ((list? sequence) (list-head (list-tail sequence start) (- end start)))
          ((vector? sequence) (vector-copy sequence start end))
          (else (slice-of-typed sequence start end)))))

(define (pool-scatter pool sequence)
  "Return a remote object for @var{sequence}, of which each worker of @var{pool} holds a contiguous part, in the order of the workers:
of a list or vector its items, of an SRFI-4 vector a slice, which for a shared one is the same memory. The sizes differ by at most one;
there are empty parts only if there are fewer items than workers. If the pool grows or shrinks later, the parts stay as they are."
  (check-open pool 'pool-scatter)
  (let* ((places (pool-size pool))
         (fits? (lambda (parts) (= parts places)))
         (parts (map (lambda (bounds) (sequence-part sequence bounds))
                     (part-bounds (sequence-length sequence) places))))
    (make-remote-object
     pool 'scattered
     (if (serial-pool? pool)
         (keep-here pool (car parts) 'pool-scatter #:fits? fits?)
         (new-storage pool (%next-held-id) #f
                      (map (lambda (part)
                             (let ((cargo (make-cargo pool #:fits? fits?)))
                               (cons (%payload-freeze (encode-value part 'pool-scatter cargo) #f #t) cargo)))
                           parts)))
     places)))

;;; Made by the workers.

(define (keep-here-and-there pool workers request proc arguments)
  "Let the first @var{workers} workers of @var{pool}, or in their places others, run the request of the kind @var{request}, which keeps
something; return two values: the remote object and the list of answers."
  (let* ((id (%next-held-id))
         (stream (next-stream! pool))
         (requests (requests-by-worker pool 'pool-keep arguments workers
                                       (lambda (arguments) (vector request id proc arguments stream))))
         ;; It may be made again much later: from what the arguments are now.
         (encoded (map (match-lambda ((payload . cargo) (cons (%payload-freeze payload #t #f) cargo)))
                       (encode-for-workers pool requests workers 'pool-keep #:settled? #t)))
         (storage (if (serial-pool? pool) (make-storage #f id) (new-storage pool id #t encoded)))
         (answers (wait-for-all (submit-encoded pool encoded 'pool-keep #:workers workers #:makes (storage-handle storage)
                                                #:procedure proc))))
    ;; What is made from the same is for any number of workers: those that come later make it as well.
    (values (make-remote-object pool 'kept storage
                                (if (any per-worker? arguments) workers (any (lambda (pair) (cargo-places (cdr pair))) encoded)))
            answers)))

(define (keep-answering pool workers proc . arguments)
  "Call @var{proc} with @var{arguments} on the first @var{workers} workers of @var{pool}. It returns a pair of what stays there
and an answer. Return two values: the remote object and the list of answers by worker. Vectors among the arguments are taken as
they are now."
  (keep-here-and-there pool workers 'keep-answering proc arguments))

(define (set-up-workers! pool thunk)
  "Call @var{thunk} on each worker of @var{pool}, and on each that takes the place of another before its first task. What it changes of
the process belongs to the state with which tasks begin."
  (call-with-values (lambda () (keep-here-and-there pool (pool-size pool) 'setup thunk '()))
    (lambda (object answers)
      (unless (serial-pool? pool)
        (%pool-set-setup! (pool-handle pool) (storage-handle (remote-object-storage object)))))))

(define (pool-keep pool proc . arguments)
  "Return a remote object for what @var{proc} returns for @var{arguments} on each worker of @var{pool}, where it stays: anything, also
what could not travel. Arguments are as for @code{pool-apply}. A worker that takes the place of another calls @var{proc} again with the
same arguments, before the next task that needs the object."
  (check-open pool 'pool-keep)
  (check-procedure proc 'pool-keep)
  (call-with-values (lambda () (keep-here-and-there pool (places-for pool arguments 'pool-keep) 'keep proc arguments))
    (lambda (object answers) object)))

;;; Using them.

(define (pool-fetch object)
  "Return the list of what each worker holds for the remote object @var{object}, by worker index. Of one in parts it is the list of all
parts, also if the pool has grown or shrunk since it was made."
  (check-not-removed object 'pool-fetch)
  (let ((pool (remote-object-pool object)))
    (check-open pool 'pool-fetch)
    (let* ((workers (places-for pool (list object) 'pool-fetch))
           (encoded (encode-for-workers pool (list (vector 'fetch object)) workers 'pool-fetch)))
      (wait-for-all (submit-encoded pool encoded 'pool-fetch #:workers workers)))))

(define (call-with-remote-object object proc)
  "Call @var{proc} with the remote object @var{object} and return its values. The object is removed however @var{proc} is left."
  (check-not-removed object 'call-with-remote-object)
  (dynamic-wind
    (const #t)
    (lambda () (proc object))
    (lambda () (remote-object-remove! object))))
