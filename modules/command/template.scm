;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Templates: texts with places for values.  A template is a vector, which travels; its fields are written @{name} or @{name:%12.5e}.
(define-module (tutti command template)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command pest-template)
  #:use-module (tutti command primitives)
  #:use-module ((tutti command scan) #:select ((read-text . read-bytes-text)))
  #:export (read-template parse-template pest-file-template template? template-file template-names template-encoding fill-template
            read-text))

(define (complain file line column message . arguments)
  (refuse 'template "~a:~a:~a: ~a" file line column (apply format #f message arguments)))

(define* (read-text who file #:key strict?)
  "Return the text of @var{file}, in UTF-8, for @var{who}. Bytes that are none become question marks; with @var{strict?} they are an error."
  (define (text-with strategy)
    (call-with-input-file file
      (lambda (port)
        (set-port-conversion-strategy! port strategy)
        (get-string-all port))
      #:encoding "UTF-8"))
  (unless (string? file)
    (scm-error 'wrong-type-arg (symbol->string who) "expected the name of a file, got ~S" (list file) (list file)))
  (catch 'system-error
    (lambda ()
      (catch 'decoding-error
        (lambda () (text-with (if strict? 'error 'substitute)))
        (lambda _
          (let* ((text (text-with 'substitute))
                 (at (string-index text #\xfffd)))
            (refuse who "~a:~a: the line has bytes that are not UTF-8; convert the file, for example: iconv -f latin1 -t utf8" file
                    (1+ (string-count text #\newline 0 at)))))))
    (lambda arguments
      (refuse who "cannot read ~a: ~a" file (strerror (system-error-errno arguments))))))

;;; Parts: strings, and fields, which are vectors of name, format (#f: full precision), line and column.

(define name-pattern (make-regexp "^[A-Za-z_][A-Za-z0-9_.-]*$"))
(define format-pattern (make-regexp "^%[-+ 0#]*([0-9]{0,3})((\\.[0-9]{1,2})?[eEfFgG]|[ds])$"))

(define (parse-field file line column inside)
  (let* ((colon (string-index inside #\:))
         (name (if colon (substring inside 0 colon) inside))
         (format-text (and colon (substring inside (1+ colon)))))
    (unless (regexp-exec name-pattern name)
      (complain file line column "@{~a}: ~s is no name; expected letters, digits, _, . and -, such as @{k_sand} or @{k_sand:%12.5e}"
                inside name))
    (when (and format-text (not (regexp-exec format-pattern format-text)))
      (complain file line column "@{~a}: ~s is no format; expected one for a number as of printf, such as %12.5e, %g, %d or %s"
                inside format-text))
    (vector name format-text line column)))

(define (parse-line file line number)
  "Return the list of the parts of @var{line}."
  (let loop ((from 0) (parts '()))
    (let ((at (string-contains line "@{" from)))
      (define (text end) (if (= from end) parts (cons (substring line from end) parts)))
      (cond ((not at) (reverse (text (string-length line))))
            ;; @@{ stands for @{.
            ((and (> at from) (char=? (string-ref line (1- at)) #\@))
             (loop (+ at 2) (cons (string-append (substring line from (1- at)) "@{") parts)))
            ((string-index line #\} at)
             => (lambda (end)
                  (loop (1+ end) (cons (parse-field file number (1+ at) (substring line (+ at 2) end)) (text at)))))
            (else (complain file number (1+ at) "@{ without a } on its line; for the characters @{ themselves write @@{"))))))

(define (parse-own file text)
  (append-map (lambda (line number) (append (if (= number 1) '() '("\n")) (parse-line file line number)))
              (string-split text #\newline)
              (iota (1+ (string-count text #\newline)) 1)))

(define (parse-template file text)
  "Return the template with @var{text}, which @var{file} has."
  (vector 'tutti-template file 'own (parse-own file text)))

(define (read-template file)
  "Return the template in @var{file}: a text with fields @code{@@@{name@}}, where values are written with full precision, or
@code{@@@{name:%12.5e@}}, with a format as of @code{printf}. If its first line is @samp{ptf} and a character, it is a template of PEST:
fields are enclosed by that character, and as wide as what stands there, and have as many digits as they hold."
  (if (pest-text? (read-bytes-text 'read-template file))
      (pest-file-template (read-pest-template file))
      (parse-template file (read-text 'read-template file #:strict? #t))))

(define (pest-file-template template . options)
  "Return the template that is @var{template}, one of PEST, filled with @var{options}, the keywords of @code{fill-pest-template}."
  (vector 'tutti-template (pest-template-file template) 'pest (cons template options)))

(define (template? object)
  "Return true if @var{object} is a template."
  (match object
    (#('tutti-template _ _ _) #t)
    (_ #f)))

(define (template-file template)
  "Return the name of the file of @var{template}."
  (vector-ref template 1))

(define (template-encoding template)
  "Return the encoding of the files that are made of @var{template}: PEST's are bytes, since programs count columns."
  (if (eq? 'pest (vector-ref template 2)) "ISO-8859-1" "UTF-8"))

(define (template-names template)
  "Return the list of names of the fields in @var{template}, strings, each once."
  (match template
    (#('tutti-template _ 'pest (template . _)) (pest-template-names template))
    (#('tutti-template _ 'own parts)
     (let ((seen (make-hash-table)))
       (filter-map (lambda (part)
                     (and (vector? part)
                          (not (hash-ref seen (vector-ref part 0)))
                          (begin
                            (hash-set! seen (vector-ref part 0) #t)
                            (vector-ref part 0))))
                   parts)))))

;;; Filling.

(define (values-table values)
  "Return the hash table of @var{values} by their names, strings; the first of a name counts."
  (let ((table (make-hash-table)))
    (for-each (match-lambda
                ((name . value) (hash-set! table (if (symbol? name) (symbol->string name) name) value)))
              (reverse values))
    table))

(define (full-text value fault)
  (cond ((string? value) value)
        ((not (and (real? value) (finite-number? value))) (fault "the value is ~s, expected a finite number or a text" value))
        ((exact-integer? value) (number->string value))
        (else (number->string (exact->inexact value)))))

(define (printed value format-text fault)
  (let* ((found (regexp-exec format-pattern format-text))
         (width (or (string->number (match:substring found 1)) 0))
         (conversion (string-ref format-text (1- (string-length format-text)))))
    (define (pad text) ((if (string-index format-text #\-) string-pad-right string-pad) text (max width (string-length text))))
    (define text
      (case conversion
        ((#\s) (pad (full-text value fault)))
        ((#\d)
         (unless (and (real? value) (finite-number? value) (integer? value))
           (fault "the value is ~s, expected an integer for ~a" value format-text))
         (let* ((number (inexact->exact value))
                (digits (number->string (abs number)))
                (sign (cond ((negative? number) "-")
                            ((string-index format-text #\+) "+")
                            ((string-index format-text #\space) " ")
                            (else "")))
                (zeros? (and (> width 0) (string-match "^%[-+ #]*0" format-text) (not (string-index format-text #\-)))))
           (if zeros?
               (string-append sign (string-pad digits (max (string-length digits) (- width (string-length sign))) #\0))
               (pad (string-append sign digits)))))
        (else
         (unless (and (real? value) (finite-number? value))
           (fault "the value is ~s, expected a finite number for ~a" value format-text))
         (%command-print-number format-text (exact->inexact value)))))
    ;; A number that is too long would move what stands behind it, which programs that read by columns take for something else.
    (when (and (> width 0) (> (string-length text) width))
      (fault "~a does not fit into the ~a characters of ~a" text width format-text))
    text))

(define (part->text file values table part)
  (match part
    ((? string? text) text)
    (#(name format-text line column)
     (define (fault message . arguments)
       (complain file line column "@{~a}: ~a" name (apply format #f message arguments)))
     (let ((value (hash-ref table name)))
       (unless value
         (fault "there is no value of that name~a"
                (if (null? values) "" (format #f "; the names are ~{~a~^, ~}" (map car values)))))
       (if format-text (printed value format-text fault) (full-text value fault))))))

(define (fill-template template values)
  "Return the text of @var{template} with @var{values}, an association list of names, symbols or strings, and numbers or texts. A name that
is not there is an error, with the file and line."
  (match template
    (#('tutti-template _ 'pest (template . options)) (apply fill-pest-template template values options))
    (#('tutti-template file 'own parts)
     (let ((table (values-table values)))
       (string-concatenate (map (lambda (part) (part->text file values table part)) parts))))))
