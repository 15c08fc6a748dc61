;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools that grow and shrink: tasks and maps that are going on, and what workers hold, notice nothing.
(use-modules (tap) (programs) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions)
             ((tutti random) #:select (next-stream!)) ((tutti task) #:select (submit-request)))

(define-remote (where) (current-worker-index))
(define-remote (self) (getpid))
(define-remote (beside part) (list (current-worker-index) part))
(define-remote (draw) (random 1000000000))
(define-remote (square x) (* x x))
(define (square* x) (* x x))
(define-remote (await-file file) (let wait () (unless (file-exists? file) (usleep 1000) (wait))) (current-worker-index))
(define-remote (doubled v) (vec-scale 2 v))
(define-remote (row n) (make-f64vector n (1+ (current-worker-index))))
(define-remote (setting) (getenv "TUTTI_TEST_RESIZE"))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (test-refusal name text thunk)
  (test-assert name
    (let ((told (condition->string (condition-of thunk))))
      (or (string-contains told text) (begin (format #t "# told: ~s~%" told) #f)))))

(define (indices pool) (pool-apply pool where))

(define (test-sizes)
  (call-with-pool 2
    (lambda (pool)
      (test-equal "grown" '(5 (0 1 2 3 4)) (begin (pool-grow! pool 3) (list (pool-size pool) (indices pool))))
      (test-equal "pool-workers" '(0 1 2 3 4) (map worker-index (pool-workers pool)))
      (test-equal "all are on this host" (make-list 5 (gethostname)) (map worker-node (pool-workers pool)))
      (test-equal "counted" 5 (total-worker-count))
      (test-equal "printed" "#<pool \"pool\" 5 workers, 0 busy>" (format #f "~a" pool))
      (let ((pids (pool-apply pool self)))
        (test-equal "shrunk" '(2 (0 1)) (begin (pool-shrink! pool 3) (list (pool-size pool) (indices pool))))
        (test-equal "the first are the same" (take pids 2) (pool-apply pool self)))
      (test-equal "grown again" '(0 1 2) (begin (pool-grow! pool 1) (indices pool)))
      (test-refusal "no worker with that index" "the pool has workers 0 to 2, not 3" (lambda () (pool-apply-only pool 3 where))))))

(define (test-refusals)
  (call-with-pool 2
    (lambda (pool)
      (for-each (lambda (n)
                  (test-refusal (format #f "~s more" n) "pool-grow!: expected how many workers more, a positive number; got"
                                (lambda () (pool-grow! pool n)))
                  (test-refusal (format #f "~s fewer" n) "pool-shrink!: expected how many workers fewer, a positive number; got"
                                (lambda () (pool-shrink! pool n))))
                '(0 -1 1.5 many #f))
      (test-refusal "too many" "a pool has 1 to 4096 workers: pool, which has 2, cannot have 4095 more" (lambda () (pool-grow! pool 4095)))
      (test-refusal "none left" "a pool has at least one worker: pool, which has 2, cannot have 2 less" (lambda () (pool-shrink! pool 2)))
      (test-refusal "no pool" "expected a pool, got 7" (lambda () (pool-grow! 7 1)))
      (test-equal "as it was" 2 (pool-size pool))
      (pool-close! pool)
      (test-assert "closed" (every pool-closed-error? (list (condition-of (lambda () (pool-grow! pool 1)))
                                                            (condition-of (lambda () (pool-shrink! pool 1))))))))
  (test-refusal "a serial pool grows" "a serial pool has no workers but the caller, and cannot grow"
                (lambda () (pool-grow! (make-serial-pool) 1)))
  (test-refusal "... or shrinks" "cannot shrink; make a pool of workers with make-pool" (lambda () (pool-shrink! (make-serial-pool) 1)))
  (test-assert "a warning of many workers"
    (string-contains (call-with-output-string
                      (lambda (port)
                        (parameterize ((worker-count-warning 2))
                          (with-error-to-port port (lambda () (call-with-pool 1 (lambda (pool) (pool-grow! pool 2))))))))
                     "there are now 3 workers in 1 pool")))

;;; At work.

(define (call-resizing pool thunk)
  "Call @var{thunk} while another thread lets @var{pool} grow and shrink, and return its value."
  (let* ((stop? #f)
         (thread (call-with-new-thread
                  (lambda ()
                    (let next ((sizes (circular-list 5 1 3 2 4)))
                      (unless stop?
                        (let ((more (- (car sizes) (pool-size pool))))
                          (cond ((positive? more) (pool-grow! pool more))
                                ((negative? more) (pool-shrink! pool (- more))))
                          (usleep 3000)
                          (next (cdr sizes))))))))
         (value (thunk)))
    (set! stop? #t)
    (join-thread thread)
    value))

(define (test-at-work)
  (call-with-pool 2
    (lambda (pool)
      (let ((items (iota 10000)))
        (test-equal "a map" (map square* items)
          (call-resizing pool (lambda () (pool-map pool square items))))
        (test-equal "tasks" (map square* items)
          (call-resizing pool (lambda () (map task-wait (map (lambda (i) (pool-submit! pool square i)) items)))))
        (test-equal "calls on all: as many as there were" '()
          (call-resizing pool (lambda () (remove (lambda (found) (equal? found (iota (length found))))
                                                 (map (lambda (_) (indices pool)) (iota 100))))))
        (test-equal "vectors that are gathered: in the order of the workers" '()
          (call-resizing pool
            (lambda ()
              (remove (lambda (v) (equal? (f64vector->list v) (append-map (lambda (i) (make-list 5000 (+ i 1.)))
                                                                          (iota (quotient (f64vector-length v) 5000)))))
                      (map (lambda (_) (pool-gather pool row 5000)) (iota 30))))))))))

(define (test-pinned)
  (call-with-folder
   (lambda (folder)
     (call-with-pool 3
       (lambda (pool)
         (let* ((file (string-append folder "/go"))
                ;; As by pool-apply-only, which waits.
                (waiting (map (lambda (_)
                                (submit-request pool (vector 'apply await-file (list file) (next-stream! pool))
                                                'pool-apply-only #:worker 2))
                              '(1 2))))
           ;; Until it has begun.
           (let wait () (unless (eq? 'busy (worker-state (third (pool-workers pool)))) (usleep 1000) (wait)))
           (pool-shrink! pool 2)
           (test-equal "others go on" '(1 (0)) (list (pool-size pool) (indices pool)))
           (close-port (open-output-file file))
           (test-equal "what it had it has done" '(2 2) (map task-wait waiting))))))))

;;; What workers hold.

(define (test-objects)
  (call-with-pool 3
    (lambda (pool)
      (let* ((parts (pool-scatter pool '(a b c d e)))
             (numbers (pool-scatter pool (list->f64vector (iota 7))))
             (drawn (pool-keep pool draw))
             (made (pool-keep pool beside parts))
             (own (pool-keep pool beside (per-worker '(x y z))))
             (pushed (pool-push pool '(1 2)))
             (of-parts '((0 (a b)) (1 (c d)) (2 (e))))
             (draws (pool-fetch drawn)))
        (define (test-parts name)
          (test-equal (string-append name ": scattered") '((a b) (c d) (e)) (pool-fetch parts))
          (test-equal (string-append name ": in a call") of-parts (pool-apply pool beside parts))
          (test-equal (string-append name ": with items for each") '((x a b) (y c d) (z e))
            (pool-apply pool (remote (lambda (x part) (cons x part))) (per-worker '(x y z)) parts))
          (test-equal (string-append name ": kept") (list of-parts '((0 x) (1 y) (2 z))) (list (pool-fetch made) (pool-fetch own)))
          (test-equal (string-append name ": by index") (last of-parts) (pool-apply-only pool 2 beside parts))
          (test-equal (string-append name ": gathered") '(0. 2. 4. 6. 8. 10. 12.) (f64vector->list (pool-gather pool doubled numbers)))
          (test-equal (string-append name ": pushed") (make-list (pool-size pool) '(1 2)) (pool-fetch pushed))
          (test-equal (string-append name ": drawn") (take draws (min 3 (pool-size pool)))
            (take (pool-fetch drawn) (min 3 (pool-size pool)))))
        (test-parts "before")
        (pool-shrink! pool 2)
        (test-parts "one worker")
        (kill (worker-pid (car (pool-workers pool))) SIGKILL)
        (test-parts "another")
        (pool-grow! pool 3)
        (test-parts "four")
        (test-equal "what is made from the same is everywhere" 4 (length (pool-fetch drawn)))
        (test-refusal "a worker without a part" "in 3 parts, one for each worker that the pool had then"
                      (lambda () (pool-apply-only pool 3 beside parts)))
        (test-refusal "inside of another argument" "make it again, since the pool has grown or shrunk"
                      (lambda () (pool-apply pool beside (list parts))))
        (test-refusal "together with younger ones" "remote objects in 3 and in 4 parts cannot be used together"
                      (lambda () (pool-apply pool list parts (pool-scatter pool '(1 2 3 4)))))
        (test-assert "items for too few" (shape-error? (condition-of (lambda () (pool-apply pool beside (per-worker '(x y z)))))))
        (for-each remote-object-remove! (list parts numbers drawn made own pushed))
        (test-assert "removed" (removed? (condition-of (lambda () (pool-fetch parts)))))
        (test-equal "and forgotten" '(0 1 2 3) (indices pool))))))

(define (test-operators)
  (define x (f64vector .1 .2 .3))
  (define h (f64vector 1. -2. .5))
  (define members (map (lambda (i) (operator-compose (exp-operator 3) (diagonal-operator (f64vector i .5 (/ i 3.))))) '(1. 2. 3. 4.)))
  (define (all op derivative)
    (map f64vector->list
         (list (evaluate op x) (evaluate derivative h)
               (apply-adjoint derivative (list->f64vector (map exact->inexact (iota 12)))))))
  (define here (vector-of-operators members))
  (define expected (call-with-values (lambda () (linearize here x)) (lambda (_ derivative) (all here derivative))))
  (call-with-pool 3
    (lambda (pool)
      (let ((op (parallel-vector-of-operators members #:pool pool)))
        (call-with-values (lambda () (linearize op x))
          (lambda (_ derivative)
            (test-equal "before" expected (all op derivative))
            (pool-shrink! pool 2)
            (test-equal "one worker has all members, and what was linearised" expected (all op derivative))
            (test-equal "what is linearised there" expected
              (call-with-values (lambda () (linearize op x)) (lambda (_ derivative) (all op derivative))))
            (pool-grow! pool 4)
            (test-equal "five workers" expected (all op derivative))))))))

(define (test-simulations)
  (define members (map (lambda (i) (matrix-operator 2 3 (list->f64vector (map (lambda (k) (+ i (* .25 k))) (iota 6))))) '(1. 2. 3.)))
  (define mappings (make-list 3 (identity-operator 3)))
  (define m (f64vector 1. 2. 3.))
  (define (all sim f)
    (map f64vector->list (list (dpred sim f) (jvec sim f m) (jtvec sim f (f64vector 1. 2.)))))
  (define (sum-simulation pool) (make-sum-meta-simulation members mappings #:pool pool))
  (define expected (let ((sim (sum-simulation #f))) (all sim (fields sim m))))
  (call-with-pool 3
    (lambda (pool)
      (let* ((sim (sum-simulation pool))
             (f (fields sim m)))
        (test-equal "before" expected (all sim f))
        (pool-shrink! pool 2)
        (test-equal "one worker" expected (all sim f))
        (pool-grow! pool 3)
        (test-equal "four" expected (all sim f))))))

(define (test-setup)
  (call-with-pool 1
    (lambda (pool)
      (pool-grow! pool 2)
      (test-equal "on those that come later" '("yes" "yes" "yes") (pool-apply pool setting)))
    #:setup (remote (lambda () (setenv "TUTTI_TEST_RESIZE" "yes")))))

(call-with-tap
 (lambda ()
   (test-group "sizes" (test-sizes))
   (test-group "refused" (test-refusals))
   (test-group "at work" (test-at-work))
   (test-group "pinned" (test-pinned))
   (test-group "objects" (test-objects))
   (test-group "operators" (test-operators))
   (test-group "simulations" (test-simulations))
   (test-group "setup" (test-setup))))
