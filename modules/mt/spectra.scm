;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The first stage: the spectra of all windows of each channel of each measurement, on levels of ever lower sampling rates.
(define-module (tutti mt spectra)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti pool)
  #:use-module (tutti base log)
  #:use-module (tutti mt cleaning)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt gaps)
  #:use-module (tutti mt inspection)
  #:use-module (tutti mt kernel)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt library)
  #:use-module (tutti mt project)
  #:use-module (tutti mt sources)
  #:use-module (tutti mt stage)
  #:use-module (tutti mt store)
  #:export (calculate-spectra
            spectra-unit
            spectra-units
            spectra-source))

;;; On a worker: one channel of one measurement.

(define (rows spectra width start count)
  "Return COUNT rows from number START on of SPECTRA, whose rows have WIDTH numbers."
  (let ((part (make-c32vector (* count width))))
    (bytevector-copy! spectra (* 8 width start) part 0 (* 8 width count))
    part))

(define (write-chunks folder channel chunks extent spectra)
  (let* ((bins (level-bins (extent-level extent)))
         (width (- (cdr bins) (car bins))))
    (for-each (lambda (chunk)
                (write-array (spectra-file folder chunk channel)
                             `((first-window . ,(chunk-first-window chunk)) (windows . ,(chunk-windows chunk)) (bins . ,bins))
                             (rows spectra width (- (chunk-first-window chunk) (extent-first-window extent)) (chunk-windows chunk))))
              chunks)))

(define (spectra-unit measurement channel first parts windowfunc clean? notches folder)
  "Compute the spectra of @var{channel} of @var{measurement}, which starts with global sample number @var{first}, in all of @var{parts},
pairs of an extent and its chunks, with windows tapered by @var{windowfunc} (@code{#f}: not at all), and write them to @var{folder}.
Windows that touch a gap are not a number; with @var{clean?} neither are those that are mostly noise, and what is left of it is taken
out of the series before.  So are lines at the frequencies @var{notches}, in Hz, as far as the sampling rate has them.  Return
@code{#f}, or a text that says how many windows are not, and why."
  (define faults (and clean? (measurement-faults measurement)))
  (define (lower series bad first factor)
    (let-values (((less first*) (decimate series first factor)))
      (values less (if (and bad (> factor 1)) (decimate-flags bad first factor) bad) first*)))
  (define rate (measurement-rate measurement))
  (let-values (((whole gaps text) (inspected-channel measurement channel)))
    (for-each (lambda (frequency)
                (when (< frequency (/ rate 2)) (mt-notch whole (exact->inexact (/ frequency rate)))))
              notches)
    (define (cleaned bits)
      (if faults (clean-series whole measurement channel faults bits) (values whole #f)))
    ;; It depends on the level which noise matters: where that changes, the series of the level before cannot be used.
    (let loop ((left-parts parts) (series #f) (bad #f) (at first) (factor 1) (bits #f) (note #f))
      (match left-parts
        (() note)
        (((extent . chunks) . rest)
         (let* ((level (extent-level extent))
                (bins (level-bins level))
                (its-factor (level-factor level))
                (its-bits (if faults (faults-bits faults its-factor) 0)))
           (let*-values (((series bad at)
                          (if (eqv? bits its-bits)
                              (lower series bad at (quotient its-factor factor))
                              (let-values (((series bad) (cleaned its-bits)))
                                (lower series bad first its-factor))))
                         ((spectra k) (window-spectra series at (level-size level) (level-overlap level)
                                                      (and windowfunc (taper windowfunc (level-size level)))
                                                      (car bins) (cdr bins) #:bad bad))
                         ((left) (blank-windows! spectra (- (cdr bins) (car bins)) (usable-windows gaps first extent))))
             (when (and (zero? left) (eq? left-parts parts))
               (no-window-left measurement channel text (level-size level)))
             (write-chunks folder channel chunks extent spectra)
             (loop rest series bad at its-factor its-bits
                   (if (eq? left-parts parts) (windows-left left (extent-windows extent) text bad) note)))))))))

(define (windows-left left windows text bad)
  "Return what is to be said of a level if LEFT of its WINDOWS are used, without gaps, which are TEXT, and most of which is not BAD; #f if
nothing."
  (and (< left windows)
       (format #f "~a of ~a windows are not used: ~a" (- windows left) windows
               (cond ((not (string-null? text)) text)
                     (bad "they are noise that only electric or only magnetic channels have")
                     (else "there is no variation in them")))))

;;; Here: all of them.

(define (unit-of project measurement channel contents)
  (let* ((configuration (project-configuration project))
         (folder (result-folder project 'spectra measurement))
         (parts (map (lambda (extent) (cons extent (extent-chunks extent))) (measurement-extents project measurement))))
    (make-unit (format #f "~a, channel ~a" (measurement-title measurement) channel)
               spectra-unit
               (list measurement channel (measurement-first-sample project measurement) parts
                     (and (configuration-ref configuration 'spectra 'applywindow) (configuration-ref configuration 'spectra 'windowfunc))
                     (configuration-ref configuration 'spectra 'clean)
                     (configuration-ref configuration 'spectra 'notch)
                     folder)
               #:folder folder #:key channel #:fingerprint (string-append (spectra-fingerprint project measurement channel) contents)
               #:files (append-map (lambda (part) (map (lambda (chunk) (spectra-file folder chunk channel)) (cdr part))) parts))))

(define (all-files measurements)
  (delete-duplicates
   (append-map (lambda (measurement)
                 (append-map (lambda (channel) (channel-files measurement channel)) (measurement-channels measurement)))
               measurements)))

(define (unit-files measurement channel)
  "Return the list of the files that the spectra of CHANNEL depend on: also those of the one that it must not be proportional to."
  (append (channel-files measurement channel)
          (let ((partner (partner-channel channel)))
            (if (member partner (measurement-channels measurement)) (channel-files measurement partner) '()))))

(define (spectra-units project measurements pool)
  "Return the list of the units for all channels of @var{measurements} of @var{project}; the fingerprints of the data are computed on
@var{pool}."
  (let* ((files (all-files measurements))
         (fingerprints (map cons files (pool-map pool file-fingerprint files)))
         (clean? (configuration-ref (project-configuration project) 'spectra 'clean)))
    (append-map
     (lambda (measurement)
       (map (lambda (channel)
              ;; A fault that is taken out of one channel is taken out of all.
              (unit-of project measurement channel
                       (fingerprint-of (map (lambda (file) (assoc-ref fingerprints file))
                                            (if clean? (all-files (list measurement)) (unit-files measurement channel))))))
            (measurement-channels measurement)))
     measurements)))

(define* (calculate-spectra project #:key sites rates ncores pool (on-error 'raise))
  "Calculate the spectra of all windows of each channel of @var{sites}, a list of names (all sites of @var{project}), and return a report.
@var{rates} is a list of the sampling rates to do, in Hz (all).  What is complete, with the same configuration from the same data, is not
done again.  A channel that cannot be used is an error when all others are done; with @code{#:on-error 'collect} it is in
@code{stage-report-failed} instead.

It runs on @var{pool}, or with @var{ncores} workers; without both on the current pool, or with as many workers as the
configuration says for spectra."
  (define who 'calculate-spectra)
  (check-on-error who on-error)
  (check-rates who project rates)
  (let ((measurements (chosen-measurements project (chosen-sites who project sites) rates)))
    (call-with-stage-pool who (project-configuration project) 'spectra pool ncores
      (lambda (pool)
        (run-units who pool (spectra-units project measurements pool) #:settle! warn-of-gaps #:on-error on-error)))))

(define (warn-of-gaps unit note)
  (when note
    (write-line-beside (current-error-port) (format #f "tutti: warning: ~a: ~a" (unit-name unit) note))))

;;; For the stages that read them.

(define (spectra-source project measurement chunk channel)
  "Return the source of the spectra of @var{channel} in @var{chunk} of @var{measurement}.  There is an error if there are none, or if
they belong to another configuration."
  (let ((folder (result-folder project 'spectra measurement)))
    (recorded-source folder channel (spectra-file folder chunk channel) (spectra-fingerprint project measurement channel)
                     (format #f "the spectra of ~a, channel ~a" (measurement-title measurement) channel)
                     "calculate-spectra")))
