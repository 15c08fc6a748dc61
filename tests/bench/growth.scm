;; SPDX-License-Identifier: LGPL-3.0-or-later
;; growth.scm [--rounds N] [--most TASKS] [--plot FILE] [CASE...]: what one more costs as the work grows: more workers, tasks, bytes,
;; held objects, shared vectors. If costs are linear, one more costs the same whatever there is already.
;;
;; Each row is the cost of one unit at a size: the median over the rounds, in every second of which the sizes are measured in the opposite
;; order, and the least and the most. What it should be, the law, is the cost at the smallest size that is above the noise. Where a call has
;; a cost of its own, that is the first which takes five times as long as the smallest size; where only something else grows, the first
;; one; and for tasks by workers as many workers as processors, from which on all share those. Of these it is the first whose rounds differ
;; by no more than a quarter of their median, if there is one. What is dearer than 1.3 times its law is marked, and listed at the end. The
;; second ratio compares with the cheapest smaller size. What does not fit in the memory that is available is skipped, and listed as well.
(use-modules (bench) (programs) (tutti plot) (ice-9 format) (ice-9 threads) (ice-9 match) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-9))

(define (built name) (string-append (getenv "TUTTI_HELPERS") "/bench/" name))
(define (ours . arguments)
  (cons* tutti "run" (built "growth-pool.go") (map (lambda (x) (if (number? x) (number->string x) x)) arguments)))
(define (engine name workers tasks)
  (list (built "speed-engine") "cost" name (number->string workers) (number->string tasks)))

(define most-tasks 10000000)            ; may be set by the caller
(define seconds-for-many 60)            ; until then objects and vectors are made

