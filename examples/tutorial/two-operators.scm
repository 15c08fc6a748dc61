;; A throw, seen by a camera, and by a radar that measures distances only: both operators are
;; inverted together, each on a worker of its own.
(use-modules (tutti) (ball) (ice-9 format))

(define-remote (make-distances times)
  (let ((n (length times)))
    (operator-compose
     (with-differences
      (make-operator #:name "distances" #:domain (* 2 n) #:codomain n
                     #:evaluate (lambda (places)
                                  (list->f64vector
                                   (map (lambda (i)
                                          (vec-norm (vec-slice places (* 2 i) (* 2 (1+ i)))))
                                        (iota n))))))
     (make-track times))))

(define camera '(0.5 1))
(define radar '(0.75 1.5 2.25))
(define truth (f64vector 23 19 (log 0.01)))
(define std (vec-concatenate (list (make-f64vector 4 0.1) (make-f64vector 3 0.02))))
(define errors (seed->random-state 7))

(call-with-pool 2
  (lambda (pool)
    (let* ((both (parallel-vector-of-operators (list (make-track camera) (make-distances radar))
                                               #:pool pool))
           (seen (vec-map (lambda (x s) (+ x (* s (random:normal errors))))
                          (evaluate both truth) std))
           (m (solver-result-solution
               (gauss-newton both seen (f64vector 10 10 -3) #:std std #:beta 1e-6 #:callback #f))))
      (format #t "speeds ~,1f and ~,1f m/s, drag ~,4f 1/m~%"
              (f64vector-ref m 0) (f64vector-ref m 1) (exp (f64vector-ref m 2))))))
