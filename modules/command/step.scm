;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Steps of a job of Slurm: their processes are no descendants of this worker, so Slurm is asked what has become of them, and ends them.
(define-module (tutti command step)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti command folder)
  #:use-module (tutti command primitives)
  #:export (make-step step-name step-mark look-at-step status-of-step end-step! end-former-steps! default-plugin))

(define answer-seconds 10)              ; after which a question to Slurm is given up
(define answer-limit (expt 2 24))       ; bytes
(define end-seconds 5)                  ; in which the processes of a step are gone that was killed
(define pause 50000)                    ; microseconds
(define look-seconds 1)

;; A step: its name, which no other has; the file that its first process leaves; and how long that may take.
(define (step-name step) "Return the name of @var{step} in Slurm." (vector-ref step 0))
(define (step-mark step) "Return the name of the file that rank 0 of @var{step} leaves when it starts." (vector-ref step 1))
(define (step-folder step) (vector-ref step 2))
(define (step-seconds step) (vector-ref step 3))

(define last-number 0)

(define (prefix-of task)
  (format #f "tutti-~a-~a-" (or (getenv "TUTTI_MASTER") (getppid)) (car task)))

(define (make-step folder task seconds)
  "Return a step that runs in @var{folder}, or @code{#f} if nobody looks at its begin, for @var{task}, a pair of its number and which
attempt of it this is, or @code{#f}; in @var{seconds} after its begin a process has to be started."
  (set! last-number (1+ last-number))
  (vector (format #f "~a~a-~a-~a-~a" (prefix-of (or task '(none . 1))) (if task (cdr task) 1) (gethostname) (getpid) last-number)
          (if folder (string-append folder "/.rank-0-started") "/dev/null") folder seconds))

;;; Questions to Slurm.

(define (output-of program . arguments)
  "Return what PROGRAM of Slurm writes to its standard output, or #f if it fails."
  (let ((file (find (lambda (file) (access? file X_OK))
                    (map (lambda (folder) (string-append folder "/" program)) (string-split (or (getenv "PATH") "/usr/bin:/bin") #\:)))))
    (and file
         (let ((folder (make-run-folder #f program #f)))
           (dynamic-wind
             (const #t)
             (lambda ()
               (match (%command-run (cons file arguments) '() folder #f answer-seconds answer-limit)
                 (('exited . 0) (call-with-input-file (string-append folder "/stdout") get-string-all #:encoding "UTF-8"))
                 (_ #f)))
             (lambda () (remove-folder folder)))))))

(define (steps-where good?)
  "Return the list of the numbers of the steps of this job whose names are GOOD?; #f if Slurm does not say."
  (and=> (output-of "squeue" "--noheader" "--steps" "--jobs" (or (getenv "SLURM_JOB_ID") "0") "--format" "%i %j")
         (lambda (text)
           (filter-map (lambda (line)
                         (match (string-tokenize line)
                           ((number name) (and (good? name) number))
                           (_ #f)))
                       (string-split text #\newline)))))

(define (named step) (lambda (name) (string=? name (step-name step))))

(define (end-steps! good?)
  "Kill all processes of the steps whose names are GOOD?, and wait until Slurm has done so."
  (let loop ((left (quotient (* end-seconds 1000000) pause)))
    (match (steps-where good?)
      ((or #f ()) #t)
      (numbers
       (apply output-of "scancel" "--signal=KILL" numbers)
       (and (positive? left)
            (begin (usleep pause) (loop (1- left))))))))

(define (end-step! step)
  "Have Slurm kill what is left of @var{step}, of which @code{srun} was not able to see the end."
  (end-steps! (named step)))

(define (end-former-steps! task)
  "End the steps of earlier attempts of @var{task}, a pair of number and attempt, whose worker has died, perhaps with its node."
  (when (and task (> (cdr task) 1))
    (let ((prefix (prefix-of task)))
      (end-steps! (lambda (name)
                    (and (string-prefix? prefix name)
                         (let ((attempt (string->number (first (string-split (substring name (string-length prefix)) #\-)))))
                           (and attempt (< attempt (cdr task))))))))))

(define known-plugin #f)

(define (default-plugin)
  "Return the name of the plugin by which @code{srun} introduces processes to each other if nobody says another, or @code{#f}."
  (or (getenv "SLURM_MPI_TYPE")
      known-plugin
      (let ((text (output-of "scontrol" "show" "config")))
        (set! known-plugin
              (and text
                   (any (lambda (line)
                          (match (string-tokenize line) (("MpiDefault" "=" plugin) plugin) (_ #f)))
                        (string-split text #\newline))))
        known-plugin)))

;;; Its begin.

(define (any-line file proc)
  "Return the first true value that PROC returns for a line of FILE; #f if there is none, or no such file."
  (and (file-exists? file)
       (call-with-input-file file
         (lambda (port)
           (let loop ()
             (match (get-line port)
               ((? eof-object?) #f)
               (line (or (proc line) (loop))))))
         #:encoding "ISO-8859-1")))

(define (started? step)
  "Return true if the first process of STEP was started, or has said something; what srun says does not count."
  (define (said? file)
    (any-line (string-append (step-folder step) "/" file) (lambda (line) (not (string-prefix? "srun: " line)))))
  (or (file-exists? (step-mark step)) (said? "stdout") (said? "stderr")))

(define (look-at-step step)
  "Return a procedure without arguments to be called now and then while @code{srun} runs: it returns after how many seconds to call it
again, @code{#f} if that need not be, and @code{end} if @var{step} has begun but none of its processes was started in time. As long as
Slurm has no room for it, it has not begun."
  (let ((begun #f))
    (lambda ()
      (define now (/ (get-internal-real-time) internal-time-units-per-second))
      (cond ((started? step) #f)
            ((and begun (>= (- now begun) (step-seconds step))) 'end)
            (else
             (unless begun
               (when (pair? (or (steps-where (named step)) '()))
                 (set! begun now)))
             look-seconds)))))

;;; Its end.

(define exit-line (make-regexp "^srun: error: .*: tasks? [0-9,-]+: Exited with exit code ([0-9]+)"))

(define (status-of-step step status)
  "Return the status of the process of @var{step} that has failed first, for @var{status}, that of @code{srun}: which is the highest of
all, and those that were ended because one has failed have high ones."
  (or (and (not (eqv? status 0))
           (any-line (string-append (step-folder step) "/stderr")
                     (lambda (line) (and=> (regexp-exec exit-line line) (lambda (m) (string->number (match:substring m 1)))))))
      status))
