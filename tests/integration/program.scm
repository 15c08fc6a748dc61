;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The program tutti in good use: scripts with their arguments and status, the doctor, the REPL with its history.
(use-modules (tap) (programs) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (write-file file text)
  (call-with-output-file file (lambda (port) (display text port))))

(define* (run-script folder text #:key (arguments '()) (env '()) (name "script.scm"))
  (let ((file (string-append folder "/" name)))
    (write-file file text)
    (run-program (append (list tutti "run" file) arguments) #:env env)))

(define (last-line text)
  (last (string-split (string-trim-right text #\newline) #\newline)))

(define (test-informations)
  (let ((version (run-program (list tutti "--version")))
        (help (run-program (list tutti "--help"))))
    (test-assert "--version" (string-match "^tutti [0-9]+\\.[0-9]+\\.[0-9]+\n$" (program-output version)))
    (test-equal "--version is no error" 0 (program-status version))
    (test-assert "--help names all commands"
      (every (lambda (command) (string-contains (program-output help) command))
             '("run SCRIPT" "compile SCRIPT" "repl" "doctor" "--help" "--version")))
    (test-equal "--help is no error" 0 (program-status help))))

(define (test-scripts)
  (call-with-folder
   (lambda (folder)
     (define (output-of . arguments) (program-output (apply run-script folder arguments)))
     (define (status-of . arguments) (program-status (apply run-script folder arguments)))
     (test-equal "the script has its own name and arguments in the command line"
       (format #f "(~s \"a\" \"--help\" \"b c\")" (string-append folder "/script.scm"))
       (output-of "(write (command-line))" #:arguments '("a" "--help" "b c")))
     (test-equal "the status of exit is kept" 7 (status-of "(exit 7)"))
     (test-equal "(exit #f)" 1 (status-of "(exit #f)"))
     (test-equal "the end of the script is a success" 0 (status-of "#f"))
     (test-equal "exit leaves scopes" "left" (output-of "(dynamic-wind + (lambda () (exit 0)) (lambda () (display \"left\")))"))
     (test-equal "an empty script" 0 (status-of ""))
     (test-equal "a script with a first line for the shell" "3" (output-of "#!/usr/bin/env -S tutti run\n!#\n(display 3)"))
     (test-equal "a script that defines a module" "(my script)"
       (output-of "(define-module (my script))\n(write (module-name (current-module)))"))
     (test-equal "a script in UTF-8" "σ"
       (output-of "(display \"σ\")" #:env '("LC_ALL=C.UTF-8")))
     (write-file (string-append folder "/other.scm") "(define other 5)")
     (test-equal "load finds files beside the script" "5" (output-of "(load \"other.scm\") (display other)"))
     (test-equal "also if its name is relative, and it goes elsewhere" "5"
       (program-output (run-program (list "sh" "-c" "cd \"$0\" && exec \"$1\" run ./script.scm" folder tutti))))
     (write-file (string-append folder "/away.scm") "(chdir \"/\")\n(define (f x)\n  (+ 1 (car x)))\n(display (f 1))")
     (test-assert "its place is told as well"
       (string-match "/away.scm:3:[0-9]+: .*car.*\n.*/away.scm:4:"
                     (program-errors (run-program (list "sh" "-c" "cd \"$0\" && exec \"$1\" run away.scm" folder tutti)))))
     (write-file (string-append folder "/away.scm") "(define (f)\n  (g 1))")
     (test-assert "warnings of the compiler say where"
       (string-match "/away.scm:2:[0-9]+: warning: possibly unbound variable `g'"
                     (program-errors (run-program (list tutti "run" (string-append folder "/away.scm"))))))
     (delete-file (string-append folder "/away.scm"))
     (test-equal "a script starts in guile's own module" "(guile-user)" (output-of "(write (module-name (current-module)))"))
     (test-equal "nothing is written beside the script" '("." ".." "other.scm" "script.scm")
       ((@ (ice-9 ftw) scandir) folder))
     (test-equal "one BLAS thread, unless the user says otherwise" "1 2"
       (output-of "(format #t \"~a ~a\" (getenv \"OPENBLAS_NUM_THREADS\") (getenv \"OMP_NUM_THREADS\"))"
                  #:env '("-u" "OPENBLAS_NUM_THREADS" "OMP_NUM_THREADS=2"))))))

(define (test-modules)
  (call-with-folder
   (lambda (folder)
     (define (in-folder name) (string-append folder "/" name))
     (define (module factor)
       (format #f "(define-module (near factors) #:export (times))\n(define (times x) (* ~a x))" factor))
     (define (run-here . arguments)
       (run-program (append (list "sh" "-c" "cd \"$0\" && exec \"$@\"" folder tutti) arguments)))
     (define (run . arguments) (string-trim-right (program-output (apply run-here arguments))))
     (for-each (lambda (name) (mkdir (in-folder name))) '("near" "b" "b/near" "links" "elsewhere"))
     (write-file (in-folder "near/factors.scm") (module 2))
     (write-file (in-folder "b/near/factors.scm") (module 3))
     ;; Used in the script, and on workers of a pool that is made somewhere else.
     (write-file (in-folder "script.scm") "(use-modules (tutti) (near factors))
(define-remote (on-worker x) (times x))
(chdir \"elsewhere\")
(write (list (times 1) (call-with-pool 1 (lambda (pool) (pool-map pool on-worker '(1))))))")
     (symlink "../script.scm" (in-folder "links/link.scm"))
     (test-equal "modules beside the script" "(2 (2))" (run "run" "script.scm"))
     (test-equal "by its whole name" "(2 (2))" (run "run" (in-folder "script.scm")))
     (test-equal "where a link leads" "(2 (2))" (run "run" "links/link.scm"))
     (test-equal "those of -L come first" "(3 (3))" (run "run" "-L" "b" "script.scm"))
     (test-equal "in the order of the options" "(2 (2))" (run "run" "-L" "." "-L" "b" "script.scm"))
     (write-file (in-folder "elsewhere/tutti.scm") "(use-modules (tutti))\n(write (pool? 1))")
     (test-equal "a script with our name hides nothing of ours" "#f" (run "run" "elsewhere/tutti.scm"))
     (test-equal "with other options" "(3 (3))" (run "run" "--protect-borrowed" "-L" "b" "script.scm"))
     (run "compile" "-L" "b" "script.scm")
     (test-equal "compiled" "(2 (2))" (run "run" "script.go"))
     (write-file (in-folder "show.scm") "(write (cdr (command-line)))")
     (test-equal "behind the script it is an argument" "(\"-L\" \"b\")" (run "run" "show.scm" "-L" "b"))
     (for-each (lambda (arguments part)
                 (let ((program (apply run-here arguments)))
                   (test-assert part
                     (and (eqv? 2 (program-status program)) (string-contains (program-errors program) part)))))
               '(("run" "-L") ("run" "-L" "nowhere" "script.scm") ("run" "-L" "script.scm" "script.scm") ("run" "-L" "b")
                 ("doctor" "-L" "b"))
               '("-L: the folder is missing" "-L: there is no folder `nowhere'" "there is no folder `script.scm'" "the script is missing"
                 "`-L' is too much")))))

(define (test-protection)
  (call-with-folder
   (lambda (folder)
     (define script (string-append folder "/script.scm"))
     (write-file script "(use-modules (tutti))
(define-remote (hang v) (sleep 1000))
(define-remote (sum v) (vec-dot v v))
(define v (make-shared-f64vector 100000 1.))
(call-with-pool 1
  (lambda (pool)
    (define task (pool-submit! pool hang v))
    (when (pair? (cdr (command-line)))
      (task-cancel! task))
    (f64vector-set! v 50000 2.)
    (display (car (pool-map pool sum (list v))))))")
     (let ((program (run-program (list tutti "run" "--protect-borrowed" script))))
       (test-assert "a write to a borrowed vector ends the script" (not (eqv? (program-status program) 0)))
       (test-assert "the vector is named"
         (string-match "byte 400000 .number 50000 .* of 800000 bytes" (program-errors program))))
     (test-equal "one that was given back can be written to" "100003.0"
       (program-output (run-program (list tutti "run" "--protect-borrowed" script "cancelled")))))))

(define (test-compiled-scripts)
  (call-with-folder
   (lambda (folder)
     (define (in-folder name) (string-append folder "/" name))
     (define (run . arguments) (run-program (cons tutti arguments)))
     (define (compile text)
       (write-file (in-folder "script.scm") text)
       (run "compile" (in-folder "script.scm")))
     (define (run-compiled . arguments) (apply run "run" (in-folder "script.go") arguments))
     (define (files) ((@ (ice-9 ftw) scandir) folder (lambda (name) (not (string-prefix? "." name)))))
     (test-equal "a script is compiled" 0
       (program-status (compile "(use-modules (tutti))
(define-remote (twice x) (* 2 x))
(write (call-with-pool 2 (lambda (pool) (pool-map pool twice '(1 2 3)))))
(write (cdr (command-line)))
(write (and (resolve-module '(system base compile) #f #:ensure #f) 'compiler))")))
     (test-equal "into a file beside it" '("script.go" "script.scm") (files))
     (test-equal "it runs, with its arguments and without the compiler" "(2 4 6)(\"a\" \"b\")#f" (program-output (run-compiled "a" "b")))
     (compile "(define (inner x)\n  (+ 1 (vector-ref x 5)))\n(display (inner #(1 2)))\n")
     (let ((program (run-compiled)))
       (test-equal "an error in it" 1 (program-status program))
       (test-assert "is told with its place in the source"
         (string-match "/script.scm:2:7: .*vector-ref: .*out of range: 5" (program-errors program))))
     (let ((program (compile "(display 1")))
       (test-equal "a script with a mistake is not compiled" 1 (program-status program))
       (test-assert "and told so" (string-match "script.scm:1:[0-9]+: unexpected end of input" (program-errors program))))
     (write-file (in-folder "script.go") "no bytecode")
     (let ((program (run-compiled)))
       (test-equal "what is no compiled script does not run" 1 (program-status program))
       (test-assert "and says why"
         (string-match "cannot run .*/script.go: object file too small; a compiled script is written by `tutti compile'"
                       (program-errors program))))
     (delete-file (in-folder "script.go"))
     (test-assert "a compiled script that is not there" (string-match "cannot run .*No such file" (program-errors (run-compiled))))
     (mkdir (in-folder "script.go"))
     (let ((program (compile "1")))
       (test-equal "the compiled script cannot be written" 1 (program-status program))
       (test-assert "which is told" (string-match "tutti: cannot write .*/script.go: Is a directory" (program-errors program))))
     (test-equal "nothing half-written is left" '("script.go" "script.scm") (files)))))

(define (test-doctor)
  (let* ((doctor (run-program (list tutti "doctor")))
         (lines (string-split (string-trim-right (program-output doctor) #\newline) #\newline)))
    (test-equal "all is well here" 0 (program-status doctor))
    (unless (eqv? 0 (program-status doctor))
      (display (program-output doctor) (current-error-port)))
    (test-assert "each line is a finding" (every (lambda (line) (string-match "^(ok  |warn|fail|    )  " line)) (cdr lines)))
    (test-assert "workers were tried" (any (lambda (line) (string-match "^ok +pool +2 started in [0-9.]+ ms" line)) lines)))
  (let ((python (getenv "TUTTI_PYTHON")))
    (if (file-exists? python)
        (test-assert "which Python would be used, and why"
          (string-match (format #f "\n(ok|warn) +Python +3[0-9.]+[^ ]*, ~a [(][$]TUTTI_PYTHON[)]\n +/[^\n]*libpython3[^\n]*\n +(no )?numpy"
                                python)
                        (program-output (run-program (list tutti "doctor")))))
        (tap-skip "which Python would be used, and why" "python3 is not installed")))
  (let ((doctor (run-program (list tutti "doctor") #:env '("TUTTI_PYTHON=/nonexistent/python3"))))
    (test-equal "without Python, status" 0 (program-status doctor))
    (test-assert "without Python, text"
      (string-match "\nwarn +Python +/nonexistent/python3 [(][$]TUTTI_PYTHON[)] does not exist" (program-output doctor))))
  (let ((doctor (run-program (list tutti "doctor") #:env '("TUTTI_LIBEXECDIR=/nonexistent"))))
    (test-equal "without the worker's program, status" 1 (program-status doctor))
    (test-assert "without the worker's program, text"
      (string-match "fail +worker +/nonexistent/tutti-worker does not exist; .*TUTTI_LIBEXECDIR" (program-output doctor)))
    (test-assert "the pool cannot be started, and says which program is missing"
      (string-match "fail +pool .*/nonexistent/tutti-watcher" (program-output doctor)))
    (test-assert "nobody can look for Python" (string-match "warn +Python +not looked for" (program-output doctor)))
    (test-assert "other checks go on" (string-match "ok +/proc" (program-output doctor)))))

(define (test-repl)
  (call-with-folder
   (lambda (folder)
     (define (talk . steps)
       (run-on-terminal (list tutti "repl") steps
                        #:env (list (string-append "XDG_STATE_HOME=" folder) "INPUTRC=/nonexistent")))
     (let ((terminal (talk '(expect 20 "Tutti ") '(expect 20 "(guile-user)> ")
                           '(send "(call-with-pool 2 (lambda (pool) (pool-map pool 1+ '(1 2 3))))\n") '(expect 20 "= (2 3 4)")
                           '(send "(error \"oh dear\" 5)\n") '(expect 20 "oh dear 5") '(expect 20 "[1]> ")
                           '(send ",q\n") '(expect 20 "(guile-user)> ")
                           '(send "(exit 4)\n") '(exit 20))))
       (test-assert "(tutti) is there" (every step-ok? (terminal-steps terminal)))
       (test-equal "its status is kept" '(exited 4) (terminal-end terminal)))
     (if (false-if-exception (resolve-interface '(ice-9 readline)))
         (begin
           (test-assert "what was typed is remembered"
             (string-contains (call-with-input-file (string-append folder "/tutti/history") get-string-all) "(pool-map pool 1+"))
           (test-assert "and comes back with the cursor keys"
             (every step-ok? (terminal-steps
                              (talk '(expect 20 "(guile-user)> ") '(send "\x1b[A\x1b[A\x1b[A\x1b[A\n") '(expect 20 "= (2 3 4)")
                                    '(send ",q\n") '(exit 20))))))
         (tap-skip "history" "this Guile has no readline"))
     (let ((program (run-program (list "sh" "-c" "echo '(display (pool-size (make-serial-pool)))' | \"$0\" repl" tutti))))
       (test-assert "it reads from a pipe, too" (string-contains (program-output program) "1"))
       (test-equal "and ends with it" 0 (program-status program))))))

(call-with-tap
 (lambda ()
   (test-group "information" (test-informations))
   (test-group "scripts" (test-scripts))
   (test-group "modules" (test-modules))
   (test-group "protection" (test-protection))
   (test-group "compiled scripts" (test-compiled-scripts))
   (test-group "doctor" (test-doctor))
   (test-group "repl" (test-repl))))
