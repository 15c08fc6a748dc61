;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Guile's REPL, with (tutti) imported, lines that can be edited and are remembered, and a Ctrl-C that gives the prompt back.
(define-module (tutti main repl)
  #:use-module (system repl repl)
  #:use-module (tutti config)
  #:use-module (tutti primitives)
  #:export (run-repl))

;;; Ctrl-C.  Guile's own REPL stays inside of what was interrupted, one level deeper each time, with its scopes open.  Here they are
;;; left.  While nothing is being evaluated there is nothing to leave.

(define evaluating? #f)

(define (interrupted signal)
  (if evaluating?
      (abort-to-prompt (default-prompt-tag)
                       (lambda (k)
                         (display "Interrupted.\n")
                         (values)))
      (scm-error 'signal #f "User interrupt" '() (list signal))))

(define (follow-evaluation!)
  (add-hook! before-eval-hook (lambda (form) (set! evaluating? #t)))
  (add-hook! before-read-hook (lambda () (set! evaluating? #f))))

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

(define (use-readline!)
  ;; Some Guiles are built without it.
  (when (isatty? (current-input-port))
    (name-history-file!)
    (let ((readline (false-if-exception (resolve-interface '(ice-9 readline)))))
      (when readline
        ((module-ref readline 'activate-readline))))))

;;; All together.

(define banner
  (format #f "Tutti ~a on Guile ~a.  To begin with: (call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4 9))))"
          (tutti-version) (version)))

(define (run-repl)
  "Talk to the user until the end of the input; then exit."
  (%begin-program!)
  (set-current-module (resolve-module '(guile-user)))
  (for-each (lambda (name) (module-use! (current-module) (resolve-interface name)))
            '((ice-9 session) (ice-9 regex) (tutti)))
  (module-set! (resolve-module '(system repl common)) '*version* banner)
  (use-readline!)
  (follow-evaluation!)
  (sigaction SIGINT interrupted)
  (let ((status (start-repl)))
    (run-hook exit-hook)
    (apply exit status)))
