;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What it costs that something fails: how soon deaths are known, replaced and cleaned up after, and what an exception takes.
(use-modules (bench) (programs) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (tutti))

(define-remote (nothing) #f)
(define-remote (fail) (error "on purpose:" 42))

;; The first attempt leaves a mark and waits for its end; the second tells when it began.
(define-remote (begin-twice mark)
  (let ((time (gettimeofday)))
    (if (file-exists? mark)
        (+ (* 1000000 (car time)) (cdr time))
        (begin
          (close-port (open-output-file mark))
          (sleep 1000)))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (all-in-state? pool state)
  (every (lambda (worker) (eq? (worker-state worker) state)) (pool-workers pool)))

(define (wait-until-idle pool)
  (wait-for (lambda () (all-in-state? pool 'idle)) 2000))

(define (busy-worker pool)
  (find (lambda (worker) (eq? (worker-state worker) 'busy)) (pool-workers pool)))

(define (time-us thunk)
  (let ((start (now-us)))
    (thunk)
    (- (now-us) start)))

(define (call-with-mark proc)
  (call-with-folder (lambda (folder) (proc (string-append folder "/mark")))))

;; Kill the worker of a task that runs; AFTER is called with the task and the time of the blow.
(define (strike-in-task pool retries after)
  (wait-until-idle pool)
  (call-with-mark
   (lambda (mark)
     (let ((task (parameterize ((task-retries retries)) (pool-submit! pool begin-twice mark))))
       (wait-for (lambda () (file-exists? mark)))
       (let* ((pid (worker-pid (busy-worker pool)))
              (start (now-us)))
         (kill pid SIGKILL)
         (after task start))))))

(define (time-to-condition pool)
  (strike-in-task pool 0
    (lambda (task start)
      (unless (worker-died? (condition-of (lambda () (task-wait task))))
        (error "the death of the worker was not noticed"))
      (- (now-us) start))))

(define (time-to-retry pool)
  (strike-in-task pool 1 (lambda (task start) (- (task-wait task) start))))

;; More deaths of idle workers in a short time would be taken for a sign that workers cannot live.
(define strikes-per-pool 3)

(define (times-to-replacement)
  (call-with-pool 2
    (lambda (pool)
      (wait-until-idle pool)
      (repeat strikes-per-pool
        (lambda ()
          (let* ((before (first (pool-workers pool))) (start (now-us)))
            (kill (worker-pid before) SIGKILL)
            (wait-for (lambda ()
                        (let ((after (first (pool-workers pool))))
                          (and (> (worker-restarts after) (worker-restarts before)) (eq? (worker-state after) 'idle)))))
            (- (now-us) start)))))))

(define (time-to-last-end n-workers)
  (let* ((script (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/busy-master.scm"))
         (master (open-pipe* OPEN_BOTH (or (getenv "GUILE") "guile") script (number->string n-workers)))
         (pids (string-split (read-line master) #\space))
         (watch (apply open-pipe* OPEN_READ (string-append (getenv "TUTTI_HELPERS") "/bench/last-end") "1" pids))
         (answer (read-line watch)))
    (close-pipe watch)
    (close-pipe master)
    (string->number answer)))

(define (measure-round-trips)
  (call-with-pool 2
    (lambda (pool)
      (define (round-trip procedure) (lambda () (time-us (lambda () (condition-of (lambda () (task-wait (pool-submit! pool procedure))))))))
      (repeat 200 (round-trip nothing))
      (repeat 200 (round-trip fail))
      (print-row "a task that does nothing, round trip" (repeat 2000 (round-trip nothing)) #:unit 'us)
      (print-row "a task that raises, to the caller's handler" (repeat 2000 (round-trip fail)) #:unit 'us #:target 100))))

(define (measure-deaths)
  (for-each (lambda (n rounds)
              (call-with-pool n
                (lambda (pool)
                  (print-row (format #f "kill in a task -> condition, ~a workers" n)
                             (repeat rounds (lambda () (time-to-condition pool))) #:target 2)
                  (print-row (format #f "kill in a task -> the retry begins, ~a workers" n)
                             (repeat rounds (lambda () (time-to-retry pool))) #:target 2))))
            '(2 8 64) '(50 50 30)))

(define (measure-replacements)
  (print-row "kill of an idle worker -> its replacement is ready" (concatenate (repeat 10 times-to-replacement)) #:target 40))

(define (measure-last-ends)
  (for-each (lambda (n rounds target)
              (print-row (format #f "kill of the master -> nothing is left, ~a busy workers" n)
                         (repeat rounds (lambda () (time-to-last-end n))) #:target target))
            '(8 64) '(20 10) '(25 50)))

(define parts
  `(("deaths" . ,measure-deaths) ("replacements" . ,measure-replacements) ("last-ends" . ,measure-last-ends)
    ("round-trips" . ,measure-round-trips)))

;; All, or those parts that the arguments name.
(print-machine)
(print-header)
(let ((wanted (cdr (command-line))))
  (for-each (lambda (part)
              (when (or (null? wanted) (member (car part) wanted))
                ((cdr part))))
            parts))
