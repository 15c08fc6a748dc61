;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is in a journal: runs, what became of their tasks, deaths, failures. All texts are clean: no control characters, none that is
;; invisible or turns the direction of others, and no newline but where it is said. Times are in microseconds since 1970, durations in
;; microseconds, memory is in bytes. What is not known, or has not been yet, is #f.
(define-module (tutti look journal-read)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti base extension)
  #:export (open-journal close-journal journal-missing journal-runs journal-facts journal-pools journal-workers journal-deaths
            journal-failures journal-gaps journal-summary journal-task write-journal-trace))

;;; The part in C. It is loaded by the first call: an installation may lack it.

(define file-name "tutti-journal.so")

(define (load-extension!)
  (let ((file (find-shared-object file-name))
        (module (make-module)))
    (unless file
      (refuse 'open-journal "this installation has no part that reads journals, ~a; if it is a build of your own, install libsqlite3-dev \
and build again, else set TUTTI_MODULEDIR to its folder" (string-join (shared-object-names file-name) ", ")))
    (save-module-excursion
     (lambda ()
       (set-current-module module)
       (load-extension file "tti_journal_init")))
    module))

(define home (delay (load-extension!)))

(define-syntax-rule (define-primitives name ...)
  (begin (define (name . arguments) (apply (module-ref (force home) 'name) arguments)) ...))

(define-primitives %journal-open %journal-close! %journal-missing %journal-rows %journal-task %journal-summary %journal-write-trace)

(define (open-journal file)
  "Return the journal in @var{file}, to be read, as it is now: of a run that goes on, more is to be seen when it is opened again. A file
that is damaged, or whose end is missing, is read as far as that can be; see @code{journal-missing}. Raises a @code{&tutti-error} that says
why if that is not possible, or if it is no journal."
  (unless (string? file)
    (refuse 'open-journal "expected the name of a file, got ~s" file))
  (%journal-open file))

(define (close-journal journal)
  "Close @var{journal}, which is not to be used any more."
  (%journal-close! journal))

(define (journal-missing journal)
  "Return what could not be read of @var{journal} until now: a list of texts."
  (%journal-missing journal))

;;; Rows.

(define most-rows 100000)

(define* (rows journal what sql numbers #:optional (most most-rows))
  (%journal-rows journal what sql numbers most))

(define (row->alist keys)
  (lambda (row) (map cons keys (vector->list row))))

(define (one-line text)
  (and text (string-map (lambda (c) (if (char=? c #\newline) #\space c)) text)))

(define (number-or-zero x) (if (number? x) x 0))

(define (journal-runs journal)
  "Return the runs in @var{journal}, the first one first: alists of @code{run}, its number; @code{host}; @code{pid}; @code{began};
@code{ended}, until when it is written down; @code{state}, a symbol: @code{running}, @code{ended}, or @code{lost} where its process was
gone; and @code{script}."
  (map (match-lambda
         (#(run host pid began ended state script)
          (let ((began (number-or-zero began)))
            `((run . ,run) (host . ,(one-line host)) (pid . ,pid) (began . ,began) (ended . ,(max began (number-or-zero ended)))
              (state . ,(string->symbol (or (one-line state) "running"))) (script . ,(one-line script))))))
       (rows journal "runs" "SELECT run, host, pid, began, ended, state,
                             (SELECT value FROM note WHERE note.run = run.run AND key = 'script') FROM run ORDER BY run" '())))

(define (journal-facts journal run)
  "Return the facts of the run with the number @var{run}: an alist of texts, of which that under @code{failure}, why the script has failed,
has newlines."
  (map (match-lambda (#(key value)
                      (cons (or (one-line key) "") (or (if (equal? key "failure") value (one-line value)) ""))))
       (rows journal "facts of the run" "SELECT key, value FROM note WHERE run = ?" (list run))))

(define (journal-pools journal run)
  "Return the pools of @var{run}: alists of @code{pool}, a number, @code{name}, @code{size}, @code{state}, @code{error}, @code{submitted},
@code{ended} and @code{failed} (tasks), @code{began} and @code{closed}."
  (map (match-lambda
         (#(pool name size state error submitted ended failed began closed)
          `((pool . ,pool) (name . ,(one-line name)) (size . ,size) (state . ,(one-line state)) (error . ,error) (submitted . ,submitted)
            (ended . ,ended) (failed . ,failed) (began . ,began) (closed . ,closed))))
       (rows journal "pools" "SELECT pool, name, size, state, error, submitted, ended, failed, began, closed FROM pool WHERE run = ?"
             (list run))))

(define (journal-workers journal run)
  "Return the workers of @var{run}, each place in a pool once: alists of @code{pool}, a number, @code{worker}, its index, @code{node},
@code{lives}, @code{restarts}, @code{peak-memory}, and @code{began} and @code{ended}, of the first and the last of its lives."
  (map (row->alist '(pool worker node lives restarts peak-memory began ended))
       (rows journal "workers" "SELECT pool, worker, max (node), count (generation), max (restarts), max (peak_memory), min (began),
                                max (ended) FROM worker WHERE run = ? GROUP BY pool, worker ORDER BY pool, worker" (list run))))

(define death-keys '(time pool worker pid task attempt reason status signal peak-memory again text stderr))

(define (journal-deaths journal run)
  "Return the deaths of workers of @var{run}: alists of @code{time}, @code{pool}, @code{worker}, @code{pid}, @code{task} and @code{attempt}
that it ran, @code{reason}, @code{status}, @code{signal}, @code{peak-memory}, @code{again} (1: its task was tried again), @code{text}, the
certificate, and @code{stderr}, its last lines of standard error (with newlines)."
  (map (row->alist death-keys)
       (rows journal "deaths of workers" "SELECT time, pool, worker, pid, task, attempt, reason, status, signal, peak_memory, again, text,
                                          stderr FROM certificate WHERE run = ?" (list run) 10000)))

(define (journal-gaps journal run)
  "Return what is missing of @var{run}, as its recorder has noticed: alists of @code{began}, @code{ended}, @code{kind} (@code{dropped},
@code{recorder}, @code{full}, @code{output} or @code{broken}, texts), @code{lost}, a number, and @code{text}."
  (map (row->alist '(began ended kind lost text))
       (rows journal "gaps" "SELECT began, ended, kind, lost, text FROM gap WHERE run = ? ORDER BY began" (list run) 10000)))

;;; All tasks together.

(define task-keys '(task procedure state pool worker submitted started ended duration attempts losses error culprit input result
                    in-block? maker?))

(define (task->alist vector)
  (map cons task-keys (vector->list vector)))

(define* (journal-summary journal run #:key (slowest 10) (columns 0) (lines 0) (procedures 10))
  "Return what there is to say of all tasks of @var{run}, an alist from @code{journal-runs}, together:
@table @code
@item counts
an alist of symbols and numbers: @code{done}, @code{raised}, @code{failed}, @code{cancelled}, @code{timed-out}, @code{died},
@code{closed}; @code{running} and @code{waiting}, which have not ended; @code{unknown}, which ended in a gap; @code{again}, attempts after
which a task was tried again; and @code{makers}, those that only make objects for others, which are counted nowhere else
@item durations
@code{#f}, or a list of median, 90th and 99th percentile (all up to 1 %) and largest time in the worker of those that ended well, and of a
list of bins: lists of their least and largest time, and how many are from the one to below the other
@item slowest
the @var{slowest} tasks that took longest, as of @code{journal-task}
@item procedures
of those that took most time together, @var{procedures} lists of name, how many tasks have ended, how many of them otherwise than well, and
time; @code{other-procedures} is how many there are besides
@item lines
of @var{lines} workers, lists of the numbers of pool and worker, how many tasks and attempts they had, the time for these, and two
bytevectors: in each of @var{columns} equal parts of the run, the share of the time in which it was busy, and in which it was with what
ended otherwise than well, from 0 to 255; @code{other-lines} is how many workers there are besides
@end table"
  (match (%journal-summary journal (assq-ref run 'run) (assq-ref run 'began) (assq-ref run 'ended)
                           (vector slowest (max 1 columns) lines procedures))
    (#(counts durations slowest procedures n-other-procedures lines n-other-lines)
     `((counts . ,counts)
       (durations . ,(and durations (vector->list durations)))
       (slowest . ,(map task->alist slowest))
       (procedures . ,(map vector->list procedures))
       (other-procedures . ,n-other-procedures)
       (lines . ,(map vector->list lines))
       (other-lines . ,n-other-lines)))))

(define (write-journal-trace journal run port)
  "Write @var{run}, an alist from @code{journal-runs}, as a trace to @var{port}, which has a descriptor. Return @code{#f}, or the text why
it cannot be written."
  (force-output port)
  (%journal-write-trace journal (assq-ref run 'run) (assq-ref run 'began) (assq-ref run 'ended) (port->fdes port)))

;;; Failures, by kind: what differs in numbers only is of one kind.

(define (without-numbers text)
  (let loop ((chars (string->list text)) (n 0) (out '()))
    (cond ((or (null? chars) (= n 500)) (list->string (reverse! out)))
          ((char-numeric? (car chars))
           (loop (cdr chars) n (if (and (pair? out) (char=? (car out) #\#)) out (cons #\# out))))
          (else (loop (cdr chars) (1+ n) (cons (car chars) out))))))

(define (last-lines text n)
  (let ((all (string-split (string-trim-right text #\newline) #\newline)))
    (if (> (length all) n) (list-tail all (- (length all) n)) all)))

(define (stderr-of journal run task)
  "Return the last lines that the worker of @var{task} has written to its standard error for it, as far as that is known."
  (match (rows journal "deaths of workers" "SELECT stderr FROM certificate WHERE run = ? AND task = ? AND stderr <> ''
                                            ORDER BY time DESC LIMIT 1" (list run task))
    ((#((? string? text))) (last-lines text 20))
    (_ (reverse (filter-map (match-lambda (#(text) (one-line text)))
                            (rows journal "lines of output" "SELECT text FROM output WHERE run = ? AND task = ? AND error = 1
                                                             ORDER BY rowid DESC LIMIT 20" (list run task)))))))

(define (failed-tasks journal run)
  ;; Equal ones are counted by SQLite, where it can.
  (define (ask what . parts)
    (rows journal what (string-concatenate parts) (list run)))
  (define which " FROM task WHERE run = ? AND outcome IN ('raised', 'failed', 'timed out', 'died') AND maker = 0")
  (match (ask "failed tasks" "SELECT outcome, name, error, min (task), NULL, count (*)" which
              " GROUP BY outcome, name, error ORDER BY count (*) DESC")
    (() (ask "failed tasks" "SELECT outcome, name, error, task, NULL, 1" which))
    (found found)))

(define (procedure-of journal run task)
  (and=> (and task (positive? task) (%journal-task journal run task))
         (lambda (vector) (vector-ref vector 1))))

(define (failed-items journal run)
  (map (match-lambda (#(error task item n) (vector "item" (procedure-of journal run task) error task item n)))
       (rows journal "failed items of maps" "SELECT error, min (task), min (item), count (*) FROM item WHERE run = ? GROUP BY error
                                             ORDER BY count (*) DESC" (list run) 10000)))

(define (journal-failures journal run)
  "Return what has failed in @var{run}, by kind, the most frequent first: alists of @code{end} (@code{raised}, @code{failed},
@code{timed-out}, @code{died}, or @code{item} for items of maps), @code{procedure}, @code{n}, and of the first one @code{task}, @code{item},
@code{error} (with newlines) and @code{stderr}, a list of the last lines that its worker has written there. What differs in numbers only
is of one kind."
  (define kinds (make-hash-table))
  (define order '())
  (define (add! row)
    (match row
      (#(end name error task item n)
       (let* ((key (list end name (without-numbers (or error ""))))
              (known (hash-ref kinds key)))
         (cond ((not known)
                (set! order (cons key order))
                (hash-set! kinds key (list n task item error)))
               ((< (number-or-zero task) (number-or-zero (second known)))
                (hash-set! kinds key (list (+ n (first known)) task item error)))
               (else (hash-set! kinds key (cons (+ n (first known)) (cdr known)))))))))
  (for-each add! (failed-tasks journal run))
  (for-each add! (failed-items journal run))
  (let ((found (sort (reverse order) (lambda (a b) (> (first (hash-ref kinds a)) (first (hash-ref kinds b)))))))
    (map (lambda (key rank)
           (match (cons key (hash-ref kinds key))
             (((end name _) n task item error)
              `((end . ,(if (string=? end "timed out") 'timed-out (string->symbol (one-line end)))) (procedure . ,(one-line name))
                (n . ,n) (task . ,(and task (positive? task) task)) (item . ,item) (error . ,(or error ""))
                ;; Lines of output have no index.
                (stderr . ,(if (and task (positive? task) (< rank 50)) (stderr-of journal run task) '()))))))
         found (iota (length found)))))

;;; One task.

(define (journal-task journal run task)
  "Return what @var{journal} has of the task with the number @var{task} of @var{run}, a number, or @code{#f} if it is not there: an alist of
@table @code
@item task@r{, }procedure@r{, }pool@r{, }worker
numbers and a text; the worker that had it last
@item state
how it ended, a symbol: @code{done}, @code{raised}, @code{failed}, @code{cancelled}, @code{timed-out}, @code{died} or @code{closed};
@code{unknown} if it ended in a gap; or @code{#f}: it has not ended
@item submitted@r{, }started@r{, }ended@r{, }duration
times; when a worker was given it last, and how long it took
@item attempts@r{, }losses
how often a worker was given it, and how often its node was lost
@item error
the text, with newlines
@item culprit
the task with whose failure it has ended
@item input@r{, }result
bytes
@item in-block?@r{, }maker?
it was one of many short ones, of which less is known; it only makes an object for others
@item history
alists, one for each attempt that is known, of @code{attempt}, @code{worker}, @code{started}, @code{ended} and @code{outcome}, a text
@item deaths
those that it has died of, as of @code{journal-deaths}
@item items
failed items of the part of a map that it was: alists of @code{item}, @code{error} and @code{time}
@item stderr
the last lines that its worker has written to its standard error for it
@item capsule
the file for @command{tutti replay}, or why there is none
@end table
What it had to wait for is not in a journal."
  (and=> (%journal-task journal run task)
         (lambda (vector)
           (append
            (task->alist vector)
            `((history . ,(map (row->alist '(attempt worker started ended outcome))
                               (rows journal "attempts" "SELECT attempt, worker, started, ended, outcome FROM attempt
                                                         WHERE run = ? AND task = ? ORDER BY attempt" (list run task) 1000)))
              (deaths . ,(map (row->alist death-keys)
                              (rows journal "deaths of workers"
                                    "SELECT time, pool, worker, pid, task, attempt, reason, status, signal, peak_memory, again, text, stderr
                                     FROM certificate WHERE run = ? AND task = ? ORDER BY time" (list run task) 1000)))
              (items . ,(map (row->alist '(item error time))
                             (rows journal "failed items of maps" "SELECT item, error, time FROM item WHERE run = ? AND task = ?"
                                   (list run task) 1000)))
              (stderr . ,(stderr-of journal run task))
              (capsule . ,(match (rows journal "tasks" "SELECT capsule FROM task WHERE run = ? AND task = ?" (list run task))
                            ((#((? string? text))) (one-line text))
                            (_ #f))))))))
