;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Gaps, which are missing or invalid samples in the series of one channel, and the windows that they leave.
(define-module (tutti mt gaps)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (system foreign)
  #:use-module (tutti base documented)
  #:use-module (tutti mt levels)
  #:use-module (tutti mt library)
  #:export (gap gap-start gap-end gap-kind find-gaps fill-gaps! usable-windows blank-windows! mask-blank-windows))

(define-record-type <gap>
  (gap start end kind)
  gap?
  (start %start)
  (end %end)
  (kind %kind))

(define-documented #:of gap
  (gap-start %start
   "Return the index of the first sample of @var{gap}.")
  (gap-end %end
   "Return the index of the sample behind @var{gap}.")
  (gap-kind %kind
   "Return why @var{gap} is one: @code{missing}, what is not a number; @code{zeros}, a dropout; @code{stuck}, another value that does not
change; @code{saturated}, a value at the end of the range of the instrument."))

;;; Finding them.

(define %extremes (mt-function "tutti_mt_extremes" void '* size_t '* '*))
(define %repeats (mt-function "tutti_mt_repeats" void '* size_t '* '*))
(define %gaps (mt-function "tutti_mt_gaps" size_t '* size_t double double double size_t size_t '* size_t))
(define %fill (mt-function "tutti_mt_fill" void '* size_t size_t size_t))

;; In the order of modules/mt/files.h.
(define kinds '#(missing zeros stuck saturated))

(define (at-limit? count runs beyond distance spread)
  "Return true if COUNT samples in RUNS runs at an extreme are saturated; BEYOND are next to it at a DISTANCE, the others have a SPREAD."
  ;; The samples of a field become fewer towards the extremes, whatever the steps of the instrument. An extreme that is reached once, for
  ;; long, is a stuck value, and one that is far from all others is an outlier, which the regression handles.
  (and (>= count 10) (> count (* 3 beyond)) (> runs 1)
       (or (inf? distance) (<= distance spread))))

(define (limits x n)
  "Return the list of the numbers up to which, and from which on, samples of X are saturated."
  (let ((values (make-f64vector 4))
        (counts (make-u64vector 6)))
    (define (counted from)
      (map (lambda (i) (u64vector-ref counts i)) (iota 3 from)))
    (%extremes (bytevector->pointer x) n (bytevector->pointer values) (bytevector->pointer counts))
    (match (f64vector->list values)
      ((low above below high)
       (let ((spread (- below above)))
         (define (limit counts distance at none)
           (if (apply at-limit? (append counts (list distance spread))) at none))
         (list (limit (counted 0) (- above low) low -inf.0)
               (limit (counted 3) (- high below) high +inf.0)))))))

(define (repeats x n)
  "Return two values: for how many samples X, of N, may well not change, as a field that was recorded in coarse steps repeats its values;
and the step."
  (let ((counts (make-u64vector 2))
        (step (make-f64vector 1)))
    (%repeats (bytevector->pointer x) n (bytevector->pointer counts) (bytevector->pointer step))
    (let ((all (u64vector-ref counts 0))
          (longer (u64vector-ref counts 1)))
      (values
       (cond ((zero? longer) 0)
             ((= longer all) n)
             ;; If p is the part of runs that go on, one of N runs is as long as log (N) / log (1 / p); a field is not the same all the
             ;; time, so three times that, and for a thousand times as many runs.
             (else (inexact->exact (ceiling (/ (* 3 (log (* 1000. n))) (- (log (/ longer all))))))))
       (f64vector-ref step 0)))))

(define (find-gaps x)
  "Return the list of the gaps in the f64vector @var{x}, in the order of their samples.  They are samples that are not a number; those
that are at the largest or smallest value, if many more are there than next to it; and samples in a row that do not change for longer
than is likely for samples as these: at least 4, if that is zero, at least 16 otherwise, and many more where steps of the instrument
are coarse; there the field must also come or go by more than a step."
  (if (zero? (f64vector-length x))
      '()
      (let*-values (((n) (f64vector-length x))
                    ((chance step) (repeats x n))
                    ((low high) (apply values (limits x n))))
        (let loop ((room 64))
          (let* ((found (make-u64vector (* 3 room)))
                 (count (%gaps (bytevector->pointer x) n low high step (+ 4 chance) (+ 16 (* 4 chance)) (bytevector->pointer found) room)))
            (if (> count room)
                (loop count)
                (map (lambda (i)
                       (gap (u64vector-ref found (* 3 i)) (u64vector-ref found (+ 1 (* 3 i)))
                            (vector-ref kinds (u64vector-ref found (+ 2 (* 3 i))))))
                     (iota count))))))))

(define (joined gaps)
  "Return the list of pairs of a start and an end of GAPS, without those that touch each other."
  (reverse
   (fold (lambda (gap ranges)
           (match ranges
             (((start . end) . rest)
              (if (<= (gap-start gap) end)
                  (acons start (max end (gap-end gap)) rest)
                  (acons (gap-start gap) (gap-end gap) ranges)))
             (() (list (cons (gap-start gap) (gap-end gap))))))
         '()
         (sort gaps (lambda (a b) (< (gap-start a) (gap-start b)))))))

(define (fill-gaps! x gaps)
  "Put a straight line between its neighbours in place of each of @var{gaps} in the f64vector @var{x}, so that a filter does not spread
what is there, and return @var{x}.  Gaps at an end repeat the only neighbour."
  (for-each (match-lambda ((start . end) (%fill (bytevector->pointer x) (f64vector-length x) start end)))
            (joined gaps))
  x)

;;; Windows.

(define reach 13)   ; of the filter before a level is decimated, in samples of the level

(define (covered ranges)
  "Return the procedure that tells how many samples from A to B, B not included, are in RANGES, pairs in ascending order."
  (let* ((starts (list->vector (map car ranges)))
         (ends (list->vector (map cdr ranges)))
         (before (list->vector (reverse (cdr (fold (lambda (range sums) (cons (+ (car sums) (- (cdr range) (car range))) sums))
                                                   '(0) ranges)))))
         (count (vector-length starts)))
    (define (upto sample)
      ;; Samples of ranges before SAMPLE.
      (let search ((low 0) (high count))
        (if (< low high)
            (let ((middle (quotient (+ low high) 2)))
              (if (< (vector-ref starts middle) sample) (search (1+ middle) high) (search low middle)))
            (if (zero? low)
                0
                (+ (vector-ref before (1- low))
                   (- (min sample (vector-ref ends (1- low))) (vector-ref starts (1- low))))))))
    (lambda (a b) (- (upto b) (upto a)))))

(define (usable-windows gaps first extent)
  "Return the u8vector with a 1 for each window of @var{extent} that can be used, and a 0 for one that touches @var{gaps} of the series at
the full rate, whose first sample has the global number @var{first}; or @code{#f} if all can.  On levels of lower rates, where a window
is long, gaps are nothing that together are no more than a 64th of the window and of what the filter adds to it."
  (and (pair? gaps)
       (let* ((level (extent-level extent))
              (factor (level-factor level))
              (margin (if (= factor 1) 0 (* reach factor)))
              (most (if (= factor 1) 0 (quotient (* factor (level-size level)) 64)))
              (in-gaps (covered (joined gaps)))
              (usable (make-u8vector (extent-windows extent) 1)))
         (do ((i 0 (1+ i)))
             ((= i (extent-windows extent)) usable)
           (let ((start (- (window-start level (+ i (extent-first-window extent))) first)))
             (when (> (in-gaps (- start margin) (+ start (* factor (level-size level)) margin)) most)
               (u8vector-set! usable i 0)))))))

(define (blank-windows! spectra width usable)
  "Make the rows of @var{width} numbers of the c32vector @var{spectra} not a number whose windows cannot be used according to
@var{usable}, a u8vector or @code{#f}, and return how many windows there are that can: a window without a field has such a row from
the start."
  ;; Guile 3.0.10 reads the length of USABLE before the loop, whatever the loop checks first: so it is always a vector.
  (let* ((count (quotient (c32vector-length spectra) width))
         (usable (or usable (make-u8vector count 1))))
    (do ((i 0 (1+ i))
         (left 0 (if (blank? spectra width i) left (1+ left))))
        ((= i count) left)
      (when (zero? (u8vector-ref usable i))
        (do ((k 0 (1+ k)))
            ((= k width))
          (c32vector-set! spectra (+ k (* i width)) (make-rectangular +nan.0 +nan.0)))))))

(define (blank? spectra width row)
  (nan? (bytevector-ieee-single-native-ref spectra (* 8 width row))))

(define (mask-blank-windows windows mask channels width)
  "Return the u8vector with a 1 for each of @var{windows} windows that @var{mask}, a u8vector or @code{#f}, allows and that all of
@var{channels} have, pairs of a c32vector with rows of @var{width} numbers and the row of the first window; or @code{#f} if all are
allowed.  A window that touches a gap of a channel has a row there that is not a number."
  (let ((result #f))
    (for-each
     (match-lambda
       ((spectra . row)
        (do ((i 0 (1+ i)))
            ((= i windows))
          (when (blank? spectra width (+ i row))
            (unless result
              (set! result (make-u8vector windows 1))
              (when mask (bytevector-copy! mask 0 result 0 windows)))
            (u8vector-set! result i 0)))))
     channels)
    (or result mask)))
