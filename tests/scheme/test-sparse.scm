;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sparse matrices as Scheme sees them: what they hold, what they do, and what they refuse.
(use-modules (tap)
             (vectors)
             (tutti conditions)
             (tutti base primitives)
             (tutti vector)
             (ice-9 exceptions)
             (ice-9 rdelim)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

;; 1 0 5      out of order, and the 5 in two parts
;; 0 -2 0
(define s (%make-sparse 2 3 (u32vector 1 0 0 0) (u32vector 1 2 0 2) (f64vector -2 4 1 1)))
;; i 0
;; 0 0
;; 2 1-i
(define z (%make-sparse 3 2 (u32vector 0 2 2) (u32vector 0 1 0) (c64vector +i 1-i 2)))

(define state (seed->random-state 5))
(define (random-sparse rows columns n make)
  (let ((indices (lambda (limit) (list->u32vector (list-tabulate n (lambda (_) (random limit state)))))))
    (%make-sparse rows columns (indices rows) (indices columns) (make n))))

(define (resident-megabytes)
  (/ (* (second (map string->number (string-split (string-trim-right (call-with-input-file "/proc/self/statm" read-line)) #\space)))
        4096)
     1e6))

(define (entries s) (%sparse-entries s))
(define (product s) (lambda (x) (%sparse-apply s x)))
(define (adjoint s) (lambda (y) (%sparse-adjoint s y)))

(call-with-tap
 (lambda ()
   (test-group "entries"
     (test-equal "sorted, none twice" (list (u32vector 0 0 1) (u32vector 0 2 1) (f64vector 1 5 -2)) (entries s))
     (test-equal "complex" (list (u32vector 0 2 2) (u32vector 0 0 1) (c64vector +i 2 1-i)) (entries z))
     (test-equal "sizes" '((2 3 3 #f) (3 2 3 #t)) (map %sparse-sizes (list s z)))
     (test-equal "duplicates in the order given" (f64vector 1) (third (entries (%make-sparse 1 1 (u32vector 0 0 0) (u32vector 0 0 0)
                                                                                             (f64vector 1e16 -1e16 1)))))
     (test-equal "and in another order" (f64vector 0) (third (entries (%make-sparse 1 1 (u32vector 0 0 0) (u32vector 0 0 0)
                                                                                    (f64vector 1e16 1 -1e16)))))
     (test-equal "out of themselves" (entries z) (entries (apply %make-sparse 3 2 (entries z)))))

   (test-group "products"
     (test-equal "apply" (f64vector 16 -4) (%sparse-apply s (f64vector 1 2 3)))
     (test-equal "adjoint" (f64vector 1 -4 5) (%sparse-adjoint s (f64vector 1 2)))
     (test-equal "real times complex" (c64vector 1+5i 0) (%sparse-apply s (c64vector 1 0 +i)))
     (test-equal "complex" (c64vector -1 0 2+2i) (%sparse-apply z (c64vector +i 1+i)))
     (test-equal "complex times real" (c64vector 0+i 0 3-i) (%sparse-apply z (f64vector 1 1)))
     (test-equal "complex, adjoint" (c64vector 2-i 1+i) (%sparse-adjoint z (f64vector 1 1 1)))
     (for-each
      (lambda (make-s make-x name)
        (let ((s (random-sparse 40 60 300 make-s)))
          (test-assert (string-append "dot, " name) (same-dot? (product s) (adjoint s) (make-x 60) (make-x 40)))
          (test-assert (string-append "the same bits from everywhere, " name)
            (and (same-everywhere? (product s) (make-x 60)) (same-everywhere? (adjoint s) (make-x 40))))))
      (list random-real random-real random-complex random-complex)
      (list random-real random-complex random-real random-complex)
      '("real" "real times complex" "complex times real" "complex"))
     (test-equal "no entries" (f64vector 0 0) (%sparse-apply (%make-sparse 2 1 (u32vector) (u32vector) (f64vector)) (f64vector 7)))
     (test-equal "no rows" (f64vector 0 0) (%sparse-adjoint (%make-sparse 0 2 (u32vector) (u32vector) (f64vector)) (f64vector))))

   (test-group "algebra"
     (test-equal "multiply" (list (u32vector 0 0) (u32vector 0 1) (c64vector 10+i 5-5i)) (entries (%sparse-multiply s z)))
     (test-equal "add" (list (u32vector 0 0 1) (u32vector 0 2 1) (f64vector 2 10 -4)) (entries (%sparse-add s s)))
     (test-equal "add where only one has entries" (list (u32vector 0 0 1 1) (u32vector 0 2 0 1) (c64vector 1 5 +i -2))
       (entries (%sparse-add s (%make-sparse 2 3 (u32vector 1) (u32vector 0) (c64vector +i)))))
     (test-equal "scale-rows" (f64vector 2 10 -6) (third (entries (%sparse-scale-rows s (f64vector 2 3)))))
     (test-equal "scale-rows by complex numbers" (c64vector 0+i 0+5i -2) (third (entries (%sparse-scale-rows s (c64vector +i 1)))))
     (test-equal "square" (f64vector 1 25 4) (third (entries (%sparse-square s))))
     (test-equal "square of complex numbers" (f64vector 1 4 2) (third (entries (%sparse-square z))))
     (test-assert "as with vectors"
       (let ((a (random-sparse 30 50 200 random-real)) (b (random-sparse 50 40 250 random-complex))
             (c (random-sparse 30 40 99 random-real)) (x (random-real 40)) (w (random-real 30)))
         (and (close? (%sparse-apply (%sparse-multiply a b) x) (%sparse-apply a (%sparse-apply b x)))
              (close? (%sparse-apply (%sparse-add (%sparse-multiply a b) c) x)
                      (vec+ (%sparse-apply a (%sparse-apply b x)) (%sparse-apply c x)))
              (close? (%sparse-apply (%sparse-scale-rows c w) x) (vec* w (%sparse-apply c x))))))
     (test-equal "arguments are left alone" (list (u32vector 0 0 1) (u32vector 0 2 1) (f64vector 1 5 -2)) (entries s)))

   (test-group "refused"
     (test-equal "a row that is not there" '(2 5 "entry 1 is in row 5, column 0, but the matrix is 2 x 3, counted from 0")
       (shape-message (lambda () (%make-sparse 2 3 (u32vector 1 5) (u32vector 2 0) (f64vector 1 1)))))
     (test-equal "a column that is not there" '(3 3 "entry 0 is in row 1, column 3, but the matrix is 2 x 3, counted from 0")
       (shape-message (lambda () (%make-sparse 2 3 (u32vector 1 5) (u32vector 3 0) (f64vector 1 1)))))
     (test-equal "not as many of each" '(2 1 "there are 2 row indices, 2 column indices and 1 values; each entry needs one of each")
       (shape-message (lambda () (%make-sparse 2 3 (u32vector 1 0) (u32vector 2 0) (f64vector 1)))))
     (test-equal "the vector" '(3 2 "the sparse matrix is 2 x 3, so the vector must have length 3; it has 2")
       (shape-message (lambda () (%sparse-apply s (f64vector 1 2)))))
     (test-equal "the adjoint's vector" '(2 3 "the sparse matrix is 2 x 3, so the vector must have length 2; it has 3")
       (shape-message (lambda () (%sparse-adjoint s (c64vector 1 2 3)))))
     (test-equal "factors" '(3 2 "the first sparse matrix is 2 x 3, the second 2 x 3: as many rows as the first has columns were expected")
       (shape-message (lambda () (%sparse-multiply s s))))
     (test-equal "terms" '(2 3 "the first sparse matrix is 2 x 3, the second 3 x 2; they must have the same shape")
       (shape-message (lambda () (%sparse-add s z))))
     (test-equal "scale-rows" '(2 3 "the sparse matrix is 2 x 3, so there must be 2 factors; there are 3")
       (shape-message (lambda () (%sparse-scale-rows s (f64vector 1 2 3)))))
     (test-condition "lists of indices" wrong-type? (%make-sparse 1 1 '(0) '(0) (f64vector 1)))
     (test-condition "a matrix that is none" wrong-type? (%sparse-apply (f64vector 1) (f64vector 1))))

   (test-group "memory"
     (test-assert "what is not referenced is freed"
       ;; Half a gigabyte in all: they do not all stay.
       (let ((indices (make-u32vector 400000 0)) (values (make-f64vector 400000 1.)) (before (resident-megabytes)))
         (do ((i 0 (1+ i)))
             ((= i 400000))
           (u32vector-set! indices i (modulo (* 7 i) 400000)))
         (do ((i 0 (1+ i)))
             ((= i 100))
           (%make-sparse 400000 400000 indices indices values))
         (< (- (resident-megabytes) before) 200))))))
