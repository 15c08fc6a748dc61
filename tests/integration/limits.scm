;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the system does not give: a program that may have too few descriptors or processes says which limit it is, and nothing aborts.
(use-modules (tap) (programs) (ice-9 format) (srfi srfi-1) (srfi srfi-13) (srfi srfi-64))

(define (under limits command)
  "Return @var{command}, a list of strings, to be run after the shell has done @var{limits}."
  (append (list "sh" "-c" (string-append "ulimit -c 0; " limits "; exec \"$@\"") "sh") command))

(define (script folder name . forms)
  (let ((file (string-append folder "/" name)))
    (call-with-output-file file (lambda (port) (for-each (lambda (form) (write form port) (newline port)) forms)))
    file))

(define two-roots
  '((use-modules (tutti))
    (write (call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4)))))
    (newline)))

(define (many-workers n files)
  `((use-modules (tutti) (ice-9 popen) (ice-9 rdelim))
    (define-remote (double x) (usleep 1000) (* 2 x))
    (define (limit) (let ((pipe (open-pipe* OPEN_READ "sh" "-c" "ulimit -Sn"))) (read-line pipe)))
    (define-remote (limit-of-task)
      (let ((pipe ((@ (ice-9 popen) open-pipe*) "r" "sh" "-c" "ulimit -Sn"))) ((@ (ice-9 rdelim) read-line) pipe)))
    (define open (map (lambda (i) (open-input-file "/dev/null")) (iota ,files)))
    (worker-count-warning #f)
    (call-with-pool ,n
      (lambda (pool)
        (let ((values (pool-map pool double (iota 1000))))
          (write (list (equal? values (iota 1000 0 2)) (length (pool-apply pool double 1))
                       (limit) (task-wait (pool-submit! pool limit-of-task))))
          (newline)
          (force-output)
          (system "ulimit -Sn"))))))

(define (hard-limit)
  (call-with-values (lambda () (getrlimit 'nofile)) (lambda (soft hard) (or hard (inexact->exact 1e9)))))

(define (aborted? result)
  (or (pair? (program-status result)) (> (program-status result) 128)))

(define (says? text result)
  (or (string-contains (program-errors result) text)
      (begin (format #t "# ~s ~s~%" (program-status result) (program-errors result)) #f)))

(define large-things
  '((use-modules (tutti) (srfi srfi-4))
    (define-remote (vector-of n) (make-f64vector n 2.))
    (define-remote (text-of n) (make-string n #\a))
    (define-remote (list-of n) (iota n))
    (define-remote (length-of x) (if (string? x) (string-length x) (f64vector-length x)))
    (define (limited? thunk)
      (with-exception-handler
          (lambda (e) (and (not (worker-died? e)) (string-contains (condition->string e) "ulimit -f") #t))
        thunk #:unwind? #t))
    (define pids #f)
    (call-with-pool 2
      (lambda (pool)
        (define before (map worker-pid (pool-workers pool)))
        (write
         (list (limited? (lambda () (make-shared-f64vector 1000000)))
               (limited? (lambda () (task-wait (pool-submit! pool vector-of 1000000))))
               (limited? (lambda () (task-wait (pool-submit! pool text-of 1000000))))
               (limited? (lambda () (task-wait (pool-submit! pool list-of 1000000))))
               (limited? (lambda () (pool-map pool text-of '(1000000))))
               (limited? (lambda () (task-wait (pool-submit! pool length-of (make-f64vector 1000000 1.)))))
               (limited? (lambda () (task-wait (pool-submit! pool length-of (make-string 1000000 #\a)))))
               (pool-map pool sqrt '(1 4))
               (equal? before (map worker-pid (pool-workers pool)))))))
    (newline)))

(define (shrinking file . forms)
  `((use-modules (tutti) (srfi srfi-4))
    (define numbers ((@ (rnrs bytevectors) make-bytevector) 800000 0))
    (call-with-output-file ,file (lambda (port) ((@ (ice-9 binary-ports) put-bytevector) port numbers)))
    (define v (map-f64vector ,file))
    (define-remote (last v) (f64vector-ref v 99999))
    (define-remote (last-later v) (usleep 500000) (f64vector-ref v 99999))
    ,@forms))

;; A user of whom nobody else has processes, for the limit counts all of a user's.
(define nobody-else 61234)

(define (as-nobody-else command)
  (append (list "setpriv" "--reuid" (number->string nobody-else) "--regid" (number->string nobody-else) "--clear-groups"
                "env" "HOME=/" "GUILE_AUTO_COMPILE=0")
          command))

