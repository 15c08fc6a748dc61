;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti report: what a run has done, from its journal, as text in 80 columns, as a page, or as a trace.
(define-module (tutti program journal-report)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base terminal)
  #:use-module (tutti conditions)
  #:use-module (tutti look journal-read)
  #:use-module (tutti program journal-words)
  #:autoload (tutti program journal-html) (write-page)
  #:autoload (tutti program journal-trace) (write-trace)
  #:export (report))

(define usage "usage: tutti report FILE [--run N] [--html OUT] [--trace OUT]")

(define (fail status format-string . arguments)
  (let ((port (current-error-port)))
    (force-output (current-output-port))
    (display "tutti report: " port)
    (apply format port format-string arguments)
    (newline port)
    (exit status)))

;;; Lines.

(define width 80)

(define (put . parts)
  (display (cut-to-columns (string-trim-right (string-concatenate parts)) width))
  (newline))

(define (pad text columns)
  "Return TEXT with spaces behind it, or cut, so that it takes COLUMNS."
  (let ((text (cut-to-columns text columns)))
    (string-append text (make-string (max 0 (- columns (text-columns text))) #\space))))

(define (pad-left text columns)
  (let ((text (cut-to-columns text columns)))
    (string-append (make-string (max 0 (- columns (text-columns text))) #\space) text)))

(define (put-heading . parts)
  (newline)
  (apply put parts))

(define (cut-point text columns)
  "Return how much of TEXT goes into COLUMNS: up to a space in the second half, if there is one."
  (let* ((most (let fit ((n (min columns (string-length text))))
                 (if (> (text-columns (substring text 0 n)) columns) (fit (1- n)) (max 1 n))))
         (space (string-rindex text #\space 0 most)))
    (if (and space (> space (quotient most 2))) (1+ space) most)))

(define (wrap text columns)
  "Return TEXT, which may have several lines, as a list of lines of COLUMNS at most."
  (append-map (lambda (line)
                (let loop ((rest line) (out '()))
                  (if (<= (text-columns rest) columns)
                      (reverse (cons rest out))
                      (let ((n (cut-point rest columns)))
                        (loop (substring rest n) (cons (substring rest 0 n) out))))))
              (string-split text #\newline)))

(define* (put-block text indent most #:optional (first-indent indent))
  "Write TEXT behind INDENT, MOST lines of it, the first one behind FIRST-INDENT, which is as long."
  (let* ((all (wrap text (- width (string-length indent))))
         (n (length all)))
    (for-each (lambda (line i) (put (if (zero? i) first-indent indent) line)) (list-head all (min n most)) (iota (min n most)))
    (when (> n most)
      (put indent (format #f "… and ~a" (plural (- n most) "more line" "more lines"))))))

(define (put-table columns rows)
  "Write the lists of texts ROWS below COLUMNS, a list of name, width and what pads."
  (define (line texts)
    (string-append "  " (string-join (map (match-lambda* ((text (_ columns pad)) (pad text columns))) texts columns) "  ")))
  (put (line (map first columns)))
  (for-each (lambda (row) (put (line row))) rows))

;;; The parts.

(define (put-run run facts counts now)
  (define (row name text) (when text (put-block text (make-string 14 #\space) 6 (string-append "  " (pad name 12)))))
  (define (row-of name key) (row name (assoc-ref facts key)))
  (put (format #f "Run ~a: ~a" (assq-ref run 'run) (state->text run facts counts now)))
  (row-of "failure" "failure")
  (row-of "script" "script")
  (row-of "arguments" "arguments")
  (row-of "folder" "folder")
  (row "versions" (string-append "Tutti " (or (assoc-ref facts "version") "?") ", Guile " (or (assoc-ref facts "guile") "?")))
  (row "host" (format #f "~a, process ~a" (or (assq-ref run 'host) "?") (or (assq-ref run 'pid) "?")))
  (row "began" (time->text (assq-ref run 'began)))
  (row "lasted" (duration->text (- (assq-ref run 'ended) (assq-ref run 'began))))
  (for-each (match-lambda
              ((key . value)
               (unless (member key '("script" "arguments" "folder" "version" "guile" "host" "script digest" "failure"))
                 (put "  " (pad key 12) (first-line value)))))
            facts))

(define ends '(done raised failed timed-out died cancelled closed unknown running waiting))

(define (put-counts counts unended)
  ;; While a run goes on, its journal has of those that have not ended only what runs for long; its pools know how many there are.
  (put-heading (format #f "Tasks: ~a" (if unended (+ unended (ended-count counts)) (apply sum-of counts ends))))
  (when unended
    (put "  " (pad-left (number->string unended) 10) "  not ended yet"))
  (for-each (lambda (end)
              (let ((n (if (and unended (memq end '(running waiting))) 0 (count-of counts end))))
                (unless (zero? n)
                  (put "  " (pad-left (number->string n) 10) "  " (case end
                                                                    ((running) "not ended, given to a worker")
                                                                    ((waiting) "not ended, given to no worker")
                                                                    (else (end->text end)))))))
            ends)
  (let ((again (count-of counts 'again)))
    (unless (zero? again)
      (put (format #f "  ~a failed with a worker or node and ~a tried again" (plural again "attempt") (if (= again 1) "was" "were"))))))

(define (put-failures failures)
  (define most 20)
  (unless (null? failures)
    (put-heading (format #f "Failures: ~a, of ~a" (apply + (map (lambda (kind) (assq-ref kind 'n)) failures))
                         (plural (length failures) "kind")))
    (for-each (lambda (kind)
                (let ((task (assq-ref kind 'task)) (item (assq-ref kind 'item)))
                  (put (format #f "  ~a × ~a~@[ in ~a~]~@[, first in task ~a~]~@[, item ~a~]" (assq-ref kind 'n)
                               (end->text (assq-ref kind 'end))
                               (assq-ref kind 'procedure) task item))
                  (put-block (string-trim-right (assq-ref kind 'error)) "      " 6)
                  (for-each (lambda (line) (put "      | " line)) (assq-ref kind 'stderr))))
              (list-head failures (min most (length failures))))
    (when (> (length failures) most)
      (put (format #f "  … and ~a" (plural (- (length failures) most) "further kind"))))))

(define (put-durations durations counts)
  (match durations
    (#f #f)
    ((median p90 p99 longest bins)
     (put-heading (format #f "Times in the worker, of the ~a done" (count-of counts 'done)))
     (put (format #f "  median ~a   90 % ~a   99 % ~a   longest ~a" (duration->text median) (duration->text p90) (duration->text p99)
                  (duration->text longest)))
     (let* ((bars (coarse-bins bins)) (most (apply max (map third bars))))
       (for-each (match-lambda
                   ((low _ n)
                    (put "  " (pad-left (bound->text low) 14) " "
                         (pad (make-string (if (zero? n) 0 (max 1 (quotient (* 44 n) most))) #\#) 45) (number->string n))))
                 bars)))))

(define (put-slowest slowest began)
  (unless (null? slowest)
    (put-heading "The slowest tasks")
    (put-table `(("task" 10 ,pad-left) ("procedure" 20 ,pad) ("took" 10 ,pad-left) ("worker" 8 ,pad-left)
                 ("began at" 10 ,pad-left) ("" 10 ,pad))
               (map (lambda (task)
                      (list (number->string (assq-ref task 'task)) (or (assq-ref task 'procedure) "")
                            (duration->text (assq-ref task 'duration))
                            (format #f "~a/~a" (assq-ref task 'pool) (or (assq-ref task 'worker) "-"))
                            (duration->text (max 0 (- (or (assq-ref task 'started) began) began))) (end->text (assq-ref task 'state))))
                    slowest))))

(define (put-procedures procedures others)
  (unless (or (null? procedures) (null? (cdr procedures)))
    (put-heading "Procedures, by the time in workers")
    (put-table `(("procedure" 36 ,pad) ("tasks" 10 ,pad-left) ("failed" 8 ,pad-left) ("time" 12 ,pad-left))
               (map (match-lambda
                      ((name n failed time)
                       (list (or name "(none)") (number->string n) (number->string failed) (duration->text time))))
                    procedures))
    (unless (zero? others) (put (format #f "  and ~a" (plural others "further one" "further ones"))))))

(define (put-workers workers lines pools)
  (define most 40)
  (define (line-of worker)
    (find (match-lambda ((pool index . _) (and (eqv? pool (assq-ref worker 'pool)) (eqv? index (assq-ref worker 'worker))))) lines))
  (unless (null? workers)
    (put-heading (format #f "Workers: ~a" (length workers)))
    (put-table `(("worker" 8 ,pad-left) ("node" 16 ,pad) ("lives" 6 ,pad-left) ("restarts" 8 ,pad-left) ("tasks" 9 ,pad-left)
                 ("busy" 10 ,pad-left) ("memory" 8 ,pad-left))
               (map (lambda (worker)
                      (let ((line (line-of worker)))
                        (list (format #f "~a/~a" (assq-ref worker 'pool) (assq-ref worker 'worker))
                              (or (assq-ref worker 'node) "") (number->string (assq-ref worker 'lives))
                              (number->string (or (assq-ref worker 'restarts) 0)) (number->string (if line (third line) 0))
                              (duration->text (if line (fourth line) 0))
                              (match (assq-ref worker 'peak-memory) ((or #f 0) "") (bytes (bytes->text bytes))))))
                    (list-head workers (min most (length workers)))))
    (when (> (length workers) most) (put (format #f "  and ~a more" (- (length workers) most))))
    (put "  (pool/worker; memory: the largest that it had)"))
  (for-each (lambda (pool)
              (when (assq-ref pool 'error)
                (put-block (format #f "pool ~a has failed: ~a" (or (assq-ref pool 'name) (assq-ref pool 'pool))
                                   (assq-ref pool 'error))
                           "  " 6)))
            pools))

(define (put-deaths all)
  ;; Those that end with their pool are no deaths to people.
  (define deaths (remove (lambda (death) (equal? (assq-ref death 'reason) "closed")) all))
  (define kinds (delete-duplicates (map death-kind deaths)))
  (unless (null? deaths)
    (put-heading (format #f "Deaths of workers: ~a" (length deaths)))
    (for-each (lambda (kind)
                (put (format #f "  ~a × ~a" (count (lambda (death) (string=? (death-kind death) kind)) deaths) kind)))
              kinds)))

(define (put-gaps gaps)
  (unless (null? gaps)
    (put-heading "Gaps: of these times the journal does not have everything")
    (for-each (lambda (gap)
                (put-block (gap->text gap) "  " 3))
              (list-head gaps (min 20 (length gaps))))
    (when (> (length gaps) 20) (put (format #f "  and ~a more" (- (length gaps) 20))))))

(define (put-missing journal)
  (match (journal-missing journal)
    (() #f)
    (missing
     (put-heading "What cannot be read of this file:")
     (for-each (lambda (text) (put-block text "  " 4)) missing))))

(define (put-others runs run file)
  (let ((others (delete run runs)))
    (unless (null? others)
      (put-block (format #f "Other runs in this file: ~a. `tutti report --run N ~a' shows one."
                         (string-join (map (lambda (other)
                                             (format #f "~a (~a~@[, ~a~])" (assq-ref other 'run) (time->text (assq-ref other 'began))
                                                     (and=> (assq-ref other 'script) basename)))
                                           (list-head others (min 10 (length others))))
                                ", ")
                         file)
                 "" 8))))

(define (put-report journal run runs file)
  (let* ((number (assq-ref run 'run))
         (summary (journal-summary journal run #:lines 100000 #:columns 1))
         (counts (assq-ref summary 'counts))
         (pools (journal-pools journal number)))
    (put-run run (journal-facts journal number) counts (current-microseconds))
    (put-others runs run file)
    (put-counts counts (unended-count run counts pools))
    (put-failures (journal-failures journal number))
    (put-durations (assq-ref summary 'durations) counts)
    (put-slowest (assq-ref summary 'slowest) (assq-ref run 'began))
    (put-procedures (assq-ref summary 'procedures) (assq-ref summary 'other-procedures))
    (put-workers (journal-workers journal number) (assq-ref summary 'lines) pools)
    (put-deaths (journal-deaths journal number))
    (put-gaps (journal-gaps journal number))
    (put-missing journal)))

;;; The command.

(define (take-arguments arguments)
  "Return the file, and an alist of what else was said."
  (define options '("--run" "--html" "--trace"))
  (let loop ((rest arguments) (files '()) (said '()))
    (match rest
      (() (match files
            ((file) (values file said))
            (() (fail 2 "the journal is missing; ~a" usage))
            (_ (fail 2 "`~a' is too much; ~a" (car files) usage))))
      (((? (lambda (word) (member word options)) option) value . rest) (loop rest files (acons option value said)))
      (((? (lambda (word) (member word options)) option)) (fail 2 "what belongs to ~a is missing; ~a" option usage))
      (("--" . rest) (loop '() (append (reverse rest) files) said))
      (((? (lambda (word) (and (string-prefix? "-" word) (> (string-length word) 1))) word) . rest)
       (match (and (string-prefix? "--" word) (string-index word #\=))
         ((? number? at) (loop (cons* (substring word 0 at) (substring word (1+ at)) rest) files said))
         (_ (fail 2 "there is no option `~a'; ~a" word usage))))
      ((file . rest) (loop rest (cons file files) said)))))

(define (choose-run runs file text)
  (match (and text (string->number text))
    (#f
     (when text (fail 2 "--run: expected the number of a run, got `~a'; ~a" text usage))
     (when (null? runs) (fail 1 "there is no run in ~a" file))
     (last runs))
    (number
     (or (find (lambda (run) (eqv? (assq-ref run 'run) number)) runs)
         (fail 1 "there is no run ~a in ~a; its runs: ~a" text file
               (if (null? runs) "none" (string-join (map (lambda (run) (number->string (assq-ref run 'run))) runs) ", ")))))))

(define (do-report file said)
  (let* ((journal (open-journal file))
         (runs (journal-runs journal))
         (run (choose-run (if (and (null? runs) (pair? (journal-missing journal)))
                              (fail 1 "~a: nothing can be read of its runs: ~a" file (string-join (journal-missing journal) "; "))
                              runs)
                          file (assoc-ref said "--run")))
         (page (assoc-ref said "--html"))
         (trace (assoc-ref said "--trace")))
    (when page (write-page journal run runs file page))
    (when trace (write-trace journal run file trace))
    (unless (or page trace) (put-report journal run runs file))
    (when (or page trace)
      (for-each (lambda (text) (format (current-error-port) "tutti report: missing: ~a~%" text)) (journal-missing journal)))
    (close-journal journal)))

(define (report arguments)
  "Do what @code{tutti report} is asked for by @var{arguments}, and exit."
  (define-values (file said) (take-arguments arguments))
  (let ((problem (with-exception-handler identity
                   (lambda () (do-report file said) #f)
                   #:unwind? #t #:unwind-for-type &tutti-error)))
    (when problem
      (fail 1 "~a" (exception-message problem))))
  (exit 0))
