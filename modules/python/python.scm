;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Models written in Python, under Tutti's operators, simulations and pools.
(define-module (tutti python)
  #:use-module (tutti python error)
  #:use-module (tutti python object)
  #:use-module (tutti python operator)
  #:use-module (tutti python simulation)
  #:re-export (python-call python-object python-object? python-send python-operator python-simulation
               &python-error python-error? python-error-type python-error-text python-error-frames))
