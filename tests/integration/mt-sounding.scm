;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The main example as people run it: its numbers, the same bits from any number of workers, its plot, and wrong options.
(use-modules (tap) (programs) (svg) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/mt-sounding.scm"))

(define* (run-example arguments #:key (env '()) (with (list tutti "run")))
  (run-program (append with (list example) arguments) #:env env #:seconds 200))

(define (run-ensemble folder workers . arguments)
  (run-example (append (list "--workers" (number->string workers) "--ensemble" "16"
                             "--plot" (string-append folder "/plot.svg"))
                       arguments)))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (table text)
  "Return the rows of numbers in @var{text}."
  (filter (lambda (row) (and (= (length row) 4) (every number? row)))
          (map (lambda (line) (map string->number (string-tokenize line))) (lines text))))

(define (test-numbers folder)
  (let* ((one (run-ensemble folder 1))
         (rows (table (program-output one))))
    (test-equal "no error" 0 (program-status one))
    (test-equal "RMS, roughness and mu" "RMS 1.000   roughness 0.384   mu 60.48" (first (lines (program-output one))))
    (test-equal "a row for each layer" 40 (length rows))
    (test-equal "depths" '(0. 50. 200000.) (list (first (first rows)) (first (second rows)) (first (last rows))))
    (test-assert "percentiles in order" (every (lambda (row) (<= 0 (third row) (fourth row))) rows))
    (test-assert "the model is in its band, mostly"
      (<= 30 (count (lambda (row) (<= (third row) (second row) (fourth row))) rows)))
    (test-assert "workers and time on standard error, nowhere else"
      (and (string-contains (program-errors one) "on 1 worker\n")
           (string-contains (program-errors one) "done after")
           (not (string-contains (program-output one) "worker"))
           (not (string-contains (program-output one) "done after"))))
    (for-each (lambda (workers)
                (test-equal (format #f "the same bits from ~a workers" workers) (program-output one)
                  (program-output (run-ensemble folder workers))))
              '(2 8))
    (let ((other (run-ensemble folder 2 "--seed" "2")))
      (test-equal "another seed, the same model" (map second rows) (map second (table (program-output other))))
      (test-assert "another seed, another band" (not (equal? rows (table (program-output other))))))
    (test-equal "with guile itself" (program-output one)
      (program-output (run-example (list "-w" "2" "-n" "16" "-p" (string-append folder "/plot.svg")) #:with '("guile"))))))

(define (test-plot folder)
  (let ((file (string-append folder "/plot.svg")))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (let ((text (call-with-input-file file get-string-all #:encoding "UTF-8")))
          (test-assert "is an SVG" (and (string-contains text "<svg") (string-contains text "</svg>")))
          (test-assert "is labelled" (every (lambda (label) (string-contains text label))
                                            '("apparent resistivity" "phase (degrees)" "period (s)" "depth (km)" "Ω m")))
          (test-equal "no label is cut" '() (cut-texts file)))
        (tap-skip "is an SVG" "gnuplot is not installed"))))

(define (test-without-gnuplot folder)
  ;; All programs but one: a folder of links stands for PATH.
  (let ((bin (string-append folder "/bin"))
        (plot (string-append folder "/none.svg")))
    (mkdir bin)
    (for-each (lambda (name)
                (let ((file (search-path (parse-path (getenv "PATH")) name)))
                  (when file (symlink file (string-append bin "/" name)))))
              '("guile" "guile-3.0" "env" "sh"))
    (let ((run (run-example (list "-w" "1" "-n" "4" "-p" plot) #:env (list (string-append "PATH=" bin)))))
      (test-equal "is no error" 0 (program-status run))
      (test-equal "has the table" 40 (length (table (program-output run))))
      (test-assert "says so" (string-contains (program-errors run) "gnuplot is not installed"))
      (test-assert "draws nothing" (not (file-exists? plot))))))

(define (test-options)
  (let ((help (run-example '("--help"))))
    (test-equal "--help" 0 (program-status help))
    (test-assert "--help names the options"
      (every (lambda (option) (string-contains (program-output help) option))
             '("--workers" "--ensemble" "--seed" "--plot" "--help"))))
  (for-each
   (lambda (arguments part)
     (let ((run (run-example arguments)))
       (test-assert (format #f "~a" arguments)
         (and (not (eqv? 0 (program-status run))) (string-null? (program-output run))
              (string-contains (program-errors run) part)))))
   '(("--workers" "0") ("--ensemble" "many") ("--seed" "-1") ("--plot" "x.jpeg") ("--wrokers" "2") ("--seed") ("left-over"))
   '("--workers 0: expected a whole number, at least 1" "--ensemble many: expected a whole number, at least 2"
     "--seed -1: expected a whole number, at least 0" "--plot x.jpeg: expected a name that ends in .svg, .png or .pdf"
     "wrokers" "seed" "unexpected argument left-over")))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (test-group "numbers" (test-numbers folder))
      (test-group "plot" (test-plot folder))
      (test-group "without gnuplot" (test-without-gnuplot folder))))
   (test-group "options" (test-options))))
