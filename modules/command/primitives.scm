;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C of (tutti command): its primitives, whose names begin with %.  Only modules of (tutti command) use them.
(define-module (tutti command primitives)
  #:use-module (tutti base extension))

(load-primitives (current-module) "tutti-command.so" "tti_command_init" 'command "runs programs")
