;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Results of all workers in one vector, one after the other; their sum is (tutti sum). Workers write into memory that the master gives them
;; with the request, each into the slice that is its part, so that nothing is left to be copied when the last has answered. Who answers with
;; a value has written all of its slice, and no other: where memory is not shared, that is what comes back.
(define-module (tutti gather)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (ice-9 match)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti space)
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:use-module (tutti worker answer)
  #:export (pool-gather call-with-destination call-with-destinations call-with-parts worth-a-destination? write-part! call-into
            vector-kind vector-numbers number-bytes check-vector check-vectors))

;; Smaller results travel in the answer itself, or cost less to copy than to assign memory for.
(define least-bytes (* 32 1024))

(define (number-bytes kind)
  "Return how many bytes a number of @var{kind}, f64 or c64, has."
  (if (eq? kind 'c64) 16 8))

(define (worth-a-destination? kind n)
  "Return true if @var{n} numbers of @var{kind}, f64 or c64, are enough to be written in place."
  (>= (* n (number-bytes kind)) least-bytes))

(define* (call-with-destinations kinds+numbers proc #:key pool)
  "Call @var{proc} with a list of new shared vectors, into slices of which workers may write while the call lasts; there is one for each of
the list @var{kinds+numbers}, pairs of a kind and how many numbers of that. Return these vectors. If the workers of @var{pool} do that, and
share memory, the pages are made by them, each its own, and not here while they wait."
  (let* ((make (if (and pool (pool-shares-memory? pool)) %make-shared-to-receive %make-shared-to-fill))
         (destinations (map (match-lambda ((kind . n) (make kind n))) kinds+numbers))
         (mark! (lambda (there?) (for-each (lambda (destination) (%vector-destination! destination there?)) destinations))))
    (dynamic-wind
      (lambda () (mark! #t))
      (lambda () (proc destinations))
      (lambda () (mark! #f)))
    destinations))

(define* (call-with-destination kind n proc #:key pool)
  "Call @var{proc} with a new shared vector of @var{n} numbers of @var{kind}, into slices of which workers may write while the call lasts.
Return that vector. @var{pool} is as above."
  (car (call-with-destinations (list (cons kind n)) (lambda (destinations) (proc (car destinations))) #:pool pool)))

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
  "Return the kind of numbers that the vector @var{v} has, f64 or c64; @code{#f}, if it is none of these."
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

;;; One after the other.

;; How long the parts were the last time, by pool: a pair of kind and list of lengths.
(define last-lengths (make-weak-key-hash-table))

(define (check-vector value place who)
  "Raise an error in the name of @var{who} unless @var{value}, which the worker @var{place} has returned, is an f64vector or c64vector."
  (unless (vector-kind value)
    (scm-error 'wrong-type-arg (symbol->string who)
               "worker ~A returned ~S, expected an f64vector or a c64vector" (list place value) (list value))))

(define (check-vectors values who)
  "Do the same for @var{values}, a list by worker."
  (for-each (lambda (value place) (check-vector value place who)) values (iota (length values))))

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
                  (set! answers (apply apply-on-workers pool workers call-into proc (per-worker parts) arguments)))))
            #:pool pool)))
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
