;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What contradicts itself in a control file of PEST: counts, names, groups, bounds, transformations.
(define-module (tutti command pest-control-check)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command pest-section)
  #:use-module (tutti command scan)
  #:export (check-control))

(define who 'read-pest-control)

(define (complain item message . arguments)
  "Raise an error about ITEM, at its place."
  (apply complain-about who (assq-ref item 'place) message arguments))

(define (name-of item) (assq-ref item 'name))

;;; Names.

(define (named what items)
  "Return a hash table of ITEMS by their names, each of which may be there once."
  (define table (make-hash-table))
  (for-each (lambda (item)
              (let ((before (hash-ref table (name-of item))))
                (when before
                  (complain item "the ~a ~a is there already, at ~a; expected each name once" what (name-of item) (assq-ref before 'place)))
                (hash-set! table (name-of item) item)))
            items)
  table)

(define (names table) (sort (hash-map->list (lambda (name _) name) table) string<?))

(define (few names) (if (> (length names) 12) (append (take names 12) '("…")) names))

;;; Sections.

(define (check-sections file version sections option-rows)
  (define (section name) (find (lambda (section) (string=? name (section-name section))) sections))
  (define (missing name)
    (complain-about who file "the section \"* ~a\" is missing" name))
  (define keywords (section "control data keyword"))
  (when keywords
    (for-each (lambda (name)
                (let ((other (section name)))
                  (when other
                    (complain-about who (format #f "~a:~a" file (section-line other))
                                    "the section ~a is here, and \"* control data keyword\" in line ~a; expected one of them" name
                                    (section-line keywords)))))
              '("control data" "singular value decomposition" "regularization"))
    (unless (null? option-rows)
      (complain-row (car option-rows) #f "options with ++ are here, and \"* control data keyword\" in line ~a; expected all of them there"
                    (section-line keywords))))
  (unless (or keywords (section "control data")) (missing "control data"))
  (for-each (lambda (name) (unless (section name) (missing name)))
            (append '("parameter data" "observation data" "model command line")
                    (if (= version 1) '("parameter groups" "observation groups") '())))
  (unless (section "model input/output")
    (for-each (lambda (name) (unless (section name) (missing name))) '("model input" "model output")))
  (for-each (lambda (section)
              (when (and (section-external? section)
                         (not (member (section-name section)
                                      '("parameter groups" "parameter data" "observation data" "model input" "model output"
                                        "prior information"))))
                (complain-about who (format #f "~a:~a" file (section-line section)) "the section ~a has no files of its own; expected its \
lines here" (section-name section))))
            sections))

(define (check-counts file sections fields)
  "Compare the numbers in the section of control data with what there is."
  (define data (assq-ref fields 'control-data))
  (define section (find (lambda (section) (string=? "control data" (section-name section))) sections))
  (define (check key what items)
    (let ((count (assq-ref data key)))
      (when (and count (not (= count (length items))))
        (complain-about who (format #f "~a~@[:~a~]" file (and section (section-line section)))
                        "~a is ~a, but there ~[are~;is~:;are~] ~:*~a ~a" (string-upcase (symbol->string key)) count (length items) what))))
  (define (list-of key) (assq-ref fields key))
  (check 'npar "parameters" (list-of 'parameters))
  (check 'nobs "observations" (list-of 'observations))
  (check 'npargp "parameter groups" (list-of 'parameter-groups))
  (check 'nprior "equations of prior information" (list-of 'prior-information))
  (check 'nobsgp "observation groups" (list-of 'observation-groups))
  (check 'ntplfle "templates" (list-of 'template-files))
  (check 'ninsfle "files of instructions" (list-of 'instruction-files))
  (check 'numcom "commands" (list-of 'command-lines)))

(define (check-mode file fields)
  (let ((mode (assq-ref (assq-ref fields 'control-data) 'pestmode))
        (modes '("estimation" "prediction" "regularization" "regularisation" "pareto" "unc")))
    (when (and mode (not (member (string-downcase mode) modes)))
      (complain-about who file "PESTMODE is ~s; expected one of ~{~a~^, ~}" mode modes))))

;;; Parameters.

(define (check-groups groups)
  (for-each
   (lambda (group)
     (define (check key name good? expected)
       (unless (good? (assq-ref group key))
         (complain group "~a of ~a is ~a; expected ~a" name (name-of group) (assq-ref group key) expected)))
     (check 'increment 'derinc positive? "a positive number")
     (check 'increment-bound 'derinclb (negate negative?) "a number from 0")
     (check 'increment-factor 'derincmul positive? "a positive number"))
   groups))

(define (check-group-of parameter groups)
  (let ((group (assq-ref parameter 'group)))
    (unless (or (not groups)
                (hash-ref groups group)
                (and (string=? group "none") (memq (assq-ref parameter 'transform) '(fixed tied))))
      (complain parameter "the parameter ~a is in the group ~a, which is not among the parameter groups: ~{~a~^, ~}" (name-of parameter)
                group (few (names groups))))))

(define (check-adjustable parameter)
  "Check bounds and transformation of PARAMETER, which is to be adjusted."
  (define (ref key) (assq-ref parameter key))
  (define name (name-of parameter))
  (let ((value (ref 'value)) (lower (ref 'lower)) (upper (ref 'upper)))
    (unless (< lower upper)
      (complain parameter "the bounds of the parameter ~a are ~a and ~a; expected the lower one below the upper one, or a parameter that \
is fixed"
                name lower upper))
    (unless (<= lower value upper)
      (complain parameter "the value ~a of the parameter ~a is outside of its bounds, ~a and ~a" value name lower upper))
    (when (and (eq? 'log (ref 'transform)) (not (positive? lower)))
      (complain parameter "the lower bound of the parameter ~a is ~a; expected a positive number, as its logarithm is adjusted. An offset \
may help"
                name lower))))

(define (check-tied parameter parameters)
  (define name (name-of parameter))
  (define parent-name (assq-ref parameter 'tied-to))
  (define parent (and parent-name (hash-ref parameters parent-name)))
  (cond ((not parent-name) (complain parameter "the parameter ~a is tied, and nothing says to which one; expected that behind the \
parameters, or as partied" name))
        ((string=? name parent-name) (complain parameter "the parameter ~a is tied to itself" name))
        ((not parent) (complain parameter "the parameter ~a is tied to ~a, which is no parameter; those are ~{~a~^, ~}" name parent-name
                                (few (names parameters))))
        ((memq (assq-ref parent 'transform) '(fixed tied))
         (complain parameter "the parameter ~a is tied to ~a, which is ~a itself; expected one that is adjusted" name parent-name
                   (assq-ref parent 'transform)))
        ((or (zero? (assq-ref parent 'value)) (zero? (assq-ref parameter 'value)))
         (complain parameter "the parameter ~a, ~a, is tied to ~a, ~a; expected values that are not 0, as their ratio is kept" name
                   (assq-ref parameter 'value) parent-name (assq-ref parent 'value)))))

(define (check-parameters parameters groups commands)
  (define table (named "parameter" parameters))
  (for-each
   (lambda (parameter)
     (check-group-of parameter groups)
     (when (zero? (assq-ref parameter 'scale))
       (complain parameter "the scale of the parameter ~a is 0; expected another number, as its value is multiplied by it"
                 (name-of parameter)))
     (unless (<= 0 (assq-ref parameter 'command) (max 1 (length commands)))
       (complain parameter "dercom of the parameter ~a is ~a; expected the number of a command, from 1 to ~a" (name-of parameter)
                 (assq-ref parameter 'command) (length commands)))
     (case (assq-ref parameter 'transform)
       ((tied) (check-tied parameter table))
       ((none log)
        (check-adjustable parameter)
        (when (assq-ref parameter 'tied-to)
          (complain parameter "the parameter ~a is tied to ~a and says ~a; expected tied" (name-of parameter) (assq-ref parameter 'tied-to)
                    (assq-ref parameter 'transform))))))
   parameters)
  (unless (any (lambda (parameter) (memq (assq-ref parameter 'transform) '(none log))) parameters)
    (complain (car parameters) "no parameter is adjusted: all are fixed or tied"))
  table)

;;; Observations and prior information.

(define (check-weighted item what groups)
  (let ((group (assq-ref item 'group)))
    (unless (or (not groups) (member group groups))
      (complain item "the ~a ~a is in the group ~a, which is not among the observation groups: ~{~a~^, ~}" what (name-of item) group
                groups))
    (when (negative? (assq-ref item 'weight))
      (complain item "the weight of the ~a ~a is ~a; expected a number from 0" what (name-of item) (assq-ref item 'weight)))))

(define (check-prior prior parameters groups observation-groups)
  (named "prior information" prior)
  (for-each
   (lambda (item)
     (check-weighted item "prior information" groups)
     (when (hash-ref observation-groups (assq-ref item 'group))
       (complain item "the prior information ~a is in the group ~a, in which observations are; expected one of its own" (name-of item)
                 (assq-ref item 'group)))
     (for-each
      (match-lambda
        ((_ name log?)
         (let ((parameter (hash-ref parameters name)))
           (unless parameter
             (complain item "the prior information ~a is about ~a, which is no parameter; those are ~{~a~^, ~}" (name-of item) name
                       (few (names parameters))))
           (case (assq-ref parameter 'transform)
             ((fixed tied) (complain item "the prior information ~a is about ~a, which is ~a; expected parameters that are adjusted"
                                     (name-of item) name (assq-ref parameter 'transform)))
             ((log) (unless log? (complain item "the prior information ~a has ~a; expected log(~a), as its logarithm is adjusted"
                                           (name-of item) name name)))
             (else (when log? (complain item "the prior information ~a has log(~a); expected ~a, whose transformation is none"
                                        (name-of item) name name)))))))
      (assq-ref item 'terms)))
   prior))

;;; All of it.

(define (check-files files)
  "Check that no input of the model is made of two templates."
  (define seen (make-hash-table))
  (for-each (lambda (pair)
              (let* ((file (assq-ref pair 'model-file))
                     (before (hash-ref seen file)))
                (when before (complain pair "~a is made of a template at ~a already; expected each file once" file before))
                (hash-set! seen file (assq-ref pair 'place))))
            files))

(define (check-instruction-files files)
  (define seen (make-hash-table))
  (for-each (lambda (pair)
              (let* ((file (assq-ref pair 'pest-file))
                     (before (hash-ref seen file)))
                (when before (complain pair "the instructions ~a are followed at ~a already; expected each once" file before))
                (hash-set! seen file (assq-ref pair 'place))))
            files))

(define (groups-of items) (delete-duplicates (map (lambda (item) (assq-ref item 'group)) items)))

(define (default-groups parameters)
  (map (lambda (name)
         `((name . ,name) (increment-type . relative) (increment . 0.01) (increment-bound . 0.) (method . switch) (increment-factor . 2.)
           (three-points . parabolic) (place . "the defaults")))
       (groups-of parameters)))

(define (check-control file version sections option-rows fields)
  "Return @var{fields}, those of the control file @var{file} of @var{version}, with the groups that it does not list, or raise a
@code{&tutti-error} about what contradicts itself in it. Its @var{sections} and @var{option-rows} are as @code{split-sections} returns
them."
  (define (field key) (assq-ref fields key))
  (define parameters (field 'parameters))
  (define observations (field 'observations))
  (define prior (field 'prior-information))
  (check-sections file version sections option-rows)
  (check-counts file sections fields)
  (for-each (lambda (key what)
              (when (null? (field key)) (complain-about who file "there is no ~a; expected at least one" what)))
            '(parameters observations command-lines template-files instruction-files)
            '("parameter" "observation" "command that runs the model" "template" "file of instructions"))
  (check-mode file fields)
  (let* ((listed-groups (and (pair? (field 'parameter-groups)) (named "parameter group" (field 'parameter-groups))))
         (listed (and (pair? (field 'observation-groups)) (field 'observation-groups)))
         (table (check-parameters parameters listed-groups (field 'command-lines)))
         (observation-groups (make-hash-table)))
    (check-groups (field 'parameter-groups))
    (named "observation" observations)
    (for-each (lambda (observation)
                (when (string=? "dum" (name-of observation))
                  (complain observation "an observation is called dum, which means in instructions that a number is passed over"))
                (check-weighted observation "observation" listed)
                (hash-set! observation-groups (assq-ref observation 'group) #t))
              observations)
    (check-prior prior table listed observation-groups)
    (check-files (field 'template-files))
    (check-instruction-files (field 'instruction-files))
    (let ((with (lambda (fields key value) (map (lambda (pair) (if (eq? key (car pair)) (cons key value) pair)) fields))))
      (with (if listed-groups fields (with fields 'parameter-groups (default-groups parameters)))
            'observation-groups (or listed (groups-of (append observations prior)))))))
