(use-modules (tutti) (tutti command))

(define temperatures
  (run-command "./cooling.sh"
               #:templates '(("cooling.tpl" . "cooling.in"))
               #:values '((rate . 0.1) (start . 95))
               #:read (output-column "cooling.out" "temperature")))

(write temperatures)
(newline)
