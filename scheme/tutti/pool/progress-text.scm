;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The text of a progress report, in as many columns as there are.
(define-module (tutti pool progress-text)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base terminal)
  #:export (bars->line progress->text end->text text->line))

(define (seconds->text seconds)
  (let ((s (inexact->exact (ceiling seconds))))
    (cond ((< s 60) (format #f "~a s" s))
          ((< s 3600) (format #f "~d:~2,'0d min" (quotient s 60) (remainder s 60)))
          (else (format #f "~d:~2,'0d h" (quotient s 3600) (quotient (remainder s 3600) 60))))))

(define (rate done elapsed)
  "Return how many items are done a second, or #f if that is not known."
  (and (positive? done) (positive? elapsed) (/ done elapsed)))

(define (rate->text rate)
  (cond ((>= rate 1) (format #f "~,1f/s" rate))
        ((>= rate 1/60) (format #f "~,1f/min" (* 60 rate)))
        (else (format #f "~,1f/h" (* 3600 rate)))))

(define (counts done total) (format #f "~a/~a" done total))

(define (left->text done total elapsed)
  (let ((rate (rate done elapsed)))
    (and rate (< done total) (string-append (seconds->text (/ (- total done) rate)) " left"))))

(define (percent done total)
  (if (zero? total) 100 (quotient (* 100 done) total)))

;;; Bars.

(define widest-bar 30)
(define least-bar 8)
(define widest-label 24)

(define (bar->text done total width)
  (let ((filled (if (zero? total) width (quotient (* width done) total))))
    (string-append "[" (make-string filled #\=) (make-string (- width filled) #\space) "]")))

;; The parts that are shown, from all of them to the shortest one.
(define choices
  '((label bar counts rate left) (label bar counts left) (bar counts rate left) (bar counts left) (bar counts) (counts left) (counts)
    (percent) ()))

(define (bar->line label done total elapsed columns)
  "Return the text of at most COLUMNS that says most."
  (define (part name width)
    (case name
      ((label) (and label (cut-to-columns label widest-label)))
      ((bar) (bar->text done total width))
      ((counts) (counts done total))
      ((rate) (and=> (rate done elapsed) rate->text))
      ((left) (left->text done total elapsed))
      ((percent) (format #f "~a%" (percent done total)))))
  (define (text names width)
    (fold (lambda (name text)
            (let ((next (part name width)))
              (cond ((not next) text)
                    ((string-null? text) next)
                    (else (string-append text (if (memq name '(rate left)) "  " " ") next)))))
          "" names))
  (let loop ((choices choices))
    (let* ((least (text (car choices) least-bar))
           (room (- columns (text-columns least))))
      (cond ((null? (car choices)) "")
            ((negative? room) (loop (cdr choices)))
            (else (text (car choices) (min widest-bar (+ least-bar room))))))))

(define separator " | ")
(define least-share 9)

(define (bars->line bars columns)
  "Return the text of at most @var{columns} that shows @var{bars}, lists of a label or @code{#f}, how many items are done, how many there
are, and seconds since the beginning.  If there is no room for all, the last ones are counted."
  (let loop ((n (length bars)))
    (let* ((rest (- (length bars) n))
           (more (if (zero? rest) "" (format #f " +~a" rest)))
           (share (quotient (- columns (string-length more) (* (1- n) (string-length separator))) n)))
      (cond ((and (> n 1) (< share least-share)) (loop (1- n)))
            ;; Not even for the first and the number of the others.
            ((and (pair? (cdr bars)) (= n 1) (< share 3)) (apply bar->line (append (car bars) (list (max 0 columns)))))
            (else (string-append (string-join (map (lambda (bar) (apply bar->line (append bar (list (max 0 share))))) (take bars n))
                                              separator)
                                 more))))))

;;; Lines.

(define (text->line text)
  "Return the line of a log with @var{text}."
  (string-append "[progress] " text "\n"))

(define (named label text)
  ;; However long it is: a log has no columns; but it has lines.
  (string-append (if label (string-append (cut-to-columns label 100) ": ") "") text))

(define (progress->text label done total elapsed)
  "Return the text that says that @var{done} of @var{total} items are done after @var{elapsed} seconds."
  (named label (string-append (counts done total) (format #f " (~a%)" (percent done total))
                              (match (filter identity (list (and=> (rate done elapsed) rate->text) (left->text done total elapsed)))
                                (() (format #f " after ~a" (seconds->text (round elapsed))))
                                (parts (string-append ", " (string-join parts ", ")))))))

(define (end->text label done total elapsed)
  "Return the text that says that it is over, after @var{elapsed} seconds."
  (named label (format #f "~a ~:[not finished after~;in~] ~a" (counts done total) (>= done total) (seconds->text (round elapsed)))))
