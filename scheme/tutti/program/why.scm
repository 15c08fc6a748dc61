;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Why a task waits, where it runs, of what it has died: asked of the engine that has it, or looked up in a journal.
(define-module (tutti program why)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti program job-text)
  #:use-module (tutti program jobs)
  #:use-module (tutti program task-answer)
  #:use-module (tutti program task-journal)
  #:export (run-why))

(define usage "usage: tutti why TASK [--pid PID] [--journal FILE]")
(define patience 2)                     ; seconds for the engine to answer
(define most-failures 100)              ; that a board has

(define (usage-error message . arguments)
  (format (current-error-port) "tutti why: ~?; ~a~%" message arguments usage)
  (exit 2))

;;; What is known.

(define (ask watch task)
  "Return what is heard of @var{task}: whether the engine has it, how many are before it in its queue, and the events of it and of those
that it waits for."
  (define end (+ (%monotonic-time) (* patience 1000000)))
  (%watch-ask! watch task)
  (let loop ()
    (let ((news (take-all! watch)))
      (match (%watch-heard watch)
        ((answered? known? ahead events)
         (cond ((or answered? (not (eq? news 'all))) (list known? ahead events))
               ((> (%monotonic-time) end) (fail "why" "the job does not answer: it may be stopped, or hang"))
               (else (usleep 500) (loop))))))))

(define (pool-of watch event)
  (find (lambda (pool) (eqv? (field pool 'number) (field event 'pool))) (%board-pools watch)))

(define (pool-name watch event)
  (and=> (pool-of watch event) (lambda (pool) (or (field pool 'name) (number->string (field pool 'number))))))

(define (worker-of watch event)
  "Return the facts of the worker that has the task of @var{event}, or @code{#f}."
  (find (lambda (worker) (and (eqv? (field worker 'pool) (field event 'pool)) (eqv? (field worker 'index) (field event 'worker))))
        (cdr (%board-workers watch 0 100000))))

(define (several-nodes? watch) (> (length (%board-nodes watch)) 1))

(define (running-facts watch task now)
  "Return the facts of @var{task}, one that a worker has, as the board shows it."
  (let* ((worker (worker-of watch task))
         (first? (and (field task 'since) #t))
         (before (and worker (not first?) (field worker 'task))))
    `((task . ,(field task 'task)) (name . ,(field task 'name)) (state . ,(if first? 'running 'given))
      (worker . ,(field task 'worker)) (pid . ,(field worker 'pid)) (pool . ,(pool-name watch task))
      (node . ,(and (several-nodes? watch) (field worker 'node)))
      (seconds . ,(seconds-since (or (field task 'since) (field task 'started) now) now))
      (attempt . ,(field task 'attempt)) (begun . ,(field task 'begun)) (all . ,(field task 'all))
      (before . ,(and before (running-facts watch before now))))))

(define (what-worker-runs watch event now)
  "Return the facts of the task that the worker runs to which that of @var{event} is pinned, or @code{#f}."
  (let ((worker (worker-of watch `((pool . ,(field event 'pool)) (worker . ,(field event 'place))))))
    (and=> (field worker 'task) (lambda (task) (running-facts watch task now)))))

(define (live-facts watch events number now seen)
  "Return the facts of the task @var{number}, which has not ended: from the last of @var{events}, which the engine has answered with. Tasks
that it waits for come with their own facts, but for those in @var{seen}."
  (let ((submitted (find (lambda (event) (and (field event 'answer?) (eq? 'submitted (field event 'kind))
                                              (eqv? number (field event 'task))))
                         (reverse events)))
        (running (%board-task watch number)))
    (cond (running (append (running-facts watch running now)
                           `((retries . ,(field submitted 'retries)))))
          ((not submitted) `((task . ,number) (state . unknown)))
          ((zero? (field submitted 'n-missing))
           (let ((pool (pool-of watch submitted)))
             `((task . ,number) (name . ,(field submitted 'name)) (state . queued) (pool . ,(pool-name watch submitted))
               (place . ,(field submitted 'place)) (wide? . ,(field submitted 'wide?)) (cpus . ,(field submitted 'cpus))
               (busy . ,(field pool 'counts 'busy)) (workers . ,(field pool 'counts 'workers))
               (pool-state . ,(field pool 'state))
               (pinned-busy . ,(and (field submitted 'place) (what-worker-runs watch submitted now))))))
          (else
           `((task . ,number) (name . ,(field submitted 'name)) (state . waiting) (pool . ,(pool-name watch submitted))
             (n-missing . ,(field submitted 'n-missing))
             (missing . ,(if (memv number seen)
                             '()
                             (map (lambda (other) (live-facts watch events other now (cons number seen)))
                                  (field submitted 'missing)))))))))

(define (old-failures watch number kind)
  "Return the failures of @var{kind} of the task @var{number} that the board has, the latest first."
  (filter (lambda (failure) (and (eq? kind (field failure 'kind)) (eqv? number (field failure 'task))))
          (%board-failures watch most-failures)))

(define (ended-facts watch events number now)
  "Return the facts of the task @var{number} from the events that are still in memory, or from the last failures."
  (define old (old-failures watch number 'ended))
  (let ((ended (find (lambda (event) (and (eq? 'ended (field event 'kind)) (eqv? number (field event 'task)))) (reverse events)))
        (named (find (lambda (event) (and (eqv? number (field event 'task)) (field event 'name))) events)))
    (cond
     (ended
      `((task . ,number) (name . ,(or (field ended 'name) (field named 'name))) (state . ended) (end . ,(field ended 'end))
        (error . ,(field ended 'error)) (worker . ,(field ended 'worker)) (pool . ,(pool-name watch ended))
        (seconds . ,(and (field ended 'started) (seconds-since (field ended 'started) (field ended 'time))))
        (ago . ,(seconds-since (field ended 'time) now)) (attempt . ,(field ended 'attempts))
        (culprit . ,(and (field ended 'culprit)
                         `((task . ,(field ended 'culprit)))))))
     ((pair? old)
      (let ((failure (first old)))
        `((task . ,number) (name . ,(field failure 'name)) (state . ended) (end . ,(field failure 'end)) (error . ,(field failure 'text))
          (worker . ,(field failure 'worker)) (pool . ,(pool-name watch failure)) (ago . ,(seconds-since (field failure 'time) now))
          (attempt . ,(field failure 'attempts)))))
     (else `((task . ,number) (name . ,(field named 'name)) (state . unknown))))))

(define (failed-attempts watch number now)
  "Return the facts of the attempts of the task @var{number} with which workers have died, the first first."
  (map (lambda (failure)
         `((attempt . ,(field failure 'attempts)) (worker . ,(field failure 'worker)) (text . ,(field failure 'text))
           (tail . ,(field failure 'tail)) (ago . ,(seconds-since (field failure 'time) now))))
       (reverse (old-failures watch number 'died))))

(define (job-facts watch number)
  "Return the facts of the task @var{number} of the job of @var{watch}, see (tutti program task-answer)."
  (match (ask watch number)
    ((known? ahead events)
     (let ((now (%monotonic-time)))
       `((ahead . ,ahead) (attempts . ,(failed-attempts watch number now))
         ,@(if known? (live-facts watch events number now '()) (ended-facts watch events number now)))))))

;;; All together.

(define (number-of text)
  (let ((n (string->number text)))
    (unless (and n (exact-integer? n) (positive? n))
      (usage-error "expected the number of a task, got `~a'" text))
    n))

(define (parse arguments)
  "Return three values: the number of the task, the name of the job and the file of the journal, or @code{#f}."
  (let loop ((arguments arguments) (task #f) (pid #f) (journal #f))
    (match arguments
      (() (unless task (usage-error "the number of the task is missing")) (values task pid journal))
      (("--pid" pid . rest) (loop rest task pid journal))
      (("--pid") (usage-error "--pid: the number of the process is missing"))
      (("--journal" file . rest) (loop rest task pid file))
      (("--journal") (usage-error "--journal: the file is missing"))
      (((? (lambda (text) (string-prefix? "-" text)) option) . _) (usage-error "there is no option `~a'" option))
      ((text . rest)
       (when task (usage-error "expected one task, got `~a' as well" text))
       (loop rest (number-of text) pid journal)))))

(define (facts-of-journal file number)
  (with-exception-handler
      (lambda (exception) (fail "why" "~a" (exception-message exception)))
    (lambda () (journal-task-facts file number (current-microseconds)))
    #:unwind? #t #:unwind-for-type &tutti-error))

(define (unknown? facts)
  (or (not facts) (eq? 'unknown (field facts 'state))))

(define (facts-of-job number pid)
  (define (ask past?)
    (job-facts (job-watch (choose-job "why" pid (format #f "tutti why ~a --pid PID" number) #:past? past?)) number))
  ;; What has ended may still be in memory: if somebody has looked. To go through that takes longer.
  (let ((facts (ask #f)))
    (if (unknown? facts) (ask #t) facts)))

(define (run-why arguments)
  "Say how the task that @var{arguments} name stands, and why; then exit: with 1 if nothing is known of it."
  (call-with-values (lambda () (parse arguments))
    (lambda (number pid journal)
      ;; What a job says of what has not ended, a journal does not know.
      (let* ((recorded (and journal (facts-of-journal journal number)))
             (live (and (or pid (not journal)) (facts-of-job number pid)))
             (facts (cond ((not (unknown? live)) live)
                          (recorded recorded)
                          (live live)
                          (else `((task . ,number) (state . unknown))))))
        (for-each (lambda (line) (format #t "~a~%" line)) (task-answer facts))
        (exit (if (unknown? facts) 1 0))))))
