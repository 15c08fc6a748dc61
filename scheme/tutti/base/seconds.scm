;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Seconds as users give them: checked and converted here, and nowhere else.
(define-module (tutti base seconds)
  #:use-module (ice-9 format)
  #:export (seconds-allowed seconds-to-wait seconds->microseconds duration->string))

;; 3000 years: a longer time is no limit, and a shorter one can be added to any clock of the engine.
(define longest 1e11)

(define (complain who expected x)
  (scm-error 'wrong-type-arg who (string-append "expected " expected ", +inf.0 or #f for no limit, got ~S") (list x) (list x)))

(define (number-or-complain x who expected)
  (when (or (not (real? x)) (nan? x))
    (complain who expected x))
  (and (< x longest) x))

(define (seconds-allowed x who)
  "Return the seconds @var{x} that something may take, or @code{#f} if there is no limit: @var{x} is @code{#f}, infinite or larger than
any clock counts. What is not positive is refused in the name of @var{who}, a string."
  (define expected "a positive number of seconds")
  (and x
       (let ((seconds (number-or-complain x who expected)))
         (when (and seconds (not (positive? seconds)))
           (complain who expected x))
         seconds)))

(define (seconds-to-wait x who)
  "Return the seconds @var{x} for which to wait, or @code{#f} if there is no limit, as @code{seconds-allowed} does. A negative number, a
time that has passed, is 0."
  (and x
       (let ((seconds (number-or-complain x who "a number of seconds")))
         (and seconds (max 0 seconds)))))

(define (seconds->microseconds seconds)
  "Return @var{seconds} as the engine wants them: whole microseconds, 0 for @code{#f}."
  (if seconds (inexact->exact (ceiling (* seconds 1e6))) 0))

(define (duration->string seconds)
  "Return @var{seconds} as people say it: 3 ms, 2.1 s, 5 min 3 s."
  (let ((s (inexact->exact (floor seconds))))
    (cond ((< seconds 0.9995) (format #f "~a ms" (inexact->exact (round (* 1000 seconds)))))
          ((< seconds 100) (format #f "~,1f s" seconds))
          ((< s 3600) (format #f "~a min ~a s" (quotient s 60) (remainder s 60)))
          (else (format #f "~a h ~a min" (quotient s 3600) (quotient (remainder s 3600) 60))))))
