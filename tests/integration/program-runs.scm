;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The chapter on programs shows what is in examples/program-runs: each script runs there as a reader would run it, and prints what is
;; shown.
(use-modules (tap) (listings) (srfi srfi-64))

(call-with-tap
 (lambda ()
   (test-group "manual" (test-chapter "programs.texi" "program-runs"))
   (call-with-listings "program-runs"
     (lambda (folder)
       (test-group "scripts" (test-listings folder))))))
