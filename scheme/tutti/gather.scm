;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Results of all workers in one vector: one after the other, or their sum. Workers write into memory that the master gives them with the
;; request, each into its part, so that nothing is left to be copied when the last has answered.
(define-module (tutti gather)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (ice-9 match)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti space)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti worker answer)
  #:export (pool-gather pool-sum sum-vectors call-with-destination worth-a-destination? write-part! call-into sum-part
            call-to-sum call-members-to-sum))

;; Smaller results travel in the answer itself, or cost less to copy than to assign memory for.
(define least-bytes (* 32 1024))

;; Below this, a sum is done before a worker is awake.
(define least-bytes-to-sum (* 512 1024))

(define (number-bytes kind) (if (eq? kind 'c64) 16 8))

(define (worth-a-destination? kind n)
  "Return true if @var{n} numbers of @var{kind}, f64 or c64, are enough to be written in place."
  (>= (* n (number-bytes kind)) least-bytes))

(define (call-with-destination kind n proc)
  "Call @var{proc} with a new shared vector of @var{n} numbers of @var{kind}, into which workers may write while the call lasts. Return
that vector."
  (let ((destination (%make-shared-to-fill kind n)))
    (dynamic-wind
      (lambda () (%vector-destination! destination #t))
      (lambda () (proc destination))
      (lambda () (%vector-destination! destination #f)))
    destination))

;;; On a worker.

(define (write-part! destination start v)
  "Write the numbers of the vector @var{v} to @var{destination} from @var{start} on; both are real or both complex."
  (%vec-sum! destination start (list v) 0 (vector-numbers v)))

(define (vector-kind v)
  (cond ((f64vector? v) 'f64)
        ((c64vector? v) 'c64)
        (else #f)))

(define (vector-numbers v)
  (if (f64vector? v) (f64vector-length v) (c64vector-length v)))

(define (call-into proc destination bounds index . arguments)
  "Call @var{proc} with @var{arguments}. If its value is a vector as long as the part of @var{destination} that number @var{index} of
@var{bounds} says, write it there and return @code{#t}; otherwise return the value."
  (dynamic-wind
    (const #t)
    (lambda ()
      (let* ((value (apply proc arguments))
             (part (vector-ref bounds index)))
        (cond ((and (vector-kind value)
                    (eq? (vector-kind value) (vector-kind destination))
                    (= (vector-numbers value) (- (cdr part) (car part))))
               (write-part! destination (car part) value)
               #t)
              (else value))))
    ;; This memory is free without waiting for the collector.
    (lambda () (%vector-release! destination))))

(define (sum-part destination vectors bounds index)
  "Write the numbers in range @var{index} of @var{bounds} of the sum of @var{vectors} to @var{destination}."
  (let ((part (vector-ref bounds index)))
    (dynamic-wind
      (const #t)
      (lambda () (%vec-sum! destination (car part) vectors (car part) (cdr part)))
      (lambda () (for-each %vector-release! (cons destination vectors))))
    #t))

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

(define (call-members-to-sum proc . arguments)
  "Return what @var{proc} returns for @var{arguments}, a list of pairs of number and value; with large vectors shared."
  (map (match-lambda ((number . value) (cons number (to-be-summed value)))) (apply proc arguments)))

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
  (let* ((bounds (list->vector (consecutive-ranges lengths)))
         (answers #f)
         (destination
          (call-with-destination kind (apply + lengths)
            (lambda (destination)
              (set! answers (apply apply-on-workers pool (pool-size pool) call-into proc destination bounds
                                   (per-worker (iota (pool-size pool))) arguments))))))
    (if (every (lambda (answer) (eq? answer #t)) answers)
        destination
        (let ((values (map (lambda (answer part)
                             (if (eq? answer #t) (vec-slice destination (car part) (cdr part)) answer))
                           answers (vector->list bounds))))
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
    (if (and last (not (serial-pool? pool)))
        (gather-in-place pool (car last) (cdr last) proc arguments)
        (gather-anywhere pool proc arguments))))

;;; Sums.

(define (check-equal-lengths vectors who)
  (let ((n (vector-numbers (car vectors))))
    (for-each (lambda (v index)
                (unless (= n (vector-numbers v))
                  (raise-tutti (make-shape-error n (vector-numbers v)
                                                 (format #f "vector 0 has ~a numbers, vector ~a has ~a: only vectors of one length \
can be added"
                                                         n index (vector-numbers v)))
                               who)))
              vectors (iota (length vectors)))))

(define (sum-here kind n vectors)
  (let ((sum (if (any shared-vector? vectors)
                 (%make-shared-to-fill kind n)
                 (if (eq? kind 'c64) (make-c64vector n) (make-f64vector n)))))
    (%vec-sum! sum 0 vectors 0 n)
    sum))

(define (page-bounds n parts)
  ;; No two workers write to one page.
  (let* ((pages (quotient (+ n 511) 512))
         (bound (lambda (i) (min n (* 512 (quotient (* i pages) parts))))))
    (list->vector (map (lambda (i) (cons (bound i) (bound (1+ i)))) (iota parts)))))

(define (sum-there pool kind n vectors)
  (let* ((shared (map vector->shared vectors))
         (sum (call-with-destination kind n
                (lambda (destination)
                  (apply-on-workers pool (pool-size pool) sum-part destination shared
                                    (page-bounds n (pool-size pool)) (per-worker (iota (pool-size pool))))))))
    (for-each %vector-release! shared)
    sum))

(define (sum-vectors pool vectors)
  "Return the sum of @var{vectors}, a list of at least one: number by number, in their order. The workers of @var{pool} compute it, each a
part, if it is large; the bits are the same as without, when @var{pool} is @code{#f}. The result is never one of @var{vectors}, which with
a pool are answers of its workers: they cannot be used any more."
  (let ((kind (vector-kind (car vectors)))
        (n (vector-numbers (car vectors))))
    (check-equal-lengths vectors 'sum-vectors)
    (cond ((not (every (lambda (v) (eq? kind (vector-kind v))) vectors))
           (sum-vectors pool (map (lambda (v) (if (c64vector? v) v (vec-scale 1.+0.i v))) vectors)))
          ((or (not pool) (serial-pool? pool) (null? (cdr vectors)) (< (* n (number-bytes kind)) least-bytes-to-sum))
           (sum-here kind n vectors))
          (else (sum-there pool kind n vectors)))))

(define (pool-sum pool proc . arguments)
  "Return the sum of the vectors that @var{proc} returns for @var{arguments} on each worker of @var{pool}, added in the order of the
workers. The workers compute it, each a part of all vectors, without any going through the master; what they returned as shared vectors is
not copied."
  (check-open pool 'pool-sum)
  (check-procedure proc 'pool-sum)
  (let ((values (apply pool-apply pool call-to-sum proc arguments)))
    (check-vectors values 'pool-sum)
    (sum-vectors pool values)))
