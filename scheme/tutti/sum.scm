;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The sum of the results of all workers. Sums are of numbered items, by a fixed tree (engine/module/tree-sum.h). So whoever has all items
;; of a node can add them, and a worker that has many items returns few vectors; the bits are the same wherever it is done.
;;
;; The vectors of workers on one node elsewhere stay there at first, if they are large. Where a vector was left is its home, and only tasks
;; of workers there can be given it: these add what is there, each a part, and write the sum into memory here. So one vector comes, and not
;; one from each worker. What is lost meanwhile with its home is done again, and comes at once.
(define-module (tutti sum)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-26)
  #:use-module (ice-9 match)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti gather)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool tree)
  #:use-module (tutti pool type)
  #:use-module (tutti random)
  #:use-module (tutti sum-rounds)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti worker answer)
  #:export (pool-sum sum-vectors sum-nodes sum-part call-to-sum call-leaving call-members-to-sum call-members-leaving call-members-and-sum))

;; Below this, a sum is done before a worker is awake.
(define least-bytes-to-sum (* 512 1024))

;; Below this, all vectors of a node elsewhere are here before its workers have been asked to add them.
(define least-bytes-to-leave (* 512 1024))

;; What workers elsewhere have added comes in such parts, while they add the next ones.
(define bytes-at-once (* 4 1024 1024))

;;; On a worker.

