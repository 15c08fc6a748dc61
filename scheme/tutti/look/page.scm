;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A page for browsers that shows the job, served by a process of its own.
(define-module (tutti look page)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base check)
  #:use-module (tutti base log)
  #:use-module (tutti base primitives)
  #:export (serve-page show-on-page))

(define lock (make-mutex))
(define current #f)                     ; the address, or #f
(define current-port #f)

(define (absolute file)
  (if (absolute-file-name? file) file (in-vicinity (getcwd) file)))

(define (make-token)
  "Return 128 random bits as hexadecimal digits."
  (let ((bytes (call-with-input-file "/dev/urandom" (lambda (port) (setvbuf port 'none) (get-bytevector-n port 16)) #:binary #t)))
    (string-concatenate (map (lambda (byte) (format #f "~2,'0x" byte)) (bytevector->u8-list bytes)))))

(define (start! port)
  (let* ((token (make-token))
         (problem (%add-companion! "the page" "tutti-page" (list "tutti-page" (number->string port)) #f token)))
    (when problem
      (refuse 'serve-page "~a" problem))
    (%note! "host" (gethostname))
    (set! current-port (string->number (%noted "page-port")))
    (set! current (format #f "http://127.0.0.1:~a/?token=~a" current-port token))
    ;; Not a message, which others see and journals keep: who knows the address may look.
    (write-line-beside (current-error-port) (string-append "Page: " current))))

(define* (serve-page #:key port)
  "Serve a page that shows this job while it runs, write its address to the standard error, and return it. It shows the workers with their
tasks, progress with the remaining time, throughput, memory, failures with their texts, messages, and what @code{show-on-page} has
registered. Only browsers on this machine can see it, and only with the whole address, which has a secret in it; from another machine, lead
a port there with @command{ssh -L}. Nothing can be changed by it, and no reader slows the job.

@var{port} is a number from 1 to 65535; without it any is taken that is free. To call it again returns the address once more. Raises a
@code{&tutti-error} if the port is taken, if the page is served at another one already, or in a build without libsoup."
  (unless (or (not port) (and (exact-integer? port) (<= 1 port 65535)))
    (refuse 'serve-page "expected a port, a number from 1 to 65535; got ~s" port))
  (when (%in-worker?)
    (refuse 'serve-page "a worker has no page; call serve-page in the script"))
  (with-mutex lock
    ;; Another engine than the one that had it has none.
    (cond ((not (and current (%noted "page-port"))) (start! (or port 0)))
          ((and port (not (= port current-port)))
           (refuse 'serve-page "the page is served at port ~a already, and cannot be at ~a as well" current-port port))))
  current)

(define (show-on-page name file)
  "Let the page that @code{serve-page} serves show @var{file}, a plot as PNG, JPEG or SVG of at most 16 MB, under @var{name}, a string.
The file need not be there yet, and when it is written again, the page shows the new one. With @code{#f} for @var{file} it is no longer
shown. At most 64 plots are. Without a page this does nothing that can be seen."
  (unless (and (string? name) (not (string-null? name)))
    (refuse 'show-on-page "expected a name for the plot, a string; got ~s" name))
  (unless (or (not file) (string? file))
    (refuse 'show-on-page "expected the name of a file, or #f; got ~s" file))
  (when (%in-worker?)
    (refuse 'show-on-page "a worker has no page; call show-on-page in the script"))
  (%note! (string-append "plot:" name) (and file (absolute file)))
  (values))
