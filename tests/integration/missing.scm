;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where something is missing that nothing works without, a script says what it is, what for, and what to do; and so does the doctor.
(use-modules (tap) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64))

(define calls '("signalfd" "pidfd_open" "memfd_create" "eventfd" "prctl"))

;; Numbers of errors, and what is to be done about them.
(define failures `((,ENOSYS "Linux 5.4 or newer") (,EPERM "seccomp") (,EMFILE "ulimit -n")))

(define (test-message what program status name advice)
  (let ((text (string-append (program-output program) (program-errors program))))
    (test-equal (format #f "~a: the status" what) status (program-status program))
    (for-each (lambda (part)
                (test-assert (format #f "~a: says ~s" what part) (string-contains text part)))
              (list name "does not work" advice))
    (unless (string-contains text advice)
      (display text (current-error-port)))))

(define (test-without call)
  (for-each
   (match-lambda
     ((number advice)
      (let ((env (list (string-append "LD_PRELOAD=" (helper "without.so")) (string-append "TUTTI_TEST_WITHOUT=" call)
                       (format #f "TUTTI_TEST_ERRNO=~a" number))))
        (test-message (format #f "~a, errno ~a" call number)
                      (run-program (list tutti "run" (fixture "working.scm")) #:env env) 1 call advice)
        (when (= number ENOSYS)
          (test-message (format #f "the doctor, ~a" call) (run-program (list tutti "doctor") #:env env) 1 call advice)))))
   failures))

(define (below-empty folder . command)
  (list "unshare" "-m" "sh" "-c" (format #f "mount -t tmpfs none ~a && exec ~a" folder (string-join command " "))))

(define (can-unshare?)
  (zero? (system* "sh" "-c" "unshare -m mount -t tmpfs none /mnt 2> /dev/null")))

(define (test-empty folder name advice)
  (test-message (format #f "an empty ~a" folder) (run-program (below-empty folder tutti "run" (fixture "working.scm"))) 1 name advice)
  (test-message (format #f "the doctor, an empty ~a" folder) (run-program (below-empty folder tutti "doctor")) 1 name advice))

(call-with-tap
 (lambda ()
   (for-each test-without calls)
   (if (can-unshare?)
       (begin
         (test-empty "/proc" "/proc" "mount -t proc")
         (test-empty "/dev" "/dev/null" "mknod"))
       (tap-skip "an empty /proc, an empty /dev" "only root can mount over them, with unshare"))))
