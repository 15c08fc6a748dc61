;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tasks that write more than can be shown: none waits for that, nothing is lost that has a place, and what is lost is counted.
(use-modules (tap) (programs) (ice-9 ftw) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64)
             (tutti) (tutti conditions))

;; Writes the numbers from 1 on, a line each, to the standard output or error, and makes a file when all are written.
(define-remote (count-up n error? done)
  (system* "sh" "-c" (format #f "seq 1 ~a~a" n (if error? " >&2" "")))
  (when done (close-port (open-output-file done)))
  n)

(define-remote (count-up-and-die n)
  (system* "sh" "-c" (format #f "seq 1 ~a >&2" n))
  (kill (getpid) SIGKILL)
  (sleep 100))

(define-remote (say text) (display text) (newline) text)

(define patience 120)

(define (compute-until done?)
  "Compute, without asking anything of the engine, until DONE? returns true; return that, or #f after too long."
  (let ((end (+ (current-time) patience)))
    (let loop ((x 1))
      (let spin ((i 0)) (when (< i 100000) (spin (1+ i))))
      (or (done?) (and (< (current-time) end) (loop (1+ x)))))))

(define (shown thunk)
  "Call THUNK and return the lines that workers have written meanwhile, as they were shown."
  (remove string-null?
          (string-split (call-with-output-string
                         (lambda (port) (parameterize ((worker-output-port port)) (thunk))))
                        #\newline)))

;;; Lines: numbers that were written, and what is said of others.

(define (line-number line)
  ;; There are too many for regular expressions.
  (and (string-prefix? "[worker " line)
       (string->number (string-drop line (+ 2 (string-index line #\]))))))

(define (told pattern)
  (lambda (line)
    (and=> (and (string-contains line " MB) ") (string-match pattern line))
           (lambda (m) (cons (string->number (match:substring m 1)) (match:substring m 2))))))

(define spilled (told "\\] ([0-9]+) lines? \\([0-9.]+ MB\\) came faster than they could be shown: they are in (.*)$"))
(define lost (told "\\] ([0-9]+) lines? \\([0-9.]+ MB\\) were lost, which came faster than they could be shown: (.*)$"))

(define (sum pairs) (apply + (map car pairs)))

(define (complete? numbers file n-in-file n)
  "Are NUMBERS, and those in the last N-IN-FILE lines of FILE, each in order, together those from 1 to N?"
  (let ((shown (string-append file ".shown")))
    (call-with-output-file shown (lambda (port) (for-each (lambda (number) (format port "~a~%" number)) numbers)))
    (zero? (system* "sh" "-c" "tail -n \"$1\" \"$0\" > \"$0.new\" && seq 1 \"$2\" > \"$0.expected\" &&
sort -n -m \"$0.new\" \"$0.shown\" | cmp - \"$0.expected\"" file (number->string n-in-file) (number->string n)))))

(define (files-in folder)
  "Return the files of lines that are in FOLDER."
  (append-map (lambda (name) (cddr (scandir (string-append folder "/" name))))
              (scandir folder (lambda (name) (string-prefix? "tutti-output-" name)))))

(define (await-flood pool n error? folder)
  "Let the worker 0 of POOL write N numbers while this process computes; return what is shown of them, or #f if the task was kept waiting."
  (let* ((done (string-append folder "/done"))
         (finished? #f)
         (lines (shown (lambda ()
                         (let ((task (pool-submit! pool count-up n error? done)))
                           (set! finished? (compute-until (lambda () (file-exists? done))))
                           (task-wait task))))))
    (false-if-exception (delete-file done))
    (and finished? lines)))

(define (test-complete name pool n error? folder)
  (let* ((lines (await-flood pool n error? folder))
         (files (filter-map spilled (or lines '())))
         (numbers (filter-map line-number (or lines '()))))
    (test-assert (string-append name ": the task has not waited for anybody") lines)
    (test-equal (string-append name ": one file") 1 (length (delete-duplicates (map cdr files))))
    (test-equal (string-append name ": every line is shown or there") n (+ (length numbers) (sum files)))
    (test-assert (string-append name ": each as it was written") (complete? numbers (cdr (first files)) (sum files) n))
    (test-equal (string-append name ": nothing is lost") '() (filter-map lost lines))))

(define (test-later pool)
  (test-equal "what comes after is shown as ever" '("hello" "hello" "hello")
    (map (lambda (line) (substring line (+ 2 (string-index line #\]))))
         (shown (lambda () (pool-map pool say '("hello" "hello" "hello")))))))

(define (test-death pool)
  (let* ((certificate #f)
         (lines (shown (lambda ()
                         (with-exception-handler (lambda (c) (set! certificate (worker-died-certificate c)))
                           (lambda ()
                             (parameterize ((task-retries 0)) (task-wait (pool-submit! pool count-up-and-die 200000))))
                           #:unwind? #t)))))
    (test-equal "one that dies: its last lines" (map number->string (iota 20 199981)) (certificate-stderr certificate))
    (test-equal "one that dies: every line is shown or in a file" 200000
      (+ (length (filter-map line-number lines)) (sum (filter-map spilled lines))))))

(define (test-limit limit)
  (call-with-folder
   (lambda (folder)
     (call-with-pool 1
       (lambda (pool)
         (let* ((n 1000000)
                (lines (await-flood pool n #f folder))
                (kept (filter-map spilled lines))
                (missing (filter-map lost lines)))
           (define (name text) (format #f "a limit of ~a bytes: ~a" limit text))
           (test-assert (name "what did not fit is told, and why")
             (and (pair? missing) (every (lambda (pair) (string-contains (cdr pair) "#:output-limit")) missing)))
           (test-equal (name "every line is counted") n (+ (length (filter-map line-number lines)) (sum kept) (sum missing)))
           (if (zero? limit)
               (test-equal (name "there is no file") '() kept)
               (test-assert (name "the file keeps to it")
                 (let ((size (stat:size (stat (cdr (first kept)))))) (<= (- limit 10) size limit))))))
       #:output-limit limit))))

(define (test-totals)
  (call-with-folder
   (lambda (folder)
     (let* ((n 1000000)
            (lines (shown (lambda ()
                            (call-with-pool 1
                              (lambda (pool) (await-flood pool n #f folder))
                              #:output-limit 1000000))))
            (total (and (pair? lines)
                        (string-match (string-append "^tutti: pool \"pool\": of what worker 0 wrote, [0-9]+ lines "
                                                     "\\([0-9.]+ MB\\) are in .*/worker-0.txt, and [0-9]+ lines "
                                                     "\\([0-9.]+ MB\\) were lost$")
                                      (last lines)))))
       (test-assert "the end of the pool says where all is" total)))))

(define (test-refusals)
  (for-each (lambda (limit)
              (test-assert (format #f "#:output-limit ~s is refused" limit)
                (with-exception-handler (lambda (c) (string-contains (condition->string c) "#:output-limit: expected a number of bytes"))
                  (lambda () (make-pool 1 #:output-limit limit) #f)
                  #:unwind? #t)))
            (list -1 1.5 #f 'many (expt 2 64))))

(define (test-unwanted folder)
  (call-with-folder
   (lambda (other)
     (call-with-pool 1
       (lambda (pool)
         (parameterize ((worker-output-port #f))
           (let* ((done (string-append other "/done"))
                  (task (pool-submit! pool count-up 1000000 #f done)))
             (compute-until (lambda () (file-exists? done)))
             (task-wait task)
             (pool-close! pool)))))
     (test-equal "what nobody wants is in no file" '() (files-in folder)))))

;;; Whole programs.

(define flooding-script
  '((use-modules (tutti))
    (define-remote (count-up n) (system* "seq" "1" (number->string n)) n)
    (define pool (make-pool 1 #:name "loud"))
    (define task (pool-submit! pool count-up 2000000))
    (define (spin) (let loop ((i 0)) (when (< i 1000000) (loop (1+ i)))))
    (let loop () (spin) (unless (task-done? task) (loop)))
    (if (equal? (cdr (command-line)) '("wait")) (task-wait task))))

(define (call-with-script proc)
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/flooding.scm")))
       (call-with-output-file file (lambda (port) (for-each (lambda (form) (write form port)) flooding-script)))
       (proc file folder)))))

(define (test-end)
  (call-with-script
   (lambda (file folder)
     (let* ((program (run-program (list tutti "run" file) #:env (list (string-append "TMPDIR=" folder)))) ; made by mkdtemp (…XXXXXX)
            (found (string-match (string-append "tutti: [0-9]+ lines of worker 0 of loud came faster than they could be shown: "
                                                "they are in (.*/worker-0.txt)\n")
                                 (program-errors program))))
       (test-equal "a script that does not ask ends as ever" 0 (program-status program))
       (test-assert "and the file is named at its end" (and found (file-exists? (match:substring found 1))))))))

(define (can-mount?)
  (zero? (system* "sh" "-c" "unshare -m mount -t tmpfs none /mnt 2> /dev/null")))

(define (test-full-disk)
  (call-with-script
   (lambda (file folder)
     (let* ((disk (string-append folder "/disk"))
            (program (begin
                       (mkdir disk)
                       (run-program (list "unshare" "-m" "sh" "-c" "mount -t tmpfs -o size=3m none \"$0\" && exec env \"$@\"" disk
                                          (string-append "TMPDIR=" disk) tutti "run" file "wait")))) ; in a folder …XXXXXX
            (lines (string-split (program-errors program) #\newline))
            (missing (filter-map lost lines)))
       (test-equal "a full disk: the script goes on" 0 (program-status program))
       (test-assert "a full disk: it is said" (and (pair? missing) (string-contains (cdr (first missing)) (strerror ENOSPC))))
       (test-equal "a full disk: every line is counted" 2000000
         (+ (length (filter-map line-number lines)) (sum (filter-map spilled lines)) (sum missing)))))))

(call-with-tap
 (lambda ()
   (test-group "floods"
     (call-with-folder
      (lambda (folder)
        (setenv "TMPDIR" folder) ; made by mkdtemp (…XXXXXX), before anybody has asked for it
        (test-unwanted folder)
        (call-with-pool 2
          (lambda (pool)
            (test-later pool)
            (test-equal "without a flood there is no file" '() (files-in folder))
            (test-complete "100 MB" pool 11500000 #f folder)
            (test-later pool)
            (test-complete "again, on the standard error" pool 300000 #t folder)
            (test-death pool)))
        (test-limit 1000000)
        (test-limit 0)
        (test-totals)
        (test-refusals)
        (test-end)
        (if (can-mount?)
            (test-full-disk)
            (tap-skip "a full disk" "only root can mount a small one, with unshare")))))))
