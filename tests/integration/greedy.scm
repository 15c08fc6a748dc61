;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of the greedy algorithm as people run it: its table, the same from any number of workers, its plot, and
;; wrong options.
(use-modules (tap) (programs) (svg) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/greedy.scm"))

(define (run-example . arguments)
  (run-program (cons* tutti "run" example arguments) #:seconds 200))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (table text)
  "Return the rows of numbers in @var{text}: extension, parameter, error and conductivities."
  (filter (lambda (row) (and (= (length row) 6) (every number? row)))
          (map (lambda (line) (map string->number (string-tokenize line))) (lines text))))

(define (number-behind label text)
  (let ((line (find (lambda (line) (string-contains line label)) (lines text))))
    (string->number (last (string-tokenize line)))))

(define (test-output folder)
  (let* ((plot (string-append folder "/plot.svg"))
         (one (run-example "--workers" "1" "--plot" plot))
         (output (program-output one))
         (rows (table output)))
    (test-equal "no error" 0 (program-status one))
    (test-equal "extensions are numbered" (iota (length rows) 1) (map first rows))
    (test-assert "two dozen are enough" (<= 15 (length rows) 35))
    (test-equal "no parameter twice" (length rows) (length (delete-duplicates (map second rows))))
    (test-assert "errors fall by five orders of magnitude" (< 1e4 (/ (third (first rows)) (third (last rows)))))
    (test-assert "ends within the tolerance" (string-contains output "tolerance: the largest error is "))
    (test-assert "holds for rods that it has not seen, and so does the bound"
      (<= (number-behind "largest error    " output) (number-behind "largest estimate" output) 1e-4))
    (for-each (lambda (workers)
                (test-equal (format #f "the same from ~a workers" workers) output
                  (program-output (run-example "--workers" workers "--plot" plot))))
              '("2" "3"))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (let ((text (call-with-input-file plot get-string-all #:encoding "UTF-8")))
          (test-assert "the plot is labelled"
            (every (lambda (label) (string-contains text label))
                   '("</svg>" "Largest error in the training set" "vectors in the basis" "place along the rod")))
          (test-equal "no label is cut" '() (cut-texts plot)))
        (tap-skip "the plot is labelled" "gnuplot is not installed"))))

(define (test-options)
  (let ((help (run-example "--help")))
    (test-assert "--help" (and (eqv? 0 (program-status help)) (string-contains (program-output help) "--workers"))))
  (let ((wrong (run-example "--plot" "greedy.jpeg")))
    (test-assert "a picture of another kind, before anything is computed"
      (and (eqv? 1 (program-status wrong))
           (string-null? (program-output wrong))
           (string-contains (program-errors wrong) "--plot greedy.jpeg: expected a name that ends in .svg, .png or .pdf"))))
  (let ((wrong (run-example "--workers" "none")))
    (test-assert "wrong"
      (and (eqv? 1 (program-status wrong)) (string-contains (program-errors wrong) "--workers: expected a whole number")))))

(call-with-tap
 (lambda ()
   (test-group "output" (call-with-folder test-output))
   (test-group "options" (test-options))))
