;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Impedances and tippers of a section of data in an EDI file: from their own blocks, from resistivities and phases, or from spectra; along
;; the axes that were asked for.
(define-module (tutti mt edi response)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti mt edi blocks)
  #:use-module (tutti mt edi rotation)
  #:use-module (tutti mt edi spectra)
  #:use-module (tutti mt result)
  #:export (section-frequencies section-impedances section-tippers section-spectra data-block-names spectra-block?))

;;; Names of blocks, those of the standard first.

(define frequency-names '("FREQ" "FREQUENCY"))
(define period-names '("PERIOD" "PERIODS" "PER"))
(define (names prefix component . suffixes)
  (map (lambda (suffix) (string-append prefix (string-upcase component) suffix)) suffixes))
(define (z-names component part) (names "Z" component part (string-append "." part)))
(define (z-variance-names component) (names "Z" component ".VAR" "VAR" ".VAR.EXP"))
(define (z-error-names component) (names "Z" component ".ERR" "ERR"))
(define (t-names component part) (names "T" component (string-append part ".EXP") part))
(define (t-variance-names component) (names "T" component "VAR.EXP" "VAR" ".VAR" ".VAR.EXP" "RVAR.EXP" "R.VAR"))
(define (t-error-names component) (names "T" component ".ERR" "ERR.EXP"))

(define data-block-names
  ;; by which a section is known to have data
  (append (append-map (lambda (c) (append (z-names c "R") (names "RHO" c ""))) component-names)
          (append-map (lambda (c) (t-names c "R")) tipper-names)))

(define (spectra-block? block)
  "Return true if @var{block} has spectra."
  (string=? (block-name block) "SPECTRA"))

;; In what follows FIND-BLOCK is called with names, and returns the first block with one of them that has numbers, or #f.

(define (section-frequencies fail note find-block void)
  "Return the list of the frequencies, among them what is not a number, and as second value the block that has them."
  (let* ((block (or (find-block frequency-names #t) (find-block period-names #t) (fail #f "there is no block >FREQ")))
         (numbers (block-numbers fail block (and (not (zero? void)) void)))
         (frequencies (if (member (block-name block) period-names) (map / numbers) numbers)))
    (unless (every (lambda (f) (or (nan? f) (and (finite? f) (positive? f)))) frequencies)
      (fail (block-line block) "frequencies must be positive"))
    (when (any nan? frequencies)
      (note (block-line block) "what belongs to ~a frequenc~:@p that >~a leaves out is not read"
            (count nan? frequencies) (block-name block)))
    (values frequencies block)))

;;; Axes.

(define (group-angles fail note find-block block usual n sensors)
  "Return the list of the N angles of the axes that the data in BLOCK are in: as its option ROT says, else in the first of the blocks USUAL
that is there.  SENSORS is the angle of the sensors, or #f."
  (define (angles block)
    (let* ((numbers (block-numbers fail block #f (and (not (single? block)) n)))
           (all (if (and (= (length numbers) 1) (> n 1)) (make-list n (car numbers)) numbers)))
      (if (every usable? all)
          all
          (begin
            (note (block-line block) "angles in >~a that are not known are taken for 0" (block-name block))
            (map (lambda (x) (if (usable? x) x 0)) all)))))
  (define (single? block) (call-with-values (lambda () (block-words fail block)) (lambda (words count) (= (length words) 1))))
  (define (usable? x) (and (finite? x) (< (abs x) 1e6)))
  (define rot (and block (block-option block "ROT")))
  (define (none) (make-list n 0))
  (cond ((not block) (none))
        ((not rot) (let ((block (find-block usual))) (if block (angles block) (none))))
        ((find-block (list (string-upcase rot))) => angles)
        ((string-ci=? rot "NORTH") (none))
        ((string-ci=? rot "NONE")
         (if (and sensors (not (same-axes? sensors)))
             (begin
               (note (block-line block) ">~a is along the axes of the sensors, at ~a degrees, from which it is turned"
                     (block-name block) sensors)
               (make-list n sensors))
             (none)))
        ((word->number rot) => (lambda (x) (make-list n x)))
        ((member (string-upcase rot) usual) (none))
        (else
         (note (block-line block) "ROT=~a of >~a is not known; its axes are taken for those of north and east" rot (block-name block))
         (none))))

(define (turned note block angles azimuth complete? turn turn-variances items variances)
  "Return ITEMS and VARIANCES along axes at AZIMUTH, and as third value the angles of the axes that they are along, a number, or a list of
numbers if they differ."
  (define differences (map (lambda (angle) (- angle azimuth)) angles))
  (cond ((every same-axes? differences) (values items variances azimuth))
        (complete?
         (values (map (lambda (d item) (if (same-axes? d) item (turn (rotation d) item))) differences items)
                 (map (lambda (d item) (if (same-axes? d) item (turn-variances (rotation d) item))) differences variances)
                 azimuth))
        (else
         (note (block-line block) "components are missing, without which the others cannot be turned: they are along axes at ~a degrees"
               (car angles))
         (values items variances (if (every (lambda (x) (= x (car angles))) angles) (car angles) angles)))))

(define (unknown n) (make-list n +nan.0))
(define (rows make columns) (if (null? (car columns)) '() (apply map (lambda items (make items)) columns)))

(define (pair-of-blocks fail find-block real imaginary)
  "Return the list of the blocks with names REAL and IMAGINARY, or #f if there is neither."
  (let ((r (find-block real)) (i (find-block imaginary)))
    (cond ((and r i) (list r i))
          ((or r i) (fail #f "there is no block >~a" (car (if r imaginary real))))
          (else #f))))

(define (variances fail note find-block void n variance-names error-names)
  "Return the list of N variances from the block with one of VARIANCE-NAMES, or with standard deviations, of ERROR-NAMES; if there is none
they are not known."
  (define (known block numbers)
    (if (any negative? numbers)
        (begin
          (note (block-line block) "negative variances in >~a are taken for unknown" (block-name block))
          (map (lambda (x) (if (negative? x) +nan.0 x)) numbers))
        numbers))
  (cond ((find-block variance-names) => (lambda (block) (known block (block-numbers fail block void n))))
        ((find-block error-names) => (lambda (block) (map (lambda (x) (* x x)) (block-numbers fail block void n))))
        (else (unknown n))))

;;; Resistivities and phases.

(define radians (/ (acos -1) 180))

(define (folded? component phases)
  ;; Z_yx of an Earth in layers is in the third quadrant; many write the phase of its negative.
  (and (string=? component "yx")
       (let ((known (filter finite? phases)))
         (> (count (lambda (phase) (positive? (cos (* radians phase)))) known) (/ (length known) 2)))))

(define (from-resistivity fail note find-block void frequencies component)
  "Return the list of the block with resistivities, the impedances of COMPONENT and their variances, or #f."
  (define n (length frequencies))
  (define rho-block (find-block (names "RHO" component "")))
  (define phase-block (and rho-block (find-block (names "PHS" component ""))))
  (define (numbers block) (block-numbers fail block void n))
  (define (errors error-names variance-names)
    (cond ((find-block error-names) => numbers)
          ((find-block variance-names) => (lambda (block) (map sqrt (numbers block))))
          (else #f)))
  (when (and rho-block (not phase-block))
    (note (block-line rho-block) ">~a has no phases, without which it is no impedance" (block-name rho-block)))
  (and phase-block
       (let* ((rho (numbers rho-block))
              (phases (numbers phase-block))
              (sign (if (folded? component phases) -1 1))
              (sizes (map (lambda (f rho) (if (negative? rho) +nan.0 (sqrt (* 5 f rho)))) frequencies rho))
              (phase-errors (errors (names "PHS" component ".ERR") (names "PHS" component ".VAR")))
              (rho-errors (errors (names "RHO" component ".ERR") (names "RHO" component ".VAR")))
              ;; Those of phases are in degrees everywhere; of resistivities some write the error of the logarithm.
              (angle-errors (cond (phase-errors (map (lambda (x) (* x radians)) phase-errors))
                                  (rho-errors (map (lambda (error rho) (/ error (* 2 rho))) rho-errors rho))
                                  (else (unknown n)))))
         (when (negative? sign)
           (note (block-line phase-block) "phases of yx between -90 and 90 degrees are taken for those of -Zyx"))
         (list rho-block
               (map (lambda (size phase) (let ((a (* radians phase))) (make-rectangular (* sign size (cos a)) (* sign size (sin a)))))
                    sizes phases)
               (map (lambda (size error) (* 2 (expt (* size error) 2))) sizes angle-errors)))))

;;; Groups.

(define (section-impedances fail note find-block void frequencies azimuth sensors)
  "Return four values: the list of impedances, c64vectors Zxx Zxy Zyx Zyy that have what is not known as not a number, that of their
variances, the angles of their axes, and whether there is any."
  (define n (length frequencies))
  (define (component name)
    ;; a list of the block it is from, numbers and variances
    (match (pair-of-blocks fail find-block (z-names name "R") (z-names name "I"))
      ((real imaginary)
       (list real
             (map make-rectangular (block-numbers fail real void n) (block-numbers fail imaginary void n))
             (variances fail note find-block void n (z-variance-names name) (z-error-names name))))
      (#f (or (from-resistivity fail note find-block void frequencies name)
              (list #f (make-list n (make-rectangular +nan.0 +nan.0)) (unknown n))))))
  (define components (map component component-names))
  (define block (any first components))
  (define angles
    (group-angles fail note find-block block
                  (if (and block (string-prefix? "RHO" (block-name block))) '("RHOROT" "ZROT") '("ZROT" "RHOROT")) n sensors))
  (call-with-values
      (lambda ()
        (turned note block angles azimuth (every first components) turn-impedance turn-impedance-variances
                (rows list->c64vector (map second components)) (rows list->f64vector (map third components))))
    (lambda (impedances variances axes) (values impedances variances axes (and block #t)))))

(define (section-tippers fail note find-block void frequencies azimuth sensors)
  "Return three values: the list of tippers, c64vectors Tx Ty, or @code{#f}, that of their variances, and the angles of their axes."
  (define n (length frequencies))
  (define (component name)
    (match (pair-of-blocks fail find-block (t-names name "R") (t-names name "I"))
      ((real imaginary)
       (list real
             (map make-rectangular (block-numbers fail real void n) (block-numbers fail imaginary void n))
             (variances fail note find-block void n (t-variance-names name) (t-error-names name))))
      (#f (list #f (make-list n (make-rectangular +nan.0 +nan.0)) (unknown n)))))
  (define components (map component tipper-names))
  (define block (any first components))
  (if block
      (turned note block (group-angles fail note find-block block '("TROT" "TROT.EXP" "ZROT") n sensors) azimuth
              (every first components) turn-tipper turn-tipper-variances
              (rows list->c64vector (map second components)) (rows list->f64vector (map third components)))
      (values #f #f azimuth)))

(define (section-spectra fail note section blocks measurements void azimuth)
  "Return five values: the lists of frequencies, impedances, their variances, tippers and their variances from the @var{blocks} with spectra
in @var{section}; tippers are @code{#f} if there are none."
  (define (size block)
    (call-with-values (lambda () (block-words fail block))
      (lambda (words count)
        (let ((n (inexact->exact (round (sqrt (length words))))))
          (unless (= (* n n) (length words))
            (fail (block-line block) ">SPECTRA has ~a number~:p, which are no square matrix" (length words)))
          n))))
  (define channels (section-channels fail note section measurements (size (car blocks))))
  (define responses
    (map (lambda (block)
           (cons (spectra-frequency fail block)
                 (call-with-values (lambda () (spectra-responses fail void block channels azimuth)) list)))
         blocks))
  (define frequencies (map first responses))
  (unless (every (lambda (f) (and (finite? f) (positive? f))) frequencies)
    (fail (block-line (car blocks)) "frequencies must be positive"))
  (unless (every (lambda (block) (block-option block "AVGT")) blocks)
    (note (block-line (car blocks)) ">SPECTRA does not say of how many averages it is (AVGT): errors are not known"))
  (let ((tipper? (memq 'hz channels)))
    (values frequencies (map second responses) (map third responses)
            (and tipper? (map fourth responses)) (and tipper? (map fifth responses)))))
