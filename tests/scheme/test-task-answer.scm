;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What people are told of a task, of what is known of it; and how durations, bytes and texts of others are written.
(use-modules (tap) (srfi srfi-64) (tutti program job-text) (tutti program task-answer) (tutti program task-journal))

(define (test-answer name facts . lines)
  (test-equal name lines (task-answer facts)))

(define (test-waiting)
  (test-answer "the next one" '((task . 5) (state . queued) (pool . "p") (ahead . 0) (busy . 2) (workers . 3) (pool-state . open))
               "Task 5:" "It waits in the queue of pool p, as the next; 2 of 3 workers are busy.")
  (test-answer "pinned, to one that is busy"
               '((task . 5) (name . "f") (state . queued) (ahead . 1) (place . 3) (pinned-busy . ((task . 4) (name . "g") (seconds . 100))))
               "Task 5 (f):" "It waits in the queue, behind 1 other task." "It is pinned to worker 3, which runs task 4 (g) for 1:40 min.")
  (test-answer "pinned, to one that has nothing to do" '((task . 5) (state . queued) (place . 0))
               "Task 5:" "It waits in the queue." "It is pinned to worker 0, which has nothing to do or is being started.")
  (test-answer "wide, in a pool that closes" '((task . 5) (state . queued) (wide? . #t) (cpus . 4) (workers . 0) (pool-state . closing))
               "Task 5:" "It waits in the queue; the pool has no workers at this moment."
               "It needs 4 processors, the share of several workers of one machine: these must be idle at the same time."
               "The pool is closing.")
  (test-answer "given in advance" '((task . 5) (state . given) (worker . 1) (before . ((task . 4) (seconds . 2.55))))
               "Task 5:" "Worker 1 was given it in advance, and runs task 4 first, for 2.5 s.")
  (test-answer "waiting for more than are named"
               '((task . 5) (state . waiting) (n-missing . 8)
                 (missing . (((task . 1) (state . running) (worker . 2) (seconds . 3)) ((task . 2) (state . queued)))))
               "Task 5:" "It waits for 8 other tasks:" "  task 1 runs on worker 2 for 3.0 s" "  task 2 waits for a worker" "  and 6 more"))

(define (test-ended)
  (test-answer "raised" '((task . 5) (state . ended) (end . raised) (ago . 12) (worker . 1) (error . "bad\x1b[31m\nworse"))
               "Task 5:" "It has raised an error, 12 s ago, on worker 1." "    bad?[31m" "    worse")
  (test-answer "with another one" '((task . 5) (state . ended) (end . failed) (culprit . ((task . 3) (name . "g"))) (error . "x"))
               "Task 5:" "It has failed." "It depended on task 3 (g), which failed." "    x")
  (test-answer "unknown" '((task . 5) (state . unknown))
               "Task 5:" "Nothing is known of it: it has ended before anybody looked, or there was none with this number."))

(define (test-journal)
  (define record
    `((task . 5) (procedure . "f") (state . ,(string->symbol "timed-out")) (pool . 1) (worker . 2) (submitted . 1000000) (started . 2000000)
      (ended . 5000000) (duration . 3000000) (attempts . 1) (losses . 0) (error . "too long") (culprit . 0)
      (deaths . (((time . 4000000) (worker . 2) (attempt . 1) (again . 0) (text . "ended") (stderr . "last\nwords"))))
      (capsule . "a.capsules/1-5.capsule")))
  (test-equal "from a journal"
    '("Task 5 (f):" "It took longer than it may, 5.0 s ago, on worker 2 of pool tiles, after 3.0 s."
      "Its capsule: a.capsules/1-5.capsule"
      "Attempt 1, on worker 2, failed 6.0 s ago: ended" "  The worker's last lines:" "    last" "    words")
    (task-answer (record->facts record "tiles" 10000000)))
  (define (answer-of state over?)
    (task-answer (record->facts `((task . 5) (state . ,state) (worker . 2) (started . 2000000) (duration . 0)) #f 10000000 over?)))
  (test-equal "that ended in a gap" '("Task 5:" "It has ended while nothing could be written down: nobody knows how, on worker 2.")
    (answer-of 'unknown #t))
  (test-equal "that runs" '("Task 5:" "It runs on worker 2, for 8.0 s.") (answer-of #f #f))
  (test-equal "that ran when its run was lost" '("Task 5:" "It had not ended when the run did, on worker 2.") (answer-of #f #t)))

(define (test-texts)
  (test-equal "durations" '("0.0 s" "9.9 s" "10 s" "1:00 min" "59:59 min" "1:00 h" "23:59 h" "2 d")
    (map age->text '(0 9.99 10 60 3599.9 3600 86399 172900)))
  (test-equal "bytes"
    '("0 B" "999 B" "1.0 kB" "12.3 MB" "123 MB" "1.2 TB")
    (map bytes->text '(0 999 1000 12345678 123456789 1234567890123)))
  (test-equal "nothing that is not seen, or turns the direction" "a?b?c?d e" (printable "a\u202eb\u200bc\x9bd\te"))
  (test-equal "the first line that says something" "second" (first-line "\n  \nsecond\nthird"))
  (test-equal "wide characters have two columns" "水… |" (string-append (pad "水水水" 4) "|"))
  (test-equal "a table" '("A    B" "aa   1" "b   22") (table->lines '(("A" . #f) ("B" . #t)) '(("aa" "1") ("b" "22")))))

(call-with-tap
 (lambda ()
   (test-group "waiting" (test-waiting))
   (test-group "ended" (test-ended))
   (test-group "journal" (test-journal))
   (test-group "texts" (test-texts))))
