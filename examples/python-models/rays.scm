;; A class of rays.py as an operator.
(use-modules (tutti) (tutti python) (ice-9 format))

(define rays (python-operator "rays.py" "Rays" 4.5 '(0.5 4.5 9.5)))
(define m (make-f64vector 100 (log 0.25)))              ; 4000 m/s everywhere

(define (show v)
  (format #t "~{~,2f~^ ~}~%" (f64vector->list v)))

(format #t "from ~a numbers to ~a~%" (operator-domain rays) (operator-codomain rays))
(show (evaluate rays m))
(call-with-values (lambda () (linearize rays m))
  (lambda (times derivative)
    (show (evaluate derivative (make-f64vector 100 0.1)))       ; 10 % slower: 10 % more time
    (format #t "the adjoint is right: ~a~%" (< (check-adjoint derivative) 1e-12))))
