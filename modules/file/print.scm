;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How tables are printed: columns side by side, numbers with their ends below each other, and as much as people look
;; at.
(define-module (tutti file print)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:export (print-table))

(define widest 30)     ; characters of a text
(define line-width 100)

(define (number-text x)
  (cond ((exact-integer? x) (number->string x))
        ((nan? x) "NaN")
        ((inf? x) (if (positive? x) "inf" "-inf"))
        ;; Six digits, as R and pandas have; all of them are in the file.
        ((or (zero? x) (<= 1e-4 (abs x) 1e6)) (short x))
        (else (string-downcase (format #f "~,5e" x)))))

(define (short x)
  "Return X with six digits, or six decimals if it is below 1, without zeros at its end."
  (let* ((decimals (if (< (abs x) 1) 6 (max 1 (- 5 (inexact->exact (floor (log10* (abs x))))))))
         (rounded (format #f "~,vf" decimals x))
         (trimmed (string-trim-right rounded #\0)))
    (if (string-suffix? "." trimmed) (string-append trimmed "0") trimmed)))

(define (log10* x) (/ (log x) (log 10)))

(define (cell-text x)
  (cond ((not x) "")
        ((string? x)
         (let ((line (string-map (lambda (c) (if (char<? c #\space) #\space c)) x)))
           (if (> (string-length line) widest) (string-append (string-take line (1- widest)) "…") line)))
        (else (number-text x))))

(define (print-table port names columns texts? rows)
  "Write a table to @var{port}: @var{names} is a list of strings, @var{columns} one of the lists of what is in the
first rows, @var{texts?} says which are texts, and @var{rows} is the number of all rows."
  (let* ((cells (map (lambda (name column) (cons (cell-text name) (map cell-text column))) names columns))
         (widths (map (lambda (column) (apply max (map string-length column))) cells))
         (fitting (let next ((widths widths) (room line-width) (n 0))
                    (if (or (null? widths) (and (> n 0) (> (+ 2 (car widths)) room)))
                        n
                        (next (cdr widths) (- room 2 (car widths)) (1+ n))))))
    (define (line i)
      (string-trim-right
       (string-join (map (lambda (column width text?)
                           ((if text? string-pad-right string-pad) (list-ref column i) width))
                         (take cells fitting) (take widths fitting) (take texts? fitting))
                    "  ")))
    (define shown (if (null? cells) 0 (1- (length (car cells)))))
    (format port "table of ~a row~:p and ~a column~:p" rows (length names))
    (for-each (lambda (i) (format port "~%~a" (line i))) (if (null? cells) '() (iota (1+ shown))))
    (when (> rows shown)
      (format port "~%… and ~a row~:p more" (- rows shown)))
    (when (> (length names) fitting)
      (format port "~%… and the columns ~{~a~^, ~}" (drop names fitting)))))
