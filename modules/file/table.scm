;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tables: columns with names, all of the same length. A column is an f64vector, an s64vector, or a vector of strings
;; and #f for missing ones.
(define-module (tutti file table)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti file print)
  #:export (table? make-table table-names table-rows table-column table-column->list table->alist
            table-select table-sort table-filter table-head table-add
            table-columns tabulate))

(define-record-type <table>
  (tabulate names columns rows) %table?
  (names names-of)       ; a list of strings
  (columns columns-of)   ; a list of an f64vector, an s64vector or a vector of strings and #f, for each name
  (rows rows-of))

(define (table? x) "Return true if @var{x} is a table." (%table? x))

(define (check who table)
  (unless (%table? table)
    (refuse who "~s is no table; make-table and read-csv make one" table)))

(define (table-names table)
  "Return the list of the names of the columns of @var{table}, strings."
  (check 'table-names table)
  (names-of table))

(define (table-rows table)
  "Return the number of rows of @var{table}."
  (check 'table-rows table)
  (rows-of table))

(define (table-columns table)
  "Return the list of the columns of @var{table}, as they are in it."
  (columns-of table))

;;; Columns.

(define (s64? x) (and (exact-integer? x) (<= (- (expt 2 63)) x (1- (expt 2 63)))))
(define (text? x) (or (string? x) (not x)))

(define (bad-item who name items good?)
  (let ((row (list-index (lambda (item) (not (good? item))) items)))
    (refuse who "column ~a: row ~a has ~s, expected ~a" name row (list-ref items row)
            (if (any string? items) "a string, or #f for a missing one" "a real number, or #f for a missing one"))))

(define (column-of-items who name items)
  "Return the column for the list ITEMS."
  (define (number-or-missing? x) (or (not x) (real? x)))
  (cond ((any string? items)
         (if (every text? items) (list->vector items) (bad-item who name items text?)))
        ((and (pair? items) (every s64? items)) (list->s64vector items))
        ((and (pair? items) (every not items)) (list->vector items))
        ((every number-or-missing? items)
         (list->f64vector (map (lambda (x) (if x (exact->inexact x) +nan.0)) items)))
        (else (bad-item who name items number-or-missing?))))

(define (->column who name data)
  (cond ((list? data) (column-of-items who name data))
        ((vector? data) (column-of-items who name (vector->list data)))
        ((and (array? data) (= (array-rank data) 1))
         (case (array-type data)
           ((f64) (if (bytevector? data) data (list->f64vector (array->list data))))
           ((s64) (if (bytevector? data) data (list->s64vector (array->list data))))
           ((f32) (list->f64vector (array->list data)))
           ((u8 s8 u16 s16 u32 s32 u64 vu8) (column-of-items who name (array->list data)))
           (else (refuse who "column ~a: expected real numbers or strings, found ~s" name data))))
        (else (refuse who "column ~a: expected a vector or a list, found ~s" name data))))

(define (column-length column)
  (if (vector? column) (vector-length column) (quotient (bytevector-length column) 8)))

(define (->name who name)
  (cond ((string? name) name)
        ((symbol? name) (symbol->string name))
        (else (refuse who "the name of a column is ~s, expected a string or a symbol" name))))

(define (check-names who names)
  (let next ((names names))
    (match names
      (() #t)
      ((name . rest)
       (when (member name rest)
         (refuse who "two columns have the name ~s" name))
       (next rest)))))

(define (make-table alist)
  "Return the table with the columns of @var{alist}, an association list of their names, strings or symbols, and what
is in them: a vector of real numbers such as an f64vector, or a list or vector of real numbers or of strings, with
@code{#f} for what is missing.  Numbers become an f64vector, with NaN for what is missing, or, if all are exact
integers, an s64vector.  All columns have the same length."
  (define who 'make-table)
  (unless (and (list? alist) (every pair? alist))
    (refuse who "expected an association list of names and columns, found ~s" alist))
  (let* ((names (map (lambda (pair) (->name who (car pair))) alist))
         (columns (map (lambda (name pair) (->column who name (cdr pair))) names alist))
         (rows (if (null? columns) 0 (column-length (car columns)))))
    (check-names who names)
    (for-each (lambda (name column)
                (unless (= (column-length column) rows)
                  (refuse who "column ~a has ~a rows, column ~a has ~a; expected the same number" name (column-length column)
                          (car names) rows)))
              names columns)
    (tabulate names columns rows)))

(define (find-column who table name)
  (let* ((name (->name who name))
         (i (list-index (lambda (n) (string=? n name)) (names-of table))))
    (unless i
      (refuse who "there is no column ~s; the table has ~{~s~^, ~}" name (names-of table)))
    (list-ref (columns-of table) i)))

(define (table-column table name)
  "Return the column @var{name} of @var{table}: an f64vector, an s64vector, or a vector of strings and @code{#f}."
  (check 'table-column table)
  (find-column 'table-column table name))

(define (column->list column)
  (if (vector? column) (vector->list column) (array->list column)))

(define (table-column->list table name)
  "Return the list of what is in the column @var{name} of @var{table}: real numbers, or strings and @code{#f}."
  (check 'table-column->list table)
  (column->list (find-column 'table-column->list table name)))

(define (table->alist table)
  "Return the association list of the names and columns of @var{table}."
  (check 'table->alist table)
  (map cons (names-of table) (columns-of table)))

(define (table-select table . names)
  "Return the table of the columns @var{names} of @var{table}, in this order."
  (define who 'table-select)
  (check who table)
  (let ((names (map (lambda (name) (->name who name)) names)))
    (check-names who names)
    (tabulate names (map (lambda (name) (find-column who table name)) names) (rows-of table))))

(define (table-add table name column)
  "Return @var{table} with the column @var{name}, for which @var{column} is as in @code{make-table}, behind the
others, or in place of the one of that name."
  (define who 'table-add)
  (check who table)
  (let* ((name (->name who name))
         (column (->column who name column)))
    (unless (or (null? (names-of table)) (= (column-length column) (rows-of table)))
      (refuse who "column ~a has ~a rows, the table has ~a" name (column-length column) (rows-of table)))
    (if (member name (names-of table))
        (tabulate (names-of table) (map (lambda (n old) (if (string=? n name) column old)) (names-of table) (columns-of table))
                  (rows-of table))
        (tabulate (append (names-of table) (list name)) (append (columns-of table) (list column)) (column-length column)))))

;;; Rows.

(define (column-ref column)
  "Return a procedure from the number of a row to what is there."
  (cond ((vector? column) (lambda (row) (vector-ref column row)))
        ((f64vector? column) (lambda (row) (f64vector-ref column row)))
        (else (lambda (row) (s64vector-ref column row)))))

(define (pick table rows)
  "Return the table of the rows of TABLE whose numbers are in the vector ROWS."
  (let ((n (vector-length rows)))
    (define (pick-column column)
      (define ref (column-ref column))
      (define (fill to set!)
        (let next ((i 0))
          (when (< i n)
            (set! to i (ref (vector-ref rows i)))
            (next (1+ i))))
        to)
      (cond ((vector? column) (fill (make-vector n) vector-set!))
            ((f64vector? column) (fill (make-f64vector n) f64vector-set!))
            (else (fill (make-s64vector n) s64vector-set!))))
    (tabulate (names-of table) (map pick-column (columns-of table)) n)))

(define (missing? x) (or (not x) (and (real? x) (nan? x))))

(define (before? a b)
  (if (string? a) (string<? a b) (< a b)))

(define* (table-sort table name #:key descending?)
  "Return @var{table} with its rows in the order of the column @var{name}, from the smallest to the largest, or the
other way round if @var{descending?}. Rows that are equal there stay in their order, and those without a value come
last."
  (define who 'table-sort)
  (check who table)
  (let* ((ref (column-ref (find-column who table name)))
         (rows (iota (rows-of table))))
    (call-with-values (lambda () (partition (lambda (row) (missing? (ref row))) rows))
      (lambda (without with)
        (pick table
              (list->vector
               (append (stable-sort with (if descending?
                                             (lambda (a b) (before? (ref b) (ref a)))
                                             (lambda (a b) (before? (ref a) (ref b)))))
                       without)))))))

(define (table-filter table predicate . names)
  "Return the table of those rows of @var{table} for which @var{predicate} returns true. It is called with what is in
the columns @var{names}, one argument each: @code{(table-filter t (lambda (depth rho) (and (> depth 10) (< rho 100)))
\"depth\" \"rho\")}."
  (define who 'table-filter)
  (check who table)
  (when (null? names)
    (refuse who "expected the names of the columns that the predicate is called with, after it"))
  (let ((refs (map (lambda (name) (column-ref (find-column who table name))) names)))
    (pick table
          (list->vector
           (filter (lambda (row) (apply predicate (map (lambda (ref) (ref row)) refs)))
                   (iota (rows-of table)))))))

(define* (table-head table #:optional (n 10))
  "Return the table of the first @var{n} rows of @var{table}, or of all if there are fewer."
  (check 'table-head table)
  (unless (and (exact-integer? n) (>= n 0))
    (refuse 'table-head "the number of rows is ~s, expected an integer from 0" n))
  (pick table (list->vector (iota (min n (rows-of table))))))

;;; What a table looks like.

(define shown-rows 20)

(define (cells column n)
  (map (column-ref column) (iota n)))

(set-record-type-printer! <table>
  (lambda (table port)
    (let ((n (min shown-rows (rows-of table))))
      (print-table port (names-of table)
                   (map (lambda (column) (cells column n)) (columns-of table))
                   (map vector? (columns-of table))
                   (rows-of table)))))
