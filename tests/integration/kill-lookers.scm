;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Those who look at a job are struck: its recorder, the process of its page, a reader of that, a REPL that is attached. The job has the
;; same results, ends as soon, and leaves nothing; what can be started again is, and the journal is whole.
(use-modules (tap) (pages) (processes) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-11) (srfi srfi-64))

(define recorder (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-recorder"))
(define page (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-page"))
(define patience 60)

(define signals `((kill . ,SIGKILL) (stop . ,SIGSTOP) (segv . ,SIGSEGV) (term . ,SIGTERM)))

(define (sum-of-squares n)
  (apply + (map (lambda (x) (* x x)) (iota n))))

;;; Clients, which have their own mark: they are no part of the job.

(define (client-of mark name)
  (await (lambda () (find (lambda (pid) (member name (map basename (process-arguments pid)))) (marked-processes mark))) patience
         #:pause 5000))

(define (end-clients! mark)
  (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (marked-processes mark)))

(define (call-with-attached job proc)
  "Call PROC with the process of a `tutti attach' that has come to JOB."
  (let ((mark (make-mark))
        (pid (number->string (master-process job))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (system* "sh" "-c" "env \"$0\" sh -c 'sleep 300 | \"$@\"' sh \"$@\" > /dev/null 2>&1 < /dev/null &" mark tutti "attach" pid)
        (let ((client (client-of mark "attach")))
          (proc client mark)))
      (lambda () (end-clients! mark)))))

(define (call-with-reader job proc)
  "Call PROC with the process of a reader of the page of JOB, when its stream is open."
  (let ((mark (make-mark))
        (file (string-append (job-folder job) "/reading")))
    (dynamic-wind
      (const #t)
      (lambda ()
        (system* "sh" "-c" "env \"$0\" \"$@\" > /dev/null 2>&1 < /dev/null &" mark (getenv "TUTTI_PYTHON")
                 (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/page-client.py") "watch" (job-address job) file)
        (await (lambda () (file-exists? file)) patience #:pause 5000)
        (proc (client-of mark "page-client.py") mark))
      (lambda () (end-clients! mark)))))

;;; One blow.

(define (victim-of job who attached reader)
  (match who
    ('recorder (find (lambda (pid) (equal? (process-name pid) "tutti-recorder")) (marked-processes (job-mark job))))
    ('page (page-process job))
    ('attached attached)
    ('reader reader)))

(define (journal job) (string-append (job-folder job) "/journal"))

(define (query job sql)
  (string-trim-right
   (program-output (run-program (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/journal-query.py")
                                      (journal job) sql)))
   #\newline))

(define (tasks-in-journal job)
  (length (filter (lambda (line) (string-suffix? " done" line)) (string-split (query job "tasks") #\newline))))

(define (check what expected actual)
  (if (equal? expected actual) '() (list (format #f "~a: expected ~s, got ~s" what expected actual))))

(define (strike job who blow attached reader)
  "Strike, let the job end, and return what is wrong: a list of texts."
  (let ((victim (victim-of job who attached reader)))
    (if (not victim)
        (list "there is no victim")
        (begin
          (kill victim (assq-ref signals blow))
          (let-go job)
          (let*-values (((program) (job-end job))
                        ((n sum) (apply values (call-with-input-string (program-output program)
                                                 (lambda (port) (let ((seen (read port))) (if (pair? seen) seen '(0 0))))))))
            (when (eq? blow 'stop)
              (false-if-exception (kill victim SIGCONT)))
            (append
             (check "status" 0 (program-status program))
             (check "results" (sum-of-squares n) sum)
             ;; A recorder that was stopped goes on by itself.
             (begin
               (await (lambda () (equal? "ended" (query job "select state from run"))) patience #:pause 20000)
               (check "the run in the journal" "ended" (query job "select state from run")))
             (check "tasks in the journal" n (tasks-in-journal job))
             (check "nobody is left" '()
                    (if (await (lambda () (null? (marked-processes (job-mark job)))) patience #:pause 20000)
                        '()
                        (map process-arguments (marked-processes (job-mark job)))))))))))

(define (run-blow who blow moment)
  (call-with-job (list "looked-upon.scm" moment)
    (lambda (job)
      (await (lambda () (file-exists? (string-append (job-folder job) "/here"))) patience #:pause 2000)
      (call-with-attached job
        (lambda (attached _)
          (call-with-reader job
            (lambda (reader _)
              (strike job who blow attached reader))))))
    #:options (lambda (folder) (list "--page" "--listen" "--journal" (string-append folder "/journal")))))

(define (test-blow who blow moment)
  (test-equal (format #f "~a of the ~a, ~a" (string-upcase (format #f "sig~a" blow))
                      (match who ('attached "REPL that is attached") ('reader "reader of the page") (_ who))
                      (match moment ("tasks" "while tasks run") ("idle" "idle") ("end" "at the end")))
    '() (run-blow who blow moment)))

;; To die of another signal is not another case at each moment.
(define (moments-for blow)
  (if (memq blow '(kill stop)) '("tasks" "idle" "end") '("tasks")))

(call-with-tap
 (lambda ()
   (if (not (and (file-exists? recorder) (file-exists? page)))
       (test-skip-all "this build lacks the recorder or the page: SQLite or libsoup is missing")
       (call-with-folder
        (lambda (runtime)
          (setenv "XDG_RUNTIME_DIR" runtime)
          (for-each (lambda (who)
                      (for-each (lambda (blow)
                                  (for-each (lambda (moment) (test-blow who blow moment)) (moments-for blow)))
                                (map car signals)))
                    (match (map string->symbol (cdr (command-line)))
                      (() '(recorder page attached reader))
                      (who who))))))))
