;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Dakota's files of parameters and of results, read and written.
(use-modules (tap)
             (damage)
             (pest)
             (programs)
             (tutti command dakota-parameters)
             (tutti command dakota-results)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-64))

(define (parse text) (parse-dakota-parameters "params.in" text))
(define (parse-results text . options) (apply parse-dakota-results "results.out" text options))

;;; The checked cases.

(define (same-list? expected actual same?)
  (and (= (vector-length expected) (length actual)) (every same? (vector->list expected) actual)))

(define (test-parameters-case case)
  (define expected (ref case "expected"))
  (define parameters (parse (ref case "files" (ref case "inputs" "file"))))
  (define (check key same?) (test-assert (string-append (ref case "name") ": " key) (same? (assoc-ref expected key))))
  (check "variables"
         (lambda (variables)
           (same-list? variables (dakota-variables parameters)
                       (lambda (expected pair)
                         (and (string=? (ref expected "name") (car pair))
                              (match (ref expected "type")
                                ("real" (and (inexact? (cdr pair)) (same-double? (ref expected "value") (cdr pair))))
                                (_ (equal? (ref expected "value") (cdr pair)))))))))
  (check "active_set"
         (lambda (functions)
           (same-list? functions (dakota-active-set parameters)
                       (lambda (expected pair) (equal? pair (cons (ref expected "label") (ref expected "code")))))))
  (check "derivative_variables"
         (lambda (variables)
           (same-list? variables (dakota-derivative-variables parameters)
                       (lambda (expected pair) (equal? pair (cons (ref expected "label") (ref expected "id")))))))
  (check "analysis_components"
         (lambda (components)
           (same-list? components (dakota-analysis-components parameters)
                       (lambda (expected pair) (equal? pair (cons (ref expected "driver") (ref expected "component")))))))
  (check "eval_id" (lambda (id) (string=? id (dakota-evaluation-id parameters))))
  (when (assoc "metadata" expected)
    (check "metadata" (lambda (names) (equal? (vector->list names) (dakota-metadata parameters)))))
  (for-each (lambda (format)
              (test-equal (string-append (ref case "name") ": written and read") parameters
                (parse (dakota-parameters->text parameters #:format format))))
            '(standard aprepro)))

(define (->list object)
  (cond ((vector? object) (map ->list (vector->list object)))
        ((eq? object 'null) #f)
        ((real? object) (* 1. object))
        (else object)))

(define (test-results-case case)
  (define expected (ref case "expected"))
  (define name (ref case "name"))
  (define (results)
    (parse-results (ref case "files" (ref case "inputs" "file"))
                   #:active-set (vector->list (ref case "inputs" "active_set")) #:derivatives (ref case "inputs" "n_derivative_variables")))
  (cond ((assoc "error" expected) (test-equal name #t (says-all? results case)))
        ((assoc "failed" expected) (test-assert name (dakota-failed? (results))))
        (else
         (for-each (match-lambda
                     ((key . part) (test-equal (string-append name ": " key) (->list (ref expected key)) (part (results)))))
                   `(("values" . ,dakota-values) ("labels" . ,dakota-labels) ("gradients" . ,dakota-gradients)
                     ("hessians" . ,dakota-hessians))))))

;;; Parameters.

(define good "
  4 variables
  1.5e+01 load
  -12 n
  carbon steel alloy
  .25 x=y
  2 functions
  3 ASV_1:f
  0 ASV_2:g h
  2 derivative_variables
  1 DVV_1:load
  4 DVV_2:x=y
  1 analysis_components
  a b.exo AC_1:run.sh
  3:1 eval_id
  1 metadata
  seconds MD_1
")
(define same-good "{ DAKOTA_VARS = 4 }
{ load = 15. }
{ n =-12 }
{ alloy = \"carbon steel\" }
{ x=y = 2.5e-1 }
{ DAKOTA_FNS = 2 }
{ ASV_1:f = 3 }
{ ASV_2:g = 0 }
{ DAKOTA_DER_VARS = 2 }
{ DVV_1:load = 1 }
{ DVV_2:x=y = 4 }
{ DAKOTA_AN_COMPS = 1 }
{ AC_1:run.sh = \"a b.exo\" }
{ DAKOTA_EVAL_ID = 3:1 }
{ DAKOTA_METADATA = 1 }
{ MD_1 = \"seconds\" }
")

(define (without-blank text) (replace-once text " h\n" "\n"))

(define (test-parameters)
  (define parameters (parse (without-blank good)))
  (test-equal "variables" '(("load" . 15.) ("n" . -12) ("alloy" . "carbon steel") ("x=y" . .25)) (dakota-variables parameters))
  (test-equal "active set" '(("f" . 3) ("g" . 0)) (dakota-active-set parameters))
  (test-equal "derivatives" '(("load" . 1) ("x=y" . 4)) (dakota-derivative-variables parameters))
  (test-equal "components" '(("run.sh" . "a b.exo")) (dakota-analysis-components parameters))
  (test-equal "the rest" '("3:1" ("seconds")) (list (dakota-evaluation-id parameters) (dakota-metadata parameters)))
  (test-equal "the other format" parameters (parse same-good))
  (test-equal "without what old versions leave out" '("" ())
    (let ((old (parse "1 variables\n1 x\n1 functions\n1 ASV_1\n1 derivative_variables\n1 DVV_1\n0 analysis_components\n")))
      (list (dakota-evaluation-id old) (dakota-metadata old))))
  (test-equal "a string that is a number in quotes" "7"
    (cdar (dakota-variables (parse (string-append "{ DAKOTA_VARS = 1 }\n{ x = \"7\" }\n{ DAKOTA_FNS = 0 }\n{ DAKOTA_DER_VARS = 0 }\n"
                                                  "{ DAKOTA_AN_COMPS = 0 }\n{ DAKOTA_EVAL_ID = 1 }\n")))))
  (test-equal "it travels" parameters (with-input-from-string (object->string parameters) read)))

(define (test-writing)
  (define numbers '(0. -0. 1. -1.5 0.1 1/3 3.141592653589793 1e-300 -1.7976931348623157e308 5e-324 123456789012345678 12))
  (define names (map (lambda (i) (string-append "x" (number->string i))) (iota (length numbers))))
  (define parameters
    (make-dakota-parameters (map cons names numbers) #:active-set '(("f" . 7) ("g" . 1)) #:derivative-variables '("x2" "x5")
                            #:analysis-components '(("run.sh" . "mesh a")) #:evaluation-id "2:1" #:metadata '("seconds")))
  (for-each
   (lambda (format)
     (let ((read (parse (dakota-parameters->text parameters #:format format))))
       (test-equal (symbol->string format) (map (lambda (x) (if (integer? x) x (exact->inexact x))) numbers)
         (map cdr (dakota-variables read)))
       (test-equal "and the rest" (list (dakota-active-set parameters) '(("x2" . 3) ("x5" . 6)) '(("run.sh" . "mesh a")) "2:1" '("seconds"))
         (list (dakota-active-set read) (dakota-derivative-variables read) (dakota-analysis-components read)
               (dakota-evaluation-id read) (dakota-metadata read)))))
   '(standard aprepro))
  (test-equal "a name with a blank" #t (says? (make-dakota-parameters '(("a b" . 1))) "\"a b\""))
  (test-equal "a number that is not finite" #t (says? (make-dakota-parameters '(("a" . +nan.0))) "+nan.0"))
  (test-equal "an unknown variable" #t (says? (make-dakota-parameters '(("a" . 1)) #:derivative-variables '("b")) "#:derivative-variables"))
  (test-equal "a code" #t (says? (make-dakota-parameters '(("a" . 1)) #:active-set '(("f" . 8))) "#:active-set"))
  (test-equal "a format" #t (says? (dakota-parameters->text parameters #:format 'json) "standard or aprepro"))
  (test-equal "something else" #t (says? (dakota-parameters->text 3) "parse-dakota-parameters")))

(define (test-bad-parameters)
  (define-syntax-rule (refused name text old new part ...)
    (test-equal name #t (says? (parse (replace-once text old new)) part ...)))
  (define standard (without-blank good))
  (test-equal "a tag with a blank" #t (says? (parse good) "params.in:9:3: " "the tag h" "ASV_2:NAME"))
  (test-equal "an empty file" #t (says? (parse "") "params.in: " "variables"))
  (refused "no number of variables" standard "4 variables" "x variables" "params.in:2:3: " "variables with a number")
  (refused "another beginning" standard "4 variables" "4 variable" "params.in:2:3: " "\"variable\"" "expected variables")
  (refused "too few lines" standard "4 variables" "99 variables" "params.in:2:3: " "99" "15 lines")
  (refused "one line too few" standard "4 variables" "3 variables" "params.in:6:3: " "\"x=y\"" "expected functions")
  (refused "one word" standard "-12 n" "n" "params.in:4:3: " "one word, \"n\"")
  (refused "the same name" standard "-12 n" "-12 load" "params.in:4:3: " "load is there already")
  (refused "a code" standard "3 ASV_1" "8 ASV_1" "params.in:8:3: " "the code for f is 8" "0 to 7")
  (refused "another order" standard "ASV_2" "ASV_3" "params.in:9:3: " "ASV_3:g" "ASV_2:NAME")
  (refused "no variable" standard "4 DVV_2" "5 DVV_2" "params.in:12:3: " "5 is no number of a variable" "1 to 4")
  (refused "another variable" standard "4 DVV_2" "2 DVV_2" "variable 2 is n, and here is called x=y")
  (refused "something behind" standard "seconds MD_1" "seconds MD_1\n 7 x" "params.in:18:2: " "\"x\" is behind all")
  (refused "no value" same-good "{ load = 15. }" "{ load = }" "params.in:2:1: " "\"load\" has no value")
  (refused "no brace" same-good "{ load = 15. }" "{ load = 15." "params.in:2:1: " "{ TAG = VALUE }")
  (refused "no sign of equality" same-good "{ load = 15. }" "{ load 15. }" "params.in:2:1: " "{ TAG = VALUE }")
  (test-equal "no file" #t (says? (read-dakota-parameters "/nothing/params.in") "/nothing/params.in" (strerror ENOENT))))

;;; Results.

(define (test-results)
  (test-equal "values without anything" '(1. 2.5 -3e-5) (dakota-values (parse-results "1 2.5\n-3e-5 c\n")))
  (test-equal "labels" '(#f "b" "c") (dakota-labels (parse-results "1\n2 b\n3\nc\n")))
  (test-equal "failures" '(#t #t #t #f)
    (map (lambda (text) (dakota-failed? (parse-results text #:active-set '(1)))) '("FAIL" "\n fail: no licence\n1 f" "Failed" "1 fail")))
  (test-equal "what was not wanted" '((#f 2.) (#f #f) ((1. 2.) #f))
    (let ((results (parse-results "2\n[1 2]" #:active-set '(2 1) #:derivatives 2)))
      (list (dakota-values results) (dakota-labels results) (dakota-gradients results))))
  (test-equal "brackets on several lines" '(((1. 2.)) (((1. 2.) (3. 4.))))
    (let ((results (parse-results "[\n1\n2 ]\n[[1 2\n3\n4]]" #:active-set '(6) #:derivatives 2)))
      (list (dakota-gradients results) (dakota-hessians results))))
  (test-equal "what Dakota wants" '((5.) ((1.) #f) (7.))
    (let ((results (parse-results "5 g\n[1]\n7 seconds\n"
                                  #:active-set (make-dakota-parameters '(("x" . 1)) #:active-set '(("f" . 2) ("g" . 1))
                                                                       #:derivative-variables '("x") #:metadata '("seconds")))))
      (list (filter identity (dakota-values results)) (dakota-gradients results) (dakota-metadata-values results))))
  (test-equal "metadata behind values" '((5.) (7.))
    (let ((results (parse-results "5\n7\n" #:active-set '(1) #:metadata 1)))
      (list (dakota-values results) (dakota-metadata-values results))))
  (test-equal "labels that have to be there" '(1. 2.)
    (dakota-values (parse-results "1 f\n2 g\n" #:active-set '(("f" . 1) ("g" . 1)) #:labeled? #t)))
  (test-equal "not finite" '(#t -inf.0)
    (let ((found (dakota-values (parse-results "nan -Inf"))))
      (list (nan? (first found)) (second found)))))

(define (test-writing-results)
  (define values '(0.1 #f -1e-300))
  (define gradients '(#f (0.5 1/3) (1e10 -0.)))
  (define hessians '(((1. 2.5) (2.5 1e-17)) #f #f))
  (define text (dakota-results->text values #:labels '("f" #f "h") #:gradients gradients #:hessians hessians #:metadata '(2.5)))
  (define results (parse-results text #:active-set '(5 2 3) #:derivatives 2 #:metadata 1))
  (test-equal "values" values (dakota-values results))
  (test-equal "labels" '("f" #f "h") (dakota-labels results))
  (test-equal "gradients" '(#f (0.5 0.3333333333333333) (1e10 -0.)) (dakota-gradients results))
  (test-equal "Hessians" hessians (dakota-hessians results))
  (test-equal "metadata" '(2.5) (dakota-metadata-values results))
  (test-equal "without labels" "1.0000000000000000e+00\n" (dakota-results->text '(1)))
  (test-assert "a failure" (dakota-failed? (parse-results (dakota-failure->text "no licence"))))
  (test-equal "a label that is a number" #t (says? (dakota-results->text '(1) #:labels '("7")) "\"7\""))
  (test-equal "no number" #t (says? (dakota-results->text '(x)) "list of numbers")))

(define (test-bad-results)
  (define-syntax-rule (refused name (text option ...) part ...)
    (test-equal name #t (says? (parse-results text option ...) part ...)))
  (refused "too many values" ("1 2" #:active-set '(1)) "results.out: " "are 2 values" "expected 1")
  (refused "no value" ("" #:active-set '(1)) "results.out: " "are 0 values")
  (refused "an exponent of Fortran" ("1 f\n1.5D+03 g" #:active-set '(1 1))
           "results.out:2:1: " "\"1.5D+03\"" "expected e" "1.5000000000000000e+03")
  (refused "a label in front" ("f 1" #:active-set '(1)) "results.out:1:1: " "\"f\" is here" "a number")
  (refused "a label with blanks" ("1 f g" #:active-set '(1)) "results.out:1:5: " "\"g\" is here" "without blanks")
  (refused "no gradient" ("1" #:active-set '(3) #:derivatives 1) "the end of the file is here" "the gradient of function 1" "[")
  (refused "too few derivatives" ("[1 2]" #:active-set '(2) #:derivatives 3) "results.out:1:1: " "are 2 numbers" "expected 3")
  (refused "a Hessian instead" ("[[1]]" #:active-set '(2) #:derivatives 1) "results.out:1:1: " "the gradient")
  (refused "a gradient instead" ("[1]" #:active-set '(4) #:derivatives 1) "results.out:1:1: " "the Hessian" "[[")
  (refused "rows in brackets" ("[[1 2]\n[3 4]]" #:active-set '(4) #:derivatives 2) "results.out:1:1: " "not closed")
  (refused "an open bracket" ("[1 2" #:active-set '(2) #:derivatives 2) "results.out:1:1: " "not closed")
  (refused "a word in a gradient" ("[1 x]" #:active-set '(2) #:derivatives 2) "results.out:1:4: " "\"x\" is no number")
  (refused "a gradient that was not wanted" ("1\n[1]" #:active-set '(1) #:derivatives 1) "results.out:2:1: " "behind all that was wanted")
  (refused "no metadata" ("1\n[1]" #:active-set '(3) #:derivatives 1 #:metadata 1) "are 0 values of metadata" "expected 1")
  (refused "another label" ("1 g" #:active-set '(("f" . 1)) #:labeled? #t) "the label g" "the label f")
  (refused "no label" ("1" #:active-set '(("f" . 1)) #:labeled? #t) "no label")
  (refused "a code" ("1" #:active-set '(9)) "#:active-set" "0 to 7")
  (refused "a number of derivatives" ("1" #:active-set '(1) #:derivatives -1) "#:derivatives")
  (test-equal "no results" #t (says? (dakota-values 3) "parse-dakota-results"))
  (test-equal "no file" #t (says? (read-dakota-results "/nothing/results.out") "/nothing/results.out" (strerror ENOENT))))

(define (test-damage)
  (define results "1.5 f\n2.5e-3\n[ 1 2 ]\n[[ 1 2\n3 4 ]]\n7 seconds\n")
  (define (read-results text) (parse-results text #:active-set '(3 5) #:derivatives 2 #:metadata 1))
  (test-equal "good" '(1.5 2.5e-3) (dakota-values (read-results results)))
  (test-equal "parameters" '() (unharmed (mutated-texts good 2000) parse))
  (test-equal "parameters of APREPRO" '() (unharmed (mutated-texts same-good 2000) parse))
  (test-equal "results" '() (unharmed (mutated-texts results 2000) read-results))
  (call-with-folder
   (lambda (folder)
     (for-each
      (match-lambda
        ((name text read)
         (test-equal name '() (damaged-reads (write-text folder name text) (string-append folder "/bad") 500 read))))
      `(("params.in" ,good ,read-dakota-parameters)
        ("params.apr" ,same-good ,read-dakota-parameters)
        ("results.out" ,results ,(lambda (file) (read-dakota-results file #:active-set '(3 5) #:derivatives 2 #:metadata 1))))))))

(call-with-tap
 (lambda ()
   (test-group "cases"
     (for-each-case "dakota-params" test-parameters-case)
     (for-each-case "dakota-results" test-results-case))
   (test-group "parameters" (test-parameters))
   (test-group "writing parameters" (test-writing))
   (test-group "bad parameters" (test-bad-parameters))
   (test-group "results" (test-results))
   (test-group "writing results" (test-writing-results))
   (test-group "bad results" (test-bad-results))
   (test-group "damage" (test-damage))))
