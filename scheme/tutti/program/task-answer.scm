;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How a task stands, and why: from an association list of what is known of it, wherever that comes from, to lines for people.
;;
;; The facts, all of which may be missing:
;;   task       its number                    name       of its procedure
;;   pool       the name of its pool          state      running, given (to a worker that is busy), queued, waiting, ended, unknown
;;   worker     its index, or the last        node       where that is, if elsewhere
;;   pid        of the worker's process       seconds    that it has run, has been given, or took
;;   begun all  items of a map                attempt    the number of the present or last one
;;   retries    how often it may be tried     attempts   a list of facts of those that failed: attempt worker text tail ago
;;   before     for given: facts of the task that the worker runs
;;   ahead      tasks before it in its queue  place      the worker that it is pinned to
;;   busy workers   of its pool               pool-state open, closing, closed, failed
;;   pinned-busy    facts of the task that the worker runs to which it is pinned
;;   wide? cpus     it needs several workers, so many processors
;;   missing    facts of the first tasks that it waits for, with their own   n-missing   how many there are
;;   end        a symbol: done, raised, failed, cancelled, timed out (with a space), died, closed       error   its text
;;   culprit    facts of the task with which it ended    ago   seconds since its end    capsule   the file of its capsule
(define-module (tutti program task-answer)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti program job-text)
  #:export (task-answer))

(define (named facts)
  (task->text (field facts 'task) (field facts 'name)))

