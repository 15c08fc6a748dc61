;; The same on all processors: three lines are different, and marked.
(use-modules (tutti) (ice-9 format))                          ; 1

(define-remote (flight angle)                                 ; 2
  (let ((phi (* angle (/ (acos -1) 180))) (dt 1e-4))
    (let fly ((x 0.) (y 0.) (u (* 30 (cos phi))) (v (* 30 (sin phi))))
      (let ((drag (* 0.01 (sqrt (+ (* u u) (* v v))))))
        (if (< y 0)
            x
            (fly (+ x (* dt u)) (+ y (* dt v))
                 (- u (* dt drag u)) (- v (* dt (+ 9.81 (* drag v))))))))))

(define angles '(25 30 35 40 45 50))

(call-with-pool (default-pool-size)
  (lambda (pool)
    (for-each (lambda (angle distance) (format #t "~a degrees: ~,1f m~%" angle distance))
              angles
              (pool-map pool flight angles))))                ; 3
