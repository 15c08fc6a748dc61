;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Who of a job has which priority: guard and watcher come before all that compute, where that is allowed; nothing that they start inherits
;; it, and workers are one step nicer than their script.
(use-modules (tap) (programs) (processes) (ice-9 format) (ice-9 ftw) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64))

(define patience 60)
(define other 0)                        ; policies of the kernel
(define fifo 1)
(define round-robin 2)

(define (file-text . parts)
  (or (false-if-exception (call-with-input-file (string-concatenate parts) get-string-all #:encoding "ISO-8859-1")) ""))

(define (threads pid)
  "Return (NAME POLICY NICE PRIORITY) of each thread of the process PID."
  (let ((folder (format #f "/proc/~a/task/" pid)))
    (filter-map
     (lambda (tid)
       (let* ((stat (file-text folder tid "/stat")) (end (string-rindex stat #\))))
         (and end
              (let ((field (lambda (n) (string->number (list-ref (string-tokenize (substring stat (1+ end))) (- n 3))))))
                (list (substring stat (1+ (string-index stat #\()) end) (field 41) (field 19) (field 40))))))
     (or (scandir folder (lambda (name) (string->number name))) '()))))

(define (time-limit pid)
  "Return the soft limit on real time without a sleep, as the kernel writes it."
  (let ((line (find (lambda (line) (string-prefix? "Max realtime timeout" line))
                    (string-split (file-text "/proc/" (number->string pid) "/limits") #\newline))))
    (and line (fourth (string-tokenize line)))))

(define (kind pid)
  (or (process-role pid)
      (match (process-arguments pid)
        (("sleep" "1001") 'launcher)
        (("sleep" (or "1002" "1003")) 'program)
        (_ 'script))))

;; And how many there are.
(define kinds '((guard 1) (watcher 1) (template 1) (worker 3) (program 6) (launcher 1) (script 1)))

;; The launcher's command does nothing, and is not the end of it.
(define (make-ssh folder)
  (let ((file (string-append folder "/ssh")))
    (call-with-output-file file (lambda (port) (display "#!/bin/sh\nexec sleep 1001\n" port)))
    (chmod file #o755)))

(define (call-with-job prefix proc)
  "Start the job by the command PREFIX, and call PROC with (KIND . PID) of all its processes."
  (call-with-folder
   (lambda (folder)
     (make-ssh folder)
     (let ((mark (make-mark)))
       (call-with-values
           (lambda ()
             (pipeline (list (append (list "env" mark (string-append "PATH=" folder ":" (getenv "PATH"))) prefix
                                     (list "guile" (fixture "priorities.scm"))))))
         (lambda (from to pids)
           (dynamic-wind
             (const #t)
             (lambda ()
               (let ((begun? (and (pair? (first-value (lambda () (select (list from) '() '() patience)))) (eq? (read from) 'begun))))
                 (define (all) (map (lambda (pid) (cons (kind pid) pid)) (marked-processes mark)))
                 (define (complete?)
                   (let ((all (all)))
                     (and (every (match-lambda ((kind n) (>= (length (of-kind kind all)) n))) kinds) all)))
                 (test-assert "the job has begun" begun?)
                 (let ((all (and begun? (await complete? patience #:pause 10000))))
                   (test-assert "all processes are there" all)
                   (when all (proc all)))))
             (lambda ()
               (close-port to)
               (test-assert "nothing is left" (await (lambda () (null? (marked-processes mark))) patience #:pause 10000))
               (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (marked-processes mark))
               (waitpid (car pids))
               (close-port from)))))))))

(define (first-value thunk) (call-with-values thunk (lambda (first . rest) first)))

(define (of-kind kind all) (filter-map (lambda (entry) (and (eq? (car entry) kind) (cdr entry))) all))

(define (states pids)
  "Return the different (POLICY NICE PRIORITY LIMIT) of all threads of the processes PIDS."
  (delete-duplicates
   (append-map (lambda (pid) (map (match-lambda ((_ policy nice priority) (list policy nice priority (time-limit pid)))) (threads pid)))
               pids)))

(define (test-job name prefix script workers urgent)
  "The states are SCRIPT and WORKERS; guard and watcher have one of URGENT."
  (test-group name
    (call-with-job prefix
      (lambda (all)
        (for-each (lambda (kind) (test-equal (symbol->string kind) (list workers) (states (of-kind kind all))))
                  '(worker program))
        ;; It has its state from the script, as a program that is started.
        (test-equal "template" (list script) (states (of-kind 'template all)))
        (test-equal "launcher" (list script) (states (of-kind 'launcher all)))
        (test-equal "the script, but for the thread that waits for the guard" (list script)
          (delete-duplicates
           (append-map (lambda (pid)
                         (filter-map (match-lambda ((name policy nice priority)
                                                    (and (not (string=? name "tutti-guard")) (list policy nice priority (time-limit pid)))))
                                     (threads pid)))
                       (of-kind 'script all))))
        (for-each (lambda (kind) (test-equal (symbol->string kind) urgent (states (of-kind kind all)))) '(guard watcher))))))

(define (ordinary nice) (list other nice 0 "unlimited"))

(define (may? . command)
  (eqv? 0 (program-status (run-program (append command (list "true"))))))

(call-with-tap
 (lambda ()
   (define here (getpriority PRIO_PROCESS 0))
   (define privileged? (may? "chrt" "--rr" "1"))
   (define (nicer n) (min 19 (+ here n)))
   ;; Without the privilege they keep the script's priority.
   (define (unprivileged nice) (list (list other nice 0 "1000000")))
   (for-each (lambda (n)
               (test-job (format #f "nice ~a" n) (list "nice" "-n" (number->string n)) (ordinary (nicer n)) (ordinary (nicer (1+ n)))
                         (if privileged? (list (list round-robin (nicer n) 1 "1000000")) (unprivileged (nicer n)))))
             '(0 5 19))
   (if privileged?
       (let ((real-time (list fifo here 3 "unlimited")))
         (test-job "a script at real-time priority" '("chrt" "--fifo" "3") real-time (list fifo (nicer 1) 3 "unlimited")
                   (list (list round-robin here 4 "1000000")))
         (test-job "without the privilege" '("setpriv" "--bounding-set=-sys_nice" "--inh-caps=-sys_nice") (ordinary here)
                   (ordinary (nicer 1)) (unprivileged here)))
       (tap-skip "real-time priority" "not permitted here"))
   (if (may? "prlimit" "--rtprio=1")
       (test-job "by a limit alone" '("prlimit" "--rtprio=1" "setpriv" "--bounding-set=-sys_nice" "--inh-caps=-sys_nice") (ordinary here)
                 (ordinary (nicer 1)) (list (list round-robin here 1 "1000000")))
       (tap-skip "by a limit alone" "the limit cannot be raised here"))))
