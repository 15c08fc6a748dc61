;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a journal has of a task, as facts of (tutti program task-answer).
(define-module (tutti program task-journal)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti program job-text)
  #:export (journal-task-facts record->facts))

(define (age time now)
  (and time (positive? time) (seconds-since time now)))

(define (death->attempt death now)
  `((attempt . ,(field death 'attempt)) (worker . ,(field death 'worker)) (text . ,(field death 'text))
    (tail . ,(match (field death 'stderr) ((? string? text) (and (not (string-null? text)) text)) (_ #f)))
    (ago . ,(age (field death 'time) now))))

(define* (record->facts record pool now #:optional over?)
  "Return the facts of the task that @var{record}, an association list from @code{journal-task}, is of; @var{pool}: the name of its pool or
@code{#f}; @var{now}: the time by the wall clock, in microseconds; @var{over?}: the run is over."
  (define (named? x) (and x (not (equal? x 0)) x))
  `((task . ,(field record 'task)) (name . ,(field record 'procedure)) (pool . ,pool)
    (worker . ,(match (field record 'worker) ((? (lambda (n) (and n (negative? n)))) #f) (worker worker)))
    (attempt . ,(field record 'attempts))
    (seconds . ,(cond ((and (not (memq (field record 'state) '(#f unknown))) (field record 'duration)) => (lambda (us) (/ us 1e6)))
                      ((and (not over?) (not (field record 'state)) (field record 'started)) => (lambda (started) (age started now)))
                      (else #f)))
    ,@(match (field record 'state)
        ((? (lambda (end) (and (not end) over?))) '((state . ended) (end . unfinished)))
        (#f (if (named? (field record 'started)) '((state . running)) '((state . queued))))
        (end `((state . ended) (end . ,(if (eq? end 'timed-out) (string->symbol "timed out") end)))))
    (error . ,(match (field record 'error) ((? string? text) (and (not (string-null? text)) text)) (_ #f)))
    (culprit . ,(and=> (named? (field record 'culprit)) (lambda (number) `((task . ,number)))))
    (ago . ,(age (field record 'ended) now))
    (capsule . ,(field record 'capsule))
    (attempts . ,(map (lambda (death) (death->attempt death now)) (or (field record 'deaths) '())))))

(define (journal-task-facts file number now)
  "Return the facts of the task @var{number} of the last run in the journal @var{file}, or @code{#f} if it is not there. Raises what
@code{open-journal} does."
  (let* ((journal ((@ (tutti look journal-read) open-journal) file))
         (last-run (match (reverse ((@ (tutti look journal-read) journal-runs) journal)) ((run . _) run) (_ #f)))
         (run (field last-run 'run))
         (record (and run ((@ (tutti look journal-read) journal-task) journal run number)))
         (pool (and record
                    (find (lambda (pool) (eqv? (field pool 'pool) (field record 'pool)))
                          ((@ (tutti look journal-read) journal-pools) journal run)))))
    ((@ (tutti look journal-read) close-journal) journal)
    (and record (record->facts record (field pool 'name) now (not (eq? 'running (field last-run 'state)))))))
