;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs with MPI in a job of Slurm: steps on several hosts, whose ranks are nobody's children here, and which all end with the run.
(use-modules (tap) (cluster) (mpi) (pace) (processes) (programs) (ice-9 match) (ice-9 rdelim) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define mark (make-mark))
(define script (fixture "mpi-steps.scm"))

(define (ranks)
  "Return the processes that are ranks, on whichever host."
  (filter (lambda (pid) (equal? (process-name pid) "mpi-ranks")) (marked-processes mark)))
(define (running? n) (await (lambda () (= (length (ranks)) n)) patience #:pause 20000))
(define (gone?) (await (lambda () (null? (ranks))) patience #:pause 20000))

(define (read-answers text)
  (call-with-input-string text
    (lambda (port) (let loop () (let ((x (read port))) (if (eof-object? x) '() (cons x (loop))))))))

(define (test-values job)
  (call-with-output-file (string-append (cluster-folder) "/in.txt") (lambda (port) (display "1.5\n" port)))
  (let ((run (tutti-on "head" script (list "values" (cluster-folder)) #:env (list mark job))))
    (match (read-answers (program-output run))
      ((('sum (sum errors)) ('operator values))
       (test-equal "six ranks" 24. sum)
       (test-equal "on three hosts" '("n1" "n2" "n3")
         (sort (delete-duplicates (map (lambda (m) (match:substring m 1)) (list-matches "rank [0-9] of 6 on ([a-z0-9]+)" errors)))
               string<?))
       (test-equal "an operator in a pool" (map (lambda (i) (+ 1. (* 2 i))) (iota 6)) values))
      (other (test-equal "answers" 'two (list other (program-errors run))))))
  (let ((run (tutti-on "head" script (list "failures" (cluster-folder)) #:env (list mark job))))
    (match (read-answers (program-output run))
      ((('status status) ('abort (kind number)) ('no-plugin text) ('server answers))
       (test-equal "a status" '(status 7) status)
       (test-assert "MPI_Abort" (and (eq? kind 'status) (not (eqv? number 0))))
       (test-assert "srun is not asked to start ranks that do not know of each other" (string-contains text "MpiDefault=none"))
       (test-equal "a program that stays" '(10 14 8) answers))
      (other (test-equal "answers" 'four (list other (program-errors run)))))))

(define (dialogue job what proc)
  (call-with-running-on "head" (list tutti "run" script what (cluster-folder)) proc #:env (list mark job)))
(define (go-on port) (write-line "go" port) (force-output port))

(define (test-ends job)
  (dialogue job "time-out"
    (lambda (port)
      (test-equal "a time-out" '(late (timeout timeout)) (read port))
      (test-equal "a time-out: no rank is left" '() (begin (read port) (ranks)))
      (go-on port)))
  (dialogue job "cancel"
    (lambda (port)
      (read port)
      (test-assert "a task runs" (running? 4))
      (go-on port)
      (read port)
      (test-assert "it is cancelled: no rank is left" (gone?))
      (go-on port)))
  (dialogue job "worker"
    (lambda (port)
      (read port)
      (test-assert "a task runs again" (running? 4))
      (for-each (lambda (pid) (when (eq? (process-role pid) 'worker) (kill pid SIGKILL))) (marked-processes mark))
      (go-on port)
      (test-equal "its worker is killed" '(died #t) (read port))
      (read port)
      (test-assert "a worker that is killed: no rank is left" (gone?))
      (go-on port)))
  (dialogue job "master"
    (lambda (port)
      (test-assert "two tasks run" (running? 4))
      (for-each (lambda (pid) (when (equal? (process-name pid) "guile") (kill pid SIGKILL))) (marked-processes mark))
      (test-assert "the master is killed: no rank is left" (gone?))))
  (test-assert "Slurm knows of no step"
    (await (lambda () (string-null? (program-output (run-on "head" '("squeue" "--steps" "--noheader" "--format" "%j"))))) patience)))

(call-with-tap
 (lambda ()
   (when (mpi-obstacle)
     (tap-skip-all (mpi-obstacle)))
   (prepare-mpi)
   ;; Started by srun, one of forty programs of Debian's Open MPI 4.1 crashes in MPI_Init when ranks of a host look for shared memory.
   (setenv "OMPI_MCA_btl" "tcp,self")
   (call-with-cluster
    (lambda ()
      (let ((job (allocate 3)))
        (test-group "values" (test-values job))
        (test-group "ends" (test-ends job))))
    #:ssh? #f)
   (test-assert "no process is left" (await (lambda () (null? (marked-processes mark))) patience))))
