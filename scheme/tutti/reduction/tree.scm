;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The trees of hierarchical decompositions (Himpe, Leibner and Rave 2018): which node reduces what, and how much it
;; may lose.
(define-module (tutti reduction tree)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (distributed-tree incremental-tree
            tree-nodes tree-depth node-number node-slices node-children node-root? node-raw? local-error))

;; A tree is the list of its nodes, children before their parents; the last one is the root. A node reduces slices of
;; the snapshots, and what its children have left of theirs, in this order. DEPTH: of the tree, as errors are shared
;; out.
(define-record-type <tree>
  (make-tree nodes depth)
  tree?
  (nodes tree-nodes)
  (depth tree-depth))

(define-record-type <node>
  (make-node number slices children root? raw?)
  node?
  (number node-number)
  (slices node-slices)                  ; list of numbers of slices
  (children node-children)              ; list of numbers of nodes
  (root? node-root?)
  (raw? node-raw?))                     ; it only has its slice computed, and loses nothing

(define (split-evenly items parts)
  "Return the list of @var{parts} contiguous parts of the list @var{items}, whose sizes differ by at most one, the
larger ones first."
  (let ((size (quotient (length items) parts))
        (larger (remainder (length items) parts)))
    (let loop ((rest items) (part 0) (found '()))
      (if (= part parts)
          (reverse found)
          (let ((count (+ size (if (< part larger) 1 0))))
            (loop (list-tail rest count) (1+ part) (cons (list-head rest count) found)))))))

(define (distributed-tree slices arity)
  "Return the tree with one leaf for each of @var{slices} slices, in which no node has more than @var{arity} children;
@code{#f}: all are children of the root."
  (define nodes '())                    ; the last one first
  (define (add! slices children root?)
    (let ((number (length nodes)))
      (set! nodes (cons (make-node number slices children root? #f) nodes))
      number))
  (define (leaf slice) (add! (list slice) '() #f))
  ;; Return the number of the node above SLICES, a list, and how many levels there are below it and with it.
  (define (grow slices root?)
    (if (<= (length slices) (or arity (length slices)))
        (values (add! '() (map-in-order leaf slices) root?) 2)
        (let loop ((parts (split-evenly slices arity)) (children '()) (depth 0))
          (if (null? parts)
              (values (add! '() (reverse children) root?) (1+ depth))
              (call-with-values (lambda ()
                                  (if (null? (cdr (car parts)))
                                      (values (leaf (caar parts)) 1)
                                      (grow (car parts) #f)))
                (lambda (child its-depth)
                  (loop (cdr parts) (cons child children) (max depth its-depth))))))))
  (call-with-values (lambda () (grow (iota slices) #t))
    (lambda (root depth) (make-tree (reverse nodes) depth))))

(define (incremental-tree steps apart?)
  "Return the tree in which each of @var{steps} slices is reduced together with what is left of all before it. With @var{apart?} slices
have nodes of their own, which come before the one that reduces them."
  ;; As leaves of the tree the slices lose nothing and do not count for its depth.
  (define (root? step) (= step (1- steps)))
  (make-tree (if apart?
                 (append-map (lambda (step)
                               (let ((number (* 2 step)))
                                 (list (make-node number (list step) '() #f #t)
                                       (make-node (1+ number) '() (cons number (if (zero? step) '() (list (1- number)))) (root? step) #f))))
                             (iota steps))
                 (map (lambda (step) (make-node step (list step) (if (zero? step) '() (list (1- step))) (root? step) #f)) (iota steps)))
             steps))

(define (local-error root? depth count eps omega)
  "Return the l2 error that a node may make with @var{count} snapshots below it, in a tree of @var{depth}, for an
l2-mean error of all of at most @var{eps}."
  (if root?
      (* (sqrt count) omega eps)
      (* (/ (sqrt count) (sqrt (1- depth))) (sqrt (- 1 (* omega omega))) eps)))
