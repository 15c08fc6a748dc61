;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The machines that one launcher has started, their commands, and what has happened to them. (What the engine calls a cluster.)
(define-module (tutti launcher cluster)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module ((tutti base primitives) #:select (%pool-add-node!))
  #:use-module (tutti base session)
  #:use-module (tutti conditions)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher hosts)
  #:use-module (tutti launcher primitives)
  #:export (open-cluster tell-people launch-lines node-index node-name node-there? node-facts node-pointer node-processors
            one-at-a-time seconds-now note! note-refusals! tell-notes! add-launch! launch! launch-all! launch-each! superseded-hosts
            cluster-nodes there-nodes expected-agents coming-agents running? failed? failed-launches begin-cluster! make-launch
            launch-number launch-command set-launch-count! launch-quiet? launch-lines-reversed set-launch-lines! launch-end
            set-launch-end! cluster-launcher cluster-handle cluster-launches cluster-files set-cluster-files! cluster-restarts
            set-cluster-restarts! cluster-clocks set-cluster-clocks! cluster-pools set-cluster-pools! join-pools! add-member!
            cluster-idle-since set-cluster-idle-since! cluster-last-arrival set-cluster-last-arrival! cluster-refusals set-cluster-refusals!
            cluster-launched? cluster-begun? cluster-suffered? set-cluster-suffered! cluster-loud? set-cluster-loud!
            cluster-spoke? set-cluster-spoke! cluster-closed? set-cluster-closed!))

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
  (make-cluster launcher handle launches files restarts clocks notes pools members idle-since last-arrival refusals
                launched? begun? suffered? loud? spoke? closed?)
  cluster?
  (launcher cluster-launcher)
  (handle cluster-handle)
  (launches cluster-launches set-cluster-launches!)   ; newest first
  (files cluster-files set-cluster-files!)            ; invitations, to be removed
  (restarts cluster-restarts set-cluster-restarts!)   ; of nodes that are lost, by index
  (clocks cluster-clocks set-cluster-clocks!)         ; by index, seconds by which a machine's is ahead
  (notes cluster-notes set-cluster-notes!)            ; what people are to be told, the newest first
  (pools cluster-pools set-cluster-pools!)            ; how many use it
  (members cluster-members)                           ; the engine's handles of these, as keys of a weak table
  (idle-since cluster-idle-since set-cluster-idle-since!) ; #f: not idle
  (last-arrival cluster-last-arrival set-cluster-last-arrival!)
  (refusals cluster-refusals set-cluster-refusals!)   ; texts
  (launched? cluster-launched? set-cluster-launched!) ; its commands were started, or could not be
  (begun? cluster-begun? set-cluster-begun!)          ; a pool was made with it
  (suffered? cluster-suffered? set-cluster-suffered!) ; a node was lost
  (loud? cluster-loud? set-cluster-loud!)             ; all lines of commands are shown
  (spoke? cluster-spoke? set-cluster-spoke!)          ; one was
  (closed? cluster-closed? set-cluster-closed!))

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
  "Let people be told the line @var{text} about @var{cluster} when the lock is free."
  (set-cluster-notes! cluster (cons text (cluster-notes cluster))))

(define (tell-notes! cluster)
  "Tell people what was noted of @var{cluster}."
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
                '() '() '() '() '() 0 (make-weak-key-hash-table) #f #f '() #f #f #f #f #f #f))

(define (cache-folder)
  (let ((home (getenv "HOME")))
    (cond ((getenv "XDG_CACHE_HOME") => (lambda (folder) (in-vicinity folder "tutti")))
          (home (in-vicinity home ".cache/tutti"))
          (else (in-vicinity (getcwd) ".tutti")))))

(define (make-folders! folder)
  (unless (file-exists? folder)
    (make-folders! (dirname folder))
    (false-if-error (mkdir folder #o700)))) ; another process may have made it by now

(define (invitation-folder)
  (let ((cache (cache-folder)))
    (make-folders! cache)
    (mkdtemp (in-vicinity cache "invitation-XXXXXX"))))

(define (add-launch! cluster launch)
  "Remember @var{launch}, and return it."
  (set-cluster-launches! cluster (cons launch (cluster-launches cluster)))
  launch)

(define (write-invitation! cluster count hosts)
  (let ((file (in-vicinity (invitation-folder) "invitation")))
    (set-cluster-files! cluster (cons file (cluster-files cluster)))
    (add-launch! cluster (make-launch (%cluster-write-invitation! (cluster-handle cluster) count file) #f count hosts #f '() #f))
    file))

(define* (launch! cluster hosts #:optional quiet?)
  "Run the commands that start agents on @var{hosts}, or all if that is @code{#f}, and return their launches; with @var{quiet?} their lines
are not shown."
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
  "Return the list of the nodes of @var{cluster} on which workers can run now, n2 before n10."
  (sort (filter node-there? (cluster-nodes cluster))
        (lambda (a b)
          (let ((a (node-name a)) (b (node-name b)))
            (or (< (string-length a) (string-length b))
                (and (= (string-length a) (string-length b)) (string<? a b)))))))

(define (expected-agents cluster)
  "Return how many agents the commands of @var{cluster} start."
  (fold + 0 (map launch-count (cluster-launches cluster))))

(define (coming-agents cluster)
  "Return how many agents the commands of @var{cluster} start that have not ended: one that has has none any more."
  (fold (lambda (launch sum) (if (launch-end launch) sum (+ sum (launch-count launch)))) 0 (cluster-launches cluster)))

(define (running? cluster)
  "Return true if a command of @var{cluster} is running, or agents may find their invitation in a file."
  (any (lambda (launch) (not (launch-end launch))) (cluster-launches cluster)))

(define (failed? launch)
  "Return true if the command of @var{launch} has ended, and not well."
  (match (launch-end launch)
    (#f #f)
    ((status . _) (not (eqv? status 0)))))

(define (failed-launches cluster)
  "Return the launches of @var{cluster} whose commands have ended, those that have failed first, the oldest first."
  (call-with-values (lambda () (partition failed? (filter launch-end (reverse (cluster-launches cluster)))))
    append))

(define (note-refusals! cluster)
  "Let people be told who has been refused by @var{cluster}."
  (for-each (lambda (text) (note! cluster (string-append "refused: " text))) (reverse (cluster-refusals cluster))))

(define (begin-cluster! cluster)
  "Say that a pool is made with @var{cluster}."
  ;; Strangers, for all that were expected have come; otherwise this was told before.
  (unless (or (cluster-begun? cluster) (cluster-loud? cluster))
    (note-refusals! cluster))
  (set-cluster-begun! cluster #t))

(define (join-pools! cluster index)
  "Let the pools of @var{cluster} have workers on its node with @var{index}, which has come."
  (let ((pointer (node-pointer (list-ref (cluster-nodes cluster) index))))
    (hash-for-each (lambda (handle _) (%pool-add-node! handle pointer)) (cluster-members cluster))))

(define (add-member! cluster handle)
  "Remember that the workers of the pool with @var{handle} are on @var{cluster}, and let it have those nodes that have come since it was
made."
  (with-mutex one-at-a-time
    (hashq-set! (cluster-members cluster) handle #t)
    (for-each (lambda (node) (%pool-add-node! handle (node-pointer node))) (cluster-nodes cluster))))
