;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The machines that one launcher has started, their commands, and what has happened to them. (What the engine calls a cluster.)
(define-module (tutti launcher cluster)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module ((tutti base primitives) #:select (%wakeup-wait))
  #:use-module (tutti base session)
  #:use-module ((tutti base text) #:select (lines))
  #:use-module (tutti launcher)
  #:use-module (tutti launcher hosts)
  #:use-module (tutti launcher primitives)
  #:export (open-cluster cluster? cluster-launcher cluster-handle cluster-pools set-cluster-pools! cluster-idle-since
            set-cluster-idle-since! cluster-closed? cluster-last-arrival cluster-refusals cluster-begun? begin-cluster!
            cluster-launched? seconds-now launch-all! launch-each! superseded-hosts expected-agents
            running? failed-launches launch-command launch-lines launch-end
            take-events! wait-for-events end-cluster! cluster-spoke? show-lines! tell-people
            node-index node-name node-there? node-facts node-processors node-pointer node-clock cluster-nodes there-nodes))

;;; Nodes as %cluster-nodes returns them.

(define (node-index node) "Return the number of @var{node} in its cluster." (vector-ref node 0))
(define (node-name node) "Return what the machine of @var{node} calls itself." (vector-ref node 1))
(define (node-there? node) "Return true if workers can run on @var{node} now." (vector-ref node 2))
(define (node-facts node) "Return what is known of the machine of @var{node}, an alist with strings as keys." (vector-ref node 3))
(define (node-pointer node) "Return the engine's pointer for @var{node}." (vector-ref node 4))
(define (node-processors node)
  "Return how many processors workers can use on @var{node}."
  (or (assoc-ref (node-facts node) "processors") 1))

;;; Records.

;; A command that was started, or, without one, an invitation in a file. END is #f while it runs, then a list of exit status, signal and
;; text. HOSTS are those that it was asked for, #f: all. QUIET?: its lines are not shown, only kept.
(define-record-type <launch>
  (make-launch number command count hosts quiet? lines end)
  launch?
  (number launch-number)
  (command launch-command)              ; #f: none
  (count launch-count set-launch-count!)
  (hosts launch-hosts)
  (quiet? launch-quiet?)
  (lines launch-lines-reversed set-launch-lines!)
  (end launch-end set-launch-end!))

(define-record-type <cluster>
  (make-cluster launcher handle launches files restarts clocks notes pools idle-since last-arrival refusals
                launched? begun? met loud? spoke? closed?)
  cluster?
  (launcher cluster-launcher)
  (handle cluster-handle)
  (launches cluster-launches set-cluster-launches!)   ; newest first
  (files cluster-files set-cluster-files!)            ; invitations, to be removed
  (restarts cluster-restarts set-cluster-restarts!)   ; of nodes that are lost, by index
  (clocks cluster-clocks set-cluster-clocks!)         ; by index, seconds by which a machine's is ahead
  (notes cluster-notes set-cluster-notes!)            ; what people are to be told, the newest first
  (pools cluster-pools set-cluster-pools!)            ; how many use it
  (idle-since cluster-idle-since set-cluster-idle-since!) ; #f: not idle
  (last-arrival cluster-last-arrival set-cluster-last-arrival!)
  (refusals cluster-refusals set-cluster-refusals!)   ; texts
  (launched? cluster-launched? set-cluster-launched!) ; its commands were started, or could not be
  (begun? cluster-begun? set-cluster-begun!)          ; a pool was made with it
  (met cluster-met set-cluster-met!)                  ; indices of the nodes that were there then
  (loud? cluster-loud? set-cluster-loud!)             ; all lines of commands are shown
  (spoke? cluster-spoke? set-cluster-spoke!)          ; one was
  (closed? cluster-closed? set-cluster-closed!))

(define-record-type <restart>
  (make-restart name attempts due launch)
  restart?
  (name restart-name)
  (attempts restart-attempts)
  (due restart-due)
  (launch restart-launch))              ; the last one, or #f

