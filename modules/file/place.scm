;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files on the disk: opened only if they can be read to an end, replaced as a whole or not at all.
(define-module (tutti file place)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (tutti base check)
  #:export (complain call-with-file call-with-replacement with-system-errors check-file-name read-bytes!))

(define (complain who file message . arguments)
  "Raise a @code{&tutti-error} about @var{file} with the text that @code{format} makes of @var{message} and
@var{arguments}."
  (refuse who "~a: ~a" file (apply format #f message arguments)))

(define (with-system-errors who what file thunk)
  "Return what @var{thunk} returns. An error of the system becomes a @code{&tutti-error} that says that it was not
possible to @var{what}, such as @samp{read}, @var{file}."
  (catch 'system-error
    thunk
    (lambda arguments
      (refuse who "cannot ~a ~a: ~a" what file (strerror (system-error-errno arguments))))))

(define (check-file-name who file)
  "Raise a @code{&tutti-error} unless @var{file} can be the name of a file."
  (unless (and (string? file) (not (string-null? file)) (not (string-index file #\nul)))
    (refuse who "the name of the file is ~s, expected a string" file)))

(define (check-regular who what file type)
  (unless (eq? type 'regular)
    (refuse who "cannot ~a ~a: it is ~a, expected a file with numbers" what file
            (case type
              ((directory) "a directory")
              ((fifo) "a FIFO (named pipe)")
              (else "a device or a socket")))))

(define* (call-with-file who file proc #:key (what "read"))
  "Call @var{proc} with a port without a buffer for the bytes of @var{file} and their number, and close it when
@var{proc} is left. @var{what} is what @var{who} is to do with it, for errors."
  (check-file-name who file)
  ;; A FIFO that nobody writes to would be waited for.
  (let ((port (with-system-errors who what file (lambda () (open file (logior O_RDONLY O_NONBLOCK O_CLOEXEC))))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (setvbuf port 'none)
        (let ((status (stat port)))
          (check-regular who what file (stat:type status))
          (proc port (stat:size status))))
      (lambda () (close-port port)))))

(define (read-bytes! who file port bytes start count)
  "Read @var{count} bytes from @var{port} to @var{bytes} from the index @var{start} on; there is an error if they are
not there."
  (let next ((start start) (count count))
    (unless (zero? count)
      (let ((n (with-system-errors who "read" file (lambda () (get-bytevector-n! port bytes start count)))))
        (when (eof-object? n)
          (complain who file "it became shorter while it was read; ~a bytes are missing" count))
        (next (+ start n) (- count n))))))

(define (existing who file)
  "Return the status of FILE, which must be one that may be replaced; #f if there is none."
  (let ((status (stat file #f)))
    (when status
      (check-regular who "write" file (stat:type status))
      (unless (access? file W_OK)
        (refuse who "cannot write ~a: ~a" file (strerror EACCES))))
    status))

(define (call-with-replacement who file proc)
  "Call @var{proc} with a port for bytes, without a buffer, and the name of the new file behind it, which takes the
place of @var{file} when @var{proc} returns. Until then @var{file} is as it was, and so it is if @var{proc} does not
return."
  (check-file-name who file)
  (let* ((before (existing who file))
         (target (if before (canonicalize-path file) file))   ; not the link, but what it leads to
         (port (with-system-errors who "write" file
                 (lambda () (mkstemp (string-append (dirname target) "/." (basename target) ".part-XXXXXX") "wb"))))
         (partial (port-filename port))
         (done? #f))
    (dynamic-wind
      (const #t)
      (lambda ()
        (with-system-errors who "write" file
          (lambda ()
            (setvbuf port 'none)
            (proc port partial)
            (close-port port)
            (chmod partial (if before (stat:perms before) (logand #o666 (lognot (umask)))))
            (rename-file partial target)
            (set! done? #t))))
      (lambda ()
        (unless done?
          (false-if-exception (close-port port))
          (false-if-exception (delete-file partial)))))
    *unspecified*))
