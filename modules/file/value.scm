;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which values files have: numbers, booleans and texts, alone or in arrays. The contents of a value are its kind, its
;; shape, and its items: a bytevector with the numbers (booleans: bytes) one after the other, the last index running
;; fastest, or a list of strings.
(define-module (tutti file value)
  #:use-module (ice-9 format)
  #:use-module (ice-9 rdelim)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:export (kinds kind-size make-contents contents-kind contents-shape contents-items
            value->contents contents->value make-items shape->string check-attributes))

(define sizes   ; the order is that of modules/file/hdf5.h
  '((u8 . 1) (s8 . 1) (u16 . 2) (s16 . 2) (u32 . 4) (s32 . 4) (u64 . 8) (s64 . 8) (f32 . 4) (f64 . 8) (c32 . 8) (c64 . 16)
    (b . 1) (text . 0)))
(define kinds (map car sizes))

(define (kind-size kind)
  "Return how many bytes an item of @var{kind} has; 0 for texts."
  (assq-ref sizes kind))

(define-record-type <contents>
  (make-contents kind shape items) contents?
  (kind contents-kind)       ; one of kinds
  (shape contents-shape)     ; a list of lengths
  (items contents-items))    ; a bytevector, or a list of strings

(define (shape->string shape)
  "Return the text of @var{shape}, as Python writes it."
  (if (= (length shape) 1) (format #f "(~a,)" (car shape)) (format #f "(~{~a~^, ~})" shape)))

;;; From files.

(define (available-memory)
  "Return how many bytes of memory are free or can be freed, or #f if the system does not say."
  (false-if-exception
   (call-with-input-file "/proc/meminfo"
     (lambda (port)
       (let next ((line (read-line port)))
         (if (string-prefix? "MemAvailable:" line)
             (* 1024 (string->number (second (string-tokenize line))))
             (next (read-line port))))))))

(define (check-memory who file bytes)
  "Raise an error if there cannot be BYTES of memory: the collector would print about it, or the kernel end the
process."
  (when (> bytes 100000000)
    (let ((there (available-memory)))
      (when (and there (> bytes there))
        (refuse who "~a: its numbers take ~a MB of memory, and there are ~a MB" file (quotient bytes 1000000)
                (quotient there 1000000))))))

(define (make-items who file kind shape)
  "Return an array for @var{shape} items of @var{kind}: a vector of numbers, or an array of them of more dimensions."
  (let ((kind (if (eq? kind 'b) 'u8 kind)))
    (check-memory who file (apply * (kind-size kind) shape))
    (catch 'out-of-memory
      (lambda () (apply make-typed-array kind *unspecified* (if (null? shape) '(1) shape)))
      (lambda _
        (refuse who "~a: there is not enough memory for ~a numbers of ~a bytes" file (apply * shape) (kind-size kind))))))

(define (bits bytes shape)
  "Return the array of SHAPE of bits from BYTES, one each."
  (let* ((array (apply make-typed-array 'b #f shape))
         (flat (if (= (length shape) 1) array (shared-array-root array))))
    (let next ((i (1- (bytevector-length bytes))))
      (when (>= i 0)
        (unless (zero? (bytevector-u8-ref bytes i))
          (bitvector-set-bit! flat i))
        (next (1- i))))
    array))

(define (texts strings shape)
  (if (= (length shape) 1)
      strings
      (let* ((array (apply make-array "" shape))
             (flat (shared-array-root array)))
        (for-each (lambda (i string) (vector-set! flat i string)) (iota (length strings)) strings)
        array)))

(define (contents->value kind shape items)
  "Return the value with @var{shape}: @var{items} is what @code{make-items} returned, or a list of strings."
  (cond ((eq? kind 'text) (if (null? shape) (car items) (texts items shape)))
        ((eq? kind 'b)
         (let ((bytes (shared-array-root items)))
           (if (null? shape) (not (zero? (bytevector-u8-ref bytes 0))) (bits bytes shape))))
        ((null? shape) (array-ref items 0))
        (else items)))

;;; To files.

(define (flat array)
  "Return what has the items of ARRAY, and no others, one after the other; ARRAY itself if possible."
  (let ((contents (array-contents array #t)))
    (if (and contents (or (bytevector? contents) (vector? contents) (bitvector? contents)))
        contents
        (let ((copy (apply make-typed-array (array-type array) *unspecified* (array-shape array))))
          (array-copy! array copy)
          (shared-array-root copy)))))

(define (bytes-of-bits array n)
  (let ((bytes (make-u8vector n 0))
        (bits (flat array)))
    (let next ((i 0))
      (when (< i n)
        (when (bitvector-bit-set? bits i)
          (u8vector-set! bytes i 1))
        (next (1+ i))))
    bytes))

(define largest-s64 (1- (expt 2 63)))
(define smallest-s64 (- (expt 2 63)))
(define largest-u64 (1- (expt 2 64)))

(define (integers who where numbers)
  "Return the kind and vector for the list NUMBERS of exact integers."
  (let ((low (apply-min numbers)) (high (apply-max numbers)))
    (cond ((and (>= low smallest-s64) (<= high largest-s64)) (values 's64 (list->s64vector numbers)))
          ((and (>= low 0) (<= high largest-u64)) (values 'u64 (list->u64vector numbers)))
          (else (refuse who "~a: the integers from ~a to ~a do not fit into 64 bits; make them inexact" where low high)))))

(define (apply-min numbers) (fold min (car numbers) (cdr numbers)))
(define (apply-max numbers) (fold max (car numbers) (cdr numbers)))

(define (exact-integers? items) (every exact-integer? items))

(define (refuse-items who where items)
  (define (what item)
    (cond ((string? item) 'text) ((boolean? item) 'boolean) ((number? item) 'number) (else #f)))
  (let* ((first (what (car items)))
         (i (list-index (lambda (item) (not (and (what item) (eq? (what item) first)))) items)))
    (refuse who "~a: ~:[item ~a is ~s, expected numbers, booleans or strings~;~
item ~a is ~s, but the first one is ~s; expected items of one kind~]"
            where (and (> i 0) (what (list-ref items i))) i (list-ref items i) (car items))))

(define (contents-of-items who where items shape)
  "Return the contents of the list ITEMS of any Scheme values."
  (cond ((null? items) (make-contents 'f64 shape (f64vector)))
        ((every string? items) (make-contents 'text shape items))
        ((every boolean? items)
         (make-contents 'b shape (list->u8vector (map (lambda (item) (if item 1 0)) items))))
        ((exact-integers? items)
         (call-with-values (lambda () (integers who where items)) (lambda (kind vector) (make-contents kind shape vector))))
        ((every real? items) (make-contents 'f64 shape (list->f64vector (map exact->inexact items))))
        ((every number? items) (make-contents 'c64 shape (list->c64vector (map exact->inexact items))))
        (else (refuse-items who where items))))

(define (contents-of-array who where array)
  (let* ((type (if (eq? (array-type array) 'vu8) 'u8 (array-type array)))
         (shape (array-dimensions* array)))
    (cond ((eq? type 'b) (make-contents 'b shape (bytes-of-bits array (apply * shape))))
          ((assq type sizes) (make-contents type shape (flat array)))
          ((eq? type #t) (contents-of-items who where (vector->list (flat array)) shape))
          (else (refuse-value who where array)))))

(define (array-dimensions* array)
  ;; Lower bounds have no meaning in files.
  (map (lambda (bounds) (1+ (- (second bounds) (first bounds)))) (array-shape array)))

(define (refuse-value who where value)
  (refuse who "~a: cannot write ~s; expected a vector or an array of numbers, booleans or strings, a list of such, or one alone"
          where value))

(define (value->contents who where value)
  "Return the contents of @var{value}; @var{where} is where it is to go, for errors."
  (cond ((or (string? value) (boolean? value) (number? value)) (contents-of-items who where (list value) '()))
        ((list? value) (contents-of-items who where value (list (length value))))
        ((array? value) (contents-of-array who where value))
        (else (refuse-value who where value))))

(define (check-attributes who where attributes)
  "Return @var{attributes}, an association list, as one of names and contents."
  (unless (and (list? attributes) (every pair? attributes))
    (refuse who "~a: the attributes are ~s, expected an association list of names and values" where attributes))
  (map (lambda (pair)
         (let ((name (if (symbol? (car pair)) (symbol->string (car pair)) (car pair))))
           (unless (and (string? name) (not (string-null? name)) (not (string-index name #\nul)))
             (refuse who "~a: the name of an attribute is ~s, expected a string" where name))
           (cons name (value->contents who (format #f "~a, attribute ~a" where name) (cdr pair)))))
       attributes))
