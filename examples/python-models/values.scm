;; Calls of Python from a script.
(use-modules (tutti) (tutti python))

(define (show value)
  (write value)
  (newline))

(show (python-call "math" "comb" 100 50))
(show (python-call "statistics" "mean" '(1/2 1/3)))
(show (python-call "builtins" "sorted" '(3 1 2) #:reverse #t))
(show (python-call "builtins" "divmod" 17 5))
(show (python-call "numpy" "cumsum" (f64vector 1 2 3)))
(show (hash-ref (python-call "json" "loads" "{\"name\": \"north\", \"depths\": [1, 2.5, null]}") "depths"))
