;; A picture of some tracks, by gnuplot.
(use-modules (tutti) (ice-9 format))

(define-remote (track angle)
  (let ((phi (* angle (/ (acos -1) 180))) (dt 0.02))
    (let fly ((x 0.) (y 0.) (u (* 30 (cos phi))) (v (* 30 (sin phi))) (places '()))
      (let ((drag (* 0.01 (sqrt (+ (* u u) (* v v))))))
        (if (< y 0)
            (reverse places)
            (fly (+ x (* dt u)) (+ y (* dt v))
                 (- u (* dt drag u)) (- v (* dt (+ 9.81 (* drag v))))
                 (cons (list x y) places)))))))

(define tracks (call-with-pool 2 (lambda (pool) (pool-map pool track '(25 40 55)))))

(define file
  (plot-save "tracks.svg"
             '("set xlabel 'distance in m'" "set ylabel 'height in m'" "set size ratio -1"
               "plot $low with lines title '25°', $middle with lines title '40°', \
$high with lines title '55°'")
             #:data (map cons '(low middle high) tracks)))

(format #t "~a~%" (or file "gnuplot is not installed: there is no picture"))
