;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Files of sections, keys and values, as ConfigObj writes them: values may be above the first section, in quotes, and lists with an
;; empty last item.  What a file may say is a schema; whatever is against it is an error that names file, line, key and what is allowed.
;;
;; A schema is a list of sections, each a list of its name ("" above the first section) and of its keys: lists of a name and a kind.
(define-module (tutti mt ini)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti mt files)
  #:export (text-kind name-kind boolean-kind integer-kind real-kind exact-kind choice-kind choices-kind reals-kind integers-kind
            make-kind list-kind kind-text kind-parse
            read-settings settings-ref settings-line settings-complain quote-text))

;;; Kinds of values.

(define-record-type <kind>
  (%make-kind text parse)
  kind?
  (text kind-text)         ; what is allowed, to follow "expected"
  (parse %kind-parse))     ; list of strings, whether they were written as a list -> list of the value, or #f

(define (kind-parse kind items list?)
  "Return the list of the one value of @var{kind} that the strings @var{items} stand for, or @code{#f} if they stand for none;
@var{list?} says that they were written as a list."
  ((%kind-parse kind) items list?))

(define (make-kind text parse-item)
  "Return the kind of single values that @var{parse-item} parses: it returns a list of one value for a string, or @code{#f} if that is
invalid; the string @var{text} describes what is allowed."
  (%make-kind text (lambda (items list?) (and (not list?) (pair? items) (parse-item (car items))))))

(define (list-kind text parse-item)
  "Return the kind of lists of values that @var{parse-item} parses: it returns a list of one value for a string, or @code{#f} if that
is invalid; the string @var{text} describes what is allowed."
  (%make-kind text
              (lambda (items list?)
                (let ((values (map parse-item items)))
                  (and (every identity values) (list (concatenate values)))))))

