;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Hierarchical approximate POD (Himpe, Leibner and Rave 2018): a tree of decompositions, each of what is left of some
;; snapshots. Nodes are tasks; what they leave goes from worker to worker without being looked at here.
(define-module (tutti reduction hapod)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti pool)
  #:use-module ((tutti pool type) #:select (serial-pool?))
  #:use-module (tutti base primitives)
  #:use-module ((tutti reduced-basis matrix) #:select (check-product))
  #:use-module (tutti reduction pod)
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti reduction tree)
  #:use-module (tutti remote object)
  #:use-module (tutti space)
  #:use-module ((tutti random) #:select (next-stream!))
  #:use-module (tutti task)
  #:use-module (tutti vector)
  #:export (hapod reduce-node compute-slice))

;;; On a worker. What a node leaves is a vector of its modes, each times its singular value, how many snapshots are below
;;; it, and how many numbers they have; the root leaves modes, singular values, and these two.

(define (slice-vectors slice number)
  "Return the snapshots of @var{slice}, its number @var{number}: vectors, or a thunk that computes them."
  (define who 'hapod)
  (let* ((vectors (if (procedure? slice) (slice) slice))
         (report (examine-part vectors)))
    (when (eq? (vector-ref report 0) 'bad)
      (raise-fault who "snapshot" (or (vector-ref report 1) 0) (vector-ref report 2) (format #f "slice ~a (from 0): " number)))
    (list-of-snapshots vectors)))

(define (check-product-size who product n)
  "Raise an error in the name of @var{who} unless @var{product}, which is none or that of an inner product, is one of vectors of @var{n}
numbers."
  (let ((size (cond ((not product) n)
                    ((f64vector? product) (inexact->exact (floor (sqrt (f64vector-length product)))))
                    (else (space-dimension (operator-domain product))))))
    (unless (= n size)
      (raise-tutti (make-shape-error (list n n) (list size size)
                                     (format #f "#:product is a matrix of ~a x ~a numbers; the snapshots have ~a, so that ~a x ~a \
are expected"
                                             size size n n n))
                   who))))

(define (compute-slice number slice)
  "Return what a node leaves that reduces nothing: all of @var{slice}, its number @var{number}. Workers call this."
  (let ((vectors (slice-vectors slice number)))
    (vector vectors (length vectors) (and (pair? vectors) (f64vector-length (car vectors))))))

(define (reduce-node root? depth eps omega method product slice-numbers slices . children)
  "Return what a node leaves of @var{slices}, and of what its @var{children} have left. Workers call this."
  (define who 'hapod)
  (let* ((parts (map slice-vectors slices slice-numbers))
         (own (concatenate parts))
         (vectors (append own (append-map (lambda (child) (vector-ref child 0)) children)))
         (count (apply + (length own) (map (lambda (child) (vector-ref child 1)) children)))
         (lengths (append (map f64vector-length own) (filter-map (lambda (child) (vector-ref child 2)) children)))
         (n (and (pair? lengths) (car lengths)))
         (other (find (lambda (length) (not (= length n))) lengths)))
    (when other
      (raise-tutti (make-shape-error n other
                                     (format #f "some snapshots have ~a numbers, some ~a: all must have one length" n other))
                   who))
    (when n
      (check-product-size who product n))
    (call-with-values (lambda ()
                        (if (null? vectors)
                            (values '() '())
                            (pod-here vectors product #:l2-error (local-error root? depth count eps omega) #:method method
                                      #:rtol 0 #:orthonormal-modes? root? #:who who)))
      (lambda (modes singular-values)
        (if root?
            (vector modes singular-values count n)
            (vector (map vec-scale singular-values modes) count n))))))

;;; In the master: nodes run as soon as their children are done.

(define (result-size task)
  ;; In bytes, without looking at it.
  (if (task-handle task) (%task-result-size (task-handle task)) 0))

(define (forget! task)
  "What @var{task} has ended with is free when no other task needs it, and not when a collector finds that nobody asks for it."
  (when (task-handle task)
    (%task-forget! (task-handle task))))

(define (place-for children tasks)
  "Return the index of the worker that has most of what the nodes @var{children}, whose @var{tasks} are done, have
left; -1 without any. Snapshots that were not reduced are the most. Nothing of it is looked at here."
  (define (left-on worker)
    (fold (lambda (task sum) (if (= worker (task-worker task)) (+ sum (result-size task)) sum)) 0 tasks))
  (cond ((null? tasks) -1)
        ((list-index node-raw? children) => (lambda (k) (task-worker (list-ref tasks k))))
        (else
         (let ((workers (sort (delete-duplicates (map task-worker tasks)) <)))
           (fold (lambda (worker best) (if (> (left-on worker) (left-on best)) worker best)) (car workers) (cdr workers))))))

(define (submit-node pool node depth eps omega method product slices children tasks)
  "Submit @var{node}, whose @var{children} are done by @var{tasks}, to @var{pool} and return its task."
  (let ((own (map (lambda (slice) (vector-ref slices slice)) (node-slices node)))
        (worker (place-for children tasks)))
    (if (node-raw? node)
        (pool-submit! pool compute-slice (car (node-slices node)) (car own))
        (let ((arguments (cons* (node-root? node) depth eps omega method product (node-slices node) own tasks)))
          (if (or (serial-pool? pool) (negative? worker))
              (apply pool-submit! pool reduce-node arguments)
              (submit-request pool (vector 'apply reduce-node arguments (next-stream! pool)) 'hapod #:worker worker))))))

(define (check-done task)
  "Raise what @var{task}, which has ended, has ended with, if that is no value; the value itself may be large, and is
not looked at."
  (unless (and (task-handle task) (eq? 'done (%task-state (task-handle task))))
    (task-wait task)))

(define (run-tree tree submit most-ahead)
  "Return the value of the root of @var{tree}. @var{submit} returns a task for a node, its children, and their tasks,
which have ended. No more than @var{most-ahead} nodes that reduce nothing are submitted before what they have left is
wanted."
  (define nodes (list->vector (tree-nodes tree)))
  (define tasks (make-vector (vector-length nodes) #f))
  (define (task-of number) (vector-ref tasks number))
  (define (children-of node) (map (lambda (number) (vector-ref nodes number)) (node-children node)))
  (define (submitted) (filter identity (vector->list tasks)))
  (define (ahead)
    (count (lambda (node) (and (node-raw? node) (task-of (node-number node)))) (tree-nodes tree)))
  (define (ready? node)
    (and (every (lambda (number) (and=> (task-of number) task-done?)) (node-children node))
         (or (not (node-raw? node)) (< (ahead) most-ahead))))
  (define (submit-ready! waiting)
    "Submit those of the nodes @var{waiting} that are ready, and return the others."
    ;; In a serial pool one may be ready because the one before it is done.
    (filter (lambda (node)
              (or (not (ready? node))
                  (let ((its-tasks (map task-of (node-children node))))
                    (for-each check-done its-tasks)
                    (vector-set! tasks (node-number node) (submit node (children-of node) its-tasks))
                    ;; What they have left belongs to this node from now on, and is free when that has ended.
                    (for-each forget! its-tasks)
                    (for-each (lambda (number) (vector-set! tasks number #f)) (node-children node))
                    #f)))
            waiting))
  (define (go-on waiting)
    (let* ((waiting (submit-ready! waiting))
           (running (remove task-done? (submitted))))
      (when (pair? running)
        (check-done (task-wait-any running)))
      (if (null? waiting)
          (task-wait (task-of (1- (vector-length nodes))))
          (go-on waiting))))
  (let ((complete? #f))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let ((value (go-on (tree-nodes tree))))
          (set! complete? #t)
          value))
      (lambda ()
        (unless complete?
          (for-each task-cancel! (submitted)))))))

;;; Slices.

(define (cut vectors slices)
  "Return the list of contiguous parts of the list @var{vectors}, of one size but for the last, at most @var{slices}."
  (let ((size (ceiling-quotient (length vectors) slices)))
    (let loop ((rest vectors) (found '()))
      (if (<= (length rest) size)
          (reverse (cons rest found))
          (loop (list-tail rest size) (cons (list-head rest size) found))))))

(define (slices-of who pool snapshots slices)
  "Return the list of the slices of @var{snapshots}: lists of vectors, or thunks."
  (if (thunks? snapshots)
      (let ((items (list-of-snapshots snapshots)))
        (unless (or (not slices) (= slices (length items)))
          (raise-tutti (make-shape-error (length items) slices
                                         (format #f "there are ~a procedures, one for each slice, and ~a slices or steps are asked for"
                                                 (length items) slices))
                       who))
        items)
      (let* ((vectors (fetch-snapshots who pool snapshots))
             (vectors (if (serial-pool? pool) vectors (map vector->shared vectors))))
        (cut vectors slices))))

(define (check-arguments who slices arity steps eps omega method)
  (check-count who "#:slices" slices 1)
  (check-count who "#:steps" steps 1)
  (check-count who "#:arity" arity 2)
  (when (and slices steps)
    (refuse who "both #:slices, for a distributed tree, and #:steps, for an incremental one, are given; expected one of them"))
  (when (and arity steps)
    (refuse who "#:arity is of a distributed tree; with #:steps each node has one child"))
  (unless (and (finite-from-zero? eps) (positive? eps))
    (refuse who "#:eps: expected the bound of the l2-mean error, a positive number, got ~s" eps))
  (unless (and (real? omega) (< 0 omega 1))
    (refuse who "#:omega: expected a number between 0 and 1, got ~s" omega))
  (unless (memq method '(#f snapshots svd))
    (refuse who "#:method: expected snapshots, svd or #f, got ~s" method)))

(define (thunks? snapshots)
  (let ((items (list-of-snapshots snapshots)))
    (and items (pair? items) (every procedure? items))))

(define (check-slices who slices steps snapshots)
  (unless (or slices steps (thunks? snapshots))
    (refuse who "expected #:slices, for a distributed tree, or #:steps, for an incremental one")))

(define (check-any-product who product)
  (let ((n (cond ((operator? product) (space-dimension (operator-domain product)))
                 ((f64vector? product) (inexact->exact (floor (sqrt (f64vector-length product)))))
                 (else (refuse who "#:product: expected an f64vector, row-major, or a linear operator; got ~s" product)))))
    (when (and (f64vector? product) (not (= (* n n) (f64vector-length product))))
      (refuse who "#:product: expected the numbers of a square matrix, row-major; got ~a numbers" (f64vector-length product)))
    (check-product who n product)))

(define* (hapod snapshots #:key slices arity steps eps (omega 0.9) product method pool)
  "Return a hierarchical approximate POD of @var{snapshots}, a @code{pod-result}: modes such that the square root of
the mean of the squared errors of all snapshots, projected orthogonally on them, is at most @var{eps}. @var{snapshots}
is a list or vector of f64vectors of one length, or a remote object for such; or a list or vector of procedures
without arguments that workers can be given (@code{remote}), each of which returns a slice of the snapshots as a list
or vector: it is called on the worker that reduces the slice, so that the snapshots never meet in one process.

With @var{slices} the tree is distributed: so many contiguous slices, of one size but for the last, are reduced each
for itself, and what is left of them at nodes with at most @var{arity} children (@code{#f}: all at the root). With
@var{steps} it is incremental: each slice is reduced together with what is left of all before it. Procedures make a
distributed tree, unless @var{steps} is given. @var{omega} (0.9), between 0 and 1, is the share of the error that the
root makes: near 1 there are fewer modes in the end, near 0 fewer before. @var{product} is as for @code{pod}.
@var{method} is as for @code{pod}, for all nodes; with @code{#f} each node takes the quick one if it knows the
singular values that are wanted to nine digits.

Nodes run on @var{pool} as soon as their children are done, each on the worker that has most of what these have left.
The result depends on the tree, but neither on the number of workers nor on their speed, to the last bit."
  (define who 'hapod)
  (check-arguments who slices arity steps eps omega method)
  (check-slices who slices steps snapshots)
  (let* ((pool (pool-for who pool snapshots))
         (parts (slices-of who pool snapshots (or steps slices)))
         (tree (if steps
                   (incremental-tree (length parts) (procedure? (car parts)))
                   (distributed-tree (length parts) arity))))
    (cond ((not product) #f)
          ((pair? (car parts)) (check-product who (f64vector-length (caar parts)) product))
          (else (check-any-product who product)))
    (call-with-remote-object (give-to-workers pool product who)
      (lambda (held)
        (let ((value (run-tree tree
                               (lambda (node children tasks)
                                 (submit-node pool node (tree-depth tree) eps omega method held (list->vector parts) children tasks))
                               (1+ (pool-size pool)))))
          (make-pod-result (vector-ref value 0) (vector-ref value 1) (vector-ref value 2) (vector-ref value 3) product))))))
