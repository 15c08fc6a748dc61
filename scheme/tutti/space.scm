;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Spaces: where operators come from and go to.  R^n is the integer n itself; C^n and direct sums are records.  The elements of a space
;; are flat vectors, f64vectors of real and c64vectors of complex spaces; those of a direct sum are its parts one after the other.
(define-module (tutti space)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti vector)
  #:export (complex-space direct-sum space? space-dimension space-complex? space-parts space->string space-like?
            space-zero space-unit space-random space-ranges consecutive-ranges check-space check-element element-dimension
            direct-sum-split direct-sum-join))

(define-record-type <complex-space>
  (make-complex-space dimension)
  complex-space?
  (dimension complex-space-dimension))

(define-record-type <direct-sum>
  (make-direct-sum parts)
  direct-sum?
  (parts direct-sum-parts))             ; integers and complex spaces, of one kind

;; No vector has more numbers: with more, its bytes could not be counted.
(define largest-dimension (quotient (1- (expt 2 63)) 16))

(define (dimension? x)
  (and (exact-integer? x) (<= 0 x largest-dimension)))

(define (space? x)
  "Return true if @var{x} is a space: an exact integer from 0 (below 2^59), or what @code{complex-space} or @code{direct-sum} returned."
  (or (dimension? x) (complex-space? x) (direct-sum? x)))

(define (check-space x who)
  "Raise an error in the name of @var{who} unless @var{x} is a space."
  (unless (space? x)
    (scm-error 'wrong-type-arg (symbol->string who)
               "expected a space (an integer from 0 to ~A, a complex-space or a direct-sum), got ~S" (list largest-dimension x)
               (list x))))

(define (complex-space n)
  "Return the space C^@var{n}."
  (unless (dimension? n)
    (scm-error 'wrong-type-arg "complex-space" "expected a dimension, an integer from 0 to ~A, got ~S" (list largest-dimension n)
               (list n)))
  (make-complex-space n))

