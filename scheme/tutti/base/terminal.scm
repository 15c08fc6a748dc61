;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Lines of text on a terminal: how many columns it has now, how many a text takes, and drawing a line again in place of the one before.
(define-module (tutti base terminal)
  #:use-module (tutti base primitives)
  #:export (terminal? terminal-columns text-columns cut-to-columns line->drawing erasure))

(define usual-columns 80)

(define (terminal? port)
  "Return true if @var{port} is open, and a terminal."
  (and (not (port-closed? port)) (isatty? port)))

(define (terminal-columns port)
  "Return how many columns the terminal @var{port} has at this moment.  If it does not say, it is @env{COLUMNS}, or 80."
  (let ((columns (%terminal-columns (port->fdes port))))
    (if (positive? columns)
        columns
        (let ((n (false-if-exception (string->number (getenv "COLUMNS")))))
          (if (and (exact-integer? n) (positive? n)) n usual-columns)))))

(define (control? c)
  (or (char<? c #\space) (char<=? #\delete c #\x9f)))

(define (text-columns text)
  "Return how many columns @var{text} takes: two for each wide character, none for one that goes above another."
  (string-fold (lambda (c columns) (+ columns (%character-columns c))) 0 text))

(define (cut-to-columns text columns)
  "Return @var{text} if it takes at most @var{columns}, else what of its beginning does, with an ellipsis.  What would move the cursor is
replaced."
  (let ((text (string-map (lambda (c) (if (control? c) #\? c)) text)))
    (if (<= (text-columns text) columns)
        text
        (let loop ((i 0) (room (1- columns)))
          (let ((room (- room (%character-columns (string-ref text i)))))
            (cond ((>= room 0) (loop (1+ i) room))
                  ((positive? columns) (string-append (substring text 0 i) "…"))
                  (else "")))))))

;; A dumb terminal can go back to the beginning of its line, and that is all.
(define (dumb?)
  (equal? (getenv "TERM") "dumb"))

(define (line->drawing line columns before)
  "Return the characters that draw @var{line} in place of a line of @var{before} columns, on a terminal that has @var{columns} now.  The
cursor is at the beginning of the line before and after: there the echo of Ctrl-C is drawn over, and does not go on to the next line."
  (cond ((dumb?)
         (string-append "\r" line (make-string (max 0 (- (min before (1- columns)) (text-columns line))) #\space) "\r"))
        ;; The terminal has become narrower, and may have put the end of the line into lines below.
        ((>= before columns) (string-append "\r" line "\x1b[J\r"))
        (else (string-append "\r" line "\x1b[K\r"))))

(define (erasure columns before)
  "Return the characters that erase a line of @var{before} columns on a terminal that has @var{columns} now."
  (line->drawing "" columns before))
