;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What people get wrong, from outside: each mistake gives, at once, a text that names what is wrong and where, and a status that
;; is not 0.
(use-modules (tap) (programs) (ice-9 format) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define deadline 60)

(define (write-file file text)
  (call-with-output-file file (lambda (port) (display text port))))

(define (matches? pattern text)
  (and (string-match pattern text) #t))

(define* (test-mistake name script patterns #:key (env '()) (status 1))
  "Running the text @var{script} as script.scm must end with @var{status} and errors that match each of @var{patterns}, and leave no
process."
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (write-file file script)
       (test-group name
         (test-text (run-program (list tutti "run" file) #:env env #:seconds deadline) patterns status))))))

(define (test-text program patterns status)
  (test-equal "status" status (program-status program))
  (for-each (lambda (pattern)
              (let ((found? (matches? pattern (program-errors program))))
                (unless found?
                  (format (current-error-port) "~a~%" (program-errors program)))
                (test-assert (format #f "says ~a" pattern) found?)))
            patterns))

(define (in-pool . body)
  (format #f "(use-modules (tutti))~%(define-remote (double x) (* 2 x))~%(call-with-pool 2~%  (lambda (pool)~%    ~a))~%"
          (string-join body "\n")))

;;; The program.

(define (test-command-line)
  (define (status-and-errors . arguments)
    (let ((program (run-program (cons tutti arguments) #:seconds deadline)))
      (list (program-status program) (program-errors program))))
  (define (test-usage name arguments pattern)
    (let ((result (apply status-and-errors arguments)))
      (test-equal (string-append name ", status") 2 (first result))
      (test-assert name (matches? pattern (second result)))))
  (test-usage "no command" '() "expected a command: run, attach, ps, top, why, replay, report, compile, repl, new or doctor")
  (test-usage "unknown command" '("rnu" "x.scm")
              "there is no command `rnu'; expected run, attach, ps, top, why, replay, report, compile, repl, new or doctor")
  (test-usage "unknown option" '("--verbose") "there is no option `--verbose'")
  (test-usage "run without a script" '("run") "the script is missing; usage: tutti run .* SCRIPT")
  (test-usage "run with an empty name" '("run" "") "the script's name is empty; usage: tutti run .* SCRIPT")
  (test-usage "run with an option" '("run" "--fast" "x.scm") "there is no option `--fast'")
  (test-usage "doctor with an argument" '("doctor" "x") "`x' is too much; usage: tutti doctor")
  (let ((program (run-program (list tutti "doctor") #:env '("TUTTI_GUILE=/nonexistent/guile"))))
    (test-group "no Guile"
      (test-text program '("cannot start Guile, /nonexistent/guile: No such file or directory" "Install Guile 3.0") 127))))

(define (test-script-files)
  (call-with-folder
   (lambda (folder)
     (define (run file) (run-program (list tutti "run" file) #:seconds deadline))
     (test-group "missing script"
       (test-text (run (string-append folder "/none.scm")) '("cannot read the script .*/none.scm: No such file or directory") 1))
     (test-group "a folder as script" (test-text (run folder) '("cannot read the script .*: Is a directory") 1))
     (test-group "a file for a folder" (test-text (run "/dev/null/x.scm") '("cannot read the script /dev/null/x.scm: Not a directory") 1))
     (let ((compiled (string-append folder "/folder.go")) (loop (string-append folder "/loop.scm")))
       (mkdir compiled)
       (symlink loop loop)
       (test-group "a folder as compiled script" (test-text (run compiled) '("cannot run .*/folder.go: Is a directory") 1))
       (test-group "a link to itself" (test-text (run loop) '("cannot read the script .*/loop.scm: Too many levels") 1))))))

(define (test-streams)
  ;; A script need not be a file.
  (define (through-pipe text . words)
    (program-output (run-program (append (list "sh" "-c" (string-append "printf '%s' \"$0\" | \"$@\"") text) words) #:seconds deadline)))
  (test-equal "a script on the standard input" "in" (through-pipe "(display \"in\")" tutti "run" "/dev/stdin"))
  (test-equal "with a mistake" ""  (through-pipe "(display \"in\"" tutti "run" "/dev/stdin"))
  (test-mistake "bytes that are no program" "\x01\x02(" '("script.scm:[12]:[0-9]+: unexpected end of input")))

(define (test-syntax)
  (test-mistake "syntax error" "(display \"started\")\n(let ((x))\n  x)\n"
                '("script.scm:2:0: syntax error: let: bad let in form"))
  (test-mistake "missing parenthesis" "(define (f x)\n  (* 2 x)\n" '("script.scm:[0-9]+:[0-9]+: unexpected end of input"))
  (test-mistake "missing module" "(use-modules (there is no such))\n" '("script.scm:1:[0-9]+: no code for module \\(there is no such\\)"))
  (test-mistake "error in the script"
                "(define (inner x)\n  (+ 1 (vector-ref x 5)))\n(define (outer x)\n  (* 2 (inner x)))\n(display (outer #(1 2)))\n"
                '("script.scm:2:7: .*vector-ref: .*out of range: 5" "script.scm:4:7: in outer" "script.scm:5:9: at top level"))
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (write-file file "(display \"started\")\n(if)\n")
       (test-equal "nothing runs of a script with a syntax error" ""
                   (program-output (run-program (list tutti "run" file))))))))

;;; The pool.

(define (numbers n) (string-join (map (lambda (i) (format #f "~a.5" i)) (iota n)) " "))

(define (test-long-calls)
  (define (script form) (string-append "(use-modules (tutti))\n(display \"started\")\n" form))
  (test-mistake "thousands of arguments" (script (format #f "(define a\n  (f64vector ~a))\n" (numbers 4800)))
                '("script.scm:4:2: .*f64vector: a call with 4800 arguments" "no more than 4000" "#f64\\(…\\)"))
  (test-mistake "of any procedure" (script (format #f "(define (f . x) x)\n(display (f ~a))\n" (numbers 4100)))
                '("script.scm:4:9: .*f: a call with 4100 arguments" "\\(apply f '"))
  (test-mistake "in a remote procedure" (script (format #f "(define-remote (f)\n  (vector ~a))\n" (numbers 5000)))
                '("script.scm:4:2: .*vector: a call with 5000 arguments" "#\\(…\\)"))
  (test-mistake "within a call whose arguments are many"
                (script (format #f "(define (f . x) x)\n(display (f ~a\n (f ~a)))\n"
                                (string-join (map (lambda (i) "(f)") (iota 2000))) (numbers 2100)))
                '("script.scm:5:1: .*f: a call with 2100 arguments within others"))
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/script.scm")))
       (write-file file (script (format #f "(define a (f64vector ~a))\n" (numbers 4800))))
       (test-group "compiling it"
         (test-text (run-program (list tutti "compile" file) #:seconds deadline)
                    '("script.scm:3:10: .*a call with 4800 arguments") 1)
         (test-equal "nothing is written" #f (file-exists? (string-append folder "/script.go"))))
       (write-file file (script (format #f "(define a #f64(~a))\n(define b '(~a))\n~a\n"
                                        (numbers 4800) (numbers 5000)
                                        "(display (+ (f64vector-length a) (length b) (apply + b)))")))
       (let ((program (run-program (list tutti "run" file) #:seconds deadline)))
         (test-equal "literals and apply" '(0 "started12509800.0") (list (program-status program) (program-output program))))
       (write-file file (script (format #f "(define v (f64vector ~a))\n(display (+ (f64vector-ref v 1) (f64vector-ref v 3989)))\n"
                                        (numbers 3990))))
       (let ((program (run-program (list tutti "run" file) #:seconds deadline)))
         (test-equal "fewer are compiled rightly" '(0 "started3991.0") (list (program-status program) (program-output program))))))))

(define (test-worker-program)
  (define script (in-pool "(display (pool-map pool double '(1 2)))"))
  (define (cannot-start name program . patterns)
    (test-mistake name script (cons "script.scm:3:0: " patterns) #:env (list (string-append "TUTTI_WORKER=" program))))
  (cannot-start "worker program not found" "/nonexistent/worker" "/nonexistent/worker" "No such file or directory")
  (call-with-folder
   (lambda (folder)
     (cannot-start "a folder as worker program" folder (regexp-quote folder) "Permission denied|Is a directory")
     (let ((plain (string-append folder "/plain")) (garbage (string-append folder "/garbage")))
       (write-file plain "#!/bin/sh\n")
       (chmod plain #o644)
       (cannot-start "worker program not executable" plain (regexp-quote plain) "Permission denied")
       (write-file garbage (string #\nul #\x1 #\x2))
       (chmod garbage #o755)
       (cannot-start "worker program that is none" garbage (regexp-quote garbage) "Exec format error"))))
  (test-mistake "watcher program not found" script '("/nonexistent/tutti-watcher" "No such file or directory")
                #:env '("TUTTI_LIBEXECDIR=/nonexistent")))

(define (test-pool-size)
  (for-each (lambda (size)
              (test-mistake (format #f "a pool of ~a" size)
                            (format #f "(use-modules (tutti))~%(call-with-pool ~a (lambda (pool) (pool-map pool sqrt '(1))))~%" size)
                            (list "script.scm:2:0: " (format #f "a pool has 1 to 4096 workers; expected their number, got ~a\n" size))))
            '("0" "-1" "\"x\"" "1.5" "4097"))
  (test-mistake "TUTTI_WORKERS=many" "(use-modules (tutti))\n(make-pool)\n"
                '("script.scm:2:0: " "TUTTI_WORKERS is \"many\", expected a positive number") #:env '("TUTTI_WORKERS=many")))

(define (test-calls)
  (test-mistake "lists of unequal length" (in-pool "(display (pool-map pool + '(1 2 3) '(1 2)))")
                '("script.scm:[345]:[0-9]+: " "pool-map" "the lists must have equal lengths, but have 3, 2 items"))
  (test-mistake "no procedure" (in-pool "(display (pool-map pool 'double '(1 2)))") '("expected a procedure, got double"))
  (test-mistake "no pool" "(use-modules (tutti))\n(display (pool-map 3 sqrt '(1 2)))\n"
                '("script.scm:2:9: " "expected a pool, got 3")))

(define (test-unbound)
  (test-mistake "a procedure of a module that was not imported" "(use-modules (tutti pool))\n(gauss-newton 1 2)\n"
    '("script.scm:2:.*Unbound variable: gauss-newton" "`gauss-newton' is in .tutti.; write .use-modules .tutti.. first"))
  (test-mistake "one of Guile's" "(display (fold + 0 '(1)))\n" '("`fold' is in .srfi srfi-1."))
  (test-mistake "one on a worker" (in-pool "(pool-map pool (remote (lambda (x) (fold + 0 x))) '((1)))")
    '("uses the unbound variable `fold'" "write .use-modules .srfi srfi-1.. first"))
  (test-mistake "letters exchanged" "(dispaly 1)\n" '("Unbound variable: dispaly\n  is it `display'?"))
  (test-mistake "a letter left out" "(use-modules (tutti))\n(gauss-newtn 1 2)\n" '("is it `gauss-newton'?"))
  (test-mistake "one of a module that was not imported" "(gauss-newtn 1 2)\n"
    '("is it `gauss-newton', which is in .tutti solver.\\? Then write .use-modules .tutti solver.. first"))
  (test-mistake "one of the script's" "(define (measure x) x)\n(mesure 1)\n" '("is it `measure'?"))
  (test-mistake "a letter left out on a worker" (in-pool "(pool-map pool (remote (lambda (x) (doble x))) '(1))")
    '("uses the unbound variable `doble'" "is it `double'?"))
  (test-mistake "a name in other languages" "(print 1)\n" '("Unbound variable: print\n  Guile's is display"))
  (test-mistake "a name that nobody has" "(nonesuch 1)\n" '("Unbound variable: nonesuch\n")))

(define (test-staying)
  (define* (script definition #:optional (body "(read-char h)"))
    (format #f "(use-modules (tutti) (ice-9 threads))~%~a~%(define-remote (f x) ~a)~%~a~%"
            definition body "(call-with-pool 1 (lambda (pool) (pool-map pool f '(1))))"))
  (define port-advice "a port stays in its process; give the task the name of the file")
  (define pool-advice "a pool stays in its process; in a task, use .current-pool.")
  (for-each
   (lambda (definer)
     (test-mistake (string-append "a port, " definer) (script (format #f "(~a h (current-output-port))" definer))
       (list "script.scm:3:.*the remote procedure `f' .* uses `h', #<output: file 1>, which cannot travel" port-advice))
     (test-mistake (string-append "a port in a list, " definer) (script (format #f "(~a h (list 1 (current-output-port)))" definer))
       (list "uses `h', in which there is #<output: file 1>, which cannot travel" port-advice))
     (test-mistake (string-append "a pool, " definer)
       (script (format #f "(~a workers (make-pool 1))" definer) "(pool-map workers sqrt (list x))")
       (list "uses `workers', #<pool .*>, which cannot travel" pool-advice))
     (test-mistake (string-append "a mutex, " definer) (script (format #f "(~a h (make-mutex))" definer))
       '("uses `h', #<mutex .*, which cannot travel" "make it in the task")))
   '("define" "define-remote"))
  (test-mistake "a closure in a list" (script "(define-remote h (list 1 (lambda (x) x)))")
    '("uses `h', in which there is #<procedure" "write .remote .lambda"))
  (test-mistake "a pool that is given" (in-pool "(pool-map pool (remote ((p pool)) (lambda (x) (pool-map p sqrt (list x)))) '(1))")
    (list "script.scm:5:.*uses `p', #<pool .*>, which cannot travel" pool-advice))
  (test-mistake "a pool as an argument" (in-pool "(pool-map pool double (list 1 pool))")
    (list "#<pool .*> cannot travel to another process" "at: list 0, item 1 .counted from 0." pool-advice))
  (test-mistake "a closure as an argument" (in-pool "(pool-map pool sqrt (list 1 2 (lambda (x) x)))")
    '("the procedure without a name .*script.scm:5:.* is not remote" "at: list 0, item 2 .counted from 0." "write .remote .lambda"))
  (test-mistake "a closure as the argument of a task" (in-pool "(pool-submit! pool sqrt (lambda (x) x))")
    '("is not remote" "at: argument 0 .counted from 0."))
  (test-mistake "the closure that is mapped" (in-pool "(pool-map pool (lambda (x) x) '(1))")
    '("is not remote: workers cannot be given a closure\n  define it")))

(define (test-handlers)
  (define text "the handler of with-exception-handler returned, but an error cannot be continued")
  (test-mistake "a handler that returns" "(with-exception-handler\n    (lambda (e) 0)\n  (lambda () (car 1)))\n"
    (list "script.scm:" text "write #:unwind\\? #t"))
  (test-mistake "around a map"
    (in-pool "(with-exception-handler (lambda (e) 0)\n  (lambda () (pool-map pool double '(1 a))))")
    (list "script.scm:[3-6]:" text "write #:unwind\\? #t")))

(define (test-remote-code)
  (test-mistake "a closure that cannot travel" (in-pool "(let ((k 3)) (display (pool-map pool (lambda (x) (* k x)) '(1 2))))")
                '("script.scm:[345]:[0-9]+: " "lambda" "remote"))
  (test-mistake "a local in remote code" "(use-modules (tutti))\n(define (f k)\n  (remote (lambda (x) (* k x))))\n(f 3)\n"
                '("script.scm:3:" "`k'" "remote"))
  (test-mistake "a plain definition in remote code"
                (string-append "(use-modules (tutti))\n(define k 3)\n(call-with-pool 1\n"
                               "  (lambda (p) (display (pool-map p (remote (lambda (x) (* k x))) '(1)))))\n")
                '("script.scm:4:" "`k'" "define-remote"))
  (test-mistake "an unbound variable in a remote procedure"
                "(use-modules (tutti))\n(define-remote (f x) (* kk x))\n(call-with-pool 1 (lambda (p) (display (pool-map p f '(1)))))\n"
                '("script.scm:" "kk"))
  (test-mistake "a port as argument" (in-pool "(display (pool-map pool double (list 1 (current-output-port))))")
                '("script.scm:[45]:[0-9]+: " "#<output: file 1> cannot travel" "at: list 0, item 1")))

;;; Tasks.

(define (test-tasks)
  (test-mistake "an error in a task" (in-pool "(display (pool-map pool double '(1 a 3)))")
                '("item 1" "Wrong type argument" "worker [01]"))
  (test-mistake "a worker that exits in a task"
                (in-pool "(display (pool-map pool (remote (lambda (x) (exit 3))) '(1 2)))")
                '("died" "status 3"))
  (test-mistake "a worker that is hit by a segmentation fault in a task"
                (in-pool "(display (pool-map pool (remote (lambda (x) (kill (getpid) SIGSEGV) (sleep 100))) '(1 2)))")
                '("died" "signal 11 \\(SIGSEGV\\)"))
  (test-mistake "the last words of a worker"
                (in-pool "(pool-apply-only pool 1 (remote (lambda () (display \"out of tea\\n\" (current-error-port)) (exit 3))))")
                '("died" "out of tea" "worker 1"))
  (test-mistake "a task that takes too long"
                (in-pool "(parameterize ((task-timeout 0.2)) (display (pool-map pool (remote (lambda (x) (sleep 100))) '(1 2))))")
                '("task [0-9]+ ran on worker [01] for longer than its limit of 0.2 s"))
  (test-mistake "a pool that is closed"
                "(use-modules (tutti))\n(define pool (make-pool 1))\n(pool-close! pool)\n(display (pool-map pool sqrt '(1 2)))\n"
                '("script.scm:4:9: " "#<pool \"pool\" closed> is closed")))

(call-with-tap
 (lambda ()
   (test-group "command line" (test-command-line))
   (test-group "script files" (test-script-files))
   (test-group "streams" (test-streams))
   (test-group "syntax" (test-syntax))
   (test-group "long calls" (test-long-calls))
   (test-group "worker program" (test-worker-program))
   (test-group "pool size" (test-pool-size))
   (test-group "calls" (test-calls))
   (test-group "unbound" (test-unbound))
   (test-group "what stays in its process" (test-staying))
   (test-group "handlers" (test-handlers))
   (test-group "remote code" (test-remote-code))
   (test-group "tasks" (test-tasks))))
