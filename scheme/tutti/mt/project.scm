;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Projects on disk: sites with measurements, each a folder with a header and files of data, and folders for the results of each stage.
;;
;;   PROJECT/mtproject.ini                         name and reference time
;;   PROJECT/timeData/SITE/MEASUREMENT/header.ini  start, sampling rate, channels, and where their data are
;;   PROJECT/specData, statData, maskData, transFunctionData, images
(define-module (tutti mt project)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt files)
  #:use-module (tutti mt ini)
  #:use-module (tutti mt store)
  #:use-module (tutti mt time)
  #:re-export (string->time time->string)
  #:export (create-project load-project project-refresh! project? project-folder project-name project-configuration project-sites
            project-rates project-reference project-result-folder
            site-measurements measurement? measurement-site measurement-name measurement-folder measurement-start measurement-end
            measurement-rate measurement-samples measurement-channels measurement-units
            measurement-header channel-files
            measurement-format measurement-layout layout-file layout-column layout-columns layout-scale layout-units
            channel-names default-units))

(define channel-names
  ;; of all channels that are known
  '("Hx" "Hy" "Hz" "Ex" "Ey"))

(define (default-units channel)
  "Return the units in which @var{channel} is processed, a string."
  (if (string-prefix? "H" channel) "nT" "mV/km"))

;; Units that fields may be recorded in, and how many of those that they are processed in each is.
(define units
  '(("H" ("nT" 1.) ("pT" 1e-3) ("uT" 1e3) ("µT" 1e3) ("mT" 1e6) ("T" 1e9))
    ("E" ("mV/km" 1.) ("uV/m" 1.) ("µV/m" 1.) ("mV/m" 1e3) ("V/km" 1e3) ("V/m" 1e6))))

(define (known-units channel)
  (assoc-ref units (substring channel 0 1)))

;;; Measurements.  They travel to workers: all that is in them are numbers, strings and lists.

(define-record-type <measurement>
  (make-measurement site name folder start rate samples format layouts)
  %measurement?
  (site %site)             ; string
  (name %name)             ; string
  (folder %folder)         ; string
  (start %start)           ; nanoseconds since 1970
  (rate %rate)             ; Hz, exact and positive
  (samples %samples)       ; of each channel
  (format %format)         ; text, int32 or float32
  (layouts %layouts))      ; list of a channel's name and a list of its file, column from 0, columns of the file, scale, units

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
  "Return the format of the files of @var{measurement}: the symbol @code{text}, @code{int32} or @code{float32}."
  (%format measurement))

