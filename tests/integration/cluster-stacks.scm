;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a worker on another host is: it says so itself; of its C stack nobody here knows, and where to look is said.
(use-modules (tap) (cluster) (cluster-jobs) (programs) (ice-9 regex) (srfi srfi-64))

(define job
  '((use-modules (tutti))
    (define-remote (climb-there) (let loop ((n 0)) (loop (1+ n))))
    (define-remote (read-there) (read-char (car (pipe))))
    (define pool (make-pool 2 #:name "there"))
    (define computing (pool-submit! pool climb-there))
    (define reading (pool-submit! pool read-there))
    (define stack-text (@ (tutti repl stacks) stack-text))
    (define facts (car ((@ (tutti repl facts) pool-facts))))
    (let wait ()                        ; the test has a deadline
      (unless (equal? (map worker-state (pool-workers pool)) '(busy busy))
        (usleep 10000)
        (wait)))
    (let again ((n 0))
      (let ((text (stack-text facts 0)))
        (if (or (string-contains text "climb-there _") (string-contains text "job.scm:") (= n 20))
            (display text)
            (again (1+ n)))))
    (display (stack-text facts 1))
    (display ((@ (tutti repl facts) workers-text) facts))
    (task-cancel! computing)
    (task-cancel! reading)))

(define (test-stacks)
  (let* ((program (tutti-on "head" (write-script "job.scm" job) #:options '("--on" "ssh:n1")))
         (text (program-output program)))
    (test-equal "the script ends well" 0 (program-status program))
    (for-each (lambda (part)
                (test-equal part #t (or (->bool (string-match part text)) (list text (program-errors program)))))
              '("worker 0 on n1 of pool \"there\" .process [0-9]+. runs task [0-9]+, climb-there, for .*:\nIn .*job.scm:\n"
                "worker 1 on n1 of pool \"there\" .* read-there, for" "It is on another machine: .*gdb -p [0-9]+. on n1"
                "0 +busy +[0-9]+ +n1 "))))

(call-with-tap
 (lambda ()
   (call-with-cluster test-stacks)))
