;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the program tutti does once it has become Guile.  It has checked its arguments before.
(define-module (tutti main)
  #:export (main))

(define (main)
  "Do what the command line says: @code{run SCRIPT ARG @dots{}}, @code{compile SCRIPT}, @code{repl} or @code{doctor}; then exit."
  ;; Each command loads only what it needs: a script should start at once.
  (let ((arguments (cdr (command-line))))
    (case (string->symbol (car arguments))
      ((run) ((@ (tutti main run) run-script) (cadr arguments) (cddr arguments)))
      ((compile) ((@ (tutti main compile) write-compiled-script) (cadr arguments)))
      ((repl) ((@ (tutti main repl) run-repl)))
      ((doctor) ((@ (tutti main doctor) run-doctor))))))
