;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Output of workers that came faster than it could be shown: the messages about it meanwhile and at the end.
(define-module (tutti pool spills)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base lock)
  #:use-module (tutti pool type)
  #:export (spill->lines! spill-totals!))

(define (amount lines bytes)
  (format #f "~a line~:p (~,1f MB)" lines (/ bytes 1e6)))

(define (spill->lines index file lines bytes lost-lines lost-bytes problem)
  (append
   (if (zero? lines)
       '()
       (list (format #f "[worker ~a] ~a came faster than they could be shown: they are in ~a" index (amount lines bytes) file)))
   (if (zero? lost-lines)
       '()
       (list (format #f "[worker ~a] ~a were lost, which came faster than they could be shown: ~a" index
                     (amount lost-lines lost-bytes)
                     (cond (problem problem)
                           (file (format #f "~a has reached the #:output-limit of the pool" file))
                           (else "the #:output-limit of the pool keeps them out of a file")))))))

;; Several threads may wait for tasks of one pool.
(define access (make-shared-mutex))

(define (add before report)
  "Return the sum of two reports of one worker, lists as @code{%pool-take-output!} returns them behind the symbol spill."
  (match (list before report)
    (((index file lines bytes lost-lines lost-bytes problem) (_ file* lines* bytes* lost-lines* lost-bytes* problem*))
     (list index (or file* file) (+ lines lines*) (+ bytes bytes*) (+ lost-lines lost-lines*) (+ lost-bytes lost-bytes*)
           (or problem* problem)))))

(define (spill->lines! pool report)
  "Return the list of lines that tell of @var{report}, on what a worker of @var{pool} has written too fast since the last one; and
remember it."
  (with-mutex access
    (let* ((all (pool-spills pool))
           (before (assv (car report) all)))
      (set-pool-spills! pool (cons (if before (add before report) report)
                                   (if before (delq before all) all)))))
  (apply spill->lines report))

(define (total->line pool report)
  (match report
    ((index file lines bytes lost-lines lost-bytes _)
     (format #f "tutti: pool \"~a\": of what worker ~a wrote, ~a~a" (pool-name pool) index
             (if (positive? lines) (format #f "~a are in ~a" (amount lines bytes) file) "")
             (if (positive? lost-lines)
                 (format #f "~a~a were lost" (if (positive? lines) ", and " "") (amount lost-lines lost-bytes))
                 "")))))

(define (spill-totals! pool)
  "Return the list of lines that tell, for each worker of @var{pool} that has written too fast, how much of that is where; and forget it."
  (let ((all (with-mutex access
               (let ((all (pool-spills pool)))
                 (set-pool-spills! pool '())
                 all))))
    (map (lambda (report) (total->line pool report))
         (sort all (lambda (a b) (< (car a) (car b)))))))
