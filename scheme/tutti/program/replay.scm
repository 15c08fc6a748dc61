;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Running a failed task again, alone: from the capsule that it has left. The task runs in a process of its own with the environment that
;; its worker had; this one looks how that ends, and compares.
(define-module (tutti program replay)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti base primitives)
  #:use-module (tutti program capsule)
  #:use-module (tutti program code)
  #:use-module (tutti program core)
  #:export (replay))

(define usage "usage: tutti replay [--gdb | --here | --core] [--anyway] FILE [TASK]")

(define (name-of facts)
  (or (fact facts "name") (fact facts "function")))

;;; Which capsule.

(define (fail format-string . arguments)
  (let ((port (current-error-port)))
    (display "tutti replay: " port)
    (apply format port format-string arguments)
    (newline port)
    (exit 1)))

;; RUN-TASK.capsule, or RUN-TASK-ITEM.capsule.
(define name-pattern (make-regexp "^([0-9]+)-([0-9]+)(-([0-9]+))?\\.capsule$"))

(define (numbers-of name)
  "Return the numbers of run, task and item (@code{#f}: it is of a task) of the capsule in the file @var{name}, or @code{#f}."
  (and=> (regexp-exec name-pattern name)
         (lambda (m)
           (list (string->number (match:substring m 1)) (string->number (match:substring m 2))
                 (and=> (match:substring m 4) string->number)))))

