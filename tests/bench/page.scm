;; SPDX-License-Identifier: LGPL-3.0-or-later
;; page.scm [--rounds N]: what a page costs the job that it shows: the time that tasks take, without a page, with one that nobody reads, and
;; with 20 readers; and how late these see what has happened. The readers take time of the same processors, as everything else on the
;; machine does; so beside the time there is that of the processor, of the master and of the page, which depends less on others.
(use-modules (bench) (processes) (tutti) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1))

(define rounds
  (match (cdr (command-line))
    (() 9)
    (("--rounds" (= string->number (? exact-integer? (? positive? n)))) n)
    (_ (display "usage: page.scm [--rounds N]\n" (current-error-port))
       (exit 2))))

(define n 20000)
(define n-readers 20)

(define-remote (nothing i) i)

(define-remote (work i)
  ;; A millisecond of the processor, and now and then a line.
  (when (zero? (modulo i 200))
    (let ((now (gettimeofday)))
      (format (current-error-port) "tick ~a~%" (+ (* 1000 (car now)) (quotient (cdr now) 1000)))))
  (let ((end (+ (get-internal-real-time) (quotient internal-time-units-per-second 1000))))
    (let loop () (when (< (get-internal-real-time) end) (loop)))))

(define (task-time pool procedure n)
  "Return the microseconds that N tasks take, each submitted by itself."
  (let ((start (now-us)))
    (for-each task-wait (map (lambda (i) (pool-submit! pool procedure i)) (iota n)))
    (- (now-us) start)))

(define (pages)
  (filter (lambda (pid) (equal? (process-name pid) "tutti-page")) (filter-map string->number ((@ (ice-9 ftw) scandir) "/proc"))))

(define (processor-seconds pid)
  "Return what the process PID has had of processors."
  (let* ((line (call-with-input-file (format #f "/proc/~a/stat" pid) get-line))
         (words (string-tokenize (substring line (1+ (string-rindex line #\)))))))
    (/ (+ (string->number (list-ref words 11)) (string->number (list-ref words 12))) 100.)))

(define* (measure what pool procedure n #:optional page)
  "Print the time that N tasks take, and return its median."
  (let* ((master (processor-seconds (getpid))) (served (if page (processor-seconds page) 0)) (start (now-us))
         (times (repeat rounds (lambda () (task-time pool procedure n))))
         (seconds (/ (- (now-us) start) 1e6)))
    (print-row (format #f "~a tasks, ~a" n what) times)
    (format #t "  processor: master ~,2f µs a task~@[, page ~,2f % of one processor~]~%"
            (/ (* 1e6 (- (processor-seconds (getpid)) master)) (* n rounds))
            (and page (* 100 (/ (- (processor-seconds page) served) seconds))))
    (median times)))

(define (call-with-readers address proc)
  "Call PROC while there are readers, and return its value and what these say."
  (let ((pipe (open-pipe* OPEN_BOTH (or (getenv "TUTTI_PYTHON") "/usr/bin/python3")
                          (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/page-readers.py") address (number->string n-readers))))
    (unless (equal? (read-line pipe) "ready") (error "there are no readers"))
    (let ((value (proc)))
      (newline pipe)
      (force-output pipe)
      (let ((line (read-line pipe)))
        (close-pipe pipe)
        (values value line)))))

(define (percent time base) (* 100. (- (/ time base) 1)))

(define (compare name procedure n pool address page without)
  (let ((unread (measure (format #f "~a, a page that nobody reads" name) pool procedure n page)))
    (call-with-values
        (lambda ()
          (call-with-readers address (lambda () (measure (format #f "~a, ~a readers" name n-readers) pool procedure n page))))
      (lambda (read line)
        (format #t "~a: a page takes ~,1f %, ~a readers ~,1f % (target 2)~%" name (percent unread without) n-readers (percent read unread))
        (format #t "  each had (events, kB, median and most ms until a line is seen): ~a~%" line)
        (force-output)))))

(print-machine)
(print-header)
(parameterize ((worker-output-port #f))
  (call-with-pool (default-pool-size)
    (lambda (pool)
      (task-time pool nothing 1000)
      (let* ((empty (measure "empty, no page" pool nothing n))
             (some (measure "1 ms, no page" pool work (quotient n 10)))
             (before (pages))
             (address (serve-page))
             (page (car (lset-difference = (pages) before))))
        (compare "empty" nothing n pool address page empty)
        (compare "1 ms" work (quotient n 10) pool address page some)))))
