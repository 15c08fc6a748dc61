;; SPDX-License-Identifier: LGPL-3.0-or-later
;; speed-pool.scm CASE [ARGUMENT]: Tutti as a script uses it. Every result is looked at. Figures are in seconds unless said otherwise.
;;
;;   round-trip               an empty procedure, 1 worker: the median
;;   tasks                    100 000 tasks, 2 workers: how many a second
;;   map                      pool-map of an empty procedure over a million items, 2 workers: items a second
;;   broadcast shared|private 80 MB to 8 workers, each of which looks at one number
;;   gather                   80 MB from 8 workers, which have a part each
;;   sum shared|private       the adjoint of 8 operators, each with a vector of 80 MB
;;   dense                    8 dense operators of 1000 x 10000, 2 workers: forward and adjoint products of all of them a second
;;   threads                  one of them, 1 worker with 1 and with 2 threads
;;   block                    products of such a matrix with 8 vectors, one after the other and at once, in this process
;;   simulations ROWS COLUMNS 8 linear simulations as one, 2 workers: dpred with a new model each time, jvec and jtvec with the same model
;;   memory ROUNDS            a new vector of 80 MB to 8 workers, so many times; waits for a line after each
(use-modules (bench) (ice-9 rdelim) (rnrs bytevectors) (srfi srfi-1) (tutti) ((tutti operator type) #:select (operator-parts)))

(define n-numbers 10000000)
(define n-workers 8)
(define part-length (quotient n-numbers n-workers))

(define (figure name value)
  (format #t "~a ~a~%" name (exact->inexact value))
  (force-output))

(define (check what complaint)
  (unless what
    (error complaint)))

(define (seconds-of thunk)
  "Return how long @var{thunk} takes, and its value."
  (let* ((start (get-internal-real-time)) (value (thunk)))
    (values (exact->inexact (/ (- (get-internal-real-time) start) internal-time-units-per-second)) value)))

(define* (times rounds action verify #:key (prepare (const #t)))
  "Return the list of the times that @var{action} takes, which gets the number of the round. What it returns is not kept."
  (map-in-order (lambda (i)
                  (prepare i)
                  (call-with-values (lambda () (seconds-of (lambda () (action i))))
                    (lambda (seconds value)
                      (verify i value)
                      seconds)))
                (iota rounds)))

(define* (median-time rounds action verify #:key (prepare (const #t)) (warm 2))
  "Return the median of the times without those of the first @var{warm} rounds."
  (median (drop (times (+ warm rounds) action verify #:prepare prepare) warm)))

;;; What workers do.

(define-remote (nothing . arguments) #t)

(define-remote (look v index) (f64vector-ref v index))

(define-remote (numbers-from start n shared?)
  (let ((v (if shared? (make-shared-f64vector n) (make-f64vector n))))
    (do ((i 0 (1+ i))) ((= i n) v)
      (f64vector-set! v i (+ start i)))))

(define-remote (give numbers) numbers)

(define-remote (operator-with-vector start n shared?)
  (let ((v (numbers-from start n shared?)))
    (make-linear-operator #:domain n #:codomain 1
                          #:apply (lambda (x) (f64vector (vec-dot v x)))
                          #:adjoint (lambda (y) v))))

;; Row r is the numbers 0 to 16, again and again, shifted by r + I.
(define-remote (dense-operator index rows columns)
  (let ((row (make-f64vector columns)) (matrix (make-f64vector (* rows columns))))
    (do ((i 0 (1+ i))) ((= i columns))
      (f64vector-set! row i (modulo i 17)))
    (do ((r 0 (1+ r))) ((= r rows))
      (let ((shift (modulo (+ r index) columns)))
        (bytevector-copy! row (* 8 shift) matrix (* 8 r columns) (* 8 (- columns shift)))
        (bytevector-copy! row 0 matrix (* 8 (- (* (1+ r) columns) shift)) (* 8 shift))))
    (matrix-operator rows columns matrix)))

;;; Measurements.

(define (measure-round-trip)
  (call-with-pool 1
    (lambda (pool)
      (figure "scheme-round-trip" (median-time 5000 (lambda (i) (task-wait (pool-submit! pool nothing)))
                                               (lambda (i value) (check (eq? value #t) "a wrong answer"))
                                               #:warm 500)))))

(define (measure-tasks)
  (define n 100000)
  (call-with-pool 2
    (lambda (pool)
      (define (run n) (map task-wait (map-in-order (lambda (i) (pool-submit! pool nothing i)) (iota n))))
      (run 1000)
      (figure "scheme-tasks"
              (/ n (median-time 1 (lambda (i) (run n))
                                (lambda (i values)
                                  (check (and (= (length values) n) (every (lambda (v) (eq? v #t)) values)) "a wrong answer"))
                                #:warm 0))))))

(define (measure-map)
  (define items (iota 1000000))
  (call-with-pool 2
    (lambda (pool)
      (pool-map pool nothing (iota 10000))
      (figure "scheme-map"
              (/ (length items)
                 (median-time 3 (lambda (i) (pool-map pool nothing items))
                              (lambda (i values)
                                (check (and (= (length values) (length items)) (every (lambda (v) (eq? v #t)) values))
                                       "a wrong answer"))))))))

(define (measure-broadcast kind)
  (define v (if (string=? kind "shared") (make-shared-f64vector n-numbers) (make-f64vector n-numbers 0)))
  (call-with-pool n-workers
    (lambda (pool)
      (figure (string-append "scheme-broadcast-" kind)
              (median-time 100 (lambda (i) (pool-apply pool look v (* 100 i)))
                           (lambda (i values)
                             (check (equal? values (make-list n-workers (+ i 0.5))) "a worker sees something else"))
                           #:prepare (lambda (i) (f64vector-set! v (* 100 i) (+ i 0.5))))))))

(define (measure-gather)
  (define expected (numbers-from 0 n-numbers #f))
  (call-with-pool n-workers
    (lambda (pool)
      (define parts
        (pool-keep pool numbers-from (per-worker (iota n-workers 0 part-length)) part-length #f))
      (figure "scheme-gather"
              (median-time 15 (lambda (i) (pool-gather pool give parts))
                           (lambda (i v) (check (bytevector=? v expected) "the gathered vector is wrong"))
                           ;; Until memory is only used again.
                           #:warm 6)))))

(define (measure-sum kind)
  (define shared? (string=? kind "shared"))
  ;; 0 + k and 1 + k and … and 7 + k
  (define expected
    (let ((v (make-f64vector n-numbers)))
      (do ((k 0 (1+ k))) ((= k n-numbers) v)
        (f64vector-set! v k (+ 28 (* 8 k))))))
  (call-with-pool n-workers
    (lambda (pool)
      (define stack
        (parallel-vector-of-operators
         (map (lambda (i) (remote ((i i) (n n-numbers) (shared? shared?)) (lambda () (operator-with-vector i n shared?))))
              (iota n-workers))
         #:pool pool))
      (define ones (make-f64vector n-workers 1))
      ;; Until memory is only used again.
      (define warm 6)
      (let ((all (times (+ 15 warm) (lambda (i) (apply-adjoint stack ones))
                        (lambda (i v) (check (bytevector=? v expected) "the sum is wrong")))))
        (figure (format #f "scheme-sum-~a-cold" kind) (first all))
        (figure (format #f "scheme-sum-~a" kind) (median (drop all warm)))))))

(define (f64vector-by n f)
  (let ((v (make-f64vector n)))
    (do ((i 0 (1+ i))) ((= i n) v)
      (f64vector-set! v i (f i)))))

(define (sum-over n f)
  (let loop ((i 0) (sum 0))
    (if (= i n) sum (loop (1+ i) (+ sum (f i))))))

(define rows 1000)
(define columns 10000)

;; All numbers are small integers, so that nothing is rounded.
(define (entry index r c) (modulo (modulo (+ c r index) columns) 17))

(define (measure-products name operators workers threads)
  "Take the time of the products of OPERATORS dense operators on so many WORKERS, with THREADS each."
  (define model (f64vector-by columns (lambda (i) (modulo i 5))))
  (define weights (f64vector-by (* operators rows) (lambda (i) (modulo i 3))))
  (define (check-data i data)
    (for-each (lambda (k)
                (check (= (f64vector-ref data k)
                          (sum-over columns (lambda (c) (* (modulo c 5) (entry (quotient k rows) (modulo k rows) c)))))
                       "the data are wrong"))
              (list (modulo (* 997 i) (* operators rows)) (1- (* operators rows)))))
  (define (check-gradient i gradient)
    (for-each (lambda (c)
                (check (= (f64vector-ref gradient c)
                          (sum-over (* operators rows) (lambda (k) (* (modulo k 3) (entry (quotient k rows) (modulo k rows) c)))))
                       "the gradient is wrong"))
              (list (modulo (* 997 i) columns) (1- columns))))
  (call-with-pool workers
    (lambda (pool)
      (define stack
        (parallel-vector-of-operators
         (map (lambda (i) (remote ((i i) (rows rows) (columns columns)) (lambda () (dense-operator i rows columns))))
              (iota operators))
         #:pool pool))
      (figure (string-append name "-dpred") (/ (median-time 15 (lambda (i) (evaluate stack model)) check-data)))
      (figure (string-append name "-jtvec") (/ (median-time 15 (lambda (i) (apply-adjoint stack weights)) check-gradient))))
    #:threads threads))

(define (measure-dense)
  (measure-products "scheme" 8 2 1))

;; The numbers of vector k are those of the first one, turned by k.
(define (measure-block)
  (define n 8)
  (define one (dense-operator 0 rows columns))
  (define entries (last (operator-parts one)))
  (define many (matrix-product-operator rows columns entries n))
  (define (turned length k period) (f64vector-by length (lambda (i) (modulo (+ i k) period))))
  (define models (map (lambda (k) (turned columns k 5)) (iota n)))
  (define weights (map (lambda (k) (turned rows k 3)) (iota n)))
  (define (measure name product one-by-one together space)
    (let ((expected (map (lambda (x) (product one x)) one-by-one)))
      (figure (string-append "single-" name)
              (median-time 9 (lambda (i) (map (lambda (x) (product one x)) one-by-one))
                           (lambda (i ys) (check (equal? ys expected) "a product is wrong"))))
      (figure (string-append "block-" name)
              (median-time 9 (lambda (i) (product many together))
                           (lambda (i y) (check (equal? (direct-sum-split space y) expected) "the products are wrong"))))))
  (measure "dpred" evaluate models (direct-sum-join (operator-domain many) models) (operator-codomain many))
  (measure "jtvec" apply-adjoint weights (direct-sum-join (operator-codomain many) weights) (operator-domain many)))

(define (measure-threads)
  (measure-products "one-thread" 1 1 1)
  (measure-products "two-threads" 1 1 2))

(define (measure-simulations rows-text columns-text)
  (define rows (string->number rows-text))
  (define columns (string->number columns-text))
  (define count 8)
  (define rounds (if (>= rows 100) 9 500))
  (define (entry i r c) (modulo (modulo (+ c r i) columns) 17))
  (define (weight i k) (modulo (+ k i) 3))
  (define models (map (lambda (i) (f64vector-by columns (lambda (c) (modulo (+ c i) 5)))) (iota 5)))
  (define weights (map (lambda (i) (f64vector-by (* count rows) (lambda (k) (weight i k)))) (iota 3)))
  (define (pick list i) (list-ref list (modulo i (length list))))
  (define (check-data i data)
    (let ((k (modulo (* 997 i) (* count rows))))
      (check (= (f64vector-ref data k)
                (sum-over columns (lambda (c) (* (modulo (+ c (modulo i 5)) 5) (entry (quotient k rows) (modulo k rows) c)))))
             "the data are wrong")))
  (define (check-gradient i gradient)
    (let ((c (modulo (* 997 i) columns)))
      (check (= (f64vector-ref gradient c)
                (sum-over (* count rows)
                          (lambda (k) (* (weight (modulo i 3) k) (entry (quotient k rows) (modulo k rows) c)))))
             "the gradient is wrong")))
  (call-with-pool 2
    (lambda (pool)
      (define line
        (make-meta-simulation
         (map (lambda (i) (remote ((i i) (rows rows) (columns columns)) (lambda () (dense-operator i rows columns)))) (iota count))
         (make-list count (identity-operator columns))
         #:pool pool))
      (define (measure name action check)
        (figure (format #f "scheme-simulations-~a-~a" rows name) (median-time rounds action check #:warm 3)))
      (measure "dpred" (lambda (i) (dpred line (pick models i))) check-data)
      (measure "jvec" (lambda (i) (jvec line (first models) (pick models i))) check-data)
      (measure "jtvec" (lambda (i) (jtvec line (first models) (pick weights i))) check-gradient))))

(define (measure-memory rounds)
  (call-with-pool n-workers
    (lambda (pool)
      (for-each (lambda (i)
                  (let ((v (make-shared-f64vector n-numbers (+ i 0.5))))
                    (check (equal? (pool-apply pool look v i) (make-list n-workers (+ i 0.5))) "a worker sees something else")
                    (format #t "sent~%")
                    (force-output)
                    (read-line)))
                (iota (string->number rounds))))))

(define cases
  `(("round-trip" . ,measure-round-trip) ("tasks" . ,measure-tasks) ("map" . ,measure-map) ("broadcast" . ,measure-broadcast)
    ("gather" . ,measure-gather) ("sum" . ,measure-sum) ("dense" . ,measure-dense) ("threads" . ,measure-threads)
    ("block" . ,measure-block)
    ("simulations" . ,measure-simulations) ("memory" . ,measure-memory)))

(let* ((arguments (cdr (command-line))) (measure (and (pair? arguments) (assoc-ref cases (car arguments)))))
  (check measure "usage: speed-pool.scm CASE [ARGUMENT]")
  (apply measure (cdr arguments)))
