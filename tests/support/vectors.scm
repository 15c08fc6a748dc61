;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Vectors of numbers for tests: random ones, the same one in several places, and how far two of them are apart.
(define-module (vectors)
  #:use-module (ice-9 exceptions)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti vector)
  #:export (random-real random-complex places same-everywhere? gap close? same-dot? shape-message wrong-type?))

(define state (seed->random-state 1234))
(define (one) (- (random 2. state) 1.))

(define (random-real n)
  "Return an f64vector of @var{n} numbers between -1 and 1."
  (list->f64vector (list-tabulate n (lambda (_) (one)))))

(define (random-complex n)
  "Return a c64vector of @var{n} numbers with parts between -1 and 1."
  (list->c64vector (list-tabulate n (lambda (_) (make-rectangular (one) (one))))))

(define (places v)
  "Return vectors equal to @var{v}: private, shared, and shared at an odd multiple of 8 or 16 bytes."
  (let* ((n (if (f64vector? v) (f64vector-length v) (c64vector-length v)))
         (one (if (f64vector? v) (f64vector 1) (c64vector 1)))
         (longer (vector->shared (vec-concatenate (list one v one)))))
    (list v (vector->shared v) (vec-slice longer 1 (+ n 1)))))

(define (same-everywhere? f . vectors)
  "Return true if @var{f} gives the same bits and a private vector wherever its arguments @var{vectors} are."
  (let ((results (let loop ((vectors vectors) (arguments '()))
                   (if (null? vectors)
                       (list (apply f (reverse arguments)))
                       (append-map (lambda (v) (loop (cdr vectors) (cons v arguments))) (places (car vectors)))))))
    (every (lambda (result) (and (equal? result (car results)) (not (shared-vector? result)))) results)))

(define (gap x y)
  "Return the largest difference between numbers of @var{x} and @var{y}, relative to the largest number."
  (let ((largest (lambda (v)
                   (fold (lambda (z m) (max (magnitude z) m)) 0. (if (f64vector? v) (f64vector->list v) (c64vector->list v))))))
    (/ (largest (vec- x y)) (max (largest x) (largest y) 1e-300))))

(define* (close? x y #:optional (tolerance 1e-13))
  "Return true if @var{x} and @var{y} are of the same kind and differ by at most @var{tolerance}, relative to the largest number."
  (and (eq? (f64vector? x) (f64vector? y)) (<= (gap x y) tolerance)))

(define (same-dot? apply-it adjoint x y)
  "Return true if <@var{apply-it} @var{x}, @var{y}> is <@var{x}, @var{adjoint} @var{y}> up to 1e-13 of what it could be."
  (let ((ax (apply-it x)) (by (adjoint y)))
    (<= (magnitude (- (vec-dot ax y) (vec-dot x by)))
        (* 1e-13 (max (* (vec-norm ax) (vec-norm y)) (* (vec-norm x) (vec-norm by)))))))

(define (shape-message thunk)
  "Return the list of what was expected, what was found, and the message of the &shape-error that @var{thunk} raises."
  (with-exception-handler
      (lambda (e) (if (shape-error? e) (list (shape-error-expected e) (shape-error-actual e) (exception-message e)) e))
    thunk #:unwind? #t))

(define (wrong-type? e)
  "Return true if @var{e} is what Guile raises for an argument of the wrong type."
  (eq? (exception-kind e) 'wrong-type-arg))
