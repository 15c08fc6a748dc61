;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Lines that can be edited and are remembered, by GNU readline, which some Guiles are built without.
(define-module (tutti repl lines)
  #:export (find-readline leave-lines))

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

(define in-readline? #f)

(define (leave-lines leave signal)
  "Leave readline because of @var{signal}, if it reads, else call @var{leave}. To be called by the handler of the signal, in the thread that
reads."
  (if in-readline?
      (scm-error 'signal #f "User interrupt" '() (list signal))
      (leave)))

(define (leave-readline-by-throwing readline leave)
  ;; What interrupts READLINE, a procedure in C with locks and a terminal in a state of its own, leaves it by an exception, which it knows.
  (lambda arguments
    (catch 'signal
      (lambda ()
        (dynamic-wind
          (lambda () (set! in-readline? #t))
          (lambda () (apply readline arguments))
          (lambda () (set! in-readline? #f))))
      (lambda error
        (leave)
        (apply throw error)))))

;; An expression of several lines is remembered as one of one line, which is recalled whole, also from the file, whose entries are lines.

(define (data text)
  "Return the data in @var{text}, or @code{#f} if it is no text of whole data."
  (false-if-exception
   (call-with-input-string text
     (lambda (port)
       (let next ((found '()))
         (let ((datum (read port)))
           (if (eof-object? datum) found (next (cons datum found)))))))))

(define (one-line text)
  "Return @var{text} in one line, if that means the same: comments, and texts of several lines, stay as they are."
  (if (string-index text #\newline)
      (let ((joined (string-join (map string-trim-both (string-split text #\newline)) " "))
            (meant (data text)))
        (if (and meant (equal? meant (data joined))) joined text))
      text))

(define (find-readline leave)
  "Return the module of readline, or @code{#f} where there is none, or the input is no terminal or edited elsewhere. Its readline can be
left by @code{leave-lines}: then @var{leave} is called."
  (and (isatty? (current-input-port))
       (not (edited-elsewhere?))
       (begin
         (name-history-file!)
         (let ((readline (false-if-exception (resolve-module '(ice-9 readline) #:ensure #f))))
           (when readline
             (module-set! readline '%readline (leave-readline-by-throwing (module-ref readline '%readline) leave))
             (module-set! readline 'add-history
                          (let ((add (module-ref readline 'add-history)))
                            (lambda (text) (add (one-line text))))))
           readline))))
