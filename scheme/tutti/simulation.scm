;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations and simulations of simulations: operators from a model to data, with fields that are kept where they were
;; made.
(define-module (tutti simulation)
  #:use-module (tutti simulation leaf)
  #:use-module (tutti simulation meta)
  #:use-module (tutti simulation type)
  #:use-module (tutti simulation use)
  #:re-export (make-simulation make-meta-simulation make-sum-meta-simulation make-repeated-meta-simulation
               simulation-parts simulation-mappings
               fields fields? fields-model fields-simulation fields-value fields-remove!
               dpred jvec jtvec jvec-approx jtvec-approx jtj-diagonal residual make-synthetic-data))
