;; SPDX-License-Identifier: LGPL-3.0-or-later
;; One run of a program, in a worker: its folder is filled, it runs, and what it has written is read.  What is wrong becomes a condition
;; that says all.
(define-module (tutti command run)
  #:use-module ((ice-9 exceptions) #:select (exception-message error?))
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti base exception-text)
  #:use-module (tutti command folder)
  #:use-module (tutti command mpi)
  #:use-module (tutti command primitives)
  #:use-module (tutti command reader)
  #:use-module (tutti command step)
  #:use-module (tutti command template)
  #:use-module (tutti conditions)
  #:export (run-here option environment-changes find-program not-started-text launch))

;; A plan is an association list, which travels: program, arguments, and the options of run-command.
(define (option plan name)
  "Return the option @var{name} of @var{plan}, @code{#f} if it has none."
  (assq-ref plan name))

;;; The program and its environment.

(define (environment-changes changes)
  "Return what primitives take for @var{changes}, pairs of name and value, or @code{#f} to take a variable out."
  (map (match-lambda
         ((name . #f) name)
         ((name . value) (string-append name "=" value)))
       changes))

(define* (find-program program changes #:optional (advice "; install it, or give the name of its file"))
  "Return the name by which @var{program} is started: with a slash it is one, from the folder of the caller, or that of the run; without, it
is looked for on the PATH, which may be among @var{changes} of the environment. An error ends with @var{advice}."
  (define path
    (or (match (assoc "PATH" changes)
          ((_ . value) value)
          (#f (getenv "PATH")))
        "/usr/bin:/bin"))
  (define (runs? file) (and (access? file X_OK) (not (file-is-directory? file))))
  (if (string-index program #\/)
      program
      (let* ((folders (remove string-null? (string-split path #\:)))
             (found (find runs? (map (lambda (folder) (string-append folder "/" program)) folders))))
        (unless found
          (raise-tutti (make-command-failed
                        (format #f "there is no ~a~a on the PATH: ~a~a" (if (string=? program "mpiexec") "" "program ") program
                                (string-join folders ":") advice)
                        program 'not-started #f 'not-started)
                       'run-command))
        (absolute-name found))))

(define (launch plan changes folder task)
  "Return three values for the program of @var{plan}: the list of strings that is started in @var{folder}, with which changes of the
environment, and the step of Slurm that it becomes, or @code{#f}. @var{task} is a pair of the number of a task and of its attempt, or
@code{#f}."
  (let ((program (find-program (option plan 'program) changes))
        (arguments (option plan 'arguments)))
    (match (option plan 'mpi)
      (#f (values (cons program arguments) changes #f))
      (options
       (let ((it (launched options program arguments folder task (lambda (name advice) (find-program name changes advice)))))
         (values (launch-command it) (append (launch-changes it) changes) (launch-step it)))))))

(define (not-started-text program folder number)
  "Return what there is to say of @var{program}, which the system refused to start in @var{folder} with the error @var{number}."
  (let ((file (if (absolute-file-name? program) program (string-append folder "/" program))))
    (string-append
     "it cannot be started: " (strerror number)
     (cond ((= number ENOEXEC) ", which is what a script without #! and a program for another machine give")
           ((and (= number ENOENT) (file-exists? file))
            ", but the file is there: what its first line names after #!, or the loader that it was linked for, is missing")
           ((and (= number EACCES) (file-exists? file) (file-is-directory? file)) ", because it is a folder")
           ((and (= number EACCES) (file-exists? file) (not (access? file X_OK))) (format #f "; chmod +x ~a makes it a program" file))
           (else "")))))

;;; What is wrong with a run: a vector of a kind, the status, a text, and whether to try again.

(define (rules plan)
  "Return the list of what was declared: what is looked at, the kind that it means, and whether it means @emph{try again}."
  (define (all name again?) (map (match-lambda ((what . kind) (list what kind again?))) (option plan name)))
  (append (all 'retry #t) (all 'fail #f)))

(define (rule-of plan natural status)
  (find (match-lambda ((what _ _) (or (eqv? what status) (eq? what natural)))) (rules plan)))

(define (fault plan natural status message . arguments)
  "Return what is wrong by its nature, a symbol, as it was declared; @code{#f} if it was declared to be nothing."
  (let ((text (apply format #f message arguments)))
    (match (rule-of plan natural status)
      (#f (vector natural status text #f))
      ((_ #f _) #f)
      ((_ kind again?) (vector kind status text again?)))))

(define (matched folder file pattern)
  "Return the first line of @var{file} in @var{folder} that has @var{pattern}, a regular expression, or @code{#f}."
  (let ((name (string-append folder "/" file)))
    (and (file-exists? name)
         (let ((expression (make-regexp pattern)))
           (find (lambda (line) (regexp-exec expression line))
                 (string-split (read-text 'run-command name) #\newline))))))

(define (fault-by-pattern plan folder status)
  (any (match-lambda
         (((file pattern) kind again?)
          (let ((line (matched folder file pattern)))
            (and line (vector kind status (format #f "~a has the line ~s" file (string-trim-both line)) again?))))
         (_ #f))
       (rules plan)))

(define (fault-by-end plan program folder end number)
  (define (wrong natural status message . arguments) (apply fault plan natural status message arguments))
  (match end
    ('exited
     (and (or (not (memv number (option plan 'success))) (find (match-lambda ((what _ _) (eqv? what number))) (rules plan)))
          (wrong 'status number "it ended with status ~a" number)))
    ('signaled (wrong 'signal (list 'signal number) "it was ended by signal ~a" number))
    ('late (wrong 'timeout 'timeout "it did not end within ~a s, and was ended" (option plan 'timeout)))
    ('flooded (wrong 'flooded 'flooded "it wrote more than ~a bytes to one of its outputs, and was ended; #:limit sets how much it may"
                     (option plan 'limit)))
    ('failed (wrong 'not-started 'not-started "~a" (not-started-text program folder number)))
    ('unstarted (wrong 'not-started 'not-started "Slurm began a step for it, twice, but had not started rank 0 after ~a s; #:start-timeout \
of mpi-command sets how long that may take" (assq-ref (option plan 'mpi) 'start-timeout)))
    ('unopened (wrong 'not-started 'not-started "the files stdin, stdout and stderr cannot be opened in its folder ~a: ~a" folder
                      (strerror number)))
    (_ (wrong 'status 'unknown "this process does not learn how it ended, because it ignores SIGCHLD"))))

(define (status-of end number)
  (match end
    ('exited number)
    ('signaled (list 'signal number))
    ('late 'timeout)
    ('flooded 'flooded)
    ((or 'failed 'unopened 'unstarted) 'not-started)
    (_ 'unknown)))

(define (finite-value? value)
  (cond ((number? value) (finite-number? value))
        ((f64vector? value) (every finite-number? (f64vector->list value)))
        ((pair? value) (and (finite-value? (car value)) (finite-value? (cdr value))))
        (else #t)))

;;; The folder.

(define (fill-folder plan folder)
  (for-each (match-lambda ((from . name) (copy-into folder from name))) (option plan 'files))
  (for-each (match-lambda ((from . name) (link-into folder from name))) (option plan 'links))
  (for-each (match-lambda ((template . name)
                               (write-into folder name (fill-template template (option plan 'values)) (template-encoding template))))
            (option plan 'templates))
  (when (option plan 'input)
    (write-into folder "stdin" (option plan 'input))))

;; Such a folder is known by the master, the task, and how many such runs the task had before this one: the task and this number.
(define runs-of-task '(#f . 0))

(define (surviving-name task)
  "Return the name of the folder of the next run of @var{task} that is the same in all its attempts."
  (let ((count (if (equal? (car runs-of-task) task) (1+ (cdr runs-of-task)) 0)))
    (set! runs-of-task (cons task count))
    (format #f "~a-task-~a-~a" (or (getenv "TUTTI_MASTER") (getppid)) (car task) count)))

;;; Running.

(define (read-values plan folder)
  (define (read-one reader)
    (if (procedure? reader) (reader folder) (read-output reader folder)))
  (match (option plan 'read)
    (#f (read-output (output-text "stdout") folder))
    ((? list? readers) (map read-one readers))
    (reader (read-one reader))))

(define (read-or-fault plan folder status)
  "Return two values: what was read, and what is wrong with it or @code{#f}."
  (match (with-exception-handler
             (lambda (exception)
               (cond ((tutti-error? exception) (fault plan 'output status "~a" (exception-message exception)))
                     ((error? exception) (fault plan 'output status "its output was not read: ~a" (exception->text exception)))
                     (else (raise-exception exception))))
           (lambda () (list (read-values plan folder)))
           #:unwind? #t)
    ((value) (values value (and (not (finite-value? value)) (fault plan 'not-finite status "a value that was read is not finite"))))
    (wrong (values #f wrong))))

(define (describe plan folder kept? command text)
  (let* ((errors (tail-of (string-append folder "/stderr")))
         (tail (if (pair? errors) errors (tail-of (string-append folder "/stdout")))))
    (string-join
     (append (list (format #f "~a: ~a" (basename (option plan 'program)) text)
                   (format #f "  command: ~a" (quoted-command command)))
             (if kept? (list (format #f "  its folder was kept: ~a" folder)) '())
             (if (null? tail)
                 '("  it has written nothing to its outputs")
                 (cons (if (pair? errors) "  the end of its standard error:" "  the end of its standard output:")
                       (map (lambda (line) (string-append "    " line)) tail))))
     "\n")))

(define (run-command-in plan folder command changes step)
  "Return how @var{command} has ended in @var{folder}. Of @var{step} nothing is left then."
  (define seen? #f)
  (dynamic-wind
    (const #t)
    (lambda ()
      (let ((end (%command-run command (environment-changes changes) folder (option plan 'input) (option plan 'timeout) (option plan 'limit)
                               (and step (look-at-step step)))))
        (set! seen? (eq? (car end) 'exited))
        (if (and step seen?) (cons 'exited (status-of-step step (cdr end))) end)))
    (lambda ()
      (when (and step (not seen?))
        (end-step! step)))))

(define (run-in plan folder task)
  "Run it in @var{folder}, and return three values: what was read, what is wrong or @code{#f}, and the command."
  (let ((changes (append (option plan 'environment) `(("TUTTI_ATTEMPT" . ,(number->string (if task (cdr task) 1)))))))
    (fill-folder plan folder)
    (let start ((starts 2))
      (call-with-values (lambda () (launch plan changes folder task))
        (lambda (command changes step)
          (write-into folder "command" (string-append (quoted-command command) "\n"))
          (when step (end-former-steps! task))
          (match (run-command-in plan folder command changes step)
            ((? (lambda (end) (and (eq? (car end) 'unstarted) (> starts 1)))) (start (1- starts)))
            ((end . number) (judge plan folder command end number))))))))

(define (judge plan folder command end number)
  "Return the values of @code{run-in} for a command that has come to the end @var{end} with @var{number}."
  (let ((wrong (or (fault-by-pattern plan folder (status-of end number)) (fault-by-end plan (car command) folder end number))))
    (if wrong
        (values #f wrong command)
        (call-with-values (lambda () (read-or-fault plan folder (status-of end number)))
          (lambda (value wrong) (values value wrong command))))))

(define (run-once plan task surviving left)
  "Return two values for one run, which may be followed by @var{left} more: its value; and @code{#f}, the symbol @code{again}, or the
condition that it failed with."
  (define keep (option plan 'keep))
  (define folder (make-run-folder (option plan 'directory) (basename (option plan 'program)) surviving))
  (define* (leave! kept? #:optional again?)
    (cond ((not kept?) (remove-folder folder))
          ((and surviving again?) (rename-file folder (format #f "~a-before-~a-more" folder left)))))
  (call-with-values
      (lambda ()
        (with-exception-handler
            (lambda (exception)
              ;; Nothing has run, or it was interrupted.
              (leave! (eq? keep 'always))
              (raise-exception exception))
          (lambda () (run-in plan folder task))
          #:unwind? #t))
    (lambda (value wrong command)
      (match wrong
        (#f
         (leave! (eq? keep 'always))
         (values value #f))
        (#(kind status text again?)
         (let* ((last? (not (and again? (> left 0))))
                (kept? (or (eq? keep 'always) (and last? (eq? keep 'failed))))
                (tries (option plan 'tries))
                (condition (and last?
                                (make-command-failed
                                 (string-append (describe plan folder kept? command text)
                                                (if again? (format #f "~%  it was tried ~a time~:p" tries) ""))
                                 (option plan 'program) status (and kept? folder) kind))))
           (leave! kept? (not last?))
           (values #f (or condition 'again))))))))

(define (run-here plan)
  "Run the program of @var{plan} in this process, a worker, and return what was read; raise @code{&command-failed} if it failed, the last
time if it was tried more than once."
  (let* ((task (%command-task))
         (surviving (and task (option plan 'checkpoint) (surviving-name task))))
    (let try ((left (1- (option plan 'tries))))
      (call-with-values (lambda () (run-once plan task surviving left))
        (lambda (value failure)
          (match failure
            (#f value)
            ('again (try (1- left)))
            (condition (raise-tutti condition 'run-command))))))))
