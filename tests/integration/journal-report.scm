;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What tutti report says of a run is what its script has seen; whatever is in the journal, and however much of it is there, it is harmless.
(use-modules (tap) (processes) (programs) (ice-9 binary-ports) (ice-9 format) (ice-9 match) (ice-9 regex) (ice-9 textual-ports)
             (srfi srfi-1) (srfi srfi-64) (background))

(define python (getenv "TUTTI_PYTHON"))
(define (support name) (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/" name))

(define (report . words)
  (run-program (cons* tutti "report" words)))

(define (text-of . words)
  (let ((program (apply report words)))
    (unless (and (eqv? 0 (program-status program)) (string-null? (program-errors program)))
      (error "the report has failed" words (program-status program) (program-errors program)))
    (program-output program)))

(define (contents file) (call-with-input-file file get-bytevector-all #:binary #t))

(define (make-journal file folder)
  "Let a run be written into FILE; return what its script has seen, an alist."
  (let ((program (run-program (list tutti "run" "--journal" file (fixture "reported.scm") folder))))
    (unless (eqv? 0 (program-status program))
      (error "the script has failed" (program-errors program)))
    (call-with-input-string (program-output program) read)))

(define (number-before text words)
  "Return the number in front of WORDS in the line of TEXT that ends with them."
  (and=> (string-match (string-append "\n +([0-9]+)  " words "\n") text)
         (lambda (m) (string->number (match:substring m 1)))))

(define (has? text . words) (every (lambda (word) (and (string-contains text word) #t)) words))

;;; As text.

(define map-parts 10)                   ; a part for each of its ten items, or fewer

(define (test-numbers text seen)
  (define (its end) (assq-ref seen end))
  (for-each (lambda (end words)
              (test-equal (format #f "~a" end) (its end) (number-before text words)))
            '(raised died timed-out cancelled) '("raised" "died" "timed out" "cancelled"))
  (let ((more (- (number-before text "done") (its 'done))))
    (test-assert "done, with the parts of the map" (<= 1 more map-parts)))
  (test-assert "the first death of a task is an attempt" (has? text "1 attempt failed with a worker or node and was tried again"))
  (test-assert "kinds" (has? text "Failures: 15, of 5 kinds" "6 × raised in wicked" "5 × failed item in odd" "2 × died in deadly"
                             "1 × timed out in hang" "1 × raised in sum"))
  (test-assert "last words" (has? text "| last \uFFFD words <b>\n"))
  (test-assert "workers" (has? text "\nWorkers: 2\n"))
  (test-assert "deaths" (has? text "2 × exit, status 9" "1 × signal, signal 9" "1 × timeout"))
  (test-assert "how it ended" (has? text "Run 1: done; 10 tasks failed\n"))
  (test-assert "which procedures" (string-match "\n  quick +300 +0 " text)))

(define (test-harmless text)
  (test-equal "no control characters, and no invisible ones" '()
    (delete-duplicates
     (filter (lambda (c) (and (not (char=? c #\newline)) (memq (char-general-category c) '(Cc Cf Cs Co)) #t)) (string->list text))))
  (test-equal "80 columns" '() (filter (lambda (line) (> (string-length line) 80)) (string-split text #\newline))))

(define (test-several file folder)
  (make-journal file folder)
  (let ((text (text-of file)))
    (test-assert "the last one" (has? text "Run 2: done" "Other runs in this file: 1 (" "--run N"))
    (test-equal "an earlier one" "Run 1: done; 10 tasks failed" (car (string-split (text-of "--run" "1" file) #\newline)))
    (test-equal "after the file" "Run 1: done; 10 tasks failed" (car (string-split (text-of file "--run=1") #\newline)))))

;;; As a page, and as a trace.

(define (check program file)
  (let ((program (run-program (list python (support program) file))))
    (unless (eqv? 0 (program-status program))
      (error "it is not what it should be" file (program-errors program)))
    (program-output program)))

(define (test-page file folder seen)
  (let ((page (string-append folder "/page.html")))
    (call-with-output-file page (lambda (port) (display "before" port)))
    (test-equal "nothing is said" "" (text-of file "--run" "1" "--html" page))
    (let* ((output (check "check-page.py" page))
           (end-of-number (string-index output #\newline))
           (text (substring output end-of-number)))
      (test-assert "few elements" (< (string->number (substring output 0 end-of-number)) 1500))
      (test-assert "texts are texts" (has? text "reported.scm"
                                           "raised 0 <script>alert(1)</script>&\"'redgnp</pre><img src=x onerror=alert(2)>"
                                           "last \uFFFD words <b>"))
      (test-assert "numbers" (has? text (format #f "raised~a" (assq-ref seen 'raised)) (format #f "died~a" (assq-ref seen 'died))
                                   "Failures: 15, of 5 kinds")))))

(define (test-trace file folder seen)
  (let* ((trace (string-append folder "/trace.json"))
         (output (begin (text-of "--trace" trace "--run" "1" file) (check "check-trace.py" trace)))
         (numbers (map (lambda (line) (match (string-match "^(.*) ([0-9]+)$" line)
                                        (m (cons (match:substring m 1) (string->number (match:substring m 2))))))
                       (string-split (string-trim-right output) #\newline))))
    ;; One that is raised since another one was is never begun.
    (test-equal "tasks" (list (1- (assq-ref seen 'raised)) (assq-ref seen 'died) (assq-ref seen 'timed-out) 1)
      (map (lambda (name) (assoc-ref numbers name)) '("raised" "died" "timed out" "tried again")))
    (test-assert "done" (<= (assq-ref seen 'done) (assoc-ref numbers "done") (+ map-parts (assq-ref seen 'done))))
    (test-assert "deaths" (>= (assoc-ref numbers "instant") 4))))

;;; One task.

(define (test-task file seen)
  (define (task-of number)
    (let ((program (run-program (list tutti "-c" (format #f "(begin (use-modules (tutti look journal-read))
                                                               (write (journal-task (open-journal ~s) 1 ~a)))" file number)))))
      (unless (eqv? 0 (program-status program)) (error "it cannot be read" (program-errors program)))
      (call-with-input-string (program-output program) read)))
  (define (facts task . keys) (map (lambda (key) (assq-ref task key)) keys))
  (let ((again (task-of (assq-ref seen 'again))))
    (test-equal "one that was tried again" '("dies-once" done 2 #f #f) (facts again 'procedure 'state 'attempts 'error 'in-block?))
    (test-equal "its attempts" '((1 "again") (2 "done"))
      (map (lambda (attempt) (facts attempt 'attempt 'outcome)) (assq-ref again 'history)))
    (test-equal "what its first worker has died of" '(("signal" 9 1)) (map (lambda (death) (facts death 'reason 'signal 'again))
                                                                           (assq-ref again 'deaths))))
  (let ((quick (task-of (+ 100 (assq-ref seen 'again)))))
    (test-equal "a quick one" '("quick" done 1 #t ()) (facts quick 'procedure 'state 'attempts 'in-block? 'deaths)))
  (test-equal "none" #f (task-of 100000)))

;;; What is written.

(define (test-files file folder)
  (define page (string-append folder "/kept.html"))
  (define (refused . words)
    (let ((program (apply report words)))
      (list (program-status program) (program-output program)
            (string-trim-right (regexp-substitute/global #f (regexp-quote folder) (program-errors program) 'pre "DIR" 'post)))))
  (define (name part) (string-append folder "/" part))
  (define before (contents file))
  (call-with-output-file page (lambda (port) (display "before" port)))
  (test-equal "a full device" (list 1 "" "tutti report: cannot write /dev/full: No space left on device")
    (refused file "--html" "/dev/full"))
  (test-equal "the same for a trace" '(1 "" "tutti report: cannot write /dev/full: cannot write the trace: No space left on device")
    (refused file "--trace" "/dev/full"))
  (test-equal "the journal itself" '(1 "" "tutti report: DIR/journal is the journal itself: name another file")
    (refused file "--html" file))
  (test-equal "a folder" '(1 "" "tutti report: cannot write DIR: it is a folder") (refused file "--html" folder))
  (test-equal "in no folder" '(1 "" "tutti report: cannot write DIR/none/page: No such file or directory")
    (refused file "--trace" (name "none/page")))
  (test-equal "no file" '(1 "" "tutti report: cannot read the journal DIR/nothing: there is no such file") (refused (name "nothing")))
  (test-equal "no journal" '(1 "" "tutti report: cannot read the journal DIR/kept.html: it is something else, no database of SQLite")
    (refused page))
  (test-equal "no such run" '(1 "" "tutti report: there is no run 7 in DIR/journal; its runs: 1, 2") (refused file "--run" "7"))
  (let ((usage "; usage: tutti report FILE [--run N] [--html OUT] [--trace OUT]"))
    (for-each (lambda (words text)
                (test-equal text (list 2 "" (string-append "tutti report: " text usage)) (apply refused words)))
              (list '() (list file "--bogus") (list file "--html") (list file "x") (list file "--run" "x"))
              '("the journal is missing" "there is no option `--bogus'" "what belongs to --html is missing" "`x' is too much"
                "--run: expected the number of a run, got `x'")))
  (test-equal "a page is untouched by what fails" "before" (call-with-input-file page get-string-all))
  (test-equal "the journal is as it was" #t (equal? before (contents file)))
  (test-equal "nothing is left behind" '()
    (filter (lambda (name) (or (string-contains name ".tutti-report") (string-suffix? "-wal" name) (string-suffix? "-shm" name)))
            (files-in folder))))

(define (files-in folder)
  (let ((stream (opendir folder)))
    (let loop ((names '()))
      (let ((name (readdir stream)))
        (if (eof-object? name) (begin (closedir stream) names) (loop (cons name names)))))))

(define (test-full file folder)
  (let ((small (string-append folder "/small")))
    (mkdir small)
    (if (not (and (zero? (getuid)) (eqv? 0 (system* "mount" "-t" "tmpfs" "-o" "size=16k" "tutti" small))))
        (begin (test-skip 1) (test-assert "a small disk cannot be mounted here" #t))
        (dynamic-wind
          (const #t)
          (lambda ()
            (let ((trace (string-append small "/trace")))
              (call-with-output-file trace (lambda (port) (display "before" port)))
              (let ((program (report file "--trace" trace)))
                (test-equal "a full disk"
                  (list 1 (format #f "tutti report: cannot write ~a: cannot write the trace: No space left on device\n" trace))
                  (list (program-status program) (program-errors program)))
                (test-equal "the file of before is there, and no half of another one" '("before" ("." ".." "trace"))
                  (list (call-with-input-file trace get-string-all) (sort (files-in small) string<?))))))
          (lambda () (system* "umount" small))))))

;;; Journals that are not whole.

(define (test-cut file folder)
  (let ((cut (string-append folder "/cut")) (bytes (contents file)))
    (call-with-output-file cut
      (lambda (port) (put-bytevector port bytes 0 (* 4096 (1- (quotient (bytevector-length* bytes) 4096)))))
      #:binary #t)
    (let ((program (report cut)))
      (test-assert "what is there is shown, and that it is not all"
        (or (and (eqv? 0 (program-status program))
                 (has? (program-output program) "What cannot be read of this file:" "the end of the file"))
            (and (eqv? 1 (program-status program)) (has? (program-errors program) "the end of the file")))))))

(define (bytevector-length* bytes) ((@ (rnrs bytevectors) bytevector-length) bytes))

(define (await what proc)
  (let ((limit (+ (current-time) 60)))
    (let loop ()
      (or (proc)
          (if (> (current-time) limit) (error "in vain" what) (begin (usleep 50000) (loop)))))))

(define (test-live folder)
  (let* ((file (string-append folder "/live"))
         (running (in-background (lambda () (run-program (list tutti "run" "--journal" file (fixture "napping.scm") "2000")))))
         (text (await "a task" (lambda ()
                                 (let ((program (report file)))
                                   (and (eqv? 0 (program-status program)) (number-before (program-output program) "done")
                                        (program-output program))))))
         (pid (string->number (match:substring (string-match ", process ([0-9]+)" text) 1))))
    (test-assert "it runs" (has? text "Run 1: still running\n" "  not ended yet\n"))
    (kill pid SIGKILL)
    (let* ((program (running))
           (seen (count (lambda (line) (string-suffix? " done" line)) (string-split (program-output program) #\newline)))
           (text (await "its end" (lambda () (let ((text (program-output (report file)))) (and (has? text "Run 1: lost") text))))))
      (test-assert "what was done is there" (>= (number-before text "done") seen))
      (test-assert "and what was not" (positive? (number-before text "not ended, given to a worker"))))))

(define (test-script-fails folder)
  (let ((file (string-append folder "/fails")) (script (string-append folder "/fails.scm")))
    (call-with-output-file script
      (lambda (port) (write '(begin (use-modules (tutti)) (pool-map (make-pool 1) abs '(1 -2)) (error "broken <b>" 'x)) port)))
    (run-program (list tutti "run" "--journal" file script))
    (test-assert "a script that fails" (has? (text-of file) "Run 1: the script failed\n" "broken <b> x"))))

(call-with-tap
 (lambda ()
   (if (not (file-exists? (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-recorder")))
       (test-skip-all "this build has no recorder: SQLite is missing")
       (call-with-folder
        (lambda (folder)
          (let* ((file (string-append folder "/journal"))
                 (seen (make-journal file folder))
                 (text (text-of file)))
            (test-group "numbers" (test-numbers text seen))
            (test-group "harmless" (test-harmless text))
            (test-group "page" (test-page file folder seen))
            (test-group "trace" (test-trace file folder seen))
            (test-group "task" (test-task file seen))
            (test-group "several" (test-several file folder))
            (test-group "files" (test-files file folder))
            (test-group "full" (test-full file folder))
            (test-group "cut" (test-cut file folder))
            (test-group "live" (test-live folder))
            (test-group "script fails" (test-script-fails folder))))))))
