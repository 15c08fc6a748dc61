;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Arrays in NPY format, the one of numpy.save: a header, and the items.
(define-module (tutti file npy)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti file header)
  #:use-module (tutti file library)
  #:use-module (tutti file place)
  #:use-module (tutti file value)
  #:export (read-npy write-npy read-array array-bytes))

(define block 1048576)   ; bytes, of what cannot be read to where it belongs

;;; Reading.

(define (read-blocks read! header items width convert put)
  "Read ITEMS items of WIDTH bytes each, some at a time, and call PUT with the bytevector that CONVERT has made of
those, the number of the first and how many they are."
  (let* ((most (max 1 (quotient block (max 1 width))))
         (bytes (make-bytevector (* width (min most items)))))
    (let next ((first 0))
      (when (< first items)
        (let ((count (min most (- items first))))
          (read! bytes 0 (* width count))
          (put (convert bytes count) first count)
          (next (+ first count)))))))

(define (read-numbers read! header items array)
  "Read ITEMS numbers to ARRAY, in whatever form they are in the file."
  (let* ((kind (header-kind header))
         (width (header-width header))
         (part (if (memq kind '(c32 c64)) (quotient width 2) width))
         (shape (header-shape header))
         (transposed? (and (header-fortran? header) (> (count (lambda (n) (> n 1)) shape) 1)))
         (halves (and (header-half? header) (make-f32vector (min items (quotient block 2))))))
    (define (convert bytes count)
      (when (header-swapped? header)
        (swap-bytes! bytes part))
      (cond (halves (widen-halves! bytes count halves) halves)
            (else bytes)))
    (define (put bytes first count)
      (let ((size (kind-size kind)))
        (if transposed?
            (place-items! bytes size first count shape array)
            (bytevector-copy! bytes 0 array (* size first) (* size count)))))
    (if (or transposed? halves)
        (read-blocks read! header items width convert put)
        (begin
          (read! array 0 (* width items))
          (when (header-swapped? header)
            (swap-bytes! array part))))))

(define (text-at who file bytes start width wide?)
  "Return the text in WIDTH bytes from START on, without the zeros at its end."
  (define step (if wide? 4 1))
  (define (zero-at? i)
    (every (lambda (k) (zero? (bytevector-u8-ref bytes (+ i k)))) (iota step)))
  (let* ((end (let back ((end (+ start width)))
                (if (and (> end start) (zero-at? (- end step))) (back (- end step)) end)))
         (part (make-bytevector (- end start))))
    (bytevector-copy! bytes start part 0 (- end start))
    (define (bad)
      (complain who file (if wide? "it has characters that are none of Unicode; it is damaged"
                             "it has texts that are bytes, and no UTF-8; in Python, save what numpy.char.decode makes of them")))
    (if wide?
        (list->string (map (lambda (i)
                             (let ((c (bytevector-u32-native-ref part i)))
                               (if (or (< c #xd800) (< #xdfff c #x110000)) (integer->char c) (bad))))
                           (iota (quotient (bytevector-length part) 4) 0 4)))
        (catch 'decoding-error (lambda () (utf8->string part)) (lambda _ (bad))))))

(define (read-texts who file read! header items)
  (let* ((width (header-width header))
         (wide? (header-wide? header))
         (bytes (make-bytevector (* width items)))
         (shape (header-shape header)))
    (read! bytes 0 (* width items))
    (let ((ordered (if (and (header-fortran? header) (> (length shape) 1) (positive? items))
                       (let ((copy (make-bytevector (* width items))))
                         (place-items! bytes width 0 items shape copy)
                         copy)
                       bytes)))
      (when (and wide? (header-swapped? header))
        (swap-bytes! ordered 4))
      (map (lambda (i) (text-at who file ordered (* width i) width wide?)) (iota items)))))

(define (read-array who file size read!)
  "Return the value of the array in NPY format in @var{file}, or in a part of it, which has @var{size} bytes;
@var{read!} reads the next bytes to a bytevector, from an index on, as many as it is told."
  (call-with-values (lambda () (read-header who file size read!))
    (lambda (header start)
      (let* ((kind (header-kind header))
             (shape (header-shape header))
             (items (apply * shape))
             (wanted (* items (header-width header)))
             (there (- size start)))
        (unless (= there wanted)
          (complain who file "its header says that it has the shape ~a, which is ~a bytes, but ~a are there; it is ~a"
                    (shape->string shape) wanted there (if (< there wanted) "cut short, or damaged" "damaged, or has several arrays")))
        ;; Texts of no width take no bytes, however many they are.
        (when (and (zero? wanted) (> items 1000000))
          (complain who file "its header says that it has ~a texts without a character; it is damaged" items))
        (if (eq? kind 'text)
            (contents->value kind shape (read-texts who file read! header items))
            (let* ((array (make-items who file kind shape))
                   (bytes (shared-array-root array)))
              (when (positive? items)
                (read-numbers read! header items bytes))
              (contents->value kind shape array)))))))

(define (read-npy file)
  "Return what is in @var{file}, which @code{numpy.save} or @code{write-npy} has written: a vector of numbers such as
an f64vector, or an array of them, the last index of which runs fastest, whatever the order in the file; booleans are
a bitvector, or an array of bits. Texts are a list of strings, or an array of them. What has no dimension is a number,
a boolean or a string. Numbers of 16 bits come in an f32vector. Other things are refused: Python objects, which are
never unpickled, records, times, and floating-point numbers of more than 64 bits."
  (call-with-file 'read-npy file
    (lambda (port size)
      (read-array 'read-npy file size
                  (lambda (bytes start count) (read-bytes! 'read-npy file port bytes start count))))))

;;; Writing.

(define (text-bytes strings width)
  "Return STRINGS as 32-bit characters, WIDTH for each."
  (let ((bytes (make-bytevector (* 4 width (length strings)) 0)))
    (for-each (lambda (i string)
                (string-for-each-index
                 (lambda (k) (bytevector-u32-native-set! bytes (* 4 (+ k (* i width))) (char->integer (string-ref string k)))) string))
              (iota (length strings)) strings)
    bytes))

(define (string-for-each-index proc string)
  (let ((n (string-length string)))
    (let next ((i 0))
      (when (< i n)
        (proc i)
        (next (1+ i))))))

(define (array-bytes who where value)
  "Return two bytevectors, the header and the items, for @var{value}, which is to go to @var{where}."
  (let* ((contents (value->contents who where value))
         (kind (contents-kind contents))
         (items (contents-items contents)))
    (if (eq? kind 'text)
        ;; numpy has no texts without a character: it makes room for one.
        (let ((width (fold max 1 (map string-length items))))
          (for-each (lambda (string)
                      (when (string-suffix? "\0" string)
                        (complain who where "the text ~s ends in a character 0, which the format cannot keep" string)))
                    items)
          (values (write-header kind width (contents-shape contents)) (text-bytes items width)))
        (values (write-header kind #f (contents-shape contents)) items))))

(define (write-npy file value)
  "Write @var{value} to @var{file}, for @code{numpy.load} and @code{read-npy}: a vector of numbers such as an
f64vector, a bitvector, an array of any rank, a number, a boolean, a string, or a list or vector of such. The file is
there when all of it is written; until then, and if that fails, what was there stays."
  (call-with-values (lambda () (array-bytes 'write-npy file value))
    (lambda (header items)
      (call-with-replacement 'write-npy file
        (lambda (port partial)
          (put-bytevector port header)
          (put-bytevector port items))))))
