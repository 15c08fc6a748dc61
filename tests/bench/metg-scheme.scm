;; SPDX-License-Identifier: LGPL-3.0-or-later
;; metg-scheme.scm submit | map WORKERS: graphs of metg.h as a script of Tutti.
;;
;;   submit   pool-submit! of each point, with the tasks of its predecessors among the arguments; all at once
;;   map      pool-map of the points of a timestep, one timestep after the other; of all points at once if none needs another's value
;;
;; For each line "PATTERN WIDTH STEPS ITERATIONS" it answers how many seconds that took.
(use-modules (ice-9 match) (ice-9 rdelim) (metg-point) (srfi srfi-1) (tutti))

(define retries 1000)                   ; a task may lose its worker as often as there is somebody who kills workers
(define trivial 0)

(define (check-values first values)
  (unless (every = values (iota (length values) first))
    (error "a point has a wrong value")))

(define (run-submit pool pattern width steps iterations)
  (let ((tasks (make-vector (* width steps))))
    (do ((index 0 (1+ index))) ((= index (vector-length tasks)))
      (let* ((t (quotient index width)) (before (* (1- t) width)))
        (vector-set! tasks index
                     (apply pool-submit! pool point pattern width index iterations
                            (map (lambda (column) (vector-ref tasks (+ before column)))
                                 (predecessors pattern width t (- index (* t width))))))))
    (check-values 1 (map task-wait (vector->list tasks)))))

(define (run-map pool pattern width steps iterations)
  (if (= pattern trivial)
      (let ((n (* width steps)))
        (check-values 1 (pool-map pool point (make-list n pattern) (make-list n width) (iota n) (make-list n iterations))))
      (let loop ((t 0) (values #f))
        (when (< t steps)
          (let ((items (map (lambda (i)
                              (cons* pattern width (+ (* t width) i) iterations
                                     (map (lambda (column) (vector-ref values column)) (predecessors pattern width t i))))
                            (iota width))))
            (let ((new (pool-map pool point-of-item items)))
              (check-values (1+ (* t width)) new)
              (loop (1+ t) (list->vector new))))))))

(define (main side workers)
  (define run (match side ("submit" run-submit) ("map" run-map)))
  ;; Nobody wants to read of each death.
  (parameterize ((task-retries retries) (death-port #f))
    (call-with-pool (string->number workers)
      (lambda (pool)
        (run pool trivial 8 100 1)
        (let loop ()
          (match (read-line)
            ((? eof-object?) #t)
            (line
             (let ((graph (map string->number (string-tokenize line))) (start (get-internal-real-time)))
               (apply run pool graph)
               (format #t "~a~%" (exact->inexact (/ (- (get-internal-real-time) start) internal-time-units-per-second)))
               (force-output)
               (loop)))))))))

(apply main (cdr (command-line)))
