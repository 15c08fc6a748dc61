;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Transfer functions: impedances and tippers by frequency with their variances, what follows from them, and tables of them as text.
;;
;; E = Z H with E in mV/km and H in nT, Hz = T H; time goes as exp (+i omega t).  A variance is that of a complex number: its real and
;; imaginary part have half of it each.
(define-module (tutti mt result)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt files)
  #:use-module (tutti mt project)
  #:use-module (tutti mt store)
  #:export (make-transfer-function transfer-function? transfer-function-site transfer-function-remote transfer-function-rate
            transfer-function-configuration
            transfer-function-frequencies transfer-function-periods transfer-function-impedances transfer-function-variances
            transfer-function-tippers transfer-function-tipper-variances transfer-function-observations
            transfer-function-details transfer-function-quality transfer-function=?
            component-names tipper-names impedance-component impedance-variances tipper-component tipper-component-variances
            apparent-resistivities apparent-resistivity-errors phases phase-errors folded-phases
            transfer-function-file write-transfer-function read-transfer-function site-transfer-functions
            number->text))

(define-record-type <transfer-function>
  (%make site remote rate configuration frequencies impedances variances tippers tipper-variances observations details)
  %transfer-function?
  (site %site)
  (remote %remote)                        ; name of a site, or #f
  (rate %rate)                            ; sampling rate in Hz, or #f
  (configuration %configuration)          ; its name, or #f
  (frequencies %frequencies)              ; list, and so are all others: an item for each frequency
  (impedances %impedances)                ; c64vectors: Zxx Zxy Zyx Zyy
  (variances %variances)                  ; f64vectors
  (tippers %tippers)                      ; c64vectors: Tx Ty; or #f
  (tipper-variances %tipper-variances)
  (observations %observations)            ; integers, or #f
  (details %details))                     ; what else is known of the site: a list of pairs of a symbol and a value

(set-record-type-printer! <transfer-function>
  (lambda (tf port)
    (format port "#<transfer function of ~a~@[ with ~a~], ~a frequencies>" (%site tf) (%remote tf) (length (%frequencies tf)))))

