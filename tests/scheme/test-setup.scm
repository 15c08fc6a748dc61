;; SPDX-License-Identifier: LGPL-3.0-or-later
;; make-pool #:setup: what holds in all tasks, on each worker and on those that replace them; and what comes of one that fails.
(use-modules (tap) (programs) (processes) (ice-9 ftw) (srfi srfi-1) (srfi srfi-64) (tutti))

(define-remote (self) (getpid))
(define-remote (die) (kill (getpid) SIGKILL) (sleep 100))
(define-remote (look)
  (list (getcwd) (umask) (getenv "TUTTI_TEST_SETUP") (procedure? (car (sigaction SIGUSR1)))
        (module-defined? (resolve-module '(guile-user)) 'made-by-setup)))
(define-remote (disturb) (chdir "/") (umask #o11) (unsetenv "TUTTI_TEST_SETUP") (sigaction SIGUSR1 SIG_DFL) #t)
(define-remote (signalled)
  (module-define! (resolve-module '(guile-user)) 'seen #f)
  (kill (getpid) SIGUSR1)
  (let wait ((n 0))
    (or (module-ref (resolve-module '(guile-user)) 'seen)
        (and (< n 20000) (begin (usleep 1000) (wait (1+ n)))))))

(define-remote (set-up)
  (chdir "/usr")
  (umask #o55)
  (setenv "TUTTI_TEST_SETUP" "yes")
  (sigaction SIGUSR1 (lambda (_) (module-define! (resolve-module '(guile-user)) 'seen #t)))
  (module-define! (resolve-module '(guile-user)) 'made-by-setup #t)
  (display "set up\n")
  (current-output-port))                ; cannot travel, and need not

(define set-up-state '("/usr" #o55 "yes" #t #t))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (run pool proc . arguments)
  (task-wait (apply pool-submit! pool proc arguments)))

(define (replace! pool index)
  (parameterize ((task-retries 0))
    (condition-of (lambda () (pool-apply-only pool index die)))))

(define (count-marks folder)
  (length (scandir folder (lambda (name) (not (string-prefix? "." name))))))

(define (test-state)
  (let ((pool (make-pool 2 #:setup set-up)))
    (test-equal "on each worker" (list set-up-state set-up-state) (pool-apply pool look))
    (pool-apply pool disturb)
    (test-equal "for all tasks" (list set-up-state set-up-state) (pool-apply pool look))
    (test-equal "a handler is called" '(#t #t) (pool-apply pool signalled))
    (test-equal "and is there when a task has put another in its place" '(#t #t)
      (begin (pool-apply pool disturb) (pool-apply pool signalled)))
    (replace! pool 0)
    (test-equal "on a replacement: pool-apply" (list set-up-state set-up-state) (pool-apply pool look))
    (for-each (lambda (index) (replace! pool index)) '(0 1))
    (test-equal "a task" set-up-state (run pool look))
    (for-each (lambda (index) (replace! pool index)) '(0 1))
    (test-equal "a map" (make-list 20 set-up-state) (pool-map pool (remote (lambda (_) (look))) (iota 20)))
    (pool-close! pool))
  (call-with-pool 1
    (lambda (pool) (test-equal "call-with-pool" set-up-state (run pool look)))
    #:setup set-up))

(define (test-times)
  (call-with-folder
   (lambda (folder)
     (let* ((set-up (remote ((folder folder)) (lambda () (close-port (mkstemp! (string-append folder "/XXXXXX"))))))
            (pool (make-pool 3 #:setup set-up)))
       (test-equal "once on each worker" 3 (count-marks folder))
       (pool-map pool (remote (lambda (x) x)) (iota 100))
       (test-equal "not again for tasks" 3 (count-marks folder))
       (let ((kept (pool-keep pool self)))
         (replace! pool 1)
         (test-equal "before what is kept" 3 (length (pool-fetch kept))))
       (test-equal "once on a replacement" 4 (count-marks folder))
       (pool-close! pool)))))

(define-remote (set-up-once-in folder)
  (if (file-exists? (string-append folder "/first"))
      (error "the second time it fails" folder)
      (close-port (open-output-file (string-append folder "/first")))))

(define (test-failures)
  (let ((condition (condition-of (lambda () (make-pool 2 #:setup (remote (lambda () (error "no licence" 42))))))))
    (test-assert "one that raises fails make-pool" (worker-error? condition))
    (test-equal "with what it raised" "no licence 42" (worker-error-message condition)))
  (test-assert "one that ends its worker"
    (let ((condition (condition-of (lambda () (make-pool 2 #:setup (remote (lambda () (exit 5))))))))
      (and (worker-died? condition) (equal? 5 (certificate-status (worker-died-certificate condition))))))
  (test-assert "one that hangs, with a time-out"
    (task-timeout? (condition-of (lambda () (parameterize ((task-timeout 0.3)) (make-pool 1 #:setup (remote (lambda () (sleep 1000)))))))))
  (test-assert "no procedure" (tutti-error? (condition-of (lambda () (make-pool 1 #:setup 'x)))))
  (test-assert "no remote one" (not-remotable? (condition-of (lambda () (make-pool 1 #:setup (lambda () 1))))))
  (test-equal "no workers are left" 0 (total-worker-count))
  (call-with-folder
   (lambda (folder)
     (call-with-pool 1
       (lambda (pool)
         (replace! pool 0)
         (for-each (lambda (_)
                     (let ((condition (condition-of (lambda () (run pool self)))))
                       (test-equal "on a replacement it fails the tasks" (string-append "the second time it fails \"" folder "\"")
                         (and (worker-error? condition) (worker-error-message condition)))))
                   '(1 2))
         (test-equal "the worker lives" 1 (worker-restarts (car (pool-workers pool)))))
       #:setup (remote ((folder folder)) (lambda () (set-up-once-in folder)))))))

(define (test-serial)
  (let ((before (umask))
        (pool (make-serial-pool #:setup (remote (lambda () (setenv "TUTTI_TEST_SETUP" "serial") (umask #o55))))))
    (test-equal "the serial pool" '("serial" #o55) (run pool (remote (lambda () (list (getenv "TUTTI_TEST_SETUP") (umask))))))
    (run pool disturb)
    (test-equal "for all tasks" '("serial" #o55) (run pool (remote (lambda () (list (getenv "TUTTI_TEST_SETUP") (umask))))))
    (umask before)
    (unsetenv "TUTTI_TEST_SETUP"))
  (test-assert "one that raises"
    (worker-error? (condition-of (lambda () (make-serial-pool #:setup (remote (lambda () (error "no"))))))))
  (test-assert "no procedure" (tutti-error? (condition-of (lambda () (make-serial-pool #:setup 'x))))))

(call-with-tap
 (lambda ()
   (parameterize ((worker-output-port #f))
     (test-group "state" (test-state))
     (test-group "times" (test-times))
     (test-group "failures" (test-failures))
     (test-group "serial" (test-serial)))))
