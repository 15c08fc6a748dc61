;; Vectors of numbers, as numpy has them: all of one type, next to each other in memory.
(use-modules (tutti))

(define x (f64vector 1 2 3 4))                       ; numpy.array([1., 2., 3., 4.])
(define y (make-f64vector 4 .5))                     ; numpy.full(4, .5)

(for-each (lambda (value) (display value) (newline))
          (list (f64vector-ref x 0)                  ; x[0]
                (vec+ x y)                           ; x + y
                (vec* x y)                           ; x * y
                (vec-scale 2 x)                      ; 2 * x
                (vec-dot x y)                        ; x @ y
                (vec-slice x 1 3)                    ; x[1:3].copy()
                (vec-map sqrt x)                     ; numpy.sqrt(x)
                (list->f64vector (map (lambda (i) (/ i 4.)) (iota 4)))   ; numpy.arange(4) / 4
                (evaluate (matrix-operator 2 4 (f64vector 1 0 0 0
                                                          0 1 1 1)) x))) ; A @ x
