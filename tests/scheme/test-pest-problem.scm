;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Problems of PEST, with a program as the model: what they are made of, and their solution against that of the normal equations here.
(use-modules (tap)
             (damage)
             (pest)
             (programs)
             (tutti)
             (tutti command)
             (tutti command pest-command)
             (ice-9 match)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-64))

;;; The model: y(t) = a exp (-k t) + b t + c, where b is tied to a, c is fixed, and k is written as -k + 1.

(define times '(0 1 2 3 5 8))
(define script "#!/bin/sh
# One number a line.
awk '$1 == \"a\" { a = $2 } $1 == \"k\" { k = 1 - $2 } $1 == \"b\" { b = $2 } $1 == \"c\" { c = $2 }
     END { for (i = 1; i < ARGC; i++) ; n = split (\"0 1 2 3 5 8\", t, \" \")
           print \"results of\", a
           for (i = 1; i <= n; i++) printf \"t=%s y: %.17g end\\n\", t[i], a * exp (-k * t[i]) + b * t[i] + c }' in/model.dat > out.dat
")
(define template "ptf ~
a ~       a               ~
k ~       k               ~
b ~       b               ~
c ~       c               ~
")
(define instructions "pif @
@results@
l1 @y:@ !y0!
l1 @y:@ !y1!
l1 @y:@ !y2!
l1 @y:@ !y3!
l1 @y:@ !y5!
l1 @y:@ !y8!
")
(define control "pcf
* control data
restart estimation
4 6 2 1 3
1 1 single point
10.0 2.0 0.3 0.03 10
5.0 4.0 0.001
0.1
12 0.005 4 3 0.01 3
1 1 1
* parameter groups
ga relative 0.0001 0.0 always_3 2.0 parabolic
gk absolute 0.0002 0.0 switch 1.5 outside_pts
* parameter data
a log factor 1.5 0.1 10 ga 1.0 0.0 1
k none relative 0.5 0.0 2.0 gk -1.0 1.0 1
b tied factor 0.15 0.1 10 ga 1.0 0.0 1
c fixed factor 0.25 0 1 none 2.0 -0.25 1
b a
* observation groups
early
late
prior
* observation data
y0 2.31 10.0 early
y1 1.62 10.0 early
y2 1.39 5.0 early
y3 1.28 5.0 late
y5 99 0.0 late
y8 1.95 5.0 late
* model command line
./model.sh
* model input/output
m.tpl in/model.dat
m.ins out.dat
* prior information
p1 1.0 * log(a) + 2.0 * k = 1.5 2.0 prior
")

(define* (with-case proc #:key (control control) (template template) (instructions instructions) (script script))
  "Call PROC with the name of the control file of a case in a folder of its own."
  (call-with-folder
   (lambda (folder)
     (write-text folder "m.tpl" template)
     (write-text folder "m.ins" instructions)
     (write-text folder "out.dat" "results of an old run\n")
     (chmod (write-text folder "model.sh" script) #o755)
     (proc (write-text folder "case.pst" control)))))

;;; The same in Scheme.

(define data '(2.31 1.62 1.39 1.28 1.95 1.5))
(define weights '(10. 10. 5. 5. 5. 2.))
(define data-times '(0 1 2 3 8))

(define (model-at la k)
  (let ((a (expt 10. la)))
    (append (map (lambda (t) (+ (* a (exp (- (* k t)))) (* 0.1 a t) 0.25)) data-times)
            (list (+ la (* 2 k))))))

(define (jacobian-at la k)
  (let ((a (expt 10. la)))
    (append (map (lambda (t) (list (* (log 10) a (+ (exp (- (* k t))) (* 0.1 t))) (- (* t a (exp (- (* k t))))))) data-times)
            (list (list 1. 2.)))))

(define (solve-here)
  "Return the minimum, by steps of Gauss and Newton with the normal equations."
  (let next ((i 0) (la (log10 1.5)) (k 0.5))
    (if (= i 50)
        (list la k)
        (let* ((r (map - data (model-at la k)))
               (rows (jacobian-at la k))
               (sum (lambda (f) (apply + (map (lambda (row r w) (* w w (f row r))) rows r weights))))
               (aa (sum (lambda (row r) (* (first row) (first row)))))
               (ak (sum (lambda (row r) (* (first row) (second row)))))
               (kk (sum (lambda (row r) (* (second row) (second row)))))
               (ar (sum (lambda (row r) (* (first row) r))))
               (kr (sum (lambda (row r) (* (second row) r))))
               (det (- (* aa kk) (* ak ak))))
          (next (1+ i) (+ la (/ (- (* ar kk) (* kr ak)) det)) (+ k (/ (- (* aa kr) (* ak ar)) det)))))))

(define (near? a b tolerance) (every (lambda (a b) (<= (abs (- a b)) (* tolerance (max 1 (abs b))))) a b))

;;; What a problem is made of.

(define (test-parts)
  (with-case
   (lambda (file)
     (define problem (pest-problem file))
     (define op (pest-problem-operator problem))
     (define y (evaluate op (pest-problem-start problem)))
     (test-equal "what is adjusted" '("a" "k") (pest-problem-parameter-names problem))
     (test-equal "data with a weight, and prior information" '("y0" "y1" "y2" "y3" "y8" "p1") (pest-problem-data-names problem))
     (test-equal "groups" '("early" "early" "early" "late" "late" "prior") (pest-problem-data-groups problem))
     (test-equal "data" (list->f64vector data) (pest-problem-data problem))
     (test-equal "deviations" (list->f64vector (map / weights)) (pest-problem-std problem))
     (test-equal "the start" (f64vector (log10 1.5) 0.5) (pest-problem-start problem))
     (test-equal "bounds" (cons (f64vector -1 0) (f64vector 1 2)) (pest-problem-bounds problem))
     (test-assert "values" (near? (f64vector->list y) (model-at (log10 1.5) 0.5) 1e-12))
     (test-equal "values of the model only" 5 (f64vector-length (evaluate (pest-problem-model problem) (pest-problem-start problem))))
     (test-equal "all parameters" '("a" "k" "b" "c") (map car (pest-problem-parameters problem (f64vector 1 2))))
     (test-assert "and their values" (near? (map cdr (pest-problem-parameters problem (f64vector 1 2))) '(10 2 1 0.25) 1e-15))
     (test-equal "the control file" 4 (length (pest-parameters (pest-problem-control problem))))
     (test-assert "misfits"
       (let ((misfits (pest-problem-misfits problem y))
             (terms (map (lambda (d y w) (expt (* w (- d y)) 2)) data (f64vector->list y) weights)))
         (and (equal? '("early" "late" "prior") (map car misfits))
              (near? (map cdr misfits) (list (apply + (take terms 3)) (+ (fourth terms) (fifth terms)) (last terms)) 1e-12))))
     (test-assert "the derivative"
       (call-with-values (lambda () (linearize op (pest-problem-start problem)))
         (lambda (y derivative)
           (near? (concatenate (jacobian-at (log10 1.5) 0.5)) (f64vector->list (operator->matrix derivative)) 1e-6))))
     (let ((runs (string-append (dirname file) "/.runs")))
       (evaluate (pest-problem-model (pest-problem file #:directory runs)) (pest-problem-start problem))
       (test-equal "no folder of a run stays" '("." "..") ((@ (ice-9 ftw) scandir) runs)))
     (test-equal "the folder of the case is as it was" "results of an old run\n"
       (call-with-input-file (string-append (dirname file) "/out.dat") get-string-all))))
  (with-case
   (lambda (file)
     (let ((problem (pest-problem file #:observations 'all)))
       (test-equal "all observations" '("y0" "y1" "y2" "y3" "y5" "y8" "p1") (pest-problem-data-names problem))
       (test-equal "one that does not count" +inf.0 (f64vector-ref (pest-problem-std problem) 4))))))

;; With a large increment it is seen for what it is: half of a, which is its logarithm's log10 (1.5); and a fifth, both ways, of k.
(define (test-increments)
  (with-case
   (lambda (file)
     (define problem (pest-problem file))
     (define (values la k) (take (model-at la k) 5))
     (call-with-values (lambda () (linearize (pest-problem-operator problem) (pest-problem-start problem)))
       (lambda (y derivative)
         (define (column x) (take (f64vector->list (evaluate derivative x)) 5))
         (test-assert "relative, of what is adjusted as its logarithm"
           (near? (column (f64vector 1 0))
                  (map (lambda (a b) (/ (- a b) (log10 1.5))) (values (log10 2.25) 0.5) (values (log10 1.5) 0.5))
                  1e-12))
         (test-assert "absolute, at three points, of which the outer ones count, times its factor"
           (near? (column (f64vector 0 1)) (map (lambda (a b) (/ (- a b) 0.6)) (values (log10 1.5) 0.8) (values (log10 1.5) 0.2))
                  1e-12)))))
   #:control (fold (lambda (change text) (replace-once text (car change) (cdr change))) control
                   '(("ga relative 0.0001 0.0 always_3" . "ga relative 0.5 0.0 always_2") ("gk absolute 0.0002" . "gk absolute 0.2")))))

(define (solution problem)
  (gauss-newton (pest-problem-operator problem) (pest-problem-data problem) (pest-problem-start problem)
                #:std (pest-problem-std problem) #:bounds (pest-problem-bounds problem) #:beta 0
                #:stop (stop-when #:relative-change 1e-9 #:iterations 30)))

(define (test-solution)
  (define here (solve-here))
  (define (solve file . options) (f64vector->list (solver-result-solution (solution (apply pest-problem file options)))))
  (define found #f)
  (with-case
   (lambda (file)
     (set! found (solve file))
     (test-assert (format #f "the minimum, ~a and ~a" here found) (near? found here 1e-6))
     (test-equal "with two workers, the same bits" found
       (call-with-pool 2 (lambda (pool) (parameterize ((current-pool pool)) (solve file)))))
     (test-assert "with forward differences" (near? (solve file #:switch 'forward) here 1e-4))))
  (with-case
   (lambda (file) (test-assert "within bounds" (near? (solve file) (list (log10 1.7) (second (solve-with-a 1.7))) 1e-6)))
   #:control (replace-once control "a log factor 1.5 0.1 10" "a log factor 1.5 0.1 1.7")))

(define (solve-with-a a)
  "Return a and the best k for it."
  (let next ((i 0) (k 0.5))
    (if (= i 50)
        (list a k)
        (let* ((r (map - data (model-at (log10 a) k)))
               (column (map second (jacobian-at (log10 a) k))))
          (next (1+ i) (+ k (/ (apply + (map (lambda (j r w) (* w w j r)) column r weights))
                               (apply + (map (lambda (j w) (* w w j j)) column weights)))))))))

;;; Files of the model.

(define (test-version-2)
  (with-case
   (lambda (file)
     (define folder (dirname file))
     (write-text folder "pars.csv" "parnme,partrans,parval1,parlbnd,parubnd,pargp,scale,offset,partied
a,log,1.5,0.1,10,ga,,,
k,none,0.5,0.0,2.0,gk,-1.0,1.0,
b,tied,0.15,0.1,10,ga,,,a
c,fixed,0.25,0,1,gk,2.0,-0.25,
")
     (write-text folder "obs.csv" "obsnme,obsval,weight,obgnme
y0,2.31,10,early\ny1,1.62,10,early\ny2,1.39,5,early\ny3,1.28,5,late\ny5,99,0,late\ny8,1.95,5,late
")
     (let ((problem (pest-problem file)))
       (test-equal "version 2" (take data 5) (f64vector->list (pest-problem-data problem)))
       (test-assert "and its model" (near? (f64vector->list (evaluate (pest-problem-operator problem) (pest-problem-start problem)))
                                           (take (model-at (log10 1.5) 0.5) 5) 1e-12))))
   #:control "pcf version=2
* control data keyword
pestmode estimation
* parameter data external
pars.csv
* observation data external
obs.csv
* model command line
./model.sh
* model input
m.tpl in/model.dat
* model output
m.ins out.dat
"))

(define (test-regularization)
  (define text (fold (lambda (change text) (replace-once text (car change) (cdr change))) control
                     '(("estimation" . "regularization") ("\nprior\n" . "\nregulp\n") ("2.0 prior" . "2.0 regulp"))))
  (define (last-std file . options) (f64vector-ref (pest-problem-std (apply pest-problem file options)) 5))
  (with-case (lambda (file)
               (test-equal "the usual weight" 0.5 (last-std file))
               (test-equal "another weight" 0.05 (last-std file #:regularization-factor 10)))
             #:control text)
  (with-case (lambda (file) (test-equal "the weight of the file" 0.25 (last-std file)))
             #:control (string-append text "* regularization\n1.0 1.1\n2.0 1e-10 1e10\n1.3 1e-2\n")))

(define (test-programs)
  (define (first-value file . options)
    (let ((problem (apply pest-problem file options)))
      (f64vector-ref (evaluate (pest-problem-model problem) (pest-problem-start problem)) 0)))
  (define expected (car (model-at (log10 1.5) 0.5)))
  (define (command text) (replace-once control "./model.sh" text))
  (for-each (lambda (text)
              (with-case (lambda (file) (test-assert text (near? (list (first-value file)) (list expected) 1e-12)))
                         #:control (command text)))
            '("model.sh" "sh model.sh" "sh './model.sh' \"an argument\"" "sh ./model\\.sh"))
  (with-case
   (lambda (file)
     (let ((script (string-append (dirname file) "/model.sh")))
       (test-assert "chosen files" (near? (list (first-value file #:files (list script))) (list expected) 1e-12))
       (test-assert "links" (near? (list (first-value file #:links (list script))) (list expected) 1e-12))
       (test-assert "none" (near? (list (first-value file #:files '())) (list expected) 1e-12)))))
  (with-case
   (lambda (file) (test-equal "keywords of runs" #t (says? (first-value file #:timeout 0.2 #:keep 'never) "0.2 s")))
   #:script "#!/bin/sh\nsleep 100\n")
  (with-case
   (lambda (file)
     (chdir (dirname file))
     (test-assert "from the folder of the case" (near? (list (first-value "case.pst")) (list expected) 1e-12))
     (chdir "/")))
  (with-case
   (lambda (file)
     (test-equal "a failure" #t (says? (first-value file #:keep 'never) "status 3" "no licence")))
   #:script "#!/bin/sh\necho no licence >&2\nexit 3\n")
  (with-case
   (lambda (file)
     (test-equal "an output that is missing" #t (says? (first-value file #:keep 'never) "out.dat" "has not written it")))
   #:script "#!/bin/sh\n")
  (with-case
   (lambda (file)
     (test-equal "an output that is short" #t (says? (first-value file #:keep 'never) "out.dat" "m.ins:4")))
   #:script "#!/bin/sh\necho results > out.dat; echo y: 1 >> out.dat\n"))

(define (test-command-lines)
  (define-syntax-rule (words text word ...)
    (test-equal text '(word ...) (split-command-line 'test "m.pst:7" text)))
  (define-syntax-rule (refused text part ...)
    (test-equal text #t (says? (split-command-line 'test "m.pst:7" text) "m.pst:7: " part ...)))
  (words "model" "model")
  (words " a  b\tc " "a" "b" "c")
  (words "a 'b c' \"d e\"" "a" "b c" "d e")
  (words "a x'b c'y \"\"" "a" "xb cy" "")
  (words "a b\\ c\\'" "a" "b c'")
  (words "a b~ c#d -x=1" "a" "b~" "c#d" "-x=1")
  (for-each (lambda (text) (refused text "only a shell" "#!/bin/sh"))
            '("a | b" "a > b" "a < b" "a; b" "a && b" "a $HOME" "a `b`" "a *.dat" "a b?" "(a)" "~/a" "a ~" "# a" "A=1 b" "a \"$b\"" "a \\"))
  (refused "a 'b" "not closed")
  (refused "" "no program")
  (refused "'' a" "no program"))

;;; What is refused.

(define (test-contradictions)
  (define-syntax-rule (refused name (option ...) part ...)
    (test-equal name #t (with-case (lambda (file) (says? (pest-problem file) part ...)) option ...)))
  (refused "a parameter that no template has" (#:template (replace-once template "b ~       b               ~\n" ""))
           "case.pst:17: " "parameter b is in no template")
  (refused "a parameter that the control file does not have" (#:template (replace-once template "       b  " "       x  "))
           "m.tpl:4:3: " "parameter x" "case.pst")
  (refused "an observation that no instruction reads" (#:instructions (replace-once instructions "!y5!" "!dum!"))
           "case.pst:29: " "observation y5 is in no file of instructions")
  (refused "an observation that the control file does not have" (#:instructions (replace-once instructions "!y5!" "!y4!"))
           "m.ins:7:9: " "observation y4" "case.pst")
  (refused "a template that is missing" (#:control (replace-once control "m.tpl" "n.tpl")) "case.pst:34: " "n.tpl is not there")
  (refused "an input outside of the folder" (#:control (replace-once control "in/model.dat" "../model.dat")) "../model.dat")
  (refused "a shell" (#:control (replace-once control "./model.sh" "./model.sh > log")) "case.pst:32: " "only a shell")
  (refused "another command for derivatives" (#:control (replace-once control "gk -1.0 1.0 1" "gk -1.0 1.0 0"))
           "case.pst:16: " "dercom of k is 0")
  (refused "five points" (#:control (replace-once control "always_3" "always_5")) "case.pst:12: " "forcen of ga is always_5")
  (refused "a formula for five points" (#:control (replace-once control "outside_pts" "maxprec"))
           "case.pst:13: " "dermthd of gk is maxprec")
  (refused "an increment of zero" (#:control (replace-once (replace-once control "gk absolute" "gk relative")
                                                           "relative 0.5 0.0 2.0" "relative 0.0 -1.0 2.0"))
           "case.pst:16: " "increment of the parameter k is 0" "derinclb")
  (refused "an increment that the model does not see" (#:template (replace-once template "k ~       k               ~" "k ~ k~"))
           "case.pst:16: " "parameter k is 0.5 " "e-4" "4 characters")
  (refused "no weight" (#:control (fold (lambda (old text) (replace-once text (car old) (cdr old))) control
                                        '(("2.31 10.0" . "2.31 0") ("1.62 10.0" . "1.62 0") ("1.39 5.0" . "1.39 0") ("1.28 5.0" . "1.28 0")
                                          ("1.95 5.0" . "1.95 0"))))
           "case.pst: " "weight 0")
  (with-case
   (lambda (file)
     (test-equal "an unknown keyword" #t (says? (pest-problem file #:colour 'red) "#:colour" "#:timeout"))
     (test-equal "an unknown choice" #t (says? (pest-problem file #:switch 'left) "#:switch" "central"))
     (test-equal "an argument" #t (says? (pest-problem file "x") "\"x\""))
     (test-equal "an unknown precision" #t (says? (pest-problem file #:precision 'half) "#:precision"))
     (test-equal "a factor" #t (says? (pest-problem file #:regularization-factor 0) "#:regularization-factor"))
     (let ((problem (pest-problem file)))
       (test-equal "no model" #t (says? (pest-problem-parameters problem (f64vector 1)) "2 numbers"))
       (test-equal "no values" #t (says? (pest-problem-misfits problem (f64vector 1)) "6 numbers")))
     (test-equal "no problem" #t (says? (pest-problem-misfits 3 (f64vector 1)) "pest-problem makes one"))))
  (test-equal "no file" #t (says? (pest-problem "/nothing/case.pst") "/nothing/case.pst" (strerror ENOENT))))

;;; Templates and instructions without a control file.

(define (test-alone)
  (with-case
   (lambda (file)
     (define (beside name) (string-append (dirname file) "/" name))
     (define op
       (command-operator (beside "model.sh") #:parameters '(a k b) #:values '((c . 0.25))
                         #:templates (list (cons (beside "m.tpl") "in/model.dat"))
                         #:read (output-pest "out.dat" (beside "m.ins"))))
     (test-equal "sizes are known" '(3 6) (list (operator-domain op) (operator-codomain op)))
     (test-assert "values" (near? (f64vector->list (evaluate op (f64vector 1.5 0.5 0.15)))
                                  (map (lambda (t) (+ (* 1.5 (exp (* -0.5 t))) (* 0.15 t) 0.25)) times)
                                  1e-12))
     (test-equal "pairs" '("y0" "y1")
       (map car (run-command (beside "model.sh") #:templates (list (cons (beside "m.tpl") "in/model.dat"))
                             #:values '((a . 1) (k . 2) (b . 3) (c . 4)) #:read (output-pest "out.dat" (beside "m.ins") '("y0" "y1")))))
     (test-equal "an unknown observation" #t (says? (output-pest "out.dat" (beside "m.ins") '("y0" "x")) "observation x" "y0, y1"))
     (test-equal "bytes stay what they are" ""
       (let ((file (beside "latin.tpl")))
         (write-bytes file #vu8(112 116 102 32 126 10 233 13 10))
         (write-bytes (beside "latin.dat") #vu8(233 13 10))
         (run-command "cmp" "in.dat" (beside "latin.dat") #:templates (list (cons file "in.dat"))))))))

(call-with-tap
 (lambda ()
   (test-group "parts" (test-parts))
   (test-group "increments" (test-increments))
   (test-group "solution" (test-solution))
   (test-group "version 2" (test-version-2))
   (test-group "regularization" (test-regularization))
   (test-group "programs" (test-programs))
   (test-group "command lines" (test-command-lines))
   (test-group "contradictions" (test-contradictions))
   (test-group "alone" (test-alone))))
