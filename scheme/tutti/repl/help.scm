;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is documented, in the REPL: docstrings have the markup of Texinfo, and are shown as the manual shows them.
(define-module (tutti repl help)
  #:use-module (ice-9 documentation)
  #:use-module (ice-9 session)
  #:use-module (system repl command)
  #:use-module (system repl common)
  #:autoload (texinfo) (texi-fragment->stexi)
  #:autoload (texinfo plain-text) (stexi->plain-text)
  #:export (help-in-plain-text!))

(define (marked? text)
  (string-index text #\@))

(define (plain-text text)
  "Return @var{text}, which may have the markup of Texinfo, without it."
  ;; Guile's own texts, and users', need not have it.
  (or (and (marked? text)
           (false-if-exception (string-trim-both (stexi->plain-text (texi-fragment->stexi text)))))
      text))

(define (documentation object)
  (let ((text (object-documentation object)))
    (if (string? text) (plain-text text) text)))

(define in-plain-text? #f)

(define (help-in-plain-text!)
  "Let @code{,describe} and @code{help} show text without markup from now on."
  (unless in-plain-text?
    (set! in-plain-text? #t)
    (replace-help!)))

(define (replace-help!)
  (define-meta-command (describe repl (form))
    "describe OBJ
Show description/documentation."
    (let ((input (repl-parse repl form)))
      (display (or (documentation (if (symbol? input)
                                      (module-ref (current-module) input)
                                      (repl-eval repl input)))
                   "There is no description of it."))
      (newline)))
  (add-value-help-handler! (lambda (name value) (documentation value))))
