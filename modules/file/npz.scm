;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Archives of arrays in NPZ format, those of numpy.savez: ZIP archives, whose members are arrays in NPY format.
(define-module (tutti file npz)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti file library)
  #:use-module (tutti file npy)
  #:use-module (tutti file place)
  #:export (read-npz write-npz))

(define room 500)   ; bytes of a message

(define (text-in message)
  (let ((end (let next ((i 0)) (if (or (= i room) (zero? (bytevector-u8-ref message i))) i (next (1+ i)))))
        (bytes (make-bytevector room)))
    (bytevector-copy! message 0 bytes 0 room)
    (pointer->string (bytevector->pointer bytes) end)))

(define %open (foreign "file-npz" "tutti_npz_open" '* '* '* size_t))
(define %close (foreign "file-npz" "tutti_npz_close" void '*))
(define %count (foreign "file-npz" "tutti_npz_count" int64 '*))
(define %name (foreign "file-npz" "tutti_npz_name" '* '* uint64 '* size_t))
(define %member (foreign "file-npz" "tutti_npz_member" '* '* uint64 '* '* size_t))
(define %read (foreign "file-npz" "tutti_npz_read" int64 '* '* uint64 '* size_t))
(define %member-close (foreign "file-npz" "tutti_npz_member_close" void '*))
(define %write (foreign "file-npz" "tutti_npz_write" int '* size_t '* '* '* '* '* int '* size_t))

;;; Reading.

(define (check what file message)
  "Return WHAT if it is no null pointer; MESSAGE says why it is."
  (when (null-pointer? what)
    (complain 'read-npz file "~a; it is damaged, or no NPZ archive" (text-in message)))
  what)

(define (read-member file archive index name message)
  (define where (format #f "~a, member ~a" file name))
  (let* ((size (make-u64vector 1 0))
         (member (check (%member archive index (->pointer size) (->pointer message) room) where message)))
    (define (read! bytes start count)
      (let next ((start start) (count count))
        (unless (zero? count)
          ;; Parts that stay in a cache while their checksum is computed.
          (let ((n (%read member (bytevector->pointer bytes start) (min count 131072) (->pointer message) room)))
            (cond ((negative? n) (complain 'read-npz where "~a; it is damaged" (text-in message)))
                  ((zero? n) (complain 'read-npz where "it ends early; ~a bytes are missing" count)))
            (next (+ start n) (- count n))))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let ((value (read-array 'read-npz where (u64vector-ref size 0) read!)))
          ;; Only at its end is the checksum compared.
          (let ((n (%read member (->pointer (make-bytevector 1)) 1 (->pointer message) room)))
            (unless (zero? n)
              (complain 'read-npz where "~a; it is damaged" (if (negative? n) (text-in message) "it has more bytes than it says"))))
          value))
      (lambda () (%member-close member)))))

(define (member-name file archive index message)
  (pointer->string (check (%name archive index (->pointer message) room) file message) -1 "UTF-8"))

(define (read-npz file)
  "Return what is in @var{file}, which @code{numpy.savez}, @code{numpy.savez_compressed} or @code{write-npz} has
written: the association list of the arrays' names, strings, and values, which are those of @code{read-npy}."
  ;; What it is becomes known by this; and libzip takes an empty file for an empty archive.
  (call-with-file 'read-npz file
    (lambda (port size)
      (when (zero? size)
        (complain 'read-npz file "it is empty; expected an NPZ archive"))))
  (let* ((message (make-bytevector room 0))
         (archive (check (%open (string->pointer file) (->pointer message) room) file message)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (map (lambda (index)
               (let ((name (member-name file archive index message)))
                 (cons (if (string-suffix? ".npy" name) (string-drop-right name 4) name)
                       (read-member file archive index name message))))
             (iota (%count archive))))
      (lambda () (%close archive)))))

;;; Writing.

(define (name-of file name)
  (let ((name (if (symbol? name) (symbol->string name) name)))
    (unless (and (string? name) (not (string-null? name)) (not (string-index name #\nul)))
      (refuse 'write-npz "~a: the name of an array is ~s, expected a string" file name))
    name))

(define (members file alist)
  "Return the list of a name, a header and the items of each array, as bytes."
  (unless (and (list? alist) (every pair? alist))
    (refuse 'write-npz "~a: expected an association list of names and values, found ~s" file alist))
  (let ((names (map (lambda (pair) (name-of file (car pair))) alist)))
    (for-each (match-lambda
                ((name . rest)
                 (when (member name rest)
                   (refuse 'write-npz "~a: two arrays have the name ~a" file name)))
                (() #f))
              (pair-fold-right cons '() names))
    (map (lambda (name pair)
           (call-with-values (lambda () (array-bytes 'write-npz (format #f "~a, ~a" file name) (cdr pair)))
             (lambda (header items)
               (list (string->utf8 (string-append name ".npy\0")) header items))))
         names alist)))

(define (addresses bytes) (list->u64vector (map address bytes)))
(define (sizes bytes) (list->u64vector (map bytevector-length bytes)))

(define* (write-npz file alist #:key compress?)
  "Write the values of @var{alist}, an association list of names and of what @code{write-npy} can write, to
@var{file}, for @code{numpy.load} and @code{read-npz}; compressed, which takes much longer, if @var{compress?}. The
file is there when all of it is written."
  (let* ((members (members file alist))
         (names (map first members))
         (headers (map second members))
         (items (map third members))
         (message (make-bytevector room 0)))
    (call-with-replacement 'write-npz file
      (lambda (port partial)
        (if (null? members)
            ;; libzip removes archives without a member. This is the end of a directory of nothing.
            (put-bytevector port (u8-list->bytevector (append '(80 75 5 6) (make-list 18 0))))
            (let ((status (%write (string->pointer partial) (length members) (->pointer (addresses names))
                                  (->pointer (addresses headers)) (->pointer (sizes headers))
                                  (->pointer (addresses items)) (->pointer (sizes items)) (if compress? 1 0) (->pointer message) room)))
              (keep names headers items)
              (unless (zero? status)
                (refuse 'write-npz "cannot write ~a: ~a" file (text-in message)))))))))
