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
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt files)
  #:use-module (tutti mt ini)
  #:use-module (tutti mt measurement)
  #:use-module (tutti mt store)
  #:use-module (tutti mt time)
  #:re-export (string->time time->string
               measurement? measurement-site measurement-name measurement-folder measurement-start measurement-end
               measurement-rate measurement-samples measurement-channels measurement-units measurement-header channel-files
               measurement-format measurement-layout layout-file layout-column layout-columns layout-scale layout-units layout-missing
               layout-gaps channel-names default-units same-rate?)
  #:export (create-project load-project project-refresh! project? project-folder project-name project-configuration project-sites
            project-rates project-reference project-result-folder site-measurements))

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

(define-documented #:of project
  (project-folder %project-folder
   "Return the folder of @var{project}.")
  (project-name %project-name
   "Return the name of @var{project}.")
  (project-configuration %project-configuration
   "Return the configuration by which @var{project} is processed."))

(define (project-sites project)
  "Return the sorted list of the names of the sites of @var{project}."
  (map car (%project-sites project)))

(define* (site-measurements project site #:optional rate)
  "Return the list of the measurements of the @var{site} with this name in @var{project}, by their start; if @var{rate} is given, only
those with this sampling rate."
  (let ((measurements (assoc-ref (%project-sites project) site)))
    (unless measurements
      (refuse 'site-measurements "there is no site ~s in ~a; there ~[are none~;is ~a~:;are ~a~]" site (project-folder project)
              (length (project-sites project)) (string-join (project-sites project) ", ")))
    (filter (lambda (measurement) (or (not rate) (same-rate? rate (measurement-rate measurement)))) measurements)))

(define (project-measurements project)
  (append-map cdr (%project-sites project)))

(define (project-rates project)
  "Return the list of the sampling rates of all measurements of @var{project}, the highest first."
  (sort (delete-duplicates (map measurement-rate (project-measurements project))) >))

(define (project-reference project rate)
  "Return the time from which samples at @var{rate} are counted in @var{project}: its reference time, else the earliest start of all its
measurements at this rate."
  (or (%project-reference project)
      (match (filter (lambda (measurement) (same-rate? rate (measurement-rate measurement))) (project-measurements project))
        (() (refuse 'project-reference "~a has no measurement at ~a Hz; there are ~{~a~^, ~}" (project-folder project) rate
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
                          (refuse 'project-result-folder "there is no stage ~s, expected one of ~{~a~^, ~}" stage
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
    (cons site (sort measurements
                     (lambda (a b)
                       (or (< (measurement-start a) (measurement-start b))
                           (and (= (measurement-start a) (measurement-start b))
                                (string<? (measurement-name a) (measurement-name b)))))))))

(define (project-refresh! project)
  "Read the project file and all headers of @var{project} again, and return it."
  (let* ((folder (project-folder project))
         (file (project-file folder)))
    (unless (file-exists? file)
      (refuse 'load-project "~a is no project: there is no ~a; create-project makes one" folder file))
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
        (else (refuse 'load-project "the configuration is ~s, expected a file's name or a configuration" x))))

(define* (load-project folder #:key configuration)
  "Return the project in @var{folder}.  @var{configuration} is a configuration, the name of a configuration file, or @code{#f} for the
defaults.  All headers are read and checked; data are read when they are used."
  (project-refresh! (make-project (strip-slash folder) #f #f (->configuration configuration) '())))

(define (strip-slash folder)
  (if (and (string-suffix? "/" folder) (> (string-length folder) 1)) (strip-slash (string-drop-right folder 1)) folder))

(define* (create-project folder #:key name reference configuration)
  "Make a project in @var{folder}, which may exist but must not be a project yet, and return it as @code{load-project} does.
@var{reference} is the time from which samples are counted, in nanoseconds since 1970 or as a string; without it, samples are counted
from the earliest start of all measurements at a sampling rate."
  (let ((file (project-file (strip-slash folder)))
        (time (if (string? reference) (string->time reference) reference)))
    (when (file-exists? file)
      (refuse 'create-project "~a is there already; load-project reads it" file))
    (make-folders! 'create-project (string-append (strip-slash folder) "/timeData"))
    (write-whole file (lambda (port)
                        (format port "name = ~a~%~@[reference = ~a~%~]" (quote-text (or name (basename (strip-slash folder))))
                                (and time (time->string time)))))
    (load-project folder #:configuration configuration)))
