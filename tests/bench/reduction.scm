;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Model reduction: the greedy algorithm of empirical interpolation for 400 snapshots of 100 000 numbers, 50 steps,
;; beside numpy in one process, which does the same sums (reduction.py). Rounds alternate, so that all meet the same
;; machine. Then how long a nonlinear model takes, full and reduced, on grids of different sizes.
(use-modules (bench) (tutti) (tutti reduced-basis) (tutti reduction) (ice-9 format) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1))

(define n 100000)
(define count 400)
(define steps 50)
(define rounds 5)
(define peer (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/reduction.py"))

(define-remote (snapshot k)
  (let* ((v (make-f64vector 100000))
         (centre (* 0.5 (+ 1 (sin (* 0.0157 k)))))
         (width (+ 1e-3 (* 1e-2 (abs (sin (* 37. k)))))))
    (do ((i 0 (1+ i)))
        ((= i 100000) v)
      (let ((x (- (/ i 1e5) centre)))
        (f64vector-set! v i (/ 1. (+ width (* x x))))))))

(define (us thunk)
  (let ((start (now-us)))
    (thunk)
    (- (now-us) start)))

;;; numpy answers a line with microseconds and the last error.

(define python
  (find (lambda (program) (eqv? 0 (status:exit-val (system* "sh" "-c" (string-append program " -c 'import numpy' 2>/dev/null")))))
        (append (or (and=> (getenv "PYTHON") list) '()) '("python3" "/usr/bin/python3"))))

(define (call-with-numpy proc)
  (if (not python)
      (proc #f)
      (let ((port (open-pipe* OPEN_BOTH python peer (number->string n) (number->string count)
                              (number->string steps))))
        (read-line port)
        (proc (lambda ()
                (display "\n" port)
                (force-output port)
                (string->number (read-line port))))
        (close-pipe port))))

(define (run-greedy pool snapshots)
  (us (lambda () (ei-greedy snapshots #:pool pool #:most steps))))

(define (measure-greedy)
  (call-with-pool 1
    (lambda (one)
      (call-with-pool 2
        (lambda (two)
          (let* ((snapshots (map vector->shared (pool-map two snapshot (iota count))))
                 (on-one (pool-scatter one snapshots))
                 (on-two (pool-scatter two snapshots)))
            (call-with-numpy
             (lambda (numpy)
               (let* ((times (map (lambda (_) (list (if numpy (numpy) 0) (run-greedy one on-one) (run-greedy two on-two)))
                                  (iota rounds)))
                      (column (lambda (k) (map (lambda (row) (list-ref row k)) times)))
                      (share (lambda (k) (/ (median (column 0)) (median (column k))))))
                 (when numpy
                   (print-row "EI greedy, 400 snapshots of 100 000, 50 steps: numpy" (column 0)))
                 (print-row "  1 worker" (column 1))
                 (print-row "  2 workers" (column 2))
                 (when numpy
                   (format #t "  times as fast as numpy: ~,2f with 1 worker (target 1.0), ~,2f with 2 (target 1.7)~%" (share 1)
                           (share 2))))))))))))

;;; A nonlinear model: -a u'' + b u^3 = 1.

(define (diffusion n)
  (let* ((h (/ 1. (1+ n)))
         (rows (append-map (lambda (i) (list i i i)) (iota n)))
         (columns (append-map (lambda (i) (list (max 0 (1- i)) i (min (1- n) (1+ i)))) (iota n)))
         (numbers (append-map (lambda (i) (list (if (zero? i) 0. (/ -1 h)) (/ 2 h) (if (= i (1- n)) 0. (/ -1 h)))) (iota n))))
    (sparse-operator n n rows columns (list->f64vector numbers))))

(define (cubes h n)
  (make-operator #:name "cubes" #:domain n #:codomain n
                 #:evaluate (lambda (u) (vec-scale h (vec* u (vec* u u))))
                 #:linearize (lambda (u)
                               (values (vec-scale h (vec* u (vec* u u))) (diagonal-operator (vec-scale (* 3 h) (vec* u u)))))))

(define (measure-model n)
  (let* ((h (/ 1. (1+ n)))
         (affine (make-affine-problem #:matrices (list (diffusion n)) #:coefficients (lambda (mu) (list (first mu)))
                                      #:right-hand-side (make-f64vector n h) #:product (diffusion n)))
         (problem (make-nonlinear-problem affine (cubes h n) #:factor second))
         (training (append-map (lambda (a) (map (lambda (b) (list a b)) '(1. 30. 300. 1000.))) '(0.02 0.1 0.5)))
         (solutions (map (lambda (mu) (solve-nonlinear-problem problem mu)) training))
         (ei (ei-greedy (map (lambda (u) (evaluate (cubes h n) u)) solutions) #:rtol 1e-9))
         (modes (pod-result-modes (pod solutions #:method 'svd #:rtol 1e-9)))
         (model (nonlinear-reduced-model problem modes
                                         (interpolated-operator ei (lambda (dofs) (values dofs (cubes h (length dofs)))))))
         (full '()) (reduced '()))
    (print-row (format #f "nonlinear diffusion, ~a unknowns, full" n)
               (map (lambda (_) (us (lambda () (set! full (solve-nonlinear-problem problem '(0.05 100.)))))) (iota rounds)))
    (print-row (format #f "  reduced: ~a modes, ~a degrees of freedom" (length modes) (length (ei-result-dofs ei)))
               (map (lambda (_) (us (lambda () (set! reduced (solve-nonlinear-model model '(0.05 100.)))))) (iota (* 4 rounds))))
    (let ((lifted (fold (lambda (c mode sum) (vec+ sum (vec-scale c mode))) (vec-scale 0 full) (f64vector->list reduced) modes)))
      (format #t "  relative error ~,1,2,,,,'ee~%" (/ (vec-norm (vec- full lifted)) (vec-norm full))))))

(print-machine)
(print-header)
(measure-greedy)
(for-each measure-model '(1000 10000 100000))
