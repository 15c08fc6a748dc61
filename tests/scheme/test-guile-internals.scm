;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the bindings make of Guile's insides stays what it is when the objects have lived for a while.  (That the insides are what the
;; bindings take them for is checked whenever those are loaded.)
(use-modules (tap) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (system base compile) (system foreign)
             (test-primitives) (tutti base primitives) (tutti vector))

;; A list that is long enough for pairs in bulk, and everything else whose making is not Guile's.
(define (make-value)
  (let ((table (make-hash-table)))
    (hash-set! table "key" 1)
    (list (iota 10000) (map number->string (iota 1000)) table (list->array 2 '((1 2) (3 4))) (f64vector 1 2) #*101)))

(define (same? a b)
  (and (equal? (first a) (first b)) (equal? (second a) (second b)) (equal? (hash-ref (third a) "key") (hash-ref (third b) "key"))
       (every equal? (drop a 3) (drop b 3))))

;; Vectors whose contents others keep.

(define (kept-contents v)
  "Make V leave its contents, and return them as another vector, which keeps what keeps them."
  (let* ((left (%leave-contents! v)) (kept (pointer->bytevector (car left) (f64vector-length v) 0 'f64)))
    (hashq-set! keepers kept (cdr left))
    kept))
(define keepers (make-weak-key-hash-table))

(define (collect-much)
  (do ((i 0 (1+ i))) ((= i 4))
    (gc)
    (for-each (lambda (n) (make-f64vector n 99.)) '(1 2 4 10 100 1000 10000 100000 300000))
    (usleep 1000)))                     ; a chance for the thread of finalisers; nothing depends on it

(define (full n x) (make-f64vector n x))

;; The keeper lets go of all but the last: collections may find that at any time, and the memory is used again.
(define (test-again name v)
  (define n (f64vector-length v))
  (test-equal (string-append name ": again and again") (map (lambda (i) (list i i -1.)) (iota 200 0. 1.))
    (map (lambda (i)
           (f64vector-set! v 0 i)
           (f64vector-set! v (1- n) i)
           (let ((kept (kept-contents v)))
             (f64vector-set! v 0 -1.)
             (when (zero? (modulo (inexact->exact i) 50))
               (collect-much))
             (list (f64vector-ref kept 0) (f64vector-ref kept (1- n)) (f64vector-ref v 0))))
         (iota 200 0. 1.))))

(define (collect-finalised!)
  "Collect, and wait until finalisers have run."
  (let ((guardian (make-guardian)))
    (for-each (lambda (i) (guardian (list i))) (iota 10))
    ;; The collector may take anything for a reference, even to all of these: so not for ever.
    (let wait ((patience 1000))
      (gc)
      (unless (or (guardian) (zero? patience))
        (usleep 100)
        (wait (1- patience))))))

(define (test-no-growth)
  (let ((v (full 1000 1.)) (places (make-hash-table)))
    (do ((i 0 (1+ i))) ((= i 1000))
      (when (zero? (modulo i 10)) (collect-finalised!))
      (%leave-contents! v)              ; and nobody keeps them
      (hash-set! places (pointer-address (bytevector->pointer v)) #t))
    (test-assert "memory that was let go is used again" (< (hash-count (const #t) places) 500))))

(define (test-left-contents)
  (for-each
   (lambda (n)
     (let* ((v (full n 1.)) (array (make-shared-array v (lambda (i) (list (- n 1 i))) n)) (kept (kept-contents v)))
       (test-equal (format #f "~a numbers: the same, in two places" n) (list (full n 1.) (full n 1.)) (list v kept))
       (f64vector-set! v 0 2.)
       (array-set! array 3. 0)
       (f64vector-set! kept (quotient n 2) 4.)
       (collect-much)
       (test-equal (format #f "~a numbers: their own" n)
         (list 1. 4. 1. 2. 1. 3. 2. 3.)
         (append (map (lambda (i) (f64vector-ref kept i)) (list 0 (quotient n 2) (1- n)))
                 (map (lambda (i) (f64vector-ref v i)) (list 0 (quotient n 2) (1- n)))
                 (list (array-ref array (1- n)) (array-ref array 0))))
       (test-again (format #f "~a numbers" n) v)))
   '(3 1001 300001))
  (for-each
   (lambda (name view)
     (let* ((before (bytevector->pointer view)) (left (car (%leave-contents! view))))
       (test-equal (string-append name ": what it has shown") before left)
       (test-equal (string-append name ": the same numbers") (full 3000 1.) view)
       (f64vector-set! view 0 2.)
       (test-assert (string-append name ": in another place") (not (equal? before (bytevector->pointer view))))
       (collect-much)
       (test-equal (string-append name ": and stay") 2. (f64vector-ref view 0))
       (test-again name view)))
   '("a view" "a shared vector")
   (list (pointer->bytevector (bytevector->pointer (full 3000 1.)) 3000 0 'f64) (make-shared-f64vector 3000 1.)))
  (let* ((v (compile ''#f64(1 2))) (before (bytevector->pointer v)))
    (%leave-contents! v)
    (test-equal "nothing is copied that nobody writes to" before (bytevector->pointer v)))
  (test-equal "many live and die" 500.
    (let ((vectors (map (lambda (i) (let ((v (full 1000 0.5))) (kept-contents v) (kept-contents (full 1000 7.)) v)) (iota 1000))))
      (collect-much)
      (fold (lambda (v sum) (+ sum (f64vector-ref v 999))) 0. vectors))))

;; A guardian brings back what was unreachable, again and again, whether it came before or after.
(define (test-guarded name before?)
  (let ((guardian (make-guardian)))
    (define (make!)
      (let ((v (full 1000 5.)))
        (when before? (guardian v))
        (%leave-contents! v)
        (unless before? (guardian v))))
    (define (see!)
      "Have a vector back if there is one; is it as it was, #f for none?"
      (let ((v (guardian)))
        (and v (begin (guardian v) (list (equal? v (full 1000 5.)))))))
    (do ((i 0 (1+ i))) ((= i 20)) (make!))
    (let loop ((seen '()) (patience 10000))
      (if (or (= (length seen) 100) (zero? patience))
          (test-equal name (make-list 100 #t) seen)
          (begin
            (gc)
            (make-f64vector 1000 99.)
            (usleep 100)
            (loop (append (or (see!) '()) seen) (1- patience)))))))

(call-with-tap
 (lambda ()
   (test-left-contents)
   (test-no-growth)
   (test-guarded "a guardian that was there before" #t)
   (test-guarded "a guardian that comes later" #f)
   (let ((values (map (lambda (_) (%decode (%encode (make-value) #f) #f)) (iota 50))))
     (do ((i 0 (1+ i))) ((= i 5))
       (gc)
       (make-list 100000 'garbage))
     (test-assert "what was decoded outlives collections" (every (lambda (value) (same? value (make-value))) values)))

   ;; How quick they are is no test's business; that what is measured still does its work is.
   (test-assert "each can be measured against what Guile documents"
     (let ((costs (%internals-costs 100)))
       (and (pair? costs) (every (lambda (cost) (every real? (cdr cost))) costs))))))