(define workers '(1 2 4 8 16 32 64))
(define (tasks) (filter (lambda (n) (<= n most-tasks)) '(1000 10000 100000 1000000 10000000)))
(define bytes (list 1024 8192 65536 524288 4194304 33554432 268435456 2147483648 8589934592))

(define-record-type <case>
  (make-case name figures commands)
  case?
  (name case-name)
  (figures case-figures)                ; lists: name, what it is, kind of its law (law-of)
  (commands case-commands))             ; procedure without arguments: list of rows: size or #f, bytes of memory, command

(define (each sizes need command) (map (lambda (size) (list size (need size) (command size))) sizes))
(define (little size) 100000000)
(define (times factor) (lambda (size) (+ 100000000 (* factor size))))

(define cases
  (list
   (make-case "workers" '(("c-on" "10 000 tasks in C, by workers: a task" processors)
                          ("map-on" "map of 100 000 items, by workers: an item" processors)
                          ("apply" "pool-apply, by workers: each" units)
                          ("start" "a new pool, by workers: each" units))
              (lambda ()
                (let ((need (times 20000000)))
                  (append (each workers need (lambda (n) (engine (format #f "c-on ~a" n) n 10000)))
                          (each workers need (lambda (n) (ours "map-on" n 100000)))
                          (each workers need (lambda (n) (ours "apply" n)))
                          (each workers need (lambda (n) (ours "start" n)))))))
   (make-case "c-tasks" '(("c" "tasks in C, 2 workers, all at once: a task" units))
              (lambda () (each (tasks) (times 1500) (lambda (n) (engine (format #f "c ~a" n) 2 n)))))
   (make-case "submit" '(("submit" "pool-submit!, 2 workers, all at once: a task" units))
              (lambda () (each (tasks) (times 3000) (lambda (n) (ours "submit" 2 n)))))
   (make-case "map" '(("map" "pool-map, 2 workers: an item" units))
              (lambda () (each (tasks) (times 200) (lambda (n) (ours "map" 2 n)))))
   (make-case "vectors" '(("broadcast" "a private vector to 2 workers: a byte" units)
                          ("shared" "a shared vector to 2 workers: a broadcast" flat)
                          ("gather" "a vector gathered from 2 workers: a byte" units)
                          ("sum" "a sum of vectors of 2 workers: a byte" units))
              (lambda ()
                (append (each bytes (times 3) (lambda (n) (ours "broadcast" n)))
                        (each bytes (times 1) (lambda (n) (ours "shared" n)))
                        (each bytes (times 4) (lambda (n) (ours "gather" n)))
                        (each bytes (times 7) (lambda (n) (ours "sum" n))))))
   (make-case "held" '(("push" "pool-push, by held objects: a call" flat)
                       ("task-with-held" "a task with a held object, by held objects" flat))
              (lambda () (list (list #f 1000000000 (ours "held" 100000 seconds-for-many)))))
   (make-case "many" '(("make-vector" "a new shared vector, by shared vectors" flat)
                       ("show-vector" "one made and shown to a worker, by shared vectors" flat))
              (lambda () (list (list #f 2000000000 (ours "vectors" 100000 seconds-for-many)))))))

;;; Measuring.

(define (bytes-available)
  (call-with-input-file "/proc/meminfo"
    (lambda (port)
      (let loop ()
        (match (read-line port)
          ((? eof-object?) 0)
          ((= string-tokenize ("MemAvailable:" kilobytes . _)) (* 1024 (string->number kilobytes)))
          (_ (loop)))))))

(define skipped '())                    ; texts
(define (skip! format-string . arguments)
  (let ((text (apply format #f format-string arguments)))
    ;; How much is available changes from round to round.
    (unless (member text skipped (lambda (new old) (string=? (car (string-split new #\:)) (car (string-split old #\:)))))
      (set! skipped (append skipped (list text))))))

(define failed? #f)

(define (parse-figures text)
  "Return a list of the name of a figure, a size and seconds for each line of @var{text}."
  (filter-map (lambda (line)
                (match (string-tokenize line)
                  (("given-up" n seconds) (skip! "more than ~a: so many have taken ~a seconds" n seconds) #f)
                  ((name (= string->number (? number? size)) (= string->number (? number? seconds))) (list name size seconds))
                  (_ #f)))
              (string-split text #\newline)))

(define (run size need command)
  (let ((available (bytes-available)) (what (string-join (cdr command))))
    (if (> (* 1.2 need) available)
        (begin
          (skip! "~a: it takes ~,1f GB, and ~,1f GB are available"
                 (string-join (list-tail command (if (string=? (cadr command) "run") 3 1))) (* 1e-9 need) (* 1e-9 available))
          '())
        (let* ((program (run-program command #:seconds 900 #:env '("OPENBLAS_NUM_THREADS=1")))
               (figures (if (eqv? (program-status program) 0) (parse-figures (program-output program)) '())))
          (when (null? figures)
            (set! failed? #t)
            (skip! "FAILED ~a: ended with ~a: ~a" what (program-status program) (string-trim-both (program-errors program))))
          figures))))

(define (measure case rounds)
  "Return all figures of all @var{rounds}: lists of a name, a size and seconds."
  (append-map (lambda (i)
                (let ((rows ((case-commands case))))
                  (append-map (lambda (row) (apply run row)) (if (even? i) rows (reverse rows)))))
              (iota rounds)))

;;; The table.

(define (show seconds)
  (cond ((>= seconds 1e-3) (format #f "~,2f ms" (* 1e3 seconds)))
        ((>= seconds 1e-6) (format #f "~,2f µs" (* 1e6 seconds)))
        ((>= seconds 1e-9) (format #f "~,2f ns" (* 1e9 seconds)))
        (else (format #f "~,3f ns" (* 1e9 seconds)))))

(define (quiet? seconds)
  (<= (- (apply max seconds) (apply min seconds)) (* 1/4 (median seconds))))

(define (print-line . columns)
  (apply format #t "| ~50a | ~10@a | ~10@a | ~24a | ~5@a | ~5@a | ~6a |~%" columns)
  (force-output))

(define worse '())                      ; texts
(define curves '())                     ; lists of what it is and (size ratio) ...

(define (law-of rows kind)
  "Return the one of @var{rows}, lists of a size and the seconds of all rounds, with which the others are to be compared; or @code{#f}."
  (define (total row) (* (car row) (median (cdr row))))
  (define (above-fixed-costs? row)
    (case kind
      ((units) (>= (total row) (* 5 (total (car rows)))))
      ((processors) (>= (car row) (current-processor-count)))
      (else #t)))
  (let ((candidates (filter above-fixed-costs? rows)))
    (or (find (lambda (row) (quiet? (cdr row))) candidates)
        (and (pair? candidates) (first candidates)))))

(define (print-figure name what kind all)
  (let* ((sizes (sort (delete-duplicates (filter-map (lambda (x) (and (string=? (first x) name) (second x))) all)) <))
         (rows (map (lambda (size)
                      (cons size (filter-map (lambda (x) (and (string=? (first x) name) (= (second x) size) (third x))) all)))
                    sizes))
         (base (law-of rows kind))
         (law (median (cdr (or base (if (null? rows) '(#f 1) (first rows)))))))
    (let loop ((rest rows) (cheapest #f))
      (match rest
        (() #t)
        (((size . seconds) . rest)
         (let* ((cost (median seconds)) (ratio (/ cost law)) (measured? (and base (> size (car base)))))
           (print-line what size (show cost) (format #f "~a to ~a" (show (apply min seconds)) (show (apply max seconds)))
                       (if measured? (format #f "~,2f" ratio) (if (and base (= size (car base))) "law" ""))
                       (if cheapest (format #f "~,2f" (/ cost cheapest)) "")
                       (if (and measured? (> ratio 1.3)) "worse" ""))
           (when (and measured? (> ratio 1.3))
             (set! worse (append worse (list (format #f "~a, ~a: ~,2f" what size ratio)))))
           (loop rest (if cheapest (min cheapest cost) cost))))))
    (unless (null? rows)
      (set! curves (append curves (list (cons what (map (match-lambda ((size . seconds) (list size (/ (median seconds) law)))) rows))))))))

(define (draw file)
  (let ((names (map (lambda (i) (format #f "curve~a" i)) (iota (length curves)))))
    (plot-save file
               (list "set logscale xy; set border lw 0.8; set grid lc rgb '#dddddd' lt 1 lw 0.7; set tics nomirror out scale 0.6"
                     "set key outside right top reverse Left samplen 2; set format x '10^{%T}'"
                     "set xlabel 'workers, tasks, bytes, objects'; set ylabel 'cost of one more / its linear law'"
                     (string-append "plot 1.3 with lines lc rgb '#b03a2e' dt 2 title '1.3', "
                                    (string-join (map (lambda (name curve i)
                                                        (format #f "$~a with linespoints lw 1.5 pt ~a ps 0.5 title '~a'" name
                                                                (+ 4 (modulo i 10)) (car curve)))
                                                      names curves (iota (length curves)))
                                                 ", ")))
               #:data (map (lambda (name curve) (cons name (cdr curve))) names curves)
               #:width 1200 #:height 640)))

(define (usage)
  (format (current-error-port) "usage: growth.scm [--rounds N] [--most TASKS] [--plot FILE] [CASE...]; CASE: ~{~a~^ ~}~%"
          (map case-name cases))
  (exit 2))

(define rounds 3)
(define plot #f)

(define (parse arguments)
  "Return the cases that are wanted."
  (match arguments
    (("--rounds" (= string->number (? exact-integer? (? positive? n))) . rest) (set! rounds n) (parse rest))
    (("--most" (= string->number (? exact-integer? (? positive? n))) . rest) (set! most-tasks n) (parse rest))
    (("--plot" (? plot-name? file) . rest) (set! plot file) (parse rest))
    (() cases)
    (names (map (lambda (name) (or (find (lambda (case) (string=? (case-name case) name)) cases) (usage))) names))))

(let ((wanted (parse (cdr (command-line)))))
  (print-machine)
  (format #t "load ~a at the start; ~a rounds; ~,1f GB are available~%~%" (call-with-input-file "/proc/loadavg" read-line) rounds
          (* 1e-9 (bytes-available)))
  (print-line "one more" "at" "costs" "from ... to" "x law" "x min" "")
  (format #t "|---|--:|--:|---|--:|--:|---|~%")
  (for-each (lambda (case)
              (let ((all (measure case rounds)))
                (for-each (match-lambda ((name what kind) (print-figure name what kind all))) (case-figures case))))
            wanted)
  (format #t "~%worse than 1.3: ~a~%" (if (null? worse) "none" ""))
  (for-each (lambda (text) (format #t "- ~a~%" text)) worse)
  (unless (null? skipped)
    (format #t "~%skipped:~%")
    (for-each (lambda (text) (format #t "- ~a~%" text)) skipped))
  (when plot
    (if (draw plot) (format #t "~%~a~%" plot) (format #t "~%gnuplot is not installed: no plot~%")))
  (exit (if failed? 1 0)))
