;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Reading, evaluating and printing, as Guile's REPL does it, with its commands and its debugger. Only what happens at Ctrl-C is another
;; matter: Guile's REPL stays inside of what was interrupted, one level deeper each time, with its scopes open. Here whatever goes on, be
;; it reading, compiling, evaluating, printing or a command, is left, and the prompt is back. And (exit) ends the program at any level.
(define-module (tutti repl loop)
  #:use-module (ice-9 exceptions)
  #:use-module ((srfi srfi-1) #:select (any drop-while find))
  #:use-module (srfi srfi-9)
  #:use-module (system base language)
  #:use-module (system repl command)
  #:use-module (system repl common)
  #:use-module (system repl debug)
  #:use-module (system repl error-handling)
  #:use-module ((system syntax internal) #:select (syntax?))
  #:use-module (system vm frame)
  #:use-module (tutti advice exception)
  #:use-module ((tutti conditions) #:select (source->string))
  #:use-module (tutti base primitives)
  #:use-module (tutti repl abbreviation)
  #:use-module (tutti repl lines)
  #:export (start-loop handle-interrupts! leave-what-is-done give-commands-data! call-asking reading-form?))

;;; Ctrl-C.

(define interrupted-tag (make-prompt-tag "interrupted"))

;; What a user is talked to about: there may be several, each in a thread of its own. Is there something to leave? Is it reading the next
;; expression? ASK: how that is asked for, a procedure that gets the prompt and a thunk that reads; #f: as Guile does. AROUND: calls the
;; thunk that evaluates an expression, which it is given as well.
(define-record-type <talk>
  (make-talk doing? reading? ask around)
  talk?
  (doing? talk-doing? set-talk-doing?!)
  (reading? talk-reading? set-talk-reading?!)
  (ask talk-ask)
  (around talk-around))

(define (just-evaluate form thunk) (thunk))

(define current-talk (make-fluid (make-talk #f #f #f just-evaluate)))

(define* (call-asking ask thunk #:key (around just-evaluate))
  "Call @var{thunk}, in which a loop asks for expressions by @var{ask}, a procedure of the prompt, a string, and of a thunk that reads one.
Each is evaluated by @var{around}, a procedure of the expression and of a thunk, whose values it returns."
  (with-fluids ((current-talk (make-talk #f #f ask around)))
    (thunk)))

(define (reading-form?)
  "Return true if the loop of this thread is reading an expression."
  (talk-reading? (fluid-ref current-talk)))

(define (leave-what-is-done)
  "Leave what the loop of this thread is doing, for the next prompt."
  (when (talk-doing? (fluid-ref current-talk))
    ;; Between two rounds there is no such prompt, and nothing to leave.
    (false-if-exception (abort-to-prompt interrupted-tag))))

(define (interrupted signal)
  (%signal-heard!)
  (leave-lines leave-what-is-done signal))

(define (handle-interrupts!)
  "Let Ctrl-C give the prompt back from now on."
  (sigaction SIGINT interrupted)
  (%nudge-at-signal! SIGINT))

(define (tell-interruption)
  (let ((port (current-input-port)))
    (cond ((not (reading-form?)) (display "\nInterrupted.\n"))
          ;; Input that was typed or pasted behind it is discarded as well. (Readline has begun a line, and keeps nothing.)
          ((file-port? port)
           (drain-input port)
           (newline)))
    (set-talk-reading?! (fluid-ref current-talk) #f)))

;;; Reading.

(define command-token (list 'command))
(define nothing (list 'nothing))

(define (skip-blanks port)
  (let ((c (peek-char port)))
    (if (and (char? c) (char-whitespace? c))
        (begin (read-char port) (skip-blanks port))
        c)))

(define (read-to-end-of-line port)
  (let ((c (read-char port)))
    (unless (or (eof-object? c) (char=? c #\newline))
      (read-to-end-of-line port))))

(define (reader repl)
  (lambda* (#:optional (port (current-input-port)))
    (let ((c (skip-blanks port)))
      (cond ((eof-object? c) (read-char port))
            ((char=? c #\,) (read-char port) command-token)
            ;; No prompt for more after a comment.
            ((and (char=? c #\;) (eq? (language-name (repl-language repl)) 'scheme))
             (read-to-end-of-line port)
             nothing)
            (else ((language-reader (repl-language repl)) port (current-module)))))))

(define (forget-line port)
  "Drop what is left of the line in @var{port}, without waiting for more."
  (when (and (char-ready? port) (char? (peek-char port)) (not (char=? (read-char port) #\newline)))
    (forget-line port)))

(define (forget-blanks port)
  "Drop blanks up to the end of the line in @var{port}, without waiting for more."
  (when (char-ready? port)
    (let ((c (peek-char port)))
      (when (and (char? c) (char-whitespace? c))
        (unless (char=? (read-char port) #\newline)
          (forget-blanks port))))))

(define (show-problem activity key arguments)
  (format #t "While ~a:~%" activity)
  (print-exception (current-output-port) #f key arguments)
  (show-advice (current-output-port) key arguments #f))

(define (show-advice port key arguments stack)
  (let ((advice (false-if-exception (exception-advice (make-exception-from-throw key arguments) stack))))
    (when advice
      (format port "~a~%" advice))))

(define (ask-for-form repl)
  (let ((ask (talk-ask (fluid-ref current-talk))))
    (if ask
        (ask (repl-prompt repl) (reader repl))
        (repl-reader (lambda () (repl-prompt repl)) (reader repl)))))

(define (read-form repl)
  (set-talk-reading?! (fluid-ref current-talk) #t)
  (let ((form (catch #t
                (lambda () (ask-for-form repl))
                (lambda (key . arguments)
                  (when (eq? key 'quit)
                    (apply throw key arguments))
                  (show-problem "reading expression" key arguments)
                  (forget-line (current-input-port))
                  nothing))))
    (set-talk-reading?! (fluid-ref current-talk) #f)
    form))

(define commands-given-data? #f)

(define (give-commands-data!)
  "Let commands be given plain data from now on, as they have been by all Guiles before 3.0: those of Geiser need them, and places are
kept in the properties of data as well."
  (unless commands-given-data?
    (set! commands-given-data? #t)
    (let ((original repl-reader))
      (set! repl-reader
        (lambda* (prompt #:optional (reader read))
          ;; They are read without a prompt.
          (original prompt (if (equal? prompt "") read reader)))))))

;;; Evaluating.

(define (call-with-usual-prompt thunk)
  (call-with-prompt (default-prompt-tag)
    (lambda () (start-stack #t (thunk)))
    (lambda (k proc) (call-with-usual-prompt (lambda () (proc k))))))

(define (compiled repl form)
  "Return @var{form} as a thunk, or @code{#f} after saying what is wrong with it."
  (catch #t
    (lambda ()
      (repl-prepare-eval-thunk repl (repl-parse repl form)))
    (lambda (key . arguments)
      (when (eq? key 'quit)
        (apply throw key arguments))
      (show-problem "compiling expression" key arguments)
      #f)))

(define (machinery? frame)
  ;; The procedures that raise, which tell nothing about the error.
  (let ((source (frame-source frame)))
    (or (not source) (equal? (cadr source) "ice-9/boot-9.scm"))))

(define (user-frames frames)
  (list->vector (drop-while machinery? (vector->list frames))))

;; Folders of modules that are Guile's or ours: errors that they raise are reported where they were called.
(define folders '("ice-9/" "srfi/" "rnrs/" "system/" "language/" "oop/" "web/" "tutti/"))

(define (others? frame)
  (let ((file (and=> (frame-source frame) cadr)))
    (and (string? file)
         (not (any (lambda (folder) (string-prefix? folder file)) folders)))))

(define (form-place form)
  "Return the text of where @var{form} was typed, or @code{#f}."
  (if (syntax? form)
      (and=> (false-if-exception ((@ (tutti remote analysis) syntax-place) form)) source->string)
      (let ((source (source-properties form)))
        (and (pair? source)
             (source->string (list (assq-ref source 'filename) (1+ (assq-ref source 'line)) (assq-ref source 'column)))))))

(define (print-with-place port form frames key arguments)
  ;; A call in tail position has left no frame of what was typed.
  (let ((frame (find others? (vector->list frames)))
        (place (form-place form)))
    (when (and place (not frame))
      (format port "~a: " place))
    (print-exception port frame key arguments)))

(define (debugging form ports)
  "Return the procedure that tells of an exception in FORM, with PORTS as current ones, and lets the user look at what has raised it."
  (lambda (key . arguments)
    (let* ((stack (make-stack #t))
           (tag (and=> (fluid-ref %stacks) (lambda (stacks) (and (pair? stacks) (cdr stacks)))))
           (frames (user-frames (narrow-stack->vector stack 3 tag 0 (and tag 1))))
           (text (call-with-output-string
                  (lambda (port)
                    (print-with-place port form frames key arguments)
                    (show-advice port key arguments stack)))))
      (call-with-ports ports
        (lambda ()
          (format #t "~a~%" text)
          (format #t "Entering a new prompt.  Type `,bt' for a backtrace or `,q' to continue.~%")
          (start-loop (current-language) (make-debug frames 0 text)))))))

(define (current-ports)
  (list (current-input-port) (current-output-port) (current-error-port)))

(define (call-with-ports ports thunk)
  (with-input-from-port (car ports)
    (lambda ()
      (with-output-to-port (cadr ports)
        (lambda ()
          (with-error-to-port (caddr ports) thunk))))))

(define (evaluate repl form)
  (let ((thunk (compiled repl form))
        (on-error (repl-option-ref repl 'on-error)))
    (when thunk
      (run-hook before-eval-hook form)
      (call-with-error-handling
       (lambda ()
         (call-with-values (lambda () ((talk-around (fluid-ref current-talk)) form (lambda () (call-with-usual-prompt thunk))))
           (lambda values
             (for-each (lambda (value) (repl-print repl value)) values))))
       #:on-error (if (eq? on-error 'debug) (debugging form (current-ports)) on-error)))))

(define leave-tag (make-prompt-tag "leave"))

(define (leave)
  (abort-to-prompt leave-tag))

(define (do-command repl)
  (catch #t
    (lambda () (meta-command repl))
    (lambda (key . arguments)
      (if (eq? key 'quit)
          (leave)
          (show-problem "executing meta-command" key arguments)))))

;;; The loop.

(define (do-next repl)
  (let ((form (read-form repl)))
    (cond ((eq? form nothing))
          ((eq? form command-token) (do-command repl))
          ((eof-object? form)
           (newline)
           (leave))
          (else
           ;; Input comes by lines: what the program reads is what follows.
           (forget-blanks (current-input-port))
           (evaluate repl form)))
    (forget-blanks (current-input-port))))

(define (rounds repl)
  (call-with-prompt interrupted-tag
    (lambda ()
      (set-talk-doing?! (fluid-ref current-talk) #t)
      (do-next repl))
    (lambda (k)
      (tell-interruption)))
  (rounds repl))

(define (print-value repl value)
  (write-abbreviated value (current-output-port))
  (newline))

(define* (start-loop #:optional (language (current-language)) debug)
  "Talk to the user until the end of the input, or a command to leave; with @var{debug}, about what has raised an exception."
  (parameterize ((current-language language))
    (let ((repl (make-repl language debug)))
      (repl-option-set! repl 'print print-value)
      (with-fluids ((*repl-stack* (cons repl (or (fluid-ref *repl-stack*) '()))))
        (call-with-prompt leave-tag
          (lambda () (rounds repl))
          (lambda (k) *unspecified*))))))
