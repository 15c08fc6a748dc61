;; What workers print goes to a file, with the worker's number at each line.
(use-modules (tutti) (ice-9 format) (ice-9 textual-ports))

(define-remote (simulate x)
  (format #t "simulating ~a~%" x)               ; libraries and programs may print, too
  (* x x))

(define lines (open-output-file "workers.log"))

(define squares
  (parameterize ((worker-output-port lines) (progress-port #f))
    (call-with-pool 2
      (lambda (pool)
        (pool-map pool simulate (iota 5))))))
(close-port lines)

(format #t "squares: ~a~%" squares)
(format #t "lines in workers.log: ~a~%"
        (string-count (call-with-input-file "workers.log" get-string-all) #\newline))
