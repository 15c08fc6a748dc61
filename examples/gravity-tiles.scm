;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What lies below, by its weight?  Gravity at 1600 receivers is inverted for the densities of 40 x 40 x 20 cells.  The
;; receivers are divided into 16 tiles; each tile is a simulation whose matrix, 26 MB, is made by the worker that keeps
;; it and never leaves that worker.  Try: tutti run examples/gravity-tiles.scm --help
(use-modules (tutti) (tutti gravity) (tutti plot) (tutti simulation) (tutti solver)
             (ice-9 format) (ice-9 getopt-long) (srfi srfi-1))

(define help "Usage: gravity-tiles.scm [OPTION...]
Invert synthetic gravity data, tile by tile on a pool of workers.

  -w, --workers N      number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -i, --iterations N   stop after so many iterations (default: 20, or earlier: where the data are fitted)
  -p, --plot FILE      where to draw, .svg, .png or .pdf (default: gravity-tiles.svg)
  -h, --help           show this help
")

;;; The survey: cells of 50 m x 50 m x 25 m, a receiver 1 m above each column.  Lengths in m, z upwards, densities in
;; g/cc, gravity in mGal.

(define nx 40) (define ny 40) (define nz 20)
(define width 50.) (define height 25.)
(define bottom (- (* nz height)))

(define-remote mesh (tensor-mesh (make-list 40 50.) (make-list 40 50.) (make-list 20 25.) '(0 0 -500)))

(define (receivers column row)
  "Return the 100 receivers of the tile in @var{column} and @var{row}."
  (append-map (lambda (j)
                (map (lambda (i) (list (* width (+ i 1/2)) (* width (+ j 1/2)) 1)) (iota 10 (* 10 column))))
              (iota 10 (* 10 row))))

(define tiles                                                    ; thunks: each is called by one worker
  (append-map (lambda (row)
                (map (lambda (column)
                       (remote ((points (receivers column row))) (lambda () (gravity-operator mesh points))))
                     (iota 4)))
              (iota 4)))

;;; The truth: a heavy dyke that dips to the east, and a block.

(define std 0.01)                                                ; of the noise
(define densest 0.4)                                             ; what rocks there can differ by

(define (true-density x y z)
  (cond ((and (< 600 y 1400) (< -350 z -75) (< (abs (- x (+ 500 (* -1.2 z)))) 110)) 0.4)
        ((and (< 500 y 1500) (< 1400 x 1700) (< -175 z -25)) 0.3)
        (else 0.)))

(define true-model
  (let ((centres (tensor-mesh-centres mesh))
        (model (make-f64vector (tensor-mesh-size mesh))))
    (do ((cell 0 (1+ cell)))
        ((= cell (f64vector-length model)) model)
      (f64vector-set! model cell
                      (apply true-density (map (lambda (axis) (f64vector-ref centres (+ axis (* 3 cell)))) '(0 1 2)))))))

;;; The inversion.  A cell far below is seen less well than one at the surface.  The unknowns are densities times
;; sensitivities, so that all are seen equally well, and structure is not drawn to the surface (Li and Oldenburg 1998:
;; 3-D inversion of gravity data, Geophysics 63, 109-119).  Nothing there is lighter than the host rock.

(define (sensitivities survey)
  "Return how well each cell is seen, 1 for the best."
  (let* ((diagonal (jtj-diagonal survey (make-f64vector (tensor-mesh-size mesh) 0.)))
         (largest (reduce max 0. (f64vector->list diagonal))))
    (vec-map (lambda (d) (sqrt (/ d largest))) diagonal)))

(define (differences)
  "Return the linear operator that takes the difference between each pair of cells that share a face."
  (let* ((pairs (append-map
                 (lambda (di dj dk)
                   (append-map (lambda (k)
                                 (append-map (lambda (j)
                                               (map (lambda (i)
                                                      (cons (tensor-mesh-cell mesh i j k)
                                                            (tensor-mesh-cell mesh (+ i di) (+ j dj) (+ k dk))))
                                                    (iota (- nx di))))
                                             (iota (- ny dj))))
                               (iota (- nz dk))))
                 '(1 0 0) '(0 1 0) '(0 0 1)))
         (n (length pairs)))
    (sparse-operator n (tensor-mesh-size mesh) (append (iota n) (iota n)) (append (map car pairs) (map cdr pairs))
                     (vec-concatenate (list (make-f64vector n -1.) (make-f64vector n 1.))))))

(define (roughness)
  "Return the regularisation operator: some smallness, and the squares of the differences."
  (let ((d (differences)))
    (operator-sum (operator-scale 0.1 (identity-operator (tensor-mesh-size mesh)))
                  (operator-compose (adjoint d) d))))

(define (invert survey data iterations)
  "Return two values: the result of the inversion of @var{data}, and its model."
  (let* ((sensitivity (sensitivities survey))
         (scale (diagonal-operator (vec-map / sensitivity)))
         (result (gauss-newton (operator-compose survey scale) data (make-f64vector (tensor-mesh-size mesh) 0.)
                               #:std std #:regularization (roughness)
                               #:bounds (cons 0 (vec-scale densest sensitivity))
                               #:beta (/ (vec-dot data data) (* std std) 10) #:beta-schedule 1/4
                               #:stop (stop-when #:iterations iterations
                                                 #:discrepancy (sqrt (f64vector-length data)) #:tau 1.)
                               #:inner-stop (stop-when #:tolerance 1e-2 #:iterations 30))))
    (values result (evaluate scale (solver-result-solution result)))))

;;; What is printed and drawn.

(define (print-results result model)
  (format #t "iteration        beta        phi_d        phi_m   inner~%")
  (for-each (lambda (iteration)
              (format #t "~9d ~11,3,2,,,,'ee ~12,2f ~12,5f ~7d~%" (iteration-number iteration) (or (iteration-weight iteration) 0)
                      (iteration-phi-d iteration) (iteration-phi-m iteration) (or (iteration-inner-iterations iteration) 0)))
            (solver-result-history result))
  (format #t "~a: ~a~%" (solver-result-reason result) (solver-result-message result))
  (format #t "densities from ~,3f to ~,3f g/cc; correlation with the truth ~,3f~%"
          (reduce min 0. (f64vector->list model)) (reduce max 0. (f64vector->list model))
          (/ (vec-dot model true-model) (vec-norm model) (vec-norm true-model))))

(define (section model)
  "Return rows of x, z (km) and density of @var{model}, from west to east through the middle."
  (append-map (lambda (k)
                (map (lambda (i)
                       (list (/ (* width (+ i 1/2)) 1000) (/ (+ bottom (* height (+ k 1/2))) 1000)
                             (f64vector-ref model (tensor-mesh-cell mesh i (quotient ny 2) k))))
                     (iota nx)))
              (iota nz)))

(define outline                                                  ; of the true bodies in the section, in km
  '((0.48 -0.075) (0.7 -0.075) (1.03 -0.35) (0.81 -0.35) (0.48 -0.075) ()
    (1.4 -0.025) (1.7 -0.025) (1.7 -0.175) (1.4 -0.175) (1.4 -0.025)))

(define plot-commands
  '("set multiplot"
    "set border lw 0.8; set tics nomirror out scale 0.6; unset key"
    "set lmargin at screen 0.07; set rmargin at screen 0.56; set tmargin at screen 0.88; set bmargin at screen 0.16"
    "set title 'Section through the middle of the model, and the true bodies'"
    "set xlabel 'west to east (km)'; set ylabel 'height (km)'; set xrange [0:2]; set yrange [-0.5:0]"
    "set palette defined (0 '#ffffff', 0.15 '#fddbc7', 0.25 '#d6604d', 0.4 '#67001f'); set cbrange [0:0.4]"
    "set cblabel 'density (g/cc)' offset 1"
    "plot $section using 1:2:3 with image, $outline using 1:2 with lines lc rgb '#222222' lw 1.5"
    "set lmargin at screen 0.755; set rmargin at screen 0.98; unset colorbox; set key top right samplen 2"
    "set title 'Misfit'; set xlabel 'iteration'; set ylabel 'χ² / number of data'; set logscale y"
    "set xrange [*:*]; set yrange [0.5:*]; set format y '10^{%T}'; set xtics 2; set grid lc rgb '#dddddd' lt 1 lw 0.7"
    "plot $misfit with linespoints lc rgb '#1b4f72' lw 2 pt 7 ps 0.7 title 'χ²', 1 with lines lc rgb '#c0392b' dt 2 title 'noise'"
    "unset multiplot"))

(define (draw file result model n-data)
  (plot-save file plot-commands #:width 1200 #:height 430
             #:data `(("section" . ,(section model))
                      ("outline" . ,outline)
                      ("misfit" . ,(map (lambda (iteration)
                                          (list (iteration-number iteration) (/ (iteration-phi-d iteration) n-data)))
                                        (solver-result-history result))))))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line)
               '((workers (single-char #\w) (value #t)) (iterations (single-char #\i) (value #t))
                 (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define (whole-number name default)
  (let* ((text (option-ref options name #f))
         (number (if text (string->number text) default)))
    (unless (and (exact-integer? number) (positive? number))
      (say "gravity-tiles: --~a: expected a whole number, at least 1; see --help~%" name)
      (exit 1))
    number))

(define (seconds-since start)
  (exact->inexact (/ (- (get-internal-real-time) start) internal-time-units-per-second)))

(define (main workers iterations plot)
  (unless (plot-name? plot)
    (say "gravity-tiles: --plot ~a: expected a name that ends in ~a; see --help~%" plot plot-endings)
    (exit 1))
  (call-with-pool workers
    (lambda (pool)
      (let* ((start (get-internal-real-time))
             (identity (identity-operator (tensor-mesh-size mesh)))
             (survey (make-meta-simulation tiles (map (const identity) tiles) #:name "survey" #:pool pool)))
        (say "~a tiles on ~a worker~:p: their matrices took ~,1f s~%" (length tiles) workers (seconds-since start))
        (let ((data (make-synthetic-data survey true-model #:relative-error 0 #:noise-floor std #:add-noise? #t #:seed 1)))
          (call-with-values (lambda () (invert survey data iterations))
            (lambda (result model)
              (say "done after ~,1f s~%" (seconds-since start))
              (print-results result model)
              (if (draw plot result model (f64vector-length data))
                  (say "drawn in ~a~%" plot)
                  (say "nothing drawn: gnuplot is not installed~%")))))))))

(if (option-ref options 'help #f)
    (display help)
    (main (whole-number 'workers (default-pool-size)) (whole-number 'iterations 20)
          (option-ref options 'plot "gravity-tiles.svg")))