(define (capsules-in folder)
  "Return the capsules in @var{folder} as pairs of numbers and file, the newest run first."
  (sort (filter-map (lambda (name) (and=> (numbers-of name) (lambda (numbers) (cons numbers (string-append folder "/" name)))))
                    (let ((stream (false-if-exception (opendir folder))))
                      (if stream
                          (let loop ((names '()))
                            (let ((name (readdir stream)))
                              (cond ((eof-object? name) (closedir stream) names)
                                    (else (loop (cons name names))))))
                          '())))
        (lambda (a b)
          (let ((one (map (lambda (n) (or n -1)) (car a))) (other (map (lambda (n) (or n -1)) (car b))))
            (or (> (first one) (first other))
                (and (= (first one) (first other))
                     (or (< (second one) (second other))
                         (and (= (second one) (second other)) (< (third one) (third other))))))))))

(define (facts-in-short file)
  (match (%read-capsule file)
    ((facts . _) (format #f "~a ~a: ~a" (or (name-of facts) "a task") (fact facts "end")
                         (first-line (or (fact facts "error") ""))))
    (problem problem)))

(define (show-capsules journal capsules)
  (when (null? capsules)
    (fail "there are no capsules beside ~a: failed tasks leave them in ~a.capsules while their run has a journal" journal journal))
  (format #t "Failed tasks of which ~a has capsules:~%" journal)
  (for-each (match-lambda
              (((run task item) . file)
               (format #t "  run ~a  task ~a~a  ~a~%" run task (if item (format #f ", item ~a" item) "") (facts-in-short file))))
            capsules)
  (format #t "`tutti replay ~a TASK' runs one again.~%" journal))

(define (find-capsule journal text)
  "Return the file of the capsule of the task that @var{text} names, a number, or a number and that of an item, 17:3."
  (define capsules (capsules-in (string-append journal ".capsules")))
  (match (map string->number (string-split text #\:))
    ((and ((? number? task)) _)
     (or (find (match-lambda (((_ its _) . _) (= its task))) capsules)
         (fail "there is no capsule of task ~a beside ~a; there are ~a" task journal (capsule-names capsules))))
    (((? number? task) (? number? item))
     (or (find (match-lambda (((_ its its-item) . _) (and (= its task) (eqv? its-item item)))) capsules)
         (fail "there is no capsule of item ~a of task ~a beside ~a; there are ~a" item task journal (capsule-names capsules))))
    (_ (fail "expected the number of a task, or of a task and an item as 17:3, got ~a" text))))

(define (capsule-names capsules)
  (match (delete-duplicates
          (map (match-lambda (((_ task item) . _) (if item (format #f "~a:~a" task item) (number->string task)))) capsules))
    (() "none at all")
    ((and names ((? string?) ...))
     (if (> (length names) 20)
         (string-append (string-join (list-head names 20) ", ") " and others")
         (string-join names ", ")))))

;;; Running it.

(define (own-guile) (readlink "/proc/self/exe"))

(define (command facts file mode)
  "Return the command that runs the task of @var{facts}, those of the capsule in @var{file}."
  (if (of-module? facts)
      (list (string-append (libexec-directory) "/tutti-worker") "--capsule" file)
      (list (own-guile) "--no-auto-compile" "-c" "((@ (tutti program capsule) run-capsule))" file mode)))

;; What says where people look and type now, not then.
(define of-here '("TERM" "DISPLAY" "WAYLAND_DISPLAY" "COLUMNS" "LINES" "NO_COLOR" "SSH_TTY" "DEBUGINFOD_URLS"))

(define (environment facts)
  "Return the environment of the worker that @var{facts} tell of, as a list of settings."
  (append
   (filter-map (lambda (name) (and=> (getenv name) (lambda (value) (string-append name "=" value)))) of-here)
   (filter-map (match-lambda
                 ((key . value)
                  (and (string-prefix? "environment:" key)
                       (let ((name (substring key (string-length "environment:"))))
                         (and (not (member name of-here)) (string-append name "=" value))))))
               facts)
   (list (string-append "TUTTI_WORKER_INDEX=" (or (fact facts "place") "0")))))

(define (become facts file mode before)
  "Execute what runs the capsule in @var{file}, with the words @var{before} in front: a debugger."
  (when (fact facts "folder") (false-if-exception (chdir (fact facts "folder"))))
  (execute (append before (command facts file mode)) (environment facts)))

(define (execute argv environment)
  (let ((program (if (string-index (car argv) #\/) (car argv) (search-path (parse-path (or (getenv "PATH") "")) (car argv)))))
    (unless program (fail "there is no ~a on the PATH" (car argv)))
    (force-output (current-output-port))
    (apply execle program environment argv)))

(define (open-core facts file)
  "Execute what shows the core of the worker of the capsule in @var{file}."
  (match (core-command facts file)
    ((? string? problem) (fail "~a" problem))
    (argv (execute argv (environ)))))

(define (folder-of facts)
  (let ((folder (fact facts "folder")))
    (cond ((not folder) ".")
          ((file-exists? folder) folder)
          (else (format (current-error-port) "tutti replay: the folder ~a is no longer there; running here~%" folder) "."))))

;;; How it ended, then and now.

(define (ending-of-then facts)
  "Return how the task of @var{facts} failed: @code{(raised)}, @code{(signal N)}, @code{(exit N)}, @code{(timed-out)},
@code{(memory-limit)} or @code{(other)}."
  (let ((error (or (fact facts "error") "")))
    (match (fact facts "end")
      ("raised" '(raised))
      ("timed out" '(timed-out))
      (_ (cond ((string-contains error "ran into its memory limit") '(memory-limit))
               ((string-match "signal ([0-9]+)" error)
                => (lambda (m) (list 'signal (string->number (match:substring m 1)))))
               ((string-match "status ([0-9]+)" error)
                => (lambda (m) (list 'exit (string->number (match:substring m 1)))))
               (else '(other)))))))

(define (in-words ending)
  (match ending
    (('raised . _) "raised")
    (('signal n) (format #f "was ended by signal ~a" n))
    (('exit n) (format #f "ended its process with status ~a" n))
    (('timed-out) "took longer than it may")
    (('memory-limit) "ran into its memory limit")
    (('value) "returned a value")
    (_ "failed")))

(define (compare facts now)
  "Say how the task ended NOW, beside how it did then; return the status to exit with."
  (let ((then (ending-of-then facts)))
    (define (conclude same? . words)
      (format #t "~%It ~?~%" (car words) (cdr words))
      (if same? 0 1))
    (match (list then now)
      ((_ ('value)) (conclude #f "did not fail this time: it returned a value. Then it ~a: ~a" (in-words then)
                              (first-line (or (fact facts "error") ""))))
      ((('raised) ('raised 'same)) (conclude #t "failed the same way: it raised the same error."))
      ((('raised) ('raised 'other)) (conclude #f "failed otherwise: it raised another error. Then: ~a" (fact facts "error")))
      ((then then) (conclude #t "failed the same way: it ~a." (in-words now)))
      ((('other) now) (conclude #f "~a. Then: ~a" (in-words now) (fact facts "error")))
      (_ (conclude #f "failed otherwise: it ~a. Then it ~a: ~a" (in-words now) (in-words then) (fact facts "error"))))))

(define (introduce facts)
  (format #t "~a~a of ~a, which ~a: ~a~%"
          (if (fact facts "item") (format #f "item ~a of task " (fact facts "item")) "task ")
          (string-append (or (fact facts "task") "?") (or (and=> (name-of facts) (lambda (name) (string-append ", " name ","))) ""))
          (or (fact facts "pool") "a pool") (in-words (ending-of-then facts)) (first-line (or (fact facts "error") "")))
  (match (filter-map (match-lambda
                       ((key . _) (and (string-prefix? "left out:" key) (substring key (string-length "left out:")))))
                     facts)
    (() #f)
    (names (format #t "(without variables of its environment that may be secret: ~a)~%" (string-join names ", ")))))

(define (supervise facts file)
  (force-output (current-output-port))
  (match (%run-capsule (command facts file "run") (environment facts) (folder-of facts) (string->number (or (fact facts "time-out") "0"))
                       (string->number (or (fact facts "memory-limit") "0")))
    (('answer . text) (compare facts (match (string-trim-both text)
                                       ("value" '(value))
                                       ("same" '(raised same))
                                       (_ '(raised other)))))
    (ending (compare facts ending))))

(define (replay arguments)
  "Do what @code{tutti replay} is asked for by @var{arguments}, and exit."
  (define-values (options words) (partition (lambda (word) (string-prefix? "--" word)) arguments))
  (define (run name)
    ;; It is read in the folder of the worker.
    (define file (or (false-if-exception (canonicalize-path name)) name))
    (match (%read-capsule file)
      ((facts . _)
       (introduce facts)
       (and=> (core-line facts file) (lambda (line) (format #t "~a~%" line)))
       (when (member "--core" options)
         (open-core facts file))
       (unless (member "--anyway" options)
         (and=> (code-problem facts) (lambda (problem) (fail "~a" problem))))
       (cond ((member "--gdb" options)
              (become facts file "run" '("gdb" "-q" "-ex" "handle SIGPWR SIGXCPU SIG33 nostop noprint" "-ex" "run" "--args")))
             ((and (member "--here" options) (of-module? facts))
              (fail "there is no REPL for `~a', a function in C; --gdb runs it under a debugger" (name-of facts)))
             ((member "--here" options) (become facts file "here" '()))
             (else (exit (supervise facts file)))))
      (problem (fail "~a" problem))))
  (for-each (lambda (option)
              (unless (member option '("--gdb" "--here" "--core" "--anyway"))
                (fail "there is no option `~a'; ~a" option usage)))
            options)
  (match words
    (((? (lambda (file) (string-suffix? ".capsule" file)) file)) (run file))
    ((journal)
     (unless (file-exists? journal) (fail "there is no file ~a" journal))
     (show-capsules journal (capsules-in (string-append journal ".capsules"))) (exit 0))
    ((journal task) (run (cdr (find-capsule journal task))))
    (_ (fail usage))))
