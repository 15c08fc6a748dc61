;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The text of an EDI file, cut into its blocks.  Programs of forty years have written such files, so whatever has one meaning only is
;; read: any line ends, encodings, comments that begin with >! or !, blanks around =, lower case, counts behind // or on the next line, and
;; numbers as Fortran and C print them.
(define-module (tutti mt edi blocks)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:use-module (tutti mt files)
  #:export (edi-lines edi-blocks block-name block-line block-body block-section? block-lines
            block-words block-options block-option block-numbers text-options word->number info-line?))

;;; Lines.

(define (decode bytes)
  "Return the text that BYTES are: UTF-16 or UTF-8 with their marks, UTF-16 without one, UTF-8, or else Latin-1."
  (define size (bytevector-length bytes))
  (define (octet i) (and (< i size) (bytevector-u8-ref bytes i)))
  (define (starts? . octets) (every (lambda (expected i) (eqv? expected (octet i))) octets (iota (length octets))))
  (define (rest n)
    (let ((part (make-bytevector (- size n))))
      (bytevector-copy! bytes n part 0 (- size n))
      part))
  (define (text encoding n) (bytevector->string (rest n) encoding 'substitute))
  (cond ((starts? #xef #xbb #xbf) (text "UTF-8" 3))
        ((starts? #xff #xfe) (text "UTF-16LE" 2))
        ((starts? #xfe #xff) (text "UTF-16BE" 2))
        ;; An EDI file begins with ASCII.
        ((and (eqv? (octet 1) 0) (not (eqv? (octet 0) 0))) (text "UTF-16LE" 0))
        ((and (eqv? (octet 0) 0) (not (eqv? (octet 1) 0))) (text "UTF-16BE" 0))
        (else (or (false-if-error (utf8->string bytes)) (text "ISO-8859-1" 0)))))

(define (edi-lines who file)
  "Return the list of the lines of @var{file}, which end in CR, LF or both, without blanks at their ends."
  (define bytes (read-whole who file))
  (define (control? c) (or (memv c '(#\nul #\sub))))   ; CP/M ended its texts with control-Z
  (let* ((text (string-delete control? (decode bytes)))
         (lines (append-map (lambda (piece) (string-split (string-trim-right piece #\return) #\return))
                            (string-split text #\newline))))
    (map string-trim-right lines)))

;;; Blocks.

(define-record-type <block>
  (make-block name line header count body)
  block?
  (name block-name)                       ; upper case; a section's begins with =
  (line block-line)                       ; number of its first line
  (header block-header)                   ; text between the name and //
  (count block-count)                     ; number behind //, or #f
  (body block-body set-block-body!))      ; list of pairs of a line's number and its text, comments and empty ones included

(define header (make-regexp "^[[:space:]]*>[[:blank:]]*(=?[[:blank:]]*[[:alpha:]][[:alnum:]_.]*)(.*)$"))
(define comment (make-regexp "^[[:space:]]*(>[[:blank:]]*)?!"))
(define marked-comment (make-regexp "^[[:space:]]*>[[:blank:]]*!"))

(define (block-section? block)
  "Return true if @var{block} is the head of a section, such as >=MTSECT."
  (string-prefix? "=" (block-name block)))

(define (match-name m)
  (string-upcase (string-delete char-set:blank (match:substring m 1))))

;; Text for people may have lines that begin with >, too.
(define after-information '("HEAD" "HMEAS" "EMEAS" "SPECTRA" "FREQ" "PERIOD" "ZROT" "TROT" "RHOROT"))
(define counted (make-regexp "//[[:blank:]]*[0-9]*$"))
;; Their headers have options only, in which // may be, too.
(define uncounted '("HEAD" "INFO" "HMEAS" "EMEAS"))

(define (info-line? line)
  "Return true if @var{line} is text when it is within >INFO, and not the beginning of another block, or a comment."
  (not (or (regexp-exec marked-comment line)
           (let ((m (regexp-exec header line)))
             (and m (or (string-prefix? "=" (match-name m))
                        (member (match-name m) after-information)
                        (and (string=? (match-name m) "END") (string-null? (string-trim (match:substring m 2))))
                        (regexp-exec counted (string-trim-right (match:substring m 2)))))))))

(define (header->block fail number m)
  (let* ((name (match-name m))
         (text (match:substring m 2))
         (at (and (not (member name uncounted)) (string-contains text "//")))
         (words (if at (string-tokenize (substring text (+ at 2))) '()))
         (count (and (pair? words) (string->number (car words) 10))))
    (when (and (pair? words) (not (and (exact-integer? count) (>= count 0))))
      (fail number "what is behind // is no number: ~a" (string-trim-both (match:substring m 0))))
    (make-block name number (string-trim-both (if at (substring text 0 at) text)) count
                (if (and (pair? words) (pair? (cdr words))) (list (cons number (string-join (cdr words)))) '()))))

(define (edi-blocks fail lines)
  "Return the list of the blocks in @var{lines}.  @var{fail} is called with the number of a line, a message for @code{format} and its
arguments if there is something else."
  (define (finish blocks)
    (for-each (lambda (block) (set-block-body! block (reverse (block-body block)))) blocks)
    (reverse blocks))
  (let loop ((lines lines) (number 1) (blocks '()))
    (match lines
      (() (finish blocks))
      ((line . rest)
       (define in-info? (and (pair? blocks) (string=? (block-name (car blocks)) "INFO")))
       (define m (and (not (and in-info? (info-line? line))) (regexp-exec header line)))
       (cond ((regexp-exec marked-comment line)
              (loop rest (1+ number) blocks))
             (m
              (let ((block (header->block fail number m)))
                (if (string=? (block-name block) "END")
                    (finish (cons block blocks))
                    (loop rest (1+ number) (cons block blocks)))))
             ((and (pair? blocks) (or in-info? (not (string-prefix? ">" (string-trim line)))))
              (set-block-body! (car blocks) (cons (cons number line) (block-body (car blocks))))
              (loop rest (1+ number) blocks))
             ((or (string-null? line) (regexp-exec comment line))
              (loop rest (1+ number) blocks))
             ((pair? blocks)
              (fail number "there is no name behind the >"))
             (else
              (fail number "expected a block such as >HEAD, got ~a" (string-trim-both line))))))))

(define (block-lines block)
  "Return the list of pairs of number and text of the lines of @var{block} that are neither empty nor comments."
  (filter-map (match-lambda
                ((number . text)
                 (let ((trimmed (string-trim-both text)))
                   (and (not (string-null? trimmed)) (not (regexp-exec comment trimmed)) (cons number trimmed)))))
              (block-body block)))

;;; Options: KEY=value, KEY = value, KEY="any value".

(define first-key (make-regexp "^[[:blank:]]*([[:alpha:]][[:alnum:]_. ]*)[[:blank:]]*="))
(define next-key (make-regexp "[[:blank:],]([[:alpha:]][[:alnum:]_.]*)[[:blank:]]*="))

(define (clean text)
  "Return TEXT as it can be written within quotation marks."
  (string-trim-both (string-map (lambda (c) (cond ((char=? c #\") #\') ((char<? c #\space) #\space) (else c))) text)))

(define (text-options text)
  "Return the list of pairs of key, in upper case, and value, a string, of the options in @var{text}, which is one line.  A value without
quotation marks lasts until the next key."
  (let loop ((m (or (regexp-exec first-key text) (regexp-exec next-key text))) (options '()))
    (if (not m)
        (reverse options)
        (let* ((key (string-join (string-tokenize (string-upcase (match:substring m 1)))))
               (start (match:end m))
               (quote-at (string-skip text char-set:blank start))
               (quoted? (and quote-at (char=? (string-ref text quote-at) #\")))
               (close (and quoted? (string-index text #\" (1+ quote-at))))
               (next (regexp-exec next-key text (or close start)))
               (value (if quoted?
                          (substring text (1+ quote-at) (or close (string-length text)))
                          (substring text start (if next (match:start next) (string-length text))))))
          (loop next (cons (cons key (clean value)) options))))))

(define (block-options block)
  "Return the options in the header and the lines of @var{block}."
  (append (text-options (block-header block))
          (append-map (match-lambda ((_ . text) (text-options text))) (block-lines block))))

(define (block-option block key)
  "Return the text of the option @var{key} of @var{block}, or @code{#f} if it is not there or empty."
  (let ((value (assoc-ref (block-options block) key)))
    (and value (not (string-null? value)) value)))

;;; Numbers.

(define decimal
  ;; Fortran leaves out the letter of exponents with three digits.
  (make-regexp "^([+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+))([EeDdQq]([+-]?[0-9]+)|([+-][0-9]{3}))?$"))
(define glued (make-regexp "[EeDd][+-][0-9]{2,3}[+-]"))
(define infinite (make-regexp "^[+-]?(inf(inity)?|1\\.#inf[0-9e+]*)$" regexp/icase))
(define unknown (make-regexp "^[+-]?(nan(\\(.*\\))?q?|1\\.#[a-z]+[0-9e+]*|\\*+|-+|n/?a|null|none)$" regexp/icase))

(define (word->number word)
  "Return the number that @var{word} is, inexact, or @code{#f}.  What stands for none, such as asterisks, is not a number."
  (cond ((regexp-exec decimal word)
         => (lambda (m)
              (let* ((exponent (or (match:substring m 4) (match:substring m 5)))
                     (power (if exponent (string->number exponent 10) 0)))
                (if (<= (abs power) 290)
                    (exact->inexact (string->number (format #f "~ae~a" (match:substring m 1) power) 10))
                    ;; Guile reads no larger exponents; and beyond some all digits would be multiplied out for nothing.
                    (exact->inexact (* (string->number (string-append "#e" (match:substring m 1)) 10)
                                       (expt 10 (max -2000 (min 2000 power)))))))))
        ((regexp-exec infinite word) (if (string-prefix? "-" word) -inf.0 +inf.0))
        ((regexp-exec unknown word) +nan.0)
        (else #f)))

(define comma-decimal (make-regexp "^[+-]?[0-9]+,[0-9]*[EeDd][+-]?[0-9]+$"))

(define (split-word word)
  "Return the list of the words that WORD is made of: between commas, or where a number has filled its columns."
  (cond ((string-any (lambda (c) (memv c '(#\, #\;))) word)
         (if (regexp-exec comma-decimal word)
             (list (string-map (lambda (c) (if (char=? c #\,) #\. c)) word))
             (string-tokenize word (char-set-complement (char-set #\, #\;)))))
        ((regexp-exec glued word)
         => (lambda (m)
              (let ((at (1- (match:end m))))
                (cons (substring word 0 at) (split-word (substring word at))))))
        (else (list word))))

(define trailing-comment (make-regexp "[[:blank:]]!.*$"))

(define (block-words fail block)
  "Return the words in the lines of @var{block}, pairs of the line's number and the text, and as second value the count that it is said
to have, or @code{#f}: behind // in its header or in front of the others."
  (let loop ((lines (block-lines block)) (count (block-count block)) (words '()))
    (match lines
      (() (values (reverse words) count))
      (((number . text) . rest)
       (let* ((m (regexp-exec trailing-comment text))
              (text (if m (match:prefix m) text)))
         (if (string-prefix? "//" text)
             (let* ((items (string-tokenize (substring text 2)))
                    (n (and (pair? items) (string->number (car items) 10))))
               (unless (exact-integer? n)
                 (fail number "what is behind // is no number: ~a" text))
               (loop (if (null? (cdr items)) rest (acons number (string-join (cdr items)) rest)) n words))
             (loop rest count
                   (append-reverse (map (lambda (word) (cons number word)) (append-map split-word (string-tokenize text))) words))))))))

(define (void? x void)
  ;; Some programs keep it in single precision.
  (and void (if (zero? void) (zero? x) (<= (abs (- x void)) (* 1e-6 (abs void))))))

(define* (block-numbers fail block void #:optional n)
  "Return the list of the numbers in @var{block}, those that are @var{void} (@code{#f}: none) as not a number.  They must be @var{n} if that
is known, else as many as the block says."
  (call-with-values (lambda () (block-words fail block))
    (lambda (words count)
      (let ((numbers (map (match-lambda
                            ((line . word)
                             (let ((x (or (word->number word) (fail line "~s in >~a is no number" word (block-name block)))))
                               (if (void? x void) +nan.0 x))))
                          words)))
        (define (wrong message . arguments) (apply fail (block-line block) message arguments))
        (unless (= (length numbers) (or n count (length numbers)))
          (if (and count (not (= (length numbers) count)))
              (wrong ">~a has ~a number~:p, expected ~a" (block-name block) (length numbers) count)
              (wrong ">~a has ~a number~:p, but there are ~a frequencies" (block-name block) (length numbers) n)))
        numbers))))
