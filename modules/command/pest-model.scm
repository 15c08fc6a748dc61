;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The operator that runs a model of PEST, and what becomes of the parameters on their way to it: logarithms, ties, scale and offset.
(define-module (tutti command pest-model)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti command place)
  #:use-module (tutti command run)
  #:use-module (tutti conditions)
  #:use-module (tutti operator type)
  #:export (parameter-transforms parameter-values model-values make-pest-model))

;; How a parameter gets its value: #(NAME INDEX LOG? LOWER UPPER RATIO SCALE OFFSET), from the component INDEX of the model's vector; #f for
;; INDEX if it is fixed at RATIO. LOWER and UPPER are the bounds of the one that is adjusted.

(define (parameter-transforms parameters)
  "Return the list of how each of @var{parameters}, those of a control file, gets its value: it is plain data, and travels."
  (define (ref parameter key) (assq-ref parameter key))
  (define (adjusted? parameter) (memq (ref parameter 'transform) '(none log)))
  (define indices (make-hash-table))
  (define by-name (make-hash-table))
  (for-each (lambda (parameter) (hash-set! by-name (ref parameter 'name) parameter)) parameters)
  (for-each (lambda (parameter i) (hash-set! indices (ref parameter 'name) i))
            (filter adjusted? parameters) (iota (count adjusted? parameters)))
  (map (lambda (parameter)
         (define (transform source index ratio)
           (vector (ref parameter 'name) index (eq? 'log (ref source 'transform)) (ref source 'lower) (ref source 'upper) ratio
                   (ref parameter 'scale) (ref parameter 'offset)))
         (case (ref parameter 'transform)
           ((fixed) (transform parameter #f (ref parameter 'value)))
           ((tied) (let ((parent (hash-ref by-name (ref parameter 'tied-to))))
                     (transform parent (hash-ref indices (ref parent 'name)) (/ (ref parameter 'value) (ref parent 'value)))))
           (else (transform parameter (hash-ref indices (ref parameter 'name)) 1.))))
       parameters))

(define (close? a b) (<= (abs (- a b)) (* 1e-12 (max (abs a) (abs b)))))

(define (value-of x lower upper log?)
  ;; A bound that is the power of its logarithm may be passed by rounding.
  (let ((value (if log? (expt 10. x) x)))
    (cond ((and (< value lower) (close? value lower)) lower)
          ((and (> value upper) (close? value upper)) upper)
          (else value))))

(define (parameter-values transforms x)
  "Return the association list of the names of all parameters in @var{transforms} and their values for @var{x}, an f64vector."
  (map (match-lambda
         (#(name index log? lower upper ratio _ _)
          (cons name (if index (* ratio (value-of (f64vector-ref x index) lower upper log?)) ratio))))
       transforms))

(define (model-values transforms x)
  "Return the association list of the names of all parameters in @var{transforms} and the numbers that the model gets for @var{x}."
  (map (match-lambda*
         ((#(_ _ _ _ _ _ scale offset) (name . value)) (cons name (+ offset (* scale value)))))
       transforms (parameter-values transforms x)))

(define (gather found names)
  "Return the f64vector of the numbers for NAMES in FOUND, a list of association lists."
  (define table (make-hash-table))
  (for-each (lambda (pairs) (for-each (match-lambda ((name . x) (hash-set! table name x))) pairs)) found)
  (list->f64vector (map (lambda (name) (hash-ref table name)) names)))

(define (make-pest-model plan transforms names label)
  "Return the operator that runs the model of @var{plan}, from what @var{transforms} make parameters of to the observations @var{names};
@var{label} is its name."
  (define size (1+ (fold (lambda (transform most) (max most (or (vector-ref transform 1) -1))) -1 transforms)))
  (make-nonlinear #:name label #:domain size #:codomain (length names)
                  #:evaluate (lambda (x)
                               (gather (apply-in-worker label run-here (acons 'values (model-values transforms x) plan)) names))
                  #:linearize (lambda (x)
                                (raise-tutti (make-tutti-error (string-append label " has no derivative: use (with-differences operator)"))
                                             'linearize))
                  #:parts (list make-pest-model plan transforms names label)))
