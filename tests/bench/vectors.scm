;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Large vectors: how long it takes to show one to eight workers, to gather one from them, to add theirs, and how much memory all have then.
;; One line per case: its name, a colon, the median in ms (memory: MB), then the least.
(use-modules (ice-9 format)
             (ice-9 ftw)
             (ice-9 rdelim)
             (srfi srfi-1)
             (srfi srfi-4)
             (tutti)
             (tutti vector))

(define workers 8)
(define n 10000000)

(define-remote (look x) (f64vector-ref x 5))
(define-remote (make-part index size)
  (let ((v (make-f64vector size)))
    (do ((i 0 (1+ i))) ((= i size) v) (f64vector-set! v i (+ i index)))))
(define-remote (make-shared-part index size) (vector->shared (make-part index size)))
(define-remote (itself x) x)
(define-remote (make-matrix index rows columns)
  (matrix-operator rows columns (make-f64vector (* rows columns) (/ 1. (+ 1 index)))))

(define (seconds) (/ (get-internal-real-time) (exact->inexact internal-time-units-per-second)))

(define (measure name rounds thunk)
  (define (once) (let ((start (seconds))) (thunk) (* 1e3 (- (seconds) start))))
  (format #t "~a, the first time: ~,3f~%" name (once))
  (for-each (lambda (_) (once)) (iota 12))
  (let ((times (sort (map (lambda (_) (once)) (iota rounds)) <)))
    (format #t "~a: ~,3f ~,3f~%" name (list-ref times (quotient rounds 2)) (car times))
    (force-output)))

(define (children pid)
  (let ((file (format #f "/proc/~a/task/~a/children" pid pid)))
    (append-map (lambda (child) (cons child (children child)))
                (filter-map string->number
                            (string-tokenize
                             (call-with-input-file file
                               (lambda (port) (let ((line (read-line port))) (if (eof-object? line) "" line)))))))))

(define (proportional-memory)
  "Return how many MB this process and all below it have, with what is shared counted once."
  (/ (apply + (map (lambda (pid)
                     (call-with-input-file (format #f "/proc/~a/smaps_rollup" pid)
                       (lambda (port)
                         (let loop ((line (read-line port)))
                           (cond ((eof-object? line) 0)
                                 ((string-prefix? "Pss:" line)
                                  (string->number (list-ref (string-tokenize line) 1)))
                                 (else (loop (read-line port))))))))
                   (cons (getpid) (children (getpid)))))
     1000.))

(define (measure-memory)
  (call-with-pool workers
    (lambda (pool)
      (pool-apply pool look (f64vector 1 2 3 4 5 6))
      (format #t "memory, before: ~,1f ~,1f~%" (proportional-memory) (proportional-memory))
      (let ((v (make-shared-f64vector n 1.)))
        (for-each (lambda (_) (pool-apply pool look v)) (iota 6))
        (format #t "memory, shared vector: ~,1f ~,1f~%" (proportional-memory) (proportional-memory))))))

(define (measure-vectors)
  (call-with-pool workers
    (lambda (pool)
      (let ((shared (make-shared-f64vector n 1.))
            (private (make-f64vector n 1.))
            (size (quotient n workers)))
        (measure "broadcast, shared" 100 (lambda () (pool-apply pool look shared)))
        (measure "broadcast, private" 40 (lambda () (pool-apply pool look private)))
        (call-with-remote-object (pool-keep pool make-part (per-worker (iota workers)) size)
          (lambda (parts) (measure "gather" 40 (lambda () (pool-gather pool itself parts)))))
        (call-with-remote-object (pool-keep pool make-shared-part (per-worker (iota workers)) n)
          (lambda (parts) (measure "sum" 15 (lambda () (pool-sum pool itself parts)))))))))

(define (measure-operators)
  (call-with-pool 2
    (lambda (pool)
      (let* ((rows 1000) (columns 10000)
             (op (parallel-vector-of-operators
                  (map (lambda (i) (remote ((i i) (rows rows) (columns columns)) (lambda () (make-matrix i rows columns)))) (iota 8))
                  #:pool pool))
             (x (make-f64vector columns 1.))
             (y (make-f64vector (* 8 rows) 1.)))
        (measure "8 matrices, forward" 40 (lambda () (evaluate op x)))
        (measure "8 matrices, adjoint" 40 (lambda () (apply-adjoint op y)))))))

(measure-memory)
(measure-vectors)
(measure-operators)
