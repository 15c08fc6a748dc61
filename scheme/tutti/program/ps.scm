;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The running jobs of a user, a line each.
(define-module (tutti program ps)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti base terminal)
  #:use-module (tutti program job-text)
  #:use-module (tutti program jobs)
  #:export (run-ps))

(define usage "usage: tutti ps [--json]")

;;; For people.

(define titles
  '(("PID" . #t) ("SCRIPT" . #f) ("SINCE" . #t) ("POOLS" . #t) ("WORKERS" . #t) ("BUSY" . #t) ("QUEUED" . #t) ("DONE" . #t) ("FAILED" . #t)
    ("PROGRESS" . #f)))

(define (progress->text progress)
  (let ((name (field progress 'name)) (left (field progress 'left)))
    (string-append (if name (string-append (printable name) " ") "")
                   (format #f "~a/~a" (field progress 'done) (field progress 'all))
                   (if left (string-append ", " (age->text (/ left 1e6)) " left") ""))))

(define (all-progress watch)
  (match (%board-progress watch)
    (() "-")
    ((one . others)
     (string-append (progress->text one) (if (null? others) "" (format #f " +~a" (length others)))))))

(define (job->row watch)
  (let* ((facts (%board-facts watch))
         (counts (field facts 'counts)))
    (define (number . names) (number->string (apply + (map (lambda (name) (field counts name)) names))))
    (list (number->string (field facts 'pid)) (cut-to-columns (script-of facts) 24)
          (age->text (seconds-since (field facts 'began) (current-microseconds)))
          (number->string (length (%board-pools watch))) (number 'workers) (number 'busy) (number 'queued 'waiting)
          (number->string (count-done counts)) (number->string (count-failed counts)) (all-progress watch))))

(define (show-table jobs)
  (define-values (silent answering) (partition (lambda (job) (string? (job-watch job))) jobs))
  (define (show line)
    (let ((port (current-output-port)))
      (format port "~a~%" (if (terminal? port) (cut-to-columns line (terminal-columns port)) line))))
  (unless (null? answering)
    (for-each show (table->lines titles (map (lambda (job) (job->row (job-watch job))) answering))))
  (for-each (lambda (job) (show (format #f "~a  ~a" (job-pid job) (job-watch job)))) silent)
  (when (null? jobs)
    (format #t "No job of yours runs. ~a~%" how-jobs-appear)))

;;; For programs.

(define (text->json text)
  (call-with-output-string
    (lambda (port)
      (write-char #\" port)
      (string-for-each (lambda (c)
                         (cond ((memv c '(#\" #\\)) (write-char #\\ port) (write-char c port))
                               ((or (char<? c #\space) (char<=? #\delete c #\x9f)) (format port "\\u~4,'0x" (char->integer c)))
                               (else (write-char c port))))
                       text)
      (write-char #\" port))))

(define (->json x)
  "Return the text of @var{x}: texts, numbers, booleans, @code{null}, vectors of such, and objects, which are association lists."
  (match x
    ((? string?) (text->json x))
    ((? boolean?) (if x "true" "false"))
    ('null "null")
    ((? number?) (number->string (if (exact-integer? x) x (exact->inexact (/ (round (* 1000 x)) 1000)))))
    ((? symbol?) (text->json (symbol->string x)))
    ((? vector?) (string-append "[" (string-join (map ->json (vector->list x)) ", ") "]"))
    ((or () ((_ . _) ...))
     (string-append "{" (string-join (map (match-lambda
                                            ((key . value) (format #f "~a: ~a" (text->json (symbol->string key)) (->json value))))
                                          x)
                                     ", ")
                    "}"))))

(define (or-null x) (or x 'null))

(define (microseconds->json x) (if x (/ x 1e6) 'null))

(define (counts->json counts)
  `((workers . ,(field counts 'workers)) (busy . ,(field counts 'busy)) (submitted . ,(field counts 'submitted))
    (queued . ,(field counts 'queued)) (waiting . ,(field counts 'waiting)) (running . ,(field counts 'running))
    (done . ,(count-done counts)) (failed . ,(count-failed counts))
    (ends . ,(map (match-lambda ((end . n) (cons end n))) (field counts 'ends)))))

(define (job->json job)
  (match job
    ((door pid (? string? reason))
     `((pid . ,pid) (engine . ,door) (answers . #f) (reason . ,reason)))
    ((door pid watch)
     (let ((facts (%board-facts watch)))
       `((pid . ,pid) (engine . ,door) (answers . #t)
         (script . ,(or-null (field facts 'script))) (arguments . ,(or-null (field facts 'arguments)))
         (began . ,(/ (field facts 'began) 1e6))
         ,@(counts->json (field facts 'counts))
         (pools . ,(list->vector
                    (map (lambda (pool)
                           `((number . ,(field pool 'number)) (name . ,(or-null (field pool 'name))) (state . ,(field pool 'state))
                             ,@(counts->json (field pool 'counts))))
                         (%board-pools watch))))
         (progress . ,(list->vector
                       (map (lambda (progress)
                              `((name . ,(or-null (field progress 'name))) (done . ,(field progress 'done)) (all . ,(field progress 'all))
                                (failed . ,(field progress 'failed)) (left . ,(microseconds->json (field progress 'left)))))
                            (%board-progress watch)))))))))

(define (show-json jobs)
  (format #t "[~a]~%" (string-join (map (lambda (job) (->json (job->json job))) jobs) ",\n ")))

;;; All together.

(define (run-ps arguments)
  "Show the running jobs of this user: a table, or JSON if @var{arguments} say so; then exit."
  (define json?
    (match arguments
      (() #f)
      (("--json") #t)
      ((argument . _)
       (format (current-error-port) "tutti ps: expected --json or nothing, got `~a'; ~a~%" argument usage)
       (exit 2))))
  ;; One that ends now is none.
  (let ((jobs (remove (lambda (job) (and (not (string? (job-watch job))) (eq? 'ended (take-all! (job-watch job)))))
                      (find-jobs "ps"))))
    ((if json? show-json show-table) jobs)
    (exit 0)))
