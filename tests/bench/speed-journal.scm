;; SPDX-License-Identifier: LGPL-3.0-or-later
;; speed-journal.scm MICROSECONDS TASKS: prints how many tasks that compute for so long two workers do in a second.
(use-modules (bench) (ice-9 match) (tutti))

(define-remote (spin us)
  (let ((end (+ (now-us) us)))
    (let loop () (when (< (now-us) end) (loop)))))

(match (map string->number (cdr (command-line)))
  ((us n)
   (call-with-pool 2
     (lambda (pool)
       (define (round n)
         (for-each task-wait (map-in-order (lambda (i) (pool-submit! pool spin us)) (iota n))))
       (round 200)
       (let ((start (now-us)))
         (round n)
         (format #t "~a~%" (/ (* 1e6 n) (- (now-us) start))))))))
