;; Some items fail, each in its own way. All others are done, and afterwards there is time to look.
(use-modules (tutti) (ice-9 format) (srfi srfi-1))

(define-remote (difficult x)
  (case x
    ((3) (error "no convergence after" 100 'iterations))
    ((5) (vector-ref (vector 1 2) x))
    ((6) (display "disk full, giving up\n" (current-error-port)) (exit 4))
    ((8) (sleep 1000))
    (else (* x x))))

(define outcomes
  (parameterize ((task-timeout 5) (task-retries 0) (worker-output-port #f))
    (call-with-pool 2
      (lambda (pool)
        (pool-map pool difficult (iota 10) #:on-error 'collect)))))

(define-values (failed good) (partition tutti-error? outcomes))
(format #t "good: ~a~%" good)

(for-each
 (lambda (c)
   (format #t "item ~a: ~a~%" (condition-item c)
           (cond ((worker-error? c) (worker-error-message c))
                 ((task-timeout? c) (format #f "took more than ~a s" (task-timeout-seconds c)))
                 ((worker-died? c)
                  (let ((certificate (worker-died-certificate c)))
                    (format #f "its worker died: ~a ~a, ~s" (certificate-reason certificate)
                            (certificate-status certificate) (certificate-stderr certificate)))))))
 failed)

;; The full texts, with the backtraces of the workers, are for a file.
(call-with-output-file "failures.log"
  (lambda (port)
    (for-each (lambda (c) (format port "~a~%~%" (condition->string c))) failed)))
