;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Magnetotelluric soundings over a layered Earth, and their smooth inversion after Constable, Parker & Constable (1987),
;; Geophysics 52, 289-300: of all models that fit the data, the one with the least structure.
(define-module (tutti mt1d)
  #:use-module (ice-9 format)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti space)
  #:export (layer-tops
            mt-response
            read-sounding
            sounding?
            sounding-periods
            sounding-data
            sounding-deviations
            perturb-sounding
            root-mean-square
            roughness
            smooth-fit
            occam
            fit?
            fit-model
            fit-response
            fit-rms
            fit-mu
            fit-roughness
            fit-goal))

;;; The Earth.

(define (layer-tops n shallowest deepest)
  "Return the depths in m of the tops of @var{n} layers: 0, and @var{n}-1 depths spaced logarithmically from @var{shallowest} to
@var{deepest}."
  (unless (and (exact-integer? n) (positive? n))
    (refuse 'layer-tops "expected a number of layers, an exact integer from 1, got ~s" n))
  (unless (and (finite-number? shallowest) (finite-number? deepest) (< 0 shallowest) (<= shallowest deepest))
    (refuse 'layer-tops "expected two depths, the first positive and not below the second, got ~s and ~s" shallowest deepest))
  (let ((ratio (log (/ deepest shallowest)))
        (steps (max 1 (- n 2))))
    (cons 0. (map (lambda (i) (* shallowest (exp (* ratio (/ i steps)))))
                  (iota (- n 1))))))

(define (mt-response periods tops)
  "Return the operator from the natural logarithms of the resistivities (ohm m) of the layers with the given @var{tops} (m, from 0
down; the last is a half-space) to what is observed at @var{periods} (s): log10 of the apparent resistivity (ohm m) at each,
then the phase (degrees) at each."
  (unless (and (pair? tops) (list? tops) (every finite-number? tops) (zero? (car tops)))
    (refuse 'mt-response "expected a list of the depths of the layers' tops, from 0 down, got ~s" tops))
  (native-operator "mt1d" "response"
                   #:thicknesses (map - (cdr tops) (drop-right tops 1))
                   #:periods periods))

;;; What is observed.

(define-record-type <sounding>
  (make-sounding periods data deviations)
  %sounding?
  (periods %sounding-periods)
  (data %sounding-data)
  (deviations %sounding-deviations))

(define (sounding? x)
  "Return true if @var{x} is a sounding."
  (%sounding? x))

(define (sounding-periods sounding)
  "Return the list of periods of @var{sounding}, in s."
  (%sounding-periods sounding))

(define (sounding-data sounding)
  "Return the data of @var{sounding} in the order of @code{mt-response}, an f64vector."
  (%sounding-data sounding))

(define (sounding-deviations sounding)
  "Return the standard deviations of the data of @var{sounding}, an f64vector."
  (%sounding-deviations sounding))

(define (line->row file number line)
  "Return the five numbers in @var{line}, or @code{#f} if it has only a comment."
  (define (bad what)
    (raise-tutti (make-tutti-error (format #f "~a:~a: ~a; the line is: ~a" file number what line)) 'read-sounding))
  (let ((row (map string->number (string-tokenize (car (string-split line #\#))))))
    (cond ((null? row) #f)
          ((not (and (= (length row) 5) (every real? row)))
           (bad "expected five numbers: period, log10 of apparent resistivity, its deviation, phase, its deviation"))
          ((not (and (every positive? (list (first row) (third row) (fifth row))) (finite-number? (first row))))
           (bad "the period and the deviations must be positive, the period finite"))
          ((not (and (finite-number? (second row)) (finite-number? (fourth row))))
           (bad "the apparent resistivity and the phase must be finite; an infinite deviation mutes one"))
          (else row))))

(define (file->lines file)
  (string-split (call-with-input-file file get-string-all) #\newline))

(define (read-sounding file)
  "Return the sounding in the text @var{file}.  Each line has a period in s, log10 of the apparent resistivity in ohm m and its standard
deviation, the phase in degrees and its standard deviation; what follows a @samp{#} is a comment. A datum with
the deviation @code{+inf.0} is muted: it does not count."
  (let* ((lines (file->lines file))
         (rows (filter-map (lambda (number line) (line->row file number line)) (iota (length lines) 1) lines)))
    (define (columns a b)
      (list->f64vector (map exact->inexact (append (map a rows) (map b rows)))))
    (when (null? rows)
      (raise-tutti (make-tutti-error (format #f "~a has no data" file)) 'read-sounding))
    (make-sounding (map first rows) (columns second fourth) (columns third fifth))))

(define (heard? deviation)
  (< deviation +inf.0))

(define (check-sounding x who)
  (unless (sounding? x)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a sounding that read-sounding returned, got ~S" (list x) (list x))))

(define (f64vector-map f . vectors)
  (list->f64vector (apply map f (map f64vector->list vectors))))

(define* (perturb-sounding sounding #:optional (state *random-state*))
  "Return @var{sounding} with Gaussian noise of its standard deviations added, drawn from the random @var{state}; muted data stay."
  (check-sounding sounding 'perturb-sounding)
  (make-sounding (sounding-periods sounding)
                 (f64vector-map (lambda (datum deviation)
                                  (let ((noise (random:normal state)))
                                    (if (heard? deviation) (+ datum (* deviation noise)) datum)))
                                (sounding-data sounding) (sounding-deviations sounding))
                 (sounding-deviations sounding)))

;;; Misfit and structure.

(define (sum-of-squares v)
  (let ((n (f64vector-length v)))
    (let loop ((i 0) (sum 0.))
      (if (= i n)
          sum
          (loop (1+ i) (+ sum (* (f64vector-ref v i) (f64vector-ref v i))))))))

(define (root-mean-square v)
  "Return the square root of the mean of the squares of the numbers in the f64vector @var{v}."
  (sqrt (/ (sum-of-squares v) (f64vector-length v))))

(define (differences items)
  (map - (cdr items) (drop-right items 1)))

(define (roughness model)
  "Return the sum of the squared differences between neighbours in @var{model}, an f64vector."
  (sum-of-squares (list->f64vector (differences (f64vector->list model)))))

(define (roughness-times model)
  ;; Half the gradient of the roughness: R'R times the model, where R takes first differences.
  (let ((d (differences (f64vector->list model))))
    (list->f64vector (map - (cons 0. d) (append d '(0.))))))

(define (add-roughness! matrix n mu)
  ;; Add MU R'R, which is tridiagonal, to the n x n MATRIX.
  (define (add! i j value)
    (let ((k (+ (* i n) j)))
      (f64vector-set! matrix k (+ (f64vector-ref matrix k) value))))
  (do ((i 1 (1+ i)))
      ((>= i n))
    (add! (1- i) (1- i) mu)
    (add! i i mu)
    (add! (1- i) i (- mu))
    (add! i (1- i) (- mu))))

;;; The inversion.  With residuals r = (data - response) / deviation, a model is judged by r'r + mu roughness.

(define-record-type <fit>
  (make-fit model response residual heard mu goal)
  %fit?
  (model %fit-model)               ; f64vector: ln of resistivities
  (response %fit-response)         ; f64vector: what the model predicts
  (residual fit-residual)          ; f64vector: weighted
  (heard fit-heard)                ; how many data are not muted
  (mu %fit-mu)
  (goal %fit-goal))                ; RMS that was asked for, or what took its place; #f if none was

(define (fit? x)
  "Return true if @var{x} is the result of an inversion."
  (%fit? x))

(define (fit-model fit)
  "Return the model of @var{fit}: an f64vector of the natural logarithms of the layers' resistivities."
  (%fit-model fit))

(define (fit-response fit)
  "Return the data that the model of @var{fit} predicts, in the order of @code{mt-response}."
  (%fit-response fit))

(define (fit-mu fit)
  "Return the weight of the roughness that gave @var{fit}."
  (%fit-mu fit))

(define (fit-goal fit)
  "Return the RMS that @code{occam} went for: the target, or more where the target is out of reach; @code{#f} for a
@code{smooth-fit}."
  (%fit-goal fit))

(define (fit-rms fit)
  "Return the root mean square of the weighted residuals of @var{fit}, those of muted data left aside."
  (sqrt (/ (sum-of-squares (fit-residual fit)) (fit-heard fit))))

(define (fit-roughness fit)
  "Return the roughness of the model of @var{fit}."
  (roughness (%fit-model fit)))

(define (with-goal fit goal)
  (make-fit (fit-model fit) (fit-response fit) (fit-residual fit) (fit-heard fit) (fit-mu fit) goal))

(define (count-heard sounding)
  (count heard? (f64vector->list (sounding-deviations sounding))))

(define (objective fit)
  (+ (sum-of-squares (fit-residual fit)) (* (fit-mu fit) (fit-roughness fit))))

(define (fit-at op sounding mu model)
  "Return two values: @var{model} as a fit, and the derivative of @var{op} there."
  (let*-values (((response derivative) (linearize op model))
                ((residual) (f64vector-map (lambda (d s f) (/ (- d f) s))
                                           (sounding-data sounding) (sounding-deviations sounding) response)))
    (values (make-fit model response residual (count-heard sounding) mu #f) derivative)))

(define (gauss-newton-step fit derivative sounding)
  "Return the step from the model of @var{fit} to the minimum of the objective with linearised response."
  (let* ((rows (operator-codomain derivative))
         (columns (operator-domain derivative))
         (mu (fit-mu fit))
         (weights (f64vector-map / (sounding-deviations sounding)))
         (jacobian (matrix-scale-rows rows columns (operator->matrix derivative) weights))
         (normal (matrix-gram rows columns jacobian)))
    (add-roughness! normal columns mu)
    (solve-positive-definite columns normal
                             (f64vector-map (lambda (pull stiffness) (- pull (* mu stiffness)))
                                            (matrix-transpose-vector rows columns jacobian (fit-residual fit))
                                            (roughness-times (fit-model fit))))))

(define (improve op sounding fit derivative)
  "Return two values, a better fit than @var{fit} and the derivative there; @code{#f} twice if none is found."
  (let ((step (gauss-newton-step fit derivative sounding)))
    (let shorten ((scale 1.))
      (let-values (((next next-derivative)
                    (fit-at op sounding (fit-mu fit)
                            (f64vector-map (lambda (m s) (+ m (* scale s))) (fit-model fit) step))))
        ;; A step into nonsense has an objective that is not a number, which is not less either.
        (cond ((< (objective next) (objective fit)) (values next next-derivative))
              ((< scale 1e-4) (values #f #f))
              (else (shorten (/ scale 2))))))))

;;; What is asked for must make sense.

(define (check-positive x who what)
  (unless (and (finite-number? x) (positive? x))
    (refuse who "~a: expected a positive number, got ~s" what x)))

(define (check-problem op sounding start who)
  (unless (operator? op)
    (scm-error 'wrong-type-arg (symbol->string who) "expected an operator, such as mt-response returns, got ~S" (list op) (list op)))
  (check-sounding sounding who)
  (check-element (sounding-data sounding) (operator-codomain op) who "the data of the sounding")
  (when (zero? (count-heard sounding))
    (refuse who "the deviations of all data of the sounding are infinite, so no datum counts"))
  (check-element start (operator-domain op) who "the start model")
  (let ((index (list-index (negate finite?) (f64vector->list start))))
    (when index
      (refuse who "the start model: number ~a (from 0) is ~a; expected finite numbers, the natural logarithms of resistivities" index
              (f64vector-ref start index)))))

(define* (smooth-fit op sounding start mu #:key (iterations 100) (tolerance 1e-10))
  "Return the fit that minimises the weighted misfit of @var{op} to @var{sounding} plus @var{mu} times the roughness, by Gauss-Newton
steps from the model @var{start}, each halved until it helps.  The end is reached when the objective falls by less than
@var{tolerance} times itself, or after so many @var{iterations}."
  (define who 'smooth-fit)
  (check-problem op sounding start who)
  (unless (and (finite-number? mu) (>= mu 0))
    (refuse who "mu, the weight of the roughness: expected a number from 0, got ~s" mu))
  (unless (and (exact-integer? iterations) (positive? iterations))
    (refuse who "#:iterations: expected a whole number from 1, got ~s" iterations))
  (unless (and (finite-number? tolerance) (>= tolerance 0))
    (refuse who "#:tolerance: expected a number from 0, got ~s" tolerance))
  (let-values (((fit derivative) (fit-at op sounding mu start)))
    (unless (finite-number? (objective fit))
      (refuse who "at the start model the misfit plus mu times the roughness is ~a: the response there is not finite" (objective fit)))
    (let loop ((fit fit) (derivative derivative) (left iterations))
      (let-values (((next next-derivative) (improve op sounding fit derivative)))
        (cond ((not next) fit)
              ((or (<= left 1)
                   (<= (- (objective fit) (objective next)) (* tolerance (objective fit))))
               next)
              (else (loop next next-derivative (1- left))))))))

(define (descend op sounding start target mus)
  "Return fits for @var{mus}, which fall, each from the model before, until one reaches @var{target}; the last one first."
  (let loop ((mus mus) (model start) (fits '()))
    (if (or (null? mus) (and (pair? fits) (<= (fit-rms (car fits)) target)))
        fits
        ;; These only have to show where to look closer.
        (let ((fit (smooth-fit op sounding model (car mus) #:tolerance 1e-5)))
          (loop (cdr mus) (fit-model fit) (cons fit fits))))))

(define (refine op sounding goal rough smooth)
  "Return the fit between @var{rough}, whose RMS is below @var{goal}, and @var{smooth}, whose RMS is above, that has it to 1e-6."
  (define (excess fit) (- (fit-rms fit) goal))
  ;; False position on log mu; a side that stays twice counts half (Illinois), else it might stay for ever.
  (let loop ((rough rough) (rough-excess (excess rough)) (smooth smooth) (smooth-excess (excess smooth)) (moved #f))
    (let* ((low (log (fit-mu rough)))
           (high (log (fit-mu smooth)))
           (mu (exp (/ (- (* low smooth-excess) (* high rough-excess)) (- smooth-excess rough-excess))))
           (fit (smooth-fit op sounding (fit-model smooth) mu))
           (now (excess fit)))
      (cond ((<= (abs now) 1e-6) fit)
            ((< (- high low) 1e-9) rough)   ; the RMS jumps here
            ((negative? now)
             (loop fit now smooth (if (eq? moved 'rough) (/ smooth-excess 2) smooth-excess) 'rough))
            (else
             (loop rough (if (eq? moved 'smooth) (/ rough-excess 2) rough-excess) fit now 'smooth))))))

(define* (occam op sounding start #:key (target 1.) (largest 1e5) (smallest 1.))
  "Return the smoothest fit of @var{op} to @var{sounding} with an RMS of @var{target}: the one with the largest weight of the roughness
that reaches it.  It is looked for between the weights @var{largest} and @var{smallest}, from the model @var{start} on.  Some data can
not be fitted so well, or only by models without any restraint: where @var{target} is not reached at @var{smallest}, its place is
taken by 1.05 times the RMS that is."
  (define who 'occam)
  (check-problem op sounding start who)
  (for-each (lambda (x what) (check-positive x who what)) (list target largest smallest) '("#:target" "#:largest" "#:smallest"))
  (when (< largest smallest)
    (refuse who "#:largest ~a is less than #:smallest ~a; weights of the roughness are tried from the largest to the smallest" largest
            smallest))
  (let* ((decades (inexact->exact (ceiling (log10 (/ largest smallest)))))
         (mus (map (lambda (i) (max smallest (/ largest (expt 10. i)))) (iota (1+ decades))))
         (fits (descend op sounding start target mus))
         (best (fit-rms (car fits)))
         (goal (if (<= best target) target (* 1.05 best))))
    (let search ((fits (reverse fits)) (smoother #f))
      (cond ((> (fit-rms (car fits)) goal) (search (cdr fits) (car fits)))
            (smoother (with-goal (refine op sounding goal (car fits) smoother) goal))
            (else (with-goal (car fits) goal))))))
