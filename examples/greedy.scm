;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How few solutions are enough?  Heat flows through a rod whose conductivity is given at three places, and linear
;; between them.  A reduced basis is built by the weak greedy algorithm: workers look for the rod, among some hundred,
;; where the reduced model errs most, and the solution there joins the basis.  Try: tutti run examples/greedy.scm
;; --help
(use-modules (tutti) (tutti greedy) (tutti plot) (tutti reduced-basis)
             (ice-9 format) (ice-9 getopt-long) (srfi srfi-1))

(define help "Usage: greedy.scm [OPTION...]
Build a reduced basis for heat conduction in rods of different conductivities by the
weak greedy algorithm, on a pool of workers.

  -w, --workers N    number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -p, --plot FILE    where to draw, .svg, .png or .pdf (default: greedy.svg)
  -h, --help         show this help
")

;;; The problem: -(k u')' = f between 0 and 1, u = 0 at both ends, by linear finite elements.  The left half of the
;;; rod is heated.

(define places 3)
(define n 119)                                                   ; unknowns: nodes between the ends
(define h (/ 1. (1+ n)))
(define nodes (map (lambda (i) (* h (1+ i))) (iota n)))
(define tolerance 1e-5)

(define (stiffness place)
  "Return the n x n matrix of a rod that conducts by 1 at @var{place}, and by 0 at the other places."
  (let ((matrix (make-f64vector (* n n) 0.)))
    (define (add! i j x)
      (when (and (< -1 i n) (< -1 j n))
        (f64vector-set! matrix (+ (* i n) j) (+ x (f64vector-ref matrix (+ (* i n) j))))))
    (for-each (lambda (element)                                  ; between the nodes element - 1 and element
                (let* ((x (* h (+ element 1/2)))
                       (k (/ (max 0 (- 1 (abs (- (* x (1- places)) place)))) h)))
                  (for-each add! (list element (1- element) element (1- element))
                            (list element (1- element) (1- element) element) (list k k (- k) (- k)))))
              (iota (1+ n)))
    matrix))

(define matrices (map stiffness (iota places)))

(define rod
  (make-affine-problem #:matrices matrices
                       #:coefficients (remote (lambda (conductivities) conductivities))
                       #:right-hand-side (list->f64vector (map (lambda (x) (if (< x 0.5) h 0.)) nodes))
                       #:product (reduce vec+ #f matrices)       ; of a rod that conducts by 1 everywhere
                       #:coercivity (remote (lambda (conductivities) (apply min conductivities)))))

(define (draw-conductivities count state)
  "Return @var{count} lists of conductivities between 1/5 and 5, evenly by their logarithms."
  (define (draw place) (expt 5. (- (* 2 (random:uniform state)) 1)))
  (map-in-order (lambda (i) (map-in-order draw (iota places))) (iota count)))

(define training (draw-conductivities 400 (seed->random-state 1)))
(define others (draw-conductivities 50 (seed->random-state 2)))  ; that the algorithm never sees

;;; What is printed.

(define (print-table result)
  (format #t "extension   parameter   largest error   conductivities~%")
  (for-each (lambda (number index error)
              (format #t "~9d ~11d     ~11,2,2,,,,'ee  ~{~7,3f~}~%" number index error (list-ref training index)))
            (iota (length (greedy-result-indices result)) 1) (greedy-result-indices result) (greedy-result-errors result))
  (format #t "~a: ~a~2%" (greedy-result-reason result) (greedy-result-message result)))

(define (print-check basis)
  (let* ((model (reduced-basis-model basis))
         (errors (map (lambda (k) (true-error (list model (reduced-basis-vectors basis) rod) k)) others))
         (estimates (map (lambda (k) (error-estimate model k)) others)))
    (format #t "~a other rods, ~a unknowns instead of ~a:~%" (length others) (reduced-basis-size basis) n)
    (format #t "  largest error      ~,2,2,,,,'ee~%" (apply max errors))
    (format #t "  largest estimate   ~,2,2,,,,'ee~%" (apply max estimates))))

;;; What is drawn: how the error falls, and what the basis is made of.

(define (curve values)
  (map list (append '(0.) nodes '(1.)) (append '(0.) values '(0.))))

(define (solutions indices)
  (map (lambda (index) (curve (f64vector->list (solve-affine-problem rod (list-ref training index))))) indices))

(define (plot-commands errors curves)
  `("set multiplot layout 1,2 margins 0.09,0.98,0.15,0.9 spacing 0.12"
    "set border lw 0.8; set tics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7; unset key"
    "set title 'Largest error in the training set'; set logscale y; set format y '10^{%T}'"
    ,(format #f "set yrange ~a" (decade-range errors))
    "set xlabel 'vectors in the basis'; set ylabel 'estimated error'"
    "plot $errors with linespoints lc rgb '#1b4f72' lw 2 pt 7 ps 0.7"
    "set title 'Temperatures that were selected'; unset logscale y; set yrange [0:*]; set format y '%g'"
    "set xlabel 'place along the rod / its length'; set ylabel 'temperature'"
    ,(string-append "plot " (string-join (map (lambda (i) (format #f "$curve~a with lines lw 1.5 lc rgb '#5d8aa8'" i)) (iota curves))
                                         ", "))
    "unset multiplot"))

(define (draw file result)
  (let ((curves (solutions (greedy-result-indices result)))
        (errors (greedy-result-errors result)))
    (plot-save file (plot-commands errors (length curves)) #:width 1100 #:height 480
               #:data (cons (cons "errors" (map list (iota (1+ (length curves))) errors))
                            (map (lambda (i curve) (cons (format #f "curve~a" i) curve)) (iota (length curves)) curves)))))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line)
               '((workers (single-char #\w) (value #t)) (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define (main workers plot)
  (unless (and (exact-integer? workers) (positive? workers))
    (say "greedy: --workers: expected a whole number, at least 1; see --help~%")
    (exit 1))
  (unless (plot-name? plot)
    (say "greedy: --plot ~a: expected a name that ends in ~a; see --help~%" plot plot-endings)
    (exit 1))
  (let ((result (call-with-pool workers
                  (lambda (pool)
                    (say "looking through ~a rods on ~a worker~:p~%" (length training) workers)
                    (reduced-basis-greedy pool rod training #:tolerance tolerance #:callback #f)))))
    (print-table result)
    (print-check (greedy-result-model result))
    (if (draw plot result)
        (say "drawn in ~a~%" plot)
        (say "nothing drawn: gnuplot is not installed~%"))))

(if (option-ref options 'help #f)
    (display help)
    (main (let ((text (option-ref options 'workers #f))) (if text (string->number text) (default-pool-size)))
          (option-ref options 'plot "greedy.svg")))
