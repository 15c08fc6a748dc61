;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Measurements: the header in the folder of each has its start, its sampling rate, its channels, and the place of their data.
(define-module (tutti mt measurement)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti mt ini)
  #:use-module (tutti mt time)
  #:export (measurement? measurement-site measurement-name measurement-folder measurement-start measurement-end
            measurement-rate measurement-samples measurement-channels measurement-units
            measurement-header channel-files
            measurement-format measurement-order measurement-layout layout-file layout-column layout-columns layout-scale layout-units
            layout-missing layout-gaps
            channel-names default-units time-kind read-header same-rate?))

(define channel-names
  ;; of all channels that are known
  '("Hx" "Hy" "Hz" "Ex" "Ey"))

(define (default-units channel)
  "Return the units in which @var{channel} is processed, a string."
  (if (string-prefix? "H" channel) "nT" "mV/km"))

;; Units that fields may be recorded in, and the size of each in the units of processing.
(define units
  '(("H" ("nT" 1.) ("pT" 1e-3) ("uT" 1e3) ("µT" 1e3) ("mT" 1e6) ("T" 1e9))
    ("E" ("mV/km" 1.) ("uV/m" 1.) ("µV/m" 1.) ("mV/m" 1e3) ("V/km" 1e3) ("V/m" 1e6))))

