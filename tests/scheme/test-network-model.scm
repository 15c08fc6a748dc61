;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What doc/scaling.md says of 1 to 1000 nodes is what the model of the network counts, and the model counts what must be.
(use-modules (tap) (network-model) (ice-9 format) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define vector-bytes 80000000)
(define rate 1.25e9)
(define network (make-network rate 1000000 50e-6 5e-6 5e9))
(define shapes `(("star" . ,star) ("16" . ,(lambda (n) (fan n 16))) ("2" . ,(lambda (n) (fan n 2)))))

(define (close? a b) (< (abs (- a b)) (* 0.02 b)))

(define (seconds t)
  (let ((s (traffic-seconds t)))
    (if (< s 10) (format #f "~,2f" s) (format #f "~d" (inexact->exact (round s))))))

(define (cell t) (format #f "~a s, ~a" (seconds t) (traffic-at-master t)))

(define (row n name tree)
  (format #f "| ~a | ~a | ~a | ~a | ~a | ~a | ~a |" n name (traffic-depth (broadcast network tree 1000))
          (cell (broadcast network tree vector-bytes))
          (cell (gather network tree (quotient vector-bytes n)))
          (cell (sum network tree vector-bytes 16))
          (cell (sum network tree vector-bytes 10))))

(define rows
  (append-map (lambda (n)
                (filter-map (match-lambda ((name . shape) (and (or (> n 16) (string=? name "star")) (row n name (shape n)))))
                            shapes))
              '(1 10 100 1000)))

(define (text-of file)
  (call-with-input-file (string-append (getenv "TUTTI_SOURCE_DIR") "/" file) get-string-all))

(define (test-laws)
  (for-each
   (lambda (n)
     (let ((far (broadcast network (star n) vector-bytes)))
       (test-equal (format #f "~a nodes: a message to each" n) (list n n (* n vector-bytes))
         (list (traffic-at-master far) (traffic-all far) (traffic-master-bytes far)))
       (test-assert (format #f "~a nodes: one after the other" n) (close? (traffic-seconds far) (/ (* n vector-bytes) rate)))
       (test-assert (format #f "~a nodes: a tree of two sends twice" n)
         (or (< n 2) (< 1.9 (/ (traffic-seconds (broadcast network (fan n 2) vector-bytes)) (/ vector-bytes rate)) 2.3)))))
   '(1 7 100))
  (for-each (lambda (shape)
              (test-equal (string-append "a node gets it once: " (car shape)) 50
                (traffic-all (broadcast network ((cdr shape) 50) 1000)))
              (test-equal (string-append "all parts come to the master: " (car shape)) (* 50 1000)
                (traffic-master-bytes (gather network ((cdr shape) 50) 1000))))
            shapes)
  (test-equal "members in powers of two: one vector from each node" 64 (traffic-at-master (sum network (star 64) 1000 16)))
  (test-equal "a host of the tree adds what is below it" 2 (traffic-at-master (sum network (fan 64 2) 1000 16)))
  (test-assert "... otherwise some more" (< 64 (traffic-at-master (sum network (star 64) 1000 10)) (* 64 4))))

(call-with-tap
 (lambda ()
   (test-group "laws" (test-laws))
   (test-group "doc/scaling.md"
     (let ((text (text-of "doc/scaling.md")))
       (for-each (lambda (row) (test-equal row #t (->bool (string-contains text row)))) rows)))))
