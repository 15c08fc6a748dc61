;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sizes that cannot be: each is refused with a message, whatever it is, and nothing is asked of the system for it.
(use-modules (tap) (ice-9 exceptions) (ice-9 format) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define impossible
  (list -1 1.5 2. 1e300 +inf.0 +nan.0 1/2 (expt 2 60) (1- (expt 2 61)) (expt 2 61) (expt 2 62) (1- (expt 2 63)) (expt 2 63)
        (1- (expt 2 64)) (expt 2 64) (1+ (expt 2 64)) (- (expt 2 64)) (expt 2 100) 'a "5" #f '(1)))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refusal thunk)
  (let ((condition (condition-of thunk)))
    (and (error? condition) (not (string-null? (condition->string condition))))))

(define-syntax-rule (test-impossible name n expression)
  (test-equal name '()
    (remove (lambda (n) (refusal (lambda () expression))) impossible)))

(define shared (make-shared-f64vector 5000))

(define (test-vectors)
  (test-impossible "make-shared-f64vector" n (make-shared-f64vector n))
  (test-impossible "with numbers" n (make-shared-f64vector n 1.))
  (test-impossible "make-shared-c64vector" n (make-shared-c64vector n))
  (test-impossible "vec-slice" n (vec-slice shared 0 n))
  (test-impossible "from" n (vec-slice shared n n))
  (test-impossible "of a private vector" n (vec-slice (make-f64vector 10) n n))
  (let ((file (port-filename (mkstemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-impossible-XXXXXX")))))
    (call-with-output-file file (lambda (port) (display (make-string 80 #\0) port)))
    ;; Without a count it is all that there is.
    (test-equal "map-f64vector" '(#f)
                (remove (lambda (n) (refusal (lambda () (map-f64vector file #:count n)))) impossible))
    (test-impossible "from" n (map-f64vector file #:offset n))
    (delete-file file))
  ;; A limit has fewer values that cannot be.
  (let ((limit (shared-memory-limit)) (kept (shared-memory-kept-limit)))
    (for-each (lambda (n)
                (test-assert (format #f "limits of ~s" n)
                  (and (refusal (lambda () (shared-memory-limit n))) (refusal (lambda () (shared-memory-kept-limit n))))))
              (list -1 1.5 +inf.0 (expt 2 63) (expt 2 64) (- (expt 2 64)) "5"))
    (shared-memory-limit (1- (expt 2 63)))
    (test-impossible "without a limit" n (make-shared-f64vector n))
    (shared-memory-limit limit)
    (test-equal "limits are as they were" (list limit kept) (list (shared-memory-limit) (shared-memory-kept-limit)))))

(define (test-spaces)
  (test-impossible "complex-space" n (complex-space n))
  (test-impossible "direct-sum" n (direct-sum n))
  (test-assert "of many" (refusal (lambda () (apply direct-sum (make-list 8 (expt 2 58))))))
  (test-impossible "identity-operator" n (identity-operator n))
  (test-impossible "make-operator" n (make-operator #:name "x" #:domain n #:codomain n #:evaluate identity))
  (test-impossible "matrix-operator" n (matrix-operator n n (f64vector 1 2 3)))
  (test-impossible "sparse-operator" n (sparse-operator n n '(0 1) '(0 1) (f64vector 1 2)))
  (test-impossible "its indices" n (sparse-operator 3 3 (list 0 n) '(0 1) (f64vector 1 2)))
  (test-impossible "projection-operator" n (projection-operator n '(0 1)))
  (test-impossible "fourier-operator" n (fourier-operator (complex-space 8) (list n)))
  (test-impossible "of several dimensions" n (fourier-operator (complex-space 8) (list n n n)))
  (test-assert "operator->matrix" (refusal (lambda () (operator->matrix (identity-operator (expt 2 32)))))))

(define (test-pools)
  (test-impossible "make-pool" n (make-pool n))
  (test-impossible "#:threads" n (make-pool 1 #:threads n)))

;;; The environment.

(define (environment-refused? env . parts)
  (let ((condition (condition-of (lambda () (call-with-pool 1 (const #t) #:env env)))))
    (and (tutti-error? condition)
         (or (every (lambda (part) (string-contains (condition->string condition) part)) (cons "make-pool" parts))
             (begin (format #t "# ~a~%" (condition->string condition)) #f)))))

(define most (* 128 1024))

(define (test-environment)
  (test-assert "a NUL" (environment-refused? (list "A=b\0c") "#:env" "without NUL"))
  (test-assert "a NUL in a name" (environment-refused? (list (cons "A\0" "b")) "#:env" "without NUL"))
  (test-assert "= in a name" (environment-refused? '(("A=c" . "b")) "#:env" "without =" "A=c"))
  (test-assert "no name" (environment-refused? '("=b") "#:env"))
  (test-assert "no =" (environment-refused? '("A") "#:env"))
  (test-assert "140 kB" (environment-refused? (list (cons "LONG" (make-string 140000 #\x))) "#:env" "LONG" "140006" "131072"))
  (test-assert "bytes, not characters" (environment-refused? (list (cons "LONG" (make-string 70000 #\ä))) "LONG" "140006"))
  (test-equal "as long as possible" (- most 3)
              (call-with-pool 1
                (lambda (pool) (task-wait (pool-submit! pool (remote (lambda () (string-length (getenv "A")))))))
                #:env (list (cons "A" (make-string (- most 3) #\x)))))
  (test-assert "all together"
    (environment-refused? (map (lambda (i) (cons (format #f "A~a" i) (make-string 120000 #\x))) (iota 60)) "settings" "ulimit -s" "A1"))
  (dynamic-wind
    (lambda () (setenv "OWN" (make-string 140000 #\x)))
    (lambda () (test-assert "the script's own" (environment-refused? '() "OWN" "140005")))
    (lambda () (unsetenv "OWN")))
  (test-assert "no list" (refusal (lambda () (make-pool 1 #:env "A=b"))))
  (test-assert "an improper one" (refusal (lambda () (make-pool 1 #:env '("A=b" . 5)))))
  (test-equal "the rest works" '("b" "c=d" "")
              (call-with-pool 1
                (lambda (pool) (task-wait (pool-submit! pool (remote (lambda () (map getenv '("A" "B" "C")))))))
                #:env '("A=b" ("B" . "c=d") ("C" . "")))))

(call-with-tap
 (lambda ()
   (test-group "impossible"
     (worker-output-port #f)
     (test-group "vectors" (test-vectors))
     (test-group "spaces" (test-spaces))
     (test-group "pools" (test-pools))
     (test-group "environment" (test-environment)))))