(define (on-worker facts)
  (format #f "worker ~a~a~a~a" (field facts 'worker)
          (match (field facts 'pool) (#f "") (pool (format #f " of pool ~a" (printable pool))))
          (match (field facts 'node) (#f "") (node (format #f " on ~a" (printable node))))
          (match (field facts 'pid) (#f "") (pid (format #f ", process ~a" pid)))))

(define (duration facts)
  (match (field facts 'seconds) (#f "some time") (seconds (age->text seconds))))

(define (items facts)
  (if (field facts 'begun)
      (format #f "; it has begun item ~a of ~a" (field facts 'begun) (or (field facts 'all) "?"))
      ""))

(define (attempt-text facts)
  (match (field facts 'attempt)
    ((? (lambda (n) (and n (> n 1))) n) (format #f ", in attempt ~a" n))
    (_ "")))

(define (and-it facts)
  "Return what a task is doing, in short, behind its name."
  (match (field facts 'state)
    ('running (format #f "runs on worker ~a for ~a" (field facts 'worker) (duration facts)))
    ('given (format #f "is next on worker ~a" (field facts 'worker)))
    ('queued "waits for a worker")
    ('waiting (match (field facts 'n-missing)
                (#f "waits for other tasks")
                (n (format #f "waits for ~a" (plural n "other task")))))
    (_ "has ended, or is not known")))

;;; What it waits for.

(define most-missing-lines 20)

(define (missing-lines facts depth)
  "Return the lines of the tasks that the one of @var{facts} waits for, and of those that these wait for."
  (let* ((missing (or (field facts 'missing) '()))
         (more (- (or (field facts 'n-missing) (length missing)) (length missing)))
         (margin (make-string (* 2 (1+ depth)) #\space)))
    (append
     (append-map (lambda (one)
                   (cons (format #f "~a~a ~a" margin (named one) (and-it one))
                         (if (eq? 'waiting (field one 'state)) (missing-lines one (1+ depth)) '())))
                 missing)
     (if (positive? more) (list (format #f "~aand ~a more" margin more)) '()))))

(define (at-most n lines)
  (if (> (length lines) n)
      (append (take lines n) (list (format #f "  and ~a more" (- (length lines) n))))
      lines))

(define (workers-text facts)
  (let ((workers (field facts 'workers)) (busy (field facts 'busy)))
    (cond ((not workers) "")
          ((zero? workers) "; the pool has no workers at this moment")
          ((and busy (>= busy workers)) (if (= workers 1) "; the only worker is busy" (format #f "; all ~a workers are busy" workers)))
          (else (format #f "; ~a of ~a workers are busy" (or busy 0) workers)))))

(define (queued-lines facts)
  (append
   (list (format #f "It waits in the queue~a~a~a."
                 (match (field facts 'pool) (#f "") (pool (format #f " of pool ~a" (printable pool))))
                 (match (field facts 'ahead) (#f "") (0 ", as the next") (n (format #f ", behind ~a" (plural n "other task"))))
                 (workers-text facts)))
   (match (field facts 'place)
     (#f '())
     (place (list (format #f "It is pinned to worker ~a~a." place
                          (match (field facts 'pinned-busy)
                            (#f ", which has nothing to do or is being started")
                            (other (format #f ", which runs ~a for ~a" (named other) (duration other))))))))
   (if (field facts 'wide?)
       (list (format #f "It needs ~a, the share of several workers of one machine: these must be idle at the same time."
                     (match (field facts 'cpus) ((or #f 0) "more memory than one worker has") (n (plural n "processor")))))
       '())
   (match (field facts 'pool-state)
     ((or #f 'open) '())
     (state (list (format #f "The pool is ~a." state))))))

;;; What has happened.

(define (indented text)
  (map (lambda (line) (string-append "    " (printable line)))
       (remove string-null? (string-split (string-trim-right text) #\newline))))

(define (attempts-lines facts)
  (append-map
   (lambda (attempt)
     (cons (format #f "Attempt ~a~a failed~a: ~a" (field attempt 'attempt)
                   (match (field attempt 'worker) (#f "") (worker (format #f ", on worker ~a," worker)))
                   (match (field attempt 'ago) (#f "") (seconds (format #f " ~a ago" (age->text seconds))))
                   (first-line (or (field attempt 'text) "it is not known why")))
           (match (field attempt 'tail)
             (#f '())
             (tail (cons "  The worker's last lines:" (indented tail))))))
   (or (field facts 'attempts) '())))

(define (how-ended facts)
  (match (and=> (field facts 'end) symbol->string)
    ("done" "is done")
    ("raised" "has raised an error")
    ("cancelled" "was cancelled")
    ("timed out" "took longer than it may")
    ("died" "has failed: its worker died")
    ("closed" "was given up, since its pool was closed")
    ("unknown" "has ended while nothing could be written down: nobody knows how")
    ("unfinished" "had not ended when the run did")
    (_ "has failed")))

(define (tells-death? facts)
  "Is the end of the task of @var{facts} among its attempts, with more than its error says?"
  (any (lambda (attempt) (eqv? (field attempt 'attempt) (field facts 'attempt))) (or (field facts 'attempts) '())))

(define (capsule-lines file)
  (define core
    (and (string-suffix? ".capsule" file) (string-append (string-drop-right file (string-length ".capsule")) ".core")))
  (cons (format #f "Its capsule: ~a" (printable file))
        (if (and core (file-exists? core)) (list (format #f "The core of its worker: ~a" (printable core))) '())))

(define (ended-lines facts)
  (append
   (list (format #f "It ~a~a~a~a." (how-ended facts)
                 (match (field facts 'ago) (#f "") (seconds (format #f ", ~a ago" (age->text seconds))))
                 (if (field facts 'worker) (format #f ", on ~a" (on-worker facts)) "")
                 (match (field facts 'seconds) (#f "") (seconds (format #f ", after ~a" (age->text seconds))))))
   (match (field facts 'culprit) (#f '()) (other (list (format #f "It depended on ~a, which failed." (named other)))))
   (match (and (not (tells-death? facts)) (field facts 'error)) (#f '()) (error (indented error)))
   (match (field facts 'capsule) (#f '()) (file (capsule-lines file)))))

;;; All together.

(define (task-answer facts)
  "Return the lines that say how the task of @var{facts}, an association list, stands, and why."
  (define retries
    (match (field facts 'retries)
      ((or #f 0) '())
      (n (list (format #f "It may be tried again ~a." (plural n "time"))))))
  (append
   (list (format #f "~a:" (string-append "Task" (substring (named facts) 4))))
   (match (field facts 'state)
     ('running
      (append (list (format #f "It runs on ~a, for ~a~a~a." (on-worker facts) (duration facts) (attempt-text facts) (items facts)))
              retries))
     ('given
      (list (format #f "~a was given it in advance~a." (string-append "W" (substring (on-worker facts) 1))
                    (match (field facts 'before)
                      (#f "")
                      (other (format #f ", and runs ~a first, for ~a" (named other) (duration other)))))))
     ('queued (queued-lines facts))
     ('waiting
      (cons (format #f "It waits for ~a:" (plural (or (field facts 'n-missing) (length (or (field facts 'missing) '()))) "other task"))
            (at-most most-missing-lines (missing-lines facts 0))))
     ('ended (ended-lines facts))
     (_ (list "Nothing is known of it: it has ended before anybody looked, or there was none with this number.")))
   (attempts-lines facts)))
