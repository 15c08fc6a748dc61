;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the capsules of failed tasks may have: for those who start a journal.
(define-module (tutti look capsules)
  #:use-module (tutti base check)
  #:export (capsule-limit capsule-variables))

(define capsule-limit
  (make-parameter 100000000
                  (lambda (bytes)
                    (unless (or (not bytes) (and (exact-integer? bytes) (>= bytes 0)))
                      (refuse 'capsule-limit "expected a number of bytes, or #f for no capsules; got ~s" bytes))
                    (or bytes 0))))
(set-object-property! capsule-limit 'documentation
                      "The bytes that the capsule of a failed task may have, with its vectors: a parameter. With 0 or @code{#f} there are
none.")

(define capsule-variables
  (make-parameter '()
                  (lambda (names)
                    (unless (and (list? names) (and-map string? names))
                      (refuse 'capsule-variables "expected a list of names of environment variables, got ~s" names))
                    names)))
(set-object-property! capsule-variables 'documentation
                      "A list of names of environment variables that capsules have though their names tell of secrets, like
@code{API_TOKEN}: a parameter.")
