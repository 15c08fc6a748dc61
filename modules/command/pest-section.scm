;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The sections of a control file of PEST (.pst): their rows, without comments, and what stands in rows of given variables.
(define-module (tutti command pest-section)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti command scan)
  #:export (make-row row-line row-text row-words complain-row row-place row-word
            split-sections section-name section-line section-rows section-external?
            parse-value rows->values words->values))

(define who 'read-pest-control)

;; A line with something in it.
(define-record-type <row>
  (%make-row file line text words)
  row?
  (file row-file)
  (line row-line)
  (text row-text)
  (words %row-words))                   ; a promise: rows of other kinds may have any quotes

(define-record-type <section>
  (make-section name line rows external?)
  section?
  (name section-name)                   ; in lower case, one blank between words
  (line section-line)
  (rows section-rows)
  (external? section-external?))        ; whether its rows name files

(define (make-row file line text)
  "Return the row that is line @var{line} of @var{file}, @var{text}."
  (%make-row file line text
             (delay (word-list text (lambda (column) (complain-at who file line column "the quote here is not closed in its line"))))))

(define (row-words row)
  "Return the list of the words of @var{row}; those in quotes may have blanks."
  (force (%row-words row)))

(define (complain-row row column message . arguments)
  "Raise a @code{&tutti-error} about @var{column}, or @code{#f}, of @var{row}."
  (apply complain-at who (row-file row) (row-line row) column message arguments))

(define (row-place row)
  "Return where @var{row} is: file and line."
  (string-append (row-file row) ":" (number->string (row-line row))))

;;; Sections.

(define known-sections
  '("control data" "control data keyword" "automatic user intervention" "singular value decomposition" "lsqr" "svd assist"
    "sensitivity reuse" "parameter groups" "parameter data" "observation groups" "observation data" "derivatives command line"
    "model command line" "model input/output" "model input" "model output" "prior information" "predictive analysis" "regularization"
    "pareto"))
