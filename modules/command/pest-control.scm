;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Control files of PEST (.pst), of version 1 and of version 2 with keywords and other files, as data.
(define-module (tutti command pest-control)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command pest-control-check)
  #:use-module (tutti command pest-equation)
  #:use-module (tutti command pest-section)
  #:use-module (tutti command pest-table)
  #:use-module (tutti command scan)
  #:export (parse-pest-control read-pest-control pest-control? pest-control-file pest-control-version pest-control-data
            pest-singular-values pest-parameter-groups pest-parameters pest-observation-groups pest-observations
            pest-command-lines pest-template-files pest-instruction-files pest-prior-information pest-regularization
            pest-regularization-groups pest-options))

(define who 'read-pest-control)

;;; The data: #(pest-control FILE VERSION FIELDS). FIELDS is an association list, as are the things in its lists.

(define (pest-control? object)
  "Return true if @var{object} is a control file of PEST, as data."
  (match object
    (#('pest-control (? string?) (or 1 2) (? list?)) #t)
    (_ #f)))

(define (field who control key)
  (unless (pest-control? control)
    (refuse who "~s is no control file of PEST; read-pest-control reads one" control))
  (assq-ref (vector-ref control 3) key))

(define (pest-control-file control)
  "Return the name of the file that @var{control} is from."
  (field 'pest-control-file control 'parameters)
  (vector-ref control 1))

(define (pest-control-version control)
  "Return the version of the file that @var{control} is from, 1 or 2."
  (field 'pest-control-version control 'parameters)
  (vector-ref control 2))

(define (pest-control-data control)
  "Return the association list of the variables of the section ``control data'' of @var{control}: symbols in lower case such as
@code{noptmax}, and their values."
  (field 'pest-control-data control 'control-data))

(define (pest-singular-values control)
  "Return the association list of the variables of the section ``singular value decomposition'' of @var{control}."
  (field 'pest-singular-values control 'singular-values))

(define (pest-parameter-groups control)
  "Return the list of the parameter groups in @var{control}: association lists with @code{name}, @code{increment-type}, @code{increment},
@code{increment-bound}, @code{method}, @code{increment-factor}, @code{three-points}, which are INCTYP, DERINC, DERINCLB, FORCEN, DERINCMUL
and DERMTHD, and @code{place}."
  (field 'pest-parameter-groups control 'parameter-groups))

(define (pest-parameters control)
  "Return the list of the parameters in @var{control}: association lists with @code{name}, @code{transform} (@code{none}, @code{log},
@code{fixed}, @code{tied}), @code{change-limit}, @code{value}, @code{lower}, @code{upper}, @code{group}, @code{scale}, @code{offset},
@code{command}, @code{tied-to}, the name of another or @code{#f}, and @code{place}."
  (field 'pest-parameters control 'parameters))

(define (pest-observation-groups control)
  "Return the list of the names of the observation groups in @var{control}."
  (field 'pest-observation-groups control 'observation-groups))

(define (pest-observations control)
  "Return the list of the observations in @var{control}: association lists with @code{name}, @code{value}, @code{weight}, @code{group} and
@code{place}."
  (field 'pest-observations control 'observations))

(define (pest-command-lines control)
  "Return the list of the commands in @var{control}: pairs of text and place."
  (field 'pest-command-lines control 'command-lines))

(define (pest-template-files control)
  "Return the list of the pairs of files in @var{control} that are a template and the input of the model made of it: association lists with
@code{pest-file}, @code{model-file} and @code{place}."
  (field 'pest-template-files control 'template-files))

(define (pest-instruction-files control)
  "Return the list of the pairs of files in @var{control} that are instructions and the output of the model that they read: association
lists with @code{pest-file}, @code{model-file} and @code{place}."
  (field 'pest-instruction-files control 'instruction-files))

(define (pest-prior-information control)
  "Return the list of the prior information in @var{control}: association lists with @code{name}, @code{terms}, a list of lists of factor,
name of the parameter and whether its logarithm is meant, @code{value}, @code{weight}, @code{group} and @code{place}."
  (field 'pest-prior-information control 'prior-information))

(define (pest-regularization control)
  "Return the association list of the variables of the section ``regularization'' of @var{control}."
  (field 'pest-regularization control 'regularization))

(define (pest-regularization-groups control)
  "Return the list of the names of the observation groups in @var{control} that are regularization: those that begin with @samp{regul}."
  (filter (lambda (name) (string-prefix? "regul" name)) (pest-observation-groups control)))

(define (pest-options control)
  "Return the association list of the options of PEST++ in @var{control}: names in lower case and texts."
  (field 'pest-options control 'options))

;;; Variables with a place of their own.

(define control-lines
  '(((rstfle text) (pestmode text))
    ((npar integer) (nobs integer) #:optional (npargp integer) (nprior integer) (nobsgp integer))
    ((ntplfle integer) (ninsfle integer) #:optional (precis (single double)) (dpoint (point nopoint)) (numcom integer))
    ((rlambda1 real) #:optional (rlamfac real) (phiratsuf real) (phiredlam real) (numlam integer))
    ((relparmax real) #:optional (facparmax real) (facorig real))
    ((phiredswh real))
    ((noptmax integer) #:optional (phiredstp real) (nphistp integer) (nphinored integer) (relparstp real) (nrelpar integer))
    (#:optional (icov integer) (icor integer) (ieig integer))))
(define singular-value-lines
  '(((svdmode integer)) ((maxsing integer) (eigthresh real)) ((eigwrite text))))
(define regularization-lines
  '(((phimlim real) (phimaccept real) #:optional (fracphim real))
    ((wfinit real) (wfmin real) (wfmax real))
    ((wffac real) (wftol real) #:optional (iregadj integer))))

(define (kind-in lines name)
  (any (lambda (variables)
         (any (lambda (variable) (and (pair? variable) (eq? name (car variable)) (cadr variable))) variables))
       lines))

(define (keyword-values rows)
  "Return the association lists of control data, singular values, regularization and options that ROWS of the section with keywords say."
  (define (value row name kind)
    (match (row-words row)
      ((_ word) (row-word row word name kind))
      (_ (complain-row row #f "~a has no value, or more than one; expected one behind it" name))))
  (fold-right
   (lambda (row found)
     (let* ((name (string->symbol (string-downcase (word-text (car (row-words row))))))
            (lists (list control-lines singular-value-lines regularization-lines))
            (kinds (map (lambda (lines) (kind-in lines name)) lists)))
       (if (any identity kinds)
           (append (map (lambda (kind values) (if kind (acons name (value row name kind) values) values)) kinds (drop-right found 1))
                   (take-right found 1))
           (append (drop-right found 1)
                   (list (acons (symbol->string name) (rest-of-line row) (last found)))))))
   '(() () () ())
   rows))

(define (rest-of-line row)
  (let* ((text (string-trim (row-text row)))
         (blank (string-index text blank?)))
    (if blank (string-trim-both (substring text blank)) "")))

(define (option-values rows)
  "Return the association list of the options that ROWS, such as ++name(value), say."
  (append-map
   (lambda (row)
     (define text (row-text row))
     (let next ((i (+ 2 (string-contains text "++"))) (found '()))
       (let ((start (string-skip text blank? i)))
         (if (or (not start) (memv (string-ref text start) '(#\# #\~)))
             (reverse found)
             (let* ((open (string-index text #\( start))
                    (close (and open (string-index text #\) open))))
               (unless close
                 (complain-row row (1+ start) "~s is no option of PEST++; expected a name and values in parentheses, such as \
n_iter_base(-1)" (substring text start)))
               (next (1+ close)
                     (acons (string-downcase (string-trim-both (substring text start open)))
                            (string-trim-both (substring text (1+ open) close))
                            found)))))))
   rows))

;;; Lists.

(define group-columns
  '((name ("pargpnme" "name") name (required))
    (increment-type ("inctyp") (relative absolute rel_to_max) (relative))
    (increment ("derinc") real (0.01))
    (increment-bound ("derinclb") real (0.))
    (method ("forcen") (switch always_2 always_3 switch_5 always_5) (switch))
    (increment-factor ("derincmul") real (2.))
    (three-points ("dermthd") (parabolic best_fit outside_pts minvar maxprec) (parabolic))))
(define parameter-columns
  '((name ("parnme" "name") name (required))
    (transform ("partrans" "transform") (none log fixed tied) (required))
    (change-limit ("parchglim") text ("factor"))
    (value ("parval1" "value") real (required))
    (lower ("parlbnd" "lower_bound") real (required))
    (upper ("parubnd" "upper_bound") real (required))
    (group ("pargp" "group") name (required))
    (scale ("scale") real (1.))
    (offset ("offset") real (0.))
    (command ("dercom") integer (1))
    (tied-to ("partied") name (#f))))
;; In rows there is no default for what has others behind it.
(define parameter-row-columns
  (map (match-lambda
         (((and key (or 'scale 'offset)) names kind _) (list key names kind '(required)))
         (column column))
       (drop-right parameter-columns 1)))
(define observation-columns
  '((name ("obsnme" "name") name (required))
    (value ("obsval" "value") real (required))
    (weight ("weight") real (required))
    (group ("obgnme" "group") name (required))))
(define file-columns
  '((pest-file ("pest_file") text (required)) (model-file ("model_file") text (required))))
(define prior-columns
  '((name ("pilbl") name (required)) (equation ("equation") text (required)) (weight ("weight") real (required))
    (group ("obgnme" "group") name (required))))

(define (tied-row? row) (= 2 (length (row-words row))))

(define (parameter-items rows)
  "Return the parameters in ROWS, of which the last ones say which parameter is tied to which."
  (call-with-values (lambda () (break tied-row? rows))
    (lambda (rows tie-rows)
      (let* ((items (rows->items parameter-row-columns rows))
             (ties (read-ties items tie-rows)))
        (map (lambda (item) (append item (list (cons 'tied-to (hash-ref ties (assq-ref item 'name)))))) items)))))

(define (read-ties items rows)
  "Return a hash table of the names of those of ITEMS that ROWS tie to another, and the names of the others."
  (define ties (make-hash-table))
  (define known (make-hash-table))
  (for-each (lambda (item) (hash-set! known (assq-ref item 'name) item)) items)
  (for-each
   (lambda (row)
     (match (map (lambda (word) (string-downcase (word-text word))) (row-words row))
       ((name parent)
        (let ((item (hash-ref known name)))
          (cond ((not item) (complain-row row #f "~a is tied to ~a, and is no parameter" name parent))
                ((not (eq? 'tied (assq-ref item 'transform)))
                 (complain-row row #f "~a is tied to ~a here, but ~a says ~a; expected tied there" name parent (assq-ref item 'place)
                               (assq-ref item 'transform)))
                ((hash-ref ties name)
                 => (lambda (other) (complain-row row #f "~a is tied to ~a already; expected one line for each" name other)))
                (else (hash-set! ties name parent)))))
       (_ (complain-row row #f "~s is behind the lines that tie parameters to others; expected all parameters before them"
                        (row-text row)))))
   rows)
  ties)

;;; The file.

(define (file-pairs sections counts rows-of items)
  "Return the lists of templates and of instructions, from sections of their own or from the one that has both."
  (define both (rows-of "model input/output"))
  (define ntplfle (assq-ref counts 'ntplfle))
  (if (null? both)
      (list (items "model input" file-columns) (items "model output" file-columns))
      (begin
        (unless ntplfle
          (complain-row (car both) #f "nothing says how many of the files here are templates; expected the sections \"* model input\" and \
\"* model output\""))
        (let ((all (items "model input/output" file-columns)))
          (call-with-values (lambda () (split-at all (min (max 0 ntplfle) (length all)))) list)))))

(define (command-lines rows)
  (map (lambda (row) (cons (string-trim-both (row-text row)) (row-place row))) rows))

(define (group-names rows) (map (lambda (row) (row-word row (car (row-words row)) 'obgnme 'name)) rows))

(define (parse-pest-control file text read)
  "Return the control file of PEST that is @var{text}, the contents of @var{file}, as data. @var{read}, a procedure of the name of another
file that it mentions and of a procedure that raises an error about a text, returns what is in that. What is wrong, and what contradicts,
is a @code{&tutti-error} that names file and line."
  (check-text who file text)
  (call-with-values (lambda () (split-sections file text))
    (lambda (version sections option-rows)
      (define (section name) (find (lambda (section) (string=? name (section-name section))) sections))
      (define (rows-of name) (let ((it (section name))) (if it (section-rows it) '())))
      (define (read-other name row) (read name (lambda (message) (complain-row row #f "~a" message))))
      (define (items name columns)
        (let ((it (section name)))
          (cond ((not it) '())
                ((section-external? it) (table-items columns (section-rows it) read-other))
                ((eq? columns parameter-columns) (parameter-items (section-rows it)))
                (else (rows->items columns (section-rows it))))))
      (define keywords (keyword-values (rows-of "control data keyword")))
      (define data (append (rows->values (rows-of "control data") control-lines) (first keywords)))
      (define prior
        (if (and=> (section "prior information") section-external?)
            (map equation-item (items "prior information" prior-columns))
            (map equation-row (join-continued (rows-of "prior information")))))
      (define pairs (file-pairs sections data rows-of items))
      (define observations (items "observation data" observation-columns))
      (define fields
        `((control-data . ,data)
          (singular-values . ,(append (rows->values (rows-of "singular value decomposition") singular-value-lines) (second keywords)))
          (parameter-groups . ,(items "parameter groups" group-columns))
          (parameters . ,(items "parameter data" parameter-columns))
          (observation-groups . ,(group-names (rows-of "observation groups")))
          (observations . ,observations)
          (command-lines . ,(command-lines (rows-of "model command line")))
          (template-files . ,(first pairs))
          (instruction-files . ,(second pairs))
          (prior-information . ,prior)
          (regularization . ,(append (rows->values (rows-of "regularization") regularization-lines) (third keywords)))
          (options . ,(append (option-values option-rows) (fourth keywords)))))
      (vector 'pest-control file version (check-control file version sections option-rows fields)))))

(define (read-pest-control file)
  "Return the control file of PEST @var{file}, of either version, as data; what it contradicts itself in is a @code{&tutti-error} that names
file and line. The templates and instructions that it names are not read."
  (define folder (and (string? file) (dirname file)))
  (parse-pest-control file (read-text who file "UTF-8")
                      (lambda (name complain)
                        (let ((path (if (absolute-file-name? name) name (string-append folder "/" name))))
                          (unless (file-exists? path)
                            (complain (format #f "~a is not there; expected a file, in the folder of ~a" path file)))
                          (read-text who path "UTF-8")))))
