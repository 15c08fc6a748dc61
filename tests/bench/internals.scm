;; SPDX-License-Identifier: LGPL-3.0-or-later
;; internals.scm [ROUNDS]: what the bindings save by what they know of Guile's insides (engine/bindings/guile-internals.h),
;; against what Guile's manual documents.  Both are measured in turn, each ROUNDS times (15); median, and the least and
;; the most.  Below is what they are parts of: by that a saving is to be judged.
(use-modules (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (test-primitives) (tutti base primitives))

(define rounds (match (cdr (command-line)) (() 15) ((text . _) (string->number text))))

(define (spread numbers)
  "The median of NUMBERS, the least and the most, as text."
  (let ((sorted (sort numbers <)))
    (format #f "~7,1f (~,1f to ~,1f)" (list-ref sorted (quotient (length sorted) 2)) (first sorted) (last sorted))))

(define (median numbers)
  (list-ref (sort numbers <) (quotient (length numbers) 2)))

(define all (map (lambda (_) (gc) (%internals-costs 20000)) (iota rounds)))

(format #t "~40a ~26@a ~26@a ~6@a~%" "ns" "ours" "documented" "ratio")
(for-each
 (lambda (i)
   (let* ((rows (map (lambda (table) (list-ref table i)) all)) (ours (map second rows)) (documented (map third rows)))
     (format #t "~40a ~26@a ~26@a ~6,1f~%" (first (first rows)) (spread ours) (spread documented)
             (/ (median documented) (max 0.1 (median ours))))))
 (iota (length (first all))))

;; What these are parts of, for each part of a value, or for a whole one.
(define (nanoseconds thunk times)
  (gc)
  (let ((start (get-internal-real-time)))
    (do ((i 0 (1+ i))) ((= i times))
      (thunk))
    (/ (- (get-internal-real-time) start) internal-time-units-per-second 1e-9 times)))

(define (measure name parts value)
  (let ((payload (%encode value #f)))
    (define (per-part thunk)
      (spread (map (lambda (_) (/ (nanoseconds thunk (quotient 20000 parts)) parts)) (iota rounds))))
    (format #t "~40a ~26@a ~26@a~%" name (per-part (lambda () (%encode value #f)))
            (per-part (lambda () (%decode payload #f))))))

(format #t "~%~40a ~26@a ~26@a~%" "ns" "encode" "decode")
(measure "list of 1000 integers, each" 1000 (iota 1000))
(measure "list of 1000 reals, each" 1000 (map exact->inexact (iota 1000)))
(measure "list of 1000 symbols, each" 1000 (make-list 1000 'symbol))
(measure "list of 1000 characters, each" 1000 (make-list 1000 #\a))
(measure "list of 500 lists, each" 500 (map (lambda (i) (list i "a" 'b 0.5)) (iota 500)))
(measure "vector of four reals" 1 (f64vector 1 2 3 4))
(measure "shared vector of four reals" 1 (%make-shared 'f64 4))
(measure "array of four reals" 1 (list->typed-array 'f64 2 '((1 2) (3 4))))
(measure "hash table of 16 integers, each" 16
         (let ((table (make-hash-table)))
           (do ((i 0 (1+ i))) ((= i 16) table)
             (hashv-set! table i #t))))
