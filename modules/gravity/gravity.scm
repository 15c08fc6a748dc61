;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gravity of the density in the cells of a tensor mesh: coordinates in m with z upwards, densities in g/cc, gravity in
;; mGal, upwards as well.
(define-module (tutti gravity)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti operator)
  #:export (tensor-mesh
            tensor-mesh?
            tensor-mesh-hx
            tensor-mesh-hy
            tensor-mesh-hz
            tensor-mesh-origin
            tensor-mesh-shape
            tensor-mesh-size
            tensor-mesh-cell
            tensor-mesh-centres
            tensor-mesh-volumes
            gravity-operator))

;;; Meshes.

(define-record-type <tensor-mesh>
  (make-tensor-mesh hx hy hz origin)
  %tensor-mesh?
  (hx %hx)                              ; lists of positive reals: widths of the cells from west to east,
  (hy %hy)                              ; from south to north,
  (hz %hz)                              ; and from the bottom up
  (origin %origin))                     ; list of three reals: the west, south, bottom corner

(set-record-type-printer! <tensor-mesh>
  (lambda (mesh port)
    (format port "#<tensor-mesh of ~{~a~^ x ~} cells>" (tensor-mesh-shape mesh))))

(define (->reals who what value)
  (let ((numbers (if (f64vector? value) (f64vector->list value) value)))
    (unless (and (list? numbers) (every real? numbers))
      (refuse who "~a is ~s, expected a list of numbers or an f64vector" what value))
    (map exact->inexact numbers)))

(define (->widths what value)
  (let ((widths (->reals 'tensor-mesh what value)))
    (when (null? widths)
      (refuse 'tensor-mesh "~a is empty, expected the width of at least one cell" what))
    (for-each (lambda (width i)
                (unless (and (positive? width) (finite? width))
                  (refuse 'tensor-mesh "number ~a of ~a is ~a, expected a positive width" i what width)))
              widths (iota (length widths)))
    widths))

(define (->point who what value)
  (let ((point (->reals who what value)))
    (unless (and (= (length point) 3) (every finite? point))
      (refuse who "~a is ~s, expected three numbers: x, y, z" what value))
    point))

(define* (tensor-mesh hx hy hz #:optional (origin '(0 0 0)))
  "Return the mesh of rectangular cells with the widths @var{hx} from west to east, @var{hy} from south to north and
@var{hz} from the bottom up, in m, whose west, south, bottom corner is @var{origin}.  All of them are lists or
f64vectors."
  (make-tensor-mesh (->widths "hx" hx) (->widths "hy" hy) (->widths "hz" hz) (->point 'tensor-mesh "the origin" origin)))

(define (tensor-mesh? x)
  "Return true if @var{x} is a tensor mesh."
  (%tensor-mesh? x))

(define (tensor-mesh-hx mesh)
  "Return the list of the widths of the cells of @var{mesh} from west to east, in m."
  (%hx mesh))

(define (tensor-mesh-hy mesh)
  "Return the list of the widths of the cells of @var{mesh} from south to north, in m."
  (%hy mesh))

(define (tensor-mesh-hz mesh)
  "Return the list of the widths of the cells of @var{mesh} from the bottom up, in m."
  (%hz mesh))

(define (tensor-mesh-origin mesh)
  "Return the list of the coordinates of the west, south, bottom corner of @var{mesh}, in m."
  (%origin mesh))

(define (tensor-mesh-shape mesh)
  "Return the list of the numbers of cells of @var{mesh} in x, y and z."
  (map length (list (%hx mesh) (%hy mesh) (%hz mesh))))

(define (tensor-mesh-size mesh)
  "Return the number of cells of @var{mesh}."
  (apply * (tensor-mesh-shape mesh)))

(define (tensor-mesh-cell mesh i j k)
  "Return the number of the cell of @var{mesh} that is @var{i}th from the west, @var{j}th from the south and @var{k}th
from the bottom, each counted from 0: cells are numbered along x first, then y, then z."
  (for-each (lambda (index size axis)
              (unless (and (exact-integer? index) (< -1 index size))
                (refuse 'tensor-mesh-cell "the cell's ~a is ~s, expected an integer from 0 to ~a"
                        axis index (1- size))))
            (list i j k) (tensor-mesh-shape mesh) '(i j k))
  (let ((shape (tensor-mesh-shape mesh)))
    (+ i (* (first shape) (+ j (* (second shape) k))))))

(define (middles start widths)
  (reverse (second (fold (lambda (width state)
                           (list (+ (first state) width) (cons (+ (first state) (/ width 2)) (second state))))
                         (list start '()) widths))))

(define (for-each-cell proc x y z)
  "Call @var{proc} with a cell's number, and its items of the lists @var{x}, @var{y} and @var{z}."
  (fold (lambda (c cell)
          (fold (lambda (b cell)
                  (fold (lambda (a cell) (proc cell a b c) (1+ cell)) cell x))
                cell y))
        0 z))

(define (tensor-mesh-centres mesh)
  "Return the f64vector of the centres of the cells of @var{mesh}: x, y and z of each, in m."
  (let ((result (make-f64vector (* 3 (tensor-mesh-size mesh)))))
    (apply for-each-cell
           (lambda (cell . point)
             (for-each (lambda (axis coordinate) (f64vector-set! result (+ (* 3 cell) axis) coordinate)) '(0 1 2) point))
           (map middles (%origin mesh) (list (%hx mesh) (%hy mesh) (%hz mesh))))
    result))

(define (tensor-mesh-volumes mesh)
  "Return the f64vector of the volumes of the cells of @var{mesh}, in m^3."
  (let ((result (make-f64vector (tensor-mesh-size mesh))))
    (for-each-cell (lambda (cell a b c) (f64vector-set! result cell (* a b c))) (%hx mesh) (%hy mesh) (%hz mesh))
    result))

;;; Gravity.

(define (->receivers value)
  (cond ((f64vector? value) value)
        ((and (list? value) (every real? value)) value)
        ((list? value)
         (append-map (lambda (point i) (->point 'gravity-operator (format #f "receiver ~a" i) point))
                     value (iota (length value))))
        (else
         (refuse 'gravity-operator
                 "the receivers are ~s, expected a list of lists of x, y, z, or an f64vector of all of them" value))))

(define* (gravity-operator mesh receivers #:key active)
  "Return the linear operator from the densities of the cells of @var{mesh}, in g/cc, to the upward component of gravity
at @var{receivers}, in mGal: what is denser below makes it negative.  @var{receivers} is a list of lists of x, y and z in
m, z upwards, or an f64vector of all these numbers.  If the list @var{active} of cells' numbers is given, which must
ascend, the densities are of these cells alone.

The closed form for prisms is used everywhere, also at receivers in, on or between the cells.  The matrix is computed when
the operator is made, and kept: 8 bytes for each pair of a receiver and a cell."
  (unless (tensor-mesh? mesh)
    (scm-error 'wrong-type-arg "gravity-operator" "Wrong type argument in position 1 (expecting tensor mesh): ~S"
               (list mesh) (list mesh)))
  (apply native-operator "gravity" "prisms"
         #:hx (%hx mesh) #:hy (%hy mesh) #:hz (%hz mesh) #:origin (%origin mesh)
         #:receivers (->receivers receivers)
         (if active (list #:active active) '())))
