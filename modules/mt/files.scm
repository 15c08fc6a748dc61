;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Errors that name a file, and what is read from one: bytes, text, lines.
(define-module (tutti mt files)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 textual-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:export (complain-about with-system-errors read-whole file-lines make-folders! visible-entries folder-entries
            plain-name? check-plain-name))

(define (complain-about who file line message . arguments)
  "Raise a @code{&tutti-error} about line @var{line} of @var{file}, or about all of it if @var{line} is @code{#f}."
  (refuse who "~a:~@[~a:~] ~a" file line (apply format #f message arguments)))

(define (with-system-errors who what file thunk)
  "Return what @var{thunk} returns. An error of the system becomes a @code{&tutti-error} that says that it was not possible to
@var{what}, such as @samp{read}, @var{file}."
  (catch 'system-error
    thunk
    (lambda arguments
      (refuse who "cannot ~a ~a: ~a" what file (strerror (system-error-errno arguments))))))

(define (read-whole who file)
  "Return the bytes of @var{file}, a bytevector; errors are in the name of @var{who}."
  (with-system-errors who "read" file
    (lambda ()
      (let* ((port (open file O_RDONLY))
             (size (stat:size (stat port))))
        (dynamic-wind
          (const #t)
          (lambda ()
            (setvbuf port 'none)
            (let ((bytes (if (zero? size) #vu8() (get-bytevector-n port size))))
              (cond ((eof-object? bytes) #vu8())
                    ((eof-object? (lookahead-u8 port)) bytes)
                    ;; It has grown, or does not know its size.
                    (else (let ((more (get-bytevector-all port)))
                            (bytevector-append bytes more))))))
          (lambda () (close-port port)))))))

(define (bytevector-append a b)
  (let ((joined (make-bytevector (+ (bytevector-length a) (bytevector-length b)))))
    (bytevector-copy! a 0 joined 0 (bytevector-length a))
    (bytevector-copy! b 0 joined (bytevector-length a) (bytevector-length b))
    joined))

(define (read-text who file)
  "Return the text in @var{file}, which is UTF-8, without a mark of the byte order."
  (let ((text (with-system-errors who "read" file
                (lambda () (call-with-input-file file get-string-all #:encoding "UTF-8")))))
    (if (string-prefix? "\ufeff" text) (string-drop text 1) text)))

(define (file-lines who file)
  "Return the list of the lines of @var{file}, without blanks at their ends; the last has no line behind it."
  (let ((lines (map string-trim-right (string-split (read-text who file) #\newline))))
    (if (string-null? (last lines)) (drop-right lines 1) lines)))

(define (make-folders! who folder)
  "Make @var{folder} and all above it, unless they are there."
  (unless (or (string-null? folder) (file-exists? folder))
    (make-folders! who (dirname folder))
    (catch 'system-error
      (lambda () (mkdir folder))
      (lambda arguments
        ;; Another process may have been faster.
        (unless (= (system-error-errno arguments) EEXIST)
          (refuse who "cannot make the folder ~a: ~a" folder (strerror (system-error-errno arguments))))))))

(define (folder-entries who folder)
  "Return the sorted list of the names of everything in @var{folder} but @file{.} and @file{..}."
  (let ((stream (with-system-errors who "read the folder" folder (lambda () (opendir folder)))))
    (let loop ((names '()))
      (let ((name (readdir stream)))
        (cond ((eof-object? name)
               (closedir stream)
               (sort (delete ".." (delete "." names)) string<?))
              (else (loop (cons name names))))))))

(define (visible-entries who folder)
  "Return the sorted list of the names in @var{folder} that do not begin with a dot."
  (remove (lambda (name) (string-prefix? "." name)) (folder-entries who folder)))

(define (plain-name? name)
  "Return true if @var{name} is a string that can be the name of a visible folder anywhere."
  (and (string? name)
       (not (string-null? name))
       (not (memv (string-ref name 0) '(#\. #\space)))
       (string-every (lambda (c) (and (char>=? c #\space) (not (memv c '(#\/ #\\ #\delete))))) name)))

(define (check-plain-name who what name)
  "Raise a @code{&tutti-error} unless @var{name}, that of @var{what}, is @code{plain-name?}."
  (unless (plain-name? name)
    (refuse who "the name of ~a is ~s, expected a string that can name a folder: without slashes, not beginning with a dot or blank"
            what name)))
