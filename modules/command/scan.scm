;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Texts of other programs: their lines, the words of these with their columns, numbers as Fortran, C and Python write them, and errors that
;; say where.
(define-module (tutti command scan)
  #:use-module (ice-9 format)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command primitives)
  #:export (complain-at complain-about read-text split-lines map-lines blank? word-list word-text word-column parse-real parse-natural
            parse-finite cause-text check-text))

(define (complain-at who file line column message . arguments)
  "Raise a @code{&tutti-error} in the name of @var{who} about column @var{column} of line @var{line} of @var{file}, both counted from 1, or
@code{#f}, with the text that @code{format} makes of @var{message} and @var{arguments}."
  (refuse who "~a:~@[~a:~]~@[~a:~] ~a" file line column (apply format #f message arguments)))

(define (complain-about who place message . arguments)
  "Raise a @code{&tutti-error} in the name of @var{who} about @var{place}, a text such as @samp{m.pst:19}."
  (refuse who "~a: ~a" place (apply format #f message arguments)))

(define (check-text who file text)
  "Raise a @code{&tutti-error} unless @var{file}, the name of a file, and @var{text}, what is in it, are strings."
  (unless (string? file) (refuse who "the name of the file is ~s, expected a string" file))
  (unless (string? text) (refuse who "the text of ~a is ~s, expected a string" file text)))

;;; Files.

(define* (read-text who file #:optional (encoding "ISO-8859-1"))
  "Return the text in @var{file}. With the usual @var{encoding} each byte is a character: so programs count columns."
  (define (system-error . arguments) (refuse who "cannot read ~a: ~a" file (strerror (system-error-errno arguments))))
  (unless (and (string? file) (not (string-null? file)) (not (string-index file #\nul)))
    (refuse who "the name of the file is ~s, expected a string" file))
  ;; A FIFO that nobody writes to would be waited for.
  (let ((port (catch 'system-error (lambda () (open file (logior O_RDONLY O_NONBLOCK O_CLOEXEC))) system-error)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (unless (eq? (stat:type (stat port)) 'regular)
          (refuse who "cannot read ~a: it is a ~a, expected a file with text" file (stat:type (stat port))))
        (set-port-encoding! port encoding)
        (set-port-conversion-strategy! port 'substitute)
        (let ((text (catch 'system-error (lambda () (get-string-all port)) system-error)))
          (if (string-prefix? "\ufeff" text) (string-drop text 1) text)))
      (lambda () (close-port port)))))

;;; Lines and words.

(define (split-lines text)
  "Return the list of the lines of @var{text}, without what ends them, which may be that of any system."
  ;; Copies: string-downcase of a part of a text takes as long as that of all of it.
  (let ((lines (map (lambda (line)
                      (substring/copy line 0 (if (string-suffix? "\r" line) (1- (string-length line)) (string-length line))))
                    (string-split text #\newline))))
    (if (string-null? (last lines)) (drop-right lines 1) lines)))

(define (map-lines proc text)
  "Return the list of what @var{proc} returns for the lines of @var{text} and their numbers, from 1, without what is @code{#f}."
  (let ((lines (split-lines text)))
    (filter-map proc lines (iota (length lines) 1))))

(define (blank? c)
  "Return true if @var{c} is a blank or a tab."
  (or (char=? c #\space) (char=? c #\tab)))

(define (word-text word) "Return the text of @var{word}." (car word))
(define (word-column word) "Return the column, from 1, in which @var{word} begins." (cdr word))

(define* (word-list line #:optional unclosed)
  "Return the list of the words of @var{line}, which blanks separate. With @var{unclosed}, a procedure of a column, words in single or
double quotes may have blanks, and the procedure is called if a quote is not closed."
  (define end (string-length line))
  (let next ((i 0) (words '()))
    (let ((start (string-skip line blank? i)))
      (cond ((not start) (reverse words))
            ((and unclosed (memv (string-ref line start) '(#\" #\')))
             (let ((close (or (string-index line (string-ref line start) (1+ start)) (unclosed (1+ start)))))
               (next (1+ close) (cons (cons (substring line (1+ start) close) (1+ start)) words))))
            (else
             (let ((stop (or (string-index line blank? start) end)))
               (next stop (cons (cons (substring line start stop) (1+ start)) words))))))))

;;; Numbers.

(define longest-number 400)             ; characters: longer ones are no numbers that a program writes

(define (digit c) (let ((n (- (char->integer c) 48))) (and (<= 0 n 9) n)))

(define (scan-digits text i end mantissa count)
  "Return the mantissa, the number of its digits and the index behind the digits of TEXT from I on."
  (let ((d (and (< i end) (digit (string-ref text i)))))
    (if d
        (scan-digits text (1+ i) end (+ d (* 10 mantissa)) (1+ count))
        (values mantissa count i))))

(define* (parse-real text #:optional (start 0) (end (string-length text)))
  "Return the number that is all of @var{text} from @var{start} to @var{end}, or @code{#f}: as Fortran, C and Python write numbers, with the
exponent after @samp{e}, @samp{d} or nothing, and those that are not finite."
  (and (< start end (+ start longest-number))
       (%command-read-number (substring text start end))))

(define (parse-finite text)
  "Return the finite number that is all of @var{text}, or @code{#f}."
  (let ((x (parse-real text))) (and x (finite? x) x)))

(define* (parse-natural text #:optional (start 0) (end (string-length text)))
  "Return the whole number from 0 on that is all of @var{text} from @var{start} to @var{end}, or @code{#f}."
  (and (< start end (+ start 20))
       (call-with-values (lambda () (scan-digits text start end 0 0))
         (lambda (n count stop) (and (= stop end) n)))))

(define (cause-text text)
  "Return what is to be said of @var{text}, which is no number: a hint behind a semicolon, or an empty string."
  (cond ((string-null? text) "")
        ((string-every #\* text) "; Fortran writes asterisks if a number does not fit its field")
        (else "")))
