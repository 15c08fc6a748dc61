;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where is a rod damaged?  It was heated at four places, one after the other, and nine sensors have seen how warm it became.  The model
;; of that, with its derivative and adjoint, is a class in Python, heat.py.  Each experiment is an object of this class on a worker;
;; together they are one operator, from which gauss-newton finds the diffusivity along the rod.  plain.py does the same in Python alone.
;; Try: tutti run examples/python/calibrate.scm --help
(use-modules (tutti) (tutti plot) (tutti python) (ice-9 format) (ice-9 getopt-long) (ice-9 match) (ice-9 rdelim) (srfi srfi-1))

(define help "Usage: calibrate.scm [OPTION...]
Find the diffusivity of a rod from temperatures, with a model in Python, on a pool of workers.

  -w, --workers N      number of worker processes (default: one per core, or $TUTTI_WORKERS)
  -p, --plot FILE      where to draw, .svg, .png or .pdf (default: rod.svg)
  -h, --help           show this help

The Python is python3 on the PATH, or $TUTTI_PYTHON; it needs numpy and scipy.
")

(define (beside name) (string-append (dirname (current-filename)) "/" name))

;;; The measurements: rows of the place of the heater, the time, and the temperatures at the sensors.

(define measurements
  (call-with-input-file (beside "temperatures.csv")
    (lambda (port)
      (read-line port)                                           ; what the columns are
      (let loop ((rows '()))
        (match (read-line port)
          ((? eof-object?) (reverse rows))
          (line (loop (cons (map (lambda (cell) (exact->inexact (string->number cell))) (string-split line #\,)) rows))))))))

(define heaters (delete-duplicates (map first measurements)))
(define data (list->f64vector (append-map cddr measurements)))
(define std 0.05)                                                ; of the noise, K

;;; The model: an experiment for each heater.

(define model-file (beside "heat.py"))

(define experiments                                              ; thunks: each is called by one worker
  (map (lambda (heater) (remote ((file model-file) (heater heater)) (lambda () (python-operator file "Heat" heater))))
       heaters))

(define (roughness n)
  "Return the regularisation operator: the squares of the differences of neighbours among @var{n}."
  (let* ((rows (iota (1- n)))
         (d (sparse-operator (1- n) n (append rows rows) (append rows (map 1+ rows))
                             (list->f64vector (append (map (const -1.) rows) (map (const 1.) rows))))))
    (operator-compose (adjoint d) d)))

(define (calibrate rod)
  (let ((n (operator-domain rod)))
    (gauss-newton rod data (make-f64vector n (log 6e-5)) #:std std #:beta 4. #:regularization (roughness n)
                  #:stop (stop-when #:iterations 50))))          ; to the last digits

;;; What is printed and drawn.

(define (place number n) (* 0.5 (/ number (- n 1.))))            ; m along the rod

(define (diffusivities model)                                    ; in mm2/s
  (map (lambda (m) (* 1e6 (exp m))) (f64vector->list model)))

(define (print-results result)
  (let* ((model (solver-result-solution result))
         (n (f64vector-length model))
         (history (solver-result-history result)))
    (format #t "iteration        misfit     roughness~%")
    (for-each (lambda (iteration)
                (format #t "~9d ~13,4f ~13,6f~%" (iteration-number iteration) (iteration-phi-d iteration) (iteration-phi-m iteration)))
              history)
    (format #t "~a: ~a~%" (solver-result-reason result) (solver-result-message result))
    (format #t "~a temperatures, misfit ~,4f, roughness ~,6f~%" (f64vector-length data)
            (iteration-phi-d (last history)) (iteration-phi-m (last history)))
    (format #t "place (m)   diffusivity (mm2/s)~%")
    (for-each (lambda (number value) (format #t "~9,4f   ~19,9f~%" (place number n) value))
              (iota n) (diffusivities model))))

(define shown 0.3)                                               ; the heater whose temperatures are drawn

(define (curves temperatures)
  "Return rows of time (min) and the values of the f64vector @var{temperatures}, for one heater."
  (filter-map (lambda (row values) (and (= (first row) shown) (cons (/ (second row) 60) values)))
              measurements
              (let ((sensors (length (cddr (first measurements)))))
                (let loop ((rest (f64vector->list temperatures)))
                  (if (null? rest) '() (cons (list-head rest sensors) (loop (list-tail rest sensors))))))))

(define plot-commands
  '("set multiplot layout 1,2"
    "set border lw 0.8; set tics nomirror out scale 0.6; set grid lc rgb '#dddddd' lt 1 lw 0.7"
    "set title 'Diffusivity along the rod'; set xlabel 'place (m)'; set ylabel 'diffusivity (mm²/s)'; set yrange [0:120]"
    "set key top right samplen 2"
    "plot $estimate with linespoints lc rgb '#1b4f72' lw 2 pt 7 ps 0.7 title 'estimate'"
    "set title 'Temperatures, heated at 0.3 m'; set xlabel 'time (min)'; set ylabel 'temperature (K)'; set yrange [0:*]"
    "plot for [i=2:10] $measured using 1:i with points lc rgb '#c0392b' pt 7 ps 0.4 title i == 2 ? 'measured' : '', \\
          for [i=2:10] $modelled using 1:i with lines lc rgb '#1b4f72' lw 1.5 title i == 2 ? 'model' : ''"
    "unset multiplot"))

(define (draw file model temperatures)
  (let ((n (f64vector-length model)))
    (plot-save file plot-commands #:width 1100 #:height 430
               #:data `(("estimate" . ,(map list (map (lambda (number) (place number n)) (iota n)) (diffusivities model)))
                        ("measured" . ,(curves data))
                        ("modelled" . ,(curves temperatures))))))

;;; The main program.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define options
  (getopt-long (command-line) '((workers (single-char #\w) (value #t)) (plot (single-char #\p) (value #t)) (help (single-char #\h)))))

(define workers
  (let* ((text (option-ref options 'workers #f))
         (number (if text (string->number text) (default-pool-size))))
    (unless (and (exact-integer? number) (positive? number))
      (say "calibrate: --workers: expected a whole number, at least 1; see --help~%")
      (exit 1))
    number))

(define plot (option-ref options 'plot "rod.svg"))

(define (main)
  (unless (plot-name? plot)
    (say "calibrate: --plot ~a: expected a name that ends in ~a; see --help~%" plot plot-endings)
    (exit 1))
  (call-with-pool workers
    (lambda (pool)
      (let* ((rod (parallel-vector-of-operators experiments #:pool pool))
             (result (calibrate rod))
             (model (solver-result-solution result)))
        (print-results result)
        (if (draw plot model (evaluate rod model))
            (say "drawn in ~a~%" plot)
            (say "nothing drawn: gnuplot is not installed~%"))))))

(if (option-ref options 'help #f)
    (display help)
    (main))
