;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti new, as a newcomer uses it: each kind of project is made, and what its README says is done.  And what is refused leaves nothing
;; behind.
(use-modules (tap) (programs) (ice-9 ftw) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define kinds '("study" "inversion" "operator"))

(define (in folder . command)
  "Run COMMAND, a list of words for a shell, in FOLDER."
  (run-program (list "sh" "-c" "cd \"$0\" && eval \"$1\"" folder (string-join command " "))))

(define (entries folder)
  (scandir folder (lambda (name) (not (member name '("." ".."))))))

(define (commands-of readme)
  "Return the commands in README: what is indented, without the comment behind it."
  (filter-map (lambda (line)
                (and=> (string-match "^    ([^#]*)" line) (lambda (found) (string-trim-right (match:substring found 1)))))
              (string-split (call-with-input-file readme get-string-all #:encoding "UTF-8") #\newline)))

(define (all-text folder)
  (string-concatenate
   (map (lambda (file) (call-with-input-file file get-string-all #:encoding "UTF-8"))
        (let ((files '()))
          (ftw folder (lambda (name _ flag) (when (eq? flag 'regular) (set! files (cons name files))) #t))
          files))))

(define (test-kind folder kind)
  (let* ((name (string-append "my-" kind))
         (made (in folder "tutti" "new" "--kind" kind name))
         (project (string-append folder "/" name)))
    (test-equal "is made" '(0 "") (list (program-status made) (program-errors made)))
    (test-assert "says how to begin" (string-contains (program-output made) (string-append "\n  tutti run " name ".scm\n")))
    (test-equal "no mark of a template is left" #f (string-match "@[A-Z]+@" (all-text project)))
    (let* ((readme (string-append project "/README.md"))
           (commands (commands-of readme)))
      (test-assert "its README is short"
        (<= (string-count (call-with-input-file readme get-string-all #:encoding "UTF-8") #\newline) 11))
      (test-assert "names the script and the tests"
        (lset<= string=? (list (format #f "tutti run ~a.scm" name) (format #f "tutti run tests/test-~a.scm" name)) commands))
      (for-each
       (lambda (command)
         (let ((program (in project command)))
           (test-equal (format #f "~a: works" command) 0 (program-status program))
           (test-assert (format #f "~a: has no warning" command)
             (not (string-match "[Ww]arning|rror:" (program-errors program))))
           (when (string-contains command "test-")
             (test-assert (format #f "~a: has tests" command)
               (string-match "[Pp]asses" (program-output program))))))
       commands))))

(define (test-elsewhere folder)
  (test-equal "an empty folder is taken" 0
              (begin (mkdir (string-append folder "/empty"))
                     (program-status (in folder "cd empty && tutti new ."))))
  (test-assert "and the project has its name" (member "empty.scm" (entries (string-append folder "/empty"))))
  (test-equal "a folder in a folder with a difficult name" 0
              (begin (mkdir (string-append folder "/a b"))
                     (program-status (in folder "tutti new 'a b/balls/' && cd 'a b/balls' && tutti run tests/test-balls.scm"
                                         "&& cd ../../empty && tutti run \"$0/a b/balls/balls.scm\" 2"))))
  (test-equal "in a locale of ASCII" 0
              (program-status (in folder "LC_ALL=C tutti new plain && cd plain && LC_ALL=C tutti run plain.scm 2")))
  (test-assert "a script says what it takes"
    (string-contains (program-errors (in folder "tutti run plain/plain.scm many")) "expected the number of throws")))

(define (test-refusal what folder status expected . words)
  (let* ((before (entries folder))
         (program (apply in folder "tutti" "new" words)))
    (test-equal (string-append what ": status") status (program-status program))
    (test-assert (string-append what ": says so") (string-contains (program-errors program) expected))
    (test-equal (string-append what ": nothing on the standard output") "" (program-output program))
    (test-equal (string-append what ": nothing is left") before (entries folder))))

(define (test-refusals folder)
  (mkdir (string-append folder "/full"))
  (call-with-output-file (string-append folder "/full/notes") (const #t))
  (symlink "/nonexistent/x" (string-append folder "/nowhere"))
  (for-each
   (match-lambda ((what . arguments) (apply test-refusal what folder arguments)))
   '(("no name" 2 "the project's folder is missing")
     ("an empty name" 2 "the project's name is empty" "''")
     ("a space" 2 "cannot be called `my study'" "'my study'")
     ("a name that is no word" 2 "expected letters" "9lives")
     ("a letter of elsewhere" 2 "expected letters" "Größe")
     ("a long name" 2 "at most 60 characters" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
     ("a module's name" 2 "would hide the module" "tutti")
     ("the root" 2 "cannot be called `/'" "/")
     ("two names" 2 "`b' is too much" "a" "b")
     ("an unknown kind" 2 "there is no kind `toy'; expected study, inversion or operator" "--kind" "toy" "a")
     ("an unknown kind, with =" 2 "there is no kind `toy'; expected study, inversion or operator" "a" "--kind=toy")
     ("a missing kind" 2 "the kind is missing" "a" "--kind")
     ("an option of others" 2 "there is no option `-L'" "-L" "full" "a")
     ("an unknown option" 2 "there is no option `--sort'" "--sort" "study" "a")
     ("a folder that has something" 1 "full is there already, and is not empty: it has notes" "full")
     ("a file" 1 "notes is there already, and is no folder" "full/notes")
     ("a link to nowhere" 1 "a link to something that is not there" "nowhere")
     ("a folder in none" 1 "there is no folder deep/down to make below in" "deep/down/below")
     ("a folder in a file" 1 "there is no folder full/notes to make below in" "full/notes/below"))))

(define (test-limit folder)
  (let* ((before (entries folder))
         ;; What is told goes into a pipe: a file would have the same limit.
         (program (in folder "(ulimit -f 0; tutti new a; echo status $?) 2>&1 | cat")))
    (test-equal "files may not have any size"
      "tutti: cannot write a/README.md: File too large; nothing was left behind\nstatus 1\n" (program-output program))
    (test-equal "nothing is left" before (entries folder))))

(define (mounting options script)
  (list "unshare" "-m" "sh" "-c" (format #f "mount -t tmpfs -o ~a none /mnt && cd /mnt && ~a" options script)))

(define (test-disks)
  (if (zero? (system* "sh" "-c" "unshare -m mount -t tmpfs none /mnt 2> /dev/null"))
      (for-each
       (lambda (kind)
         ;; So many pages: the disk is full after each of the files.
         (for-each
          (lambda (pages)
            (let ((program (run-program (mounting (format #f "size=~ak" (* 4 pages))
                                                  (format #f "tutti new --kind ~a a; echo $?; ls -A" kind)))))
              (test-equal (format #f "a full disk, ~a, ~a pages" kind pages) "1\n" (program-output program))
              (test-assert "says so"
                (string-match "^tutti: cannot write a/[^ ]+: No space left on device; nothing was left behind\n$"
                              (program-errors program)))))
          '(1 2 3))
         (let ((program (run-program (mounting "size=8k" (format #f "mkdir a && tutti new --kind ~a a; echo $?; ls -A . a" kind)))))
           (test-equal "an empty folder stays, and is empty" "1\n.:\na\n\na:\n" (program-output program)))
         (let ((program (run-program (mounting "size=64k" (format #f "mount -o remount,ro /mnt && tutti new --kind ~a a; echo $?" kind)))))
           (test-equal "a disk that is not written to" "1\n" (program-output program))
           (test-assert "says so" (string-contains (program-errors program) "cannot write a: Read-only file system"))))
       kinds)
      (tap-skip "full disks" "nothing can be mounted here")))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (for-each (lambda (kind) (test-group kind (test-kind folder kind))) kinds)
      (test-group "elsewhere" (test-elsewhere folder))
      (test-group "refusals" (test-refusals folder))
      (test-group "limits" (test-limit folder))
      (test-group "disks" (test-disks))
      (test-group "help"
        (let ((program (run-program (list tutti "new" "--help"))))
          (test-equal "ends well" 0 (program-status program))
          (test-assert "names all kinds" (every (lambda (kind) (string-contains (program-output program) kind)) kinds))))))))
