;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of the tiled gravity inversion as people run it: it fits the data and finds the bodies, the same from any
;; number of workers; its plot, and wrong options.
(use-modules (tap) (programs) (svg) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/gravity-tiles.scm"))

(define (run-example . arguments)
  (run-program (cons* tutti "run" example arguments) #:seconds 300))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (table text)
  "Return the rows of numbers in @var{text}: iteration, beta, phi_d, phi_m and inner iterations."
  (filter (lambda (row) (and (= (length row) 5) (every number? row)))
          (map (lambda (line) (map string->number (string-tokenize line))) (lines text))))

(define (last-number text label)
  (let ((line (find (lambda (line) (string-contains line label)) (lines text))))
    (string->number (last (string-tokenize line)))))

(define (test-inversion folder)
  "Return what has been printed: by two workers."
  (let* ((plot (string-append folder "/plot.svg"))
         (run (run-example "--workers" "2" "--plot" plot))
         (output (program-output run))
         (rows (table output)))
    (test-equal "no error" 0 (program-status run))
    (test-equal "iterations are numbered" (iota (length rows)) (map first rows))
    (test-assert "the misfit falls from iteration to iteration" (apply > (map third rows)))
    (test-assert "down to the noise, and no iteration earlier" (<= (third (last rows)) 1600 (third (last (drop-right rows 1)))))
    (test-assert "says why it ended" (string-contains output "discrepancy: the residual norm"))
    (test-assert "the bodies are found" (< 0.7 (last-number output "correlation with the truth") 1))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (let ((text (call-with-input-file plot get-string-all #:encoding "UTF-8")))
          (test-assert "the plot is labelled"
            (every (lambda (label) (string-contains text label))
                   '("</svg>" "Section through the middle of the model" "density (g/cc)" "Misfit" "iteration")))
          (test-equal "no label is cut" '() (cut-texts plot)))
        (tap-skip "the plot is labelled" "gnuplot is not installed"))
    output))

(define (test-sameness whole folder)
  (define (output-of workers)
    (program-output (run-example "--workers" workers "--iterations" "2" "--plot" (string-append folder "/same.svg"))))
  (let ((one (output-of "1")))
    (test-equal "stopped after two iterations" '(0 1 2) (map first (table one)))
    (test-equal "the same from 3 workers" one (output-of "3"))
    ;; They have gone on from there.
    (test-equal "the same from 2 workers" (table one) (list-head (table whole) 3))))

(define (test-options)
  (let ((help (run-example "--help")))
    (test-assert "--help" (and (eqv? 0 (program-status help)) (string-contains (program-output help) "--workers"))))
  (for-each (lambda (option)
              (let ((wrong (run-example option "none")))
                (test-assert (string-append "wrong " option)
                  (and (eqv? 1 (program-status wrong))
                       (string-contains (program-errors wrong) (string-append option ": expected a whole number"))))))
            '("--workers" "--iterations")))

(call-with-tap
 (lambda ()
   (let ((whole #f))
     (test-group "inversion" (set! whole (call-with-folder test-inversion)))
     (test-group "sameness" (call-with-folder (lambda (folder) (test-sameness whole folder)))))
   (test-group "options" (test-options))))
