;; SPDX-License-Identifier: LGPL-3.0-or-later
;; metg.scm [--repeats N] [--curves] [--sides SIDE,...] [PATTERN...]: the minimum effective task granularity (Slaughter et al., Task
;; Bench, 2020): the shortest task at which half of the time of all processors is useful work, for several patterns of dependencies
;; between tasks.
;;
;; With --curves it is the part that is useful at several lengths, in percent, that is printed.
;;
;; Useful is what the work of all tasks takes on a processor that does nothing else: a loop without a clock, in C and the same for all
;; sides, which is calibrated at the beginning. The time of all processors is that of the graph, from the first submission to the last
;; value, times their number; whoever submits and supervises has none of his own. What a task gets from others is looked at by it, and a
;; wrong value fails the benchmark. The length is found by bisection on a logarithmic scale, to 6 %, where the median of three graphs
;; decides, and again in each repeat, in every second one with the sides in the opposite order. Sides that do not survive the death of a
;; worker have no row with kills.
(use-modules (bench) (programs) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 threads) (srfi srfi-1) (srfi srfi-9)
             (system foreign) (system foreign-library))

(define (built name) (string-append (getenv "TUTTI_HELPERS") "/bench/" name))
(define sources (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/bench/"))
(define kernel (built "metg-kernel.so"))
(define n-workers (current-processor-count))
(define width                           ; four columns for each worker, or more: a power of two
  (ash 1 (integer-length (1- (* 4 n-workers)))))
(define kill-period-ms 20)

(define patterns '("trivial" "chain" "stencil" "fft" "tree" "nearest" "random")) ; as metg.h numbers them

;;; Sides: programs that answer the description of a graph with the seconds that it took.

(define-record-type <side>
  (make-side name text command kills? most)
  side?
  (name side-name)
  (text side-text)
  (command side-command)                ; #f: not here
  (kills? side-kills?)
  (most side-most))                     ; the target: microseconds, (times N SIDE), or #f

(define (succeeds? . command) (zero? (program-status (run-program command))))
(define python
  (find (lambda (program) (succeeds? program "--version"))
        (append (or (and=> (getenv "PYTHON") list) '()) '("/usr/bin/python3" "python3"))))
(define workers (number->string n-workers))
(define engine (list (built "metg-engine") (built "metg-module.so") workers))
(define (scheme way) (list tutti "run" (built "metg-scheme.go") way workers))
(define (multiprocessing way) (and python (list python (string-append sources "metg-python.py") way kernel workers)))
(define mpi
  (and (file-exists? (built "metg-mpi")) (succeeds? "mpirun" "--version")
       (list "mpirun" "-n" workers "--oversubscribe" "--bind-to" "none" "--mca" "mpi_yield_when_idle" "0" (built "metg-mpi"))))

(define sides
  (list (make-side "c" "Tutti, tasks in C" engine #f 5)
        (make-side "submit" "Tutti, pool-submit! in Scheme" (scheme "submit") #f 20)
        (make-side "map" "Tutti, pool-map in Scheme" (scheme "map") #f #f)
        (make-side "mpi" "MPI, ranks in C" mpi #f #f)
        (make-side "pipes" "multiprocessing, pipes" (multiprocessing "pipes") #f #f)
        (make-side "pool" "multiprocessing, Pool.map" (multiprocessing "pool") #f #f)
        (make-side "c-kills" "Tutti, tasks in C, kills" engine #t '(times 2 "c"))
        (make-side "submit-kills" "Tutti, pool-submit!, kills" (scheme "submit") #t '(times 2 "submit"))))

;; A process: where its answers come from, where it is told something, its number, and its command.
(define (start command)
  (match (call-with-values (lambda () (pipeline (list command))) list)
    ((from to (pid)) (list from to pid command))))

(define (stop process)
  (match process
    ((from to pid command)
     (close-port to)
     (unless (eqv? (status:exit-val (cdr (waitpid pid))) 0)
       (error "it did not end well:" command))
     (close-port from))))

(define (tell process format-string . arguments)
  (match process
    ((_ to . _)
     (apply format to format-string arguments)
     (force-output to))))

(define (ask process format-string . arguments)
  (apply tell process format-string arguments)
  (match process
    ((from _ _ command)
     (match (select (list from) '() '() 120)
       (((_) _ _)
        (let* ((line (read-line from)) (number (and (string? line) (string->number line))))
          (or number (error "it has ended, or answered something else:" command line))))
       (_ (error "no answer for two minutes:" command))))))

;;; Measuring.

(define iterations-per-second
  ((foreign-library-function kernel "metg_kernel_calibrate" #:return-type double)))

(define killer #f)
(define kills 0)
(define seconds-of-kills 0)

(define (call-with-kills process thunk)
  "Return what @var{thunk} returns, while the workers of @var{process} are killed one after the other."
  (tell killer "~a~%" (third process))
  (let* ((seconds (thunk)) (n (ask killer "stop~%")))
    (when (and (zero? n) (> seconds (* 5e-3 kill-period-ms)))
      (error "nothing was killed, of" (fourth process)))
    (set! kills (+ kills n))
    (set! seconds-of-kills (+ seconds-of-kills seconds))
    seconds))

(define (seconds-of process graph n)
  "Return the seconds that @var{process} takes for @var{graph}, @var{n} times."
  (let loop ((n n) (sum 0))
    (if (zero? n) sum (loop (1- n) (+ sum (ask process "~{~a~^ ~}~%" graph))))))

(define (efficiency side process pattern length)
  "Return which part of the time of all processors is useful if tasks take @var{length} seconds."
  (let* ((tasks (max (* 20 width) (min 20000 (/ (* 0.1 n-workers) length))))
         (steps (inexact->exact (ceiling (/ tasks width))))
         (graph (list pattern width steps (inexact->exact (round (* length iterations-per-second)))))
         (work (* width steps length))
         (enough (if (side-kills? side) 0.3 0.1)) ; seconds
         (measure (lambda ()
                    (let loop ((n 1) (sum (seconds-of process graph 1)))
                      (if (< sum enough)
                          (loop (1+ n) (+ sum (seconds-of process graph 1)))
                          (cons n sum)))))
         (measured (if (side-kills? side)
                       (let ((n+sum #f))
                         (call-with-kills process (lambda () (set! n+sum (measure)) (cdr n+sum)))
                         n+sum)
                       (measure))))
    (/ (* (car measured) work) (* n-workers (cdr measured)))))

(define shortest 1e-7)
;; A task that takes longer than workers live never ends; one that takes nearly as long is begun several times.
(define (longest side) (if (side-kills? side) (* 1e-4 kill-period-ms) 1e-1))

(define (granularity side process pattern)
  "Return the length of the shortest task at which half of the time is useful, in seconds."
  (let bisect ((n 8) (low shortest) (high (longest side)))
    (if (zero? n)
        high
        (let ((middle (sqrt (* low high))))
          (if (>= (median (repeat 3 (lambda () (efficiency side process pattern middle)))) 0.5)
              (bisect (1- n) low middle)
              (bisect (1- n) middle high))))))

;;; The table.

(define (show side length)
  (cond ((<= length (* 1.06 shortest)) (format #f "below ~,1f µs" (* 1.06e6 shortest)))
        ((>= length (* 0.99 (longest side))) (format #f "over ~a ms" (inexact->exact (round (* 1e3 (longest side))))))
        ((>= length 1e-3) (format #f "~,2f ms" (* 1e3 length)))
        (else (format #f "~,2f µs" (* 1e6 length)))))

(define (print-line . columns)
  (apply format #t "| ~8a | ~30a | ~11@a | ~24a | ~6a | ~20a |~%" columns)
  (force-output))

(define (verdict side lengths results)
  (define (judge met? text) (string-append text (if met? ": met" ": missed")))
  (match (side-most side)
    (#f "")
    (('times most name)
     (match (assoc-ref results name)
       (#f "")
       (others (let ((ratio (median (map / lengths others))))
                 (judge (<= ratio most) (format #f "<= ~a x, ~,2f" most ratio))))))
    (most (judge (<= (median lengths) (* 1e-6 most)) (format #f "<= ~a µs" most)))))

(define (print-result pattern side results)
  (match (assoc-ref results (side-name side))
    (#f (print-line pattern (side-text side) "not here" "" "" ""))
    (lengths
     (print-line pattern (side-text side) (show side (median lengths))
                 (format #f "~a to ~a" (show side (apply min lengths)) (show side (apply max lengths)))
                 (match (assoc-ref results "mpi")
                   (#f "")
                   (others (format #f "~,1f" (median (map / lengths others)))))
                 (verdict side lengths results)))))

(define (pattern-number name) (list-index (lambda (other) (string=? other name)) patterns))

(define (measure-pattern name processes repeats)
  (let ((pattern (pattern-number name)))
    (let loop ((i 0) (results (map (lambda (entry) (list (side-name (car entry)))) processes)))
      (if (= i repeats)
          (map (lambda (entry) (cons (car entry) (reverse (cdr entry)))) results)
          (let ((lengths (map-in-order (match-lambda
                                         ((side . process) (cons (side-name side) (granularity side process pattern))))
                                       (if (even? i) processes (reverse processes)))))
            (loop (1+ i) (map (match-lambda ((name . all) (cons* name (assoc-ref lengths name) all))) results)))))))

(define (print-table names sides processes repeats)
  (print-line "pattern" "side" "METG" "from ... to" "x MPI" "target")
  (format #t "|---|---|--:|---|---|---|~%")
  (for-each (lambda (name)
              (let ((results (measure-pattern name processes repeats)))
                (for-each (lambda (side) (print-result name side results)) sides)))
            names))

(define lengths-of-curves '(1e-6 2e-6 5e-6 1e-5 2e-5 5e-5 1e-4 2e-4 5e-4 1e-3 2e-3 5e-3 1e-2))

(define (print-curves names processes repeats)
  (let ((print (lambda (pattern text columns) (format #t "| ~8a | ~30a |~{ ~5@a |~}~%" pattern text columns) (force-output))))
    (print "pattern" "useful, %; tasks of ... µs" (map (lambda (length) (inexact->exact (round (* 1e6 length)))) lengths-of-curves))
    (format #t "|---|---|~a~%" (string-join (map (const "--:|") lengths-of-curves) ""))
    (for-each
     (lambda (name)
       (for-each
        (match-lambda
          ((side . process)
           (print name (side-text side)
                  (map (lambda (length)
                         (if (> length (longest side))
                             ""
                             (let ((parts (repeat repeats (lambda () (efficiency side process (pattern-number name) length)))))
                               (format #f "~,1f" (* 100 (median parts))))))
                       lengths-of-curves))))
        processes))
     names)))

(define (usage)
  (format (current-error-port)
          "usage: metg.scm [--repeats N] [--curves] [--sides SIDE,...] [PATTERN...]; SIDE: ~{~a~^ ~}; PATTERN: ~{~a~^ ~}~%"
          (map side-name sides) patterns)
  (exit 2))

(define (choose names all name-of)
  (if (null? names)
      all
      (map (lambda (name) (or (find (lambda (x) (string=? (name-of x) name)) all) (usage))) names)))

(define curves? #f)

(define (parse arguments repeats names)
  "Return the number of repeats, the sides and the patterns that are wanted."
  (match arguments
    (("--curves" . rest)
     (set! curves? #t)
     (parse rest repeats names))
    (("--repeats" (= string->number (? exact-integer? (? positive? n))) . rest) (parse rest n names))
    (("--sides" list . rest) (parse rest repeats (string-split list #\,)))
    (wanted (list repeats (choose names sides side-name) (choose wanted patterns identity)))))

(match (parse (cdr (command-line)) 3 '())
  ((repeats wanted names)
   (setenv "METG_KERNEL" kernel)
   (setenv "OMPI_ALLOW_RUN_AS_ROOT" "1")
   (setenv "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM" "1")
   (print-machine)
   (format #t "load ~a at the start; ~a workers, graphs ~a wide, ~a repeats, ~,1f iterations of the work in 1 µs~%~%"
           (call-with-input-file "/proc/loadavg" read-line) n-workers width repeats (* 1e-6 iterations-per-second))
   (set! killer (start (list (built "metg-killer") (number->string kill-period-ms))))
   (let ((processes (filter-map (lambda (side) (and=> (side-command side) (lambda (command) (cons side (start command))))) wanted)))
     (if curves?
         (print-curves names processes repeats)
         (print-table names wanted processes repeats))
     (when (positive? kills)
       (format #t "~%~a workers were killed, one every ~,1f ms~%" kills (/ (* 1e3 seconds-of-kills) kills)))
     (for-each stop (cons killer (map cdr processes))))))
