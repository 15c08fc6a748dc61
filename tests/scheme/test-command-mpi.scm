;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that use MPI: started by mpiexec; and by something that is called srun, to see what it is told and how it is ended.
(use-modules (tap) (mpi) (programs) (temporary) (processes) (pace) ((python-models) #:select (says? outcome)) (ice-9 format)
             (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti) (tutti command))

(define mark (make-mark))
(define setting (match (string-split mark #\=) ((name value) (list (cons name value)))))
(define (all-gone?) (await (lambda () (null? (marked-processes mark))) patience))
(define (some-there? n) (await (lambda () (>= (length (marked-processes mark)) n)) patience))
(define-syntax-rule (test-gone name) (test-assert (string-append name ": no rank is left") (all-gone?)))

(define (failure thunk)
  (let ((raised (outcome thunk)))
    (if (command-failed? raised)
        (list (command-failed-kind raised) (command-failed-status raised))
        raised)))

(define (write-text file text) (call-with-output-file file (lambda (port) (display text port))))
(define (text-in file) (or (false-if-exception (call-with-input-file file get-string-all)) ""))

(define-remote (run-there command . rest) (apply run-command command rest))

(define (ranks-there n)
  "Whether N processes with the mark run the program of ranks."
  (await (lambda () (>= (count (lambda (pid) (equal? (process-name pid) "mpi-ranks")) (marked-processes mark)) n)) patience))

;;; By mpiexec.

(define (ranks n . arguments) (apply mpi-command n ranks-program arguments))

(define (test-runs folder)
  (define in (string-append folder "/in"))
  (define (run n action . rest) (apply run-command (ranks n) action (append rest (list #:environment setting))))
  (write-text in "1.5")
  (for-each (lambda (n)
              (test-equal (format #f "~a ranks" n) (+ (* n 1.5) (/ (* n (1- n)) 2.))
                (run n "sum" "in" #:files (list in) #:read (output-value "stdout" "sum ="))))
            '(1 2 5))
  (test-equal "arguments of the command come first" 1.5
    (run-command (ranks 1 "sum") "in" #:files (list in) #:read (output-value "stdout" "sum =")))
  (test-equal "a status" '(status 7) (failure (lambda () (run 2 "fail" 7))))
  (test-equal "one that says something" '(again 7) (failure (lambda () (run 2 "fail" 7 #:retry '((7 -> again)) #:tries 2))))
  (test-assert "MPI_Abort" (match (failure (lambda () (run 3 "abort" 9))) (('status (? integer? n)) (not (zero? n))) (_ #f)))
  (for-each (lambda (action)
              (test-equal (string-append action ": a time-out") '(timeout timeout)
                (failure (lambda () (run 3 action #:timeout 1.5 #:keep 'never))))
              (test-gone action))
            '("hang" "hang-one" "deaf"))
  (test-assert "the error has the whole command" (says? (lambda () (run 2 "fail" 3 #:keep 'never)) "mpi-ranks: it ended with status 3"
                                                        "mpiexec -n 2" "its standard error"))
  (test-equal "options" '(status 3)
    (failure (lambda () (run-command (mpi-command 2 ranks-program "fail" #:options '("-n" "1") #:launcher 'mpiexec) #:keep 'never)))))

(define (test-tasks folder)
  (define in (string-append folder "/in.tpl"))
  (write-text in "@{x}\n")
  (define op (command-operator (ranks 2 "sum" "in") #:templates (list (cons in "in")) #:parameters '(x)
                               #:read (output-value "stdout" "sum =")))
  (define points (map (lambda (i) (f64vector (/ i 7.))) (iota 6)))
  (define alone (map (lambda (x) (evaluate op x)) points))
  (define there (remote ((op op)) (lambda (x) (evaluate op x))))
  (test-equal "an operator" (map (lambda (x) (let ((x (f64vector-ref x 0))) (f64vector (+ x (+ x 1))))) points) alone)
  (call-with-pool 3
    (lambda (pool)
      (test-equal "in tasks" alone (pool-map pool there points))
      (test-equal "its derivative by differences" 2.
        (call-with-values (lambda () (linearize (with-differences op) (f64vector 1.)))
          (lambda (y slope) (/ (round (* 1e4 (f64vector-ref (evaluate slope (f64vector 1.)) 0))) 1e4))))
      (let ((task (pool-submit! pool run-there (ranks 3 "hang") #:environment setting)))
        (test-assert "it runs" (ranks-there 3))
        (task-cancel! task)
        (test-gone "a task that is cancelled"))
      (test-assert "a task that is late"
        (task-timeout? (outcome (lambda ()
                                  (parameterize ((task-timeout 2) (task-retries 0))
                                    (pool-apply-only pool 0 run-there (ranks 3 "deaf") #:environment setting))))))
      (test-gone "a task that is late")
      (let ((task (parameterize ((task-retries 0)) (pool-submit! pool run-there (ranks 3 "deaf") #:environment setting))))
        (ranks-there 3)
        (for-each (lambda (pid) (when (eq? (process-role pid) 'worker) (kill pid SIGKILL))) (descendants))
        (test-assert "a worker that is killed" (worker-died? (outcome (lambda () (task-wait task))))))
      (test-gone "a worker that is killed")
      (pool-submit! pool run-there (ranks 3 "hang") #:environment setting)
      (ranks-there 3)))
  (test-gone "a pool that is closed"))

(define (test-server)
  (define ask (command-server (ranks 3 "serve") #:environment setting))
  (test-equal "a program that stays" '(6 9 4.5) (map ask '(1 2 0.5)))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "in tasks" (map (lambda (i) (+ 3 (* 3 i))) (iota 6))
        (pool-map pool (remote ((ask ask)) (lambda (i) (ask i))) (iota 6))))))

(define (test-refusals)
  (define-syntax-rule (refused name expression part ...) (test-assert name (says? (lambda () expression) part ...)))
  (refused "no number of ranks" (mpi-command 0 "solver") "how many processes" "0")
  (refused "no program" (mpi-command 2 3) "name of a program" "3")
  (refused "a keyword that is none" (mpi-command 2 "solver" #:hosts 3) "no keyword #:hosts" "#:launcher")
  (refused "a launcher that is none" (mpi-command 2 "solver" #:launcher 'mpirun) "#:launcher" "auto, srun, mpiexec")
  (refused "options that are no list" (mpi-command 2 "solver" #:options "-N1") "#:options" "list of strings")
  (refused "a plugin that is no name" (mpi-command 2 "solver" #:mpi 'pmix) "#:mpi" "\"pmix\"")
  (refused "no time" (mpi-command 2 "solver" #:start-timeout 0) "#:start-timeout")
  (refused "a program that is not there" (run-command (mpi-command 2 "no-such-solver")) "there is no program no-such-solver on the PATH")
  (refused "no mpiexec" (run-command (ranks 2) "sum" #:environment '(("PATH" . "/nonexistent")))
           "there is no mpiexec on the PATH" "mpi-ranks" "openmpi-bin or mpich")
  (refused "no srun" (run-command (mpi-command 2 ranks-program #:launcher 'srun) "sum" #:environment '(("PATH" . "/nonexistent")))
           "there is no program srun on the PATH" "slurm-client")
  (test-assert "what is one" (mpi-command? (mpi-command 2 "solver")))
  (test-assert "what is none" (not (mpi-command? "solver"))))

;;; By srun, or what is called so: it notes what it is told, starts one rank unless it is to hang, and notes that it is asked to end.

(define fake-srun "#!/bin/sh
printf '%s\\n' \"$@\" > \"$FAKE/arguments\"
echo begun >> \"$FAKE/begun\"
while [ \"$1\" != --job-name ]; do shift; done
echo \"7.3 $2\" > \"$FAKE/step\"
trap 'echo asked >> \"$FAKE/asked\"; rm -f \"$FAKE/step\"; kill -KILL $rank; exit 143' TERM
while [ \"$1\" != /bin/sh ]; do shift; done
if [ ! -e \"$FAKE/hang\" ]; then SLURM_PROCID=0 \"$@\" & rank=$!; wait $rank; status=$?; rm -f \"$FAKE/step\"; exit $status; fi
while :; do sleep 0.02; done
")
(define fake-squeue "#!/bin/sh\ncat \"$FAKE/step\" 2> /dev/null; exit 0\n")
(define fake-scancel "#!/bin/sh\necho \"$@\" >> \"$FAKE/cancelled\"; rm -f \"$FAKE/step\"\n")
(define fake-scontrol "#!/bin/sh\necho 'MpiDefault              = none'\n")

(define (call-with-fake-slurm proc)
  (call-with-folder
   (lambda (folder)
     (define before (getenv "PATH"))
     (for-each (lambda (name text)
                 (let ((file (string-append folder "/" name))) (write-text file text) (chmod file #o755)))
               '("srun" "squeue" "scancel" "scontrol") (list fake-srun fake-squeue fake-scancel fake-scontrol))
     (dynamic-wind
       (lambda () (setenv "PATH" (string-append folder ":" before)) (setenv "FAKE" folder) (setenv "SLURM_JOB_ID" "7"))
       (lambda () (proc (lambda (name) (string-append folder "/" name))))
       (lambda () (setenv "PATH" before) (unsetenv "FAKE") (unsetenv "SLURM_JOB_ID"))))))

(define (lines text) (remove string-null? (string-split text #\newline)))

(define (test-srun in)
  (define (forget!) (for-each (lambda (name) (false-if-exception (delete-file (in name)))) '("asked" "begun" "cancelled" "step")))
  (define (sh . rest) (apply mpi-command 4 "/bin/sh" "-c" rest))
  (test-equal "it runs" "here\n" (run-command (sh "echo here" #:mpi "pmix" #:options '("-N" "2"))))
  (match (lines (text-in (in "arguments")))
    ((options ... "--mpi=pmix" "-N" "2" "/bin/sh" "-c" _ _ "/bin/sh" "-c" "echo here")
     (test-equal "what it is told" '("--ntasks" "4" "--nodes" "1-4" "--kill-on-bad-exit=1" "--input=0" "--export=ALL" "--job-name")
       (drop-right options 1)))
    (other (test-equal "what it is told" 'arguments other)))
  (test-assert "no plugin" (says? (lambda () (run-command (sh "echo here"))) "MpiDefault=none" "#:mpi \"pmix\"" "pmi2"))
  (test-equal "mpiexec, if it is said" "PMI\n"
    (run-command (mpi-command 1 "/bin/sh" "-c" "echo PMI" #:launcher 'mpiexec)))
  (test-equal "a status" '(status 5) (failure (lambda () (run-command (sh "exit 5" #:mpi "pmix") #:keep 'never))))
  (forget!)
  (test-equal "a time-out" '(timeout timeout)
    (failure (lambda () (run-command (sh "exec sleep 1000" #:mpi "pmix") #:timeout 1 #:keep 'never #:environment setting))))
  (test-assert "srun was asked to end" (file-exists? (in "asked")))
  (test-gone "a time-out")
  ;; It is killed, and with it what would have ended the ranks: Slurm does.
  (forget!)
  (test-equal "one that is killed" '(signal (signal 9))
    (failure (lambda () (run-command (sh "kill -KILL $PPID; exec sleep 1000" #:mpi "pmix") #:keep 'never #:environment setting))))
  (test-assert "its step is killed" (string-contains (text-in (in "cancelled")) "--signal=KILL 7.3")))

(define (test-srun-in-tasks in)
  (define command (mpi-command 4 "/bin/sh" "-c" "exec sleep 1000" #:mpi "pmix"))
  (define (forget!) (for-each (lambda (name) (false-if-exception (delete-file (in name)))) '("asked" "begun" "cancelled" "step")))
  (define (begun?) (await (lambda () (file-exists? (in "step"))) patience))
  (define (asked?) (await (lambda () (file-exists? (in "asked"))) patience))
  (call-with-pool 1
    (lambda (pool)
      (define (submit) (parameterize ((task-retries 0)) (pool-submit! pool run-there command #:environment setting)))
      (forget!)
      (let ((task (submit)))
        (begun?)
        (task-cancel! task)
        (test-assert "a task that is cancelled: srun was asked" (asked?))
        (test-gone "a task that is cancelled"))
      (forget!)
      (let ((task (submit)))
        (begun?)
        (for-each (lambda (pid) (when (eq? (process-role pid) 'worker) (kill pid SIGKILL))) (descendants))
        (test-assert "a worker that is killed" (worker-died? (outcome (lambda () (task-wait task)))))
        (test-assert "a worker that is killed: srun was asked" (asked?))
        (test-gone "a worker that is killed"))
      (forget!)
      (submit)
      (begun?)))
  (test-assert "a pool that is closed: srun was asked" (asked?))
  (test-gone "a pool that is closed")
  ;; The second attempt finds the step of the first.
  (forget!)
  (call-with-pool 1
    (lambda (pool)
      (test-equal "the next attempt" "2\n"
        (pool-apply-only pool 0 run-there
                         (mpi-command 1 "/bin/sh" "-c"
                                      "[ $TUTTI_ATTEMPT = 2 ] || { kill -KILL $PPID $(cut -d' ' -f4 /proc/$PPID/stat); sleep 1000; }
echo $TUTTI_ATTEMPT"
                                      #:mpi "pmix")
                         #:environment setting))
      (test-assert "ends the step of the first" (string-contains (text-in (in "cancelled")) "7.3")))))

(define (test-start in)
  (write-text (in "hang") "")
  (false-if-exception (delete-file (in "begun")))
  (test-assert "a step in which nothing starts"
    (says? (lambda ()
             (run-command (mpi-command 2 "/bin/sh" "-c" "echo" #:mpi "pmix" #:start-timeout 1) #:keep 'never #:environment setting))
           "had not started rank 0 after 1 s" "#:start-timeout"))
  (test-equal "it was tried twice" 2 (length (lines (text-in (in "begun")))))
  (test-gone "it")
  (delete-file (in "hang")))

(call-with-tap
 (lambda ()
   (prepare-mpi)
   (call-with-temporary-files
    (lambda (folder)
      (with-execution-manager
        (test-group "refusals" (test-refusals))
        (if (mpi-obstacle)
            (tap-skip "ranks" (mpi-obstacle))
            (begin
              (test-group "runs" (call-with-folder test-runs))
              (test-group "tasks" (call-with-folder test-tasks))
              (if (false-if-exception (resolve-interface '(json)))
                  (test-group "servers" (test-server))
                  (tap-skip "servers" "guile-json is not installed")))))
      (call-with-fake-slurm
       (lambda (in)
         (with-execution-manager
           (test-group "srun" (test-srun in))
           (test-group "srun in tasks" (test-srun-in-tasks in))
           (test-group "start" (test-start in)))))
      (test-assert "no process is left" (all-gone?))))))
