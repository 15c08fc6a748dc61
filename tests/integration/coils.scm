;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of the coils as people run it: its table and errors, the same from any number of workers, its plot, and
;; wrong options.
(use-modules (tap) (programs) (svg) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/coils.scm"))

(define (run-example . arguments)
  (run-program (cons* tutti "run" example arguments) #:seconds 240))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (table text)
  "Return the rows of numbers in @var{text}: iteration, alpha, residual by noise, inner steps and error of the image."
  (filter (lambda (row) (and (= (length row) 5) (every number? row)))
          (map (lambda (line) (map string->number (string-tokenize line))) (lines text))))

(define (number-behind label text)
  (let ((line (find (lambda (line) (string-prefix? label line)) (lines text))))
    (and line (string->number (last (string-tokenize line))))))

(define (falling? numbers)
  (apply > numbers))

(define (test-table output)
  (let* ((rows (table output))
         (misfits (map third rows))
         (zero-filled (number-behind "error of the zero-filled image" output))
         (reconstructed (number-behind "error of the reconstructed image" output)))
    (test-equal "iterations are numbered" (iota (length rows)) (map first rows))
    (test-assert "less than a dozen are enough" (<= 4 (length rows) 12))
    (test-assert "alpha falls" (falling? (cdr (map second rows))))
    (test-assert "the residual falls to the noise" (and (falling? misfits) (< 10 (first misfits)) (<= 0.9 (last misfits) 1.1)))
    (test-assert "ends there" (string-contains output "discrepancy: the residual norm "))
    (test-assert "the image becomes better with each iteration" (falling? (map fifth rows)))
    (test-equal "the last one is the result" reconstructed (fifth (last rows)))
    (test-assert "the result is good" (< 0 reconstructed 0.06))
    (test-assert "and clearly better than without the model" (< (* 4 reconstructed) zero-filled))))

(define (test-plot file)
  (let ((text (call-with-input-file file get-string-all #:encoding "UTF-8")))
    (test-assert "the plot is labelled"
      (every (lambda (label) (string-contains text label))
             '("</svg>" "Truth" "Zero-filled: error " "Reconstruction: error " "Residual / noise" "iteration" "coil 1" "coil 8")))
    (test-equal "no label is cut" '() (cut-texts file))
    (test-assert "eleven images" (<= 11 (length (filter (lambda (line) (string-contains line "<image")) (lines text)))))))

(define (test-output folder)
  (let* ((plot (string-append folder "/plot.svg"))
         (one (run-example "--workers" "1" "--plot" plot))
         (output (program-output one)))
    (test-equal "no error" 0 (program-status one))
    (test-table output)
    (for-each (lambda (workers)
                (test-equal (format #f "the same from ~a workers" workers) output
                  (program-output (run-example "--workers" workers "--plot" plot))))
              '("2" "3"))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (test-plot plot)
        (tap-skip "the plot is labelled" "gnuplot is not installed"))))

(define (test-refused message . arguments)
  (let ((wrong (apply run-example arguments)))
    (test-assert message
      (and (eqv? 1 (program-status wrong)) (string-null? (program-output wrong)) (string-contains (program-errors wrong) message)))))

(define (test-options)
  (let ((help (run-example "--help")))
    (test-assert "--help" (and (eqv? 0 (program-status help)) (string-contains (program-output help) "--workers"))))
  (test-refused "--workers: expected a whole number" "--workers" "none")
  (test-refused "--workers: expected a whole number" "--workers" "0")
  (test-refused "expected a name that ends in .svg, .png or .pdf" "--plot" "coils.eps"))

(call-with-tap
 (lambda ()
   (test-group "output" (call-with-folder test-output))
   (test-group "options" (test-options))))
