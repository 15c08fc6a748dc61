;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Ends on several hosts: of agents and of what is around them, of the script, and of allocations.
(use-modules (tap) (cluster) (cluster-jobs) (pace) (processes) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define (strike! pids signal) (for-each (lambda (pid) (false-if-exception (kill pid signal))) pids))

(define (left-after pids-of seconds)
  "Wait until @var{pids-of} returns none, and return the names of those that it returned after @var{seconds}."
  (let ((begun (seconds-now)) (late '()))
    (define (none?)
      (let ((pids (pids-of)))
        (when (and (pair? pids) (null? late) (not (in-pace? (- (seconds-now) begun) seconds)))
          (set! late (map process-title pids)))
        (null? pids)))
    (if (await none? patience #:pause 10000) late 'hangs)))

(define (test-agents)
  (call-with-job "ssh:n1,n2,n3"
    (lambda (job)
      (define mark (job-mark job))
      (define (on host role) (processes-on host mark role))
      (test-equal "on all hosts" '("n1" "n2" "n3") (sort (delete-duplicates (job-hosts job)) string<?))
      (test-round "an agent is killed" job
                  (lambda ()
                    (let ((before (processes-on "n2" mark)) (agent (on "n2" 'agent)))
                      (test-assert "it has processes" (> (length before) 4))
                      (strike! agent SIGKILL)
                      (test-equal "nothing of it is left" '() (left-after (lambda () (filter process-state before)) 3)))))
      (test-equal "people are told" #t (says? (job-errors job) "n2"))
      (for-each (lambda (roles host)
                  (let ((name (format #f "~a of ~a ~a killed" roles host (if (pair? (cdr roles)) "are" "is"))))
                    (test-round name job (lambda () (strike! (append-map (lambda (role) (on host role)) roles) SIGKILL)))))
                '((watcher) (guard) (watcher guard))
                '("n1" "n3" "n1"))
      (test-round "a watcher is stopped" job (lambda () (strike! (on "n3" 'watcher) SIGSTOP)))
      (let ((agents (append (on "n1" 'agent) (on "n3" 'agent))))
        (test-round "agents are stopped" job
                    (lambda ()
                      (strike! agents SIGSTOP)
                      (sleep 1)         ; what is tested
                      (strike! agents SIGCONT)))
        (test-assert "and nothing is done twice" (once? job)))
      (test-equal "the end" 0 (end-job! job)))))

;;; The script is killed: nothing is left anywhere, whenever it is.

(define (test-killed on)
  (define mark (make-mark))
  (define script (write-script "nothing.scm" '((use-modules (tutti)) (call-with-pool 6 (lambda (pool) (sleep 60))))))
  (define (agents) (append-map (lambda (host) (processes-on host mark 'agent)) '("n1" "n2" "n3")))
  (define (workers) (processes-on "n3" mark 'worker))
  (for-each (lambda (moment there?)
              (call-with-running-on "head" (list tutti "run" "--on" on script)
                (lambda (port)
                  (test-assert (format #f "~a: ~a" on moment) (await there? patience))
                  (strike! (filter (lambda (pid) (equal? (process-name pid) "guile")) (processes-on "head" mark)) SIGKILL)
                  (test-equal (format #f "~a, killed when ~a: nothing is left" on moment) '()
                    (left-after (lambda () (marked-processes mark)) 3)))
                #:env (list mark)))
            '("a command has begun" "an agent is there" "workers are there")
            (list (lambda () (any (lambda (pid) (member (process-name pid) '("ssh" "srun"))) (processes-on "head" mark)))
                  (lambda () (pair? (agents)))
                  (lambda () (pair? (workers))))))

;;; A full disk.

(define (test-full)
  (for-each (lambda (folder) (run-on "n2" (list "mount" "-o" "remount,size=64k" folder))) '("/tmp" "/dev/shm"))
  (for-each (lambda (folder) (run-on "n2" (list "sh" "-c" "cat /dev/zero > \"$0/filling\"" folder))) '("/tmp" "/dev/shm"))
  (let* ((script (write-script "full.scm"
                               '((use-modules (tutti) (srfi srfi-4) (ice-9 exceptions))
                                 (define-remote (again v)
                                   (let ((w (make-f64vector (f64vector-length v) 2.)))
                                     (f64vector-set! w 0 (f64vector-ref v 1))
                                     w))
                                 (define-remote (fill)
                                   (let ((port (tmpfile)))
                                     (display (make-string 1000000 #\x) port)
                                     (close-port port))
                                   (gethostname))
                                 (call-with-pool 6
                                   (lambda (pool)
                                     (define v (vector->shared (make-f64vector 500000 3.)))
                                     (write (map (lambda (w) (f64vector-ref w 0)) (pool-map pool again (make-list 6 v))))
                                     (newline)
                                     (pool-apply pool fill))))))
         (done (tutti-on "head" script #:options '("--on" "ssh:n1,n2,n3"))))
    (test-equal "a full disk: vectors need none" "(3.0 3.0 3.0 3.0 3.0 3.0)\n" (program-output done))
    (test-equal "a task's own files: the error names the host" #t (says? (program-errors done) "No space left on device" "n2")))
  (for-each (lambda (folder)
              (run-on "n2" (list "rm" (string-append folder "/filling")))
              (run-on "n2" (list "mount" "-o" "remount,size=50%" folder))) '("/tmp" "/dev/shm")))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (test-group "agents" (test-agents))
      (test-group "killed" (for-each test-killed '("slurm:nodes=3" "ssh:n1,n2,n3")))
      (test-group "full" (test-full))))))
