;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Model reduction on a pool: empirical interpolation, proper orthogonal decompositions, and reduced models of nonlinear problems.
(define-module (tutti reduction)
  #:use-module (tutti reduction deim)
  #:use-module (tutti reduction ei)
  #:use-module (tutti reduction hapod)
  #:use-module (tutti reduction interpolated)
  #:use-module (tutti reduction nonlinear)
  #:use-module (tutti reduction pod)
  #:use-module (tutti reduction result)
  #:re-export (ei-greedy deim qdeim
               ei-result? ei-result-dofs ei-result-basis ei-result-errors ei-result-last-error ei-result-coefficients
               ei-result-interpolation-matrix ei-result-reason ei-result-message ei-interpolate ei-expand
               pod hapod pod-result? pod-result-modes pod-result-singular-values pod-result-snapshot-count pod-project
               interpolated-operator interpolated-sources interpolated-local
               make-nonlinear-problem nonlinear-problem? solve-nonlinear-problem
               nonlinear-reduced-model nonlinear-reduced-model? solve-nonlinear-model))
