;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What does the Earth below look like, and how well do we know it?  A magnetotelluric sounding is inverted for the smoothest
;; layered model that fits it, and again, on the workers, for many copies of the data with noise added: how far these models
;; spread is how well each depth is resolved.  Try: tutti run examples/mt-sounding.scm --help
(use-modules (tutti) (tutti mt1d) (tutti plot)
             (ice-9 format) (ice-9 getopt-long) (srfi srfi-1))

(define help "Usage: mt-sounding.scm [OPTION...]
Invert a magnetotelluric sounding, and an ensemble of noisy copies of it on a pool of workers.

  -w, --workers N    number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -n, --ensemble N   number of noisy copies (default: 200)
  -s, --seed N       seed of the noise: the same seed gives the same results on any number of workers (default: 1)
  -p, --plot FILE    where to draw, .svg, .png or .pdf (default: mt-sounding.svg)
  -h, --help         show this help
")

;;; The problem.  What define-remote defines is known to the workers, too.

(define data-file (string-append (dirname (current-filename)) "/data/cull-1985.txt"))
(define tops (layer-tops 40 50. 200e3))                          ; m: 0, then 50 m … 200 km

(define-remote sounding (read-sounding data-file))
(define-remote response (mt-response (sounding-periods sounding) tops))
(define-remote start (make-f64vector 40 (log 10.)))              ; unknowns are ln (ohm m)

(define-remote target (sqrt 2))

(define-remote (noisy-inversion number)
  ;; A copy has the noise twice, the Earth's and ours: what fits it as well as RMS 1 fits the data has RMS sqrt 2. The random numbers
  ;; belong to the item: on which worker it is inverted, and when, makes no difference.
  (occam response (perturb-sounding sounding) start #:target target))

;;; What is printed.

(define (percentile p numbers)
  "Return the @var{p}th percentile of @var{numbers}, interpolated between neighbours."
  (let* ((sorted (list->vector (sort numbers <)))
         (place (* p 1/100 (1- (vector-length sorted))))
         (i (floor place))
         (j (min (1+ i) (1- (vector-length sorted)))))
    (+ (* (- 1 (- place i)) (vector-ref sorted i)) (* (- place i) (vector-ref sorted j)))))

(define (resistivities fit)
  (map exp (f64vector->list (fit-model fit))))

(define (band p fits)
  "Return the @var{p}th percentile of the resistivity of each layer in @var{fits}."
  (apply map (lambda layer (percentile p layer)) (map resistivities fits)))

(define (print-results best fits low high)
  (let ((reached (count (lambda (fit) (= (fit-goal fit) target)) fits)))
    (format #t "RMS ~,3f   roughness ~,3f   mu ~,2f~%" (fit-rms best) (fit-roughness best) (fit-mu best))
    (format #t "~a noisy copies, ~a with RMS ~,3f, ~a that cannot be fitted so well: median RMS ~,3f   median mu ~,2f~2%"
            (length fits) reached target (- (length fits) reached)
            (percentile 50 (map fit-rms fits)) (percentile 50 (map fit-mu fits)))
    (format #t "  top of layer   resistivity   16th perc.   84th perc.~%")
    (format #t "           (m)       (ohm m)      (ohm m)      (ohm m)~%")
    (for-each (lambda (top rho low high) (format #t "~14,1f ~13,4f ~12,4f ~12,4f~%" top rho low high))
              tops (resistivities best) low high)))

;;; What is drawn: data and fit on the left, the model with its band on the right.

(define (halves v)
  (let ((items (f64vector->list v)))
    (call-with-values (lambda () (split-at items (/ (length items) 2))) list)))

(define (staircase rho)
  ;; A layer is a vertical line from its top to the next one; the logarithmic axis starts at 20 m, and ends at 400 km.
  (append-map (lambda (rho top bottom) (list (list rho top) (list rho bottom)))
              rho (cons 20. (cdr tops)) (append (cdr tops) '(400e3))))

(define (plot-data best low high)
  (let* ((periods (iota 200 (log 0.01) (/ (log 4e5) 199)))
         (curve (halves (evaluate (mt-response (map exp periods) tops) (fit-model best)))))
    `(("data" . ,(apply map list (sounding-periods sounding)
                        (append (halves (sounding-data sounding)) (halves (sounding-deviations sounding)))))
      ("fit" . ,(apply map list (map exp periods) curve))
      ("band" . ,(append (staircase low) (reverse (staircase high))))
      ("model" . ,(staircase (resistivities best))))))

(define (plot-commands best members)
  `("set multiplot"
    "set style line 1 lc rgb '#1b4f72' lw 2.5"
    "set style line 2 lc rgb '#c0392b' lw 1.2 pt 7 ps 0.6"
    "set border lw 0.8; set tics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7"
    "set key bottom left reverse Left samplen 2 spacing 1.3"
    "set logscale x; set xrange [0.01:4000]; set format x '10^{%T}'"
    ;; Apparent resistivity
    "set lmargin at screen 0.085; set rmargin at screen 0.50; set tmargin at screen 0.92; set bmargin at screen 0.53"
    "set label 1 'Magnetotelluric sounding (Cull 1985) and its smoothest fit' at screen 0.085, 0.96"
    "set format x ''; set logscale y; set yrange [0.1:1000]; set format y '10^{%T}'; set ylabel 'apparent resistivity (Ω m)' offset 1"
    "plot $fit using 1:(10**$2) with lines ls 1 title 'fit', \\"
    "  $data using 1:(10**$2):(10**($2-$4)):(10**($2+$4)) with yerrorbars ls 2 title 'data, one standard deviation'"
    ;; Phase
    "unset label 1; set tmargin at screen 0.49; set bmargin at screen 0.10; set format x '10^{%T}'; set xlabel 'period (s)'"
    "unset logscale y; set yrange [0:120]; set ytics 30; set format y '%g'; set ylabel 'phase (degrees)'; unset key"
    "plot $fit using 1:3 with lines ls 1, $data using 1:3:5 with yerrorbars ls 2"
    ;; Model
    "set lmargin at screen 0.60; set rmargin at screen 0.97; set tmargin at screen 0.92; set key top right samplen 1.5"
    ,(format #f "set label 1 'Model: RMS ~,2f, μ = ~,1f' at screen 0.60, 0.96" (fit-rms best) (fit-mu best))
    "set xrange [1:200]; set format x '%g'; set xlabel 'resistivity (Ω m)'; set logscale y; set yrange [400:0.02]; set ytics autofreq"
    "set format y '%g'; set ylabel 'depth (km)'"
    ,(format #f "plot $band using 1:($2/1000) with filledcurves closed fc rgb '#aed6f1' title '68 % of ~a noisy copies', \\"
             members)
    "  $model using 1:($2/1000) with lines ls 1 title 'smoothest model'"
    "unset multiplot"))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line)
               '((workers (single-char #\w) (value #t)) (ensemble (single-char #\n) (value #t))
                 (seed (single-char #\s) (value #t)) (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define (refuse message . arguments)
  (say "mt-sounding: ~?; see --help~%" message arguments)
  (exit 1))

(define (whole-number name least default)
  "Return the value of the option @var{name}, a whole number of at least @var{least}."
  (let* ((text (option-ref options name #f))
         (number (if text (string->number text) default)))
    (unless (and (exact-integer? number) (>= number least))
      (refuse "--~a ~a: expected a whole number, at least ~a" name text least))
    number))

(define (seconds-since start)
  (exact->inexact (/ (- (get-internal-real-time) start) internal-time-units-per-second)))

(define (main)
  (let ((workers (whole-number 'workers 1 (default-pool-size)))
        (members (whole-number 'ensemble 2 200))
        (seed (whole-number 'seed 0 1))
        (plot (option-ref options 'plot "mt-sounding.svg"))
        (begun (get-internal-real-time)))
    (unless (plot-name? plot)
      (refuse "--plot ~a: expected a name that ends in ~a" plot plot-endings))
    (unless (null? (option-ref options '() '()))
      (refuse "unexpected argument ~a" (car (option-ref options '() '()))))
    (let* ((best (occam response sounding start))
           (fits (call-with-pool workers
                   (lambda (pool)
                     (say "one inversion took ~,3f s; now ~a more on ~a worker~:p~%" (seconds-since begun) members workers)
                     (parameterize ((random-seed seed))
                       (pool-map pool noisy-inversion (iota members))))))
           (low (band 16 fits))
           (high (band 84 fits)))
      (say "done after ~,2f s~%" (seconds-since begun))
      (print-results best fits low high)
      (if (plot-save plot (plot-commands best members) #:data (plot-data best low high) #:width 1100 #:height 720)
          (say "drawn in ~a~%" plot)
          (say "nothing drawn: gnuplot is not installed~%")))))

(if (option-ref options 'help #f)
    (display help)
    (main))
