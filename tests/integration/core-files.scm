;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers that crash leave cores, which belong beside the capsules of their tasks.
(use-modules (tap) (programs) (ice-9 format) (ice-9 ftw) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64)
             (tutti base primitives))

(define* (crash folder #:key (n 1) (mode "") (limit "unlimited") (journal (string-append folder "/journal")))
  "Have N workers crash at once in FOLDER, or as MODE of cored.scm says; return what the script has written."
  (for-each (lambda (name) (delete-file (string-append folder "/" name)))
            (filter (lambda (name) (string-prefix? "here-" name)) (scandir folder)))
  (let ((script (run-program (list "sh" "-c" (format #f "ulimit -S -c ~a && cd '~a' && exec '~a' run '~a' '~a' ~a '~a' ~a" limit folder
                                                     tutti (fixture "cored.scm") journal n folder mode))
                             #:seconds 400)))
    (unless (eqv? 0 (program-status script))
      (error "the script has failed" (program-status script) (program-errors script)))
    (program-output script)))

(define* (replay input . words)
  (let ((program (run-program (list "sh" "-c" (format #f "echo '~a' | '~a' replay~{ '~a'~}" input tutti words)))))
    (string-append (program-output program) (program-errors program))))

(define (files-of journal suffix)
  (let ((folder (string-append journal ".capsules")))
    (map (lambda (name) (string-append folder "/" name))
         (or (scandir folder (lambda (name) (string-suffix? suffix name))) '()))))

(define (facts-of capsule)
  (match (%read-capsule capsule) ((facts . _) facts)))

(define (includes? text . words)
  (or (every (lambda (word) (and (string-contains text word) #t)) words) text))

(define (core-of capsule)
  (string-append (string-drop-right capsule (string-length ".capsule")) ".core"))

(define (fact-number capsule key)
  (string->number (assoc-ref (facts-of capsule) key)))

(define (test-one folder)
  (define journal (string-append folder "/journal"))
  (define output (crash folder))
  (test-equal "the certificate tells it" #t (includes? output "#t " "signal 11 (SIGSEGV), core dumped"))
  (match (files-of journal ".capsule")
    ((capsule)
     (test-equal "the core is beside the capsule" (list (core-of capsule)) (files-of journal ".core"))
     (test-equal "it is that of the worker" (fact-number capsule "worker") (%core-pid (core-of capsule)))
     (test-equal "it is nowhere else" '() (scandir folder (lambda (name) (string-prefix? "core" name))))
     ;; Shared memory is a part of it, and what of it was never used is a hole.
     (test-assert "its size is sane" (< 100000 (* 512 (stat:blocks (stat (core-of capsule)))) 400000000))
     (test-equal "replay says where it is, and runs the task again" #t
       (includes? (replay "" journal (number->string (fact-number capsule "task")))
                  (string-append "The core of its worker: " (core-of capsule)) "It failed the same way"))
     (if (search-path (parse-path (getenv "PATH")) "gdb")
         (test-equal "gdb on the core" #t
           (includes? (replay "bt 1" "--core" capsule) "Program terminated with signal SIGSEGV" "#0 "))
         (tap-skip "gdb on the core" "gdb is not installed"))
     (delete-file (core-of capsule))
     (test-equal "a core that is gone" #t (includes? (replay "" "--core" capsule) "and is no longer there")))))

(define (test-several folder n mode)
  (define journal (string-append folder "/journal"))
  (crash folder #:n n #:mode mode)
  (let ((capsules (files-of journal ".capsule")))
    (test-equal "a capsule of each" n (length capsules))
    ;; With the pattern "core" each takes the place of the one before, but for those that were taken away before.
    (test-assert "there is a core at least" (pair? (files-of journal ".core")))
    (test-equal "no capsule has the core of another" '()
      (filter-map (lambda (capsule)
                    (let ((core (core-of capsule)))
                      (and (file-exists? core) (not (eqv? (%core-pid core) (fact-number capsule "worker"))) core)))
                  capsules))
    (test-equal "a capsule without says so" '()
      (remove (lambda (capsule)
                (let ((text (replay "" "--core" capsule)))
                  (or (string-contains text (string-append "The core of its worker: " (core-of capsule)))
                      (string-contains text "but there was no file of it") (string-contains text "is no longer there")
                      ;; Of those that crash at once the kernel turns some away: it dumps no core to a file that loses its name meanwhile.
                      (and (string-null? mode) (string-contains text "left no core")))))
              capsules))))

(define (test-none folder)
  (define journal (string-append folder "/journal"))
  (test-equal "no core is told of" #t (includes? (crash folder #:limit "0") "#f " "signal 11 (SIGSEGV)\n"))
  (test-equal "there is none" '() (files-of journal ".core"))
  (test-equal "what is said for it" #t
    (includes? (replay "" "--core" (car (files-of journal ".capsule"))) "left no core" "ulimit -c")))

(define (call-with-folder-in place proc)
  (let ((folder (mkdtemp (string-append place "/tutti-test-XXXXXX"))))
    (dynamic-wind (const #t) (lambda () (proc folder)) (lambda () (system* "rm" "-rf" folder)))))

(define (test-elsewhere folder)
  (call-with-folder-in other-device
   (lambda (other)
     (define journal (string-append other "/journal"))
     (define core (string-append folder "/core"))
     (crash folder #:journal journal)
     (let ((capsule (car (files-of journal ".capsule"))))
       (test-equal "the core stays where it is" #t
         (includes? (replay "" "--core" capsule) (string-append "The core of its worker: " (assoc-ref (facts-of capsule) "core"))))
       (test-equal "it was not copied" '() (files-of journal ".core"))
       (when (file-exists? core)
         (delete-file core)
         (run-program (list "sh" "-c" (format #f "ulimit -S -c unlimited; cd '~a'; sh -c 'kill -SEGV $$'" folder)))
         (test-assert "the core of another process is there" (%core-pid core))
         (test-equal "it is not taken for that" #t (includes? (replay "" "--core" capsule) "is no longer there")))))))

(define (obstacle)
  "Return why no cores can be had here, a string, or #f."
  (let ((pattern (call-with-input-file "/proc/sys/kernel/core_pattern" get-line)))
    (cond ((string-prefix? "|" pattern) (string-append "cores are handed to a program here, " pattern))
          ((string-prefix? "/" pattern) (string-append "cores are put to a folder here, " pattern))
          ((not (eqv? 0 (status:exit-val (system* "sh" "-c" "ulimit -S -c unlimited 2> /dev/null")))) "the limit of cores cannot be raised")
          (else #f))))

(define other-device "/dev/shm")

(define (device-of folder)
  (stat:dev (stat folder)))

(call-with-tap
 (lambda ()
   (and=> (obstacle) tap-skip-all)
   (test-group "one" (call-with-folder test-one))
   (test-group "at once" (call-with-folder (lambda (folder) (test-several folder 4 ""))))
   (test-group "one after the other" (call-with-folder (lambda (folder) (test-several folder 2 "one-by-one"))))
   (test-group "none" (call-with-folder test-none))
   (test-group "elsewhere"
     (call-with-folder
      (lambda (folder)
        (if (and (file-exists? other-device) (not (= (device-of other-device) (device-of folder))))
            (test-elsewhere folder)
            (tap-skip "elsewhere" "there is no second file system")))))))
