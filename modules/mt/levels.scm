;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is computed from series of one sampling rate: levels of ever lower rates, the windows that each is cut into, the evaluation
;; frequencies of each, and the Fourier bins that they need.  Facts in, facts out: no files, no numbers of the series.
(define-module (tutti mt levels)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base documented)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt kernel)
  #:export (evaluation-frequencies
            missing-frequencies
            configuration-levels
            level-number
            level-rate
            level-factor
            level-frequencies
            level-size
            level-overlap
            level-step
            level-bands
            level-smoothing
            level-bins
            extent-level
            extent-first-sample
            extent-samples
            extent-first-window
            extent-windows
            level-extents
            window-start))

(define-record-type <level>
  (make-level number rate factor frequencies size overlap bands smoothing bins)
  level?
  (number %number)
  (rate %rate)
  (factor %factor)
  (frequencies %frequencies)
  (size %size)
  (overlap %overlap)
  (bands %bands)
  (smoothing %smoothing)
  (bins %bins))

(set-record-type-printer! <level>
  (lambda (level port)
    (format port "#<level ~a: ~a Hz, windows of ~a>" (%number level) (%rate level) (%size level))))

(define-documented #:of level
  (level-number %number
   "Return the number of @var{level}, from 0 for the highest frequencies.")
  (level-rate %rate
   "Return the sampling rate of @var{level} in Hz.")
  (level-factor %factor
   "Return by how much the sampling rate of @var{level} is lower than that of the measurement, a power of two.")
  (level-frequencies %frequencies
   "Return the list of the evaluation frequencies of @var{level}, in Hz, descending.")
  (level-size %size
   "Return the number of samples of a window of @var{level}.")
  (level-overlap %overlap
   "Return how many samples of a window of @var{level} are also in the next one.")
  (level-bands %bands
   "Return the list of the bins over which the regression goes, a pair for each frequency of @var{level}.")
  (level-smoothing %smoothing
   "Return the list of the bins over which statistics are averaged, a pair for each frequency of @var{level}.")
  (level-bins %bins
   "Return the pair of the first bin and the one after the last that the frequencies of @var{level} need."))

(define (level-step level)
  "Return by how many samples the windows of @var{level} follow each other."
  (- (%size level) (%overlap level)))

;;; From a configuration.

(define (evaluation-frequencies configuration rate)
  "Return the list of the evaluation frequencies for series of @var{rate} Hz, descending.  Those that @var{configuration} names and that
are not above a quarter of the rate; if it names none, those from a quarter of the rate down, each the one before divided by the
root of 2."
  (let ((configured (configuration-ref configuration 'frequencies 'frequencies))
        (most (/ rate 4))
        (count (* (configuration-ref configuration 'decimation 'numlevels) (configuration-ref configuration 'frequencies 'perlevel))))
    (if (null? configured)
        (map (lambda (k) (* 1. most (expt 2. (/ k -2)))) (iota count))
        (let ((usable (filter (lambda (f) (<= f most)) (sort (delete-duplicates configured) >))))
          (take usable (min count (length usable)))))))

(define (missing-frequencies configuration rates)
  "Return two lists of the frequencies that @var{configuration} names and that no series of @var{rates}, in Hz, is evaluated at: those
above a quarter of each rate, and those for which there are not levels enough."
  (let* ((evaluated (append-map (lambda (rate) (evaluation-frequencies configuration rate)) rates))
         (missing (lset-difference = (configuration-ref configuration 'frequencies 'frequencies) evaluated)))
    (call-with-values (lambda () (partition (lambda (f) (every (lambda (rate) (> f (/ rate 4))) rates)) missing))
      list)))

(define (decimation-factor rate highest)
  "Return by how much RATE can be lowered for frequencies up to HIGHEST."
  (let loop ((factor 1))
    (if (> (/ rate factor) (* 8 highest))
        (loop (* 2 factor))
        factor)))

(define (window-size configuration rate)
  (max (configuration-ref configuration 'window 'minwindowsize)
       (inexact->exact (floor (/ rate (configuration-ref configuration 'window 'windowfactor))))))

(define (window-overlap configuration size)
  (let ((overlap (max (configuration-ref configuration 'window 'minoverlapsize)
                      (inexact->exact (floor (* size (configuration-ref configuration 'window 'overlapfraction)))))))
    ;; The smallest overlap is configured separately from the smallest window.
    (min overlap (1- size))))

