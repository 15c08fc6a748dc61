(use-modules (tutti) (tutti command))

(define cup (command-server "python3" "cup.py"))

(call-with-pool 2
  (lambda (pool)
    (write (pool-map pool
                     (remote ((cup cup))
                       (lambda (rate)
                         (assoc-ref (cup `((rate . ,rate) (time . 10))) "temperature")))
                     '(0. 0.1 0.2)))
    (newline)))
