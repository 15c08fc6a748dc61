;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Launchers in whole programs: --on of tutti's commands, Ctrl-C while nodes are waited for, and the doctor. Agents are processes of this
;; machine (fake-cluster); srun is a program of this test.
(use-modules (tap) (processes) (programs) (ice-9 match) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define patience 60)

(define (write-file file text)
  (call-with-output-file file (lambda (port) (display text port)) #:encoding "UTF-8"))

(define (write-program file text)
  (write-file file (string-append "#!/bin/sh\n" text))
  (chmod file #o755))

(define (path-with folder) (string-append "PATH=" folder ":" (getenv "PATH")))

(define no-allocation '("-u" "SLURM_JOB_ID" "-u" "SLURM_JOB_NODELIST" "-u" "SLURM_JOB_NUM_NODES"))

(define script "(use-modules (tutti) (fake-cluster) (tutti launcher cluster) (tutti pool type))
(use-fake-cluster!)
(call-with-pool 3
  (lambda (pool)
    (write (list (pool-map pool sqrt '(1 4 9)) (and=> (pool-cluster pool) (lambda (cluster) (map node-name (there-nodes cluster))))))
    (newline)))
")

;; It is as if it had started an agent on each of as many nodes as --nodes says.
(define good-salloc "for word; do case $word in --nodes=*) n=${word#--nodes=};; esac; done
read folder; cd \"$folder\"
while [ $n -gt 0 ]; do echo $$ > new-n$n; mv new-n$n agent-n$n; n=$((n - 1)); done
while test -e run; do sleep 0.1; done
")

(define (test-run)
  (call-with-folder
   (lambda (folder)
     (define file (string-append folder "/script.scm"))
     (define mark (make-mark))
     (define (run . arguments)
       (run-program (append (list tutti) arguments)
                    #:env (append no-allocation (list (path-with folder) mark (string-append "FAKE_CLUSTERS=" folder)))))
     (write-file file script)
     (write-program (string-append folder "/salloc") good-salloc)
     (match (run "run" "--on" "slurm:nodes=2" file)
       (program
        (test-equal "the script is as it is" '(0 "" "((1 2 3) (n1 n2))\n")
          (list (program-status program) (program-errors program)
                (let ((text (program-output program))) (string-delete #\" text))))))
     (test-equal "without --on it is here" "((1 2 3) #f)\n" (program-output (run "run" file)))
     (test-equal "no process is left" '() (begin (await (lambda () (null? (marked-processes mark))) 20) (marked-processes mark)))
     (test-equal "nor a folder" '("salloc" "script.scm")
       ((@ (ice-9 ftw) scandir) folder (lambda (name) (not (string-prefix? "." name)))))
     (test-equal "a REPL" #t
       (->bool (string-contains
                (program-output (run-program (list "sh" "-c" "echo '(display (current-launcher))' | \"$0\" repl --on ssh:a,b -q" tutti)))
                "#<launcher ssh (a, b)>")))
     (for-each (match-lambda
                 ((arguments . words)
                  (let ((program (apply run arguments)))
                    (test-equal (string-join arguments " ") '(2 #t)
                      (list (program-status program)
                            (or (not (any (lambda (word) (not (string-contains (program-errors program) word))) words))
                                (program-errors program)))))))
               `((("run" "--on") "--on: the launcher is missing" "tutti run")
                 (("run" "--on" "slurm:nodse=2" ,file) "tutti: --on slurm:nodse=2: there is no `nodse'")
                 (("run" "--on" "nowhere" ,file) "there is no launcher `nowhere'; expected local")
                 (("run" "--on" "local") "the script is missing")
                 (("repl" "--on" "ssh:") "expected hosts")
                 (("doctor" "--on") "--on: the launcher is missing")
                 (("compile" "--on" "local" ,file) "is too much"))))))

(define (test-interrupt)
  (call-with-folder
   (lambda (folder)
     (define file (string-append folder "/script.scm"))
     (define mark (make-mark))
     (define (on-terminal . steps)
       (run-on-terminal (append (list "env") no-allocation (list tutti "run" "--on" "slurm:nodes=2" file)) steps
                        #:env (list (path-with folder) mark (string-append "FAKE_CLUSTERS=" folder))))
     (write-file file script)
     (write-program (string-append folder "/salloc")
                    "trap 'echo revoked > \"$0.end\"; exit 1' TERM
echo 'salloc: job 7 queued and waiting for resources' >&2
while :; do sleep 0.1; done\n")
     (let ((terminal (on-terminal `(expect ,patience "waiting for Slurm: job 7 is in the queue; Ctrl-C takes it out") '(interrupt)
                                  `(exit ,patience))))
       (test-equal "a script that waits in the queue ends by Ctrl-C" (list #t (list 'signal SIGINT))
         (list (every step-ok? (terminal-steps terminal)) (terminal-end terminal)))
       (test-equal "salloc gets to know" #t (file-exists? (string-append folder "/salloc.end")))
       (test-equal "no process is left" '() (begin (await (lambda () (null? (marked-processes mark))) 20) (marked-processes mark))))
     (write-program (string-append folder "/salloc") "sleep 100\n")
     (let ((terminal (on-terminal `(expect ,patience "tutti: slurm: waiting for the nodes of slurm (2 nodes); Ctrl-C ends that")
                                  '(interrupt) `(exit ,patience))))
       (test-equal "whoever waits for long is told for what" #t (every step-ok? (terminal-steps terminal)))
       (unless (every step-ok? (terminal-steps terminal))
         (display (terminal-text terminal) (current-error-port)))))))

(define (test-doctor)
  (define* (doctor launcher #:optional (before ""))
    (run-program (list tutti "-c" (format #f "(use-modules (fake-cluster) (tutti launcher) (tutti launcher nodes) (tutti program doctor))
(use-fake-cluster!) ~a
(settle-seconds 0.3)
(parameterize ((current-launcher ~a)) (run-doctor))" before launcher))))
  (define two "(make-launcher #:name \"two\" #:start (lambda (request) (list (cons 1 (fake-agent \"n1\")) (cons 1 (fake-agent \"n2\")))))")
  (let* ((program (doctor two)) (text (program-output program)))
    (test-equal "all is well" 0 (program-status program))
    (test-assert "the launcher" (string-match "\nok +two +two: 2 nodes\n" text))
    (test-assert "each node"
      (string-match "\nok +n[12] +2 processors, 3.0 of 4.0 GB free; there and back in 0.100 ms, 500 MB/s, clock as here\n" text))
    (test-assert "this machine as well" (string-match "\nok +pool +2 started" text)))
  (let* ((program (doctor two "(set-fake-differences! '((\"n2\" . \"FFTW 3.3.9 on n2, 3.3.10 here\")))")) (text (program-output program)))
    (test-equal "one that differs" 1 (program-status program))
    (test-assert "is shown with what differs" (string-match "\nfail +n2 +2 processors[^\n]*\n +FFTW 3.3.9 on n2, 3.3.10 here" text))
    (test-assert "and the other one too" (string-match "\nok +n1 " text)))
  (let* ((program (doctor "(make-launcher #:name \"none\" #:start (lambda (request) '((1 \"sh\" \"-c\" \"echo no way; exit 3\"))))"))
         (text (program-output program)))
    (test-equal "a launcher that fails" 1 (program-status program))
    (test-assert "is shown with why" (string-match "\nfail +none +[^\n]*no node has come up: none\n" text))
    (test-assert "to the last line" (string-match "\n +no way\n" text)))
  (test-equal "a text" #t
    (->bool (string-match "\nfail +ssh +" (program-output (run-program (list tutti "doctor" "--on" "ssh:no-such-host.invalid"))))))
  (test-equal "without --on as it was" #f
    (string-match "ssh" (program-output (run-program (list tutti "doctor"))))))

(call-with-tap
 (lambda ()
   (test-group "run" (test-run))
   (test-group "interrupt" (test-interrupt))
   (test-group "doctor" (test-doctor))))
