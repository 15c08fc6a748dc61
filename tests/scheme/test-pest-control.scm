;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Control files of PEST: what is read of both versions, and every contradiction.
(use-modules (tap)
             (damage)
             (pest)
             (programs)
             (tutti command pest-control)
             (ice-9 format)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-64))

(define* (parse text #:key (files '()))
  (parse-pest-control "m.pst" text (lambda (name complain) (or (assoc-ref files name) (complain (string-append name " is not there"))))))

;;; The checked cases.

(define (same? expected actual)
  "Return true if ACTUAL is what EXPECTED, as guile-json has it, says."
  (cond ((number? expected) (and (number? actual) (same-double? expected actual)))
        ((string? expected) (string=? expected (if (symbol? actual) (symbol->string actual) actual)))
        ((eq? expected 'null) (not actual))
        (else (equal? expected actual))))

(define (same-values? expected actual)
  (every (match-lambda ((key . value) (same? value (assq-ref actual (string->symbol key))))) expected))

(define (same-items? names expected actual)
  "Compare lists of things, NAMES are pairs of keys there and here."
  (and (= (vector-length expected) (length actual))
       (every (lambda (expected actual)
                (every (match-lambda ((there . here) (same? (ref expected there) (assq-ref actual here)))) names))
              (vector->list expected) actual)))

(define group-names
  '(("name" . name) ("inctyp" . increment-type) ("derinc" . increment) ("derinclb" . increment-bound) ("forcen" . method)
    ("derincmul" . increment-factor) ("dermthd" . three-points)))
(define parameter-names
  '(("name" . name) ("transform" . transform) ("change_limit" . change-limit) ("value" . value) ("lower" . lower) ("upper" . upper)
    ("group" . group) ("scale" . scale) ("offset" . offset) ("dercom" . command) ("tied_to" . tied-to)))
(define observation-names '(("name" . name) ("value" . value) ("weight" . weight) ("group" . group)))

(define (file-pairs items) (list->vector (map (lambda (item) (vector (assq-ref item 'pest-file) (assq-ref item 'model-file))) items)))

(define (same-prior? expected actual)
  (and (same-items? '(("label" . name) ("value" . value) ("weight" . weight) ("group" . group)) expected actual)
       (every (lambda (expected actual)
                (every (match-lambda*
                         ((expected (factor name log?))
                          (and (same? (ref expected "coef") factor) (same? (ref expected "par") name) (eq? log? (ref expected "log")))))
                       (vector->list (ref expected "terms")) (assq-ref actual 'terms)))
              (vector->list expected) actual)))

(define (same-options? expected actual)
  (define (squeezed text) (string-delete char-set:whitespace text))
  (lset= equal? (map (match-lambda ((key . text) (cons key (squeezed text)))) expected)
         (map (match-lambda ((key . text) (cons key (squeezed text)))) actual)))

(define (test-good-case name expected control)
  (define (check key same?)
    (when (assoc key expected) (test-assert (format #f "~a: ~a" name key) (same? (assoc-ref expected key)))))
  (check "version" (lambda (version) (= version (pest-control-version control))))
  (check "control" (lambda (values) (same-values? values (pest-control-data control))))
  (check "svd" (lambda (values) (same-values? values (pest-singular-values control))))
  (check "parameter_groups" (lambda (groups) (same-items? group-names groups (pest-parameter-groups control))))
  (check "parameters" (lambda (parameters) (same-items? parameter-names parameters (pest-parameters control))))
  (check "observation_groups" (lambda (groups) (equal? (vector->list groups) (pest-observation-groups control))))
  (check "observations" (lambda (observations) (same-items? observation-names observations (pest-observations control))))
  (check "command_lines" (lambda (lines) (equal? (vector->list lines) (map car (pest-command-lines control)))))
  (check "templates" (lambda (pairs) (equal? pairs (file-pairs (pest-template-files control)))))
  (check "instructions" (lambda (pairs) (equal? pairs (file-pairs (pest-instruction-files control)))))
  (check "prior_information" (lambda (prior) (same-prior? prior (pest-prior-information control))))
  (check "regularization" (lambda (values) (same-values? values (pest-regularization control))))
  (check "regularization_groups" (lambda (groups) (equal? (vector->list groups) (pest-regularization-groups control))))
  (check "pestpp_options" (lambda (options) (same-options? options (pest-options control)))))

(define (test-case case)
  (define files (ref case "files"))
  (define (control) (parse (assoc-ref files "m.pst") #:files files))
  (if (ref case "expected" "error")
      (test-equal (ref case "name") #t (says-all? control case))
      (test-good-case (ref case "name") (ref case "expected") (control))))

;;; Version 1.

(define good "pcf
# a comment
* control data
restart estimation
4 3 2 1 3
1 1 double nopoint 1 0 0
10.0 -2.0 0.3 0.03 10 lamforgive
5.0 4.0 0.001
0.1 noaui
30 0.005 4 3 0.01 3
0 0 0
* parameter groups
K relative 0.01 1d-6 switch 2.0 parabolic
por absolute 0.002 0.0 always_3 1.5 outside_pts
* parameter data
K1 log factor 2.5 0.01 1000.0 k 1.0 0.0 1
k2 tied factor 5.0 0.01 1000.0 k 1.0 0.0
p none relative -0.1 -1 1 POR -1.0 0.25 1
f fixed factor 0.3 0 0 none 1.0 0.0 1
k2 k1
* observation groups
heads
fluxes
prior
* observation data
H1 101.25 2.0 heads
h2 99.5 0.0 heads
q -3.5D+02 0.004 fluxes
* model command line
~/bin/run \"the model\" 7
* model input/output
\"my model.tpl\" in.dat
m.ins out.dat
* prior information
pi1 1.0 * log(K1) -
& 2.0 * p
& = 0.5 3.0 prior
++n_iter_base(-1) lambdas(0.1, 1,10)
++# nothing
++ forecasts( h1 , q )
")

(define (field items name key) (assq-ref (find (lambda (item) (string=? name (assq-ref item 'name))) items) key))

(define (test-first-version)
  (define control (parse good))
  (test-equal "a control file" '(#t 1 "m.pst") (list (pest-control? control) (pest-control-version control) (pest-control-file control)))
  (test-equal "control data" '("estimation" 4 double nopoint -2. 30)
    (map (lambda (key) (assq-ref (pest-control-data control) key)) '(pestmode npar precis dpoint rlamfac noptmax)))
  (test-equal "names in lower case" '("k1" "k2" "p" "f") (map (lambda (item) (assq-ref item 'name)) (pest-parameters control)))
  (test-equal "groups" '("k" "k" "por" "none") (map (lambda (item) (assq-ref item 'group)) (pest-parameters control)))
  (test-equal "what ties" '(#f "k1" #f #f) (map (lambda (item) (assq-ref item 'tied-to)) (pest-parameters control)))
  (test-equal "a default" 1 (field (pest-parameters control) "k2" 'command))
  (test-equal "an exponent of Fortran" 1e-6 (field (pest-parameter-groups control) "k" 'increment-bound))
  (test-equal "where it is" "m.pst:16" (field (pest-parameters control) "k1" 'place))
  (test-equal "observation groups" '("heads" "fluxes" "prior") (pest-observation-groups control))
  (test-equal "observations" '(101.25 99.5 -350.) (map (lambda (item) (assq-ref item 'value)) (pest-observations control)))
  (test-equal "the command" '(("~/bin/run \"the model\" 7" . "m.pst:30")) (pest-command-lines control))
  (test-equal "files" '#(#("my model.tpl" "in.dat")) (file-pairs (pest-template-files control)))
  (test-equal "and those of instructions" '#(#("m.ins" "out.dat")) (file-pairs (pest-instruction-files control)))
  (test-equal "prior information" '((1. "k1" #t) (-2. "p" #f)) (field (pest-prior-information control) "pi1" 'terms))
  (test-equal "its other numbers" '(0.5 3. "prior")
    (map (lambda (key) (field (pest-prior-information control) "pi1" key)) '(value weight group)))
  (test-equal "options" '(("n_iter_base" . "-1") ("lambdas" . "0.1, 1,10") ("forecasts" . "h1 , q")) (pest-options control))
  (test-equal "nothing about regularization" '(() ()) (list (pest-regularization control) (pest-regularization-groups control)))
  (test-equal "it travels" control (with-input-from-string (object->string control) read)))

;;; Version 2.

(define second "~ a comment
pcf version=2
* control data keyword ~ more of it
pestmode regularisation
noptmax   7   # iterations
phimlim 1.5
maxsing 100
~phimaccept 3 is left out
lambdas 0.1, 1.0, 10
* parameter data external
pars.csv
more.dat sep w missing_values nan
* observation data external
obs.csv sep ;
* model command line
run model
* model input
m.tpl in.dat
* model output external
out.csv
* prior information external
prior.csv
")
(define second-files
  '(("pars.csv" . "name,transform,value,upper_bound,lower_bound,group,remark\na,log,1,10,0.1,g,\"one, \"\"two\"\"\"\n\nB,none,2,3,-1,h,\n")
    ("more.dat" . "parnme partrans partied parval1 parubnd parlbnd pargp scale\nc tied b 4 9 1 g nan\n")
    ("obs.csv" . "obsnme;obsval;weight;obgnme\r\no1;1;1;og\r\no2;2;0;regul_x\r\n")
    ("out.csv" . "pest_file,model_file\nm.ins,\"the out\"\n")
    ("prior.csv" . "pilbl,equation,weight,obgnme\npi1,1.0 * log(a) + 2 * b = 3,1.5,regul_p\n")))

(define (with-file name text) (assoc-set! (alist-copy second-files) name text))

(define (test-second-version)
  (define control (parse second #:files second-files))
  (test-equal "version" 2 (pest-control-version control))
  (test-equal "control data" '((pestmode . "regularisation") (noptmax . 7)) (pest-control-data control))
  (test-equal "regularization" '((phimlim . 1.5)) (pest-regularization control))
  (test-equal "singular values" '((maxsing . 100)) (pest-singular-values control))
  (test-equal "options" '(("lambdas" . "0.1, 1.0, 10")) (pest-options control))
  (test-equal "parameters of two files" '(("a" log 1. 0.1 10. "g") ("b" none 2. -1. 3. "h") ("c" tied 4. 1. 9. "g"))
    (map (lambda (item) (map (lambda (key) (assq-ref item key)) '(name transform value lower upper group))) (pest-parameters control)))
  (test-equal "a missing value" 1. (field (pest-parameters control) "c" 'scale))
  (test-equal "what ties" '(#f #f "b") (map (lambda (item) (assq-ref item 'tied-to)) (pest-parameters control)))
  (test-equal "where" '("pars.csv:2" "pars.csv:4" "more.dat:2")
    (map (lambda (item) (assq-ref item 'place)) (pest-parameters control)))
  (test-equal "groups that are not listed" '("g" "h") (map (lambda (item) (assq-ref item 'name)) (pest-parameter-groups control)))
  (test-equal "and of observations" '("og" "regul_x" "regul_p") (pest-observation-groups control))
  (test-equal "regularization" '("regul_x" "regul_p") (pest-regularization-groups control))
  (test-equal "files" '#(#("m.ins" "the out")) (file-pairs (pest-instruction-files control)))
  (test-equal "prior information" '((1. "a" #t) (2. "b" #f)) (field (pest-prior-information control) "pi1" 'terms))
  (test-equal "a file that is not there" #t (says? (parse second) "m.pst:" ".csv is not there")))

(define-syntax-rule (file-refused name file text part ...)
  (test-equal name #t (says? (parse second #:files (with-file file text)) part ...)))

(define (test-tables)
  (file-refused "a missing value that is needed" "more.dat" "parnme partrans partied parval1 parubnd parlbnd pargp\nc tied b 4 nan 1 g\n"
                "more.dat:2: " "parubnd of c is missing")
  (file-refused "a missing column" "obs.csv" "obsnme;obsval;weight\n" "obs.csv:1: " "obgnme or group" "obsval")
  (file-refused "a short line" "obs.csv" "obsnme;obsval;weight;obgnme\no1;1\n" "obs.csv:2: " "2 cells" "4")
  (file-refused "an open quote" "out.csv" "pest_file,model_file\n\"m.ins,x\n" "out.csv:2:1: " "not closed")
  (file-refused "an empty file" "out.csv" "" "m.pst:20: " "out.csv has no line")
  (file-refused "a bad number" "obs.csv" "obsnme;obsval;weight;obgnme\no1;1;x;og\n" "obs.csv:2:6: " "weight of o1" "\"x\"" "a number")
  (file-refused "a bad equation" "prior.csv" "pilbl,equation,weight,obgnme\npi1,a = 3,1,p\n" "prior.csv:2: " "\"a\" is no factor")
  (file-refused "more than an equation" "prior.csv" "pilbl,equation,weight,obgnme\npi1,1 * b = 3 4,1,p\n" "prior.csv:2: " "\"4\"")
  (test-equal "an unknown option" #t
    (says? (parse (replace-once second "obs.csv sep ;" "obs.csv separator ;") #:files second-files) "m.pst:14:9: " "\"separator\"")))

;;; Contradictions.

(define-syntax-rule (refused name old new part ...)
  (test-equal name #t (says? (parse (replace-once good old new)) part ...)))

(define (test-sections)
  (test-equal "an empty file" #t (says? (parse "") "m.pst:1: " "pcf"))
  (refused "another header" "pcf\n" "pst\n" "m.pst:1: " "\"pst\"")
  (refused "an unknown section" "* observation groups" "* observed groups" "m.pst:21: " "observed groups" "observation groups")
  (refused "a section twice" "* model command line" "* parameter groups" "m.pst:29: " "parameter groups" "line 12")
  (refused "text before sections" "# a comment" "a comment" "m.pst:2: " "in no section")
  (refused "a missing section" "* model command line\n~/bin/run \"the model\" 7\n" "" "m.pst" "\"* model command line\" is missing")
  (refused "no command" "~/bin/run \"the model\" 7\n" "" "m.pst:3: " "NUMCOM is 1" "0 commands")
  (refused "two kinds of control data" "* observation groups" "* control data keyword\nnoptmax 3\n* observation groups"
           "m.pst:3: " "line 21")
  (refused "an open quote" "\"my model.tpl\"" "\"my model.tpl" "m.pst:32:1: " "not closed")
  (refused "a file of groups" "* observation groups" "* observation groups external" "m.pst:21: " "no files of its own")
  (refused "a bad option" "++# nothing" "++ n_iter(1" "m.pst:39:4: " "n_iter(1"))

(define (test-counts)
  (refused "NPAR" "4 3 2 1 3" "5 3 2 1 3" "m.pst:3: " "NPAR is 5" "are 4 parameters")
  (refused "NOBS" "4 3 2 1 3" "4 2 2 1 3" "NOBS is 2" "3 observations")
  (refused "NPARGP" "4 3 2 1 3" "4 3 1 1 3" "NPARGP is 1" "2 parameter groups")
  (refused "NPRIOR" "4 3 2 1 3" "4 3 2 0 3" "NPRIOR is 0" "is 1 equation")
  (refused "NOBSGP" "4 3 2 1 3" "4 3 2 1 2" "NOBSGP is 2" "3 observation groups")
  (refused "NTPLFLE" "1 1 double" "2 1 double" "NINSFLE is 1" "0 files of instructions")
  (refused "NINSFLE" "1 1 double" "1 3 double" "NINSFLE is 3" "is 1 file")
  (refused "NUMCOM" "nopoint 1 0 0" "nopoint 2 0 0" "NUMCOM is 2" "is 1 command")
  (refused "no number" "4 3 2 1 3" "4 x 2 1 3" "m.pst:5:3: " "nobs" "\"x\"" "a whole number")
  (refused "too few numbers" "4 3 2 1 3" "4" "m.pst:5: " "1 word" "npar, nobs")
  (refused "an unknown mode" "estimation" "guessing" "\"guessing\"" "estimation"))

(define (test-parameters)
  (refused "a bad number" "2.5 0.01 1000.0 k 1.0 0.0 1" "2.5 0.01 1000.0x k 1.0 0.0 1"
           "m.pst:16:24: " "parubnd of K1" "\"1000.0x\"" "a number")
  (refused "too few words" "k 1.0 0.0\np none" "k 1.0\np none" "m.pst:17: " "offset of k2 is missing" "parnme, partrans")
  (refused "an unknown transformation" "K1 log" "K1 ln" "m.pst:16:4: " "partrans of K1" "\"ln\"" "none, log, fixed, tied")
  (refused "a name twice" "f fixed" "P fixed" "m.pst:19: " "parameter p is there already" "m.pst:18")
  (refused "an unknown group" "1 POR -1.0" "1 pore -1.0" "m.pst:18: " "parameter p " "group pore" "k, por")
  (refused "no group" "1 POR -1.0" "1 none -1.0" "m.pst:18: " "group none")
  (refused "crossed bounds" "-0.1 -1 1 POR" "-0.1 1 -1 POR" "m.pst:18: " "bounds of the parameter p" "1.0" "-1.0")
  (refused "equal bounds" "-0.1 -1 1 POR" "1 1 1 POR" "bounds of the parameter p" "fixed")
  (refused "a start below" "-0.1 -1 1 POR" "-1.5 -1 1 POR" "m.pst:18: " "-1.5 of the parameter p" "outside")
  (refused "a start above" "2.5 0.01 1000.0" "2500 0.01 1000.0" "2500.0 of the parameter k1" "outside")
  (refused "the logarithm of zero" "2.5 0.01 1000.0" "2.5 0 1000.0" "m.pst:16: " "lower bound of the parameter k1" "positive" "offset")
  (refused "a scale of zero" "POR -1.0 0.25" "POR 0 0.25" "m.pst:18: " "scale of the parameter p is 0")
  (refused "another command" "POR -1.0 0.25 1" "POR -1.0 0.25 2" "m.pst:18: " "dercom" "2")
  (refused "an infinite number" "2.5 0.01 1000.0" "2.5 0.01 1e999" "m.pst:16:" "\"1e999\"")
  (refused "tied to nothing" "k2 k1\n" "" "m.pst:17: " "k2 is tied, and nothing says to which")
  (refused "tied to itself" "k2 k1\n" "k2 k2\n" "m.pst:17: " "tied to itself")
  (refused "tied to something unknown" "k2 k1\n" "k2 k3\n" "k2 is tied to k3" "f, k1, k2, p")
  (refused "tied to one that is fixed" "k2 k1\n" "k2 f\n" "k2 is tied to f" "fixed")
  (refused "something unknown is tied" "k2 k1\n" "k2 k1\nk3 k1\n" "m.pst:21: " "k3 is tied to k1, and is no parameter")
  (refused "one that is not to be tied" "k2 k1\n" "k2 k1\np k1\n" "m.pst:21: " "p is tied to k1" "m.pst:18 says none")
  (refused "tied twice" "k2 k1\n" "k2 k1\nk2 p\n" "m.pst:21: " "k2 is tied to k1 already")
  (refused "a ratio to zero" "k2 tied factor 5.0" "k2 tied factor 0" "k2, 0.0" "k1, 2.5" "ratio")
  (test-equal "nothing to adjust" #t
    (says? (parse (fold (lambda (change text) (replace-once text (car change) (cdr change))) good
                        '(("K1 log" . "K1 fixed") ("k2 tied" . "k2 fixed") ("p none" . "p fixed") ("k2 k1\n" . "")
                          ("pi1 1.0 * log(K1) -" . "")
                          ("& 2.0 * p\n& = 0.5 3.0 prior" . "") ("4 3 2 1 3" . "4 3 2 0 3"))))
           "no parameter is adjusted"))
  (refused "an unknown kind of increment" "por absolute" "por absolut" "m.pst:14:5: " "inctyp of por" "rel_to_max")
  (refused "an increment of zero" "por absolute 0.002" "por absolute 0" "m.pst:14: " "derinc of por" "positive")
  (refused "an unknown method" "always_3" "always_4" "m.pst:14:" "forcen" "always_3"))

(define (test-observations)
  (refused "an unknown group" "0.0 heads" "0.0 levels" "m.pst:27: " "observation h2" "group levels" "heads")
  (refused "a negative weight" "0.004 fluxes" "-0.004 fluxes" "m.pst:28: " "weight of the observation q" "-0.004")
  (refused "a name twice" "h2 99.5" "h1 99.5" "m.pst:27: " "observation h1" "m.pst:26")
  (refused "the name of a dummy" "h2 99.5" "dum 99.5" "m.pst:27: " "dum")
  (test-equal "instructions twice" #t
    (says? (parse (replace-once (replace-once good "m.ins out.dat" "m.ins out.dat\nm.ins b.dat") "1 1 double" "1 2 double"))
           "m.pst:34: " "instructions m.ins" "m.pst:33"))
  (test-equal "one input of two templates" #t
    (says? (parse (replace-once (replace-once good "\"my model.tpl\" in.dat" "a.tpl in.dat\nb.tpl in.dat") "1 1 double" "2 1 double"))
           "m.pst:33: " "in.dat is made of a template at m.pst:32")))

(define (test-prior)
  (refused "an unknown parameter" "* log(K1) -" "* log(K3) -" "m.pst:35: " "about k3" "f, k1, k2, p")
  (refused "no logarithm" "* log(K1) -" "* K1 -" "m.pst:35: " "expected log(k1)")
  (refused "a logarithm of another" "2.0 * p" "2.0 * log(p)" "log(p)" "expected p")
  (refused "one that is tied" "2.0 * p" "2.0 * k2" "about k2, which is tied")
  (refused "one that is fixed" "2.0 * p" "2.0 * f" "about f, which is fixed")
  (refused "one twice" "2.0 * p" "2.0 * log(k1)" "m.pst:36: " "k1 is in the equation twice")
  (refused "no factor" "1.0 * log(K1) -" "log(K1) -" "m.pst:35: " "\"log(K1)\" is no factor")
  (refused "no sign of equality" "& = 0.5 3.0 prior" "& 0.5 3.0 prior" "m.pst:37: " "\"0.5\"" "=")
  (refused "no sign of multiplication" "1.0 * log(K1) -" "1.0 log(K1) -" "m.pst:35: " "no *" )
  (refused "no weight" "= 0.5 3.0 prior" "= 0.5 prior" "m.pst:37: " "\"prior\" is no weight")
  (refused "no group" "= 0.5 3.0 prior" "= 0.5 3.0" "m.pst" "without a group")
  (refused "more than a group" "= 0.5 3.0 prior" "= 0.5 3.0 prior 7" "m.pst:37: " "more than a group")
  (refused "no value" "& = 0.5 3.0 prior" "& =" "ends, without value")
  (refused "an unknown group" "= 0.5 3.0 prior" "= 0.5 3.0 priors" "group priors")
  (refused "a group of observations" "= 0.5 3.0 prior" "= 0.5 3.0 heads" "group heads" "of its own")
  (refused "a negative weight" "= 0.5 3.0 prior" "= 0.5 -3.0 prior" "weight" "-3.0")
  (refused "nothing to continue" "pi1 1.0" "& pi1 1.0" "m.pst:35: " "none before it"))

;;; Files and damage.

(define (test-files)
  (call-with-folder
   (lambda (folder)
     (for-each (match-lambda ((name . text) (write-text folder name text))) second-files)
     (let ((file (write-text folder "case.pst" second)))
       (test-equal "files beside it" 3 (length (pest-parameters (read-pest-control file))))
       (delete-file (string-append folder "/out.csv"))
       (test-equal "one that is missing" #t
         (says? (read-pest-control file) (string-append file ":20: ") "out.csv is not there")))
     (test-equal "no file" #t (says? (read-pest-control (string-append folder "/none")) "/none" (strerror ENOENT)))
     (test-equal "a folder" #t (says? (read-pest-control folder) "directory"))
     (test-equal "no name" #t (says? (read-pest-control 'case) "case"))
     (test-equal "bits and ends" '()
       (damaged-reads (write-text folder "good.pst" good) (string-append folder "/bad.pst") 300 read-pest-control)))))

(define (test-damage)
  (define files second-files)
  (test-equal "the first version" '() (unharmed (mutated-texts good 1500) parse))
  (test-equal "the second version" '() (unharmed (mutated-texts second 1500) (lambda (text) (parse text #:files files))))
  (for-each (match-lambda
              ((name . text)
               (test-equal name '()
                 (unharmed (mutated-texts text 500)
                           (lambda (text) (parse second #:files (with-file name text)))))))
            files))

(call-with-tap
 (lambda ()
   (test-group "cases" (for-each-case "pest-pst" test-case))
   (test-group "version 1" (test-first-version))
   (test-group "version 2" (test-second-version))
   (test-group "tables" (test-tables))
   (test-group "sections" (test-sections))
   (test-group "counts" (test-counts))
   (test-group "parameters" (test-parameters))
   (test-group "observations" (test-observations))
   (test-group "prior information" (test-prior))
   (test-group "files" (test-files))
   (test-group "damage" (test-damage))))
