;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the stages of a project have in common: the measurements they process, the chunks of windows that each is cut into, the files of
;; their results, and what these depend on.
(define-module (tutti mt layout)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt project)
  #:use-module (tutti mt stage)
  #:export (chosen-sites
            check-rates
            chosen-measurements
            complete-measurements
            measurement-title
            measurement-first-sample
            measurement-extents
            most-windows
            extent-chunks
            chunk?
            chunk-level
            chunk-first-window
            chunk-windows
            chunk-end-window
            result-folder
            spectra-file
            statistics-file
            mask-file
            spectra-fingerprint))

;;; Which measurements.

(define (chosen-sites who project sites)
  "Return the list of the names in @var{sites}, a list or @code{#f} for all sites of @var{project}; an unknown one is an error."
  (let ((known (project-sites project)))
    (for-each (lambda (site)
                (unless (member site known)
                  (refuse who "there is no site ~s in ~a; it has ~a" site (project-folder project)
                          (if (null? known) "none" (string-join known ", ")))))
              (or sites '()))
    (or sites known)))

(define (check-rates who project rates)
  "Raise an error in the name of @var{who} if one of @var{rates}, a list in Hz or @code{#f}, is not that of a measurement of
@var{project}."
  (for-each (lambda (rate)
              (unless (and (real? rate) (any (lambda (known) (same-rate? rate known)) (project-rates project)))
                (refuse who "there is no measurement at ~a Hz in ~a; there are ~a" rate (project-folder project)
                        (if (null? (project-rates project)) "none" (string-join (map number->string (project-rates project)) ", ")))))
            (or rates '())))

(define (chosen-measurements project sites rates)
  "Return the list of all measurements in @var{project} of @var{sites}, whose sampling rate is one of @var{rates}, a list in Hz or
@code{#f}."
  (filter (lambda (measurement)
            (or (not rates) (any (lambda (rate) (same-rate? rate (measurement-rate measurement))) rates)))
          (append-map (lambda (site) (site-measurements project site)) sites)))

(define (complete-measurements who project sites rates)
  "Return @code{chosen-measurements} that have Hx, Hy, Ex and Ey.  One of @var{sites} that has not is an error; if that is @code{#f},
for all, it is left out: there are sites that are only remote ones."
  (define (lacking measurement)
    (lset-difference string=? '("Hx" "Hy" "Ex" "Ey") (measurement-channels measurement)))
  (check-rates who project rates)
  (let ((measurements (chosen-measurements project (chosen-sites who project sites) rates)))
    (when sites
      (for-each (lambda (measurement)
                  (unless (null? (lacking measurement))
                    (refuse who "~a has no ~a (~a)" (measurement-title measurement) (string-join (lacking measurement) ", ")
                            (measurement-header measurement))))
                measurements))
    (filter (lambda (measurement) (null? (lacking measurement))) measurements)))

(define (measurement-title measurement)
  "Return the name of @var{measurement} in messages."
  (format #f "site ~a, measurement ~a" (measurement-site measurement) (measurement-name measurement)))

;;; Where a measurement is in time.

(define (measurement-first-sample project measurement)
  "Return the number of the first sample of @var{measurement}, counted from the reference time of @var{project} at its rate."
  (let* ((reference (project-reference project (measurement-rate measurement)))
         (nanoseconds (- (measurement-start measurement) reference))
         (exact (/ (* nanoseconds (inexact->exact (measurement-rate measurement))) (expt 10 9)))
         (number (round exact)))
    (unless (<= (abs (- exact number)) (max 1/1000000 (nanosecond measurement)))
      (refuse 'measurement-first-sample
              "~a starts at ~a, which is not a whole number of samples at ~a Hz after the reference time of the project, ~a"
              (measurement-title measurement) (time->string (measurement-start measurement)) (measurement-rate measurement)
              (time->string reference)))
    number))

(define (nanosecond measurement)
  ;; Two times are rounded to a nanosecond each, which is a large part of a sample at a high rate.
  (/ (inexact->exact (measurement-rate measurement)) (expt 10 9)))

(define (measurement-extents project measurement)
  "Return the list of the extents of @var{measurement}, level by level, with the configuration of @var{project}."
  (let ((configuration (project-configuration project)))
    (level-extents configuration (configuration-levels configuration (measurement-rate measurement))
                   (measurement-first-sample project measurement) (measurement-samples measurement))))

;;; Chunks: windows in a row whose results are in one file.  A reader of some of them does not have to read all, and they are the
;;; units of the statistics.

(define-record-type <chunk>
  (make-chunk level index first-window windows)
  %chunk?
  (level %chunk-level)
  (index chunk-index)         ; within its level and measurement, from 0
  (first-window %chunk-first-window)
  (windows %chunk-windows))

(define (chunk? x)
  "Return true if @var{x} is a chunk of windows."
  (%chunk? x))

(define-documented #:of chunk
  (chunk-level %chunk-level
   "Return the number of the level of @var{chunk}.")
  (chunk-first-window %chunk-first-window
   "Return the number of the first window of @var{chunk}.")
  (chunk-windows %chunk-windows
   "Return how many windows are in @var{chunk}."))

(define (chunk-end-window chunk)
  "Return the number of the window after the last one of @var{chunk}."
  (+ (%chunk-first-window chunk) (%chunk-windows chunk)))

(define most-windows (make-parameter 1024))
(set-object-property! most-windows 'documentation
                         "How many windows may be in one chunk.  It has no say in any number, but in where numbers are.")

(define (extent-chunks extent)
  "Return the list of the chunks of @var{extent}, of nearly equal size."
  (let* ((n (extent-windows extent))
         (parts (ceiling-quotient n (most-windows)))
         (cut (lambda (i) (quotient (* n i) parts))))
    (map (lambda (i)
           (make-chunk (level-number (extent-level extent)) i (+ (extent-first-window extent) (cut i)) (- (cut (1+ i)) (cut i))))
         (iota parts))))

;;; Files.

(define* (result-folder project stage measurement #:optional remote)
  "Return the folder for the results of @var{stage} about @var{measurement}, made from the spectra in the folder that the configuration
names; with the site @var{remote} beside, its own."
  (string-append (project-result-folder project stage (measurement-site measurement) (measurement-name measurement))
                 "/" (configuration-ref (project-configuration project) 'spectra 'specdir)
                 (if remote (string-append "/remote-" remote) "")))

(define (spectra-file folder chunk channel)
  "Return the file in @var{folder} with the spectra of @var{channel} in @var{chunk}."
  (format #f "~a/level-~a-~a-~4,'0d" folder (chunk-level chunk) channel (chunk-index chunk)))

(define (statistics-file folder chunk)
  "Return the file in @var{folder} with the statistics of @var{chunk}."
  (format #f "~a/level-~a-~4,'0d" folder (chunk-level chunk) (chunk-index chunk)))

(define (mask-file folder name level)
  "Return the file in @var{folder} with the mask @var{name} for the level with number @var{level}."
  (format #f "~a/~a-level-~a" folder name level))

;;; What results depend on.

(define (level-facts level)
  (list (level-number level) (level-factor level) (level-frequencies level) (level-size level) (level-overlap level)
        (level-bands level) (level-smoothing level)))

;; Asked for once for each channel and chunk, by all stages: measurement -> list of what it depends on beside, and the fingerprint. A
;; project that is read again has other measurements.
(define known-fingerprints (make-weak-key-hash-table))

(define (common-fingerprint project measurement)
  "Return the fingerprint of what the spectra of all channels of MEASUREMENT depend on."
  (let ((configuration (project-configuration project))
        (first (measurement-first-sample project measurement))
        (known (hashq-ref known-fingerprints measurement)))
    (if (and known (eq? (list-ref known 0) configuration) (equal? (list-ref known 1) (list first (most-windows))))
        (list-ref known 2)
        (let ((fingerprint (fingerprint-of 'spectra (measurement-rate measurement) first (measurement-samples measurement) (most-windows)
                                           (map (lambda (extent) (level-facts (extent-level extent)))
                                                (measurement-extents project measurement))
                                           (configuration-ref configuration 'spectra 'applywindow)
                                           (configuration-ref configuration 'spectra 'windowfunc)
                                           (configuration-ref configuration 'spectra 'clean)
                                           (configuration-ref configuration 'spectra 'notch))))
          (hashq-set! known-fingerprints measurement (list configuration (list first (most-windows)) fingerprint))
          fingerprint))))

(define (spectra-fingerprint project measurement channel)
  "Return the fingerprint of what the configuration and the place in time of @var{measurement} have to say in the spectra of its
@var{channel}: that of the data follows it in the record."
  (string-append (common-fingerprint project measurement) "-" channel "-"))
