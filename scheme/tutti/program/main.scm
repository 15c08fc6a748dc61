;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the program tutti does once it has become Guile.  It has checked its arguments before.
(define-module (tutti program main)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (tutti program end)
  #:autoload (tutti program run) (folder-of load-path-with)
  #:export (main))

(define (absolute name)
  (if (absolute-file-name? name) name (in-vicinity (getcwd) name)))

(define (set-launcher! text)
  "Let pools run where the launcher that TEXT describes starts machines; end with a message if it describes none."
  (let ((problem (with-exception-handler identity
                   (lambda () ((@ (tutti launcher) current-launcher) ((@ (tutti launcher) as-launcher) text '--on)) #f)
                   #:unwind? #t #:unwind-for-type (@ (tutti conditions) &tutti-error))))
    (when problem
      (format (current-error-port) "tutti: --on ~a~%" ((@ (ice-9 exceptions) exception-message) problem))
      (exit 2))))

(define (begin! option thunk)
  "Call THUNK, which does what OPTION says; end with a message if that cannot be."
  (let ((problem (with-exception-handler identity
                   (lambda () (thunk) #f)
                   #:unwind? #t #:unwind-for-type (@ (tutti conditions) &tutti-error))))
    (when problem
      (format (current-error-port) "tutti: ~a ~a~%" option ((@ (ice-9 exceptions) exception-message) problem))
      (exit 2))))

(define (begin-journal! file)
  (begin! "--journal" (lambda () ((@ (tutti look journal) journal) file))))

(define (begin-page! option)
  "Serve the page of the script, at the port that OPTION, \"--page\" or \"--page=PORT\", names."
  (begin! "--page"
          (lambda ()
            ((@ (tutti look page) serve-page)
             #:port (and (string-prefix? "--page=" option) (or (string->number (substring option 7)) (substring option 7)))))))

(define* (take-options arguments proc #:optional (folders '()) (files '()))
  "Call @var{proc} with what is behind the options at the front of @var{arguments}, and with the folders and files that they name."
  (match arguments
    (("-L" folder . rest)
     ;; The script may go elsewhere.
     (take-options rest proc (cons (absolute folder) folders) files))
    (("-l" file . rest)
     (take-options rest proc folders (cons (absolute file) files)))
    (("--on" launcher . rest)
     (set-launcher! launcher)
     (take-options rest proc folders files))
    (("-q" . rest)
     (take-options rest proc folders files))
    (("--listen" . rest)
     ;; When all else is settled, so that who comes sees the script's folders.
     (take-options rest
       (lambda arguments
         ((@ (tutti look listen) listen))
         (apply proc arguments))
       folders files))
    (("--journal" file . rest)
     ;; As well: it starts the engine.
     (take-options rest
       (lambda arguments
         (begin-journal! file)
         (apply proc arguments))
       folders files))
    (((? (lambda (option) (or (string=? option "--page") (string-prefix? "--page=" option))) option) . rest)
     (take-options rest
       (lambda arguments
         (begin-page! option)
         (apply proc arguments))
       folders files))
    (("--protect-borrowed" . rest)
     ((@ (tutti base primitives) %protect-borrowed!))
     (take-options rest proc folders files))
    (_ (proc arguments (reverse folders) (reverse files)))))

(define (add-to-load-path! . folders)
  (set! %load-path (append (apply append folders) %load-path)))

(define (add-folder-of! script)
  (set! %load-path (load-path-with %load-path (folder-of script))))

(define (do-command arguments)
  ;; Each command loads only what it needs: a script should start at once.
  (match arguments
    (("-c" expression . arguments)
     ((@ (tutti program run) run-expression) expression arguments))
    (("new" . arguments)
     ((@ (tutti program new) make-project) arguments))
    (("replay" . arguments)
     ((@ (tutti program replay) replay) arguments))
    (("report" . arguments)
     ((@ (tutti program journal-report) report) arguments))
    (("ps" . arguments)
     ((@ (tutti program ps) run-ps) arguments))
    (("top" . arguments)
     ((@ (tutti program top) run-top) arguments))
    (("why" . arguments)
     ((@ (tutti program why) run-why) arguments))
    ((command . options)
     (take-options options
       (lambda (rest folders files)
         (match (cons (string->symbol command) rest)
           (('doctor . command)         ; of the program itself, see doctors_argument ()
            (apply (@ (tutti program doctor) run-doctor) command))
           (('run script . arguments)
            (add-folder-of! script)
            (add-to-load-path! folders)
            ((@ (tutti program run) run-script) script arguments))
           (('compile script)
            (add-folder-of! script)
            (add-to-load-path! folders)
            ((@ (tutti program compile) write-compiled-script) script))
           (('attach . pid)
            (apply (@ (tutti program attach) run-attach) pid))
           (('repl)
            (add-to-load-path! folders)
            ((@ (tutti program repl) run-repl) files))))))))

(define (main)
  "Do what the command line says: @code{run SCRIPT ARG @dots{}}, @code{compile SCRIPT}, @code{repl}, @code{new ARG @dots{}},
@code{-c EXPRESSION ARG @dots{}} or @code{doctor}; then exit."
  (let ((arguments (cdr (command-line))))
    (call-as-program (lambda () (do-command arguments)))))
