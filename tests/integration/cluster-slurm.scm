;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What Slurm and its administrators do to a job in the middle of a round of tasks; and GPUs, which it hands out.
(use-modules (tap) (cluster) (cluster-jobs) (pace) (processes) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define (on-head . command) (program-output (run-on "head" command)))
(define (allocations) (string-tokenize (on-head "squeue" "-h" "-o" "%A")))
(define (steps)
  (filter (lambda (step) (not (string-index step char-alphabetic?))) (string-tokenize (on-head "squeue" "-h" "-s" "-o" "%i"))))

(define (step-on host)
  (any (lambda (line)
         (match (string-tokenize line)
           ((step on) (and (string=? on host) (not (string-index step char-alphabetic?)) step))
           (_ #f)))
       (string-split (on-head "squeue" "-h" "-s" "-o" "%i %N") #\newline)))

(define allocate '("salloc" "--quiet" "--nodes=3" "--exclusive" "--no-kill"))

(define (test-allocation)
  (call-with-job "slurm"
    (lambda (job)
      (test-round "a node is drained by its administrator" job
                  (lambda () (on-head "scontrol" "update" "NodeName=n2" "State=DRAIN" "Reason=test")))
      (test-assert "the job is not disturbed" (once? job))
      (test-equal "nobody is told" "" (job-errors job))
      (on-head "scontrol" "update" "NodeName=n2" "State=RESUME")
      ;; To all processes of the step, as before the end of the wall time.
      (test-round "SIGTERM to a step" job (lambda () (on-head "scancel" "--signal=TERM" (step-on "n3"))))
      (test-assert "nothing is done twice" (once? job))
      (test-equal "people are told" #t (says? (job-errors job) "n3" "SIGTERM"))
      (test-round "no power" job (lambda () (cluster! "power-off" "n2")))
      (cluster! "power-on" "n2")
      (test-round "scancel of the step" job (lambda () (on-head "scancel" (car (steps)))))
      (test-ended "scancel of the job" job (lambda () (on-head "scancel" (car (allocations)))) "n1" "could not be started again" "Expired"))
    #:before allocate))

;; Whose allocation is srun's.
(define (test-own-allocation)
  (call-with-job "slurm:nodes=3"
    (lambda (job)
      (test-round "srun is killed" job
                  (lambda ()
                    (for-each (lambda (pid) (when (equal? (process-name pid) "srun") (kill pid SIGKILL)))
                              (processes-on "head" (job-mark job)))))
      (test-equal "the end" 0 (end-job! job))
      (test-assert "the nodes are free" (await (lambda () (null? (allocations))) 20 #:pause 100000))))
  (call-with-job "slurm:nodes=3"
    (lambda (job)
      ;; There is nothing to go on with.
      (test-ended "scancel of an allocation of srun's" job (lambda () (on-head "scancel" (car (allocations)))) "nothing starts it again"))))

(define (test-gpus)
  (let* ((script (write-script "gpus.scm"
                               '((use-modules (tutti) (srfi srfi-1))
                                 (define-remote (gpus) (cons (gethostname) (map getenv '("CUDA_VISIBLE_DEVICES" "ROCR_VISIBLE_DEVICES"))))
                                 (call-with-pool 6
                                   (lambda (pool)
                                     (write (sort (pool-apply pool gpus) (lambda (a b) (string<? (object->string a) (object->string b))))))
                                   #:gpus-per-worker 1)))))
    (for-each (lambda (setting of)
                (test-equal (string-append setting ": each worker of a node its own")
                  (append-map (lambda (host) (list (of host "5") (of host "7"))) '("n1" "n2" "n3"))
                  (call-with-input-string (program-output (tutti-on "head" script #:options '("--on" "slurm:nodes=3") #:env (list setting)))
                    read)))
              '("CUDA_VISIBLE_DEVICES=5,7" "ROCR_VISIBLE_DEVICES=5,7")
              (list (lambda (host gpu) (list host gpu #f)) (lambda (host gpu) (list host #f gpu))))))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (test-group "gpus" (test-gpus))
      (test-group "allocation" (test-allocation))
      (test-group "own allocation" (test-own-allocation)))
    #:ssh? #f)))
