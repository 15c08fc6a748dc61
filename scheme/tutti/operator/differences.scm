;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A derivative by finite differences, for operators that have none: all evaluations at once, on a pool.
(define-module (tutti operator differences)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator family)
  #:use-module (tutti operator leaf)
  #:use-module (tutti operator type)
  #:use-module (tutti pool type)
  #:use-module (tutti pool)
  #:use-module (tutti remote)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (with-differences))

;; The classical compromises between the error of the formula and that of rounding, for numbers of order 1.
(define default-steps '((forward . 1.5e-8) (central . 6e-6)))

(define (check-real space op what)
  (when (space-complex? space)
    (raise-tutti (make-shape-error 'real space
                                   (format #f "differences are for real spaces; the ~a of ~a is ~a" what (operator-name op)
                                           (space->string space)))
                 'with-differences)))

(define (step-at x j step)
  (* step (max 1. (abs (f64vector-ref x j)))))

(define (moved-point x j step)
  (let ((moved (copy-element x)))
    (f64vector-set! moved j (+ (f64vector-ref x j) step))
    moved))

(define (points x step scheme)
  "Return the list of the points at which the operator is needed besides @var{x}: those of each coordinate, one after the other."
  (append-map (lambda (j)
                (let ((h (step-at x j step)))
                  (if (eq? scheme 'forward)
                      (list (moved-point x j h))
                      (list (moved-point x j h) (moved-point x j (- h))))))
              (iota (f64vector-length x))))

(define (places n scheme)
  "Return the list of the names of all points, in the same order."
  (append-map (lambda (j)
                (map (lambda (way) (format #f "where number ~a of the argument is ~a" j way))
                     (if (eq? scheme 'forward) '("larger") '("larger" "smaller"))))
              (iota n)))

(define (evaluate-at op place x)
  (call-naming (string-append (operator-name op) ", " place) (lambda () (evaluate op x))))

(define (evaluate-all op points places pool)
  ;; In this process nothing has to travel: an operator of closures that a worker has made can be used there.
  (if (and pool (not (serial-pool? pool)))
      (pool-map pool (remote ((op op)) (lambda (place x) (evaluate-at op place x))) places points)
      (map (lambda (place x) (evaluate-at op place x)) places points)))

(define (columns x y values step scheme)
  "Return the list of the columns of the derivative."
  (let loop ((j 0) (values values) (columns '()))
    (if (null? values)
        (reverse columns)
        (let ((h (step-at x j step)))
          (if (eq? scheme 'forward)
              (loop (1+ j) (cdr values) (cons (vec-scale (/ h) (vec- (first values) y)) columns))
              (loop (1+ j) (cddr values) (cons (vec-scale (/ 0.5 h) (vec- (first values) (second values))) columns)))))))

(define (columns->row-major rows columns)
  (let* ((n (length columns))
         (matrix (make-f64vector (* rows n))))
    (for-each (lambda (column j)
                (do ((i 0 (1+ i)))
                    ((= i rows))
                  (f64vector-set! matrix (+ j (* i n)) (f64vector-ref column i))))
              columns (iota n))
    matrix))

(define* (with-differences op #:key (scheme 'central) (step (assq-ref default-steps scheme)) (pool (current-pool)))
  "Return the operator @var{op} with a derivative by finite differences, a matrix: @var{scheme} is central (two evaluations for each
coordinate, error of second order) or forward (one, first order); the step is @var{step} times the size of the coordinate, at least
@var{step}. The evaluations run on @var{pool}, @code{#f}: here."
  (check-operator-argument op 'with-differences)
  (check-real (operator-domain op) op "domain")
  (check-real (operator-codomain op) op "codomain")
  (unless (memq scheme '(central forward))
    (scm-error 'wrong-type-arg "with-differences" "#:scheme: expected central or forward, got ~S" (list scheme) (list scheme)))
  (unless (and (finite-number? step) (positive? step))
    (scm-error 'wrong-type-arg "with-differences" "#:step: expected a positive number, got ~S" (list step) (list step)))
  (unless (or (not pool) (pool? pool))
    (scm-error 'wrong-type-arg "with-differences" "#:pool: expected a pool or #f, got ~S" (list pool) (list pool)))
  (let ((rows (space-dimension (operator-codomain op)))
        (n (space-dimension (operator-domain op))))
    (define (linearize-at x)
      (let* ((y (evaluate op x))
             (values-there (evaluate-all op (points x step scheme) (places n scheme) pool)))
        (values y (matrix-operator rows n (columns->row-major rows (columns x y values-there step scheme))))))
    (make-nonlinear #:name (string-append (operator-name op) " with differences")
                    #:domain (operator-domain op) #:codomain (operator-codomain op)
                    #:evaluate (lambda (x) (evaluate op x)) #:linearize linearize-at
                    #:pool pool
                    #:parts (list with-differences op #:scheme scheme #:step step))))
