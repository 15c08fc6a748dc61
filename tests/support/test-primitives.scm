;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Primitives for tests alone: tests/support/guile-test.c says which.
(define-module (test-primitives)
  #:use-module (tutti base primitives))

(load-extension (string-append (getenv "TUTTI_HELPERS") "/tutti-test") "tutti_guile_init_test")
