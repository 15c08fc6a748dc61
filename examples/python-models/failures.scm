;; An exception of Python arrives as a condition.
(use-modules (tutti) (tutti python) (ice-9 format))

(with-exception-handler
    (lambda (c)
      (format #t "~a: ~a~%" (python-error-type c) (python-error-text c)))
  (lambda ()
    (python-call "json" "loads" "{\"depth\": }"))
  #:unwind? #t
  #:unwind-for-type &python-error)
