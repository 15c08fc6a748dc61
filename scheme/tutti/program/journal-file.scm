;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files that reports are written to: wholly, or not at all.
(define-module (tutti program journal-file)
  #:use-module (ice-9 binary-ports)
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base check)
  #:export (call-with-new-file write-new-file))

(define (check-target who file source)
  ;; The name is easily given twice.
  (let ((there (stat file #f)) (its (stat source #f)))
    (when (string-null? file)
      (refuse who "the name of the file to write is empty"))
    (when (and there its (= (stat:ino there) (stat:ino its)) (= (stat:dev there) (stat:dev its)))
      (refuse who "~a is the journal itself: name another file" file))
    (when (and there (eq? (stat:type there) 'directory))
      (refuse who "cannot write ~a: it is a folder" file))))

(define (fail who file reason)
  (refuse who "cannot write ~a: ~a" file reason))

(define (write-into who file port proc)
  (setvbuf port 'none)
  (let ((problem (proc port)))
    (when problem (fail who file problem))))

(define (replace who file mode proc)
  (let* ((port (mkstemp (string-append (dirname file) "/.tutti-report-XXXXXX") "wb"))
         (draft (port-filename port))
         (done? #f))
    (dynamic-wind
      (const #t)
      (lambda ()
        (write-into who file port proc)
        (chmod port mode)
        (fsync port)
        (close-port port)
        (rename-file draft file)
        (set! done? #t))
      (lambda ()
        (unless done?
          (false-if-exception (close-port port))
          (false-if-exception (delete-file draft)))))))

(define (call-with-new-file who file source proc)
  "Call @var{proc} with a port for bytes, without a buffer and with a descriptor, for what becomes the @var{file} when it returns @code{#f};
else it returns a text why it has failed. Until then, and if anything fails, @var{file} is as it was. What is no regular file, such as a
pipe, is written itself. Raises a @code{&tutti-error} in the name of @var{who} where that cannot be, and if it is the file @var{source},
which is read."
  (check-target who file source)
  (catch 'system-error
    (lambda ()
      (let ((status (stat file #f)))
        (cond ((not status) (replace who file (logand #o666 (lognot (umask))) proc))
              ((eq? (stat:type status) 'regular)
               (unless (access? file W_OK) (fail who file (strerror EACCES)))
               (replace who (canonicalize-path file) (logand #o777 (stat:perms status)) proc))
              (else
               (let ((port (open-file file "wb")))
                 (write-into who file port proc)
                 (close-port port))))))
    (lambda error
      (fail who file (strerror (system-error-errno error))))))

(define (write-new-file who file source text)
  "Write @var{text} as UTF-8 into @var{file}, in place of what was there; see @code{call-with-new-file}."
  (call-with-new-file who file source
    (lambda (port)
      (put-bytevector port (string->utf8 text))
      #f)))
