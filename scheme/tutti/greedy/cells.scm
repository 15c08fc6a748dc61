;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Boxes of parameters, cut into cells: the vertices of the cells are a training set that can be refined where it has
;; to be.
(define-module (tutti greedy cells)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (make-cells cells-parameters cells-refine cells-count cells-centres cell-vertices cell-age cell-share
            cells-leaves cells-vertex-count))

;; Places within the box are lists of exact numbers from 0 to 1, so that neighbours agree on their vertices.
(define-record-type <cell>
  (make-cell level centre vertices birth)
  cell?
  (level cell-level)                    ; it has been halved so often, in each direction
  (centre cell-centre)
  (vertices cell-vertices)              ; list of numbers of vertices
  (birth cell-birth))                   ; after how many refinements it was made

(define-record-type <cells>
  (%make-cells ranges leaves places numbers refinements)
  cells?
  (ranges cells-ranges)                 ; list of pairs of the least and the largest number
  (leaves cells-leaves)                 ; list of cells
  (places cells-places)                 ; list of the places of all vertices, the last one first
  (numbers cells-numbers)               ; their numbers, by place
  (refinements cells-refinements))

(define (corners centre distance)
  "Return the list of the places that are @var{distance} away from @var{centre} in each direction; the first direction
changes fastest."
  (if (null? centre)
      '(())
      (append-map (lambda (rest)
                    (list (cons (- (car centre) distance) rest) (cons (+ (car centre) distance) rest)))
                  (corners (cdr centre) distance))))

(define (add-vertex place places numbers)
  "Return two values: the number of the vertex at @var{place}, and @var{places} with it."
  (let ((number (hash-ref numbers place)))
    (if number
        (values number places)
        (let ((number (length places)))
          (hash-set! numbers place number)
          (values number (cons place places))))))

(define (new-cell level centre birth places numbers)
  "Return two values: the cell, and @var{places} with its vertices."
  (let loop ((rest (corners centre (/ 1 (expt 2 (1+ level))))) (found '()) (places places))
    (if (null? rest)
        (values (make-cell level centre (reverse found) birth) places)
        (call-with-values (lambda () (add-vertex (car rest) places numbers))
          (lambda (number places)
            (loop (cdr rest) (cons number found) places))))))

(define (make-cells ranges)
  "Return one cell, the box of the parameters within @var{ranges}, a list of pairs of the least and the largest number."
  (let ((numbers (make-hash-table)))
    (call-with-values (lambda () (new-cell 0 (map (const 1/2) ranges) 0 '() numbers))
      (lambda (cell places)
        (%make-cells ranges (list cell) places numbers 0)))))

(define (parameter-at cells place)
  (map (lambda (range x) (+ (car range) (* (- (cdr range) (car range)) (exact->inexact x)))) (cells-ranges cells) place))

(define (cells-parameters cells)
  "Return the list of the parameters at the vertices of @var{cells}, in the order in which they were added."
  (map (lambda (place) (parameter-at cells place)) (reverse (cells-places cells))))

(define (cells-vertex-count cells)
  "Return how many vertices @var{cells} have."
  (length (cells-places cells)))

(define (cells-count cells)
  "Return how many of @var{cells} there are."
  (length (cells-leaves cells)))

(define (cells-centres cells)
  "Return the list of the parameters at the centres of @var{cells}."
  (map (lambda (cell) (parameter-at cells (cell-centre cell))) (cells-leaves cells)))

(define (cell-share cells cell)
  "Return which share of the box @var{cell} is."
  (/ 1. (expt 2 (* (cell-level cell) (length (cells-ranges cells))))))

(define (cell-age cells cell)
  "Return for how many refinements of @var{cells} there has been @var{cell}."
  (- (cells-refinements cells) (cell-birth cell)))

(define (cells-refine cells chosen)
  "Return @var{cells} with those in the list @var{chosen} cut in halves, in each direction. @var{cells} cannot be used
any more."
  (define refinements (1+ (cells-refinements cells)))
  (define numbers (cells-numbers cells))
  (define (halves cell places)
    (let loop ((rest (corners (cell-centre cell) (/ 1 (expt 2 (+ 2 (cell-level cell)))))) (found '()) (places places))
      (if (null? rest)
          (values (reverse found) places)
          (call-with-values (lambda () (new-cell (1+ (cell-level cell)) (car rest) refinements places numbers))
            (lambda (cell places) (loop (cdr rest) (cons cell found) places))))))
  (let loop ((rest (cells-leaves cells)) (leaves '()) (places (cells-places cells)))
    (cond ((null? rest)
           (%make-cells (cells-ranges cells) (reverse leaves) places numbers refinements))
          ((memq (car rest) chosen)
           (call-with-values (lambda () (halves (car rest) places))
             (lambda (cells places) (loop (cdr rest) (append-reverse cells leaves) places))))
          (else (loop (cdr rest) (cons (car rest) leaves) places)))))