(for-each (lambda (procedure text) (set-object-property! procedure 'documentation text))
          (list cluster? cluster-launcher cluster-handle cluster-pools set-cluster-pools! cluster-idle-since set-cluster-idle-since!
                cluster-closed? cluster-last-arrival cluster-refusals cluster-begun?
                cluster-launched? cluster-spoke? launch-command launch-end)
          '("Return true if the argument is what a launcher has started."
            "Return the launcher of a cluster."
            "Return the engine's object of a cluster."
            "Return how many pools use a cluster."
            "Set how many pools use a cluster."
            "Return since when no pool uses a cluster, @code{#f} if one does."
            "Set since when no pool uses a cluster."
            "Return true if a cluster was closed."
            "Return when an agent came last, @code{#f} if none did."
            "Return the reasons why agents were refused, the newest first."
            "Return true if a pool was made with a cluster."
            "Return true if the commands of a cluster were started, or could not be."
            "Return true if a line of one of the cluster's commands was shown."
            "Return the command of a launch, a list of strings; @code{#f} if it has none."
            "Return the list of exit status, signal and text with which a command has ended, @code{#f} while it runs."))

(define (launch-lines launch)
  "Return the last lines that the command of @var{launch} has written, the oldest first."
  (reverse (launch-lines-reversed launch)))

;; Events are taken, and commands started, by one thread at a time.
(define one-at-a-time (make-shared-mutex 'recursive))

(define (seconds-now)
  "Return the time in seconds since an arbitrary point."
  (/ (exact->inexact (get-internal-real-time)) internal-time-units-per-second))

;; People are told when the lock is free again: where they read may be slow.
(define (note! cluster text)
  (set-cluster-notes! cluster (cons text (cluster-notes cluster))))

(define (tell-notes! cluster)
  (let ((notes (with-mutex one-at-a-time
                 (let ((notes (reverse (cluster-notes cluster))))
                   (set-cluster-notes! cluster '())
                   notes))))
    (for-each (lambda (text) (tell-people cluster text)) notes)))

(define (tell-people cluster text)
  "Write the line @var{text} about @var{cluster} to the error port."
  (write-line-beside (current-error-port)
                     (string-append "tutti: " (launcher-name (cluster-launcher cluster)) ": " text)))

;;; Starting.

(define lost-after 2)                   ; seconds without an acknowledgement of its kernel
(define silence 60)                     ; seconds without a word of a machine that is there

(define (open-cluster launcher different?)
  "Return a new cluster of @var{launcher}, without machines. With @var{different?} agents come in that may compute other bits."
  (make-cluster launcher (%cluster-new (session-owner (current-session)) #f lost-after silence different?)
                '() '() '() '() '() 0 #f #f '() #f #f '() #f #f #f))

(define (cache-folder)
  (let ((home (getenv "HOME")))
    (cond ((getenv "XDG_CACHE_HOME") => (lambda (folder) (in-vicinity folder "tutti")))
          (home (in-vicinity home ".cache/tutti"))
          (else (in-vicinity (getcwd) ".tutti")))))

(define (make-folders! folder)
  (unless (file-exists? folder)
    (make-folders! (dirname folder))
    (false-if-exception (mkdir folder #o700)))) ; another process may have made it by now

(define (invitation-folder)
  (let ((cache (cache-folder)))
    (make-folders! cache)
    (mkdtemp (in-vicinity cache "invitation-XXXXXX"))))

(define (add-launch! cluster launch)
  (set-cluster-launches! cluster (cons launch (cluster-launches cluster)))
  launch)

(define (write-invitation! cluster count hosts)
  (let ((file (in-vicinity (invitation-folder) "invitation")))
    (set-cluster-files! cluster (cons file (cluster-files cluster)))
    (add-launch! cluster (make-launch (%cluster-write-invitation! (cluster-handle cluster) count file) #f count hosts #f '() #f))
    file))

(define* (launch! cluster hosts #:optional quiet?)
  "Run the commands that start agents on HOSTS, or all if that is #f; return their launches."
  (let ((request (make-request hosts (list (%agent-program)) (lambda (count) (write-invitation! cluster count hosts)))))
    (map (match-lambda
           ((count . command)
            (let ((number (%cluster-launch! (cluster-handle cluster) command count)))
              (add-launch! cluster (make-launch number command count hosts quiet? '() #f)))))
         (start-commands (cluster-launcher cluster) request))))

(define (launch-all! cluster)
  "Run the commands that start all agents of @var{cluster}."
  (with-mutex one-at-a-time
    (set-cluster-launched! cluster #t)
    (launch! cluster #f)))

(define (launch-each! cluster hosts)
  "Run the commands that start agents on @var{hosts}, each by itself, in the place of those that have failed for several."
  (with-mutex one-at-a-time
    (for-each (lambda (launch) (set-launch-count! launch 0)) (cluster-launches cluster))
    (for-each (lambda (host) (launch! cluster (list host))) hosts)))

(define (superseded-hosts cluster)
  "Return the names of the hosts of @var{cluster} that are not there, if one command for several has failed, so that each may be tried
by itself; else the empty list."
  (if (any (lambda (launch) (and (> (launch-count launch) 1) (not (launch-hosts launch)) (launch-end launch))) (cluster-launches cluster))
      (let ((names (map node-name (there-nodes cluster))))
        (remove (lambda (host) (find-host host names)) (or (launcher-hosts (cluster-launcher cluster)) '())))
      '()))

;;; Looking.

(define (cluster-nodes cluster)
  "Return the list of the nodes of @var{cluster}."
  (%cluster-nodes (cluster-handle cluster)))

(define (there-nodes cluster)
  "Return the list of the nodes of @var{cluster} on which workers can run now."
  (filter node-there? (cluster-nodes cluster)))

(define (expected-agents cluster)
  "Return how many agents the commands of @var{cluster} start."
  (fold + 0 (map launch-count (cluster-launches cluster))))

(define (running? cluster)
  "Return true if a command of @var{cluster} is running, or agents may find their invitation in a file."
  (any (lambda (launch) (not (launch-end launch))) (cluster-launches cluster)))

(define (failed? launch)
  (match (launch-end launch)
    (#f #f)
    ((status . _) (not (eqv? status 0)))))

(define (failed-launches cluster)
  "Return the launches of @var{cluster} whose commands have ended, those that have failed first, the oldest first."
  (call-with-values (lambda () (partition failed? (filter launch-end (reverse (cluster-launches cluster)))))
    append))

(define (begin-cluster! cluster)
  "Say that a pool is made with @var{cluster}; return the nodes that are there."
  (let ((nodes (there-nodes cluster)))
    (unless (cluster-begun? cluster)
      (set-cluster-met! cluster (map node-index nodes))
      (set-cluster-begun! cluster #t))
    nodes))

;;; Machines that are lost are started again, where the launcher can: after 2, 4, 8 … 60 s.

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

(define (give-up! cluster index restart)
  (set-restart! cluster index #f)
  (let ((lines (and (restart-launch restart) (launch-lines (restart-launch restart)))))
    (note! cluster (format #f "~a could not be started again~@[: ~a~]" (restart-name restart)
                                 (and (pair? (or lines '())) (last lines))))))

(define (start-again! cluster index restart now)
  (if (>= (restart-attempts restart) most-attempts)
      (give-up! cluster index restart)
      (match (launch! cluster (list (restart-name restart)) #t)
        (() (set-restart! cluster index #f))
        ((launch . _)
         ;; It replaces one that was expected before.
         (set-launch-count! launch 0)
         (set-restart! cluster index
                       (make-restart (restart-name restart) (1+ (restart-attempts restart)) (+ now (pause (restart-attempts restart)))
                                     launch))))))

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
      (for-each (lambda (text) (note! cluster (string-append "refused: " text))) (reverse (cluster-refusals cluster)))))
  (tell-notes! cluster))

(define (handle-end! cluster launch status signal text)
  ;; TEXT: lines that have come before, unless the command could not even be started.
  (when (and text (null? (launch-lines launch)))
    (set-launch-lines! launch (reverse (remove string-null? (lines text)))))
  (set-launch-end! launch (list status signal (if (>= status 0)
                                                  (format #f "ended with status ~a" status)
                                                  (format #f "ended by signal ~a" signal))))
  (when (and (cluster-begun? cluster) (not (launch-quiet? launch)) (failed? launch))
    (note! cluster (format #f "`~a' has ~a" (first (launch-command launch)) (third (launch-end launch))))))

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
    (('agent index name)
     (note-clock! cluster index)
     (set-cluster-last-arrival! cluster (seconds-now))
     ;; Its news may come after the node.
     (when (and (cluster-begun? cluster) (not (memv index (cluster-met cluster))))
       (note! cluster (format #f "~a is there, for pools that are made from now on" name))))
    (('different _ name text)
     (note! cluster (format #f "~a: ~a" name text)))
    (('draining _ name text)
     (note! cluster (format #f "~a is to end: ~a" name text)))
    (('lost index name text)
     (note! cluster (format #f "~a is lost: ~a" name text))
     (unless (restart-of cluster index)
       (set-restart! cluster index (make-restart name 0 (+ (seconds-now) (pause 0)) #f))))
    (('ready index name)
     (set-cluster-last-arrival! cluster (seconds-now))
     (set-restart! cluster index #f)
     (note! cluster (format #f "~a is there again" name)))
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
              (false-if-exception (delete-file file))
              (false-if-exception (rmdir (dirname file))))
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
