;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What workers that lie may answer: each answer is refused with a condition that names the worker, and the pool goes on. The workers are
;; the rogues of the tests of the pool, which answer with the bytes that they are told.
(use-modules (tap) (ice-9 regex) (programs) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-64)
             (test-primitives) (tutti) (tutti conditions) (tutti base primitives) (tutti worker wire))

(define (byte->hex byte)
  (string-pad (number->string byte 16) 2 #\0))

(define (bytes-of value)
  "Return the order to answer with VALUE."
  (string-append "bytes " (string-concatenate (map byte->hex (bytevector->u8-list (%payload->bytevector (encode-value value 'test)))))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (answer pool order) (task-wait (pool-submit! pool list order)))

(define (names-worker? condition)
  (and (tutti-error? condition)
       (string-match "^(item [0-9]+ of a map of `[a-z]*': )?worker 0 answered task " (condition->string condition))
       #t))

(define-syntax-rule (test-refused name expression)
  (test-equal name 'refused
    (let ((condition (condition-of (lambda () expression))))
      (if (names-worker? condition) 'refused (and condition (condition->string condition))))))

(define (test-values pool)
  (test-equal "a good one" '(1 "a") (answer pool (bytes-of '(1 "a"))))
  (for-each (lambda (name bytes) (test-refused name (answer pool (string-append "bytes " bytes))))
            '("nothing" "an unknown tag" "a list without items" "bytes behind the value" "an extension of unknown kind"
              "a held object" "an endless count")
            '("" "c8" "0f03" "0101" "186300" "190500000000000000" "0fffffffffffffffffff01"))
  (test-assert "the condition is the same the second time"
    (let ((task (pool-submit! pool list "bytes c8")))
      (eq? (condition-of (lambda () (task-wait task))) (condition-of (lambda () (task-wait task))))))
  (test-assert "what is wrong" (string-contains (condition->string (condition-of (lambda () (answer pool "bytes c8")))) "encoded value")))

(define (test-exceptions pool)
  (test-assert "a good one"
    (worker-error? (condition-of (lambda () (answer pool (string-append "raise " (bytes-of #(key () "text" "" #f #f))))))))
  (test-refused "an exception that is none" (answer pool "raise bytes c8"))
  (test-refused "another value for a description" (answer pool "raise bytes 01"))
  (test-refused "a description of something else" (answer pool (string-append "raise " (bytes-of #(1 2 3 4 5 6))))))

(define (test-maps pool)
  (define (map-one answer) (pool-map pool list (list (bytes-of answer))))
  (define description #(key () "text" "" 0 #f))
  (test-equal "a good one" '(5) (map-one #(0.1 (5) () 0)))
  (test-assert "a good failure" (worker-error? (condition-of (lambda () (map-one (vector 0.1 '() (list (cons 0 description)) 0))))))
  (for-each (lambda (name answer) (test-refused name (map-one answer)))
            '("another value" "too many values" "too few" "seconds that are none" "values that are none" "a failure elsewhere"
              "a failure without a number" "a failure without a description" "failures that are none"
              "a time that is none")
            (list 5 #(0.1 (1 2) () 0) #(0.1 () () 0) #(a (1) () 0) #(0.1 7 () 0) (vector 0.1 '() (list (cons 3 description)) 0)
                  (vector 0.1 '() (list (cons "x" description)) 0) #(0.1 () ((0 . 5)) 0) #(0.1 (1) 5 0)
                  #(0.1 (1) () a)))
  (test-assert "collected" (names-worker? (first (pool-map pool list '("bytes c8") #:on-error 'collect)))))

(define (test-frames pool)
  (for-each (lambda (order)
              (test-equal (string-append "the end of who sends " order) 'protocol
                          (certificate-reason
                           (worker-died-certificate
                            (condition-of (lambda () (parameterize ((task-retries 0)) (answer pool order))))))))
            '("garbage" "order")))

(setenv "TUTTI_WORKER" (helper "rogue-worker"))

(call-with-tap
 (lambda ()
   (test-group "answers"
     (worker-output-port #f)
     (call-with-pool 1
       (lambda (pool)
         (test-group "values" (test-values pool))
         (test-group "exceptions" (test-exceptions pool))
         (test-group "maps" (test-maps pool))
         (test-group "frames" (test-frames pool))
         (test-equal "all that with one worker, but for the frames" 2 (worker-restarts (first (pool-workers pool))))
         (test-equal "the pool goes on" "fine" (answer pool "fine")))))))
