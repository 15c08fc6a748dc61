;; SPDX-License-Identifier: LGPL-3.0-or-later
;; order.scm [LONGEST [WORKERS ...]]: tasks of very different lengths in every order, submitted, mapped and with dependencies; how long all
;; of them take together, against scheduling them in their order with what a task costs in this run. Tasks of up to LONGEST seconds (0.1),
;; which sleep, on 2, 8 and 64 workers; and some that compute, on no more of them than there are processors.
(use-modules (ice-9 format) (ice-9 match) (orders) (srfi srfi-1) (tutti))

(define longest (match (cdr (command-line)) (() 0.1) ((text . _) (string->number text))))

(define (measure n-workers kind proc n-hands)
  (call-with-pool n-workers
    (lambda (pool)
      (pool-apply pool proc 1)
      (for-each
       (match-lambda
         ((way run)
          (let ((overhead (overhead-of pool run proc)))
            (for-each
             (match-lambda
               ((name order)
                (let* ((bound (list-schedule order n-hands overhead))
                       (taken (minimum-of 3 (lambda () (seconds-of (lambda () (run pool proc order)))))))
                  (format #t "~2d ~8a ~16a ~26a ~8,4f s  list ~8,4f s  ~5,2f~a~%" n-workers kind way name taken bound
                          (/ taken bound) (if (> taken (* 1.3 bound)) "  *" ""))
                  (force-output))))
             (orders n-hands longest)))))
       ways))))

(define sizes (match (cdr (command-line)) ((_ (= string->number size) ..1) size) (_ '(2 8 64))))

(for-each (lambda (n) (measure n "sleep" sleep-for n)) sizes)
(for-each (lambda (n) (measure n "compute" compute-for (min n (default-pool-size)))) (filter (lambda (n) (<= n 8)) sizes))
