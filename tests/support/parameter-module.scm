;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Parameters in a module that workers import: one whose values travel, and one of Guile's own.
(define-module (parameter-module)
  #:use-module (srfi srfi-4)
  #:use-module (tutti)
  #:export (scale module-scale undeclared module-undeclared make-scaled))

(define-remote-parameter scale 3)
(define (module-scale x) (* (scale) x))

(define undeclared (make-parameter 0.5))
(define (module-undeclared . _) (undeclared))

(define-remote (make-scaled)
  (make-linear-operator #:name "scaled" #:domain 1 #:codomain 1
                        #:apply (lambda (x) (vec-scale (* 1. (scale)) x)) #:adjoint (lambda (y) (vec-scale (* 1. (scale)) y))))
