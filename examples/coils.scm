;; SPDX-License-Identifier: LGPL-3.0-or-later
;; One image, seen by eight coils.  In parallel magnetic resonance imaging each coil around the body measures a part of
;; the Fourier transform of the image times its own sensitivity; the smaller the part, the quicker.  Unknown are the
;; image, which all coils have in common, and the sensitivity of each, which is smooth.  Workers hold the coils, and all
;; are inverted together.  Try: tutti run examples/coils.scm --help
;;
;; The method is that of M. Uecker, T. Hohage, K. T. Block, J. Frahm: Image reconstruction by regularized nonlinear
;; inversion -- Joint estimation of coil sensitivities and image content.  Magn. Reson. Med. 60 (2008), 674-682.
(use-modules (tutti) (tutti plot) (tutti solver)
             (ice-9 format) (ice-9 getopt-long) (ice-9 match) (srfi srfi-1))

(define help "Usage: coils.scm [OPTION...]
Reconstruct an image, and the sensitivities of the coils that measured a part of its Fourier
transform, on a pool of workers.

  -w, --workers N    number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -p, --plot FILE    where to draw, .svg, .png or .pdf (default: coils.svg)
  -h, --help         show this help
")

(define coils 8)
(define deviation 0.005)                                         ; of the noise of each complex number
(define pi (acos -1))

;;; The grid: n x n points, row by row.  What define-remote defines is known to the workers, too.

(define n 96)
(define-remote grid (complex-space (* n n)))
(define-remote image+coil (direct-sum grid grid))                ; what one coil depends on
(define image+coils (apply direct-sum grid (make-list coils grid)))

(define (on-grid f)
  "Return the list of what @var{f} returns for row and column of each point of the grid."
  (append-map (lambda (row) (map (lambda (column) (f row column)) (iota n))) (iota n)))

(define (on-plane f)
  "Return the c64vector of what @var{f} returns for x and y of each point of the grid, between -1 and 1."
  (define (place i) (- (/ (+ i 0.5) n 0.5) 1))
  (list->c64vector (on-grid (lambda (row column) (f (place column) (place row))))))

(define (on-frequencies f)
  "Like on-grid, but for the frequencies, which are 0, 1 ... and then ... -2, -1."
  (define (frequency i) (if (< i (/ n 2)) i (- i n)))
  (on-grid (lambda (row column) (f (frequency row) (frequency column)))))

;;; What a coil does: (rho, d) -> P F (rho . S d).  F is the Fourier transform, and P takes what is measured.  The
;;; unknown is not the sensitivity c, but d with c = S d, S = F^-1 (1 + a |k|^2)^-s: what is not smooth in c costs much.

(define fourier (fourier-operator grid (list n n)))

(define measured                                                 ; 13 rows in the middle, and every third one
  (filter-map (lambda (index measured?) (and measured? index))
              (iota (* n n))
              (on-frequencies (lambda (row column) (or (<= -6 row 6) (zero? (modulo row 3)))))))

(define-remote measuring (operator-compose (projection-operator grid measured) fourier))

(define-remote smoothing
  (let ((factors (on-frequencies (lambda (row column) (expt (+ 1 (* 0.02 (+ (* row row) (* column column)))) -4)))))
    (operator-compose (adjoint fourier) (diagonal-operator (list->c64vector factors)))))

(define-remote (product-derivative rho c)
  (make-linear-operator
   #:name "derivative of rho . S d" #:domain image+coil #:codomain grid
   #:apply (lambda (step)
             (match (direct-sum-split image+coil step)
               ((rho-step d-step) (vec+ (vec* rho-step c) (vec* rho (evaluate smoothing d-step))))))
   #:adjoint (lambda (y)
               (direct-sum-join image+coil (list (vec* (vec-conjugate c) y)
                                                 (apply-adjoint smoothing (vec* (vec-conjugate rho) y)))))))

(define-remote (product)
  (define (image+sensitivity x)
    (match (direct-sum-split image+coil x)
      ((rho d) (list rho (evaluate smoothing d)))))
  (make-operator
   #:name "rho . S d" #:domain image+coil #:codomain grid
   #:evaluate (lambda (x) (apply vec* (image+sensitivity x)))
   #:linearize (lambda (x)
                 (match (image+sensitivity x)
                   ((rho c) (values (vec* rho c) (product-derivative rho c)))))))

