;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The page of a job in a real browser: what a person sees, also of hostile texts, on a telephone and with the keyboard alone. With
;; TUTTI_TEST_PICTURES, a folder, its pictures are kept there.
(use-modules (tap) (pages) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define chromium
  (find identity (map (lambda (name) (search-path (parse-path (getenv "PATH")) name)) '("chromium" "chromium-browser"))))

(define expected
  '(("texts" . "true") ("status" . "Running") ("hostile-text" . "true") ("elements-of-hostile-text" . "0") ("plot" . "true")
    ("tab-reaches-failures" . "true") ("focus-visible" . "true") ("enter-opens" . "true") ("tab-goes-on" . "true") ("width-360" . "360")
    ("title-harmed" . "false") ("end" . "true") ("errors" . "[]")))

(define (keep-pictures folder)
  (let ((to (getenv "TUTTI_TEST_PICTURES")))
    (when to
      (for-each (lambda (name) (copy-file (string-append folder "/" name) (string-append to "/" name)))
                '("light.png" "dark.png" "telephone.png" "ended.png")))))

(define (look job)
  (let* ((program (run-program (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/browser.py")
                                     chromium (job-address job) (job-folder job))))
         (answers (answers-of program)))
    (test-equal "the browser was there to the end" '(0 "") (list (program-status program) (program-errors program)))
    (for-each (match-lambda ((name . value) (test-equal name value (answer answers name)))) expected)
    (let ((median (string->number (or (answer answers "latency-median") ""))))
      (format #t "# an event is seen after ~a ms, at most ~a~%" median (answer answers "latency-most"))
      ;; 200 ms where nothing else runs.
      (test-assert "an event is seen soon" (and median (< median 1000))))
    (test-equal "the job has not noticed" 0 (program-status (job-end job)))
    (keep-pictures (job-folder job))))

(call-with-tap
 (lambda ()
   (cond ((not (file-exists? (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-page")))
          (tap-skip-all "this build has no page: libsoup is missing"))
         ((not chromium) (tap-skip-all "Chromium is not installed"))
         (else (call-with-job '("paged.scm" "200") look)))))
