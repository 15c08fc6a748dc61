;; SPDX-License-Identifier: LGPL-3.0-or-later
;; speed.scm [--rounds N] [--small-pages] [CASE...]: Tutti beside what people would take instead, and beside what this machine can do at
;; best, as a table.
;;
;; Each program of a case runs once in a round, one after the other, in every second round in the opposite order, and gives its figures.
;; So whatever else the machine has to do meets all of them alike. Ratios are made within a round; the table has the medians over the
;; rounds, and the quartiles of the ratios. Peers that are not installed are named (./bootstrap bench --peers installs them). With
;; --small-pages no program has huge pages, whatever the machine allows. To be slow is no failure; a wrong result is, or a program that
;; does not end.
(use-modules (bench) (programs) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-9) (srfi srfi-11))

;;; Programs. One whose peer is not there is #f.

(define sources (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/"))
(define (built name) (string-append (getenv "TUTTI_HELPERS") "/bench/" name))

(define (succeeds? . command)
  (zero? (program-status (run-program command))))

(define python
  (find (lambda (program) (succeeds? program "-c" "import numpy"))
        (append (or (and=> (getenv "PYTHON") list) '()) '("python3" "/usr/bin/python3"))))
(define has-mpi4py? (and python (succeeds? python "-c" "import mpi4py")))
(define has-mpirun? (succeeds? "mpirun" "--version"))

(define (ours case . arguments) (cons* tutti "run" (built "speed-pool.go") case arguments))
(define (engine . arguments) (cons (built "speed-engine") arguments))
(define (limits case) (list (built "speed-limits") case))
(define (watch . arguments) (and (every identity arguments) (cons (built "speed-watch") (concatenate arguments))))
(define (multiprocessing . arguments)
  (and python (cons* python (string-append sources "speed-python.py") arguments)))

;; More ranks than cores must let each other run; where each has its own, that would only slow it down.
(define (mpirun n-ranks . command)
  (and has-mpirun?
       (append (list "mpirun" "-n" (number->string n-ranks) "--oversubscribe" "--bind-to" "none" "--mca" "mpi_yield_when_idle"
                     (if (> n-ranks ((@ (ice-9 threads) current-processor-count))) "1" "0"))
               command)))
(define (mpi n-ranks case)
  (and (file-exists? (built "speed-mpi")) (mpirun n-ranks (built "speed-mpi") case)))
(define (mpi4py n-ranks case)
  (and has-mpi4py? (mpirun n-ranks python (string-append sources "speed-mpi.py") case)))

;; SimPEG itself is no package of Debian's.
(define (simpeg rows columns)
  (and python (list python (string-append sources "speed-simpeg.py") rows columns)))

(define (start n)
  (list (watch (list "start" (format #f "start-~a" n) n) (list tutti "run" (built "speed-start.go") n))
        (watch (list "start" (format #f "python-start-~a" n) n) (multiprocessing "start" n))))

(define (memory n)
  (list (watch (list "memory" (string-append "memory-" n)) (ours "memory" n))
        (watch (list "memory" (string-append "python-memory-" n)) (multiprocessing "memory" n))))

(define (cost n-workers n-tasks)
  (engine "cost" (format #f "cost-~a-~a" n-workers n-tasks) (number->string n-workers) (number->string n-tasks)))

;;; Cases.

(define-record-type <case>
  (make-case name rounds commands rows)
  case?
  (name case-name)
  (rounds case-rounds)                  ; if nothing else is said
  (commands case-commands)
  (rows case-rows))

;; A row: what, name of our figure, against what, name of its figure or #f, unit, and a target: (at-most RATIO), (at-least RATIO),
;; (bytes MOST), which is ours alone, or #f.
(define cases
  (list
   (make-case "round-trip" 5
              (list (engine "round-trip") (mpi 2 "ping-pong"))
              '(("no-op round trip, C handler, 1 worker" "round-trip" "MPI ping-pong in C, 2 ranks" "mpi-ping-pong" time
                 (at-most 3))))
   (make-case "scheme-round-trip" 5
              (list (ours "round-trip") (multiprocessing "round-trip"))
              '(("no-op round trip, Scheme procedure" "scheme-round-trip" "multiprocessing, pipe" "python-round-trip" time
                 (at-most 0.15))))
   (make-case "tasks" 5
              (list (engine "tasks") (mpi4py 3 "ring") (mpi 3 "ring"))
              '(("100 000 no-op tasks, C caller, C handler, 2 workers" "tasks" "mpi4py, ring by hand" "mpi4py-ring" rate (at-least 2))
                ("100 000 no-op tasks, C caller, C handler, 2 workers" "tasks" "MPI in C, ring by hand" "mpi-ring" rate #f)))
   (make-case "scheme-tasks" 3
              (list (ours "tasks") (mpi4py 3 "ring"))
              '(("100 000 no-op tasks, Scheme pool-submit!, 2 workers" "scheme-tasks" "mpi4py, ring by hand" "mpi4py-ring" rate #f)))
   (make-case "map" 3
              (list (ours "map") (multiprocessing "map"))
              '(("pool-map of a Scheme no-op, 1 000 000 items, 2 workers" "scheme-map" "multiprocessing.Pool, best chunk" "python-map"
                 rate (at-least 0.5))))
   (make-case "broadcast" 5
              (list (ours "broadcast" "shared") (limits "notify") (ours "broadcast" "private") (multiprocessing "broadcast" "shared")
                    (limits "copy"))
              '(("broadcast of a shared vector, 80 MB to 8 workers" "scheme-broadcast-shared" "limit: notify, warm memfd" "notify" time
                 (at-most 2))
                ("broadcast of a private vector, 80 MB to 8 workers" "scheme-broadcast-private" "multiprocessing, shared memory"
                 "python-broadcast-shared" time (at-most 0.9))
                ("broadcast of a private vector, 80 MB to 8 workers" "scheme-broadcast-private" "limit: one warm copy" "copy" time #f)))
   (make-case "gather" 5
              (list (ours "gather") (multiprocessing "gather" "shared"))
              '(("gather, 80 MB from 8 workers into one vector" "scheme-gather" "multiprocessing, shared memory" "python-gather-shared"
                 time (at-most 1))))
   (make-case "pipes" 3
              (list (ours "broadcast" "private") (multiprocessing "broadcast" "pipe") (ours "gather") (multiprocessing "gather" "pipe"))
              '(("broadcast of a private vector, 80 MB to 8 workers" "scheme-broadcast-private" "multiprocessing, pipes"
                 "python-broadcast-pipe" time #f)
                ("gather, 80 MB from 8 workers into one vector" "scheme-gather" "multiprocessing, pipes" "python-gather-pipe" time #f)))
   (make-case "sum" 3
              (list (ours "sum" "shared") (limits "pass") (ours "sum" "private") (multiprocessing "sum"))
              '(("adjoint sum, 8 workers x 80 MB in shared vectors, warm" "scheme-sum-shared" "limit: one pass, 1 thread" "pass" time
                 (at-most 1))
                ("the same, the first time" "scheme-sum-shared-cold" "limit: one pass, 1 thread" "pass" time #f)
                ("adjoint sum, 8 workers x 80 MB in private vectors, warm" "scheme-sum-private" "limit: one pass, 1 thread" "pass" time #f)
                ("the same, the first time" "scheme-sum-private-cold" "limit: one pass, 1 thread" "pass" time #f)
                ("adjoint sum, 8 workers x 80 MB in private vectors, warm" "scheme-sum-private" "multiprocessing, shared memory"
                 "python-sum" time #f)))
   (make-case "dense" 3
              (list (ours "dense") (mpi4py 2 "dense"))
              '(("8 dense operators 1000 x 10000, 2 workers: dpred" "scheme-dpred" "mpi4py, collective" "mpi4py-dpred" rate
                 (at-least 0.95))
                ("8 dense operators 1000 x 10000, 2 workers: Jtvec" "scheme-jtvec" "mpi4py, collective" "mpi4py-jtvec" rate
                 (at-least 0.95))))
   (make-case "threads" 3
              (list (ours "threads"))
              '(("1 dense operator 1000 x 10000, 1 worker with 2 threads: dpred" "two-threads-dpred" "the same with 1 thread"
                 "one-thread-dpred" rate #f)
                ("1 dense operator 1000 x 10000, 1 worker with 2 threads: Jtvec" "two-threads-jtvec" "the same with 1 thread"
                 "one-thread-jtvec" rate #f)))
   (make-case "block" 3
              (list (ours "block"))
              '(("1000 x 10000 matrix, 8 vectors at once" "block-dpred" "one after the other" "single-dpred" time #f)
                ("its adjoint, 8 vectors at once" "block-jtvec" "one after the other" "single-jtvec" time #f)))
   (make-case "simulations" 5
              (list (ours "simulations" "1000" "20000") (simpeg "1000" "20000") (ours "simulations" "20" "50") (simpeg "20" "50"))
              (append-map
               (match-lambda
                 ((rows text targets)
                  (map (lambda (call target)
                         `(,(format #f "8 linear simulations ~a, 2 workers: ~a" text call)
                           ,(format #f "scheme-simulations-~a-~a" rows (string-downcase call))
                           "replica of SimPEG's protocol" ,(format #f "simpeg-~a-~a" rows (string-downcase call)) time (at-most ,target)))
                       '("dpred" "Jvec" "Jtvec") targets)))
               '((1000 "1000 x 20000" (0.8 0.5 0.5)) (20 "20 x 50" (0.1 0.1 0.1)))))
   (make-case "start" 5
              (append (start "8") (start "64"))
              '(("from process start to 8 workers answered" "start-8" "multiprocessing, fork with numpy" "python-start-8" time
                 (at-most 0.5))
                ("from process start to 64 workers answered" "start-64" "multiprocessing, fork with numpy" "python-start-64" time
                 (at-most 1.2))))
   (make-case "memory" 3
              (append (memory "4") (memory "1"))
              `(("memory of all (PSS), a new 80 MB to 8 workers, 4 times" "memory-4" "multiprocessing, shared memory" "python-memory-4"
                 memory (at-most 0.42))
                ("memory of all (PSS), 80 MB to 8 workers, once" "memory-1" "multiprocessing, shared memory" "python-memory-1"
                 memory (bytes ,(+ 80000000 (* 8 8000000))))))
   (make-case "cost" 5
              (list (cost 1 10000) (cost 2 10000) (cost 8 10000) (cost 64 10000) (cost 2 1000) (cost 2 1000000))
              (append
               (map (lambda (n)
                      `(,(format #f "cost of one of 10 000 tasks, workers: ~a" n) ,(format #f "cost-~a-10000" n)
                        "itself: 2 workers, 10 000 tasks" "cost-2-10000" time (at-most 1.3)))
                    '(1 8 64))
               (map (lambda (n text)
                      `(,(format #f "cost of one of ~a tasks, workers: 2" text) ,(format #f "cost-2-~a" n)
                        "itself: 2 workers, 10 000 tasks" "cost-2-10000" time (at-most 1.3)))
                    '(1000 1000000) '("1 000" "1 000 000"))))))

;;; Running.

(define one-thread
  '("OPENBLAS_NUM_THREADS=1" "OMP_NUM_THREADS=1"
    ;; mpirun refuses to work for root, who may be the only one there is in a container.
    "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"))

(define (parse-figures text)
  (filter-map (lambda (line)
                (match (string-tokenize line)
                  ((name value) (and=> (string->number value) (lambda (number) (cons name number))))
                  (_ #f)))
              (string-split text #\newline)))

(define small-pages? #f)

(define (run command)
  "Return the figures that @var{command} gives, pairs of name and number, and what went wrong, or @code{#f}."
  (let* ((program (run-program (if small-pages? (cons (built "small-pages") command) command) #:env one-thread #:seconds 300))
         (figures (if (eqv? (program-status program) 0) (parse-figures (program-output program)) '())))
    (values figures
            (and (null? figures)
                 (format #f "~{~a~^ ~}~%  ended with ~a: ~a" command (program-status program)
                         (string-trim-both (program-errors program)))))))

(define (measure-round commands)
  "Return the figures of all @var{commands}, and a list of what went wrong."
  (let loop ((commands commands) (figures '()) (problems '()))
    (if (null? commands)
        (values figures (reverse problems))
        (let-values (((new problem) (run (car commands))))
          (loop (cdr commands) (append new figures) (if problem (cons problem problems) problems))))))

(define (measure case rounds)
  "Return a list of the figures of each round of @var{case}, pairs of name and number, and what went wrong, a list of strings."
  (let ((commands (filter identity (case-commands case))))
    (let loop ((i 0) (all '()) (problems '()))
      (if (= i rounds)
          (values all problems)
          (let-values (((figures new) (measure-round (if (even? i) commands (reverse commands)))))
            (loop (1+ i) (cons figures all) (append problems new)))))))

;;; The table.

(define (show-number number unit)
  (define (digits x)
    (cond ((>= x 100) (number->string (inexact->exact (round x))))
          ((>= x 10) (format #f "~,1f" x))
          (else (format #f "~,2f" x))))
  (define (scaled scale text) (string-append (digits (exact->inexact (/ number scale))) " " text))
  (case unit
    ((time) (cond ((>= number 1) (scaled 1 "s")) ((>= number 1e-3) (scaled 1e-3 "ms")) (else (scaled 1e-6 "µs"))))
    ((rate) (cond ((>= number 1e6) (scaled 1e6 "M/s")) ((>= number 1e3) (scaled 1e3 "k/s")) (else (scaled 1 "/s"))))
    ((memory) (scaled 1e6 "MB"))))

(define (show-target target)
  (match target
    (('at-most ratio) (format #f "<= ~a x" ratio))
    (('at-least ratio) (format #f ">= ~a x" ratio))
    (('bytes most) (format #f "<= ~a MB" (quotient most 1000000)))
    (#f "")))

(define (verdict target figure ratio)
  (define (met? yes) (if yes "met" "missed"))
  (match target
    (('bytes most) (met? (<= figure most)))
    (#f "")
    (_ (if ratio
           (met? ((if (eq? (car target) 'at-most) <= >=) ratio (cadr target)))
           ""))))

(define (print-line . columns)
  (apply format #t "| ~56a | ~9@a | ~32a | ~18@a | ~6@a | ~14a | ~9a | ~6a |~%" columns)
  (force-output))

(define (print-comparison row rounds problems?)
  (match row
    ((what name against peer unit target)
     (let* ((median-of (lambda (name)
                         (match (filter-map (lambda (figures) (assoc-ref figures name)) rounds)
                           (() #f)
                           (numbers (median numbers)))))
            (figure (median-of name))
            (other (median-of peer))
            (ratios (filter-map (lambda (figures)
                                  (let ((one (assoc-ref figures name)) (other (assoc-ref figures peer)))
                                    (and one other (/ one other))))
                                rounds))
            (ratio (and (pair? ratios) (median ratios)))
            (missing (if problems? "FAILED" "peer not installed")))
       (print-line what (if figure (show-number figure unit) "FAILED") against (if other (show-number other unit) missing)
                   (if ratio (format #f "~,2f" ratio) "")
                   (if ratio (format #f "~{~,2f~^ to ~}" (quartiles ratios)) "")
                   (show-target target)
                   (if figure (verdict target figure ratio) "FAILED"))))))

(define (compare case rounds)
  "Print the rows of @var{case} and return what went wrong."
  (let-values (((measured problems) (measure case (or rounds (case-rounds case)))))
    (for-each (lambda (row) (print-comparison row measured (pair? problems))) (case-rows case))
    problems))

(define (print-load)
  (define (first-line file)
    (or (false-if-exception (call-with-input-file file (@ (ice-9 rdelim) read-line))) "not known"))
  (format #t "load ~a at the start; medians of the rounds, OPENBLAS_NUM_THREADS=1~%" (first-line "/proc/loadavg"))
  (if small-pages?
      (format #t "without huge pages~%~%")
      (format #t "huge pages: ~a; of shared memory: ~a~%~%" (first-line "/sys/kernel/mm/transparent_hugepage/enabled")
              (first-line "/sys/kernel/mm/transparent_hugepage/shmem_enabled"))))

(define (parse-arguments arguments)
  "Return the number of rounds, or @code{#f}, and the cases that are wanted."
  (match arguments
    (("--rounds" (= string->number (? exact-integer? (? positive? rounds))) . names)
     (let-values (((_ wanted) (parse-arguments names)))
       (values rounds wanted)))
    (("--small-pages" . rest)
     (set! small-pages? #t)
     (parse-arguments rest))
    (()
     (values #f cases))
    (names
     (values #f (map (lambda (name)
                       (or (find (lambda (case) (string=? (case-name case) name)) cases)
                           (begin
                             (format (current-error-port)
                                     "there is no ~s; speed.scm [--rounds N] [--small-pages] [CASE...], CASE: ~{~a~^ ~}~%" name
                                     (map case-name cases))
                             (exit 2))))
                     names)))))

(let-values (((rounds wanted) (parse-arguments (cdr (command-line)))))
  (print-machine)
  (print-load)
  (print-line "case" "Tutti" "against" "its figure" "ratio" "half of them" "target" "")
  (format #t "|---|--:|---|--:|--:|---|---|---|~%")
  (let ((problems (append-map (lambda (case) (compare case rounds)) wanted)))
    (for-each (lambda (problem) (format #t "~%FAILED ~a~%" problem)) (delete-duplicates problems))
    (exit (if (null? problems) 0 1))))
