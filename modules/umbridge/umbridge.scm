;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Models behind HTTP, as UM-Bridge has them (protocol 1.0): those of others as operators, and operators for others.
(define-module (tutti umbridge)
  #:use-module (tutti umbridge serve)
  #:re-export (umbridge-serve umbridge-server? umbridge-port umbridge-url umbridge-stop umbridge-wait umbridge-statistics))
