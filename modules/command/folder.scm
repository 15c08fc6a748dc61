;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The folder of a run: made, filled, kept or removed.  One that survives the attempts of a task has a name that says which task it is.
(define-module (tutti command folder)
  #:use-module (ice-9 format)
  #:use-module ((ice-9 iconv) #:select (string->bytevector))
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command primitives)
  #:export (with-system-errors absolute-name check-inside make-run-folder remove-folder copy-into link-into write-into tail-of
            quoted-command))

(define (with-system-errors what file thunk)
  "Return what @var{thunk} returns. An error of the system becomes a @code{&tutti-error} that it was not possible to @var{what} @var{file}."
  (catch 'system-error
    thunk
    (lambda arguments
      (refuse 'run-command "cannot ~a ~a: ~a" what file (strerror (system-error-errno arguments))))))

(define (absolute-name name)
  "Return the absolute name of the file @var{name}."
  (if (absolute-file-name? name) name (string-append (getcwd) "/" name)))

(define (check-inside name what)
  "Raise a @code{&tutti-error} unless @var{name} is that of a file in the folder of a run; @var{what} says what it is for."
  (unless (and (string? name) (not (string-null? name)) (not (absolute-file-name? name))
               (not (member ".." (string-split name #\/))))
    (refuse 'run-command "~a: expected the name of a file in the folder of the run, got ~s" what name)))

;;; Making.

(define (ensure-folder name)
  (unless (file-exists? name)
    (ensure-folder (dirname name))
    (catch 'system-error
      (lambda () (mkdir name))
      (lambda arguments
        ;; Another run may have made it meanwhile.
        (unless (= (system-error-errno arguments) EEXIST)
          (refuse 'run-command "cannot make the folder ~a: ~a" name (strerror (system-error-errno arguments))))))))

(define (make-run-folder root label attempts-name)
  "Return the name of a new folder in @var{root}, which is made if it is not there, that begins with @var{label}; without @var{root} it is
among the temporary files. With @var{attempts-name}, a string or @code{#f}, it is the folder of that name, which may be there already."
  (when root
    (ensure-folder root))
  (if attempts-name
      (let ((name (string-append root "/" label "-" attempts-name)))
        (ensure-folder name)
        name)
      (with-system-errors "make a folder in" (or root "the folder for temporary files")
        (lambda ()
          (mkdtemp (if root
                       (string-append root "/" label "-XXXXXX")
                       (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-" label "-XXXXXX")))))))

(define (remove-folder name)
  "Remove the folder @var{name} with all that is in it; what cannot be removed stays."
  (%command-remove-folder! name))

;;; Filling.

(define (place-in folder name)
  (let ((file (string-append folder "/" name)))
    (ensure-folder (dirname file))
    file))

(define (check-errno number message . arguments)
  (unless (zero? number)
    (refuse 'run-command "~a: ~a" (apply format #f message arguments) (strerror number))))

(define (copy-into folder from name)
  "Copy the file @var{from} to @var{name} in @var{folder}, with its permissions."
  (let ((file (place-in folder name)))
    (check-errno (%command-copy-file from file) "cannot copy ~a to ~a" from file)))

(define (link-into folder from name)
  "Make @var{name} in @var{folder} a link to the file @var{from}."
  (let ((file (place-in folder name)))
    (unless (file-exists? from)
      (refuse 'run-command "cannot link ~a: ~a" from (strerror ENOENT)))
    (with-system-errors "make the link" file
      (lambda ()
        (when (false-if-exception (lstat file)) (delete-file file))
        (symlink from file)))))

(define* (write-into folder name text #:optional (encoding "UTF-8"))
  "Write @var{text} to the file @var{name} in @var{folder}."
  (let ((file (place-in folder name)))
    (check-errno (%command-write-file file (string->bytevector text encoding 'substitute)) "cannot write ~a" file)))

;;; Looking.

(define most-read 4000)                 ; bytes
(define most-lines 12)

(define (tail-of file)
  "Return the list of the last lines of @var{file}; none if it cannot be read."
  (or (false-if-exception
       (call-with-input-file file
         (lambda (port)
           (set-port-conversion-strategy! port 'substitute)
           (let ((size (stat:size (stat port))))
             (when (> size most-read)
               (seek port (- size most-read) SEEK_SET))
             (let ((lines (remove string-null? (string-split (string-trim-right (get-string-all port)) #\newline))))
               (if (> (length lines) most-lines) (take-right lines most-lines) lines))))
         #:encoding "UTF-8"))
      '()))

(define plain (char-set-union (char-set-intersection char-set:ascii char-set:letter+digit) (string->char-set "%+,-./:=@_")))

(define (quoted word)
  (if (and (not (string-null? word)) (string-every plain word))
      word
      (string-append "'" (string-join (string-split word #\') "'\\''") "'")))

(define (quoted-command words)
  "Return the list of strings @var{words} as one line that a shell would split into them."
  (string-join (map quoted words) " "))
