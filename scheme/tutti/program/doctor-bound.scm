;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti doctor: how long does it take until all is gone that a worker has started, where everybody computes?
(define-module (tutti program doctor-bound)
  #:use-module (ice-9 format)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 textual-ports)
  #:use-module (ice-9 threads)
  #:use-module (srfi srfi-1)
  #:use-module (tutti launcher)
  #:use-module (tutti pool)
  #:use-module (tutti program finding)
  #:use-module (tutti remote)
  #:export (check-bound))

(define rounds 3)
(define sleeping 4)
(define slow 100)                       ; ms
(define patience 10)                    ; s, until a worker has begun to wait

(define (computing) (min 64 (max 8 (* 4 (current-processor-count)))))

;; They end with their worker, however the doctor ends.
(define-remote (start-dummies computing sleeping)
  (for-each (lambda (_) (open-pipe* OPEN_WRITE "sh" "-c" "while :; do :; done")) (iota computing))
  (for-each (lambda (_) (open-pipe* OPEN_WRITE "sleep" "1000")) (iota sleeping))
  (getppid))

(define-remote (wait-for-the-end)
  (sleep 1000))

(define (milliseconds) (/ (* 1000. (get-internal-real-time)) internal-time-units-per-second))

(define (only-worker pool) (first (pool-workers pool)))

(define (wait-until-busy pool)
  (let ((end (+ (milliseconds) (* 1000 patience))))
    (let loop ()
      (unless (eq? (worker-state (only-worker pool)) 'busy)
        (when (> (milliseconds) end)
          (error "no worker has begun a task within" patience 's))
        (usleep 1000)
        (loop)))))

(define (time-of-end pool)
  "Kill the worker of @var{pool} and return after how many milliseconds it is known that it is gone with all that it has started."
  (pool-apply-only pool 0 start-dummies (computing) sleeping)
  (let ((task (parameterize ((task-retries 0)) (pool-submit! pool wait-for-the-end))))
    (wait-until-busy pool)
    (let ((start (milliseconds)))
      (kill (worker-pid (only-worker pool)) SIGKILL)
      (with-exception-handler (const #f) (lambda () (task-wait task)) #:unwind? #t)
      (- (milliseconds) start))))

(define (scheduling-of pid)
  "Return the policy of the process @var{pid}, as the kernel numbers it, and its nice value."
  (let* ((text (call-with-input-file (format #f "/proc/~a/stat" pid) get-string-all))
         (fields (string-tokenize (substring text (1+ (string-rindex text #\)))))))
    ;; Man 5 proc counts from 1; the name is the second.
    (values (string->number (list-ref fields (- 41 3))) (string->number (list-ref fields (- 19 3))))))

(define (check-bound)
  "Find how soon those who compute are ended, and whether who ends them has a priority to do so."
  ;; Nobody is to be told of these deaths, nor of how many they were in all.
  (parameterize ((death-port #f))
    (measure-bound)))

(define (measure-bound)
  (let ((pool (make-pool 1 #:name "doctor" #:on (local))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let* ((watcher (pool-apply-only pool 0 getppid))
               (times (map (lambda (_) (time-of-end pool)) (iota rounds)))
               (text (format #f "a worker, ~a programs that compute and ~a that sleep end in ~,1f to ~,1f ms"
                             (computing) sleeping (apply min times) (apply max times))))
          (call-with-values (lambda () (scheduling-of watcher))
            (lambda (policy nice)
              (cond ((memv policy '(1 2)) (ok "~a; the watcher has real-time priority" text))
                    ((< nice (getpriority PRIO_PROCESS 0)) (ok "~a; the watcher has nice ~a" text nice))
                    ((< (apply max times) slow) (ok "~a; the watcher has no priority" text))
                    (else
                     (warn "~a: the watcher has no priority, and waits for its turn with those that compute
allow real-time priority 1 (/etc/security/limits.conf: rtprio 1; systemd: LimitRTPRIO=1), or start fewer workers" text)))))))
      (lambda () (pool-close! pool)))))
