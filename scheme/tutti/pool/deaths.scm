;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Deaths of workers, for people who watch the job: a line for each, and a summary when a map or the program ends. Most have no other
;; effect, as their tasks are tried again, and would remain unnoticed.
(define-module (tutti pool deaths)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module (tutti base session)
  #:use-module (tutti pool type)
  #:export (death-port tell-death call-watching-deaths))

(define death-port (make-parameter (current-error-port) (checked-log-port "death-port")))
(set-object-property! death-port 'documentation
                         "The port to which a line is written for each worker that died, with what becomes of its task, and a summary
when a map or the program ends; @code{#f}: nowhere.")

;; Several threads may map, in one pool too. The lock is held for moments only, never while something is written.
(define access (make-shared-mutex))

;;; Counts.

(define-record-type <count>
  (make-count deaths items tasks)
  count?
  (deaths count-deaths)
  (items count-items)                   ; that were tried again
  (tasks count-tasks))                  ; outside of maps, that were tried again

(define none (make-count 0 0 0))

(define (count+ a b)
  (make-count (+ (count-deaths a) (count-deaths b)) (+ (count-items a) (count-items b)) (+ (count-tasks a) (count-tasks b))))

(define (count->string count)
  (define (some n what) (if (zero? n) '() (list (format #f "~a ~a~p" n what n))))
  (let ((again (append (some (count-items count) "item") (some (count-tasks count) "task"))))
    (format #f "~a worker~:p died, ~a tried again" (count-deaths count)
            (if (null? again) "nothing was" (string-join again " and ")))))

(define (write-summary what count)
  (let ((port (death-port)))
    (when port
      (write-line-beside port (format #f "tutti: ~a~a" what (count->string count))))))

;; Of the whole session.
(define total (make-session-variable none))
;; The summary of a map that was written last, which the one at the end need not repeat.
(define reported (make-session-variable none))
;; Whether a summary at the end of the session is scheduled.
(define asked? (make-session-variable #f))

(define (write-total)
  (unless (equal? (total) (reported))
    (write-summary "in all, " (total))))

(define (count-in-total! count)
  ;; Who wants to be told of none wants to know of none in the end.
  (when (death-port)
    (with-mutex access
      (unless (asked?)
        (asked? #t)
        (call-at-end! write-total))
      (total (count+ (total) count)))))

;;; Maps. Only a map knows which items belong to a task.

;; A worker whose task took too long is dead a little after that has ended, and perhaps its map: so the last few maps are remembered.
(define most-ended 8)

(define-record-type <watch>
  (make-watch name find-items deaths tried-again reported ended?)
  watch?
  (name watch-name)                     ; what messages call the map
  (find-items watch-find-items)         ; see call-watching-deaths
  (deaths watch-deaths set-watch-deaths!)
  (tried-again watch-tried-again)       ; items as keys
  (reported watch-reported)             ; numbers of tasks as keys: of those that have cost a worker
  (ended? watch-ended?))                ; the map is over

(define (watch-count watch)
  (make-count (watch-deaths watch) (hash-count (const #t) (watch-tried-again watch)) 0))

(define (note-again! watch item)
  (unless (hashv-ref (watch-tried-again watch) item)
    (hashv-set! (watch-tried-again watch) item #t)
    (count-in-total! (make-count 0 1 0))))

(define (sequel-of-items watch first count begun again? attempt)
  "Return what becomes of the items of a task that @var{watch} knows: @var{count} of them, from number @var{first} on. With @var{again?},
they are tried again: each for itself or, if this was the @var{attempt} of one alone, that."
  (let ((of-map (string-append " of " (watch-name watch)))
        (item (if (positive? begun) (+ first begun -1) first)))
    (cond ((and (> count 1) (zero? begun))
           (format #f "; ~a items from number ~a on~a ~a" count first of-map (if again? "are tried again" "are not tried again")))
          (again?
           (note-again! watch item)
           (format #f "; item ~a~a is tried again~a" item of-map (if attempt (format #f ", attempt ~a" (1+ attempt)) "")))
          (else
           (format #f "; item ~a~a is not tried again" item of-map)))))

(define (ended-watch watch tasks)
  ;; Without the map itself, which may be large.
  (let ((items (map (lambda (task) (cons task ((watch-find-items watch) task))) tasks)))
    (make-watch (watch-name watch) (lambda (task) (assv-ref items task)) 0 (make-hash-table) (make-hash-table) #t)))

(define (end-watch watch tasks all)
  (call-with-values (lambda () (partition watch-ended? (delq watch all)))
    (lambda (ended living)
      (let ((ended (if (null? tasks) ended (cons (ended-watch watch tasks) ended))))
        (append living (take ended (min most-ended (length ended))))))))

(define (call-watching-deaths pool name find-items lost-tasks proc)
  "Call @var{proc}, which maps in @var{pool}, and return its value; then write a summary if workers died. It is given a procedure that
returns true for the number of a task if a worker has died of that, and its death was reported. @var{name} is what messages call the map.
@var{find-items} returns for the number of a task @code{#f}, or the list of the number of its first item, of how many it has, of whether
they were handed out with others, and of whether they then are tried again. @var{lost-tasks} returns the numbers of some tasks whose workers
may yet die."
  (let ((watch (make-watch name find-items 0 (make-hash-table) (make-hash-table) #f)))
    (dynamic-wind
      (lambda ()
        (with-mutex access
          (set-pool-watches! pool (cons watch (pool-watches pool)))))
      (lambda () (proc (lambda (task) (hashv-ref (watch-reported watch) task))))
      (lambda ()
        (let ((lost (lost-tasks)))
          (with-mutex access
            (set-pool-watches! pool (end-watch watch lost (pool-watches pool)))))
        (unless (zero? (watch-deaths watch))
          (write-summary (string-append name ": ") (watch-count watch))
          (reported (watch-count watch)))))))

;;; Lines.

(define (sequel pool task attempt begun again?)
  (define (of-watch watch)
    (match ((watch-find-items watch) task)
      (#f #f)
      ((first count together? alone-again?)
       (set-watch-deaths! watch (1+ (watch-deaths watch)))
       (hashv-set! (watch-reported watch) task #t)
       (sequel-of-items watch first count begun (if together? alone-again? again?) (and (not together?) attempt)))))
  (cond ((zero? task)
         ;; It had nothing to do; but had it not died, it would have helped.
         (let ((watch (find (negate watch-ended?) (pool-watches pool))))
           (when watch
             (set-watch-deaths! watch (1+ (watch-deaths watch)))))
         "")
        ((any of-watch (pool-watches pool)))
        (again?
         (when (= attempt 1)
           (count-in-total! (make-count 0 0 1)))
         (string-append "; task " (number->string task) " is tried again, attempt " (number->string (1+ attempt))))
        (else (string-append "; task " (number->string task) " is not tried again"))))

(define (tell-death pool death)
  "Count @var{death}, as @code{%pool-take-output!} returns one of a worker of @var{pool}, and write its line."
  (match death
    (#(text _ task attempt begun again?)
     (count-in-total! (make-count 1 0 0))
     (let ((line (string-append "tutti: pool \"" (pool-name pool) "\": " text (sequel pool task attempt begun again?)))
           (port (death-port)))
       (when port
         (write-line-beside port line))))))
