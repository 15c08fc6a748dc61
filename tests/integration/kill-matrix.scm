;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The kill matrix: whoever of a pool's processes is struck, by whatever, at whatever moment, what must happen is in the table below, and
;; happens; then no process is left, no descriptor is leaked, and results are right.
;;
;; Run with names of victims and moments it does only those rows: "worker idle".
;;
;; Each cell has a master of its own, fixtures/kill-matrix.scm, which brings itself into the moment and tells what comes of it. The moment
;; is never guessed from the time: it is announced by those who are in it, or seen in /proc.
(use-modules (tap) (programs) (processes) (pace) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-9)
             (srfi srfi-64)
             ((system base compile) #:select (compile-file)))

;;; What must happen.
;;
;; Moments, by the column of the matrix to which they belong.
(define columns
  '((idle "idle" idle)
    (task "in a task" task)
    (writing "while an 80 MB vector is being written"
             filling                    ; by Scheme code, into memory of its own; of the master: into a shared vector
             returning                  ; a worker's result, by the engine into shared memory
             submitting                 ; the master's argument, by the engine into shared memory
             piping)                    ; by a child, to the task that reads it
    (start-up "during start-up"
              starting                  ; guard and watcher, for the master's first pool: as soon as the process is there
              booting)                  ; workers, which are not ready yet
    (shutdown "during shutdown" closing))) ; while pool-close! waits for a worker that was told to end and does not

