;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Lists of things in a control file of PEST: rows with their variables in a given order, or files with a line of names of columns. Each
;; thing is an association list; its place says where it is written.
(define-module (tutti command pest-table)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command pest-section)
  #:use-module (tutti command scan)
  #:export (rows->items table-items))

;; A column is a list of its key in items, its names, its kind and what it is if it is not there: (required), or a list of one value.

(define (column-key column) (first column))
(define (column-names column) (second column))
(define (column-kind column) (third column))
(define (column-default column) (fourth column))

(define (item columns row find-word)
  "Return the item of ROW; FIND-WORD returns the word for a column, or #f."
  (define label (let ((word (find-word (car columns)))) (if word (word-text word) "")))
  (append
   (map (lambda (column)
          (let ((word (find-word column))
                (name (car (column-names column))))
            (cons (column-key column)
                  (cond (word (row-word row word (if (eq? column (car columns)) name (cons name label)) (column-kind column)))
                        ((eq? 'required (car (column-default column)))
                         (complain-row row #f "~a~:[ of ~a~;~*~] is missing; expected in this line ~{~a~^, ~}" name (string-null? label)
                                       label (map (lambda (column) (car (column-names column))) columns)))
                        (else (car (column-default column)))))))
        columns)
   (list (cons 'place (row-place row)))))

(define (rows->items columns rows)
  "Return the items in @var{rows}, which have the words of @var{columns} in their order."
  (map (lambda (row)
         ;; map ends with the shorter list.
         (let ((words (map cons columns (row-words row))))
           (item columns row (lambda (column) (assq-ref words column)))))
       rows))

;;; Files with a line of names.

(define (csv-cells row separator)
  "Return the list of the cells of ROW: pairs of text and column. Cells in double quotes may have the SEPARATOR, and quotes that are
doubled."
  (define line (row-text row))
  (define end (string-length line))
  (define (quoted i)                    ; behind the opening quote: the text, and the index behind the closing one
    (let next ((i i) (parts '()))
      (let ((close (string-index line #\" i)))
        (cond ((not close) (complain-row row i "the quote here is not closed in its line"))
              ((and (< (1+ close) end) (char=? #\" (string-ref line (1+ close))))
               (next (+ 2 close) (cons (substring line i (1+ close)) parts)))
              (else (values (string-concatenate-reverse (cons (substring line i close) parts)) (1+ close)))))))
  (let next ((i 0) (cells '()))
    (let* ((start (or (string-skip line blank? i) end))
           (quoted? (and (< start end) (char=? #\" (string-ref line start)))))
      (call-with-values (lambda () (if quoted? (quoted (1+ start)) (values #f i)))
        (lambda (text behind)
          (let* ((stop (or (string-index line separator behind) end))
                 (cells (acons (or text (string-trim-both (substring line i stop))) (1+ start) cells)))
            (if (= stop end) (reverse cells) (next (1+ stop) cells))))))))

(define (parse-options row words)
  "Return the separator and the text of missing values that WORDS, behind the name of a file in ROW, say."
  (let next ((words words) (separator #\,) (missing #f))
    (match words
      (() (values separator missing))
      ((("sep" . _) ("w" . _) . rest) (next rest 'blanks missing))
      ((("sep" . _) ((= string->list (c)) . _) . rest) (next rest c missing))
      ((("missing_values" . _) (text . _) . rest) (next rest separator text))
      (((text . column) . _)
       (complain-row row column "~s is no option for a file; expected \"sep\" and a character, or w for blanks, and \"missing_values\" \
and a text" text)))))

(define (cells row separator) (if (eq? separator 'blanks) (row-words row) (csv-cells row separator)))

(define (file-rows file text)
  (map-lines (lambda (line number) (and (not (string-every blank? line)) (make-row file number line))) text))

(define (column-places columns head separator)
  "Return the association list of COLUMNS and their indices in the line HEAD, #f for those that are not there."
  (define names (map (lambda (cell) (string-downcase (word-text cell))) (cells head separator)))
  (map (lambda (column)
         (let ((found (filter-map (lambda (name) (list-index (lambda (other) (string=? name other)) names)) (column-names column))))
           (when (and (null? found) (eq? 'required (car (column-default column))))
             (complain-row head #f "there is no column ~a; the columns are ~{~a~^, ~}" (string-join (column-names column) " or ") names))
           (cons column (and (pair? found) (car found)))))
       columns))

(define (file-items columns row read)
  "Return the items in the file that ROW names; READ returns the text of a file."
  (match (row-words row)
    (((file . _) . options)
     (call-with-values (lambda () (parse-options row options))
       (lambda (separator missing)
         (match (file-rows file (read file row))
           (() (complain-row row #f "~a has no line; expected one with the names of columns, and those behind it" file))
           ((head . rows)
            (let ((places (column-places columns head separator))
                  (width (length (cells head separator))))
              (map (lambda (row)
                     (let ((cells (list->vector (cells row separator))))
                       (unless (= width (vector-length cells))
                         (complain-row row #f "the line has ~a cell~:p; expected ~a, as in the line with the names" (vector-length cells)
                                       width))
                       (item columns row
                             (lambda (column)
                               (let* ((i (assq-ref places column))
                                      (cell (and i (vector-ref cells i))))
                                 (and cell (not (string-null? (word-text cell))) (not (equal? missing (word-text cell)))
                                      cell))))))
                   rows)))))))))

(define (table-items columns rows read)
  "Return the items in the files that @var{rows} name, of which each has a line with the names of @var{columns}, in any order, and perhaps
of others. @var{read} returns the text of a file, given its name and the row that names it."
  (append-map (lambda (row) (file-items columns row read)) rows))
