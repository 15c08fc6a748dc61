;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of a program that somebody else wrote, as people run it: its table, its plot, what it finds, the same from any number of
;; workers; wrong options, and no program.
(use-modules (tap) (programs) (svg) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/programs/strip.scm"))

(define (run-example folder . arguments)
  (run-program (cons* tutti "run" example "--table" (string-append folder "/strip.csv") "--plot" (string-append folder "/strip.svg")
                      arguments)
               #:seconds 400))

(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))
(define (lines text) (string-split (string-trim-right text #\newline) #\newline))

(define (numbers-in line)
  (filter-map string->number (string-tokenize line (char-set-adjoin char-set:digit #\.))))

;; A strip of isotropic material whose mass and shape are known: bending depends on E alone, but for little, torsion on E and nu.
(define (test-study folder output)
  (let ((rows (map (lambda (line) (map string->number (string-split line #\,)))
                   (cdr (lines (contents (string-append folder "/strip.csv")))))))
    (test-equal "a row for each run" 200 (length rows))
    (test-assert "every number is there" (every (lambda (row) (and (= (length row) 7) (every real? row))) rows))
    (test-assert "a stiffer strip rings higher, as the root"
      (every (match-lambda ((e nu f1 . _)
                            (let ((euler-bernoulli (* 0.16154 3. 1/14400 (sqrt (/ e 7.85e-9)))))
                              (< 1. (/ f1 euler-bernoulli) (/ (sqrt (- 1. (* nu nu))))))))
             rows))
    (test-assert "the frequency of torsion falls with Poisson's ratio"
      (let ((ratios (map (match-lambda ((_ nu f1 _ f3 . _) (cons nu (/ f3 f1)))) rows)))
        (apply > (map cdr (sort ratios (lambda (a b) (< (car a) (car b)))))))))
  (match (numbers-in (find (lambda (line) (string-contains line "Poisson")) (lines output)))
    ((modulus ratio)
     (test-assert "Young's modulus" (< (abs (- modulus 206.8)) 0.5))
     (test-assert "Poisson's ratio" (< (abs (- ratio 0.287)) 0.006)))))

(define (test-plot folder)
  (if (search-path (parse-path (getenv "PATH")) "gnuplot")
      (let ((plot (string-append folder "/strip.svg")))
        (test-assert "the plot is labelled"
          (every (lambda (label) (string-contains (contents plot) label)) '("</svg>" "200 runs of CalculiX" "calibrated" "ratio")))
        (test-equal "no label is cut" '() (cut-texts plot)))
      (tap-skip "the plot is labelled" "gnuplot is not installed")))

(define (test-all folder)
  (let* ((run (run-example folder "--workers" "2"))
         (table (and (eqv? 0 (program-status run)) (contents (string-append folder "/strip.csv")))))
    (test-equal "no error" '(0 "") (list (program-status run) (if table "" (program-errors run))))
    (when table
      (test-study folder (program-output run))
      (test-plot folder)
      (let ((again (run-example folder "--workers" "3")))
        (test-equal "the same from 3 workers" (list table (program-output run))
          (list (contents (string-append folder "/strip.csv")) (program-output again)))))))

(define (test-refusals folder)
  (for-each (lambda (option value text)
              (let ((wrong (run-example folder option value)))
                (test-assert (string-append "wrong " option)
                  (and (eqv? 1 (program-status wrong)) (string-contains (program-errors wrong) (string-append option text))))))
            '("--workers" "--plot") '("none" "strip.jpeg")
            '(": expected a whole number" " strip.jpeg: expected a name that ends in .svg, .png or .pdf"))
  (let ((none (run-program (list tutti "run" example "--table" (string-append folder "/none.csv"))
                           #:env (list (string-append "PATH=" folder)))))
    (test-assert "without the program"
      (and (eqv? 1 (program-status none)) (string-contains (program-errors none) "there is no program ccx on the PATH")))))

(unless (search-path (parse-path (getenv "PATH")) "ccx")
  (tap-skip-all "CalculiX (ccx) is not installed"))
(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (test-group "study" (test-all folder))
      (test-group "refusals" (test-refusals folder))))))