(define (parse-real text)
  ;; Those of Scheme's notations of numbers that other programs use, too.
  (and (string-every (char-set-adjoin char-set:digit #\+ #\- #\. #\e #\E) text)
       (let ((number (string->number text 10)))
         (and number (real? number) (finite? number) number))))

(define (range low high)
  (cond ((and low high) (format #f "from ~a to ~a" low high)) (low (format #f "of at least ~a" low)) (else "")))

(define (within? x low high)
  (and (or (not low) (>= x low)) (or (not high) (<= x high))))

(define* (integer-kind low #:optional high)
  "Return the kind of integers from @var{low} to @var{high}, or without bound."
  (make-kind (string-append "an integer " (range low high))
             (lambda (text)
               (let ((n (parse-real text)))
                 (and (exact-integer? n) (within? n low high) (list n))))))

(define* (real-kind low #:optional high)
  "Return the kind of real numbers from @var{low} to @var{high}, or without bound."
  (make-kind (string-append "a number " (range low high))
             (lambda (text)
               (let ((x (parse-real text)))
                 (and x (within? x low high) (list (exact->inexact x)))))))

(define (exact-kind text accept?)
  "Return the kind of numbers that @var{accept?} likes, exactly as they are written: 0.1 is a tenth, 1/3 a third; @var{text} says
which are allowed."
  (make-kind text (lambda (string)
                    (let ((x (if (regexp-exec fraction string)
                                 (string->number string 10)
                                 (and (parse-real string) (string->number (string-append "#e" string) 10)))))
                      (and x (accept? x) (list x))))))

(define fraction (make-regexp "^[0-9]{1,30}/[1-9][0-9]{0,29}$"))

(define text-kind
  (make-kind "a text" list))

(define name-kind
  (make-kind "a name for a folder: without slashes, not beginning with a dot" (lambda (text) (and (plain-name? text) (list text)))))

(define boolean-kind
  (make-kind "True or False"
             (lambda (text)
               (let ((word (string-downcase text)))
                 (cond ((member word '("true" "yes" "on" "1")) '(#t))
                       ((member word '("false" "no" "off" "0")) '(#f))
                       (else #f))))))

(define (canonical names text)
  "Return the list of what TEXT is in NAMES, whose items are strings or lists of one and what else is written for it; or #f."
  (any (lambda (name)
         (if (pair? name)
             (and (member text name) (list (car name)))
             (and (string=? text name) (list name))))
       names))

(define (one-of names)
  (string-join (map (lambda (name) (if (pair? name) (car name) name)) names) ", "))

(define (choice-kind names)
  "Return the kind of strings that are in @var{names}, whose items are strings, or lists of a string and other ways to write it."
  (make-kind (string-append "one of " (one-of names)) (lambda (text) (canonical names text))))

(define (choices-kind names)
  "Return the kind of lists of strings that are in @var{names}."
  (list-kind (string-append "a list of some of " (one-of names)) (lambda (text) (canonical names text))))

(define (integers-kind low)
  "Return the kind of lists of integers of at least @var{low}."
  (let ((kind (integer-kind low)))
    (list-kind (string-append "a list of integers " (range low #f))
               (lambda (text) (kind-parse kind (list text) #f)))))

(define reals-kind
  (list-kind "a list of positive numbers"
             (lambda (text)
               (let ((x (parse-real text)))
                 (and x (positive? x) (list (exact->inexact x)))))))

;;; Lines.

(define (split-value text fail)
  "Return two values: the list of the items in TEXT, what is behind the = of a line, and whether it is a list.  Call FAIL with a
message if it cannot be understood."
  (define (comment-at? i)
    (and (memv (string-ref text i) '(#\# #\;))
         (or (char=? (string-ref text i) #\#) (zero? i) (char-whitespace? (string-ref text (1- i))))))
  (define (item i)
    ;; Return the item that starts at I, and where it ends.
    (let ((c (string-ref text i)))
      (if (memv c '(#\" #\'))
          (let ((end (string-index text c (1+ i))))
            (unless end (fail "a quote is not closed"))
            (values (substring text (1+ i) end) (skip-blanks (1+ end))))
          (let ((end (let loop ((k i))
                       (if (or (= k (string-length text)) (char=? (string-ref text k) #\,) (comment-at? k)) k (loop (1+ k))))))
            (values (string-trim-right (substring text i end)) end)))))
  (define (skip-blanks i)
    (or (string-skip text char-whitespace? i) (string-length text)))
  (define (end? i)
    (or (= i (string-length text)) (comment-at? i)))
  (let loop ((i (skip-blanks 0)) (items '()))
    (cond ((end? i) (values (reverse items) (pair? items)))
          ((char=? (string-ref text i) #\,)
           ;; A comma alone is the empty list.
           (if (and (null? items) (end? (skip-blanks (1+ i))))
               (values '() #t)
               (fail "a list has an item that is empty")))
          (else
           (call-with-values (lambda () (item i))
             (lambda (this end)
               (cond ((end? end) (values (reverse (cons this items)) (pair? items)))
                     ((char=? (string-ref text end) #\,) (loop (skip-blanks (1+ end)) (cons this items)))
                     (else (fail "there is something behind a quoted text")))))))))

(define (quote-text text)
  "Return the string @var{text} as it is written into a file that is read by @code{read-settings}."
  (cond ((not (string-index text #\")) (string-append "\"" text "\""))
        ((not (string-index text #\')) (string-append "'" text "'"))
        (else (refuse 'quote-text "~s has both kinds of quotes, which these files cannot express" text))))

;;; Files.

(define-record-type <settings>
  (make-settings file who entries)
  settings?
  (file settings-file)
  (who settings-who)
  (entries settings-entries))   ; list of ((section . key) value line)

(define (settings-entry settings section key)
  (assoc (cons section key) (settings-entries settings)))

(define* (settings-ref settings section key #:optional default)
  "Return the value of @var{key} in @var{section}, or @var{default} if the file does not say."
  (match (settings-entry settings section key)
    ((_ value _) value)
    (#f default)))

(define (settings-line settings section key)
  "Return the line that gives @var{key} in @var{section}, or @code{#f} if there is none."
  (match (settings-entry settings section key)
    ((_ _ line) line)
    (#f #f)))

(define (in-section section)
  (if (string-null? section) "above the first section" (format #f "in [~a]" section)))

(define (settings-complain settings section key message . arguments)
  "Raise an error about the value of @var{key} in @var{section}."
  (complain-about (settings-who settings) (settings-file settings) (settings-line settings section key)
                  "~a ~a: ~a" key (in-section section) (apply format #f message arguments)))

(define (section-header line fail)
  "Return the name of the section that LINE, which begins with a bracket, begins."
  (let* ((end (or (string-index line #\]) (fail "a section's name is not closed by ]")))
         (rest (string-trim (substring line (1+ end)))))
    (unless (or (string-null? rest) (memv (string-ref rest 0) '(#\# #\;)))
      (fail (format #f "there is something behind the section's name: ~a" rest)))
    (string-trim-both (substring line 1 end))))

(define* (read-settings who file schema #:key (required '()))
  "Return the settings in @var{file}, of which the schema is @var{schema}; a section in it whose keys are to be in sections of several
names has the list of these names.  @var{required} is the list of pairs of a section and a key that must be given.  Errors are in
the name of @var{who}."
  (define (known-section name)
    (find (lambda (section) (if (list? (car section)) (member name (car section)) (string=? name (car section)))) schema))
  (define (section-names)
    (delete "" (append-map (lambda (section) (if (list? (car section)) (car section) (list (car section)))) schema)))
  (define entries '())
  (define (add-entry! section name text line fail)
    (let ((kind (assoc-ref (cdr (known-section section)) name)))
      (unless kind
        (fail (format #f "there is no key ~a ~a; there are ~a" name (in-section section)
                      (string-join (map car (cdr (known-section section))) ", "))))
      (match (assoc (cons section name) entries)
        ((_ _ before) (fail (format #f "~a ~a was given before, in line ~a" name (in-section section) before)))
        (#f #f))
      (call-with-values
          (lambda () (split-value text (lambda (why) (fail (format #f "~a ~a: ~a" name (in-section section) why)))))
        (lambda (items list?)
          (match (kind-parse (car kind) items list?)
            ((value) (set! entries (cons (list (cons section name) value line) entries)))
            (#f (fail (format #f "~a ~a is ~a, expected ~a" name (in-section section)
                              (if (null? items) "empty" (string-join items ", ")) (kind-text (car kind))))))))))
  (let loop ((lines (map string-trim-both (file-lines who file))) (number 1) (section "") (seen '()))
    (define (fail message)
      (complain-about who file number "~a" message))
    (unless (null? lines)
      (let ((line (car lines)))
        (cond ((or (string-null? line) (memv (string-ref line 0) '(#\# #\;)))
               (loop (cdr lines) (1+ number) section seen))
              ((char=? (string-ref line 0) #\[)
               (let ((name (section-header line fail)))
                 (unless (and (not (string-null? name)) (known-section name))
                   (fail (format #f "there is no section [~a]; there are ~{[~a]~^, ~}" name (section-names))))
                 (when (assoc name seen)
                   (fail (format #f "the section [~a] was begun before, in line ~a" name (assoc-ref seen name))))
                 (loop (cdr lines) (1+ number) name (acons name number seen))))
              ((string-index line #\=)
               => (lambda (i)
                    (unless (known-section section)
                      (fail "expected a section before the first key"))
                    (add-entry! section (string-trim-right (substring line 0 i)) (substring line (1+ i)) number fail)
                    (loop (cdr lines) (1+ number) section seen)))
              (else
               (fail (format #f "expected a [section] or a key = value, got ~a" line)))))))
  (for-each (lambda (place)
              (unless (assoc place entries)
                (complain-about who file #f "~a is missing ~a" (cdr place) (in-section (car place)))))
            required)
  (make-settings file who entries))
