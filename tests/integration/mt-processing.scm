;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The example of magnetotelluric processing as people run it: a remote reference finds the Earth, which the noisy site alone does not; the
;; same from any number of workers; a second time there is nothing to do; its picture, and wrong options.
(use-modules (tap) (programs) (svg) (mt-data) (srfi srfi-1) (srfi srfi-64))

(define example (string-append (getenv "TUTTI_SOURCE_DIR") "/examples/mt-processing/mt-processing.scm"))

(define (run-example . arguments)
  (run-program (cons* tutti "run" example arguments) #:seconds 240))

(define (lines text)
  (string-split (string-trim-right text #\newline) #\newline))

(define (distances output)
  "Return the list of the median distances in @var{output}, in percent: as it is, masked, with a remote site."
  (filter-map string->number
              (string-tokenize (find (lambda (line) (string-contains line "median distance")) (lines output))
                               (char-set-adjoin char-set:digit #\.))))

(define (done errors)
  "Return the numbers of units that were done in the first three stages."
  (filter-map (lambda (line)
                (let ((at (string-contains line " done")))
                  (and at (string->number (last (string-tokenize (substring line 0 at)))))))
              (lines errors)))

(define (test-example folder)
  (let* ((project (string-append folder "/one"))
         (run (run-example "--folder" project "--workers" "1"))
         (output (program-output run)))
    (test-equal "no error" 0 (program-status run))
    (test-equal "a line for each of 14 periods" 14 (count (lambda (line) (string-contains line "+-")) (lines output)))
    (test-assert "a remote reference finds the Earth" (< (third (distances output)) 4))
    (test-assert "the mask helps, and the noisy site alone is worst" (> (first (distances output)) (second (distances output)) 4))
    (test-equal "units of the stages" '(8 4 4) (done (program-errors run)))
    (let ((again (run-example "--folder" project "--workers" "2")))
      (test-equal "a second time there is nothing to do" '(0 0 0) (done (program-errors again)))
      (test-equal "and the same comes out" output (program-output again)))
    (test-equal "the same from two workers" output (program-output (run-example "--folder" (string-append folder "/two") "--workers" "2")))
    (if (search-path (parse-path (getenv "PATH")) "gnuplot")
        (begin
          (test-assert "pictures"
            (every (lambda (name) (file-exists? (string-append project "/images/" name)))
                   '("noisy_spectra_remote.svg" "noisy_spectra_remote.png")))
          (test-equal "no label is cut" '() (cut-texts (string-append project "/images/noisy_spectra_remote.svg"))))
        (tap-skip "pictures" "gnuplot is not installed"))))

(define (test-shared folder)
  (let ((data (shared-file "data")))
    (if data
        (let ((run (run-example "--folder" (string-append folder "/shared") "--data" data)))
          (test-assert "test2 with test1 as remote site" (< (third (distances (program-output run))) 20)))
        (tap-skip "test2 with test1 as remote site" "TUTTI_SHARED does not name a folder with the data sets"))))

(define (test-options)
  (let ((help (run-example "--help")))
    (test-assert "--help" (and (eqv? 0 (program-status help)) (string-contains (program-output help) "--workers"))))
  (let ((wrong (run-example "--workers" "none")))
    (test-assert "wrong --workers"
      (and (eqv? 1 (program-status wrong)) (string-contains (program-errors wrong) "--workers: expected a whole number")))))

(call-with-tap
 (lambda ()
   (test-group "mt-processing"
     (call-with-folder test-example)
     (call-with-folder test-shared)
     (test-options))))
