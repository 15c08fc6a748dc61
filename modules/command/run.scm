;; SPDX-License-Identifier: LGPL-3.0-or-later
;; One run of a program, in a worker: its folder is filled, it runs, and what it has written is read.  What is wrong becomes a condition
;; that says all.
(define-module (tutti command run)
  #:use-module ((ice-9 exceptions) #:select (exception-message))
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti command folder)
  #:use-module (tutti command primitives)
  #:use-module (tutti command reader)
  #:use-module (tutti command template)
  #:use-module (tutti conditions)
  #:export (run-here option child-environment find-program))

;; A plan is an association list, which travels: program, arguments, and the options of run-command.
(define (option plan name)
  "Return the option @var{name} of @var{plan}, @code{#f} if it has none."
  (assq-ref plan name))

;;; The program and its environment.

(define (entry-name entry) (substring entry 0 (string-index entry #\=)))

(define (child-environment changes)
  "Return the environment of this process with @var{changes}, pairs of name and value, or @code{#f} to take a variable out."
  (append (filter-map (match-lambda
                        ((_ . #f) #f)
                        ((name . value) (string-append name "=" value)))
                      changes)
          (remove (lambda (entry) (assoc (entry-name entry) changes)) (environ))))

(define (find-program program environment)
  "Return the name by which @var{program} is started: with a slash it is one, from the folder of the caller, or that of the run; without, it
is looked for on the PATH of @var{environment}, a list of @code{NAME=VALUE}."
  (define path
    (or (and=> (find (lambda (entry) (string-prefix? "PATH=" entry)) environment) (lambda (entry) (substring entry 5))) "/usr/bin:/bin"))
  (define (runs? file) (and (file-exists? file) (not (file-is-directory? file)) (access? file X_OK)))
  (if (string-index program #\/)
      program
      (let ((folders (remove string-null? (string-split path #\:))))
        (or (find runs? (map (lambda (folder) (string-append folder "/" program)) folders))
            (raise-tutti (make-command-failed
                          (format #f "there is no program ~a on the PATH: ~a; install it, or give the name of its file" program
                                  (string-join folders ":"))
                          program 'not-started #f 'not-started)
                         'run-command)))))

;;; What is wrong with a run: a kind, the status, and a text.

(define-syntax-rule (wrong kind status message argument ...)
  (vector kind status (format #f message argument ...)))

;; Rules are lists of what is looked at, and the kind that it means: a status; nan, a value that is not finite; or a file and a pattern.
(define (rule-of rules test)
  (find (match-lambda ((what . _) (test what))) rules))

(define (matched folder file pattern)
  "Return the line of FILE in FOLDER that has PATTERN, a regular expression, or #f."
  (let ((name (string-append folder "/" file)))
    (and (file-exists? name)
         (let ((expression (make-regexp pattern)))
           (find (lambda (line) (regexp-exec expression line))
                 (string-split (read-text 'run-command name) #\newline))))))

(define (wrong-by-pattern rules folder status)
  (any (match-lambda
         (((file pattern) . kind)
          (let ((line (matched folder file pattern)))
            (and line (wrong kind status "~a has the line ~s" file (string-trim-both line)))))
         (_ #f))
       rules))

(define (status-of end number)
  (match end
    ('exited number)
    ('signaled (list 'signal number))
    ('late 'timeout)
    ('flooded 'flooded)
    ('failed 'not-started)
    (_ 'unknown)))

(define (wrong-by-end plan end number)
  (define rules (append (option plan 'retry) (option plan 'fail)))
  (define (declared) (rule-of rules (lambda (what) (eqv? what number))))
  (match end
    ('exited
     (cond ((declared) => (match-lambda ((_ . kind) (wrong kind number "it ended with status ~a" number))))
           ((memv number (option plan 'success)) #f)
           (else (wrong 'status number "it ended with status ~a" number))))
    ('signaled (wrong 'signal (list 'signal number) "it was ended by signal ~a" number))
    ('late (wrong 'timeout 'timeout "it did not end within ~a s, and was ended" (option plan 'timeout)))
    ('flooded (wrong 'flooded 'flooded "it wrote more than ~a bytes to one of its outputs, and was ended; #:limit sets how much it may"
                     (option plan 'limit)))
    ('failed (wrong 'not-started 'not-started "it cannot be started: ~a~a" (strerror number)
                    (if (= number ENOEXEC) ", which is what a script without #! and a program for another machine give" "")))
    (_ (wrong 'status 'unknown "this process does not learn how it ended, because it ignores SIGCHLD"))))

(define (finite-value? value)
  (cond ((number? value) (finite-number? value))
        ((f64vector? value) (every finite-number? (f64vector->list value)))
        ((pair? value) (and (finite-value? (car value)) (finite-value? (cdr value))))
        (else #t)))

;;; Filling the folder.

(define (fill-folder plan folder)
  (for-each (match-lambda ((from . name) (copy-into folder from name))) (option plan 'files))
  (for-each (match-lambda ((from . name) (link-into folder from name))) (option plan 'links))
  (for-each (match-lambda ((template . name)
                               (write-into folder name (fill-template template (option plan 'values)) (template-encoding template))))
            (option plan 'templates))
  (when (option plan 'input)
    (write-into folder "stdin" (option plan 'input))))

;; The folder of a task's attempts is known by the task, its engine, and how many such runs the task had before this one.
(define runs-of-task '(#f . 0))

(define (attempts-name task)
  (let ((count (if (equal? (car runs-of-task) task) (1+ (cdr runs-of-task)) 0)))
    (set! runs-of-task (cons task count))
    (format #f "~a-task-~a-~a" (or (getenv "TUTTI_MASTER") (getppid)) (car task) count)))

;;; Running.

(define (read-values plan folder)
  (match (option plan 'read)
    (#f (read-output (output-text "stdout") folder))
    ((? procedure? proc) (proc folder))
    ((? reader? reader) (read-output reader folder))
    (readers (map (lambda (reader) (if (procedure? reader) (reader folder) (read-output reader folder))) readers))))

(define (read-or-wrong plan folder status)
  "Return two values: what was read, and what is wrong with it or #f."
  (let ((value (with-exception-handler
                   (lambda (exception)
                     (if (tutti-error? exception)
                         (wrong 'output status "~a" (exception-message exception))
                         (raise-exception exception)))
                 (lambda () (list (read-values plan folder)))
                 #:unwind? #t)))
    (match value
      ((value)
       (values value
               (and (not (finite-value? value))
                    (match (rule-of (append (option plan 'retry) (option plan 'fail)) (lambda (what) (eq? what 'nan)))
                      ((_ . kind) (and kind (wrong kind status "a value that was read is not finite")))
                      (#f (wrong 'not-finite status "a value that was read is not finite"))))))
      (fault (values #f fault)))))

(define (describe plan folder command fault)
  (match fault
    (#(_ _ text)
     (let* ((errors (tail-of (string-append folder "/stderr")))
            (tail (if (pair? errors) errors (tail-of (string-append folder "/stdout")))))
       (string-join
        (append (list (format #f "~a: ~a" (basename (option plan 'program)) text)
                      (format #f "  command: ~a" (quoted-command command)))
                (if (eq? (option plan 'keep) 'never) '() (list (format #f "  its folder was kept: ~a" folder)))
                (if (null? tail)
                    '("  it has written nothing to its outputs")
                    (cons (if (pair? errors) "  the end of its standard error:" "  the end of its standard output:")
                          (map (lambda (line) (string-append "    " line)) tail))))
        "\n")))))

(define (run-once plan task)
  "Return two values for one run: its value, and #f or a pair of what is wrong and the text for the condition."
  (let* ((surviving (and task (option plan 'checkpoint) (attempts-name task)))
         (folder (make-run-folder (option plan 'directory) (basename (option plan 'program)) surviving))
         (environment (child-environment (cons* (cons "TUTTI_ATTEMPT" (number->string (if task (cdr task) 1)))
                                                (option plan 'environment)))))
    (define (leave! keep?)
      (unless keep? (remove-folder folder)))
    (with-exception-handler
        (lambda (exception)
          ;; Nothing has run, or it was interrupted.
          (leave! (eq? (option plan 'keep) 'always))
          (raise-exception exception))
      (lambda ()
        (fill-folder plan folder)
        (let* ((program (find-program (option plan 'program) environment))
               (command (cons program (option plan 'arguments))))
          (write-into folder "command" (string-append (quoted-command command) "\n"))
          (match (%command-run command environment folder (and (option plan 'input) "stdin") (option plan 'timeout) (option plan 'limit))
            ((end . number)
             (let* ((status (status-of end number))
                    (by-end (wrong-by-end plan end number))
                    (by-pattern (wrong-by-pattern (append (option plan 'retry) (option plan 'fail)) folder status)))
               (call-with-values
                   (lambda ()
                     (cond (by-pattern (values #f by-pattern))
                           (by-end (values #f by-end))
                           (else (read-or-wrong plan folder status))))
                 (lambda (value fault)
                   (let ((text (and fault (describe plan folder command fault))))
                     (leave! (if fault (not (eq? (option plan 'keep) 'never)) (eq? (option plan 'keep) 'always)))
                     (values value (and fault (list fault text folder)))))))))))
      #:unwind? #t)))

(define (again? plan fault)
  (match fault
    (#(kind _ _) (memq kind (map cdr (option plan 'retry))))))

(define (raise-failure plan fault text folder)
  (match fault
    (#(kind status _)
     (raise-tutti (make-command-failed text (option plan 'program) status (and (not (eq? (option plan 'keep) 'never)) folder) kind)
                  'run-command))))

(define (run-here plan)
  "Run the program of @var{plan} in this process, a worker, and return what was read; raise @code{&command-failed} if it failed, the last
time if it was tried more than once."
  (let ((task (%command-task)))
    (let try ((left (option plan 'tries)))
      (call-with-values (lambda () (run-once plan task))
        (lambda (value failure)
          (match failure
            (#f value)
            ((fault text folder)
             (cond ((and (> left 1) (again? plan fault))
                    (unless (eq? (option plan 'keep) 'always) (remove-folder folder))
                    (try (1- left)))
                   (else
                    (raise-failure plan fault
                                   (if (again? plan fault) (format #f "~a~%  it was tried ~a time~:p" text (option plan 'tries)) text)
                                   folder))))))))))
