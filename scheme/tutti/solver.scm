;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Inversion: models from data, by methods that need an operator, its derivative and the adjoint of that, and nothing
;; else.  All inner products are Re<x, y>, so that models and data may be real or complex.
(define-module (tutti solver)
  #:use-module (tutti solver gauss-newton)
  #:use-module (tutti solver irgnm)
  #:use-module (tutti solver krylov)
  #:use-module (tutti solver landweber)
  #:use-module (tutti solver result)
  #:use-module (tutti solver stop)
  #:re-export (conjugate-gradient cgls landweber gauss-newton irgnm
               stop-when stop-criterion?
               iteration? iteration-number iteration-phi-d iteration-phi-m iteration-weight iteration-residual-norm
               iteration-step-length iteration-inner-iterations iteration-change iteration-convergence iteration-frozen
               iteration-frozen-names
               solver-result? solver-result-solution solver-result-history solver-result-reason solver-result-message
               solver-result-iterations
               &solver-error solver-error? solver-error-result
               print-iteration solver-callback))