(define (measurement-layout measurement channel)
  "Return where the data of @var{channel} of @var{measurement} are.  A channel that is not there is an error."
  (or (assoc-ref (%layouts measurement) channel)
      (complain 'measurement-layout "~a has no channel ~a; it has ~a (~a)" (title measurement) channel
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
  "Return by what numbers in the file of @var{layout} are multiplied: nT or mV/km then come out."
  (fourth layout))

(define (layout-units layout)
  "Return the units that numbers in the file of @var{layout} have if multiplied by the header's scale."
  (fifth layout))

(define (channel-files measurement channel)
  "Return the list of the files that say what @var{channel} of @var{measurement} is: the header, and one with data."
  (list (measurement-header measurement) (layout-file (measurement-layout measurement channel))))

;;; Headers.

(define (header-file folder)
  (string-append folder "/header.ini"))

(define time-kind
  (make-kind "a time such as 2020-05-17T09:30:00.25" (lambda (text) (and=> (parse-time text) list))))

(define header-schema
  `((""
     ("start" ,time-kind)
     ("rate" ,(exact-kind "a positive number" positive?))
     ("samples" ,(integer-kind 1))
     ("channels" ,(choices-kind channel-names))
     ("format" ,(choice-kind '("text" "int32" "float32")))
     ("file" ,name-kind)
     ("columns" ,(integer-kind 1)))
    (,channel-names
     ("file" ,name-kind)
     ("column" ,(integer-kind 1))
     ("columns" ,(integer-kind 1))
     ("scale" ,(exact-kind "a number other than 0" (negate zero?)))
     ("units" ,text-kind))))

(define (read-header site name folder)
  "Return the measurement NAME of SITE whose header is in FOLDER."
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
                          '("file" "column" "columns" "scale" "units")))
              channel-names)
    (let ((layouts (map (lambda (channel) (cons channel (channel-layout settings channel channels folder format))) channels)))
      (make-measurement site name folder (ref "" "start") (ref "" "rate") (ref "" "samples") format
                        (filter (lambda (layout) layout)
                                (map (lambda (channel) (assoc channel layouts)) channel-names))))))

(define (channel-layout settings channel channels folder format)
  (let* ((ref (lambda (key default) (settings-ref settings channel key default)))
         (own-file (ref "file" #f))
         ;; Channels without a file of their own are in the common one, column by column.
         (common (filter (lambda (name) (not (settings-ref settings name "file"))) channels))
         (columns (ref "columns" (if own-file 1 (settings-ref settings "" "columns" (length common)))))
         (column (ref "column" (if own-file 1 (1+ (list-index (lambda (name) (string=? name channel)) common)))))
         (name (ref "units" (default-units channel)))
         (factor (assoc-ref (known-units channel) name)))
    (unless (<= column columns)
      (settings-complain settings channel "column" "it is ~a, but the file has only ~a column~:p" column columns))
    (unless factor
      (settings-complain settings channel "units" "they are ~a, expected one of ~a" name
                         (string-join (map car (known-units channel)) ", ")))
    (list (string-append folder "/" (or own-file (settings-ref settings "" "file" (if (eq? format 'text) "data.txt" "data.bin"))))
          (1- column) columns (* (exact->inexact (ref "scale" 1)) (car factor)) name)))

;;; Projects.

(define-record-type <project>
  (make-project folder name reference configuration sites)
  %project?
  (folder %project-folder)
  (name %project-name set-name!)
  (reference %project-reference set-reference!)    ; or #f
  (configuration %project-configuration)
  (sites %project-sites set-sites!))               ; list of a site's name and a list of measurements, by start

(set-record-type-printer! <project>
  (lambda (project port)
    (format port "#<project ~s: ~a site~:p>" (%project-name project) (length (%project-sites project)))))

(define (project? x)
  "Return true if @var{x} is a project of magnetotelluric data."
  (%project? x))

(define (project-folder project)
  "Return the folder of @var{project}."
  (%project-folder project))

(define (project-name project)
  "Return the name of @var{project}."
  (%project-name project))

(define (project-configuration project)
  "Return the configuration by which @var{project} is processed."
  (%project-configuration project))

(define (project-sites project)
  "Return the sorted list of the names of the sites of @var{project}."
  (map car (%project-sites project)))

(define* (site-measurements project site #:optional rate)
  "Return the list of the measurements of the @var{site} with this name in @var{project}, by their start; if @var{rate} is given, only
those with this sampling rate."
  (let ((measurements (assoc-ref (%project-sites project) site)))
    (unless measurements
      (complain 'site-measurements "there is no site ~s in ~a; there ~[are none~;is ~a~:;are ~a~]" site (project-folder project)
                (length (project-sites project)) (string-join (project-sites project) ", ")))
    (filter (lambda (measurement) (or (not rate) (= rate (measurement-rate measurement)))) measurements)))

(define (project-measurements project)
  (append-map cdr (%project-sites project)))

(define (project-rates project)
  "Return the list of the sampling rates of all measurements of @var{project}, the highest first."
  (sort (delete-duplicates (map measurement-rate (project-measurements project))) >))

(define (project-reference project rate)
  "Return the time from which samples at @var{rate} are counted in @var{project}: its reference time, else the earliest start of all its
measurements at this rate."
  (or (%project-reference project)
      (match (filter (lambda (measurement) (= rate (measurement-rate measurement))) (project-measurements project))
        (() (complain 'project-reference "~a has no measurement at ~a Hz; there are ~{~a~^, ~}" (project-folder project) rate
                      (project-rates project)))
        (measurements (apply min (map measurement-start measurements))))))

(define stage-folders
  '((time . "timeData") (spectra . "specData") (statistics . "statData") (mask . "maskData") (transfer . "transFunctionData")
    (image . "images")))

(define (project-result-folder project stage . names)
  "Return the folder of @var{project} for what @var{stage} makes: @code{spectra}, @code{statistics}, @code{mask}, @code{transfer} or
@code{image}.  @var{names} are folders within: of the site, the measurement, and so on.  It may not be there yet."
  (string-join (cons* (project-folder project)
                      (or (assq-ref stage-folders stage)
                          (complain 'project-result-folder "there is no stage ~s, expected one of ~{~a~^, ~}" stage
                                    (map car stage-folders)))
                      names)
               "/"))

;;; Reading and making them.

(define (project-file folder)
  (string-append folder "/mtproject.ini"))

(define project-schema
  `((""
     ("name" ,text-kind)
     ("reference" ,time-kind))))

(define (subfolders folder)
  (filter (lambda (name) (file-is-directory? (string-append folder "/" name))) (visible-entries 'load-project folder)))

(define (read-site folder site)
  (let* ((within (string-append folder "/" site))
         (measurements (map (lambda (name) (read-header site name (string-append within "/" name))) (subfolders within))))
    (cons site (sort measurements (lambda (a b) (< (measurement-start a) (measurement-start b)))))))

(define (project-refresh! project)
  "Read the project file and all headers of @var{project} again, and return it."
  (let* ((folder (project-folder project))
         (file (project-file folder)))
    (unless (file-exists? file)
      (complain 'load-project "~a is no project: there is no ~a; create-project makes one" folder file))
    (let* ((settings (read-settings 'load-project file project-schema))
           (data (project-result-folder project 'time))
           (sites (if (file-exists? data)
                      (map (lambda (site) (read-site data site)) (subfolders data))
                      '())))
      (set-name! project (settings-ref settings "" "name" (basename folder)))
      (set-reference! project (settings-ref settings "" "reference"))
      (set-sites! project sites)
      project)))

(define (->configuration x)
  (cond ((not x) (default-configuration))
        ((string? x) (read-configuration x))
        ((configuration? x) x)
        (else (complain 'load-project "the configuration is ~s, expected a file's name or a configuration" x))))

(define* (load-project folder #:key configuration)
  "Return the project in @var{folder}.  @var{configuration} is a configuration, the name of a configuration file, or @code{#f} for the
defaults.  All headers are read and checked; data are read when they are used."
  (project-refresh! (make-project (strip-slash folder) #f #f (->configuration configuration) '())))

(define (strip-slash folder)
  (if (and (string-suffix? "/" folder) (> (string-length folder) 1)) (strip-slash (string-drop-right folder 1)) folder))

(define* (create-project folder #:key name reference configuration)
  "Make a project in @var{folder}, which may be there but be no project yet, and return it as @code{load-project} does.  @var{reference} is
the time from which samples are counted, in nanoseconds since 1970 or as a string; if it is not given, that is the earliest start of
all measurements at a sampling rate."
  (let ((file (project-file (strip-slash folder)))
        (time (if (string? reference) (string->time reference) reference)))
    (when (file-exists? file)
      (complain 'create-project "~a is there already; load-project reads it" file))
    (make-folders! 'create-project (string-append (strip-slash folder) "/timeData"))
    (write-whole file (lambda (port)
                        (format port "name = ~a~%~@[reference = ~a~%~]" (quote-text (or name (basename (strip-slash folder))))
                                (and time (time->string time)))))
    (load-project folder #:configuration configuration)))
