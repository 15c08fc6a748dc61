;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files that are there as a whole or not at all; arrays with a checksum; and the record of which results are complete.
(define-module (tutti mt store)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti base digest)
  #:use-module (tutti conditions)
  #:use-module (tutti mt files)
  #:use-module (tutti mt library)
  #:export (write-whole checksum file-fingerprint write-array read-array record-complete! completed-fingerprint complete?
            forget-complete!))

;;; Files.

(define (partial-prefix file)
  (string-append "." (basename file) ".part-"))

(define (remove-partial! who file)
  "Remove what writers of FILE that were killed have left."
  (let ((prefix (partial-prefix file))
        (folder (dirname file)))
    (for-each (lambda (name)
                (when (string-prefix? prefix name)
                  (false-if-error (delete-file (string-append folder "/" name)))))
              (folder-entries who folder))))

(define (sync-folder folder)
  ;; A name that is only in memory would be lost in a power failure.
  (let ((port (open folder O_RDONLY)))
    (dynamic-wind (const #t) (lambda () (fsync port)) (lambda () (close-port port)))))

(define* (write-whole file proc #:key (durable? #t))
  "Call @var{proc} with a port for bytes and UTF-8 text, and make what it writes the contents of @var{file} when it returns; return
@var{file}.  Until then @var{file} is as it was, and so it is if @var{proc} does not return, or the process is killed: what that leaves
beside it is removed when @var{file} is written next.  Folders are made as needed.  If @var{durable?}, the file is there also after a
power failure."
  (let ((who 'write-whole)
        (folder (dirname file)))
    (make-folders! who folder)
    (remove-partial! who file)
    (let* ((port (with-system-errors who "write" file
                   (lambda () (mkstemp (string-append folder "/" (partial-prefix file) "XXXXXX")))))
           (partial (port-filename port))
           (done? #f))
      (dynamic-wind
        (const #t)
        (lambda ()
          (with-system-errors who "write" file
            (lambda ()
              (set-port-encoding! port "UTF-8")
              (setvbuf port 'block 65536)
              (proc port)
              (force-output port)
              (chmod port (logand #o666 (lognot (umask))))
              (when durable? (fsync port))
              (close-port port)
              (rename-file partial file)
              (set! done? #t)
              (when durable? (sync-folder folder)))))
        (lambda ()
          (unless done?
            ;; Closing writes what is left, which fails again on a full disk.
            (false-if-error (close-port port))
            (false-if-error (delete-file partial)))))
      file)))

;;; Checksums, which find damage, and fingerprints, which stand for contents.

(define %checksum (mt-function "tutti_mt_checksum" uint32 uint32 '* size_t))

(define* (checksum bytes #:optional (before 0) (start 0))
  "Return the CRC-32 of the bytevector @var{bytes} from the index @var{start} on; @var{before} is that of the bytes that come before."
  (let ((size (- (bytevector-length bytes) start)))
    (if (zero? size)
        before
        (%checksum before (bytevector->pointer bytes start) size))))

(define (file-fingerprint file)
  "Return the fingerprint of what is in @var{file}, a string: equal for equal contents, and for no others."
  (digest->string (digest (read-whole 'file-fingerprint file))))

;;; Arrays: a line with the kind, the number of items, the checksum of what follows, and an association list; then the items, in the
;;; order of bytes of this machine.

(define mark "tutti-array-1")

(define kinds   ; name, predicate, constructor, length, bytes
  `((f64 ,f64vector? ,make-f64vector ,f64vector-length 8)
    (c64 ,c64vector? ,make-c64vector ,c64vector-length 16)
    (c32 ,c32vector? ,make-c32vector ,c32vector-length 8)
    (u8 ,u8vector? ,make-u8vector ,u8vector-length 1)))

(define order (if (eq? (native-endianness) (endianness little)) 'little 'big))

(define (one-line alist)
  (let ((text (call-with-output-string (lambda (port) (write alist port)))))
    (when (string-index text #\newline)
      (refuse 'write-array "the list cannot be written in one line: ~a" text))
    text))

(define* (write-array file alist vector #:key durable?)
  "Write @var{vector}, an f64vector, c64vector, c32vector or u8vector, and @var{alist}, whose items are what can be written and read, to
@var{file}, and return @var{file}; it is written as by @code{write-whole}.  Unless @var{durable?} a power failure may damage it, which
reading will tell."
  (let* ((kind (or (find (lambda (kind) ((second kind) vector)) kinds)
                   (refuse 'write-array "~s cannot be written to ~a, expected one of ~{~avector~^, ~}" vector file (map car kinds))))
         (rest (string-append (one-line alist) "\n"))
         (crc (checksum vector (checksum (string->utf8 rest)))))
    (write-whole file
                 (lambda (port)
                   (format port "~a ~a ~a ~a ~8,'0x ~a" mark order (car kind) ((fourth kind) vector) crc rest)
                   (put-bytevector port vector))
                 #:durable? durable?)))

(define (read-array file)
  "Return two values: the association list in @var{file}, which was written by @code{write-array}, and the vector.  If it is damaged, or
no such file, the @code{&tutti-error} says why."
  (define (bad message . arguments)
    (apply complain-about 'read-array file #f message arguments))
  (let* ((bytes (read-whole 'read-array file))
         (end (let loop ((i 0))
                (cond ((= i (bytevector-length bytes)) (bad "it has no first line; it is damaged, or not an array"))
                      ((= (bytevector-u8-ref bytes i) 10) i)
                      (else (loop (1+ i))))))
         (line (or (false-if-error (utf8->string (bytes-from bytes 0 end))) ""))
         (words (string-split line #\space)))
    (match words
      (((? (lambda (word) (string=? word mark))) written (= string->symbol name) (= string->number count) crc . rest)
       (let* ((kind (assq name kinds))
              (start (- (1+ end) 1 (bytevector-length (string->utf8 (string-join rest " "))))))
         (unless (and kind (exact-integer? count) (>= count 0))
           (bad "its first line is damaged: ~a" line))
         (unless (string=? written (symbol->string order))
           (bad "its numbers are ~a-endian; they can only be read on such a machine" written))
         (let ((wanted (+ end 1 (* count (fifth kind)))))
           (unless (= (bytevector-length bytes) wanted)
             (bad "it has ~a bytes, expected ~a; it is damaged, write it anew" (bytevector-length bytes) wanted)))
         (unless (equal? (string->number crc 16) (checksum bytes 0 start))
           (bad "its checksum is not ~a but ~8,'0x; it is damaged, write it anew" crc (checksum bytes 0 start)))
         (let ((vector ((third kind) count)))
           (bytevector-copy! bytes (1+ end) vector 0 (* count (fifth kind)))
           (values (call-with-input-string (string-join rest " ") read) vector))))
      (_ (bad "it is damaged, or not an array: its first line does not begin with ~a" mark)))))

(define (bytes-from bytes start end)
  (let ((part (make-bytevector (- end start))))
    (bytevector-copy! bytes start part 0 (- end start))
    part))

;;; The record of what is complete: a small file for each key.

(define (record-file folder key)
  "Return the file in FOLDER for the string KEY: any two keys have different ones."
  (define (safe? c)
    (and (char-ascii? c) (or (char-alphabetic? c) (char-numeric? c) (memv c '(#\- #\_ #\+ #\.)))))
  (define (encode c)
    (if (safe? c) (string c) (format #f "%~x%" (char->integer c))))
  (string-append folder "/complete/=" (string-concatenate (map encode (string->list key)))))

(define (char-ascii? c)
  (char<? c #\delete))

(define (record-text key fingerprint)
  (call-with-output-string (lambda (port) (write (list key fingerprint) port) (newline port))))

(define (record-complete! folder key fingerprint)
  "Record that the result @var{key}, a string, in @var{folder} is complete; @var{fingerprint}, a string, says what it was made from.
It is to be called when the result's files are written, and @code{forget-complete!} before they are touched again: a process that is
killed anywhere in between has then left no record."
  (let ((text (record-text key fingerprint)))
    (write-whole (record-file folder key)
                 (lambda (port) (format port "~8,'0x ~a" (checksum (string->utf8 text)) text))
                 #:durable? #f))
  *unspecified*)

(define (completed-fingerprint folder key)
  "Return the fingerprint with which the result @var{key} in @var{folder} was recorded as complete, or @code{#f} if it was not.  A
damaged record does not count."
  (let ((file (record-file folder key)))
    (and (file-exists? file)
         (false-if-error
          (let* ((text (utf8->string (read-whole 'completed-fingerprint file)))
                 (blank (string-index text #\space))
                 (rest (substring text (1+ blank))))
            (and (equal? (string->number (substring text 0 blank) 16) (checksum (string->utf8 rest)))
                 (match (call-with-input-string rest read)
                   (((? (lambda (recorded) (equal? recorded key))) fingerprint) fingerprint)
                   (_ #f))))))))

(define (complete? folder key fingerprint)
  "Return true if the result @var{key} in @var{folder} was recorded as complete with @var{fingerprint}."
  (let ((recorded (completed-fingerprint folder key)))
    (and recorded (equal? recorded fingerprint))))

(define (forget-complete! folder key)
  "Take back that the result @var{key} in @var{folder} is complete."
  (let ((file (record-file folder key)))
    (when (file-exists? file)
      (with-system-errors 'forget-complete! "remove" file (lambda () (delete-file file))))))
