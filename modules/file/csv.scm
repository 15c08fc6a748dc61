;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tables in CSV files (RFC 4180).
(define-module (tutti file csv)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti file library)
  #:use-module (tutti file place)
  #:use-module (tutti file table)
  #:export (read-csv write-csv))

(define missing-words '("" "NA" "N/A" "NaN" "nan" "NULL" "null" "<NA>"))

(define (check-character who file what c)
  (unless (and (char? c) (char<? c #\delete) (not (memv c '(#\" #\newline #\return #\nul))))
    (refuse who "~a: the ~a is ~s, expected an ASCII character such as #\\; that is no quote" file what c)))

(define (check-characters who file separator decimal)
  (check-character who file "separator" separator)
  (check-character who file "decimal point" decimal)
  (when (char=? separator decimal)
    (refuse who "~a: the separator and the decimal point are both ~s" file separator)))

;;; Reading.

(define (read-text file)
  "Return two values: the bytes of FILE, and where its text begins, behind a mark of the byte order."
  (call-with-file 'read-csv file
    (lambda (port size)
      (let ((bytes (make-bytevector size)))
        (define (starts-with? . mark)
          (and (>= size (length mark)) (every (lambda (i byte) (= byte (bytevector-u8-ref bytes i))) (iota (length mark)) mark)))
        (read-bytes! 'read-csv file port bytes 0 size)
        (when (or (starts-with? #xff #xfe) (starts-with? #xfe #xff))
          (complain 'read-csv file "it is UTF-16; expected UTF-8: convert it, for instance with iconv -f UTF-16 -t UTF-8"))
        (values bytes (if (starts-with? #xef #xbb #xbf) 3 0))))))

(define (complain-about-line file line field message . arguments)
  (refuse 'read-csv "~a:~a: ~@[column ~a: ~]~a" file line field (apply format #f message arguments)))

(define (refuse-fault file fault line field expected)
  (case fault
    ((no-utf8)
     (complain-about-line file line field
                          "there are bytes that are no UTF-8; convert the file, for instance with iconv -f LATIN1 -t UTF-8"))
    ((open-quote) (complain-about-line file line field "a quote is opened, and not closed before the end of the file"))
    ((after-quote)
     (complain-about-line file line field
                          "there is something between a closing quote and the separator; write a quote in quotes twice"))
    (else
     (complain-about-line file line #f "the line has ~a column~:p, the first one has ~a" field expected))))

(define (field-text text start fields i)
  "Return the text of field number I, and whether it was in quotes."
  (let* ((from (+ start (u64vector-ref fields (* 2 i))))
         (word (u64vector-ref fields (1+ (* 2 i))))
         (part (make-bytevector (ash word -2))))
    (bytevector-copy! text from part 0 (ash word -2))
    (let ((string (utf8->string part)))
      (values (if (logtest word 2) (undouble string) string) (logtest word 1)))))

(define (undouble string)
  (let next ((i 0) (parts '()))
    (let ((at (string-contains string "\"\"" i)))
      (if at
          (next (+ at 2) (cons (substring string i (1+ at)) parts))
          (string-concatenate-reverse (cons (substring string i) parts))))))

(define (header-names file text start fields lines columns header)
  "Return the names of the columns."
  (if (eq? header #t)
      (let ((names (map (lambda (i) (field-text text start fields i)) (iota columns))))
        (for-each (lambda (i)
                    (when (member (list-ref names i) (drop names (1+ i)))
                      (complain-about-line
                       file (u64vector-ref lines 0)
                       (+ 2 i (list-index (lambda (name) (string=? name (list-ref names i))) (drop names (1+ i))))
                       "it has the name ~s, and so has column ~a; give names of your own: #:header '(\"…\" …), with #:skip 1"
                       (list-ref names i) (1+ i))))
                  (iota columns))
        names)
      (let ((names (if header
                       (map (lambda (name) (if (symbol? name) (symbol->string name) name)) header)
                       (map (lambda (i) (format #f "V~a" (1+ i))) (iota columns)))))
        (unless (= (length names) columns)
          (complain-about-line file (if (zero? (u64vector-length lines)) 1 (u64vector-ref lines 0)) #f
                               "the line has ~a column~:p, but #:header has ~a name~:p" columns (length names)))
        names)))

(define (read-column file text start fields lines columns i name kind first rows missing decimal)
  "Return the column number I; KIND is one of csv-kinds, or #f to look."
  (define column (csv-column text start fields columns i first rows missing decimal))
  (define (bad-row row what)
    (let ((text (field-text text start fields (+ i (* columns (+ first row))))))
      (complain-about-line file (u64vector-ref lines (+ first row)) (1+ i)
                           "~s, in the column ~s, is no ~a" text name what)))
  (define (read-numbers make read what)
    (let* ((numbers (make rows))
           (good (read column numbers)))
      (unless (= good rows)
        (bad-row good what))
      numbers))
  (case (or kind (csv-kind column))
    ((integer) (read-numbers make-s64vector csv-integers "integer of 64 bits"))
    ((number) (read-numbers make-f64vector csv-numbers "number"))
    (else
     (let ((strings (make-vector rows #f)))
       (let next ((row 0))
         (when (< row rows)
           (call-with-values (lambda () (field-text text start fields (+ i (* columns (+ first row)))))
             (lambda (string quoted?)
               (when (or quoted? (not (member string missing)))
                 (vector-set! strings row string))))
           (next (1+ row))))
       strings))))

(define (check-types file types names)
  (unless (and (list? types) (every pair? types))
    (refuse 'read-csv "~a: #:types is ~s, expected an association list of columns and types" file types))
  (map (match-lambda
         ((name . type)
          (let ((name (if (symbol? name) (symbol->string name) name)))
            (unless (member name names)
              (refuse 'read-csv "~a: #:types names the column ~s; the file has ~{~s~^, ~}" file name names))
            (unless (memq type csv-kinds)
              (refuse 'read-csv "~a: the type of the column ~s is ~s, expected one of ~{~a~^, ~}" file name type csv-kinds))
            (cons name type))))
       types))

(define (after-lines text start n)
  "Return the index behind N lines of TEXT."
  (let next ((i start) (n n))
    (cond ((or (zero? n) (>= i (bytevector-length text))) i)
          ((= (bytevector-u8-ref text i) 10) (next (1+ i) (1- n)))
          (else (next (1+ i) n)))))

(define (check-options file header missing skip)
  (unless (or (boolean? header) (and (list? header) (every (lambda (name) (or (string? name) (symbol? name))) header)))
    (refuse 'read-csv "~a: #:header is ~s, expected a boolean or a list of names" file header))
  (unless (and (list? missing) (every string? missing) (not (any (lambda (word) (string-index word #\nul)) missing)))
    (refuse 'read-csv "~a: #:missing is ~s, expected a list of strings" file missing))
  (unless (and (exact-integer? skip) (>= skip 0))
    (refuse 'read-csv "~a: #:skip is ~s, expected a number of lines" file skip)))

(define* (read-csv file #:key (separator #\,) (decimal #\.) (header #t) (types '()) (missing missing-words) (skip 0))
  "Return the table in @var{file}, which is UTF-8. Its first line has the names of the columns; with @var{header}
@code{#f} there is none, and they are @code{V1}, @code{V2} and so on, or those of the list @var{header}.  What is in a
column decides what it is: integers, an s64vector; other numbers, an f64vector; or text. @var{types} is an association
list of names and of @code{integer}, @code{number} or @code{text} for columns that are to be so; what is no such thing
is an error. @var{missing} is the list of texts that stand, outside of quotes, for nothing: NaN among numbers,
@code{#f} among texts. @var{skip} is a number of lines to leave out before."
  (check-characters 'read-csv file separator decimal)
  (check-options file header missing skip)
  (call-with-values (lambda () (read-text file))
    (lambda (text mark-end)
      (let ((start (after-lines text mark-end skip)))
        (call-with-values (lambda () (csv-split text start separator))
          (lambda (records columns fields lines)
            (if (symbol? records)
                (refuse-fault file records (+ skip columns) fields lines)
                (begin
                  (when (zero? records)
                    (complain 'read-csv file "there is no line in it; expected one with the names of the columns"))
                  (make-lines! lines skip)
                  (let* ((first (if (eq? header #t) 1 0))
                         (names (header-names file text start fields lines columns header))
                         (types (check-types file types names)))
                    (make-table
                     (map (lambda (i name)
                            (cons name (read-column file text start fields lines columns i name (assoc-ref types name) first
                                                    (- records first) missing decimal)))
                          (iota columns) names)))))))))))

(define (make-lines! lines skip)
  "Add SKIP to the numbers LINES."
  (unless (zero? skip)
    (array-map! lines (lambda (line) (+ line skip)) lines)))

;;; Writing.

(define (quote-if-needed string separator missing?)
  "Return STRING as a field; if it would be taken for nothing, in quotes, too."
  (if (or (string-index string (lambda (c) (memv c (list separator #\" #\newline #\return))))
          missing?
          (and (not (string-null? string))
               (or (char-whitespace? (string-ref string 0)) (char-whitespace? (string-ref string (1- (string-length string)))))))
      (string-append "\"" (string-join (string-split string #\") "\"\"") "\"")
      string))

(define (text-column strings separator nothing)
  "Return two values: the UTF-8 of all fields of the vector STRINGS, and a u64vector of where they begin. NOTHING
stands for a missing one."
  (let* ((n (vector-length strings))
         (fields (map (lambda (string)
                        (string->utf8 (if string (quote-if-needed string separator (member string missing-words)) nothing)))
                      (vector->list strings)))
         (offsets (make-u64vector (1+ n) 0))
         (bytes (make-bytevector (fold (lambda (field sum) (+ sum (bytevector-length field))) 0 fields))))
    (let next ((fields fields) (i 0) (at 0))
      (u64vector-set! offsets i at)
      (match fields
        (() (values bytes offsets))
        ((field . rest)
         (bytevector-copy! field 0 bytes at (bytevector-length field))
         (next rest (1+ i) (+ at (bytevector-length field))))))))

(define (prepare column separator nothing)
  "Return a list of the kind, the data and the offsets of COLUMN, for csv-print."
  (cond ((f64vector? column) (list 'number column #f))
        ((s64vector? column) (list 'integer column #f))
        (else
         (call-with-values (lambda () (text-column column separator nothing))
           (lambda (bytes offsets) (list 'text bytes offsets))))))

(define (write-rows port columns rows separator decimal)
  (let next ((row 0) (text (make-bytevector 1048576)))
    (when (< row rows)
      (call-with-values
          (lambda ()
            (csv-print (map first columns) (map second columns) (map third columns) row rows separator decimal text))
        (lambda (bytes written)
          (put-bytevector port text 0 bytes)
          ;; A row that is longer than the text.
          (next (+ row written) (if (zero? written) (make-bytevector (* 4 (bytevector-length text))) text)))))))

(define* (write-csv file table #:key (separator #\,) (decimal #\.) (header? #t))
  "Write @var{table}, or the table that @code{make-table} makes of it, to @var{file}, in UTF-8, with the names of the
columns in the first line unless @var{header?} is @code{#f}. Texts are in quotes where they have to be. Numbers are
written so that reading them gives the same bits. A text that is missing is nothing, or @code{NA} if there is but one
column. The file is there when all of it is written."
  (check-characters 'write-csv file separator decimal)
  (let* ((table (if (table? table) table (make-table table)))
         (names (table-names table))
         (nothing (if (= (length names) 1) "NA" ""))
         (columns (map (lambda (column) (prepare column separator nothing)) (table-columns table))))
    (when (null? names)
      (complain 'write-csv file "the table has no column"))
    (call-with-replacement 'write-csv file
      (lambda (port partial)
        (when header?
          (put-bytevector port (string->utf8 (string-append
                                              (string-join (map (lambda (name) (quote-if-needed name separator (equal? names '(""))))
                                                                names)
                                                           (string separator))
                                              "\n"))))
        (write-rows port columns (table-rows table) separator decimal)))))
