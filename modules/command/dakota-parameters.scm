;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files of parameters that Dakota writes for a program that it runs (params.in), in both of its formats, as data.
(define-module (tutti command dakota-parameters)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command dakota-number)
  #:use-module (tutti command scan)
  #:export (parse-dakota-parameters read-dakota-parameters make-dakota-parameters dakota-parameters? dakota-variables
            dakota-active-set dakota-derivative-variables dakota-analysis-components dakota-evaluation-id dakota-metadata
            dakota-parameters->text))

(define who 'parse-dakota-parameters)

;;; The data: #(dakota-parameters VARIABLES ACTIVE-SET DERIVATIVE-VARIABLES COMPONENTS ID METADATA).

(define (dakota-parameters? object)
  "Return true if @var{object} is parameters of Dakota."
  (match object
    (#('dakota-parameters (? list?) (? list?) (? list?) (? list?) (? string?) (? list?)) #t)
    (_ #f)))

(define (part who parameters i)
  (unless (dakota-parameters? parameters)
    (refuse who "~s are no parameters of Dakota; parse-dakota-parameters and make-dakota-parameters make them" parameters))
  (vector-ref parameters i))

(define (dakota-variables parameters)
  "Return the association list of the names of the variables in @var{parameters} and their values: inexact numbers, exact ones if they are
integers, and strings."
  (part 'dakota-variables parameters 1))

(define (dakota-active-set parameters)
  "Return the association list of the functions in @var{parameters} and the codes of what is wanted of each: the sum of 1 for its value, 2
for its gradient, 4 for its Hessian."
  (part 'dakota-active-set parameters 2))

(define (dakota-derivative-variables parameters)
  "Return the association list of the variables in @var{parameters} by which functions are to be derived, and their numbers among all
variables, from 1."
  (part 'dakota-derivative-variables parameters 3))

(define (dakota-analysis-components parameters)
  "Return the list of the pairs of drivers and components in @var{parameters}, which are strings."
  (part 'dakota-analysis-components parameters 4))

(define (dakota-evaluation-id parameters)
  "Return the number of the evaluation that @var{parameters} are for, a string such as @samp{7} or @samp{4:9:2}."
  (part 'dakota-evaluation-id parameters 5))

(define (dakota-metadata parameters)
  "Return the list of the names of the metadata that are wanted with the results of @var{parameters}."
  (part 'dakota-metadata parameters 6))

;;; Lines. An entry is #(TAG TEXT QUOTED? LINE COLUMN), where TEXT is the value.

(define (standard-entry file line number)
  (match (word-list line)
    ((first . rest)
     (let* ((tag (if (null? rest) first (last rest)))
            (end (1- (word-column tag))))
       (when (null? rest)
         (complain-at who file number (word-column first) "the line has one word, ~s; expected a value and a tag" (word-text first)))
       (vector (word-text tag) (string-trim-both (substring line 0 end)) #f number (word-column first))))))

(define (aprepro-entry file line number)
  (define trimmed (string-trim-both line))
  (define inner (and (string-prefix? "{" trimmed) (string-suffix? "}" trimmed)
                     (string-trim-both (substring trimmed 1 (max 1 (1- (string-length trimmed)))))))
  ;; A tag has no blanks, but perhaps a sign of equality.
  (define blank (and inner (string-index inner blank?)))
  (define behind (and blank (string-skip inner blank? blank)))
  (unless (and behind (char=? #\= (string-ref inner behind)))
    (complain-at who file number (1+ (or (string-skip line blank?) 0)) "the line is ~s; expected { TAG = VALUE }" trimmed))
  (let* ((text (string-trim-both (substring inner (1+ behind))))
         (quoted? (and (> (string-length text) 1) (string-prefix? "\"" text) (string-suffix? "\"" text))))
    (when (string-null? text)
      (complain-at who file number (1+ (string-skip line blank?)) "~s has no value; expected { TAG = VALUE }" (substring inner 0 blank)))
    (vector (substring inner 0 blank) (if quoted? (substring text 1 (1- (string-length text))) text) quoted? number
            (1+ (string-contains line text)))))

(define (entries file text)
  "Return whether TEXT is in the format of APREPRO, and the list of its entries."
  (let* ((lines (map-lines (lambda (line number) (and (not (string-every blank? line)) (cons line number))) text))
         (aprepro? (and (pair? lines) (string-prefix? "{" (string-trim (caar lines)))))
         (entry (if aprepro? aprepro-entry standard-entry)))
    (values aprepro? (map (match-lambda ((line . number) (entry file line number))) lines))))

(define (fail file entry message . arguments)
  (match entry
    (#(_ _ _ line column) (apply complain-at who file line column message arguments))))

;;; Blocks.

(define (take-block file entries tag)
  "Return the entries of the block that begins with TAG, and those behind it."
  (match entries
    (() (complain-at who file #f #f "the file ends before ~a" tag))
    ((head . rest)
     (let ((count (and (string=? tag (vector-ref head 0)) (parse-natural (vector-ref head 1)))))
       (unless count
         (fail file head "~s is here; expected ~a with a number" (vector-ref head 0) tag))
       (unless (<= count (length rest))
         (fail file head "~a says ~a, and only ~a line~:p follow" tag count (length rest)))
       (split-at rest count)))))

(define (numbered file prefix block)
  "Return the list of what is behind the colon in the tags of BLOCK, which begin with PREFIX and their number, such as ASV_1:mass."
  (map (lambda (entry i)
         (let* ((tag (vector-ref entry 0))
                (start (format #f "~a_~a" prefix i)))
           (cond ((string=? tag start) start)     ; as old versions of Dakota write it
                 ((string-prefix? (string-append start ":") tag) (substring tag (1+ (string-length start))))
                 (else (fail file entry "the tag ~a is here; expected ~a:NAME" tag start)))))
       block (iota (length block) 1)))

(define (variable file entry)
  (match entry
    (#(tag text quoted? _ _) (cons tag (if quoted? text (or (string->value text) text))))))

(define (check-unique file block)
  (define seen (make-hash-table))
  (for-each (lambda (entry)
              (when (hash-ref seen (vector-ref entry 0)) (fail file entry "the variable ~a is there already" (vector-ref entry 0)))
              (hash-set! seen (vector-ref entry 0) #t))
            block))

(define (codes file block)
  (map (lambda (entry label)
         (let ((code (parse-natural (vector-ref entry 1))))
           (unless (and code (<= code 7))
             (fail file entry "the code for ~a is ~a; expected a number from 0 to 7: the sum of 1 for the value, 2 for the gradient, 4 for \
the Hessian" label (vector-ref entry 1)))
           (cons label code)))
       block (numbered file "ASV" block)))

(define (derivative-variables file block variables)
  (map (lambda (entry label)
         (let ((id (parse-natural (vector-ref entry 1))))
           (unless (and id (<= 1 id (length variables)))
             (fail file entry "~a is no number of a variable; expected one from 1 to ~a" (vector-ref entry 1) (length variables)))
           (let ((name (car (list-ref variables (1- id)))))
             (unless (or (string=? label name) (string-prefix? "DVV_" label))
               (fail file entry "variable ~a is ~a, and here is called ~a" id name label))
             (cons name id))))
       block (numbered file "DVV" block)))

(define (parse-dakota-parameters file text)
  "Return the parameters of Dakota that are @var{text}, the contents of @var{file}, in the standard format or that of APREPRO. What is wrong
is a @code{&tutti-error} that names file, line and column."
  (check-text who file text)
  (call-with-values (lambda () (entries file text))
    (lambda (aprepro? all)
      (define (tag standard aprepro) (if aprepro? aprepro standard))
      (define rest all)
      (define (block! name)
        (call-with-values (lambda () (take-block file rest name))
          (lambda (block behind) (set! rest behind) block)))
      (let* ((variables (let ((block (block! (tag "variables" "DAKOTA_VARS"))))
                          (check-unique file block)
                          (map (lambda (entry) (variable file entry)) block)))
             (active-set (codes file (block! (tag "functions" "DAKOTA_FNS"))))
             (derivatives (derivative-variables file (block! (tag "derivative_variables" "DAKOTA_DER_VARS")) variables))
             (components (let ((block (block! (tag "analysis_components" "DAKOTA_AN_COMPS"))))
                           (map (lambda (entry driver) (cons driver (vector-ref entry 1))) block (numbered file "AC" block))))
             (id (match rest
                   ;; Old versions of Dakota do not write it.
                   (() "")
                   ((entry . behind)
                    (unless (string=? (vector-ref entry 0) (tag "eval_id" "DAKOTA_EVAL_ID"))
                      (fail file entry "~s is here; expected ~a" (vector-ref entry 0) (tag "eval_id" "DAKOTA_EVAL_ID")))
                    (set! rest behind)
                    (vector-ref entry 1))))
             (metadata (if (null? rest) '() (map (lambda (entry) (vector-ref entry 1)) (block! (tag "metadata" "DAKOTA_METADATA"))))))
        (unless (null? rest)
          (fail file (car rest) "~s is behind all that is expected in the file" (vector-ref (car rest) 0)))
        (vector 'dakota-parameters variables active-set derivatives components id metadata)))))

(define (read-dakota-parameters file)
  "Return the parameters of Dakota in @var{file}; see @code{parse-dakota-parameters}."
  (parse-dakota-parameters file (read-text 'read-dakota-parameters file "UTF-8")))

;;; Making and writing them.

(define (check-name who what name)
  (unless (and (string? name) (not (string-null? name)) (not (string-any (char-set-union char-set:whitespace (char-set #\{ #\})) name)))
    (refuse who "the name of a ~a is ~s; expected a string without blanks and braces" what name)))

(define (line? text) (and (string? text) (not (string-any (char-set #\newline #\return #\") text))))

(define* (make-dakota-parameters variables #:key (active-set '()) (derivative-variables '()) (analysis-components '()) (evaluation-id "1")
                                 (metadata '()))
  "Return parameters of Dakota, to be written for a driver that Dakota's users have: @var{variables} is an association list of names and
numbers or strings, @var{active-set} one of functions and the codes of what is wanted of them (1 value, 2 gradient, 4 Hessian),
@var{derivative-variables} a list of names, @var{analysis-components} a list of pairs of strings, driver and component, @var{evaluation-id}
a string, and @var{metadata} a list of strings."
  (define who 'make-dakota-parameters)
  (define (check-list what list good?)
    (unless (and (list? list) (every good? list)) (refuse who "~a is ~s, expected a list as the documentation describes it" what list)))
  (check-list "the list of variables" variables
              (match-lambda ((_ . (or (? line?) (? finite-number?))) #t) (_ #f)))
  (check-list #:active-set active-set (match-lambda ((_ . (or 0 1 2 3 4 5 6 7)) #t) (_ #f)))
  (check-list #:analysis-components analysis-components (match-lambda (((? line?) . (? line?)) #t) (_ #f)))
  (check-list #:metadata metadata line?)
  (check-list #:derivative-variables derivative-variables (lambda (name) (assoc name variables)))
  (unless (and (line? evaluation-id) (not (string-null? evaluation-id)))
    (refuse who "#:evaluation-id is ~s, expected a string such as \"1\"" evaluation-id))
  (for-each (match-lambda ((name . _) (check-name who "variable" name))) variables)
  (for-each (match-lambda ((name . _) (check-name who "function" name))) active-set)
  (vector 'dakota-parameters variables active-set
          (map (lambda (name) (cons name (1+ (list-index (match-lambda ((other . _) (string=? name other))) variables))))
               derivative-variables)
          analysis-components evaluation-id metadata))

(define (value-text value aprepro?)
  (cond ((string? value) (if aprepro? (string-append "\"" value "\"") value))
        ((exact-integer? value) (number->string value))
        (else (real->text value))))

(define* (dakota-parameters->text parameters #:key (format 'standard))
  "Return the text of @var{parameters} in the @var{format} @code{standard} or @code{aprepro}, as Dakota writes it for a driver, but with all
digits that a number has."
  (define who 'dakota-parameters->text)
  (define aprepro? (eq? format 'aprepro))
  (unless (memq format '(standard aprepro)) (refuse who "#:format is ~s, expected standard or aprepro" format))
  (part who parameters 1)
  (match parameters
    (#(_ variables active-set derivatives components id metadata)
     (define (line text tag)
       (if aprepro?
           (string-append "                    { " (string-pad-right tag (max 15 (string-length tag))) " = "
                          (string-pad text (max 23 (string-length text))) " }\n")
           (string-append (string-pad text (max 43 (string-length text))) " " tag "\n")))
     (define (block name items item-line)
       (string-append (line (number->string (length items)) name)
                      (string-concatenate (map item-line items (iota (length items) 1)))))
     (define (tag prefix i . name)
       (string-append prefix "_" (number->string i) (if (null? name) "" (string-append ":" (car name)))))
     (define (name standard aprepro) (if aprepro? aprepro standard))
     (string-append
      (block (name "variables" "DAKOTA_VARS") variables
             (match-lambda* (((name . value) _) (line (value-text value aprepro?) name))))
      (block (name "functions" "DAKOTA_FNS") active-set
             (match-lambda* (((label . code) i) (line (number->string code) (tag "ASV" i label)))))
      (block (name "derivative_variables" "DAKOTA_DER_VARS") derivatives
             (match-lambda* (((label . id) i) (line (number->string id) (tag "DVV" i label)))))
      (block (name "analysis_components" "DAKOTA_AN_COMPS") components
             (match-lambda* (((driver . component) i) (line (value-text component aprepro?) (tag "AC" i driver)))))
      (line id (name "eval_id" "DAKOTA_EVAL_ID"))
      (block (name "metadata" "DAKOTA_METADATA") metadata
             (lambda (name i) (line (value-text name aprepro?) (tag "MD" i))))))))
