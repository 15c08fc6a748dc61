;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What happens to the machines that a launcher has started: who is told, what is started again, and how all of it ends.
(define-module (tutti launcher events)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module ((tutti base primitives) #:select (%wakeup-wait))
  #:use-module ((tutti base text) #:select (lines))
  #:use-module (tutti conditions)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher cluster)
  #:use-module (tutti launcher primitives)
  #:export (take-events! wait-for-events show-lines! node-clock end-cluster!))

;;; Machines that are lost are started again, where the launcher can: after 2, 4, 8 … 60 s.

(define-record-type <restart>
  (make-restart name attempts due launch)
  restart?
  (name restart-name)
  (attempts restart-attempts)
  (due restart-due)
  (launch restart-launch))              ; the last one, or #f

(define most-attempts 8)
(define (pause attempts) (min 60 (expt 2 (1+ attempts))))

(define (restart-of cluster index) (assv-ref (cluster-restarts cluster) index))
(define (set-restart! cluster index restart)
  (let ((others (remove (lambda (entry) (eqv? (car entry) index)) (cluster-restarts cluster))))
    (set-cluster-restarts! cluster (if restart (acons index restart others) others))))

(define (still-lost? cluster index)
  (any (lambda (node) (and (eqv? index (node-index node)) (not (node-there? node)))) (cluster-nodes cluster)))

(define (restart-due? restart now)
  (and (>= now (restart-due restart))
       (or (not (restart-launch restart)) (launch-end (restart-launch restart)))))

(define (last-line restart)
  (match (and=> (restart-launch restart) launch-lines)
    ((_ ... last) last)
    (_ #f)))

(define (give-up! cluster index restart reason)
  ;; Pools that wait for it need not do so any longer.
  (set-restart! cluster index #f)
  (%cluster-give-up! (cluster-handle cluster) index reason))

(define (start-again! cluster index restart now)
  (define (give-up-for line)
    (let ((reason (format #f "it could not be started again~@[: ~a~]" line)))
      (note! cluster (format #f "~a: ~a" (restart-name restart) reason))
      (give-up! cluster index restart reason)))
  (let ((launch (restart-launch restart)))
    (if (or (>= (restart-attempts restart) most-attempts)
            (and launch ((launcher-over? (cluster-launcher cluster)) (launch-lines launch))))
        (give-up-for (last-line restart))
        (match (launch! cluster (list (restart-name restart)) #t)
          (() (give-up! cluster index restart "nothing starts it again"))
          ((launch . _)
           ;; It replaces one that was expected before.
           (set-launch-count! launch 0)
           (set-restart! cluster index
                         (make-restart (restart-name restart) (1+ (restart-attempts restart)) (+ now (pause (restart-attempts restart)))
                                       launch)))))))

(define (start-lost-again! cluster)
  (let ((now (seconds-now)))
    (for-each (match-lambda
                ((index . restart)
                 (cond ((not (still-lost? cluster index)) (set-restart! cluster index #f))
                       ((restart-due? restart now) (start-again! cluster index restart now)))))
              (cluster-restarts cluster))))

;;; Clocks. What a machine says of its own is as old as the way from there, and as the moment in which nobody looked.

(define (wall-clock)
  (let ((time (gettimeofday)))
    (+ (car time) (/ (cdr time) 1e6))))

(define (note-clock! cluster index)
  (let ((there (assoc-ref (node-facts (list-ref (cluster-nodes cluster) index)) "clock"))) ; microseconds
    (when there
      (set-cluster-clocks! cluster (assv-set! (cluster-clocks cluster) index (- (/ there 1e6) (wall-clock)))))))

(define (node-clock cluster node)
  "Return by how many seconds the clock of @var{node} is ahead, or @code{#f} if that is not known."
  (assv-ref (cluster-clocks cluster) (node-index node)))

;;; What happens.

(define kept-lines 20)

(define (find-launch cluster number)
  (find (lambda (launch) (eqv? number (launch-number launch))) (cluster-launches cluster)))

(define (handle-line! cluster launch line)
  (let ((all (cons line (launch-lines-reversed launch))))
    (set-launch-lines! launch (if (> (length all) kept-lines) (take all kept-lines) all)))
  (let ((told (and (not (launch-quiet? launch)) ((launcher-tell (cluster-launcher cluster)) line))))
    ;; While the first agents are waited for, a launcher's own words are shown; the others if that takes long, or fails.
    (when (and told (or (cluster-begun? cluster) (cluster-loud? cluster) (not (eq? told line))))
      (set-cluster-spoke! cluster #t)
      (note! cluster told))))

(define (show-lines! cluster launches)
  "Show what the commands of @var{launches}, or all if that is @code{#f}, have written, and from now on at once; and who was refused."
  (with-mutex one-at-a-time
    (unless (cluster-loud? cluster)
      (set-cluster-loud! cluster #t)
      (for-each (lambda (launch)
                  (for-each (lambda (line)
                              (when (eq? line ((launcher-tell (cluster-launcher cluster)) line))
                                (set-cluster-spoke! cluster #t)
                                (note! cluster line)))
                            (launch-lines launch)))
                (or launches (reverse (cluster-launches cluster))))
      (note-refusals! cluster)))
  (tell-notes! cluster))

(define (handle-end! cluster launch status signal text)
  ;; TEXT: lines that have come before, unless the command could not even be started.
  (when (and text (null? (launch-lines launch)))
    (set-launch-lines! launch (reverse (remove string-null? (lines text)))))
  (set-launch-end! launch (list status signal (if (>= status 0)
                                                  (format #f "ended with status ~a" status)
                                                  (format #f "ended by signal ~a" signal))))
  ;; When a machine is lost, the end of what had started it is no news.
  (when (and (cluster-begun? cluster) (not (launch-quiet? launch)) (failed? launch) (not (cluster-suffered? cluster)))
    (note! cluster (format #f "`~a' has ~a" (first (launch-command launch)) (third (launch-end launch))))))

(define (note-unless-told! cluster text)
  ;; Pools say what becomes of their workers.
  (when (zero? (cluster-pools cluster))
    (note! cluster text)))

(define (handle-event! cluster event)
  (match event
    (('line number _ text)
     (and=> (find-launch cluster number) (lambda (launch) (handle-line! cluster launch text))))
    (('ended number status signal text)
     (and=> (find-launch cluster number) (lambda (launch) (handle-end! cluster launch status signal text))))
    (('refused text)
     (set-cluster-refusals! cluster (cons text (cluster-refusals cluster)))
     (when (or (cluster-begun? cluster) (cluster-loud? cluster))
       (note! cluster (string-append "refused: " text))))
    (('agent index _)
     (note-clock! cluster index)
     (set-cluster-last-arrival! cluster (seconds-now))
     (join-pools! cluster index))
    (('different _ name text)
     (note! cluster (format #f "~a: ~a" name text)))
    (('draining _ name text)
     (note-unless-told! cluster (format #f "~a is to end: ~a" name text)))
    (('lost index name text)
     (set-cluster-suffered! cluster #t)
     (note-unless-told! cluster (format #f "~a is lost: ~a" name text))
     (unless (restart-of cluster index)
       (set-restart! cluster index (make-restart name 0 (+ (seconds-now) (pause 0)) #f))))
    (('ready index name)
     (set-cluster-last-arrival! cluster (seconds-now))
     (set-restart! cluster index #f)
     (note-unless-told! cluster (format #f "~a is there again" name)))
    (_ #f)))

(define (wait-for-events cluster seconds)
  "Wait until something has happened to @var{cluster}, or a handler of a signal has run, for @var{seconds} at most."
  (%wakeup-wait (%cluster-wakeup (cluster-handle cluster)) seconds))

(define (take-events! cluster)
  "Do what is to be done about what has happened to @var{cluster}, and tell people."
  (with-mutex one-at-a-time
    (unless (cluster-closed? cluster)
      (for-each (lambda (event) (handle-event! cluster event)) (%cluster-events! (cluster-handle cluster)))
      (start-lost-again! cluster)))
  (tell-notes! cluster))

;;; The end.

(define stop-seconds 10)
(define grace-seconds 3)

(define (run-stop-commands! cluster)
  (let ((launches (map (lambda (command)
                         (make-launch (%cluster-launch! (cluster-handle cluster) command 0) command 0 #f #f '() #f))
                       (stop-commands (cluster-launcher cluster))))
        (deadline (+ (seconds-now) stop-seconds)))
    (for-each (lambda (launch) (add-launch! cluster launch)) launches)
    (let loop ()
      (for-each (lambda (event) (handle-event! cluster event)) (%cluster-events! (cluster-handle cluster)))
      (tell-notes! cluster)
      (when (and (not (every launch-end launches)) (< (seconds-now) deadline))
        (wait-for-events cluster (min 1 (max 0 (- deadline (seconds-now)))))
        (loop)))))

(define (remove-files! cluster)
  (for-each (lambda (file)
              (false-if-error (delete-file file))
              (false-if-error (rmdir (dirname file))))
            (cluster-files cluster))
  (set-cluster-files! cluster '()))

(define (end-cluster! cluster)
  "End what @var{cluster} has started. Doing it twice is fine."
  (let ((closing? (with-mutex one-at-a-time
                    (and (not (cluster-closed? cluster))
                         (begin (set-cluster-closed! cluster #t) #t)))))
    (when closing?
      (dynamic-wind
        (const #t)
        (lambda () (run-stop-commands! cluster))
        (lambda ()
          (remove-files! cluster)
          (%cluster-close! (cluster-handle cluster) (* 1000 grace-seconds)))))))
