;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Numbers: SRFI-4 vectors of real and complex numbers, in memory of one process or shared between several.  All sums are
;; in a fixed order (blocks of 4096 numbers), so that the same numbers give the same bits on every machine of one type.
(define-module (tutti vector)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:export (make-shared-f64vector make-shared-c64vector shared-vector? vector->shared map-f64vector
            vec+ vec- vec* vec-scale vec-axpy! vec-dot vec-norm vec-conjugate
            vec-real vec-imaginary vec-abs vec-sqrt vec->complex
            vec-map vec-concatenate vec-slice vec-copy!
            shared-memory-limit shared-memory-usage shared-memory-kept-limit shared-memory-report))

(define (check-size who n)
  (unless (and (exact-integer? n) (>= n 0))
    (scm-error 'wrong-type-arg (symbol->string who)
               "Wrong type argument in position 1 (expecting size, an integer from 0): ~S"
               (list n) (list n))))

(define (make-filled kind n fill)
  (if fill
      (let ((v (%make-shared-to-fill kind n)))
        (%vec-fill! v fill)
        v)
      (%make-shared kind n)))

(define* (make-shared-f64vector n #:optional fill)
  "Return an f64vector of @var{n} numbers in shared memory, all @var{fill} (0).  Sending it to a worker copies nothing, if
it is larger than 16384 bytes."
  (check-size 'make-shared-f64vector n)
  (make-filled 'f64 n fill))

(define* (make-shared-c64vector n #:optional fill)
  "Return a c64vector of @var{n} complex numbers in shared memory, all @var{fill} (0)."
  (check-size 'make-shared-c64vector n)
  (make-filled 'c64 n fill))

(define (shared-vector? v)
  "Return @code{#t} if @var{v} is an SRFI-4 vector in shared memory, else @code{#f}."
  (%shared-vector? v))

(define (vector->shared v)
  "Return a shared vector with the numbers of @var{v}, an SRFI-4 vector of any kind: a copy, or @var{v} itself if it is
shared already."
  (if (%shared-vector? v) v (%vector->shared v)))

(define* (map-f64vector file #:key (offset 0) count writable?)
  "Return an f64vector that is the file @var{file} from byte @var{offset}, @var{count} numbers of it (all that follow):
nothing is read before it is looked at.  It can be written to, and the file then changes with it, only if @var{writable?}
is true."
  (%map-f64vector file offset count (->bool writable?)))

(define (vec+ x y)
  "Return the sum of the vectors @var{x} and @var{y}, number by number."
  (%vec+ x y))

(define (vec- x y)
  "Return the difference of the vectors @var{x} and @var{y}, number by number."
  (%vec- x y))

(define (vec* x y)
  "Return the product of the vectors @var{x} and @var{y}, number by number."
  (%vec* x y))

(define (vec-scale a x)
  "Return the vector @var{x} times the number @var{a}."
  (%vec-scale a x))

(define (vec-axpy! a x y)
  "Add @var{a} times the vector @var{x} to the vector @var{y}."
  (%vec-axpy! a x y))

(define (vec-dot x y)
  "Return the inner product of @var{x} and @var{y}: the sum of conj(@var{x}) @var{y}, in a fixed order."
  (%vec-dot x y))

(define (vec-norm x)
  "Return the Euclidean norm of @var{x}.  It does not overflow where the norm itself is representable."
  (%vec-norm x))

(define (vec-conjugate x)
  "Return the complex conjugate of @var{x}, always a new vector."
  (%vec-conjugate x))

(define (vec-real x)
  "Return the real parts of the numbers of the vector @var{x}, always a new f64vector."
  (%vec-real x))

(define (vec-imaginary x)
  "Return the imaginary parts of the numbers of the vector @var{x}, always a new f64vector."
  (%vec-imaginary x))

(define (vec-abs x)
  "Return the magnitudes of the numbers of the vector @var{x}, a new f64vector."
  (%vec-abs x))

(define (vec-sqrt x)
  "Return the square roots of the numbers of the vector @var{x}, those with a real part that is not negative: a new f64vector if @var{x} is
one and has no negative number, else a c64vector."
  (%vec-sqrt x))

(define (vec->complex x)
  "Return the numbers of the vector @var{x} as a c64vector, always a new one."
  (%vec->complex x))

(define (vec-length who position v)
  (cond ((f64vector? v) (f64vector-length v))
        ((c64vector? v) (c64vector-length v))
        (else
         (scm-error 'wrong-type-arg who "Wrong type argument in position ~A (expecting f64vector or c64vector): ~S"
                    (list position v) (list v)))))

(define (reader v)
  (if (f64vector? v) f64vector-ref c64vector-ref))

(define (new-like vectors complex? n)
  (if (any %shared-vector? vectors)
      (%make-shared (if complex? 'c64 'f64) n)
      (if complex? (make-c64vector n) (make-f64vector n))))

(define (check-equal-lengths who vectors lengths)
  (for-each (lambda (length i)
              (unless (= length (car lengths))
                (raise-tutti
                 (make-shape-error (car lengths) length
                                   (format #f "~a: the first vector has ~a numbers, vector ~a has ~a; they must have \
the same length"
                                           who (car lengths) i length))
                 who)))
            lengths (iota (length lengths) 1)))

(define (vec-map f x . more)
  "Return the vector of what @var{f} returns for the first numbers of the vectors @var{x} and @var{more}, for the second
ones, and so on.  It is an f64vector if all vectors are and @var{f} returns real numbers, else a c64vector."
  (define vectors (cons x more))
  (define lengths (map (lambda (v i) (vec-length "vec-map" (1+ i) v)) vectors (iota (length vectors) 1)))
  (define n (car lengths))
  (define readers (map reader vectors))
  (define one? (null? more))
  (define read-x (car readers))
  (define (value i)
    (if one?
        (f (read-x x i))
        (apply f (map (lambda (read v) (read v i)) readers vectors))))
  (define (fill-complex! result i)
    (if (< i n)
        (begin (c64vector-set! result i (value i)) (fill-complex! result (1+ i)))
        result))
  (define (fill-real! result i)
    (if (< i n)
        (let ((y (value i)))
          (cond ((real? y) (f64vector-set! result i y) (fill-real! result (1+ i)))
                (else
                 (let ((wide (new-like vectors #t n)))
                   (do ((j 0 (1+ j))) ((= j i)) (c64vector-set! wide j (f64vector-ref result j)))
                   (c64vector-set! wide i y)
                   (fill-complex! wide (1+ i))))))
        result))
  (check-equal-lengths 'vec-map vectors lengths)
  (if (every f64vector? vectors)
      (fill-real! (new-like vectors #f n) 0)
      (fill-complex! (new-like vectors #t n) 0)))

(define (vec-concatenate list)
  "Return one vector with the numbers of all vectors in @var{list}."
  (%vec-concatenate list))

(define (vec-slice v start end)
  "Return the numbers of @var{v} from @var{start} up to, not including, @var{end}.  Of a shared vector this is a part of
the same memory, so that writing to one changes the other; of a private vector it is a copy."
  (define n (vec-length "vec-slice" 1 v))
  (unless (and (exact-integer? start) (exact-integer? end) (<= 0 start end n))
    (raise-tutti (make-shape-error (list 0 n) (list start end)
                                   (format #f "vec-slice: from ~s to ~s is not within a vector of ~a numbers"
                                           start end n))
                 'vec-slice))
  (if (%shared-vector? v)
      (%shared-slice v start end)
      (%vec-part v start end)))

(define (vec-copy! to from)
  "Write the numbers of the vector @var{from} into @var{to}, a vector of the same length."
  (%vec-copy! to from))

(define shared-memory-limit
  (case-lambda
    "Return how many bytes of shared vectors may be alive in this process (half of the machine's memory), or set it to
the argument.  When it would be exceeded, vectors that nothing refers to are collected; if that is not enough, an error is
raised."
    (() (%shared-memory-limit))
    ((bytes) (%shared-memory-limit bytes))))

(define (shared-memory-usage)
  "Return how many bytes of shared vectors are alive in this process."
  (car (%shared-usage)))

(define shared-memory-kept-limit
  (case-lambda
    "Return how many bytes of shared memory without vectors this process may keep for the next vectors, or set it to the argument: an eighth
of the machine's memory, at most 1074 MB, or what the environment variable @env{TUTTI_KEPT_MEMORY} says; a worker at most 268 MB."
    (() (third (%shared-kept)))
    ((bytes) (%shared-set-kept-limit! bytes) bytes)))

(define (shared-memory-report)
  "Return what is known of the shared memory of this process, an association list: @code{live}, bytes of vectors that are alive;
@code{kept}, bytes that are kept for the next vectors; @code{lent}, how many of these workers may still see; @code{limit} of what is
kept; @code{hits} and @code{misses}, how many vectors were made of kept and of new memory."
  (cons (cons 'live (shared-memory-usage))
        (map cons '(kept lent limit hits misses) (%shared-kept))))
