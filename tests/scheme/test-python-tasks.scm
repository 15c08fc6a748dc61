;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Python code in tasks: what it raises, how it ends, what it leaves behind, and what it may rely on.
(use-modules (tap) (programs) (python-models) (ice-9 exceptions) (ice-9 ftw) (ice-9 match) (ice-9 regex)
             (srfi srfi-1) (srfi srfi-4) (srfi srfi-64)
             (tutti) (tutti python))

(define file (model-file "behaviour.py"))

(define (call name . arguments) (apply python-call file name arguments))

;;; Exceptions.

(define (test-exceptions)
  (define raised (outcome (lambda () (call "divide"))))
  (test-assert "a worker-error" (worker-error? raised))
  (test-assert "of Python" (python-error? raised))
  (test-equal "its key" 'python-error (worker-error-key raised))
  (test-equal "its type" "ZeroDivisionError" (python-error-type raised))
  (test-equal "its text" "division by zero" (python-error-text raised))
  (test-equal "its frames" (list (list file "divide"))
    (map (lambda (frame) (list (first frame) (third frame))) (python-error-frames raised)))
  (test-assert "its message has the traceback"
    (let ((message (worker-error-message raised)))
      (and (string-contains message "divide raised ZeroDivisionError: division by zero")
           (string-contains message (format #f "File ~s, line ~a, in divide" file (second (car (python-error-frames raised)))))
           (string-contains message "return 1 / 0"))))
  (test-assert "and nothing of Tutti's own" (not (string-contains (condition->string raised) "tutti_support")))
  (test-assert "chained ones are told"
    (says? (lambda () (call "chained")) "RuntimeError: outer" "ValueError: inner" "direct cause"))
  (test-assert "one without a text" (says? (lambda () (call "custom")) "behaviour.Custom"))
  (test-assert "no memory" (says? (lambda () (call "memory")) "MemoryError"))
  (test-assert "endless recursion" (says? (lambda () (call "recursion")) "RecursionError"))
  (test-assert "a constructor's" (says? (lambda () (python-object file "Unfit")) "FileNotFoundError" "deck.in" "in __init__"))
  (test-assert "no such function" (says? (lambda () (call "missing")) "AttributeError" "missing"))
  (test-assert "no such module" (says? (lambda () (python-call "no_such_module" "f")) "ModuleNotFoundError" "no_such_module"))
  (test-assert "no such file" (says? (lambda () (python-call "no-such-file.py" "f")) "there is no Python file no-such-file.py"))
  (test-equal "the worker is as before" 42 (call "answer")))

(define (test-unfit-modules)
  (define (refused name text . parts)
    (call-with-folder (lambda (folder) (refused-in (string-append folder "/unfit.py") name text parts))))
  (define (refused-in file name text parts)
    (begin
      (call-with-output-file file (lambda (port) (display text port)))
      (test-assert name (apply says? (lambda () (python-call file "f")) (basename file) parts))
      ;; What could not be imported is not remembered.
      (call-with-output-file file (lambda (port) (display "def f(): return 7\n" port)))
      (test-equal (string-append name ", mended") 7 (python-call file "f"))))
  (refused "a file with a mistake in its syntax" "def f(:\n" "SyntaxError" "line 1")
  (refused "one that raises" "import math\nmath.sqrt(-1)\n" "ValueError" "line 2")
  (refused "one that imports what is not there" "import no_such_module\n" "ModuleNotFoundError" "line 1"))

;;; Ends.

(define (died thunk)
  (let ((raised (outcome (lambda () (parameterize ((task-retries 0)) (thunk))))))
    (and (worker-died? raised)
         (let ((certificate (worker-died-certificate raised)))
           (list (certificate-reason certificate) (certificate-status certificate) (certificate-signal certificate))))))

(define (test-ends pool)
  (for-each (match-lambda
              ((code status)
               (test-equal (format #f "sys.exit (~s)" code) (list 'exit status #f) (died (lambda () (call "leave" code))))))
            `((3 3) (0 0) (,*unspecified* 0) ("what was wrong" 1) (#t 1)))
  (test-equal "KeyboardInterrupt" (list 'signal #f SIGINT) (died (lambda () (call "interrupt"))))
  (test-equal "a crash" (list 'signal #f SIGSEGV) (died (lambda () (call "crash"))))
  (for-each (lambda (name)
              (test-assert (string-append "a time-out: " name)
                (task-timeout? (outcome (lambda () (parameterize ((task-timeout 0.5) (task-retries 0)) (call name)))))))
            '("hold_gil" "spin" "sleep"))
  (test-equal "the next task has a worker" 42 (call "answer"))
  (call-with-folder
   (lambda (folder)
     (test-assert "a task whose worker has died is tried again" (integer? (call "crash_once" (string-append folder "/died")))))))

;;; Processes and threads.

(define (process-there? pid)
  (and (file-exists? (format #f "/proc/~a/stat" pid))
       (not (string-match "\\) Z" (call-with-input-file (format #f "/proc/~a/stat" pid) (@ (ice-9 textual-ports) get-string-all))))))

(define (test-processes)
  (test-equal "of two after a fork, the parent answers" "parent" (call "fork"))
  (test-equal "the child's exception is not the task's" 1 (call "fork_and_raise"))
  (let ((pid #f))
    (call-with-pool 1
      (lambda (pool)
        (set! pid (call "leave_process"))
        (test-equal "a process that is left behind does not matter" 42 (call "answer"))))
    (test-assert "and ends with the worker" (not (process-there? pid))))
  (test-equal "a program that is kept from one task to the next" '("one" "two")
    (call-with-pool 1
      (lambda (pool)
        (let ((cat (python-object file "Cat")))
          (let* ((one (python-send cat "say" "one")) (two (python-send cat "say" "two"))) (list one two))))))
  (for-each (lambda (method)
              (test-equal (string-append "multiprocessing by " method) '(0 1 4 9 16) (call "multiprocess" method))
              (test-equal (string-append "multiprocessing by " method ", again") '(0 1 4 9 16) (call "multiprocess" method)))
            '("fork" "spawn" "forkserver"))
  (test-equal "threads that are joined" '(0 1 2 3 4 5 6 7) (call "in_threads"))
  (test-equal "a pipe that nobody reads" "refused" (call "broken_pipe")))

(define (lines-of thunk)
  "Return the list of lines that workers write while THUNK is called with a pool, without what is before them."
  (let ((text (call-with-output-string
               (lambda (port)
                 (parameterize ((worker-output-port port))
                   (call-with-pool 1 thunk))))))
    (map (lambda (line) (regexp-substitute #f (or (string-match "^\\[worker [0-9]+\\] " line) (string-match "^" line)) 'post))
         (delete "" (string-split text #\newline)))))

(define (test-threads)
  (for-each
   (lambda (daemon)
     (let ((lines (lines-of (lambda (pool)
                              (call "leave_thread" daemon)
                              (test-equal (format #f "daemon: ~a, the next task" daemon) 42 (call "answer"))))))
       (test-equal (format #f "a thread that goes on is named, once; daemon: ~a" daemon) 1
         (count (lambda (line) (string-contains line "the thread lingerer")) lines))))
   '(#t #f)))

;;; Output.

(define (test-output)
  (test-equal "lines" '("a line" "λ") (lines-of (lambda (pool) (call "write" "a line") (call "write" "λ"))))
  (test-assert "a line arrives while the task goes on"
    (call-with-folder
     (lambda (folder)
       (let ((seen (string-append folder "/seen")) (lines (open-output-string)))
         (parameterize ((worker-output-port lines))
           (call-with-pool 1
             (lambda (pool)
               (let ((task (pool-submit! pool (remote ((file file) (seen seen))
                                                (lambda () (python-call file "say_and_wait" seen))))))
                 (let look ()
                   (cond ((task-done? task))
                         ((string-contains (get-output-string lines) "waiting") (call-with-output-file seen (const #t)))
                         (else (task-wait task 0.01 #f) (look))))
                 (task-wait task)))))))))
  (test-equal "standard error" '("to stderr") (lines-of (lambda (pool) (call "write" "to stderr" #:stream "stderr"))))
  (test-equal "a line that is not complete" '("no end") (lines-of (lambda (pool) (call "write" "no end" #:end ""))))
  (test-equal "in the order of the task" '("of Scheme" "of Python" "of Scheme again")
    (lines-of (lambda (pool)
                (pool-apply-only pool 0 (remote ((file file))
                                          (lambda ()
                                            (display "of Scheme\n")
                                            (python-call file "write" "of Python")
                                            (display "of Scheme again\n")))))))
  (test-equal "what was written before an exit" '("last words")
    (lines-of (lambda (pool)
                (outcome (lambda ()
                           (parameterize ((task-retries 0))
                             (pool-apply-only pool 0 (remote ((file file))
                                                       (lambda ()
                                                         (python-call file "write" "last words" #:end "")
                                                         (python-call file "leave" 1))))))))))
  ;; Whoever writes more than anybody can read must not be in the way of the value.
  (test-equal "100 MB" 1000000
    (parameterize ((worker-output-port #f))
      (call-with-pool 1 (lambda (pool) (call "flood" 1000000))))))

;;; An environment that has no numpy, and another interpreter.

(define (test-without-numpy)
  (call-with-folder
   (lambda (folder)
     (define (in-venv name . arguments) (apply python-call file name #:python folder arguments))
     (test-equal "a virtual environment" 0
       (program-status (run-program (list (getenv "TUTTI_PYTHON") "-m" "venv" "--without-pip" folder))))
     (call-with-pool 1
       (lambda (pool)
         (test-equal "its interpreter" folder (home (in-venv "interpreter")))
         (test-equal "lists and numbers" '(1 2.5) (in-venv "answer" '(1 2.5)))
         (test-assert "vectors of numbers" (says? (lambda () (in-venv "answer" (f64vector 1 2))) "argument 1" "numpy" "python3-numpy"))
         (test-assert "arrays" (says? (lambda () (in-venv "answer" (make-typed-array 's32 0 2 2))) "numpy"))
         (test-assert "bits" (says? (lambda () (in-venv "answer" #*101)) "numpy"))
         (test-assert "the worker has this interpreter, and no other"
           (says? (lambda () (python-call file "answer" #:python (getenv "TUTTI_PYTHON")))
                  "already loaded the Python of" "a pool of their own"))
         (test-equal "without a name it is the same" folder (home (call "interpreter")))))
     (test-equal "without a pool each has a helper" (list folder #t)
       (list (home (in-venv "interpreter")) (not (equal? folder (home (call "interpreter")))))))))

(define (home answer) (dirname (dirname (first answer))))

;;; Random numbers.

(define-remote (draw item) (python-call file* "draw"))
(define-remote file* (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/data/python/behaviour.py"))
(define-remote (draw-generator generator item)
  (list (python-call file* "draw_from" generator) (python-call file* "draw_from" generator)))

(define items (iota 7))

(define (draws pool)
  (parameterize ((random-seed 7))
    (pool-map pool draw items)))

(define (generator-draws pool)
  (parameterize ((current-pool pool) (random-seed 7))
    (let ((generator (python-object "numpy.random" "default_rng" 1)))
      (pool-map pool (remote ((generator generator)) (lambda (item) (draw-generator generator item))) items))))

(define (test-random)
  (define expected (call-with-pool 1 draws))
  (test-equal "all different" (* 4 (length items)) (length (delete-duplicates (concatenate expected))))
  (test-equal "3 workers" expected (call-with-pool 3 draws))
  (test-equal "the serial pool" expected (draws (make-serial-pool)))
  (test-assert "another seed"
    (not (equal? expected (call-with-pool 1 (lambda (pool) (parameterize ((random-seed 8)) (pool-map pool draw items)))))))
  (let ((expected (call-with-pool 1 generator-draws)))
    (test-equal "generators: all different" (* 4 (length items)) (length (delete-duplicates (concatenate (concatenate expected)))))
    (test-equal "generators: 3 workers" expected (call-with-pool 3 generator-draws))))

;;; Serial pools, whose tasks are in the master: what they ask of Python is done by a helper.

(define (test-in-serial-task pool)
  (define (in-task procedure . arguments) (apply pool-apply-only pool 0 procedure arguments))
  (test-equal "a task" 42 (in-task (remote ((file file)) (lambda () (python-call file "answer")))))
  (test-assert "an exception"
    (python-error? (outcome (lambda () (in-task (remote ((file file)) (lambda () (python-call file "divide"))))))))
  (test-assert "a death of the helper"
    (worker-died? (outcome (lambda ()
                             (in-task (remote ((file file))
                                        (lambda () (parameterize ((task-retries 0)) (python-call file "crash")))))))))
  (test-equal "an object of the task's" '(2 3)
    (in-task (remote ((file file))
               (lambda ()
                 (let* ((counter (python-object file "Counter" 1)) (two (python-send counter "next")))
                   (list two (python-send counter "next")))))))
  (test-equal "a map" '(1 2 3) (pool-map pool (remote ((file file)) (lambda (x) (python-call file "answer" x))) '(1 2 3))))

;;; The rest.

(define (test-objects pool)
  (let ((counter (python-object file "Counter" 5 #:step 2)))
    (test-assert "an object" (python-object? counter))
    (test-equal "keeps its state" '(7 9) (let* ((a (python-send counter "next")) (b (python-send counter "next"))) (list a b)))
    (test-equal "another one, made alike, has its own" 7 (python-send (python-object file "Counter" 5 #:step 2) "next"))
    (test-equal "an object among the arguments" 14 (python-send counter "add" (python-object file "Counter" 5)))
    (test-equal "each worker has one, made once" 1
      (let ((counter (python-object file "Counter" 0)))
        (pool-for-each pool (remote ((counter counter)) (lambda (i) (python-send counter "next"))) (iota 50))
        (pool-apply-only pool 0 (remote (lambda (c) (- (python-send c "next") (python-send c "next") -2))) counter)))
    (kill (python-send counter "where") SIGKILL)
    (test-equal "made again on a replacement" 7 (python-send counter "next")))
  (test-equal "in a task" 3
    (pool-apply-only pool 0 (remote ((file file))
                              (lambda ()
                                (let ((counter (python-object file "Counter" 1)))
                                  (python-send counter "next")
                                  (python-send counter "next"))))))
  (test-assert "what a task has made stays there"
    (says? (lambda () (pool-apply-only pool 0 (remote ((file file)) (lambda () (python-object file "Counter" 1))))) "python-object"
           "make it there"))
  (test-equal "kept by the pool" '(4)
    (let ((kept (pool-keep pool (remote ((file file)) (lambda () (python-object file "Counter" 3))))))
      (delete-duplicates (pool-apply pool (remote (lambda (c) (python-send c "next"))) kept))))
  (test-assert "no such method" (says? (lambda () (python-send (python-object file "Counter" 1) "missing")) "AttributeError" "missing"))
  (test-assert "no object" (says? (lambda () (python-send 3 "next")) "python-send" "expected what python-object returns")))

(define (test-process pool)
  (test-equal "the interpreter" (list (getenv "TUTTI_PYTHON") 3 0 file) (call "interpreter"))
  (test-assert "not in this process" (not (= (getpid) (call "pid"))))
  (test-assert "nor is its library" (not (has-python? "self")))
  (let* ((workers (map worker-pid (pool-workers pool)))
         (others (own-processes workers)))
    (test-assert "a worker has it" (any has-python? workers))
    (test-assert "guard, watcher and template are there" (>= (length others) 3))
    (test-equal "none of them has it" '() (filter has-python? others))))

(define (has-python? process)
  (string-contains (call-with-input-file (format #f "/proc/~a/maps" process) (@ (ice-9 textual-ports) get-string-all)) "libpython"))

(define (own-processes workers)
  "Return the list of the numbers of all processes that have come from this one, but for @var{workers} and what has come from these."
  (define (parent pid)
    (false-if-exception
     (call-with-input-file (format #f "/proc/~a/stat" pid)
       (lambda (port)
         (let ((text ((@ (ice-9 textual-ports) get-string-all) port)))
           (string->number (second (string-tokenize (substring text (1+ (string-rindex text #\))))))))))))
  (define parents (map (lambda (name) (cons (string->number name) (parent name))) (scandir "/proc" string->number)))
  (let below ((pid (getpid)))
    (append-map (lambda (child) (cons child (below child)))
                (filter-map (lambda (entry) (and (eqv? pid (cdr entry)) (not (memv (car entry) workers)) (car entry))) parents))))

(define (test-blas-threads)
  (for-each (lambda (n)
              (test-equal (format #f "~a BLAS threads" n) n
                (call-with-pool 1 (lambda (pool) (call "blas_threads")) #:threads n)))
            '(1 2)))

(call-with-python-tap '("numpy")
 (lambda ()
   (call-with-pool 2
     (lambda (pool)
       (test-group "exceptions" (test-exceptions))
       (test-group "unfit modules" (test-unfit-modules))
       (test-group "ends" (test-ends pool))
       (test-group "processes" (test-processes))
       (test-group "objects" (test-objects pool))
       (test-group "process" (test-process pool))))
   (test-group "BLAS" (test-blas-threads))
   (test-group "threads" (test-threads))
   (test-group "output" (test-output))
   (test-group "without numpy" (test-without-numpy))
   (test-group "random numbers" (test-random))
   (test-group "master" (test-exceptions))
   (let ((pool (make-serial-pool)))
     (parameterize ((current-pool pool))
       (test-group "serial pool"
         (test-exceptions)
         (test-unfit-modules)
         (test-ends pool)
         (test-in-serial-task pool)
         (test-processes)
         (test-equal "100 MB" 1000000 (parameterize ((worker-output-port #f)) (call "flood" 1000000))))))))
