;; SPDX-License-Identifier: LGPL-3.0-or-later
;; EDI files as others write them: one file of tests/data/edi for each way, all of the same impedances and tippers.
(use-modules (tap)
             (tutti conditions)
             (tutti mt edi)
             (tutti mt edi description)
             (tutti mt result)
             (ice-9 exceptions)
             (ice-9 format)
             (ice-9 match)
             (ice-9 textual-ports)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-mt-edi-XXXXXX")))
(define (in-folder name) (string-append folder "/" name))
(define (data name) (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/data/edi/" name ".edi"))

;; What all of them are made from.
(define scales '(1 1/10 1/100))
(define tipper-scales '(1 1/2 1/4))
(define impedances '(1+2i 30+40i -20-30i -1-0.5i))
(define variances '(0.04 0.09 0.16 0.25))
(define tippers '(0.1+0.05i -0.2-0.1i))
(define tipper-variances '(0.0004 0.0009))

(define (scaled items scales) (append-map (lambda (scale) (map (lambda (item) (* scale item)) items)) scales))
(define (squares items) (map (lambda (x) (* x x)) items))

(define (near? items expected tolerance)
  (and (= (length items) (length expected))
       (every (lambda (x y)
                (let ((nan (lambda (z) (nan? (real-part z)))))
                  (or (eqv? x y) (and (nan x) (nan y)) (<= (magnitude (- x y)) (* tolerance (magnitude y))))))
              items expected)))

(define (z-of tf) (append-map c64vector->list (transfer-function-impedances tf)))
(define (var-of tf) (append-map f64vector->list (transfer-function-variances tf)))
(define (t-of tf) (append-map c64vector->list (or (transfer-function-tippers tf) '())))
(define (tvar-of tf) (append-map f64vector->list (or (transfer-function-tipper-variances tf) '())))

(define (read-noting file . options)
  "Return what read-edi returns, and what it says."
  (let* ((tf #f)
         (said (call-with-output-string
                 (lambda (port) (parameterize ((current-warning-port port)) (set! tf (apply read-edi file options)))))))
    (values tf said)))

(define (quiet-read file . options)
  (call-with-values (lambda () (apply read-noting file options)) (lambda (tf said) tf)))
(define (said file . options)
  (call-with-values (lambda () (apply read-noting file options)) (lambda (tf said) said)))
(define (pieces-missing text . pieces)
  (remove (lambda (piece) (string-contains text piece)) pieces))

(define-syntax-rule (test-comes-back name tf)
  (test-assert (string-append name ": there and back")
    (transfer-function=? tf (quiet-read (write-edi (in-folder "back.edi") tf)))))

;; A file, and what it has of the whole: components, variances, tippers.
(define* (test-file name #:key (z impedances) (var variances) (tipper? #t) (tipper-var tipper-variances) (site name) (tolerance 1e-9)
                    (says ""))
  (test-group name
    (call-with-values (lambda () (read-noting (data name)))
      (lambda (tf text)
        (test-equal "site" site (transfer-function-site tf))
        (test-assert "frequencies" (near? (transfer-function-frequencies tf) '(100. 1. 0.01) 1e-9))
        (test-assert "impedances" (near? (z-of tf) (scaled z scales) tolerance))
        (test-assert "variances" (near? (var-of tf) (scaled var (squares scales)) (* 10 tolerance)))
        (test-assert "tippers" (near? (t-of tf) (if tipper? (scaled tippers tipper-scales) '()) tolerance))
        (test-assert "their variances" (near? (tvar-of tf) (if tipper? (scaled tipper-var (squares tipper-scales)) '()) (* 10 tolerance)))
        (test-assert (string-append "says: " says) (if (string-null? says) (string-null? text) (string-contains text says)))
        (test-comes-back "tf" tf)))))

(define nan +nan.0)
(define (list-with-nan items i) (append (list-head items i) (list nan) (list-tail items (1+ i))))
(define (turned-variances degrees)
  "Return those of impedances and of tippers in axes at DEGREES, errors of components being independent."
  (let* ((a (* degrees (/ (acos -1) 180))) (c (expt (cos a) 2)) (s (expt (sin a) 2)))
    (match (list variances tipper-variances)
      (((xx xy yx yy) (x y))
       (list (list (+ (* c c xx) (* c s xy) (* c s yx) (* s s yy)) (+ (* c s xx) (* c c xy) (* s s yx) (* c s yy))
                   (+ (* c s xx) (* s s xy) (* c c yx) (* c s yy)) (+ (* s s xx) (* c s xy) (* c s yx) (* c c yy)))
             (list (+ (* c x) (* s y)) (+ (* s x) (* c y))))))))

(define (message-of thunk)
  (with-exception-handler (lambda (error) (if (tutti-error? error) (exception-message error) (format #f "another error: ~s" error)))
    (lambda () (format #f "returned ~s" (thunk)))
    #:unwind? #t))

(define (edited name file . changes)
  "Write the text of the data called NAME with pairs of texts replaced to FILE, and return FILE."
  (let ((text (fold (match-lambda*
                      (((from . to) text)
                       (let ((at (or (string-contains text from) (error "not in the file:" from))))
                         (string-append (substring text 0 at) to (substring text (+ at (string-length from)))))))
                    (call-with-input-file (data name) get-string-all #:encoding "UTF-8") changes)))
    (call-with-output-file file (lambda (port) (display text port)) #:encoding "UTF-8")
    file))

(call-with-tap
 (lambda ()
   (for-each test-file '("plain" "comments" "rot-north" "tipper-short-names" "cr-only" "crlf" "utf-16le" "utf-16be" "latin-1" "blanks"))
   (test-file "lower-case" #:site "lower")
   (test-file "sections-by-kind")
   (test-file "no-dataid" #:site "section name")
   (test-file "no-name")   ; that of the file
   (for-each (lambda (name) (test-file name #:tipper? #f)) '("d-exponents" "count-on-next-line" "periods"))
   (test-file "scalar" #:z (list nan 30+40i -20-30i nan) #:var (list nan 0.09 0.16 nan) #:tipper? #f)
   (test-file "tipper-only" #:z (make-list 4 nan) #:var (make-list 4 nan))
   (test-file "rho-phs" #:tipper? #f)
   (test-file "rho-phs-folded" #:z (list nan 30+40i -20-30i nan) #:var (list nan 0.09 0.16 nan) #:tipper? #f
              #:says ":48: phases of yx")
   (test-file "zrot" #:var (first (turned-variances 30)))
   (test-file "rot-number" #:var (first (turned-variances 20)) #:tipper-var (second (turned-variances 20)))
   (test-file "rot-none" #:var (first (turned-variances 12)) #:tipper-var (second (turned-variances 12)) #:says "sensors, at 12.0 degrees")
   (test-group "other angles at each frequency"
     (let ((tf (quiet-read (data "trot"))))
       (test-assert "impedances" (near? (z-of tf) (scaled impedances scales) 1e-9))
       (test-assert "variances"
         (near? (var-of tf)
                (append-map (lambda (angle scale) (map (lambda (v) (* v scale scale)) (first (turned-variances angle))))
                            '(30 -45 210) scales)
                1e-9))
       (test-assert "tippers" (near? (t-of tf) (scaled tippers tipper-scales) 1e-9))
       (test-assert "their variances"
         (near? (tvar-of tf)
                (append-map (lambda (angle scale) (map (lambda (v) (* v scale scale)) (second (turned-variances angle))))
                            '(90 60 15) tipper-scales)
                1e-9))
       (test-comes-back "trot" tf)))
   (test-group "axes asked for"
     (test-equal "those of the file, to the last bit"
       (z-of (quiet-read (edited "zrot" (in-folder "same.edi") '(">ZROT" . ">QROT") '("ROT=ZROT" . "ROT=0"))))
       (z-of (quiet-read (data "zrot") #:azimuth 30)))
     (let ((tf (quiet-read (data "plain") #:azimuth 30)))
       (test-equal "are a detail" '(30 30) (map (lambda (key) (assq-ref (transfer-function-details tf) key)) '(azimuth tipper-azimuth)))
       (test-assert "and turned back from"
         (near? (z-of (quiet-read (write-edi (in-folder "thirty.edi") tf))) (scaled impedances scales) 1e-9))
       (test-assert "or not"
         (transfer-function=? tf (quiet-read (in-folder "thirty.edi") #:azimuth 30)))
       (test-assert "a quarter turn is exact"
         (equal? (map (lambda (i) (list-ref (z-of (quiet-read (data "plain") #:azimuth 90)) i)) '(0 1 2 3))
                 '(-1.-0.5i 20.+30.i -30.-40.i 1.+2.i))))
     (test-equal "no number" '()
       (pieces-missing (message-of (lambda () (read-edi (data "plain") #:azimuth +inf.0))) "azimuth" "number of degrees"))
     (test-equal "of components that are missing" '(20.)
       (list (assq-ref (transfer-function-details (quiet-read (data "rho-phs-folded"))) 'azimuth)))
     (test-equal "is said" '() (pieces-missing (said (data "rho-phs-folded")) ":38: components are missing" "20.0 degrees")))

   (test-group "what is unknown or infinite"
     (let ((tf (quiet-read (data "empty"))))
       (test-assert "impedances" (near? (z-of tf) (list-with-nan (scaled impedances scales) 4) 1e-9))
       (test-assert "variances" (near? (var-of tf) (list-with-nan (list-with-nan (scaled variances (squares scales)) 4) 2) 1e-9))
       (test-comes-back "empty" tf))
     (let ((tf (quiet-read (data "infinite"))))
       (test-equal "infinite" '(+inf.0 +inf.0) (list (list-ref (var-of tf) 0) (list-ref (var-of tf) 11)))
       (test-comes-back "infinite" tf))
     (let ((tf (make-transfer-function #:site "s" #:frequencies '(1) #:impedances (list (c64vector 1e32 1 -1e32 1e35+1i))
                                       #:variances (list (f64vector +inf.0 nan 1e32 1)))))
       (test-comes-back "numbers such as stand for none" tf))
     (let ((n (- nan)))   ; with the sign of what 0/0 is
       (test-comes-back "of any sign"
         (make-transfer-function #:site "s" #:frequencies '(1)
                                 #:impedances (list (c64vector (make-rectangular n 1) (make-rectangular 1 n) (make-rectangular n n) 1))
                                 #:variances (list (f64vector n nan 1 1))
                                 #:tippers (list (c64vector (make-rectangular n n) 1)) #:tipper-variances (list (f64vector n 1))))))

   (test-group "sections"
     (test-assert "the first" (near? (z-of (quiet-read (data "sections"))) (scaled impedances scales) 1e-9))
     (test-equal "the other is named, with its line" '()
       (pieces-missing (said (data "sections")) "sections.edi:62:" "\"second\"" "#:section"))
     (for-each (lambda (section)
                 (test-assert (format #f "~s" section)
                   (near? (z-of (quiet-read (data "sections") #:section section)) (scaled impedances '(2 2/10)) 1e-9)))
               '(2 "second"))
     (test-equal "no such" '()
       (pieces-missing (message-of (lambda () (read-edi (data "sections") #:section "third"))) "\"third\"" "\"first\", \"second\""))
     (test-equal "nor number" '()
       (pieces-missing (message-of (lambda () (read-edi (data "sections") #:section 3))) "section of data 3" "are 2")))

   (test-group "spectra"
     ;; The noise of Ex and Ey is 0.04, that of Hz 0.0002, that of the remote site 0.2, and the fields are
     ;; 2, 0.3+0.1i; 0.3-0.1i, 1.5: by hand the sensitivities are 0.57313 and 0.78716. There are 50 averages.
     (let* ((v (list (* 0.04 0.5731272294887041 1/48) (* 0.04 0.7871581450653984 1/48)))
            (w (map (lambda (x) (* x 1/200)) v)))
       (test-file "spectra-remote" #:var (append v v) #:tipper-var w #:tolerance 1e-8)
       (test-file "spectra-other-order" #:var (append v v) #:tipper? #f #:tolerance 1e-8))
     (test-file "spectra-single" #:var (make-list 4 nan) #:tipper? #f #:tolerance 1e-8 #:says "AVGT")
     (test-equal "no square" '()
       (pieces-missing (message-of (lambda ()
                                     (read-edi (edited "spectra-single" (in-folder "odd.edi") '("//16" . "//15 ") '("  2  " . "  ")))))
                       "odd.edi:19:" "15 numbers" "no square matrix"))
     (test-equal "channels that nobody names" '()
       (pieces-missing (message-of (lambda () (read-edi (edited "spectra-single" (in-folder "one.edi") '("//16" . "//1\n 7\n>X")))))
                       "which the 1 channels")))

   (test-group "errors from spectra are those that there are"
     ;; 300 estimates from 12 averages each, of fields and noise drawn at random.
     (define state (seed->random-state 1))
     (define (draw) (make-rectangular (random:normal state) (random:normal state)))
     (define (conjugate z) (make-rectangular (real-part z) (- (imag-part z))))
     (define (window)
       (let* ((x (draw)) (y (draw)) (noise (lambda (size) (* size (draw)))))
         ;; hx hy ex ey rx ry
         (list (+ x 0) (+ y 0) (+ x (* 3 y) (noise 0.5)) (+ (* -2 x) y (noise 0.5)) (+ x (noise 0.3)) (+ y (noise 0.3)))))
     (define (matrix n)
       (let ((windows (map (lambda (i) (window)) (iota n))))
         (append-map (lambda (i)
                       (map (lambda (j)
                              (let ((s (/ (apply + (map (lambda (w) (* (list-ref w i) (conjugate (list-ref w j)))) windows)) n)))
                                (if (>= i j) (real-part s) (- (imag-part s)))))
                            (iota 6)))
                     (iota 6))))
     (define file (in-folder "random.edi"))
     (call-with-output-file file
       (lambda (port)
         (format port ">HEAD~%>=SPECTRASECT~%NCHAN=6~%// 6~%HX HY EX EY RX RY~%")
         (for-each (lambda (k) (format port ">SPECTRA FREQ=~a AVGT=12 // 36~%~{ ~a~}~%" k (matrix 12))) (iota 300 1))
         (format port ">END~%")))
     (let ((tf (quiet-read file)))
       (for-each (lambda (name expected)
                   (let ((real (/ (apply + (map (lambda (z) (expt (magnitude (- z expected)) 2)) (impedance-component tf name))) 300))
                         (stated (/ (apply + (impedance-variances tf name)) 300)))
                     (test-assert (format #f "~a: ~,4f, stated ~,4f" name real stated) (< 0.8 (/ stated real) 1.25))))
                 component-names '(1 3 -2 1))))

   (test-group "the site"
     (let ((details (transfer-function-details (quiet-read (data "plain")))))
       (test-equal "place" '(-30.26 139.5 120. -30.26 139.5 120.)
         (map (lambda (key) (assq-ref details key))
              '(latitude longitude elevation reference-latitude reference-longitude reference-elevation)))
       (test-equal "survey" "made for tests" (assq-ref details 'survey))
       (test-equal "text" "  SURVEY ID=made for tests" (assq-ref details 'information))
       (test-equal "other words" '(("ACQBY" . "nobody")) (assq-ref details 'head)))
     (test-equal "not in ASCII" '("Müller" "Müller" "Müller")
       (map (lambda (name) (assoc-ref (assq-ref (transfer-function-details (quiet-read (data name))) 'head) "ACQBY"))
            '("utf-16le" "utf-16be" "latin-1")))
     (for-each (lambda (text expected) (test-equal text expected (text->degrees text)))
               '("-30:30:36" "-0:30:00" "+127:7.5" "12.5" "30 30 00 S" "W 10:30" "00:00: 0.00" "1.5E1" "40°30'00\"N" "x" "1:70" "")
               '(-30.51 -0.5 127.125 12.5 -30.5 -10.5 0. 15. 40.5 #f #f #f))
     (test-equal "a place that cannot be read" '()
       (pieces-missing (said (edited "plain" (in-folder "lat.edi") '("LAT=-30:15:36.00" . "LAT=up there"))) "LAT is \"up there\""))
     (test-equal "in feet" '(36.576)
       (list (assq-ref (transfer-function-details
                        (quiet-read (edited "plain" (in-folder "feet.edi") '("ELEV=120" . "ELEV=120\n UNITS=FT"))))
                       'elevation)))
     (let ((tf (make-transfer-function
                #:site "s" #:frequencies '() #:impedances '() #:variances '()
                #:details `((latitude . ,(/ 1. 3)) (longitude . -1e-7) (survey . "one \\ two") (head ("LOC" . "here > there; a=b"))
                            (information . "> 5 km\n\n  a \"b\" // c\n! d\n>see http://a.b\n>End of this")
                            (sensors "HMEAS ID=1 CHTYPE=HX ACQCHAN=ADU//0 GAIN=1")))))
       (test-comes-back "texts" tf)
       (test-assert "in tables, too" (transfer-function=? tf (read-transfer-function (write-transfer-function (in-folder "tf.txt") tf)))))
     (for-each
      (lambda (details . pieces)
        (test-equal (format #f "~s" details) '()
          (apply pieces-missing
                 (message-of (lambda ()
                               (write-edi (in-folder "x.edi")
                                          (make-transfer-function #:site "s" #:frequencies '() #:impedances '() #:variances '()
                                                                  #:details details))))
                 pieces)))
      '(((information . "a\n>FREQ // 2")) ((survey . "a \"b\"")) (latitude)) '(">FREQ" "survey" "details are")))

   (test-group "what is not read is said once"
     (let ((text (said (edited "plain" (in-folder "more.edi")
                               '(">END" . ">COH MEAS1=1 // 1\n 1\n>COH // 1\n 2\n>SKEW // 1\n 1\n>END")))))
       (test-equal "names and lines" '() (pieces-missing text "more.edi:74:" ">COH (lines 74, 76)" ">SKEW (line 78)"))
       (test-equal "one line" 1 (string-count text #\newline))))
   (test-group "numbers"
     (define (first-zxxr text)
       (define file
         (edited "plain" (in-folder "number.edi")
                 (cons ">ZXXR ROT=ZROT // 3\n  1  0.1" (string-append ">ZXXR ROT=ZROT // 3\n  " text))))
       (real-part (first (impedance-component (quiet-read file) "xx"))))
     (for-each (lambda (text expected) (test-assert text (near? (list (first-zxxr text)) (list expected) 1e-15)))
               '("1.5D+01 1" ".5 1" "+2. 1" "1.5-101 1" "1.5E-301 1" "-.5e301 1" "1.0E+00-1.0E+00" "1E999999999999 1"
                 "***** 1" "1.#QNAN 1" "-1.#IND00E+000 1" "-Inf 1" "3.0, 1" "2,5E+00 1" "1.00000003E+32 1")
               (list 15 0.5 2 1.5e-101 1.5e-301 -0.5e301 1 +inf.0 nan nan nan -inf.0 3 2.5 nan)))
   (system* "rm" "-r" folder)))
