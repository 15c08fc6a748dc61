;; SPDX-License-Identifier: LGPL-3.0-or-later
;; python.scm [--rounds N]: what a call of Python costs in a task and from the script, beside the bare call in plain Python, and beside what
;; people would take to have it done by other processes (python/peer.py). Each round measures everything once, and every second one in the
;; opposite order, so that whatever else the machine does meets all alike; the table has medians, and medians of the ratios.
(use-modules (bench) (tutti) (tutti python) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1))

(define folder (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/python"))
(define models (string-append folder "/models.py"))
(define python (or (getenv "TUTTI_PYTHON") "/usr/bin/python3"))
(define rounds
  (match (cdr (command-line))
    (() 7)
    (("--rounds" (= string->number (? exact-integer? (? positive? n)))) n)
    (_ (display "usage: python.scm [--rounds N]\n" (current-error-port))
       (exit 2))))

(define (runs-python? . arguments)
  (eqv? 0 (status:exit-val (apply system* python arguments))))
(define (check-python . arguments)
  (unless (apply runs-python? arguments)
    (error "it fails:" python arguments)))

(unless (runs-python? "-c" "import numpy")
  (format #t "~a has no numpy: nothing is measured. TUTTI_PYTHON names another Python.~%" python)
  (exit 77))

(setenv "TUTTI_PYTHON" python)                        ; one for both sides
(setenv "PYTHONPATH" folder)
(setenv "PYTHONDONTWRITEBYTECODE" "1")
(setenv "OPENBLAS_NUM_THREADS" "1")

;;; Plain Python. It answers a line with microseconds, or with "-".

(define peer (open-pipe* OPEN_BOTH python (string-append folder "/peer.py")))
(unless (equal? (read-line peer) "ready")
  (error "the peer does not start:" python))

(define (ask case)
  (display case peer)
  (newline peer)
  (force-output peer)
  (let ((line (read-line peer)))
    (when (eof-object? line)
      (error "the peer has ended while it measured" case))
    (string->number line)))

(define (microseconds n thunk)
  "Return the microseconds that each of @var{n} calls of @var{thunk} takes."
  (let ((start (now-us)))
    (do ((i 0 (1+ i)))
        ((= i n))
      (thunk))
    (/ (- (now-us) start) (exact->inexact n))))

;;; In tasks. The clock is read there.

(define-remote (microseconds-on-worker n thunk)
  (let ((start (get-internal-real-time)))
    (do ((i 0 (1+ i)))
        ((= i n))
      (thunk))
    (/ (- (get-internal-real-time) start) (* n 1e-6 internal-time-units-per-second))))

(define-remote (time-calls place n)
  (python-call place "nothing")
  (microseconds-on-worker n (lambda () (python-call place "nothing"))))

(define-remote (time-evaluations op x n)
  (evaluate op x)
  (microseconds-on-worker n (lambda () (evaluate op x))))

(define-remote (make-model file class)
  (python-operator file class))

(define-remote (time-first module function argument)
  (microseconds-on-worker 1 (lambda () (python-call module function argument))))

(define-remote (import-module name)
  (python-call "builtins" "exec" (string-append "import " name) (make-hash-table)))

;; What the first call of a task costs more than the second, since it seeds the generators of random numbers.
(define-remote (time-seeding)
  (let ((first (microseconds-on-worker 1 (lambda () (python-call "time" "monotonic")))))
    (- first (microseconds-on-worker 1 (lambda () (python-call "time" "monotonic"))))))

;; The same for a generator that is an argument, when the others are seeded.
(define-remote (time-seeding-generator file generator)
  (python-call file "nothing" 1)
  (let ((first (microseconds-on-worker 1 (lambda () (python-call file "nothing" generator)))))
    (- first (microseconds-on-worker 1 (lambda () (python-call file "nothing" generator))))))

(define (in-task pool proc . arguments)
  (apply pool-apply-only pool 0 proc arguments))

;;; Inputs.

(define (ramp n)
  (let ((x (make-shared-f64vector n)))
    (do ((i 0 (1+ i)))
        ((= i n) x)
      (f64vector-set! x i (/ i (1- n))))))
(define large (ramp 1000000))
(define small (ramp 10))

;;; Figures: pairs of a name and a procedure without arguments that returns microseconds, or #f if what is measured is not installed.

(define plain-cases
  '("call" "loop" "exponential" "double" "diffusion" "exponential+out" "double+out" "small" "small-pipe" "small-shared" "small-frames"
    "small-apply" "small-map-1" "small-map" "small-executor" "small-dask" "exponential-pipe" "exponential-shared" "exponential-frames"
    "exponential-apply" "exponential-map" "exponential-executor" "exponential-dask" "seed-random" "seed-numpy"))

(define (model-figures pool name class x n)
  (let* ((kept (pool-keep pool make-model models class))
         (op (python-operator models class #:pool pool)))
    (evaluate op x)
    (list (cons (string-append name ", task") (lambda () (in-task pool time-evaluations kept x n)))
          (cons (string-append name ", master") (lambda () (microseconds n (lambda () (evaluate op x))))))))

(define (map-figure pool)
  (let ((op (python-operator models "Small"))
        (inputs (map (lambda (i) (list->f64vector (f64vector->list small))) (iota 1000))))
    (cons "small, map"
          (lambda ()
            (/ (microseconds 1 (lambda () (pool-map pool (remote ((op op)) (lambda (x) (evaluate op x))) inputs))) 1000)))))

(define (seeding-figure pool name proc . arguments)
  (cons name (lambda ()
               (median (repeat 200 (lambda () (apply in-task pool proc arguments)))))))

(define (start-figure name module function)
  (cons name (lambda ()
               (call-with-pool 1
                 (lambda (pool)
                   (pool-apply-only pool 0 (remote (lambda () #t)))
                   (in-task pool time-first module function 2.))))))

(define (figures)
  (let ((one (make-pool 1)) (two (make-pool 2)) (bare (make-pool 1)) (random (make-pool 1)) (numpy (make-pool 1)))
    (pool-apply-only random 0 import-module "random")
    (pool-apply-only numpy 0 import-module "numpy.random")
    (append
     (map (lambda (case) (cons case (lambda () (ask case)))) plain-cases)
     (list (cons "call, task" (lambda () (in-task one time-calls "models" 100000)))
           (cons "call of a file, task" (lambda () (in-task one time-calls models 100000))))
     (model-figures one "exponential" "Exponential" large 20)
     (model-figures one "double" "Double" large 50)
     (model-figures one "diffusion" "Diffusion" large 5)
     (model-figures one "exponential+out" "ExponentialInto" large 20)
     (model-figures one "double+out" "DoubleInto" large 50)
     (model-figures one "small" "Small" small 1000)
     (list (map-figure two)
           (seeding-figure bare "seeding of nothing" time-seeding)
           (seeding-figure random "seeding of random" time-seeding)
           (seeding-figure numpy "seeding of both" time-seeding)
           (seeding-figure numpy "seeding of a generator" time-seeding-generator models
                           (python-object "numpy.random" "default_rng" 1 #:pool numpy))
           (start-figure "first call" "math" "sqrt")
           (start-figure "first call of numpy" "numpy" "sqrt")
           (cons "python" (lambda () (microseconds 1 (lambda () (check-python "-c" "pass")))))
           (cons "python with numpy" (lambda () (microseconds 1 (lambda () (check-python "-c" "import numpy")))))))))

(define (measure figures)
  "Return the list of a name and a list of numbers for each of @var{figures}, an item for each round."
  (for-each (match-lambda ((_ . thunk) (thunk))) figures)               ; pools, pages, files: once
  (let loop ((round 0) (rows '()))
    (if (= round rounds)
        (map (match-lambda ((name . _) (cons name (map (lambda (row) (assoc-ref row name)) rows)))) figures)
        (loop (1+ round)
              (cons (map (match-lambda ((name . thunk) (cons name (thunk))))
                         (if (even? round) figures (reverse figures)))
                    rows)))))

;;; The table.

(define (show us)
  (cond ((not us) "not installed")
        ((>= us 1e4) (format #f "~,1f ms" (/ us 1000)))
        ((>= us 100) (format #f "~a us" (inexact->exact (round us))))
        ((>= us 1) (format #f "~,2f us" us))
        (else (format #f "~,3f us" us))))

(define (middle numbers)
  (and (every identity numbers) (median numbers)))

(define (print-line . columns)
  (apply format #t "| ~49a | ~11@a | ~46a | ~13@a | ~8@a | ~a |~%" columns)
  (force-output))

;; A row: what, our figure, against what, its figure, and a target: (most US), (ratio MOST), (times LEAST): so many times as fast; or #f.
(define rows
  '(("an empty call in a task" "call, task" "a loop in C, PyObject_Vectorcall" "call" (most 3))
    ("an empty call in a task" "call, task" "a loop in Python" "loop" #f)
    ("an empty call in a task, a file is named" "call of a file, task" "a loop in Python" "loop" (most 3))
    ("exp of 10^6 numbers, in a task" "exponential, task" "numpy alone" "exponential" (ratio 1.05))
    ("exp of 10^6 numbers, from the script" "exponential, master" "numpy alone" "exponential" #f)
    ("exp of 10^6 numbers with out=, in a task" "exponential+out, task" "numpy alone with out=" "exponential+out" (ratio 1.05))
    ("exp of 10^6 numbers with out=, from the script" "exponential+out, master" "numpy alone with out=" "exponential+out" #f)
    ("10 steps of heat, 10^6 numbers, in a task" "diffusion, task" "numpy alone" "diffusion" (ratio 1.05))
    ("10 steps of heat, 10^6 numbers, from the script" "diffusion, master" "numpy alone" "diffusion" #f)
    ("2 x of 10^6 numbers, in a task" "double, task" "numpy alone" "double" (ratio 1.05))
    ("2 x of 10^6 numbers, from the script" "double, master" "numpy alone" "double" #f)
    ("2 x of 10^6 numbers with out=, in a task" "double+out, task" "numpy alone with out=" "double+out" (ratio 1.05))
    ("2 x of 10^6 numbers with out=, from the script" "double+out, master" "numpy alone with out=" "double+out" #f)
    ("10 x 10 matrix times vector, in a task" "small, task" "numpy alone" "small" #f)
    ("10 x 10 matrix times vector, in a task" "small, task" "multiprocessing, Pool.apply" "small-apply" (times 20))
    ("10 x 10 matrix times vector, in a task" "small, task" "multiprocessing, Pool.map (chunksize=1)" "small-map-1" (times 20))
    ("10 x 10 matrix times vector, in a task" "small, task" "multiprocessing, Pool.map" "small-map" #f)
    ("10 x 10 matrix times vector, in a task" "small, task" "a bare pipe" "small-pipe" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "multiprocessing, Pool.apply" "small-apply" (times 5))
    ("10 x 10 matrix times vector, from the script" "small, master" "multiprocessing, Pool.map (chunksize=1)" "small-map-1" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "ProcessPoolExecutor.submit" "small-executor" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "Dask, Client.submit" "small-dask" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "pickled, TCP" "small-frames" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "a bare pipe" "small-pipe" #f)
    ("10 x 10 matrix times vector, from the script" "small, master" "shared memory by hand and a pipe" "small-shared" #f)
    ("10 x 10 matrix times vector, pool-map, 2 workers" "small, map" "multiprocessing, Pool.map" "small-map" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "multiprocessing, Pool.apply" "exponential-apply" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "multiprocessing, Pool.map" "exponential-map" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "ProcessPoolExecutor.submit" "exponential-executor" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "Dask, Client.scatter and submit" "exponential-dask" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "pickled, numbers apart (protocol 5), TCP" "exponential-frames" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "a bare pipe" "exponential-pipe" #f)
    ("exp of 10^6 numbers, from the script" "exponential, master" "shared memory by hand and a pipe" "exponential-shared" #f)
    ("seeding in a task, nothing to be seeded" "seeding of nothing" "random.seed" "seed-random" #f)
    ("seeding in a task, random is imported" "seeding of random" "random.seed" "seed-random" #f)
    ("seeding in a task, numpy and random" "seeding of both" "numpy.random.seed" "seed-numpy" #f)
    ("seeding of a Generator that is an argument" "seeding of a generator" "numpy.random.seed" "seed-numpy" #f)
    ("first call in a worker" "first call" "python3 -c pass" "python" #f)
    ("first call in a worker, numpy" "first call of numpy" "python3 -c 'import numpy'" "python with numpy" #f)))

(define (show-target target us ratio)
  (match target
    (('most limit) (format #f "at most ~a us~a" limit (if (<= us limit) "" " (missed)")))
    (('ratio most) (format #f "at most ~a x~a" most (if (and ratio (<= ratio most)) "" " (missed)")))
    (('times least) (format #f "~a x as fast~a" least (if (and ratio (<= ratio (/ 1. least))) "" " (missed)")))
    (#f "")))

(define (print-row-of all row)
  (match row
    ((what ours against theirs target)
     (let* ((times (assoc-ref all ours))
            (others (assoc-ref all theirs))
            (ratio (and (every identity others) (median (map / times others)))))
       (print-line what (show (median times)) against (show (middle others))
                   (cond ((not ratio) "") ((< ratio 0.5) (format #f "1/~,1f" (/ ratio))) (else (format #f "~,2f" ratio)))
                   (show-target target (median times) ratio))))))

(print-machine)
(format #t "~a, load ~a at the start; medians of ~a rounds~%~%" python (call-with-input-file "/proc/loadavg" read-line) rounds)
(with-execution-manager
  (let ((all (measure (figures))))
    (print-line "case" "Tutti" "against" "its figure" "ratio" "wanted")
    (display "|---|--:|---|--:|--:|---|\n")
    (for-each (lambda (row) (print-row-of all row)) rows)))
(close-pipe peer)
