;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What tasks leave behind is gone when their answer is there; what a worker keeps open over several tasks stays.
(use-modules (tap) (programs) (ice-9 popen) (ice-9 rdelim) (srfi srfi-64) (tutti))

(define (gone? pid)
  ;; Not even a zombie.
  (not (file-exists? (format #f "/proc/~a" pid))))

;; Run a command that writes the number of a process and then ends; return that number.
(define-remote (leave command . _)
  (let* ((pipe (open-pipe* OPEN_READ "sh" "-c" command))
         (pid (string->number (read-line pipe))))
    (close-pipe pipe)
    pid))
(define-remote (leave-and-raise command)
  (throw 'left (leave command)))

(define daemon "setsid sleep 100 > /dev/null 2>&1 & echo $!")
(define stubborn "(trap '' TERM HUP INT; exec sleep 100 > /dev/null 2>&1) & echo $!")
(define short-lived "true > /dev/null 2>&1 & echo $!")
;; The number is that of the innermost.
(define tree "setsid sh -c 'setsid sh -c \"sleep 100 > /dev/null 2>&1 & echo \\$!; exec > /dev/null 2>&1; wait\" & wait' &")

;; What a worker keeps from task to task: definitions in a module.
(define-remote (keep name value)
  (module-define! (resolve-module '(guile-user)) name value)
  value)
(define-remote (kept name)
  (module-ref (resolve-module '(guile-user)) name))

(define-remote (open-simulator)
  (let ((pipe (open-pipe* OPEN_BOTH "sh" "-c" "sleep 100 > /dev/null 2>&1 & echo $!; exec cat")))
    (keep 'simulator pipe)
    (string->number (read-line pipe))))
(define-remote (ask-simulator question)
  (let ((pipe (kept 'simulator)))
    (display question pipe)
    (newline pipe)
    (force-output pipe)
    (read-line pipe)))
(define-remote (close-simulator)
  (status:exit-val (close-pipe (kept 'simulator))))

(define-remote (fork-child)
  (let ((pid (primitive-fork)))
    (when (zero? pid)
      (sigaction SIGTERM SIG_DFL)
      (sleep 100)
      (primitive-_exit 1))
    pid))
(define-remote (end-child pid)
  (kill pid SIGTERM)
  (status:term-sig (cdr (waitpid pid))))

;; As operators in C do it.
(define-remote (c-function name result arguments)
  ((module-ref (resolve-interface '(system foreign)) 'pointer->procedure)
   (module-ref (resolve-interface '(system foreign)) result)
   (dynamic-func name (dynamic-link))
   (map (lambda (_) '*) arguments)))
(define-remote (c-string text)
  ((module-ref (resolve-interface '(system foreign)) 'string->pointer) text))
(define-remote (open-stream)
  (keep 'stream ((c-function "popen" 'intptr_t '(command mode)) (c-string "cat > /dev/null; exit 6") (c-string "w")))
  #t)
(define-remote (close-stream)
  (let ((make-pointer (module-ref (resolve-interface '(system foreign)) 'make-pointer)))
    (status:exit-val ((c-function "pclose" 'int '(stream)) (make-pointer (kept 'stream))))))

(define (test-left pool)
  (test-assert "a daemon in a session of its own" (gone? (task-wait (pool-submit! pool leave daemon))))
  (test-assert "a process that ignores signals" (gone? (task-wait (pool-submit! pool leave stubborn))))
  (test-assert "one that had ended by itself" (gone? (task-wait (pool-submit! pool leave short-lived))))
  (test-assert "a tree" (gone? (task-wait (pool-submit! pool leave tree))))
  (test-equal "those of a map" '(#t #t #t #t) (map gone? (pool-map pool leave (make-list 4 daemon) (iota 4))))
  (test-equal "those of a task that raises" '(left #t)
    (with-exception-handler
        (lambda (condition)
          (list (worker-error-key condition) (gone? (car (worker-error-arguments condition)))))
      (lambda () (task-wait (pool-submit! pool leave-and-raise daemon)))
      #:unwind? #t)))

(define (test-kept pool)
  (let ((below (task-wait (pool-submit! pool open-simulator))))
    (test-assert "another task's daemon goes" (gone? (task-wait (pool-submit! pool leave daemon))))
    (test-equal "a program kept open over tasks" "a question" (task-wait (pool-submit! pool ask-simulator "a question")))
    (test-assert "with what it had started" (not (gone? below)))
    (test-equal "its status is for who started it" 0 (task-wait (pool-submit! pool close-simulator)))
    (test-assert "what it leaves behind is gone with the task that closed it" (gone? below)))
  (let ((child (task-wait (pool-submit! pool fork-child))))
    (test-equal "a forked child" SIGTERM (task-wait (pool-submit! pool end-child child))))
  (test-assert "a program that C opens" (task-wait (pool-submit! pool open-stream)))
  (test-assert "then another task's daemon goes" (gone? (task-wait (pool-submit! pool leave daemon))))
  (test-equal "and the program lives" 6 (task-wait (pool-submit! pool close-stream))))

(call-with-tap
 (lambda ()
   (call-with-pool 1
     (lambda (pool)
       (let ((worker (worker-pid (car (pool-workers pool)))))
         (test-group "left behind" (test-left pool))
         (test-group "kept" (test-kept pool))
         (test-equal "the worker is the same, and has no children" (cons worker '())
           (cons (worker-pid (car (pool-workers pool))) (descendants worker))))))))
