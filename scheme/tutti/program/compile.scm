;; SPDX-License-Identifier: LGPL-3.0-or-later
;; From a script's text to its bytecode.
(define-module (tutti program compile)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (language tree-il)
  #:use-module (system base compile)
  #:use-module (system base language)
  #:use-module (tutti base frame-limit)
  #:use-module (tutti program report)
  #:use-module (tutti program warnings)
  #:export (compile-script source-name write-compiled-script))

(define (fail-reading file errno)
  (fail-script 'unreadable (string-append "tutti: cannot read the script " file ": " (strerror errno))))

(define (contents file)
  (catch 'system-error
    (lambda ()
      ;; A folder can be opened, and then fails in a way that does not name it.
      (when (eq? (stat:type (stat file)) 'directory)
        (fail-reading file EISDIR))
      (call-with-input-file file get-string-all #:guess-encoding #t #:encoding "UTF-8"))
    (lambda error
      (fail-reading file (system-error-errno error)))))

(define (source-name file)
  "Return the absolute name of the script @var{file}, which code compiled from it bears: @code{load} finds files beside it by that."
  (let ((name (if (absolute-file-name? file)
                  file
                  (string-append (getcwd) "/" (if (string-prefix? "./" file) (substring file 2) file)))))
    ;; The folder's name may be no text in this locale.
    (if (file-exists? name) name file)))

(define (source-port name text)
  (let ((port (open-input-string text)))
    (set-port-filename! port name)
    port))

(define (read-all port)
  (let loop ()
    (unless (eof-object? (read-syntax port))
      (loop))))

(define scheme (lookup-language 'scheme))
(define join-expanded (language-joiner (lookup-language 'tree-il)))

(define (listing-values exp)
  "Return the tree-il of an expression for the list of the values of EXP; of a definition, an empty one.  EXP is no tail call there, or an
error in it could not be traced to the script; and each part has a place, or the whole would have none."
  (match exp
    (($ <seq> src head tail) (make-seq src head (listing-values tail)))
    ((or ($ <toplevel-define>) ($ <void>)) (make-seq (tree-il-src exp) exp (make-const (tree-il-src exp) '())))
    (_ (let ((values (gensym "values ")))
         (make-let-values (tree-il-src exp) exp
                          (make-lambda-case #f '() #f 'values #f '() (list values) (make-lexical-ref #f 'values values) #f))))))

(define (read-and-expand port module)
  "Return two values: the tree-il of all forms that are read from PORT, the first one in MODULE, for the list of the values of the last; and
the module behind that."
  (let loop ((expanded '()) (module module))
    (let ((form ((language-reader scheme) port module)))
      (if (eof-object? form)
          (values (join-expanded (match expanded
                                   (() (list (make-const #f '())))
                                   ((last . others) (reverse (cons (listing-values last) others))))
                                 module)
                  module)
          (call-with-values
              (lambda ()
                (save-module-excursion
                 (lambda ()
                   (set-current-module module)
                   (let ((exp (macroexpand form 'c '(compile load eval))))
                     (values exp (current-module))))))
            (lambda (exp module)
              (loop (cons (check-frames exp) expanded) module)))))))

(define (compile-time-place file port)
  ;; Where the form at fault ends, for errors that do not say where they are.
  (list file (1+ (port-line port)) (port-column port)))

(define* (compile-script file module #:key to-file?)
  "Return the bytecode of the script @var{file} for a thunk that runs it in @var{module}, and returns the list of the values of the last
expression, a bytevector; with @var{to-file?} what @code{write-bytecode} makes a file of.  If it cannot be read or compiled, the script
fails."
  (define text (contents file))
  (define name (source-name file))
  (define (compiling port proc)
    (call-with-report (lambda (exception) (compile-time-place name port)) (const name) (lambda () (proc port)) (const 'syntax)))
  (compiling (source-port name text) read-all)
  (compiling (source-port name text)
             (lambda (port)
               (call-with-values (lambda () (read-and-expand port module))
                 (lambda (expanded module)
                   (compile expanded #:from 'tree-il #:to 'bytecode #:env module
                            #:opts (cons* #:to-file? to-file? %auto-compilation-options)))))))

(define (compiled-name file)
  (string-append (if (string-suffix? ".scm" file) (string-drop-right file 4) file) ".go"))

;; Guile 3.0.8 compiles to a bytevector, 3.0.10 to a procedure that writes when it is for a file; the language writes either.
(define write-bytecode (language-printer (lookup-language 'bytecode)))

(define (write-whole name bytecode)
  "Write the file @var{name} with @var{bytecode}; if that fails there is no such file, or the one that was there before."
  (let* ((port (mkstemp (string-append name ".XXXXXX") "wb"))
         (draft (port-filename port)))
    (catch 'system-error
      (lambda ()
        (write-bytecode bytecode port)
        (chmod port (logand #o666 (lognot (umask))))
        (close-port port)
        (rename-file draft name))
      (lambda error
        (delete-file draft)
        (apply throw error)))))

(define (write-compiled-script file)
  "Compile the script @var{file} into the file of the same name with @file{.go} in place of @file{.scm}, and exit."
  (set-current-module (resolve-module '(guile-user)))
  (let ((bytecode (compile-script file (current-module) #:to-file? #t))
        (name (compiled-name file)))
    (catch 'system-error
      (lambda () (write-whole name bytecode))
      (lambda error
        (format (current-error-port) "tutti: cannot write ~a: ~a~%" name (strerror (system-error-errno error)))
        (exit 1)))
    (exit 0)))
