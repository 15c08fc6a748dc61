;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The tree by which numbered items are added (engine/module/tree-sum.h): which of its nodes somebody has who has some of the items.
(define-module (tutti pool tree)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (tree-nodes larger-nodes))

(define (split-point start end)
  "Return where the node of a sum over the items from @var{start} up to @var{end}, at least two, is divided."
  (+ start (ash 1 (1- (integer-length (- end start 1))))))

(define (larger-nodes n nodes)
  "Return the largest nodes of the tree over @var{n} items that consist of some of @var{nodes}, lists of the first item, the one behind the
last, and anything else: a list, in order, of lists of those of @var{nodes} that are in one."
  (define sorted (list->vector (sort nodes (lambda (a b) (< (first a) (first b))))))
  (define count (vector-length sorted))
  (define (start-at place) (first (vector-ref sorted place)))
  (define (end-at place) (second (vector-ref sorted place)))
  (define (between place behind) (map (lambda (i) (vector-ref sorted i)) (iota (- behind place) place)))
  ;; The place behind those, from PLACE on, that have all items up to END, without a gap; #f: they do not.
  (define (place-behind place end)
    (cond ((= (end-at place) end) (1+ place))
          ((and (< (end-at place) end) (< (1+ place) count) (= (start-at (1+ place)) (end-at place))) (place-behind (1+ place) end))
          (else #f)))
  (define (place-of item place)
    (if (and (< place count) (< (start-at place) item))
        (place-of item (1+ place))
        place))
  ;; FOUND, in reverse, before those of the items from START up to END, which begin at PLACE.
  (define (add start end place found)
    (cond ((or (= place count) (>= (start-at place) end)) found)
          ((and (= start (start-at place)) (place-behind place end))
           => (lambda (behind) (cons (between place behind) found)))
          ((= 1 (- end start)) found)   ; what is there is no node
          (else
           (let* ((middle (split-point start end))
                  (left (add start middle place found)))
             (add middle end (place-of middle place) left)))))
  (reverse (add 0 n 0 '())))

(define (tree-nodes n items)
  "Return the largest nodes of the tree over @var{n} items of which all are in @var{items}, a list of pairs of number and value: a list, in
order, of lists of the first number, the one behind the last, and the values."
  (map (lambda (nodes) (list (first (first nodes)) (second (last nodes)) (map third nodes)))
       (larger-nodes n (map (match-lambda ((number . value) (list number (1+ number) value))) items))))
