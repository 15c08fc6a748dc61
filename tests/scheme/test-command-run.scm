;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that run-command starts: what they are given, what is read, how failures arrive, and what becomes of their folders.
(use-modules (tap) (programs) (temporary) ((damage) #:select (with-small-disk)) ((python-models) #:select (says? outcome))
             (ice-9 exceptions) (ice-9 format) (ice-9 ftw) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-4)
             (srfi srfi-64) (tutti) (tutti command))

(define (sh script . rest) (apply run-command "/bin/sh" "-c" script rest))
(define-remote (sh-there script . rest) (apply run-command "/bin/sh" "-c" script rest))

(define root (make-parameter #f))       ; where runs have their folders
(define (entries) (scandir (root) (lambda (name) (not (member name '("." ".."))))))
(define (empty!) (system* "rm" "-rf" (root)))
(define (text-in folder name) (call-with-input-file (string-append folder "/" name) get-string-all #:encoding "UTF-8"))
(define (write-file name text)
  (call-with-output-file name (lambda (port) (display text port)))
  name)

(define (failure-of raised)
  "Return kind and status of the condition RAISED, if it is that of a program."
  (if (command-failed? raised)
      (list (command-failed-kind raised) (command-failed-status raised))
      raised))

(define (failure thunk) (failure-of (outcome thunk)))

(define-syntax-rule (test-failure name expected expression)
  (test-equal name expected (failure (lambda () expression))))

;;; What it is given.

(define (test-arguments)
  (define odd '("" " " "a b" "a'b" "\"" "\\" "$HOME `id` $(id)" "*" "a\nb" "-n" "größe ✓" "#!/x" "~" "%s"))
  (test-equal "arguments as they are" (string-join odd "|")
    (apply run-command "/bin/sh" "-c" "IFS='|'; printf %s \"$*\"" "sh" odd))
  (test-equal "numbers and symbols" "1 -2.5 0.25 1.0e-300 fast\n" (run-command "echo" 1 -2.5 1/4 1e-300 'fast))
  (test-equal "in the locale C as well" "(246 8804)"
    (program-output
     (run-program (list tutti "run" (write-file (string-append (root) ".scm")
                                                "(use-modules (tutti) (tutti command))
(with-execution-manager
  (write (map char->integer (string->list (run-command \"printf\" \"%s\" (string #\\xf6 #\\x2264))))))"))
                  #:env '("LC_ALL=C"))))
  (test-equal "a name on the PATH" "ok\n" (run-command "echo" "ok"))
  (test-assert "NUL" (says? (lambda () (run-command "echo" "a\x00b")) "NUL"))
  (for-each (lambda (argument) (test-assert (object->string argument) (says? (lambda () (run-command "echo" argument)) "an argument")))
            (list #t '(1) +nan.0 +inf.0 1+2i (f64vector 1)))
  (test-equal "input" "größe\n" (run-command "cat" #:input "größe\n"))
  (test-equal "no input" "" (run-command "cat"))
  (test-equal "a megabyte of it" 1000000 (string-length (run-command "cat" #:input (make-string 1000000 #\x)))))

(define (test-environment)
  (setenv "TUTTI_TEST_OWN" "own")
  (test-equal "set, changed, taken out, and the rest as it was" "new=größe = 1|HOME=/x|<>|1|own\n"
    (call-with-pool 1
      (lambda (pool)
        (pool-apply-only pool 0 sh-there "echo \"new=$NEW|HOME=$HOME|<$LANG>|$TUTTI_ATTEMPT|$TUTTI_TEST_OWN\""
                         #:environment '(("NEW" . "größe = 1") ("HOME" . "/x") ("LANG" . #f) ("TUTTI_TEST_NONE" . #f))))))
  (test-failure "a PATH of its own" '(not-started not-started) (run-command "cat" #:environment '(("PATH" . "/nonexistent"))))
  (test-failure "no PATH" '("ok\n") (run-command "echo" "ok" #:environment '(("PATH" . #f))))
  (for-each (lambda (entry)
              (test-assert (object->string entry)
                (says? (lambda () (run-command "true" #:environment (list entry))) "#:environment" "pairs of name and value")))
            '(("" . "x") ("a=b" . "x") ("a" . 1) (a . "x") "a=b" ("a" . "b\x00c") ("a\x00" . "b"))))

(define (test-files folder)
  (define deck (write-file (string-append folder "/deck") "deck\n"))
  (define program (write-file (string-append folder "/model") "#!/bin/sh\ncat deck\n"))
  (chmod program #o500)
  (test-equal "copies, under other names and in folders" "deck\ndeck\n-r\n"
    (sh "cat deck sub/dir/other; test -L deck && echo link; rm deck; echo -r" #:files (list deck (cons deck "sub/dir/other"))))
  (test-equal "what was copied stays as it was" "deck\n" (text-in folder "deck"))
  (test-equal "links, to folders too" "deck\nlink\ndeck\n"
    (sh "cat deck; test -L deck && echo link; cat all/deck" #:links (list deck (cons folder "all"))))
  (test-assert "a folder behind a link is not emptied" (file-exists? deck))
  (test-equal "a program that is copied into it" "deck\n" (run-command "./model" #:files (list deck program)))
  (test-equal "by its name from here" "deck\n" (run-command program #:links (list deck)))
  (test-equal "with a relative name" "deck\n"
    (let ((before (getcwd)))
      (dynamic-wind
        (lambda () (chdir folder))
        (lambda () (run-command "./model" #:files '("deck")))
        (lambda () (chdir before)))))
  (for-each (match-lambda
              ((name arguments . parts)
               (test-assert name (apply says? (lambda () (apply run-command "true" arguments)) parts))))
            `(("no such file" (#:files ("/nonexistent/a")) "#:files" "there is no file /nonexistent/a")
              ("no such link" (#:links ("/nonexistent/a")) "#:links" "there is no file or folder /nonexistent/a")
              ("a folder" (#:files (,folder)) "#:files" "is a folder" "#:links")
              ("outside" (#:files ((,deck . "../x"))) "#:files" "in the folder of the run")
              ("a pipe" (#:files (,(let ((pipe (string-append folder "/pipe"))) (mknod pipe 'fifo #o600 0) pipe))) "cannot copy" "/pipe")
              ("no list" (#:files ,deck) "#:files" "expected a list")
              ("no name" (#:links (3)) "#:links" "expected the name of a file"))))

;;; What comes of it.

(define (test-folders)
  (define (keep-of how script)
    (empty!)
    (outcome (lambda () (sh script #:directory (root) #:keep how)))
    (length (entries)))
  (test-equal "kept or not, after success and failure" '(0 1 1 1 0 0)
    (append-map (lambda (how) (list (keep-of how "exit 0") (keep-of how "exit 1"))) '(failed always never)))
  (empty!)
  (let* ((deck (write-file (string-append (root) ".tpl") "k = @{k}\n"))
         (raised (outcome (lambda ()
                            (run-command "/bin/sh" "-c" "cat; echo made > made; mkdir -m 0 closed; echo wrong >&2; exit 3" "it's"
                                         #:directory (root) #:input "in" #:templates `((,deck . "in.dat")) #:values '((k . 2))
                                         #:files (list (cons deck "copy"))))))
         (folder (command-failed-folder raised)))
    (test-equal "its folder is the one that is there" (list folder)
      (map (lambda (name) (string-append (root) "/" name)) (entries)))
    (test-equal "with all" '("in" "in" "made\n" "wrong\n" "k = 2\n" "k = @{k}\n")
      (map (lambda (name) (text-in folder name)) '("stdin" "stdout" "made" "stderr" "in.dat" "copy")))
    (test-equal "and the command, for a shell" "/bin/sh -c 'cat; echo made > made; mkdir -m 0 closed; echo wrong >&2; exit 3' 'it'\\''s'\n"
      (text-in folder "command"))
    (test-equal "whose program, status and kind are known" '("/bin/sh" 3 status)
      (list (command-failed-program raised) (command-failed-status raised) (command-failed-kind raised)))
    (test-assert "and its message says all"
      (every (lambda (part) (string-contains (exception-message raised) part))
             (list "sh: it ended with status 3" "command: /bin/sh -c 'cat" (string-append "its folder was kept: " folder)
                   "the end of its standard error:" "    wrong"))))
  (empty!)
  (sh "mkdir -p a/b; echo > a/b/c; chmod 500 a/b; mkdir -m 0 closed; ln -s / link; mkfifo pipe" #:directory (root))
  (test-equal "folders that may not be written are removed as well" '() (entries))
  (test-equal "each run has its own" 2
    (length (delete-duplicates (list (sh "pwd" #:directory (root)) (sh "pwd" #:directory (root))))))
  (test-equal "a folder that is made" "ok\n" (sh "echo ok" #:directory (string-append (root) "/a/b")))
  (test-assert "one that cannot be made"
    (says? (lambda () (sh "true" #:directory "/proc/none/runs")) "cannot make the folder /proc/none"))
  (test-assert "a file instead of one" (says? (lambda () (sh "true" #:directory "/dev/null")) "/dev/null" "Not a directory"))
  (for-each (match-lambda
              ((key value) (test-assert (format #f "~s ~s" key value)
                             (says? (lambda () (sh "true" key value)) (object->string key) "expected"))))
            '((#:directory 3) (#:keep "always") (#:tries 0) (#:timeout 0) (#:timeout x) (#:limit #f) (#:limit -1) (#:success 0) (#:fail 3)
              (#:fail (x)) (#:retry ((3 -> #f))) (#:fail ((3 -> "x"))) (#:input x) (#:read "x") (#:values (3))))
  (test-assert "a pattern that is none" (says? (lambda () (sh "true" #:fail '(("log" "(")))) "no regular expression"))
  (test-assert "a checkpoint without a directory" (says? (lambda () (sh "true" #:checkpoint #t)) "#:directory"))
  (test-assert "a keyword that is none" (says? (lambda () (sh "true" #:dir "x")) "no keyword #:dir" "#:directory"))
  (test-assert "a keyword twice" (says? (lambda () (sh "true" #:tries 1 #:tries 2)) "#:tries is there twice"))
  (test-assert "a keyword without a value" (says? (lambda () (sh "true" #:tries)) "#:tries has no value"))
  (test-assert "an argument after keywords" (says? (lambda () (sh "true" #:tries 2 "x")) "\"x\" comes after keywords")))

(define (test-reading)
  (test-equal "the standard output" "out\n" (sh "echo out; echo err >&2"))
  (test-equal "a reader" 2.5 (sh "echo T = 2.5 > o" #:read (output-value "o" "T =")))
  (test-equal "a list, and a procedure" (list 2.5 (f64vector 1 2) #t)
    (sh "echo T = 2.5 > o; printf '1\\n2\\n' > c"
        #:read (list (output-value "o" "T =") (output-column "c" 1)
                     (remote (lambda (folder) (file-exists? (string-append folder "/o")))))))
  (test-failure "no file" '(output 0) (sh "true" #:read (output-value "o" "T")))
  (test-assert "which is said" (says? (lambda () (sh "true" #:read (output-value "o" "T"))) "o: the program has not written it" "was kept"))
  (test-failure "a short file" '(output 0) (sh "echo 1 > o" #:read (output-column "o" 1 #:rows 2)))
  (test-failure "a procedure that fails" '(output 0) (sh "true" #:read (remote (lambda (folder) (car '())))))
  (test-assert "its folder is kept too"
    (says? (lambda () (sh "true" #:directory (root) #:read (remote (lambda (folder) (car '()))))) "car" "its folder was kept"))
  (test-failure "NaN" '(not-finite 0) (sh "echo nan > o" #:read (output-column "o" 1)))
  (test-failure "infinite" '(not-finite 0) (sh "echo inf > o" #:read (list (output-value "o" #f #:line 1))))
  (test-failure "NaN with a kind" '(diverged 0) (sh "echo nan > o" #:read (output-value "o" #f #:line 1) #:fail '((nan -> diverged))))
  (test-assert "NaN that is welcome"
    (nan? (sh "echo nan > o" #:read (output-value "o" #f #:line 1) #:fail '((nan -> #f))))))

(define (test-statuses)
  (test-failure "a status" '(status 3) (sh "exit 3"))
  (test-failure "one that means success" '("") (sh "exit 3" #:success '(0 3)))
  (test-failure "0 that does not" '(status 0) (sh "exit 0" #:success '(3)))
  (test-failure "declared" '(declared 3) (sh "exit 3" #:fail '(3)))
  (test-failure "with a kind" '(licence 3) (sh "exit 3" #:fail '(4 (3 -> licence)) #:success '(0 3)))
  (test-failure "a signal" '(signal (signal 11)) (sh "kill -SEGV $$"))
  (test-failure "a signal with a kind" '(crash (signal 9)) (sh "kill -KILL $$" #:fail '((signal -> crash))))
  (test-failure "a line in a log" '(diverged 0)
    (sh "echo ok; echo 'error: NO convergence after 3' > log" #:fail '((("log" "NO convergence") -> diverged))))
  (test-assert "which is quoted"
    (says? (lambda () (sh "echo '  no licence  ' >&2" #:fail '(("stderr" "^ *no lic")))) "stderr has the line \"no licence\""))
  (test-failure "a log that is not there" '("") (sh "true" #:fail '(("log" "x"))))
  (test-failure "the line goes before the status" '(diverged 3) (sh "echo x; exit 3" #:fail '((("stdout" "x") -> diverged)))))

(define (test-tries folder)
  (define counter (string-append folder "/counter"))
  (define (tries-of how-many . options)
    "Run a program that fails with status 3 for HOW-MANY times: what came of it, and how often it ran."
    (write-file counter "")
    (let ((result (failure (lambda ()
                             (apply run-command "/bin/sh" "-c" "echo >> \"$0\"; n=$(wc -l < \"$0\"); test $n -gt $1 || exit 3; echo $n"
                                    counter how-many options)))))
      (list result (string-length (text-in folder "counter")))))
  (test-equal "not without being asked" '((status 3) 1) (tries-of 1))
  (test-equal "until it is good" '(("3\n") 3) (tries-of 2 #:retry '(3)))
  (test-equal "three times by default" '((again 3) 3) (tries-of 9 #:retry '(3)))
  (test-equal "as often as is said" '((licence 3) 5) (tries-of 9 #:retry '((3 -> licence)) #:tries 5))
  (test-equal "once" '((again 3) 1) (tries-of 9 #:retry '(3) #:tries 1))
  (test-equal "not for another failure of the same kind" '((licence 3) 1)
    (tries-of 9 #:retry '((4 -> licence)) #:fail '((3 -> licence))))
  (test-equal "any status" '(("2\n") 2) (tries-of 1 #:retry '(status)))
  (test-assert "its message says how often" (says? (lambda () (sh "exit 3" #:retry '(3) #:tries 4)) "it was tried 4 times"))
  (empty!)
  (tries-of 9 #:retry '(3) #:directory (root))
  (test-equal "one folder is kept" 1 (length (entries)))
  (empty!)
  (tries-of 2 #:retry '(3) #:directory (root) #:keep 'always)
  (test-equal "or all" 3 (length (entries))))

(define (test-starts folder)
  (define (file name text mode)
    (let ((name (write-file (string-append folder "/" name) text)))
      (chmod name mode)
      name))
  (define-syntax-rule (refused name program part ...)
    (begin
      (test-failure name '(not-started not-started) (run-command program))
      (test-assert (string-append name ", which is said") (says? (lambda () (run-command program)) part ...))))
  (refused "no such program" "/nonexistent/model" "cannot be started" "No such file")
  (refused "none on the PATH" "no-such-model" "there is no program no-such-model on the PATH" "/bin")
  (refused "not executable" (file "plain" "#!/bin/sh\n" #o644) "Permission denied" "chmod +x")
  (refused "no script" (file "text" "hello\n" #o755) "Exec format error" "#!")
  (refused "no interpreter" (file "other" "#!/nonexistent/sh\n" #o755) "No such file" "the file is there")
  (refused "a folder" folder "Permission denied" "it is a folder")
  (test-assert "no name" (says? (lambda () (run-command "")) "name of a program"))
  (test-assert "no string" (says? (lambda () (run-command 'x)) "name of a program")))

;;; Where it runs.

(define (test-places)
  (define items (iota 20))
  (define (all pool) (pool-map pool (remote (lambda (i) (run-command "echo" i))) items))
  (define expected (map (lambda (i) (format #f "~a\n" i)) items))
  (for-each (lambda (n) (call-with-pool n (lambda (pool) (test-equal (format #f "~a workers" n) expected (all pool)))))
            '(1 3 64))
  (let ((serial (make-serial-pool)))
    (test-equal "the serial pool" expected (all serial))
    (test-equal "a failure there" '(status 3) (failure (lambda () (task-wait (pool-submit! serial sh-there "exit 3"))))))
  (call-with-pool 3
    (lambda (pool)
      (define some-fail
        (remote (lambda (i) (if (odd? i) (run-command "/bin/sh" "-c" "exit 7" #:fail '((7 -> odd))) (run-command "echo" i)))))
      (test-equal "a failure in a map" '(odd 7) (failure (lambda () (pool-map pool some-fail items))))
      (test-equal "failures that are collected" '("0\n" (odd 7) "2\n" (odd 7))
        (map (lambda (x) (if (string? x) x (failure-of x))) (pool-map pool some-fail '(0 1 2 3) #:on-error 'collect)))
      (test-equal "a failure of a task" '(odd 7) (failure (lambda () (task-wait (pool-submit! pool some-fail 1)))))
      (let ((raised (outcome (lambda () (pool-apply-only pool 0 sh-there "exit 5" #:directory (root))))))
        (test-equal "all its fields" (list "/bin/sh" 5 'status #t)
          (list (command-failed-program raised) (command-failed-status raised) (command-failed-kind raised)
                (file-exists? (string-append (command-failed-folder raised) "/command"))))))))

(define (test-full-disk)
  (with-small-disk
   (lambda (on-disk)
     (define large (write-file (string-append (root) ".large") (make-string 2000000 #\x)))
     (define program
       "(use-modules (tutti) (tutti command) (ice-9 exceptions) (ice-9 ftw))
        (define large (cadr (command-line)))
        (define (say thunk) (with-exception-handler (lambda (e) (display (exception-message e)) (newline)) thunk #:unwind? #t))
        (define (run . rest) (say (lambda () (apply run-command \"/bin/sh\" \"-c\" rest))))
        (with-execution-manager
          (run \"true\" #:directory \"/mnt\" #:files (list (cons large \"large\")))
          (run \"true\" #:directory \"/mnt\" #:input (make-string 2000000 #\\x))
          (write (scandir \"/mnt\"))
          (run \"head -c 2000000 /dev/zero > big || exit 9\" #:directory \"/mnt\"))")
     (let ((run (run-program (on-disk (list tutti "run" (write-file (string-append (root) ".scm") program) large)))))
       (test-equal "a full disk: the script goes on" 0 (program-status run))
       (for-each (lambda (part)
                   (test-assert (string-append "it says: " part)
                     (string-contains (program-output run) part)))
                 (list (format #f "cannot copy ~a to /mnt/sh-" large) "cannot write /mnt/sh-" "/stdin: No space left on device"
                   "(\".\" \"..\")" "it ended with status 9" "No space left on device"))))))

(call-with-tap
 (lambda ()
   (call-with-temporary-files
    (lambda (folder)
      (parameterize ((root (string-append folder "/runs")))
        (with-execution-manager
          (test-group "arguments" (test-arguments))
          (test-group "environment" (test-environment))
          (test-group "files" (call-with-folder test-files))
          (test-group "folders" (test-folders))
          (test-group "reading" (test-reading))
          (test-group "statuses" (test-statuses))
          (test-group "tries" (call-with-folder test-tries))
          (test-group "starts" (call-with-folder test-starts))
          (test-group "places" (test-places))
          (test-group "disk" (test-full-disk))))))))
