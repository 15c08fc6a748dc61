;; SPDX-License-Identifier: LGPL-3.0-or-later
;; However a script ends, and whatever its workers do then: it ends with its status or signal, soon by the pace of the machine, after its
;; scopes were left, and nothing of it stays: no process, not even one in a session of its own, and no zombie.
(use-modules (tap) (programs) (pace) (ice-9 ftw) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-9) (srfi srfi-64))

;;; A script that runs.

(define-record-type <run>
  (make-run port mark errors pid processes)
  run?
  (port run-port)                       ; its standard output
  (mark run-mark)                       ; all its processes have this in their environment
  (errors run-errors)                   ; a file
  (pid run-pid set-run-pid!)
  (processes run-processes set-run-processes!)) ; what was below it when its workers were at work

(define (environment-of pid)
  ;; Other people's cannot be read; that of a zombie is empty.
  (or (false-if-exception (call-with-input-file (format #f "/proc/~a/environ" pid) get-string-all #:encoding "ISO-8859-1")) ""))

(define (marked-processes mark)
  (filter (lambda (name) (string-contains (environment-of name) mark))
          (scandir "/proc" (lambda (name) (string-every char-numeric? name)))))

(define last-mark 0)

(define* (start command ending load folder #:optional (shell "exec \"$@\""))
  (set! last-mark (1+ last-mark))
  (let* ((mark (format #f "TUTTI_TEST_MARK=~a-~a-" (getpid) last-mark))
         (errors (string-append folder "/errors"))
         (port (apply open-pipe* OPEN_READ "sh" "-c" (format #f "exec 2> \"$0\" < /dev/null; ~a" shell) errors
                      "env" mark (append command (list (fixture "ending.scm") ending load folder)))))
    (make-run port mark errors #f '())))

(define (kill-run run)
  (when (run-pid run)
    (false-if-exception (kill (run-pid run) SIGKILL))))

(define (next-line run limit)
  "Return the next line that @var{run} writes, the eof object at its end; or kill it and return @code{late} if none comes within
@var{limit} seconds."
  (let ((port (run-port run)))
    (if (or (char-ready? port)
            (pair? (car (select (list port) '() '() limit))))
        (read-line port)
        (begin
          (kill-run run)
          'late))))

(define (await-ready run)
  (let ((line (next-line run 60)))
    (unless (and (string? line) (string-prefix? "ready " line))
      (error "the script did not start:" line (call-with-input-file (run-errors run) get-string-all)))
    (match (call-with-input-string (string-append "(" line ")") read)
      (('ready pid 'processes processes)
       (set-run-pid! run pid)
       (set-run-processes! run processes)))))

(define (rest-of run limit)
  "Return the lines that @var{run} still writes; the last is @code{late} if it does not end within @var{limit} seconds."
  (let ((deadline (+ (seconds-now) limit)))
    (let loop ((lines '()))
      (match (next-line run (max 0 (- deadline (seconds-now))))
        ((? string? line) (loop (cons (string-trim-both line) lines)))
        ('late (reverse (cons 'late lines)))
        (_ (reverse lines))))))

(define (wait-end run)
  (let ((status (close-pipe (run-port run))))
    (or (status:exit-val status) (list 'signal (status:term-sig status)))))

(define (await done?)
  "Return true as soon as @var{done?} does, or @code{#f} when it does not for long."
  (let ((deadline (+ (seconds-now) patience)))
    (let loop ()
      (or (done?)
          (and (< (seconds-now) deadline)
               (begin (usleep 2000) (loop)))))))

;;; What must be.

(define (trace-of pid)
  "Return what the system knows of the process @var{pid}, #f if there is none."
  (false-if-exception (call-with-input-file (format #f "/proc/~a/stat" pid) read-line)))

(define (check-nothing-left run orderly?)
  (if orderly?
      (begin
        (test-equal "no process is left" '() (marked-processes (run-mark run)))
        ;; On a machine that is very busy the master does not wait for the guard's last moment.
        (test-equal "no zombie is left" '()
          (begin
            (await (lambda () (not (any trace-of (run-processes run)))))
            (filter-map trace-of (run-processes run)))))
      ;; Nobody could wait for them: the watcher ends them.
      (begin
        (test-assert "soon no process is left" (await (lambda () (null? (marked-processes (run-mark run))))))
        (test-assert "nor any of those there were" (await (lambda () (every process-gone? (run-processes run))))))))

(define (check-end run began expected-end expected-lines orderly?)
  "Return the seconds that the end has taken."
  (let* ((lines (rest-of run patience))
         (end (wait-end run))
         (took (- (seconds-now) began)))
    (test-equal "what was done at the end" expected-lines lines)
    (test-equal "how it ended" expected-end end)
    (check-nothing-left run orderly?)
    took))

(define (test-in-pace name limit run-it)
  "Call @var{run-it}, whose cases belong to @var{name}, and which returns how many seconds the end has taken; again if these are more
than @var{limit}."
  (test-group name
    (test-assert (format #f "within ~a s" limit)
      (until-in-pace (lambda ()
                       (let ((took (call-with-folder run-it)))
                         (or (in-pace? took limit)
                             (begin (format #t "# it took ~a s~%" took) #f))))))))

(define (time-limit load orderly?)
  ;; A second of grace, where it is needed.
  (if (and (string=? load "stubborn") orderly?) 6 5))

(define (check-ready run load)
  (await-ready run)
  ;; A process that is being executed has no environment to be known by at that moment.
  (test-assert "master, guard, watcher and workers were there, and what they had started"
    (await (lambda () (>= (length (marked-processes (run-mark run))) (if (string=? load "grandchild") 9 6))))))

;; NAME, its signal, whether a second one follows, whether it can be caught.
(define signals
  `(("SIGINT" ,SIGINT #f #t) ("SIGTERM" ,SIGTERM #f #t) ("SIGHUP" ,SIGHUP #f #t) ("SIGTERM, then all" ,SIGTERM #t #t)
    ("SIGKILL" ,SIGKILL #f #f)))

(define (send-more run)
  (let ((line (next-line run patience)))
    (test-equal "it begins to leave" "leaving " line)
    (for-each (lambda (signal) (kill (run-pid run) signal)) (list SIGTERM SIGINT SIGHUP))))

(define (catches? pid signal)
  "Has the process @var{pid} a handler for @var{signal}?"
  (let ((line (find (lambda (line) (string-prefix? "SigCgt:" line))
                    (string-split (call-with-input-file (format #f "/proc/~a/status" pid) get-string-all) #\newline))))
    (logbit? (1- signal) (string->number (string-trim-both (string-drop line 7)) 16))))

(define (check-waiting run signal)
  ;; In plain guile a signal is handled from the moment on in which the script waits, a little after it has said that it is ready.
  (test-assert "it handles the signal" (await (lambda () (catches? (run-pid run) signal)))))

(define (test-signal command load name signal more? catchable?)
  ;; A script of plain guile that does not wait for workers is ended on the spot.
  (define orderly? (and catchable? (or (pair? (cdr command)) (not (string=? load "idle")))))
  (test-in-pace (format #f "~a, ~a, ~a" (basename (car command)) load name) (time-limit load orderly?)
    (lambda (folder)
      (let ((run (start command "signal" load folder)))
        (check-ready run load)
        (when orderly?
          (check-waiting run signal))
        (let ((began (seconds-now)))
          (kill (run-pid run) signal)
          (when (and more? orderly?)
            (send-more run))
          (check-end run began (list 'signal signal)
                     (cond ((not orderly?) '()) (more? '("unwound")) (else '("leaving" "unwound")))
                     orderly?))))))

(define (test-by-itself command load ending status lines orderly? message)
  (test-in-pace (format #f "~a, ~a, ~a" (basename (car command)) load ending) (time-limit load orderly?)
    (lambda (folder)
      (let ((run (start command ending load folder)))
        (check-ready run load)
        (close-port (open-output-file (string-append folder "/go")))
        (let ((took (check-end run (seconds-now) status lines orderly?)))
          (test-assert "what it says" (string-contains (call-with-input-file (run-errors run) get-string-all) message))
          took)))))

(define (test-task-exit command)
  (test-in-pace (format #f "~a, exit in a task" (basename (car command))) 5
    (lambda (folder)
      (let ((run (start command "task" "idle" folder)))
        (await-ready run)
        (check-end run (seconds-now) 0 '("died exit 5" "unwound") #t)))))

(define (test-nohup command)
  (test-in-pace (format #f "~a, nohup" (basename (car command))) 5
    (lambda (folder)
      (let ((run (start command "signal" "computing" folder "trap '' HUP; exec \"$@\"")))
        (await-ready run)
        (check-waiting run SIGTERM)
        (kill (run-pid run) SIGHUP)
        (test-equal "SIGHUP changes nothing" #f (pair? (car (select (list (run-port run)) '() '() 0.3))))
        (let ((began (seconds-now)))
          (kill (run-pid run) SIGTERM)
          (check-end run began (list 'signal SIGTERM) '("leaving" "unwound") #t))))))

(define (test-deaf command)
  (test-in-pace (format #f "~a, a script that catches all and goes on" (basename (car command))) 5
    (lambda (folder)
      (let ((run (start command "deaf" "idle" folder)))
        (await-ready run)
        (kill (run-pid run) SIGTERM)
        (test-equal "it leaves its scope" "leaving " (next-line run patience))
        (test-equal "and catches that" "caught quit " (next-line run patience))
        (await-ready run)
        (kill (run-pid run) SIGTERM)
        (test-equal "at first that does nothing" #f (pair? (car (select (list (run-port run)) '() '() 0.3))))
        (test-assert "who insists is heard"
          (await (lambda ()
                   (kill (run-pid run) SIGTERM)
                   (pair? (car (select (list (run-port run)) '() '() 0.1))))))
        (check-end run (seconds-now) (list 'signal SIGTERM) '() #f)))))

(define (test-all command)
  (for-each
   (lambda (load)
     (for-each (lambda (row) (apply test-signal command load row)) signals)
     (test-by-itself command load "return" 0 '("unwound") #t "")
     (test-by-itself command load "exit" 3 '("unwound") #t "")
     (test-by-itself command load "error" 1 '("unwound") #t "a deliberate mistake")
     (test-by-itself command load "_exit" 4 '() #f ""))
   '("idle" "computing" "stubborn" "grandchild"))
  (test-task-exit command)
  (test-nohup command))

(call-with-tap
 (lambda ()
   ;; Whoever runs the tests may ignore some of them, and the scripts would inherit that.
   (for-each (lambda (signal) (sigaction signal SIG_DFL)) (list SIGINT SIGTERM SIGHUP))
   (test-all (list tutti "run"))
   (test-all (list "guile"))
   (test-deaf (list tutti "run"))))
