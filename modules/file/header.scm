;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The header of an array in NPY format: the text of a dictionary in Python, of which literals are understood, and
;; nothing is evaluated.
(define-module (tutti file header)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti file place)
  #:use-module (tutti file value)
  #:export (read-header header-kind header-width header-swapped? header-half? header-fortran? header-shape header-wide?
            write-header))

;;; Literals of Python.

;; A dictionary is a list that begins with 'dict, and has pairs; tuples and lists are lists.
(define deepest 32)   ; nothing has more levels

(define (read-literal text bad)
  "Return the value of the literal in TEXT; BAD is called with what was found at its end, or where it is none."
  (define n (string-length text))
  (define (at i) (if (< i n) (string-ref text i) #\nul))
  (define (skip i)
    (if (and (< i n) (memv (string-ref text i) '(#\space #\tab #\newline #\return))) (skip (1+ i)) i))
  (define (fault i)
    (bad (if (>= (skip i) n) "its end" (object->string (substring text i (min n (+ i 20)))))))
  (define (expect c i)
    (if (char=? (at i) c) (1+ i) (fault i)))
  (define (quoted i)
    (let ((end (string-index text (at i) (1+ i))))
      (when (or (not end) (string-index text #\\ (1+ i) end))
        (fault i))
      (values (substring text (1+ i) end) (1+ end))))
  (define (word i)
    (let ((end (or (string-skip text (char-set-adjoin char-set:letter+digit #\_ #\+ #\-) i) n)))
      (values (match (substring text i end)
                ("True" #t)
                ("False" #f)
                ("None" 'none)
                (word
                 ;; Python 2 wrote 3L.
                 (let ((digits (string-trim-right word #\L)))
                   (if (and (string-every char-set:digit digits) (<= 1 (string-length digits) 30)
                            (<= (- (string-length word) (string-length digits)) 1))
                       (string->number digits)
                       (fault i)))))
              end)))
  (define (items close i depth item)
    (let next ((i (skip i)) (found '()))
      (if (char=? (at i) close)
          (values (reverse found) (1+ i))
          (call-with-values (lambda () (item i (1+ depth)))
            (lambda (value i)
              (let ((i (skip i)))
                (next (skip (if (char=? (at i) close) i (expect #\, i))) (cons value found))))))))
  (define (entry i depth)
    (call-with-values (lambda () (value i depth))
      (lambda (key i)
        (call-with-values (lambda () (value (skip (expect #\: (skip i))) depth))
          (lambda (it i) (values (cons key it) i))))))
  (define (value i depth)
    (when (> depth deepest)
      (fault i))
    (case (at i)
      ((#\' #\") (quoted i))
      ((#\() (items #\) (1+ i) depth value))
      ((#\[) (items #\] (1+ i) depth value))
      ((#\{) (call-with-values (lambda () (items #\} (1+ i) depth entry))
               (lambda (pairs i) (values (cons 'dict pairs) i))))
      (else (word i))))
  (call-with-values (lambda () (value (skip 0) 0))
    (lambda (it i)
      (if (= (skip i) n) it (fault i)))))

;;; Types.

(define advice "; in Python, save what array.astype(…) makes of it")

(define (describe descr)
  "Return two values: what items of the type DESCR are called, and what to do, for types that have no value here."
  (define (is? letters) (and (string? descr) (> (string-length descr) 1) (string-index letters (string-ref descr 1))))
  (cond ((pair? descr)
         (values (format #f "records with the fields ~{~a~^, ~}"
                         (map (match-lambda (((? string? name) . _) name) (other (object->string other))) descr))
                 "; save each field as an array of its own, by numpy.savez for instance"))
        ((is? "O") (values "Python objects, which are pickled and may run any program when they are read"
                           "; they are never read: save arrays of numbers or strings instead"))
        ((is? "Mm") (values (format #f "times (~a)" descr) "; save array.astype('int64') and note the unit"))
        ((is? "V") (values (format #f "bytes without a meaning (~a)" descr) advice))
        ((is? "f") (values (format #f "floating-point numbers of more than 64 bits (~a), which would lose digits" descr)
                           "; save array.astype('f8') if that is enough"))
        ((is? "c") (values (format #f "complex numbers of more than 128 bits (~a), which would lose digits" descr)
                           "; save array.astype('c16') if that is enough"))
        (else (values (format #f "items of the type ~a" descr) advice))))

(define (type-of descr bad refuse-type)
  "Return the kind, width in the file, whether bytes are swapped, whether numbers have 16 bits, and whether texts have
32-bit characters."
  (define native (if (eq? (native-endianness) (endianness little)) #\< #\>))
  (define order (if (and (string? descr) (> (string-length descr) 2)) (string-ref descr 0) #\nul))
  (define size (and (char-set-contains? (string->char-set "<>|=") order)
                    (string-every char-set:digit (substring descr 2))
                    (< (string-length descr) 14)
                    (string->number (substring descr 2))))
  (define swapped? (and (memv order '(#\< #\>)) (not (char=? order native))))
  (define (number kind) (values kind (kind-size kind) swapped? #f #f))
  (define letter (and size (string-ref descr 1)))
  (match (cons letter size)
    ((#\b . 1) (values 'b 1 #f #f #f))
    ((#\u . 1) (number 'u8))
    ((#\i . 1) (number 's8))
    ((#\u . 2) (number 'u16))
    ((#\i . 2) (number 's16))
    ((#\u . 4) (number 'u32))
    ((#\i . 4) (number 's32))
    ((#\u . 8) (number 'u64))
    ((#\i . 8) (number 's64))
    ((#\f . 2) (values 'f32 2 swapped? #t #f))
    ((#\f . 4) (number 'f32))
    ((#\f . 8) (number 'f64))
    ((#\c . 8) (number 'c32))
    ((#\c . 16) (number 'c64))
    ((#\U . n) (values 'text (* 4 n) swapped? #f #t))
    (((or #\S #\a) . n) (values 'text n #f #f #f))
    (_ (if (or (pair? descr) (string? descr))
           (refuse-type descr)
           (bad "its type is ~s" descr)))))

;;; The header.

(define (make-header kind width swapped? half? wide? fortran? shape) (vector kind width swapped? half? wide? fortran? shape))
(define (header-kind header) "Return the kind of the items of @var{header}." (vector-ref header 0))
(define (header-width header) "Return the number of bytes of an item in the file." (vector-ref header 1))
(define (header-swapped? header) "Return true if its numbers have another order of bytes than here." (vector-ref header 2))
(define (header-half? header) "Return true if its numbers have 16 bits." (vector-ref header 3))
(define (header-wide? header) "Return true if the characters of its texts have 32 bits." (vector-ref header 4))
(define (header-fortran? header) "Return true if its first index runs fastest." (vector-ref header 5))
(define (header-shape header) "Return its shape." (vector-ref header 6))

(define magic #vu8(#x93 78 85 77 80 89))   ; \x93NUMPY

(define (read-header who file size read!)
  "Return two values: the header of @var{file}, or of a part of it, which has @var{size} bytes, and its length.
@var{read!} reads the next bytes to a bytevector."
  (define (bad message . arguments)
    (complain who file "~a; it is damaged, or no array in NPY format" (apply format #f message arguments)))
  (define (get n what)
    (let ((bytes (make-bytevector n)))
      (read! bytes 0 n)
      bytes))
  (when (< size 10)
    (bad "it has ~a bytes, a header alone has more" size))
  (let ((start (get 8 "the beginning")))
    (unless (every (lambda (i) (= (bytevector-u8-ref start i) (bytevector-u8-ref magic i))) (iota 6))
      (bad "it does not begin with \\x93NUMPY"))
    (let* ((version (bytevector-u8-ref start 6))
           (width (if (= version 1) 2 4)))
      (unless (and (<= 1 version 3) (zero? (bytevector-u8-ref start 7)))
        (bad "its format has the version ~a.~a, expected 1.0, 2.0 or 3.0" version (bytevector-u8-ref start 7)))
      (when (< size (+ 8 width))
        (bad "it ends in its header"))
      (let ((length (bytevector-uint-ref (get width "its length") 0 (endianness little) width)))
        (when (> (+ 8 width length) size)
          (bad "its header has ~a bytes, but only ~a are there" length (- size 8 width)))
        (values (parse who file (get length "the header") version bad) (+ 8 width length))))))

(define (parse who file bytes version bad)
  (define text
    (if (= version 3)
        (catch 'decoding-error (lambda () (utf8->string bytes)) (lambda _ (bad "its header is no UTF-8")))
        (list->string (map integer->char (bytevector->u8-list bytes)))))
  (define entries
    (match (read-literal text
                         (lambda (found)
                           (bad "its header is not the text of a dictionary of literals, but has ~a; nothing of it is evaluated" found)))
      (('dict . pairs) pairs)
      (_ (bad "its header is no dictionary"))))
  (define (entry name good?)
    (match (assoc name entries)
      ((_ . (? good? value)) value)
      ((_ . value) (bad "~a is ~s in its header" name value))
      (#f (bad "its header has no ~a" name))))
  (define (refuse-type descr)
    (call-with-values (lambda () (describe descr))
      (lambda (what advice) (complain who file "it has ~a~a" what advice))))
  (define (shape? x) (and (list? x) (every exact-integer? x) (not (memq 'dict x)) (<= (length x) 32)))
  (let ((shape (entry "shape" shape?))
        (fortran? (entry "fortran_order" boolean?)))
    (call-with-values (lambda () (type-of (entry "descr" (const #t)) bad refuse-type))
      (lambda (kind width swapped? half? wide?)
        (make-header kind width swapped? half? wide? fortran? shape)))))

;;; Writing.

(define letters
  '((u8 . "u1") (s8 . "i1") (u16 . "u2") (s16 . "i2") (u32 . "u4") (s32 . "i4") (u64 . "u8") (s64 . "i8")
    (f32 . "f4") (f64 . "f8") (c32 . "c8") (c64 . "c16") (b . "b1")))

(define (write-header kind width shape)
  "Return the header, a bytevector, of an array of @var{shape} items of @var{kind} in the order of bytes of this
machine. For texts @var{width} is the number of characters."
  (let* ((order (cond ((memq kind '(u8 s8 b)) "|") ((eq? (native-endianness) (endianness little)) "<") (else ">")))
         (descr (string-append order (if (eq? kind 'text) (format #f "U~a" width) (assq-ref letters kind))))
         (text (format #f "{'descr': '~a', 'fortran_order': False, 'shape': ~a, }" descr (shape->string shape)))
         ;; What follows is to begin at a multiple of 64.
         (padding (- 64 (modulo (+ 10 (string-length text) 1) 64)))
         (line (string-append text (make-string (modulo padding 64) #\space) "\n"))
         (header (make-bytevector (+ 10 (string-length line)))))
    (bytevector-copy! magic 0 header 0 6)
    (bytevector-u8-set! header 6 1)
    (bytevector-u8-set! header 7 0)
    (bytevector-u16-set! header 8 (string-length line) (endianness little))
    (bytevector-copy! (string->utf8 line) 0 header 10 (string-length line))
    header))
