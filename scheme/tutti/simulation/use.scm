;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The uses of simulations: data, derivatives, diagonals, at a model or with fields.
(define-module (tutti simulation use)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti operator gram)
  #:use-module (tutti operator type)
  #:use-module (tutti random)
  #:use-module (tutti simulation type)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (dpred jvec jtvec jvec-approx jtvec-approx jtj-diagonal residual make-synthetic-data))

(define (dpred sim m)
  "Return the data of @var{sim}, any operator, for @var{m}: a model, or fields of @var{sim}."
  (check-model sim m 'dpred)
  (if (fields? m)
      (call-with-state sim m (lambda (state) (state-run state 'dpred)))
      (evaluate sim m)))

(define largest 1.7976931348623157e308)   ; double

(define (ask sim m kind x)
  (call-with-state sim m (lambda (state) (state-run state kind x))))

(define (check-like-model sim v who)
  (check-element v (operator-domain sim) who (format #f "the vector for the derivative of ~a" (operator-name sim))))

(define (check-like-data sim u who)
  (check-element u (operator-codomain sim) who
                 (format #f "the vector for the adjoint of the derivative of ~a" (operator-name sim))))

(define (jvec sim m v)
  "Return the derivative of @var{sim} at @var{m}, a model or fields, times the vector @var{v}, which is like a model."
  (check-model sim m 'jvec)
  (check-like-model sim v 'jvec)
  (ask sim m 'jvec v))

(define (jtvec sim m u)
  "Return the adjoint of the derivative of @var{sim} at @var{m}, a model or fields, times the vector @var{u}, which is
like data."
  (check-model sim m 'jtvec)
  (check-like-data sim u 'jtvec)
  (ask sim m 'jtvec u))

(define (jvec-approx sim m v)
  "Return what @code{jvec} returns, up to what the simulations leave out that have a cheaper kind of it."
  (check-model sim m 'jvec-approx)
  (check-like-model sim v 'jvec-approx)
  (ask sim m 'jvec-approx v))

(define (jtvec-approx sim m u)
  "Return what @code{jtvec} returns, up to what the simulations leave out that have a cheaper kind of it."
  (check-model sim m 'jtvec-approx)
  (check-like-data sim u 'jtvec-approx)
  (ask sim m 'jtvec-approx u))

(define (check-weights weights sim who)
  (define what (format #f "the weights (1/std) of the data of ~a" (operator-name sim)))
  (check-element weights (space-dimension (operator-codomain sim)) who what)
  (do ((i 0 (1+ i)))
      ((= i (f64vector-length weights)))
    (unless (<= (- largest) (f64vector-ref weights i) largest)
      (raise-tutti (make-tutti-error (format #f "~a: number ~a (from 0) is ~a; expected finite numbers" what i
                                             (f64vector-ref weights i)))
                   who))))

(define* (jtj-diagonal sim m #:key weights exact?)
  "Return the diagonal of J^T W^2 J for the derivative J of @var{sim} at @var{m}, a model or fields, and W =
diag(@var{weights}), an f64vector of one over the standard deviation of each datum, zero for a muted one; @code{#f} stands for ones. For a
meta-simulation it is sum_i sum_k q_i[k] M_i[k,j]^2 with the diagonals q_i of its parts and the derivatives M_i of their
mappings: right where each column of these has one number that is not zero and, if data are added, no two parts see the
same part of the model; otherwise an estimate. With @var{exact?} it is the true one, which costs products with as many
unit vectors as there are data or parameters, whichever are fewer."
  (check-model sim m 'jtj-diagonal)
  (when weights
    (check-weights weights sim 'jtj-diagonal))
  (ask sim m (if exact? 'exact-diagonal 'diagonal) weights))

(define (residual sim m dobs)
  "Return the data of @var{sim} for @var{m}, a model or fields, minus the observed ones @var{dobs}."
  (check-model sim m 'residual)
  (check-element dobs (operator-codomain sim) 'residual (format #f "the observed data of ~a" (operator-name sim)))
  (vec- (dpred sim m) dobs))

;;; Data that were never observed.

(define (check-not-negative keyword x)
  (unless (and (real? x) (<= 0 x largest))
    (scm-error 'wrong-type-arg "make-synthetic-data" "~A: expected a finite number that is not negative, got ~S" (list keyword x)
               (list x))))

(define (draw std complex? state)
  "Return a Gaussian number of the standard deviation @var{std}; of a complex one this is that of its distance from
zero."
  (if complex?
      (let* ((re (random:normal state)) (im (random:normal state)))
        (* std (sqrt 1/2) (make-rectangular re im)))
      (* std (random:normal state))))

(define* (make-synthetic-data sim m #:key (relative-error 0.05) (noise-floor 0.) add-noise? (seed (random-seed)))
  "Return two values: data of @var{sim} for @var{m}, a model or fields, and their standard deviations, an f64vector:
sqrt((@var{relative-error} |d|)^2 + @var{noise-floor}^2) for the datum d. With @var{add-noise?} the data have Gaussian
noise of these, drawn from @var{seed}."
  (check-model sim m 'make-synthetic-data)
  (check-not-negative #:relative-error relative-error)
  (check-not-negative #:noise-floor noise-floor)
  (let* ((clean (dpred sim m))
         (std (vec-map (lambda (square) (sqrt (+ (* relative-error relative-error square) (* noise-floor noise-floor))))
                       (squares clean)))
         (state (seed->random-state (format #f "tutti/synthetic data/~a" seed))))
    (values (if add-noise?
                (vec-map (lambda (d s) (+ d (draw s (c64vector? clean) state))) clean std)
                clean)
            std)))
