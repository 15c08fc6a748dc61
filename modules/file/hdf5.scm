;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Datasets and attributes of HDF5 files.
(define-module (tutti file hdf5)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti file library)
  #:use-module (tutti file place)
  #:use-module (tutti file value)
  #:export (read-hdf5 write-hdf5 hdf5-contents hdf5-attributes write-hdf5-attributes))

(define %message (foreign "file-hdf5" "tutti_hdf5_message" '*))
(define %open (foreign "file-hdf5" "tutti_hdf5_open" int64 '* int))
(define %close (foreign "file-hdf5" "tutti_hdf5_close" int int64))
(define %reserve (foreign "file-hdf5" "tutti_hdf5_reserve" int '* uint64))
(define %release (foreign "file-hdf5" "tutti_hdf5_release" void '*))
(define %look (foreign "file-hdf5" "tutti_hdf5_look" int int64 '* '* '*))
(define %read (foreign "file-hdf5" "tutti_hdf5_read" int int64 '* '* int '*))
(define %read-text (foreign "file-hdf5" "tutti_hdf5_read_text" '* int64 '* '* '*))
(define %write (foreign "file-hdf5" "tutti_hdf5_write" int int64 '* '* '* '*))
(define %list (foreign "file-hdf5" "tutti_hdf5_list" '* int64 '* '*))
(define %free (foreign "file-hdf5" "tutti_hdf5_free" void '*))

(define (utf8-pointer text)
  (if text (string->pointer text "UTF-8") %null-pointer))

(define (message) (pointer->string (%message) -1 "UTF-8"))

(define (where-text path attribute)
  (if attribute (format #f "~a, attribute ~a" path attribute) path))

;;; Files.

(define (open-hdf5 who what file name mode)
  (let ((id (%open (string->pointer name) mode)))
    (when (negative? id)
      (let ((why (message)))
        (if (or (string=? why "file signature not found") (string-contains why "superblock"))
            (complain who file "~a; it is damaged, or no HDF5 file" why)
            (refuse who "cannot ~a ~a: ~a" what file why))))
    id))

(define (call-with-hdf5 who file mode name proc)
  "Call PROC with the number of the file that has NAME, opened by MODE: 0 to read, 1 to change, 2 to make. FILE is
what users call it."
  (let ((id (open-hdf5 who (if (zero? mode) "read" "write") file name mode))
        (closed #f))
    (define (close)
      (unless closed
        (set! closed #t)
        (%close id)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let* ((value (proc id))
               (status (close)))
          (unless (or (zero? mode) (zero? status))
            (refuse who "cannot write ~a: ~a" file (message)))
          value))
      close)))

(define (call-reading who file proc)
  ;; What it is becomes known by this: libhdf5 would wait for a FIFO.
  (call-with-file who file (const #t))
  (call-with-hdf5 who file 0 file proc))

(define (check-path who file path)
  (unless (and (string? path) (not (string-null? (string-trim-both path #\/))) (not (string-index path #\nul)))
    (refuse who "~a: the path is ~s, expected a string such as \"/model/velocity\"" file path)))

;;; Reading.


(define (look who file id path attribute)
  "Return the kind and the shape of what is at PATH, or of its ATTRIBUTE. The kind may also be group, other or empty."
  (let ((found (make-s64vector 34 0)))
    (unless (zero? (%look id (utf8-pointer path) (utf8-pointer attribute) (->pointer found)))
      (refuse who "~a: ~a" file (message)))
    (let ((kind (s64vector-ref found 0)))
      (values (if (negative? kind) (list-ref '(group other empty) (- (1+ kind))) (list-ref kinds kind))
              (map (lambda (d) (s64vector-ref found (+ 2 d))) (iota (s64vector-ref found 1)))))))

(define (take-texts who file texts size)
  "Return the strings in SIZE bytes at the pointer TEXTS, each with a zero behind it, and free them."
  (if (null-pointer? texts)
      (refuse who "~a: ~a" file (message))
      (let ((bytes (bytevector-copy (pointer->bytevector texts (max 1 size)))))
        (%free texts)
        (catch 'decoding-error
          (lambda ()
            (if (zero? size) '() (string-split (utf8->string (bytevector-head bytes (1- size))) #\nul)))
          (lambda _
            (complain who file "it has texts that are no UTF-8"))))))

(define (bytevector-head bytes n)
  (let ((head (make-bytevector n)))
    (bytevector-copy! bytes 0 head 0 n)
    head))

(define (read-item who file id path attribute)
  (define where (format #f "~a, ~a" file (where-text path attribute)))
  (call-with-values (lambda () (look who file id path attribute))
    (lambda (kind shape)
      (case kind
        ((group)
         (complain who where "it is a group; read one of its datasets, of which the file has: ~{~a~^, ~}"
                   (bounded (datasets who file id path) 10)))
        ((other) (complain who where "it has ~a; write it in another form" (begin (look who file id path attribute) (message))))
        ((empty) (complain who where "it has a type, but no value"))
        ((text)
         (let* ((size (make-u64vector 1 0))
                (texts (%read-text id (utf8-pointer path) (utf8-pointer attribute) (->pointer size))))
           (contents->value kind shape (if (zero? (apply * shape)) (begin (%free texts) '())
                                           (take-texts who where texts (u64vector-ref size 0))))))
        (else (read-items who where id path attribute kind shape))))))

(define (read-items who where id path attribute kind shape)
  (let* ((array (make-items who where kind shape))
         (bytes (shared-array-root array)))
    (unless (or (zero? (bytevector-length bytes))
                (zero? (%read id (utf8-pointer path) (utf8-pointer attribute) (list-index (lambda (k) (eq? k kind)) kinds)
                              (->pointer bytes))))
      (complain who where "~a" (message)))
    (contents->value kind shape array)))

(define (read-hdf5 file path)
  "Return the dataset at @var{path} of the HDF5 file @var{file}: a vector of numbers such as an f64vector, or an array
of them; a bitvector or an array of bits, if they are booleans as h5py writes them; a list of strings, or an array of
them; or, for a dataset without dimensions, one of these alone. Complex numbers are those of h5py. What would lose
digits, and records, references and sequences, are refused."
  (check-path 'read-hdf5 file path)
  (call-reading 'read-hdf5 file
    (lambda (id) (read-item 'read-hdf5 file id path #f))))

(define (names who file id path)
  (let* ((size (make-u64vector 1 0))
         (texts (%list id (utf8-pointer path) (->pointer size))))
    (take-texts who file texts (u64vector-ref size 0))))

(define (bounded list n)
  (if (> (length list) n) (append (take list n) '("…")) list))

(define (datasets who file id path)
  "Return the paths of the datasets below PATH."
  (let ((prefix (string-append "/" (string-trim-both path #\/) "/")))
    (filter-map (lambda (path)
                  (and (string-prefix? prefix path)
                       (call-with-values (lambda () (look who file id path #f))
                         (lambda (kind shape) (and (not (eq? kind 'group)) path)))))
                (map (lambda (name) (string-append "/" name)) (names who file id #f)))))

(define (hdf5-contents file)
  "Return what is in the HDF5 file @var{file}: a list of the path, the kind and the shape of each group and dataset.
Kinds are those of arrays, such as @code{f64}; @code{b} for booleans, @code{text}, @code{group}, @code{empty}; or
@code{other} for what cannot be read. A link that leads nowhere has the kind @code{missing}."
  (call-reading 'hdf5-contents file
    (lambda (id)
      (map (lambda (name)
             (let ((path (string-append "/" name)))
               (or (false-if-error
                    (call-with-values (lambda () (look 'hdf5-contents file id path #f)) (lambda (kind shape) (list path kind shape))))
                   (list path 'missing '()))))
           (names 'hdf5-contents file id #f)))))

(define (hdf5-attributes file path)
  "Return the association list of the names and values of the attributes of what is at @var{path} of the HDF5 file
@var{file}, a dataset or a group; @file{/} is the file itself. An attribute of a type that cannot be read is left
out."
  (unless (equal? path "/")
    (check-path 'hdf5-attributes file path))
  (call-reading 'hdf5-attributes file
    (lambda (id)
      (filter-map (lambda (name)
                    (call-with-values (lambda () (look 'hdf5-attributes file id path name))
                      (lambda (kind shape)
                        (and (not (memq kind '(other empty)))
                             (cons name (read-item 'hdf5-attributes file id path name))))))
                  (names 'hdf5-attributes file id path)))))

;;; Writing.

(define (text-bytes who where strings)
  (for-each (lambda (string)
              (when (string-index string #\nul)
                (complain who where "the text ~s has a character 0, which the format cannot keep" string)))
            strings)
  (string->utf8 (string-concatenate (map (lambda (string) (string-append string "\0")) strings))))

(define (nonempty-pointer bytes)
  ;; libhdf5 wants an address even of nothing.
  (->pointer (if (zero? (bytevector-length bytes)) #vu8(0) bytes)))

(define (write-item who file id path attribute contents)
  (let* ((where (format #f "~a, ~a" file (where-text path attribute)))
         (kind (contents-kind contents))
         (shape (contents-shape contents))
         (items (contents-items contents))
         (words (make-s64vector 34 0)))
    (when (> (length shape) 32)
      (complain who where "it has ~a dimensions, the format has up to 32" (length shape)))
    (s64vector-set! words 0 (list-index (lambda (k) (eq? k kind)) kinds))
    (s64vector-set! words 1 (length shape))
    (for-each (lambda (d n) (s64vector-set! words (+ 2 d) n)) (iota (length shape)) shape)
    (unless (zero? (%write id (utf8-pointer path) (utf8-pointer attribute) (->pointer words)
                           (nonempty-pointer (if (eq? kind 'text) (text-bytes who where items) items))))
      (refuse who "cannot write ~a: ~a" where (message)))))

(define (size-of contents)
  "Return how many bytes CONTENTS take in a file at most, with what belongs to them."
  (let ((items (contents-items contents)))
    (+ 4096 (if (eq? (contents-kind contents) 'text)
                ;; A heap of texts has a head for each, and is rarely full.
                (fold (lambda (text sum) (+ sum 64 (* 8 (string-length text)))) 0 items)
                (bytevector-length items)))))

(define (call-with-space who file name contents proc)
  "Call PROC when there is room for the list CONTENTS behind what is in the file that has NAME."
  (let ((bytes (fold (lambda (contents sum) (+ sum (size-of contents))) 65536 contents)))
    (dynamic-wind
      (lambda ()
        (unless (zero? (%reserve (string->pointer name) bytes))
          (refuse who "cannot write ~a: ~a; ~a bytes are needed" file (message) bytes)))
      proc
      (lambda () (%release (string->pointer name))))))

(define (write-attributes who file id path attributes)
  (for-each (match-lambda ((name . contents) (write-item who file id path name contents))) attributes))

(define* (write-hdf5 file path value #:key (attributes '()))
  "Write @var{value}, whatever @code{write-npy} can write, as the dataset at @var{path} of the HDF5 file @var{file},
with @var{attributes}, an association list of names and such values, for instance @code{'((\"units\" . \"m/s\"))}. The
file and groups on the path are made as needed; a dataset that is there is replaced. A new file is there when all of
it is written; one that was there is changed in place."
  (check-file-name 'write-hdf5 file)
  (check-path 'write-hdf5 file path)
  (let ((where (format #f "~a, ~a" file path)))
    (let ((contents (value->contents 'write-hdf5 where value))
          (attributes (check-attributes 'write-hdf5 where attributes)))
      (define (write id)
        (write-item 'write-hdf5 file id path #f contents)
        (write-attributes 'write-hdf5 file id path attributes))
      (define all (cons contents (map cdr attributes)))
      (if (file-exists? file)
          (call-changing 'write-hdf5 file all write)
          (call-with-replacement 'write-hdf5 file
            (lambda (port partial)
              (call-with-space 'write-hdf5 file partial all
                (lambda () (call-with-hdf5 'write-hdf5 file 2 partial write))))))
      *unspecified*)))

(define (call-changing who file contents proc)
  (call-with-file who file (const #t) #:what "write")
  (unless (access? file W_OK)
    (refuse who "cannot write ~a: ~a" file (strerror EACCES)))
  (call-with-space who file file contents
    (lambda () (call-with-hdf5 who file 1 file proc))))

(define (write-hdf5-attributes file path attributes)
  "Give what is at @var{path} of the HDF5 file @var{file}, a dataset or a group, @var{attributes}, as
@code{write-hdf5} does; @file{/} is the file itself. Others stay."
  (unless (equal? path "/")
    (check-path 'write-hdf5-attributes file path))
  (let ((attributes (check-attributes 'write-hdf5-attributes (format #f "~a, ~a" file path) attributes)))
    (call-changing 'write-hdf5-attributes file (map cdr attributes)
      (lambda (id) (write-attributes 'write-hdf5-attributes file id path attributes)))
    *unspecified*))
