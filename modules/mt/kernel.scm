;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The computations of magnetotelluric processing: each procedure calls the kernels in modules/mt for one natural unit of work.
;;
;; Fields of time are f64vectors.  Spectra of one channel are a c32vector with a row for each window, and in a row the Fourier
;; bins lo <= bin < hi that are kept, "bins" being the pair (lo . hi).  Channels are named by strings: "Hx", "Hy", "Ex", "Ey", "Hz".
(define-module (tutti mt kernel)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti mt library)
  #:export (decimate
            decimate-flags
            taper-names
            taper
            window-count
            window-spectra
            band-bins
            smoothing-bins
            band-spectra
            some-bins
            statistic-components
            window-statistics
            regress))

;;; Time series.

(define (largest-stage factor)
  "Return the largest divisor of FACTOR that one filter does well, which is FACTOR itself if it is a large prime."
  (or (find (lambda (divisor) (zero? (remainder factor divisor))) '(8 7 6 5 4 3 2))
      factor))

(define (decimate-once x first factor)
  (let* ((n (f64vector-length x))
         (first* (ceiling-quotient first factor))
         (end (ceiling-quotient (+ first n) factor))
         (y (make-f64vector (max 0 (- end first*)))))
    (when (< first* end)
      (mt-decimate x n (- (* first* factor) first) factor y (f64vector-length y)))
    (values y first*)))

(define (decimate x first factor)
  "Return two values: the f64vector @var{x} at a @var{factor} times lower sampling rate, and the number of its first sample.
@var{x} starts with the sample number @var{first}, an integer of any sign; sample number j of the result is centred on
sample number j times @var{factor} of @var{x}, so that all series that are decimated from the same numbering keep together.
There is a sample for each multiple of @var{factor} that is in @var{x}.

The filter before has no phase, passes what is below 3/8 of the new sampling rate within 1e-4, and takes away 100 dB of
what would come out there from above; @var{x} is continued at its ends by turning it about its last sample.  Factors
above 8 are done in stages."
  (unless (and (exact-integer? factor) (positive? factor))
    (refuse 'decimate "the factor is ~s, expected a positive integer" factor))
  (if (= factor 1)
      (values x first)
      (let ((stage (largest-stage factor)))
        (let-values (((y first*) (decimate-once x first stage)))
          (decimate y first* (quotient factor stage))))))

(define (decimate-flags bad first factor)
  "Return a u8vector that marks bad samples of the result of @code{decimate}, as @var{bad} marks those of its argument from number
@var{first} on: a sample is bad if most samples around it are."
  (let* ((start (ceiling-quotient first factor))
         (less (make-u8vector (max 0 (- (ceiling-quotient (+ first (u8vector-length bad)) factor) start)))))
    (mt-decimate-flags bad (- (* start factor) first) factor less)
    less))

(define tapers
  '("barthann" "bartlett" "blackman" "blackmanharris" "bohman" "chebwin" "hamming" "hann" "nuttall" "parzen"))

(define (taper-names)
  "Return the list of the names of all tapers."
  tapers)

(define (taper name size)
  "Return the taper @var{name}, a string of @code{(taper-names)}, of @var{size} samples: an f64vector, symmetric, with a
maximum of about 1.  @code{blackmanharis} is taken for @code{blackmanharris}."
  (let ((kind (list-index (lambda (known) (string=? known (if (string=? name "blackmanharis") "blackmanharris" name)))
                          tapers))
        (w (make-f64vector size)))
    (unless kind
      (refuse 'taper "there is no taper ~s, expected one of ~{~a~^, ~}" name tapers))
    (mt-taper kind size w)
    w))

(define (window-count n first size overlap)
  "Return two values: how many windows of @var{size} samples, of which @var{overlap} are also in the next one, are in
@var{n} samples from number @var{first} on, and the number of the first of these windows.  Window k starts with the
sample number k times (@var{size} - @var{overlap})."
  (let* ((step (- size overlap))
         (k (ceiling-quotient first step)))
    (values (max 0 (1+ (floor-quotient (- (+ first n) size (* k step)) step))) k)))

(define* (window-spectra y first size overlap taper lo hi #:key bad)
  "Return two values: the spectra of all windows in the f64vector @var{y}, and the number of the first window.  Windows are
those of @code{window-count}; sample number @var{first} is the first of @var{y}.  From each its straight line of least
squares is taken, it is made white, so that strong long periods do not leak through side lobes of the taper, is multiplied by
the f64vector @var{taper} of @var{size} numbers (@code{#f}: by nothing), and transformed, and the whitening is divided out
again: bins @var{lo} up to, but not including, @var{hi}, at most @var{size}/2 + 1, are in its row of the c32vector.  Windows in which
most samples are bad, according to the u8vector @var{bad}, have rows of what is not a number.

A spectrum X is scaled so that its squared modulus divided by the sampling rate of @var{y} is the one-sided power spectral
density, in squared units of @var{y} per Hz; time goes as exp (+i omega t)."
  (unless (<= 0 lo hi (1+ (quotient size 2)))
    (refuse 'window-spectra "bins are ~a to ~a, expected them within 0 to ~a" lo hi (1+ (quotient size 2))))
  (let-values (((count k) (window-count (f64vector-length y) first size overlap)))
    (let ((spectra (make-c32vector (* count (- hi lo)))))
      (when (positive? count)
        (mt-window-spectra y bad (- (* k (- size overlap)) first) size (- size overlap) count taper lo hi spectra))
      (values spectra k))))

;;; Bands of Fourier bins.

(define (octaves-around f width least rate size)
  "Return the bins within WIDTH octaves of F on each side, at least LEAST and never those of the mean or of half RATE."
  (let* ((bin (/ (* f size) rate))
         (top (quotient (1- size) 2))
         (lo (max 1 (inexact->exact (ceiling (* bin (expt 2. (- width)))))))
         (hi (min top (inexact->exact (floor (* bin (expt 2. width)))))))
    (if (>= (- hi lo -1) least)
        (cons lo (1+ hi))
        (let* ((middle (inexact->exact (round bin)))
               (lo (max 1 (min (- middle (quotient (1- least) 2)) (- top (1- least))))))
          (cons lo (1+ (min top (+ lo (1- least)))))))))

(define (band-bins f rate size)
  "Return the Fourier bins that the regression uses for the evaluation frequency @var{f}, in Hz, when windows have
@var{size} samples at @var{rate} Hz: a pair of the first, and the one after the last.  They are those within a quarter of
an octave on each side, at least the nearest 3."
  (octaves-around f 1/4 3 rate size))

(define (smoothing-bins f rate size)
  "Return the Fourier bins over which the statistics of a window average the cross powers for the evaluation frequency
@var{f}: as @code{band-bins}, but within half an octave on each side, and at least 5, as otherwise noise would look coherent.
Spectra must be kept for the bins of both."
  (octaves-around f 1/2 5 rate size))

(define (check-band who band bins)
  (unless (<= (car bins) (car band) (cdr band) (cdr bins))
    (refuse who "the band is bins ~a to ~a, but spectra were kept for ~a to ~a"
            (car band) (cdr band) (car bins) (cdr bins))))

(define (band-spectra spectra bins band)
  "Return the part of @var{spectra}, which have @var{bins}, that is within @var{band}: a c32vector with as many windows."
  (check-band 'band-spectra band bins)
  (some-bins spectra bins (iota (- (cdr band) (car band)) (car band))))

(define (some-bins spectra bins some)
  "Return the part of @var{spectra}, which have @var{bins}, that is in the bins of the ascending list @var{some}: a c32vector with as many
windows."
  (let* ((width (- (cdr bins) (car bins)))
         (narrow (length some))
         (count (if (zero? width) 0 (quotient (c32vector-length spectra) width)))
         (part (make-c32vector (* count narrow))))
    (for-each (match-lambda
                ((at first . size)
                 (do ((k 0 (1+ k)))
                     ((= k count))
                   (bytevector-copy! spectra (* 8 (+ (* k width) (- first (car bins)))) part (* 8 (+ at (* k narrow))) (* 8 size)))))
              (runs some))
    part))

(define (runs numbers)
  "Return the list of the runs of successive integers in the ascending list NUMBERS, as pairs of an index and a pair of the first and how
many there are."
  (let loop ((numbers numbers) (i 0) (result '()))
    (match numbers
      (() (reverse result))
      ((n . rest)
       (match result
         (((at first . size) . others)
          (if (= n (+ first size))
              (loop rest (1+ i) (cons (cons* at first (1+ size)) others))
              (loop rest (1+ i) (cons (cons* i n 1) result))))
         (_ (loop rest (1+ i) (cons (cons* i n 1) result))))))))

;;; Statistics of windows.

(define electric '("Ex" "Ey"))
(define magnetic '("Hx" "Hy"))

(define (products format-string . lists)
  (if (null? (cdr lists))
      (map (lambda (a) (format #f format-string a)) (car lists))
      (append-map (lambda (a) (map (lambda (b) (format #f format-string a b)) (cadr lists))) (car lists))))

(define (both stems endings)
  (append-map (lambda (stem) (map (lambda (ending) (string-append stem ending)) endings)) stems))

;; In the order in which C numbers and writes them: name, remote?, components.
(define statistics
  `(("coherence" #f ,(products "coh~a~a" electric magnetic))
    ("powerSpectralDensity" #f ("psdEx" "psdEy" "psdHx" "psdHy"))
    ("polarisationDirection" #f ("polExEy" "polHxHy"))
    ("partialCoherence" #f ("bivarEx" "bivarEy" ,@(products "par~a~a" electric magnetic)))
    ("transferFunction" #f ,(both (products "~a~a" electric magnetic) '("Real" "Imag")))
    ("resPhase" #f ,(both (products "~a~a" electric magnetic) '("Res" "Phase")))
    ("RR_coherence" #t ,(products "~a~aRR" (append electric magnetic) magnetic))
    ("RR_coherenceEqn" #t ("ExHxR-HxHxR" "ExHxR-HyHxR" "EyHxR-HxHxR" "EyHxR-HyHxR"
                           "ExHyR-HxHyR" "ExHyR-HyHyR" "EyHyR-HxHyR" "EyHyR-HyHyR"))
    ("RR_transferFunction" #t ,(both (products "~a~a" electric magnetic) '("RealRR" "ImagRR")))
    ("RR_resPhase" #t ,(both (products "~a~a" electric magnetic) '("ResRR" "PhaseRR")))))

(define (statistic-kind who name)
  (or (list-index (lambda (statistic) (string=? (car statistic) name)) statistics)
      (refuse who "there is no statistic ~s, expected one of ~{~a~^, ~}" name (map car statistics))))

(define* (statistic-components name #:key hz?)
  "Return the list of the names of the components of the statistic @var{name}, in the order in which
@code{window-statistics} returns them.  With @var{hz?} they are those of a site that has Hz."
  (let ((components (third (list-ref statistics (statistic-kind 'statistic-components name)))))
    (if (and hz? (string=? name "powerSpectralDensity"))
        (append components '("psdHz"))
        components)))

(define (channel-spectra who channels name)
  (or (assoc-ref channels name)
      (refuse who "there is no channel ~a, expected it with ~{~a~^, ~}" name (map car channels))))

(define (slice vector start length)
  (let ((part (make-f64vector length)))
    (bytevector-copy! vector (* 8 start) part 0 (* 8 length))
    part))

(define* (window-statistics names channels bins bands frequencies rate #:key remote)
  "Return the statistics @var{names}, strings, of each window at each evaluation frequency: an association list of statistics'
names, of association lists of components' names and f64vectors, with a row for each window and in it a number for each
of the @var{frequencies}, a list in Hz.

@var{channels} is an association list of the channels' names and spectra, all with the same windows and @var{bins};
@var{remote}, which statistics that begin with @code{RR_} need, is one with the @code{\"Hx\"} and @code{\"Hy\"} of the
remote site in the same windows.  @var{bands} has for each frequency the pair of bins to average cross powers over:
@code{smoothing-bins}.  @var{rate} is the sampling rate of the level, in Hz.

Units are those of the channels: powers per Hz, impedances Ex/Hx in mV/km/nT, apparent resistivities in ohm m, angles in
degrees.  What is not defined, such as the coherence with a channel that is zero, is not a number, and no error."
  (let* ((kinds (map (lambda (name) (statistic-kind 'window-statistics name)) names))
         (remote? (any (lambda (kind) (second (list-ref statistics kind))) kinds))
         (hz (assoc-ref channels "Hz"))
         (spectra (append (map (lambda (name) (channel-spectra 'window-statistics channels name)) '("Hx" "Hy" "Ex" "Ey"))
                          (list (or hz %null-pointer))
                          (if remote?
                              (map (lambda (name) (channel-spectra 'window-statistics (or remote '()) name)) magnetic)
                              (list %null-pointer %null-pointer))))
         (width (- (cdr bins) (car bins)))
         (n-windows (if (zero? width) 0 (quotient (c32vector-length (car spectra)) width)))
         (size (* n-windows (length frequencies))))
    (for-each (lambda (band) (check-band 'window-statistics band bins)) bands)
    (unless (= (length bands) (length frequencies))
      (refuse 'window-statistics "there are ~a bands and ~a frequencies" (length bands) (length frequencies)))
    (for-each (lambda (each)
                (unless (or (eq? each %null-pointer) (= (c32vector-length each) (* width n-windows)))
                  (refuse 'window-statistics "a channel has ~a numbers, the first one ~a"
                          (c32vector-length each) (* width n-windows))))
              spectra)
    (map (lambda (name kind)
           (let* ((components (statistic-components name #:hz? hz))
                  (numbers (make-f64vector (* (length components) size))))
             (when (positive? size)
               (mt-statistic kind spectra n-windows (car bins) width bands frequencies rate numbers))
             (cons name (map (lambda (component i) (cons component (slice numbers (* i size) size)))
                             components (iota (length components))))))
         names kinds)))

;;; Regression.

;; A block's items: number of windows, mask, outputs, inputs, references.
(define (used-windows block)
  (let ((mask (second block)))
    (cond ((not mask) (first block))
          ((= (u8vector-length mask) (first block)) (count positive? (u8vector->list mask)))
          (else (refuse 'regress "a mask has ~a windows, and its block ~a" (u8vector-length mask) (first block))))))

(define (check-rows channel n-windows width)
  (unless (<= (* width (+ (cdr channel) n-windows)) (c32vector-length (car channel)))
    (refuse 'regress "a channel has ~a windows of ~a bins, but windows ~a to ~a are asked for"
            (quotient (c32vector-length (car channel)) width) width (cdr channel) (+ (cdr channel) n-windows))))

(define methods '(("ols" . 0) ("mmestimate" . 1) ("cm" . 2)))

(define* (regress method blocks bins band #:key intercept? places)
  "Return the robust estimate of the transfer functions from inputs to outputs for one evaluation frequency, or @code{#f} if
there are too few observations or the inputs cannot be told from each other.

@var{blocks} is a list of what was recorded without a break, each a list of
@enumerate
@item the number of windows,
@item a u8vector with 0 for each window that must not be used, or @code{#f},
@item the list of the outputs (such as Ex and Ey),
@item that of the inputs (Hx and Hy),
@item and that of the references, as many as inputs, or @code{#f} for least squares without a remote site,
@end enumerate
where a channel is a pair of its c32vector and the row of the first window in it.  All spectra have @var{bins}; the
observations are the bins of @var{band} in all windows that may be used.  With @var{intercept?} a complex constant is estimated
beside, and dropped.

@var{method} is a string: @code{ols} is least squares; @code{mmestimate} gives observations with large residuals less weight,
by Huber's function until nothing changes, then by Tukey's bisquare; @code{cm} besides bounds the leverage that single
observations of the inputs have.

The estimate is an association list: @code{transfer}, a c64vector, outputs by inputs; @code{variances}, an f64vector of
the same shape, of the complex numbers (real and imaginary part have half each); @code{observations} and @code{windows},
how many there were; @code{scale}, an f64vector of the residuals' scale, by output; @code{iterations}, a list by output; @code{support}, an
f64vector with how many windows the estimate rests on, the mean weight of observations, and the part of the power that inputs explain,
by output; and, if
@var{places}, an f64vector with a number for each bin of @var{band}, is given, @code{offsets}, an f64vector with the mean and the mean
square of these by the observations' weights, by output."
  (let ((kind (or (assoc-ref methods method)
                  (refuse 'regress "there is no method ~s, expected one of ~{~a~^, ~}" method (map car methods)))))
    (check-band 'regress band bins)
    (let* ((width (- (cdr bins) (car bins)))
           (start (- (car band) (car bins)))
           (count (- (cdr band) (car band)))
           (used (map used-windows blocks))
           (n (* count (apply + used))))
      (define (columns item)
        ;; The observations of the channels that ITEM gets from a block, column after column.
        (let* ((m (length (item (car blocks))))
               (all (make-c64vector (* m n))))
          (fold (lambda (block used row)
                  (for-each (lambda (channel j)
                              (check-rows channel (first block) width)
                              (mt-gather channel (first block) (second block) width start count all (+ (* j n) row)))
                            (item block) (iota m))
                  (+ row (* count used)))
                0 blocks used)
          all))
      (and (positive? n)
           (let* ((first-block (car blocks))
                  (estimate (mt-regress kind n count (columns third) (length (third first-block))
                                        (columns fourth) (length (fourth first-block))
                                        (and (fifth first-block) (columns fifth))
                                        intercept? places)))
             (and estimate
                  (acons 'windows (apply + used) estimate)))))))
