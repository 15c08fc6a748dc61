;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is seen of living workers: what they are called in ps and top, and how much memory they have had.
(use-modules (tap) (processes) (ice-9 rdelim) (ice-9 textual-ports) (rnrs bytevectors)
             (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define-remote (parent) (getppid))
(define-remote (settings) (environ))
(define-remote (use-memory n) (bytevector-length (make-bytevector n 1)))
(define-remote (be-killed) (kill (getpid) SIGKILL) (sleep 100))
(define-remote (be-stopped) (kill (getpid) SIGTTIN) (sleep 100))

(define-remote (compute-for-too-long)
  (setrlimit 'cpu 1 1)
  (let loop ((i 0)) (loop (+ i 1))))

(define (line pid)
  "Return what ps shows of the process PID."
  (let ((text (call-with-input-file (format #f "/proc/~a/cmdline" pid) get-string-all #:encoding "UTF-8")))
    (string-trim-right text #\nul)))

(define (pids pool) (map worker-pid (pool-workers pool)))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (certificate-of pool proc)
  (worker-died-certificate
   (condition-of (lambda () (parameterize ((task-retries 0)) (task-wait (pool-submit! pool proc)))))))

(define (test-names how options)
  (define (name text) (string-append how ": " text))
  (apply call-with-pool 3
    (lambda (pool)
      (define (lines) (pool-map pool identity '(1 2 3)) (pool-apply pool identity 0) (map line (pids pool)))
      (define expected '("tutti-worker: pool \"tiles\" 0" "tutti-worker: pool \"tiles\" 1" "tutti-worker: pool \"tiles\" 2"))
      (test-equal (name "in ps") expected (lines))
      (test-equal (name "in top") '("tutti-w:tiles/0" "tutti-w:tiles/1" "tutti-w:tiles/2") (map process-title (pids pool)))
      (let ((before (pids pool)))
        (certificate-of pool be-killed)
        (test-equal (name "one that takes the place of another is called as that was") expected (lines))
        (test-equal (name "and is another process") 1 (length (lset-difference = (pids pool) before))))
      (test-assert (name "tasks do not see the setting that says so")
        (not (any (lambda (setting) (string-prefix? "TUTTI_POOL_NAME" setting)) (concatenate (pool-apply pool settings)))))
      (let ((watcher (car (pool-apply pool parent)))
            (of (format #f ": of pid ~a" (getpid))))
        (test-equal (name "the watcher") (string-append "tutti-watcher" of) (line watcher))))
    #:name "tiles" options))

(define (test-odd-name name long short)
  (call-with-pool 2
    (lambda (pool)
      (pool-apply pool identity 0)
      (let ((pid (second (pids pool))))
        (test-equal (string-append long " in ps") long
          (let ((text (line pid)))
            (if (string-suffix? "…\" 1" text) (string-append (substring text 0 (min 24 (string-length text))) "…\" 1") text)))
        (test-equal (string-append short " in top") short
          (call-with-input-file (format #f "/proc/~a/comm" pid) read-line #:encoding "UTF-8"))))
    #:name name))

(define (test-peak)
  (call-with-pool 2
    (lambda (pool)
      (define (peaks) (map worker-peak-memory (pool-workers pool)))
      (pool-apply pool identity 0)
      (test-assert "a worker that has done nothing" (every (lambda (bytes) (< 1000000 bytes 60000000)) (peaks)))
      (pool-apply-only pool 1 use-memory 100000000)
      (let ((now (peaks)))
        (test-assert "one that lives" (< 100000000 (second now) 160000000))
        (test-assert "and not the other" (< (first now) 60000000))
        (certificate-of pool be-killed)
        (pool-apply pool identity 0)
        (test-assert "what the slot had before stays" (>= (second (peaks)) (second now)))))))

(define (test-signals)
  (call-with-pool 1
    (lambda (pool)
      (let ((certificate (certificate-of pool be-stopped)))
        (test-equal "it wanted the terminal: the reason" 'stopped (certificate-reason certificate))
        (test-equal "it wanted the terminal: in words" "stopped by signal 21 (SIGTTIN: it wanted the terminal, to read from it)"
          (certificate-detail certificate)))
      (let ((certificate (certificate-of pool compute-for-too-long)))
        (test-equal "a limit of processor time: the signal" SIGKILL (certificate-signal certificate))
        (test-equal "a limit of processor time: in words" "its limit of processor time was reached, 1 s (ulimit -t)"
          (certificate-detail certificate)))
      (test-equal "who is killed by somebody has no limit" #f (certificate-detail (certificate-of pool be-killed))))))

(call-with-tap
 (lambda ()
   (test-group "workers"
     (test-names "copies" '())
     (test-names "started" '(#:threads 2))
     (test-odd-name "Größe" "tutti-worker: pool \"Größe\" 1" "tutti-w:Grö/1")
     (test-odd-name "a \"b\" c" "tutti-worker: pool \"a \"b\" c\" 1" "tutti-w:a \"b\"/1")
     (test-odd-name (make-string 100000 #\x) "tutti-worker: pool \"xxxx…\" 1" "tutti-w:xxxxx/1")
     (test-peak)
     (test-assert "in a serial pool it is this process's"
       (< 1000000 (worker-peak-memory (car (pool-workers (make-serial-pool))))))
     (test-signals))))
