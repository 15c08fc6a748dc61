;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a script.  One in Scheme is compiled as a whole before anything of it runs, so that a mistake in its last line is not found
;; after hours, and in memory, so that no stale file can ever be run in its place.  One that was compiled before needs no compiler.
(define-module (tutti program run)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module ((srfi srfi-1) #:select (any))
  #:use-module (system vm loader)
  #:autoload (system vm program) (program-sources source:file)
  #:use-module ((rnrs bytevectors) #:select (bytevector?))
  #:autoload (ice-9 binary-ports) (get-bytevector-all)
  #:autoload (tutti base digest) (digest digest->string)
  #:use-module (tutti base interrupt)
  #:use-module (tutti conditions)
  #:autoload (tutti program compile) (compile-script source-name)
  #:use-module (tutti base primitives)
  #:use-module (tutti program report)
  #:export (run-script run-expression script-values expression-values folder-of load-path-with))

;;; Folders with modules.

(define (folder-of script)
  "Return the list of the folder that the file @var{script} is in, wherever links to it are; if there is no such file, the empty one."
  (let ((name (false-if-exception (canonicalize-path script))))
    (if name (list (dirname name)) '())))

(define (load-path-with path folders)
  "Return @var{path} with @var{folders}, those of a script, in front; if one has a file @file{tutti.scm}, behind, as a script of that name
would be taken for the module @code{(tutti)} that it imports."
  (if (any (lambda (folder) (file-exists? (in-vicinity folder "tutti.scm"))) folders)
      (append path folders)
      (append folders path)))

;;; Files.

(define (fail-loading file reason)
  (fail-script 'unreadable (format #f "tutti: cannot run ~a: ~a; a compiled script is written by `tutti compile', with this Guile"
                                   file reason)))

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

(define (script-values file module)
  "Run the script @var{file}, in Scheme or, if its name ends in @code{.go}, compiled, in @var{module}, and return the list of the values of
its last expression.  If that does not work, the script fails."
  (let* ((compiled? (string-suffix? ".go" file))
         ;; Now: the script may go to another folder.
         (name (if compiled? file (source-name file)))
         (script (if compiled? (load-compiled file) (load-thunk-from-memory (compile-script file module)))))
    ;; To load what was compiled, or to compile, may have changed it.
    (set-current-module module)
    (call-with-report (const #f) (lambda () (if compiled? (source-of script name) name)) script)))

(define (note-program! script arguments)
  "Let those who look at the job see what is run."
  (%fact! "script" script)
  ;; A pipe can be read only once.
  (when (false-if-exception (eq? 'regular (stat:type (stat script))))
    (and=> (false-if-exception (call-with-input-file script get-bytevector-all #:binary #t))
           (lambda (bytes) (when (bytevector? bytes) (%fact! "script digest" (digest->string (digest bytes)))))))
  (%fact! "arguments" (string-join arguments " "))
  (and=> (false-if-exception (getcwd)) (lambda (folder) (%fact! "folder" folder))))

(define (run-script file arguments)
  "Run the script @var{file}, in Scheme or, if its name ends in @code{.go}, compiled, with @var{arguments}, and exit with its status: 1
after an error, which is reported with its place; by the signal after Ctrl-C, SIGTERM or SIGHUP."
  (install-interrupt-handler!)
  (%begin-program!)
  (set-program-arguments (cons file arguments))
  (note-program! file arguments)
  (set-current-module (resolve-module '(guile-user)))
  (script-values file (current-module))
  (exit 0))

;;; Expressions.

(define (evaluate-all text name)
  "Evaluate the expressions in @var{text}, which reports call @var{name}, and return the list of the values of the last."
  (let ((port (open-input-string text)))
    (set-port-filename! port name)
    (let loop ((last '()))
      (let ((form (read port)))
        (if (eof-object? form)
            last
            (loop (call-with-values (lambda () (eval form (current-module))) list)))))))

(define (kind-of-failure exception)
  (if (and (exception? exception) (memq (exception-kind exception) '(read-error syntax-error)))
      'syntax
      'raised))

(define (expression-values text module name)
  "Evaluate the expressions in @var{text}, which reports call @var{name}, in @var{module}, where @code{(tutti)} is imported, and return the
list of the values of the last.  If that does not work, the script fails."
  (set-current-module module)
  (module-use! module (resolve-interface '(tutti)))
  (call-with-report (const #f) (const name) (lambda () (evaluate-all text name)) kind-of-failure))

(define (run-expression text arguments)
  "Evaluate the expressions in @var{text} where @code{(tutti)} is imported, with @var{arguments}, and exit as @code{run-script} does."
  (install-interrupt-handler!)
  (%begin-program!)
  (set-program-arguments (cons "tutti" arguments))
  (note-program! "-c" arguments)
  (expression-values text (resolve-module '(guile-user)) "-c")
  (exit 0))
