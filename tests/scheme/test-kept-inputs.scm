;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Inputs that tasks keep, with their contents, while the master goes on to write to its vectors.
(use-modules (keeper) (tap) (srfi srfi-4) (srfi srfi-64) (tutti))

(define (fill! v x)
  (do ((i 0 (1+ i))) ((= i (f64vector-length v))) (f64vector-set! v i x)))

(define (visits vectors keep?)
  "Return what a model on a worker that is called with each of VECTORS in turn says, each filled with another number before."
  (let* ((pool (make-pool 1))
         (answers (map (lambda (v x)
                         (fill! v x)
                         (let ((answer (task-wait (pool-submit! pool (remote ((keep? keep?)) (lambda (v) (visit v keep?))) v))))
                           (fill! v 99.)
                           answer))
                       vectors (map exact->inexact (iota (length vectors) 1)))))
    (pool-close! pool)
    answers))

(define expected '((#f #f 1.) (1. 1. 2.) (2. 2. 3.) (3. 3. 4.)))

;; By value, in an arena, in memory of its own; and parts that begin in the middle of a page.
(define (test-size n)
  (let* ((v (make-shared-f64vector n)) (half (vec-slice v (quotient n 2) n)))
    (test-equal (format #f "~a numbers" n) expected (visits (list v v v v) #t))
    (test-equal (format #f "~a numbers, and half of them" n) expected (visits (list v half half v) #t))))

(call-with-tap
 (lambda ()
   (for-each test-size '(10 1000 3000 40001 500000))
   ;; What all this is about: an input that is only kept alive shows what the master writes.
   (let ((v (make-shared-f64vector 500000)))
     (test-equal "without its contents" '((#f #f 1.) (1. 2. 2.)) (visits (list v v) #f)))))
