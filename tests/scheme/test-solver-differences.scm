;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Solvers with derivatives of which columns are missing: gauss-newton holds their parameters, as independent solutions of the problem in
;; the others say, and its history names them; all other solvers refuse.
(use-modules (tap) (operators) (vectors) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64)
             (tutti) (tutti linear) (tutti operator) (tutti solver))

(define state (seed->random-state 11))
(define (draws n) (list->f64vector (list-tabulate n (lambda (_) (- (random 2. state) 1)))))

(define-remote (fails-when op fails?)
  "Return OP without its derivative; it fails where FAILS? of the argument is true."
  (make-operator #:name "the model" #:domain (operator-domain op) #:codomain (operator-codomain op)
                 #:evaluate (lambda (x) (if (fails? x) (error "no convergence") (evaluate op x)))))

(define (held-at numbers values)
  "Return the predicate that is true of vectors whose numbers NUMBERS are not VALUES."
  (lambda (x) (not (every (lambda (j value) (= value (f64vector-ref x j))) numbers values))))

(define* (differences op #:key (names (map (lambda (j) (format #f "p~a" j)) (iota (operator-domain op)))) (pool #f))
  (with-differences op #:pool pool #:names names #:step 1e-3 #:retries 1))

(define (run solver . arguments) (apply solver (append arguments (list #:callback #f))))

(define (frozen result) (map iteration-frozen (cdr (solver-result-history result))))

;;; Linear problems with some unknowns held: solutions by hand.

(define (entries-of matrix n rows columns)
  "Return the entries of MATRIX, row-major with N columns, in ROWS and COLUMNS."
  (list->f64vector (append-map (lambda (i) (map (lambda (j) (f64vector-ref matrix (+ j (* i n)))) columns)) rows)))

(define (held-minimum rows n a d beta r reference numbers values)
  "Return the minimum of |A m - D|^2 + BETA <m - REFERENCE, R (m - REFERENCE)>, A and R row-major, over the numbers of m that are not in
NUMBERS, which have VALUES."
  (let* ((free (lset-difference = (iota n) numbers))
         (c (make-f64vector n 0.))
         (count (length free)))
    (for-each (lambda (j value) (f64vector-set! c j value)) numbers values)
    (for-each (lambda (j) (f64vector-set! c j (f64vector-ref reference j))) free)
    ;; m = c + E z: the gradient at c, and the matrix of the second derivatives, of the free ones.
    (let* ((hessian (vec+ (matrix-gram rows n a) (vec-scale beta r)))
           (gradient (vec+ (matrix-transpose-vector rows n a (vec- d (matrix-vector rows n a c)))
                           (vec-scale (- beta) (matrix-vector n n r (vec- c reference)))))
           (z (solve-positive-definite count (entries-of hessian n free free)
                                       (list->f64vector (map (lambda (j) (f64vector-ref gradient j)) free)))))
      (for-each (lambda (j step) (f64vector-set! c j (+ (f64vector-ref c j) step))) free (f64vector->list z))
      c)))

(define (identity-entries n)
  (let ((entries (make-f64vector (* n n) 0.)))
    (for-each (lambda (i) (f64vector-set! entries (* i (1+ n)) 1.)) (iota n))
    entries))

(define (test-linear name rows n numbers scale . keywords)
  (let* ((a (draws (* rows n)))
         (d (draws rows))
         (start (draws n))
         (factor (draws (* n n)))
         (r (vec+ (matrix-gram n n factor) (identity-entries n)))
         (reference (draws n))
         (values (map (lambda (j) (f64vector-ref start j)) numbers))
         (op (differences (fails-when (operator-scale scale (matrix-operator rows n a)) (held-at numbers values))))
         (result (apply run gauss-newton op (vec-scale scale d) start #:beta (* 0.1 scale scale) #:regularization (matrix-operator n n r)
                        #:reference reference #:inner-stop (stop-when #:tolerance 1e-12 #:iterations 1000) keywords)))
    (test-assert (string-append name ": the minimum in the others")
      (close? (held-minimum rows n a d 0.1 r reference numbers values) (solver-result-solution result) 1e-8))
    (test-equal (string-append name ": the held ones have the same bits") values
      (map (lambda (j) (f64vector-ref (solver-result-solution result) j)) numbers))
    (test-assert (string-append name ": each iteration names them") (every (lambda (held) (equal? held numbers)) (frozen result)))
    (test-equal (string-append name ": the start none") '() (iteration-frozen (first (solver-result-history result))))))

(define wide (cons -1e3 1e3))

(define (test-all-linear)
  (test-linear "few" 9 5 '(1 3) 1.)
  (test-linear "few, within bounds" 9 5 '(1 3) 1. #:bounds wide)
  (test-linear "many" 90 70 '(0 17 69) 1.)
  (test-linear "many, within bounds" 90 70 '(0 17 69) 1. #:bounds wide)
  (test-linear "few, of unusual size" 9 5 '(1 3) 1e-120)
  (test-linear "many, of unusual size" 90 70 '(0 17 69) 1e-120))

(define (test-bounds n)
  ;; What another solver finds for the others, within their bounds.
  (let* ((rows (+ n 10))
         (a (draws (* rows n)))
         (d (vec-scale 3 (draws rows)))
         (start (vec-scale 0.1 (draws n)))
         (held 1)
         (free (delete held (iota n)))
         (value (f64vector-ref start held))
         (reduced (entries-of a n (iota rows) free))
         (column (entries-of a n (iota rows) (list held)))
         (z (call-with-values (lambda ()
                                (solve-least-squares rows (1- n) reduced (vec- d (vec-scale value column))
                                                     #:lower (make-f64vector (1- n) -0.1) #:upper (make-f64vector (1- n) 0.1)))
              (lambda (z _) z)))
         (result (run gauss-newton (differences (fails-when (matrix-operator rows n a) (held-at '(1) (list value)))) d start #:beta 0
                      #:bounds (cons -0.1 0.1) #:inner-stop (stop-when #:tolerance 1e-12 #:iterations 1000))))
    (test-assert (format #f "~a unknowns: bounds of the others are kept" n)
      (close? z (list->f64vector (map (lambda (j) (f64vector-ref (solver-result-solution result) j)) free)) 1e-6))
    (test-equal (format #f "~a unknowns: the held one is where it was" n) value (f64vector-ref (solver-result-solution result) held))))

;;; Others.

(define curves                          ; exp (A m), R^3 -> R^5
  (let ((a (f64vector 1 0 0  0 1 0  0 0 1  1 1 0  0 0.5 -1)))
    (operator-compose (exp-operator 5) (matrix-operator 5 3 a))))
(define truth (f64vector 0.5 -0.3 0.8))
(define curves-data (evaluate curves truth))

(define stiff-start (f64vector 0 -0.1 0))
(define (stiff . keywords) (apply differences (fails-when curves (held-at '(1) '(-0.1))) keywords))

(define (test-nonlinear)
  (let* ((start stiff-start)
         (others (operator-compose curves (affine-operator (matrix-operator 3 2 (f64vector 1 0  0 0  0 1)) (f64vector 0 -0.1 0))))
         (independent (solver-result-solution (run gauss-newton others curves-data (f64vector 0 0) #:beta 0)))
         (result (run gauss-newton (stiff) curves-data start #:beta 0)))
    (test-assert "the minimum in the others"
      (close? (f64vector (f64vector-ref independent 0) -0.1 (f64vector-ref independent 1)) (solver-result-solution result) 1e-5))
    (test-assert "the message names it"
      (string-contains (solver-result-message result) "p1"))
    (test-equal "by its name" '("p1") (iteration-frozen-names (last (solver-result-history result)))))
  (let ((result (run gauss-newton (stiff #:names #f) curves-data stiff-start #:beta 0)))
    (test-equal "without names by its number" '("1") (iteration-frozen-names (last (solver-result-history result)))))
  (test-assert "a table of the iterations shows it"
    (let ((text (call-with-output-string
                  (lambda (port)
                    (parameterize ((progress-port port))
                      (gauss-newton (stiff) curves-data stiff-start #:beta 0))))))
      (match (string-split text #\newline)
        ((start . lines) (and (not (string-contains start "held")) (pair? lines)
                              (every (lambda (line) (or (string-null? line) (string-contains line "held p1"))) lines)))))))

(define (test-minimum)
  ;; With the others at their minimum nothing can be done: this is no minimum of the whole.
  (let* ((op (differences (fails-when (matrix-operator 2 2 (f64vector 1 0 0 1)) (held-at '(1) '(0.)))))
         (result (run gauss-newton op (f64vector 3 5) (f64vector 1 0) #:beta 0 #:stop (stop-when #:iterations 20))))
    (test-eq "the reason" 'frozen (solver-result-reason result))
    (test-assert "its text" (string-contains (solver-result-message result) "p1"))
    (test-assert "the model" (close? (f64vector 3 0) (solver-result-solution result) 1e-9))))

(define (test-for-a-while)
  ;; The parameter moves as soon as the others are where the model runs.
  (define (fails? x) (and (< (f64vector-ref x 0) 0.3) (not (= (f64vector-ref x 1) -0.1))))
  (let ((result (run gauss-newton (differences (fails-when curves fails?)) curves-data (f64vector 0 -0.1 0) #:beta 0)))
    (test-assert "the minimum of all" (close? truth (solver-result-solution result) 1e-5))
    (test-equal "held at first" '(1) (first (frozen result)))
    (test-equal "not in the end" '() (last (frozen result)))
    (test-assert "nor does the message say so" (not (string-contains (solver-result-message result) "held")))))

(define (test-pool pool)
  (let ((arguments (list curves-data (f64vector 0 -0.1 0) #:beta 0))
        (op (fails-when curves (remote (lambda (x) (not (= -0.1 (f64vector-ref x 1))))))))
    (test-equal "the same bits on a pool"
      (solver-result-solution (apply run gauss-newton (differences op) arguments))
      (solver-result-solution (apply run gauss-newton (differences op #:pool pool) arguments)))
    (test-assert "a parameter whose evaluations end their worker"
      (let* ((op (make-operator #:name "the model" #:domain 2 #:codomain 2
                                #:evaluate (remote (lambda (x)
                                                     (unless (zero? (f64vector-ref x 1)) (kill (getpid) SIGKILL) (sleep 60))
                                                     x))))
             (result (parameterize ((task-retries 0))
                       (run gauss-newton (with-differences op #:pool pool #:retries 0) (f64vector 3 5) (f64vector 1 0) #:beta 0))))
        (and (close? (f64vector 3 0) (solver-result-solution result) 1e-6)
             (every (lambda (held) (equal? held '(1))) (frozen result)))))))

(define (test-compositions)
  (define start stiff-start)
  (define op (stiff))
  (define (solution op data) (solver-result-solution (run gauss-newton op data start #:beta 0)))
  (let ((alone (solution op curves-data)))
    (for-each (lambda (name twice)
                (test-assert name (close? alone (solution twice (vec-scale 2 curves-data)) 1e-5)))
              '("behind another operator" "a multiple" "a sum")
              (list (operator-compose (operator-scale 2 (identity-operator 5)) op) (operator-scale 2 op) (operator-sum op op)))))

(define (test-others)
  (define start stiff-start)
  (define op (stiff))
  (define derivative (derivative-of op start))
  (define-syntax-rule (refuses what expression part ...)
    (test-assert what
      (refused? solver-error? (lambda () expression) "column 1 (p1)" "is missing" "no convergence" "gauss-newton does without" part ...)))
  (refuses "irgnm" (run irgnm op curves-data start) "irgnm" "at the start")
  (refuses "landweber" (run landweber op curves-data start) "landweber" "at the start")
  (refuses "landweber with a step" (run landweber op curves-data start #:step 0.01) "landweber" "at the start")
  (refuses "cgls" (run cgls derivative curves-data) "cgls")
  (refuses "conjugate-gradient"
    (run conjugate-gradient
         (derivative-of (differences (fails-when (operator-scale 2 (identity-operator 2)) (held-at '(1) '(0.)))) (f64vector 1 0))
         (f64vector 1 1)))
  ;; At the start seven evaluations succeed. Of the next seven those for number 1 fail, and so do two with smaller steps.
  (let* ((calls 0)
         (later (fails-when curves (lambda (x) (set! calls (1+ calls)) (memv calls '(11 12 15 16)))))
         (condition (condition-of (lambda () (run irgnm (differences later) curves-data start)))))
    (test-assert "later: a solver-error" (solver-error? condition))
    (test-equal "with the last good model" start (solver-result-solution (solver-error-result condition)))
    (test-assert "and the name" (string-contains (condition->string condition) "in iteration 1 column 1 (p1)"))))

(call-with-tap
 (lambda ()
   (test-group "solver-differences"
     (test-group "linear" (test-all-linear))
     (test-group "bounds" (test-bounds 6) (test-bounds 70))
     (test-group "nonlinear" (test-nonlinear))
     (test-group "minimum" (test-minimum))
     (test-group "for a while" (test-for-a-while))
     (test-group "compositions" (test-compositions))
     (call-with-pool 2 (lambda (pool) (test-group "pool" (test-pool pool))))
     (test-group "others" (test-others)))))
