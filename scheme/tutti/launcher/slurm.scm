;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Agents as job steps of Slurm, one on each node, so that a node that fails takes no other along: srun ends a step some seconds after it
;; has lost one of its nodes, also with --no-kill. What is said here of Slurm was seen with version 22.05.
(define-module (tutti launcher slurm)
  #:use-module (ice-9 format)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher hosts)
  #:export (slurm-launcher))

;;; What may be asked for.

(define duration (make-regexp "^([0-9]+-)?[0-9]+(:[0-9]+(:[0-9]+)?)?$"))

(define (one-word? x)
  (and (string? x) (not (string-null? x))
       (not (string-any (lambda (c) (or (char-whitespace? c) (char-set-contains? char-set:iso-control c))) x))))

(define (check-word complain name value)
  (unless (or (not value) (one-word? value))
    (complain name "one word, as srun takes it" value)))

(define (check-number complain name value)
  (unless (or (not value) (and (exact-integer? value) (positive? value)))
    (complain name "a positive number" value)))

(define (duration? x)
  (or (and (exact-integer? x) (positive? x))
      (and (string? x) (or (regexp-exec duration x) (string-ci=? x "unlimited")))))

;;; In an allocation.

(define (setting name)
  (let ((text (getenv name)))
    (and text (not (string-null? text)) text)))

(define (allocation) (setting "SLURM_JOB_ID"))

(define (allocated-hosts)
  "Return the names of the nodes of this allocation, or #f if they are not known."
  (and=> (or (setting "SLURM_JOB_NODELIST") (setting "SLURM_NODELIST")) host-list->names))

(define (allocated-count)
  (or (and=> (or (setting "SLURM_JOB_NUM_NODES") (setting "SLURM_NNODES")) string->number)
      (and=> (allocated-hosts) length)
      1))

(define (count-of nodes)
  "Return how many of the nodes of this allocation are used, where NODES, or #f, are asked for."
  (let ((there (allocated-count)))
    (when (and nodes (> nodes there))
      (refuse 'slurm "~a nodes are asked for, but the allocation ~a has ~a~a; ask for no more, or allocate them (sbatch --nodes=~a)"
              nodes (allocation) there
              (let ((list (setting "SLURM_JOB_NODELIST"))) (if list (string-append ", " list) "")) nodes))
    (or nodes there)))

(define (hosts-of nodes)
  (let ((hosts (allocated-hosts))
        (count (count-of nodes)))
    (and hosts (take hosts (min count (length hosts))))))

;;; Commands.

(define common
  '("--ntasks-per-node=1"
    ;; The allocation's processors are for agents and for what else the script runs there.
    "--overlap"
    ;; A node of the allocation that is down: srun would wait for it for ever, and say nothing.
    "--immediate=10"
    ;; For steps on several nodes: an agent that ends takes no other along, and each reads all of the invitation.
    "--no-kill" "--kill-on-bad-exit=0" "--wait=0" "--input=all"
    ;; sbatch --export=NONE would also be true for steps.
    "--export=ALL"
    ;; An agent has all processors that the step has on its node, and binds its workers itself: for one task Slurm would choose one.
    "--cpu-bind=none"
    ;; It is no MPI program, and the plugins for these may wait for each other.
    "--mpi=none"))