;; Units of voltages in mV: divided by the length of the dipole, voltages are fields.
(define voltages '(("mV" 1.) ("uV" 1e-3) ("µV" 1e-3) ("V" 1e3)))

(define (known-units channel)
  (assoc-ref units (substring channel 0 1)))

;;; Measurements.  They travel to workers, so they consist of numbers, strings and lists.

(define-record-type <measurement>
  (make-measurement site name folder start rate samples format order layouts)
  %measurement?
  (site %site)             ; string
  (name %name)             ; string
  (folder %folder)         ; string
  (start %start)           ; nanoseconds since 1970
  (rate %rate)             ; Hz, exact and positive
  (samples %samples)       ; of each channel
  (format %format)         ; text, int16, int32, float32 or float64
  (order %order)           ; of the bytes of a number: little or big
  (layouts %layouts))      ; list of a channel's name and a list of its file, column from 0, columns of the file, scale, units, number
                           ; that stands for none or #f, and list of pairs of a first sample and the one behind that are a gap

(set-record-type-printer! <measurement>
  (lambda (measurement port)
    (format port "#<measurement ~a of ~a>" (%name measurement) (%site measurement))))

(define (measurement? x)
  "Return true if @var{x} is a measurement."
  (%measurement? x))

(define (measurement-site measurement)
  "Return the name of the site of @var{measurement}."
  (%site measurement))

(define (measurement-name measurement)
  "Return the name of @var{measurement}, which no other of its site has."
  (%name measurement))

(define (title measurement)
  (format #f "site ~a, measurement ~a" (%site measurement) (%name measurement)))

(define (measurement-folder measurement)
  "Return the folder with the data of @var{measurement}."
  (%folder measurement))

(define (measurement-header measurement)
  "Return the name of the header of @var{measurement}."
  (header-file (%folder measurement)))

(define (measurement-start measurement)
  "Return the time of the first sample of @var{measurement}, in nanoseconds since 1970."
  (%start measurement))

(define (measurement-end measurement)
  "Return the time at which one more sample of @var{measurement} would be, in nanoseconds since 1970."
  (+ (%start measurement) (round (/ (* nanoseconds (%samples measurement)) (%rate measurement)))))

(define (measurement-rate measurement)
  "Return the sampling rate of @var{measurement} in Hz, an exact number."
  (%rate measurement))

(define (same-rate? a b)
  "Return true if @var{a} and @var{b} are the same sampling rate, but for what a floating-point number cannot say."
  (<= (abs (- a b)) (* 1e-9 (abs b))))

(define (measurement-samples measurement)
  "Return how many samples each channel of @var{measurement} has."
  (%samples measurement))

(define (measurement-channels measurement)
  "Return the list of the names of the channels of @var{measurement}: some of Hx, Hy, Hz, Ex and Ey, in this order."
  (map car (%layouts measurement)))

(define (measurement-units measurement channel)
  "Return the units in which @var{channel} of @var{measurement} was recorded."
  (layout-units (measurement-layout measurement channel)))

(define (measurement-format measurement)
  "Return the format of the files of @var{measurement}: the symbol @code{text}, @code{int16}, @code{int32}, @code{float32} or
@code{float64}."
  (%format measurement))

(define (measurement-order measurement)
  "Return the order of the bytes of a number in files of @var{measurement} that are not text: the symbol @code{little} or @code{big}."
  (%order measurement))

(define (measurement-layout measurement channel)
  "Return where the data of @var{channel} of @var{measurement} are.  A channel that is not there is an error."
  (or (assoc-ref (%layouts measurement) channel)
      (refuse 'measurement-layout "~a has no channel ~a; it has ~a (~a)" (title measurement) channel
              (string-join (measurement-channels measurement) ", ") (measurement-header measurement))))

(define (layout-file layout)
  "Return the name of the file of @var{layout}."
  (first layout))

(define (layout-column layout)
  "Return the number of the column of @var{layout} in its file, from 0."
  (second layout))

(define (layout-columns layout)
  "Return how many columns the file of @var{layout} has."
  (third layout))

(define (layout-scale layout)
  "Return the factor by which numbers in the file of @var{layout} are multiplied to get nT or mV/km."
  (fourth layout))

(define (layout-units layout)
  "Return the units that numbers in the file of @var{layout} have if multiplied by the header's scale."
  (fifth layout))

(define (layout-missing layout)
  "Return the number in the file of @var{layout} that stands where there is no sample, or @code{#f}."
  (sixth layout))

(define (layout-gaps layout)
  "Return the list of the gaps that the header of @var{layout} declares: pairs of the index of the first sample and of the one behind."
  (seventh layout))

(define (channel-files measurement channel)
  "Return the list of the files that say what @var{channel} of @var{measurement} is: the header, and one with data."
  (list (measurement-header measurement) (layout-file (measurement-layout measurement channel))))

;;; Headers.

(define (header-file folder)
  (string-append folder "/header.ini"))

(define time-kind
  (make-kind "a time such as 2020-05-17T09:30:00.25" (lambda (text) (and=> (parse-time text) list))))

(define times-kind
  (list-kind "a list of times such as 2020-05-17T09:30:00.25" (lambda (text) (and=> (parse-time text) list))))

(define header-schema
  `((""
     ("start" ,time-kind)
     ("rate" ,(exact-kind "a positive number" positive?))
     ("samples" ,(integer-kind 1))
     ("channels" ,(choices-kind channel-names))
     ("format" ,(choice-kind '("text" "int16" "int32" "float32" "float64")))
     ("order" ,(choice-kind '("little" "big")))
     ("file" ,name-kind)
     ("columns" ,(integer-kind 1))
     ("missing" ,(real-kind #f))
     ("gaps" ,times-kind))
    (,channel-names
     ("file" ,name-kind)
     ("column" ,(integer-kind 1))
     ("columns" ,(integer-kind 1))
     ("scale" ,(exact-kind "a number other than 0" (negate zero?)))
     ("units" ,text-kind)
     ("dipole" ,(real-kind #f))
     ("missing" ,(real-kind #f))
     ("gaps" ,times-kind)
     ("use" ,boolean-kind))))

(define (read-header site name folder)
  "Return the measurement @var{name} of @var{site} whose header is in @var{folder}."
  (let* ((settings (read-settings 'load-project (header-file folder) header-schema
                                  #:required '(("" . "start") ("" . "rate") ("" . "samples") ("" . "channels"))))
         (ref (lambda* (section key #:optional default) (settings-ref settings section key default)))
         (channels (ref "" "channels"))
         (format (string->symbol (ref "" "format" "text"))))
    (when (null? channels)
      (settings-complain settings "" "channels" "expected at least one of ~a" (string-join channel-names ", ")))
    (unless (equal? channels (delete-duplicates channels))
      (settings-complain settings "" "channels" "a channel is named twice"))
    (for-each (lambda (channel)
                (for-each (lambda (key)
                            (when (and (settings-line settings channel key) (not (member channel channels)))
                              (settings-complain settings channel key "there is no such channel; channels are ~a"
                                                 (string-join channels ", "))))
                          '("file" "column" "columns" "scale" "units" "dipole" "missing" "gaps" "use")))
              channel-names)
    (let ((used (filter (lambda (channel) (ref channel "use" #t)) channels)))
      (when (null? used)
        (settings-complain settings (car channels) "use" "no channel is left"))
      (make-measurement site name folder (ref "" "start") (ref "" "rate") (ref "" "samples") format
                        (string->symbol (ref "" "order" "little"))
                        (filter-map (lambda (channel)
                                      (and (member channel used)
                                           (cons channel (channel-layout settings channel channels folder format))))
                                    channel-names)))))

(define (channel-layout settings channel channels folder format)
  (let* ((ref (lambda (key default) (settings-ref settings channel key default)))
         (own-file (ref "file" #f))
         ;; Channels without a file of their own are in the common one, column by column.
         (common (filter (lambda (name) (not (settings-ref settings name "file"))) channels))
         (columns (ref "columns" (if own-file 1 (settings-ref settings "" "columns" (length common)))))
         (column (ref "column" (if own-file 1 (1+ (list-index (lambda (name) (string=? name channel)) common)))))
         (name (ref "units" (default-units channel)))
         (factor (units-factor settings channel name (ref "dipole" #f))))
    (unless (<= column columns)
      (settings-complain settings channel "column" "it is ~a, but the file has only ~a column~:p" column columns))
    (list (string-append folder "/" (or own-file (settings-ref settings "" "file" (if (eq? format 'text) "data.txt" "data.bin"))))
          (1- column) columns (* (exact->inexact (ref "scale" 1)) factor) name
          (ref "missing" (settings-ref settings "" "missing"))
          (append (declared-gaps settings "") (declared-gaps settings channel)))))

(define (units-factor settings channel name dipole)
  "Return how many nT or mV/km the units NAME of CHANNEL are, which is as long as DIPOLE, in m or #f, if it is a voltage."
  (let ((field (assoc-ref (known-units channel) name))
        (voltage (and (string-prefix? "E" channel) (assoc-ref voltages name))))
    (cond ((and dipole (not (and (string-prefix? "E" channel) (positive? dipole))))
           (settings-complain settings channel "dipole" "it is ~a, expected the positive length in m of an electric dipole" dipole))
          ((and field dipole)
           (settings-complain settings channel "dipole" "the units are ~a, those of a field, which needs no length; expected one of ~a"
                              name (string-join (map car voltages) ", ")))
          (field (car field))
          ((and voltage dipole) (/ (car voltage) (/ dipole 1000)))
          (voltage
           (settings-complain settings channel "units" "they are ~a, those of a voltage; expected the length of the dipole in m, ~
\"dipole = 100\", beside" name))
          (else
           (settings-complain settings channel "units" "they are ~a, expected one of ~a" name
                              (string-join (append (map car (known-units channel))
                                                   (if (string-prefix? "E" channel) (map car voltages) '()))
                                           ", "))))))

(define (declared-gaps settings section)
  "Return the list of the gaps in SECTION, pairs of the index of the first sample and of the one behind the last."
  (let* ((start (settings-ref settings "" "start"))
         (rate (settings-ref settings "" "rate"))
         (samples (settings-ref settings "" "samples"))
         ;; Times are rounded to nanoseconds.
         (tolerance (max 1/1000000 (/ rate nanoseconds)))
         (index (lambda (time) (/ (* (- time start) rate) nanoseconds))))
    (let loop ((times (settings-ref settings section "gaps" '())))
      (match times
        (() '())
        ((from to . rest)
         (unless (<= from to)
           (settings-complain settings section "gaps" "~a is not before ~a" (time->string from) (time->string to)))
         (let ((first (max 0 (ceiling (- (index from) tolerance))))
               (end (min samples (1+ (floor (+ (index to) tolerance))))))
           (if (< first end)
               (acons first end (loop rest))
               (loop rest))))
        ((time)
         (settings-complain settings section "gaps" "~a is left over, expected a start and an end of each gap" (time->string time)))))))
