;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Guile's REPL, with (tutti) imported, lines that can be edited and are remembered, and large values printed in short.
(define-module (tutti program repl)
  #:use-module (tutti base config)
  #:use-module (tutti base primitives)
  #:use-module (tutti program warnings)
  #:use-module (tutti repl commands)
  #:use-module (tutti repl help)
  #:use-module (tutti repl lines)
  #:use-module (tutti repl loop)
  #:export (run-repl))

(define (name-input!)
  ;; What has a name is a place in a backtrace.
  (set-port-filename! (current-input-port) "<stdin>"))

;;; All together.

(define banner
  (format #f "Tutti ~a on Guile ~a.  To begin with: (call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4 9))))"
          (tutti-version) (version)))

(define (run-repl files)
  "Load @var{files}, then talk to the user until the end of the input; then exit."
  (%begin-program!)
  (set-current-module (resolve-module '(guile-user)))
  (for-each (lambda (name) (module-use! (current-module) (resolve-interface name)))
            '((ice-9 session) (ice-9 regex) (tutti)))
  (module-use! (current-module) (resolve-interface '(tutti repl abbreviation) #:select '(print-threshold)))
  (help-in-plain-text!)
  (let ((readline (find-readline leave-what-is-done)))
    (when readline
      ((module-ref readline 'activate-readline))))
  (give-commands-data!)
  (name-input!)
  (handle-interrupts!)
  (for-each primitive-load files)
  (format #t "~a~%~%Enter `,help' for help.~%" banner)
  (dynamic-wind
    (const #t)
    start-loop
    (lambda () (run-hook exit-hook)))
  (exit 0))
