;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What `tutti top' shows, as lines: as much as rows and columns allow, what matters most first.
(define-module (tutti program top-lines)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti base terminal)
  #:use-module (tutti pool progress-text)
  #:use-module (tutti program job-text)
  #:use-module (tutti program jobs)
  #:export (job->lines failures-of))

(define quiet 2.5)                      ; seconds without news, of which there is some twice a second

;;; The head.

(define (title-line facts now)
  (let ((silence (seconds-since (field facts 'time) now)))
    (string-append (format #f "~a ~a, ~a" (field facts 'pid) (script-of facts)
                           (age->text (seconds-since (field facts 'began) (current-microseconds))))
                   (cond ((> silence quiet) (format #f "  NO NEWS for ~a: stopped, or hangs" (age->text silence)))
                         ((not (field facts 'complete?)) "  (too fast to follow; catching up)")
                         (else "")))))

(define (rate->text rate)
  (cond ((>= rate 99.5) (format #f "~a/s" (inexact->exact (round rate))))
        (else (format #f "~,1f/s" rate))))

(define (left->text facts)
  ;; By the tasks that there are, where no progress says more.
  (let* ((counts (field facts 'counts))
         (rate (field facts 'rate))
         (left (+ (field counts 'queued) (field counts 'waiting) (field counts 'running))))
    (and rate (> rate 0) (> left (field counts 'busy)) (> left rate)
         (string-append "about " (age->text (/ left rate)) " left"))))

(define (head-parts facts progress?)
  (let ((counts (field facts 'counts)))
    (define (n name) (field counts name))
    (filter identity
            (list (format #f "workers ~a, busy ~a" (n 'workers) (n 'busy))
                  (format #f "queued ~a" (n 'queued))
                  (and (positive? (n 'waiting)) (format #f "waiting ~a" (n 'waiting)))
                  (format #f "done ~a" (count-done counts))
                  (format #f "failed ~a" (count-failed counts))
                  (and (positive? (count-dropped counts)) (format #f "cancelled ~a" (count-dropped counts)))
                  (and=> (field facts 'rate) rate->text)
                  (and (not progress?) (left->text facts))))))

(define (fill parts columns)
  "Return the lines that PARTS fill, with two spaces between two."
  (let loop ((parts parts) (line #f) (lines '()))
    (match parts
      (() (reverse (if line (cons line lines) lines)))
      ((part . rest)
       (let ((longer (if line (string-append line "  " part) part)))
         (if (or (not line) (<= (text-columns longer) columns))
             (loop rest longer lines)
             (loop rest part (cons line lines))))))))

(define most-bars 4)

(define (progress-lines all columns)
  (map (lambda (progress)
         (bars->line (list (list (and=> (field progress 'name) printable) (field progress 'done) (field progress 'all)
                                 (seconds-since (field progress 'began) (field progress 'updated))))
                     columns))
       (if (> (length all) most-bars) (take all most-bars) all)))

;;; Workers.

(define (label worker pools)
  (if (> pools 1)
      (format #f "~a ~a" (printable (or (field worker 'pool-name) (format #f "pool ~a" (field worker 'pool)))) (field worker 'index))
      (number->string (field worker 'index))))

(define (doing worker)
  "Return what @var{worker} does."
  (let ((task (field worker 'task)))
    (if (not task)
        (string-append (symbol->string (field worker 'state))
                       (match (field worker 'ended-for) (#f "") (reason (string-append ": " (printable reason)))))
        (string-append (printable (or (field task 'name) "task")) (format #f " #~a" (field task 'task))
                       (if (field task 'begun) (format #f " ~a/~a" (field task 'begun) (or (field task 'all) "?")) "")
                       (if (> (field task 'attempt) 1) (format #f " attempt ~a" (field task 'attempt)) "")
                       (match (field task 'behind) (0 "") (n (format #f " +~a" n)))))))

(define (busy-time worker now)
  (match (field worker 'task 'since) (#f "") (since (age->text (seconds-since since now)))))

;; Titles, whether at the right, from how many columns on, and what.
(define (columns-of pools nodes now)
  `(("WORKER" #f 0 ,(lambda (worker) (cut-to-columns (label worker pools) 16)))
    ("PID" #t 60 ,(lambda (worker) (match (field worker 'pid) (#f "-") (pid (number->string pid)))))
    ("NODE" #f ,(if (> nodes 1) 100 +inf.0) ,(lambda (worker) (cut-to-columns (printable (or (field worker 'node) "-")) 20)))
    ("TIME" #t 0 ,(lambda (worker) (busy-time worker now)))
    ("MEMORY" #t 0 ,(lambda (worker) (match (field worker 'memory) (#f "-") (n (bytes->text n)))))
    ("RESTARTS" #t 70 ,(lambda (worker) (number->string (field worker 'restarts))))
    ("DONE" #t 70 ,(lambda (worker) (number->string (field worker 'done))))
    ("TASK" #f 0 ,doing)))

(define (worker-lines workers pools nodes columns now)
  (let ((shown (filter (match-lambda ((_ _ least _) (>= columns least))) (columns-of pools nodes now))))
    (table->lines (map (match-lambda ((title right? _ _) (cons title right?))) shown)
                  (map (lambda (worker) (map (match-lambda ((_ _ _ text) (text worker))) shown)) workers))))

;;; Failures.

(define (failure-line failure now)
  (let ((what (match (field failure 'kind)
                ('item (format #f "item ~a" (field failure 'item)))
                ('died (if (field failure 'again?) "died, tried again" "died"))
                (_ (symbol->string (field failure 'end))))))
    (format #f "~a ago  ~a~a: ~a" (age->text (seconds-since (field failure 'time) now))
            (match (field failure 'task)
              (#f "")
              (task (format #f "~a #~a " (printable (or (field failure 'name) "task")) task)))
            what (first-line (or (field failure 'text) "")))))

(define most-failures 6)

(define (failures-of watch n)
  "Return the last @var{n} failures. A worker with which a task has failed for good is told of once, by the task."
  (let ((all (remove (lambda (failure)
                       (and (eq? 'died (field failure 'kind)) (field failure 'task) (not (field failure 'again?))))
                     (%board-failures watch (* 2 n)))))
    (if (> (length all) n) (take all n) all)))

;;; All together.

(define (job->lines watch rows columns scroll)
  "Return two values: the lines, @var{rows} at most, that show the job of @var{watch} in @var{columns}, when the workers up to the number
@var{scroll} are above the screen; and the number up to which they can be."
  (let* ((now (%monotonic-time))
         (facts (%board-facts watch))
         (progress (%board-progress watch))
         (pools (length (%board-pools watch)))
         (head (append (list (title-line facts now))
                       (fill (head-parts facts (pair? progress)) columns)
                       (progress-lines progress columns)))
         (failures (failures-of watch (max 0 (min most-failures (quotient (- rows (length head)) 4)))))
         (total (car (%board-workers watch 0 0)))
         ;; Without the titles, the line of keys and, if there are failures, an empty line.
         (room (max 1 (- rows (length head) 2 (length failures) (if (null? failures) 0 1))))
         (most (max 0 (- total room)))
         (from (min scroll most))
         (workers (cdr (%board-workers watch from room)))
         (table (worker-lines workers pools (length (%board-nodes watch)) columns now))
         (keys (string-append "q: quit"
                              (if (positive? most)
                                  (format #f "  up/down: workers ~a to ~a of ~a" (1+ from) (+ from (length workers)) total)
                                  "")))
         (body (append head table
                       (make-list (- room (length workers)) "")
                       (if (null? failures) '() (list ""))
                       (map (lambda (failure) (failure-line failure now)) failures))))
    (values (append (if (>= (length body) rows) (take body (max 0 (1- rows))) body) (list keys))
            most)))
