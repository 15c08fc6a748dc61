;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How what is known of jobs is written for people: texts that others have made, durations, bytes, tables.
(define-module (tutti program job-text)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base terminal)
  #:export (fail printable first-line age->text bytes->text plural task->text current-microseconds seconds-since pad table->lines field))

(define (fail who message . arguments)
  "Say why the command @var{who} cannot do what it was asked for, and exit."
  (format (current-error-port) "tutti ~a: ~?~%" who message arguments)
  (exit 1))

(define (field facts . names)
  "Return the value of the last of @var{names} in the association list of the one before, and so on; @code{#f} where there is none."
  (fold (lambda (name facts) (and (pair? facts) (assq-ref facts name))) facts names))

;;; Texts.  Names of procedures, errors and lines come from scripts and workers: there may be anything in them.

(define (harmful? c)
  ;; What moves the cursor, is not seen, or changes the order of what is.
  (memq (char-general-category c) '(Cc Cf Zl Zp Cs Co)))

(define (printable text)
  "Return @var{text} in one line, with a question mark in place of each character that a terminal does not show as one."
  (string-map (lambda (c) (if (harmful? c) (if (memv c '(#\newline #\tab)) #\space #\?) c)) text))

(define (first-line text)
  "Return the first line of @var{text} that is not empty, printable."
  (printable (or (find (lambda (line) (not (string-null? (string-trim line)))) (string-split text #\newline)) "")))

(define (plural n one . many)
  "Return @var{n} with the word @var{one}, or its plural: with an s, unless it is given."
  (format #f "~a ~a" n (cond ((= n 1) one) ((null? many) (string-append one "s")) (else (car many)))))

(define (task->text number name)
  "Return how a task is called, by its @var{number} and the @var{name} of its procedure or @code{#f}."
  (format #f "task ~a~a" number (if name (format #f " (~a)" (printable name)) "")))

;;; Quantities.

(define (current-microseconds)
  "Return the time now, by the wall clock, in microseconds since 1970."
  (match (gettimeofday) ((seconds . us) (+ (* seconds 1000000) us))))

(define (seconds-since time now)
  "Return the seconds from @var{time} to @var{now}, both in microseconds; at least 0."
  (max 0 (/ (- now time) 1e6)))

(define (age->text seconds)
  "Return a duration in at most nine characters."
  (let ((s (inexact->exact (floor seconds))))
    (cond ((< seconds 10) (format #f "~,1f s" (/ (floor (* 10 seconds)) 10.)))
          ((< s 60) (format #f "~a s" s))
          ((< s 3600) (format #f "~d:~2,'0d min" (quotient s 60) (remainder s 60)))
          ((< s 86400) (format #f "~d:~2,'0d h" (quotient s 3600) (quotient (remainder s 3600) 60)))
          (else (format #f "~a d" (quotient s 86400))))))

(define (bytes->text n)
  "Return @var{n} bytes in at most seven characters."
  (let loop ((n n) (units '("B" "kB" "MB" "GB" "TB")))
    (cond ((and (>= n 1000) (pair? (cdr units))) (loop (/ n 1000.) (cdr units)))
          ((or (exact? n) (>= n 99.5)) (format #f "~a ~a" (inexact->exact (round n)) (car units)))
          (else (format #f "~,1f ~a" n (car units))))))

;;; Tables.

(define* (pad text columns #:optional right?)
  "Return @var{text} in exactly @var{columns}, at the left or the right."
  (let* ((text (cut-to-columns text columns))
         (spaces (make-string (max 0 (- columns (text-columns text))) #\space)))
    (if right? (string-append spaces text) (string-append text spaces))))

(define (table->lines titles rows)
  "Return the lines of a table whose columns have the @var{titles}, pairs of a text and whether it is at the right, and are as wide as they
must be. The last is as wide as it comes."
  (define widths
    (map (lambda (title i)
           (apply max (text-columns (car title)) (map (lambda (row) (text-columns (list-ref row i))) rows)))
         titles (iota (length titles))))
  (define (line texts)
    (string-trim-right
     (string-join (map (lambda (text title width) (pad text width (cdr title))) texts titles widths) "  ")))
  (cons (line (map car titles)) (map line rows)))
