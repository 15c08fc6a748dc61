;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Instructions of PEST (.ins): where in a program's output the observations are. They are plain data, read once and sent to workers;
;; (tutti command pest-reading) follows them.
(define-module (tutti command pest-instructions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command scan)
  #:export (parse-pest-instructions read-pest-instructions pest-instructions? check-instructions pest-instructions-file
            pest-instruction-lines pest-instruction-delimiters pest-observation-names pest-observation-place))

(define who 'parse-pest-instructions)

;;; The data: #(pest-instructions FILE LINES NAMES DELIMITERS). A line is the list of its instructions, together with those of the lines
;;; that continue it. An instruction is #(KIND TEXT LINE COLUMN ARGUMENT …):
;;;   advance n · marker string · whitespace · tab n · fixed name first last · semi-fixed name first last · non-fixed name (#f:
;;;   a dummy)

(define (pest-instructions? object)
  "Return true if @var{object} is instructions of PEST."
  (match object
    (#('pest-instructions (? string?) (? list?) (? list?) (? string?)) #t)
    (_ #f)))

(define (check-instructions who instructions)
  "Raise a @code{&tutti-error} unless @var{instructions} are those of PEST."
  (unless (pest-instructions? instructions)
    (refuse who "~s are no instructions of PEST; parse-pest-instructions makes them" instructions)))

(define (pest-instructions-file instructions)
  "Return the name of the file that @var{instructions} are from."
  (check-instructions 'pest-instructions-file instructions)
  (vector-ref instructions 1))

(define (pest-instruction-lines instructions)
  "Return the list of lines of @var{instructions}, each a list of vectors of kind, text, line, column and arguments."
  (vector-ref instructions 2))

(define (pest-observation-names instructions)
  "Return the list of the names of the observations that @var{instructions} read, in lower case, in their order."
  (check-instructions 'pest-observation-names instructions)
  (vector-ref instructions 3))

(define (pest-instruction-delimiters instructions)
  "Return the string of what separates words besides blanks, tabs and commas."
  (vector-ref instructions 4))

(define (pest-observation-place instructions name)
  "Return the place of what reads the observation @var{name} in @var{instructions}, a text such as @samp{m.ins:3:4}."
  (match (find (lambda (instruction) (equal? name (observation-name instruction))) (concatenate (pest-instruction-lines instructions)))
    (#(_ _ line column _ ...) (format #f "~a:~a:~a" (pest-instructions-file instructions) line column))))

;;; Reading.

(define (header-marker file line)
  "Return the character that encloses markers, which LINE, the first one of FILE, names."
  (match (map word-text (word-list line))
    (((? (lambda (word) (member (string-downcase word) '("pif" "jif")))) (= string->list (mark)))
     (when (or (char-alphabetic? mark) (char-numeric? mark) (string-index "![]():&" mark))
       (complain-at who file 1 5 "the character that encloses markers is ~a; expected one that is no letter, no digit and none of ![]():&"
                    mark))
     mark)
    (_ (complain-at who file 1 #f "instructions of PEST begin with a line such as \"pif ~~\": pif, a blank and the character that encloses \
markers; here it is ~s" line))))

(define (tokens file mark line number)
  "Return the list of pairs of the texts of the instructions in LINE and their columns: markers may have blanks."
  (define end (string-length line))
  (let next ((i 0) (found '()))
    (let ((start (string-skip line blank? i)))
      (cond ((not start) (reverse found))
            ((char=? mark (string-ref line start))
             (let ((stop (string-index line mark (1+ start))))
               (unless stop
                 (complain-at who file number (1+ start) "the marker ~a is not closed by a ~a" (substring line start) mark))
               (when (= stop (1+ start))
                 (complain-at who file number (1+ start) "the marker ~a~a is empty; expected a text to look for" mark mark))
               (next (1+ stop) (cons (cons (substring line start (1+ stop)) (1+ start)) found))))
            (else
             (let ((stop (or (string-index line blank? start) end)))
               (next stop (cons (cons (substring line start stop) (1+ start)) found))))))))

(define (columns text)
  "Return the list of the two columns that TEXT, such as 3:8, names, or #f."
  (match (map parse-natural (string-split text #\:))
    (((? number? first) (? number? last)) (and (<= 1 first last) (list first last)))
    (_ #f)))

(define (count-behind text)
  "Return the number from 1 behind the letter in TEXT, or #f."
  (let ((n (parse-natural text 1))) (and n (positive? n) n)))

(define (placed kind text)
  "Return kind and arguments of the instruction TEXT for an observation in columns, which ends its name with CLOSE; or #f."
  (let* ((close (string-index text (if (eq? kind 'fixed) #\] #\))))
         (name (and close (string-downcase (substring text 1 close))))
         (columns (and close (columns (substring text (1+ close))))))
    (and columns (name? name) (not (string=? name "dum"))
         (cons* kind name columns))))

(define (name? name) (and (not (string-null? name)) (not (string-index name (char-set #\[ #\] #\( #\) #\!)))))

(define (non-fixed text)
  (let ((name (string-downcase (substring text 1 (max 1 (1- (string-length text)))))))
    (and (> (string-length text) 2) (string-suffix? "!" text) (name? name)
         (list 'non-fixed (and (not (string=? name "dum")) name)))))

(define (meaning mark text)
  "Return the list of kind and arguments of the instruction TEXT; a string that says what is expected if it is none."
  (define (or-expected found expected) (or found expected))
  (let ((first (string-ref text 0)))
    (cond ((char=? first mark) (list 'marker (substring text 1 (1- (string-length text)))))
          ((member text '("w" "W")) '(whitespace))
          ((char=? first #\[)
           (or-expected (placed 'fixed text) "expected [name]first:last, such as [head]1:8, with columns from 1 in ascending order, \
without blanks; a dummy is read as !dum!"))
          ((char=? first #\()
           (or-expected (placed 'semi-fixed text) "expected (name)first:last, such as (head)1:8, with columns from 1 in ascending order, \
without blanks; a dummy is read as !dum!"))
          ((char=? first #\!) (or-expected (non-fixed text) "expected !name!, such as !head!, without blanks"))
          ((and (memv first '(#\l #\L)) (string-every char-numeric? text 1) (> (string-length text) 1))
           (or-expected (and=> (count-behind text) (lambda (n) (list 'advance n))) "expected a number of lines from 1"))
          ((and (memv first '(#\t #\T)) (string-every char-numeric? text 1) (> (string-length text) 1))
           (or-expected (and=> (count-behind text) (lambda (n) (list 'tab n))) "expected a column from 1"))
          ((char=? first #\&) "a & continues the line before it: it is the first item of a line, with a blank behind it")
          (else (format #f "expected one of l1, w, t1, !name!, [name]1:8, (name)1:8, and markers between two ~a" mark)))))

(define (instruction file mark token number)
  (match token
    ((text . column)
     (match (meaning mark text)
       ((? string? expected) (complain-at who file number column "~a is no instruction; ~a" text expected))
       (meaning (apply vector (car meaning) text number column (cdr meaning)))))))

(define (instruction-kind instruction) (vector-ref instruction 0))

(define (check-first file instruction)
  (unless (memq (instruction-kind instruction) '(advance marker))
    (complain-at who file (vector-ref instruction 2) (vector-ref instruction 3)
                 "~a is the first item of its line; expected one that leads to a line of the output, such as l1 or a marker, or a & that \
continues the line before" (vector-ref instruction 1))))

(define (check-rest file instructions)
  (for-each (lambda (instruction)
              (when (eq? 'advance (instruction-kind instruction))
                (complain-at who file (vector-ref instruction 2) (vector-ref instruction 3)
                             "~a is not the first item of its line; expected it there, as it leads to another line of the output"
                             (vector-ref instruction 1))))
            instructions))

(define (parse-lines file mark lines)
  "Return the list of lists of the instructions in LINES, which begin with the second of FILE."
  (let next ((lines lines) (number 2) (done '()))
    (if (null? lines)
        (reverse done)
        (match (tokens file mark (car lines) number)
          (() (next (cdr lines) (1+ number) done))
          ((("&" . column) . rest)
           (when (null? done) (complain-at who file number column "a & continues a line, and there is none before it"))
           (let ((more (map (lambda (token) (instruction file mark token number)) rest)))
             (check-rest file more)
             (next (cdr lines) (1+ number) (cons (append (car done) more) (cdr done)))))
          (found
           (let ((instructions (map (lambda (token) (instruction file mark token number)) found)))
             (check-first file (car instructions))
             (check-rest file (cdr instructions))
             (next (cdr lines) (1+ number) (cons instructions done))))))))

(define (observation-name instruction)
  (and (memq (instruction-kind instruction) '(fixed semi-fixed non-fixed)) (vector-ref instruction 4)))

(define (check-unique file instructions)
  "Return the names of the observations of INSTRUCTIONS, each of which may be there once."
  (define places (make-hash-table))
  (filter-map (lambda (instruction)
                (let ((name (observation-name instruction))
                      (line (vector-ref instruction 2)))
                  (when name
                    (let ((before (hash-ref places name)))
                      (when before
                        (complain-at who file line (vector-ref instruction 3) "~a: the observation ~a is read already in line ~a; each has \
one instruction, and what is to be passed over is called dum" (vector-ref instruction 1) name before))
                      (hash-set! places name line)))
                  name))
              instructions))

(define* (parse-pest-instructions file text #:key (delimiters ""))
  "Return the instructions of PEST that are @var{text}, the contents of @var{file}: the first line is @samp{pif} and the character that
encloses markers, such as @samp{~}. What is wrong with them is a @code{&tutti-error} that names file, line and column. The characters in the
string @var{delimiters} separate words, as blanks, tabs and commas do."
  (check-text who file text)
  (unless (string? delimiters) (refuse who "#:delimiters is ~s, expected a string of characters" delimiters))
  (match (split-lines text)
    (() (header-marker file ""))
    ((header . rest)
     (let* ((mark (header-marker file header))
            (lines (parse-lines file mark rest)))
       (vector 'pest-instructions file lines (check-unique file (concatenate lines)) delimiters)))))

(define* (read-pest-instructions file #:key (delimiters ""))
  "Return the instructions of PEST in @var{file}; see @code{parse-pest-instructions}."
  (parse-pest-instructions file (read-text 'read-pest-instructions file) #:delimiters delimiters))
