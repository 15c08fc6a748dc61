;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Seconds as users give them: whatever number it is, it means something or is refused by name.
(use-modules (tap) (ice-9 exceptions) (srfi srfi-64) (tutti) (tutti base seconds))

(define-remote (twice x) (* 2 x))

(define (refusal thunk)
  "Return who complains in @var{thunk} and of what, or what it returns."
  (with-exception-handler
      (lambda (exception)
        (if (eq? (exception-kind exception) 'wrong-type-arg)
            (list (car (exception-args exception)) (caddr (exception-args exception)))
            exception))
    thunk
    #:unwind? #t))

(define (call-with-some-pool size proc)
  (if (zero? size) (proc (make-serial-pool)) (call-with-pool size proc)))

(call-with-tap
 (lambda ()
   (test-equal "no limit" '(#f #f #f #f)
     (map (lambda (x) (seconds-allowed x "it")) (list #f +inf.0 1e300 (expt 10 400))))
   (test-equal "limits" (list 1/3 0.5 3 1e-300)
     (map (lambda (x) (seconds-allowed x "it")) (list 1/3 0.5 3 1e-300)))
   (for-each (lambda (x)
               (test-equal (format #f "no time that may be taken: ~s" x) (list "it" (list x))
                 (refusal (lambda () (seconds-allowed x "it")))))
             (list 0 0.0 -1 -inf.0 +nan.0 1+i "1" 'never))
   (test-equal "time to wait" '(#f #f 0 0 0. 1/2)
     (map (lambda (x) (seconds-to-wait x "it")) (list #f +inf.0 0 -3 -inf.0 1/2)))
   (for-each (lambda (x)
               (test-equal (format #f "no time to wait: ~s" x) (list "it" (list x))
                 (refusal (lambda () (seconds-to-wait x "it")))))
             (list +nan.0 1+i "1"))
   (test-equal "microseconds" '(0 1 1500000 100000000000000000)
     (map seconds->microseconds (list #f 1e-300 3/2 1e11)))

   (for-each
    (lambda (size)
      (call-with-some-pool size
        (lambda (pool)
          (define (timed x) (parameterize ((task-timeout x)) (task-wait (pool-submit! pool twice 21))))
          (define (mapped x) (parameterize ((task-timeout x)) (pool-map pool twice '(1 2 3))))
          (define (kept x) (parameterize ((task-timeout x)) (pool-fetch (pool-keep pool twice 4))))
          (define name (if (zero? size) "serial" "workers"))
          (for-each (lambda (x)
                      (test-equal (format #f "~a: task-timeout of ~s" name x) 42 (timed x))
                      (test-equal (format #f "~a: and of a map" name) '(2 4 6) (mapped x))
                      (test-equal (format #f "~a: and of what is kept" name) (make-list (max 1 size) 8) (kept x)))
                    (list +inf.0 1e300 1e12 (expt 10 400) 1000))
          (for-each (lambda (x)
                      (test-equal (format #f "~a: task-timeout of ~s is refused" name x) (list "task-timeout" (list x))
                        (refusal (lambda () (timed x)))))
                    (list +nan.0 -1 0 "1"))
          (for-each (lambda (x)
                      (test-equal (format #f "~a: task-wait for ~s" name x) 42
                        (task-wait (pool-submit! pool twice 21) x))
                      (test-assert (format #f "~a: task-wait-any for ~s" name x)
                        (task? (task-wait-any (list (pool-submit! pool twice 21)) x))))
                    (list #f +inf.0 1e300 1e12 1000))
          (for-each (lambda (x)
                      (let ((task (pool-submit! pool twice 21)))
                        (test-equal (format #f "~a: task-wait for ~s is refused" name x) (list "task-wait" (list x))
                          (refusal (lambda () (task-wait task x))))
                        (test-equal (format #f "~a: task-wait-any for ~s is refused" name x) (list "task-wait-any" (list x))
                          (refusal (lambda () (task-wait-any (list task) x))))
                        (test-equal (format #f "~a: the task goes on" name) 42 (task-wait task))))
                    (list +nan.0 "1"))
          (test-assert (format #f "~a: a wait that is over before it begins" name)
            (memv (task-wait (pool-submit! pool twice 21) -1 'not-yet) '(not-yet 42))))))
    '(0 2))))