(define (check-items what n items good? expected)
  (unless (and (list? items) (= (length items) n) (every good? items))
    (refuse 'make-transfer-function "~a are ~s, expected a list of ~a, one for each of ~a frequencies" what items expected n)))

;; NaN has a sign, which depends on the operation that made it, and which is not part of the text.
(define (plain x) (if (nan? x) +nan.0 x))
(define (plain-f64 v)
  (if (any nan? (f64vector->list v)) (list->f64vector (map plain (f64vector->list v))) v))
(define (plain-c64 v)
  (define (plain-parts z) (make-rectangular (plain (real-part z)) (plain (imag-part z))))
  (if (any (lambda (z) (or (nan? (real-part z)) (nan? (imag-part z)))) (c64vector->list v))
      (list->c64vector (map plain-parts (c64vector->list v)))
      v))

(define (c64? n) (lambda (x) (and (c64vector? x) (= (c64vector-length x) n))))
(define (f64? n) (lambda (x) (and (f64vector? x) (= (f64vector-length x) n))))

(define* (make-transfer-function #:key site remote rate configuration frequencies impedances variances tippers tipper-variances
                                  observations (details '()))
  "Return the transfer function of @var{site}, a string, that was estimated with the site @var{remote} (@code{#f}: alone) from series at
@var{rate} Hz by the configuration that is called @var{configuration}, a string or @code{#f}.
The others are lists with an item for each of @var{frequencies}, in Hz: @var{impedances} of c64vectors Zxx Zxy Zyx Zyy,
@var{variances} of f64vectors, @var{tippers} and @var{tipper-variances} of vectors of two, or @code{#f}, and @var{observations} of
integers, or @code{#f}.  What is not known is not a number.  @var{details} is a list of pairs of a symbol and what is known of the site:
@code{latitude} and @code{longitude} in degrees, @code{elevation} in m, @code{reference-latitude} and so on, @code{survey} and
@code{information}, strings, @code{azimuth} and @code{tipper-azimuth} of the x axis in degrees clockwise from north if that is not 0, and
what EDI files have in @code{head}, @code{reference} and @code{sensors}; and @code{quality}, for each frequency a list of symbols that say
what is doubtful about it."
  (unless (string? site)
    (refuse 'make-transfer-function "the site is ~s, expected a name" site))
  (let ((n (if (list? frequencies) (length frequencies) 0)))
    (check-items "frequencies" n frequencies (lambda (f) (and (finite-number? f) (positive? f))) "positive numbers")
    (check-items "impedances" n impedances (c64? 4) "c64vectors of 4")
    (check-items "variances" n variances (f64? 4) "f64vectors of 4")
    (when (or tippers tipper-variances)
      (check-items "tippers" n tippers (c64? 2) "c64vectors of 2")
      (check-items "variances of tippers" n tipper-variances (f64? 2) "f64vectors of 2"))
    (when observations
      (check-items "observations" n observations exact-integer? "integers"))
    (unless (and (list? details) (every (lambda (detail) (and (pair? detail) (symbol? (car detail)))) details))
      (refuse 'make-transfer-function "details are ~s, expected a list of pairs of a symbol and a value" details))
    (%make site remote rate configuration (map exact->inexact frequencies)
           (map plain-c64 impedances) (map plain-f64 variances)
           (and tippers (map plain-c64 tippers)) (and tipper-variances (map plain-f64 tipper-variances)) observations
           (sort details (lambda (a b) (string<? (symbol->string (car a)) (symbol->string (car b))))))))

(define (transfer-function? x)
  "Return true if @var{x} is a transfer function."
  (%transfer-function? x))

(define-documented #:of transfer-function
  (transfer-function-site %site "Return the name of the site of @var{transfer-function}.")
  (transfer-function-remote %remote
   "Return the name of the remote site of @var{transfer-function}, or @code{#f} if it is that of a single site.")
  (transfer-function-rate %rate
   "Return the sampling rate of the series that @var{transfer-function} was estimated from, in Hz, or @code{#f}.")
  (transfer-function-configuration %configuration
   "Return the name of the configuration that @var{transfer-function} was estimated by, or @code{#f}.")
  (transfer-function-frequencies %frequencies "Return the list of the frequencies of @var{transfer-function}, in Hz.")
  (transfer-function-impedances %impedances
   "Return the list of the impedances of @var{transfer-function}: c64vectors Zxx Zxy Zyx Zyy, in mV/km/nT.")
  (transfer-function-variances %variances
   "Return the list of the variances of the impedances of @var{transfer-function}: f64vectors.")
  (transfer-function-tippers %tippers
   "Return the list of the tippers of @var{transfer-function}, c64vectors Tx Ty, or @code{#f} if it has none.")
  (transfer-function-tipper-variances %tipper-variances
   "Return the list of the variances of the tippers of @var{transfer-function}, or @code{#f}.")
  (transfer-function-observations %observations
   "Return the list of how many observations each frequency of @var{transfer-function} has, or @code{#f}.")
  (transfer-function-details %details
   "Return the other details of the site of @var{transfer-function}, a list of pairs of a symbol, such as @code{latitude}, and a value."))

(define (transfer-function-quality tf)
  "Return the list of what is doubtful about each frequency of @var{tf}, or @code{#f} if that is not known: empty lists, and lists of
@code{few-windows}, where the estimate rests on a few windows; @code{noisy}, where a site's magnetic field does not explain the electric
one, and there is no remote site; @code{uncertain}, where the error is large; @code{neighbours}, where the next frequencies contradict
it; @code{remote}, where the site alone does."
  (assq-ref (%details tf) 'quality))


(define (transfer-function-periods tf)
  "Return the list of the periods of @var{tf}, in s."
  (map / (%frequencies tf)))

(define (transfer-function=? a b)
  "Return true if @var{a} and @var{b} are equal in everything, to the last bit."
  (every (lambda (field) (equal? (field a) (field b)))
         (list %site %remote %rate %configuration %frequencies %impedances %variances %tippers %tipper-variances %observations
               %details)))

;;; What follows from impedances.

(define component-names
  ;; of impedances
  '("xx" "xy" "yx" "yy"))

(define tipper-names
  '("x" "y"))

(define (index who names name)
  (or (list-index (lambda (known) (equal? known name)) names)
      (refuse who "there is no component ~s, expected one of ~{~a~^, ~}" name names)))

(define (impedance-component tf component)
  "Return the list of the complex numbers that are @var{component}, such as @code{\"xy\"}, of the impedances of @var{tf}."
  (let ((i (index 'impedance-component component-names component)))
    (map (lambda (z) (c64vector-ref z i)) (%impedances tf))))

(define (impedance-variances tf component)
  "Return the list of the variances of @var{component} of the impedances of @var{tf}."
  (let ((i (index 'impedance-variances component-names component)))
    (map (lambda (v) (f64vector-ref v i)) (%variances tf))))

(define (tipper-component tf component)
  "Return the list of the complex numbers that are @var{component}, @code{\"x\"} or @code{\"y\"}, of the tippers of @var{tf}."
  (let ((i (index 'tipper-component tipper-names component)))
    (map (lambda (t) (c64vector-ref t i)) (or (%tippers tf) '()))))

(define (tipper-component-variances tf component)
  "Return the list of the variances of @var{component} of the tippers of @var{tf}."
  (let ((i (index 'tipper-component-variances tipper-names component)))
    (map (lambda (t) (f64vector-ref t i)) (or (%tipper-variances tf) '()))))

(define degrees (/ 180 (acos -1)))

(define (relative-error z variance)
  ;; The component of the error along Z, or across it, relative to Z.
  (/ (sqrt (/ variance 2)) (magnitude z)))

(define (apparent-resistivities tf component)
  "Return the list of the apparent resistivities of @var{component} of @var{tf}, in ohm m: 0.2 T |Z|^2."
  (map (lambda (f z) (* (/ 0.2 f) (expt (magnitude z) 2))) (%frequencies tf) (impedance-component tf component)))

(define (apparent-resistivity-errors tf component)
  "Return the list of the standard deviations of @code{apparent-resistivities}, in first order."
  (map (lambda (rho z variance) (* 2 rho (relative-error z variance)))
       (apparent-resistivities tf component) (impedance-component tf component) (impedance-variances tf component)))

(define (phases tf component)
  "Return the list of the phases of @var{component} of @var{tf}, from -180 to 180 degrees."
  (map (lambda (z) (* degrees (atan (imag-part z) (real-part z)))) (impedance-component tf component)))

(define (phase-errors tf component)
  "Return the list of the standard deviations of @code{phases}, in degrees, at most 180."
  (map (lambda (z variance)
         (let ((error (* degrees (relative-error z variance))))
           (if (> error 180) 180. error)))
       (impedance-component tf component) (impedance-variances tf component)))

(define (folded-phases tf component)
  "Return the list of the phases of @var{component} of @var{tf}, turned by 180 degrees where that brings them to between -45 and 135
degrees: so those of both off-diagonal components are in the first quadrant, where the Earth has its usual ones."
  (map (lambda (phase)
         (cond ((> phase 135) (- phase 180)) ((<= phase -45) (+ phase 180)) (else phase)))
       (phases tf component)))

;;; Tables.

(define (number->text x)
  "Return the number @var{x} as others write it, with all its digits."
  (cond ((nan? x) "nan")
        ((inf? x) (if (positive? x) "inf" "-inf"))
        (else (number->string (if (exact-integer? x) x (exact->inexact x))))))

(define (text->number text)
  "Return the number that @code{number->text} made @var{text} of, or @code{#f}."
  (cond ((string-ci=? text "nan") +nan.0)
        ((string-ci=? text "inf") +inf.0)
        ((string-ci=? text "-inf") -inf.0)
        ((string-every (char-set-adjoin char-set:digit #\+ #\- #\. #\e #\E) text) (string->number text 10))
        (else #f)))

(define (complex-columns names values variances)
  "Return the list of pairs of the name of a column and its numbers; NAMES, VALUES and VARIANCES are lists of the same length."
  (append-map (lambda (name z v)
                `((,(string-append name "_re") . ,(map real-part z)) (,(string-append name "_im") . ,(map imag-part z))
                  (,(string-append name "_var") . ,v)))
              names values variances))

(define (of-components prefix names)
  (map (lambda (name) (string-append prefix name)) names))

(define (table-columns tf)
  `(("frequency" . ,(%frequencies tf))
    ,@(if (%observations tf) `(("observations" . ,(%observations tf))) '())
    ,@(if (transfer-function-quality tf) `(("doubtful" . ,(map length (transfer-function-quality tf)))) '())
    ,@(complex-columns (of-components "Z" component-names) (map (lambda (c) (impedance-component tf c)) component-names)
                       (map (lambda (c) (impedance-variances tf c)) component-names))
    ,@(if (%tippers tf)
          (complex-columns (of-components "T" tipper-names) (map (lambda (c) (tipper-component tf c)) tipper-names)
                           (map (lambda (c) (tipper-component-variances tf c)) tipper-names))
          '())
    ,@(append-map (lambda (c)
                    (map (lambda (name column) (cons (string-append name c) (column tf c)))
                         '("rho_" "rho_error_" "phase_" "phase_error_")
                         (list apparent-resistivities apparent-resistivity-errors phases phase-errors)))
                  component-names)))

(define title "# magnetotelluric transfer function")

(define (write-transfer-function file tf)
  "Write @var{tf} to @var{file}, a table as text with a line for each frequency, and return @var{file}.  @code{read-transfer-function}
reads exactly the same from it.  The columns of apparent resistivities (ohm m), phases (degrees) and their errors, and that of how many
reasons there are to doubt an estimate, are for other readers."
  (let ((columns (table-columns tf)))
    (write-whole file
      (lambda (port)
        (format port "~a~%# site = ~s~%~@[# remote = ~s~%~]~@[# rate = ~a~%~]~@[# configuration = ~s~%~]~@[# details = ~s~%~]# rows = ~a~%"
                title (%site tf) (%remote tf) (%rate tf) (%configuration tf) (and (pair? (%details tf)) (%details tf))
                (length (%frequencies tf)))
        (format port "# Z in mV/km/nT, variances of complex numbers, frequency in Hz; time goes as exp(+i omega t)~%")
        (format port "~a~%" (string-join (map car columns) " "))
        (for-each (lambda (row) (format port "~a~%" (string-join (map number->text row) " ")))
                  (if (null? (%frequencies tf)) '() (apply map list (map cdr columns))))))))

(define setting (make-regexp "^# ([a-z]+) = (.*)$"))

(define (read-transfer-function file)
  "Return the transfer function in @var{file}, which was written by @code{write-transfer-function}.  A damaged file is a
@code{&tutti-error} that names file, line and reason."
  (define (fail line message . arguments)
    (apply complain-about 'read-transfer-function file line message arguments))
  (let* ((lines (file-lines 'read-transfer-function file))
         (numbered (map cons (iota (length lines) 1) lines))
         (settings (filter-map (match-lambda
                                 ((number . line)
                                  (let ((m (regexp-exec setting line)))
                                    (and m (list (match:substring m 1) number (match:substring m 2))))))
                               numbered))
         (body (remove (match-lambda ((_ . line) (or (string-null? line) (string-prefix? "#" line)))) numbered)))
    (define (setting-of key required? good?)
      (match (assoc key settings)
        ((_ number text)
         (let ((value (false-if-error (call-with-input-string text read))))
           (if (good? value) value (fail number "the ~a is ~a, which is damaged" key text))))
        (#f (and required? (fail #f "there is no line with the ~a" key)))))
    (define (rate? x) (and (real? x) (positive? x)))
    (unless (and (pair? lines) (string=? (car lines) title))
      (fail 1 "it is no table of a transfer function: expected ~s" title))
    (when (null? body)
      (fail #f "there is no line with the names of columns"))
    (let* ((names (string-tokenize (cdar body)))
           (rows (map (match-lambda ((number . line) (read-row fail names number line))) (cdr body)))
           (expected (setting-of "rows" #t exact-integer?)))
      (unless (= (length rows) expected)
        (fail (car (last body)) "the table ends after ~a row~:p, expected ~a" (length rows) expected))
      (rows->transfer-function (lambda (message . arguments) (apply fail (caar body) message arguments))
                               names rows (setting-of "site" #t string?) (setting-of "remote" #f string?) (setting-of "rate" #f rate?)
                               (setting-of "configuration" #f string?) (or (setting-of "details" #f list?) '())))))

(define (read-row fail names number line)
  (let* ((words (string-tokenize line))
         (numbers (map text->number words)))
    (unless (= (length words) (length names))
      (fail number "there are ~a column~:p, expected ~a" (length words) (length names)))
    (for-each (lambda (name word value)
                (unless value
                  (fail number "~a is ~a, which is no number" name word))
                (when (and (string=? name "frequency") (not (and (positive? value) (finite? value))))
                  (fail number "~a is ~a, expected a positive number" name word))
                (when (and (string=? name "observations") (not (exact-integer? value)))
                  (fail number "~a are ~a, expected an integer" name word)))
              names words numbers)
    numbers))

(define (rows->transfer-function fail names rows site remote rate configuration details)
  (define (column name)
    (let ((i (or (list-index (lambda (known) (string=? known name)) names) (fail "there is no column ~a" name))))
      (map (lambda (row) (list-ref row i)) rows)))
  (define (complex name)
    (map make-rectangular (column (string-append name "_re")) (column (string-append name "_im"))))
  (define (rows-of make columns)
    (if (null? rows) '() (apply map (lambda items (make items)) columns)))
  (define (group prefix components)
    (let ((names (of-components prefix components)))
      (list (rows-of list->c64vector (map complex names))
            (rows-of list->f64vector (map (lambda (name) (column (string-append name "_var"))) names)))))
  (match (group "Z" component-names)
    ((impedances variances)
     (match (if (member "Tx_re" names) (group "T" tipper-names) '(#f #f))
       ((tippers tipper-variances)
        (%make site remote rate configuration (map exact->inexact (column "frequency")) impedances variances tippers tipper-variances
               (and (member "observations" names) (column "observations")) details))))))

;;; Those of a project.

(define* (transfer-function-file project site rate #:key (postpend "") (suffix ".txt"))
  "Return the name of the file in @var{project} for the transfer function of @var{site} from series at @var{rate} Hz; @var{postpend} tells
apart those that were estimated in different ways, and @var{suffix} ends the name."
  (string-append (project-result-folder project 'transfer site (configuration-ref (project-configuration project) 'spectra 'specdir))
                 "/" (number->text rate) "Hz" (if (string-null? postpend) "" (string-append "_" postpend)) suffix))

(define* (site-transfer-functions project site #:key (postpend ""))
  "Return the list of the transfer functions of @var{site} in @var{project} that have been estimated, one for each sampling rate, the
highest first."
  (filter-map (lambda (rate)
                (let ((file (transfer-function-file project site rate #:postpend postpend)))
                  (and (file-exists? file) (read-transfer-function file))))
              (sort (delete-duplicates (map measurement-rate (site-measurements project site))) >)))
