;; How far does a ball fly that is thrown with 30 m/s, in air? Plain Guile.
(use-modules (ice-9 format))

(define (flight angle)
  (let ((phi (* angle (/ (acos -1) 180))) (dt 1e-4))
    (let fly ((x 0.) (y 0.) (u (* 30 (cos phi))) (v (* 30 (sin phi))))
      (let ((drag (* 0.01 (sqrt (+ (* u u) (* v v))))))
        (if (< y 0)
            x
            (fly (+ x (* dt u)) (+ y (* dt v))
                 (- u (* dt drag u)) (- v (* dt (+ 9.81 (* drag v))))))))))

(define angles '(25 30 35 40 45 50))

(for-each (lambda (angle distance) (format #t "~a degrees: ~,1f m~%" angle distance))
          angles
          (map flight angles))
