;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Templates of PEST (.tpl): a program's input, with fields of characters that numbers are written to. A template is plain data, so that
;; it is read once and goes to workers.
(define-module (tutti command pest-template)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command pest-number)
  #:use-module (tutti command scan)
  #:export (parse-pest-template read-pest-template pest-template? pest-template-file pest-template-names pest-template-widths
            pest-field-place narrowest-rooms fill-pest-template pest-text?))

(define who 'parse-pest-template)

;;; The data: #(pest-template FILE PARTS WIDTHS). A part is a string, or a field #(NAME WIDTH LINE COLUMN). WIDTHS has the name of each
;;; parameter with the width of its narrowest field, in the order of the file.

(define (pest-template? object)
  "Return true if @var{object} is a template of PEST."
  (match object
    (#('pest-template (? string?) (? list?) (? list?)) #t)
    (_ #f)))

(define (check-template who template)
  (unless (pest-template? template)
    (refuse who "~s is no template of PEST; parse-pest-template makes one" template)))

(define (pest-template-file template)
  "Return the name of the file that @var{template} is from."
  (check-template 'pest-template-file template)
  (vector-ref template 1))

(define (pest-template-widths template)
  "Return the list of pairs of each parameter in @var{template}, in lower case, and the width of the narrowest of its fields."
  (check-template 'pest-template-widths template)
  (vector-ref template 3))

(define (pest-template-names template)
  "Return the list of the names of the parameters in @var{template}, in lower case, in the order in which they come first."
  (check-template 'pest-template-names template)
  (map car (vector-ref template 3)))

(define (pest-field-place template name)
  "Return the place of the first field of the parameter @var{name} in @var{template}, a text such as @samp{m.tpl:3:7}."
  (match (find (lambda (part) (and (vector? part) (string=? name (vector-ref part 0)))) (vector-ref template 2))
    (#(_ _ line column) (format #f "~a:~a:~a" (vector-ref template 1) line column))))

;;; Reading.

(define (header-marker file line)
  "Return the character that marks the fields, which LINE, the first one of FILE, names."
  (match (map word-text (word-list line))
    (((? (lambda (word) (member (string-downcase word) '("ptf" "jtf")))) (= string->list (mark)))
     (when (or (char-alphabetic? mark) (char-numeric? mark))
       (complain-at who file 1 5 "the marker of fields is ~a; expected a character that is neither a letter nor a digit" mark))
     mark)
    (_ (complain-at who file 1 #f "a template of PEST begins with a line such as \"ptf ~~\": ptf, a blank and the character that marks \
fields; here it is ~s" line))))

(define (pest-text? text)
  "Return true if @var{text} begins as a template of PEST does."
  (or (string-prefix-ci? "ptf " text) (string-prefix-ci? "jtf " text)))

(define (field file mark line number start stop)
  "Return the field of LINE from the index START to STOP, where the marks are."
  (define column (1+ start))
  (match (word-list (substring line (1+ start) stop))
    (((name . _)) (vector (string-downcase (string-copy name)) (- (1+ stop) start) number column))
    (() (complain-at who file number column "the field ~a has no name in it; expected that of a parameter"
                     (substring line start (1+ stop))))
    (_ (complain-at who file number column "the field ~a has more than one word in it; expected the name of a parameter. Is a ~a missing \
before it or behind it?" (substring line start (1+ stop)) mark))))

(define (line-parts file mark line number)
  "Return the list of the parts of LINE, text and fields."
  (let next ((i 0) (parts '()))
    (let ((start (string-index line mark i)))
      (if (not start)
          (reverse (cons (substring line i) parts))
          (let ((stop (string-index line mark (1+ start))))
            (unless stop
              (complain-at who file number (1+ start) "the ~a here has no partner in its line; a field is enclosed by two of them" mark))
            (next (1+ stop)
                  (cons* (field file mark line number start stop) (substring line i start) parts)))))))

(define (join-parts parts)
  "Return PARTS with neighbouring strings joined."
  (define (flush texts joined) (if (null? texts) joined (cons (string-concatenate-reverse texts) joined)))
  (let next ((parts parts) (texts '()) (joined '()))
    (match parts
      (() (reverse (flush texts joined)))
      (((? string? text) . rest) (next rest (cons text texts) joined))
      ((field . rest) (next rest '() (cons field (flush texts joined)))))))

(define (narrowest fields)
  "Return the names of FIELDS, each once, with the smallest of their widths."
  (define widths (make-hash-table))
  (for-each (lambda (field)
              (match field
                (#(name width _ _) (hash-set! widths name (min width (hash-ref widths name width))))))
            fields)
  (map (lambda (name) (cons name (hash-ref widths name)))
       (delete-duplicates-in-order (map (lambda (field) (vector-ref field 0)) fields))))

(define (delete-duplicates-in-order names)
  ;; delete-duplicates compares each with each.
  (define seen (make-hash-table))
  (filter (lambda (name) (and (not (hash-ref seen name)) (hash-set! seen name #t))) names))

(define (parse-pest-template file text)
  "Return the template of PEST that is @var{text}, the contents of @var{file}: its first line is @samp{ptf} and the character that encloses
fields, such as @samp{~}. What is wrong with it is a @code{&tutti-error} that names file, line and column."
  (check-text who file text)
  (let* ((end (or (string-index text #\newline) (string-length text)))
         (mark (header-marker file (string-trim-right (substring text 0 end) #\return)))
         (rest (substring text (min (1+ end) (string-length text))))
         (lines (string-split rest #\newline))
         (parts (append-map (lambda (line number) (cons "\n" (line-parts file mark line number)))
                            lines (iota (length lines) 2)))
         (joined (join-parts (if (null? parts) parts (cdr parts)))))
    (vector 'pest-template file joined (narrowest (remove string? joined)))))

(define (read-pest-template file)
  "Return the template of PEST in @var{file}."
  (parse-pest-template file (read-text 'read-pest-template file)))

;;; Writing.

(define (name-table who values)
  "Return a hash table of the numbers in @var{values}, a hash table or an association list, with the names in lower case."
  (define table (make-hash-table))
  (define (add! name value)
    (unless (or (string? name) (symbol? name)) (refuse who "~s is given a value; expected the name of a parameter" name))
    (hash-set! table (string-downcase (if (symbol? name) (symbol->string name) name)) value))
  (cond ((hash-table? values) (hash-for-each add! values))
        ((and (list? values) (every pair? values)) (for-each (lambda (pair) (add! (car pair) (cdr pair))) values))
        (else (refuse who "the values are ~s; expected a hash table or an association list of names and numbers" values)))
  table)

(define (name->number table name complain)
  "Return the number that @var{table} has for @var{name}; call @var{complain} with a text if it has none."
  (let ((x (hash-ref table name)))
    (cond ((not x) (complain (format #f "the parameter ~a has no value; those that have one are ~{~a~^, ~}" name
                                     (sort (hash-map->list (lambda (name _) name) table) string<?))))
          ((not (and (real? x) (finite-number? x)))
           (complain (format #f "the value of the parameter ~a is ~s; expected a finite number" name x)))
          (else x))))

(define (narrowest-rooms lists)
  "Return a hash table of the names in the @var{lists} of pairs of name and width, and of how many characters a number may have in all of
their fields."
  (define rooms (make-hash-table))
  (for-each (lambda (widths)
              (for-each (match-lambda ((name . width) (hash-set! rooms name (min width (hash-ref rooms name 23))))) widths))
            lists)
  rooms)

(define (check-options precision point exponent)
  (define who 'fill-pest-template)
  (define (check key value allowed)
    (unless (member value allowed) (refuse who "~a is ~s; expected one of ~{~s~^, ~}" key value allowed)))
  (check #:precision precision '(single double))
  (check #:point point '(point nopoint))
  (check #:exponent exponent '("e" "E" "d" "D")))

(define* (fill-pest-template template values #:key (precision 'double) (point 'point) (exponent "e") (widths '()))
  "Return the text of @var{template} with each field replaced by the value of its parameter, from @var{values}, a hash table or an
association list of names and numbers; upper and lower case are the same. A field gets as many significant digits as it has room for, on
its right side; a parameter with several fields is the same number in all, that of the narrowest one. An error names file, line and column
if the field does not have the room for one digit, and if a parameter has no value.

With single @var{precision} no more than 13 characters of a field are used, with @code{double} no more than 23. @var{point} is
@code{nopoint} if a decimal point that says nothing may be left out for another digit. @var{exponent} is the letter before an exponent,
such as @samp{d} for Fortran. @var{widths} are pairs of names and widths of narrower fields in other templates."
  (define who 'fill-pest-template)
  (check-template who template)
  (check-options precision point exponent)
  (let ((table (name-table who values))
        (rooms (narrowest-rooms (list (vector-ref template 3) widths)))
        (texts (make-hash-table)))
    (define (room name) (hash-ref rooms name))
    (define (text-of field)
      (match field
        (#(name _ line column)
         (define (complain message) (complain-at who (vector-ref template 1) line column "~a" message))
         (or (hash-ref texts name)
             (let* ((x (name->number table name complain))
                    (text (number->field x (room name) #:precision precision #:point? (eq? point 'point) #:letter exponent)))
               (unless text
                 (complain (format #f "the field of the parameter ~a is ~a characters wide, too few for one digit of ~a; make it wider\
~:[~; or, if the program reads numbers without a decimal point, use #:point 'nopoint~]" name (room name) x (eq? point 'point))))
               (hash-set! texts name text)
               text)))))
    (string-concatenate
     (map (lambda (part)
            (if (string? part)
                part
                (string-pad (string-trim (text-of part)) (vector-ref part 1))))
          (vector-ref template 2)))))