(define (configured-for-level configuration key number)
  "Return the value of KEY for the level NUMBER in CONFIGURATION, or #f if that has none."
  (let ((configured (configuration-ref configuration 'window key)))
    (and (< number (length configured)) (list-ref configured number))))

;; Below this Fourier bin a window cannot distinguish a field from its mean and trend.
(define least-bin 4)

(define (level-window configuration number rate)
  (or (configured-for-level configuration 'windowsizes number) (window-size configuration rate)))

(define* (groups configuration rate frequencies #:optional (number 0))
  "Return the list of the lists of FREQUENCIES that have a level of their own, from NUMBER on: as many as the configuration says, but
no more than the windows of the level can resolve; they always resolve its highest, as they have at least 32 samples."
  (if (null? frequencies)
      '()
      (let* ((most (configuration-ref configuration 'frequencies 'perlevel))
             (highest (first frequencies))
             (low-rate (/ rate (decimation-factor rate highest)))
             (size (level-window configuration number low-rate)))
        (let loop ((level (list highest)) (rest (cdr frequencies)))
          (if (and (pair? rest) (< (length level) most) (>= (/ (* (first rest) size) low-rate) least-bin))
              (loop (cons (first rest) level) (cdr rest))
              (cons (reverse level) (groups configuration rate rest (1+ number))))))))

(define (make-numbered-level configuration rate number frequencies)
  (let* ((factor (decimation-factor rate (first frequencies)))
         (rate (/ rate factor))
         (size (level-window configuration number rate))
         (overlap (or (configured-for-level configuration 'overlapsizes number) (window-overlap configuration size)))
         (bands (map (lambda (f) (band-bins f rate size)) frequencies))
         (smoothing (map (lambda (f) (smoothing-bins f rate size)) frequencies))
         (all (append bands smoothing)))
    (make-level number rate factor frequencies size overlap bands smoothing
                (cons (apply min (map car all)) (apply max (map cdr all))))))

(define (make-levels configuration rate)
  (let ((frequencies (groups configuration rate (evaluation-frequencies configuration rate))))
    (map (lambda (number frequencies) (make-numbered-level configuration rate number frequencies))
         (iota (length frequencies)) frequencies)))

;; Stages ask for the same levels for each channel of each measurement.
(define known-levels (make-weak-key-hash-table))   ; configuration -> association list of rates and levels

(define (configuration-levels configuration rate)
  "Return the list of the levels that @var{configuration} asks for from series of @var{rate} Hz."
  (or (assv-ref (hashq-ref known-levels configuration '()) rate)
      (let ((levels (make-levels configuration rate)))
        (hashq-set! known-levels configuration (acons rate levels (hashq-ref known-levels configuration '())))
        levels)))

;;; The part of a level that one measurement covers.

(define-record-type <extent>
  (make-extent level first-sample samples first-window windows)
  extent?
  (level %extent-level)
  (first-sample %first-sample)
  (samples %samples)
  (first-window %first-window)
  (windows %windows))

(define-documented #:of extent
  (extent-level %extent-level
   "Return the level of @var{extent}.")
  (extent-first-sample %first-sample
   "Return the number of the first sample of @var{extent}, at the rate of its level.")
  (extent-samples %samples
   "Return how many samples @var{extent} has.")
  (extent-first-window %first-window
   "Return the number of the first window of @var{extent}.")
  (extent-windows %windows
   "Return how many windows @var{extent} has."))

(define (level-extent level first n)
  (let* ((factor (level-factor level))
         (start (ceiling-quotient first factor))
         (samples (- (ceiling-quotient (+ first n) factor) start)))
    (let-values (((windows first-window) (window-count samples start (level-size level) (level-overlap level))))
      (make-extent level start samples first-window windows))))

(define (level-extents configuration levels first n)
  "Return the list of the extents in @var{levels} of a measurement of @var{n} samples from global sample number @var{first} on.  The
list ends before the first level in which @var{configuration} finds too few samples or windows."
  (take-while (lambda (extent)
                (and (>= (extent-samples extent) (configuration-ref configuration 'decimation 'minsamples))
                     (>= (extent-windows extent) (configuration-ref configuration 'window 'minwindows))))
              (map (lambda (level) (level-extent level first n)) levels)))

(define (window-start level window)
  "Return the number of the global sample, at the rate of the measurement, with which window number @var{window} of @var{level} starts."
  (* (level-factor level) (level-step level) window))
