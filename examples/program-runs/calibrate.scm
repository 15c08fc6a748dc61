(use-modules (tutti) (tutti command) (ice-9 format))

(define cooling
  (command-operator "./cooling.sh"
                    #:templates '(("cooling.tpl" . "cooling.in"))
                    #:parameters '(rate start)
                    #:read (output-column "cooling.out" "temperature" #:rows 6)))

(define measured (f64vector 91.2 77.3 66.0 56.9 49.7 43.8))

(define result
  (call-with-pool 2
    (lambda (pool)
      (gauss-newton (with-differences cooling #:pool pool) measured (f64vector 0.05 80) #:std 0.2 #:beta 0 #:callback #f))))

(format #t "rate ~,4f, start ~,2f~%" (f64vector-ref (solver-result-solution result) 0)
        (f64vector-ref (solver-result-solution result) 1))
