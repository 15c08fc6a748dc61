;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The chapters on programs and on models behind HTTP show what is in two folders of the examples: each script runs there as a reader would
;; run it, and prints what is shown.
(use-modules (tap) (listings) (srfi srfi-64) ((tutti umbridge primitives) #:select (available?)))

(define (test-folder chapter folder)
  (test-group chapter
    (test-chapter chapter folder)
    (call-with-listings folder test-listings)))

(call-with-tap
 (lambda ()
   (test-folder "programs.texi" "program-runs")
   (if (available?)
       (test-folder "umbridge.texi" "umbridge")
       (tap-skip "umbridge.texi" "this build has no libsoup"))))
