;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The stage between statistics and processing: which windows a mask leaves, of each measurement.
(define-module (tutti mt masking)
  #:use-module (ice-9 format)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti mt align)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt mask)
  #:use-module (tutti mt project)
  #:use-module (tutti mt sources)
  #:use-module (tutti mt stage)
  #:use-module (tutti mt statistics)
  #:use-module (tutti mt store)
  #:export (calculate-mask
            mask-unit
            mask-source))

;;; On a worker: one level of one measurement.

(define (joined windows columns sources statistic component what)
  "Return the values of COMPONENT of STATISTIC of WINDOWS windows, which are in SOURCES one after the other."
  (let ((all (make-f64vector (* windows columns))))
    (fold (lambda (source at)
            (let ((values (read-statistics source statistic component)))
              (unless values
                (refuse 'calculate-mask "~a: the statistic ~a was not calculated, or has no component ~a there; name it in stats or ~
remotestats of the configuration, or to calculate-statistics by #:statistics, and run that again" what statistic component))
              (bytevector-copy! values 0 all at (bytevector-length values))
              (+ at (bytevector-length values))))
          0 sources)
    all))

(define (mask-unit constraints level frequencies first-window windows sources remote-sources file what)
  "Write to @var{file} which of @var{windows} windows, from number @var{first-window} on, of the level with the number @var{level} and its
@var{frequencies} the @var{constraints} leave.  @var{sources} are those of their statistics, chunk after chunk, and @var{remote-sources}
of those with a remote site; @var{what} names all this in messages."
  (let ((columns (length frequencies)))
    (write-array file
                 `((first-window . ,first-window) (windows . ,windows) (frequencies . ,frequencies))
                 (mask-windows constraints level frequencies windows
                               (lambda (statistic component)
                                 (joined windows columns (if (remote-statistic? statistic) remote-sources sources)
                                         statistic component what))))))

;;; Here: all of them.

(define (statistics-sources project places remote)
  (map (lambda (place) (statistics-source project place remote)) places))

(define (unit-of project mask measurement extent remote)
  (let* ((level (extent-level extent))
         (places (measurement-places project measurement (level-number level)))
         (constraints (mask-constraints mask))
         (statistics (map constraint-statistic constraints))
         (sources (if (every remote-statistic? statistics) '() (statistics-sources project places #f)))
         (remote-sources (if (any remote-statistic? statistics) (statistics-sources project places remote) '()))
         (folder (result-folder project 'mask measurement))
         (file (mask-file folder (mask-name mask) (level-number level)))
         (what (format #f "mask ~a of ~a, level ~a" (mask-name mask) (measurement-title measurement) (level-number level))))
    (make-unit what mask-unit
               (list constraints (level-number level) (level-frequencies level) (extent-first-window extent) (extent-windows extent)
                     sources remote-sources file what)
               #:folder folder #:key (basename file) #:files (list file)
               #:fingerprint (fingerprint-of 'mask constraints (extent-first-window extent) (extent-windows extent)
                                             (level-frequencies level) (map source-fingerprint (append sources remote-sources))))))

(define* (calculate-mask project mask #:key sites remote-site rates ncores pool (on-error 'raise))
  "Find the windows that @var{mask} leaves, for each of @var{sites}, a list of names (all sites of @var{project}), by their statistics, and
return a report.  Statistics with a remote site are those with @var{remote-site}.  @var{rates} is a list of the sampling rates to do, in
Hz (all).  What is complete is not done again.  With @code{#:on-error 'collect} what fails is in @code{stage-report-failed}, and
nothing is raised.

It runs on @var{pool}, or with @var{ncores} workers; without both on the current pool, or with as many workers as the
configuration says for statistics."
  (define who 'calculate-mask)
  (check-on-error who on-error)
  (let ((measurements (complete-measurements who project sites rates)))
    (when (and (not remote-site) (any (lambda (constraint) (remote-statistic? (constraint-statistic constraint))) (mask-constraints mask)))
      (refuse who "the mask ~a has constraints on statistics with a remote site, expected #:remote-site" (mask-name mask)))
    (call-with-stage-pool who (project-configuration project) 'statistics pool ncores
      (lambda (pool)
        (call-with-values
            (lambda ()
              (collect-units on-error measurements measurement-title
                             (lambda (measurement)
                               (map (lambda (extent) (unit-of project mask measurement extent remote-site))
                                    (measurement-extents project measurement)))))
          (lambda (units failed)
            (run-units who pool units #:on-error on-error #:failed failed)))))))

(define (mask-source project name place)
  "Return the source of the mask @var{name} for the measurement and the level of @var{place}.  An error says so if it was not calculated."
  (let* ((folder (result-folder project 'mask (place-measurement place)))
         (level (chunk-level (place-chunk place)))
         (file (mask-file folder name level)))
    (recorded-source folder (basename file) file ""
                     (format #f "the mask ~a of ~a, level ~a" name (measurement-title (place-measurement place)) level)
                     "calculate-mask")))
