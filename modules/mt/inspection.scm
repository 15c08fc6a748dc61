;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Channels that have recorded no field: dead, constant or saturated ones, and pairs of equal ones.  They are reported as such, because
;; their effects on the results do not show the cause.
(define-module (tutti mt inspection)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti mt gaps)
  #:use-module (tutti mt layout)
  #:use-module (tutti mt library)
  #:use-module (tutti mt project)
  #:use-module (tutti mt series)
  #:export (inspected-channel partner-channel no-window-left))

(define %line (mt-function "tutti_mt_line" void '* size_t '*))
(define %proportion (mt-function "tutti_mt_proportion" void '* '* size_t '*))

(define who 'calculate-spectra)

(define (remedy measurement channel)
  (format #f "write \"use = False\" into [~a] of ~a to do without this channel, or take the folder out of the project to do without the ~
measurement" channel (measurement-header measurement)))

(define (short x)
  "Return X as text with about six digits."
  (let* ((x (exact->inexact x))
         (scale (if (zero? x) 1. (expt 10. (- 5 (floor (/ (log (abs x)) (log 10.)))))))
         (rounded (/ (round (* x scale)) scale)))
    (number->string (if (and (integer? rounded) (< (abs rounded) 1e15)) (inexact->exact rounded) rounded))))

(define (extremes x gaps)
  "Return the list of the least and the largest sample of X, as text, of those that are saturated."
  (let loop ((gaps (filter (lambda (gap) (eq? (gap-kind gap) 'saturated)) gaps)) (least +inf.0) (most -inf.0))
    (match gaps
      (() (delete-duplicates (list (short least) (short most))))
      ((gap . rest)
       (do ((i (gap-start gap) (1+ i))
            (least least (min least (f64vector-ref x i)))
            (most most (max most (f64vector-ref x i))))
           ((= i (gap-end gap)) (loop rest least most)))))))

(define (gaps->text x gaps)
  "Return the description of @var{gaps} in the f64vector @var{x}, kind by kind."
  (define (samples kind)
    (fold (lambda (gap sum) (if (eq? kind (gap-kind gap)) (+ sum (- (gap-end gap) (gap-start gap))) sum)) 0 gaps))
  (string-join
   (filter-map (match-lambda
                 ((kind . text)
                  (let ((count (samples kind)))
                    (and (positive? count) (format #f "~a sample~:p ~:[is~;are~] ~a" count (> count 1) (text))))))
               `((missing . ,(const "missing or not a number"))
                 (zeros . ,(const "zero for too long (dropouts)"))
                 (stuck . ,(const "constant for too long (dead)"))
                 (saturated . ,(lambda ()
                                 (string-append "constant at the end of the range, " (string-join (extremes x gaps) " or ")
                                                " (saturated)")))))
   ", "))

(define (channel-title measurement channel)
  (format #f "~a, channel ~a" (measurement-title measurement) channel))

(define (check-alive measurement channel x gaps)
  "Raise an error if X, which is without its GAPS, is a constant or a straight line."
  (match (line-of x)
    ((rest largest mean slope)
     (when (<= rest (* 1e-12 largest))
       (refuse who "~a is dead: it is ~a (~a); ~a" (channel-title measurement channel)
               (if (<= (* (abs slope) (f64vector-length x)) (* 1e-9 largest))
                   (format #f "constant, all ~a samples are ~a ~a" (f64vector-length x) (short mean) (default-units channel))
                   "a straight line, without any variation")
               (layout-file (measurement-layout measurement channel)) (remedy measurement channel))))))

(define (constant? x)
  "Return true if all samples of X that are numbers are the same."
  (let* ((n (f64vector-length x))
         (first (let loop ((i 0)) (and (< i n) (if (nan? (f64vector-ref x i)) (loop (1+ i)) (f64vector-ref x i))))))
    (and first
         (let loop ((i 0))
           (or (= i n)
               (and (or (nan? (f64vector-ref x i)) (= first (f64vector-ref x i))) (loop (1+ i))))))))

(define (inspected-channel measurement channel)
  "Return three values: the samples of @var{channel} of @var{measurement}, with lines in place of its gaps; the list of the gaps; and a
text that describes them, empty if there are none.  A channel that is dead, or nothing but gaps, or proportional to its
@code{partner-channel}, is an error."
  (let* ((x (read-channel measurement channel))
         (gaps (if (constant? x) (missing-only (find-gaps x)) (find-gaps x)))
         (lost (fold (lambda (gap sum) (+ sum (- (gap-end gap) (gap-start gap)))) 0 gaps)))
    (when (= lost (f64vector-length x))
      (refuse who "~a has no sample that can be used: of ~a samples, ~a (~a); ~a" (channel-title measurement channel) (f64vector-length x)
              (gaps->text x gaps) (layout-file (measurement-layout measurement channel)) (remedy measurement channel)))
    (let ((text (gaps->text x gaps))
          (whole (if (null? gaps) x (without-gaps x gaps))))
      (when (or (null? gaps) (constant? x))
        (check-alive measurement channel whole gaps))
      (let ((partner (partner-channel channel)))
        (when (and partner (member partner (measurement-channels measurement)))
          (check-different measurement partner channel whole gaps)))
      (values whole gaps text))))

(define (line-of x)
  "Return the list of how far X is from its straight line, its largest modulus, its mean and its slope."
  (let ((line (make-f64vector 4)))
    (%line (bytevector->pointer x) (f64vector-length x) (bytevector->pointer line))
    (f64vector->list line)))

(define (without-gaps x gaps)
  "Return X with straight lines in place of GAPS, but for saturated samples that are not far from the others: there more is known."
  (let ((whole (fill-gaps! (copy x) gaps)))
    (match (line-of whole)
      ((rest _ mean _)
       (for-each (lambda (gap)
                   (when (and (eq? (gap-kind gap) 'saturated)
                              (<= (abs (- (f64vector-ref x (gap-start gap)) mean)) (* 6 rest)))
                     (bytevector-copy! x (* 8 (gap-start gap)) whole (* 8 (gap-start gap)) (* 8 (- (gap-end gap) (gap-start gap))))))
                 gaps)))
    whole))

(define (missing-only gaps)
  (filter (lambda (gap) (eq? (gap-kind gap) 'missing)) gaps))

(define (copy x)
  (let ((y (make-f64vector (f64vector-length x))))
    (bytevector-copy! x 0 y 0 (bytevector-length x))
    y))

;;; Pairs.

(define (partner-channel channel)
  "Return the name of the channel that @var{channel} must not be proportional to, or @code{#f}."
  (assoc-ref '(("Hy" . "Hx") ("Ey" . "Ex")) channel))

(define (check-different measurement a b y gaps)
  "Raise an error if the channels A and B of MEASUREMENT are proportional; Y is B without its GAPS."
  (let* ((x (read-channel measurement a))
         (all (append (find-gaps x) gaps))
         (x (fill-gaps! x all))
         (y (fill-gaps! (copy y) all))
         (numbers (make-f64vector 2)))
    (%proportion (bytevector->pointer x) (bytevector->pointer y) (f64vector-length x) (bytevector->pointer numbers))
    (when (< (f64vector-ref numbers 1) 1e-6)
      (refuse who "~a: the channels ~a and ~a are proportional, ~a = ~a ~a, as of one sensor that was recorded twice; no transfer ~
function can be told from them; correct the columns or files in ~a, or ~a"
              (measurement-title measurement) a b b (short (f64vector-ref numbers 0)) a (measurement-header measurement)
              (remedy measurement b)))))

(define (no-window-left measurement channel text size)
  "Raise the error that no window of @var{size} samples is without a gap in @var{channel} of @var{measurement}, whose gaps are
@var{text}."
  (refuse who "~a has no window of ~a samples that can be used: ~a (~a); ~a" (channel-title measurement channel) size
          (if (string-null? text)
              "it is dead, a straight line in each of them"
              (format #f "of ~a samples, ~a" (measurement-samples measurement) text))
          (layout-file (measurement-layout measurement channel)) (remedy measurement channel)))
