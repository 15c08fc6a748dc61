(use-modules (tutti command))

(define parameters
  (make-dakota-parameters '(("x1" . 1.5) ("x2" . -0.25))
                          #:active-set '(("f" . 3)) #:derivative-variables '("x1" "x2")))
(display (dakota-parameters->text parameters #:format 'aprepro))

(define results
  (parse-dakota-results "results.out" "2.5 f\n[ 1.0 2.0 ]\n" #:active-set parameters))
(write (list (dakota-values results) (dakota-gradients results)))
(newline)
