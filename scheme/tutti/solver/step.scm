;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The step that minimises the linearised functional within the bounds and a radius.
(define-module (tutti solver step)
  #:use-module (srfi srfi-9)
  #:export (make-step step-vector step-predicted step-size step-inner-iterations
            make-quadratic quadratic-solve quadratic-measure quadratic-magnitude))

(define-record-type <step>
  (make-step vector predicted size inner-iterations)
  step?
  (vector step-vector)
  (predicted step-predicted)            ; by how much it lowers the linearised functional
  (size step-size)                      ; in the norm of the radius
  (inner-iterations step-inner-iterations))

;; The functional, linearised at a point.
(define-record-type <quadratic>
  (make-quadratic solve measure magnitude)
  quadratic?
  (solve quadratic-solve)               ; radius, or #f for none -> step
  (measure quadratic-measure)           ; vector -> its size in the norm of the radius
  (magnitude quadratic-magnitude))      ; model -> how large what its data are the sum of may be, or #f
