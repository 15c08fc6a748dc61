;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The reference chapter of the manual, out of the docstrings: guile -L doc doc/extract.scm OUTPUT.
(use-modules (ice-9 format) (ice-9 match) (reference))

(match (command-line)
  ((_ output)
   (call-with-output-file output write-reference #:encoding "UTF-8"))
  ((program . _)
   (format (current-error-port) "usage: ~a OUTPUT~%" program)
   (exit 2)))
