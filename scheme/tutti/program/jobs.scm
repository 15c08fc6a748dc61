;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The running jobs of a user, as other processes see them: which there are, and which one is meant.
(define-module (tutti program jobs)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti program job-text)
  #:export (find-jobs job-door job-pid job-watch take-all! choose-job how-jobs-appear counts->text count-done count-failed count-dropped
            script-of))

(define patience 1.5)                   ; seconds until an engine must have answered

(define how-jobs-appear
  "A script appears when it makes its first pool; an application's engine when the application lets it be looked at.")

;; A job: a list of these three.
(define (job-door job) "Return the name of the door of @var{job}." (first job))
(define (job-pid job) "Return the process of @var{job}." (second job))
(define (job-watch job) "Return what looks at @var{job}, or a text why that cannot be." (third job))

(define (engine-doors who)
  (match (%doors)
    ((? string? reason) (fail who "~a" reason))
    (doors (filter-map (match-lambda ((name pid #f) (cons name pid)) (_ #f)) doors))))

(define (take-all! watch)
  "Take all that has happened, and return @code{all}, @code{ended} if nothing more will, or a text: it cannot be read."
  (match (%watch-take! watch)
    ('more (take-all! watch))
    (result result)))

(define* (find-jobs who #:optional (wanted? (const #t)) #:key past?)
  "Return the jobs of this user whose doors, pairs of name and process, @var{wanted?} accepts; look at each, also at what has happened
before if @var{past?} is true, as far as that is in memory."
  (let ((doors (filter wanted? (engine-doors who))))
    (map (lambda (door watch)
           (unless (or past? (string? watch))
             (%watch-skip-past! watch))
           (list (car door) (cdr door) watch))
         doors (%look-at (map car doors) patience))))

(define (script-of facts)
  "Return the name of the script that the job of @var{facts} runs, without folders, or else that of its program."
  (let ((name (or (field facts 'script) (field facts 'program))))
    (if name (printable (basename name)) "-")))

(define (count-done counts)
  "Return how many tasks of @var{counts} are done."
  (field counts 'ends 'done))

(define (count-dropped counts)
  "Return how many tasks of @var{counts} were not wanted any more."
  (+ (field counts 'ends 'cancelled) (field counts 'ends 'closed)))

(define (count-failed counts)
  "Return how many tasks of @var{counts} have failed, by themselves or with others."
  (- (field counts 'failed) (count-dropped counts)))

(define (counts->text counts)
  "Return @var{counts} in words."
  (define (and-so n what)
    (if (zero? n) "" (format #f ", ~a ~a" n what)))
  (string-append (plural (count-done counts) "task") " done" (and-so (count-failed counts) "failed")
                 (and-so (count-dropped counts) "cancelled or not run")))

;;; Which one is meant.

(define (named name)
  "Return a predicate of doors: whether it is that of @var{name}, a number of a process, or of a process and an engine, 1234-2."
  (match-lambda ((door . pid) (or (string=? door name) (string=? (number->string pid) name)))))

(define (list-jobs who doors how)
  (fail who "several jobs run; say which, ~a:~%~a" how
        (string-join (map (match-lambda
                            ((name pid watch)
                             (format #f "  ~a  ~a" (if (> (count (lambda (door) (= (cdr door) pid)) doors) 1) name pid)
                                     (if (string? watch) watch
                                         (begin
                                           (take-all! watch)
                                           (script-of (%board-facts watch)))))))
                          (find-jobs who (lambda (door) (member door doors))))
                     "\n")))

(define* (choose-job who name how #:key past?)
  "Return the job that @var{name}, a string, means, or if that is @code{#f} the only one. Otherwise say what there is, and exit: the
command @var{who} is told which one by @var{how}. @var{past?}: see @code{find-jobs}."
  (let* ((doors (engine-doors who))
         (those (if name (filter (named name) doors) doors)))
    (match those
      ((door)
       (match (find-jobs who (lambda (other) (equal? door other)) #:past? past?)
         (((_ pid (? string? reason))) (fail who "process ~a: ~a" pid reason))
         ((job) job)))
      (()
       (cond ((null? doors) (fail who "no job of yours runs~a. ~a" (if name (format #f ", not process ~a either" name) "")
                                  how-jobs-appear))
             (else (fail who "there is no job ~a; there ~a ~a" name (if (null? (cdr doors)) "is" "are")
                         (string-join (map (lambda (door) (number->string (cdr door))) doors) ", ")))))
      (_ (list-jobs who those how)))))
