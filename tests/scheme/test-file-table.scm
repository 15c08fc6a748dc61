;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tables: made, printed, sorted, filtered, sent to workers.
(use-modules (tap) (damage) (tutti) (tutti file) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64))

(define table
  (make-table `((site . ("B" "A" #f "A")) ("depth" . ,(f64vector 1.5 +nan.0 -3 12345.678)) (layers . #(3 1 2 1))
                (rho . (100 2.5 #f 1e-9)))))

(define (test-columns)
  (test-equal "is one" '(#t #f) (list (table? table) (table? 5)))
  (test-equal "names" '("site" "depth" "layers" "rho") (table-names table))
  (test-equal "rows" 4 (table-rows table))
  (test-equal "texts" #("B" "A" #f "A") (table-column table "site"))
  (test-equal "integers" (s64vector 3 1 2 1) (table-column table 'layers))
  (test-equal "numbers, one of which is missing" "(100.0 2.5 +nan.0 1.0e-9)" (object->string (table-column->list table "rho")))
  (test-equal "numbers of other kinds" (list (f64vector 1.5) (s64vector 255))
    (map cdr (table->alist (make-table `((a . ,(f32vector 1.5)) (b . ,(u8vector 255)))))))
  (test-equal "back to a list" '("site" "depth" "layers" "rho") (map car (table->alist table)))
  (test-equal "of nothing" '(0 ()) (let ((none (make-table '()))) (list (table-rows none) (table-names none))))
  (test-equal "selected" '("rho" "site") (table-names (table-select table 'rho "site")))
  (test-equal "one more" (s64vector 1 2 3 4) (table-column (table-add table "n" '(1 2 3 4)) "n"))
  (test-equal "another one" '("site" "depth" "layers" "rho") (table-names (table-add table "depth" '(1 2 3 4))))
  (test-equal "no such column" #t (says? (table-column table "dpeth") "there is no column \"dpeth\"" "\"depth\""))
  (test-equal "two of one name" #t (says? (make-table '((a . (1)) ("a" . (2)))) "two columns have the name \"a\""))
  (test-equal "lengths differ" #t (says? (make-table '((a . (1)) (b . (1 2)))) "column b has 2 rows, column a has 1"))
  (test-equal "a length differs" #t (says? (table-add table "n" '(1)) "column n has 1 rows, the table has 4"))
  (test-equal "numbers and texts" #t (says? (make-table '((a . (1 "x")))) "column a: row 0 has 1"))
  (test-equal "neither" #t (says? (make-table '((a . (1 b)))) "column a: row 1 has b"))
  (test-equal "complex numbers" #t (says? (make-table `((a . ,(c64vector 1)))) "expected real numbers"))
  (test-equal "no list" #t (says? (make-table 5) "association list"))
  (test-equal "no table" #t (says? (table-names 5) "5 is no table")))

(define (layers table) (table-column->list table "layers"))

(define (test-rows)
  (test-equal "sorted by integers, equal ones in their order" '("A" "A" #f "B") (table-column->list (table-sort table "layers") "site"))
  (test-equal "sorted by numbers, those that are missing last" '(2 3 1 1) (layers (table-sort table "depth")))
  (test-equal "the other way round, those that are missing last" '(1 3 2 1) (layers (table-sort table "depth" #:descending? #t)))
  (test-equal "sorted by texts" '(1 1 3 2) (layers (table-sort table "site")))
  (test-equal "filtered" '(1) (layers (table-filter table (lambda (site depth) (and (equal? site "A") (> depth 0))) "site" "depth")))
  (test-equal "nothing left" 0 (table-rows (table-filter table (const #f) "site")))
  (test-equal "filtered by nothing" #t (says? (table-filter table (const #t)) "the names of the columns"))
  (test-equal "the first rows" '(3 1) (layers (table-head table 2)))
  (test-equal "no more than there are" 4 (table-rows (table-head table)))
  (test-equal "a number of rows" #t (says? (table-head table -1) "-1")))

(define (printed table) (call-with-output-string (lambda (port) (display table port))))

(define (test-print)
  (test-equal "aligned" "table of 4 rows and 4 columns
site    depth  layers         rho
B         1.5       3       100.0
A         NaN       1         2.5
         -3.0       2         NaN
A     12345.7       1  1.00000e-9"
    (printed (table-select table "site" "depth" "layers" "rho")))
  (test-assert "cut" (string-suffix? "\n… and 80 rows more" (printed (make-table `((n . ,(iota 100)))))))
  (test-assert "columns are cut"
    (string-contains (printed (make-table (map (lambda (i) (cons (format #f "column-~a" i) '(1))) (iota 20))))
                     "\n… and the columns column-"))
  (test-assert "a long text is cut" (every (lambda (line) (< (string-length line) 40))
                                           (string-split (printed (make-table `((a . (,(make-string 300 #\x)))))) #\newline)))
  (test-equal "of nothing" "table of 0 rows and 0 columns" (printed (make-table '()))))

(define-remote (sorted table) (table-sort table "depth"))

(define (test-travel)
  (test-equal "a table goes to a worker and comes back" '(2 3 1 1)
    (layers (car (call-with-pool 1 (lambda (pool) (pool-map pool sorted (list table))))))))

(call-with-tap
 (lambda ()
   (test-group "columns" (test-columns))
   (test-group "rows" (test-rows))
   (test-group "print" (test-print))
   (test-group "travel" (test-travel))))
