;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Times are judged by the pace of the machine on which they are measured, at that time. A test that has to see that something is soon,
;; and not only when some time-out has ended it, waits for it as long as it takes and then asks here.
(define-module (pace)
  #:use-module (srfi srfi-1)
  #:export (patience seconds-now machine-pace in-pace? until-in-pace))

;; Seconds: only what hangs takes longer, on any machine.
(define patience 120)

(define (seconds-now)
  "Return the time in seconds, on a clock that nobody sets."
  (/ (exact->inexact (get-internal-real-time)) internal-time-units-per-second))

;; Seconds that it takes to start Guile and wait for its end, on a machine on which bounds hold with much to spare.
(define usual-start 0.03)

(define (time-of-start)
  (let ((begun (seconds-now)))
    (system* (or (getenv "GUILE") "guile") "--no-auto-compile" "-c" "(primitive-exit 0)")
    (- (seconds-now) begun)))

(define (machine-pace)
  "Return how many times slower than usual this machine is at this moment, at least 1: by the longest of three starts of a program."
  (max 1. (/ (apply max (map (lambda (_) (time-of-start)) (iota 3))) usual-start)))

(define (in-pace? took seconds)
  "Return true if @var{took}, in seconds, is less than @var{seconds} would be on this machine."
  (or (< took seconds)
      (< took (* seconds (machine-pace)))))

(define* (until-in-pace attempt #:optional (attempts 4))
  "Call @var{attempt}, which returns true if all was in time, until it does, at most @var{attempts} times; return what it has returned
last. A machine may have been busy with something else; what is late each time is late."
  (let loop ((n 1))
    (or (attempt)
        (and (< n attempts)
             (loop (1+ n))))))
