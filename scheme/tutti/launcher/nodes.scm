;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The nodes of a launcher, for pools: started when the first pool needs them, shared by the pools of a session, and ended some time after
;; the last of these, or with the session.
(define-module (tutti launcher nodes)
  #:use-module (ice-9 format)
  #:use-module ((ice-9 threads) #:select (call-with-new-thread))
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base lock)
  #:use-module (tutti base log)
  #:use-module (tutti base scope)
  #:use-module (tutti base session)
  #:use-module (tutti base text)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher cluster)
  #:use-module (tutti launcher events)
  #:re-export (add-member!)
  #:export (acquire-nodes! release-nodes! nodes-pointers nodes-processors linger-seconds settle-seconds))

;; Those of a session: pairs of a key, launcher and whether bits may differ, and a cluster.
(define clusters (make-session-variable '()))
(define asked? (make-session-variable #f))
(define lock (make-shared-mutex))

(define linger-seconds (make-parameter 10))
(set-object-property! linger-seconds 'documentation "How long nodes stay for another pool, after the last: a parameter, in seconds.")
(define settle-seconds (make-parameter 10))
(set-object-property! settle-seconds 'documentation
                      "How long those that have not come are waited for after the last agent that has: a parameter, in seconds.")

;;; Waiting for agents.

(define first-word-after 2)             ; seconds in which most launchers are done, and nobody need be told
(define look-after 1)                   ; seconds

(define longest-word 60)
(define longest-command 300)

(define (shortened text limit)
  (if (> (string-length text) limit) (string-append (substring text 0 limit) "…") text))

(define (shown-command command)
  (define (shown word)
    ;; A script of shell has lines.
    (shortened (string-join (string-tokenize word) " ") longest-word))
  (shortened (string-join (map shown command) " ") longest-command))

(define (launch->text launch)
  (match (launch-end launch)
    ((_ _ text)
     (let ((lines (launch-lines launch)))
       (join-lines (format #f "  `~a': ~a~a" (shown-command (or (launch-command launch) '("an invitation in a file"))) text
                           (if (null? lines) "" (if (null? (cdr lines)) "; its last line:" "; its last lines:")))
                   (indent lines))))))

(define most-shown 3)

(define (told-in? text lines)
  ;; An agent that is refused says so as well.
  (let ((end (substring text (max 0 (- (string-length text) 60)))))
    (any (lambda (line) (string-contains line end)) lines)))

(define (nobody-came cluster)
  (let* ((launcher (cluster-launcher cluster))
         (launches (failed-launches cluster))
         (lines (append-map launch-lines launches))
         (refusals (reverse (cluster-refusals cluster)))
         (advice (and (null? refusals) ((launcher-advise launcher) lines))))
    (apply join-lines
           (format #f "no node has come up: ~a~a" (launcher->string launcher) (if (null? launches) ", which starts no agent" ""))
           (append (map launch->text (take launches (min most-shown (length launches))))
                   (if (> (length launches) most-shown)
                       (list (format #f "  and ~a more commands" (- (length launches) most-shown)))
                       '())
                   (map (lambda (text) (string-append "  refused: " text)) (remove (lambda (text) (told-in? text lines)) refusals))
                   (list (and advice (string-append "  " advice))
                         "  `tutti doctor --on', with the launcher as a text, tells more")))))

(define (tell-who-is-missing cluster)
  (let* ((there (there-nodes cluster))
         (expected (expected-agents cluster)))
    (show-lines! cluster (failed-launches cluster))
    (tell-people cluster (format #f "~a of ~a nodes have not come; going on with ~a" (- expected (length there)) expected
                                 (string-join (map node-name there) ", ")))))

(define (wait-for-agents cluster)
  "Wait until the agents of CLUSTER are there, or no more of them will come. Raise if none is there then."
  (let ((start (seconds-now)))
    (let loop ((told? #f) (retried? #f))
      (take-events! cluster)
      (let ((there (there-nodes cluster))
            (now (seconds-now)))
        (cond ((and (pair? there) (>= (length there) (expected-agents cluster))) #t)
              ((and (not retried?) (not (running? cluster)) (pair? (superseded-hosts cluster)))
               (let ((hosts (superseded-hosts cluster)))
                 (show-lines! cluster (failed-launches cluster))
                 (tell-people cluster (format #f "the command for all nodes has failed; trying each of ~a by itself"
                                              (string-join hosts ", ")))
                 (launch-each! cluster hosts)
                 (loop told? #t)))
              ((and (null? there) (cluster-launched? cluster) (not (running? cluster))) (refuse 'make-pool "~a" (nobody-came cluster)))
              ((and (pair? there)
                    (or (>= (length there) (coming-agents cluster))
                        (> (- now (or (cluster-last-arrival cluster) now)) (settle-seconds))))
               (tell-who-is-missing cluster))
              (else
               (let ((tell? (and (not told?) (> (- now start) first-word-after))))
                 (when tell?
                   (unless (cluster-spoke? cluster)
                     (tell-people cluster (format #f "waiting for the nodes of ~a; Ctrl-C ends that"
                                                  (launcher->string (cluster-launcher cluster)))))
                   (show-lines! cluster #f))
                 (wait-for-events cluster look-after)
                 (loop (or told? tell?) retried?))))))))

;;; Sharing.

(define (same-key? a b)
  (and (eq? (car a) (car b)) (eq? (cdr a) (cdr b))))

(define (find-cluster key)
  (any (match-lambda ((other . cluster) (and (same-key? key other) (not (cluster-closed? cluster)) cluster))) (clusters)))

(define (forget! cluster)
  (with-mutex lock
    (clusters (remove (lambda (entry) (eq? (cdr entry) cluster)) (clusters)))))

(define (close! cluster)
  (forget! cluster)
  (end-cluster! cluster))

(define (close-all!)
  ;; Their pools first: they would take the end of their nodes for a loss.
  (unless (null? (clusters))
    (let ((problem (close-things! 'pool)))
      (for-each (lambda (entry) (close! (cdr entry))) (clusters))
      (and=> problem raise-exception)))
  (asked? #f))

(define (end-with-session!)
  (unless (asked?)
    (asked? #t)
    (call-at-end! close-all!)))

(define (dead? cluster)
  ;; Commands that have ended, without a node: an allocation whose time was over.
  (and (cluster-begun? cluster) (null? (there-nodes cluster)) (not (running? cluster))))

(define (enter! cluster)
  (set-cluster-pools! cluster (1+ (cluster-pools cluster)))
  (set-cluster-idle-since! cluster #f)
  cluster)

(define (enter-cluster! key)
  "Return the cluster of KEY, for one more pool, and whether it is new."
  ;; What has happened since the last pool, people are told first.
  (and=> (with-mutex lock (find-cluster key)) take-events!)
  (call-with-values
      (lambda ()
        (with-mutex lock
          (let ((known (find-cluster key)))
            (if known
                (values (enter! known) #f)
                (let ((cluster (open-cluster (car key) (cdr key))))
                  (clusters (acons key cluster (clusters)))
                  (values (enter! cluster) #t))))))
    (lambda (cluster new?)
      (cond ((and (not new?) (dead? cluster))
             (release-nodes! cluster #t)
             (forget! cluster)
             (enter-cluster! key))
            (else
             (end-with-session!)
             (values cluster new?))))))

(define (acquire-nodes! launcher different?)
  "Return the cluster of @var{launcher}, for one more pool: the session's, which is started if there is none yet. Wait until its nodes
are there; raise if none comes. With @var{different?} also those that may compute other bits."
  (call-with-values (lambda () (enter-cluster! (cons launcher (->bool different?))))
    (lambda (cluster new?)
      (call-with-interrupts
       (lambda ()
         (call-cancelling
          (lambda ()
            (when new? (launch-all! cluster))
            (unless (and (cluster-begun? cluster) (pair? (there-nodes cluster)))
              (wait-for-agents cluster))
            (begin-cluster! cluster)
            cluster)
          ;; At once, and not after a while: an allocation that is waited for must not come after all.
          (lambda () (release-nodes! cluster #t))))))))

(define* (release-nodes! cluster #:optional at-once?)
  "Say that one pool less uses @var{cluster}. After the last it stays for @code{linger-seconds}; with @var{at-once?} it does not."
  (let ((idle? (with-mutex lock
                 (set-cluster-pools! cluster (1- (cluster-pools cluster)))
                 (and (zero? (cluster-pools cluster))
                      (begin (set-cluster-idle-since! cluster (seconds-now)) #t)))))
    (when idle?
      (if at-once? (close! cluster) (close-later cluster)))))

(define (close-later cluster)
  ;; Of a thread of its own, as nobody may wait for anything by then.
  (let ((since (cluster-idle-since cluster))
        (seconds (linger-seconds)))
    (define (unused?)
      (and (eqv? since (cluster-idle-since cluster)) (not (cluster-closed? cluster))))
    (call-with-new-thread
     (lambda ()
       (let loop ()
         (let ((rest (- (+ since seconds) (seconds-now))))
           (cond ((not (unused?)) #f)
                 ((> rest 0) (usleep (inexact->exact (ceiling (* 1e6 (min rest 1))))) (loop))
                 ;; Whoever enters it now gets another one.
                 ((with-mutex lock
                    (and (unused?)
                         (begin (clusters (remove (lambda (entry) (eq? (cdr entry) cluster)) (clusters))) #t)))
                  (end-cluster! cluster)))))))))

(define (nodes-pointers cluster)
  "Return the engine's pointers for the nodes of @var{cluster} that are there."
  (map node-pointer (there-nodes cluster)))

(define (nodes-processors cluster)
  "Return how many processors workers can use on the nodes of @var{cluster} that are there."
  (fold + 0 (map node-processors (there-nodes cluster))))
