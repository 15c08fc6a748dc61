;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What an EDI file says about the site beside numbers: its place, the people who measured, sensors, and text for readers.  As details
;; of a transfer function (tutti mt result), and back.
(define-module (tutti mt edi description)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (tutti mt edi blocks)
  #:export (edi-details edi-measurements sensor-azimuth write-head write-information write-measurements own-information
            text->degrees))

;;; Places.

(define separators (char-set #\: #\' #\" #\° #\º #\space #\tab #\d #\D #\m #\M #\′ #\″))
(define hemispheres '((#\N . 1) (#\E . 1) (#\S . -1) (#\W . -1)))
(define exponent (make-regexp "[0-9.]E[+-]?[0-9]"))

(define (text->degrees text)
  "Return the number of degrees that @var{text} is, decimal or as degrees, minutes and seconds with colons, blanks or their signs between
them, and with a letter N, E, S or W or without; or @code{#f}."
  (define hemisphere   ; 1.5E2 is not in the east
    (and (not (regexp-exec exponent text)) (find (lambda (pair) (string-index text (car pair))) hemispheres)))
  (define bare (string-trim-both (if hemisphere (string-delete (car hemisphere) text) text)))
  (define parts (map word->number (string-tokenize bare (char-set-complement separators))))
  (define sign (* (if (string-prefix? "-" bare) -1 1) (if hemisphere (cdr hemisphere) 1)))
  (and (<= 1 (length parts) 3)
       (every (lambda (x) (and x (finite? x))) parts)
       (every (lambda (x) (and (>= x 0) (< x 60))) (cdr parts))
       (exact->inexact (* sign (fold (lambda (part scale sum) (+ sum (/ (abs part) scale))) 0
                                     parts (list-head '(1 60 3600) (length parts)))))))

(define (checked-degrees limit)
  (lambda (text) (let ((x (text->degrees text))) (and x (<= (abs x) limit) x))))

(define length-form (make-regexp "^([^[:blank:]]+)[[:blank:]]*(m|meters?|metres?)?\\.?$" regexp/icase))
(define (text->length text)
  (let* ((m (regexp-exec length-form text))
         (x (and m (word->number (match:substring m 1)))))
    (and x (finite? x) x)))

;; Detail, the keys that it can have (the first is written), and how its number is read.
(define head-places
  `((latitude ("LAT" "LATITUDE") ,(checked-degrees 90)) (longitude ("LONG" "LON" "LONGITUDE") ,(checked-degrees 360))
    (elevation ("ELEV" "ELEVATION") ,text->length)))
(define reference-places
  `((reference-latitude ("REFLAT") ,(checked-degrees 90)) (reference-longitude ("REFLONG" "REFLON") ,(checked-degrees 360))
    (reference-elevation ("REFELEV") ,text->length)))

;; Entries that every writer makes for its own file, and those that are kept in another way.
(define own-head-keys '("DATAID" "STDVERS" "PROGVERS" "PROGDATE" "PROGNAME" "FILEDATE" "MAXSECT" "BINDATA" "EMPTY" "UNITS" "SURVEY"))
(define own-program '("FILEBY" . "Tutti"))
(define own-reference-keys '("MAXCHAN" "MAXRUN" "MAXMEAS" "UNITS" "REFTYPE"))

(define (options->details note block places own name void)
  "Return details: those of PLACES, and all other options of BLOCK as one called NAME."
  (define (nothing? text) (or (string-null? text) (let ((x (word->number text))) (and x void (= x void)))))
  (define options (remove (match-lambda ((_ . value) (nothing? value))) (block-options block)))
  (define feet? (let ((units (assoc-ref options "UNITS"))) (and units (string-prefix-ci? "F" units))))
  (define (known? key) (any (match-lambda ((_ keys _) (member key keys))) places))
  (define found
    (filter-map (match-lambda
                  ((detail keys read)
                   (match (find (match-lambda ((key . _) (member key keys))) options)
                     (#f #f)
                     ((key . text)
                      (let ((x (read text)))
                        (cond ((not x) (note (block-line block) "~a is ~s, which cannot be read" key text) #f)
                              ((and feet? (memq detail '(elevation reference-elevation))) (cons detail (* 0.3048 x)))
                              (else (cons detail x))))))))
                places))
  (define others
    (delete-duplicates (remove (match-lambda
                                 ((key . value) (or (known? key) (member key own) (equal? (cons key value) own-program))))
                               options)
                       (lambda (a b) (string=? (car a) (car b)))))
  (append found (if (null? others) '() (list (cons name others)))))

;;; Text for people.

(define own-line (make-regexp "^[[:blank:]]*(TUTTI\\.[A-Z]+=|Z in mV/km/nT, variances of complex numbers|MAX(INFO|LINES)[[:blank:]]*=)"
                              regexp/icase))
(define survey-line (make-regexp "^[[:blank:]]*SURVEY([[:blank:]]*ID)?[[:blank:]]*[:=][[:blank:]]*(.*)$" regexp/icase))

(define (information-text block)
  "Return the text in BLOCK, >INFO, without what is said again when it is written, or #f if there is none."
  (define (empty? line) (string-null? (string-trim line)))
  (let* ((lines (remove (lambda (line) (regexp-exec own-line line)) (map cdr (block-body block))))
         (text (reverse (drop-while empty? (reverse (drop-while empty? lines))))))
    (and (pair? text) (string-join text "\n"))))

(define (own-information block key)
  "Return the text behind @var{key}= in a line of @var{block}, >INFO, or @code{#f}."
  (any (match-lambda
         ((_ . text)
          (let ((text (string-trim text)))
            (and (string-prefix? (string-append key "=") text) (substring text (1+ (string-length key)))))))
       (block-body block)))

(define (survey head information)
  (or (block-option head "SURVEY")
      (any (lambda (line)
             (let ((m (regexp-exec survey-line line)))
               (and m
                    ;; Some write two columns.
                    (let* ((text (match:substring m 2)) (gap (string-contains text "  ")))
                      (let ((name (string-trim-both (string-delete #\" (if gap (substring text 0 gap) text)))))
                        (and (not (string-null? name)) name))))))
           (string-split (or information "") #\newline))))

;;; Sensors.

(define usual-sensors
  ;; of a site that nobody has described
  '("HMEAS ID=1001.001 CHTYPE=HX X=0.0 Y=0.0 AZM=0.0" "HMEAS ID=1002.001 CHTYPE=HY X=0.0 Y=0.0 AZM=90.0"
    "HMEAS ID=1003.001 CHTYPE=HZ X=0.0 Y=0.0 AZM=0.0"
    "EMEAS ID=1004.001 CHTYPE=EX X=0.0 Y=0.0 X2=1.0 Y2=0.0" "EMEAS ID=1005.001 CHTYPE=EY X=0.0 Y=0.0 X2=0.0 Y2=1.0"))

(define (measurement-blocks blocks)
  (filter (lambda (block) (member (block-name block) '("HMEAS" "EMEAS"))) blocks))

(define (edi-measurements blocks)
  "Return the list of pairs of identity and kind, such as @code{(\"1001.001\" . \"HX\")}, of the sensors in @var{blocks}."
  (filter-map (lambda (block)
                (let ((id (block-option block "ID")) (kind (block-option block "CHTYPE")))
                  (and id kind (cons id (string-upcase kind)))))
              (measurement-blocks blocks)))

(define (sensor-azimuth blocks)
  "Return the angle of the axes of the magnetic sensors in @var{blocks}, or @code{#f} if it is not known, or they are not at right
angles."
  (define (azimuth kind)
    (any (lambda (block)
           (let ((text (block-option block "AZM")))
             (and (string-ci=? kind (or (block-option block "CHTYPE") "")) text (word->number text))))
         (measurement-blocks blocks)))
  (let ((x (azimuth "HX")) (y (azimuth "HY")))
    (and x y (finite? x) (finite? y)
         (let ((between (- y x 90)))
           (zero? (- between (* 360 (round (/ between 360))))))
         x)))

(define (sensor-text block)
  (string-join (cons (block-name block)
                     (map (match-lambda
                            ((key . value)
                             (string-append key "=" (if (string-any char-set:blank value) (string-append "\"" value "\"") value))))
                          (block-options block)))
               " "))

(define (edi-details note blocks void)
  "Return the details that @var{blocks} tell of.  @var{note} is called with the number of a line, a message and its arguments where
something cannot be read; @var{void} stands for no number."
  (define (block name) (find (lambda (block) (string=? (block-name block) name)) blocks))
  (define text (and=> (block "INFO") information-text))
  (define sensors (map sensor-text (measurement-blocks blocks)))
  (define described? (any (lambda (text) (not (member text usual-sensors))) sensors))
  (append (options->details note (block "HEAD") head-places own-head-keys 'head void)
          (if (block "=DEFINEMEAS")
              (options->details note (block "=DEFINEMEAS") reference-places own-reference-keys 'reference void)
              '())
          (filter-map (match-lambda ((key . value) (and value (cons key value))))
                      `((survey . ,(survey (block "HEAD") text)) (sensors . ,(and described? sensors)) (information . ,text)))))

;;; Writing.

(define (write-options port options)
  (for-each (match-lambda ((key . value) (format port "  ~a=~a~%" key (if (string? value) (format #f "\"~a\"" value) value)))) options))

(define (places->options places details)
  (filter-map (match-lambda
                ((detail (key . _) _)
                 (let ((x (assq-ref details detail))) (and x (cons key (string-upcase (number->string (exact->inexact x))))))))
              places))

(define (write-head port site details version empty)
  "Write the block >HEAD to @var{port}; @var{empty} stands for no number."
  (define head (or (assq-ref details 'head) '()))
  (format port ">HEAD~%  DATAID=\"~a\"~%  FILEBY=\"~a\"~%  STDVERS=\"SEG 1.0\"~%  PROGVERS=\"Tutti ~a\"~%  EMPTY=~a~%"
          site (or (assoc-ref head "FILEBY") (cdr own-program)) version (string-upcase (number->string empty)))
  (write-options port (append (places->options head-places details)
                              (let ((survey (assq-ref details 'survey))) (if survey `(("SURVEY" . ,survey)) '()))
                              (alist-delete "FILEBY" head))))

(define (write-information port own details)
  "Write the block >INFO to @var{port}: the list of pairs of key and text @var{own}, and the text in @var{details}."
  (format port ">INFO~%  Z in mV/km/nT, variances of complex numbers, time goes as exp(+i omega t)~%")
  (for-each (match-lambda ((key . text) (format port "  ~a=~a~%" key text))) own)
  (let ((text (assq-ref details 'information)))
    (when text (format port "~a~%" text))))

(define (write-measurements port site details frequencies tipper?)
  "Write the blocks about sensors, and the beginning of the section of data of @var{site} with that many @var{frequencies}, to
@var{port}."
  (define sensors
    (or (assq-ref details 'sensors)
        (if tipper? usual-sensors (remove (lambda (text) (string-contains text "=HZ")) usual-sensors))))
  (define channels   ; what belongs to another site has the same names
    (delete-duplicates (filter-map (lambda (text)
                                     (let* ((options (text-options text)) (kind (assoc-ref options "CHTYPE")))
                                       (and kind (cons (string-upcase kind) (or (assoc-ref options "ID") (sensor-id text))))))
                                   sensors)
                       (lambda (a b) (string=? (car a) (car b)))))
  (format port ">=DEFINEMEAS~%  MAXCHAN=~a~%  MAXRUN=999~%  MAXMEAS=9999~%  UNITS=M~%  REFTYPE=CART~%" (length sensors))
  (write-options port (append (places->options reference-places details) (or (assq-ref details 'reference) '())))
  (for-each (lambda (text) (format port ">~a~%" text)) sensors)
  (format port ">=MTSECT~%  SECTID=\"~a\"~%  NFREQ=~a~%" site frequencies)
  (for-each (match-lambda ((kind . id) (format port "  ~a=~a~%" kind id))) channels))

(define (sensor-id text)
  ;; The first option of a line may have a key with blanks, which is here the name of the block.
  (match (text-options text) (((key . value) . _) (and (string-suffix? " ID" key) value)) (_ #f)))
