(use-modules (tutti) (tutti command))

(define uptake                          ; cat stands for a model: it prints its input
  (command-operator "cat" "model.in"
                    #:parameters '(k)
                    #:templates '(("model.tpl" . "model.in"))
                    #:read (output-pest "stdout" "model.ins")))

(write (evaluate uptake (f64vector 2.5)))
(newline)
