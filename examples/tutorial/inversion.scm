;; A ball was seen five times, to within 0.1 m: how was it thrown, and what is its drag?
(use-modules (tutti) (ball) (ice-9 format))

(define track (make-track '(0.5 1 1.5 2 2.5)))

;; What was seen: made here, with errors that are always the same.
(define truth (f64vector 23 19 (log 0.01)))
(define errors (seed->random-state 7))
(define seen (vec-map (lambda (x) (+ x (* 0.1 (random:normal errors)))) (evaluate track truth)))

(define result
  (gauss-newton track seen (f64vector 10 10 -3) #:std 0.1 #:beta 1e-6 #:callback #f))

(define m (solver-result-solution result))
(format #t "speeds ~,1f and ~,1f m/s, drag ~,4f 1/m~%"
        (f64vector-ref m 0) (f64vector-ref m 1) (exp (f64vector-ref m 2)))
(format #t "~a steps; chi-squared for ~a data: ~,1f~%"
        (solver-result-iterations result) (f64vector-length seen)
        (iteration-phi-d (car (reverse (solver-result-history result)))))
