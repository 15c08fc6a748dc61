;; SPDX-License-Identifier: LGPL-3.0-or-later
;; speed-start.scm N: N workers, and their process numbers as soon as all have answered.
(use-modules (tutti))

(define-remote (process-number) (getpid))

(call-with-pool (string->number (cadr (command-line)))
  (lambda (pool)
    (write (pool-apply pool process-number))
    (newline)
    (force-output)))
