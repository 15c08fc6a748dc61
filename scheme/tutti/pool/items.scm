;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Items of a map: in a row, and handed out as a chunk.
(define-module (tutti pool items)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:export (check-lists
            make-range range-first range-count range-lists range-alone? range-end range-head range-tail no-items
            make-chunk chunk-task chunk-range set-chunk-range! chunk-begun set-chunk-begun! chunk-together? chunk-first chunk-size))

;; Some items in a row: COUNT of them, from number FIRST on, whose arguments begin LISTS, one list for each that is mapped over. ALONE? says
;; that each is tried for itself.
(define-record-type <range>
  (make-range first count lists alone?)
  range?
  (first range-first)
  (count range-count)
  (lists range-lists)
  (alone? range-alone?))

(define no-items (make-range 0 0 '() #f))

(define (range-end range)
  "Return the number behind that of the last item of @var{range}."
  (+ (range-first range) (range-count range)))

(define (range-head range count)
  "Return the range of the first @var{count} items of @var{range}."
  (make-range (range-first range) count (range-lists range) (range-alone? range)))

(define (range-tail range count)
  "Return the range of the items of @var{range} behind the first @var{count}."
  (make-range (+ (range-first range) count) (- (range-count range) count)
              (map (lambda (l) (list-tail l count)) (range-lists range))
              (range-alone? range)))

(define-record-type <chunk>
  (make-chunk task range begun together?)
  chunk?
  (task chunk-task)
  (range chunk-range set-chunk-range!)
  (begun chunk-begun set-chunk-begun!)  ; how many of its items were, when they were looked at last; 0: not yet
  (together? chunk-together?))          ; several items were handed out, though all but one may have been taken back

(define (chunk-first chunk)
  "Return the number of the first item of @var{chunk}."
  (range-first (chunk-range chunk)))

(define (chunk-size chunk)
  "Return the number of items of @var{chunk}."
  (range-count (chunk-range chunk)))

(define (check-lists who lists)
  "Return how many items the @var{lists} have, and raise an error in the name of @var{who} unless all have as many."
  (when (null? lists)
    (scm-error 'wrong-number-of-args who "expected a pool, a procedure and at least one list" '() #f))
  (let ((lengths (map %list-length lists)))
    (for-each (lambda (l n i)
                (unless n
                  (scm-error 'wrong-type-arg who "expected a proper list as list ~A (counted from 0), got ~S" (list i l) (list l))))
              lists lengths (iota (length lists)))
    (unless (every (lambda (n) (= n (car lengths))) (cdr lengths))
      (raise-tutti (make-shape-error (car lengths) (find (lambda (n) (not (= n (car lengths)))) lengths)
                                     (format #f "the lists must have equal lengths, but have ~a items"
                                             (string-join (map number->string lengths) ", ")))
                   (string->symbol who)))
    (car lengths)))
