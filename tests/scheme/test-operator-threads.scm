;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers with several threads of BLAS: dense operators share these, and give the bits of the serial operator; and products of a matrix
;; with several vectors.
(use-modules (tap) (srfi srfi-1) (srfi srfi-64) (tutti) (vectors))

(define rows 700)
(define columns 1100)

(define-remote (numbers n seed)
  (let ((v (make-f64vector n)))
    (do ((i 0 (1+ i))) ((= i n) v)
      (f64vector-set! v i (- (/ (modulo (* (+ i seed) 7919) 10007) 10007.) 0.5)))))

(define-remote (dense rows columns seed)
  (matrix-operator rows columns (numbers (* rows columns) seed)))

(define-remote (dense-for-three rows columns seed)
  (matrix-product-operator rows columns (numbers (* rows columns) seed) 3))

(define (serially make) (vector-of-operators (list (make rows columns 1) (make rows columns 2))))
(define (on-workers make)
  (parallel-vector-of-operators (list (remote ((make make) (rows rows) (columns columns)) (lambda () (make rows columns 1)))
                                      (remote ((make make) (rows rows) (columns columns)) (lambda () (make rows columns 2))))))

(define (close? a b)
  (let ((difference (vec- a b)))
    (< (vec-norm difference) (* 1e-12 (vec-norm a)))))

(define (test-same name make vectors)
  (let* ((model (numbers (* vectors columns) 3)) (data (numbers (* 2 vectors rows) 4))
         (expected (evaluate (serially make) model)) (gradient (apply-adjoint (serially make) data)))
    (for-each
     (lambda (workers threads)
       (call-with-pool workers
         (lambda (pool)
           (let ((op (on-workers make)) (where (format #f "~a, ~a workers, ~a threads" name workers threads)))
             (test-assert (string-append where ": apply") (equal? expected (evaluate op model)))
             (test-assert (string-append where ": adjoint") (equal? gradient (apply-adjoint op data)))))
         #:threads threads))
     '(1 1 1 2) '(1 2 5 3))))

(define (test-vectors)
  (let* ((entries (numbers (* rows columns) 1))
         (one (matrix-operator rows columns entries)) (many (matrix-product-operator rows columns entries 11))
         (model (numbers (* 11 columns) 5)) (data (numbers (* 11 rows) 6))
         (y (evaluate many model)) (x (apply-adjoint many data)))
    (test-equal "spaces" (list (make-list 11 columns) (make-list 11 rows))
      (map (lambda (space v) (map f64vector-length (direct-sum-split space v)))
           (list (operator-domain many) (operator-codomain many)) (list model y)))
    (test-assert "each vector's product"
      (every (lambda (part of-it) (close? (evaluate one part) of-it))
             (direct-sum-split (operator-domain many) model) (direct-sum-split (operator-codomain many) y)))
    (test-assert "each vector's adjoint product"
      (every (lambda (part of-it) (close? (apply-adjoint one part) of-it))
             (direct-sum-split (operator-codomain many) data) (direct-sum-split (operator-domain many) x)))))

(call-with-tap
 (lambda ()
   (test-vectors)
   (test-same "a vector" dense 1)
   (test-same "three vectors" dense-for-three 3)))
