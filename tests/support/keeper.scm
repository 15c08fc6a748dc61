;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A model that keeps its input until its next call, and looks whether it is still what it was.
(define-module (keeper)
  #:use-module (srfi srfi-4)
  #:use-module (test-primitives)
  #:export (visit))

(define kept #f)
(define first-then #f)

(define (visit v keep?)
  "Return the first number of what was kept, as it was and as it is, and the first of V; keep V, with its contents if KEEP? is true."
  (let ((answer (list first-then (and kept (f64vector-ref kept 0)) (f64vector-ref v 0))))
    (when keep? (%vector-keep-contents! v))
    (set! kept v)
    (set! first-then (f64vector-ref v 0))
    answer))
