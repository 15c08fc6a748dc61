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
  #:use-module (tutti conditions)
  #:use-module (tutti config)
  #:export (mt-function mt-decimate mt-taper mt-window-spectra mt-statistic mt-gather mt-regress))

(define (library-file)
  (let* ((folders (delete "" (string-split (module-directory) #\:)))
         (files (map (lambda (folder) (string-append folder "/mt.so")) folders)))
    (or (find file-exists? files)
        (raise-tutti (make-tutti-error (string-append "the kernels of magnetotelluric processing were not found; looked for "
                                                    (string-join files ", ") "; set TUTTI_MODULEDIR to their folder"))
                     'mt-function))))

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
  (mt-function "tutti_mt_window_spectra" int '* size_t size_t size_t '* size_t size_t '*))

(define (mt-window-spectra y start size step count taper lo hi spectra)
  "Write the spectra of @var{count} windows, of which the first begins @var{start} samples into @var{y}, to @var{spectra}."
  (let ((first (make-pointer (+ (pointer-address (->pointer y)) (* 8 start)))))
    (in-memory 'window-spectra
               (%window-spectra first size step count (if taper (->pointer taper) %null-pointer) lo hi (->pointer spectra)))
    ;; The collector must know Y until here, as it does not know FIRST.
    (bytevector-length y)))

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

(define %gather (mt-function "tutti_mt_gather" size_t '* size_t '* size_t size_t size_t '*))

(define (mt-gather channel n-windows mask width start count column offset)
  "Append what is in the band of @var{count} bins from number @var{start} on of the rows of @var{channel}, a pair of a
c32vector and a row, to the c64vector @var{column} at @var{offset}.  Return how many numbers that were."
  (let ((to (make-pointer (+ (pointer-address (->pointer column)) (* 16 offset))))
        (from (make-pointer (+ (pointer-address (->pointer (car channel))) (* 8 width (cdr channel))))))
    (let ((n (%gather from n-windows (if mask (->pointer mask) %null-pointer) width start count to)))
      (bytevector-length column)
      (bytevector-length (car channel))
      n)))

(define %regress (mt-function "tutti_mt_regress" int int size_t size_t size_t size_t '* '* '* int '* '* '* '*))

(define (mt-regress kind n group outputs n-outputs inputs n-inputs references intercept?)
  "Return the association list of @code{regress} but for the windows, from @var{n} observations, @var{group} of each window,
column after column in the c64vectors @var{outputs}, @var{inputs} and @var{references} (or @code{#f}); @code{#f} if that is
not possible."
  (let* ((size (* n-outputs n-inputs))
         (transfer (make-c64vector size 0))
         (variances (make-f64vector size 0))
         (scale (make-f64vector n-outputs 0))
         (iterations (make-s32vector n-outputs 0))
         (status (%regress kind n group n-outputs n-inputs (->pointer outputs) (->pointer inputs)
                           (if references (->pointer references) %null-pointer) (if intercept? 1 0)
                           (->pointer transfer) (->pointer variances) (->pointer scale) (->pointer iterations))))
    (when (< status 0)
      (in-memory 'regress status))
    (and (zero? status)
         `((transfer . ,transfer) (variances . ,variances) (observations . ,n) (scale . ,scale)
           (iterations . ,(s32vector->list iterations))))))
