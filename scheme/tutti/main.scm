;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the program tutti does once it has become Guile.  It has checked its arguments before.
(define-module (tutti main)
  #:use-module (tutti main end)
  #:export (main))

(define (run arguments)
  (if (string=? (car arguments) "--protect-borrowed")
      (begin
        ((@ (tutti primitives) %protect-borrowed!))
        (run (cdr arguments)))
      ((@ (tutti main run) run-script) (car arguments) (cdr arguments))))

(define (do-command arguments)
  ;; Each command loads only what it needs: a script should start at once.
  (case (string->symbol (car arguments))
    ((run) (run (cdr arguments)))
    ((compile) ((@ (tutti main compile) write-compiled-script) (cadr arguments)))
    ((repl) ((@ (tutti main repl) run-repl)))
    ((doctor) ((@ (tutti main doctor) run-doctor)))))

(define (main)
  "Do what the command line says: @code{run SCRIPT ARG @dots{}}, @code{compile SCRIPT}, @code{repl} or @code{doctor}; then exit."
  (let ((arguments (cdr (command-line))))
    (call-as-program (lambda () (do-command arguments)))))
