;; Speed and angle of a throw are known with errors only: how far does the ball go?
(use-modules (tutti) (ice-9 format))

(define-remote (flight speed angle)
  (let ((phi (* angle (/ (acos -1) 180))) (dt 1e-2))
    (let fly ((x 0.) (y 0.) (u (* speed (cos phi))) (v (* speed (sin phi))))
      (let ((drag (* 0.01 (sqrt (+ (* u u) (* v v))))))
        (if (< y 0)
            x
            (fly (+ x (* dt u)) (+ y (* dt v))
                 (- u (* dt drag u)) (- v (* dt (+ 9.81 (* drag v))))))))))

(define-remote (any-flight i)                 ; each item draws numbers of its own
  (flight (+ 30 (random:normal)) (+ 40 (* 2 (random:normal)))))

(define n 10000)

(define distances
  (parameterize ((random-seed 1))
    (call-with-pool (default-pool-size)
      (lambda (pool)
        (sort (pool-map pool any-flight (iota n)) <)))))

(define mean (/ (apply + distances) n))
(define variance (/ (apply + (map (lambda (d) (expt (- d mean) 2)) distances)) (- n 1)))

(format #t "~a throws: ~,1f m, give or take ~,1f m~%" n mean (sqrt variance))
(for-each (lambda (percent)
            (format #t "~d % are below ~,1f m~%" percent
                    (list-ref distances (quotient (* n percent) 100))))
          '(5 50 95))
