;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A transfer function as an EDI file.
(define-module (tutti mt edi writer)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base config)
  #:use-module (tutti mt edi blocks)
  #:use-module (tutti mt edi description)
  #:use-module (tutti mt result)
  #:use-module (tutti mt store)
  #:export (write-edi))

(define (all-numbers tf)
  (append (transfer-function-frequencies tf)
          (append-map (lambda (z) (append-map (lambda (z) (list (real-part z) (imag-part z))) (c64vector->list z)))
                      (append (transfer-function-impedances tf) (or (transfer-function-tippers tf) '())))
          (append-map f64vector->list (append (transfer-function-variances tf) (or (transfer-function-tipper-variances tf) '())))))

(define (empty-for numbers)
  "Return what can stand for no number beside NUMBERS: readers may take everything near it for that."
  (let loop ((empty 1e32))
    (if (any (lambda (x) (< (abs (- x empty)) (* 1e-3 empty))) numbers) (loop (* 1e3 empty)) empty)))

(define (number-writer port empty)
  (define (text x)
    (cond ((nan? x) (number->string empty))
          ((inf? x) (if (positive? x) "inf" "-inf"))
          (else (number->string (exact->inexact x)))))
  (lambda (header numbers)
    (format port ">~a // ~a~%" header (length numbers))
    (let loop ((numbers numbers))
      (unless (null? numbers)
        (let ((n (min 5 (length numbers))))
          (format port " ~{ ~a~}~%" (map (lambda (x) (string-upcase (text x))) (list-head numbers n)))
          (loop (list-tail numbers n)))))))

;;; Details that EDI cannot express.

(define (fits? text)
  (not (string-any (lambda (c) (or (char=? c #\") (char<? c #\space))) text)))

(define (check-text what text)
  (unless (fits? text)
    (refuse 'write-edi "~a is ~s, which an EDI file cannot express" what text)))

(define (check-details details)
  (for-each (match-lambda
              (('information . text)
               (for-each (lambda (line)
                           (unless (info-line? line)
                             (refuse 'write-edi "the detail information has the line ~s, which would begin another block" line)))
                         (string-split text #\newline)))
              (((or 'head 'reference) . options)
               (for-each (match-lambda ((key . value) (check-text (format #f "the detail ~a" key) value))) options))
              (('survey . text) (check-text "the detail survey" text))
              (_ #t))
            details))

(define (own-information tf)
  "Return the list of pairs of key and text of what EDI has no place for."
  (define (quoted text) (and text (format #f "\"~a\"" text)))
  (filter-map (match-lambda ((key . value) (and value (cons (string-append "TUTTI." key) value))))
              `(("REMOTE" . ,(quoted (transfer-function-remote tf)))
                ("RATE" . ,(transfer-function-rate tf))
                ("CONFIGURATION" . ,(let ((name (transfer-function-configuration tf))) (and name (fits? name) (quoted name))))
                ("OBSERVATIONS" . ,(and=> (transfer-function-observations tf)
                                          (lambda (numbers) (format #f "~{~a~^ ~}" numbers))))
                ("QUALITY" . ,(and=> (transfer-function-quality tf)
                                     (lambda (doubts) (string-join (map quality-word doubts))))))))

(define (quality-word doubts)
  (if (null? doubts) "good" (string-join (map symbol->string doubts) "+")))

;;; Groups of blocks.

(define (angles axes n)
  (if (list? axes) axes (make-list n (or axes 0))))

(define (known? z) (not (and (nan? (real-part z)) (nan? (imag-part z)))))

(define (write-impedances write tf)
  ;; Components that were not measured are left out, unless nothing would be left.
  (define measured
    (filter (lambda (name)
              (or (any known? (impedance-component tf name)) (not (every nan? (impedance-variances tf name)))))
            component-names))
  (define n (length (transfer-function-frequencies tf)))
  (define written (if (and (null? measured) (not (transfer-function-tippers tf))) component-names measured))
  (when (pair? written)
    (write "ZROT" (angles (assq-ref (transfer-function-details tf) 'azimuth) n)))
  (for-each (lambda (name)
              (let ((z (impedance-component tf name)) (block (string-append "Z" (string-upcase name))))
                (write (string-append block "R ROT=ZROT") (map real-part z))
                (write (string-append block "I ROT=ZROT") (map imag-part z))
                (write (string-append block ".VAR ROT=ZROT") (impedance-variances tf name))))
            written))

(define (write-tippers write tf)
  (define n (length (transfer-function-frequencies tf)))
  (when (transfer-function-tippers tf)
    (write "TROT" (angles (assq-ref (transfer-function-details tf) 'tipper-azimuth) n))
    (for-each (lambda (name)
                (let ((t (tipper-component tf name)) (block (string-append "T" (string-upcase name))))
                  (write (string-append block "R.EXP ROT=TROT") (map real-part t))
                  (write (string-append block "I.EXP ROT=TROT") (map imag-part t))
                  (write (string-append block "VAR.EXP ROT=TROT") (tipper-component-variances tf name))))
              tipper-names)))

(define (write-edi file tf)
  "Write @var{tf} to @var{file} as EDI, and return @var{file}.  @code{read-edi} reads the same from it; what EDI has no place for is in
its section of information, but for the name of a configuration with quotation marks.  Infinite variances are @samp{INF}."
  (let* ((frequencies (transfer-function-frequencies tf))
         (site (transfer-function-site tf))
         (details (transfer-function-details tf))
         (empty (empty-for (all-numbers tf))))
    (check-text "the site" site)
    (and=> (transfer-function-remote tf) (lambda (remote) (check-text "the remote site" remote)))
    (check-details details)
    (write-whole file
      (lambda (port)
        (define write (number-writer port empty))
        (write-head port site details (tutti-version) empty)
        (write-information port (own-information tf) details)
        (write-measurements port site details (length frequencies) (transfer-function-tippers tf))
        (write "FREQ" frequencies)
        (write-impedances write tf)
        (write-tippers write tf)
        (format port ">END~%")))))
