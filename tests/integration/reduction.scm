;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of model reduction as people run it: its figures, the same from any number of workers, its plot, and wrong options.
(use-modules (tap) (programs) (svg) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/reduction.scm"))

(define (run-example . arguments)
  (run-program (cons* tutti "run" example arguments) #:seconds 200))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (table text)
  "Return the rows of numbers in @var{text}: two parameters and an error."
  (filter (lambda (row) (and (= (length row) 3) (every number? row)))
          (map (lambda (line) (map string->number (string-tokenize line))) (lines text))))

(define (number-in line text)
  "Return the first number of the line of @var{text} that begins with @var{line}."
  (find number? (map string->number (string-tokenize (find (lambda (l) (string-prefix? line l)) (lines text))))))

(define (test-output folder)
  (define plot (string-append folder "/plot.svg"))
  (define (run workers unknowns) (run-example "--workers" workers "--unknowns" unknowns "--plot" plot))
  (let* ((one (run "1" "300"))
         (output (program-output one))
         (rows (table output)))
    (test-equal "no error" 0 (program-status one))
    (test-equal "other parameters are solved for" 4 (length rows))
    (test-assert "with small errors" (every (lambda (row) (< 0 (third row) 1e-3)) rows))
    (test-assert "few degrees of freedom" (<= 8 (number-in "empirical interpolation:" output) 40))
    (test-assert "few modes" (<= 5 (number-in "POD:" output) 25))
    (for-each (lambda (workers)
                (test-equal (format #f "the same from ~a workers" workers) output (program-output (run workers "300"))))
              '("2" "3"))
    (let ((finer (program-output (run "2" "900"))))
      (test-assert "hardly more degrees of freedom on a finer grid"
        (<= (number-in "empirical interpolation:" finer) (+ 4 (number-in "empirical interpolation:" output)))))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (let ((text (call-with-input-file plot get-string-all #:encoding "UTF-8")))
          (test-assert "the plot is labelled"
            (every (lambda (label) (string-contains text label))
                   '("</svg>" "relative to the first" "degrees of freedom" "number of vectors"
                     "place along the rod / its length" "temperature")))
          (test-equal "no label is cut" '() (cut-texts plot)))
        (tap-skip "the plot is labelled" "gnuplot is not installed"))))

(define (test-options)
  (let ((help (run-example "--help")))
    (test-assert "--help" (and (eqv? 0 (program-status help)) (string-contains (program-output help) "--unknowns"))))
  (for-each (lambda (option)
              (let ((wrong (run-example option "few")))
                (test-assert (string-append "wrong " option)
                  (and (eqv? 1 (program-status wrong))
                       (string-contains (program-errors wrong) (string-append option ": expected a whole number"))))))
            '("--workers" "--unknowns")))

(call-with-tap
 (lambda ()
   (test-group "output" (call-with-folder test-output))
   (test-group "options" (test-options))))
