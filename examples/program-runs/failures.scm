(use-modules (tutti) (tutti command) (ice-9 format))

(define-remote (cool rate)
  (run-command "./cooling.sh"
               #:templates '(("cooling.tpl" . "cooling.in"))
               #:values `((rate . ,rate) (start . 95))
               #:fail '((3 -> unphysical))
               #:keep 'never
               #:read (output-value "cooling.out" "10 ")))

(define-remote (cool-if-possible rate)
  (with-exception-handler
      (lambda (failure)
        (if (command-failed? failure)
            (command-failed-kind failure)
            (raise-exception failure)))
    (lambda () (cool rate))
    #:unwind? #t))

(call-with-pool 2
  (lambda (pool)
    (write (pool-map pool cool-if-possible '(0.1 -0.1 0.2)))
    (newline)))
