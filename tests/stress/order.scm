;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks of ten seconds before, behind and among those of a microsecond take at most 1.3 times as long as if they were scheduled in their
;; order, with what a task costs in this run.
(use-modules (orders) (ice-9 format) (ice-9 match) (srfi srfi-64) (tap) (tutti))

(define longest 10)

(define (check-order pool n-workers way run overhead name order)
  (let ((bound (list-schedule order n-workers overhead))
        (taken (seconds-of (lambda () (run pool sleep-for order)))))
    (format #t "# ~,3f s, scheduled in order ~,3f s~%" taken bound)
    (test-assert (format #f "~a workers, ~a, ~a" n-workers way name) (<= taken (* 1.3 bound)))))

(call-with-tap
 (lambda ()
   (for-each
    (lambda (n-workers)
      (call-with-pool n-workers
        (lambda (pool)
          (pool-apply pool sleep-for 1)
          (for-each
           (lambda (way)
             (let* ((run (car (assoc-ref ways way))) (overhead (overhead-of pool run sleep-for)))
               (for-each (lambda (name)
                           (check-order pool n-workers way run overhead name (car (assoc-ref (orders n-workers longest) name))))
                         '("tiny then long" "long then tiny" "log-normal"))))
           '("submitted" "mapped" "dependent")))))
    '(2 8 64))))
