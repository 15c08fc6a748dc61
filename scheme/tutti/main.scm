;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the program tutti does once it has become Guile.  It has checked its arguments before.
(define-module (tutti main)
  #:use-module (ice-9 match)
  #:use-module ((srfi srfi-1) #:select (any))
  #:use-module (tutti main end)
  #:export (main))

(define (absolute name)
  (if (absolute-file-name? name) name (in-vicinity (getcwd) name)))

(define (folder-of script)
  "Return the list of the folder that the file @var{script} is in, wherever links to it are; if there is no such file, the empty one."
  (let ((name (false-if-exception (canonicalize-path script))))
    (if name (list (dirname name)) '())))

(define* (take-options arguments proc #:optional (folders '()))
  "Call @var{proc} with what is behind the options at the front of @var{arguments}, and with the folders that they name."
  (match arguments
    (("-L" folder . rest)
     ;; The script may go elsewhere.
     (take-options rest proc (cons (absolute folder) folders)))
    (("--protect-borrowed" . rest)
     ((@ (tutti primitives) %protect-borrowed!))
     (take-options rest proc folders))
    (_ (proc arguments (reverse folders)))))

(define (look-in! . folders)
  (set! %load-path (append (apply append folders) %load-path)))

(define (look-beside! script)
  ;; A script with the name tutti.scm would be taken for the module (tutti) that it imports.
  (let ((folders (folder-of script)))
    (set! %load-path
      (if (any (lambda (folder) (file-exists? (in-vicinity folder "tutti.scm"))) folders)
          (append %load-path folders)
          (append folders %load-path)))))

(define (do-command arguments)
  ;; Each command loads only what it needs: a script should start at once.
  (if (string=? (car arguments) "new")
      ;; It has options of its own.
      ((@ (tutti main new) make-project) (cdr arguments))
      (do-with-options arguments)))

(define (do-with-options arguments)
  (take-options (cdr arguments)
    (lambda (rest folders)
      (match (cons (string->symbol (car arguments)) rest)
        (('run script . arguments)
         (look-beside! script)
         (look-in! folders)
         ((@ (tutti main run) run-script) script arguments))
        (('compile script)
         (look-beside! script)
         (look-in! folders)
         ((@ (tutti main compile) write-compiled-script) script))
        (('repl)
         (look-in! folders)
         ((@ (tutti main repl) run-repl)))
        (('doctor) ((@ (tutti main doctor) run-doctor)))))))

(define (main)
  "Do what the command line says: @code{run SCRIPT ARG @dots{}}, @code{compile SCRIPT}, @code{repl},
@code{new ARG @dots{}} or @code{doctor}; then exit."
  (let ((arguments (cdr (command-line))))
    (call-as-program (lambda () (do-command arguments)))))
