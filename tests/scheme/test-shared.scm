;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Values that are the same for all items: captured, made by define-remote, pushed. Whatever an item does to them, the others do not see
;; it, and it is the same in the serial pool and with any number of workers.
(use-modules (tap) (ice-9 match) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions) (tutti base primitives))

(define (outcome thunk)
  "Return what THUNK returns, or of its condition what does not depend on who ran it."
  (with-exception-handler outcome-of thunk #:unwind? #t))

(define (outcome-of condition)
  (cond ((value-changed? condition) (cons 'changed (value-changed-names condition)))
        ((and (worker-error? condition) (eq? 'read-only-vector (worker-error-key condition))) 'fault)
        ((worker-error? condition) (worker-error-key condition))
        (else (condition->string condition))))

(define (outcomes values) (map (lambda (value) (if (exception? value) (outcome-of value) value)) values))

(define pools '())                      ; the serial one, then some with workers

(define (everywhere proc)
  "Return what PROC returns for all pools if that is the same, else the list of all."
  (let ((all (map (lambda (pool) (outcome (lambda () (proc pool)))) pools)))
    (if (every (lambda (one) (equal? one (car all))) all) (car all) (cons 'different all))))

(define (mapped procedure) (everywhere (lambda (pool) (outcomes (pool-map pool procedure (iota 12) #:on-error 'collect)))))
(define (always x) (make-list 12 x))

;;; Small ones.

(define-remote weights (list 3 1 2))
(define-remote (sorted i) (sort! weights <))
(define-remote (lengthened i) (set-cdr! (last-pair weights) (list i)) (length weights))

(define-remote settings (let ((table (make-hash-table))) (hash-set! table 'a 1) table))
(define-remote (counted i) (hash-set! settings i #t) (hash-count (const #t) settings))

(define-remote numbers (vector 3 1 2))
(define-remote reals (f64vector 3 1 2))
(define-remote text (string-copy "abc"))
(define-remote bits (make-bitvector 4 #f))
(define-remote nested (list (vector (list 1 2)) 5))

(define (captured)
  (let ((k (list 1)) (table (make-hash-table)))
    (hashq-set! table 'n 0)
    (remote ((k k) (table table))
      (lambda (i)
        (set-car! k (+ i (car k)))
        (hashq-set! table 'n (1+ (hashq-ref table 'n)))
        (list (- (car k) i) (hashq-ref table 'n))))))

(define (stateful)
  (let ((n 0)) (remote ((n n)) (lambda (i) (set! n (1+ n)) n))))

(define (indirectly)
  ;; A procedure among the captured values that has captured one itself.
  (let* ((l (list 0))
         (add! (remote ((l l)) (lambda () (set-car! l (1+ (car l))) (car l)))))
    (list (remote ((add! add!)) (lambda (i) (add!) (add!)))
          (let ((procedures (list add!))) (remote ((procedures procedures)) (lambda (i) ((car procedures)) ((car procedures))))))))

(define-remote (even-steps n l) (if (zero? n) (car l) (odd-steps (1- n) l)))
(define-remote (odd-steps n l) (set-car! l (1+ (car l))) (even-steps (1- n) weights))

(define (test-small)
  (test-equal "a list" (always '(1 2 3)) (mapped sorted))
  (test-equal "a list that becomes longer" (always 4) (mapped lengthened))
  (test-equal "a hash table" (always 2) (mapped counted))
  (test-equal "captured values" (always '(1 1)) (mapped (captured)))
  (test-equal "an assigned captured value" (always 1) (mapped (stateful)))
  (test-equal "a captured procedure, and one in a list" (list (always 2) (always 2)) (map mapped (indirectly)))
  (test-equal "procedures that need each other" (always 4) (mapped (remote (lambda (i) (odd-steps 3 weights)))))
  (test-equal "a list in a vector" (always '((9 2) 1))
              (mapped (remote (lambda (i)
                                (let ((inner (vector-ref (car nested) 0)))
                                  (let ((before (car inner)))
                                    (set-car! inner 9)
                                    (list (vector-ref (car nested) 0) before)))))))
  (test-equal "an array over a list" (always '(1 . 7))
              (let ((a (make-array (list 1) 2 2)))
                (array-set! a (list 1) 0 0)
                (mapped (remote ((a a))
                          (lambda (i)
                            (let ((before (car (array-ref a 0 0))))
                              (set-car! (array-ref a 0 0) 7)
                              (cons before (car (array-ref a 0 0)))))))))
  (test-equal "an item's own data is its own" '((1 2) (1 2))
              (everywhere (lambda (pool) (let ((l (list 2 1))) (pool-map pool (remote (lambda (l) (sort! l <))) (list l l)))))))

;;; What is protected.

(define (test-protected)
  (define-syntax-rule (test-refused name expression) (test-equal name (always 'wrong-type-arg) (mapped (remote (lambda (_) expression)))))
  (test-refused "a vector" (vector-set! numbers 0 1))
  (test-refused "a vector that is sorted" (sort! numbers <))
  (test-refused "a vector that is filled" (vector-fill! numbers 1))
  (test-refused "a vector of numbers that is filled" (bytevector-fill! reals 1))
  (test-refused "a bit vector" (bitvector-set-bit! bits 0))
  (test-equal "a string" (always 'misc-error) (mapped (remote (lambda (i) (string-set! text 0 #\z)))))
  (test-equal "all are as they were" (always '(#(3 1 2) #f64(3 1 2) "abc" #*0000))
              (mapped (remote (lambda (i) (list numbers reals text bits)))))
  (test-equal "a vector that a task was given is its own" '(7 7)
              (everywhere (lambda (pool)
                            (map (lambda (v) (task-wait (pool-submit! pool (remote (lambda (v) (vector-set! v 0 7) (vector-ref v 0))) v)))
                                 (list (vector 1) (vector 2)))))))

;; Compiled code writes to vectors of numbers without asking Guile: workers find out at once, the serial pool after the item.
(define (test-numbers)
  (define (write-to v)
    (remote ((v v)) (lambda (i) (when (= i 5) (f64vector-set! v 1 99.)) (f64vector-ref v 1))))
  (define (found outcome) (match outcome ((or 'fault ('changed . _)) 'refused) (x x)))
  (for-each
   (lambda (name n)
     (test-equal (string-append name " vector: only the item that writes fails")
                 '(0. 0. 0. 0. 0. refused 0. 0. 0. 0. 0. 0.)
                 (everywhere
                  (lambda (pool)
                    (map found (outcomes (pool-map pool (write-to (make-f64vector n 0)) (iota 12) #:on-error 'collect)))))))
   '("a small" "a large") '(3 10000))
  (test-equal "define-remote" 3.
              (everywhere (lambda (pool) (pool-map pool (remote (lambda (i) (f64vector-set! reals 0 8.))) '(1) #:on-error 'collect)
                                  (first (pool-map pool (remote (lambda (i) (f64vector-ref reals 0))) '(1))))))
  (test-equal "pushed" 'refused
              (everywhere
               (lambda (pool)
                 (let ((v (pool-push pool (f64vector 1 2))))
                   (found (outcome (lambda () (task-wait (pool-submit! pool (remote (lambda (v) (f64vector-set! v 0 8.))) v))))))))))

;;; Large ones.

(define many 20000)
(define-remote large (iota many))
(define-remote (change-at-5 i)
  (when (= i 5) (set-car! (cdr large) 'changed))
  (cadr large))

(define (changed what) (list 'changed what))

(define (test-large)
  (test-equal "the item that changes a list fails, no other"
              (append (make-list 5 1) (list (changed "`large', made by define-remote,")) (make-list 6 1))
              (mapped change-at-5))
  (test-equal "and is the first that failed" (changed "`large', made by define-remote,")
              (everywhere (lambda (pool) (pool-map pool change-at-5 (iota 200)))))
  (test-equal "a hash table that is added to"
              (changed "`table', which a remote procedure has captured,")
              (let ((table (make-hash-table)))
                (for-each (lambda (i) (hashv-set! table i (list i))) (iota 5000))
                (everywhere (lambda (pool) (pool-map pool (remote ((table table)) (lambda (i) (hashv-set! table 'x i))) (iota 30))))))
  (test-equal "an entry of one"
              (changed "`table', which a remote procedure has captured,")
              (let ((table (make-hash-table)))
                (for-each (lambda (i) (hashv-set! table i (list i))) (iota 5000))
                (everywhere
                 (lambda (pool) (pool-map pool (remote ((table table)) (lambda (i) (set-car! (hashv-ref table 77) i))) (iota 30))))))
  (test-equal "a list that becomes circular" (changed "`l', which a remote procedure has captured,")
              (let ((l (iota many)))
                (everywhere (lambda (pool) (pool-map pool (remote ((l l)) (lambda (i) (set-cdr! (last-pair l) l) 1)) '(1))))))
  (test-equal "what is only read serves all" (list (apply + (iota many)))
              (everywhere (lambda (pool) (delete-duplicates (pool-map pool (remote (lambda (i) (apply + large))) (iota 300)))))))

;;; Pushed.

(define (test-pushed)
  (define (tasks pool procedure object)
    (map (lambda (i) (outcome (lambda () (task-wait (pool-submit! pool procedure object i))))) (iota 6)))
  (test-equal "a small table is each task's own" (make-list 6 1)
              (everywhere
               (lambda (pool)
                 (tasks pool (remote (lambda (table i) (hashv-set! table i #t) (hash-count (const #t) table)))
                        (pool-push pool (make-hash-table))))))
  (test-equal "the same in a map" (make-list 6 1)
              (everywhere
               (lambda (pool)
                 (let ((table (pool-push pool (make-hash-table))))
                   (pool-map pool (remote ((table table)) (lambda (i) (hashv-set! table i #t) (hash-count (const #t) table))) (iota 6))))))
  (test-equal "and as an item" '(1 1 1)
              (everywhere
               (lambda (pool)
                 (let ((table (pool-push pool (make-hash-table))))
                   (pool-map pool (remote (lambda (table i) (hashv-set! table i #t) (hash-count (const #t) table)))
                             (make-list 3 table) '(1 2 3))))))
  (test-equal "a large list that a long task changes" '(changed 1)
              (everywhere
               (lambda (pool)
                 (define change (remote (lambda (l) (usleep 200000) (set-car! (cdr l) 'x) 1)))
                 (let* ((l (pool-push pool (iota many)))
                        (first (outcome (lambda () (task-wait (pool-submit! pool change l))))))
                   (list (car first) (task-wait (pool-submit! pool (remote (lambda (l) (cadr l))) l)))))))
  (test-equal "scattered" '(1 1)
              (everywhere
               (lambda (pool)
                 (let ((part (pool-scatter pool (make-list (pool-size pool) (list 0)))))
                   (map (lambda (i)
                          (first (pool-apply pool (remote (lambda (part) (set-car! (car part) (1+ (caar part))) (caar part))) part)))
                        '(1 2)))))))

;;; Shared vectors that are given to tasks.

(define-remote (overwrite! v) (f64vector-set! v 0 99.) (f64vector-ref v 0))
(define-remote (ends-of v) (list (f64vector-ref v 0) (f64vector-ref v (1- (f64vector-length v)))))
(define-remote (same v) v)
(define-remote (new-shared n) (make-shared-f64vector n 7.))

(define (test-given)
  (call-with-pool 2
    (lambda (pool)
      (define (read-only? thunk)
        (with-exception-handler
            (lambda (e) (and (worker-error? e) (string-contains (condition->string e) "may only read") #t))
          thunk #:unwind? #t))
      (for-each
       (lambda (n)
         (let ((v (make-shared-f64vector n 3.)))
           (define (name what) (format #f "~a numbers: ~a" n what))
           (test-assert (name "submitted") (read-only? (lambda () (task-wait (pool-submit! pool overwrite! v)))))
           (test-assert (name "applied") (read-only? (lambda () (pool-apply-only pool 0 overwrite! v))))
           (test-assert (name "applied to all") (read-only? (lambda () (pool-apply pool overwrite! v))))
           (test-assert (name "an item") (read-only? (lambda () (pool-map pool overwrite! (list v)))))
           (test-assert (name "inside of something")
             (read-only? (lambda () (task-wait (pool-submit! pool (remote (lambda (l) (overwrite! (cadr l)))) (list 1 v))))))
           (test-assert (name "of another task")
             (read-only? (lambda () (task-wait (pool-submit! pool overwrite! (pool-submit! pool new-shared n))))))
           (test-assert (name "by Tutti's procedures, too")
             (every worker-error? (pool-map pool (remote (lambda (v) (vec-axpy! 1. v v))) (list v v) #:on-error 'collect)))
           (test-equal (name "as it was") '((3. 3.) (3. 3.)) (pool-map pool ends-of (list v v)))
           (test-equal (name "private ones are the task's own") '(99. 99.)
                       (pool-map pool overwrite! (list (make-f64vector n 1.) (make-f64vector n 2.))))
           (let ((back (car (pool-map pool same (list v)))) (new (car (pool-map pool new-shared (list n)))))
             (f64vector-set! back 0 5.)
             (f64vector-set! new 0 5.)
             (test-equal (name "what comes back is the script's own") '(5. 5. 3.)
                         (map (lambda (v) (f64vector-ref v 0)) (list back new v))))))
       '(1 100 2048 2049))
      ;; Many more than one memory for them has room for; some are kept.
      (let* ((all (map (lambda (i) (make-shared-f64vector (1+ (modulo (* 37 i) 2000)) i)) (iota 500)))
             (kept (map (lambda (v) (pool-push pool v)) (take all 10))))
        (test-equal "many" (map (lambda (i) (list (exact->inexact i) (exact->inexact i))) (iota 500)) (pool-map pool ends-of all))
        (test-equal "many at once" (map exact->inexact (iota 500))
                    (task-wait (pool-submit! pool (remote (lambda (all) (gc) (map (lambda (v) (f64vector-ref v 0)) all))) all)))
        (test-equal "and kept" (iota 10) (map (lambda (o) (inexact->exact (car (task-wait (pool-submit! pool ends-of o))))) kept))))))

;;; Assigned variables.

(define-remote total 0)

(define (test-assigned)
  (test-assert "a variable made by define-remote is not assigned in a task"
    (string-contains (everywhere (lambda (pool) (pool-map pool (remote (lambda (i) (set! total i))) '(1 2)))) "assigns the top-level")))

(call-with-tap
 (lambda ()
   (test-group "shared"
     (worker-output-port #f)
     (progress-port #f)
     (set! pools (cons (make-serial-pool) (map make-pool '(1 2 8))))
     (test-group "small" (test-small))
     (test-group "protected" (test-protected))
     (test-group "numbers" (test-numbers))
     (test-group "large" (test-large))
     (test-group "pushed" (test-pushed))
     (test-group "given" (test-given))
     (test-group "assigned" (test-assigned))
     (for-each pool-close! pools))))