(define victims '(master watcher guard worker child))
(define blows '(kill stop segv term exit)) ; exit: exit (3) with all that is done at exit; _exit: without

;; What comes of it:
;;   (recovered N)  the pool goes on after N workers were replaced, and whoever waits gets the right value
;;   (finished N)   the same, or what was begun is done before that, and nobody is replaced
;;   (status)       the task gets the exit status or the signal of its child, nothing else happens
;;   (timeout)      &task-timeout; the child is gone
;;   (closed)       pool-close! returns, the task has ended with &pool-closed
;;   (refused)      &tutti-error or a pool; the next attempt gets a pool
;;   (dies)         the master is gone within the time, and within half a second after that all others
;;   (goes-on)      nothing happens until the master is continued; then all goes on, and what it has missed is noticed
;;   (never)        it cannot occur
;; The seconds are for a machine that does nothing else, with much to spare: how long it really takes is told by benchmarks. On another they
;; are judged by its own pace; and what was late once is done again, since others may have computed meanwhile.
(define table
  '(;; A worker is replaced, and its task tried again.
    (worker idle (kill segv term exit _exit) (recovered 1) 1 "it is replaced; what its tasks had left behind ends with it")
    (worker idle (stop) (recovered 1) 4 "who stopped it may never continue it: if it stays stopped it is ended and replaced")
    (worker task (kill segv term exit _exit) (recovered 1) 1 "its task is tried again by its replacement")
    (worker task (stop) (recovered 1) 4 "somebody waits for its task: if it stays stopped it is ended and replaced")
    (worker filling (kill stop segv term exit _exit) (recovered 1) 6 "nobody sees the half of a vector: the next attempt writes all")
    (worker returning (kill stop segv term exit _exit) (recovered 1) 6 "a result is there when its message is, not when its memory is")
    (worker booting (kill segv term exit) (recovered 1) 1 "it is replaced; five in ten seconds would fail the pool")
    (worker booting (stop) (recovered 1) 4 "if it stays stopped it is replaced")
    (worker closing (kill stop segv exit _exit) (closed) 0.8 "that is what pool-close! waits for; a stopped one is ended at once")
    (worker closing (term) (closed) 2 "it has ignored the first: it is killed when its second of grace is over")

    ;; A child is its task's own business.
    (child idle (kill stop segv term exit) (recovered 0) 1 "nobody waits for it; it ends with its worker if not before")
    (child task (kill segv term exit) (status) 1 "the task sees how its child ended")
    (child task (stop) (timeout) 4 "the task waits with it, as long as its task-timeout allows")
    (child piping (kill segv term exit) (status) 1 "the task sees that there is less to read, and how its child ended")
    (child piping (stop) (timeout) 6 "the task waits with it, as long as its task-timeout allows")
    (child starting (kill stop segv term exit) (never) 0 "workers start nothing before their first task")
    (child closing (kill stop segv term exit) (closed) 2 "the worker is told to end, and what it waits for ends with it")

    ;; Who loses the watcher or the guard loses all workers, and starts again with a new pair.
    (watcher idle (kill segv term) (recovered 2) 1 "the guard ends all that was below it; the master starts a new pair")
    (watcher idle (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (watcher task (kill segv term) (recovered 2) 1 "tasks are tried again by the new workers")
    (watcher task (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (watcher filling (kill segv term) (recovered 2) 6 "as in any task")
    (watcher filling (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (watcher returning (kill segv term) (recovered 2) 6 "as in any task: without its message there is no result")
    (watcher returning (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (watcher submitting (kill segv term) (recovered 2) 6 "the vector is the master's, and is sent to the new worker")
    (watcher submitting (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (watcher starting (kill stop segv term) (refused) 8 "before its greeting the pool is refused, after it all is as ever")
    (watcher booting (kill segv term) (recovered 2) 1 "workers that are not ready are as lost as others")
    (watcher booting (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (watcher closing (kill segv term) (closed) 0.8 "the worker that was waited for is ended by the guard")
    (watcher closing (stop) (closed) 4 "the same, if it stays stopped")
    (watcher idle (exit) (never) 0 "it exits only when everything below it has ended: on the master's word, or without master or guard")
    (guard idle (kill segv term) (recovered 2) 1 "the watcher ends all that is below it; the master starts a new pair")
    (guard idle (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (guard task (kill segv term) (recovered 2) 1 "tasks are tried again by the new workers")
    (guard task (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (guard filling (kill segv term) (recovered 2) 6 "as in any task")
    (guard filling (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (guard returning (kill segv term) (recovered 2) 6 "as in any task: without its message there is no result")
    (guard returning (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (guard submitting (kill segv term) (recovered 2) 6 "the vector is the master's, and is sent to the new worker")
    (guard submitting (stop) (finished 2) 6 "as if killed, if it stays stopped for longer than that takes")
    (guard starting (kill stop segv term) (refused) 8 "without a greeting within 5 s the pool is refused, else all is as ever")
    (guard booting (kill segv term) (recovered 2) 1 "workers that are not ready are as lost as others")
    (guard booting (stop) (recovered 2) 4 "as if killed, if it stays stopped")
    (guard closing (kill segv term) (closed) 0.8 "the worker that was waited for is ended by the watcher")
    (guard closing (stop) (closed) 4 "the same, if it stays stopped")
    (guard idle (exit) (never) 0 "it exits only after the watcher, or without master")

    ;; Both at once: what tasks have started has nobody above it any more. In the library it is found by its mark; under `tutti run', to
    ;; which it falls, also without.
    (pair idle (kill all stop-guard stop-watcher) (recovered 2) 3 "what is left is ended before there is a new pair")
    (pair task (kill all stop-guard stop-watcher) (recovered 2) 3 "no task is tried again while its first attempt runs")
    (pair-below-run idle (kill all stop-guard stop-watcher) (recovered 2) 3 "what is left is ended before there is a new pair")
    (pair-below-run task (kill all stop-guard stop-watcher) (recovered 2) 3 "no task is tried again while its first attempt runs")

    ;; Workers do not need the template that they are copies of. (Its death while it makes some: tests/scheme/test-template.scm.)
    (template idle (kill stop segv term) (recovered 0) 1 "workers live on; another is started when one is wanted")

    ;; Nobody outlives the master. SIGTERM and exit may let it end the others itself: scopes are left, pools have a second of grace.
    (master idle (kill segv _exit) (dies) 0.5 "guard and watcher see it, and end everything")
    (master idle (term exit) (dies) 2.5 "as after SIGKILL, or earlier: by itself")
    (master task (kill segv _exit) (dies) 0.5 "tasks and what they have started end as well")
    (master task (term exit) (dies) 2.5 "as after SIGKILL, or earlier: by itself")
    (master filling (kill segv _exit) (dies) 0.5 "the memory goes with the last who has it mapped")
    (master filling (term exit) (dies) 2.5 "as after SIGKILL, or earlier: by itself")
    (master submitting (kill segv _exit) (dies) 0.5 "the memory goes with the last who has it mapped")
    (master submitting (term exit) (dies) 2.5 "as after SIGKILL, or earlier: by itself")
    (master starting (kill segv _exit) (dies) 0.5 "whoever is there has the master's pidfd before it does anything else")
    (master starting (term exit) (dies) 2.5 "as after SIGKILL, or earlier: by itself")
    (master closing (kill segv _exit) (dies) 0.5 "the grace that a worker was given does not hold without a master")
    (master closing (term exit) (dies) 2.5 "as after SIGKILL, or after the second of grace")
    (master idle (stop) (goes-on) 1 "a worker that was killed meanwhile is replaced")
    (master task (stop) (goes-on) 1 "the task of a worker that was killed meanwhile is tried again")
    (master filling (stop) (goes-on) 4 "what was written stays")
    (master submitting (stop) (goes-on) 4 "what was written stays")
    (master starting (stop) (goes-on) 2 "the others wait for it")
    (master closing (stop) (goes-on) 1 "the watcher keeps the deadline that the worker was given")))

(define signals
  `((kill ,SIGKILL "SIGKILL") (stop ,SIGSTOP "SIGSTOP") (segv ,SIGSEGV "SIGSEGV") (term ,SIGTERM "SIGTERM")
    (exit #f "exit(3)") (_exit #f "_exit(3)")
    ;; Of guard and watcher together.
    (all #f "SIGKILL of all tutti-*") (stop-guard #f "SIGSTOP of the guard, SIGKILL of the watcher")
    (stop-watcher #f "SIGSTOP of the watcher, SIGKILL of the guard")))

(define (signal-of blow) (second (assq blow signals)))

(define (column-of moment)
  (find (lambda (column) (memq moment (cddr column))) columns))

;; One run. STAGE is for the master at the start: whose appearance is waited for.
(define-record-type <cell>
  (make-cell victim moment blow stage what seconds why)
  cell?
  (victim cell-victim)
  (moment cell-moment)
  (blow cell-blow)
  (stage cell-stage)
  (what cell-what)
  (seconds cell-seconds)
  (why cell-why))

(define (cell-name cell)
  (format #f "~a of the ~a ~a~a: ~a~a"
          (third (assq (cell-blow cell) signals))
          (case (cell-victim cell)
            ((child) "worker's child")
            ((pair) "guard and watcher")
            ((pair-below-run) "guard and watcher below `tutti run'")
            (else => symbol->string))
          (second (column-of (cell-moment cell)))
          (cond ((cell-stage cell) => (lambda (stage) (format #f " (a ~a is there)" stage)))
                ((= 1 (length (cddr (column-of (cell-moment cell))))) "")
                (else (format #f " (~a)" (cell-moment cell))))
          (match (cell-what cell)
            (('recovered 0) "nothing happens")
            (('recovered _) "recovered")
            (('finished _) "finished or recovered")
            (('status) "its status")
            (('timeout) "&task-timeout")
            (('closed) "closed")
            (('refused) "refused or recovered")
            (('dies) "all end")
            (('goes-on) "goes on when continued"))
          (format #f " within ~a s: ~a" (cell-seconds cell) (cell-why cell))))

;;; A master.

(define-record-type <run>
  (make-run cell folder mark pid from to struck late)
  run?
  (cell run-cell)
  (folder run-folder)
  (mark run-mark)
  (pid run-pid)
  (from run-from)
  (to run-to)
  (struck run-struck set-run-struck!)   ; when, in seconds
  (late run-late set-run-late!))        ; what has taken too long: a text, or #f

(define (fail format-string . arguments)
  (throw 'cell-failed (apply format #f format-string arguments)))

;; A master that is gone is seen by its status, not by a signal to us.
(sigaction SIGPIPE (const #t))
(setrlimit 'core 0 0)

(define (judge-time! run what since seconds)
  "Note it if what has just happened, SINCE then, took more than SECONDS."
  (let ((took (- (seconds-now) since)))
    (unless (in-pace? took seconds)
      (set-run-late! run (format #f "~a took ~,2f s" what took)))))

;; The folder with the master's program, compiled: it is read a hundred times and more.
(define compiled (make-parameter #f))

(define (call-with-compiled thunk)
  (call-with-folder
   (lambda (folder)
     (for-each (lambda (source name) (compile-file source #:output-file (string-append folder "/" name)))
               (list (fixture "kill-matrix.scm") (%search-load-path "processes.scm"))
               '("kill-matrix.go" "processes.go"))
     (parameterize ((compiled folder))
       (thunk)))))

(define (start cell folder)
  (let ((mark (make-mark)))
    (for-each (lambda (fifo) (mknod (string-append folder "/" fifo) 'fifo #o600 0)) '("exit" "never" "go"))
    (call-with-values
        (lambda ()
          (pipeline
           (list (append (list "env" mark (string-append "TUTTI_TEST_FOLDER=" folder)
                               (string-append "GUILE_LOAD_COMPILED_PATH=" (compiled) ":" (or (getenv "GUILE_LOAD_COMPILED_PATH") "")))
                         (if (equal? (cons (cell-moment cell) (cell-blow cell)) '(booting . exit))
                             (list (string-append "TUTTI_WORKER=" (fixture "kill-matrix-worker.sh")))
                             '())
                         (let ((program (string-append (compiled) "/kill-matrix.go")))
                           (if (eq? (cell-victim cell) 'pair-below-run)
                               (list tutti "run" program)
                               (list "guile" "-c" (format #f "(load-compiled ~s)" program))))
                         (map symbol->string (list (cell-victim cell) (cell-moment cell) (cell-blow cell)))
                         (list folder)))))
      (lambda (from to pids)
        (make-run cell folder mark (car pids) from to #f #f)))))

(define (others run)
  "Return the processes below the master, or that were."
  (delete (run-pid run) (marked-processes (run-mark run))))

(define (next-said run seconds)
  "Return what the master says next, #f if it says nothing for SECONDS, or the end of file."
  (let ((whole (inexact->exact (floor seconds))))
    (match (select (list (run-from run)) '() '() whole (inexact->exact (floor (* 1e6 (- seconds whole)))))
      ((() _ _) #f)
      ;; A line and all of it: a newline that is left would look like news.
      (_ (let ((line (read-line (run-from run))))
           (if (eof-object? line) line (call-with-input-string line read)))))))

(define (said-something? run)
  (match (select (list (run-from run)) '() '() 0)
    ((() _ _) #f)
    (_ #t)))

(define (describe-processes run)
  (map (lambda (pid) (list pid (process-state pid) (process-arguments pid))) (marked-processes (run-mark run))))

(define (expect run key)
  "Return what the master says with KEY, which must come next."
  (match (next-said run patience)
    (((? (lambda (said) (eq? said key))) . rest) rest)
    (#f (fail "it has not said ~a within ~a s; processes: ~s" key patience (describe-processes run)))
    (other (fail "it has said ~s instead of ~a" other key))))

(define (announced run name)
  (let ((file (string-append (run-folder run) "/" name)))
    (and (file-exists? file)
         (call-with-input-file file read))))

(define (await-announced run name)
  (or (await (lambda () (announced run name)) patience)
      (fail "nobody has announced ~a; processes: ~s" name (describe-processes run))))

;;; Finding the victim.

(define (find-role run role)
  (define (among pids)
    (find (lambda (pid) (eq? (process-role pid) role)) pids))
  ;; Those who were started later have higher numbers, until these begin again at the bottom; looking at them alone is quick.
  (or (among (marked-processes (run-mark run) #:above (run-pid run)))
      (among (marked-processes (run-mark run)))))

(define (await-role run role)
  (or (await (lambda () (find-role run role)) patience #:pause 0)
      (fail "there is no ~a; processes: ~s" role (describe-processes run))))

(define (victim run)
  (case (cell-victim (run-cell run))
    ((master) (run-pid run))
    ((watcher) (await-role run 'watcher))
    ((guard) (await-role run 'guard))
    ((template) (await-role run 'template))
    ((worker) (await-announced run "worker"))
    ((child) (await-announced run "child"))))

;;; The moment.

(define megabyte 1000000)

(define (await-half-written run pid)
  "Wait until the process PID is in the middle of writing 80 MB of shared memory; it has no other. #f: it was too quick for us."
  (let ((written (await (lambda ()
                          (let ((written (process-shared-memory pid)))
                            (cond ((> written (* 8 megabyte)) written)
                                  ;; The outcome is known, the memory may be free again.
                                  ((said-something? run) +inf.0)
                                  (else #f))))
                        patience #:pause 0)))
    (unless written
      (fail "nothing is written; processes: ~s" (describe-processes run)))
    (< written (* 72 megabyte))))

(define (await-moment run)
  "Wait for the moment. #f: it was missed."
  (let ((cell (run-cell run)))
    (case (cell-moment cell)
      ((starting) (await-role run (or (cell-stage cell) (cell-victim cell))))
      ((filling)
       (if (eq? (cell-victim cell) 'master)
           (await-half-written run (run-pid run))
           (await-announced run "worker")))
      ((returning) (await-half-written run (await-announced run "worker")))
      ((submitting) (await-half-written run (run-pid run)))
      ((closing) (await-announced run "told"))
      (else #t))))

;;; The blow.

(define (open-fifo run name)
  (or (await (lambda ()
               (false-if-exception
                (open (string-append (run-folder run) "/" name) (logior O_WRONLY O_NONBLOCK))))
             patience)
      (fail "nobody reads ~a; processes: ~s" name (describe-processes run))))

(define (arm-pair run)
  "Return a procedure that strikes guard and watcher, and whoever is called so as well."
  (let ((guard (await-role run 'guard))
        (watcher (await-role run 'watcher))
        (workers (filter (lambda (pid) (memq (process-role pid) '(worker template))) (others run))))
    ;; The watcher ends by itself when it sees the end of the guard.
    (define (strike-both on-guard on-watcher)
      (kill guard on-guard)
      (false-if-exception (kill watcher on-watcher)))
    (lambda ()
      (case (cell-blow (run-cell run))
        ((kill) (strike-both SIGKILL SIGKILL))
        ((all)
         (strike-both SIGKILL SIGKILL)
         (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) workers))
        ((stop-guard) (strike-both SIGSTOP SIGKILL))
        ((stop-watcher)
         (kill watcher SIGSTOP)
         (kill guard SIGKILL))))))

(define (arm run)
  "Return a procedure that strikes."
  (if (memq (cell-victim (run-cell run)) '(pair pair-below-run))
      (arm-pair run)
      (arm-one run)))

(define (arm-one run)
  (let ((signal (signal-of (cell-blow (run-cell run))))
        (pid (victim run)))
    (cond (signal (lambda () (kill pid signal)))
          ;; It exits by itself.
          ((eq? (cell-moment (run-cell run)) 'piping) (const #t))
          (else (let ((port (open-fifo run "exit")))
                  (lambda ()
                    (newline port)
                    (close-port port)))))))

(define (nudge run)
  "Tell the master, which waits for it, to go on."
  (false-if-exception
   (begin
     (newline (run-to run))
     (force-output (run-to run)))))

(define (strike run blow)
  (set-run-struck! run (seconds-now))
  (blow)
  ;; Those that wait for the blow to have been struck.
  (case (cell-moment (run-cell run))
    ((idle starting) (nudge run))
    ((piping)
     (let ((port (open-fifo run "go")))
       (newline port)
       (close-port port)))))

;;; What must have come of it.

(define (child-status blow)
  (if (signal-of blow) (list 'signal (signal-of blow)) '(exit 3)))

(define (expected-outcome cell)
  (match (cons* (cell-what cell) (cell-moment cell) (cell-blow cell))
    ((('status) 'piping . 'exit) '(value (up-to-its-exit (exit 3))))
    ((('status) 'piping . blow) `(value (part ,(child-status blow))))
    ((('status) _ . blow) `(value ,(child-status blow)))
    ((('timeout) . _) '(raised task-timeout))
    ((('closed) . _) '(raised pool-closed))
    ((_ 'closing . _) '(raised pool-closed))
    (_ '(value done))))

;; Of the worker that died last.
(define (expected-death cell)
  (match (list (cell-victim cell) (cell-what cell) (cell-moment cell))
    ((_ _ (or 'closing 'starting)) #f)
    (('worker _ _) (if (eq? (cell-blow cell) 'stop) 'stopped (child-status (cell-blow cell))))
    (((or 'watcher 'guard 'pair 'pair-below-run) _ _) 'watcher-lost)
    (('child ('timeout) _) 'timeout)
    (((or 'child 'template) _ _) #f)
    (('master _ _) (list 'signal SIGKILL))))

(define (expected-restarts cell)
  (match (list (cell-what cell) (cell-moment cell))
    ((((or 'recovered 'finished) n) _) n)
    ((('timeout) _) 1)
    ((('goes-on) (or 'starting 'closing)) 0)
    ((('goes-on) _) 1)
    (_ 0)))

(define (check what expected actual)
  (unless (equal? expected actual)
    (fail "~a: expected ~s, got ~s" what expected actual)))

(define (check-gone run pids seconds)
  "See that PIDS go, within SECONDS."
  (define begun (seconds-now))
  (unless (await (lambda () (every process-gone? pids)) patience)
    (fail "still there: ~s" (filter (lambda (entry) (memv (car entry) pids)) (describe-processes run))))
  (judge-time! run "the end of others" begun seconds))

(define (strays run)
  (remove (lambda (pid) (member (process-name pid) '("guile" "tutti-watcher" "tutti-worker" #f))) (others run)))

(define (check-strays run)
  (let ((cell (run-cell run)))
    ;; What a task has started ends with the worker that dies, before anybody learns of its death.
    (unless (or (memq (cell-victim cell) '(child master template)) (null? (strays run)))
      (fail "what the worker had started lives on: ~s" (describe-processes run)))
    (when (memq (cell-victim cell) '(pair pair-below-run))
      (check-gone run (list (announced run "simulator")) 0.5))
    (when (equal? (cell-what cell) '(timeout))
      (check-gone run (list (announced run "child")) 0.5))))

(define (check-outcome run)
  (let ((cell (run-cell run))
        (outcome (expect run 'outcome)))
    (judge-time! run "the outcome" (run-struck run) (cell-seconds cell))
    (unless (and (equal? (cell-what cell) '(refused))
                 (match outcome (('raised (? string? text)) (string-contains text "tutti-watcher")) (_ #f)))
      (check "the outcome" (expected-outcome cell) outcome))
    (check-strays run)
    (nudge run)))

(define (check-aftermath run)
  (let ((cell (run-cell run)))
    (match (expect run 'results)
      ((right? restarts death)
       (check "results are right" #t right?)
       (unless (equal? (cell-what cell) '(refused))
         (unless (and (eq? (car (cell-what cell)) 'finished) (eqv? restarts 0) (not death))
           (check "workers replaced" (expected-restarts cell) restarts)
           (check "the last death" (expected-death cell) death)))))
    (unless (eq? (cell-moment cell) 'starting)
      (check "descriptors" '(back) (expect run 'descriptors)))
    (expect run 'end)
    (check "how the master ended" '(exit 0) (await-end run))
    (check-nobody-left run)))

(define (await-end run)
  "Return how the master ended."
  (match (await (lambda ()
                  (match (waitpid (run-pid run) WNOHANG)
                    ((0 . _) #f)
                    ((_ . status) (if (status:term-sig status)
                                      (list 'signal (status:term-sig status))
                                      (list 'exit (status:exit-val status))))))
                patience)
    (#f (fail "the master has not ended after ~a s more; processes: ~s" patience (describe-processes run)))
    (status status)))

(define (check-nobody-left run)
  (define begun (seconds-now))
  (unless (await (lambda () (null? (others run))) patience)
    (fail "somebody has outlived the master: ~s" (describe-processes run)))
  (judge-time! run "the end of others after the master's" begun 0.5))

(define (check-death-of-master run)
  (let ((cell (run-cell run)))
    (check "how the master ended" (child-status (cell-blow cell)) (await-end run))
    (judge-time! run "the master's end" (run-struck run) (cell-seconds cell))
    (check-nobody-left run)))

;;; A stopped master.

(define stop-seconds 0.2)

(define (check-stopped-master run bystanders)
  "See that nothing breaks while the master is stopped; and continue it."
  (let ((cell (run-cell run)))
    (unless (await (lambda () (eqv? (process-state (run-pid run)) #\T)) patience)
      (fail "the master was not stopped: ~s" (describe-processes run)))
    (case (cell-moment cell)
      ;; The master is not needed to end a worker that has been told to end.
      ((closing) (check-gone run (list (announced run "worker")) 2))
      ((starting) (usleep (inexact->exact (* 1e6 stop-seconds))))
      (else
       (let ((worker (or (announced run "worker") (find-role run 'worker))))
         (kill worker SIGKILL)
         (usleep (inexact->exact (* 1e6 stop-seconds)))
         (check "the others, meanwhile" '() (filter process-gone? (delete worker bystanders))))))
    (check "the master's state" #\T (process-state (run-pid run)))
    (set-run-struck! run (seconds-now))
    (kill (run-pid run) SIGCONT)))

;;; A cell.

(define (prepare run)
  "Wait for the moment, and return the procedure that strikes; #f: the moment was missed."
  (let ((cell (run-cell run)))
    (case (cell-moment cell)
      ((starting)
       ;; The victim comes with the moment; but the master is there before.
       (if (eq? (cell-victim cell) 'master)
           (let ((blow (arm run))) (await-moment run) blow)
           (begin (await-moment run) (arm run))))
      (else
       (let ((blow (arm run))) (and (await-moment run) blow))))))

(define (bystanders run)
  "Return those who must not notice that the master is stopped."
  (filter (lambda (pid) (memq (process-role pid) '(guard watcher worker))) (others run)))

(define (judge run)
  "Return true if all was as stated, #f if the moment was missed; else fail."
  (match (expect run 'ready)
    (() (let* ((bystanders (bystanders run))
               (blow (prepare run)))
          (and blow
               (begin
                 (strike run blow)
                 (judge-result run bystanders)))))
    ;; It has struck already, and says what its workers were doing.
    ((states)
     (set-run-struck! run (seconds-now))
     (and (or (eq? (cell-blow (run-cell run)) 'exit)
              (every (lambda (state) (memq state '(spawning booting))) states))
          (judge-result run '())))))

(define (judge-result run bystanders)
  (case (car (cell-what (run-cell run)))
    ((dies) (check-death-of-master run))
    ((goes-on)
     (check-stopped-master run bystanders)
     (check-outcome run)
     (check-aftermath run))
    (else
     (check-outcome run)
     (check-aftermath run)))
  #t)

(define (clean-up run)
  (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (marked-processes (run-mark run)))
  (false-if-exception (waitpid (run-pid run)))
  (false-if-exception (close-port (run-from run)))
  (false-if-exception (close-port (run-to run))))

(define (run-once cell)
  "Return a text, or a list of one that says what was late."
  (call-with-folder
   (lambda (folder)
     (let ((run (start cell folder)))
       (dynamic-wind
         (const #t)
         (lambda ()
           (catch 'cell-failed
             (lambda ()
               (cond ((not (judge run)) "missed")
                     ((run-late run) => list)
                     (else "as stated")))
             (lambda (key text) text)))
         (lambda () (clean-up run)))))))

(define (run-cell! cell)
  "Return \"as stated\" or what was different. A moment of some milliseconds may be missed, and what is soon may be late for once, but not
always."
  (let loop ((attempts 10) (late 0))
    (match (run-once cell)
      ((text) (if (< late 3) (loop attempts (1+ late)) (string-append "late each time: " text)))
      ("missed" (if (> attempts 1) (loop (1- attempts) late) "missed"))
      (text text))))

(define (test-cell cell)
  (let ((begun (seconds-now)))
    (test-equal (cell-name cell) "as stated" (run-cell! cell))
    (when (getenv "TUTTI_TEST_VERBOSE")
      (format #t "# ~,2f s~%" (- (seconds-now) begun)))))

;;; The table.

(define (row->cells row)
  (match row
    ((victim moment blows what seconds why)
     (append-map (lambda (blow)
                   (map (lambda (stage) (make-cell victim moment blow stage what seconds why))
                        (if (and (eq? victim 'master) (eq? moment 'starting)) '(guard watcher worker) '(#f))))
                 blows))))

(define (row-never? row) (equal? (fourth row) '(never)))

(define (covered? victim column blow)
  (any (match-lambda
         ((who moment how what . _)
          (and (eq? who victim)
               (memq blow how)
               ;; What a watcher cannot do it cannot do at any time.
               (or (memq moment (cddr column)) (and (equal? what '(never)) (eq? moment 'idle))))))
       table))

(define (test-table)
  (test-equal "all cells of the matrix are in the table" '()
    (append-map (lambda (victim)
                  (append-map (lambda (column)
                                (filter-map (lambda (blow)
                                              (and (not (covered? victim column blow)) (list victim (car column) blow)))
                                            blows))
                              columns))
                victims)))

(define (test-row row)
  (match row
    ((victim moment blows ('never) _ why)
     (test-assert (format #f "~a of the ~a ~a: cannot occur: ~a" (string-join (map (lambda (blow) (third (assq blow signals))) blows) ", ")
                          (if (eq? victim 'child) "worker's child" victim)
                          (if (eq? moment 'idle) "at any time" (second (column-of moment))) why)
       #t))
    (_ (for-each test-cell (row->cells row)))))

(define (wanted? row)
  "With arguments, only those rows whose victim and moment are named."
  (match (cdr (command-line))
    (() #t)
    (names (every (lambda (name) (memq (string->symbol name) (list (first row) (second row)))) names))))

(call-with-tap
 (lambda ()
   (test-table)
   (call-with-compiled
    (lambda () (for-each test-row (filter wanted? table))))))
