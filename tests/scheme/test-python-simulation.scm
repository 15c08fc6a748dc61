;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations written in Python, by the names of SimPEG's.
(use-modules (tap) (python-models) (vectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti) (tutti python) (tutti space))

(define-remote file (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/data/python/models.py"))
(define-remote (model class . arguments) (apply python-simulation file class arguments))

(define m (f64vector 1. -2. 3.))
(define v (f64vector 0.5 1. -1.))
(define u (f64vector 1. 2. 3. 4.))
(define weights (f64vector 1. 0.5 2. 0.))

(define (answers sim)
  (list (dpred sim m) (jvec sim m v) (jtvec sim m u) (jvec-approx sim m v) (jtvec-approx sim m u) (jtj-diagonal sim m)
        (jtj-diagonal sim m #:weights weights) (residual sim m u)))

(define (test-simulation)
  (define sim (model "Simulation"))
  (test-equal "its name" "models.py Simulation" (operator-name sim))
  (test-equal "its sizes" '(3 4) (map space-dimension (list (operator-domain sim) (operator-codomain sim))))
  (test-assert "its derivative" (< (call-with-values (lambda () (check-derivative sim m)) (lambda (gap slopes) gap)) 1e-8))
  (test-assert "its adjoint" (< (check-adjoint sim #:at m) 1e-14))
  (let ((f (fields sim m)))
    (test-equal "fields stand for the model" (dpred sim m) (dpred sim f))
    (test-equal "and for the derivative" (jvec sim m v) (jvec sim f v))
    (test-equal "and its adjoint" (jtvec sim m u) (jtvec sim f u)))
  (test-assert "its diagonal is that of the derivative"
    (close? (jtj-diagonal sim m #:weights weights) (jtj-diagonal sim m #:weights weights #:exact? #t) 1e-13))
  (let ((other (model "BySimPEG")))
    (test-assert "without fields, sizes by mapping and survey"
      (every (lambda (a b) (close? a b 1e-14)) (answers sim) (answers other)))))

(define (close? a b tolerance) (< (gap a b) tolerance))

(define (test-meta)
  (define (meta pool)
    (let ((sim (make-meta-simulation (map (lambda (_) (remote (lambda () (model "Simulation")))) (iota 3))
                                     (list (identity-operator 3) (operator-scale 2. (identity-operator 3)) (identity-operator 3))
                                     #:pool pool)))
      (list (dpred sim m) (jvec sim m v) (jtvec sim m (vec-concatenate (list u u u))) (jtj-diagonal sim m))))
  (define expected (call-with-pool 1 meta))
  (test-equal "3 workers" expected (call-with-pool 3 meta))
  (test-equal "a serial pool" expected (meta (make-serial-pool))))

(define (test-refused)
  (test-assert "without derivative"
    (says? (lambda () (model "NoJacobian")) "NoJacobian of models.py is no simulation" "Jvec" "its methods are dpred"))
  (test-assert "without sizes" (says? (lambda () (model "Returns" "None")) "no simulation")))

(call-with-python-tap '("numpy")
 (lambda ()
   (call-with-pool 2 (lambda (pool) (test-group "pool" (test-simulation))))
   (test-group "serial pool" (parameterize ((current-pool (make-serial-pool))) (test-simulation)))
   (test-group "meta" (test-meta))
   (test-group "refused" (test-refused))))
