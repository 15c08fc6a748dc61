;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools come and go, with vectors, deaths and cancelled tasks: the descriptors and mappings of the master do not become more.
(use-modules (tap) (ice-9 ftw) (ice-9 rdelim) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti))

(define-remote (double v)
  (vec-scale 2. v))
(define-remote (die) (kill (getpid) SIGKILL) (sleep 100))
(define-remote (loop) (let again () (again)))

(define (open-descriptors)
  (length (scandir "/proc/self/fd" (lambda (name) (string-every char-numeric? name)))))

(define (memory-mappings)
  "Return the number of mappings of shared memory."
  (call-with-input-file "/proc/self/maps"
    (lambda (port)
      (let next ((n 0))
        (let ((line (read-line port)))
          (cond ((eof-object? line) n)
                ((string-contains line "/memfd:tutti") (next (1+ n)))
                (else (next n))))))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (round)
  "Use a pool in every way, and close it; return true if everything was as it must be."
  (call-with-pool 2
    (lambda (pool)
      (let* ((private (make-f64vector 20000 1.))
             (shared (make-shared-f64vector 20000 3.))
             (busy (pool-submit! pool loop))
             (dying (parameterize ((task-retries 0)) (pool-submit! pool die)))
             (results (list (task-wait (pool-submit! pool double private)) (task-wait (pool-submit! pool double shared)))))
        (task-cancel! busy)
        (and (worker-died? (condition-of (lambda () (task-wait dying))))
             (task-cancelled? (condition-of (lambda () (task-wait busy))))
             (equal? '(2. 6.) (map (lambda (v) (f64vector-ref v 19999)) results))
             (equal? '(2. 2.) (map (lambda (v) (f64vector-ref v 0)) (pool-map pool double (list private private)))))))))

;; The collector is conservative: a word on a stack may look like the address of a vector or a pool. What was done on a thread that has
;; ended has left none there.
(define kept-by-chance 1)

(define (on-another-thread thunk)
  (join-thread (call-with-new-thread thunk)))

(define (rounds n)
  (on-another-thread (lambda () (every identity (map (lambda (_) (round)) (iota n))))))

(define (settles? count before)
  "Return true if @var{count} comes down to @var{before}; finalisers run on a thread of their own, when the collector has found what they
are for."
  (let ((deadline (+ (current-time) 60)))
    (let again ()
      (gc)
      (cond ((<= (count) (+ before kept-by-chance)) #t)
            ((< (current-time) deadline) (usleep 5000) (again))
            (else (format #t "# ~a before, ~a now~%" before (count)) #f)))))

(call-with-tap
 (lambda ()
   ;; Memory that is kept to be used again is no leak, but looks like one. What else is kept (the watcher) is there after a few pools.
   (shared-memory-kept-limit 0)
   (test-assert "the first pools" (rounds 5))
   (gc) (gc)
   (let ((descriptors (open-descriptors))
         (mappings (memory-mappings)))
     (test-assert "50 pools, in each a task that kills workers, one that is cancelled, and vectors both ways" (rounds 50))
     (test-assert "as many descriptors as before" (settles? open-descriptors descriptors))
     (test-assert "as many mappings of shared memory as before" (settles? memory-mappings mappings))
     (let ((closed (on-another-thread
                    (lambda () (map (lambda (_) (let ((pool (make-pool 1))) (pool-close! pool) pool)) (iota 20))))))
       (test-assert "nor more for closed pools that somebody has" (settles? open-descriptors descriptors))
       (test-assert "as somebody does" (every pool-closed? closed))))))
