;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How much two names differ: a misspelt name is near the right one.
(define-module (tutti advice spelling)
  #:export (distance))

(define (distance a b most)
  "Return how many characters have to be changed, left out, put in, or exchanged with the next one to make the string @var{a} the string
@var{b}; some number above @var{most} if these are more than that."
  (let ((m (string-length a)) (n (string-length b)))
    (if (> (abs (- m n)) most)
        (1+ most)
        (let ((table (make-array 0 (1+ m) (1+ n))))
          (define (d i j) (array-ref table i j))
          (define (same? i j) (char=? (string-ref a (1- i)) (string-ref b (1- j))))
          (do ((i 0 (1+ i))) ((> i m)) (array-set! table i i 0))
          (do ((j 0 (1+ j))) ((> j n)) (array-set! table j 0 j))
          (do ((i 1 (1+ i))) ((> i m) (d m n))
            (do ((j 1 (1+ j))) ((> j n))
              (array-set! table
                          (min (1+ (d (1- i) j)) (1+ (d i (1- j)))
                               (+ (d (1- i) (1- j)) (if (same? i j) 0 1))
                               (if (and (> i 1) (> j 1) (same? i (1- j)) (same? (1- i) j))
                                   (1+ (d (- i 2) (- j 2)))
                                   (+ m n)))
                          i j)))))))
