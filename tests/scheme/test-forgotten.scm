;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools that nobody refers to any more are collected, and their processes end; tasks that were forgotten with them change nothing.
(use-modules (tap) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti))

(define-remote (square x) (* x x))
(define-remote (loop) (let again () (again)))
(define-remote (length-of v) (f64vector-length v))

(define (gone? pid)
  (not (file-exists? (format #f "/proc/~a" pid))))

(define (now) (/ (exact->inexact (get-internal-real-time)) internal-time-units-per-second))

(define (allocate-until done? seconds)
  "Make garbage until @var{done?}, for at most @var{seconds}; then return what that says. Nobody asks for a collection."
  (let ((deadline (+ (now) seconds)))
    (let again ((garbage '()))
      (cond ((done?) => identity)
            ((> (now) deadline) #f)
            (else (again (make-list 100000 'garbage)))))))

(define (pids-of pools)
  (map (lambda (pool) (worker-pid (car (pool-workers pool)))) pools))

(define (forget use)
  "Make ten pools of one worker, call @var{use} with each, and return only the workers' process numbers."
  ;; The collector is conservative: a word on a stack may look like the address of a pool. A thread that has ended has no stack.
  (join-thread
   (call-with-new-thread
    (lambda ()
      (let ((pools (map (lambda (i) (make-pool 1 #:name (format #f "forgotten ~a" i))) (iota 10))))
        (for-each use pools)
        (pids-of pools))))))

(define (test-forgotten name use)
  (let ((pids (forget use)))
    (test-assert (string-append name ": workers were there") (every integer? pids))
    (test-assert (string-append name ": at least 9 of 10 end while others allocate")
      (or (allocate-until (lambda () (>= (count gone? pids) 9)) 60)
          (begin (format #t "# ended: ~a~%" (count gone? pids)) #f)))))

(call-with-tap
 (lambda ()
   (test-forgotten "never used" (const #t))
   (test-forgotten "used" (lambda (pool) (pool-map pool square (iota 10))))
   (test-forgotten "with vectors" (lambda (pool) (task-wait (pool-submit! pool length-of (make-f64vector 100000 1.)))))
   (test-forgotten "with a task that runs" (lambda (pool) (pool-submit! pool loop)))
   (test-forgotten "with tasks that wait for others"
                   (lambda (pool) (pool-submit! pool square (pool-submit! pool square (pool-submit! pool loop)))))
   (test-forgotten "with a failed task"
                   (lambda (pool) (false-if-exception (task-wait (pool-submit! pool square 'x)))))
   (test-forgotten "that were current" (lambda (pool) (parameterize ((current-pool pool)) (pool-apply pool square 2))))))
