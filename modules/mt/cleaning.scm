;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Series without faults.  A long fault of one channel of a measurement is taken out of all its channels: the relation of electric to
;; magnetic fields remains the same if both miss the same times.  For single samples that is not so: high frequencies leak from the gap,
;; and would do so in both.
(define-module (tutti mt cleaning)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:use-module (tutti mt gaps)
  #:use-module (tutti mt library)
  #:use-module (tutti mt project)
  #:use-module (tutti mt series)
  #:use-module (tutti vector)
  #:export (measurement-faults faults-bits clean-series))

(define-record-type <faults>
  (make-faults bad bursts reaches)
  faults?
  (bad faults-bad)             ; u8vector of samples: a bit for each channel, and 128 for all
  (bursts faults-bursts)       ; u8vector of samples: a bit for each scale
  (reaches faults-reaches))    ; list of the last scale that bursts of each corrupt

(define (electric? channel) (string-prefix? "E" channel))

(define (kind channel)
  (cond ((electric? channel) 1) ((string=? channel "Hz") 2) (else 0)))

(define (find-faults measurement)
  (let* ((channels (measurement-channels measurement))
         (n (measurement-samples measurement))
         (all (make-f32vector (* n (length channels)) 0))
         (bad (make-u8vector n 0)))
    (define (mark! gap bit)
      (do ((i (gap-start gap) (1+ i)))
          ((= i (gap-end gap)))
        (u8vector-set! bad i (logior bit (u8vector-ref bad i)))))
    (for-each (lambda (channel i)
                ;; If a channel cannot be read, or is dead for most of the time, the unit of that channel reports why.
                (let* ((x (false-if-error (read-channel measurement channel)))
                       (gaps (if x (find-gaps x) '()))
                       (lost (fold (lambda (gap sum) (+ sum (- (gap-end gap) (gap-start gap)))) 0 gaps)))
                  (when (and x (< (* 2 lost) n))
                    (mt-copy-single (fill-gaps! x gaps) all (* i n))
                    (for-each (lambda (gap) (mark! gap (ash 1 i))) gaps))))
              channels (iota (length channels)))
    (call-with-values (lambda () (mt-find-faults all n (list->u8vector (map kind channels)) bad))
      (lambda (bursts reaches) (make-faults bad bursts reaches)))))

;; A worker is often asked for one channel of a measurement after the other: a list of its files, as they are, and its faults.
(define kept '(#f #f))

(define (files-key measurement)
  (map (lambda (file)
         (let ((status (false-if-error (stat file))))
           (cons file (and status (map (lambda (ref) (ref status))
                                       (list stat:dev stat:ino stat:size stat:mtime stat:mtimensec stat:ctime stat:ctimensec))))))
       (delete-duplicates (append-map (lambda (channel) (channel-files measurement channel)) (measurement-channels measurement)))))

(define (measurement-faults measurement)
  "Return the faults of @var{measurement}: samples that are no field.  They are gaps, spikes and steps; and bursts,
noise that only magnetic or only electric channels have, by the scale on which it stands out."
  (let ((key (files-key measurement)))
    (match kept
      (((? (lambda (known) (equal? known key))) faults) faults)
      (_ (let ((faults (find-faults measurement)))
           (set! kept (list key faults))
           faults)))))

(define (faults-bits faults factor)
  "Return the bits of those bursts that corrupt series at a rate that is lower by @var{factor}."
  ;; Frequencies of a level are from a quarter to a thirtieth of its rate.
  (fold (lambda (scale reach bits)
          (let ((samples (expt 4 scale)))
            (if (or (<= factor samples (* 8 factor)) (and (< samples factor) (>= (expt 4 reach) factor)))
                (logior bits (ash 1 scale))
                bits)))
        0 (iota (length (faults-reaches faults))) (faults-reaches faults)))

(define (clean-series x measurement channel faults bits)
  "Return two values: the f64vector @var{x} of @var{channel} of @var{measurement} without @var{faults} (of bursts only those of
@var{bits}), and a u8vector that marks where the faults were, or @code{#f} if there are none."
  (let* ((y (vec-scale 1. x))
         (index (list-index (lambda (name) (string=? name channel)) (measurement-channels measurement)))
         ;; The errors of filled-in values make inputs too strong, unless they are uncorrelated with the values; and an output has to
         ;; follow its inputs, which a straight line does at long periods.
         (bad (mt-mend y (faults-bad faults) (faults-bursts faults) bits index (not (electric? channel)))))
    (values y bad)))
