;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a script.  One in Scheme is compiled as a whole before anything of it runs, so that a mistake in its last line is not found
;; after hours, and in memory, so that no stale file can ever be run in its place.  One that was compiled before needs no compiler.
(define-module (tutti program run)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (system vm loader)
  #:autoload (system vm program) (program-sources source:file)
  #:use-module (tutti base interrupt)
  #:use-module (tutti conditions)
  #:autoload (tutti program compile) (compile-script source-name)
  #:use-module (tutti base primitives)
  #:use-module (tutti program report)
  #:export (run-script run-expression))

(define (fail-loading file reason)
  (format (current-error-port) "tutti: cannot run ~a: ~a; a compiled script is written by `tutti compile', with this Guile~%"
          file reason)
  (exit 1))

(define (load-compiled file)
  ;; For a folder Guile would report that there is not enough memory.
  (when (false-if-error (eq? 'directory (stat:type (stat file))))
    (fail-loading file (strerror EISDIR)))
  (with-exception-handler
      (lambda (exception)
        (match (if (interruption? exception) #f (exception-args exception))
          ((_ (? string? message) (? list? arguments) . _)
           (fail-loading file (apply format #f message arguments)))
          (_ (raise-exception exception))))
    (lambda () (load-thunk-from-file file))
    #:unwind? #t))

(define (source-of script file)
  "Return the name that the source of @var{script}, a thunk that was loaded from @var{file}, had when it was compiled."
  (or (or-map source:file (program-sources script)) file))

(define (run-script file arguments)
  "Run the script @var{file}, in Scheme or, if its name ends in @code{.go}, compiled, with @var{arguments}, and exit with its status: 1
after an error, which is reported with its place; by the signal after Ctrl-C, SIGTERM or SIGHUP."
  (install-interrupt-handler!)
  (%begin-program!)
  (set-program-arguments (cons file arguments))
  (set-current-module (resolve-module '(guile-user)))
  (let* ((compiled? (string-suffix? ".go" file))
         ;; Now: the script may go to another folder.
         (name (if compiled? file (source-name file)))
         (script (if compiled? (load-compiled file) (load-thunk-from-memory (compile-script file)))))
    (set-current-module (resolve-module '(guile-user)))
    (call-with-report (const #f) (lambda () (if compiled? (source-of script name) name)) script)
    (exit 0)))

(define (evaluate-all text)
  (let ((port (open-input-string text)))
    (let loop ()
      (let ((form (read port)))
        (unless (eof-object? form)
          (eval form (current-module))
          (loop))))))

(define (run-expression text arguments)
  "Evaluate the expressions in @var{text} where @code{(tutti)} is imported, with @var{arguments}, and exit as @code{run-script} does."
  (install-interrupt-handler!)
  (%begin-program!)
  (set-program-arguments (cons "tutti" arguments))
  (set-current-module (resolve-module '(guile-user)))
  (module-use! (current-module) (resolve-interface '(tutti)))
  (call-with-report (const #f) (const "-c") (lambda () (evaluate-all text)))
  (exit 0))
