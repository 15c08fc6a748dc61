;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Results of all workers in one vector: one after the other, or their sum. Workers write into memory that the master gives them with the
;; request, each into the slice that is its part, so that nothing is left to be copied when the last has answered. Who answers with a value
;; has written all of its slice, and no other: where memory is not shared, that is what comes back.
;;
;; Sums are of numbered items, by a fixed tree (engine/module/tree-sum.h). So whoever has all items of a node can add them, and a worker
;; that has many items returns few vectors; the bits are the same wherever it is done.
(define-module (tutti gather)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-26)
  #:use-module (ice-9 match)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti space)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti worker answer)
  #:export (pool-gather pool-sum sum-vectors sum-nodes tree-nodes call-with-destination call-with-parts worth-a-destination? write-part!
            vector-numbers call-into sum-part call-to-sum call-members-to-sum))

;; Smaller results travel in the answer itself, or cost less to copy than to assign memory for.
(define least-bytes (* 32 1024))

;; Below this, a sum is done before a worker is awake.
(define least-bytes-to-sum (* 512 1024))

(define (number-bytes kind) (if (eq? kind 'c64) 16 8))

(define (worth-a-destination? kind n)
  "Return true if @var{n} numbers of @var{kind}, f64 or c64, are enough to be written in place."
  (>= (* n (number-bytes kind)) least-bytes))

(define (call-with-destination kind n proc)
  "Call @var{proc} with a new shared vector of @var{n} numbers of @var{kind}, into slices of which workers may write while the call lasts.
Return that vector."
  (let ((destination (%make-shared-to-fill kind n)))
    (dynamic-wind
      (lambda () (%vector-destination! destination #t))
      (lambda () (proc destination))
      (lambda () (%vector-destination! destination #f)))
    destination))

(define (call-with-parts destination bounds proc)
  "Call @var{proc} with the list of the slices of the vector @var{destination} that the list @var{bounds} has: pairs of the first index and
the one behind the last. Return its values; the slices cannot be used any more."
  (let ((parts (map (match-lambda ((start . end) (vec-slice destination start end))) bounds)))
    (dynamic-wind
      (const #t)
      (lambda () (proc parts))
      ;; The memory of the destination is used again when that goes, without waiting for a collector to find its slices.
      (lambda () (for-each %vector-release! parts)))))

;;; On a worker.

(define (write-part! destination start v)
  "Write the numbers of the vector @var{v} to @var{destination} from @var{start} on; both are real or both complex."
  (%vec-sum! destination start (list v) 0 #f (vector-numbers v)))

(define (vector-kind v)
  (cond ((f64vector? v) 'f64)
        ((c64vector? v) 'c64)
        (else #f)))

(define (vector-numbers v)
  "Return how many numbers the f64vector or c64vector @var{v} has."
  (if (f64vector? v) (f64vector-length v) (c64vector-length v)))

(define (call-into proc part . arguments)
  "Call @var{proc} with @var{arguments}. If its value is a vector of the kind and length of @var{part}, a slice of a destination, write it
there and return @code{#t}; otherwise return the value."
  (dynamic-wind
    (const #t)
    (lambda ()
      (let ((value (apply proc arguments)))
        (cond ((and (vector-kind value)
                    (eq? (vector-kind value) (vector-kind part))
                    (= (vector-numbers value) (vector-numbers part)))
               (write-part! part 0 value)
               #t)
              (else value))))
    ;; This memory is free without waiting for the collector.
    (lambda () (%vector-release! part))))

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

(define (split-point start end)
  "Return where the node of a sum over the items from @var{start} up to @var{end}, at least two, is divided."
  (+ start (ash 1 (1- (integer-length (- end start 1))))))

(define (tree-nodes n items)
  "Return the largest nodes of the tree over @var{n} items of which all are in @var{items}, a list of pairs of number and value: a list, in
order, of lists of the first number, the one behind the last, and the values."
  (define sorted (list->vector (sort items (lambda (a b) (< (car a) (car b))))))
  (define (number place) (car (vector-ref sorted place)))
  (define (values-from place count) (map (lambda (i) (cdr (vector-ref sorted (+ place i)))) (iota count)))
  ;; NODES, in reverse, before those of the items from START up to END, which begin at PLACE.
  (define (add-nodes start end place nodes)
    (let ((count (- end start)))
      (cond ((or (= place (vector-length sorted)) (>= (number place) end)) nodes)
            ((and (= start (number place))
                  (<= (+ place count) (vector-length sorted))
                  (= (1- end) (number (+ place count -1))))
             (cons (list start end (values-from place count)) nodes))
            (else
             (let* ((middle (split-point start end))
                    (left (add-nodes start middle place nodes)))
               (add-nodes middle end (place-of middle place) left))))))
  (define (place-of first place)
    (if (and (< place (vector-length sorted)) (< (number place) first))
        (place-of first (1+ place))
        place))
  (reverse (add-nodes 0 n 0 '())))

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

;;; One after the other.

;; How long the parts were the last time, by pool: a pair of kind and list of lengths.
(define last-lengths (make-weak-key-hash-table))

(define (check-vectors values who)
  (for-each (lambda (value index)
              (unless (vector-kind value)
                (scm-error 'wrong-type-arg (symbol->string who)
                           "worker ~A returned ~S, expected an f64vector or a c64vector" (list index value) (list value))))
            values (iota (length values))))

(define (joined values)
  (let ((all (vec-concatenate values)))
    (if (worth-a-destination? (vector-kind all) (vector-numbers all)) (vector->shared all) all)))

(define (remember-lengths! pool values)
  (let ((kind (vector-kind (car values)))
        (lengths (map vector-numbers values)))
    (hashq-set! last-lengths pool
                (and (every (lambda (v) (eq? kind (vector-kind v))) values)
                     (worth-a-destination? kind (apply + lengths))
                     (cons kind lengths)))))

(define (gather-anywhere pool proc arguments)
  (let ((values (apply pool-apply pool proc arguments)))
    (check-vectors values 'pool-gather)
    (remember-lengths! pool values)
    (joined values)))

(define (gather-in-place pool kind lengths proc arguments)
  (let* ((workers (length lengths))
         (bounds (consecutive-ranges lengths))
         (answers #f)
         (destination
          (call-with-destination kind (apply + lengths)
            (lambda (destination)
              (call-with-parts destination bounds
                (lambda (parts)
                  (set! answers (apply apply-on-workers pool workers call-into proc (per-worker parts) arguments))))))))
    (if (every (lambda (answer) (eq? answer #t)) answers)
        destination
        (let ((values (map (lambda (answer part)
                             (if (eq? answer #t) (vec-slice destination (car part) (cdr part)) answer))
                           answers bounds)))
          (check-vectors values 'pool-gather)
          (remember-lengths! pool values)
          (joined values)))))

(define (pool-gather pool proc . arguments)
  "Return one vector: the numbers of the vectors that @var{proc} returns for @var{arguments} on each worker of @var{pool}, in the order of
the workers, as @code{vec-concatenate} would make it from the values of @code{pool-apply}. It is shared if it is large. When their
lengths are those of the last time, each worker writes its numbers in place, and nothing is copied after that."
  (check-open pool 'pool-gather)
  (check-procedure proc 'pool-gather)
  (let ((last (hashq-ref last-lengths pool)))
    (if (and last (not (serial-pool? pool))
             (= (length (cdr last)) (places-for pool arguments 'pool-gather))) ; the pool may have grown or shrunk
        (gather-in-place pool (car last) (cdr last) proc arguments)
        (gather-anywhere pool proc arguments))))

;;; Sums.

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

(define (page-bounds n parts)
  ;; No two workers write to one page.
  (let* ((pages (quotient (+ n 511) 512))
         (bound (lambda (i) (min n (* 512 (quotient (* i pages) parts))))))
    (map (lambda (i) (cons (bound i) (bound (1+ i)))) (iota parts))))

(define (sum-there pool kind n vectors ends)
  (let* ((workers (pool-size pool))
         (shared (map vector->shared vectors))
         (bounds (page-bounds n workers))
         (sum (call-with-destination kind n
                (lambda (destination)
                  (call-with-parts destination bounds
                    (lambda (parts)
                      (apply-on-workers pool workers sum-part (per-worker parts) (per-worker (map car bounds)) shared ends)))))))
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
  (let ((nodes (sort nodes (lambda (a b) (< (first a) (first b))))))
    (unless (equal? (map first nodes) (cons 0 (map second (drop-right nodes 1))))
      (raise-tutti (make-tutti-error (format #f "a sum of items that are not all there: ~s" (map (cut list-head <> 2) nodes)))
                   'sum-vectors))
    (sum-by-tree pool (map third nodes) (map first nodes) (map second nodes))))

(define (pool-sum pool proc . arguments)
  "Return the sum of the vectors that @var{proc} returns for @var{arguments} on each worker of @var{pool}, added by a fixed tree over the
workers: those of workers 0 to 6 as ((0 + 1) + (2 + 3)) + ((4 + 5) + 6), in general all before the largest power of two that is less than
their number, and the rest. The workers of one machine compute it, each a part of all vectors, without any going through the master; what
they returned as shared vectors is not copied."
  (check-open pool 'pool-sum)
  (check-procedure proc 'pool-sum)
  (let ((values (apply pool-apply pool call-to-sum proc arguments)))
    (check-vectors values 'pool-sum)
    (sum-vectors pool values)))
