;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gauss-Newton on 200 random linear problems within bounds, against an independent solver: 2 to 60 unknowns, conditions from
;; 1 to 1e16, weights of the penalty from 0 to 1e2, bounds of every kind, starts far beyond them.
;; tests/support/bounded-problems.py makes the same problems and has found their minima.
(use-modules (tap)
             (tutti)
             (tutti solver)
             (ice-9 receive)
             (srfi srfi-1)
             (srfi srfi-64))

(define source (or (getenv "TUTTI_SOURCE_DIR") "."))
(define most-iterations 60)

;;; Numbers from 0 to 1 by a linear congruential generator (Knuth's MMIX).

(define (make-draw seed)
  (let ((state seed))
    (define (draw)
      (set! state (modulo (+ (* 6364136223846793005 state) 1442695040888963407) (expt 2 64)))
      (/ (exact->inexact (ash state -11)) 9007199254740992.))
    (draw) (draw) (draw)
    draw))

(define (draw-below draw n)
  (inexact->exact (floor (* n (draw)))))

(define (draw-many draw n)
  (map-in-order (lambda (i) (draw)) (iota n)))

;;; Problems. Sums are in the order of Python's loops, so the bits are the same.

(define (dot x y)
  (fold (lambda (a b total) (+ total (* a b))) 0. x y))

(define (reflect rows v)
  "Return the lists @var{rows}, each times the reflection at the plane orthogonal to @var{v}."
  (let ((square (dot v v)))
    (map (lambda (row)
           (let ((factor (/ (* 2. (dot v row)) square)))
             (map (lambda (x y) (- y (* factor x))) v row)))
         rows)))

(define (transpose rows)
  (apply map list rows))

(define (singular-values count octaves)
  (map (lambda (i)
         (let* ((e (if (> count 1) (/ (exact->inexact (* octaves i)) (- count 1.)) 0.))
                (whole (floor e)))
           (* (expt 2. (- (inexact->exact whole))) (- 1. (/ (- e whole) 2.)))))
       (iota count)))

(define (reflect-twice draw rows n)
  (define (once rows)
    (reflect rows (map (lambda (x) (- x 0.5)) (draw-many draw n))))
  (once (once rows)))

(define (make-matrix draw m n)
  (let* ((values (singular-values (min m n) (draw-below draw 54)))
         (row (lambda (i)
                (map-in-order (lambda (j)
                                (cond ((= i j) (list-ref values i))
                                      ((>= j m) (* (list-ref values i) (- (draw) 0.5)))
                                      (else 0.)))
                              (iota n))))
         (rows (map-in-order row (iota m)))
         (rows (reflect-twice draw rows n))
         (columns (reflect-twice draw (transpose rows) m))
         (scale (expt 2. (- (draw-below draw 21) 10))))
    (map (lambda (row) (map (lambda (x) (* scale x)) row)) (transpose columns))))

(define (make-bound draw kind)
  (let* ((a (draw)) (b (draw)) (which (draw-below draw 4)))
    (case kind
      ((0) (cons -inf.0 +inf.0))
      ((1) (cons 0. +inf.0))
      ((2) (cons -0.25 0.25))
      ((3) (cons (- a 1.) (+ (- a 1.) b)))
      ((4) (list-ref (list (cons -inf.0 +inf.0) (cons (- a 0.5) +inf.0) (cons -inf.0 (- a 0.5)) (cons (- a 1.) b)) which))
      ((5) (if (= which 0) (cons (- a 0.5) (- a 0.5)) (cons (- a 1.) b))))))

(define (make-problem number)
  "Return six values: the rows of the matrix, the data, beta, the lower bounds, the upper bounds, and the start."
  (let* ((draw (make-draw number))
         (n (+ 2 (draw-below draw 59)))
         (m (max 1 (+ n (draw-below draw 31) -10)))
         (rows (make-matrix draw m n))
         (model (map (lambda (x) (- (* 2. x) 1.)) (draw-many draw n)))
         (noise (expt 2. (- (draw-below draw 31))))
         (data (map (lambda (row x) (+ (dot row model) (* noise (- x 0.5)))) rows (draw-many draw m)))
         (beta (if (= 0 (draw-below draw 4)) 0. (expt 2. (- (draw-below draw 60) 53))))
         (kind (draw-below draw 6))
         (bounds (map-in-order (lambda (j) (make-bound draw kind)) (iota n)))
         (size (list-ref '(0. 1. 1000.) (draw-below draw 3)))
         (start (map (lambda (x) (* size (- (* 2. x) 1.))) (draw-many draw n))))
    (values rows data beta (map car bounds) (map cdr bounds) start)))

;;; Solutions.

(define (objective iteration beta)
  (+ (iteration-phi-d iteration) (* beta (iteration-phi-m iteration))))

(define (solve number)
  "Return four values: the functional at the start and at the end, what rounding changes of it, and the result."
  (receive (rows data beta lower upper start) (make-problem number)
    (let* ((entries (list->f64vector (concatenate rows)))
           (result (gauss-newton (matrix-operator (length data) (length start) entries)
                                 (list->f64vector data) (list->f64vector start) #:beta beta
                                 #:bounds (cons (list->f64vector lower) (list->f64vector upper))
                                 #:stop (stop-when #:iterations most-iterations) #:callback #f))
           (history (solver-result-history result))
           (found (objective (last history) beta))
           ;; Where the matrix is nearly singular and nothing restrains the model it is large, and its product rounded.
           (rounding (* 2.2e-16 (vec-norm entries) (vec-norm (solver-result-solution result)))))
      (values (objective (first history) beta) found (* rounding (+ rounding (* 2 (sqrt found)))) result))))

(define (test-minimum number expected)
  (receive (at-start found rounding result) (solve number)
    (test-equal (format #f "problem ~a" number) (list #t 'no-descent expected found result)
      (list (<= (abs (- found expected)) (+ (* 1e-8 expected) (* 1e-14 at-start) rounding))
            (solver-result-reason result) expected found result))))

(call-with-tap
 (lambda ()
   (call-with-input-file (string-append source "/tests/support/bounded-minima.txt")
     (lambda (port)
       (let loop ((number (read port)))
         (unless (eof-object? number)
           (test-minimum number (read port))
           (loop (read port))))))))
