;; SPDX-License-Identifier: LGPL-3.0-or-later
;; command.scm [--rounds N]: what a run of a program costs that does nothing (/bin/true) with all that belongs to it, which is a folder, a
;; template of 1 KB that is filled, one value that is read, and their end; beside GNU parallel, which only starts it or has a shell do the
;; same work. Each round measures everything once, every second one in the opposite order; the table has medians, and medians of the ratios.
(use-modules (bench) (tutti) (tutti command) (ice-9 format) (ice-9 match) (ice-9 rdelim) (srfi srfi-1))

(define rounds
  (match (cdr (command-line))
    (() 5)
    (("--rounds" (= string->number (? exact-integer? (? positive? n)))) n)
    (_ (display "usage: command.scm [--rounds N]\n" (current-error-port))
       (exit 2))))

(define runs 400)                       ; of each measurement
(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-bench-XXXXXX")))
(define deck
  (string-append (string-concatenate (map (lambda (i) (format #f "line ~2d of a deck that nobody reads~%" i)) (iota 27))) "k = @{k}\n"))
(define deck-file (string-append folder "/deck.tpl"))
(call-with-output-file deck-file (lambda (port) (display deck port)))

(define (microseconds thunk)
  "Return the microseconds that each of the @code{runs} runs in @var{thunk} takes."
  (let ((start (now-us)))
    (thunk)
    (/ (- (now-us) start) (exact->inexact runs))))

;;; Tutti.

(define model
  (command-operator "/bin/true" #:templates `((,deck-file . "in.dat")) #:parameters '(k) #:read (output-value "in.dat" "k =")
                    #:directory folder))

(define-remote (run-all model n)
  (do ((i 0 (1+ i))) ((= i n)) (evaluate model (f64vector i))))

(define-remote (ask-all ask n)
  (do ((i 0 (1+ i))) ((= i n)) (ask i)))

(define (map-figure pool)
  (let ((there (remote ((model model)) (lambda (x) (f64vector-ref (evaluate model x) 0)))) (inputs (map f64vector (iota runs))))
    (lambda () (microseconds (lambda ()
                               (unless (equal? (pool-map pool there inputs) (map exact->inexact (iota runs)))
                                 (error "wrong values")))))))

;;; Others: a shell reads from its standard input.

(define (shell script)
  (lambda ()
    (microseconds (lambda ()
                    (unless (zero? (system* "sh" "-c" script "sh" (number->string runs) deck-file folder))
                      (error "it fails:" script))))))

(define start-only "seq $1 | parallel -j2 /bin/true > /dev/null")
(define same-work
  "export deck=$2 root=$3
seq $1 | parallel -j2 'd=$(mktemp -d \"$root/run-XXXXXX\") && cd \"$d\" && sed \"s/@{k}/{}/\" \"$deck\" > in.dat \\
&& /bin/true > stdout 2> stderr && awk \"/^k =/ { print \\$3 }\" in.dat && rm -r \"$d\"' > /dev/null")
(define bare "i=0; while [ $i -lt $1 ]; do /bin/true; i=$((i+1)); done")
(define parallel? (zero? (system "command -v parallel > /dev/null 2>&1")))

(define (figures)
  (let ((one (make-pool 1)) (two (make-pool 2))
        (ask (and (false-if-exception (resolve-interface '(json))) (command-server "cat"))))
    (append
     (list (cons "run, task" (lambda () (microseconds (lambda () (pool-apply-only one 0 run-all model runs)))))
           (cons "runs, 2 workers" (map-figure two))
           (cons "shell" (shell bare)))
     (if ask (list (cons "server" (lambda () (microseconds (lambda () (pool-apply-only one 0 ask-all ask runs)))))) '())
     (if parallel? (list (cons "parallel, start" (shell start-only)) (cons "parallel, all" (shell same-work))) '()))))

(define (measure figures)
  (for-each (match-lambda ((_ . thunk) (thunk))) figures)               ; pools, modules, files: once
  (map (lambda (round)
         (map (match-lambda ((name . thunk) (cons name (thunk))))
              (if (even? round) figures (reverse figures))))
       (iota rounds)))

(define rows
  '(("a run, in a task" "run, task" "a bare /bin/true, from sh" "shell" "at most 2 ms")
    ("runs, pool-map, 2 workers" "runs, 2 workers" "GNU parallel -j2, only started" "parallel, start" "1.5 x as fast")
    ("runs, pool-map, 2 workers" "runs, 2 workers" "GNU parallel -j2, sed and awk" "parallel, all" "1.5 x as fast")
    ("a line to cat and back, in a task" "server" "" #f "")))

(define (show us) (format #f "~,3f ms" (/ us 1000)))

(define (print-rows measured)
  (define (all name) (filter-map (lambda (row) (assoc-ref row name)) measured))
  (format #t "| case | Tutti | against | its figure | times as fast | wanted |~%|---|--:|---|--:|--:|---|~%")
  (for-each (match-lambda
              ((what ours against theirs wanted)
               (let ((times (all ours)) (others (if theirs (all theirs) '())))
                 (unless (null? times)
                   (format #t "| ~a | ~a | ~a | ~a | ~a | ~a |~%" what (show (median times)) against
                           (cond ((pair? others) (show (median others))) (theirs "not installed") (else ""))
                           (if (pair? others) (format #f "~,2f" (median (map / others times))) "") wanted)))))
            rows))

(print-machine)
(format #t "load ~a at the start; ~a runs in each measurement, medians of ~a rounds~%~%"
        (call-with-input-file "/proc/loadavg" read-line) runs rounds)
(with-execution-manager
  (print-rows (measure (figures))))
(system* "rm" "-rf" folder)
