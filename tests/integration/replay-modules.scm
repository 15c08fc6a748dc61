;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks of modules in C leave capsules, from which they are run again, as tasks in Scheme do: test replay.
(use-modules (tap) (programs) (replays) (ice-9 ftw) (ice-9 match) (ice-9 regex) (srfi srfi-1) (srfi srfi-64) (tutti base primitives))

(define (module-copy folder)
  "Return a copy of the module in FOLDER, which can be changed."
  (let ((copy (string-append folder "/my-module.so")))
    (copy-file (helper "example-module.so") copy)
    copy))

(define (make-capsules folder)
  (let* ((journal (string-append folder "/journal"))
         (program (run-program (list (helper "replayed-tasks") journal (module-copy folder) (helper "example-operator.so"))
                               #:env '("OF_THE_JOB=yes"))))
    (unless (eqv? 0 (program-status program))
      (error "the program has failed" (program-status program) (program-errors program)))
    journal))

(define (number-of journal words)
  "Return the number of the task in whose line of the listing WORDS are."
  (let* ((listing (second (replay journal)))
         (line (find (lambda (line) (string-contains line words)) (string-split listing #\newline))))
    (or (and line (match:substring (string-match "task ([0-9]+)" line) 1)) (error "no capsule" words listing))))

(define (test-same-way journal)
  (define (again words) (replay journal (number-of journal words)))
  (test-replay "an error" 0 ("fail, of pool" "no model 'of the earth'" "It failed the same way") (again "no model"))
  (test-replay "a signal" 0 ("dying of signal 11" "It failed the same way: it was ended by signal 11") (again "  die died"))
  (test-replay "too slow" 0 ("It failed the same way: it took longer than it may") (again "  hang timed out"))
  (test-replay "an error of the engine's" 0 ("neither a value nor an error" "It failed the same way") (again "  forget "))
  (test-replay "an operator that cannot be made" 0 ("nothing-known" "It failed the same way") (again "nothing-known"))
  (test-replay "an operator that fails" 0 ("the first number is none" "It failed the same way") (again "first number")))

(define (capsule-of journal words)
  (let ((number (number-of journal words)))
    (string-append journal ".capsules/1-" number ".capsule")))

(define (test-facts journal folder)
  (match (%read-capsule (capsule-of journal "no model"))
    ((facts . parts)
     (test-equal "its function, folder and environment" (list "fail" (getcwd) "yes")
       (map (lambda (key) (assoc-ref facts key)) '("function" "folder" "environment:OF_THE_JOB")))
     (test-assert "its module, with the digest of that"
       (string-match (string-append "^[0-9a-f]{64} " (regexp-quote (canonicalize-path (string-append folder "/my-module.so"))) "$")
                     (assoc-ref facts (string-append "module:" folder "/my-module.so"))))
     (test-equal "its request" '(request) (map (lambda (part) (vector-ref part 0)) parts)))))

(define (test-gdb journal)
  (if (search-path (parse-path (getenv "PATH")) "gdb")
      (let ((program (run-program (list "sh" "-c" (format #f "echo bt | '~a' replay --gdb '~a' ~a" tutti journal
                                                          (number-of journal "  die died"))))))
        (test-equal "under gdb" '() (missing (program-output program) "received signal SIGSEGV" " in die")))
      (tap-skip "under gdb" "gdb is not installed")))

(define (test-changed journal folder)
  (define module (string-append folder "/my-module.so"))
  (define number (number-of journal "no model"))
  (test-replay "there is no REPL" 1 ("there is no REPL for `fail', a function in C") (replay "--here" journal number))
  (let ((port (open-file module "ab")))
    (display "changed" port)
    (close-port port))
  (test-replay "a module that has changed" 1 (module "has changed since the task has failed" "--anyway") (replay journal number))
  (test-replay "of operators it is another" 0 ("It failed the same way") (replay journal (number-of journal "first number")))
  (test-replay "all the same" 0 ("It failed the same way") (replay "--anyway" journal number))
  (delete-file module)
  (test-replay "a module that is gone" 1 (module "cannot be read there now") (replay journal number))
  (test-replay "that cannot be run" 1 ("It failed otherwise" "my-module.so") (replay "--anyway" journal number)))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (let ((journal (make-capsules folder)))
        (test-group "same way" (test-same-way journal))
        (test-group "facts" (test-facts journal folder))
        (test-group "gdb" (test-gdb journal))
        (test-group "changed" (test-changed journal folder)))))))
