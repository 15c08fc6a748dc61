;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The C functions of the module mt, which modules/mt/mt.h describes, on uniform vectors. Nothing is checked here that would
;; be a mistake of (tutti mt kernel).
(define-module (tutti mt library)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (system foreign)
  #:use-module (system foreign-library)
  #:use-module (tutti base extension)
  #:use-module (tutti conditions)
  #:export (mt-function mt-notch mt-decimate mt-decimate-flags mt-find-faults mt-copy-single mt-mend mt-taper mt-window-spectra mt-statistic
            mt-gather mt-regress))

(define (library-file)
  (or (find-shared-object "mt.so")
      (raise-tutti (make-tutti-error (string-append "the kernels of magnetotelluric processing were not found; looked for "
                                                  (string-join (shared-object-names "mt.so") ", ")
                                                  "; set TUTTI_MODULEDIR to their folder"))
                   'mt-function)))

;; Not when this module is loaded: the compiler loads it too, before there is a library.
(define library (delay (load-foreign-library (library-file))))

(define (mt-function name return-type . argument-types)
  "Return the function @var{name} of the library of kernels as a procedure, with these types of (system foreign)."
  (let ((function (delay (foreign-library-function (force library) name #:return-type return-type #:arg-types argument-types))))
    (lambda arguments
      (apply (force function) arguments))))

(define (->pointer vector)
  (cond ((pointer? vector) vector)
        ((zero? (bytevector-length vector)) %null-pointer)
        (else (bytevector->pointer vector))))

(define (in-memory who status)
  (unless (zero? status)
    (raise-tutti (make-tutti-error (format #f "~a: there is not enough memory" who)) who)))

(define %notch (mt-function "tutti_mt_notch" int '* size_t double))

(define (mt-notch y frequency)
  "Take the line at @var{frequency}, in cycles per sample, out of the f64vector @var{y}."
  (in-memory 'notch (%notch (->pointer y) (f64vector-length y) frequency)))

(define %decimate (mt-function "tutti_mt_decimate" int '* size_t ssize_t size_t '* size_t))

(define (mt-decimate x n offset factor y m)
  "Write @var{m} samples at a @var{factor} times lower rate to the f64vector @var{y}, the first centred on sample number
@var{offset} of the @var{n} of @var{x}."
  (in-memory 'decimate (%decimate (->pointer x) n offset factor (->pointer y) m)))

(define %taper (mt-function "tutti_mt_taper" int int size_t '*))

(define (mt-taper kind size w)
  "Write taper number @var{kind} of @var{size} samples to the f64vector @var{w}."
  (in-memory 'taper (%taper kind size (->pointer w))))

(define %window-spectra
  (mt-function "tutti_mt_window_spectra" int '* '* size_t size_t size_t '* size_t size_t '*))

(define (mt-window-spectra y bad start size step count taper lo hi spectra)
  "Write the spectra of @var{count} windows, of which the first begins @var{start} samples into @var{y}, to @var{spectra}.  The
u8vector @var{bad} says of which samples not to make any, or is @code{#f}."
  (define (from vector size) (make-pointer (+ (pointer-address (->pointer vector)) (* size start))))
  (in-memory 'window-spectra
             (%window-spectra (from y 8) (if bad (from bad 1) %null-pointer) size step count
                              (if taper (->pointer taper) %null-pointer) lo hi (->pointer spectra)))
  ;; The collector must know them until here, as it does not know pointers into them.
  (+ (bytevector-length y) (if bad (bytevector-length bad) 0)))

;;; Faults.

(define %find-faults (mt-function "tutti_mt_find_faults" int '* size_t size_t '* '* '* '*))

(define scales 5)   ; as in modules/mt/clean.h

(define (mt-find-faults x n kinds bad)
  "Mark in the u8vector @var{bad} the faults of the channels in the f32vector @var{x}, @var{n} samples each, one after the other, and
return two values: the u8vector of bursts, and the list of how far those of each scale reach.  @var{x} is changed; the u8vector
@var{kinds} says what channels are: 0, horizontally magnetic, 1, electric, or 2."
  (let ((bursts (make-u8vector n 0)) (reaches (make-s32vector scales 0)))
    (in-memory 'find-faults (%find-faults (->pointer x) n (u8vector-length kinds) (->pointer kinds) (->pointer bad) (->pointer bursts)
                                          (->pointer reaches)))
    (values bursts (s32vector->list reaches))))

(define %copy-single (mt-function "tutti_mt_copy_single" void '* size_t '*))

(define (mt-copy-single y x start)
  "Copy the f64vector @var{y} to the f32vector @var{x} from the index @var{start} on."
  (%copy-single (->pointer y) (f64vector-length y) (make-pointer (+ (pointer-address (->pointer x)) (* 4 start))))
  (bytevector-length x))

(define %mend (mt-function "tutti_mt_mend" int '* size_t '* '* int size_t int '*))

(define (mt-mend y bad bursts bits channel likely?)
  "Put something in the places of what is @var{bad} in the f64vector @var{y}, that of number @var{channel}, and of @var{bursts} by one of
@var{bits}: if @var{likely?} what is likely, else straight lines.  Return a u8vector that says where that was, or @code{#f} if nowhere."
  (let* ((own (make-u8vector (f64vector-length y) 0))
         (status (%mend (->pointer y) (f64vector-length y) (->pointer bad) (->pointer bursts) bits channel (if likely? 1 0)
                        (->pointer own))))
    (in-memory 'mend (min status 0))
    (and (positive? status) own)))

(define %decimate-flags (mt-function "tutti_mt_decimate_flags" void '* size_t ssize_t size_t '* size_t))

(define (mt-decimate-flags bad offset factor less)
  "Write to the u8vector @var{less} which samples are bad at a @var{factor} times lower rate, for the result of @code{mt-decimate}."
  (%decimate-flags (->pointer bad) (u8vector-length bad) offset factor (->pointer less) (u8vector-length less)))

(define %statistic
  (mt-function "tutti_mt_statistic" int int '* '* '* '* '* '* '* size_t size_t size_t '* '* size_t double '*))

(define (mt-statistic kind spectra n-windows lo width bands frequencies rate numbers)
  "Write statistic number @var{kind} to the f64vector @var{numbers}, component after component.  @var{spectra} is the list of
Hx, Hy, Ex, Ey, Hz and the remote Hx and Hy."
  (in-memory 'window-statistics
             (apply %statistic kind
                    (append (map ->pointer spectra)
                            (list n-windows width lo
                                  (->pointer (list->u64vector (append-map (lambda (band) (list (car band) (cdr band))) bands)))
                                  (->pointer (list->f64vector (map exact->inexact frequencies)))
                                  (length bands) (exact->inexact rate) (->pointer numbers))))))

(define (row-pointer channel width)
  (make-pointer (+ (pointer-address (->pointer (car channel))) (* 8 width (cdr channel)))))

(define %gather (mt-function "tutti_mt_gather" size_t '* size_t '* size_t size_t size_t '*))

(define (mt-gather channel n-windows mask width start count column offset)
  "Append what is in the band of @var{count} bins from number @var{start} on of the rows of @var{channel}, a pair of a
c32vector and a row, to the c64vector @var{column} at @var{offset}.  Return how many numbers that were."
  (let ((to (make-pointer (+ (pointer-address (->pointer column)) (* 16 offset)))))
    (let ((n (%gather (row-pointer channel width) n-windows (if mask (->pointer mask) %null-pointer) width start count to)))
      (bytevector-length column)
      (bytevector-length (car channel))
      n)))

(define %regress (mt-function "tutti_mt_regress" int int size_t size_t size_t size_t '* '* '* int '* '* '* '* '* '* '*))

(define (mt-regress kind n group outputs n-outputs inputs n-inputs references intercept? places)
  "Return the association list of @code{regress} but for the windows, from @var{n} observations, @var{group} of each window,
column after column in the c64vectors @var{outputs}, @var{inputs} and @var{references} (or @code{#f}), with @var{places}, an f64vector
or @code{#f}; @code{#f} if that is not possible."
  (let* ((size (* n-outputs n-inputs))
         (transfer (make-c64vector size 0))
         (variances (make-f64vector size 0))
         (scale (make-f64vector n-outputs 0))
         (iterations (make-s32vector n-outputs 0))
         (offsets (make-f64vector (* 2 n-outputs) 0))
         (support (make-f64vector (* 3 n-outputs) 0))
         (status (%regress kind n group n-outputs n-inputs (->pointer outputs) (->pointer inputs)
                           (if references (->pointer references) %null-pointer) (if intercept? 1 0)
                           (if places (->pointer places) %null-pointer)
                           (->pointer transfer) (->pointer variances) (->pointer scale) (->pointer iterations) (->pointer offsets)
                           (->pointer support))))
    (when (< status 0)
      (in-memory 'regress status))
    (and (zero? status)
         `((transfer . ,transfer) (variances . ,variances) (observations . ,n) (scale . ,scale)
           (iterations . ,(s32vector->list iterations)) (support . ,support) ,@(if places `((offsets . ,offsets)) '())))))
