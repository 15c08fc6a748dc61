;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Configuration files of magnetotelluric processing: what resistics writes is read as it is, and each mistake is told with its line.
(use-modules (tap)
             (tutti conditions)
             (tutti mt configuration)
             (ice-9 exceptions)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-64))

(define file
  (let* ((port (mkstemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-mt-configuration-XXXXXX")))
         (name (port-filename port)))
    (close-port port)
    name))

(define (write-lines . lines)
  (call-with-output-file file
    (lambda (port) (for-each (lambda (line) (display line port) (newline port)) lines))
    #:encoding "UTF-8")
  file)

(define (configuration . lines)
  (read-configuration (apply write-lines lines)))

(define (complaint thunk)
  "Return what the error in THUNK says, without the name of the file."
  (with-exception-handler
      (lambda (error)
        (if (tutti-error? error)
            (let ((text (exception-message error)))
              (if (string-prefix? file text) (substring text (string-length file)) text))
            (list 'another error)))
    (lambda () (list 'returned (thunk)))
    #:unwind? #t))

(define-syntax-rule (test-complaint name start part ... (line ...))
  ;; The message is about the line START says, and has all PARTs.
  (let ((text (complaint (lambda () (configuration line ...)))))
    (test-equal name '(#t part ...)
      (cons (and (string? text) (string-prefix? start text))
            (map (lambda (piece) (if (and (string? text) (string-contains text piece)) piece (list 'not-in text))) (list part ...))))))

(define (ref c . place) (apply configuration-ref c place))

(define defaults
  '((global name "default") (global ncores #f) (decimation numlevels 7) (decimation minsamples 100) (frequencies frequencies ())
    (frequencies perlevel 7) (window minwindows 5) (window windowfactor 2.) (window minwindowsize 512) (window minoverlapsize 128)
    (window overlapfraction 0.25) (window windowsizes ()) (window overlapsizes ())
    (calibration extend #t) (calibration usetheoretical #f) (solver boostrap #t) (solver windowfunc "hamming")
    (spectra specdir "spectra") (spectra applywindow #t) (spectra windowfunc "blackmanharris")
    (spectra ncores #f) (statistics stats ("coherence" "transferFunction"))
    (statistics remotestats ("RR_coherence" "RR_transferFunction")) (statistics ncores #f) (solver method "cm") (solver intercept #f)
    (solver ncores #f)))

(define (all c)
  (map (match-lambda ((section key _) (list section key (ref c section key)))) defaults))

(call-with-tap
 (lambda ()
   (test-group "defaults"
     (test-equal "of no file" defaults (all (default-configuration)))
     (test-equal "of an empty file" defaults (all (configuration)))
     (test-equal "of comments" defaults (all (configuration "# a = b" "; [c]" "" "   " "[Window]" "  # minwindows = 9")))
     (test-equal "no number of workers" '(#f #f #f) (map (lambda (s) (configuration-ncores (default-configuration) s))
                                                        '(spectra statistics solver))))

   (test-group "as resistics writes it"
     (let ((c (configuration "name = multi" "ncores = 6" "" "[Spectra]" "specdir = \"multi\"" "windowfunc = 'blackmanharis'" ""
                             "[Statistics]" "stats = \"coherence\", \"transferFunction\"," "remotestats = \"RR_coherenceEqn\"," "ncores=2"
                             "[Frequencies]" "frequencies = 0.1, 1e-2, 5," "perlevel =5 # five")))
       (test-equal "above the first section" '("multi" 6) (list (ref c 'global 'name) (ref c 'global 'ncores)))
       (test-equal "quotes" "multi" (ref c 'spectra 'specdir))
       (test-equal "a misspelt window" "blackmanharris" (ref c 'spectra 'windowfunc))
       (test-equal "a list with an empty last item" '("coherence" "transferFunction") (ref c 'statistics 'stats))
       (test-equal "a list of one" '("RR_coherenceEqn") (ref c 'statistics 'remotestats))
       (test-equal "a list of numbers" '(0.1 0.01 5.) (ref c 'frequencies 'frequencies))
       (test-equal "a comment behind a value" 5 (ref c 'frequencies 'perlevel))
       (test-equal "a section's workers win" '(6 2 6 6) (map (lambda (s) (configuration-ncores c s)) '(spectra statistics solver window)))
       (test-equal "the rest" '(7 512 #f) (list (ref c 'decimation 'numlevels) (ref c 'window 'minwindowsize) (ref c 'solver 'intercept)))
       (test-equal "the file" file (configuration-file c))))
   (test-equal "the default file of resistics, whose taper is another"
     (map (lambda (entry) (if (equal? (list-head entry 2) '(spectra windowfunc)) '(spectra windowfunc "hamming") entry)) defaults)
     (all (configuration "name = default" "" "[Calibration]" "extend = True" "usetheoretical = False" "" "[Decimation]" "numlevels = 7"
                         "minsamples = 100" "" "[Frequencies]" "frequencies = ," "perlevel = 7" "" "[Window]" "minwindows = 5"
                         "windowfactor = 2.0" "minwindowsize = 512" "minoverlapsize = 128" "overlapfraction = 0.25" "windowsizes = ,"
                         "overlapsizes = ," "" "[Spectra]" "specdir = spectra" "applywindow = True" "windowfunc = hamming" ""
                         "[Statistics]" "stats = coherence, transferFunction" "remotestats = RR_coherence, RR_transferFunction" ""
                         "[Solver]" "intercept = False" "boostrap = True" "windowfunc = hamming")))
   (test-equal "sizes of windows, level by level" '((128 512) (32 0))
     (let ((c (configuration "[Window]" "windowsizes = 128, 512," "overlapsizes = 32, 0" "[Decimation]" "numlevels = 2")))
       (list (ref c 'window 'windowsizes) (ref c 'window 'overlapsizes))))
   (test-equal "no bootstrap" #f (ref (configuration "[Solver]" "boostrap = False") 'solver 'boostrap))
   (test-equal "lists without quotes" '("resPhase" "coherence")
     (ref (configuration "[Statistics]" "stats = resPhase , coherence") 'statistics 'stats))
   (test-equal "empty lists" '(() () ())
     (let ((c (configuration "[Statistics]" "stats = ," "remotestats =" "[Frequencies]" "frequencies = # none")))
       (list (ref c 'statistics 'stats) (ref c 'statistics 'remotestats) (ref c 'frequencies 'frequencies))))
   (test-equal "signs of comments in quotes" "a # b; c, d" (ref (configuration "name = \"a # b; c, d\" ; e") 'global 'name))
   (test-equal "blanks in quotes" " a " (ref (configuration "name = ' a '") 'global 'name))
   (test-equal "a semicolon within a word" "a;b" (ref (configuration "name = a;b") 'global 'name))
   (test-equal "ends of lines as on Windows" '("x" 9)
     (let ((c (configuration "name = x\r" "[Window]\r" "minwindows = 9\r"))) (list (ref c 'global 'name) (ref c 'window 'minwindows))))
   (test-equal "a mark of the byte order" "x" (ref (configuration "\ufeffname = x") 'global 'name))
   (test-equal "ncores that are not said" '(#f 3)
     (let ((c (configuration "ncores = -1" "[Solver]" "ncores = 3")))
       (list (configuration-ncores c 'spectra) (configuration-ncores c 'solver))))
   (for-each
    (match-lambda
      ((word value)
       (test-equal (string-append "intercept = " word) value
         (ref (configuration "[Solver]" (string-append "intercept = " word)) 'solver 'intercept))))
    '(("True" #t) ("yes" #t) ("1" #t) ("on" #t) ("\"TRUE\"" #t) ("False" #f) ("no" #f) ("0" #f) ("off" #f)))

   (test-group "mistakes"
     (test-complaint "an unknown key" ":3:" "minsample" "[Decimation]" "numlevels, minsamples" ("" "[Decimation]" "minsample = 4"))
     (test-complaint "an unknown key at the top" ":1:" "nmae" "above the first section" "name, ncores" ("nmae = 4"))
     (test-complaint "an unknown section" ":2:" "[Windows]" "[Window]" ("name = x" "[Windows]"))
     (test-complaint "a section within a section" ":1:" "section's name" ("[[Window]]"))
     (test-complaint "a section twice" ":3:" "line 1" ("[Window]" "" "[Window]"))
     (test-complaint "a section that is not closed" ":1:" "]" ("[Window"))
     (test-complaint "a key twice" ":4:" "minwindows" "line 2" ("[Window]" "minwindows = 4" "" "minwindows = 4"))
     (test-complaint "no key" ":2:" "minwindows 4" ("[Window]" "minwindows 4"))
     (test-complaint "no value" ":2:" "minwindows" "empty" "an integer of at least 1" ("[Window]" "minwindows = "))
     (test-complaint "too small" ":3:" "minwindowsize" "[Window]" "16" "an integer of at least 32"
                     ("# one" "[Window]" "minwindowsize = 16"))
     (test-complaint "too large" ":2:" "11" "an integer from 1 to 10" ("[Decimation]" "numlevels = 11"))
     (test-complaint "too large a fraction" ":2:" "0.6" "a number from 0 to 0.5" ("[Window]" "overlapfraction = 0.6"))
     (test-complaint "not an integer" ":2:" "7.5" "an integer" ("[Decimation]" "numlevels = 7.5"))
     (test-complaint "not a number" ":2:" "+nan.0" "a number" ("[Window]" "windowfactor = +nan.0"))
     (test-complaint "a number of Scheme's alone" ":2:" "#xff" ("[Window]" "minwindowsize = \"#xff\""))
     (test-complaint "not a truth" ":2:" "maybe" "True or False" ("[Solver]" "intercept = maybe"))
     (test-complaint "an unknown window" ":2:" "hammin" "hamming" "parzen" ("[Spectra]" "windowfunc = hammin"))
     (test-complaint "an unknown method" ":2:" "one of ols, mmestimate, cm" ("[Solver]" "method = lsq"))
     (test-complaint "an unknown statistic" ":2:" "coherency" "resPhase" ("[Statistics]" "stats = coherence, coherency"))
     (test-complaint "a list where there is none" ":2:" "minwindows" "an integer" ("[Window]" "minwindows = 4,"))
     (test-complaint "a hole in a list" ":2:" "empty" ("[Statistics]" "stats = coherence,, resPhase"))
     (test-complaint "a quote that is not closed" ":1:" "name" "not closed" ("name = \"x"))
     (test-complaint "more behind a quote" ":1:" "behind" ("name = \"x\" y"))
     (test-complaint "a frequency that is not positive" ":2:" "-1" "positive" ("[Frequencies]" "frequencies = 1, -1"))
     (test-complaint "no workers" ":1:" "ncores" "at least 1" ("ncores = 0"))
     (test-complaint "a folder that leads away" ":2:" "../x" "without slashes" ("[Spectra]" "specdir = ../x"))
     (test-complaint "a theoretical calibration" ":2:" "usetheoretical in [Calibration]" "True" "False" "header.ini"
                     ("[Calibration]" "usetheoretical = True"))
     (test-complaint "a window of the solver" ":2:" "windowfunc in [Solver]" "hann" "[Spectra]" ("[Solver]" "windowfunc = hann"))
     (test-complaint "sizes of windows without overlaps" ":2:" "2 and 0" "numlevels" "7" ("[Window]" "windowsizes = 64, 64"))
     (test-complaint "sizes of windows for other levels" ":3:" "2 and 2" "which is 7"
                     ("[Window]" "windowsizes = 64, 64" "overlapsizes = 8, 8"))
     (test-complaint "overlaps as long as windows" ":3:" "64" "expected less"
                     ("[Window]" "windowsizes = 128, 64" "overlapsizes = 64, 64" "[Decimation]" "numlevels = 2"))
     (test-complaint "sizes that are none" ":2:" "windowsizes" "31" "integers of at least 32" ("[Window]" "windowsizes = 64, 31"))
     (test-complaint "windows that do not move on" ":2:" "128" "64" ("[Window]" "minwindowsize = 64"))
     (test-assert "a file that is not there"
       (string-contains (complaint (lambda () (read-configuration "/nonexistent/x.ini"))) "/nonexistent/x.ini: No such file")))

   (test-group "other values"
     (let ((c (configuration-with (default-configuration) 'window 'minwindowsize 256 'solver 'intercept #t 'statistics 'stats '("resPhase")
                                  'frequencies 'frequencies '(1 1/8) 'spectra 'ncores 2 'spectra 'windowfunc "blackmanharis")))
       (test-equal "are taken over" '(256 #t ("resPhase") 2 "blackmanharris" 128)
         (list (ref c 'window 'minwindowsize) (ref c 'solver 'intercept) (ref c 'statistics 'stats) (ref c 'spectra 'ncores)
               (ref c 'spectra 'windowfunc) (ref c 'window 'minoverlapsize)))
       (test-equal "differ where they do" '(("Window" "minwindowsize" 256) ("Solver" "intercept" #t))
         (lset-difference equal? (configuration-values c 'window 'solver)
                          (configuration-values (default-configuration) 'window 'solver)))
       (test-equal "workers have no say" (configuration-values c 'spectra)
         (configuration-values (configuration-with c 'spectra 'ncores 5 'global 'name "y") 'spectra)))
     (test-condition "out of range" tutti-error? (configuration-with (default-configuration) 'window 'minwindowsize 16))
     (test-condition "that do not go together" tutti-error? (configuration-with (default-configuration) 'window 'minoverlapsize 512))
     (test-condition "of an unknown key" tutti-error? (configuration-with (default-configuration) 'window 'size 16))
     (test-condition "left over" tutti-error? (configuration-with (default-configuration) 'window 'minwindowsize)))
   (test-condition "an unknown section is refused" tutti-error? (ref (default-configuration) 'windows 'minwindows))
   (delete-file file)))
