;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sums of large vectors that are private to workers of this machine. Whoever adds them has to see them, and a copy of each in shared memory
;; takes longer than the sum, the first time many times as long. So they stay where they are (worker/left.scm), and come piece by piece: in
;; a round each worker copies its next piece into memory that all see, and adds its part of the pieces of the round before. There are two
;; such memories, in turn, small enough to stay in the caches.
(define-module (tutti sum-rounds)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti gather)
  #:use-module (tutti pool apply)
  #:use-module (tutti vector)
  #:use-module (tutti worker left)
  #:export (worth-leaving? leave-node left-node? sum-round forget-left-vectors sum-in-rounds forget-left-nodes page-bounds))

;; Below this, a copy takes less than a few rounds.
(define least-bytes-to-leave (* 8 1024 1024))

;; Both memories together; and no piece is less, as a round takes as long as copying so much.
(define bytes-in-turn (* 64 1024 1024))
(define least-piece (* 512 1024))

;;; Nodes: lists of the first item, the one behind the last, and their sum, a vector; or 'left and its number, kind and length.

(define (worth-leaving? value)
  "Return true if @var{value} is a vector that should stay where it is until it is added."
  (and (vector-kind value)
       (not (shared-vector? value))
       (>= (* (vector-numbers value) (number-bytes (vector-kind value))) least-bytes-to-leave)))

(define (leave-node start end v)
  "Return the node of the items from @var{start} up to @var{end}, whose sum @var{v} stays here, in a worker."
  (list start end 'left (leave-vector! v) (vector-kind v) (vector-numbers v)))

(define (left-node? node)
  "Return true if the sum of @var{node} is still in the worker that has made it."
  (eq? (third node) 'left))

(define (page-bounds n parts)
  "Return @var{parts} pairs of the first index and the one behind the last, together @var{n} numbers: no two workers write to one page."
  (let* ((pages (quotient (+ n 511) 512))
         (bound (lambda (i) (min n (* 512 (quotient (* i pages) parts))))))
    (map (lambda (i) (cons (bound i) (bound (1+ i)))) (iota parts))))

;;; On a worker.

(define (sum-round pieces part vectors starts ends)
  "Write pieces of what was left here: each of @var{pieces} is a list of its number, the first index, and where to, a slice of a
destination.
Write to @var{part}, another one or @code{#f}, the sum of @var{vectors} from the indices @var{starts} on. Return @code{#f} if something is
not here any more."
  (define slices (map third pieces))
  (dynamic-wind
    (const #t)
    (lambda ()
      (and (every (match-lambda
                    ((number start slice)
                     (let ((v (left-vector number)))
                       (and v
                            (begin
                              (%vec-sum! slice 0 (list v) start #f (vector-numbers slice))
                              #t)))))
                  pieces)
           (begin
             (when part (%vec-sum! part 0 vectors starts ends (vector-numbers part)))
             #t)))
    ;; One of the memories is among VECTORS several times.
    (lambda () (for-each %vector-release! (append slices (if part (list part) '()) (delete-duplicates vectors eq?))))))

(define (forget-left-vectors numbers)
  "Forget what was left here under @var{numbers}, a list."
  (for-each forget-left! numbers)
  #t)

(use-left! sum-round)
(use-left! forget-left-vectors)

;;; Here.

(define no-stream '(0 . 0))             ; nothing here is drawn at random

(define (numbers-at place nodes places)
  (filter-map (lambda (node its-place) (and (= place its-place) (left-node? node) (fourth node))) nodes places))

(define (forget-left-nodes pool nodes places)
  "Let the workers of @var{pool} forget what was left of @var{nodes}, in @var{places}. Nobody waits for it."
  (for-each (lambda (place)
              (match (numbers-at place nodes places)
                (() #f)
                (numbers (submit-in-place pool place forget-left-vectors (list numbers) no-stream))))
            (delete-duplicates places)))

(define (call-with-slices vector bounds proc)
  "Call @var{proc} with slices of @var{vector}, by @var{bounds}, which are released after that; those of no numbers are @code{#f}."
  (let ((slices (map (match-lambda ((start . end) (and (< start end) (vec-slice vector start end)))) bounds)))
    (dynamic-wind
      (const #t)
      (lambda () (proc slices))
      (lambda () (for-each %vector-release! (filter identity slices))))))

(define (shift bounds by) (map (match-lambda ((start . end) (cons (+ by start) (+ by end)))) bounds))

(define (sum-in-rounds pool workers nodes places)
  "Return the sum of @var{nodes}, in order, all of one kind and length and together all items; some of them were left in their
@var{places} of @var{pool}, which has @var{workers}. Return @code{#f} if one is not there any more."
  (define left (filter left-node? nodes))
  (define left-places (filter-map (lambda (node place) (and (left-node? node) place)) nodes places))
  (define kind (fifth (car left)))
  (define n (sixth (car left)))
  (define width (number-bytes kind))
  (define piece
    (min n (* 512 (ceiling-quotient (max least-piece (quotient bytes-in-turn (* 2 (length left)))) (* 512 width)))))
  (define rounds (ceiling-quotient n piece))
  (define ends (map second nodes))
  (define memories
    (map (lambda (_) (%make-shared-to-receive kind (* piece (length left)))) (iota (min 2 rounds))))
  (define (memory-of round) (list-ref memories (modulo round 2)))
  (define (size-of round) (min piece (- n (* round piece))))
  (define (piece-bounds round) (map (lambda (i) (cons (* i piece) (+ (* i piece) (size-of round)))) (iota (length left))))
  (define (pieces-by-place round slices)
    (map (lambda (place)
           (filter-map (lambda (node its-place slice) (and (= place its-place) (list (fourth node) (* round piece) slice)))
                       left left-places slices))
         (iota workers)))
  (define (sources round)
    ;; The vectors, and where in each the numbers of ROUND begin.
    (let loop ((nodes nodes) (i 0))
      (match nodes
        (() '())
        (((? left-node?) . rest) (acons (memory-of round) (* i piece) (loop rest (1+ i))))
        (((_ _ v) . rest) (acons v (* round piece) (loop rest i))))))
  (define (run-round destination round)
    "Let all copy the pieces of @var{round}, and add those of the round before."
    (define copying? (< round rounds))
    (define adding? (> round 0))
    (define bounds (if adding? (page-bounds (size-of (1- round)) workers) '()))
    (define before (if adding? (sources (1- round)) '()))
    (define (run slices parts)
      (every identity
             (apply-in-places pool workers (iota workers) sum-round
                              (list (per-worker (if copying? (pieces-by-place round slices) (make-list workers '())))
                                    (per-worker (if adding? parts (make-list workers #f)))
                                    (map car before)
                                    (if adding?
                                        (per-worker (map (match-lambda ((start . _) (map (lambda (at) (+ at start)) (map cdr before))))
                                                         bounds))
                                        '())
                                    ends)
                              no-stream)))
    (when copying? (%vector-destination! (memory-of round) #t))
    (let ((done? (call-with-slices destination (shift bounds (* piece (1- round)))
                   (lambda (parts)
                     (if copying?
                         (call-with-slices (memory-of round) (piece-bounds round) (lambda (slices) (run slices parts)))
                         (run '() parts))))))
      (when copying? (%vector-destination! (memory-of round) #f))
      done?))
  (define done? #f)
  (define sum
    (call-with-destination kind n
      (lambda (destination)
        (set! done?
          (let loop ((round 0))
            (or (> round rounds)
                (and (run-round destination round)
                     (loop (1+ round)))))))
      #:pool pool))
  (for-each %vector-release! memories)
  (and done? sum))