(define (test-processes file)
  (let loop ((n 4) (works? #f))
    (unless (or works? (> n 24))
      (let ((result (run-program (as-nobody-else (list "prlimit" (format #f "--nproc=~a" n) "--core=0" "guile" file)) #:seconds 60)))
        (test-assert (format #f "~a processes: no abort" n) (not (aborted? result)))
        (if (eqv? 0 (program-status result))
            (test-equal (format #f "~a processes are enough" n) "(1 2)\n" (program-output result))
            (test-assert (format #f "~a processes: it says so" n) (says? "Resource temporarily unavailable" result)))
        (loop (1+ n) (eqv? 0 (program-status result)))))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (let ((file (apply script folder "roots.scm" two-roots)))
        (for-each
         (lambda (n)
           (let ((result (run-program (under (format #f "ulimit -n ~a" n) (list tutti "run" file)))))
             (test-equal (format #f "~a descriptors: refused" n) 1 (program-status result))
             (test-assert (format #f "~a descriptors: which limit" n) (says? "ulimit -n" result))))
         '(8 12 20 30))
        (for-each
         (lambda (n)
           (let ((result (run-program (under (format #f "ulimit -n ~a" n) (list "guile" file)))))
             (test-equal (format #f "~a descriptors in Guile: refused" n) 1 (program-status result))
             (test-assert (format #f "~a descriptors in Guile: which limit" n) (says? "ulimit -n" result))))
         '(15 20))
        (let ((many (apply script folder "many.scm" (many-workers 80 0)))
              (files (apply script folder "files.scm" (many-workers 4 1100))))
          (let ((result (run-program (under "ulimit -Sn 200" (list "guile" many)) #:seconds 100)))
            (test-equal "80 workers, 200 descriptors, in Guile: refused" 1 (program-status result))
            (test-assert "with advice" (says? "pool of 80 workers needs 336 file descriptors" result))
            (test-assert "how many" (says? "ulimit -n 3" result)))
          (if (< (hard-limit) 1400)
              (tap-skip "many" "the hard limit of descriptors is too low")
              (begin
                (test-equal "the same in our program: they work, and others have the limit that was set" "(#t 80 \"200\" \"200\")\n200\n"
                  (program-output (run-program (under "ulimit -Sn 200" (list tutti "run" many)) #:seconds 100)))
                (test-equal "1100 files open in Guile" "(#t 4 \"1300\" \"1300\")\n1300\n"
                  (program-output (run-program (under "ulimit -Sn 1300" (list "guile" files)) #:seconds 100))))))
        (let ((large (apply script folder "large.scm" large-things)))
          (for-each
           (lambda (blocks)
             (test-equal (format #f "files of ~a blocks: what is larger is refused, and costs no worker" blocks)
               "(#t #t #t #t #t #t #t (1 2) #t)\n"
               (program-output (run-program (under (format #f "ulimit -f ~a" blocks) (list tutti "run" large)) #:seconds 100))))
           '(1000 60 20)))
        (let* ((file (string-append folder "/numbers"))
               (used (apply script folder "used.scm"
                            (shrinking file `(truncate-file ,file 100) '(display (f64vector-ref v 99999)))))
               (sent (apply script folder "sent.scm"
                            (shrinking file
                                       `(call-with-pool 1
                                          (lambda (pool)
                                            (display (task-wait (pool-submit! pool last v)))
                                            (truncate-file ,file 100)
                                            (task-wait (pool-submit! pool last v)))))))
               (seen (apply script folder "seen.scm"
                            (shrinking file
                                       `(call-with-pool 1
                                          (lambda (pool)
                                            (let ((task (pool-submit! pool last-later v)))
                                              (usleep 200000)
                                              (truncate-file ,file 100)
                                              (task-wait task)))))))
               (run (lambda (script) (run-program (list tutti "run" script)))))
          (let ((result (run used)))
            (test-equal "a mapped file becomes shorter: who uses what is gone dies" (list 'signal SIGBUS) (program-status result))
            (test-assert "and the file is named" (says? (format #f "the file '~a' was made shorter" file) result))
            (test-assert "and the vector" (says? "a vector of 800000 bytes" result)))
          (let ((result (run sent)))
            (test-equal "it is not sent any more" '(1 "0.0") (list (program-status result) (program-output result)))
            (test-assert "for a reason" (says? (format #f "the file '~a' has become shorter" file) result)))
          (let ((result (run seen)))
            (test-equal "a worker dies of it" 1 (program-status result))
            (test-assert "and names the file" (says? (format #f "the file '~a' was made shorter" file) result))))
        (chmod folder #o755)
        (cond ((not (zero? (getuid)))
               (tap-skip "processes" "only root can be another user"))
              ((not (eqv? 0 (program-status (run-program (as-nobody-else (list "guile" file))))))
               (tap-skip "processes" "another user cannot use this build folder"))
              (else (test-processes file))))))))
