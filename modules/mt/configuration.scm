;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How a project is processed: the values of a configuration file in the form of resistics 0.0.6, and their defaults.
(define-module (tutti mt configuration)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti mt files)
  #:use-module (tutti mt ini)
  #:export (default-configuration read-configuration configuration? configuration-file configuration-ref configuration-ncores
            configuration-with configuration-values))

(define windows
  '("barthann" "bartlett" "blackman" ("blackmanharris" "blackmanharis") "bohman" "chebwin" "hamming" "hann" "nuttall" "parzen"))

(define statistics
  '("coherence" "powerSpectralDensity" "polarisationDirection" "partialCoherence" "transferFunction" "resPhase"))

(define remote-statistics
  '("RR_coherence" "RR_coherenceEqn" "RR_transferFunction" "RR_resPhase"))

(define workers-kind
  ;; resistics writes -1 for "not set".
  (make-kind "an integer of at least 1"
             (lambda (text)
               (if (string=? text "-1") (list #f) (kind-parse (integer-kind 1) (list text) #f)))))

;; Keys of the default file of resistics that have no effect here are ignored; values that would have one, but are not supported, are
;; refused.
(define usetheoretical-kind
  (make-kind "False: nothing is calibrated here, calibrate series before, or give their scale and units in header.ini"
             (lambda (text)
               (match (kind-parse boolean-kind (list text) #f)
                 ((#f) '(#f))
                 (_ #f)))))

(define solver-window-kind
  (make-kind "hamming, which has no effect: the taper of windows is windowfunc in [Spectra]"
             (lambda (text) (and (string=? text "hamming") (list text)))))

;; Sections with the names of their keys, what is allowed, and the default.
(define contents
  `((""
     ("name" ,text-kind "default")
     ("ncores" ,workers-kind #f))
    ("Calibration"
     ("extend" ,boolean-kind #t)
     ("usetheoretical" ,usetheoretical-kind #f))
    ("Decimation"
     ("numlevels" ,(integer-kind 1 10) 7)
     ("minsamples" ,(integer-kind 50) 100))
    ("Frequencies"
     ("frequencies" ,reals-kind ())
     ("perlevel" ,(integer-kind 1 10) 7))
    ("Window"
     ("minwindows" ,(integer-kind 1) 5)
     ("windowfactor" ,(real-kind 1) 2.)
     ("minwindowsize" ,(integer-kind 32) 512)
     ("minoverlapsize" ,(integer-kind 8) 128)
     ("overlapfraction" ,(real-kind 0 0.5) 0.25)
     ("windowsizes" ,(integers-kind 32) ())
     ("overlapsizes" ,(integers-kind 0) ()))
    ("Spectra"
     ("specdir" ,name-kind "spectra")
     ("applywindow" ,boolean-kind #t)
     ("clean" ,boolean-kind #t)
     ("notch" ,reals-kind ())
     ("windowfunc" ,(choice-kind windows) "blackmanharris")
     ("ncores" ,workers-kind #f))
    ("Statistics"
     ("stats" ,(choices-kind statistics) ("coherence" "transferFunction"))
     ("remotestats" ,(choices-kind remote-statistics) ("RR_coherence" "RR_transferFunction"))
     ("ncores" ,workers-kind #f))
    ("Solver"
     ("method" ,(choice-kind '("ols" "mmestimate" "cm")) "cm")
     ("intercept" ,boolean-kind #f)
     ("boostrap" ,boolean-kind #t)
     ("windowfunc" ,solver-window-kind "hamming")
     ("ncores" ,workers-kind #f))))

(define schema
  (map (match-lambda ((section . keys) (cons section (map (match-lambda ((name kind _) (list name kind))) keys)))) contents))

(define-record-type <configuration>
  (make-configuration file values)
  %configuration?
  (file %configuration-file)       ; or #f
  (values %configuration-values))  ; list of ((section . key) . value), in the order of CONTENTS

(set-record-type-printer! <configuration>
  (lambda (configuration port)
    (format port "#<configuration ~s>" (configuration-ref configuration 'global 'name))))

(define (configuration? x)
  "Return true if @var{x} is a configuration."
  (%configuration? x))

(define (configuration-file configuration)
  "Return the name of the file that @var{configuration} was read from, or @code{#f}."
  (%configuration-file configuration))

(define (collect ref)
  "Return the values of a configuration; REF is called with section, key and default."
  (append-map (match-lambda
                ((section . keys)
                 (map (match-lambda ((key _ default) (cons (cons section key) (ref section key default)))) keys)))
              contents))

(define (default-configuration)
  "Return the configuration that stands where no file says otherwise."
  (make-configuration #f (collect (lambda (section key default) default))))

(define (read-configuration file)
  "Return the configuration in @var{file}, an INI file as resistics reads it: @code{name} and @code{ncores} above the first section,
and the sections Calibration, Decimation, Frequencies, Window, Spectra, Statistics and Solver.  Keys that are absent keep their
defaults.  A key or section that is not known, a value that is not allowed, or a line that is not understood is a @code{&tutti-error}
that names file and line."
  (let* ((settings (read-settings 'read-configuration file schema))
         (values (collect (lambda (section key default) (settings-ref settings section key default)))))
    (check-windows values (lambda (key message . arguments)
                            (apply complain-about 'read-configuration file
                                   (or (settings-line settings "Window" key)
                                       (settings-line settings "Window" "minwindowsize")
                                       (settings-line settings "Window" "windowsizes"))
                                   message arguments)))
    (make-configuration file values)))

(define (check-windows values fail)
  "Call FAIL with a key and a message if windows would not move on, or sizes are not those of all levels."
  (define (ref key) (assoc-ref values (cons "Window" key)))
  (let ((levels (assoc-ref values '("Decimation" . "numlevels")))
        (sizes (ref "windowsizes"))
        (overlaps (ref "overlapsizes")))
    (unless (< (ref "minoverlapsize") (ref "minwindowsize"))
      (fail "minoverlapsize" "minoverlapsize in [Window] is ~a, expected less than minwindowsize, which is ~a" (ref "minoverlapsize")
            (ref "minwindowsize")))
    (unless (and (memv (length sizes) (list 0 levels)) (= (length sizes) (length overlaps)))
      (fail "overlapsizes" "windowsizes and overlapsizes in [Window] have ~a and ~a numbers, expected as many in both as numlevels in ~
[Decimation] says, which is ~a, or none" (length sizes) (length overlaps) levels))
    (for-each (lambda (size overlap)
                (unless (< overlap size)
                  (fail "overlapsizes" "overlapsizes in [Window] has ~a where windowsizes has ~a, expected less" overlap size)))
              sizes overlaps)))

(define (place who section key)
  "Return the pair of strings for the symbols SECTION and KEY."
  (let* ((name (if (eq? section 'global) "" (string-capitalize (symbol->string section))))
         (keys (assoc-ref contents name)))
    (unless keys
      (refuse who "there is no section ~s; there are global, ~{~a~^, ~}" section
              (map (lambda (section) (string-downcase (car section))) (cdr contents))))
    (unless (assoc (symbol->string key) keys)
      (refuse who "there is no key ~s in ~a; there are ~{~a~^, ~}" key section (map car keys)))
    (cons name (symbol->string key))))

(define (configuration-ref configuration section key)
  "Return the value of the symbol @var{key} in the symbol @var{section} of @var{configuration}: @code{(configuration-ref c 'window
'minwindows)}.  What is above the first section of a file is in @code{global}.  Lists are lists, @code{ncores} is @code{#f} where it is
not given."
  (assoc-ref (%configuration-values configuration) (place 'configuration-ref section key)))

(define (configuration-ncores configuration section)
  "Return the number of workers that @var{configuration} has for the symbol @var{section}: that of the section, otherwise that of the file
above all sections, otherwise @code{#f}. For a section without such a key, that of the file counts."
  (or (and (member section '(spectra statistics solver)) (configuration-ref configuration section 'ncores))
      (configuration-ref configuration 'global 'ncores)))

(define (configuration-with configuration . changes)
  "Return @var{configuration} with other values: @var{changes} are a section, a key and a value, and more of them.  They are checked as
those in a file are."
  (let loop ((changes changes) (values (%configuration-values configuration)))
    (match changes
      (()
       (check-windows values (lambda (key message . arguments) (apply refuse 'configuration-with message arguments)))
       (make-configuration (configuration-file configuration) values))
      ((section key value . rest)
       (let ((place (place 'configuration-with section key)))
         (loop rest (map (lambda (entry)
                           (if (equal? (car entry) place) (cons place (checked place value)) entry))
                         values))))
      (_ (refuse 'configuration-with "~s is left over, expected a section, a key and a value" changes)))))

(define (checked place value)
  "Return VALUE as it would be read from a file."
  (let ((kind (second (assoc (cdr place) (assoc-ref contents (car place))))))
    (define (text x)
      (cond ((string? x) x)
            ((boolean? x) (if x "True" "False"))
            ((real? x) (number->string (if (integer? x) x (exact->inexact x))))
            (else "")))
    (define (parsed)
      (if (list? value)
          (kind-parse kind (map text value) #t)
          (kind-parse kind (list (text value)) #f)))
    (cond ((and (string=? (cdr place) "ncores") (not value)) #f)
          ((parsed) => car)
          (else (refuse 'configuration-with "~a is ~s, expected ~a" (cdr place) value (kind-text kind))))))

(define (configuration-values configuration . sections)
  "Return the list of all values of the symbols @var{sections} of @var{configuration} that have a say in results, that is all but
@code{name} and @code{ncores}: lists of section, key and value, always in the same order."
  (filter-map (match-lambda
                (((section . key) . value)
                 (and (not (member key '("name" "ncores")))
                      (memq (string->symbol (string-downcase section)) sections)
                      (list section key value))))
              (%configuration-values configuration)))
