;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers that allocate without end: with a limit, without one, and what becomes of everybody else.
(use-modules (tap) (ice-9 rdelim) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-64) (system foreign)
             (tutti))

(define mega 1000000)
(define limit (* 80 mega))

;; The lists are returned: what nobody could see would never be allocated.  They have an end, for the sake of the machine: if nobody
;; stops them the test must fail, not all else with it.  What has been allocated stays until somebody looks.
(define-remote (hold x) (sleep 60) x)

(define-remote (cons-up)
  (let loop ((list '()) (n 0))
    (if (< n (* 150 1000 1000)) (loop (cons n list) (1+ n)) (hold list))))

(define-remote (touch-blocks)
  (let loop ((list '()) (n 0))
    (if (< n 300) (loop (cons (make-bytevector 10000000 1) list) (1+ n)) (hold list))))

;; malloc and memset: memory that Guile's collector knows nothing of.
(define-remote (touch-foreign)
  (let* ((program (dynamic-link))
         (malloc (pointer->procedure '* (dynamic-func "malloc" program) (list size_t)))
         (memset (pointer->procedure '* (dynamic-func "memset" program) (list '* int size_t))))
    (let loop ((n 0))
      (if (< n 300)
          (begin
            (memset (malloc 10000000) 1 10000000)
            (loop (1+ n)))
          (hold n)))))

;; A program that keeps a line without an end in its memory. The shell is there to be a process between.
(define-remote (grow-child) (system "ulimit -v 4000000; tail /dev/zero; true") 'came-back)

(define-remote (no-such-block) (make-bytevector (expt 2 62)))
(define-remote (caught-block) (false-if-exception (make-bytevector (expt 2 62))))
(define-remote (passed-on)
  (catch #t no-such-block (lambda arguments (apply throw arguments))))
(define-remote (poor-worker)
  (setrlimit 'as (* 220 1024 1024) (* 220 1024 1024))
  (cons-up))
(define-remote (poor-answer)
  (setrlimit 'as (* 220 1024 1024) (* 220 1024 1024))
  (make-string 60000000 #\a))
(define-remote (poor-number)
  (setrlimit 'as (* 220 1024 1024) (* 220 1024 1024))
  (let loop ((n 1)) (loop (expt 7 (* n 10)))))
(define-remote (exit-72) (display "bye\n" (current-error-port)) (exit 72))
(define-remote (abort-quietly) ((pointer->procedure void (dynamic-func "abort" (dynamic-link)) '())))
(define-remote (die-with x y) (exit 3))
(define-remote (square x) (* x x))
(define-remote (mean-of v)
  (let loop ((i 0) (sum 0.))
    (if (< i (f64vector-length v)) (loop (1+ i) (+ sum (f64vector-ref v i))) (/ sum i))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (certificate-of thunk)
  (let ((condition (condition-of thunk)))
    (if (worker-died? condition)
        (worker-died-certificate condition)
        (make-certificate #:reason (list 'did-not-die condition)))))

(define (reason-of thunk)
  (certificate-reason (certificate-of thunk)))

(define (death-of pool proc . arguments)
  "Return the certificate of the worker of @var{pool} that dies of @var{proc}."
  (certificate-of (lambda () (task-wait (apply pool-submit! pool proc arguments)))))

(define (own-peak)
  "Return the most memory that this process ever had, in bytes."
  (call-with-input-file "/proc/self/status"
    (lambda (port)
      (let loop ((line (read-line port)))
        (if (string-prefix? "VmHWM:" line)
            (* 1024 (string->number (car (string-tokenize (substring line 6)))))
            (loop (read-line port)))))))

(define (contains? text . parts)
  (every (lambda (part) (string-contains text part)) parts))

(define (test-growth pool name proc)
  (let* ((peak (own-peak))
         (certificate (death-of pool proc))
         (text (certificate->string certificate)))
    (test-equal (string-append name ": reason") 'memory-limit (certificate-reason certificate))
    (test-equal (string-append name ": signal") SIGKILL (certificate-signal certificate))
    (test-assert (string-append name ": peak") (> (or (certificate-peak-memory certificate) 0) limit))
    (test-assert (string-append name ": text") (contains? text "memory-limit" "it went over its limit of 80.0 MB: "))
    (test-assert (string-append name ": nothing of it in the master") (< (- (own-peak) peak) (* 20 mega)))
    (test-equal (string-append name ": the pool goes on") (map square (iota 100)) (pool-map pool square (iota 100)))))

(define (test-limited)
  (call-with-pool 2
    (lambda (pool)
      (parameterize ((task-retries 1))
        (test-growth pool "a list" cons-up)
        (test-growth pool "bytevectors" touch-blocks)
        (test-growth pool "foreign memory" touch-foreign)
        (test-growth pool "a child" grow-child))
      (test-equal "each was tried again" 8 (fold + 0 (map worker-restarts (pool-workers pool))))
      (test-equal "others are not disturbed" (map square (iota 20))
        (let ((grower (pool-submit! pool cons-up)))
          (let ((values (pool-map pool square (iota 20))))
            (condition-of (lambda () (task-wait grower)))
            values)))
      (parameterize ((task-retries 0))
        (test-eq "more than there is" 'memory-limit (certificate-reason (death-of pool no-such-block)))))
    #:memory-limit limit))

(define (test-shared)
  (call-with-pool 1
    (lambda (pool)
      (let ((v (make-shared-f64vector (* 10 mega) 2.)))
        (test-equal "a shared vector does not count" 2. (task-wait (pool-submit! pool mean-of v)))
        (test-equal "nor does a private one that is only read" 2.
          (task-wait (pool-submit! pool mean-of (make-f64vector (* 10 mega) 2.))))
        (test-equal "no worker was replaced" 0 (worker-restarts (car (pool-workers pool))))))
    #:memory-limit (* 60 mega)))

(define (test-unlimited)
  (call-with-pool 1
    (lambda (pool)
      (parameterize ((task-retries 0))
        (let ((certificate (death-of pool no-such-block)))
          (test-eq "a block that cannot be had" 'out-of-memory (certificate-reason certificate))
          (test-equal "its words" "it could not get the memory that it asked for" (certificate-detail certificate)))
        (test-equal "a task may catch it" #f (task-wait (pool-submit! pool caught-block)))
        (test-eq "in an item" 'out-of-memory
          (reason-of (lambda () (pool-map pool (remote (lambda (x) (no-such-block))) '(1)))))
        (test-eq "passed on by a handler" 'out-of-memory (certificate-reason (death-of pool passed-on)))
        (test-eq "no memory at all" 'out-of-memory (certificate-reason (death-of pool poor-worker)))
        (test-eq "no memory for the answer" 'out-of-memory (certificate-reason (death-of pool poor-answer)))
        (let ((certificate (death-of pool poor-number)))
          (test-eq "a library that aborts for want of memory" 'out-of-memory (certificate-reason certificate))
          (test-equal "its signal" SIGABRT (certificate-signal certificate)))
        (test-eq "an exit that happens to have our status" 'exit (certificate-reason (death-of pool exit-72)))
        (test-eq "an abort without a word" 'signal (certificate-reason (death-of pool abort-quietly)))
        (test-equal "the pool goes on" 49 (task-wait (pool-submit! pool square 7)))))))

(define (test-input-size)
  (call-with-pool 1
    (lambda (pool)
      (parameterize ((task-retries 0))
        (let ((certificate (death-of pool die-with (make-shared-f64vector mega 0.)
                                     (pool-submit! pool (remote (lambda () (make-f64vector 1000000 1.)))))))
          (test-assert "of arguments and of tasks' values among them"
            (< 16000000 (or (certificate-input-size certificate) 0) 16100000))
          (test-assert "in the text" (contains? (certificate->string certificate) "whose inputs have 160"))
          (test-equal "no detail" #f (certificate-detail certificate)))))))

(define (refusal value)
  (let ((condition (condition-of (lambda () (make-pool 1 #:memory-limit value)))))
    (and (tutti-error? condition) (condition->string condition))))

(define (test-arguments)
  (for-each (lambda (value)
              (let ((text (refusal value)))
                (test-assert (format #f "~s is refused" value)
                  (and text (contains? text "make-pool" "#:memory-limit" "a positive exact integer, or #f" (format #f "~s" value))))))
            (list 0 -1 1e9 1/2 "1G" (expt 2 63) #t))
  (call-with-pool 1
    (lambda (pool) (test-equal "no limit" 4 (task-wait (pool-submit! pool square 2))))
    #:memory-limit #f)
  ;; Below what a worker needs to start there is no use in starting it again for ever.
  (let ((condition (condition-of (lambda ()
                                   (call-with-pool 1
                                     ;; It is found out while it does something; a task that is done before is none the worse.
                                     (lambda (pool) (task-wait (pool-submit! pool sleep 600) 60))
                                     #:memory-limit mega)))))
    (test-assert "a limit that no worker can keep"
      (and (tutti-error? condition) (not (wait-timeout? condition)) (contains? (condition->string condition) "limit of 1.0 MB")))))

(call-with-tap
 (lambda ()
   (parameterize ((worker-output-port #f))
     (test-group "limited" (test-limited))
     (test-group "shared" (test-shared))
     (test-group "unlimited" (test-unlimited))
     (test-group "input-size" (test-input-size))
     (test-group "arguments" (test-arguments)))))
