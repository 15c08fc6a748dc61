;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The page of a job over HTTP: who gets what, whatever is killed meanwhile, and that the job does not notice.
(use-modules (tap) (pages) (processes) (programs) (ice-9 match) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (await-gone name pid)
  (test-assert name (await (lambda () (process-gone? pid)) 15 #:pause 10000)))

(define (await-told job text)
  (await (lambda () (string-contains (job-errors job) text)) 60 #:pause 10000))

;; It streams to somebody.
(define (watch job)
  (let* ((file (string-append (job-folder job) "/watching"))
         (answers (ask-in-background job "watch" file)))
    (await (lambda () (file-exists? file)) 60 #:pause 5000)
    answers))

;;; What it answers.

(define expected
  '(("page" . "200") ("no-token" . "403") ("wrong-token" . "403") ("part-of-token" . "403") ("other-host" . "403")
    ("other-host-like-ours" . "403") ("tunnel" . "200") ("POST" . "405") ("PUT" . "405") ("DELETE" . "405") ("OPTIONS" . "405")
    ("HEAD" . "200") ("body" . "400") ("nothing" . "404") ("token-for-files" . "403") ("unregistered" . "404")
    ("plot" . "200") ("plot-type" . "image/svg+xml") ("plot-sandbox" . "True") ("policy" . "True")
    ("headers" . "['nosniff', 'no-referrer', 'no-store']") ("script" . "text/javascript; charset=utf-8") ("long-address" . "True")
    ("many-headers" . "True") ("huge-body" . "True") ("unfinished" . "True") ("unfinished-soon" . "True") ("garbage" . "True")
    ("still" . "200")))

(define (test-answers job)
  (let ((answers (ask-page job "requests")))
    (for-each (match-lambda ((name . value) (test-equal (string-append "requests: " name) value (answer answers name)))) expected)
    (test-assert "requests: no file is climbed to" (member (answer answers "climbing") '("400" "404")))))

(define (test-streams job)
  (let ((answers (ask-page job "streams" "70")))
    (test-equal "64 streams are accepted" "64" (answer answers "accepted"))
    (test-equal "more are told to come again" "6" (answer answers "refused"))
    (test-equal "the page is there meanwhile" "200" (answer answers "page-meanwhile"))
    (test-equal "there is room when some have gone" "200" (answer answers "again"))))

(define (test-fold job command seconds)
  (let ((answers (ask-page job command seconds)))
    (test-equal (string-append command ": what a stream tells is the state") "same" (answer answers "fold"))
    (test-equal (string-append command ": each second once") "True" (answer answers "series-ascend"))
    answers))

(define (test-whole-life)
  (call-with-job '("paged.scm" "200")
    (lambda (job)
      (test-fold job "fold" "3")
      (test-streams job)
      (test-answers job)
      (let ((page (page-process job))
            (watching (watch job)))
        (let-go job)
        (let ((answers (watching)) (program (job-end job)))
          (test-equal "the job ends well" 0 (program-status program))
          (test-equal "the page says so" "ended" (answer answers "end"))
          (test-equal "and how" "0" (answer answers "status"))
          (test-equal "with the last counts" "256" (answer answers "done"))
          (await-gone "the page ends with the job" page))))))

;;; A reader that does not read.

(define (test-slow)
  (call-with-job '("page-flood.scm")
    (lambda (job)
      (let ((answers (test-fold job "slow" "5")))
        (test-assert "little is kept for who does not read" (< (string->number (answer answers "kilobytes")) 3000)))
      (let-go job)
      (test-equal "the job ends well" 0 (program-status (job-end job))))))

;;; Kills.

(define (test-page-killed)
  (call-with-job '("paged.scm" "60")
    (lambda (job)
      (let ((watching (watch job)) (page (page-process job)))
        (kill page SIGKILL)
        (test-assert "a stream is cut" (string-prefix? "cut" (answer (watching) "end")))
        (test-equal "the page is back at its address" "200" (answer (ask-page job "alive") "alive"))
        (test-assert "it is another process" (not (eqv? page (page-process job))))
        (test-assert "people are told" (await-told job "the page has ended and is started again"))
        (test-fold job "fold" "1")
        (let-go job)
        (test-equal "the job has not noticed" 0 (program-status (job-end job)))))))

(define (test-master-killed)
  (call-with-job '("paged.scm" "60")
    (lambda (job)
      (let ((watching (watch job)) (page (page-process job)))
        (kill (master-process job) SIGKILL)
        (test-equal "the page says that the job is gone" "lost" (answer (watching) "end"))
        (await-gone "the page ends soon" page)))))

;;; Ports and tokens.

(define (run-refused option)
  (run-program (list tutti "run" option (fixture "napping.scm") "1")))

(define (test-ports)
  (call-with-job '("paged.scm" "20")
    (lambda (job)
      (let* ((port (match:substring (string-match ":([0-9]+)/" (job-address job)) 1))
             (program (run-refused (string-append "--page=" port))))
        (test-equal "a port that is taken is refused" 2 (program-status program))
        (test-assert "with the reason" (string-contains (program-errors program) (string-append "cannot listen at port " port)))
        (test-equal "before the script begins" "" (program-output program)))))
  (for-each (lambda (option)
              (let ((program (run-refused option)))
                (test-equal option 2 (program-status program))
                (test-assert "what is expected is said" (string-contains (program-errors program) "expected a port"))))
            '("--page=0" "--page=65536" "--page=http" "--page=")))

(define (test-token-secret)
  (call-with-job '("paged.scm" "60")
    (lambda (job)
      (let ((token (cadr (string-split (job-address job) #\=)))
            (file (string-append (job-folder job) "/journal")))
        (define (has-token? file)
          (string-contains (call-with-input-file file get-string-all #:encoding "ISO-8859-1") token))
        (test-equal "128 bits" 32 (string-length token))
        (test-assert "no process shows the token in its arguments"
          (not (any (lambda (pid) (any (lambda (argument) (string-contains argument token)) (process-arguments pid)))
                    (marked-processes (job-mark job)))))
        (let-go job)
        (test-equal "the job ends well" 0 (program-status (job-end job)))
        (test-assert "there is a journal" (file-exists? file))
        (test-assert "without the token" (not (has-token? file)))
        (test-equal "people are told the address once" 1
          (length (filter (lambda (line) (string-contains line token)) (string-split (job-errors job) #\newline))))))
    #:options (lambda (folder) (list "--page" "--journal" (string-append folder "/journal")))))

(call-with-tap
 (lambda ()
   (if (not (file-exists? (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-page")))
       (tap-skip-all "this build has no page: libsoup is missing")
       (begin
         (test-group "whole life" (test-whole-life))
         (test-group "slow" (test-slow))
         (test-group "page killed" (test-page-killed))
         (test-group "master killed" (test-master-killed))
         (test-group "ports" (test-ports))
         (test-group "token" (test-token-secret))))))
