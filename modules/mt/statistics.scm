;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The second stage: the statistics of each window at each evaluation frequency, by which masks select.
(define-module (tutti mt statistics)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti pool)
  #:use-module (tutti mt align)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt kernel)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt project)
  #:use-module (tutti mt sources)
  #:use-module (tutti mt spectra)
  #:use-module (tutti mt stage)
  #:use-module (tutti mt store)
  #:export (calculate-statistics
            statistics-unit
            statistics-source
            remote-statistic?
            read-statistics))

;;; On a worker: a chunk of windows.

(define (rows vector width start count)
  "Return COUNT rows from number START on of the spectra VECTOR, whose rows have WIDTH numbers."
  (if (= (* count width) (c32vector-length vector))
      vector
      (let ((part (make-c32vector (* count width))))
        (bytevector-copy! vector (* 8 width start) part 0 (* 8 width count))
        part)))

(define (channels sources width count)
  "Return the association list of channels' names and spectra from SOURCES, lists of a name, a source and a row."
  (map (match-lambda ((name source row) (cons name (rows (read-source source) width row count)))) sources))

(define (all-components names hz?)
  (append-map (lambda (name) (map (lambda (component) (list name component)) (statistic-components name #:hz? hz?))) names))

(define (statistics-unit names level windows pieces file first-window)
  "Write to @var{file} the statistics @var{names} of @var{windows} windows of @var{level}, from number @var{first-window} on.
@var{pieces} says where their spectra are: lists of a row in the result, a number of windows, the sources of channels, and those of
channels of the remote site, or @code{#f}.  What no piece has is not a number."
  (let* ((bins (level-bins level))
         (width (- (cdr bins) (car bins)))
         (columns (length (level-frequencies level)))
         (hz? (and (pair? pieces) (assoc "Hz" (third (car pieces))) #t))
         (components (all-components names hz?))
         (numbers (make-f64vector (* (length components) windows columns) +nan.0)))
    (for-each
     (match-lambda
       ((row count sources remote)
        (let ((statistics (window-statistics names (channels sources width count) bins (level-smoothing level)
                                             (level-frequencies level) (level-rate level)
                                             #:remote (and remote (channels remote width count)))))
          (for-each (lambda (values i)
                      (bytevector-copy! values 0 numbers (* 8 columns (+ row (* i windows))) (* 8 columns count)))
                    (append-map (lambda (statistic) (map cdr (cdr statistic))) statistics)
                    (iota (length components))))))
     pieces)
    (write-array file
                 `((first-window . ,first-window) (windows . ,windows) (frequencies . ,(level-frequencies level))
                   (components . ,components))
                 numbers)))

;;; Here: all of them.

(define (channel-sources project piece place names)
  (map (lambda (name)
         (list name (spectra-source project (place-measurement place) (place-chunk place) name) (piece-row piece place)))
       names))

(define (fields measurement)
  "Return the channels of MEASUREMENT that statistics are about."
  (if (member "Hz" (measurement-channels measurement))
      '("Hx" "Hy" "Ex" "Ey" "Hz")
      '("Hx" "Hy" "Ex" "Ey")))

(define (unit-pieces project place remote-places)
  "Return the pieces of PLACE for statistics-unit; REMOTE-PLACES are those of the remote site, or #f."
  (define names (fields (place-measurement place)))
  (map (lambda (piece)
         (list (piece-row piece place) (piece-windows piece) (channel-sources project piece place names)
               (match (piece-places piece)
                 ((_) #f)
                 ((_ remote) (channel-sources project piece remote '("Hx" "Hy"))))))
       (if remote-places
           (simultaneous-pieces (list place) remote-places)
           (simultaneous-pieces (list place)))))

(define (remote-places project place remote)
  "Return the places of the site REMOTE in the level of PLACE and at its rate; #f without one."
  (and remote
       (append-map (lambda (other) (measurement-places project other (chunk-level (place-chunk place))))
                   (chosen-measurements project (list remote) (list (measurement-rate (place-measurement place)))))))

(define (pieces-fingerprint pieces)
  (fingerprint-of 'statistics (source-contents pieces)))

(define (unit-of project place remote names)
  (let* ((measurement (place-measurement place))
         (chunk (place-chunk place))
         (level (extent-level (place-extent place)))
         (pieces (unit-pieces project place (remote-places project place remote)))
         (folder (result-folder project 'statistics measurement remote))
         (file (statistics-file folder chunk)))
    (make-unit (format #f "~a~@[ with remote site ~a~], level ~a, windows ~a to ~a" (measurement-title measurement) remote
                       (chunk-level chunk) (chunk-first-window chunk) (1- (chunk-end-window chunk)))
               statistics-unit
               (list names level (chunk-windows chunk) pieces file (chunk-first-window chunk))
               #:folder folder #:key (basename file) #:files (list file)
               #:fingerprint (string-append (pieces-fingerprint pieces) (fingerprint-of names)))))

(define (statistics-units project measurement remote names)
  (append-map (lambda (extent)
                (map (lambda (place) (unit-of project place remote names))
                     (measurement-places project measurement (level-number (extent-level extent)))))
              (measurement-extents project measurement)))

(define (remote-statistic? name)
  "Return true if the statistic @var{name} is one that needs a remote site."
  (string-prefix? "RR_" name))

(define* (calculate-statistics project #:key sites remote-site statistics rates ncores pool (on-error 'raise))
  "Calculate the statistics of all windows of @var{sites}, a list of names (all sites of @var{project}), from their spectra, and return a
report.  They are those that the configuration names in @code{stats}; with @var{remote-site}, the name of a site that recorded at the
same time, also its @code{remotestats}; or instead of both @var{statistics}, a list of names.  @var{rates} is a list of the
sampling rates to do, in Hz (all).  What is complete is not done again.  With @code{#:on-error 'collect} what fails is in
@code{stage-report-failed}, and nothing is raised.

It runs on @var{pool}, or with @var{ncores} workers; without both on the current pool, or with as many workers as the
configuration says for statistics."
  (define who 'calculate-statistics)
  (check-on-error who on-error)
  (let* ((measurements (complete-measurements who project sites rates))
         (configuration (project-configuration project))
         (all (or statistics
                  (append (configuration-ref configuration 'statistics 'stats)
                          (if remote-site (configuration-ref configuration 'statistics 'remotestats) '())))))
    (when remote-site
      (chosen-sites who project (list remote-site)))
    (for-each statistic-components all)
    (call-with-values (lambda () (partition remote-statistic? all))
      (lambda (of-two of-one)
        (when (and (pair? of-two) (not remote-site))
          (refuse who "~a needs a remote site, given by #:remote-site" (car of-two)))
        (call-with-stage-pool who configuration 'statistics pool ncores
          (lambda (pool)
            (call-with-values
                (lambda ()
                  (collect-units on-error measurements measurement-title
                                 (lambda (measurement)
                                   (append (if (null? of-one) '() (statistics-units project measurement #f of-one))
                                           (if (null? of-two) '() (statistics-units project measurement remote-site of-two))))))
              (lambda (units failed)
                (run-units who pool units #:on-error on-error #:failed failed)))))))))

;;; For the stages that select by them.

(define (statistics-source project place remote)
  "Return the source of the statistics of @var{place}, alone or with the site @var{remote}.  There is an error if there are none, or if
they belong to other spectra."
  (let* ((measurement (place-measurement place))
         (folder (result-folder project 'statistics measurement remote))
         (file (statistics-file folder (place-chunk place))))
    (recorded-source folder (basename file) file (pieces-fingerprint (unit-pieces project place (remote-places project place remote)))
                     (format #f "the statistics of ~a~@[ with remote site ~a~], level ~a" (measurement-title measurement) remote
                             (chunk-level (place-chunk place)))
                     (if remote (format #f "calculate-statistics with #:remote-site ~s" remote) "calculate-statistics"))))

(define (read-statistics source statistic component)
  "Return the values of @var{component} of @var{statistic} in @var{source}: an f64vector with a row for each window, and a number for each
frequency in it; or @code{#f} if they are not in there."
  (let* ((components (assq-ref (read-source-header source) 'components))
         (i (list-index (lambda (each) (equal? each (list statistic component))) components)))
    (and i
         (let* ((all (read-source source))
                (size (quotient (bytevector-length all) (length components)))
                (values (make-f64vector (quotient size 8))))
           (bytevector-copy! all (* i size) values 0 size)
           values))))