(define (sum-part part start vectors ends)
  "Write to the vector @var{part}, a slice of a destination, as many numbers as it has of the sum of @var{vectors}, from number @var{start}
of these on. @var{ends} are as for @code{sum-nodes}."
  (dynamic-wind
    (const #t)
    (lambda () (%vec-sum! part 0 vectors start ends (vector-numbers part)))
    (lambda () (for-each %vector-release! (cons part vectors))))
  #t)

(define (new-vector kind n shared?)
  "Return a new vector of @var{n} numbers, which are to be written."
  (cond (shared? (%make-shared-to-fill kind n))
        ((eq? kind 'c64) (make-c64vector n))
        (else (make-f64vector n))))

;; Vectors that several workers add have to be in memory that all can see: workers make the copies, in parallel, and not the master.
(define (to-be-summed value)
  (if (and (vector-kind value)
           (>= (* (vector-numbers value) (number-bytes (vector-kind value))) least-bytes-to-sum)
           (not (shared-vector? value)))
      (let ((copy (vector->shared value)))
        (release-after-answer! copy)
        copy)
      value))

(define (call-to-sum proc . arguments)
  "Return the value of @var{proc} for @var{arguments}; shared, if it is a large vector."
  (to-be-summed (apply proc arguments)))

(define (alike? vectors)
  "Return true if @var{vectors} are vectors of one kind and length."
  (and (vector-kind (car vectors))
       (every (lambda (v)
                (and (eq? (vector-kind v) (vector-kind (car vectors))) (= (vector-numbers v) (vector-numbers (car vectors)))))
              (cdr vectors))))

(define (add-to-be-summed vectors)
  (if (null? (cdr vectors))
      (to-be-summed (car vectors))
      (let* ((kind (vector-kind (car vectors)))
             (n (vector-numbers (car vectors)))
             (large? (>= (* n (number-bytes kind)) least-bytes-to-sum))
             (sum (new-vector kind n large?)))
        (%vec-sum! sum 0 vectors 0 #f n)
        (when large? (release-after-answer! sum))
        sum)))

(define (call-members-to-sum n proc . arguments)
  "Return the nodes of the sum over @var{n} items that can be made of what @var{proc} returns for @var{arguments}, a list of pairs of number
and vector: a list for @code{sum-nodes}, with large vectors shared."
  (let ((items (apply proc arguments)))
    (if (or (null? items) (alike? (map cdr items)))
        (map (match-lambda ((start end vectors) (list start end (add-to-be-summed vectors)))) (tree-nodes n items))
        ;; The master says which of all is of another length; and real and complex ones can be added.
        (map (match-lambda ((number . value) (list number (1+ number) (to-be-summed value)))) items))))

(define (call-leaving place proc . arguments)
  "Return what @code{call-to-sum} does, or if that is better left here, the node of the item @var{place} that stands for it. What is no
vector is the item of a vector, so that no value is taken for a node."
  (let ((value (apply proc arguments)))
    (cond ((worth-leaving? value) (leave-node place (1+ place) value))
          ((vector-kind value) (to-be-summed value))
          (else (vector value)))))

(define (call-members-leaving n proc . arguments)
  "Return what @code{call-members-to-sum} does, where nodes of one large private vector are left here."
  (let ((items (apply proc arguments)))
    (define (leave-alone start end value)
      (if (worth-leaving? value)
          (leave-node start end value)
          (list start end (to-be-summed value))))
    (if (or (null? items) (alike? (map cdr items)))
        (map (match-lambda
               ((start end (value)) (leave-alone start end value))
               ((start end vectors) (list start end (add-to-be-summed vectors))))
             (tree-nodes n items))
        (map (match-lambda ((number . value) (list number (1+ number) (to-be-summed value)))) items))))

;;; Here.

;; What adds draws no random numbers. It takes no stream of them either: then those of later tasks would depend on where there is a sum.
(define no-stream '(0 . 0))

(define (check-equal-lengths vectors starts who)
  (let ((n (vector-numbers (car vectors))))
    (for-each (lambda (v index)
                (unless (= n (vector-numbers v))
                  (raise-tutti (make-shape-error n (vector-numbers v)
                                                 (format #f "vector ~a has ~a numbers, vector ~a has ~a: only vectors of one length \
can be added"
                                                         (car starts) n index (vector-numbers v)))
                               who)))
              vectors starts)))

(define (sum-here kind n vectors ends)
  (let ((sum (new-vector kind n (any shared-vector? vectors))))
    (%vec-sum! sum 0 vectors 0 ends n)
    sum))

(define (sum-there pool kind n vectors ends)
  (let* ((workers (pool-size pool))
         (shared (map vector->shared vectors))
         (bounds (page-bounds n workers))
         (sum (call-with-destination kind n
                (lambda (destination)
                  (call-with-parts destination bounds
                    (lambda (parts)
                      (apply-in-places pool workers (iota workers) sum-part
                                       (list (per-worker parts) (per-worker (map car bounds)) shared ends) no-stream))))
                #:pool pool)))
    (for-each %vector-release! shared)
    sum))

(define (sum-by-tree pool vectors starts ends)
  (let ((kind (vector-kind (car vectors)))
        (n (vector-numbers (car vectors))))
    (check-equal-lengths vectors starts 'sum-vectors)
    (cond ((not (every (lambda (v) (eq? kind (vector-kind v))) vectors))
           (sum-by-tree pool (map (lambda (v) (if (c64vector? v) v (vec->complex v))) vectors) starts ends))
          ;; Each worker would have to see all vectors: only where memory is shared is that less than seeing them here.
          ((or (not pool) (null? (cdr vectors)) (< (* n (number-bytes kind)) least-bytes-to-sum)
               (serial-pool? pool) (not (pool-shares-memory? pool)))
           (sum-here kind n vectors ends))
          (else (sum-there pool kind n vectors ends)))))

(define (sum-vectors pool vectors)
  "Return the sum of @var{vectors}, a list of at least one: number by number, by the tree over their places in the list. The workers of
@var{pool} compute it, each a part, if it is large and they share memory; the bits are the same as without, when @var{pool} is @code{#f}.
The result is never one of @var{vectors}, which with a pool are answers of its workers: they cannot be used any more."
  (sum-by-tree pool vectors (iota (length vectors)) #f))

(define (sum-nodes pool nodes)
  "Return the sum of @var{nodes}, as @code{call-members-to-sum} returns them: a list, in any order, of lists of the first of some items, the
one behind the last, and the sum of their vectors. Together they are all items. The rest is as for @code{sum-vectors}."
  (let ((nodes (all-nodes nodes)))
    (sum-by-tree pool (map third nodes) (map first nodes) (map second nodes))))

(define (all-nodes nodes)
  (let ((nodes (sort nodes (lambda (a b) (< (first a) (first b))))))
    (unless (equal? (map first nodes) (cons 0 (map second (drop-right nodes 1))))
      (raise-tutti (make-tutti-error (format #f "a sum of items that are not all there: ~s" (map (cut list-head <> 2) nodes)))
                   'sum-vectors))
    nodes))

;;; Of what was left elsewhere. A home is the number of a node as it is now: one that was lost and has come back is another.

(define (node-home node) (%vector-home (third node)))

(define (jobs-of-home n home nodes)
  "Return a list of pairs of @var{home} and nodes there that are to be added there, those of @var{nodes}: as few as possible."
  (map (lambda (job) (cons home job))
       (append-map (lambda (nodes) (larger-nodes n nodes))
                   (if (alike? (map third nodes)) (list nodes) (map list nodes)))))

(define (submit-job pool nodes destination places)
  "Let the workers of @var{pool} in @var{places}, where the vectors of @var{nodes} are, write the sum of these to @var{destination}. Return
a list of pairs of slice and task."
  (let* ((n (vector-numbers destination))
         (vectors (map third nodes))
         (ends (map (lambda (node) (- (second node) (first (first nodes)))) nodes))
         (parts (max (length places) (quotient (* n (number-bytes (vector-kind destination))) bytes-at-once))))
    (map (match-lambda*
           (((start . end) place)
            (let ((slice (vec-slice destination start end)))
              (cons slice (submit-in-place pool place sum-part (list slice start vectors ends) no-stream)))))
         (remove (match-lambda ((start . end) (= start end))) (page-bounds n parts))
         (take (apply circular-list places) parts))))

(define (wait-for-jobs parts)
  "Wait for @var{parts}, lists of pairs of slice and task; return the list of whether all of each have been done."
  (let ((tasks (map cdr (concatenate parts))))
    (dynamic-wind
      (const #t)
      (lambda () (call-cancelling (lambda () (for-each task-await tasks)) (lambda () (for-each task-cancel! tasks))))
      (lambda () (for-each %vector-release! (map car (concatenate parts))))))
  (map (lambda (parts) (every (lambda (part) (equal? (task-settle! (cdr part)) '(value . #t))) parts)) parts))

(define (add-where-they-are pool n left home-places)
  "Return two values for @var{left}, nodes of the tree over @var{n} items whose vectors are on nodes elsewhere: a list of nodes that are the
sums of those, here; and the list of the homes where that could not be done. @var{home-places} returns the places of the workers of
@var{pool} at a home."
  (let* ((jobs (append-map (lambda (home) (jobs-of-home n home (filter (lambda (node) (eqv? home (node-home node))) left)))
                           (delete-duplicates (map node-home left))))
         (done #f)
         (sums (call-with-destinations (map (match-lambda ((_ (_ _ v) . _) (cons (vector-kind v) (vector-numbers v)))) jobs)
                 (lambda (destinations)
                   (set! done (wait-for-jobs (map (match-lambda* (((home . nodes) destination)
                                                                  (submit-job pool nodes destination (home-places home))))
                                                  jobs destinations))))))
         (failed (delete-duplicates (filter-map (lambda (job done?) (and (not done?) (car job))) jobs done))))
    (values (filter-map (match-lambda* (((home . nodes) sum)
                                        (and (not (memv home failed)) (list (first (first nodes)) (second (last nodes)) sum))))
                        jobs sums)
            failed)))

(define (bring-sums pool answers again)
  "Return nodes whose vectors are here, together all items, for @var{answers}, a list by place of lists of nodes, of which some were left
where they are. What is lost with its home is done again: @var{again} returns the answers of a list of places, with nothing left."
  (let* ((nodes (all-nodes (concatenate answers)))
         (homes (map (lambda (nodes) (any node-home nodes)) answers)) ; a worker has one
         (places-of (lambda (home) (filter-map (lambda (place other) (and (eqv? home other) place)) (iota (length homes)) homes)))
         (left (filter node-home nodes)))
    (call-with-values
        (lambda ()
          (dynamic-wind
            (const #t)
            (lambda ()
              (check-equal-lengths (map third nodes) (map first nodes) 'sum-vectors)
              (add-where-they-are pool (second (last nodes)) left places-of))
            (lambda () (for-each %vector-release! (map third left)))))
      (lambda (added failed)
        (append added
                (append-map (lambda (nodes home) (if (memv home failed) '() (lset-difference eq? nodes left))) answers homes)
                (concatenate (again (append-map places-of failed))))))))

(define (sum-elsewhere pool places proc arguments answer->nodes)
  "Return the sum of what @var{proc} returns for @var{arguments} in @var{places} places of @var{pool}, whose workers do not share our
memory; @var{answer->nodes} makes a list of nodes of a value and its place."
  (let ((stream (next-stream! pool)))
    (define* (answers which #:key (leave 0))
      (map answer->nodes (apply-in-places pool places which proc arguments stream #:leave leave) which))
    (let* ((first-answers (answers (iota places) #:leave (if (> places 1) least-bytes-to-leave 0)))
           (nodes (if (any node-home (concatenate first-answers))
                      (bring-sums pool first-answers answers)
                      (concatenate first-answers))))
      (match nodes
        ;; It has come for this sum alone.
        (((0 _ (? shared-vector? v))) v)
        (_
         (let ((sum (sum-nodes pool nodes)))
           (for-each %vector-release! (map third nodes))
           sum))))))

;;; Of what was left in the workers of this machine.

(define (node-kind+numbers node)
  (match node
    ((_ _ 'left _ kind n) (cons kind n))
    ((_ _ v) (and (vector-kind v) (cons (vector-kind v) (vector-numbers v))))))

(define (sum-left pool workers answers again)
  "Return the sum of @var{answers}, lists of nodes by place of @var{pool}, which has @var{workers}; some were left there. If that cannot be
done in rounds, because a worker has died or the vectors are not alike, @var{again} returns the nodes of a list of places, with nothing
left."
  (let* ((nodes+places (sort (append-map (lambda (nodes place) (map (lambda (node) (cons node place)) nodes)) answers (iota workers))
                             (lambda (a b) (< (caar a) (caar b)))))
         (nodes (map car nodes+places))
         (places (map cdr nodes+places))
         (shapes (map node-kind+numbers nodes))
         (sum (dynamic-wind
                (const #t)
                (lambda ()
                  (and (every (lambda (shape) (equal? shape (car shapes))) (cdr shapes))
                       (sum-in-rounds pool workers (all-nodes nodes) places)))
                (lambda () (forget-left-nodes pool nodes places)))))
    (or sum
        (let ((lost (filter (lambda (place) (any left-node? (list-ref answers place))) (iota workers))))
          (sum-nodes pool (append (append-map (lambda (nodes) (if (any left-node? nodes) '() nodes)) answers)
                                  (concatenate (again lost))))))))

(define* (sum-here-leaving pool workers leaving copying arguments answer->nodes
                           #:key (leaving-arguments arguments) (leaving->nodes answer->nodes))
  "Return the sum of what the workers of @var{pool}, which are on this machine, return for @var{leaving} and @var{leaving-arguments}; or for
@var{copying} and @var{arguments} where what was left got lost. @var{leaving->nodes} and @var{answer->nodes} make a list of nodes of an
answer and its place."
  (let ((stream (next-stream! pool)))
    (define (answers proc arguments which ->nodes)
      (map ->nodes (apply-in-places pool workers which proc arguments stream) which))
    (let ((all (answers leaving leaving-arguments (iota workers) leaving->nodes)))
      (if (any left-node? (concatenate all))
          (sum-left pool workers all (lambda (places) (answers copying arguments places answer->nodes)))
          (sum-nodes pool (concatenate all))))))

(define (elsewhere? pool) (not (or (serial-pool? pool) (pool-shares-memory? pool))))

(define (call-members-and-sum pool workers n proc . arguments)
  "Return the sum over @var{n} members of the vectors that @var{proc}, which returns a list of pairs of number and vector, returns for
@var{arguments} on the first @var{workers} workers of @var{pool}. Each worker adds what it can, and of those of one node elsewhere all."
  (if (elsewhere? pool)
      (sum-elsewhere pool workers call-members-to-sum (cons* n proc arguments) (lambda (nodes place) nodes))
      (if (serial-pool? pool)
          (sum-nodes pool (concatenate (apply apply-on-workers pool workers call-members-to-sum n proc arguments)))
          (sum-here-leaving pool workers call-members-leaving call-members-to-sum (cons* n proc arguments) (lambda (nodes place) nodes)))))

(define (pool-sum pool proc . arguments)
  "Return the sum of the vectors that @var{proc} returns for @var{arguments} on each worker of @var{pool}, added by a fixed tree over the
workers: those of workers 0 to 6 as ((0 + 1) + (2 + 3)) + ((4 + 5) + 6), in general all before the largest power of two that is less than
their number, and the rest. The workers of one machine compute it, each a part of all vectors, without any going through the master; what
they returned as shared vectors is not copied."
  (check-open pool 'pool-sum)
  (check-procedure proc 'pool-sum)
  (define (answer->nodes value place)
    (check-vector value place 'pool-sum)
    (list (list place (1+ place) value)))
  (define (leaving->nodes answer place)
    (match answer
      ((_ _ 'left . _) (list answer))
      (#(value) (check-vector value place 'pool-sum))
      (value (answer->nodes value place))))
  (let ((places (places-for pool arguments 'pool-sum)))
    (cond ((elsewhere? pool) (sum-elsewhere pool places call-to-sum (cons proc arguments) answer->nodes))
          ((serial-pool? pool)
           (let ((values (apply pool-apply pool call-to-sum proc arguments)))
             (check-vectors values 'pool-sum)
             (sum-vectors pool values)))
          (else
           (sum-here-leaving pool places call-leaving call-to-sum (cons proc arguments) answer->nodes
                             #:leaving-arguments (cons* (per-worker (iota places)) proc arguments) #:leaving->nodes leaving->nodes)))))
