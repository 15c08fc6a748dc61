;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What does the Earth below two sites look like, when one of them is noisy?  The series of two sites over a layered Earth are made, one
;; with noise in all its channels and disturbances for a third of the time, and processed in stages on a pool of workers: as they are,
;; with a mask that leaves only coherent windows, and with the quiet site as remote reference, which alone removes the bias.
;; Run it twice: the second time nothing is left to be done.  Try: tutti run examples/mt-processing/mt-processing.scm --help
(use-modules (tutti) (tutti mt) (tutti mt1d) (tutti plot)
             (ice-9 format) (ice-9 getopt-long) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-11))

(define help "Usage: mt-processing.scm [OPTION...]
Process magnetotelluric series of two sites, in stages, on a pool of workers.

  -w, --workers N      number of worker processes (default: what multi.ini says)
  -f, --folder FOLDER  where the project is, or is made (default: mt-project)
  -d, --data FOLDER    process test1.asc.xz and test2.asc.xz, five columns each at 1 Hz, from the folder mt-synthetic
                       in FOLDER instead of made ones; over a half-space of 100 ohm m
  -h, --help           show this help
")

(define configuration (string-append (dirname (current-filename)) "/multi.ini"))
(define start "2024-06-01T00:00:00")
(define rate 1)

;;; The Earth: 100 ohm m, 10 ohm m from 4 km, 300 ohm m from 20 km; E = Z H in mV/km and nT.

(define tops '(0. 4e3 20e3))
(define resistivities '(100. 10. 300.))

(define (earth periods)
  "Return two values: the lists of apparent resistivities and phases at @var{periods}."
  (let* ((model (list->f64vector (map log resistivities)))
         (response (f64vector->list (evaluate (mt-response periods tops) model)))
         (n (length periods)))
    (values (map (lambda (x) (expt 10 x)) (take response n)) (drop response n))))

(define (impedances frequencies)
  (let-values (((rho phase) (earth (map / frequencies))))
    (map (lambda (f rho phase) (make-polar (sqrt (* 5 f rho)) (* phase (/ (acos -1) 180)))) frequencies rho phase)))

;;; The series.

(define n 40000)

(define (colored-noise seed)
  "Return a series with more power at long periods, as nature has it."
  (let ((state (seed->random-state seed))
        (v (make-f64vector n)))
    (let loop ((i 0) (x 0.))
      (when (< i n)
        (let ((x (+ (* 0.9 x) (random:normal state))))
          (f64vector-set! v i x)
          (loop (1+ i) x))))
    v))

(define (white-noise seed strength)
  (let ((state (seed->random-state seed)))
    (vec-map (lambda (_) (* strength (random:normal state))) (make-f64vector n 0.))))

(define (filtered x z)
  "Return the series X, each Fourier coefficient times that of the vector Z of impedances."
  (let* ((transform (fourier-operator (complex-space n) (list n)))
         (spectrum (evaluate transform (vec-map (lambda (x) (make-rectangular x 0.)) x)))
         (y (make-c64vector n 0)))
    (do ((k 1 (1+ k)))
        ((>= (* 2 k) n))
      (let ((factor (vector-ref z k)))
        (c64vector-set! y k (* factor (c64vector-ref spectrum k)))
        (c64vector-set! y (- n k) (* (make-rectangular (real-part factor) (- (imag-part factor))) (c64vector-ref spectrum (- n k))))))
    (let ((series (apply-adjoint transform y)))
      (list->f64vector (map real-part (c64vector->list series))))))

(define (disturbances seed strength)
  "Return a series that is zero but for a third of the time, in pieces of half an hour."
  (let ((noise (colored-noise seed))
        (v (make-f64vector n 0.)))
    (do ((i 0 (1+ i)))
        ((= i n) v)
      (when (zero? (modulo (quotient i 1800) 3))
        (f64vector-set! v i (* strength (f64vector-ref noise i)))))))

(define (disturbed channels)
  (map (lambda (channel seed strength noise)
         (cons (car channel) (vec+ (cdr channel) (vec+ (disturbances seed strength) (white-noise (+ 10 seed) noise)))))
       channels '(20 21 22 23) '(0.5 0.5 5. 5.) '(0.5 0.5 1. 1.)))

(define (make-series)
  "Return the channels of the quiet and of the noisy site."
  (let* ((z (list->vector (cons 0 (impedances (map (lambda (k) (/ (* 1. rate k) n)) (iota (quotient n 2) 1))))))
         (hx (colored-noise 1))
         (hy (colored-noise 2))
         (fields `(("Hx" . ,hx) ("Hy" . ,hy) ("Ex" . ,(filtered hy z)) ("Ey" . ,(vec-scale -1 (filtered hx z))))))
    (list (map (lambda (channel seed) (cons (car channel) (vec+ (cdr channel) (white-noise seed 0.02)))) fields '(11 12 13 14))
          (disturbed fields))))

(define (read-series file)
  (let ((port (open-pipe* OPEN_READ "xz" "-dc" file)))
    (let loop ((rows '()))
      (let ((line (read-line port)))
        (if (eof-object? line)
            (begin
              (close-pipe port)
              (map (lambda (name column) (cons name (list->f64vector (map (lambda (row) (list-ref row column)) (reverse rows)))))
                   '("Hx" "Hy" "Hz" "Ex" "Ey") (iota 5)))
            (loop (cons (map (lambda (word) (exact->inexact (string->number word))) (string-tokenize line)) rows)))))))

(define (find-project folder data)
  "Return the project in @var{folder}, which is made if there is none."
  (if (file-exists? (string-append folder "/mtproject.ini"))
      (load-project folder #:configuration configuration)
      (let* ((series (if data
                         (map (lambda (name) (read-series (string-append data "/mt-synthetic/" name ".asc.xz"))) '("test1" "test2"))
                         (make-series)))
             (project (create-project folder #:configuration configuration)))
        (for-each (lambda (site channels)
                    (write-measurement project site "first" #:start start #:rate rate #:format 'float32 #:channels channels))
                  '("quiet" "noisy") series)
        project)))

;;; The stages.

(define (say . arguments)
  (apply format (current-error-port) arguments)
  (force-output (current-error-port)))

(define (report-on report)
  (say "~a: ~a done, ~a complete before~%" (stage-report-stage report) (length (stage-report-done report))
       (length (stage-report-skipped report))))

(define coherent (make-mask "coherent" '("coherence")))
(mask-add-constraint! coherent "coherence" #:components '(("cohExHy" 0.8 1) ("cohEyHx" 0.8 1)))

(define (process project workers)
  "Run all stages, and return the transfer functions: of the noisy site as it is, with a mask, and with the quiet site as remote one."
  (report-on (calculate-spectra project #:ncores workers))
  (report-on (calculate-statistics project #:ncores workers))
  (report-on (calculate-mask project coherent #:ncores workers))
  (append (process-site project "noisy" #:ncores workers)
          (process-site project "noisy" #:masks (list coherent) #:postpend "masked" #:ncores workers)
          (process-site project "noisy" #:remote-site "quiet" #:postpend "remote" #:ncores workers)))

(define (print-results results data)
  (let* ((tables (map (lambda (tf)
                        (map list (transfer-function-periods tf) (apparent-resistivities tf "xy")
                             (apparent-resistivity-errors tf "xy")))
                      results))
         (periods (transfer-function-periods (last results))))
    (let-values (((rho phase) (if data (values (map (const 100.) periods) (map (const 45.) periods)) (earth periods))))
      (format #t "apparent resistivity of the noisy site, xy, in ohm m~%")
      (format #t "  period (s)    Earth            as it is            masked             remote~%")
      (for-each (lambda (period rho)
                  (format #t "~12,2f ~8,2f" period rho)
                  (for-each (lambda (table)
                              (let ((row (assv period table)))
                                (if row
                                    (format #t "   ~8,2f +- ~5,2f" (second row) (third row))
                                    (format #t "~20@a" "-"))))
                            tables)
                  (newline))
                periods rho)
      (format #t "median distance from the Earth: ~{~,1f %~^, ~}~%"
              (map (lambda (table)
                     (median (filter-map (lambda (period rho)
                                           (let ((row (assv period table))) (and row (* 100 (abs (1- (/ (second row) rho)))))))
                                         periods rho)))
                   tables)))))

(define (median numbers)
  (let ((sorted (sort numbers <)))
    (list-ref sorted (quotient (length sorted) 2))))

;;; The main program.

(define options
  (getopt-long (command-line)
               '((workers (single-char #\w) (value #t)) (folder (single-char #\f) (value #t)) (data (single-char #\d) (value #t))
                 (help (single-char #\h)))))

(define (whole-number name)
  (let* ((text (option-ref options name #f))
         (number (and text (string->number text))))
    (when (and text (not (and (exact-integer? number) (positive? number))))
      (say "mt-processing: --~a: expected a whole number, at least 1; see --help~%" name)
      (exit 1))
    number))

(define (main)
  (let* ((workers (whole-number 'workers))
         (data (option-ref options 'data #f))
         (project (find-project (option-ref options 'folder "mt-project") data))
         (results (process project workers)))
    (print-results results data)
    (if (plot-program)
        (say "drawn in ~{~a~^ and ~}~%"
             (append-map picture-files (view-impedance project #:sites '("noisy") #:postpend "remote")))
        (say "nothing drawn: gnuplot is not installed~%"))))

(if (option-ref options 'help #f)
    (display help)
    (main))
