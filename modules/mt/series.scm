;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Time series: reading those of a project, and writing measurements into one.
(define-module (tutti mt series)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (system foreign)
  #:use-module (tutti base check)
  #:use-module (tutti mt files)
  #:use-module (tutti mt library)
  #:use-module (tutti mt measurement)
  #:use-module (tutti mt project)
  #:use-module (tutti mt store)
  #:use-module (tutti vector)
  #:export (read-channel most-kept-bytes write-measurement))

(define %text-columns
  (mt-function "tutti_mt_text_columns" int '* size_t size_t size_t size_t '* size_t '*))

(define %binary-column
  (mt-function "tutti_mt_binary_column" int '* int size_t size_t double '* size_t '*))

;; The order of both is that in modules/mt/files.h.
(define formats '((int32 . 4) (float32 . 4) (int16 . 2) (float64 . 8)))   ; bytes of a number
(define faults '#(good no-number not-finite few-columns many-columns few-lines many-lines))

(define (->pointer bytes)
  (if (zero? (bytevector-length bytes)) %null-pointer (bytevector->pointer bytes)))

(define (read-channel measurement channel)
  "Return the samples of @var{channel}, a name such as @code{\"Hx\"}, of @var{measurement}: an f64vector in nT or mV/km, the numbers in the
file times the header's scale.  Where the file has NaN, or the number that the header gives as @code{missing}, and in what it declares as
@code{gaps}, samples are not a number.  A file that has not what the header says is a @code{&tutti-error} with the line, or the byte,
at fault."
  (let* ((layout (measurement-layout measurement channel))
         (samples ((if (eq? (measurement-format measurement) 'text) read-text-channel read-binary-channel) measurement layout))
         (missing (layout-missing layout)))
    (when missing
      (do ((i 0 (1+ i)))
          ((= i (f64vector-length samples)))
        (when (= (f64vector-ref samples i) missing)
          (f64vector-set! samples i +nan.0))))
    (for-each (match-lambda
                ((start . end)
                 (do ((i start (1+ i)))
                     ((= i end))
                   (f64vector-set! samples i +nan.0))))
              (layout-gaps layout))
    (if (= 1 (layout-scale layout)) samples (vec-scale (layout-scale layout) samples))))

;;; Text takes long to read, and a worker is often asked for one column of a file after the other: so all are read, unless they are many,
;;; and kept until another file is.

(define most-kept-bytes (make-parameter (* 64 1024 1024)))
(set-object-property! most-kept-bytes 'documentation
                      "Columns of a text are kept for the next channel to be read if all of them have no more bytes than this.")

;; A key, which changes when the file does, and the columns.
(define kept-text '(#f . #f))

(define (text-key measurement file)
  (let ((status (with-system-errors 'read-channel "read" file (lambda () (stat file)))))
    (list file (measurement-samples measurement) (stat:dev status) (stat:ino status) (stat:size status) (stat:mtime status)
          (stat:mtimensec status) (stat:ctime status) (stat:ctimensec status))))

(define (kept-columns measurement layout)
  (let ((key (list (text-key measurement (layout-file layout)) (layout-columns layout))))
    (unless (equal? key (car kept-text))
      (set! kept-text '(#f . #f))
      (set! kept-text (cons key (read-text-columns measurement layout 0 (layout-columns layout)))))
    (cdr kept-text)))

(define (read-text-channel measurement layout)
  (let* ((n (measurement-samples measurement))
         (all? (<= (* 8 n (layout-columns layout)) (most-kept-bytes)))
         (samples (make-f64vector n)))
    (if all?
        (bytevector-copy! (kept-columns measurement layout) (* 8 n (layout-column layout)) samples 0 (* 8 n))
        (set! samples (read-text-columns measurement layout (layout-column layout) 1)))
    samples))

(define (read-text-columns measurement layout first count)
  "Return COUNT columns from number FIRST on, one after the other."
  (let* ((n (measurement-samples measurement))
         (bytes (read-whole 'read-channel (layout-file layout)))
         (numbers (make-f64vector (* n count)))
         (columns (layout-columns layout))
         (place (make-u64vector 2 0))
         (status (%text-columns (->pointer bytes) (bytevector-length bytes) first count columns (->pointer numbers) n (->pointer place)))
         (line (u64vector-ref place 0))
         (second (u64vector-ref place 1)))
    (define (fail line message . arguments)
      (apply complain-about 'read-channel (layout-file layout) line message arguments))
    (match (vector-ref faults status)
      ('good numbers)
      ('no-number (fail line "column ~a is no number" second))
      ('not-finite (fail line "column ~a is too large a number" second))
      ('few-columns (fail line "there are only ~a column~:p, expected ~a" second columns))
      ('many-columns (fail line "there are more than ~a column~:p" columns))
      ('few-lines (fail (1- line) "the file ends after ~a sample~:p, expected ~a (~a)" second n (measurement-header measurement)))
      ('many-lines (fail line "there are more than ~a samples (~a)" n (measurement-header measurement))))))

(define (read-binary-channel measurement layout)
  (let* ((place (make-u64vector 2 0))
         (columns (layout-columns layout))
         (n (measurement-samples measurement))
         (bytes (read-whole 'read-channel (layout-file layout)))
         (samples (make-f64vector n))
         (format (measurement-format measurement))
         (size (assq-ref formats format))
         (wanted (* size columns n)))
    (define (fail message . arguments)
      (apply complain-about 'read-channel (layout-file layout) #f message arguments))
    (unless (= (bytevector-length bytes) wanted)
      (fail "it has ~a bytes, expected ~a: ~a, as the format is ~a, for each of ~a sample~:p in ~a column~:p (~a)"
            (bytevector-length bytes) wanted size format n columns (measurement-header measurement)))
    (unless (zero? (%binary-column (->pointer bytes)
                                   (+ (list-index (lambda (known) (eq? (car known) format)) formats)
                                      (if (eq? (measurement-order measurement) 'big) (length formats) 0))
                                   (layout-column layout) columns 1. (->pointer samples) n (->pointer place)))
      (fail "the number at byte ~a, sample ~a in column ~a, is infinite"
            (* size (+ (* columns (u64vector-ref place 0)) (layout-column layout)))
            (u64vector-ref place 0) (1+ (layout-column layout))))
    samples))

;;; Writing.

(define (check-series channels)
  (match channels
    (((name . series) ...)
     (for-each (lambda (name series)
                 (unless (member name channel-names)
                   (refuse 'write-measurement "there is no channel ~s, expected some of ~{~a~^, ~}" name channel-names))
                 (unless (f64vector? series)
                   (refuse 'write-measurement "the samples of ~a are no f64vector" name)))
               name series)
     (let ((lengths (delete-duplicates (map f64vector-length series))))
       (unless (and (= (length lengths) 1) (positive? (car lengths)) (= (length name) (length (delete-duplicates name))))
         (refuse 'write-measurement "expected channels with different names and the same number of samples, got ~a"
                 (map cons name (map f64vector-length series))))))
    (_ (refuse 'write-measurement "the channels are not an association list of names and f64vectors"))))

(define (rate->text rate)
  (let ((decimal (number->string (if (integer? rate) (inexact->exact rate) (exact->inexact rate)))))
    (if (and (exact? rate) (not (= rate (string->number (string-append "#e" decimal)))))
        (number->string rate)
        decimal)))

(define (write-header port start rate samples names format scale)
  (let ((line (lambda (key value) (simple-format port "~a = ~a\n" key value))))
    (line "start" (time->string start))
    (line "rate" (rate->text rate))
    (line "samples" samples)
    (line "channels" (string-join names ", " 'infix))
    (line "format" format)
    (unless (= scale 1)
      (for-each (lambda (name)
                  (simple-format port "\n[~a]\n" name)
                  (line "scale" (exact->inexact scale)))
                names))))

(define (write-text port series n scale)
  (do ((i 0 (1+ i)))
      ((= i n))
    (for-each (lambda (v separator)
                (display separator port)
                (let ((x (if (= scale 1) (f64vector-ref v i) (/ (f64vector-ref v i) scale))))
                  (display (if (nan? x) "NaN" x) port)))
              series (cons "" (make-list (1- (length series)) " ")))
    (newline port)))

(define (write-binary port series n scale format)
  (let* ((columns (length series))
         (size (assq-ref formats format))
         (bytes (make-bytevector (* size columns n)))
         (most (1- (expt 2 (1- (* 8 size)))))
         (whole (lambda (at x)
                  (unless (<= (- (1+ most)) (round x) most)
                    (refuse 'write-measurement "sample ~a is ~a times the scale, which is too large for ~a; give a larger #:scale"
                            (quotient at (* size columns)) x format))
                  (inexact->exact (round x))))
         (put! (case format
                 ((float32) (lambda (at x) (bytevector-ieee-single-set! bytes at x (endianness little))))
                 ((float64) (lambda (at x) (bytevector-ieee-double-set! bytes at x (endianness little))))
                 ((int16) (lambda (at x) (bytevector-s16-set! bytes at (whole at x) (endianness little))))
                 (else (lambda (at x) (bytevector-s32-set! bytes at (whole at x) (endianness little)))))))
    (for-each (lambda (v column)
                (do ((i 0 (1+ i)))
                    ((= i n))
                  (put! (* size (+ (* i columns) column)) (/ (f64vector-ref v i) scale))))
              series (iota columns))
    (put-bytevector port bytes)))

(define (check-finite name series gaps?)
  (define (bad? x)
    (or (inf? x) (and (nan? x) (not gaps?))))
  (let ((bad (let loop ((i 0)) (cond ((= i (f64vector-length series)) #f) ((bad? (f64vector-ref series i)) i) (else (loop (1+ i)))))))
    (when bad
      (refuse 'write-measurement "sample ~a of ~a is ~a, expected a finite number~a" bad name (f64vector-ref series bad)
              (if gaps? ", or NaN in a gap" "; integers have none for a gap")))))

(define* (write-measurement project site name #:key start rate channels (format 'text) (scale 1))
  "Write the measurement @var{name} of @var{site} into @var{project}, refresh that, and return the measurement.  @var{start} is the time of
the first sample, in nanoseconds since 1970 or as a string, @var{rate} the sampling rate in Hz, and @var{channels} an association
list of names such as @code{\"Hx\"} and f64vectors, in nT or mV/km.  @var{format} is @code{text} or
@code{float64}, which keep all digits, @code{float32}, @code{int32} or @code{int16}; what is in the file are samples divided by
@var{scale}, for integers rounded.  Samples in gaps are NaN, which integers have not.  A measurement of this name must not be there yet;
nothing is left of one that could not be written as a whole."
  (check-plain-name 'write-measurement "the site" site)
  (check-plain-name 'write-measurement "the measurement" name)
  (check-series channels)
  (unless (or (eq? format 'text) (assq format formats))
    (refuse 'write-measurement "the format is ~s, expected text, ~{~a~^, ~}" format (map car formats)))
  (for-each (lambda (channel) (check-finite (car channel) (cdr channel) (not (memq format '(int16 int32))))) channels)
  (unless (and (finite-number? scale) (not (zero? scale)))
    (refuse 'write-measurement "the scale is ~s, expected a number other than 0" scale))
  (unless (and (finite-number? rate) (positive? rate))
    (refuse 'write-measurement "the sampling rate is ~s, expected a positive number of Hz" rate))
  (unless (or (string? start) (exact-integer? start))
    (refuse 'write-measurement "the start is ~s, expected nanoseconds since 1970 or a string" start))
  (let* ((parent (project-result-folder project 'time site))
         (folder (string-append parent "/" name)))
    (make-folders! 'write-measurement parent)
    (when (file-exists? folder)
      (refuse 'write-measurement "~a is there already" folder))
    (write-folder folder start rate channels format scale)
    (find (lambda (measurement) (string=? name (measurement-name measurement)))
          (site-measurements (project-refresh! project) site))))

(define (write-folder folder start rate channels format scale)
  ;; In a folder of another name first, which no reader sees as it begins with a dot.
  (let* ((partial (with-system-errors 'write-measurement "write" folder
                    (lambda () (mkdtemp (string-append (dirname folder) "/." (basename folder) ".part-XXXXXX")))))
         (n (f64vector-length (cdar channels)))
         (series (map cdr channels))
         (scale (exact->inexact scale)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (write-whole (string-append partial (if (eq? format 'text) "/data.txt" "/data.bin"))
                     (lambda (port)
                       (if (eq? format 'text) (write-text port series n scale) (write-binary port series n scale format))))
        (write-whole (string-append partial "/header.ini")
                     (lambda (port)
                       (write-header port (if (string? start) (string->time start) start) rate n (map car channels) format scale)))
        (chmod partial (logand #o777 (lognot (umask))))
        (with-system-errors 'write-measurement "write" folder (lambda () (rename-file partial folder))))
      (lambda ()
        (when (file-exists? partial)
          (for-each (lambda (name) (delete-file (string-append partial "/" name))) (folder-entries 'write-measurement partial))
          (rmdir partial))))))
