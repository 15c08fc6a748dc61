;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What one part of Tutti lets others know, where they are not to know each other.
(define-module (tutti base hooks)
  #:export (pool-made-hook))

;; Run, without arguments, when a pool was made.
(define pool-made-hook (make-hook))
