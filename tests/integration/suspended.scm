;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A job that is suspended as a whole and continued later, as batch systems do: whoever is stopped or continued first, workers and what they
;; hold are there afterwards, and no task has failed. And Ctrl-Z in a shell.
;;
;; suspended.scm ROUNDS: so many for each order; all orders at once. Each second time they are continued in the opposite order.
(use-modules (tap) (programs) (processes) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-9) (srfi srfi-64))

(define rounds (match (cdr (command-line)) ((n) (string->number n)) (() 2)))
(define suspended-seconds 3)             ; longer than anybody's patience with one who is stopped
(define moment 300000)                   ; µs between those who come first and the rest
(define patience 60)

(sigaction SIGPIPE (const #t))

;;; A master.

(define-record-type <job>
  (make-job mark pid from to)
  job?
  (mark job-mark)
  (pid job-pid)
  (from job-from)
  (to job-to))

(define (start folder)
  (let ((mark (make-mark)))
    (call-with-values
        (lambda () (pipeline (list (list "env" mark "guile" (fixture "suspended.scm") folder))))
      (lambda (from to pids) (make-job mark (car pids) from to)))))

(define (hear job)
  "Return the list that the master of JOB says next; a symbol if it does not."
  (match (select (list (job-from job)) '() '() patience)
    ((() _ _) 'silence)
    (_ (let ((line (read-line (job-from job))))
         (if (eof-object? line) 'end (call-with-input-string line read))))))

(define (tell job)
  (newline (job-to job))
  (force-output (job-to job)))

(define (finish job)
  (for-each (lambda (pid) (false-if-exception (kill pid SIGCONT))) (marked-processes (job-mark job)))
  (close-port (job-to job))
  (or (await (lambda () (null? (marked-processes (job-mark job)))) 10)
      (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (marked-processes (job-mark job))))
  (false-if-exception (waitpid (job-pid job)))
  (close-port (job-from job)))

;;; Orders: lists of lists of processes (or, negative, of groups); there is a moment between two lists.

(define (role? . roles)
  (lambda (pid)
    (memq (match (process-role pid)
            ('template 'worker)
            (#f 'master)
            (role role))
          roles)))

(define (first-those-who-are . roles)
  (lambda (pids)
    (call-with-values (lambda () (partition (apply role? roles) pids)) list)))

(define (by-group pids)
  ;; The master's group is ours.
  (call-with-values (lambda () (partition (role? 'master) pids))
    (lambda (masters others)
      (cons masters (map (lambda (group) (list (- group))) (delete-duplicates (filter-map process-group others)))))))

(define orders
  `(("master first" ,(first-those-who-are 'master))
    ("workers first" ,(first-those-who-are 'worker))
    ("watcher first" ,(first-those-who-are 'watcher))
    ("guard first" ,(first-those-who-are 'guard))
    ("guard and watcher first" ,(first-those-who-are 'guard 'watcher))
    ("by process groups" ,by-group)
    ("one by one" ,(lambda (pids) (list (sort pids <))))
    ("one by one in reverse" ,(lambda (pids) (list (sort pids >))))))

(define (signal-all jobs signal)
  "Send SIGNAL to all processes of JOBS, for each job lists of processes: first to those in the first list of each, a moment later to those
in the second, and so on."
  (let loop ((jobs (remove null? jobs)))
    (unless (null? jobs)
      (for-each (lambda (lists) (for-each (lambda (pid) (kill pid signal)) (car lists))) jobs)
      (let ((rest (remove null? (map cdr jobs))))
        (unless (null? rest) (usleep moment))
        (loop rest)))))

(define (suspend jobs orders)
  "Stop all of JOBS, each in its order. Return for each the lists of its processes in that order."
  (let ((lists (map (lambda (job order) (order (marked-processes (job-mark job)))) jobs orders)))
    (signal-all lists SIGSTOP)
    lists))

(define (test-orders)
  (call-with-folder
   (lambda (folder)
     (let* ((names (map first orders))
            (folders (map (lambda (i) (let ((name (format #f "~a/~a" folder i))) (mkdir name) name)) (iota (length orders))))
            (jobs (map start folders))
            (before (map hear jobs)))
       (define (play round)
         (for-each tell jobs)
         (usleep 100000)
         (let ((stopped (suspend jobs (map second orders))))
           (sleep suspended-seconds)
           (signal-all (if (odd? round) (map reverse stopped) stopped) SIGCONT)
           (usleep moment)
           (for-each tell jobs)
           (map hear jobs)))
       (dynamic-wind
         (const #t)
         (lambda ()
           (for-each (lambda (round)
                       (let ((after (play round)))
                         (for-each (lambda (name before after)
                                     (test-equal (format #f "round ~a, ~a: the same workers, what they held, right results" round name)
                                       before after))
                                   names before after)))
                     (iota rounds)))
         (lambda () (for-each finish jobs)))))))

;;; A person.

(define (test-control-z)
  (let ((terminal (run-on-terminal
                   (list "bash" "--norc" "--noprofile" "-i")
                   ;; What is typed is shown as well, and must not look like what is waited for.
                   `((send "PS1='she''ll> '\n")
                     (expect ,patience "shell> ")
                     (send ,(string-append tutti " run " (fixture "working.scm") "\n"))
                     (expect ,patience "at work")
                     (send "\x1a")
                     (expect ,patience "Stopped")
                     (send ,(format #f "sleep ~a; echo slept''well\n" suspended-seconds))
                     (expect ,patience "sleptwell")
                     (send "fg\n")
                     (expect ,patience "all right #t, replaced 0")
                     (send "exit\n")
                     (exit ,patience)))))
    (test-assert "Ctrl-Z and fg" (every step-ok? (terminal-steps terminal)))
    (unless (every step-ok? (terminal-steps terminal))
      (display (terminal-text terminal) (current-error-port)))))

(call-with-tap
 (lambda ()
   (test-orders)
   (test-control-z)))