(define other-names
  '(("regularisation" . "regularization") ("model input output" . "model input/output") ("model inputoutput" . "model input/output")))

(define (comment-start line anywhere?)
  "Return the index in LINE at which a comment begins, or #f: at its first character, or, if ANYWHERE?, behind a blank."
  (define (comment? i)
    (case (string-ref line i)
      ((#\#) #t)
      ;; ~/bin/model is a program.
      ((#\~) (not (and (< (1+ i) (string-length line)) (char=? #\/ (string-ref line (1+ i))))))
      (else #f)))
  (let next ((i (string-skip line blank?)))
    (cond ((not i) #f)
          ((comment? i) i)
          ((not anywhere?) #f)
          (else (let ((blank (string-index line blank? i)))
                  (next (and blank (string-skip line blank? blank))))))))

(define (without-comment line anywhere?)
  (let ((start (comment-start line anywhere?)))
    (string-trim-right (if start (substring line 0 start) line))))

(define (header row)
  "Return the name of the section that ROW begins, and whether its rows name files."
  (let* ((words (string-tokenize (string-downcase (substring (string-trim (row-text row)) 1))))
         (external? (and (pair? words) (string=? (last words) "external")))
         (name (string-join (if external? (drop-right words 1) words) " "))
         (name (or (assoc-ref other-names name) name)))
    (unless (member name known-sections)
      (complain-row row #f "* ~a is no section of a control file; expected one of ~{~a~^, ~}" name known-sections))
    (values name external?)))

(define (first-line file rows)
  "Return the version that the first of ROWS says."
  (match rows
    (() (complain-at who file 1 #f "the file has no line; expected pcf, the first one of a control file of PEST"))
    ((row . _)
     (match (map (lambda (word) (string-downcase (word-text word))) (row-words row))
       (("pcf") 1)
       (("pcf" (or "version=1" "version=1.0")) 1)
       (("pcf" (or "version=2" "version=2.0")) 2)
       (_ (complain-row row #f "a control file of PEST begins with pcf, or with pcf version=2; here it is ~s" (row-text row)))))))

(define (split-at-headers rows)
  "Return the list of lists of rows, each of which begins with that of a section's name; and the rows before them all."
  (define (header? row) (string-prefix? "*" (string-trim (row-text row))))
  (call-with-values (lambda () (break header? rows))
    (lambda (before rows)
      (let next ((rows rows) (sections '()))
        (match rows
          (() (values before (reverse sections)))
          ((header . rows)
           (call-with-values (lambda () (break header? rows))
             (lambda (own rows) (next rows (cons (cons header own) sections))))))))))

(define (text-rows file text version)
  "Return the rows of TEXT, without those that have nothing but a comment."
  (map-lines (lambda (line number)
               (let ((text (without-comment line (= version 2))))
                 (and (not (string-null? text)) (make-row file number text))))
             text))

(define (version-of file text)
  ;; Files of the second version need not say so.
  (let ((version (first-line file (text-rows file text 1))))
    (if (any (lambda (line) (string-prefix-ci? "* control data keyword" line)) (split-lines text)) 2 version)))

(define (options-row? row) (string-prefix? "++" (string-trim (row-text row))))

(define (rows->section rows)
  (match rows
    ((head . own)
     (call-with-values (lambda () (header head))
       (lambda (name external?) (make-section name head own external?))))))

(define (split-sections file text)
  "Return the version of the control file that @var{text}, the contents of @var{file}, is, the list of its sections, and that of the rows
that begin with @samp{++}."
  (let ((version (version-of file text)))
    (call-with-values (lambda () (partition options-row? (cdr (text-rows file text version))))
      (lambda (options rows)
        (call-with-values (lambda () (split-at-headers rows))
          (lambda (before sections)
            (unless (null? before)
              (complain-row (car before) #f "~s is in no section; expected one that begins with a line such as * control data"
                            (row-text (car before))))
            (values version (unique-sections (map rows->section sections)) options)))))))

(define (unique-sections sections)
  (define seen (make-hash-table))
  (map (lambda (section)
         (let ((before (hash-ref seen (section-name section)))
               (head (section-line section)))
           (when before
             (complain-row head #f "the section ~a is there already, from line ~a on" (section-name section) before))
           (hash-set! seen (section-name section) (row-line head))
           (make-section (section-name section) (row-line head) (section-rows section) (section-external? section))))
       sections))

;;; Values.

(define (parse-value kind text)
  "Return the value of @var{kind} that @var{text} is, and what is expected instead; the value is @code{#f} if it is none. Kinds are
@code{text}, @code{name}, @code{real}, @code{integer}, and lists of symbols."
  (define word (string-downcase text))
  (match kind
    ('text (values text "a text"))
    ('name (values word "a name"))
    ('real (values (parse-finite text) "a number"))
    ('integer
     (let* ((sign (and (not (string-null? text)) (memv (string-ref text 0) '(#\+ #\-))))
            (n (parse-natural text (if sign 1 0))))
       (values (and n (if (and sign (char=? #\- (string-ref text 0))) (- n) n)) "a whole number")))
    ((choices ...)
     (values (find (lambda (choice) (string=? word (symbol->string choice))) choices)
             (format #f "one of ~{~a~^, ~}" choices)))))

(define (row-word row word name kind)
  "Return the value of @var{kind} of the variable @var{name}, or of a pair of that and of what has it, that is @var{word} of @var{row}."
  (call-with-values (lambda () (parse-value kind (word-text word)))
    (lambda (value expected)
      (unless value
        (complain-row row (word-column word) "~a is ~s; expected ~a"
                      (match name ((name . label) (format #f "~a of ~a" name label)) (_ name)) (word-text word) expected))
      value)))

(define (words->values row variables)
  "Return the association list of the names of @var{variables} and their values in @var{row}. A variable is a list of its name and kind;
those behind @code{#:optional} may be missing, and are passed over if they are something else."
  (let next ((words (row-words row)) (rest variables) (optional? #f) (found '()))
    (match rest
      (() (reverse found))
      ((#:optional . rest) (next words rest #t found))
      (((name kind) . rest)
       (cond ((pair? words)
              (let ((value (if optional? (parse-value kind (word-text (car words))) (row-word row (car words) name kind))))
                (next (cdr words) rest optional? (if value (acons name value found) found))))
             (optional? (reverse found))
             (else (complain-row row #f "the line has ~a word~:p; expected ~{~a~^, ~}" (length (row-words row))
                                 (map car (take-while pair? variables)))))))))

(define (rows->values rows variables)
  "Return the association list of the values in @var{rows}, of which each has those of an item of the list @var{variables}."
  (append-map words->values
              (take rows (min (length rows) (length variables)))
              (take variables (min (length rows) (length variables)))))
