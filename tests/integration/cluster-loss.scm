;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Hosts that fail while something is going on, links that are slow, and a script that is stopped: it ends, with the bits of one machine.
(use-modules (tap) (background) (cluster) (pace) (processes) (programs) (ice-9 format) (ice-9 ftw) (ice-9 match) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64))

(define (comment format-string . arguments)
  (apply format #t (string-append "# " format-string "~%") arguments)
  (force-output))

;;; The script of these tests, fixtures/cluster-loss.scm, in a folder of its own.

(define all-phases '("start" "broadcast" "task" "count" "gather" "sum" "linearise" "adjoint" "shutdown"))

(define (folder-for name)
  (let ((folder (string-append (cluster-folder) "/" name)))
    (mkdir folder)
    folder))

(define (file-in folder . parts) (string-append folder "/" (string-concatenate parts)))
(define (touch file) (close-port (open-output-file file)))
(define (go! folder phase) (touch (file-in folder phase ".go")))
(define (contents file) (call-with-input-file file get-string-all))

;; Which wait for anybody; the script goes through all others.
(define (prepare folder phases)
  (for-each (lambda (phase) (go! folder phase)) (lset-difference string=? all-phases phases)))

(define (started? folder phase host)
  "Return true when somebody on HOST is in the middle of PHASE; an error if nobody ever is."
  (or (await (lambda () (pair? (scandir folder (lambda (name) (string-prefix? (string-append phase "." host ".") name))))) patience)
      (error "nobody is there" phase host folder (false-if-exception (contents (file-in folder "errors"))))))

(define (over? folder phase)
  "Return true when PHASE is over, within a minute: what is waited for is noticed within two seconds."
  (await (lambda () (file-exists? (file-in folder phase ".done"))) 60))

(define (undisturbed workers)
  "Return what the script prints with WORKERS on one host."
  (let ((folder (folder-for (format #f "here-~a" workers))))
    (prepare folder '())
    (program-output (tutti-on "head" (fixture "cluster-loss.scm") (list folder (number->string workers))))))

;; Call PROC while the script runs in FOLDER by ON; return what it has printed, and what stands on its error port.
(define* (call-with-script folder on workers proc #:key (env '()))
  (call-with-running-on "head"
      ;; Not as the shell itself: what has entered the host stops with its own process.
      (list "sh" "-c" "\"$@\" 2> \"$0\" & wait $!" (file-in folder "errors")
            tutti "run" "--on" on (fixture "cluster-loss.scm") folder (number->string workers))
    (lambda (port)
      (proc)
      (let ((output (get-string-all port)))
        (list output (contents (file-in folder "errors")))))
    #:env env))

;;; Hosts.

(define (agent-do! host signal)
  (run-on host (list "sh" "-c" (format #f "kill -~a $(pidof tutti-agent)" signal))))

(define (unread host)
  "Return how many bytes HOST has received that its agent, which is stopped, has not read."
  (define (bytes line)
    (match (string-tokenize line)
      ;; What is connected, but for ssh's own.
      ((_ local _ "01" queues . _)
       (if (string-suffix? ":0016" local) 0 (string->number (cadr (string-split queues #\:)) 16)))
      (_ 0)))
  (apply + (map bytes (string-split (program-output (run-on host '("cat" "/proc/net/tcp"))) #\newline))))

(define (hosts first last)
  (string-append "ssh:" (string-join (map (lambda (i) (format #f "n~a" i)) (iota (1+ (- last first)) first)) ",")))

;;; Without power, at each moment.

;; The script itself is in the middle of PHASE: what it begins arrives at a host whose agent does not read it.
(define (lose-unread! folder phase host bytes)
  (started? folder phase "head")
  (agent-do! host "STOP")
  (let ((before (unread host)))
    (go! folder phase)
    (test-assert (string-append phase ": it is under way")
      (await (lambda () (> (unread host) (+ before bytes))) 60)))
  (cut! folder phase host "power-off"))

;; A worker on HOST is in the middle of PHASE.
(define (lose-worker! folder phase host)
  (started? folder phase host)
  (cut! folder phase host "power-off")
  (go! folder phase))

;; What is measured is the time from the loss to the end of the phase.
(define (cut! folder phase host how)
  (cluster! how host)
  (set! cut-at (seconds-now)))
(define cut-at 0)

(define moments
  `(("start" "n8" ,(lambda (folder host) (lose-unread! folder "start" host 1000)))
    ("broadcast" "n7" ,(lambda (folder host) (lose-unread! folder "broadcast" host 20000)))
    ("task" "n6" ,(lambda (folder host) (lose-worker! folder "task" host)))
    ("gather" "n5" ,(lambda (folder host) (lose-worker! folder "gather" host)))
    ("linearise" "n4" ,(lambda (folder host) (lose-worker! folder "linearise" host)))
    ("adjoint" "n3" ,(lambda (folder host) (lose-worker! folder "adjoint" host)))
    ("shutdown" "n2" ,(lambda (folder host) (lose-unread! folder "shutdown" host 100)))))

(define (test-power)
  (define folder (folder-for "power"))
  (define workers 16)
  (prepare folder (map first moments))
  (match (call-with-script folder (hosts 1 8) workers
           (lambda ()
             (for-each (match-lambda
                         ((phase host lose!)
                          (lose! folder host)
                          (test-assert (string-append phase ": it goes on") (over? folder phase))
                          (comment "~a: ~,1f s from the loss to the end" phase (- (seconds-now) cut-at))))
                       moments)))
    ((output errors)
     (test-equal "no power: the same bits" (undisturbed workers) output)
     (for-each (match-lambda
                 ((phase host _) (test-assert (string-append phase ": people are told") (string-contains errors host))))
               moments))))

;;; Without a network for a while: what has ended is not done again, and what comes late is not taken.

(define (test-network expected)
  (define folder (folder-for "network"))
  (define (files prefix)
    (map (lambda (name) (substring name (string-length prefix))) (scandir folder (lambda (name) (string-prefix? prefix name)))))
  (define answered '())
  (prepare folder '("count" "shutdown"))
  (match (call-with-script folder (hosts 9 10) 4
           (lambda ()
             (started? folder "count" "n10")
             (await (lambda () (file-exists? (file-in folder "answered.49"))) patience) ; those behind it wait
             (cut! folder "count" "n10" "partition")
             (set! answered (files "answered."))
             ;; They end over there as well, and nobody hears of it.
             (go! folder "count")
             (test-assert "no network: it goes on" (over? folder "count"))
             (comment "count: ~,1f s from the loss to the end" (- (seconds-now) cut-at))
             (cluster! "heal" "n10")
             (test-assert "no network: it goes on to the end" (started? folder "shutdown" "head"))
             (go! folder "shutdown")))
    ((output errors)
     (test-equal "no network: the same bits" expected output)
     (test-assert "no network: people are told" (string-contains errors "node n10 is lost"))
     (test-equal "no network: nothing is left over there" "" (program-output (run-on "n10" '("pidof" "tutti-worker" "tutti-agent"))))
     (let ((runs (map (lambda (task) (cons task (stat:size (stat (file-in folder "run." task))))) (files "run."))))
       (test-equal "no network: all tasks" 100 (length runs))
       (test-assert "no network: some had been answered" (>= (length answered) 50))
       (test-equal "no network: those were not done again" '()
         (filter (lambda (task) (not (eqv? 1 (assoc-ref runs task)))) answered))
       (test-equal "no network: nothing was done more than twice" '() (filter (lambda (run) (> (cdr run) 2)) runs))
       (comment "~a tasks were done twice" (count (lambda (run) (= (cdr run) 2)) runs))))))

;;; A slow link.

(define (call-with-slow-ssh folder link proc)
  "Call PROC with the environment in which ssh lets agents dial LINK, the arguments of slow-link."
  (let ((programs (file-in folder "bin")))
    (mkdir programs)
    (symlink (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/slow-ssh.sh") (string-append programs "/ssh"))
    (proc (list (string-append "PATH=" programs ":" (getenv "PATH"))
                (string-append "SLOW_FOLDER=" folder) (string-append "SLOW_LINK=" link) "SLOW_SILENCE=3000"))))

(define (link-do! folder host command)
  (call-with-output-file (file-in folder host ".commands") (lambda (port) (format port "~a~%" command)))
  (await (lambda () (string-contains (contents (file-in folder host ".link")) command)) patience))

(define (test-delay expected)
  (define folder (folder-for "delay"))
  (prepare folder '("task" "gather" "shutdown"))
  (match (call-with-slow-ssh folder "50"
           (lambda (env)
             (call-with-script folder (hosts 9 10) 4
               (lambda ()
                 (started? folder "task" "n10")
                 (for-each (lambda (host) (link-do! folder host "stall")) '("n9" "n10"))
                 (go! folder "task")
                 (sleep 1)              ; what is tested
                 (for-each (lambda (host) (link-do! folder host "go")) '("n9" "n10"))
                 (test-assert "a slow link: a second of silence" (over? folder "task"))
                 (started? folder "gather" "n10")
                 (test-assert "a slow link: nothing is lost" (not (string-contains (contents (file-in folder "errors")) "lost")))
                 (link-do! folder "n10" "stall")
                 (set! cut-at (seconds-now))
                 (go! folder "gather")
                 (test-assert "a slow link: more silence than is allowed" (over? folder "gather"))
                 (comment "gather: ~,1f s from the silence to the end" (- (seconds-now) cut-at))
                 (test-assert "a slow link: to the end" (started? folder "shutdown" "head"))
                 (go! folder "shutdown"))
               #:env env)))
    ((output errors)
     (test-equal "a slow link: the same bits" expected output)
     (test-assert "a slow link: people are told" (string-contains errors "node n10 is lost")))))

;; Each way of each link carries 2 MB a second, and the script sends 10 MB to both. Returns what it has printed and said.
(define (run-with-little-bandwidth)
  (define folder (folder-for "bandwidth"))
  (prepare folder '())
  (call-with-slow-ssh folder "0 2000000"
    (lambda (env) (call-with-script folder (hosts 9 10) 4 (const #t) #:env env))))

;;; A script that is stopped is not lost, for much longer than a host may be without a sign of life. Tasks end meanwhile.

(define (run-stopped)
  (define folder (folder-for "stopped"))
  (define (pid)
    (match (scandir folder (lambda (name) (string-prefix? "start.head." name)))
      ((name) (substring name (string-length "start.head.")))))
  (prepare folder '("task"))
  (call-with-script folder (hosts 11 11) 4
    (lambda ()
      (started? folder "task" "n11")
      (run-on "head" (list "kill" "-STOP" (pid)))
      (sleep 10)                        ; what is tested
      (go! folder "task")
      (sleep 20)
      (run-on "head" (list "kill" "-CONT" (pid))))))

(define (test-result name expected result)
  (match result
    ((output errors)
     (test-equal (string-append name ": the same bits") expected output)
     (test-assert (string-append name ": nothing is lost") (not (string-contains errors "lost"))))))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      ;; What waits most of its time is beside the rest, on hosts of its own.
      (let ((stopped (in-background run-stopped))
            (bandwidth (in-background run-with-little-bandwidth))
            (expected (undisturbed 4)))
        (test-power)
        (test-result "little bandwidth" expected (bandwidth))
        (test-network expected)
        (test-delay expected)
        (test-result "stopped" expected (stopped))))
    #:hosts 11 #:slurm? #f)))
