;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the bindings make of Guile's insides stays what it is when the objects have lived for a while.  (That the insides are what the
;; bindings take them for is checked whenever those are loaded.)
(use-modules (tap) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (test-primitives) (tutti base primitives))

;; A list that is long enough for pairs in bulk, and everything else whose making is not Guile's.
(define (make-value)
  (let ((table (make-hash-table)))
    (hash-set! table "key" 1)
    (list (iota 10000) (map number->string (iota 1000)) table (list->array 2 '((1 2) (3 4))) (f64vector 1 2) #*101)))

(define (same? a b)
  (and (equal? (first a) (first b)) (equal? (second a) (second b)) (equal? (hash-ref (third a) "key") (hash-ref (third b) "key"))
       (every equal? (drop a 3) (drop b 3))))

(call-with-tap
 (lambda ()
   (let ((values (map (lambda (_) (%decode (%encode (make-value) #f) #f)) (iota 50))))
     (do ((i 0 (1+ i))) ((= i 5))
       (gc)
       (make-list 100000 'garbage))
     (test-assert "what was decoded outlives collections" (every (lambda (value) (same? value (make-value))) values)))

   ;; How quick they are is no test's business; that what is measured still does its work is.
   (test-assert "each can be measured against what Guile documents"
     (let ((costs (%internals-costs 100)))
       (and (pair? costs) (every (lambda (cost) (every real? (cdr cost))) costs))))))
