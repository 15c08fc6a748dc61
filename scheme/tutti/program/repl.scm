;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Guile's REPL, with (tutti) imported, lines that can be edited and are remembered, and large values printed in short.
(define-module (tutti program repl)
  #:use-module (system repl common)
  #:use-module (tutti base config)
  #:use-module (tutti base primitives)
  #:use-module (tutti program abbreviation)
  #:use-module (tutti program help)
  #:use-module (tutti program loop)
  #:use-module (tutti program warnings)
  #:export (run-repl))

;;; Lines.

(define (state-directory)
  (or (getenv "XDG_STATE_HOME")
      (and=> (getenv "HOME") (lambda (home) (string-append home "/.local/state")))))

(define (make-directories directory)
  (unless (file-exists? directory)
    (make-directories (dirname directory))
    (mkdir directory #o700)))

(define (name-history-file!)
  ;; Guile's readline reads and writes the file that GUILE_HISTORY names.  Without a folder to keep it in there is none.
  (let ((state (state-directory)))
    (when (and state (not (getenv "GUILE_HISTORY")))
      (let ((directory (string-append state "/tutti")))
        (false-if-exception (make-directories directory))
        (setenv "GUILE_HISTORY" (string-append directory "/history"))))))

(define (edited-elsewhere?)
  ;; Emacs (Geiser, M-x shell) edits and remembers lines itself.
  (and=> (getenv "INSIDE_EMACS") (lambda (text) (string-contains text "comint"))))

(define (use-readline!)
  ;; Some Guiles are built without it.
  (when (and (isatty? (current-input-port)) (not (edited-elsewhere?)))
    (name-history-file!)
    (let ((readline (false-if-exception (resolve-module '(ice-9 readline) #:ensure #f))))
      (when readline
        (module-set! readline '%readline (leave-readline-by-throwing! (module-ref readline '%readline)))
        ((module-ref readline 'activate-readline))))))

(define (name-input!)
  ;; What has a name is a place in a backtrace.
  (set-port-filename! (current-input-port) "<stdin>"))

;;; All together.

(define banner
  (format #f "Tutti ~a on Guile ~a.  To begin with: (call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4 9))))"
          (tutti-version) (version)))

(define (print-value repl value)
  (write-abbreviated value (current-output-port))
  (newline))

(define (run-repl files)
  "Load @var{files}, then talk to the user until the end of the input; then exit."
  (%begin-program!)
  (set-current-module (resolve-module '(guile-user)))
  (for-each (lambda (name) (module-use! (current-module) (resolve-interface name)))
            '((ice-9 session) (ice-9 regex) (tutti)))
  (module-use! (current-module) (resolve-interface '(tutti program abbreviation) #:select '(print-threshold)))
  (repl-default-option-set! 'print print-value)
  (help-in-plain-text!)
  (use-readline!)
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
