;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The weak greedy algorithm with an adaptive training set: cells, what is refined, when it ends, and the same bits on any number of
;; workers.
(use-modules (tap)
             (reduction)
             (tutti)
             (tutti greedy)
             (tutti greedy cells)
             (tutti reduced-basis)
             (srfi srfi-1)
             (srfi srfi-64))

(define (summary result)
  (list (adaptive-result-parameters result) (adaptive-result-errors result) (adaptive-result-validation-errors result)
        (adaptive-result-training-sizes result) (adaptive-result-training result) (adaptive-result-reason result)))

;;; Cells.

(define (test-cells)
  (define one (make-cells '((0 . 1) (10 . 30))))
  (test-equal "a box: its vertices, the first number changes fastest" '((0. 10.) (1. 10.) (0. 30.) (1. 30.)) (cells-parameters one))
  (test-equal "its centre" '((0.5 20.)) (cells-centres one))
  (test-equal "all of it, new" '(1. 0) (let ((cell (car (cells-leaves one)))) (list (cell-share one cell) (cell-age one cell))))
  (let* ((four (cells-refine one (cells-leaves one)))
         (seven (cells-refine four (list (first (cells-leaves four)))))
         (leaves (cells-leaves seven)))
    (test-equal "halved in each direction" '(7 14) (list (cells-count seven) (cells-vertex-count seven)))
    (test-equal "vertices that cells share come once" 14 (length (delete-duplicates (cells-parameters seven))))
    (test-equal "the first ones stay the first" '((0. 10.) (1. 10.) (0. 30.) (1. 30.)) (list-head (cells-parameters seven) 4))
    (test-equal "the halves stand where the whole stood"
      '((0.125 12.5) (0.375 12.5) (0.125 17.5) (0.375 17.5) (0.75 15.) (0.25 25.) (0.75 25.))
      (cells-centres seven))
    (test-equal "shares" '(1/16 1/16 1/16 1/16 1/4 1/4 1/4) (map (lambda (c) (inexact->exact (cell-share seven c))) leaves))
    (test-equal "ages" '(0 0 0 0 1 1 1) (map (lambda (c) (cell-age seven c)) leaves)))
  (test-equal "one number" '((2.) (4.) (3.))
    (let ((cells (make-cells '((2 . 4))))) (cells-parameters (cells-refine cells (cells-leaves cells)))))
  (test-equal "four numbers" 81
    (let ((cells (make-cells (make-list 4 '(0 . 1))))) (cells-vertex-count (cells-refine cells (cells-leaves cells))))))

;;; Any models: a list of parameters, whose error is the distance to the nearest, weighted so that one corner needs more.

(define-remote (distance-to points p)
  (* (+ 0.1 (/ 1 (+ 0.05 (apply + p))))
     (apply min 3. (map (lambda (q) (sqrt (apply + (map (lambda (x y) (expt (- x y) 2)) p q)))) points))))

(define (add points p)
  (and (not (member p points)) (append points (list p))))

(define square '((0 . 1) (0 . 1)))

(define (cover pool . options)
  (apply adaptive-weak-greedy pool square distance-to add #:model '() options))

(define grid (append-map (lambda (i) (map (lambda (j) (list (/ i 20.) (/ j 20.))) (iota 21))) (iota 21)))

(define (test-algorithm pool)
  (let* ((result (cover pool #:tolerance 0.3))
         (largest (apply max (map (lambda (p) (distance-to (adaptive-result-model result) p)) grid))))
    (test-equal "ends within the tolerance" 'tolerance (adaptive-result-reason result))
    (test-assert "the training set was refined" (> (last (adaptive-result-training-sizes result)) 4))
    (test-assert "sizes do not fall" (apply <= (adaptive-result-training-sizes result)))
    (test-assert "errors are compared before each extension, and at the end"
      (= (1+ (length (adaptive-result-parameters result))) (length (adaptive-result-errors result))
         (length (adaptive-result-validation-errors result))))
    (test-assert "nowhere is the validation error much larger"
      (every (lambda (error validation-error) (or (<= validation-error 0.3) (< validation-error (* 1.1 error))))
             (adaptive-result-errors result) (adaptive-result-validation-errors result)))
    (test-assert "holds between, where a training set of four would not have told" (<= largest 0.6))
    (test-assert "it is finer where more is needed"
      (let ((near (count (lambda (p) (< (apply + p) 0.5)) (adaptive-result-training result)))
            (far (count (lambda (p) (> (apply + p) 1.5)) (adaptive-result-training result))))
        (> near far)))
    (test-equal "selected are parameters of the training set" #t
      (every (lambda (p) (->bool (member p (adaptive-result-training result)))) (adaptive-result-parameters result))))
  (let ((result (cover pool #:validation grid #:tolerance 0.3)))
    (test-assert "a validation set of one's own: the error holds there"
      (and (eq? 'tolerance (adaptive-result-reason result))
           (every (lambda (p) (<= (distance-to (adaptive-result-model result) p) 0.33)) grid))))
  (test-equal "to a size" '(3 size) (let ((result (cover pool #:max-size 3)))
                                      (list (length (adaptive-result-parameters result)) (adaptive-result-reason result))))
  (test-equal "no extension" '(() () () () size) (let ((s (summary (cover pool #:max-size 0)))) (append (list-head s 4) (last-pair s))))
  (test-equal "a training set that may not grow" 'training-size (adaptive-result-reason (cover pool #:max-training 9)))
  (test-equal "what adds nothing" 'stagnation
    (adaptive-result-reason (adaptive-weak-greedy pool square (remote (lambda (m p) 1)) (lambda (m p) #f))))
  (test-equal "nothing to be done" '(() (0) (0) (4) tolerance)
    (let ((s (summary (adaptive-weak-greedy pool square (remote (lambda (m p) 0)) (lambda (m p) #f)))))
      (append (list-head s 4) (last-pair s))))
  (test-equal "nothing known" 'stagnation
    (adaptive-result-reason (adaptive-weak-greedy pool square (remote (lambda (m p) +inf.0)) (lambda (m p) #f))))
  (test-assert "a share of all cells at once: fewer, larger refinements"
    (let ((one (cover pool #:max-size 4)) (half (cover pool #:max-size 4 #:theta 0.5)))
      (>= (last (adaptive-result-training-sizes half)) (last (adaptive-result-training-sizes one))))))

(define (test-refusals pool)
  (define-syntax-rule (refused name part expression)
    (test-assert name (complains? part (lambda () expression))))
  (define (run ranges . options) (apply adaptive-weak-greedy pool ranges distance-to add #:model '() options))
  (for-each (lambda (ranges) (refused (format #f "ranges ~s" ranges) "the ranges: expected a list of pairs" (run ranges)))
            '(() 3 ((1 . 1)) ((2 . 1)) ((0 . +inf.0)) ((+nan.0 . 1)) ((0 1)) (0 1)))
  (refused "no pool" "expected a pool" (adaptive-weak-greedy 3 square distance-to add))
  (refused "no estimate" "a procedure that estimates" (adaptive-weak-greedy pool square 3 add))
  (refused "no extension" "a procedure that extends" (adaptive-weak-greedy pool square distance-to #f))
  (refused "an estimate that is none" "the estimate is +nan.0; expected a number from 0. The parameter is (0.0 0.0)"
           (adaptive-weak-greedy pool square (remote (lambda (m p) +nan.0)) add))
  (refused "#:validation" "#:validation: expected a list" (run square #:validation '()))
  (refused "#:tolerance" "#:tolerance: expected a finite number from 0" (run square #:tolerance -1))
  (refused "#:rho" "#:rho: expected a finite number from 1" (run square #:rho 0.5))
  (refused "#:gamma" "#:gamma: expected a finite number from 0" (run square #:gamma +nan.0))
  (refused "#:theta" "#:theta: expected a share" (run square #:theta 2))
  (refused "#:max-size" "#:max-size: expected an exact integer" (run square #:max-size 1.5))
  (refused "#:max-training" "#:max-training: expected an exact integer" (run square #:max-training -1))
  (refused "#:max-training 0" "#:max-training: expected an exact integer from 1" (run square #:max-training 0)))

;;; Reduced bases: -(k u')' = 1 with k = a left and b right.

(define n 31)

(define (stiffness side)
  (let* ((h (/ 1. (1+ n)))
         (entries (append-map (lambda (e)
                                (filter (lambda (t) (and (< -1 (first t) n) (< -1 (second t) n)))
                                        (let ((l (1- e)) (k (/ (if (side e) 1 0) h)))
                                          (list (list l l k) (list e e k) (list l e (- k)) (list e l (- k))))))
                              (iota (1+ n)))))
    (sparse-operator n n (map first entries) (map second entries) (list->f64vector (map third entries)))))

(define left (stiffness (lambda (e) (< e 10))))
(define right (stiffness (lambda (e) (>= e 10))))

(define problem
  (make-affine-problem #:matrices (list left right) #:coefficients (remote (lambda (mu) mu))
                       #:right-hand-side (make-f64vector n 1.) #:product (operator-sum left right)
                       #:coercivity (remote (lambda (mu) (apply min mu)))))

(define ranges '((0.1 . 10) (0.1 . 10)))

(define (run-basis pool . options)
  (let ((result (apply reduced-basis-adaptive-greedy pool problem ranges options)))
    (append (summary result) (list (reduced-basis-vectors (adaptive-result-model result))))))

(define (test-bases)
  (for-each
   (lambda (true-error?)
     (let ((results (with-all-pools (lambda (pool) (run-basis pool #:tolerance 1e-6 #:true-error? true-error?)))))
       (test-equal (format #f "true errors ~a: ends within the tolerance" true-error?) 'tolerance (list-ref (car results) 5))
       (test-assert "two or three vectors are enough" (<= 2 (length (last (car results))) 3))
       (test-assert "the same bits on any number of workers" (all-equal? results))))
   '(#f #t))
  (let ((expected (run-basis (make-serial-pool) #:max-size 3)))
    (call-with-pool 3
      (lambda (pool)
        (test-equal "workers are killed" expected
          (run-basis pool #:max-size 3 #:callback (lambda (number . rest) (kill-worker pool (modulo number 3)))))))))

(call-with-tap
 (lambda ()
   (test-group "cells" (test-cells))
   (test-group "serial" (test-algorithm (make-serial-pool)) (test-refusals (make-serial-pool)))
   (test-group "two workers" (call-with-pool 2 test-algorithm))
   (test-assert "the same bits on any number of workers" (all-equal? (with-all-pools (lambda (pool) (summary (cover pool #:max-size 8))))))
   (test-group "reduced bases" (test-bases))))
