;; SPDX-License-Identifier: LGPL-3.0-or-later
;; All that most scripts need: pools, scopes, vectors, operators and conditions, with the homogeneous vectors of SRFI-4.
(define-module (tutti)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti manager)
  #:use-module (tutti operator)
  #:use-module (tutti pool)
  #:use-module (tutti vector))

;; What these export is exported here as it is: a list of names could only fall behind.
(eval-when (expand load eval)
  (for-each (lambda (name)
              (module-use! (module-public-interface (current-module)) (resolve-interface name)))
            '((srfi srfi-4) (srfi srfi-4 gnu) (tutti conditions) (tutti manager) (tutti operator) (tutti pool) (tutti vector))))
