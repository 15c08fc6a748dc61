;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A nonlinear model that is solved in milliseconds, however fine its grid.  Heat flows through a rod that conducts
;; better where it is warm.  Workers solve for some parameters and keep their solutions; modes of these (POD) and a
;; few places where the nonlinear flow is evaluated (empirical interpolation) make a reduced model.  Try: tutti run
;; examples/reduction.scm --help
(use-modules (tutti) (tutti plot) (tutti reduced-basis) (tutti reduction)
             (ice-9 format) (ice-9 getopt-long) (srfi srfi-1) (srfi srfi-11))

(define help "Usage: reduction.scm [OPTION...]
Reduce a nonlinear diffusion problem on a pool of workers, and compare the reduced model
with the full one.

  -n, --unknowns N   unknowns of the full model (default: 5000)
  -w, --workers N    number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -p, --plot FILE    where to draw, .svg or .png (default: reduction.svg)
  -h, --help         show this help
")

;;; The problem: -((a + b u^2) u')' = f between 0 and 1, u = 0 at both ends, by differences.  Parameters are lists (a b).
;;; Between two nodes with the values l and r there flows b m^2 (r - l) / h, with m in the middle, beside what A u says.

(define-remote (flow h l r)
  (let ((m (* 0.5 (+ l r)))) (/ (* m m (- r l)) h)))
(define-remote (flow-by-left h l r)
  (let ((m (* 0.5 (+ l r)))) (/ (- (* m (- r l)) (* m m)) h)))
(define-remote (flow-by-right h l r)
  (let ((m (* 0.5 (+ l r)))) (/ (+ (* m (- r l)) (* m m)) h)))

;; The flow out of the nodes in the list NODES, as an operator on the values at SOURCES, nodes in ascending order.
;; For the full problem both are all nodes; for the reduced one a few.
(define-remote (flow-operator n nodes sources)
  (define h (/ 1. (1+ n)))
  (define count (length nodes))
  (define places (make-hash-table))
  (define rows (make-u32vector (* 3 count)))
  (define columns (make-u32vector (* 3 count)))                  ; of the node on the left, the node itself, the one on the right
  (define at-end? (make-vector (* 3 count) #f))
  (define (value u k) (if (vector-ref at-end? k) 0. (f64vector-ref u (u32vector-ref columns k))))
  (define (evaluate u)
    (let ((v (make-f64vector count)))
      (do ((i 0 (1+ i)) (k 0 (+ k 3)))
          ((= i count) v)
        (let ((x (value u (1+ k))))
          (f64vector-set! v i (- (flow h (value u k) x) (flow h x (value u (+ k 2)))))))))
  (define (slopes u)
    (let ((v (make-f64vector (* 3 count))))
      (do ((k 0 (+ k 3)))
          ((= k (* 3 count)) v)
        (let ((l (value u k)) (x (value u (1+ k))) (r (value u (+ k 2))))
          (f64vector-set! v k (if (vector-ref at-end? k) 0. (flow-by-left h l x)))
          (f64vector-set! v (1+ k) (- (flow-by-right h l x) (flow-by-left h x r)))
          (f64vector-set! v (+ k 2) (if (vector-ref at-end? (+ k 2)) 0. (- (flow-by-right h x r))))))))
  (for-each (lambda (node place) (hashv-set! places node place)) sources (iota (length sources)))
  (for-each (lambda (node i)
              (for-each (lambda (step)
                          (let ((k (+ (* 3 i) step 1)))
                            (u32vector-set! rows k i)
                            ;; Beyond the ends there is nothing: an entry of the node itself that is 0.
                            (u32vector-set! columns k (hashv-ref places (+ node step) (hashv-ref places node)))
                            (vector-set! at-end? k (not (< -1 (+ node step) n)))))
                        '(-1 0 1)))
            nodes (iota count))
  (make-operator #:name "flow" #:domain (length sources) #:codomain count
                 #:evaluate evaluate
                 #:linearize (lambda (u)
                               (values (evaluate u) (sparse-operator count (length sources) rows columns (slopes u))))))

(define (restriction n)
  "Return the procedure that tells, for a list of nodes, which nodes the flow there depends on, and how."
  (lambda (nodes)
    (let ((sources (sort (delete-duplicates (filter (lambda (i) (< -1 i n)) (append-map (lambda (i) (list (1- i) i (1+ i))) nodes))) <)))
      (values sources (flow-operator n nodes sources)))))

(define (diffusion n)
  "Return the operator of -u'' h."
  (let* ((h (/ 1. (1+ n)))
         (entries (append-map (lambda (i) (filter (lambda (e) (< -1 (second e) n))
                                                  (list (list i (1- i) (/ -1 h)) (list i i (/ 2 h)) (list i (1+ i) (/ -1 h)))))
                              (iota n))))
    (sparse-operator n n (map first entries) (map second entries) (list->f64vector (map third entries)))))

(define (nodes n) (map (lambda (i) (/ (1+ i) (1+ n))) (iota n)))

(define (rod n)
  "Return the problem with @var{n} unknowns: the left third of the rod is heated."
  (let ((h (/ 1. (1+ n))) (product (diffusion n)))
    (values (make-nonlinear-problem
             (make-affine-problem #:matrices (list product) #:coefficients (remote (lambda (mu) (list (first mu))))
                                  #:right-hand-side (list->f64vector (map (lambda (x) (if (< x 1/3) (* 10 h) 0.)) (nodes n)))
                                  #:product product)
             (flow-operator n (iota n) (iota n))
             #:factor (remote (lambda (mu) (second mu))))
            product)))

(define (powers least largest count)
  (map (lambda (k) (* least (expt (/ largest least) (/ k (1- count))))) (iota count)))

(define training (append-map (lambda (a) (map (lambda (b) (list a b)) (powers 0.1 30. 8))) (powers 0.2 2. 5)))
(define others '((0.25 20.) (0.5 7.) (1.7 0.3) (0.9 2.)))        ; that the reduced model has not seen

;;; On the workers.

(define-remote (solve-all problem parameters)
  (map (lambda (mu) (solve-nonlinear-problem problem mu)) parameters))
(define-remote (flows-of n solutions)
  (let ((op (flow-operator n (iota n) (iota n))))
    (map (lambda (u) (evaluate op u)) solutions)))

(define (reduce-on pool problem product n)
  "Return the result of the interpolation, the decomposition, and the reduced model. Solutions stay on the workers
that have computed them."
  (let* ((solutions (pool-keep pool solve-all problem (pool-scatter pool training)))
         (flows (pool-keep pool flows-of n solutions))
         (interpolation (ei-greedy flows #:rtol 1e-7))
         (modes (pod solutions #:product product #:method 'svd #:rtol 1e-7)))
    (values interpolation modes
            (nonlinear-reduced-model problem (pod-result-modes modes) (interpolated-operator interpolation (restriction n))))))

;;; What is printed.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define (seconds-of thunk)
  "Return two values: that of @var{thunk}, and the seconds it takes, as the least of three attempts."
  (let loop ((attempts 3) (least +inf.0))
    (let* ((start (get-internal-real-time))
           (value (thunk))
           (least (min least (/ (- (get-internal-real-time) start) (exact->inexact internal-time-units-per-second)))))
      (if (= attempts 1) (values value least) (loop (1- attempts) least)))))

(define (lift modes coefficients)
  (fold (lambda (c mode sum) (vec+ sum (vec-scale c mode))) (vec-scale 0. (car modes)) (f64vector->list coefficients) modes))

(define (compare problem model modes)
  "Print how well and how quickly @var{model} does for other parameters; return the pairs of full and reduced solutions."
  (format #t "    a       b   relative error~%")
  (map-in-order
   (lambda (mu)
     (let*-values (((full slow) (seconds-of (lambda () (solve-nonlinear-problem problem mu))))
                   ((coefficients quick) (seconds-of (lambda () (solve-nonlinear-model model mu))))
                   ((reduced) (values (lift modes coefficients))))
       (format #t "~5,2f ~7,2f     ~,1,2,,,,'ee~%" (first mu) (second mu) (/ (vec-norm (vec- full reduced)) (vec-norm full)))
       (say "~5,2f ~7,2f: full ~,2f ms, reduced ~,2f ms~%" (first mu) (second mu) (* 1e3 slow) (* 1e3 quick))
       (cons full reduced)))
   others))

;;; What is drawn: how quickly errors fall, and the solutions, with the places where the reduced model looks at the flow.

(define (curve n values)
  ;; A picture is not wider than that.
  (let ((step (max 1 (quotient n 500))))
    (filter-map (lambda (x u i) (and (zero? (modulo i step)) (list (exact->inexact x) u)))
                (nodes n) (f64vector->list values) (iota n))))

(define (normalised numbers)
  (map (lambda (k x) (list k (/ x (car numbers)))) (iota (length numbers) 1) numbers))

(define (plot-commands count)
  `("set multiplot layout 1,2 margins 0.09,0.97,0.15,0.9 spacing 0.12"
    "set border lw 0.8; set tics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7"
    "set key top right samplen 2"
    "set title 'How much is left'; set logscale y; set format y '10^{%T}'"
    "set xlabel 'number of vectors'; set ylabel 'relative to the first'"
    "plot $ei with linespoints lc rgb '#1b4f72' lw 2 pt 7 ps 0.6 title 'empirical interpolation, largest error', \\
          $pod with linespoints lc rgb '#b9770e' lw 2 pt 5 ps 0.6 title 'POD, singular values'"
    "set title 'Temperatures: full model and reduced model'; unset logscale y; set format y '%g'"
    "set xlabel 'place along the rod / its length'; set ylabel 'temperature'"
    ,(string-append
      "plot "
      (string-join
       (append (map (lambda (i) (format #f "$full~a with lines lw 2 lc rgb '#5d8aa8' ~a" i (if (zero? i) "title 'full'" "notitle")))
                    (iota count))
               (map (lambda (i)
                      (format #f "$reduced~a with lines lw 2 dt 3 lc rgb '#1c2833' ~a" i (if (zero? i) "title 'reduced'" "notitle")))
                    (iota count))
               (list "$dofs with points pt 9 ps 0.9 lc rgb '#b03a2e' title 'degrees of freedom'"))
       ", "))
    "unset multiplot"))

(define (draw file n interpolation modes pairs)
  (define (named name curves)
    (map (lambda (i values) (cons (format #f "~a~a" name i) (curve n values))) (iota (length curves)) curves))
  (plot-save file (plot-commands (length pairs)) #:width 1200 #:height 500
             #:data (append (list (cons "ei" (normalised (ei-result-errors interpolation)))
                                  (cons "pod" (normalised (pod-result-singular-values modes)))
                                  (cons "dofs" (map (lambda (dof) (list (/ (1+ dof) (1+ n) 1.) 0.)) (ei-result-dofs interpolation))))
                            (named "full" (map car pairs)) (named "reduced" (map cdr pairs)))))

;;; The main program.

(define options
  (getopt-long (command-line)
               '((unknowns (single-char #\n) (value #t)) (workers (single-char #\w) (value #t)) (plot (single-char #\p) (value #t))
                 (help (single-char #\h)))))

(define (number-option name least default)
  (let* ((text (option-ref options name #f))
         (number (if text (string->number text) default)))
    (unless (and (exact-integer? number) (>= number least))
      (say "reduction: --~a: expected a whole number, at least ~a; see --help~%" name least)
      (exit 1))
    number))

(define (main n workers plot)
  (let*-values (((problem product) (rod n))
                ((interpolation modes model)
                 (call-with-pool workers
                   (lambda (pool)
                     (say "solving for ~a parameters on ~a worker~:p~%" (length training) workers)
                     (reduce-on pool problem product n)))))
    (format #t "~a unknowns, ~a solutions~%" n (length training))
    (format #t "empirical interpolation: ~a degrees of freedom; ~a~%" (length (ei-result-dofs interpolation))
            (ei-result-message interpolation))
    (format #t "POD: ~a modes~2%" (length (pod-result-modes modes)))
    (let ((pairs (compare problem model (pod-result-modes modes))))
      (if (draw plot n interpolation modes pairs)
          (say "drawn in ~a~%" plot)
          (say "nothing drawn: gnuplot is not installed~%")))))

(if (option-ref options 'help #f)
    (display help)
    (main (number-option 'unknowns 10 5000) (number-option 'workers 1 (default-pool-size)) (option-ref options 'plot "reduction.svg")))
