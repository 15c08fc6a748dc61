;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers with several threads of BLAS: dense operators share these, and give the bits of the serial operator.
(use-modules (tap) (srfi srfi-64) (tutti) (vectors))

(define rows 700)
(define columns 1100)

(define-remote (numbers n seed)
  (let ((v (make-f64vector n)))
    (do ((i 0 (1+ i))) ((= i n) v)
      (f64vector-set! v i (- (/ (modulo (* (+ i seed) 7919) 10007) 10007.) 0.5)))))

(define-remote (dense rows columns seed)
  (matrix-operator rows columns (numbers (* rows columns) seed)))

(define (serially) (vector-of-operators (list (dense rows columns 1) (dense rows columns 2))))
(define (on-workers)
  (parallel-vector-of-operators (list (remote ((rows rows) (columns columns)) (lambda () (dense rows columns 1)))
                                      (remote ((rows rows) (columns columns)) (lambda () (dense rows columns 2))))))

(call-with-tap
 (lambda ()
   (let* ((model (numbers columns 3)) (data (numbers (* 2 rows) 4))
          (expected (evaluate (serially) model)) (gradient (apply-adjoint (serially) data)))
     (for-each
      (lambda (workers threads)
        (call-with-pool workers
          (lambda (pool)
            (let ((op (on-workers)) (where (format #f "~a workers, ~a threads" workers threads)))
              (test-assert (string-append where ": apply") (equal? expected (evaluate op model)))
              (test-assert (string-append where ": adjoint") (equal? gradient (apply-adjoint op data)))))
          #:threads threads))
      '(1 1 1 2) '(1 2 5 3)))))
