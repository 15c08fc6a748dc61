;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools, tasks and maps, on real workers.
(use-modules (tap) (ice-9 control) (srfi srfi-1) (srfi srfi-9)
             ((srfi srfi-19) #:prefix date:) (srfi srfi-64) (ice-9 exceptions) (tutti) (tutti task))

(define-remote (square x) (* x x))
(define-remote (fail-at-13 x) (if (= x 13) (error "thirteen is unlucky:" x) x))
(define-remote (fail-from-10 x) (if (>= x 10) (error "too large:" x) x))
(define-remote (call-twice proc x) (list (proc x) (proc (+ x 1))))
(define-remote (fail-within x) (call-twice (lambda (y) (error "within:" y)) x))
(define-remote (draw i) (list (random 1000000000) (random:normal)))
(define-remote (exit-with status) (exit status))
(define-remote (add . numbers) (apply + numbers))
(define-remote (sleep-for seconds) (sleep seconds) seconds)
(define-remote (where-am-i) (list (current-worker-index) (getpid)))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (text-of condition) (condition->string condition))

(define (contains? text . parts)
  (every (lambda (part) (string-contains text part)) parts))

(define (alive? pid)
  (and (file-exists? (format #f "/proc/~a/stat" pid))
       (not (string-contains (call-with-input-file (format #f "/proc/~a/stat" pid) (@ (ice-9 textual-ports) get-string-all))
                             ") Z"))))

(define (test-one-pool pool)
  (test-equal "values in the order of the items" (map square (iota 1000)) (pool-map pool square (iota 1000)))
  (test-equal "several lists" '(11 22 33) (pool-map pool add '(1 2 3) '(10 20 30)))
  (test-equal "an exported procedure of an importable module" '(1 2) (pool-map pool first '((1 x) (2 y))))
  (test-equal "a primitive" '(-1 -2) (pool-map pool - '(1 2)))
  (test-equal "no items" '() (pool-map pool square '()))
  (test-equal "submit and wait" 12 (task-wait (pool-submit! pool add 3 4 5)))
  (test-equal "a task among the arguments stands for its value" 49
              (task-wait (pool-submit! pool square (pool-submit! pool add 3 4))))
  (test-equal "a local value travels by a binding" '(6 7)
              (let ((k 5)) (pool-map pool (remote ((k k)) (lambda (x) (+ x k))) '(1 2))))
  (test-equal "nested maps use the serial pool" '((0 1) (0 1 4))
              (pool-map pool (remote (lambda (n) (pool-map (current-pool) square (iota n)))) '(2 3)))
  (let ((condition (condition-of (lambda () (pool-map pool fail-at-13 (iota 20))))))
    (test-assert "an exception in an item" (worker-error? condition))
    (test-equal "its key" 'misc-error (worker-error-key condition))
    (test-assert "its text" (contains? (worker-error-message condition) "thirteen is unlucky" "13"))
    (test-assert "its place" (contains? (worker-error-backtrace condition) "test-pool.scm")))
  (let ((backtraces (map (lambda (x) (worker-error-backtrace (condition-of (lambda () (task-wait (pool-submit! pool fail-within x))))))
                         '(7 7 8))))
    (test-assert "procedures among its arguments" (contains? (first backtraces) "(call-twice #<procedure"))
    (test-equal "without addresses: the same place, the same text" (first backtraces) (second backtraces))
    (test-assert "values are those of the call" (contains? (third backtraces) "(call-twice" "8)")))
  (test-assert "the first error in the order of the items"
    (contains? (text-of (condition-of (lambda () (pool-map pool fail-from-10 (iota 40))))) "too large: 10"))
  (let ((values (pool-map pool fail-from-10 (iota 13) #:on-error 'collect)))
    (test-equal "errors collected: the good ones" (iota 10) (take values 10))
    (test-assert "errors collected: the bad ones" (every worker-error? (drop values 10))))
  (test-assert "lists of unequal length"
    (let ((condition (condition-of (lambda () (pool-map pool add '(1 2) '(1))))))
      (and (shape-error? condition) (contains? (text-of condition) "2, 1"))))
  (test-assert "a closure is refused before it is sent"
    (not-remotable? (condition-of (lambda () (let ((k 1)) (pool-map pool (lambda (x) (+ x k)) '(1 2)))))))
  (test-equal "where in the lists a value sits that cannot travel" "list 1, item 2"
              (not-remotable-where (condition-of (lambda () (pool-map pool add '(1 2 3) (list 1 2 (current-output-port)))))))
  (test-equal "where in the arguments" "argument 1, item 0 of the list"
              (not-remotable-where (condition-of (lambda () (pool-submit! pool list 1 (list (current-output-port)))))))
  (test-assert "a result that cannot travel"
    (let ((condition (condition-of (lambda () (pool-map pool (remote (lambda (x) (current-output-port))) '(1 2))))))
      (and (worker-error? condition) (not-remotable? condition))))
  (test-equal "arguments are copies" '(1 2 3)
              (let ((v (list 1 2 3)))
                (task-wait (pool-submit! pool (remote (lambda (l) (set-car! l 99) l)) v))
                v))
  (test-equal "the same seed, the same draws" (pool-map-seeded pool 42) (pool-map-seeded pool 42))
  (test-assert "another seed, other draws" (not (equal? (pool-map-seeded pool 42) (pool-map-seeded pool 43))))
  (test-assert "two maps in one scope draw differently"
    (parameterize ((random-seed 42))
      (not (equal? (pool-map pool draw (iota 5)) (pool-map pool draw (iota 5))))))
  (test-assert "items draw differently"
    (let ((draws (pool-map-seeded pool 42)))
      (= (length draws) (length (delete-duplicates draws))))))

;; What API documents promise to let travel: there and back, through the hook of (tutti worker wire) and a real worker.
(define travellers
  (list #t #f '() -1 (expt 7 100) (- (expt 7 100)) 22/7 -0.0 1e300 +inf.0 1+2i #\λ "text\x00;Ω" 'symbol #:keyword
        '(1 . 2) '(1 "two" (3.5 #(4 five))) '#(1 2 3) (iota 100) #vu8(1 2 3) (f64vector 1 2.5) (c64vector 1+i) (s16vector -3)
        (u32vector 4294967295) (make-typed-array 'f64 1.5 2 3) #2((a b) (c d)) (if #f #f)
        (date:make-time date:time-utc 5 7)))

(define-record-type <script-record> (make-script-record x) script-record? (x script-record-x))

(define (test-travel)
  (call-with-pool 1
    (lambda (pool)
      (for-each (lambda (value)
                  (test-equal (format #f "~s" value) value (task-wait (pool-submit! pool identity value))))
                travellers)
      (test-assert "a long vector arrives whole, and shared"
        (let* ((v (make-f64vector 100000 1.25)) (back (task-wait (pool-submit! pool identity v))))
          (and (shared-vector? back) (not (eq? v back)) (equal? v back))))
      (test-equal "hash tables: lookups there, by each kind" '(1 2 3)
        (let ((q (make-hash-table)) (v (make-hash-table)) (e (make-hash-table)))
          (hashq-set! q 'a 1)
          (hashv-set! v (expt 2 80) 2)
          (hash-set! e "key" 3)
          (task-wait (pool-submit! pool (remote (lambda (q v e)
                                                  (list (hashq-ref q 'a) (hashv-ref v (expt 2 80)) (hash-ref e "key"))))
                                   q v e))))
      (test-equal "a remote procedure as argument" 25
        (task-wait (pool-submit! pool (remote (lambda (f) (f 5))) square)))
      (test-assert "a record of the script is refused before it is sent, with advice"
        (let ((condition (condition-of (lambda () (pool-submit! pool identity (make-script-record 1))))))
          (and (not-remotable? condition) (contains? (text-of condition) "script-record" "module")))))))

(define (pool-map-seeded pool seed)
  (parameterize ((random-seed seed)) (pool-map pool draw (iota 20))))

(define (test-processes)
  (call-with-pool 3
    (lambda (pool)
      (test-equal "pool-apply goes to every worker" '(0 1 2) (map car (pool-apply pool where-am-i)))
      (test-equal "pool-apply-only goes to one" 2 (car (pool-apply-only pool 2 where-am-i)))
      (test-equal "per-worker arguments" '(10 11 12) (pool-apply pool add (per-worker '(0 1 2)) 10))
      (test-equal "workers know their records" (map cadr (pool-apply pool where-am-i)) (map worker-pid (pool-workers pool)))
      (test-equal "outside of tasks there is no index" #f (current-worker-index))
      (let ((pid (worker-pid (car (pool-workers pool)))))
        (parameterize ((task-retries 0))
          (let ((condition (condition-of (lambda () (pool-apply-only pool 0 exit-with 3)))))
            (test-assert "a worker that exits" (worker-died? condition))
            (test-equal "the certificate: reason" 'exit (certificate-reason (worker-died-certificate condition)))
            (test-equal "the certificate: status" 3 (certificate-status (worker-died-certificate condition)))))
        (test-equal "the pool goes on" 9 (task-wait (pool-submit! pool square 3)))
        (test-assert "with another process" (not (= pid (cadr (pool-apply-only pool 0 where-am-i))))))
      (parameterize ((task-retries 1))
        (let ((condition (condition-of (lambda () (pool-map pool (remote (lambda (x) (if (= x 3) (kill (getpid) SIGSEGV)) x))
                                                            (iota 6))))))
          (test-assert "a worker that crashes" (worker-died? condition))
          (test-equal "the signal" SIGSEGV (certificate-signal (worker-died-certificate condition))))
        (test-assert "the others' values"
          (let ((values (pool-map pool (remote (lambda (x) (if (= x 3) (kill (getpid) SIGSEGV)) x)) (iota 6) #:on-error 'collect)))
            (and (worker-died? (list-ref values 3))
                 (equal? '(0 1 2 4 5) (filter number? values))))))
      (test-assert "a time-out"
        (parameterize ((task-timeout 0.2))
          (task-timeout? (condition-of (lambda () (task-wait (pool-submit! pool sleep-for 1000)))))))
      (let ((task (pool-submit! pool sleep-for 1000)))
        (test-assert "a wait that is over" (wait-timeout? (condition-of (lambda () (task-wait task 0.05)))))
        (test-equal "a wait with a default" 'nothing (task-wait task 0.05 'nothing))
        (task-cancel! task)
        (test-assert "cancelled" (task-cancelled? (condition-of (lambda () (task-wait task))))))
      (let* ((slow (pool-submit! pool sleep-for 1000))
             (fast (pool-submit! pool square 2)))
        (test-eq "the first that ends" fast (task-wait-any (list slow fast)))
        (task-cancel! slow)))))

(define (test-scopes)
  (let* ((kept #f)
         (pids (call-with-pool 2 (lambda (pool) (set! kept pool) (map cadr (pool-apply pool where-am-i))))))
    (test-assert "closed after its scope" (pool-closed? kept))
    (test-assert "no process is left" (not (any alive? pids)))
    (test-assert "use after the end" (pool-closed-error? (condition-of (lambda () (pool-map kept square '(1))))))
    (test-assert "closing twice is fine" (begin (pool-close! kept) #t)))
  (let ((kept #f))
    (test-equal "left by an escape" 'out
                (call-with-escape-continuation (lambda (k) (call-with-pool 1 (lambda (pool) (set! kept pool) (k 'out))))))
    (test-assert "and closed" (pool-closed? kept)))
  (let ((task #f))
    (call-with-pool 1 (lambda (pool) (set! task (pool-submit! pool sleep-for 1000))))
    (test-assert "unfinished tasks" (pool-closed-error? (condition-of (lambda () (task-wait task)))))))

(define (test-bad-arguments)
  (for-each (lambda (size)
              (let ((condition (condition-of (lambda () (make-pool size)))))
                (test-assert (format #f "a pool of size ~s" size)
                  (and (tutti-error? condition) (contains? (text-of condition) (format #f "~s" size))))))
            '(0 -1 "x" 1.5 5000))
  (let ((condition (condition-of (lambda ()
                                   (dynamic-wind
                                     (lambda () (setenv "TUTTI_WORKER" "/nonexistent/worker"))
                                     (lambda () (make-pool 2))
                                     (lambda () (unsetenv "TUTTI_WORKER")))))))
    (test-assert "a worker program that is not there"
      (and (tutti-error? condition) (contains? (text-of condition) "/nonexistent/worker" "No such file")))))

(define (test-same-draws)
  (define (draws size) (call-with-pool size (lambda (pool) (pool-map-seeded pool 7))))
  (let ((serial (pool-map-seeded (make-serial-pool) 7)))
    (test-equal "draws do not depend on the number of workers: 1" serial (draws 1))
    (test-equal "draws do not depend on the number of workers: 4" serial (draws 4)))
  (let ((before (random 1000000 (seed->random-state "x"))) (state (random-state->datum *random-state*)))
    (pool-map-seeded (make-serial-pool) 7)
    (test-equal "the master's random state is its own" state (random-state->datum *random-state*))))

(define (test-output)
  (define (output-of thunk)
    (call-with-output-string
      (lambda (port) (parameterize ((worker-output-port port)) (thunk)))))
  (test-assert "workers' lines arrive, marked with the index"
    (contains? (output-of (lambda ()
                            (call-with-pool 2
                              (lambda (pool)
                                (pool-apply pool (remote (lambda () (display "hello\n") (display "err\n" (current-error-port)))))))))
               "[worker 0] hello\n" "[worker 1] hello\n" "[worker 1] err\n")))

(call-with-tap
 (lambda ()
   (test-group "pool"
     (test-group "serial" (test-one-pool (make-serial-pool)))
     (test-group "1 worker" (call-with-pool 1 test-one-pool))
     (test-group "3 workers" (call-with-pool 3 test-one-pool))
     (test-group "travel" (test-travel))
     (test-group "processes" (test-processes))
     (test-group "scopes" (test-scopes))
     (test-group "bad arguments" (test-bad-arguments))
     (test-group "random numbers" (test-same-draws))
     (test-group "output" (test-output)))))
