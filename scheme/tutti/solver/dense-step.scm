;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Steps for few unknowns: the Jacobian as a matrix, an orthogonal factorisation, an active set for bounds, and the damping of
;; Levenberg and Marquardt for the radius, with the unknowns scaled as by Moré (The Levenberg-Marquardt algorithm, 1978). The
;; normal equations, which square the condition, are never formed.
(define-module (tutti solver dense-step)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti solver bounds)
  #:use-module (tutti solver functional)
  #:use-module (tutti solver run)
  #:use-module (tutti solver step)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (dense? make-dense-linearizer))

(define most-unknowns 64)
(define most-entries 2000000)

(define (dense? functional op)
  "Return true if the problem of @var{functional}, that of the operator @var{op}, is small enough for its Jacobian to be made a
matrix: it has at most 64 real unknowns, and the matrix at most 2 million entries."
  (let ((space (functional-space functional)))
    (and (not (space-complex? space))
         (<= (space-dimension space) most-unknowns)
         (<= (* 2 (space-dimension space) (space-dimension (operator-codomain op))) most-entries))))

(define (real-numbers v)
  ;; A complex datum is two real ones.
  (if (c64vector? v)
      (list->f64vector (append-map (lambda (z) (list (real-part z) (imag-part z))) (c64vector->list v)))
      v))

(define (columns apply space)
  (map (lambda (j) (real-numbers (apply (space-unit space j)))) (iota (space-dimension space))))

(define (operator-rows functional)
  "Return a list of the rows of a matrix F with F^T F = R, the regularisation of @var{functional}; @code{#f} if R is not positive
semidefinite."
  (let* ((space (functional-space functional))
         (n (space-dimension space))
         (factor (semidefinite-factor n (vec-concatenate (columns (functional-penalize functional) space)))))
    (and factor (map (lambda (i) (vec-slice factor (* i n) (* (1+ i) n))) (iota n)))))

(define (column-norms n triangle)
  (list->f64vector
   (map (lambda (j) (vec-norm (list->f64vector (map (lambda (i) (f64vector-ref triangle (+ j (* i n)))) (iota n)))))
        (iota n))))

(define (scale-up old new)
  ;; Moré's choice: scales never get smaller. An unknown that nothing depends on has to have some scale.
  (vec-map (lambda (old new) (if (zero? (max old new)) 1. (max old new)))
           (vec-map (lambda (old) (if (= old 1.) 0. old)) old) new))

(define (solve-within solve radius full-size)
  "Return the step of the damping with which its size is between 0.999 and 1 times @var{radius}, or as near to that as 60 trials come.
@var{full-size} is the size without damping, above @var{radius}."
  ;; The logarithm of the size falls with that of the damping: interpolate, and bisect each third time, in case it does not fall evenly.
  (let search ((low -36.) (log-low (log full-size)) (high 12.) (log-high #f) (count 1) (best #f))
    (let* ((middle (if (or (not log-high) (zero? (remainder count 3)) (not (< log-high log-low)))
                       (/ (+ low high) 2)
                       (let ((fraction (/ (- log-low (log (* 0.9995 radius))) (- log-low log-high))))
                         (+ low (* (- high low) (min 0.95 (max 0.05 fraction)))))))
           (step (solve (expt 10. middle)))
           (size (step-size step)))
      (cond ((and (<= size radius) (>= size (* 0.999 radius))) step)
            ((= count 60) (if (<= size radius) step (or best step)))
            ((> size radius) (search middle (log size) high log-high (1+ count) best))
            (else (search low log-low middle (if (zero? size) #f (log size)) (1+ count) step))))))

(define (make-dense-linearizer functional bounds who)
  "Return a procedure of a point of @var{functional}, the weight beta and a procedure that raises an error with a text: it
returns the functional, linearised at the point, as a @code{quadratic}. It remembers the scales of the unknowns from one call
to the next."
  (define space (functional-space functional))
  (define n (space-dimension space))
  (define penalty-rows #f)
  (define scales (make-f64vector n 0.))
  (define (penalty-rows!)
    (unless penalty-rows
      (set! penalty-rows (or (operator-rows functional)
                             (refuse who "#:regularization: ~a is not positive semidefinite"
                                     (operator-name (functional-regularization functional))))))
    penalty-rows)
  (define (stacked-columns point beta)
    ;; sqrt(beta) F below W J.
    (let ((jacobian (columns (lambda (x) ((functional-weigh functional) (evaluate (point-derivative point) x))) space)))
      (cond ((zero? beta) jacobian)
            ((not (functional-regularization functional))
             (map (lambda (column j) (vec-concatenate (list column (vec-scale (sqrt beta) (space-unit space j)))))
                  jacobian (iota n)))
            (else
             (map (lambda (column j)
                    (vec-concatenate
                     (list column (vec-scale (sqrt beta) (list->f64vector (map (lambda (row) (f64vector-ref row j)) (penalty-rows!)))))))
                  jacobian (iota n))))))
  (define (stacked-residual point beta)
    (let ((residual (real-numbers (point-residual point))))
      (cond ((zero? beta) residual)
            ((not (functional-regularization functional))
             (vec-concatenate (list residual (vec-scale (sqrt beta) (point-distance point)))))
            (else
             (vec-concatenate
              (list residual (vec-scale (sqrt beta) (list->f64vector (map (lambda (row) (vec-dot row (point-distance point)))
                                                                          (penalty-rows!))))))))))
  (lambda (point beta fail)
    (let* ((columns (stacked-columns point beta))
           (residual (vec-scale -1 (stacked-residual point beta)))
           (reduced (or (reduce-least-squares (f64vector-length residual) n (vec-concatenate columns) residual)
                        (fail "the inner solver failed: the derivative returned numbers that are not finite")))
           (triangle (car reduced))
           (right (cdr reduced))
           (norms (column-norms n triangle))
           (limits (if bounds
                       (step-bounds bounds (point-model point))
                       (cons (make-f64vector n -inf.0) (make-f64vector n +inf.0)))))
      (hold-parameters! limits (point-frozen point))
      (set! scales (scale-up scales norms))
      (let ((scales scales))
        (define (measure v) (vec-norm (vec* scales v)))
        (define (solve damping)
          (let*-values (((p inner) (solve-least-squares n n triangle right #:lower (car limits) #:upper (cdr limits)
                                                        #:damping (and damping (vec-scale (sqrt damping) scales))))
                        ((change) (matrix-vector n n triangle p)))
            (make-step p (inner-product change (vec- (vec-scale 2 right) change)) (measure p) inner)))
        (make-quadratic
         (lambda (radius)
           (let ((full (solve #f)))
             (if (and radius (> (step-size full) radius))
                 (solve-within solve radius (step-size full))
                 full)))
         measure
         (lambda (model) (vec-dot norms (vec-map abs model))))))))