(define (direct-sum . spaces)
  "Return the direct sum of @var{spaces}, which are all real or all complex. The parts of a direct sum among them become parts of the
result."
  (for-each (lambda (space) (check-space space 'direct-sum)) spaces)
  (when (null? spaces)
    (scm-error 'wrong-number-of-args "direct-sum" "expected at least one space" '() #f))
  (unless (or (every space-complex? spaces) (not (any space-complex? spaces)))
    (raise-tutti (make-shape-error (car spaces) (find (lambda (s) (not (eq? (space-complex? s) (space-complex? (car spaces))))) spaces)
                                   (format #f "the parts must be all real or all complex: ~a"
                                           (string-join (map space->string spaces) ", ")))
                 'direct-sum))
  (let ((sum (make-direct-sum (append-map space-parts spaces))))
    (unless (dimension? (space-dimension sum))
      (scm-error 'out-of-range "direct-sum" "the dimension is ~A, but at most ~A is possible"
                 (list (space-dimension sum) largest-dimension) (list (space-dimension sum))))
    sum))

(define (space-complex? space)
  "Return true if the elements of @var{space} are vectors of complex numbers."
  (cond ((complex-space? space) #t)
        ((direct-sum? space) (space-complex? (car (direct-sum-parts space))))
        (else #f)))

(define (space-parts space)
  "Return the list of the parts of @var{space}: itself, if it is no direct sum."
  (if (direct-sum? space) (direct-sum-parts space) (list space)))

(define (space-dimension space)
  "Return how many numbers, real or complex, an element of @var{space} has."
  (cond ((complex-space? space) (complex-space-dimension space))
        ((direct-sum? space) (apply + (map space-dimension (direct-sum-parts space))))
        (else space)))

(define (space->string space)
  "Return the name of @var{space} for people, like R^3, C^4 or R^2 + R^3."
  (cond ((complex-space? space) (format #f "C^~a" (complex-space-dimension space)))
        ((direct-sum? space)
         (let ((parts (direct-sum-parts space)))
           (if (> (length parts) 6)
               (format #f "~a (~a parts)" (space->string (if (space-complex? space)
                                                             (complex-space (space-dimension space))
                                                             (space-dimension space)))
                       (length parts))
               (string-join (map space->string parts) " + "))))
        (else (format #f "R^~a" space))))

(set-record-type-printer! <complex-space>
  (lambda (space port) (format port "#<space ~a>" (space->string space))))
(set-record-type-printer! <direct-sum>
  (lambda (space port) (format port "#<space ~a>" (space->string space))))

(define (space-like? a b)
  "Return true if the elements of the spaces @var{a} and @var{b} are the same vectors, however they are divided into parts."
  (and (= (space-dimension a) (space-dimension b))
       (eq? (space-complex? a) (space-complex? b))))

(define (space-zero space)
  "Return the zero of @var{space}, a new vector."
  (if (space-complex? space)
      (make-c64vector (space-dimension space) 0.)
      (make-f64vector (space-dimension space) 0.)))

(define (space-unit space i)
  "Return the unit vector number @var{i} of @var{space}, a new vector."
  (let ((vector (space-zero space)))
    (if (space-complex? space) (c64vector-set! vector i 1.) (f64vector-set! vector i 1.))
    vector))

(define (space-random space state)
  "Return a vector of @var{space} of independent standard normal numbers, drawn from @var{state}."
  (let* ((complex? (space-complex? space))
         (vector (space-zero space))
         (draw (lambda () (random:normal state))))
    (do ((i 0 (1+ i)))
        ((= i (space-dimension space)) vector)
      (if complex?
          (let* ((re (draw)) (im (draw)))
            (c64vector-set! vector i (make-rectangular re im)))
          (f64vector-set! vector i (draw))))))

(define (consecutive-ranges lengths)
  "Return the list of the ranges of parts of @var{lengths}, one behind the other: pairs of the first index and the one behind the last."
  (let loop ((lengths lengths) (start 0) (ranges '()))
    (if (null? lengths)
        (reverse! ranges)
        (let ((end (+ start (car lengths))))
          (loop (cdr lengths) end (cons (cons start end) ranges))))))

(define (space-ranges space)
  "Return the list of pairs of the first index and the one behind the last of each part of @var{space}."
  (consecutive-ranges (map space-dimension (space-parts space))))

(define (element-dimension x)
  "Return how many numbers the f64vector or c64vector @var{x} has, @code{#f} if it is something else."
  (cond ((f64vector? x) (f64vector-length x))
        ((c64vector? x) (c64vector-length x))
        (else #f)))

(define (describe x)
  (format #f "~a of ~a" (if (c64vector? x) "a c64vector" "an f64vector") (element-dimension x)))

(define (element? x space)
  "Return true if @var{x} is an element of @var{space}."
  (and (eqv? (element-dimension x) (space-dimension space))
       (eq? (c64vector? x) (space-complex? space))))

(define-syntax-rule (check-element x space who what)
  "Raise an error in the name of @var{who} unless @var{x} is an element of @var{space}. @var{what} says what it is."
  ;; Each call of an operator comes here more than once: WHO and WHAT are evaluated only for an error.
  (let ((vector x) (its-space space))
    (unless (element? vector its-space)
      (refuse-element vector its-space who what))))

(define (refuse-element x space who what)
  "Raise an error in the name of @var{who} that @var{x}, @var{what} says what it is, is no element of @var{space}: a @code{&shape-error}, if
it is a vector at all."
  (unless (element-dimension x)
    (scm-error 'wrong-type-arg (symbol->string who) "~A: expected ~A of ~A numbers, got ~S"
               (list what (if (space-complex? space) "a c64vector" "an f64vector") (space-dimension space) x) (list x)))
  (raise-tutti (make-shape-error space (if (c64vector? x) (complex-space (element-dimension x)) (element-dimension x))
                                 (format #f "~a: expected an element of ~a (~a of ~a), got ~a" what (space->string space)
                                         (if (space-complex? space) "a c64vector" "an f64vector") (space-dimension space)
                                         (describe x)))
               who))

(define (direct-sum-split space v)
  "Return the list of the parts of @var{v}, an element of @var{space}: new vectors, or the same memory if @var{v} is shared."
  (check-space space 'direct-sum-split)
  (check-element v space 'direct-sum-split "the vector to split")
  (map (lambda (range) (vec-slice v (car range) (cdr range))) (space-ranges space)))

(define (direct-sum-join space parts)
  "Return the element of @var{space} that consists of @var{parts}, a list of vectors, a new vector."
  (check-space space 'direct-sum-join)
  (unless (= (length parts) (length (space-parts space)))
    (raise-tutti (make-shape-error (length (space-parts space)) (length parts)
                                   (format #f "~a has ~a parts, got ~a vectors" (space->string space)
                                           (length (space-parts space)) (length parts)))
                 'direct-sum-join))
  (for-each (lambda (part v i) (check-element v part 'direct-sum-join (format #f "part ~a (from 0)" i)))
            (space-parts space) parts (iota (length parts)))
  (vec-concatenate parts))
