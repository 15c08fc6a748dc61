;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The last stage: transfer functions from magnetic to electric fields, and to the vertical magnetic field, by robust regression.
(define-module (tutti mt process)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti base log)
  #:use-module (tutti mt align)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt edi)
  #:use-module (tutti mt files)
  #:use-module (tutti mt gaps)
  #:use-module (tutti mt kernel)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt project)
  #:use-module (tutti mt quality)
  #:use-module (tutti mt result)
  #:use-module (tutti mt selection)
  #:use-module (tutti mt sources)
  #:use-module (tutti mt spectra)
  #:use-module (tutti mt stage)
  #:use-module (tutti mt store)
  #:export (process-site
            process-project
            process-unit))

;;; On a worker: one evaluation frequency.

(define (kept-bins band bin-width excluded)
  "Return the list of the bins of BAND, BIN-WIDTH Hz apart, that have no part of the frequencies EXCLUDED, as tapers spread them."
  (define spread 4.5)
  (remove (lambda (bin) (any (lambda (f) (<= (abs (- bin (/ f bin-width))) spread)) excluded))
          (iota (- (cdr band) (car band)) (car band))))

(define (process-unit method intercept? excluded frequency bin-width bins band blocks)
  "Return the estimate of @code{regress}, or @code{#f}, from @var{blocks}: as there, but with sources in place of spectra.  Bins are
@var{bin-width} Hz apart, and those around the frequencies @var{excluded} are not used.  Offsets are those of the logarithms of the bins'
frequencies from that of @var{frequency}.  With references, @code{single} in the estimate is the one without them."
  (define kept (kept-bins band bin-width excluded))
  (define all (cons 0 (length kept)))
  (define places (list->f64vector (map (lambda (bin) (log (/ (* bin bin-width) frequency))) kept)))
  (define (read group)
    ;; Only the band is kept of all spectra: a year of them would not fit.
    (and group (map (match-lambda ((source . row) (cons (some-bins (read-source source) bins kept) row))) group)))
  (define narrow
    (map (match-lambda
           ((n mask . groups)
            (let ((groups (map read groups)))
              (cons* n (mask-blank-windows n mask (append-map (lambda (group) (or group '())) groups) (length kept)) groups))))
         blocks))
  (define (estimate blocks)
    (regress method blocks all all #:intercept? intercept? #:places places))
  (define (alone)
    (estimate (map (match-lambda ((n mask outputs inputs _) (list n mask outputs inputs #f))) narrow)))
  (and (pair? kept)
       (let ((result (estimate narrow)))
         (if (and result (any fifth narrow))
             (acons 'single (alone) result)
             result))))

;;; What is to be estimated: a site at one sampling rate.

(define-record-type <job>
  (make-job project site rate input remote names-of intervals excluded postpend outputs)
  job?
  (project job-project)
  (site job-site)
  (rate job-rate)
  (input job-input)                     ; the site of Hx and Hy
  (remote job-remote)                   ; or #f
  (names-of job-names-of)               ; site -> names of its masks
  (intervals job-intervals)             ; in samples, or #f
  (excluded job-excluded)               ; frequencies, in Hz
  (postpend job-postpend)
  (outputs job-outputs))                ; names of channels

(define (job-sites job)
  (delete-duplicates (filter identity (list (job-site job) (job-input job) (job-remote job)))))

(define (job-title job)
  (format #f "site ~a, ~a Hz" (job-site job) (job-rate job)))

(define (need-channels measurement names)
  (for-each (lambda (name)
              (unless (member name (measurement-channels measurement))
                (refuse 'process-site "~a has no channel ~a" (measurement-title measurement) name)))
            names))

(define (site-outputs project site rate)
  "Return the outputs of SITE: Ex and Ey, and Hz if all its measurements at RATE have it."
  (let ((measurements (chosen-measurements project (list site) (list rate))))
    (for-each (lambda (measurement) (need-channels measurement '("Ex" "Ey"))) measurements)
    (if (every (lambda (measurement) (member "Hz" (measurement-channels measurement))) measurements)
        '("Ex" "Ey" "Hz")
        '("Ex" "Ey"))))

(define (piece-channels job piece site names)
  "Return the list of pairs of source and row for the channels NAMES of SITE in PIECE."
  (let ((place (find (lambda (place) (string=? site (measurement-site (place-measurement place)))) (piece-places piece))))
    (need-channels (place-measurement place) names)
    (map (lambda (name)
           (cons (spectra-source (job-project job) (place-measurement place) (place-chunk place) name)
                 (piece-row piece place)))
         names)))

(define (piece-groups job piece)
  (list (piece-channels job piece (job-site job) (job-outputs job))
        (piece-channels job piece (job-input job) '("Hx" "Hy"))
        (and (job-remote job) (piece-channels job piece (job-remote job) '("Hx" "Hy")))))

;; What JOB needs of one level: its pieces, and for each their sources and masks.
(define (level-parts job level)
  (let* ((project (job-project job))
         (pieces (role-pieces project (job-sites job) (job-rate job) (level-number level))))
    (list level pieces
          (map (lambda (piece) (piece-groups job piece)) pieces)
          (map (lambda (piece) (piece-masks project piece (job-names-of job))) pieces))))

(define (job-parts job)
  (filter (match-lambda ((_ pieces _ _) (pair? pieces)))
          (map (lambda (level) (level-parts job level))
               (configuration-levels (project-configuration (job-project job)) (job-rate job)))))

(define (solver-values job)
  (map (lambda (key) (configuration-ref (project-configuration (job-project job)) 'solver key)) '(method intercept)))

(define (job-configuration-name job)
  (configuration-ref (project-configuration (job-project job)) 'global 'name))

(define (job-fingerprint job parts)
  (fingerprint-of 'transfer (job-configuration-name job) (job-outputs job) (job-intervals job) (job-excluded job)
                  (solver-values job)
                  (map (match-lambda
                         ((level pieces groups masks)
                          (list (level-frequencies level) (level-bands level)
                                (map (lambda (piece) (list (piece-first-window piece) (piece-windows piece))) pieces)
                                (source-contents groups) (source-contents masks))))
                       parts)))

(define (job-units job parts)
  "Return the list of pairs of a frequency and the unit for it."
  (append-map
   (match-lambda
     ((level pieces groups masks)
      (map (lambda (frequency band column)
             (cons frequency
                   (make-unit (format #f "~a, ~,5g Hz" (job-title job) frequency)
                              process-unit
                              (append (solver-values job)
                                      (list (job-excluded job) frequency (/ (level-rate level) (level-size level))
                                            (level-bins level) band
                                            (map (lambda (piece groups masks)
                                                   (cons* (piece-windows piece)
                                                          (piece-mask piece masks (job-intervals job) level column)
                                                          groups))
                                                 pieces groups masks))))))
           (level-frequencies level) (level-bands level) (iota (length (level-bands level))))))
   parts))

;;; The result.

(define* (job-file job #:optional (suffix ".txt"))
  (transfer-function-file (job-project job) (job-site job) (job-rate job) #:postpend (job-postpend job) #:suffix suffix))

(define (job-folder job)
  (dirname (job-file job)))

(define (job-key job)
  (basename (job-file job)))

;; A band's bins are on both sides of its frequency, but their mean is not there; and transfer functions change with frequency, impedances
;; about as its root.  How they really change is seen from one frequency to the next.
(define (slope below above width)
  "Return the power of the frequency by which a transfer function goes from BELOW to ABOVE, WIDTH apart in logarithms, or 0 if the
numbers are not those of an Earth."
  (let ((s (if (or (zero? below) (zero? above)) 0 (/ (log (/ above below)) width))))
    (if (and (< -1/2 (real-part s) 3/2) (< (abs (imag-part s)) 1/2)) s 0)))

(define (at-frequency before here after i output)
  "Return number I, of OUTPUT, of the transfer function of the estimate HERE, as it is at its frequency; BEFORE and AFTER are those of
the next higher and lower frequencies, or #f.  All are pairs of a frequency and an estimate."
  (define (value entry) (c64vector-ref (assq-ref (cdr entry) 'transfer) i))
  (define (offset k) (f64vector-ref (assq-ref (cdr here) 'offsets) (+ k (* 2 output))))
  (let* ((above (or before here))
         (below (or after here))
         (s (if (eq? above below)
                (if (< output 2) 1/2 0)   ; there is but one: electric fields as over a half-space
                (slope (value below) (value above) (log (/ (car above) (car below)))))))
    ;; The mean of exp (s x) over the band, to second order.
    (/ (value here) (+ 1 (* s (offset 0)) (* 1/2 s s (offset 1))))))

(define (at-frequencies estimates)
  "Return ESTIMATES, pairs of a frequency and an estimate, the highest first, with transfer functions as they are at the frequencies."
  (map (lambda (before here after)
         (let* ((transfer (assq-ref (cdr here) 'transfer))
                (n (c64vector-length transfer))
                (inputs (/ (* 2 n) (f64vector-length (assq-ref (cdr here) 'offsets)))))
           (cons (car here)
                 (acons 'transfer (list->c64vector (map (lambda (i) (at-frequency before here after i (quotient i inputs))) (iota n)))
                        (alist-delete 'transfer (cdr here))))))
       (cons #f (drop-right estimates 1)) estimates (append (cdr estimates) '(#f))))

(define (parts-of vector start end ref)
  (map (lambda (i) (ref vector i)) (iota (- end start) start)))

(define (job-result job estimates)
  "Return the transfer function of JOB from ESTIMATES, a list of pairs of a frequency and an estimate."
  (define there (with-doubts (at-frequencies estimates)))
  (define (get key) (map (lambda (estimate) (assq-ref (cdr estimate) key)) there))
  (define tipper? (member "Hz" (job-outputs job)))
  (make-transfer-function
   #:site (job-site job) #:remote (job-remote job) #:rate (job-rate job) #:configuration (job-configuration-name job)
   #:frequencies (map car estimates)
   #:impedances (map (lambda (z) (list->c64vector (parts-of z 0 4 c64vector-ref))) (get 'transfer))
   #:variances (map (lambda (v) (list->f64vector (parts-of v 0 4 f64vector-ref))) (get 'variances))
   #:tippers (and tipper? (map (lambda (z) (list->c64vector (parts-of z 4 6 c64vector-ref))) (get 'transfer)))
   #:tipper-variances (and tipper? (map (lambda (v) (list->f64vector (parts-of v 4 6 f64vector-ref))) (get 'variances)))
   #:observations (get 'observations)
   #:details `((quality . ,(get 'doubts)))))

;; A job: its units, and what they have returned.
(define-record-type <running>
  (make-running job fingerprint units estimates left failure)
  running?
  (job running-job)
  (fingerprint running-fingerprint)
  (units running-units)                             ; list of pairs of a frequency and a unit
  (estimates running-estimates set-estimates!)      ; list of pairs of a unit and an estimate
  (left running-left set-left!)                     ; how many units are not done
  (failure running-failure set-failure!))           ; the condition of the first that has failed, or #f

(define (start-job job)
  "Return the transfer function of JOB, if it is complete, else what is to be done for it."
  (let* ((parts (job-parts job))
         (fingerprint (job-fingerprint job parts)))
    (if (and (complete? (job-folder job) (job-key job) fingerprint) (file-exists? (job-file job)) (file-exists? (job-file job ".edi")))
        (read-transfer-function (job-file job))
        (let ((units (job-units job parts)))
          (forget-complete! (job-folder job) (job-key job))
          (make-running job fingerprint units '() (length units) #f)))))

(define (settle! running unit estimate)
  (set-estimates! running (acons unit estimate (running-estimates running)))
  (set-left! running (1- (running-left running)))
  (when (zero? (running-left running))
    (finish! running)))

(define (usable-estimates running)
  (filter cdr (map (match-lambda ((frequency . unit) (cons frequency (assq-ref (running-estimates running) unit))))
                   (running-units running))))

(define (finish! running)
  (let ((job (running-job running))
        (estimates (usable-estimates running)))
    (when (pair? estimates)
      (let ((result (job-result job estimates)))
        (write-transfer-function (job-file job) result)
        (write-edi (job-file job ".edi") result))
      (record-complete! (job-folder job) (job-key job) (running-fingerprint running)))))

(define (result-of job)
  (cond
   ((not (running? job)) job)
   ((running-failure job) => identity)
   (else
    (let ((estimates (usable-estimates job)))
      (when (null? estimates)
        (refuse 'process-project "~a: there are too few windows for any frequency~a" (job-title (running-job job))
                (if (pair? (running-units job)) ", after gaps, masks and times were applied" " that all sites have")))
      (job-result (running-job job) estimates)))))

;;; Here: all of them.

(define (site-jobs project site input remote masks intervals excluded postpend rates)
  (let ((own-rates (delete-duplicates (map measurement-rate (chosen-measurements project (list site) rates)))))
    (map (lambda (rate)
           (make-job project site rate (or input site) remote
                     (lambda (role-site) (site-masks project masks site role-site))
                     (and intervals (sample-intervals project rate intervals)) excluded
                     postpend (site-outputs project site rate)))
         (sort own-rates >))))

(define (electric-sites project remote)
  "Return the list of the names of sites that have Ex and Ey, but not that of REMOTE."
  (filter (lambda (site)
            (and (not (equal? site remote))
                 (any (lambda (measurement) (every (lambda (name) (member name (measurement-channels measurement))) '("Ex" "Ey")))
                      (site-measurements project site))))
          (project-sites project)))

(define (warn-of-frequencies project jobs)
  "Write a line to the error port for each kind of frequencies in the configuration of PROJECT that no job of JOBS is evaluated at."
  (let ((rates (sort (delete-duplicates (map job-rate jobs)) >)))
    (for-each (lambda (frequencies reason)
                (unless (or (null? frequencies) (null? rates))
                  (write-line-beside
                   (current-error-port)
                   (format #f "tutti: warning: the configuration's frequenc~@p ~{~a~^, ~} Hz ~:[is~;are~] left out: ~a"
                           (length frequencies) frequencies (pair? (cdr frequencies)) reason))))
              (missing-frequencies (project-configuration project) rates)
              (list (format #f "above a quarter of the sampling rate, ~{~a~^, ~} Hz" rates)
                    "beyond numlevels times perlevel; raise numlevels"))))

(define* (process-project project #:key sites input-site remote-site (masks '()) (postpend "") from to intervals (exclude '()) rates
                          ncores pool (on-error 'raise))
  "Estimate the transfer functions of @var{sites}, a list of names (all sites of @var{project} with an electric field, but the remote one),
from the spectra of their windows, and return a list of them: for each site one for each of its sampling rates, the highest first.  They
are also written, each as a table and as an EDI file, whose names end in @var{postpend}; what is complete, from the same spectra with the
same configuration, masks and times, is not done again.

The inputs Hx and Hy are those of each site, or of @var{input-site}.  With @var{remote-site} its Hx and Hy are the reference.  All of these
must have been recorded at the same time.  Windows are used if all of @var{masks} allow them, masks or their names; in place of a mask
there may be a list of a site's name and masks that are about the windows of that site.  They must be after @var{from} and before
@var{to} and within one of @var{intervals}, lists of two times: strings as @samp{2020-05-17T09:30:00}, in UTC, or nanoseconds since 1970.
@var{rates} is a list of the sampling rates to do, in Hz (all).  If measurements of a site overlap, their common windows are counted once,
and a line on the error port says which are left out.  @var{exclude} is a list of frequencies, in Hz, such as those of mains: Fourier
bins that have a part of them are not used.

Where an estimate is doubtful, @code{transfer-function-quality} says why.

What fails is an error when all others are done; with @code{#:on-error 'collect} there is no error, and conditions stand in the list where
transfer functions could not be estimated.

It runs on @var{pool}, or with @var{ncores} workers; without both on the current pool, or with as many workers as the
configuration says for the solver."
  (define who 'process-project)
  (check-on-error who on-error)
  (check-rates who project rates)
  (unless (string-null? postpend)
    (check-plain-name who "a result (#:postpend)" postpend))
  (for-each (lambda (site) (when site (chosen-sites who project (list site)))) (list input-site remote-site))
  (when (member remote-site (or sites '()))
    (refuse who "site ~a cannot be its own remote site" remote-site))
  (unless (and (list? exclude) (every (lambda (f) (and (real? f) (positive? f))) exclude))
    (refuse who "#:exclude is ~s, expected a list of frequencies in Hz" exclude))
  (let* ((times (time-intervals who from to intervals))
         (jobs (append-map (lambda (site)
                             (let ((jobs (attempt on-error
                                                  (lambda () (site-jobs project site input-site remote-site masks times exclude postpend
                                                                     rates)))))
                               (if (exception? jobs) (list jobs) jobs)))
                           (if sites (chosen-sites who project sites) (electric-sites project remote-site)))))
    (for-each (lambda (site) (warn-of-overlaps project site rates))
              (delete-duplicates (append-map (lambda (job) (if (job? job) (job-sites job) '())) jobs)))
    (warn-of-frequencies project (filter job? jobs))
    (call-with-stage-pool who (project-configuration project) 'solver pool ncores
      (lambda (pool)
        (let* ((started (map (lambda (job) (if (job? job) (attempt on-error (lambda () (start-job job))) job)) jobs))
               (running (filter running? started))
               (owners (append-map (lambda (one) (map (lambda (entry) (cons (cdr entry) one)) (running-units one))) running)))
          (run-units who pool (map car owners)
                     #:settle! (lambda (unit estimate) (settle! (assq-ref owners unit) unit estimate))
                     #:on-error on-error
                     #:fail! (lambda (unit condition)
                               (let ((owner (assq-ref owners unit)))
                                 (unless (running-failure owner) (set-failure! owner condition)))))
          (map (lambda (job) (attempt on-error (lambda () (result-of job)))) started))))))

(define (process-site project site . options)
  "Estimate the transfer functions of @var{site}, a name, and return a list of them, one for each of its sampling rates.  Options are
those of @code{process-project} but @code{#:sites}."
  (apply process-project project #:sites (list site) options))
