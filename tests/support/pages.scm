;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Jobs with a page under test: starting them, finding their processes, and asking their pages.
(define-module (pages)
  #:use-module (ice-9 textual-ports)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (background)
  #:use-module (processes)
  #:use-module (programs)
  #:export (call-with-job job-address job-mark job-folder job-errors job-end let-go page-process master-process ask-page answer
            ask-in-background answers-of))

(define-record-type <job>
  (make-job wait folder mark address)
  job?
  (wait job-wait)                       ; a procedure
  (folder job-folder)
  (mark job-mark)
  (address job-address set-job-address!))

(define (errors-file job) (string-append (job-folder job) "/errors"))

(define (job-errors job)
  "Return what @var{job} has written to its standard error until now."
  (or (false-if-exception (call-with-input-file (errors-file job) get-string-all #:encoding "UTF-8")) ""))

(define (address-in text)
  (let ((line (find (lambda (line) (string-prefix? "Page: " line)) (drop-right (string-split text #\newline) 1))))
    (and line (substring line 6))))

(define* (call-with-job arguments proc #:key (options (const '("--page"))))
  "Run the fixture that is the first of @var{arguments} with the others and a temporary folder as the last, and call @var{proc} with the
job, once its page has an address. @var{options} makes options of that folder. In the end the job is let go, and has ended."
  (call-with-folder
   (lambda (folder)
     (let* ((mark (make-mark))
            (command (append (list "sh" "-c" "exec \"$@\" 2> \"$0\"" (string-append folder "/errors") tutti "run") (options folder)
                             (list (fixture (car arguments))) (cdr arguments) (list folder)))
            (wait (in-background (lambda () (run-program command #:env (list mark) #:seconds 150))))
            (job (make-job wait folder mark #f)))
       (dynamic-wind
         (const #t)
         (lambda ()
           (set-job-address! job (or (await (lambda () (address-in (job-errors job))) 60 #:pause 10000)
                                     (error "the job has no page" (job-errors job))))
           (proc job))
         (lambda ()
           (let-go job)
           (wait)))))))

(define (let-go job)
  (call-with-output-file (string-append (job-folder job) "/go") (const #t)))

(define (job-end job)
  "Wait until @var{job} has ended, and return what came of it."
  ((job-wait job)))

(define (find-process job name)
  (find (lambda (pid) (equal? (process-name pid) name)) (marked-processes (job-mark job))))

(define (page-process job)
  "Return the number of the process that serves the page of @var{job}, or @code{#f}."
  (find-process job "tutti-page"))

(define (master-process job)
  "Return the number of the process that runs the script of @var{job}."
  (find (lambda (pid) (and=> (process-name pid) (lambda (name) (string-prefix? "guile" name)))) (marked-processes (job-mark job))))

(define (client-command job command arguments)
  (append (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/page-client.py") command
                (job-address job))
          arguments))

(define (answers-of program)
  "Return what a client or browser has printed, by name."
  (filter-map (lambda (line)
                (match (string-index line #\space)
                  (#f #f)
                  (space (cons (substring line 0 space) (substring line (1+ space))))))
              (string-split (program-output program) #\newline)))

(define (checked program)
  (unless (eqv? 0 (program-status program))
    (error "a client has failed" (program-errors program)))
  (answers-of program))

(define (ask-page job command . arguments)
  "Ask the page of @var{job} as page-client.py does, and return the answers by name."
  (checked (run-program (client-command job command arguments))))

(define (ask-in-background job command . arguments)
  "The same, but return a thunk that waits for the answers."
  (let ((answers (in-background (lambda () (run-program (client-command job command arguments))))))
    (lambda () (checked (answers)))))

(define (answer answers name)
  (assoc-ref answers name))
