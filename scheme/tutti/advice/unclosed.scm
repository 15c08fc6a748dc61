;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a form that is never closed was opened, in a file in which a closing parenthesis, quotation mark or |# is missing. Guile's reader
;; only names the end of the file.
(define-module (tutti advice unclosed)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base file-names)
  #:export (unclosed-advice unclosed-places))

;;; Looking for it.

(define opening (char-set #\( #\[))
(define closing (char-set #\) #\]))
(define delimiters (char-set-union char-set:whitespace (char-set #\( #\) #\[ #\] #\" #\;)))

(define between (char-set-union char-set:whitespace (char-set #\' #\` #\, #\@)))

(define (unclosed-places text)
  "Return the list of the forms that are open at the end of @var{text}, the innermost first: the kind of each, a string, its line, from
1, and its column, from 0."
  (define port (open-input-string text))
  (define (place what)
    ;; The character was read.
    (list what (1+ (port-line port)) (1- (port-column port))))
  (define (skip-line)
    (let ((c (read-char port)))
      (unless (or (eof-object? c) (char=? c #\newline))
        (skip-line))))
  (define (skip-token)
    (let ((c (peek-char port)))
      (unless (or (eof-object? c) (char-set-contains? delimiters c))
        (read-char port)
        (skip-token))))
  (define (skip-to end)
    "Go behind the character @var{end}, or return @code{#f}."
    (let ((c (read-char port)))
      (cond ((eof-object? c) #f)
            ((char=? c end) #t)
            (else
             (when (char=? c #\\) (read-char port))
             (skip-to end)))))
  (define (skip-comment depth)
    (let ((c (read-char port)))
      (cond ((eof-object? c) #f)
            ((and (char=? c #\|) (eqv? (peek-char port) #\#))
             (read-char port)
             (or (= depth 1) (skip-comment (1- depth))))
            ((and (char=? c #\#) (eqv? (peek-char port) #\|))
             (read-char port)
             (skip-comment (1+ depth)))
            (else (skip-comment depth)))))
  (define (skip-shebang)
    (let ((c (read-char port)))
      (cond ((eof-object? c) #f)
            ((and (char=? c #\!) (eqv? (peek-char port) #\#)) (read-char port))
            (else (skip-shebang)))))
  (define (scan open)
    (let ((c (read-char port)))
      (cond ((eof-object? c) open)
            ((char-set-contains? opening c) (scan (cons (place "parenthesis") open)))
            ((char-set-contains? closing c) (scan (if (pair? open) (cdr open) open)))
            ((char=? c #\;) (skip-line) (scan open))
            ((char=? c #\") (scan-inside (place "string") (lambda () (skip-to #\")) open))
            ((char=? c #\#) (scan-hash (place "comment") open))
            ((char-set-contains? between c) (scan open))
            (else (skip-token) (scan open)))))
  (define (scan-inside place skip open)
    (if (skip) (scan open) (cons place open)))
  (define (scan-hash comment open)
    (let ((c (peek-char port)))
      (cond ((eof-object? c) open)
            ((char=? c #\\)
             ;; The character that comes next is taken literally.
             (read-char port)
             (read-char port)
             (skip-token)
             (scan open))
            ((char=? c #\|)
             (read-char port)
             (scan-inside comment (lambda () (skip-comment 1)) open))
            ((and (char=? c #\!) (equal? (cdr comment) '(1 0)))
             (scan-inside comment skip-shebang open))
            ((char=? c #\{)
             (scan-inside (cons "symbol" (cdr comment)) (lambda () (skip-to #\})) open))
            ((char=? c #\;)
             (read-char port)
             (scan open))
            (else (scan open)))))
  (scan '()))

;;; Telling.

(define message (make-regexp "^(.*):([0-9]+):([0-9]+): unexpected end of input|^(.*):([0-9]+):([0-9]+): unterminated"))

(define (file-of exception)
  "Return the name of the file at whose end something is missing according to @var{exception}, a read error, or @code{#f}."
  (match (exception-args exception)
    ((_ (? string? text) . _)
     (and=> (regexp-exec message text)
            (lambda (found) (full-file-name (or (match:substring found 1) (match:substring found 4))))))
    (_ #f)))

(define (contents file)
  (and (file-exists? file)
       (call-with-input-file file get-string-all #:guess-encoding #t #:encoding "UTF-8")))

(define (place-text file place)
  (match place
    ((what line column) (format #f "the ~a that begins at ~a:~a:~a" what file line column))))

(define (unclosed-advice exception)
  "Return a sentence that says where what has no end in a file was opened, if the read error @var{exception} is about that; else
@code{#f}."
  (let* ((file (file-of exception))
         (places (or (and=> (and file (false-if-exception (contents file))) unclosed-places) '())))
    (match places
      (() #f)
      ((only) (format #f "~a is not closed" (place-text file only)))
      ((innermost ... outermost)
       (format #f "~a is not closed; it is in the form at ~a:~a:~a" (place-text file (first innermost))
               file (second outermost) (third outermost))))))
