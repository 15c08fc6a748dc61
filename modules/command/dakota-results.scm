;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files of results that programs write for Dakota (results.out), as data.
(define-module (tutti command dakota-results)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti command dakota-number)
  #:use-module (tutti command dakota-parameters)
  #:use-module (tutti command scan)
  #:export (parse-dakota-results read-dakota-results dakota-results? dakota-failed? dakota-values dakota-labels dakota-gradients
            dakota-hessians dakota-metadata-values dakota-results->text dakota-failure->text))

(define who 'parse-dakota-results)

;;; The data: #(dakota-results FAILED? VALUES LABELS GRADIENTS HESSIANS METADATA), lists with #f for what is not there.

(define (dakota-results? object)
  "Return true if @var{object} is results for Dakota."
  (match object
    (#('dakota-results (? boolean?) (? list?) (? list?) (? list?) (? list?) (? list?)) #t)
    (_ #f)))

(define (part who results i)
  (unless (dakota-results? results)
    (refuse who "~s are no results for Dakota; parse-dakota-results makes them" results))
  (vector-ref results i))

(define (dakota-failed? results)
  "Return true if @var{results} say that the evaluation failed."
  (part 'dakota-failed? results 1))

(define (dakota-values results)
  "Return the list of the values of the functions in @var{results}; @code{#f} for those that were not wanted."
  (part 'dakota-values results 2))

(define (dakota-labels results)
  "Return the list of the labels of the values in @var{results}; @code{#f} for those that have none."
  (part 'dakota-labels results 3))

(define (dakota-gradients results)
  "Return the list of the gradients of the functions in @var{results}, which are lists of numbers; @code{#f} for those that were not
wanted."
  (part 'dakota-gradients results 4))

(define (dakota-hessians results)
  "Return the list of the Hessians of the functions in @var{results}, which are lists of rows; @code{#f} for those that were not wanted."
  (part 'dakota-hessians results 5))

(define (dakota-metadata-values results)
  "Return the list of the values of the metadata in @var{results}."
  (part 'dakota-metadata-values results 6))

;;; Tokens: #(TEXT LINE COLUMN), where TEXT is a word or a bracket.

(define (line-tokens line number)
  (define end (string-length line))
  (define (bracket? c) (or (char=? c #\[) (char=? c #\])))
  (let next ((i 0) (tokens '()))
    (let ((start (string-skip line blank? i)))
      (cond ((not start) (reverse tokens))
            ((bracket? (string-ref line start))
             (next (1+ start) (cons (vector (substring line start (1+ start)) number (1+ start)) tokens)))
            (else
             (let ((stop (or (string-index line (lambda (c) (or (blank? c) (bracket? c))) start) end)))
               (next stop (cons (vector (substring line start stop) number (1+ start)) tokens))))))))

(define (tokens text)
  (concatenate (map-lines line-tokens text)))

(define (token-text token) (vector-ref token 0))
(define (bracket? token) (member (token-text token) '("[" "]")))

(define (fail file token message . arguments)
  (match token
    (#(_ line column) (apply complain-at who file line column message arguments))))

(define (token-number file token)
  "Return the number that TOKEN is, or #f if it is a label."
  (let ((text (token-text token)))
    (or (string->real text)
        (and (parse-real text)
             (fail file token "~s has an exponent that Dakota does not read; expected e, as in ~a" text
                   (real->text (parse-real text)))))))

;;; Blocks.

(define (take-values file all)
  "Return the list of pairs of the values that ALL begins with and their labels, and the tokens behind them."
  (let next ((rest all) (found '()))
    (match rest
      ((token . behind)
       (cond ((bracket? token) (values (reverse found) rest))
             ((token-number file token) => (lambda (x) (next behind (cons (cons x #f) found))))
             ((and (pair? found) (not (cdar found)))
              (next behind (cons (cons (caar found) (token-text token)) (cdr found))))
             (else (fail file token "~s is here; expected a number~:[~;, and a label without blanks behind each~]" (token-text token)
                         (pair? found)))))
      (() (values (reverse found) '())))))

(define (take-bracketed file rest opening count what)
  "Return the COUNT numbers in brackets that REST begins with, and the tokens behind them. OPENING is how many brackets there are."
  (define closing (make-list opening "]"))
  (define begin-token (and (pair? rest) (car rest)))
  (define (at token message . arguments)
    (if token (apply fail file token message arguments) (apply complain-at who file #f #f message arguments)))
  (unless (and (>= (length rest) opening)
               (every (lambda (token) (string=? "[" (token-text token))) (take rest opening))
               (not (and (> (length rest) opening) (string=? "[" (token-text (list-ref rest opening))))))
    (at begin-token "~a is here; expected ~a, between ~a and ~a"
        (if begin-token (object->string (token-text begin-token)) "the end of the file") what
        (make-string opening #\[) (make-string opening #\])))
  (call-with-values (lambda () (break bracket? (drop rest opening)))
    (lambda (numbers behind)
      (unless (and (>= (length behind) opening) (equal? closing (map token-text (take behind opening))))
        (at begin-token "the bracket here is not closed by ~a" (make-string opening #\])))
      (unless (= count (length numbers))
        (at begin-token "there ~[are~;is~:;are~] ~:*~a number~:p here; expected ~a for ~a" (length numbers) count what))
      (values (map (lambda (token)
                     (or (token-number file token) (fail file token "~s is no number" (token-text token))))
                   numbers)
              (drop behind opening)))))

(define (split-rows numbers n) (if (null? numbers) '() (cons (take numbers n) (split-rows (drop numbers n) n))))

(define (take-derivatives file rest codes labels bit opening count what shape)
  "Return the list of the derivatives that CODES with BIT want, #f for others, and the tokens behind them."
  (let next ((codes codes) (labels labels) (rest rest) (found '()))
    (cond ((null? codes) (values (reverse found) rest))
          ((not (logtest bit (car codes))) (next (cdr codes) (cdr labels) rest (cons #f found)))
          (else
           (call-with-values (lambda () (take-bracketed file rest opening count (format #f "~a of function ~a" what (car labels))))
             (lambda (numbers rest) (next (cdr codes) (cdr labels) rest (cons (shape numbers) found))))))))

;;; What is wanted.

(define (wanted who active-set derivatives metadata)
  "Return the codes and the names of the functions, the number of derivative variables, and that of the metadata."
  (define (check n what)
    (unless (and (exact-integer? n) (>= n 0)) (refuse who "~a is ~s, expected a whole number from 0" what n))
    n)
  (define (code? x) (and (exact-integer? x) (<= 0 x 7)))
  (match active-set
    ((? dakota-parameters?)
     (values (map cdr (dakota-active-set active-set)) (map car (dakota-active-set active-set))
             (or derivatives (length (dakota-derivative-variables active-set)))
             (or metadata (length (dakota-metadata active-set)))))
    (((? code? codes) ...)
     (values codes (iota (length codes) 1) (check (or derivatives 0) #:derivatives) (check (or metadata 0) #:metadata)))
    ((((? string? labels) . (? code? codes)) ...)
     (values codes labels (check (or derivatives 0) #:derivatives) (check (or metadata 0) #:metadata)))
    (_ (refuse who "#:active-set is ~s; expected parameters of Dakota, or a list of codes from 0 to 7" active-set))))

(define (check-labels file labeled? pairs names)
  (when labeled?
    (for-each (lambda (pair name)
                (unless (equal? name (cdr pair))
                  (complain-at who file #f #f "the value ~a has ~a; expected the label ~a, as labels are wanted" (car pair)
                               (if (cdr pair) (string-append "the label " (cdr pair)) "no label") name)))
              pairs names)))

(define (spread codes bit items)
  "Return a list with the next of ITEMS for each of CODES that has BIT, and #f for others."
  (let next ((codes codes) (items items))
    (cond ((null? codes) '())
          ((logtest bit (car codes)) (cons (car items) (next (cdr codes) (cdr items))))
          (else (cons #f (next (cdr codes) items))))))

(define (failure? all)
  ;; Dakota looks at four characters.
  (and (pair? all) (string-prefix-ci? "fail" (token-text (car all)))))

(define* (parse-dakota-results file text #:key active-set derivatives metadata labeled?)
  "Return the results for Dakota that are @var{text}, the contents of @var{file}. @var{active-set} says what is wanted: the parameters that
the program was given, or a list of codes (1 value, 2 gradient, 4 Hessian) of which @var{derivatives} and @var{metadata} complete the
numbers of derivative variables and of metadata; without it, values are read. If @var{labeled?} is true, each value has to have the label
of its function. A file that begins with @samp{fail} tells of a failure. What is wrong is a @code{&tutti-error} that names file, line and
column."
  (check-text who file text)
  (let ((all (tokens text)))
    (if (failure? all)
        (vector 'dakota-results #t '() '() '() '() '())
        (let*-values (((pairs rest) (take-values file all))
                      ((codes names derivatives metadata)
                       (wanted who (or active-set (make-list (length pairs) 1)) derivatives metadata))
                      ((pairs extra) (split-values file pairs rest codes metadata))
                      ((gradients rest) (take-derivatives file rest codes names 2 1 derivatives "the gradient" identity))
                      ((hessians rest) (take-derivatives file rest codes names 4 2 (* derivatives derivatives) "the Hessian"
                                                         (lambda (numbers) (split-rows numbers derivatives))))
                      ((more rest) (take-values file rest)))
          (check-labels file labeled? pairs (filter-map (lambda (code name) (and (logtest 1 code) name)) codes names))
          (unless (null? rest)
            (fail file (car rest) "~s is behind all that was wanted" (token-text (car rest))))
          (check-count file (length (append extra more)) "value~:p of metadata" metadata)
          (vector 'dakota-results #f (spread codes 1 (map car pairs)) (spread codes 1 (map cdr pairs)) gradients hessians
                  (map car (append extra more)))))))

(define (check-count file count what wanted)
  (unless (= wanted count)
    (complain-at who file #f #f (string-append "there ~[are~;is~:;are~] ~:*~a " what "; expected ~a, as many as were wanted")
                 count wanted)))

(define (split-values file pairs rest codes metadata)
  "Return those of PAIRS, the values before the first bracket, that functions have, and those that are metadata: they follow at once if no
derivatives are wanted."
  (let ((count (count-bit codes 1)))
    (check-count file (length pairs) (if (null? rest) "value~:p" "value~:p before the first bracket")
                 (if (any (lambda (code) (> code 1)) codes) count (+ count metadata)))
    (split-at pairs count)))

(define (count-bit codes bit) (count (lambda (code) (logtest bit code)) codes))

(define* (read-dakota-results file #:key active-set derivatives metadata labeled?)
  "Return the results for Dakota in @var{file}; see @code{parse-dakota-results}."
  (parse-dakota-results file (read-text 'read-dakota-results file "UTF-8") #:active-set active-set #:derivatives derivatives
                        #:metadata metadata #:labeled? labeled?))

;;; Writing.

(define (check-numbers who what list)
  (unless (and (list? list) (every real? list)) (refuse who "~a is ~s, expected a list of numbers" what list)))

(define* (dakota-results->text values #:key (labels '()) (gradients '()) (hessians '()) (metadata '()))
  "Return the text of a file of results for Dakota with the numbers @var{values}, the strings @var{labels} behind them, @var{gradients},
lists of numbers, @var{hessians}, lists of rows, and the numbers @var{metadata}, all with their digits; what is @code{#f} in a list is not
wanted, and left out."
  (define who 'dakota-results->text)
  (define (numbers list) (string-join (map real->text list) " "))
  (define wanted-values (filter-map (lambda (x label) (and x (cons x label))) values
                                    (append labels (make-list (max 0 (- (length values) (length labels))) #f))))
  (check-numbers who "the list of values" (map car wanted-values))
  (check-numbers who #:metadata metadata)
  (for-each (lambda (gradient) (when gradient (check-numbers who "a gradient" gradient))) gradients)
  (for-each (lambda (hessian)
              (when hessian
                (for-each (lambda (row) (check-numbers who "a row of a Hessian" row)) hessian)))
            hessians)
  (for-each (lambda (label)
              (unless (or (not label)
                          (and (string? label) (not (string-null? label)) (not (string-any char-set:whitespace label))
                               (not (parse-real label)) (not (string-any (char-set #\[ #\]) label))))
                (refuse who "the label of a value is ~s; expected a string without blanks and brackets that is no number" label)))
            labels)
  (string-append
   (string-concatenate (map (match-lambda ((x . label) (string-append (real->text x) (if label (string-append " " label) "") "\n")))
                            wanted-values))
   (string-concatenate (map (lambda (gradient) (string-append "[ " (numbers gradient) " ]\n")) (filter identity gradients)))
   (string-concatenate (map (lambda (hessian) (string-append "[[ " (string-join (map numbers hessian) "\n   ") " ]]\n"))
                            (filter identity hessians)))
   (string-concatenate (map (lambda (x) (string-append (real->text x) "\n")) metadata))))

(define* (dakota-failure->text #:optional (message ""))
  "Return the text of a file of results that tells Dakota that the evaluation failed; @var{message} is for people."
  (string-append "FAIL\n" message (if (string-null? message) "" "\n")))
