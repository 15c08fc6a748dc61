;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a control file of PEST describes, as an inverse problem: an operator from the parameters that are adjusted to the observations, with
;; the data, the start, the bounds and the weights that solvers need.
(define-module (tutti command pest-problem)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti command pest-command)
  #:use-module (tutti command pest-control)
  #:use-module (tutti command pest-folder)
  #:use-module (tutti command pest-instructions)
  #:use-module (tutti command pest-interface)
  #:use-module (tutti command pest-model)
  #:use-module (tutti command pest-number)
  #:use-module (tutti command pest-template)
  #:use-module (tutti command reader)
  #:use-module (tutti command scan)
  #:use-module (tutti command start)
  #:use-module (tutti command words)
  #:use-module (tutti command template)
  #:use-module (tutti operator)
  #:export (pest-problem pest-problem? pest-problem-control pest-problem-operator pest-problem-model pest-problem-data
            pest-problem-start pest-problem-bounds pest-problem-std pest-problem-parameter-names pest-problem-data-names
            pest-problem-data-groups pest-problem-parameters pest-problem-misfits))

(define who 'pest-problem)

(define-record-type <pest-problem>
  (make-problem control operator model data start bounds std parameter-names data-names data-groups transforms)
  pest-problem?
  (control pest-problem-control)
  (operator pest-problem-operator)
  (model pest-problem-model)
  (data pest-problem-data)
  (start pest-problem-start)
  (bounds pest-problem-bounds)
  (std pest-problem-std)
  (parameter-names pest-problem-parameter-names)
  (data-names pest-problem-data-names)
  (data-groups pest-problem-data-groups)
  (transforms pest-problem-transforms))

(for-each
 (match-lambda
   ((accessor . text) (set-procedure-property! accessor 'documentation text)))
 `((,pest-problem? . "Return true if the argument is a problem that @code{pest-problem} has returned.")
   (,pest-problem-control . "Return the control file of a problem, as data; @code{pest-parameters} and others say what is in it.")
   (,pest-problem-operator . "Return the operator of a problem, with a derivative: from the parameters that are adjusted, the logarithms to
base 10 of those that are transformed, to the data. It runs the model.")
   (,pest-problem-model . "Return the operator of a problem without its derivative and its prior information: one run of the model.")
   (,pest-problem-data . "Return the data of a problem, an f64vector: the observations and then the prior information.")
   (,pest-problem-start . "Return the start of a problem, an f64vector.")
   (,pest-problem-bounds . "Return the pair of the lower and the upper bounds of a problem, f64vectors.")
   (,pest-problem-std . "Return the standard deviations of the data of a problem, an f64vector: 1 divided by their weights.")
   (,pest-problem-parameter-names . "Return the list of the names of the parameters of a problem that are adjusted.")
   (,pest-problem-data-names . "Return the list of the names of the data of a problem.")
   (,pest-problem-data-groups . "Return the list of the groups of the data of a problem, one for each of them.")))

(define own-keywords '(#:observations #:switch #:precision #:regularization-factor #:retries #:missing))
(define model-keywords (lset-difference eq? run-keywords '(#:templates #:values #:read)))

(define (adjusted? parameter) (memq (assq-ref parameter 'transform) '(none log)))
(define (log? parameter) (eq? 'log (assq-ref parameter 'transform)))

(define (inner parameter x) (if (log? parameter) (log10 x) x))

;;; The model.

(define (check-commands control parameters)
  "Return the words of the command that runs the model."
  (match (first (pest-command-lines control))
    ((text . place)
     (for-each (lambda (parameter)
                 (unless (eqv? 1 (assq-ref parameter 'command))
                   (complain-about who (assq-ref parameter 'place)
                                   "dercom of ~a is ~a; expected 1, since the same command is run for all parameters"
                                   (assq-ref parameter 'name) (assq-ref parameter 'command))))
               parameters)
     (split-command-line who place text))))

(define (plan-templates templates widths precision point)
  (map (match-lambda
         ((template . file)
          (cons (pest-file-template template #:precision precision #:point point
                                    #:widths (map (lambda (name) (cons name (hash-ref widths name))) (pest-template-names template)))
                file)))
       templates))

(define (plan-readers instructions names)
  "Return the readers of the observations NAMES."
  (define wanted (make-hash-table))
  (for-each (lambda (name) (hash-set! wanted name #t)) names)
  (filter-map (match-lambda
                ((instructions . file)
                 (let ((names (filter (lambda (name) (hash-ref wanted name)) (pest-observation-names instructions))))
                   (and (pair? names) (output-pest file instructions names)))))
              instructions))

(define (make-model-plan control words templates readers keywords)
  "Return the plan of runs of the model, whose command has WORDS."
  (let* ((chosen? (or (assq #:files keywords) (assq #:links keywords)))
         (keywords (if chosen? keywords (acons #:files (files-beside control) keywords)))
         (plan (make-plan who (car words) (cdr words) `((#:templates . ,templates) (#:read . ,readers) ,@keywords))))
    ;; Its name is one in the folder of the run, which need not be there yet.
    (acons 'program (program-beside control (car words) (assq-ref plan 'files)) plan)))

;;; Derivatives.

(define (parameter-group control parameter)
  (find (lambda (group) (string=? (assq-ref group 'name) (assq-ref parameter 'group))) (pest-parameter-groups control)))

(define (group-step group parameter)
  "Return the step of PARAMETER, for with-differences, which its GROUP says."
  (let* ((size (assq-ref group 'increment))
         (least (assq-ref group 'increment-bound))
         (step (case (assq-ref group 'increment-type)
                 ((absolute) (list 'absolute size))
                 ((relative) (list 'relative size least))
                 (else (list 'relative-to-max size least (string->symbol (assq-ref group 'name)))))))
    (if (log? parameter) (list 'log10 step) step)))

(define (group-scheme group switch)
  (case (assq-ref group 'method)
    ((always_2) 'forward)
    ((always_3) 'central)
    ((switch) switch)
    (else (complain-about who (assq-ref group 'place) "forcen of ~a is ~a, derivatives by five points; expected always_2, always_3 or \
switch" (assq-ref group 'name) (assq-ref group 'method)))))

(define (group-formula group)
  (case (assq-ref group 'three-points)
    ((parabolic) 'parabolic)
    ((outside_pts) 'outside)
    ((best_fit) 'best-fit)
    (else (complain-about who (assq-ref group 'place) "dermthd of ~a is ~a, for derivatives by five points; expected parabolic, \
outside_pts or best_fit" (assq-ref group 'name) (assq-ref group 'three-points)))))

(define (derivative-by-groups model control parameters bounds switch retries missing)
  (let ((groups (map (lambda (parameter) (parameter-group control parameter)) parameters)))
    (with-differences model
                      #:steps (map group-step groups parameters)
                      #:scheme (map (lambda (group) (group-scheme group switch)) groups)
                      #:multiplier (map (lambda (group) (assq-ref group 'increment-factor)) groups)
                      #:formula (map group-formula groups)
                      #:bounds bounds #:retries retries #:missing missing
                      #:names (map (lambda (parameter) (assq-ref parameter 'name)) parameters))))

(define (increment control parameter)
  "Return the increment of PARAMETER at its start, as its group says."
  (let ((group (parameter-group control parameter)))
    (define (size parameter) (abs (assq-ref parameter 'value)))
    (define (members) (filter (lambda (other) (equal? (assq-ref other 'group) (assq-ref parameter 'group))) (pest-parameters control)))
    (let ((size (* (assq-ref group 'increment)
                   (case (assq-ref group 'increment-type)
                     ((absolute) 1)
                     ((relative) (size parameter))
                     (else (apply max (map size (members))))))))
      (if (eq? 'absolute (assq-ref group 'increment-type)) size (max size (assq-ref group 'increment-bound))))))

(define (check-increments control parameters widths precision point)
  "Raise an error if the model would not notice the increment of one of PARAMETERS."
  (for-each
   (lambda (parameter)
     (define name (assq-ref parameter 'name))
     (define step (increment control parameter))
     (define (read value)
       (and=> (number->field (+ (assq-ref parameter 'offset) (* (assq-ref parameter 'scale) value)) (hash-ref widths name)
                             #:precision precision #:point? (eq? point 'point))
              (lambda (text) (parse-real (string-trim text)))))
     (when (zero? step)
       (complain-about who (assq-ref parameter 'place) "the increment of the parameter ~a is 0, since its value is; give derinclb in its \
group ~a" name (assq-ref parameter 'group)))
     (let* ((value (assq-ref parameter 'value))
            (written (read value)))
       (when (and written (equal? written (read (+ value step))) (equal? written (read (- value step))))
         (complain-about who (assq-ref parameter 'place) "the parameter ~a is ~a in the templates, with its increment ~a and without; make \
its fields wider, now ~a characters, or its increment larger" name written step (hash-ref widths name)))))
   parameters))

;;; Prior information.

(define (prior-operator prior parameters)
  "Return the linear operator of the equations PRIOR, in the parameters that are adjusted."
  (define columns (make-hash-table))
  (for-each (lambda (parameter j) (hash-set! columns (assq-ref parameter 'name) j)) parameters (iota (length parameters)))
  (define entries
    (append-map (lambda (item i)
                  (map (match-lambda ((factor name _) (list i (hash-ref columns name) factor))) (assq-ref item 'terms)))
                prior (iota (length prior))))
  (sparse-operator (length prior) (length parameters) (map first entries) (map second entries) (list->f64vector (map third entries))))

;;; All of it.

(define (weight-of item factor)
  (if (string-prefix? "regul" (assq-ref item 'group)) (* factor (assq-ref item 'weight)) (assq-ref item 'weight)))

(define (usual-factor control)
  (let ((mode (assq-ref (pest-control-data control) 'pestmode)))
    (if (and mode (string-prefix-ci? "regulari" mode))
        (or (assq-ref (pest-regularization control) 'wfinit) 1.)
        1.)))

(define (check-choice key value allowed)
  (unless (memq value allowed) (refuse who "~s is ~s; expected one of ~{~s~^, ~}" key value allowed))
  value)

(define (check-factor factor)
  (unless (and (real? factor) (finite-number? factor) (positive? factor))
    (refuse who "#:regularization-factor is ~s; expected a positive number" factor))
  factor)

(define (f64 numbers) (list->f64vector (map exact->inexact numbers)))

(define (weighted items factor all?)
  "Return those of ITEMS that count."
  (filter (lambda (item) (or all? (positive? (weight-of item factor)))) items))

(define (deviation weight) (if (zero? weight) +inf.0 (/ weight)))

(define (options->values control keywords)
  "Return the procedure of the name of an option that returns its value, which has been checked."
  (define (ref key default) (match (assq key keywords) ((_ . value) value) (#f default)))
  (define values
    `((observations . ,(check-choice #:observations (ref #:observations 'weighted) '(weighted all)))
      (switch . ,(check-choice #:switch (ref #:switch 'central) '(central forward)))
      (precision . ,(check-choice #:precision (ref #:precision 'double) '(single double)))
      (factor . ,(check-factor (ref #:regularization-factor (usual-factor control))))
      (retries . ,(ref #:retries 2))
      (missing . ,(ref #:missing 'mark))))
  (lambda (name) (assq-ref values name)))

(define (names items) (map (lambda (item) (assq-ref item 'name)) items))

(define (build control keywords)
  "Return the problem of CONTROL."
  (define option (options->values control keywords))
  (define factor (option 'factor))
  (define observations (weighted (pest-observations control) factor (eq? 'all (option 'observations))))
  (define prior (weighted (pest-prior-information control) factor #f))
  (define items (append observations prior))
  (define parameters (filter adjusted? (pest-parameters control)))
  (define (inners key) (f64 (map (lambda (parameter) (inner parameter (assq-ref parameter key))) parameters)))
  (define bounds (cons (inners 'lower) (inners 'upper)))
  (define transforms (parameter-transforms (pest-parameters control)))
  (define point (or (assq-ref (pest-control-data control) 'dpoint) 'point))
  (when (null? observations)
    (complain-about who (pest-control-file control) "all observations have the weight 0; expected one that counts"))
  (call-with-values (lambda () (read-pest-interface control))
    (lambda (templates instructions)
      (let* ((widths (narrowest-rooms (map (lambda (pair) (pest-template-widths (car pair))) templates)))
             (plan (make-model-plan control (check-commands control parameters)
                                    (plan-templates templates widths (option 'precision) point)
                                    (plan-readers instructions (names observations))
                                    (remove (lambda (entry) (memq (car entry) own-keywords)) keywords)))
             (model (make-pest-model plan transforms (names observations) (basename (pest-control-file control))))
             (derived (derivative-by-groups model control parameters bounds (option 'switch) (option 'retries) (option 'missing))))
        (check-increments control parameters widths (option 'precision) point)
        (make-problem control
                      (if (null? prior) derived (vector-of-operators (list derived (prior-operator prior parameters))))
                      model
                      (f64 (map (lambda (item) (assq-ref item 'value)) items))
                      (inners 'value) bounds
                      (f64 (map (lambda (item) (deviation (weight-of item factor))) items))
                      (names parameters) (names items) (map (lambda (item) (assq-ref item 'group)) items) transforms)))))

(define (pest-problem file . rest)
  "Return the inverse problem that the control file of PEST @var{file} describes: the parameters that are adjusted, those that are
log-transformed as their logarithms to base 10, the model that the control file says how to run, and the observations whose weights are not
0, followed by the prior information. So that

@lisp
(define problem (pest-problem \"case.pst\"))
(gauss-newton (pest-problem-operator problem) (pest-problem-data problem) (pest-problem-start problem)
              #:std (pest-problem-std problem) #:bounds (pest-problem-bounds problem) #:beta 0)
@end lisp

@noindent
estimates them. Each run of the model has a folder of its own, with copies of the files beside the control file, but those that the model
makes; @code{#:files} and @code{#:links}, and the other keywords of @code{run-command} for runs, say otherwise. The command is run without a
shell. Derivatives are by differences, with the increments and methods of the parameter groups, on the current pool.

@table @code
@item #:observations
@code{all}: those with weight 0 are also data, with infinite deviations;
@item #:switch
what the method @code{switch} of a group means: @code{central}, as by default, or @code{forward}, with half as many runs;
@item #:precision
@code{single}: no more than 13 characters of a field are used, as PEST does if PRECIS says so; by default @code{double}, as PEST++ does;
@item #:regularization-factor
what the weights of the groups that begin with @samp{regul} are multiplied by: if the mode is regularization, WFINIT by default, else 1;
@item #:retries #:missing
as for @code{with-differences}.
@end table

What is wrong in any of the files, and what is in one of them only, is a @code{&tutti-error} that names file and line."
  (call-with-values (lambda () (split-command rest who (append own-keywords model-keywords)))
    (lambda (arguments keywords)
      (unless (null? arguments)
        (refuse who "expected the name of a control file and keywords, got also ~s" (car arguments)))
      (build (read-pest-control file) keywords))))

(define (check-problem who problem)
  (unless (pest-problem? problem)
    (refuse who "~s is no problem; pest-problem makes one" problem)))

(define (pest-problem-parameters problem x)
  "Return the association list of the names of all parameters of @var{problem}, also of those that are fixed or tied, and their values,
without scale and offset, for @var{x}, such as the model that a solver has found."
  (check-problem 'pest-problem-parameters problem)
  (unless (and (f64vector? x) (= (f64vector-length x) (length (pest-problem-parameter-names problem))))
    (refuse 'pest-problem-parameters "~s is no model; expected an f64vector of ~a numbers" x
            (length (pest-problem-parameter-names problem))))
  (parameter-values (pest-problem-transforms problem) x))

(define (pest-problem-misfits problem y)
  "Return the association list of the groups of data of @var{problem} and what they contribute to the objective function for the values
@var{y} of its operator: the sum of the squares of weighted differences."
  (check-problem 'pest-problem-misfits problem)
  (unless (and (f64vector? y) (= (f64vector-length y) (f64vector-length (pest-problem-data problem))))
    (refuse 'pest-problem-misfits "~s are no values; expected an f64vector of ~a numbers" y (f64vector-length (pest-problem-data problem))))
  (define sums (make-hash-table))
  (for-each (lambda (group d y std)
              (hash-set! sums group (+ (expt (/ (- y d) std) 2) (hash-ref sums group 0.))))
            (pest-problem-data-groups problem) (f64vector->list (pest-problem-data problem)) (f64vector->list y)
            (f64vector->list (pest-problem-std problem)))
  (map (lambda (group) (cons group (hash-ref sums group))) (delete-duplicates (pest-problem-data-groups problem))))
