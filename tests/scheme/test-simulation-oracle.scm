;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Simulations of simulations: the numbers of the oracle, the same bits on any number of workers.
(use-modules (tap) (ice-9 match) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti simulation) (vectors))

(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

(define (ref object . keys)
  (fold (lambda (key object) (assoc-ref object key)) object keys))

(define (items object . keys)
  (vector->list (apply ref object keys)))

(define (numbers object . keys)
  (list->f64vector (map exact->inexact (apply items object keys))))

;;; Operators out of descriptions.

(define (sparse-of coo)
  (match (items coo "shape")
    ((rows columns) (sparse-operator rows columns (items coo "row") (items coo "col") (numbers coo "val")))))

(define (mapping-of description)
  "Return the mapping T(A m + b) in DESCRIPTION."
  (let* ((a (sparse-of (ref description "A_coo")))
         (inner (if (vector? (ref description "b")) (affine-operator a (numbers description "b")) a)))
    (if (equal? (ref description "then") "exp")
        (operator-compose (exp-operator (operator-codomain a)) inner)
        inner)))

(define (matrix-of description)
  (match (items description "G_shape")
    ((rows columns) (matrix-operator rows columns (numbers description "G_rowmajor")))))

(define (simulation-of case pool)
  (let ((simulations (map matrix-of (items case "sims")))
        (mappings (map mapping-of (items case "maps"))))
    (match (ref case "class")
      ("MetaSimulation" (make-meta-simulation simulations mappings #:pool pool))
      ("SumMetaSimulation" (make-sum-meta-simulation simulations mappings #:pool pool))
      ("RepeatedSimulation" (make-repeated-meta-simulation (car simulations) mappings #:pool pool)))))

;;; What is compared, by the names of the oracle.

(define (figures sim m input)
  "Return an association list of all that SIM gives at M, a model or fields."
  (define (number key) (numbers input key))
  (let ((w (number "w")))
    (append
     `(("dpred" . ,(dpred sim m))
       ("Jvec" . ,(jvec sim m (number "v")))
       ("Jtvec" . ,(jtvec sim m (number "u")))
       ("JtJdiag" . ,(jtj-diagonal sim m))
       ("JtJdiag_W" . ,(jtj-diagonal sim m #:weights w))
       ("true_diag_JtJ" . ,(jtj-diagonal sim m #:exact? #t))
       ("true_diag_JtW2J" . ,(jtj-diagonal sim m #:weights w #:exact? #t)))
     (if (ref input "dobs") (misfit sim m (number "dobs") w (number "v")) '()))))

(define (misfit sim m dobs w v)
  (let* ((r (residual sim m dobs))
         (w2 (vec* w w))
         (weighted (vec* w r)))
    `(("residual" . ,r)
      ("phi_d" . ,(f64vector (vec-dot weighted weighted)))
      ("grad_phi_d" . ,(vec-scale 2 (jtvec sim m (vec* w2 r))))
      ("hess_phi_d_v" . ,(vec-scale 2 (jtvec sim m (vec* w2 (jvec sim m v))))))))

(define (expected case key)
  (match (or (ref case "output" key) (ref case key))
    (#f #f)
    ((? number? x) (f64vector x))
    ((? vector? x) (list->f64vector (map exact->inexact (vector->list x))))))

(define (test-figures case sim m tolerance)
  (for-each (match-lambda
              ((key . ours)
               (let ((theirs (expected case key)))
                 (when theirs
                   (test-assert key (close? ours theirs tolerance))))))
            (figures sim m (ref case "input"))))

(define (test-case name case make m tolerance)
  "Compare the simulations that MAKE returns for several pools with CASE."
  (test-group name
    (let* ((serial (make #f))
           (here (figures serial m (ref case "input"))))
      (test-figures case serial m tolerance)
      (test-equal "fields in place of the model" here (figures serial (fields serial m) (ref case "input")))
      (test-assert "the adjoint is one" (< (check-adjoint serial #:at m) 1e-13))
      (test-equal "as an operator" (map (lambda (key) (assoc-ref here key)) '("dpred" "Jvec" "Jtvec"))
                  (call-with-values (lambda () (linearize serial m))
                    (lambda (y derivative)
                      (list y (evaluate derivative (numbers case "input" "v"))
                            (apply-adjoint derivative (numbers case "input" "u"))))))
      (for-each (lambda (pool)
                  (test-equal (format #f "the same bits on ~a" pool) here (figures (make pool) m (ref case "input"))))
                pools))))

(define pools '())

(define (test-linear name folder)
  (let ((case (read-case folder name)))
    (test-case name case (lambda (pool) (simulation-of case pool)) (numbers case "input" "m") 1e-12)))

(define (read-case folder name)
  (call-with-input-file (string-append folder "/oracle/simpeg/" name ".json") json->scm))

;;; Nonlinear soundings, and gravity in tiles.

(define (test-soundings folder)
  (let* ((case (read-case folder "mt1d_rho_phase"))
         (thicknesses (items case "thicknesses_m_from_bottom"))
         (frequencies (items case "frequencies_Hz"))
         (mappings (map (lambda (description) (sparse-of (ref description "A_coo"))) (items case "maps"))))
    (define (sounding . options)
      (apply native-operator "mt1d" "sounding" #:thicknesses thicknesses #:frequencies frequencies options))
    (define (make pool . options)
      (make-meta-simulation (map (lambda (_) (apply sounding options)) mappings) mappings #:pool pool))
    (let ((m (numbers case "input" "m")))
      (test-case "mt1d_rho_phase" case make m 1e-9)
      (test-assert "the Jacobian"
        (close? (operator->matrix (call-with-values (lambda () (linearize (make #f) m)) (lambda (y derivative) derivative)))
                (numbers case "J_rowmajor") 1e-9))
      (test-assert "impedances"
        (close? (dpred (make #f #:impedance 1) m)
                (list->f64vector (append-map vector->list (append-map vector->list (items case "impedance_surface"))))
                1e-9))
      (test-equal "one simulation, many models" (dpred (make #f) m)
                  (dpred (make-repeated-meta-simulation (sounding) mappings #:pool 2) m)))))

(define (test-gravity folder)
  (let* ((case (read-case folder "grav_tiled"))
         (rows (map vector-length (items case "tiles_receiver_indices")))
         (columns (ref case "mesh" "n_cells"))
         (all (numbers case "G_rowmajor_in_meta_data_order"))
         (ends (cdr (reverse (fold (lambda (n ends) (cons (+ n (car ends)) ends)) '(0) rows))))
         (tiles (map (lambda (n end) (matrix-operator n columns (vec-slice all (* columns (- end n)) (* columns end))))
                     rows ends))
         (mappings (map (lambda (_) (identity-operator columns)) tiles)))
    (test-case "grav_tiled" case (lambda (pool) (make-meta-simulation tiles mappings #:pool pool))
               (numbers case "input" "m_density_g_cc") 1e-12)))

(define (test-all folder)
  (for-each (lambda (name) (test-linear name folder))
            '("lin_meta_tiny" "lin_meta_small" "lin_meta_projection" "lin_meta_averaging" "lin_meta_expmap" "lin_sum_small"
              "lin_repeated_small"))
  (test-soundings folder)
  (test-gravity folder))

(call-with-tap
 (lambda ()
   (test-group "simulation-oracle"
     (let ((folder (getenv "TUTTI_SHARED")))
       (cond ((not folder) (tap-skip "numbers of the oracle" "TUTTI_SHARED is not set"))
             ((not json->scm) (tap-skip "numbers of the oracle" "guile-json is not installed"))
             (else
              (call-with-pool 1
                (lambda (one)
                  (call-with-pool 2
                    (lambda (two)
                      (call-with-pool 8
                        (lambda (eight)
                          (set! pools (list (make-serial-pool) one two eight))
                          (test-all folder)))))))))))))
