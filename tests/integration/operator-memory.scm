;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Twelve simulations of 400 MB each, given as remote thunks: they are made on their workers, and never exist in the master.
(use-modules (tap) (operators) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti) (tutti operator)
             (tutti base primitives))

(define simulations 12)
(define rows 5000)
(define columns 10000)

(define (proc-number file key)
  "Return the number in kB that FILE gives for KEY."
  (call-with-input-file file
    (lambda (port)
      (let loop ()
        (let ((line (read-line port)))
          (cond ((eof-object? line) (error "not in the file:" key file))
                ((string-prefix? key line) (string->number (second (string-tokenize line))))
                (else (loop))))))))

(define (peak-memory) (proc-number "/proc/self/status" "VmHWM:"))

(define (forget-peak!)
  ;; The peak is what there is now.
  (call-with-output-file "/proc/self/clear_refs" (lambda (port) (display 5 port))))

(define (grown-by thunk)
  "Return two values: what THUNK returns, and by how many kB the peak of this process is above what it needs before."
  (gc)
  (forget-peak!)
  (let* ((before (peak-memory))
         (value (thunk)))
    (values value (- (peak-memory) before))))

(define-remote (make-simulation i)
  ;; All entries are i + 1: every page is written to.
  (let ((entries (make-f64vector 50000000)))
    (%vec-fill! entries (+ i 1.))
    (matrix-operator 5000 10000 entries)))

(define (simulation i)
  (remote ((i i)) (lambda () (make-simulation i))))

(define (memory-of-workers pool)
  (fold + 0 (map (lambda (worker) (proc-number (format #f "/proc/~a/status" (worker-pid worker)) "VmRSS:")) (pool-workers pool))))

(define (block-numbers v size)
  "Return the list of the first and the last number of each block of SIZE numbers of V."
  (append-map (lambda (i) (list (f64vector-ref v (* i size)) (f64vector-ref v (1- (* (1+ i) size))))) (iota simulations)))

(define (test-simulations pool)
  (call-with-values (lambda () (grown-by (lambda () (parallel-vector-of-operators (map simulation (iota simulations)) #:pool pool))))
    (lambda (op growth)
      (test-assert (format #f "making them: the master grows by ~a kB" growth) (< growth 100000))
      (test-assert "they exist in the workers" (> (memory-of-workers pool) (* simulations 390000)))
      (test-equal "spaces" (list columns (apply direct-sum (make-list simulations rows)))
        (list (operator-domain op) (operator-codomain op)))
      (let ((x (make-f64vector columns 0.))
            (y (make-f64vector (* simulations rows) 0.)))
        (f64vector-set! x 0 1)
        (f64vector-set! x (1- columns) 2)
        (for-each (lambda (i) (f64vector-set! y (* i rows) 1)) (iota simulations))
        (call-with-values (lambda () (grown-by (lambda () (list (evaluate op x) (apply-adjoint (derivative-of op x) y)))))
          (lambda (results growth)
            (test-equal "values" (append-map (lambda (i) (list (* 3. (1+ i)) (* 3. (1+ i)))) (iota simulations))
              (block-numbers (first results) rows))
            (test-equal "adjoint" '(78. 78.)
              (list (f64vector-ref (second results) 0) (f64vector-ref (second results) (1- columns))))
            (test-assert (format #f "using them: the master grows by ~a kB" growth) (< growth 100000))))))))

(define (test-wrong pool)
  (test-assert "one that is none is named by its number"
    (refused? worker-error?
              (lambda ()
                (parallel-vector-of-operators
                 (map (lambda (i) (remote ((i i)) (lambda () (if (= i 7) (list i) (identity-operator 3))))) (iota simulations))
                 #:pool pool))
              "operator 7" "(7)" "expected an operator")))

(define needed 8000000)

(call-with-tap
 (lambda ()
   (test-group "operator-memory"
     (call-with-pool 2
       (lambda (pool)
         (test-wrong pool)
         (if (< (proc-number "/proc/meminfo" "MemAvailable:") needed)
             (tap-skip "twelve simulations of 400 MB" (format #f "less than ~a kB of memory are available" needed))
             (test-simulations pool)))))))
