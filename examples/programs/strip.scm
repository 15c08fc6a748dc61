;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How does a strip of steel ring, and what does that tell of the steel?  CalculiX, a program for finite elements, computes the natural
;; frequencies of a strip that is clamped at one end.  First it runs for 200 steels; then Young's modulus and Poisson's ratio are found from
;; frequencies that were measured, by differences.  Try: tutti run examples/programs/strip.scm --help
(use-modules (tutti) (tutti command) (tutti file) (tutti plot) (ice-9 format) (ice-9 getopt-long) (srfi srfi-1))

(define help "Usage: strip.scm [OPTION...]
Study the natural frequencies of a strip of steel with CalculiX, and calibrate two properties of the steel.

  -w, --workers N      number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -t, --table FILE     where to write the runs (default: strip.csv)
  -p, --plot FILE      where to draw, .svg, .png or .pdf (default: strip.svg)
  -h, --help           show this help

It needs the program ccx (Debian: apt install calculix-ccx).
")

(define (beside name) (string-append (dirname (current-filename)) "/" name))

;;; The model: a program, its input deck with two places for numbers, and where the frequencies stand in its output.

(define modes 5)

(define (frequency mode)
  "Return the reader of the frequency (Hz) of @var{mode}, from 1: the fourth number of a line below a title."
  (output-value "strip.dat" "E I G E N V A L U E   O U T P U T" #:line (+ 5 mode) #:field 4))

(define-remote strip                                             ; from E (MPa) and nu to frequencies (Hz)
  (command-operator "ccx" "strip"
                    #:name "strip"
                    #:templates (list (cons (beside "strip.tpl") "strip.inp"))
                    #:parameters '(E nu)
                    #:environment '(("OMP_NUM_THREADS" . "1"))  ; the pool has a program for each core
                    #:read (map frequency (iota modes 1))
                    #:fail '((("stdout" "\\*ERROR") -> bad-deck))
                    #:timeout 60))

;;; The study: 200 steels.

(define runs 200)

(define-remote (any-steel i)                                     ; each item draws numbers of its own
  (let ((e (+ 190e3 (* 30e3 (random:uniform))))
        (nu (+ 0.2 (* 0.2 (random:uniform)))))
    (cons* e nu (f64vector->list (evaluate strip (f64vector e nu))))))

(define (study pool)
  "Return the table of all runs: E, nu and the frequencies."
  (let ((rows (parameterize ((random-seed 1)) (pool-map pool any-steel (iota runs)))))
    (make-table (map (lambda (name column) (cons name (map (lambda (row) (list-ref row column)) rows)))
                     names (iota (length names))))))

(define names (cons* "E (MPa)" "nu" (map (lambda (mode) (format #f "f~a (Hz)" mode)) (iota modes 1))))

;;; The calibration. These frequencies were computed for E = 206800 MPa and nu = 0.287, and given errors of 0.1 %.

(define measured (f64vector 177.4 1104.9 1315.8 1668.6 3094.1)) ; Hz
(define std (vec-scale 1e-3 measured))

(define (calibrate pool)
  ;; The program prints seven digits, so the steps must be much larger than those of exact values.
  (gauss-newton (with-differences strip #:step 1e-2 #:pool pool) measured (f64vector 200e3 0.25) #:std std #:beta 0
                #:bounds (cons (f64vector 150e3 0.) (f64vector 250e3 0.49)) #:stop (stop-when #:relative-change 1e-4 #:iterations 20)))

;;; What is printed and drawn.

(define (column table name) (f64vector->list (table-column table name)))

(define (print-results result)
  (let ((model (solver-result-solution result)))
    (format #t "~a~%" (solver-result-message result))
    (format #t "Young's modulus ~,1f GPa, Poisson's ratio ~,4f~%" (* 1e-3 (f64vector-ref model 0)) (f64vector-ref model 1))
    (format #t "mode   measured (Hz)   computed (Hz)~%")
    (for-each (lambda (mode a b) (format #t "~4d   ~13,1f   ~13,1f~%" mode a b))
              (iota modes 1) (f64vector->list measured) (f64vector->list (evaluate strip model)))))

(define plot-commands
  '("set border lw 0.8; set tics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7; set key top right samplen 2"
    "set title 'A strip that rings: torsion against bending tells of Poisson''s ratio'"
    "set xlabel 'Poisson''s ratio'; set ylabel 'frequency of torsion / of first bending'"
    "plot $runs with points lc rgb '#1b4f72' pt 7 ps 0.6 title '200 runs of CalculiX', \\
          $found with points lc rgb '#c0392b' pt 5 ps 1.4 title 'calibrated'"))

(define (draw file table model)
  (plot-save file plot-commands #:width 800 #:height 480
             #:data `(("runs" . ,(map (lambda (nu f1 f3) (list nu (/ f3 f1)))
                                      (column table "nu") (column table "f1 (Hz)") (column table "f3 (Hz)")))
                      ("found" . (,(list (f64vector-ref model 1) (/ (f64vector-ref measured 2) (f64vector-ref measured 0))))))))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line) '((workers (single-char #\w) (value #t)) (table (single-char #\t) (value #t))
                                (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define workers
  (let* ((text (option-ref options 'workers #f))
         (number (if text (string->number text) (default-pool-size))))
    (unless (and (exact-integer? number) (positive? number))
      (say "strip: --workers: expected a whole number, at least 1; see --help~%")
      (exit 1))
    number))

(define table-file (option-ref options 'table "strip.csv"))
(define plot (option-ref options 'plot "strip.svg"))

(define (main)
  (unless (plot-name? plot)
    (say "strip: --plot ~a: expected a name that ends in ~a; see --help~%" plot plot-endings)
    (exit 1))
  (call-with-pool workers
    (lambda (pool)
      (let ((table (study pool)))
        (write-csv table-file table)
        (say "~a runs are in ~a~%" runs table-file)
        (let ((result (calibrate pool)))
          (print-results result)
          (if (draw plot table (solver-result-solution result))
              (say "drawn in ~a~%" plot)
              (say "nothing drawn: gnuplot is not installed~%")))))))

(if (option-ref options 'help #f)
    (display help)
    (main))
