;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Models behind HTTP, as UM-Bridge has them (protocol 1.0): those of others as operators, and operators for others.
(define-module (tutti umbridge)
  #:use-module (tutti umbridge error)
  #:use-module (tutti umbridge operator)
  #:use-module (tutti umbridge serve)
  #:re-export (umbridge-operator umbridge-models umbridge-support umbridge-hessian
               &umbridge-error umbridge-error? umbridge-error-type umbridge-error-message umbridge-error-url
               umbridge-serve umbridge-server? umbridge-port umbridge-url umbridge-stop umbridge-wait umbridge-statistics))
