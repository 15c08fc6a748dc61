;; The operator of heights.c, tested, inverted, and at work on two workers.
(use-modules (tutti) (ice-9 format))

(define times '(0.5 1 1.5 2))
(define heights (native-operator "./heights.so" "heights" #:times times))

(format #t "~a~%" heights)
(format #t "its adjoint is one: ~a~%" (< (check-adjoint heights) 1e-14))

(define seen (f64vector 8.78 15.07 18.99 20.41))                      ; in m
(define m (solver-result-solution (cgls heights seen #:callback #f)))
(format #t "thrown up with ~,1f m/s, g is ~,1f m/s^2~%" (f64vector-ref m 0) (f64vector-ref m 1))

;; What if each height is wrong by 1 %? A hundred answers, from workers that have the operator too.
(define (answers pool)
  (pool-map pool
            (remote ((heights heights) (seen seen))
              (lambda (i)
                (let ((d (vec-map (lambda (y) (* y (+ 1 (* 0.01 (random:normal))))) seen)))
                  (f64vector-ref (solver-result-solution (cgls heights d)) 1))))
            (iota 100)))

(call-with-pool 2
  (lambda (pool)
    (parameterize ((random-seed 1))
      (let ((all (sort (answers pool) <)))
        (format #t "9 of 10 are between ~,1f and ~,1f~%" (list-ref all 5) (list-ref all 94))))))
