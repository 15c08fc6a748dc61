;; An operator of our own: asked for its value and its derivative, and tested.
(use-modules (tutti) (ball) (ice-9 format))

(define track (make-track '(1 2)))
(define m (f64vector 20 20 -4.6))

(display track)
(newline)
(format #t "places: ~{~,2f~^ ~}~%" (f64vector->list (evaluate track m)))

(call-with-values (lambda () (linearize track m))
  (lambda (y derivative)
    (format #t "change with u: ~{~,2f~^ ~}~%"
            (f64vector->list (evaluate derivative (f64vector 1 0 0))))))

(format #t "the adjoint is one: ~a~%" (< (check-adjoint track #:at m) 1e-10))