;; The chain rule makes the derivative of the whole, and its adjoint.
(define-remote (coil) (operator-compose measuring (product)))

(define (all-coils pool)
  "Return the operator of all coils.  Each is made by the worker that holds it, and is given two of the components: the
first one, the image, and its own."
  (define (row own)
    (cons #t (map (lambda (other) (= other own)) (iota coils))))
  (distributed-vector-of-operators (make-list coils coil) image+coils (map row (iota coils)) #:pool pool))

;;; The truth, and the data: a head of ellipses, and coils that stand around it.

(define ellipses                                                 ; density, centre, half axes, degrees
  '((1.0 0.0 0.0 0.72 0.9 0) (-0.65 0.0 -0.02 0.64 0.81 0) (-0.2 0.26 0.06 0.15 0.38 -20) (-0.2 -0.26 0.06 0.19 0.42 20)
    (0.3 0.0 0.42 0.24 0.2 0) (0.25 0.0 -0.36 0.34 0.06 0) (0.3 -0.25 -0.6 0.06 0.06 0) (0.3 -0.05 -0.6 0.04 0.04 0)
    (0.3 0.12 -0.6 0.025 0.025 0) (0.3 0.28 -0.6 0.06 0.03 45)))

(define (density x y)
  (define (inside? x0 y0 a b degrees)
    (let ((z (* (make-rectangular (- x x0) (- y y0)) (make-polar 1 (* degrees pi -1/180)))))
      (<= (+ (expt (/ (real-part z) a) 2) (expt (/ (imag-part z) b) 2)) 1)))
  (apply + (map (match-lambda ((value . ellipse) (if (apply inside? ellipse) value 0))) ellipses)))

(define (sensitivity number)
  (define direction (make-polar 1 (* 2 pi (/ number coils))))
  (on-plane (lambda (x y)
              (let ((along (/ (make-rectangular x y) direction)))
                (/ (make-polar 1 (* 0.7 (real-part along))) direction (+ 0.5 (expt (magnitude (- along 1.2)) 2)))))))

(define rho (on-plane density))
(define products (map (lambda (number) (vec* rho (sensitivity number))) (iota coils)))

(define data
  (let ((state (seed->random-state 1)))
    (define (noise)
      (* deviation (sqrt 1/2) (make-rectangular (random:normal state) (random:normal state))))
    (vec-map (lambda (z) (+ z (noise)))
             (vec-concatenate (map (lambda (product) (evaluate measuring product)) products)))))

;;; Images to compare.  A factor of all sensitivities may as well be one of the image: only their products can be known,
;;; and the root of the sum of the squares of these.

(define (root-sum-of-squares images)
  (vec-map (lambda (square) (sqrt (real-part square)))
           (reduce vec+ #f (map (lambda (image) (vec* (vec-conjugate image) image)) images))))

(define (model-products model)
  (match (direct-sum-split image+coils model)
    ((rho . ds) (map (lambda (d) (vec* rho (evaluate smoothing d))) ds))))

(define truth (root-sum-of-squares products))

(define zero-filled                                              ; as if nothing were where nothing is measured
  (let ((measurements (direct-sum-split (apply direct-sum (make-list coils (operator-codomain measuring))) data)))
    (root-sum-of-squares (map (lambda (y) (apply-adjoint measuring y)) measurements))))

(define (relative-error image)
  (/ (vec-norm (vec- image truth)) (vec-norm truth)))

;;; The inversion, and what is printed.

(define start                                                    ; an image of ones, seen by coils that see nothing
  (direct-sum-join image+coils (cons (make-c64vector (* n n) 1.) (make-list coils (make-c64vector (* n n) 0.)))))

(define (misfit iteration)
  "Return the norm of the residual by that of the noise."
  (/ (iteration-residual-norm iteration) (sqrt (c64vector-length data))))

(define (print-row iteration model)
  (format #t "~9d ~9,5f ~18,3f ~13d ~15,4f~%" (iteration-number iteration)
          (* (or (iteration-weight iteration) 0) deviation deviation) (misfit iteration)
          (or (iteration-inner-iterations iteration) 0) (relative-error (root-sum-of-squares (model-products model))))
  (force-output))

(define (reconstruct pool)
  (format #t "iteration     alpha   residual / noise   inner steps   error of image~%")
  (irgnm (all-coils pool) data start #:std deviation #:alpha-schedule (cons (/ 0.3 deviation deviation) 0.4)
         #:inner-stop (stop-when #:tolerance 1e-4 #:iterations 10)
         #:stop (stop-when #:iterations 20) #:tau 1.1 #:callback print-row))

;;; What is drawn: above the images and the misfit, below what each coil sees.

(define (picture image)
  (map (lambda (row) (map real-part (c64vector->list (vec-slice image (* row n) (* (1+ row) n))))) (iota n)))

(define width 1240)
(define height 560)

(define (panel left top size title plot)
  "Return the commands that draw @var{plot}, what follows that command, into a square of @var{size} pixels."
  (format #f "set title ~s; set lmargin at screen ~,5f; set rmargin at screen ~,5f
set tmargin at screen ~,5f; set bmargin at screen ~,5f; plot ~a"
          title (/ left width) (/ (+ left size) width) (- 1 (/ top height)) (- 1 (/ (+ top size) height)) plot))

(define (plot-commands error)
  (define (large left title block)
    (panel left 40 288 title (string-append block " matrix with image")))
  (define (small number)
    (panel (+ 20 (* number 152)) 398 136 (format #f "coil ~a" (1+ number))
           (format #f "$coil~a matrix with image" number)))
  `("set multiplot; unset key; unset colorbox; unset tics; set border lw 0.8; set palette gray; set title offset 0,-0.5"
    ,(format #f "set xrange [-0.5:~a]; set yrange [-0.5:~a]; set cbrange [0:1.8]" (- n 0.5) (- n 0.5))
    ,(large 20 "Truth" "$truth")
    ,(large 324 (format #f "Zero-filled: error ~,1f %" (* 100 (relative-error zero-filled))) "$zero")
    ,(large 628 (format #f "Reconstruction: error ~,1f %" (* 100 error)) "$result")
    "set cbrange [0:*]"
    ,@(map small (iota coils))
    "set xtics nomirror out scale 0.6; set ytics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7"
    "set xlabel 'iteration'; set xrange [0:*]; set yrange [0.8:*]; set logscale y"
    ,(panel 970 40 250 "Residual / noise" "$misfit with linespoints lc rgb '#1b4f72' lw 2 pt 7 ps 0.7")
    "unset multiplot"))

(define (draw file products misfits)
  (let ((image (root-sum-of-squares products)))
    (define (seen number product)
      (cons (format #f "coil~a" number) (picture (root-sum-of-squares (list product)))))
    (plot-save file (plot-commands (relative-error image)) #:width width #:height height
               #:data `(("truth" . ,(picture truth)) ("zero" . ,(picture zero-filled)) ("result" . ,(picture image))
                        ("misfit" . ,(map list (iota (length misfits)) misfits))
                        ,@(map seen (iota coils) products)))))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line)
               '((workers (single-char #\w) (value #t)) (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define (refuse message . arguments)
  (say "coils: ~?; see --help~%" message arguments)
  (exit 1))

(define (main workers plot)
  (unless (and (exact-integer? workers) (positive? workers))
    (refuse "--workers: expected a whole number, at least 1"))
  (unless (plot-name? plot)
    (refuse "--plot ~a: expected a name that ends in ~a" plot plot-endings))
  (say "~a coils, ~,1f % of the Fourier transform, ~a worker~:p~%" coils (* 100. (/ (length measured) n n)) workers)
  (let* ((result (call-with-pool workers reconstruct))
         (products (model-products (solver-result-solution result))))
    (format #t "~a: ~a~2%" (solver-result-reason result) (solver-result-message result))
    (format #t "error of the zero-filled image     ~,4f~%" (relative-error zero-filled))
    (format #t "error of the reconstructed image   ~,4f~%" (relative-error (root-sum-of-squares products)))
    (if (draw plot products (map misfit (solver-result-history result)))
        (say "drawn in ~a~%" plot)
        (say "nothing drawn: gnuplot is not installed~%"))))

(if (option-ref options 'help #f)
    (display help)
    (main (let ((text (option-ref options 'workers #f))) (if text (string->number text) (default-pool-size)))
          (option-ref options 'plot "coils.svg")))
