;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The kill matrix of several hosts: whoever of those that a job needs is killed in the middle of a round of tasks, alone or with another
;; one, on one host or on two, the values are right, and in the end nothing is left anywhere. And nothing is left within three seconds if it
;; is the script, whoever is killed with it.
;;
;; What is lost comes back before the next blow: the agent of a host by ssh.
(use-modules (tap) (cluster) (cluster-jobs) (pace) (processes) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define victims '(worker watcher guard agent command host))

;; On which hosts the first and the second are.
(define places '(("n2" "n2") ("n2" "n3")))

(define (command-for job host)
  (filter (lambda (pid) (and (equal? (process-name pid) "ssh") (member host (process-arguments pid))))
          (processes-on "head" (job-mark job))))

(define (find-victims job role host)
  (match role
    ('host '())
    ('command (command-for job host))
    ('worker (list (car (processes-on host (job-mark job) 'worker))))
    (_ (processes-on host (job-mark job) role))))

;; All of them are found first, then killed at once.
(define (kill-all! job roles hosts)
  (let ((pids (append-map (lambda (role host) (find-victims job role host)) roles hosts)))
    (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) pids)
    (for-each (lambda (role host) (when (eq? role 'host) (cluster! "power-off" host))) roles hosts)))

(define (come-back! job roles hosts)
  (for-each (lambda (role host) (when (eq? role 'host) (cluster! "power-on" host))) roles hosts)
  ;; A host whose command alone was killed keeps its agent. One that had no power may be tried some times before it is there.
  (let ((end (+ (seconds-now) patience)))
    (let loop ()
      (or (every (lambda (host) (pair? (processes-on host (job-mark job) 'worker))) '("n1" "n2" "n3"))
          (and (< (seconds-now) end)
               (begin (start-round! job) (end-round! job) (loop)))))))

(define pairs
  (append-map (lambda (at) (map (lambda (other) (list (list-ref victims at) other)) (list-tail victims (1+ at)))) (iota (length victims))))

(define (test-job)
  (call-with-job "ssh:n1,n2,n3"
    (lambda (job)
      (define (strike roles hosts)
        (let ((name (format #f "~{~a~^ and ~} of ~{~a~^ and ~}" roles hosts)))
          (test-round name job (lambda () (kill-all! job roles hosts)))
          (test-assert (string-append name ": all hosts have workers again") (come-back! job roles hosts))))
      (for-each (lambda (victim) (strike (list victim) '("n2"))) victims)
      (for-each (lambda (hosts) (for-each (lambda (pair) (strike pair hosts)) pairs)) places)
      (test-equal "the end" 0 (end-job! job))
      (test-assert "nothing is left" (await (lambda () (null? (marked-processes (job-mark job)))) patience #:pause 10000)))
    #:seconds 900))

(define (test-script on)
  (for-each (lambda (victim)
              (call-with-job on
                (lambda (job)
                  (start-round! job 10000)
                  (let* ((script (filter (lambda (pid) (equal? (process-name pid) "guile")) (processes-on "head" (job-mark job))))
                         (others (find-victims job victim "n2"))
                         (begun (seconds-now)))
                    (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (append script others))
                    (when (eq? victim 'host) (cluster! "power-off" "n2"))
                    (test-assert (format #f "~a: the script and the ~a: nothing is left" on victim)
                      (await (lambda () (null? (marked-processes (job-mark job)))) patience #:pause 10000))
                    (test-assert (format #f "~a: the script and the ~a: within three seconds" on victim)
                      (in-pace? (- (seconds-now) begun) 3))
                    (when (eq? victim 'host) (cluster! "power-on" "n2"))))))
            victims))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (test-group "job" (test-job))
      (test-group "script" (test-script "ssh:n1,n2,n3")))
    #:slurm? #f #:seconds 1200)))
