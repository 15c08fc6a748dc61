;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The C functions for files, which the headers in modules/file describe, on bytevectors. They are in three shared
;; objects, so that nobody loads libzip or libhdf5 who reads neither archives nor HDF5 files. What is wrong with a
;; file is said here, what is wrong with arguments is not looked for.
(define-module (tutti file library)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (system foreign)
  #:use-module (system foreign-library)
  #:use-module (tutti base check)
  #:use-module (tutti base extension)
  #:export (foreign ->pointer address keep available?
            swap-bytes! place-items! widen-halves!
            csv-split csv-column csv-kind csv-numbers csv-integers csv-print csv-kinds))

(define (file-name name) (string-append name ".so"))

;; What each is for, and what a build without it lacks.
(define parts
  '(("file" "numbers" #f) ("file-npz" "NPZ archives" "libzip-dev") ("file-hdf5" "HDF5 files" "libhdf5-dev")))

(define (available? name)
  "Return true if this installation has the shared object @var{name}."
  (->bool (find-shared-object (file-name name))))

(define (library name)
  (let ((file (find-shared-object (file-name name)))
        (part (assoc name parts)))
    (unless file
      (refuse 'file "the kernel for ~a was not found; looked for ~a~a" (second part)
              (string-join (shared-object-names (file-name name)) ", ")
              (if (third part)
                  (string-append "; if this is a build of your own, install " (third part) " and build again")
                  "; set TUTTI_MODULEDIR to its folder")))
    (load-foreign-library file)))

;; Not when this module is loaded: the compiler loads it too, before there is a library.
(define libraries (map (lambda (part) (cons (first part) (delay (library (first part))))) parts))

(define (foreign part name return-type . argument-types)
  "Return the function @var{name} of the shared object @var{part}, a string, as a procedure, with these types of
(system foreign)."
  (let ((function (delay (foreign-library-function (force (assoc-ref libraries part)) name
                                                   #:return-type return-type #:arg-types argument-types))))
    (lambda arguments
      (apply (force function) arguments))))

(define (->pointer bytes)
  "Return a pointer to what is in the bytevector @var{bytes}; the null pointer for an empty one or @code{#f}."
  (if (and bytes (positive? (bytevector-length bytes)))
      (bytevector->pointer bytes)
      %null-pointer))

(define (address bytes)
  "Return the address of what is in @var{bytes}; who uses it must keep @var{bytes} with @code{keep}."
  (pointer-address (->pointer bytes)))

(define kept #f)

(define (keep . objects)
  "Do nothing, so that the collector knows @var{objects} until here: it does not know addresses in vectors of numbers."
  ;; An effect, which the compiler does not leave out.
  (set! kept objects)
  (set! kept #f))

;;; Numbers.

(define %swap (foreign "file" "tutti_file_swap" void '* size_t size_t))

(define (swap-bytes! bytes width)
  "Turn round the bytes of each number of @var{width} bytes in @var{bytes}."
  (unless (= width 1)
    (%swap (->pointer bytes) width (quotient (bytevector-length bytes) width))))

(define %place (foreign "file" "tutti_file_place" void '* size_t uint64 size_t size_t '* '*))

(define (place-items! items width first count shape array)
  "Put @var{count} items of @var{width} bytes, from number @var{first} on of an array of @var{shape} whose first index
runs fastest, where they belong in the bytevector @var{array}, where the last one does."
  (%place (->pointer items) width first count (length shape) (->pointer (list->u64vector shape)) (->pointer array)))

(define %widen (foreign "file" "tutti_file_widen" void '* size_t '*))

(define (widen-halves! halves count numbers)
  "Write @var{count} numbers of 16 bits to the f32vector @var{numbers}."
  (%widen (->pointer halves) count (->pointer numbers)))

;;; CSV.

(define %split (foreign "file" "tutti_csv_split" int '* size_t uint8 '* '* '*))
(define faults '(#f no-utf8 open-quote after-quote columns))   ; as in modules/file/file.h

(define (csv-split text start separator)
  "Find the fields of the bytevector @var{text} from the index @var{start} on. Return the number of records, of fields
in each, a u64vector about the fields and one of lines; or, if something is wrong, a symbol, the line, the field, and
how many of them were expected."
  (let ((place (make-u64vector 3 0))
        (from (if (< start (bytevector-length text)) (bytevector->pointer text start) %null-pointer))
        (size (- (bytevector-length text) start)))
    (define (split fields lines)
      (list-ref faults (%split from size (char->integer separator) (->pointer fields) (->pointer lines) (->pointer place))))
    (let ((fault (split #f #f)))
      (if fault
          (values fault (u64vector-ref place 0) (u64vector-ref place 1) (u64vector-ref place 2))
          (let* ((records (u64vector-ref place 0))
                 (columns (u64vector-ref place 1))
                 (fields (make-u64vector (* 2 records columns)))
                 (lines (make-u64vector records)))
            (split fields lines)
            (values records columns fields lines))))))

(define %column (foreign "file" "tutti_csv_column" size_t '* '* '* size_t size_t '* size_t uint8))

(define (csv-column text start fields columns column first rows missing decimal)
  "Return the description of a column for the procedures below: @var{rows} fields from record @var{first} on.
@var{missing} is a list of strings. The first of the values is the description, the others are to be kept as long as
it is used."
  (let* ((words (string->utf8 (string-concatenate (map (lambda (word) (string-append word "\0")) missing))))
         (offset (* 8 2 (+ column (* first columns))))
         (description (make-bytevector (%column %null-pointer %null-pointer %null-pointer 0 0 %null-pointer 0 0))))
    (%column (->pointer description) (bytevector->pointer text start)
             (if (zero? rows) %null-pointer (bytevector->pointer fields offset)) columns rows (->pointer words) (length missing)
             (char->integer decimal))
    (list description text fields words)))

(define %kind (foreign "file" "tutti_csv_kind" int '*))
(define csv-kinds '(integer number text))   ; as in modules/file/file.h

(define (csv-kind column)
  "Return which of @code{csv-kinds} @var{column} can be taken for."
  (let ((kind (%kind (->pointer (car column)))))
    (keep column)
    (list-ref csv-kinds kind)))

(define %numbers (foreign "file" "tutti_csv_numbers" size_t '* '*))
(define %integers (foreign "file" "tutti_csv_integers" size_t '* '*))

(define (csv-numbers column numbers)
  "Write @var{column} to the f64vector @var{numbers}, and return the number of rows up to the first that is no number."
  (let ((rows (%numbers (->pointer (car column)) (->pointer numbers))))
    (keep column)
    rows))

(define (csv-integers column integers)
  "Write @var{column} to the s64vector @var{integers}, and return the number of rows up to the first that is no
integer."
  (let ((rows (%integers (->pointer (car column)) (->pointer integers))))
    (keep column)
    rows))

(define %print (foreign "file" "tutti_csv_print" size_t size_t '* '* '* size_t size_t uint8 uint8 '* size_t '*))

(define (csv-print kinds data offsets first end separator decimal text)
  "Write rows @var{first} to @var{end} of columns to the bytevector @var{text}, as many as there is room for. Return
how many bytes and how many rows those are. @var{kinds}, @var{data} and @var{offsets} are lists: a kind, numbers or
text, and for text a u64vector of offsets or @code{#f}."
  (let* ((rows (make-u64vector 1 0))
         (numbers (map (lambda (kind) (list-index (lambda (k) (eq? k kind)) csv-kinds)) kinds))
         (bytes (%print (length kinds) (->pointer (u8-list->bytevector numbers))
                        (->pointer (list->u64vector (map address data))) (->pointer (list->u64vector (map address offsets)))
                        first end (char->integer separator) (char->integer decimal) (->pointer text) (bytevector-length text)
                        (->pointer rows))))
    (keep data offsets)
    (values bytes (u64vector-ref rows 0))))
