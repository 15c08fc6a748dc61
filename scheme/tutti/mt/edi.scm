;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Transfer functions as EDI files, the SEG's standard of 1987 for magnetotelluric data (Wight 1988, "SEG standard for MT and EMAP
;; data"): blocks that begin with >, and whose numbers are for all frequencies.  Time goes as exp (+i omega t) there too.
(define-module (tutti mt edi)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti config)
  #:use-module (tutti mt files)
  #:use-module (tutti mt result)
  #:use-module (tutti mt store)
  #:export (write-edi read-edi))

(define empty 1e32)   ; what stands for no number

;;; Writing.

(define (edi-number x)
  (string-upcase (number->string (if (finite? x) (exact->inexact x) empty))))

(define (write-numbers port header numbers)
  (format port ">~a // ~a~%" header (length numbers))
  (let loop ((numbers numbers))
    (unless (null? numbers)
      (let ((n (min 5 (length numbers))))
        (format port " ~{ ~a~}~%" (map edi-number (list-head numbers n)))
        (loop (list-tail numbers n))))))

(define (fits? text)
  (not (string-any (lambda (c) (or (memv c '(#\" #\>)) (char<? c #\space))) text)))

(define (check-text what text)
  (unless (fits? text)
    (complain 'write-edi "~a is ~s, which an EDI file cannot express" what text)))

(define channels
  ;; their identities, and what kinds they are
  '(("HX" "1001.001") ("HY" "1002.001") ("HZ" "1003.001") ("EX" "1004.001") ("EY" "1005.001")))

(define (write-measurements port tf)
  (define present (if (transfer-function-tippers tf) channels (alist-delete "HZ" channels)))
  (format port ">=DEFINEMEAS~%  MAXCHAN=~a~%  MAXRUN=999~%  MAXMEAS=9999~%  UNITS=M~%  REFTYPE=CART~%" (length present))
  (for-each (match-lambda
              ((kind id)
               (if (string-prefix? "H" kind)
                   (format port ">HMEAS ID=~a CHTYPE=~a X=0.0 Y=0.0 AZM=~a~%" id kind (if (string=? kind "HY") "90.0" "0.0"))
                   (format port ">EMEAS ID=~a CHTYPE=~a X=0.0 Y=0.0 X2=~a Y2=~a~%" id kind (if (string=? kind "EX") "1.0" "0.0")
                           (if (string=? kind "EX") "0.0" "1.0")))))
            present)
  (format port ">=MTSECT~%  SECTID=\"~a\"~%  NFREQ=~a~%" (transfer-function-site tf) (length (transfer-function-frequencies tf)))
  (for-each (match-lambda ((kind id) (format port "  ~a=~a~%" kind id))) present))

(define (write-edi file tf)
  "Write @var{tf} to @var{file} as EDI, and return @var{file}.  @code{read-edi} reads the same from it; what EDI has no place for is in its
section of information, but for the name of a configuration with quotation marks."
  (let ((frequencies (transfer-function-frequencies tf)))
    (check-text "the site" (transfer-function-site tf))
    (and=> (transfer-function-remote tf) (lambda (remote) (check-text "the remote site" remote)))
    (write-whole file
      (lambda (port)
        (format port ">HEAD~%  DATAID=\"~a\"~%  FILEBY=\"Tutti\"~%  STDVERS=\"SEG 1.0\"~%  PROGVERS=\"Tutti ~a\"~%  EMPTY=1.0E32~%"
                (transfer-function-site tf) (tutti-version))
        (format port ">INFO~%  Z in mV/km/nT, variances of complex numbers, time goes as exp(+i omega t)~%")
        (format port "~@[  TUTTI.REMOTE=\"~a\"~%~]~@[  TUTTI.RATE=~a~%~]~@[  TUTTI.CONFIGURATION=\"~a\"~%~]"
                (transfer-function-remote tf) (transfer-function-rate tf)
                (let ((name (transfer-function-configuration tf))) (and name (fits? name) name)))
        (format port "~@[  TUTTI.OBSERVATIONS=~{~a~^ ~}~%~]" (transfer-function-observations tf))
        (write-measurements port tf)
        (write-numbers port "FREQ" frequencies)
        (write-numbers port "ZROT" (map (const 0) frequencies))
        (for-each (lambda (name)
                    (let ((z (impedance-component tf name)) (block (string-append "Z" (string-upcase name))))
                      (write-numbers port (string-append block "R ROT=ZROT") (map real-part z))
                      (write-numbers port (string-append block "I ROT=ZROT") (map imag-part z))
                      (write-numbers port (string-append block ".VAR ROT=ZROT") (impedance-variances tf name))))
                  component-names)
        (when (transfer-function-tippers tf)
          (for-each (lambda (name)
                      (let ((t (tipper-component tf name)) (block (string-append "T" (string-upcase name))))
                        (write-numbers port (string-append block "R.EXP") (map real-part t))
                        (write-numbers port (string-append block "I.EXP") (map imag-part t))
                        (write-numbers port (string-append block "VAR.EXP") (tipper-component-variances tf name))))
                    tipper-names))
        (format port ">END~%")))))

;;; Reading: a block is a list of its name, its first line's number, its options, how many numbers it says it has or #f, and its lines,
;;; which are pairs of a number and a text.

(define (split-header fail number line)
  (let* ((count-at (string-contains line "//"))
         (words (string-tokenize (if count-at (substring line 0 count-at) line)))
         (count (and count-at (string->number (string-trim-both (substring line (+ count-at 2))) 10))))
    (when (or (null? words) (string=? (car words) ">"))
      (fail number "there is no name behind the >"))
    (when (and count-at (not (and (exact-integer? count) (>= count 0))))
      (fail number "what is behind // is no number: ~a" line))
    (list (string-upcase (substring (car words) 1)) number (string-upcase (string-join (cdr words) " ")) count)))

(define (read-blocks fail lines)
  (let loop ((lines lines) (number 1) (blocks '()))
    (match lines
      (() (map (match-lambda ((header . body) (append header (list (reverse body))))) (reverse blocks)))
      ((line . rest)
       (let ((trimmed (string-trim-both line)))
         (cond ((or (string-null? trimmed) (string-prefix? ">!" trimmed)) (loop rest (1+ number) blocks))
               ((string-prefix? ">" trimmed)
                (loop rest (1+ number) (cons (list (split-header fail number trimmed)) blocks)))
               ((null? blocks) (fail number "expected a block such as >HEAD, got ~a" trimmed))
               (else
                (loop rest (1+ number)
                      (cons (cons* (caar blocks) (cons number trimmed) (cdar blocks)) (cdr blocks))))))))))

(define (block-option block key)
  "Return the text of the option KEY in the lines of BLOCK, or #f."
  (let ((form (make-regexp (string-append "(^|[[:blank:]])" (regexp-quote key)
                                          "[[:blank:]]*=[[:blank:]]*(\"([^\"]*)\"|([^[:blank:]]+))")
                           regexp/icase)))
    (any (match-lambda
           ((_ . text)
            (let ((m (regexp-exec form text)))
              (and m (or (match:substring m 3) (match:substring m 4))))))
         (fifth block))))

(define (block-numbers fail block void n)
  "Return the N numbers of BLOCK; VOID is the one that stands for none."
  (let ((numbers (append-map (match-lambda
                               ((line . text)
                                (map (lambda (word)
                                       (let ((x (text->number word)))
                                         (unless x (fail line "~s in >~a is no number" word (first block)))
                                         (if (= x void) +nan.0 (exact->inexact x))))
                                     (string-tokenize text))))
                             (fifth block))))
    (unless (= (length numbers) (or (fourth block) (length numbers)))
      (fail (second block) ">~a has ~a number~:p, expected ~a" (first block) (length numbers) (fourth block)))
    (unless (= (length numbers) (or n (length numbers)))
      (fail (second block) ">~a has ~a number~:p, but there are ~a frequencies" (first block) (length numbers) n))
    numbers))

(define (read-edi file)
  "Return the transfer function in the EDI file @var{file}.  Variances that it does not have are not numbers.  A file that is
damaged, or has spectra instead, or impedances in axes that were turned, is a @code{&tutti-error} that names file, line and reason."
  (define (fail line message . arguments)
    (apply complain-about 'read-edi file line message arguments))
  (define blocks (read-blocks fail (file-lines 'read-edi file)))
  (define (block name) (assoc name blocks))
  (define (need name)
    (or (block name)
        (fail #f "there is no block >~a~a" name (if (block "SPECTRA") "; it has spectra, which are not read" ""))))
  (define head (need "HEAD"))
  (define void
    (let ((text (block-option head "EMPTY")))
      (or (text->number (or text (number->string empty))) (fail (second head) "EMPTY is ~a, which is no number" text))))
  (unless (block "END")
    (fail #f "there is no >END: the file is not whole"))
  (let* ((frequencies (block-numbers fail (need "FREQ") void #f))
         (n (length frequencies)))
    (define (numbers name) (block-numbers fail (need name) void n))
    (define (optional name) (if (block name) (numbers name) (make-list n +nan.0)))
    (define (group names re im var)
      ;; Lists of vectors, one for each frequency.
      (define (rows make columns) (if (zero? n) '() (apply map (lambda items (make items)) columns)))
      (list (rows list->c64vector (map (lambda (name) (map make-rectangular (numbers (re name)) (numbers (im name)))) names))
            (rows list->f64vector (map (lambda (name) (optional (var name))) names))))
    (define (block-name letter suffix) (lambda (name) (string-append letter (string-upcase name) suffix)))
    (unless (every (lambda (f) (and (finite? f) (positive? f))) frequencies)
      (fail (second (block "FREQ")) "frequencies must be positive"))
    (unless (every zero? (if (block "ZROT") (numbers "ZROT") '()))
      (fail (second (block "ZROT")) "impedances are in axes that were turned by ~{~a~^, ~} degrees; only 0 is read" (numbers "ZROT")))
    (match-let (((impedances variances) (group component-names (block-name "Z" "R") (block-name "Z" "I") (block-name "Z" ".VAR")))
                ((tippers tipper-variances)
                 (if (block "TXR.EXP")
                     (group tipper-names (block-name "T" "R.EXP") (block-name "T" "I.EXP") (block-name "T" "VAR.EXP"))
                     '(#f #f))))
      (make-transfer-function #:site (or (block-option head "DATAID") (fail (second head) "there is no DATAID in >HEAD"))
                              #:remote (information blocks "TUTTI.REMOTE")
                              #:rate (and=> (information blocks "TUTTI.RATE") (lambda (text) (string->number text 10)))
                              #:configuration (information blocks "TUTTI.CONFIGURATION")
                              #:frequencies frequencies #:impedances impedances #:variances variances
                              #:tippers tippers #:tipper-variances tipper-variances
                              #:observations (observations blocks n)))))

(define (information blocks key)
  (and=> (assoc "INFO" blocks) (lambda (block) (block-option block key))))

(define (observations blocks n)
  "Return the list of N numbers of observations, or #f if BLOCKS do not have them."
  (let ((line (any (match-lambda
                     ((_ . text) (and (string-prefix? "TUTTI.OBSERVATIONS=" text) (substring text (string-length "TUTTI.OBSERVATIONS=")))))
                   (if (assoc "INFO" blocks) (fifth (assoc "INFO" blocks)) '()))))
    (and line
         (let ((numbers (map (lambda (word) (string->number word 10)) (string-tokenize line))))
           (and (= (length numbers) n) (every exact-integer? numbers) numbers)))))
