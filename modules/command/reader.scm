;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Readers: what is taken from the files that a program has written.  A reader is a vector, which travels.
(define-module (tutti command reader)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti command json)
  #:use-module (tutti command pest-instructions)
  #:use-module (tutti command pest-reading)
  #:use-module ((tutti command scan) #:select ((read-text . read-bytes-text)))
  #:use-module (tutti command primitives)
  #:use-module (tutti command template)
  #:use-module (tutti file)
  #:export (output-text output-value output-column output-csv output-npy output-json output-pest
            reader? reader-size read-output reader->string))

(define (make-reader kind file . arguments)
  (unless (and (string? file) (not (string-null? file)))
    (scm-error 'wrong-type-arg (symbol->string kind) "expected the name of a file in the folder of the run, got ~S"
               (list file) (list file)))
  (vector 'tutti-reader kind file arguments))

(define (reader? object)
  "Return true if @var{object} is a reader."
  (match object
    (#('tutti-reader _ _ _) #t)
    (_ #f)))

(define (reader->string reader)
  "Return the text of the expression that makes @var{reader}."
  (match reader
    (#('tutti-reader kind file _) (format #f "(~a ~s …)" kind file))))

(define (check-from-1 who what n)
  (unless (and (exact-integer? n) (positive? n))
    (refuse who "~a: expected a number from 1, got ~s" what n)))

;;; Their makers.

(define* (output-text file)
  "Return the reader of the whole text of @var{file}; the file @file{stdout} is what the program has written to its standard output."
  (make-reader 'output-text file))

(define* (output-value file pattern #:key (line 0) (field 1) (occurrence 1))
  "Return the reader of a number in @var{file}: of the line that contains the text @var{pattern} for the time @var{occurrence}, from 1, or
@code{last}, the @var{field}, from 1, after the pattern; with @var{line}, the field of so many lines further on. Fields stand between white
space, commas and equal signs. With @code{#f} as the pattern @var{line} counts from the start of the file, from 1."
  (check-from-1 'output-value "#:field" field)
  (unless (or (eq? occurrence 'last) (and (exact-integer? occurrence) (positive? occurrence)))
    (refuse 'output-value "#:occurrence: expected a number from 1, or last, got ~s" occurrence))
  (unless (and (exact-integer? line) (>= line (if pattern 0 1)))
    (refuse 'output-value "#:line: expected a number from ~a, got ~s" (if pattern 0 1) line))
  (unless (or (not pattern) (and (string? pattern) (not (string-null? pattern))))
    (refuse 'output-value "expected the text before the number, or #f, got ~s" pattern))
  (make-reader 'output-value file pattern line field occurrence))

(define* (output-column file column #:key (skip 0) rows (comment "#"))
  "Return the reader of a column of numbers in @var{file}, an f64vector: @var{column} is its number, from 1, or its name in the first line
that is read. @var{skip} lines are passed over first; lines that are empty or begin with @var{comment} count for nothing. Fields stand
between white space or commas; there must be @var{rows} of them, if that is given."
  (unless (or (string? column) (and (exact-integer? column) (positive? column)))
    (refuse 'output-column "expected the number of a column, from 1, or its name, got ~s" column))
  (unless (and (exact-integer? skip) (>= skip 0))
    (refuse 'output-column "#:skip: expected a number of lines, got ~s" skip))
  (unless (or (not rows) (and (exact-integer? rows) (>= rows 0)))
    (refuse 'output-column "#:rows: expected a number of rows, got ~s" rows))
  (unless (or (not comment) (and (string? comment) (not (string-null? comment))))
    (refuse 'output-column "#:comment: expected the text that begins a comment, or #f, got ~s" comment))
  (make-reader 'output-column file column skip rows comment))

(define (output-csv file column)
  "Return the reader of the numbers in the column with the name @var{column} of @var{file}, which is for @code{read-csv}: an f64vector."
  (make-reader 'output-csv file column))

(define* (output-npy file #:optional name)
  "Return the reader of the numbers in @var{file}, an array that numpy has saved, or the one with @var{name} in an NPZ archive: an
f64vector, row by row."
  (make-reader 'output-npy file name))

(define (output-json file . path)
  "Return the reader of what is at @var{path} in @var{file}: names in objects, strings, and places in arrays, from 0. A number, or an array
of numbers, which becomes an f64vector."
  (apply make-reader 'output-json file path))

(define* (output-pest file instructions #:optional names)
  "Return the reader of the observations that @var{instructions}, a file of PEST's or what @code{read-pest-instructions} has returned, take
from @var{file}: an association list of their names and values, in the order of the instructions, or only those in the list @var{names}."
  (let ((instructions (if (string? instructions) (read-pest-instructions instructions) instructions)))
    (check-instructions 'output-pest instructions)
    (for-each (lambda (name)
                (unless (member name (pest-observation-names instructions))
                  (refuse 'output-pest "~a has no instruction for the observation ~a; its observations are ~{~a~^, ~}"
                          (pest-instructions-file instructions) name (pest-observation-names instructions))))
              (or names '()))
    (make-reader 'output-pest file instructions names)))

(define (read-pest file instructions names)
  (let ((found (run-pest-instructions instructions (basename file) (read-bytes-text 'read-output (existing file)))))
    (if names
        (let ((wanted (make-hash-table)))
          (for-each (lambda (name) (hash-set! wanted name #t)) names)
          (filter (lambda (pair) (hash-ref wanted (car pair))) found))
        found)))

(define (reader-size reader)
  "Return how many numbers @var{reader} reads, if that is known before, else @code{#f}."
  (match reader
    (#('tutti-reader 'output-value _ _) 1)
    (#('tutti-reader 'output-pest _ (instructions names)) (length (or names (pest-observation-names instructions))))
    (#('tutti-reader 'output-column _ (_ _ rows _)) rows)
    (_ #f)))

;;; Reading.

(define (complain file message . arguments)
  (refuse 'read-output "~a: ~a" (basename file) (apply format #f message arguments)))

(define (text-of file)
  (if (file-exists? file)
      (read-text 'read-output file)
      (complain file "the program has not written it")))

(define (split line separators)
  (string-tokenize line (char-set-complement separators)))

(define value-separators (char-set #\space #\tab #\return #\, #\; #\=))
(define column-separators (char-set #\space #\tab #\return #\, #\;))

(define (field->number file number fields field)
  (when (> field (length fields))
    (complain file "line ~a has ~a field~:p, expected a number in field ~a" number (length fields) field))
  (let ((text (list-ref fields (1- field))))
    (or (%command-read-number text)
        (complain file "line ~a: field ~a is ~s, expected a number" number field text))))

(define (nth-match all pattern occurrence)
  "Return the index of the line of the vector @var{all} that has @var{pattern} for the time @var{occurrence}, or @code{#f}, and how many had
it."
  (let loop ((i 0) (seen 0) (last #f))
    (cond ((= i (vector-length all)) (values (and (eq? occurrence 'last) last) seen))
          ((not (string-contains (vector-ref all i) pattern)) (loop (1+ i) seen last))
          ((eqv? (1+ seen) occurrence) (values i (1+ seen)))
          (else (loop (1+ i) (1+ seen) i)))))

(define (read-value file pattern line field occurrence)
  (let ((all (list->vector (string-split (text-of file) #\newline))))
    (call-with-values (lambda () (if pattern (nth-match all pattern occurrence) (values 0 0)))
      (lambda (at seen)
        (unless at
          (complain file "~a of its ~a lines ~[have~;has~:;have~] ~s, expected ~a"
                    (if (zero? seen) "none" seen) (vector-length all) seen pattern
                    (if (number? occurrence) (format #f "number ~a" occurrence) "one")))
        (let ((number (if pattern (+ at line) (1- line))))
          (unless (< number (vector-length all))
            (complain file "it ends after line ~a, expected a line ~a" (vector-length all) (1+ number)))
          (let* ((text (vector-ref all number))
                 (rest (if (and pattern (zero? line))
                           (substring text (+ (string-contains text pattern) (string-length pattern)))
                           text)))
            (field->number file (1+ number) (split rest value-separators) field)))))))

(define (numbered-lines text skip comment)
  "Return the list of pairs of number and fields of the lines of @var{text} that count."
  (filter-map (lambda (line number)
                (and (> number skip)
                     (not (and comment (string-prefix? comment (string-trim line))))
                     (let ((fields (split line column-separators)))
                       (and (pair? fields) (cons number fields)))))
              (string-split text #\newline)
              (iota (1+ (string-count text #\newline)) 1)))

(define (read-column file column skip rows comment)
  (let* ((all (numbered-lines (text-of file) skip comment))
         (header (and (string? column) (if (null? all) (complain file "there is no line with the names of columns") (car all))))
         (place (if header
                    (or (and=> (list-index (lambda (name) (string=? name column)) (cdr header)) 1+)
                        (complain file "line ~a has no column ~s; its columns are ~{~a~^, ~}" (car header) column (cdr header)))
                    column))
         (data (if header (cdr all) all)))
    (when (and rows (not (= rows (length data))))
      (complain file "it has ~a row~:p of numbers, expected ~a" (length data) rows))
    (list->f64vector (map (lambda (entry) (field->number file (car entry) (cdr entry) place)) data))))

(define (numbers->f64vector file value)
  (cond ((f64vector? value) value)
        ((and (array? value) (not (string? value)))
         (list->f64vector (map (lambda (x)
                                 (if (real? x) (exact->inexact x) (complain file "it has ~s, expected real numbers" x)))
                               (flatten (array->list value)))))
        ((real? value) (exact->inexact value))
        (else (complain file "it has ~s, expected numbers" value))))

(define (flatten value)
  (if (pair? value) (append-map flatten value) (if (null? value) '() (list value))))

(define (json->numbers file value)
  (cond ((real? value) (exact->inexact value))
        ((and (vector? value) (every real? (flatten (vector->tree value))))
         (list->f64vector (map exact->inexact (flatten (vector->tree value)))))
        (else (complain file "what is there is not a number or an array of numbers"))))

(define (vector->tree value)
  (if (vector? value) (map vector->tree (vector->list value)) value))

(define (json-at file value path)
  (match path
    (() value)
    ((step . rest)
     (json-at file
              (cond ((and (string? step) (or (null? value) (pair? value)))
                     (match (assoc step value)
                       ((_ . inner) inner)
                       (#f (complain file "there is no ~s; expected one of ~{~s~^, ~}" step (map car value)))))
                    ((and (exact-integer? step) (vector? value))
                     (if (< -1 step (vector-length value))
                         (vector-ref value step)
                         (complain file "there is no place ~a in an array of ~a" step (vector-length value))))
                    (else (complain file "expected ~a where ~s is looked for"
                                    (if (string? step) "an object" "an array") step)))
              rest))))

(define (existing file)
  (if (file-exists? file) file (complain file "the program has not written it")))

(define (read-output reader folder)
  "Return what @var{reader} finds in @var{folder}, or raise a @code{&tutti-error} that names file, line and field."
  (match reader
    (#('tutti-reader kind name arguments)
     (let ((file (if (string-prefix? "/" name) name (string-append folder "/" name))))
       (match (cons kind arguments)
         (('output-text) (text-of file))
         (('output-value . arguments) (apply read-value file arguments))
         (('output-column . arguments) (apply read-column file arguments))
         (('output-pest . arguments) (apply read-pest file arguments))
         (('output-csv column)
          (let ((table (read-csv (existing file))))
            (unless (member column (table-names table))
              (complain file "there is no column ~s; expected one of ~{~s~^, ~}" column (table-names table)))
            (numbers->f64vector file (table-column table column))))
         (('output-npy name)
          (let ((value (if name
                           (or (assoc-ref (read-npz (existing file)) name) (complain file "there is no array ~s" name))
                           (read-npy (existing file)))))
            (numbers->f64vector file value)))
         (('output-json . path) (json->numbers file (json-at file (json-text->value (text-of file) (basename file)) path))))))))
