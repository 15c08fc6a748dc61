;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a script.  It is compiled as a whole before anything of it runs, so that a mistake in its last line is not found after
;; hours, and in memory, so that no stale file can ever be run in its place.
(define-module (tutti main run)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (system base compile)
  #:use-module (system vm loader)
  #:use-module (tutti interrupt)
  #:use-module (tutti main report)
  #:export (run-script))

(define (fail-reading file errno)
  (format (current-error-port) "tutti: cannot read the script ~a: ~a~%" file (strerror errno))
  (exit 1))

(define (contents file)
  (catch 'system-error
    (lambda ()
      ;; A folder can be opened, and then fails in a way that does not name it.
      (when (eq? (stat:type (stat file)) 'directory)
        (fail-reading file EISDIR))
      (call-with-input-file file get-string-all #:guess-encoding #t #:encoding "UTF-8"))
    (lambda error
      (fail-reading file (system-error-errno error)))))

(define (source-port file text)
  (let ((port (open-input-string text)))
    (set-port-filename! port file)
    port))

(define (read-all port)
  (let loop ()
    (unless (eof-object? (read-syntax port))
      (loop))))

(define (compile-script file text)
  "Return the bytecode of the script @var{text}, which was read from @var{file}."
  (define (compiling port proc)
    (call-with-report (lambda (exception) (compile-time-place file port)) file (lambda () (proc port))))
  (compiling (source-port file text) read-all)
  ;; The last form must not be a tail call, or an error in it could not be traced to the script.
  (compiling (source-port file (string-append text "\n(if #f #f)"))
             (lambda (port)
               (read-and-compile port #:from 'scheme #:to 'bytecode #:env (current-module)
                                 #:opts %auto-compilation-options))))

(define (compile-time-place file port)
  ;; Where the form at fault ends, for errors that do not say where they are.
  (list file (1+ (port-line port)) (port-column port)))

(define (run-script file arguments)
  "Run the script @var{file} with @var{arguments} and exit with its status: 1 after an error, which is reported with its place; by
the signal after Ctrl-C, SIGTERM or SIGHUP."
  (install-interrupt-handler!)
  (set-program-arguments (cons file arguments))
  (let ((text (contents file)))
    (set-current-module (resolve-module '(guile-user)))
    (let ((script (load-thunk-from-memory (compile-script file text))))
      (set-current-module (resolve-module '(guile-user)))
      (call-with-report (const #f) file script)
      (exit 0))))
