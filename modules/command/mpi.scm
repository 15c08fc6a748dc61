;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that use MPI: how many processes they are started as, and what starts them.  Such a command is a vector, which travels; what
;; starts it is decided where it runs.
(define-module (tutti command mpi)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti command step)
  #:use-module (tutti command words)
  #:export (mpi-command mpi-command? mpi-program mpi-arguments mpi-options launched launch-command launch-changes launch-step))

(define launchers '(auto srun mpiexec))
(define usual-start-timeout 60)

(define (mpi-command ranks program . rest)
  "Return a command for @code{run-command}, @code{command-operator} and @code{command-server}, in the place of the name of a program: it
starts @var{program} with the arguments that follow as @var{ranks} processes that find each other by MPI. In a job of Slurm, where
@env{SLURM_JOB_ID} is set, @code{srun} starts them as a step, on any of the job's nodes; elsewhere @code{mpiexec} does, on the machine of
the worker. Output, exit status, time-outs and failures are those of the program as a whole; when the run ends, however it does, all
of its processes do. The standard input is that of rank 0. Keywords follow the arguments:

@table @code
@item #:launcher
@code{srun}, @code{mpiexec} or @code{auto}.
@item #:mpi
the plugin by which @code{srun} introduces the processes to each other, a string: @code{\"pmix\"} for Open MPI, @code{\"pmi2\"} for MPICH;
@code{srun --mpi=list} says which there are. By default it is the one that Slurm is configured with.
@item #:options
a list of strings, further options of @code{srun} or @code{mpiexec}.
@item #:start-timeout
seconds after which a step of Slurm that has begun, but in which no process was started, is ended and begun anew, once; by default 60.
@end table"
  (unless (and (exact-integer? ranks) (positive? ranks))
    (refuse 'mpi-command "expected how many processes there are to be, a number from 1, got ~s" ranks))
  (unless (and (string? program) (not (string-null? program)))
    (refuse 'mpi-command "expected the name of a program, a string, got ~s" program))
  (call-with-values (lambda () (split-command rest 'mpi-command '(#:launcher #:mpi #:options #:start-timeout)))
    (lambda (arguments keywords)
      (define (ref key default) (match (assq key keywords) ((_ . value) value) (#f default)))
      (let ((launcher (ref #:launcher 'auto)) (mpi (ref #:mpi #f)) (options (ref #:options '()))
            (seconds (ref #:start-timeout usual-start-timeout)))
        (unless (memq launcher launchers)
          (refuse 'mpi-command "#:launcher: expected one of ~{~a~^, ~}, got ~s" launchers launcher))
        (unless (or (not mpi) (and (string? mpi) (not (string-null? mpi))))
          (refuse 'mpi-command "#:mpi: expected the name of a plugin of srun, such as \"pmix\", got ~s" mpi))
        (unless (and (list? options) (every string? options))
          (refuse 'mpi-command "#:options: expected a list of strings, got ~s" options))
        (unless (and (finite-number? seconds) (positive? seconds))
          (refuse 'mpi-command "#:start-timeout: expected a positive number of seconds, got ~s" seconds))
        (vector 'tutti-mpi-command program arguments
                `((ranks . ,ranks) (launcher . ,launcher) (mpi . ,mpi) (options . ,options) (start-timeout . ,seconds)))))))

(define (mpi-command? object)
  "Return true if @var{object} is what @code{mpi-command} returns."
  (match object
    (#('tutti-mpi-command _ _ _) #t)
    (_ #f)))

(define (mpi-program command)
  "Return the name of the program of @var{command}."
  (vector-ref command 1))

(define (mpi-arguments command)
  "Return the list of the arguments of the program of @var{command}."
  (vector-ref command 2))

(define (mpi-options command)
  "Return the association list of how @var{command} is to be started, which @code{launched} takes."
  (vector-ref command 3))

;;; Where it runs.

;; What the processes are that a step of its own has here: of the one that the worker runs in, which is none of theirs.
(define of-other-step
  (map (lambda (name) (cons name #f))
       '("SLURM_CPUS_PER_TASK" "SLURM_CPU_BIND" "SLURM_CPU_BIND_LIST" "SLURM_CPU_BIND_TYPE" "SLURM_CPU_BIND_VERBOSE" "SLURM_DISTRIBUTION"
         "SLURM_EXCLUSIVE" "SLURM_NTASKS_PER_NODE" "SLURM_OVERLAP" "SLURM_TASKS_PER_NODE" "SLURM_TRES_PER_TASK" "SLURM_WHOLE")))

;; Rank 0 leaves a file when it starts; where it does not see the folder, Slurm says so on the standard error.
(define leave-mark "case $SLURM_PROCID in 0) true > \"$0\";; esac 2> /dev/null; exec \"$@\"")

(define (in-slurm?) (and (getenv "SLURM_JOB_ID") #t))

(define (launcher-of options)
  (match (assq-ref options 'launcher)
    ('auto (if (in-slurm?) 'srun 'mpiexec))
    (launcher launcher)))

(define (check-default-plugin program)
  (when (equal? (default-plugin) "none")
    (refuse 'mpi-command "srun would start the ranks of ~a without an introduction, each as if it was alone: Slurm is configured with \
MpiDefault=none; say #:mpi \"pmix\" if ~a was built with Open MPI, or #:mpi \"pmi2\" if with MPICH (srun --mpi=list: which there are)"
            program program)))

(define (find-launcher launcher program find)
  (find (symbol->string launcher)
        (if (eq? launcher 'srun)
            (string-append "; srun of Slurm (on Debian the package slurm-client) starts the ranks of " program " in a job of Slurm, unless \
#:launcher is mpiexec")
            (string-append "; mpiexec starts the ranks of " program ": install the MPI that it was built with, on Debian the package \
openmpi-bin or mpich"))))

(define (launched options program arguments folder task find)
  "Return what starts @var{program}, the name of a file, with @var{arguments} and the @var{options} of an MPI command in @var{folder}, for
@code{launch-command} and others. @var{task} is a pair of the number of a task and which attempt of it this is, or @code{#f}; @var{find}
returns the file of a program, or raises an error that ends with its second argument."
  (let ((ranks (number->string (assq-ref options 'ranks)))
        (launcher (launcher-of options))
        (mpi (assq-ref options 'mpi))
        (more (assq-ref options 'options)))
    (if (eq? launcher 'mpiexec)
        (vector (append (list (find-launcher launcher program find) "-n" ranks) more (cons program arguments)) '() #f)
        (let ((srun (find-launcher launcher program find))
              (step (make-step folder task (assq-ref options 'start-timeout))))
          (unless mpi (check-default-plugin program))
          (vector (append (list srun "--ntasks" ranks "--nodes" (string-append "1-" ranks) "--kill-on-bad-exit=1" "--input=0" "--export=ALL"
                                "--job-name" (step-name step))
                          (if mpi (list (string-append "--mpi=" mpi)) '())
                          more
                          (list "/bin/sh" "-c" leave-mark (step-mark step) program)
                          arguments)
                  of-other-step
                  step)))))

(define (launch-command launch)
  "Return the list of strings that is started."
  (vector-ref launch 0))

(define (launch-changes launch)
  "Return the changes of the environment, before those of the user: pairs of name and value, or @code{#f}."
  (vector-ref launch 1))

(define (launch-step launch)
  "Return the step of Slurm that it is, or @code{#f}."
  (vector-ref launch 2))
