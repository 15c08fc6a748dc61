;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A terminal's screen of endless height: what stands on it after all that was written, with the lines that do not fit in its width
;; wrapped, also those that stand there when it becomes narrower.
(define-module (screen)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:export (text->screen text->lines))

(define-record-type <screen>
  (make-screen columns above row column)
  screen?
  (columns columns)
  (above above)                         ; rows above the cursor's, the lowest first, each in a pair before whether it was wrapped
  (row row)                             ; list of one character for each column; #\nul behind a wide one
  (column column))

(define (wide? c)
  ;; Enough for the tests: Chinese, Japanese, Korean.
  (char<=? (integer->char #x1100) c (integer->char #xffdc)))

(define (padded row n)
  (append row (make-list (max 0 (- n (length row))) #\space)))

(define (put screen c)
  (let ((cells (if (wide? c) (list c #\nul) (list c))))
    (match screen
      (($ <screen> columns above row column)
       (if (> (+ column (length cells)) columns)
           (put (make-screen columns (acons row #t above) '() 0) c)
           (let ((row (padded row column)))
             (make-screen columns above
                          (append (take row column) cells
                                  (if (> (length row) (+ column (length cells))) (drop row (+ column (length cells))) '()))
                          (+ column (length cells)))))))))

(define (wrap row columns)
  "Return the rows that ROW becomes on a narrower screen, the lowest first, with the cursor at the beginning of the highest."
  (let loop ((row row) (rows '()))
    (if (<= (length row) columns)
        (cons row rows)
        (loop (drop row columns) (cons (take row columns) rows)))))

(define (resize screen columns)
  ;; What is below the cursor is kept as rows that are not there: the test is that they are erased, so they are appended at once if not.
  (match screen
    (($ <screen> _ above row column)
     (match (reverse (wrap row columns))
       ((first . below) (values (make-screen columns above first (min column (1- columns))) below))))))

(define (trim row)
  (string-trim-right (list->string (delete #\nul row))))

(define (sequence characters)
  "Return two values: the parameters and the letter of the control sequence that CHARACTERS begin with, and what is behind it."
  (call-with-values (lambda () (break char-alphabetic? characters))
    (lambda (parameters rest) (values (list->string parameters) (car rest) (cdr rest)))))

(define (text->screen text columns)
  "Return the list of the rows that stand on a screen of @var{columns} after @var{text} was written, without spaces at their ends."
  (map (lambda (row) (trim (car row))) (screen-rows text columns)))

(define (text->lines text columns)
  "Return the list of the lines that stand there, each of which may have been wrapped into several rows."
  (let loop ((rows (screen-rows text columns)) (line '()) (lines '()))
    (match rows
      (() (reverse lines))
      (((row . wrapped?) . rest)
       (if (and wrapped? (pair? rest))
           (loop rest (append line row) lines)
           (loop rest '() (cons (trim (append line row)) lines)))))))

(define (screen-rows text columns)
  (let loop ((characters (string->list text)) (screen (make-screen columns '() '() 0)) (below '()))
    (match screen
      (($ <screen> columns above row column)
       (match characters
         (()
          (let ((rows (append (reverse above) (list (cons row #f)) (map (lambda (row) (cons row #f)) below))))
            (reverse (drop-while (lambda (row) (string-null? (trim (car row)))) (reverse rows)))))
         ((#\newline . rest)
          (match below
            (() (loop rest (make-screen columns (acons row #f above) '() column) '()))
            ((next . below) (loop rest (make-screen columns (acons row #f above) next column) below))))
         ((#\return . rest) (loop rest (make-screen columns above row 0) below))
         ((#\esc #\[ . rest)
          (call-with-values (lambda () (sequence rest))
            (lambda (parameters letter rest)
              (define erased (make-screen columns above (take (padded row column) column) column))
              (case letter
                ((#\K) (loop rest erased below))
                ((#\J) (loop rest erased '()))
                ((#\t) (call-with-values (lambda () (resize screen (string->number (third (string-split parameters #\;)))))
                         (lambda (screen more) (loop rest screen (append more below)))))
                (else (error "a control sequence that this terminal does not know" parameters letter))))))
         ((c . rest) (loop rest (put screen c) below)))))))
