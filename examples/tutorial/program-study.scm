;; A study of a program: what takes more than five seconds is ended, what failed is tried once more.
(use-modules (tutti) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim)
             (srfi srfi-1) (srfi srfi-11))

(define-remote (simulate angle)
  (let* ((pipe (open-pipe* OPEN_READ "./simulate.sh" (number->string angle)))
         (line (read-line pipe))
         (status (close-pipe pipe)))
    (if (eqv? 0 (status:exit-val status))
        (string->number (last (string-split line #\space)))
        (error "no result, it ended with"
               (or (status:exit-val status) (list 'signal (status:term-sig status)))))))

(define (study pool angles attempts)
  "Return pairs: an angle, and its distance or the condition that tells of its last attempt."
  (let*-values (((results) (map cons angles (pool-map pool simulate angles #:on-error 'collect)))
                ((failed done) (partition (lambda (result) (tutti-error? (cdr result))) results)))
    (if (or (null? failed) (= attempts 1))
        results
        (append done (study pool (map car failed) (- attempts 1))))))

(define results
  (parameterize ((task-timeout 5))
    (call-with-pool 3
      (lambda (pool)
        (study pool '(20 30 40 50 60) 2)))))

(for-each (match-lambda
            ((angle . (? number? distance)) (format #t "~a degrees: ~,1f m~%" angle distance))
            ((angle . (? task-timeout? c))
             (format #t "~a degrees: more than ~a s~%" angle (task-timeout-seconds c)))
            ((angle . c) (format #t "~a degrees: ~a~%" angle (worker-error-message c))))
          (sort results (lambda (a b) (< (car a) (car b)))))
