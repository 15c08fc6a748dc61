;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The unitary discrete Fourier transform: its definition, its inverse, and what it keeps.
(use-modules (tap)
             (vectors)
             (tutti base primitives)
             (tutti vector)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

(define shapes '((1) (2) (8) (17) (3 4) (5 1 6) (2 3 4 5) ()))
(define (size dims) (apply * dims))
(define (forward dims x) (%fourier dims x #f))
(define (inverse dims x) (%fourier dims x #t))

(define (definition dims x)
  "Return the transform of the c64vector @var{x}, number by number."
  (define places (let loop ((dims dims))
                   (if (null? dims)
                       '(())
                       (append-map (lambda (i) (map (lambda (rest) (cons i rest)) (loop (cdr dims)))) (iota (car dims))))))
  (list->c64vector
   (map (lambda (k)
          (/ (apply + (map (lambda (j number)
                             (* number (exp (* -2i (acos -1) (apply + (map (lambda (a b n) (/ (* a b) n)) j k dims))))))
                           places (c64vector->list x)))
             (sqrt (size dims))))
        places)))

(call-with-tap
 (lambda ()
   (test-group "known values"
     (test-equal "of one number" (c64vector 3+4i) (forward '(1) (c64vector 3+4i)))
     (test-assert "of a peak" (close? (forward '(4) (c64vector 0 2 0 0)) (c64vector 1 0-i -1 +i) 1e-15))
     (test-assert "of a constant" (close? (forward '(2 2) (f64vector 1 1 1 1)) (c64vector 2 0 0 0) 1e-15))
     (test-equal "of nothing" (c64vector) (forward '(3 0) (c64vector)))
     (for-each (lambda (dims)
                 (let ((x (random-complex (size dims))))
                   (test-assert (format #f "definition ~a" dims) (close? (forward dims x) (definition dims x)))))
               shapes))

   (test-group "keeps"
     (for-each (lambda (dims)
                 (let ((x (random-complex (size dims))) (y (random-complex (size dims))))
                   (test-assert (format #f "lengths (Parseval) ~a" dims)
                     (< (abs (- (vec-norm (forward dims x)) (vec-norm x))) (* 1e-14 (vec-norm x))))
                   (test-assert (format #f "there and back ~a" dims) (close? (inverse dims (forward dims x)) x 1e-14))
                   (test-assert (format #f "the inverse is the adjoint ~a" dims)
                     (same-dot? (lambda (x) (forward dims x)) (lambda (y) (inverse dims y)) x y))))
               shapes)
     (test-assert "real numbers are complex ones"
       (let ((x (random-real 60)))
         (equal? (forward '(6 10) x) (forward '(6 10) (vec->complex x)))))
     (test-assert "the argument" (let* ((x (random-complex 12)) (y (vec-scale 1 x)))
                                   (forward '(3 4) x)
                                   (equal? x y))))

   (test-group "the same bits"
     (test-assert "from everywhere"
       (and (same-everywhere? (lambda (x) (forward '(6 35) x)) (random-complex 210))
            (same-everywhere? (lambda (x) (inverse '(210) x)) (random-real 210))))
     (test-assert "after many other sizes"
       (let* ((x (random-complex 1080)) (first-time (forward '(1080) x)))
         (for-each (lambda (n) (forward (list n) (random-complex n))) (iota 70 1))
         (equal? first-time (forward '(1080) x)))))

   (test-group "refused"
     (test-equal "another shape" '(12 10 "the dimensions (3 x 4) need 12 numbers, the vector has 10")
       (shape-message (lambda () (forward '(3 4) (make-c64vector 10 0)))))
     (test-equal "another shape, no dimensions" '(1 0 "the dimensions () need 1 numbers, the vector has 0")
       (shape-message (lambda () (forward '() (c64vector)))))
     (test-condition "a negative dimension" (lambda (e) (eq? (exception-kind e) 'out-of-range)) (forward '(-1) (c64vector)))
     (test-condition "more than memory holds" (lambda (e) (eq? (exception-kind e) 'out-of-range))
                     (forward '(2000000000 2000000000 2000000000) (c64vector)))
     (test-condition "a number for the dimensions" wrong-type? (forward 4 (c64vector 1 2 3 4)))
     (test-condition "too many dimensions" wrong-type? (forward (make-list 33 1) (c64vector 1)))
     (test-condition "a list of numbers" wrong-type? (forward '(2) '(1 2))))))
