;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A transfer function from an EDI file: the choice of the section that is read, and warnings about the rest.
(define-module (tutti mt edi reader)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti base log)
  #:use-module (tutti mt edi blocks)
  #:use-module (tutti mt edi description)
  #:use-module (tutti mt edi response)
  #:use-module (tutti mt edi rotation)
  #:use-module (tutti mt files)
  #:use-module (tutti mt result)
  #:export (read-edi))

;;; Sections are lists of their head, a block or #f, and their blocks.

(define about-all '("HEAD" "INFO" "=DEFINEMEAS" "HMEAS" "EMEAS" "END"))
(define (about-all? block) (member (block-name block) about-all))

(define (sections blocks)
  (let loop ((blocks (remove about-all? blocks)) (sections (list (list #f))))
    (match blocks
      (() (reverse (map (match-lambda ((head . body) (cons head (reverse body)))) sections)))
      ((block . rest)
       (loop rest (if (block-section? block)
                      (cons (list block) sections)
                      (match sections (((head . body) . others) (cons (cons* head block body) others)))))))))

(define (named names blocks)
  (any (lambda (name) (find (lambda (block) (string=? (block-name block) name)) blocks)) names))

(define (responses? section) (named data-block-names (cdr section)))
(define (spectra? section) (any spectra-block? (cdr section)))
(define (section-name section) (and (car section) (block-option (car section) "SECTID")))

(define (chosen-section fail sections wanted)
  "Return that of SECTIONS that is WANTED: a number from 1, a name, or #f, the first, of responses rather than spectra."
  (define known (append (filter responses? sections) (filter (lambda (s) (and (spectra? s) (not (responses? s)))) sections)))
  (define (in-file-order) (filter (lambda (s) (memq s known)) sections))
  (cond ((null? known) #f)
        ((not wanted) (car known))
        ((string? wanted)
         (or (find (lambda (s) (equal? (section-name s) wanted)) known)
             (fail #f "there is no section of data called ~s; there ~[is~:;are~] ~{~s~^, ~}" wanted
                   (if (null? (cdr known)) 0 1) (map section-name (in-file-order)))))
        ((and (exact-integer? wanted) (<= 1 wanted (length known))) (list-ref (in-file-order) (1- wanted)))
        (else (fail #f "there is no section of data ~s; there ~[is~:;are~] ~a" wanted (if (null? (cdr known)) 0 1) (length known)))))

(define (joined-blocks fail section sections void)
  "Return the blocks of SECTION, and behind them those of others of the same name with the same frequencies: some programs have one
section for impedances, and one for tippers."
  (define (frequencies section)
    (let ((block (named '("FREQ") (cdr section)))) (and block (block-numbers fail block void))))
  (define own (frequencies section))
  (define (joins? other)
    (and (not (eq? other section))
         (or (not (car other)) (not (car section)) (equal? (section-name other) (section-name section)))
         (let ((theirs (frequencies other))) (or (not theirs) (not own) (equal? theirs own)))))
  (append (cdr section) (append-map cdr (filter joins? sections))))

;;; Warnings: once for a file, with lines.

(define (say file notes)
  (for-each (match-lambda
              ((line . text) (write-line-beside (current-warning-port) (format #f "tutti: warning: ~a:~@[~a:~] ~a" file line text))))
            (delete-duplicates (reverse notes))))

(define (unread-text blocks)
  (define (text block) (format #f ">~a" (block-name block)))
  (define (lines block) (filter (lambda (other) (string=? (block-name other) (block-name block))) blocks))
  (format #f "not read: ~{~a~^, ~}"
          (map (lambda (block) (format #f "~a (line~p ~{~a~^, ~})" (text block) (length (lines block)) (map block-line (lines block))))
               (delete-duplicates blocks (lambda (a b) (string=? (block-name a) (block-name b)))))))

(define (number-option fail block key default)
  (let ((text (block-option block key)))
    (if text (or (word->number text) (fail (block-line block) "~a is ~a, which is no number" key text)) default)))

(define (file-site file)
  (let ((name (basename file)))
    (if (string-suffix-ci? ".edi" name) (string-drop-right name 4) name)))

(define (own-settings blocks n)
  "Return what only our own files say: the name of the remote site, the sampling rate, the name of the configuration, and the list of N
numbers of observations, and that of N lists of doubts; or #f."
  (define info (named '("INFO") blocks))
  (define (own key) (and info (own-information info key)))
  (define (quoted key) (and=> (own key) (lambda (text) (string-trim-both text (char-set #\" #\space)))))
  (list (quoted "TUTTI.REMOTE")
        (and=> (own "TUTTI.RATE") (lambda (text) (string->number (string-trim-both text) 10)))
        (quoted "TUTTI.CONFIGURATION")
        (and=> (own "TUTTI.OBSERVATIONS")
               (lambda (text)
                 (let ((numbers (map (lambda (word) (string->number word 10)) (string-tokenize text))))
                   (and (= (length numbers) n) (every exact-integer? numbers) numbers))))
        (and=> (own "TUTTI.QUALITY")
               (lambda (text)
                 (let ((words (string-tokenize text)))
                   (and (= (length words) n) (map word->quality words)))))))

(define (word->quality word)
  (if (string=? word "good") '() (map string->symbol (string-split word #\+))))

(define (axes->details azimuth impedance-axes tippers? tipper-axes)
  (define (plain? axes) (and (number? axes) (same-axes? axes)))
  (append (if (plain? impedance-axes) '() `((azimuth . ,impedance-axes)))
          (if (or (not tippers?) (plain? tipper-axes)) '() `((tipper-azimuth . ,tipper-axes)))))

(define* (read-edi file #:key (azimuth 0) section)
  "Return the transfer function in the EDI file @var{file}, along axes of which x points to @var{azimuth} degrees clockwise from north: it
is turned from those that the file says, and its variances with it, those of different components taken for independent.  Where components
are missing that cannot be done; then the detail @code{azimuth} tells of the axes.

Impedances come from their own blocks, else from resistivities and phases, else from spectra, whose number of averages (AVGT) makes the
variances.  Variances and components that the file does not have are not numbers.  Of several sections of data the first is read, or
@var{section}, a number from 1 or a name (SECTID).  The site's name is DATAID, else SECTID, else the file's.  Places, texts and sensors are
details of the result.

What is not read is said once, with its line, to the current warning port.  A file that is damaged is a @code{&tutti-error} that names file,
line and reason."
  (define (fail line message . arguments) (apply complain-about 'read-edi file line message arguments))
  (define notes '())
  (define (note line message . arguments) (set! notes (acons line (apply format #f message arguments) notes)))
  (define blocks (edi-blocks fail (edi-lines 'read-edi file)))
  (define head (or (named '("HEAD") blocks) (fail #f "there is no block >HEAD")))
  (define void (number-option fail head "EMPTY" 1e32))
  (unless (finite-number? azimuth)
    (refuse 'read-edi "the azimuth is ~s, expected a number of degrees" azimuth))
  (unless (named '("END") blocks)
    (fail #f "there is no >END: the file is not whole"))
  (let* ((all (sections blocks))
         (chosen (or (chosen-section fail all section) (list #f)))
         (used '())
         (own (joined-blocks fail chosen all void))
         (repeated   ; frequencies of sections that are joined
          (filter (lambda (block) (string=? (block-name block) "FREQ")) own))
         (find-block (lambda* (names #:optional empty?)
                       (let ((block (named names own)))
                         (when block (set! used (cons block used)))
                         (and block (or empty? (pair? (block-lines block))) block)))))
    (define (finish frequencies impedances variances impedance-axes tippers tipper-variances tipper-axes)
      (define kept (map (lambda (f) (not (nan? f))) frequencies))
      (define (keep items) (and items (filter-map (lambda (kept? item) (and kept? item)) kept items)))
      (define unread
        (filter (lambda (block) (not (or (about-all? block) (block-section? block) (memq block used) (memq block repeated))))
                blocks))
      (let ((others (delete-duplicates (filter-map (lambda (s) (and (not (eq? s chosen)) (or (responses? s) (spectra? s))
                                                                    (any (lambda (block) (memq block unread)) (cdr s)) (car s)))
                                                   all))))
        (for-each (lambda (other)
                    (note (block-line other) "the section of data ~@[~s ~]is not read; #:section says which is"
                          (block-option other "SECTID")))
                  others)
        (let ((rest (remove (lambda (block)
                              (any (lambda (s) (and (memq (car s) others) (memq block (cdr s)))) all))
                            unread)))
          (when (pair? rest)
            (note (block-line (car rest)) "~a" (unread-text rest)))))
      (let ((details (append (edi-details note blocks void) (axes->details azimuth impedance-axes tippers tipper-axes))))
        (match (own-settings blocks (length frequencies))
          ((remote rate configuration observations quality)
           (let ((tf (make-transfer-function
                      #:site (or (block-option head "DATAID") (section-name chosen) (file-site file))
                      #:remote remote #:rate rate #:configuration configuration
                      #:frequencies (keep frequencies) #:impedances (keep impedances) #:variances (keep variances)
                      #:tippers (keep tippers) #:tipper-variances (keep tipper-variances)
                      #:observations (keep observations)
                      #:details (if quality (acons 'quality (keep quality) details) details))))
             (say file notes)
             tf)))))
    (if (and (spectra? chosen) (not (responses? chosen)))
        (let ((spectra (filter spectra-block? (cdr chosen))))
          (set! used (append spectra (filter (lambda (block) (string=? (block-name block) "FREQ")) (cdr chosen))))
          (call-with-values
              (lambda () (section-spectra fail note (car chosen) spectra (edi-measurements blocks) void azimuth))
            (lambda (frequencies impedances variances tippers tipper-variances)
              (finish frequencies impedances variances azimuth tippers tipper-variances azimuth))))
        (let ((frequencies (section-frequencies fail note find-block void))
              (sensors (sensor-azimuth blocks)))
          (define (as-numbers) (map (lambda (f) (if (nan? f) 1. f)) frequencies))
          (call-with-values (lambda () (section-impedances fail note find-block void (as-numbers) azimuth sensors))
            (lambda (impedances variances impedance-axes impedances?)
              (call-with-values (lambda () (section-tippers fail note find-block void (as-numbers) azimuth sensors))
                (lambda (tippers tipper-variances tipper-axes)
                  (unless (or impedances? tippers (null? frequencies))
                    (fail #f "there is no block >ZXXR, nor any other with impedances, resistivities, tippers or spectra"))
                  (finish frequencies impedances variances impedance-axes tippers tipper-variances tipper-axes)))))))))
