;; Operators of scipy, in a sum of squares.
(use-modules (tutti) (tutti python) (ice-9 format))

(define smooth (python-operator "smooth.py" "smoother" 50 2.))
(define x (make-f64vector 50 0.))
(f64vector-set! x 25 1.)

(format #t "the adjoint is right: ~a~%" (< (check-adjoint smooth) 1e-12))

;; What was smoothed, out of the smooth: data minus A x, and 1e-6 |x|^2.
(define found (solver-result-solution (cgls smooth (evaluate smooth x) #:damping 1e-6 #:callback #f)))
(format #t "the peak is at ~a, its height ~,2f~%"
        (let loop ((i 0) (best 0))
          (cond ((= i 50) best)
                ((> (f64vector-ref found i) (f64vector-ref found best)) (loop (1+ i) i))
                (else (loop (1+ i) best))))
        (f64vector-ref found 25))
