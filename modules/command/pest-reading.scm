;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A program's output, from which instructions of PEST take numbers. Its lines are found once, markers by one search in the whole text: so a
;; large file costs little more than to read it.
(define-module (tutti command pest-reading)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti command pest-instructions)
  #:use-module (tutti command scan)
  #:export (run-pest-instructions))

(define who 'run-pest-instructions)

;; Where the reading is: LINE counts from 0 (-1: above the first one), START and END are the indices in TEXT of its first character and
;; behind its last one, CURSOR that of the character that was used last.
(define-record-type <reading>
  (make-reading instructions file text starts blanks line start end cursor)
  reading?
  (instructions reading-instructions)   ; the name of their file
  (file reading-file)
  (text reading-text)
  (starts reading-starts)               ; vector of where lines begin, and of where one more would
  (blanks reading-blanks)               ; what separates words, a set of characters
  (line reading-line set-line!)
  (start reading-start set-start!)
  (end reading-end set-end!)
  (cursor reading-cursor set-cursor!))

(define (line-starts text)
  "Return the vector of the indices in TEXT at which lines begin; the last one is behind the text."
  (define end (string-length text))
  (let next ((i 0) (starts '()))
    (let ((newline (and (< i end) (string-index text #\newline i))))
      (cond (newline (next (1+ newline) (cons i starts)))
            ((< i end) (list->vector (reverse (cons* (1+ end) i starts))))
            (else (list->vector (reverse (cons end starts))))))))

(define (line-count reading) (1- (vector-length (reading-starts reading))))

(define (go-to-line! reading line)
  (let* ((text (reading-text reading))
         (start (vector-ref (reading-starts reading) line))
         (end (1- (vector-ref (reading-starts reading) (1+ line)))))
    (set-line! reading line)
    (set-start! reading start)
    (set-end! reading (if (and (< start end) (char=? #\return (string-ref text (1- end)))) (1- end) end))
    (set-cursor! reading (1- start))))

(define (line-at reading index)
  "Return the number of the line in which the character at INDEX is."
  (define starts (reading-starts reading))
  (let halve ((low 0) (high (line-count reading)))
    (if (= 1 (- high low))
        low
        (let ((middle (quotient (+ low high) 2)))
          (if (<= (vector-ref starts middle) index) (halve middle high) (halve low middle))))))

;;; Errors.

(define (instruction-text instruction) (vector-ref instruction 1))
(define (instruction-line instruction) (vector-ref instruction 2))
(define (argument instruction n) (vector-ref instruction (+ 4 n)))

(define (column reading index) (1+ (- index (reading-start reading))))

(define (fail reading instruction index message . arguments)
  "Raise an error about the character at INDEX of the line, or the line if it is #f."
  (complain-at who (reading-file reading) (1+ (reading-line reading)) (and index (column reading index))
               "~a (instruction ~a, ~a:~a)" (apply format #f message arguments)
               (instruction-text instruction) (reading-instructions reading) (instruction-line instruction)))

(define (fail-at-end reading instruction message . arguments)
  (complain-at who (reading-file reading) #f #f "~a; the file ends after ~a line~:p (instruction ~a, ~a:~a)"
               (apply format #f message arguments) (line-count reading)
               (instruction-text instruction) (reading-instructions reading) (instruction-line instruction)))

(define (line-text reading)
  (let ((text (substring (reading-text reading) (reading-start reading) (reading-end reading))))
    (if (> (string-length text) 80) (string-append (substring text 0 80) "…") text)))

;;; What leads to a line.

(define (advance! reading instruction)
  (let ((line (+ (reading-line reading) (argument instruction 0))))
    (unless (< line (line-count reading))
      (fail-at-end reading instruction "there is no line ~a" (1+ line)))
    (go-to-line! reading line)))

(define (find-line! reading instruction markers)
  "Go to the next line with the marker of INSTRUCTION and, behind it, those of MARKERS."
  (define marker (argument instruction 0))
  (define text (reading-text reading))
  (define starts (reading-starts reading))
  (let next ((line (1+ (reading-line reading))) (last-found #f))
    (let ((found (and (< line (line-count reading)) (string-contains text marker (vector-ref starts line)))))
      (unless found
        (fail-at-end reading instruction "there is no line behind line ~a with ~s~@[ and ~a behind it~]" (1+ (reading-line reading)) marker
                     (and last-found (string-join (map instruction-text markers) " "))))
      (let ((at (line-at reading found))
            (before (reading-line reading)))
        (go-to-line! reading at)
        (set-cursor! reading (+ found (string-length marker) -1))
        (unless (every (lambda (marker) (find-in-line! reading marker)) markers)
          (set-line! reading before)
          (next (1+ at) #t))))))

(define (find-in-line! reading instruction)
  "Put the cursor on the end of the next place of a marker in the line, and return true, or #f if there is none."
  (let* ((marker (argument instruction 0))
         (found (string-contains (reading-text reading) marker (1+ (reading-cursor reading)) (reading-end reading))))
    (and found (set-cursor! reading (+ found (string-length marker) -1)) #t)))

;;; What leads along a line.

(define (find-marker! reading instruction)
  (unless (find-in-line! reading instruction)
    (fail reading instruction #f "~s is not in the line behind column ~a: ~s" (argument instruction 0)
          (column reading (reading-cursor reading)) (line-text reading))))

(define (skip-whitespace! reading instruction)
  (let* ((text (reading-text reading))
         (end (reading-end reading))
         (blank (string-index text (reading-blanks reading) (1+ (reading-cursor reading)) end))
         (word (and blank (string-skip text (reading-blanks reading) blank end))))
    (unless word
      (fail reading instruction #f "there is no blank with a word behind it after column ~a: ~s" (column reading (reading-cursor reading))
            (line-text reading)))
    (set-cursor! reading (1- word))))

(define (tab! reading instruction)
  (let ((index (+ (reading-start reading) (argument instruction 0) -1)))
    (unless (< index (reading-end reading))
      (fail reading instruction #f "the line ends at column ~a" (column reading (1- (reading-end reading)))))
    (when (< index (reading-cursor reading))
      (fail reading instruction index "the line has been read to column ~a already, and is read from left to right"
            (column reading (reading-cursor reading))))
    (set-cursor! reading index)))

;;; Numbers.

(define (number reading instruction start end)
  (let ((x (parse-real (reading-text reading) start end)))
    (or x
        (let ((text (substring (reading-text reading) start end)))
          (fail reading instruction start "~s is no number~a" text (cause-text text))))))

(define (check-columns reading instruction first)
  (let ((start (reading-start reading))
        (length (- (reading-end reading) (reading-start reading))))
    (when (> first length)
      (fail reading instruction #f "the line has ~a character~:p, none of them in column ~a: ~s" length first (line-text reading)))
    (when (<= (+ start first -1) (reading-cursor reading))
      (fail reading instruction (+ start first -1) "the line has been read to column ~a already, and is read from left to right"
            (column reading (reading-cursor reading))))))

(define (read-fixed! reading instruction)
  (match instruction
    (#('fixed _ _ _ _ first last)
     (check-columns reading instruction first)
     (let* ((text (reading-text reading))
            (blanks (reading-blanks reading))
            (start (+ (reading-start reading) first -1))
            (end (min (reading-end reading) (+ (reading-start reading) last)))
            (left (string-skip text blanks start end)))
       (unless left
         (fail reading instruction start "there is nothing in columns ~a to ~a" first last))
       (let ((right (1+ (string-skip-right text blanks left end))))
         (set-cursor! reading (1- end))
         (number reading instruction left right))))))

(define (read-semi-fixed! reading instruction)
  (match instruction
    (#('semi-fixed _ _ _ _ first last)
     (let* ((text (reading-text reading))
            (blanks (reading-blanks reading))
            (end (reading-end reading))
            (from (max (+ (reading-start reading) first -1) (1+ (reading-cursor reading))))
            (to (min end (+ (reading-start reading) last))))
       (when (> first (- end (reading-start reading))) (check-columns reading instruction first))
       (let ((inside (and (< from to) (string-skip text blanks from to))))
         (unless inside
           (fail reading instruction (+ (reading-start reading) first -1)
                 "there is nothing in columns ~a to ~a behind what has been read: ~s" first last (line-text reading)))
         (let* ((unread (1+ (reading-cursor reading)))
                (before (string-rindex text blanks unread inside))
                (behind (or (string-index text blanks inside end) end)))
           (set-cursor! reading (1- behind))
           (number reading instruction (if before (1+ before) unread) behind)))))))

(define (check-after-tab reading instruction start)
  ;; The number would be cut, and still be one.
  (let ((cursor (reading-cursor reading)))
    (when (and (= start (1+ cursor)) (string-index "0123456789.+-" (string-ref (reading-text reading) cursor)))
      (fail reading instruction cursor "the tab leads into a number; expected the column before it"))))

(define (read-non-fixed! reading instruction previous following)
  "Return the next number, or #t for a dummy. It ends at a blank, and before the marker FOLLOWING if that comes next."
  (let* ((text (reading-text reading))
         (blanks (reading-blanks reading))
         (end (reading-end reading))
         (start (string-skip text blanks (1+ (reading-cursor reading)) end)))
    (unless start
      (fail reading instruction #f "there is no number behind column ~a: ~s" (column reading (reading-cursor reading)) (line-text reading)))
    (when (eq? 'tab (vector-ref previous 0)) (check-after-tab reading instruction start))
    (let* ((marker (and following (eq? 'marker (vector-ref following 0))
                        (string-contains text (argument following 0) start end)))
           (blank (or (string-index text blanks start end) end))
           (stop (if marker (min marker blank) blank)))
      (when (= start stop)
        (fail reading instruction start "there is no number before ~s" (argument following 0)))
      (set-cursor! reading (1- stop))
      (or (not (argument instruction 0))
          (number reading instruction start stop)))))

;;; All of it.

(define (follow-line! reading instructions found)
  "Follow INSTRUCTIONS, those of one line; return the pairs of names and numbers, the last one first, before FOUND."
  (define (go rest previous found)
    (match rest
      (() found)
      ((instruction . rest)
       (define (pair x) (acons (argument instruction 0) x found))
       (case (vector-ref instruction 0)
         ((marker) (find-marker! reading instruction) (go rest instruction found))
         ((whitespace) (skip-whitespace! reading instruction) (go rest instruction found))
         ((tab) (tab! reading instruction) (go rest instruction found))
         ((fixed) (go rest instruction (pair (read-fixed! reading instruction))))
         ((semi-fixed) (go rest instruction (pair (read-semi-fixed! reading instruction))))
         (else
          (let ((x (read-non-fixed! reading instruction previous (and (pair? rest) (car rest)))))
            (go rest instruction (if (eq? x #t) found (pair x)))))))))
  (match instructions
    ((first . rest)
     (if (eq? 'advance (vector-ref first 0))
         (begin
           (advance! reading first)
           (go rest first found))
         (call-with-values (lambda () (span (lambda (instruction) (eq? 'marker (vector-ref instruction 0))) rest))
           (lambda (markers rest)
             (find-line! reading first markers)
             (go rest first found)))))))

(define (run-pest-instructions instructions file text)
  "Return the association list of the names of the observations that @var{instructions} read from @var{text}, the contents of the program's
output @var{file}, and their values, in the order of the instructions. A blank, a tab and a comma separate numbers. What is not there, or no
number, is a @code{&tutti-error} that names the line of the output, the instruction and its line."
  (check-instructions who instructions)
  (check-text who file text)
  (let ((reading (make-reading (pest-instructions-file instructions) file text (line-starts text)
                               (string->char-set (string-append " \t," (pest-instruction-delimiters instructions)))
                               -1 0 0 -1)))
    (reverse
     (fold (lambda (line found) (follow-line! reading line found)) '() (pest-instruction-lines instructions)))))
