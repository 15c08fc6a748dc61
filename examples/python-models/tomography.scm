;; What is between the boreholes? Ten sources, an operator each, on two workers.
(use-modules (tutti) (tutti python) (ice-9 format))

(define depths (map (lambda (i) (+ i 0.5)) (iota 10)))

(define (shot depth)                                    ; made on its worker, and nowhere else
  (remote ((depth depth) (depths depths))
    (lambda () (python-operator "rays.py" "Rays" depth depths))))

(define background (make-f64vector 100 (log 0.25)))
(define truth (vec-map (lambda (x) x) background))
(for-each (lambda (cell) (f64vector-set! truth cell (log 0.4)))         ; 2500 m/s
          '(34 35 36 44 45 46 54 55 56))

(define result
  (call-with-pool 2
    (lambda (pool)
      (let ((survey (parallel-vector-of-operators (map shot depths) #:pool pool)))
        (gauss-newton survey (evaluate survey truth) background
                      #:std 0.01 #:reference background #:beta 1 #:callback #f)))))

(define found (solver-result-solution result))
(do ((row 0 (1+ row)))
    ((= row 10))
  (do ((column 0 (1+ column)))
      ((= column 10) (newline))
    (display (if (> (f64vector-ref found (+ column (* 10 row))) (log 0.32)) "#" "."))))
