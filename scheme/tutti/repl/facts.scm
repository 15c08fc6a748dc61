;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How pools, workers and tasks stand, as lines of text. Nothing waits for who reads them.
(define-module (tutti repl facts)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti base seconds)
  #:export (pool-facts pool-label pools-text workers-text tasks-text why-text worker-label))

(define most-workers 200)               ; lines
(define most-tasks 20)                  ; of those that run, and as many of the others

(define (size bytes)
  (cond ((zero? bytes) "-")
        ((< bytes 1e9) (format #f "~a MB" (inexact->exact (ceiling (/ bytes 1e6)))))
        (else (format #f "~,1f GB" (/ bytes 1e9)))))

(define (counted n what)
  (format #f "~a ~a~p" n what n))

(define (table rows)
  "Return lines with the texts in @var{rows} in columns, the last as long as it is."
  (let ((widths (apply map (lambda column (apply max (map string-length column))) rows)))
    (map (lambda (row)
           (string-trim-right
            (string-join (map (lambda (text width) (string-append text (make-string (- width (string-length text)) #\space)))
                              row widths)
                         "  ")))
         rows)))

(define (join lines) (string-join lines "\n" 'suffix))

;;; Pools.

(define (pool-facts)
  "Return a vector for each pool of this process that is not forgotten, see @code{%pools}."
  (%pools))

(define (pool-label pool)
  "Return how a pool, a vector of @code{%pools}, is called."
  (match pool
    (#(_ name _ ...) (format #f "~s" name))))

(define (state-text state size goal)
  (cond ((not (eq? state 'open)) (symbol->string state))
        ((< size goal) (format #f "grows to ~a" goal))
        (else "")))

(define (pools-text pools)
  "Return lines about @var{pools}, vectors of @code{%pools}."
  (if (null? pools)
      "There is no pool.\n"
      (join (append
             (table
              (cons '("number" "name" "workers" "busy" "queued" "waiting" "submitted" "ended" "failed" "")
                    (map (match-lambda
                           (#(number name state size goal busy queued waiting submitted ended failed _)
                            (append (list (number->string number) (object->string name))
                                    (map number->string (list size busy queued waiting submitted ended failed))
                                    (list (state-text state size goal)))))
                         pools)))
             (filter-map (match-lambda
                           (#(_ name _ _ _ _ _ _ _ _ _ (? string? reason)) (format #f "~s has failed: ~a" name reason))
                           (_ #f))
                         pools)))))

;;; Workers.

(define (worker-label index host)
  "Return how the worker with @var{index} on @var{host} is called; @code{#f}: on this machine."
  (if host (format #f "worker ~a on ~a" index host) (format #f "worker ~a" index)))

(define (doing-text task name seconds behind)
  (if task
      (format #f "task ~a, ~a, for ~a~a" task (or name "a procedure without a name") (duration->string seconds)
              (if (zero? behind) "" (format #f "; ~a more given to it" behind)))
      ""))

(define (worker-row worker)
  (match worker
    (#(index pid state host restarts done memory task name seconds behind)
     (list (number->string index) (symbol->string state) (if (zero? pid) "-" (number->string pid)) (or host "here")
           (number->string done) (number->string restarts) (size memory) (doing-text task name seconds behind)))))

(define (workers-text pool)
  "Return lines about the workers of @var{pool}, a vector of @code{%pools}."
  (let* ((workers (or (%pool-workers (vector-ref pool 0)) '()))
         (left-out (- (length workers) most-workers)))
    (join (append
           (list (format #f "pool ~a: ~a, ~a busy" (pool-label pool) (counted (length workers) "worker")
                         (count (lambda (worker) (vector-ref worker 7)) workers)))
           (if (null? workers)
               '()
               (table (cons '("worker" "state" "pid" "host" "tasks" "restarts" "memory" "")
                            (map worker-row (if (positive? left-out) (take workers most-workers) workers)))))
           (if (positive? left-out) (list (format #f "and ~a more" left-out)) '())))))

;;; Tasks.

(define (numbers ids n)
  ;; Of N there may be fewer numbers than that.
  (string-append (string-join (map number->string ids) ", ")
                 (if (> n (length ids)) (format #f " and ~a more" (- n (length ids))) "")))

(define (standing-text task)
  (match task
    (#(_ _ _ standing _ worker host place seconds attempts begun all n-missing missing)
     (case standing
       ((running)
        (format #f "running for ~a on ~a~a~a" (duration->string seconds) (worker-label worker host)
                (if (zero? all) "" (format #f ", item ~a of ~a" begun all))
                (if (> attempts 1) (format #f ", attempt ~a" attempts) "")))
       ((given) (format #f "given to ~a, ~a before it" (worker-label worker host) (counted place "task")))
       ((queued) (format #f "place ~a in the queue" place))
       ((wide) (format #f "place ~a in the queue of those that need several workers' share" place))
       ((pinned) (format #f "place ~a in the queue of worker ~a" place worker))
       (else
        (format #f "waiting for task~p ~a" n-missing (numbers missing n-missing)))))))

(define (named-task id name)
  (if name (format #f "task ~a, ~a" id name) (format #f "task ~a" id)))

(define (name-of-pool number)
  (match (find (lambda (pool) (= number (vector-ref pool 0))) (%pools))
    (#f #f)
    (pool (pool-label pool))))

(define (tasks-text pool)
  "Return lines about the tasks of @var{pool}, a vector of @code{%pools}, or @code{#f}: of all. Those that run come first."
  (match (%tasks (if pool (vector-ref pool 0) 0) most-tasks)
    ((running queued waiting . tasks)
     (let ((left-out (- (+ running queued waiting) (length tasks))))
       (join (append
              (list (format #f "~a~a running, ~a queued, ~a waiting for others"
                            (if pool (format #f "pool ~a: " (pool-label pool)) "") running queued waiting))
              (if (null? tasks)
                  '()
                  (table (map (match-lambda
                                ((and task #(id number name _ ...))
                                 (list (number->string id) (or name "-")
                                       (string-append (standing-text task)
                                                      (if pool "" (format #f ", pool ~a" (or (name-of-pool number) number)))))))
                              tasks)))
              (if (positive? left-out) (list (format #f "and ~a more" left-out)) '())))))))

;;; One task.

(define (deaths-text deaths)
  (map (match-lambda
         (#(text attempt again? seconds)
          (format #f "  attempt ~a, ~a ago: ~a~a" attempt (duration->string seconds) text (if again? "; it is tried again" ""))))
       deaths))

(define (chain-text id depth)
  "Return lines about task @var{id}, which waits or runs, and the first of those that it waits for, and so on."
  (match (%task-facts id)
    (#f '())
    ((and task #(_ _ name _ maker? _ _ _ _ _ _ _ _ missing))
     (cons (format #f "~a~a~a: ~a" (make-string (* 2 depth) #\space) (named-task id name)
                   (if maker? " (it makes what workers are to hold)" "") (standing-text task))
           (if (and (pair? missing) (< depth 10))
               (append-map (lambda (id) (chain-text id (1+ depth))) missing)
               '())))))

(define most-lines 40)

(define (bounded lines)
  (if (> (length lines) most-lines)
      (append (take lines most-lines) (list (format #f "and ~a more" (- (length lines) most-lines))))
      lines))

(define (failure-text id failure)
  (match failure
    (#(_ name how text worker attempts culprit seconds)
     (list (format #f "~a ended ~a ago: ~a~a" (named-task id name) (duration->string seconds) how
                   (cond (culprit (format #f ", since task ~a, on which it depends, had no value; see ,why ~a" culprit culprit))
                         ((negative? worker) ", before any worker had it")
                         (else (format #f " on worker ~a, attempt ~a" worker attempts))))
           (or (and text (string-append "  " (string-trim-right text))) "  nothing more is known of it")))))

(define (unknown-text id forgotten)
  (list (format #f "no task ~a waits or runs now, and none of that number has failed~a: it has ended well, or there was none."
                id
                (if (zero? forgotten) "" " among the last 500 that did"))
        "  Of what ends well a journal knows more: tutti run --journal FILE, and tutti report."))

(define (why-text id)
  "Return lines about the task with the number @var{id}: what it waits for, where it runs, where it was tried, how it has ended."
  (match (%task-past id)
    ((forgotten failure . deaths)
     (let ((live (chain-text id 0)))
       (join (bounded
              (append (if (pair? live)
                          (append live
                                  (match (%task-facts id)
                                    (#(_ number _ ...) (list (format #f "  pool ~a" (or (name-of-pool number) number))))
                                    (_ '())))
                          (if failure (failure-text id failure) (unknown-text id forgotten)))
                      (if (null? deaths) '() (cons "  workers that died while they ran it:" (deaths-text deaths))))))))))
