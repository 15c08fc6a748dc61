;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What (tutti launcher primitives) has, for tests that need no network: commands of launchers are real processes of this machine, and
;; agents are processes that write a file with their name into a folder, which the invitation names. Each becomes a node with a watcher of
;; its own, so that pools really have workers there. A node is lost when its agent has ended.
;;
;; An agent is (fake-agent NAME …): the words of a command that reads the invitation. (use-fake-cluster!) is called before the first pool.
;; $FAKE_CLUSTERS names the folder that these folders are in.
(define-module (fake-cluster)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (test-primitives)
  #:use-module (tutti base check)
  #:use-module ((tutti conditions) #:select (false-if-error))
  #:use-module ((tutti base primitives) #:select (%wakeup-wait))
  #:use-module ((tutti launcher primitives) #:select (use-primitives!))
  #:export (use-fake-cluster! fake-agent clusters-made commands-run given-up fake-processors set-fake-differences!
            fake-folder fake-folders kill-agent!))

(define-record-type <fake>
  (make-fake folder launches nodes events different? closed?)
  fake?
  (folder fake-folder)
  (launches launches-of set-launches!)  ; by number, how much of the output was read, and whether its end was told
  (nodes nodes-of set-nodes!)
  (events events-of set-events!)
  (different? lets-different-in?)
  (closed? closed? set-closed!))

(define-record-type <node>
  (make-node index name pid pointer)
  node?
  (index index-of)
  (name name-of)
  (pid pid-of set-pid!)                 ; #f: it is lost
  (pointer pointer-of))

