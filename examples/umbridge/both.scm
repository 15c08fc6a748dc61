(use-modules (tutti) (tutti umbridge) (ice-9 format))

(define decay                           ; of two amounts and a time
  (make-operator #:name "decay" #:domain (direct-sum 2 1) #:codomain 2
                 #:evaluate (remote
                              (lambda (x)
                                (let ((a (f64vector-ref x 0)) (b (f64vector-ref x 1))
                                      (t (f64vector-ref x 2)))
                                  (f64vector (* a (exp (- (* b t)))) (* a b)))))))

(call-with-pool 2
  (lambda (pool)
    (define server
      (umbridge-serve (with-differences decay) #:name "forward" #:port 0))
    (define model                       ; as any other client would see it
      (umbridge-operator (umbridge-url server) "forward"))

    (write (umbridge-models (umbridge-url server)))
    (newline)
    (write (evaluate model (f64vector 1 2 0)))
    (newline)
    (call-with-values (lambda () (linearize model (f64vector 1 2 0)))
      (lambda (y derivative)
        (format #t "~{~,6f~^ ~}~%" (f64vector->list (apply-adjoint derivative (f64vector 0 1))))))
    (umbridge-stop server)))
