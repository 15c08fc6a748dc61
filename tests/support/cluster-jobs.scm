;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Jobs on several hosts for tests of ends: a script with workers there that does rounds of tasks, as a test tells it to, while the test
;; strikes one of its processes or hosts.
(define-module (cluster-jobs)
  #:use-module (cluster)
  #:use-module (pace)
  #:use-module (processes)
  #:use-module (programs)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-64)
  #:export (write-script processes-on call-with-job job-mark job-hosts job-errors start-round! end-round! end-job! once?
            test-round test-ended says?))

(define (write-script name forms)
  "Write @var{forms} to the file @var{name} that all hosts see, and return its whole name."
  (let ((file (in-folder name)))
    (call-with-output-file file (lambda (port) (for-each (lambda (form) (write form port) (newline port)) forms)))
    file))

(define (host-space host)
  (any (lambda (line)
         (match (string-tokenize line)
           ((name _ _ _ pid . _) (and (string=? name host) (readlink (format #f "/proc/~a/ns/uts" pid))))))
       (string-split (string-trim-right (cluster! "status")) #\newline)))

(define* (processes-on host mark #:optional role)
  "Return the numbers, on this machine, of the processes with @var{mark} that run on @var{host}; only those of @var{role}, a symbol, which
is @code{agent} or what @code{process-role} returns."
  (let ((space (host-space host)))
    (filter (lambda (pid)
              (and (equal? space (false-if-exception (readlink (format #f "/proc/~a/ns/uts" pid))))
                   (or (not role)
                       (eq? role (if (equal? (process-name pid) "tutti-agent") 'agent (process-role pid))))))
            (marked-processes mark))))

;;; A script that does rounds of tasks. Each task notes that it was done, and where.

(define (forms notes)
  `((use-modules (tutti) (ice-9 match))
    (define-remote (slow i)
      (usleep 20000)
      (let ((port (open-file ,notes "a")))
        (display (string-append (number->string i) " " (gethostname) "\n") port)
        (close-port port))
      (* i i))
    (define-remote (host) (gethostname))
    (define-remote (made-for i) (iota i))
    (define-remote (what-was-made made) (length made))
    (define (say . x) (write x) (newline) (force-output))
    (call-with-pool 6
      (lambda (pool)
        (define made (pool-keep pool made-for (per-worker (iota 6))))
        (let loop ()
          (say 'ready (pool-apply pool host))
          (match (read)
            ((? number? n)
             (let ((sum (apply + (pool-map pool slow (iota n)))))
               (say 'sum sum (pool-apply pool what-was-made made))
               (loop)))
            (_ #t)))))))

(define-record-type <job>
  (make-job port mark notes errors hosts)
  job?
  (port job-port)
  (mark job-mark)
  (notes notes-file)
  (errors errors-file)
  (hosts job-hosts set-job-hosts!))     ; of its workers, when it was ready last

(define (next-line job) (let ((line (read-line (job-port job)))) (if (eof-object? line) line (call-with-input-string line read))))

(define (become-ready! job)
  (match (next-line job)
    (('ready hosts)
     (set-job-hosts! job hosts)
     #t)
    (_ #f)))

(define* (call-with-job on proc #:key (mark (make-mark)) (env '()) (before '()) (host "head") (seconds 100))
  "Run the script with workers @var{on} nodes on @var{host}, by the command @var{before}, and call @var{proc} with a job when it is ready or
has failed. It ends with @var{proc}, and is killed after @var{seconds}. Return what @var{proc} returns."
  (let* ((name (string-map (lambda (c) (if (char=? c #\=) #\- c)) mark))
         (notes (in-folder (string-append "notes-" name)))
         (errors (in-folder (string-append "errors-" name)))
         (script (write-script (string-append name ".scm") (forms notes))))
    (close-port (open-output-file notes))
    (call-with-running-on host
        ;; Not as the shell itself: what has entered the host stops with its own process.
        (append (list "sh" "-c" "exec 3<&0; \"$@\" 2> \"$0\" <&3 3<&- & wait $!; echo \"(status $?)\"" errors
                      "timeout" "--signal=KILL" (number->string seconds))
                before
                (list tutti "run" "--on" on script))
      (lambda (port)
        (proc (let ((job (make-job port mark notes errors '()))) (become-ready! job) job)))
      #:env (cons mark env))))

(define (job-errors job)
  "Return what the script of @var{job} has written to its error port up to now."
  (call-with-input-file (errors-file job) get-string-all))

(define (job-notes job)
  "Return a list of the number of each task that was done in this round, and the name of its host."
  (call-with-input-file (notes-file job)
    (lambda (port)
      (let loop ((notes '()))
        (match (read-line port)
          ((? eof-object?) (reverse notes))
          (line (match (string-split line #\space) ((i host) (loop (cons (list (string->number i) host) notes))))))))))

;; Of 20 ms each: some second, on six workers.
(define tasks 200)

(define* (start-round! job #:optional (n tasks))
  "Let @var{job} begin with @var{n} tasks, and return when some of them are done."
  (truncate-file (notes-file job) 0)
  (write n (job-port job))
  (newline (job-port job))
  (force-output (job-port job))
  (await (lambda () (>= (length (job-notes job)) 6)) patience))

(define (end-round! job)
  "Return what the round of @var{job} has computed, and what its workers hold; whatever was written instead if it has failed."
  (let ((value (next-line job)))
    (if (and (pair? value) (eq? (car value) 'sum) (become-ready! job))
        value
        (list 'failed value (job-errors job)))))

(define (test-round name job strike)
  "Test that a round of @var{job}, in the middle of which @var{strike} is called, has the right values."
  (start-round! job)
  (strike)
  (test-equal (string-append name ": right values") (list 'sum (apply + (map (lambda (i) (* i i)) (iota tasks))) '(0 1 2 3 4 5))
    (end-round! job)))

(define (once? job)
  "Was each task of the last round done once?"
  (equal? (iota tasks) (sort (map first (job-notes job)) <)))

(define (end-job! job)
  "Let the script of @var{job} end, if it still runs, and return its status."
  (false-if-exception (begin (write 'end (job-port job)) (newline (job-port job)) (force-output (job-port job))))
  (let loop ()
    (match (next-line job)
      (('status status) status)
      ((? eof-object?) 'nothing)
      (_ (loop)))))

(define (test-ended name job strike . words)
  "Test that @var{job} ends with an error, which has all @var{words}, when @var{strike} has been called in the middle of a round, and that
nothing of it is left."
  (start-round! job 10000)
  (strike)
  (test-assert (string-append name ": it ends, and not as if all were well") (not (memv (end-job! job) '(0 137 nothing))))
  (test-equal (string-append name ": people are told why") #t (apply says? (job-errors job) words))
  (test-assert (string-append name ": nothing is left")
    (await (lambda () (null? (marked-processes (job-mark job)))) patience #:pause 10000)))

(define (says? text . words)
  "Return true if all @var{words} are in @var{text}, else the first that is not, and the text from its end: what matters comes last, and
reports of tests are cut."
  (match (remove (lambda (word) (string-contains text word)) words)
    (() #t)
    ((word . _) (list 'not-said word (reverse (string-split (string-trim-right text) #\newline))))))
