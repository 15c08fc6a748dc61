;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A journal has what the script has seen, whatever is killed meanwhile, and whatever the disk does.
(use-modules (tap) (processes) (programs) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64)
             (background))

(define recorder (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-recorder"))
(define n (or (getenv "JOURNAL_TASKS") "5000"))

(define (query file sql)
  "Return the rows of SQL, or, for \"tasks\", of all tasks of the journal FILE: a list of strings."
  (let ((program (run-program (list (getenv "TUTTI_PYTHON") (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/journal-query.py")
                                    file sql))))
    (unless (eqv? 0 (program-status program))
      (error "the journal cannot be read" file (program-errors program)))
    (string-split (string-trim-right (program-output program) #\newline) #\newline)))

(define* (run-journaled file #:key (n n) (seed "7"))
  (run-program (list tutti "run" "--journal" file (fixture "journaled.scm") n seed) #:seconds 300))

(define (seen program run)
  "Return what the script has seen, in the form of the journal's tasks."
  (sort (map (lambda (line) (string-append run " " line))
             (string-split (string-trim-right (program-output program) #\newline) #\newline))
        string<?))

(define (tasks-of file run)
  (sort (filter (lambda (line) (string-prefix? (string-append run " ") line)) (query file "tasks")) string<?))

(define (test-agrees name program file run)
  (test-equal name 0 (program-status program))
  (test-equal (string-append name ", task by task") '()
    (lset-xor string=? (seen program run) (tasks-of file run))))

(define (first-number text) (string->number (match:substring (string-match "[0-9]+" text))))

;;; Whole.

(define (test-whole folder)
  (let* ((file (string-append folder "/whole"))
         (program (run-journaled file)))
    (test-agrees "all is there" program file "1")
    (test-equal "nothing is missing" '("0") (query file "select count (*) from gap"))
    (test-equal "the run is over" '("ended") (query file "select state from run"))
    (test-equal "only its owner can read it" #o600 (stat:perms (stat file)))
    (test-equal "each death has its certificate, with the last words" '("0")
      (query file "select count (*) from task left join certificate using (run, task) where outcome = 'died' and
                   (reason is not 'exit' or status is not 9 or stderr is not 'last words <b>' || char (10))"))
    (test-equal "each failure has its capsule" '("0")
      (query file "select count (*) from task where outcome in ('raised', 'died', 'timed out') and capsule is null"))
    (test-equal "most are in blocks" #t (> (first-number (car (query file "select sum (n) from block"))) (* 0.8 (string->number n))))
    (test-equal "the run is described"
      '("arguments" "exit status" "fftw" "folder" "glib" "guile" "host" "journal" "libc" "openblas" "openblas core" "script" "script digest"
        "seed" "version")
      (query file "select key from note order by key"))
    (test-equal "all workers' lives have an end" '("0") (query file "select count (*) from worker where ended is null"))))

;;; Two on one file.

(define (test-two folder)
  (let* ((file (string-append folder "/two"))
         (other (in-background (lambda () (run-journaled file #:n "2000" #:seed "8"))))
         (one (run-journaled file #:n "2000" #:seed "9"))
         (programs (list one (other))))
    (define (of-run run program) (null? (lset-xor string=? (seen program run) (tasks-of file run))))
    (test-equal "both ended well" '(0 0) (map program-status programs))
    (test-assert "each in a run of its own"
      (or (and (of-run "1" (first programs)) (of-run "2" (second programs)))
          (and (of-run "2" (first programs)) (of-run "1" (second programs)))))))

;;; Kills.

(define (await-row file sql)
  (let ((limit (+ (current-time) 60)))
    (let loop ()
      (let ((rows (or (false-if-exception (query file sql)) '(""))))
        (cond ((not (member (car rows) '("" "0"))) (car rows))
              ((> (current-time) limit) (error "no row" sql))
              (else (usleep 20000) (loop)))))))

(define (recorders-of file)
  (filter (lambda (pid) (let ((line (false-if-exception (call-with-input-file (format #f "/proc/~a/cmdline" pid) get-string-all))))
                          (and line (string-contains line file) (string-contains line "tutti-recorder"))))
          (filter-map string->number (scandir* "/proc"))))

(define (scandir* folder)
  (let ((stream (opendir folder)))
    (let loop ((names '()))
      (let ((name (readdir stream)))
        (if (eof-object? name) (begin (closedir stream) names) (loop (cons name names)))))))

(define (test-recorder-killed folder)
  (let* ((file (string-append folder "/recorder"))
         (running (in-background (lambda () (run-program (list tutti "run" "--journal" file (fixture "napping.scm") "60"))))))
    (await-row file "select count (*) from task where outcome = 'done'")
    (for-each (lambda (pid) (kill pid SIGKILL)) (recorders-of file))
    (let ((program (running)))
      (test-equal "the job goes on" 0 (program-status program))
      (test-assert "people are told" (string-contains (program-errors program) "has ended and is started again"))
      (test-agrees "nothing is lost" program file "1")
      (test-equal "the gap is there" '("recorder|0") (query file "select kind, lost from gap")))))

(define (test-master-killed folder)
  (let* ((file (string-append folder "/master"))
         (running (in-background (lambda () (run-program (list tutti "run" "--journal" file (fixture "napping.scm") "1000"))))))
    (await-row file "select count (*) > 3 from task where outcome = 'done'")
    (kill (string->number (car (query file "select pid from run"))) SIGKILL)
    (let* ((program (running))
           (state (await-row file "select case state when 'lost' then 'lost' else '' end from run"))
           (done (filter (lambda (line) (string-suffix? " done" line)) (seen program "1"))))
      (test-equal "the run is lost" "lost" state)
      (test-equal "what the script has seen is there" '() (lset-difference string=? done (tasks-of file "1")))
      (test-equal "what ran is there, unfinished" #t
        (<= 2 (first-number (car (query file "select count (*) from task where outcome is null and started is not null")))))
      (test-equal "no recorder is left" '()
        (let wait ((n 0))
          (let ((left (recorders-of file)))
            (if (or (null? left) (> n 500)) left (begin (usleep 10000) (wait (1+ n))))))))))

;;; Refusals.

(define (test-refused folder)
  (define (words file)
    (let ((program (run-program (list tutti "run" "--journal" file (fixture "journaled.scm") "1" "1"))))
      (list (program-status program) (string-null? (program-output program))
            (match:substring (string-match "[^:]*\n$" (program-errors program))))))
  (define (file-with contents)
    (let ((file (string-append folder "/refused")))
      (call-with-output-file file (lambda (port) (display contents port)))
      file))
  (test-equal "a folder" '(2 #t " it is a folder\n") (words folder))
  (test-equal "in no folder" '(2 #t " there is no such folder\n") (words (string-append folder "/none/journal")))
  (test-equal "no database" '(2 #t " it is something else, no database of SQLite\n") (words (file-with (make-string 5000 #\x))))
  (let ((file (string-append folder "/other")))
    (system* (getenv "TUTTI_PYTHON") "-c"
             "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('create table x (a)'); d.commit()" file)
    (test-equal "another program's" '(2 #t " it is the database of another program\n") (words file)))
  (let ((program (run-program (list tutti "-c" "(journal 5)"))))
    (test-equal "no name" '(1 #t)
      (list (program-status program) (and (string-contains (program-errors program) "expected the name of a file, got 5") #t))))
  (let ((program (run-program (list tutti "-c" (format #f "(begin (journal ~s) (display (journal)) (journal ~s))"
                                                       (string-append folder "/first") (string-append folder "/second"))))))
    (test-equal "a second one" (list 1 (string-append folder "/first"))
      (list (program-status program) (program-output program)))))

;;; A full disk.

(define (test-full folder)
  (let ((small (string-append folder "/small")))
    (mkdir small)
    (if (not (and (zero? (getuid)) (eqv? 0 (system* "mount" "-t" "tmpfs" "-o" "size=2M" "tutti" small))))
        (begin (test-skip 1) (test-assert "a small disk cannot be mounted here" #t))
        (dynamic-wind
          (const #t)
          (lambda ()
            (let* ((file (string-append small "/journal"))
                   (program (run-program (list tutti "run" "--journal" file (fixture "filling.scm") (string-append small "/filler")))))
              (test-equal "the job goes on" '(0 "200\n") (list (program-status program) (program-output program)))
              (test-equal "the gap is there" '("full") (query file "select distinct kind from gap"))
              (test-assert "what came afterwards is there"
                (pair? (query file "select task from task where outcome = 'done' and ended > (select max (ended) from gap)")))))
          (lambda () (system* "umount" small))))))

(call-with-tap
 (lambda ()
   (if (not (file-exists? recorder))
       (test-skip-all "this build has no recorder: SQLite is missing")
       (call-with-folder
        (lambda (folder)
          (test-group "whole" (test-whole folder))
          (test-group "two" (test-two folder))
          (test-group "recorder killed" (test-recorder-killed folder))
          (test-group "master killed" (test-master-killed folder))
          (test-group "refused" (test-refused folder))
          (test-group "full" (test-full folder)))))))
