;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Processes that cannot be ended, as they run as another user: each is named once, and nothing waits for them: not the next task, not a
;; retry, not pool-close!, not the end of the script.
(use-modules (tap) (programs) (ice-9 match) (ice-9 regex) (srfi srfi-1) (srfi srfi-64))

(define nobody 65534)

(define (installed folder)
  "Return the name of a program in FOLDER that ends up as root, whoever starts it; #f if that is not possible here."
  (let ((file (string-append folder "/other-user")))
    (chmod folder #o777)
    (copy-file (helper "other-user") file)
    (chmod file #o4755)
    (and (zero? (getuid))
         (zero? (system* "sh" "-c" "command -v setpriv > /dev/null"))
         file)))

(define (running file)
  (filter (lambda (pid)
            (false-if-exception (string=? (readlink (format #f "/proc/~a/exe" pid)) file)))
          (filter-map string->number ((@ (ice-9 ftw) scandir) "/proc" (lambda (name) (string->number name))))))

(define (seconds-of program what)
  "Return after how many seconds PROGRAM has said WHAT; #f if it has not."
  (and=> (string-match (string-append "(^|\n)" what " ([0-9.]+)") (program-output program))
         (lambda (found) (string->number (match:substring found 2)))))

(define (mentions text pid)
  (length (list-matches (format #f "process ~a \\(other-user; state S: sleeping; it runs as another user\\)" pid) text)))

(define (test-unended file folder)
  (let* ((program (run-program (list "setpriv" (format #f "--reuid=~a" nobody) (format #f "--regid=~a" nobody) "--clear-groups"
                                     tutti "run" (fixture "unended.scm") file folder)
                               #:env '("HOME=/nonexistent" "GUILE_AUTO_COMPILE=0") #:seconds 55))
         (text (string-append (program-output program) (program-errors program)))
         (left (running file)))
    (test-equal "the script ends" 0 (program-status program))
    (for-each (lambda (what) (test-assert (format #f "~a: nothing waits" what) (seconds-of program what)))
              '("left" "next" "timed-out" "replaced" "closed"))
    (test-equal "two are left" 2 (length left))
    (for-each (lambda (pid) (test-assert (format #f "process ~a is named" pid) (positive? (mentions text pid)))) left)
    (unless (and (eqv? 0 (program-status program)) (every (lambda (pid) (positive? (mentions text pid))) left))
      (display text (current-error-port)))
    (for-each (lambda (pid) (kill pid SIGKILL)) left)))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (let ((file (installed folder)))
        (if file
            (test-unended file folder)
            (tap-skip "processes of another user" "only root can make them, with setpriv")))))))
