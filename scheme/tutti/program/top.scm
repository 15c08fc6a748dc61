;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A running job on the whole screen of a terminal, four times a second.
(define-module (tutti program top)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti program job-text)
  #:use-module (tutti program jobs)
  #:use-module (tutti program screen)
  #:use-module (tutti program top-lines)
  #:export (run-top))

(define interval 0.25)                  ; seconds between two pictures
(define usage "usage: tutti top [PID]")

(define (scroll-by key scroll most page)
  (let ((to (match key
              ((or 'up #\k) (1- scroll))
              ((or 'down #\j) (1+ scroll))
              ((or 'page-up #\b) (- scroll page))
              ((or 'page-down #\space) (+ scroll page))
              ((or 'home #\g) 0)
              ((or 'end #\G) most)
              (_ scroll))))
    (max 0 (min most to))))

(define (seconds)
  (/ (%monotonic-time) 1e6))

(define (draw! watch scroll)
  "Draw the job, and return up to which number workers can be above the screen."
  (call-with-values (lambda () (job->lines watch (screen-rows) (screen-columns) scroll))
    (lambda (lines most)
      (draw-screen! lines)
      most)))

(define (quits? key)
  (memv key '(#\q #\Q #\x03)))

(define (watch-job watch)
  "Show the job of @var{watch} until its end, or its user's wish; return @code{ended}, @code{left}, or a text: it cannot be followed."
  (let loop ((scroll 0) (most 0) (drawn 0))
    (let* ((news (%watch-take! watch))
           (behind? (eq? news 'more))
           (draw? (or (not behind?) (>= (- (seconds) drawn) interval)))
           (most (if draw? (draw! watch scroll) most))
           (drawn (if draw? (seconds) drawn)))
      (cond ((or (eq? news 'ended) (string? news)) news)
            ((screen-signal) 'left)
            (else
             (match (next-keys (if behind? 0 interval))
               (#f 'left)
               (keys
                (if (any quits? keys)
                    'left
                    (loop (fold (lambda (key scroll) (scroll-by key scroll most (max 1 (- (screen-rows) 8))))
                                (min scroll most) keys)
                          most drawn)))))))))

(define (tell-end watch)
  (let* ((facts (%board-facts watch))
         (whose (format #f "process ~a, ~a" (field facts 'pid) (script-of facts)))
         (counts (field facts 'counts)))
    (if (field facts 'over?)
        (format #t "The job (~a) has ended: ~a.~%" whose (counts->text counts))
        (format #t "The job (~a) is gone: its process has ended without shutting down its engine, it was killed perhaps. Until then: ~a.~%"
                whose (counts->text counts)))
    (for-each (lambda (failure)
                (format #t "  ~a~a~%"
                        (match (field failure 'task) (#f "") (task (string-append (task->text task (field failure 'name)) ": ")))
                        (first-line (or (field failure 'text) ""))))
              (reverse (failures-of watch 5)))))

(define (run-top arguments)
  "Show the job of the process that @var{arguments}, a list of at most one string, name, or the only one; then exit."
  (define name
    (match arguments
      (() #f)
      (((? (lambda (text) (not (string-prefix? "-" text))) name)) name)
      (_ (format (current-error-port) "tutti top: expected the number of a process or nothing; ~a~%" usage)
         (exit 2))))
  (unless (screen-usable?)
    (fail "top" "this needs a terminal on which a cursor can move; `tutti ps' shows the same jobs in lines, and `tutti ps --json' for \
programs"))
  (let* ((watch (job-watch (choose-job "top" name "tutti top PID")))
         (result (begin
                   (take-all! watch)
                   (call-with-screen (lambda () (watch-job watch)))))
         (signal (screen-signal)))
    (cond ((string? result) (fail "top" "the job cannot be followed any more: ~a" result))
          ((eq? result 'ended) (tell-end watch))
          ((and signal (not (= signal SIGINT))) (%die-of-signal! signal)))
    (exit 0)))