(define (step-command count selection extra agent)
  (cons count `("srun" ,(format #f "--nodes=~a" count) ,(format #f "--ntasks=~a" count) ,@selection ,@common ,@extra ,@agent)))

(define (inside request nodes extra agent)
  (let ((hosts (hosts-of nodes))
        (wanted (request-hosts request)))
    (define (step-on host) (step-command 1 (list (string-append "--nodelist=" host)) extra agent))
    (cond ((not hosts) (if wanted '() (list (step-command (count-of nodes) '() extra agent))))
          (wanted (filter-map (lambda (name) (and=> (find-host name hosts) step-on)) wanted))
          (else (map step-on hosts)))))

;; An allocation of our own is that of a salloc, which runs a shell here, and that a srun for each node. SIGTERM ends a salloc in the queue
;; (nothing is left there), and one that runs, with its allocation, within a quarter of a second.
(define (steps options)
  "Return the script of shell that starts the agent, its arguments but the first, as a step on each node, with OPTIONS."
  (string-append "
agent_or_end=$1
shift
invitation=$(cat)
for host in $(scontrol show hostnames \"$SLURM_JOB_NODELIST\"); do
  srun --nodes=1 --ntasks=1 --nodelist=\"$host\" " (string-join options " ") " \\
    bash -c \"$agent_or_end\" tutti-agent \"$@\" <<< \"$invitation\" &
  steps=\"$steps $!\"
done
status=0
for step in $steps; do wait $step || status=$?; done
exit $status"))

;; A salloc that is killed leaves its job as it is, until its time is over. So when an agent has lost its master, or was told to end, its
;; node looks whether its srun is there: a connection to srun's port that is refused says that it is not, and its machine is; then the node
;; ends the job. While it is only not to be reached nothing is done: the job may go on, on other nodes. If srun's machine has failed,
;; #:time is what ends the job.
;;
;; Slurm signals all processes of a step; this shell ends with its agent.
(define free-allocation "
trap : HUP INT TERM USR1 USR2
\"$@\"
status=$?
if [[ $status -lt 128 && -n $SLURM_SRUN_COMM_PORT ]]; then
  for try in 1 2 3 4 5 6 7; do
    answer=$(LC_ALL=C timeout 5 bash -c ': < \"/dev/tcp/$SLURM_SRUN_COMM_HOST/$SLURM_SRUN_COMM_PORT\"' 2>&1) && break
    case $answer in *refused*) scancel \"$SLURM_JOB_ID\"; break ;; esac
    [ $try = 1 ] || sleep 5   # the first question may have been ended by a signal for the step
  done
fi
exit $status")

(define (outside nodes partition time account qos cpus extra agent)
  (define (option name value) (if value (list (format #f "--~a=~a" name value)) '()))
  (let ((count (or nodes 1)))
    (list (cons count
                `("salloc" "--job-name=tutti" "--no-kill" ,(format #f "--nodes=~a" count) "--ntasks-per-node=1"
                  ,@(if cpus (option "cpus-per-task" cpus) '("--exclusive"))
                  ,@(option "partition" partition) ,@(option "time" time) ,@(option "account" account) ,@(option "qos" qos)
                  ,@extra
                  "bash" "-c" ,(steps (append common (if cpus (option "cpus-per-task" cpus) '())))
                  "tutti-agents" ,free-allocation ,@agent)))))

;;; What people are told.

(define queued (make-regexp "^salloc: job ([0-9]+) queued and waiting for resources"))
(define not-now (make-regexp "^salloc: Requested partition configuration not available now"))
(define of-no-interest
  (make-regexp (string-append "^srun: cluster configuration lacks support for cpu binding"
                              "|^salloc: (job [0-9]+ has been allocated resources|Pending job allocation|Granted job allocation"
                              "|Waiting for resource configuration|Nodes .* are ready for job|Relinquishing job allocation)")))

(define (tell line)
  (cond ((regexp-exec queued line)
         => (lambda (found) (format #f "waiting for Slurm: job ~a is in the queue; Ctrl-C takes it out" (match:substring found 1))))
        ((regexp-exec not-now line)
         "the partition does not have now what is asked for (nodes, processors, time), and may never have it: see `sinfo --long'")
        ((regexp-exec of-no-interest line) #f)
        (else line)))

(define (advise lines)
  (define (says? words) (any (lambda (line) (string-contains-ci line words)) lines))
  (cond ((says? "no such file or directory")
         "the nodes must have tutti-agent where this machine has it, on a file system that they share, or where #:agent says")
        ((says? "invalid partition") "`sinfo' lists the partitions")
        ((says? "requested nodes are busy")
         "a node of the allocation is down: `sinfo' says which; submit with --no-kill, and ask for those that are there")
        ((says? "requested node configuration") "ask for what the partition has, which `sinfo --long' says")
        ((says? "unable to contact") "no Slurm answers on this machine: run this on a node that may submit jobs")
        (else "try the same command with `hostname' in the place of the agent")))

;; What srun says in an allocation that was cancelled, or whose time is over.
(define ended (make-regexp "job [0-9]+ has expired|expired or invalid job|invalid job id" regexp/icase))

(define (over? lines) (any (lambda (line) (->bool (regexp-exec ended line))) lines))

(define (describe nodes partition)
  (if (allocation)
      (format #f "slurm (~a node~:p of allocation ~a)" (let ((there (allocated-count))) (min (or nodes there) there)) (allocation))
      (format #f "slurm (~a node~:p~@[, partition ~a~])" (or nodes 1) partition)))

(define* (slurm-launcher complain #:key nodes partition time account qos cpus (extra '()) agent)
  "Return what @code{slurm} does. @var{complain} is called with the name of an option, what is expected, and its value, if that is not so."
  (check-number complain "nodes" nodes)
  (check-number complain "cpus" cpus)
  (for-each (lambda (name value) (check-word complain name value))
            '("partition" "account" "qos") (list partition account qos))
  (unless (or (not time) (duration? time))
    (complain "time" "minutes, MINUTES:SECONDS, HOURS:MINUTES:SECONDS or DAYS-HOURS" time))
  (unless (and (list? extra) (every (lambda (option) (and (string? option) (string-prefix? "-" option))) extra))
    (complain "extra" "a list of options of srun, each with its dash" extra))
  (unless (or (not agent) (and (string? agent) (not (string-null? agent))))
    (complain "agent" "the name of a file" agent))
  (make-launcher
   #:name "slurm"
   #:start (lambda (request)
             (let ((command (if agent (cons agent (cdr (request-command request))) (request-command request))))
               (cond ((allocation) (inside request nodes extra command))
                     ((request-hosts request) '()) ; Slurm chooses, and takes a node that has failed out of the job
                     (else (outside nodes partition time account qos cpus extra command)))))
   #:describe (lambda () (describe nodes partition))
   #:hosts (lambda () (and (allocation) (hosts-of nodes)))
   #:tell tell
   #:advise advise
   #:over? over?))
