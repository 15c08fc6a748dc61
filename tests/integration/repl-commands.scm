;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Commands of REPLs about pools, in both kinds of REPL, while there is work: what they show, and that nothing notices that somebody looks.
(use-modules (tap) (programs) (processes) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64))

(define patience 60)
(define has-gdb? (search-path (parse-path (getenv "PATH")) "gdb"))

(define (contents file)
  (call-with-input-file file get-string-all #:encoding "UTF-8"))

(define (test-has name text . parts)
  "Does each of PARTS, regular expressions, match TEXT?"
  (for-each (lambda (part)
              (test-equal (string-append name ": " part) #t (or (->bool (string-match part text)) text)))
            parts))

;;; Those who ask.

(define* (start-job command file)
  "Start COMMAND, whose output goes to FILE; return its process."
  (let* ((pipe (apply open-pipe* OPEN_READ "sh" "-c" "out=$0; \"$@\" > \"$out\" 2>&1 < /dev/null & echo $!" file command))
         (pid (string->number (read-line pipe))))
    (close-pipe pipe)
    pid))

(define (await-listening file)
  (unless (await (lambda () (false-if-exception (string-contains (contents file) "listening "))) patience)
    (error "the job does not listen" (contents file))))

(define* (call-with-job script proc #:optional (options '("--listen")))
  "Call PROC with the process of a job that runs the fixture SCRIPT, and the file of its output."
  (call-with-folder
   (lambda (folder)
     (let* ((file (string-append folder "/output"))
            (pid (start-job `(,tutti "run" ,@options ,(fixture script)) file)))
       (dynamic-wind
         (const #t)
         (lambda ()
           (await-listening file)
           (proc pid file))
         (lambda () (false-if-exception (kill pid SIGKILL))))))))

(define (with-input lines command)
  (program-output (run-program (append (list "sh" "-c" "printf '%s\\n' \"$0\" | \"$@\" 2>&1" (string-join lines "\n")) command)
                               #:seconds 120)))

(define (asked-attached pid)
  (lambda lines (with-input lines (list tutti "attach" (number->string pid)))))

(define (asked-at-home . lines)
  (with-input lines (list tutti "repl" "-l" (fixture "inspected.scm"))))

;;; What they show.

(define (test-lists ask)
  (test-has ",pools" (ask ",pools")
            "number +name +workers +busy" "\"tiles\" +4 +2 +0 +1 +3 +0 +0" "\"other\" +2 +0 +0 +0 +3 +3 +3")
  (test-has ",workers" (ask ",workers")
            "pool \"tiles\": 4 workers, 2 busy" "0 +busy +[0-9]+ +here .*task [0-9]+, climb-for-ever, for" "1 +busy .*read-nothing"
            "2 +idle"
            "pool \"other\": 2 workers, 0 busy")
  (for-each (lambda (name)
              (let ((text (ask (string-append ",workers " name))))
                (test-has (string-append ",workers " name) text "pool \"other\": 2 workers")
                (test-equal (string-append "only that one: " name) #f (string-contains text "tiles"))))
            '("\"other\"" "other"))
  (test-has ",tasks" (ask ",tasks" ",tasks other")
            "2 running, 0 queued, 1 waiting for others" "climb-for-ever +running for [0-9.]+ m?s on worker 0, pool \"tiles\""
            "waiting for task [0-9]+, pool \"tiles\"" "pool \"other\": 0 running, 0 queued, 0 waiting"))

(define (test-why ask)
  (test-has ",why of what runs and waits" (ask ",why computing" ",why dependent")
            "task [0-9]+, climb-for-ever: running for .* on worker 0\n  pool \"tiles\""
            "task [0-9]+, \\+: waiting for task [0-9]+\n  task [0-9]+, climb-for-ever: running")
  (test-has ",why of what has failed" (ask ",why failing" ",why after" ",why dying")
            "raise-it ended .* ago: raised on worker [01], attempt 1\n  no such thing: 7"
            "\\+ ended .* ago: raised, since task ([0-9]+), on which it depends, had no value; see ,why"
            "die ended .* ago: died on worker [01], attempt 2"
            "attempt 1, .* ago: worker [01] .* was ended by signal 9 .*; it is tried again" "attempt 2, .* ago: worker")
  (test-has ",why by number" (ask "(string-append \"num\" \"ber\")" ",why 987654") "no task 987654 waits or runs now"))

(define (told ask command)
  "Return the answer to COMMAND that shows a Scheme stack: on a busy machine a worker may be late for once."
  (let ((text ""))
    (await (lambda () (set! text (ask command)) (string-contains text ".scm:\n")) patience)
    text))

(define (test-stacks ask)
  (test-has "of a worker that computes" (told ask ",backtrace 0 tiles")
            "worker 0 of pool \"tiles\" .process [0-9]+. runs task [0-9]+, climb-for-ever"
            "inspected.scm:\n" "climb")
  (test-has "by the other name" (told ask ",stack 0 pool") "runs task [0-9]+, climb-for-ever.*\n.*inspected.scm")
  (test-has "of a worker that does nothing" (ask ",backtrace 3 pool")
            "worker 3 of pool \"tiles\" .process [0-9]+. is idle: it runs nothing")
  (let ((text (ask ",backtrace 1 pool")))
    (test-has "of a worker in C" text "read-nothing, for .*\\.\nIt has not said where it is within 1.0 s")
    (if has-gdb?
        (test-has "its C stack" text "Its C stack, by gdb:" "#[0-9]+ .*read" "run_body|scheme_run")
        (test-has "what to do" text "gdb, which is not installed"))))

(define (test-usage ask)
  (test-has "wrong arguments" (ask ",pools 1" ",workers nowhere" ",workers 1 2" ",tasks 987" ",why" ",why (1 2)" ",why car")
            "expected no argument\nUsage: ,pools"
            "nowhere is no pool; expected the name .* there are \"tiles\", \"other\"\nUsage: ,workers .POOL."
            "expected one argument, or none; got 2" "987 is no pool.*\nUsage: ,tasks" "expected one argument, got 0\nUsage: ,why TASK"
            ".1 2. is no task; expected its number, which ,tasks shows" "car is no task")
  (test-has "wrong workers" (ask ",backtrace 0" ",backtrace 9 tiles" ",stack" ",stack x tiles" ",backtrace 0 1 2 3")
            "there are several pools: say which, one of \"tiles\", \"other\"\nUsage: ,backtrace WORKER .POOL."
            "pool \"tiles\" has the workers 0 to 3, and no worker 9" "expected the number of a worker\nUsage"
            "x is no worker; expected its number"
            "got 3")
  (test-has "Guile's own command stays" (ask ",backtrace" "(car 7)" ",backtrace" ",bt 1" ",q")
            "Nothing to debug" "Wrong type argument.*7" "In <[a-z]+>:\n")
  (test-has "help" (ask ",help tutti" ",help backtrace") ",pools +- List the pools" "Usage: backtrace .WORKER .POOL.."))

(define (test-printing ask)
  (test-has "objects" (ask "pool" "computing" "dependent" "failing" "dying" "kept" "(make-serial-pool)" "(pool-workers other)"
                           "(begin (pool-close! other) other)")
            "#<pool \"tiles\" 4 workers, 2 busy>" "#<task [0-9]+ running [0-9.]+ m?s on worker 0>" "#<task [0-9]+ waiting for task [0-9]+>"
            "#<task [0-9]+ raised on worker [01]: no such thing: 7>" "#<task [0-9]+ failed on worker [01]: worker [01] .pid"
            "#f64.3.0 3.0 3.0 (…|[.]{3}) 3.0 3.0 3.0.  ; 2000 elements, shared" "#<pool \"serial\" serial>"
            "#<worker 0 idle, process [0-9]+>" "#<pool \"other\" closed>"))

(define (test-all ask)
  (test-group "lists" (test-lists ask))
  (test-group "why" (test-why ask))
  (test-group "stacks" (test-stacks ask))
  (test-group "wrong arguments" (test-usage ask))
  (test-group "objects" (test-printing ask)))

;;; Nothing notices.

(define (gone? pid) (process-gone? pid))

(define (work-output folder ask)
  "Run asked.scm; ASK, or #f, is called with its process again and again while it works. Return what it writes."
  (let* ((output (string-append folder "/output"))
         (begin-file (string-append folder "/begin"))
         (pid (start-job (list tutti "run" (fixture "asked.scm") begin-file) output)))
    (when ask
      (await (lambda () (string-match "= 3" ((asked-attached pid) "(+ 1 2)"))) patience))
    (close-port (open-output-file begin-file))
    (let loop ((n 0))
      (when (and ask (not (gone? pid)))
        (ask pid n)
        (loop (1+ n))))
    (unless (await (lambda () (gone? pid)) 300)
      (kill pid SIGKILL))
    (delete-file begin-file)
    (contents output)))

(define (values-in text)
  ;; A map that takes long writes lines of progress as well.
  (map (lambda (line) (call-with-input-string line read))
       (filter (lambda (line) (string-prefix? "(" line)) (string-split text #\newline))))

(define without-pauses
  (match-lambda ((i sum left random) (list i sum random))))

(define (test-unharmed)
  (call-with-folder
   (lambda (folder)
     (let ((alone (work-output folder #f))
           (n-asked 0)
           (n-told 0))
       (test-equal "all items" 60 (length (values-in alone)))
       (let ((asked (work-output folder
                                 (lambda (pid n)
                                   (let ((text ((asked-attached pid) ",stack 0" ",workers" ",tasks" ",stack 1" ",stack 2")))
                                     (set! n-asked (1+ n-asked))
                                     (when (string-contains text "asked.scm") (set! n-told (1+ n-told))))))))
         (test-equal "the same with somebody who asks" (map without-pauses (values-in alone)) (map without-pauses (values-in asked)))
         ;; One that begins at the very moment of the question may end early, as at a signal.
         (test-assert "pauses are as long" (<= (count (lambda (value) (positive? (third value))) (values-in asked)) 2)))
       (test-equal "who was told" #t (or (and (positive? n-asked) (positive? n-told)) (list n-asked n-told)))))))

(define (test-killed-client)
  (call-with-job "inspected-job.scm"
    (lambda (pid file)
      (define (attach lines)
        (let ((client (start-job (list "sh" "-c" "(printf '%s\\n' \"$0\"; sleep 30) | exec \"$@\"" lines
                                       tutti "attach" (number->string pid))
                                 (string-append file "-client"))))
          (await (lambda () (false-if-exception (string-contains (contents (string-append file "-client")) "ready"))) patience)
          client))
      ;; It is told after a second at the earliest.
      (let ((client (attach "(begin (display \"ready\") (newline))\n,backtrace 1 tiles")))
        (usleep 200000)
        (for-each (lambda (process) (false-if-exception (kill process SIGKILL))) (cons client (descendants client))))
      (test-has "another one is answered" ((asked-attached pid) ",backtrace 0 tiles") "climb-for-ever")
      (test-has "the task in C goes on" ((asked-attached pid) ",why reading" "reading") "read-nothing: running" "#<task [0-9]+ running")
      ((asked-attached pid) "(set! going? #f)")
      (test-assert "the job ends well" (and (await (lambda () (gone? pid)) patience) (string-contains (contents file) "done"))))))

(define (test-many)
  (call-with-job "many-workers.scm"
    (lambda (pid file)
      (let* ((ask (asked-attached pid))
             (found (begin
                      (await (lambda () (string-match "running for" (ask ",why spinning"))) patience)
                      (string-match "on worker ([0-9]+)" (ask ",why spinning")))))
        (test-has "64 workers" (ask ",workers") "pool \"many\": 64 workers, 64 busy" "\n63 +busy")
        (test-has "bounded" (ask ",tasks") "64 running, 500 queued, 0 waiting for others" "and 524 more")
        (test-has "one of them" (told ask (string-append ",backtrace " (match:substring found 1)))
                  "spin-among-many, for" "many-workers.scm:"))
      ((asked-attached pid) "(set! going? #f)")
      (test-assert "the job ends" (await (lambda () (gone? pid)) patience)))))

;;; Changes.

(define (query file sql)
  (program-output (run-program (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/journal-query.py")
                                     file sql))))

(define (test-changes)
  (call-with-folder
   (lambda (folder)
     (let ((journal (string-append folder "/a.journal")))
       (call-with-job "inspected-job.scm"
         (lambda (pid file)
           ((asked-attached pid) "(define-remote (climb n) (* 2 n))" "(define unrelated 3)" "(set! climb (remote (lambda (n) 5)))"
                                 "(set! going? #f)")
           (await (lambda () (gone? pid)) patience))
         (list "--listen" "--journal" journal))
       (let ((text (query journal "select key, value from note where key like 'changed:%'")))
         (test-has "what was changed" text "changed:climb" "20[0-9-]+T[0-9:]+[+-][0-9]+ .define-remote .climb n. .\\* 2 n.."
                   "T[0-9:]+[+-][0-9]+ .set! climb .remote")
         (test-equal "nothing else" #f (string-contains text "unrelated")))))))

;;; Lines.

(define (test-lines name command prompt)
  (let* ((terminal (run-on-terminal command
                                    `((expect ,patience ,prompt)
                                      (send "(list 4\n") (expect ,patience "... ") (send "   (+ 1\n") (expect ,patience "... ")
                                      (send " 1))\n") (expect ,patience "(4 2)") (expect ,patience ,prompt)
                                      (send "\x1b[A\n") (expect ,patience "(4 2)") (expect ,patience ,prompt)
                                      (send "(list 5\n") (expect ,patience "... ") (interrupt) (expect ,patience ,prompt)
                                      (send "(+ 20 6)\n") (expect ,patience "= 26") (expect ,patience ,prompt)
                                      (send "(string-append \"a\n") (expect ,patience "... ") (send "b\")\n") (expect ,patience "\"a\\nb\"")
                                      (expect ,patience ,prompt)
                                      (send "\x1b[A\n") (expect ,patience "\"a\\nb\"") (expect ,patience ,prompt)
                                      (send ",q\n") (exit ,patience))
                                    #:env '("XDG_STATE_HOME=/dev/null/none" "INPUTRC=/dev/null")))
         (ok? (and (every step-ok? (terminal-steps terminal)) (equal? (terminal-end terminal) '(exited 0)))))
    (test-assert name ok?)
    (unless ok?
      (format (current-error-port) "~a: ~a\n~a\n" name (terminal-end terminal) (terminal-text terminal)))))

(define (test-several-lines)
  (test-lines "tutti repl" (list tutti "repl") "scheme@(guile-user)> ")
  (call-with-job "inspected-job.scm"
    (lambda (pid file)
      (test-lines "tutti attach" (list tutti "attach" (number->string pid)) "scheme@(guile-user)> "))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (runtime)
      (setenv "XDG_RUNTIME_DIR" runtime)
      (test-group "attached"
        (call-with-job "inspected-job.scm" (lambda (pid file) (test-all (asked-attached pid)))))
      (test-group "at home" (test-all asked-at-home))
      (test-group "nothing notices" (test-unharmed))
      (test-group "a client that is killed" (test-killed-client))
      (test-group "many workers" (test-many))
      (test-group "changes" (test-changes))
      (test-group "lines" (test-several-lines))))))
