;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Whose memory it is: vectors that Python keeps after a call, and arrays of Python's that Scheme keeps.
(use-modules (tap) (python-models) (vectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64) (tutti) (tutti python))

(define-remote file (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/data/python/models.py"))

(define-remote (fill! v number)
  (do ((i 0 (1+ i))) ((= i (f64vector-length v)) v) (f64vector-set! v i number)))

(define-remote (all? number v)
  (let loop ((i 0))
    (or (= i (f64vector-length v)) (and (= number (f64vector-ref v i)) (loop (1+ i))))))

;; A model that keeps its input and output, and computes only for another input than the last. Whoever uses it writes to the vectors
;; that it has been given and has returned, as is anybody's right.
(define-remote (visit model v)
  "Return whether the values of MODEL, an operator, are right at V with several contents."
  (every (lambda (number)
           (fill! v number)
           (let* ((y (evaluate model v))
                  (right? (all? (* 2 number) y)))
             (fill! v -1.)
             right?))
         '(1. 1. 2. 3. 3. 1.)))

(define sizes '(1 10 2048 2049 3000 140000))
(define classes '("Memory" "MemoryInto"))

(define (test-master pool)
  (for-each
   (lambda (class)
     (for-each
      (lambda (n)
        (let ((model (python-operator file class n #:pool pool)))
          (test-assert (format #f "~a, a shared vector of ~a" class n) (visit model (make-shared-f64vector n)))
          (test-assert (format #f "~a, a private one of ~a" class n) (visit model (make-f64vector n)))))
      sizes))
   classes))

(define-remote (visit-in-task class n shared?)
  (let ((model (python-operator file class n)))
    (and (visit model (if shared? (make-shared-f64vector n) (make-f64vector n)))
         ;; A part of a vector, and the value of another operator.
         (or (= n 1)
             (visit (python-operator file class (quotient n 2))
                    (vec-slice ((if shared? make-shared-f64vector make-f64vector) n) 0 (quotient n 2))))
         (visit (operator-compose model (identity-operator n)) (make-f64vector n)))))

;; What the caller does to a value must not reach what the model has kept.
(define-remote (overwrite class n)
  (let* ((model (python-operator file class n))
         (x (fill! (make-f64vector n) 3.)))
    (fill! (evaluate model x) -7.)
    (gc)
    (let ((y (evaluate model x)))
      (and (all? 6. y)
           (begin (fill! y -8.) (all? 6. (evaluate model x)))))))

(define (test-task pool)
  (for-each
   (lambda (class)
     (for-each
      (lambda (n)
        (for-each (lambda (shared?)
                    (test-assert (format #f "~a, ~a of ~a" class (if shared? "shared" "private") n)
                      (pool-apply-only pool 0 visit-in-task class n shared?)))
                  '(#f #t))
        (test-assert (format #f "~a, ~a, its value is written to" class n) (pool-apply-only pool 0 overwrite class n)))
      sizes))
   classes))

;;; Python sees our memory, and we see Python's.

(define-remote (write-through v) (python-call (string-append (dirname file) "/memory.py") "write" v) v)
(define-remote (memory name . arguments) (apply python-call (string-append (dirname file) "/memory.py") name arguments))

(define-remote (address-of v)
  ((@ (system foreign) pointer-address) ((@ (system foreign) bytevector->pointer) v)))

(define-remote (same-memory? v) (= (address-of v) (memory "address" v)))

;; A vector of which Python keeps an array each time is still one that Python writes to.
(define-remote (write-and-keep v numbers)
  (map (lambda (number)
         (let* ((kept (memory "write_and_keep" v number)) (written (f64vector-ref v 0)))
           (f64vector-set! v 0 -1.)
           (cons written kept)))
       numbers))

(define-remote (hold-large)
  ;; Many more bytes than are allowed to be garbage, of which none may be lost while it is used.
  (let loop ((i 0) (kept '()))
    (if (= i 60)
        (every (lambda (v number) (all? number v)) kept (map exact->inexact (reverse (iota 6 0 10))))
        (let ((v (memory "filled" 1000000 (exact->inexact i))))
          (loop (1+ i) (if (zero? (modulo i 10)) (cons v kept) kept))))))

;; Is the vector that Python has returned where the array was?
(define-remote (shown-in-place? name)
  (let ((v (memory "returned" name)))
    (= (memory "address_of" name) (address-of (if (pair? v) (car v) v)))))

(define (test-views pool)
  (define (in-task procedure . arguments) (apply pool-apply-only pool 0 procedure arguments))
  (test-equal "Python writes to a vector of the task's" (f64vector 5. 2.) (in-task write-through (f64vector 1. 2.)))
  (test-assert "but not to one that the task has received"
    (says? (lambda () (in-task write-through (make-shared-f64vector 5000))) "read-only"))
  (for-each
   (lambda (name make n)
     (test-equal (format #f "and to ~a of ~a whose array it has kept" name n) '((1. 1.) (2. 1. 2.) (3. 1. 2. 3.) (4. 1. 2. 3. 4.))
       (call-with-pool 1
         (lambda (pool) (pool-apply-only pool 0 (remote ((make make) (n n)) (lambda () (write-and-keep (make n) '(1. 2. 3. 4.)))))))))
   '("a private vector" "a shared vector" "a private vector" "a shared vector")
   (list (remote (lambda (n) (make-f64vector n))) (remote (lambda (n) (make-shared-f64vector n)))
         (remote (lambda (n) (make-f64vector n))) (remote (lambda (n) (make-shared-f64vector n))))
   '(10 10 100000 100000))
  (test-assert "the same memory" (in-task (remote (lambda () (every same-memory? (list (make-f64vector 3) (make-f64vector 100000)
                                                                                   (make-shared-f64vector 100000)))))))
  (test-assert "that of a received vector" (in-task same-memory? (make-shared-f64vector 100000)))
  (for-each (lambda (name shown?)
              (test-equal (format #f "an array that Python returns: ~a" name) shown? (in-task shown-in-place? name)))
            '("its own" "reshaped" "listed" "kept" "view of a kept one")
            '(#t #t #t #f #f))
  (test-assert "large arrays of Python's, as long as they are used" (in-task hold-large))
  (test-assert "a worker's memory stays bounded"
    (let ((peaks (map (lambda (_)
                        (in-task (remote (lambda () (do ((i 0 (1+ i))) ((= i 100)) (memory "filled" 1000000 1.)) (memory "resident")))))
                      (iota 4))))
      ;; 100 values of 8 MB each time; up to 256 MB may wait for a collection.
      (< (last peaks) (+ (first peaks) 400e6)))))

(call-with-python-tap '("numpy")
 (lambda ()
   (call-with-pool 2
     (lambda (pool)
       (test-group "master" (test-master pool))
       (test-group "task" (test-task pool))
       (test-group "views" (test-views pool))))))
