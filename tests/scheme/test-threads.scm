;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Several threads that use one pool: nobody gets what belongs to another.
(use-modules (tap) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti random) (tutti remote object-type))

(define n-threads 4)

(define-remote (draw) (random 1000000000000))
(define-remote (twice x) (* 2 x))
(define-remote (thrice x) (* 3 x))

(define (deepen n)
  (if (zero? n) 0 (1+ (deepen (1- n)))))

;; In Guile 3.0.8 a thread whose stack grows is not safe from a collection that another thread begins: when the lock of the collector has
;; been released, its stack has moved, but what the collector takes for the end of it has not. So the stacks grow before, one after the
;; other, while nobody allocates anything.
(define (in-threads proc)
  "Call @var{proc} with the numbers of threads, each in one of its own; return the list of values."
  (define lock (make-mutex))
  (define all-ready (make-condition-variable))
  (define ready 0)
  (define (run i)
    (with-mutex lock
      (deepen 20000)
      (set! ready (1+ ready))
      (if (= ready n-threads)
          (broadcast-condition-variable all-ready)
          (let loop ()
            (when (< ready n-threads)
              (wait-condition-variable all-ready lock)
              (loop)))))
    (proc i))
  (map join-thread
       (with-mutex lock
         (map (lambda (i) (call-with-new-thread (lambda () (run i)))) (iota n-threads)))))

(define (distinct? items)
  (let ((seen (make-hash-table)))
    (every (lambda (item) (and (not (hash-get-handle seen item)) (hash-set! seen item #t) #t)) items)))

(define (test-one-pool pool name)
  (test-assert (string-append name ": nobody draws the numbers of another")
    (distinct? (concatenate (in-threads (lambda (i) (map (lambda (_) (task-wait (pool-submit! pool draw))) (iota 300)))))))
  (test-equal (string-append name ": each procedure is the one that was meant") (make-list n-threads #t)
              (in-threads
               (lambda (i)
                 (let ((proc (if (even? i) twice thrice)) (factor (if (even? i) 2 3)))
                   (every (lambda (k) (= (* factor k) (task-wait (pool-submit! pool proc k)))) (iota 300))))))
  (test-equal (string-append name ": equal pushes live as long as they are used") (make-list n-threads #t)
              (in-threads
               (lambda (i)
                 (every (lambda (k)
                          (let* ((pushed (pool-push pool (list 'the 'same 'for 'all)))
                                 (size (task-wait (pool-submit! pool length pushed))))
                            (remote-object-remove! pushed)
                            (= size 4)))
                        (iota 100))))))

(call-with-tap
 (lambda ()
   (test-assert "streams of random numbers have numbers of their own"
     (let ((pool (make-serial-pool)))
       (distinct? (concatenate (in-threads (lambda (i) (map (lambda (_) (next-stream! pool)) (iota 50000))))))))
   (test-equal "what many share is alive until all have dropped it" '(#t #f)
               (let* ((storage (make-storage #f 'a-number-of-its-own)))
                 (in-threads (lambda (i)
                               (for-each (lambda (_) (storage-share! storage) (storage-drop! storage)) (iota 50000))))
                 (let ((alive? (storage-alive? storage)))
                   (storage-drop! storage)
                   (list alive? (storage-share! storage)))))
   (test-one-pool (make-serial-pool) "serial")
   (call-with-pool 2 (lambda (pool) (test-one-pool pool "two workers")))))
