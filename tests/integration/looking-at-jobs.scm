;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Jobs from another terminal: tutti ps, top and why.
(use-modules (tap) (programs) (processes) (pace) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64))

;;; Jobs.

(define (has? text . parts)
  "Does each of PARTS, regular expressions, match TEXT? If not, it is the value."
  (or (every (lambda (part) (->bool (string-match part text))) parts) text))

(define (read-file file)
  (call-with-input-file file read #:encoding "UTF-8"))

(define (start-job folder workers)
  "Start the job in FOLDER, and return its process when all is there."
  (let* ((pipe (open-pipe* OPEN_READ "sh" "-c" "out=$0; \"$@\" > \"$out\" 2>&1 < /dev/null & echo $!" (string-append folder "/output")
                           tutti "run" (fixture "looked-at.scm") folder (number->string workers)))
         (pid (string->number (read-line pipe))))
    (close-pipe pipe)
    (unless (await (lambda () (file-exists? (string-append folder "/ready"))) patience)
      (error "the job is not ready" (call-with-input-file (string-append folder "/output") get-string-all)))
    pid))

(define* (call-with-job proc #:optional (workers 4))
  "Call PROC with the process of a job, its folder, and a procedure that returns the number of a task of that."
  (call-with-folder
   (lambda (folder)
     (let* ((pid (start-job folder workers))
            (tasks (read-file (string-append folder "/tasks"))))
       (dynamic-wind
         (const #t)
         (lambda () (proc pid folder (lambda (name) (number->string (assq-ref tasks name)))))
         (lambda ()
           (false-if-exception (kill pid SIGCONT))
           (false-if-exception (kill pid SIGKILL))
           (await (lambda () (process-gone? pid)) patience)))))))

(define (output . command)
  (program-output (run-program (cons tutti command))))

(define (complaint . command)
  (let ((program (run-program (cons tutti command))))
    (format #f "~a ~a" (program-status program) (program-errors program))))

(define (json-value text expression)
  "Return what EXPRESSION of Python says of TEXT, JSON, which is x there."
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/json")))
       (call-with-output-file file (lambda (port) (set-port-encoding! port "UTF-8") (display text port)))
       (string-trim-right
        (program-output (run-program (list "python3" "-c" (string-append "import json, sys; x = json.load (open (sys.argv[1])); print ("
                                                                         expression ")")
                                           file))))))))

;;; Nobody.

(define (test-nobody)
  (test-equal "ps says so, and how jobs appear" #t
    (has? (output "ps") "^No job of yours runs. A script appears when it makes its first pool"))
  (test-equal "and JSON is empty" "[]\n" (output "ps" "--json"))
  (test-equal "why says so" #t (has? (complaint "why" "7") "^1 tutti why: no job of yours runs\\. A script appears"))
  (test-equal "with a process that is none" #t (has? (complaint "why" "7" "--pid" "1") "^1 tutti why: no job of yours runs, not process 1"))
  (test-equal "ps with something else" #t (has? (complaint "ps" "-x") "^2 tutti ps: expected --json or nothing, got `-x'; usage: tutti ps"))
  (test-equal "why without a task" #t (has? (complaint "why") "^2 tutti why: the number of the task is missing; usage: tutti why TASK"))
  (test-equal "no number" #t (has? (complaint "why" "x") "^2 tutti why: expected the number of a task, got `x'; usage"))
  (test-equal "top with too much" #t (has? (complaint "top" "1" "2") "^2 tutti top: expected the number of a process or nothing; usage"))
  (test-equal "top without a terminal" #t (has? (complaint "top") "^1 tutti top: this needs a terminal .*`tutti ps'")))

;;; Lines.

(define (test-ps)
  (call-with-job
   (lambda (pid folder task)
     (let ((table (output "ps")) (json (output "ps" "--json")))
       (test-equal "a line of it" #t
         (has? table "PID +SCRIPT +SINCE +POOLS +WORKERS +BUSY +QUEUED +DONE +FAILED +PROGRESS"
               (format #f "\n *~a +looked-at.scm +[0-9.:]+ (s|min) +1 +4 +4 +22 +1 +2 +-\n" pid)))
       (test-equal "the same as JSON" (format #f "~a True 4 4 20 2 4 1 2 1 1 tiles" pid)
         (json-value json "x[0]['pid'], x[0]['answers'], x[0]['workers'], x[0]['busy'], x[0]['queued'], x[0]['waiting'], x[0]['running'], \
x[0]['done'], x[0]['failed'], x[0]['ends']['raised'], x[0]['ends']['died'], x[0]['pools'][0]['name']"))
       (kill pid SIGSTOP)
       (let* ((begun (seconds-now)) (table (output "ps")) (took (- (seconds-now) begun)))
         (test-equal "one that is stopped is shown as such" #t
           (has? table (format #f "^~a  the process does not answer: it may be stopped, or hang\n$" pid)))
         (test-assert "soon" (in-pace? took 2.5)))
       (test-equal "also as JSON" "False" (json-value (output "ps" "--json") "x[0]['answers']"))
       (test-equal "why says so as well" #t (has? (complaint "why" "7") "^1 tutti why: process [0-9]+: the process does not answer"))
       (kill pid SIGCONT)
       (kill pid SIGKILL)
       (await (lambda () (process-gone? pid)) patience)
       (test-equal "one that was killed is none, and leaves nothing" #t (has? (output "ps") "^No job of yours runs"))
       (test-equal "not in the folder either" '()
         (filter (lambda (name) (string-prefix? (number->string pid) name))
                 ((@ (ice-9 ftw) scandir) (string-append (getenv "XDG_RUNTIME_DIR") "/tutti"))))))))

(define (test-why)
  (call-with-job
   (lambda (pid folder task)
     (define (why name) (output "why" (task name)))
     (test-equal "one that runs" #t
       (has? (why 'spinning)
             (format #f "^Task ~a \\(spin\\):\nIt runs on worker [0-3] of pool tiles, process [0-9]+, for [0-9.]+ s\\." (task 'spinning))))
     (test-equal "one that waits for it" #t
       (has? (why 'after) "It waits for 1 other task:\n  task [0-9]+ \\(spin\\) runs on worker [0-3] for"))
     (test-equal "and one that waits for that" #t
       (has? (why 'after-that)
             (format #f "waits for 1 other task:\n  task ~a \\(double\\) waits for 1 other task\n    task ~a \\(spin\\) runs on"
                     (task 'after) (task 'spinning))))
     (test-equal "one in the queue" #t
       (has? (why 'queued) "It waits in the queue of pool tiles, behind 19 other tasks; all 4 workers are busy\\.\n"))
     (test-equal "one that has raised, before anybody looked" #t
       (has? (why 'bad) "\\(raise-badly\\):\nIt has raised an error, [0-9.]+ s ago, on worker [0-9] of pool tiles\\.\n    no such.* file"))
     (test-equal "one that has died, with the last words" #t
       (has? (why 'dead) "It has failed: its worker died" "\nAttempt 1, on worker [0-3], failed .* signal 11"
             "\nAttempt 3, .*\n  The worker's last lines:\n    its last words\n"))
     (test-equal "one of which nothing is known" #t (has? (output "why" (task 'fine)) "Nothing is known of it"))
     (test-equal "has another status" 1 (program-status (run-program (list tutti "why" (task 'fine)))))
     (test-equal "the process can be named" #t (has? (output "why" (task 'spinning) "--pid" (number->string pid)) "It runs on"))
     (test-equal "another is refused" #t
       (has? (complaint "why" "5" "--pid" "1") (format #f "^1 tutti why: there is no job 1; there is ~a" pid)))
     (for-each (lambda (name)
                 (test-equal (format #f "~a: no character of theirs reaches the terminal" name) #f
                   (string-index (why name) (char-set #\esc #\bel #\x202e))))
               '(evil bad)))))

;;; The whole screen.

(define (frames text)
  "Return the pictures that TEXT draws, each as a list of lines."
  (map (lambda (picture)
         (map (lambda (line) (regexp-substitute/global #f "\x1b\\[[KJ]|\r" line 'pre 'post)) (string-split picture #\newline)))
       (let loop ((text text) (found '()))
         (match (string-contains text "\x1b[H")
           (#f (reverse (cons text found)))
           (at (loop (substring text (+ at 3)) (cons (substring text 0 at) found)))))))

(define* (on-top steps #:key (arguments '()) (term "xterm"))
  (run-on-terminal (cons* tutti "top" arguments) steps #:env (list (string-append "TERM=" term))))

(define (check name terminal end)
  (let ((ok? (and (every step-ok? (terminal-steps terminal)) (equal? (terminal-end terminal) end))))
    (test-assert name ok?)
    (unless ok?
      (format (current-error-port) "~a: ~s ~s\n~s\n" name (terminal-end terminal) (map step-text (terminal-steps terminal))
              (terminal-text terminal))))
  terminal)

(define (check-restored name terminal end)
  "The same, and the terminal is as it was before."
  (check name terminal end)
  (test-assert (string-append name ": the terminal is as before")
    (string-contains (terminal-text terminal) "\x1b[?7h\x1b[?25h\x1b[?1049l"))
  terminal)

(define (lines-after terminal mark)
  "Return the lines of the last whole picture that was drawn after MARK."
  (match (reverse (frames (substring (terminal-text terminal) (string-contains (terminal-text terminal) mark))))
    ((_ picture . _) picture)))

(define first-picture `(expect ,patience "q: quit"))

(define (test-top)
  (call-with-job
   (lambda (pid folder task)
     (let ((terminal (check-restored "80 columns, then 40, then q"
                            (on-top `((size 80) ,first-picture (expect ,patience "workers 4, busy 4  queued 20  waiting 2")
                                      (expect ,patience "  done 1  failed 2") (expect ,patience "spin #") (expect ,patience "raise-badly #")
                                      (size 40) (expect ,patience "\r\ndone 1") ,first-picture ,first-picture ,first-picture
                                      (send "q") (exit ,patience) (cooked ,patience)))
                            '(exited 0))))
       (test-equal "no line is longer than 80 columns" '()
         (filter (lambda (line) (> (string-length line) 80))
                 (append-map identity (cdr (frames (substring (terminal-text terminal) (string-contains (terminal-text terminal) "8;24;80t")
                                                              (string-contains (terminal-text terminal) "\x1b[8;24;40t")))))))
       (test-equal "nor than 40" '()
         (filter (lambda (line) (> (string-length line) 40)) (lines-after terminal "\x1b[8;24;40t")))
       (test-equal "no character of theirs reaches the terminal" #f
         (or (string-contains (terminal-text terminal) "owned\a") (string-contains (terminal-text terminal) "\x1b[31m")
             (string-index (terminal-text terminal) #\x202e))))
     (check-restored "Ctrl-C" (on-top `(,first-picture (interrupt) (exit ,patience) (cooked ,patience))) '(exited 0))
     (check-restored "SIGTERM" (on-top `(,first-picture (signal ,SIGTERM) (cooked ,patience) (exit ,patience))) `(signal ,SIGTERM))
     (check "a terminal that can do nothing" (on-top `((expect ,patience "needs a terminal") (exit ,patience)) #:term "dumb") '(exited 1))
     (check-restored "a job that is stopped, and goes on"
                     (on-top `(,first-picture (run ,(format #f "kill -STOP ~a" pid)) (expect ,patience "NO NEWS for")
                               (run ,(format #f "kill -CONT ~a" pid)) (expect ,patience "looked-at.scm, ") (send "q") (exit ,patience)))
                     '(exited 0))
     (check-restored "the end of the job"
                     (on-top `(,first-picture (run ,(format #f "touch ~a/end" folder))
                               (expect ,patience
                                       ,(format #f "The job (process ~a, looked-at.scm) has ended: 1 task done, 2 failed, 26 " pid))
                               (exit ,patience) (cooked ,patience))
                             #:arguments (list (number->string pid)))
                     '(exited 0)))))

(define (test-killed)
  (call-with-job
   (lambda (pid folder task)
     (check-restored "kill -9 of the job"
                     (on-top `(,first-picture (run ,(format #f "kill -KILL ~a" pid))
                               (expect ,patience "is gone: its process has ended without shutting down its engine")
                               (exit ,patience) (cooked ,patience)))
                     '(exited 0)))))

(define (test-many)
  (call-with-job
   (lambda (pid folder task)
     (check "64 workers are scrolled"
            (on-top `((size 80) (expect ,patience "workers 1 to ") (send "\x1b[B") (expect ,patience "workers 2 to ")
                      (send "\x1b[6~") (send "G") (expect ,patience " to 64 of 64") (expect ,patience "\n63 ") (send "g")
                      (expect ,patience "workers 1 to ")
                      (send "q") (exit ,patience)))
            '(exited 0)))
   64))

(define (test-several)
  (call-with-job
   (lambda (one folder task)
     (call-with-job
      (lambda (other folder task)
        (test-equal "ps shows both" #t
          (has? (output "ps") (format #f "\n *~a " one) (format #f "\n *~a " other)))
        (check "top lists them"
               (on-top `((expect ,patience "several jobs run; say which, tutti top PID:") (expect ,patience "looked-at.scm")
                         (exit ,patience)))
               '(exited 1))
        (check "and shows the one that is named"
               (on-top `((expect ,patience ,(format #f "~a looked-at.scm" other)) (send "q") (exit ,patience))
                       #:arguments (list (number->string other)))
               '(exited 0))
        (test-equal "why asks which" #t
          (has? (complaint "why" "5") "^1 tutti why: several jobs run; say which, tutti why 5 --pid PID:")))))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (runtime)
      (setenv "XDG_RUNTIME_DIR" runtime)
      (test-group "nobody" (test-nobody))
      (test-group "ps" (test-ps))
      (test-group "why" (test-why))
      (test-group "top" (test-top))
      (test-group "killed" (test-killed))
      (test-group "many workers" (test-many))
      (test-group "several" (test-several))))))
