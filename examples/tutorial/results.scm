;; Results to files that numpy reads: a table as text, and an array of any size as it is in memory.
(use-modules (tutti) (tutti file) (ice-9 format))

(define-remote (path angle)                                  ; heights at 100 places, 1 m apart
  (let ((slope (tan (* angle (/ (acos -1) 180)))))
    (vec-map (lambda (x) (- (* slope x) (* 0.5 9.81 (expt (/ x 30) 2) (+ 1 (* slope slope)))))
             (list->f64vector (iota 100)))))

(define angles (iota 9 10 10))
(define paths (call-with-pool 2 (lambda (pool) (pool-map pool path angles))))

(call-with-output-file "paths.csv"
  (lambda (port)
    (format port "angle,highest~%")
    (for-each (lambda (angle path)
                (format port "~a,~,6f~%" angle (apply max (f64vector->list path))))
              angles paths)))

(write-npy "paths.npy" (list->typed-array 'f64 2 (map f64vector->list paths)))
(display "wrote paths.csv and paths.npy\n")
