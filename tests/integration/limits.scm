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

(define (aborted? result)
  (or (pair? (program-status result)) (> (program-status result) 128)))

(define (says? text result)
  (or (string-contains (program-errors result) text)
      (begin (format #t "# ~s ~s~%" (program-status result) (program-errors result)) #f)))

;; A user of whom nobody else has processes, for the limit counts all of a user's.
(define nobody-else 61234)

(define (as-nobody-else command)
  (append (list "setpriv" "--reuid" (number->string nobody-else) "--regid" (number->string nobody-else) "--clear-groups"
                "env" "HOME=/" "GUILE_AUTO_COMPILE=0")
          command))

(define (test-processes file)
  (let loop ((n 4) (works? #f))
    (unless (or works? (> n 24))
      (let ((result (run-program (as-nobody-else (under (format #f "ulimit -u ~a" n) (list "guile" file))) #:seconds 60)))
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
        (chmod folder #o755)
        (cond ((not (zero? (getuid)))
               (tap-skip "processes" "only root can be another user"))
              ((not (eqv? 0 (program-status (run-program (as-nobody-else (list "guile" file))))))
               (tap-skip "processes" "another user cannot use this build folder"))
              (else (test-processes file))))))))