(define clusters-made 0)
(define fake-folders '())               ; of all of them
(define commands-run '())               ; the newest first
(define given-up '())                   ; pairs of a node's name and why, the newest first
(define fake-processors 2)
(define fake-differences '())           ; pairs of a name and a text

(define* (fake-agent name #:key (before "") (after ""))
  "Return the command of an agent that calls itself @var{name}. The lines of shell @var{before} are run before it is there; @var{after}
afterwards, and then it waits until it is ended."
  (list "sh" "-c"
        (string-append "read folder; read end; cd \"$folder\"\n" before "\n"
                       "echo $$ > new-$0; mv new-$0 agent-$0\n" after "\n"
                       "while test -e run; do sleep 0.1; done")
        name))

(define (file-in folder . parts) (string-append folder "/" (string-concatenate parts)))
(define (contents file) (or (false-if-error (call-with-input-file file get-string-all)) ""))

;;; The primitives.

(define (%cluster-new owner address lost-after silence different?)
  (set! clusters-made (1+ clusters-made))
  (let ((folder (mkdtemp (string-append (or (getenv "FAKE_CLUSTERS") (getenv "TMPDIR") "/tmp") "/tutti-fake-XXXXXX"))))
    (close-port (open-output-file (file-in folder "run")))
    (set! fake-folders (cons folder fake-folders))
    (make-fake folder '() '() '() different? #f)))

(define (invitation fake) (string-append (fake-folder fake) "\nend\n"))

(define (add-launch! fake told?)
  (let ((number (1+ (length (launches-of fake)))))
    (set-launches! fake (append (launches-of fake) (list (vector number 0 told?))))
    number))

(define (%cluster-launch! fake argv count)
  (unless (or (string-index (car argv) #\/) (search-path (parse-path (getenv "PATH")) (car argv)))
    (refuse 'make-pool "cannot run ~a: there is no such program on the PATH" (car argv)))
  (set! commands-run (cons argv commands-run))
  (let* ((number (add-launch! fake #f))
         (folder (file-in (fake-folder fake) "launch-" (number->string number))))
    (mkdir folder)
    (call-with-output-file (file-in folder "in") (lambda (port) (display (invitation fake) port)))
    (apply system* "sh" "-c"
           "d=$0; { setsid -w \"$@\" < $d/in > $d/out 2>&1 & echo $! > $d/pid.new; mv $d/pid.new $d/pid; wait $!
            echo $? > $d/status.new; mv $d/status.new $d/status; } > /dev/null 2>&1 &"
           folder argv)
    number))

(define (%cluster-write-invitation! fake count file)
  (call-with-output-file file (lambda (port) (display (invitation fake) port)))
  (chmod file #o600)
  (add-launch! fake #t))

(define (alive? pid) (false-if-error (begin (kill pid 0) #t)))

(define (emit! fake . events) (set-events! fake (append (events-of fake) events)))

(define (look-at-launch! fake launch)
  (match launch
    (#(number seen told?)
     (let* ((folder (file-in (fake-folder fake) "launch-" (number->string number)))
            (status (string-trim-right (contents (file-in folder "status"))))
            (lines (drop-right (string-split (contents (file-in folder "out")) #\newline) 1)))
       (for-each (lambda (line) (emit! fake (list 'line number #t line))) (drop lines seen))
       (vector-set! launch 1 (length lines))
       (unless (or told? (string-null? status))
         (vector-set! launch 2 #t)
         (let ((status (string->number status)))
           (emit! fake (if (> status 128)
                           (list 'ended number -1 (- status 128) #f)
                           (list 'ended number status 0 #f)))))))))

(define (facts-of name)
  `(("host" . ,name) ("clock" . ,(let ((now (gettimeofday))) (+ (* 1000000 (car now)) (cdr now))))
    ("processors" . ,fake-processors) ("memory-free" . 3000000000) ("memory" . 4000000000)))

(define (node-named fake name) (find (lambda (node) (string=? name (name-of node))) (nodes-of fake)))

(define (agent-came! fake name pid)
  (let ((node (node-named fake name))
        (difference (assoc-ref fake-differences name)))
    (cond (node
           (set-pid! node pid)
           (emit! fake (list 'ready (index-of node) name)))
          ((and difference (not (lets-different-in? fake)))
           (emit! fake (list 'refused difference))
           (kill pid SIGTERM))
          (else
           (let ((index (length (nodes-of fake))))
             (set-nodes! fake (append (nodes-of fake) (list (make-node index name pid (%add-local-node!)))))
             (emit! fake (list 'agent index name))
             (when difference (emit! fake (list 'different index name difference))))))))

(define (look! fake)
  (unless (closed? fake)
    (for-each (lambda (launch) (look-at-launch! fake launch)) (launches-of fake))
    (for-each (lambda (node)
                (unless (or (not (pid-of node)) (alive? (pid-of node)))
                  (set-pid! node #f)
                  (emit! fake (list 'lost (index-of node) (name-of node) "its agent has ended"))))
              (nodes-of fake))
    (for-each (lambda (file)
                (let ((pid (string->number (string-trim-right (contents (file-in (fake-folder fake) file))))))
                  (delete-file (file-in (fake-folder fake) file))
                  (agent-came! fake (substring file 6) pid)))
              (scandir (fake-folder fake) (lambda (name) (string-prefix? "agent-" name))))))

(define (%cluster-events! fake)
  (look! fake)
  (let ((events (events-of fake)))
    (set-events! fake '())
    events))

;; None: whoever waits looks again and again.
(define (%cluster-wakeup fake) -1)

(define (%cluster-nodes fake)
  (map (lambda (node)
         (vector (index-of node) (name-of node) (->bool (pid-of node)) (facts-of (name-of node)) (pointer-of node)))
       (nodes-of fake)))

(define (%cluster-give-up! fake index reason)
  (set! given-up (acons (name-of (list-ref (nodes-of fake) index)) reason given-up)))

(define (end-launch! folder grace-ms)
  "End what was launched with @var{folder}. Its status is the last thing that is written there."
  (define (ended?) (or (not (file-exists? folder)) (file-exists? (file-in folder "status"))))
  (let wait ((n 0) (ended-by #f))
    (when (and (not (ended?)) (< n (quotient grace-ms 5)))
      (let ((pid (string->number (string-trim-right (contents (file-in folder "pid"))))))
        (when (and pid (not (eqv? pid ended-by)))
          (false-if-error (kill (- pid) SIGTERM)))
        (%wakeup-wait -1 0.005)
        (wait (1+ n) pid)))))

(define (%cluster-close! fake grace-ms)
  (unless (closed? fake)
    (set-closed! fake #t)
    (let ((folder (fake-folder fake)))
      (false-if-error (delete-file (file-in folder "run")))
      (for-each (match-lambda (#(number _ _) (end-launch! (file-in folder "launch-" (number->string number)) grace-ms)))
                (launches-of fake))
      (system* "rm" "-rf" folder))))

(define (%cluster-ping fake index) 0.0001)
(define (%cluster-stream fake index bytes) (/ bytes 500e6))
(define (%facts) (facts-of "here"))
(define (%facts-different fake index) (assoc-ref fake-differences (name-of (list-ref (nodes-of fake) index))))
(define (%agent-program) "tutti-agent")

;;; What tests do to it.

(define (set-fake-differences! alist)
  "Let the agents differ whose names are in @var{alist}, each with a text."
  (set! fake-differences alist))

(define (kill-agent! cluster name)
  "End the agent @var{name} of @var{cluster}."
  (kill (pid-of (node-named ((@ (tutti launcher cluster) cluster-handle) cluster) name)) SIGKILL))

(define (use-fake-cluster!)
  "Let launchers start what is above."
  (use-primitives! (resolve-module '(fake-cluster))))
