;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers that are copies of a template: each is as good as a program that was started, and nothing depends on the template's life.
(use-modules (tap) (processes) (programs) (ice-9 ftw) (ice-9 textual-ports) (ice-9 threads) (srfi srfi-1) (srfi srfi-64) (tutti))

(define-remote (self) (getpid))
(define-remote (parent) (getppid))
(define-remote (group) (getpgrp))
(define-remote (settings) (environ))
(define-remote (leave status) (primitive-_exit status))
(define-remote (be-killed) (kill (getpid) SIGKILL) (sleep 100))
(define-remote (use-memory) (let ((v (make-f64vector 8000000 1.))) (kill (getpid) SIGSEGV) (f64vector-length v)))
(define-remote (mark!) (module-define! (resolve-module '(guile-user)) 'left-behind #t))
(define-remote (marked?) (module-defined? (resolve-module '(guile-user)) 'left-behind))
(define-remote (draw item) (list item (random 1000000000)))

(define (signals-of pid)
  "Return which signals the process PID blocks, ignores and catches, but for the two that the C library uses for threads."
  (filter-map (lambda (line)
                (and (member (substring line 0 (min 6 (string-length line))) '("SigBlk" "SigIgn" "SigCgt"))
                     (logand (string->number (string-trim-both (substring line 7)) 16) (lognot #x180000000))))
              (string-split (call-with-input-file (format #f "/proc/~a/status" pid) get-string-all) #\newline)))

(define (descriptors pid)
  "Return what the process PID has open: numbers with what they stand for."
  (let ((folder (format #f "/proc/~a/fd" pid)))
    (filter-map (lambda (name)
                  (and=> (false-if-exception (readlink (string-append folder "/" name)))
                         (lambda (target) (cons (string->number name) target))))
                (scandir folder (lambda (name) (string-every char-numeric? name))))))

(define (own descriptors)
  "Return those among DESCRIPTORS of which each process must have one of its own."
  (filter (lambda (target) (or (string-prefix? "pipe:" target) (string-prefix? "socket:" target)))
          (delete-duplicates (map cdr descriptors))))

(define (kind target)
  (substring target 0 (or (string-index target #\:) (string-length target))))

(define (parent-of pid)
  (let ((text (false-if-exception (call-with-input-file (format #f "/proc/~a/stat" pid) get-string-all))))
    (and text (string->number (third (string-split (substring text (1+ (string-rindex text #\)))) #\space))))))

(define (templates watcher)
  (filter (lambda (pid) (and (eqv? (parent-of pid) watcher) (string=? (process-title pid) "tutti-template")
                             (not (memv (process-state pid) '(#\Z #f)))))
          (filter-map string->number (scandir "/proc" (lambda (name) (string-every char-numeric? name))))))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (death pool proc . arguments)
  (worker-died-certificate
   (condition-of (lambda () (parameterize ((task-retries 0)) (task-wait (apply pool-submit! pool proc arguments)))))))

(define (on-each pool proc) (pool-apply pool proc))

(define (test-identity pool other)
  (let ((pids (on-each pool self)))
    (test-equal "each has a number of its own" 3 (length (delete-duplicates pids)))
    (test-equal "which is the one that the pool knows" (map worker-pid (pool-workers pool)) pids)
    (test-equal "and leads a process group" pids (on-each pool group))
    (test-equal "one parent, the same as that of a worker that was started" (list (car (on-each other parent)))
                (delete-duplicates (on-each pool parent)))
    (test-equal "there is one template" 1 (length (templates (car (on-each pool parent)))))
    (test-equal "workers do not call themselves so" '("tutti-w:pool/0" "tutti-w:pool/1" "tutti-w:pool/2") (map process-title pids))))

(define (test-environment pool other)
  (define (common pool)
    (sort (remove (lambda (setting) (any (lambda (name) (string-prefix? name setting))
                                         '("TUTTI_GENERATION=" "TUTTI_WORKER_INDEX="
                                           "OPENBLAS_NUM" "OMP_NUM" "MKL_NUM" "BLIS_NUM" "VECLIB_")))
                  (car (on-each pool settings)))
          string<?))
  (define (each name) (map (lambda (settings) (find (lambda (s) (string-prefix? name s)) settings)) (on-each pool settings)))
  (test-equal "the environment is that of a worker that was started" (common other) (common pool))
  (test-equal "the index" '("TUTTI_WORKER_INDEX=0" "TUTTI_WORKER_INDEX=1" "TUTTI_WORKER_INDEX=2") (each "TUTTI_WORKER_INDEX="))
  (test-equal "the generation" 3 (length (delete-duplicates (each "TUTTI_GENERATION=")))))

(define (test-descriptors pool other)
  (let* ((pids (on-each pool self))
         (started (car (on-each other self)))
         (template (car (templates (car (on-each pool parent)))))
         (all (append-map (lambda (pid) (own (descriptors pid))) (cons* template started pids))))
    (test-equal "no two share a pipe or a socket" (delete-duplicates all) all)
    (test-equal "as many as in a worker that was started" (list (length (descriptors started)))
                (delete-duplicates (map (lambda (pid) (length (descriptors pid))) pids)))
    (test-equal "of the same kinds" (sort (map (lambda (d) (kind (cdr d))) (descriptors started)) string<?)
                (sort (map (lambda (d) (kind (cdr d))) (descriptors (car pids))) string<?))
    (test-equal "signals are treated the same" (signals-of started) (signals-of (car pids)))))

(define (test-state pool other)
  (define (numbers pool) (parameterize ((random-seed 7)) (pool-map pool draw (iota 6))))
  (test-equal "random numbers do not depend on it" (numbers other) (numbers pool))
  (on-each pool mark!)
  (test-equal "what tasks leave" '(#t #t #t) (on-each pool marked?))
  (death pool be-killed)
  (test-equal "its replacement does not have" 1 (count not (on-each pool marked?))))

(define (test-deaths pool)
  (let ((exited (death pool leave 7)) (greedy (death pool use-memory)) (killed (death pool be-killed)))
    (test-equal "an exit status" '(7 #f) (list (certificate-status exited) (certificate-signal exited)))
    (test-equal "a signal" SIGKILL (certificate-signal killed))
    (test-assert "peak memory of one that used 64 MB" (< 64000000 (certificate-peak-memory greedy) 200000000))
    (test-assert "and of others" (< 1000000 (certificate-peak-memory killed) 64000000))))

(define (test-template-lost pool)
  (define watcher (car (on-each pool parent)))
  (define (replaced?)
    (let ((before (on-each pool self)))
      (kill (first before) SIGKILL)
      (await (lambda () (and (not (memv (first before) (map worker-pid (pool-workers pool))))
                             (every worker-pid (pool-workers pool))))
             60)
      (= 2 (length (lset-intersection = before (on-each pool self))))))
  (for-each
   (lambda (signal what)
     (let ((template (car (templates watcher))))
       (kill template signal)
       (test-assert (format #f "a template ~a: workers live on" what)
         (and (await (lambda () (not (memv template (templates watcher)))) 60) (= 3 (length (delete-duplicates (on-each pool self))))))
       (test-assert (format #f "a template ~a: workers are replaced" what) (replaced?))
       (test-assert (format #f "a template ~a: by another" what) (and (replaced?) (= 1 (length (templates watcher)))))))
   (list SIGKILL SIGSTOP SIGTERM) '("killed" "stopped" "ended")))

(define (test-many)
  (call-with-pool 64
    (lambda (pool)
      (test-equal "64 workers start" 64 (length (delete-duplicates (on-each pool self)))))))

;; While workers are made, all templates that there are are killed again and again. Most of the workers are programs that are started, then,
;; which takes long: so there are few.
(define (test-killed-while-making watcher)
  (define done? #f)
  (define killer
    (call-with-new-thread
     (lambda ()
       (let again ((n 0))
         (for-each (lambda (pid) (false-if-exception (kill pid SIGKILL))) (templates watcher))
         (if done? n (again (1+ n)))))))
  (test-equal "templates that are killed at any moment" '(6 6 6)
              (map (lambda (_) (call-with-pool 6 (lambda (pool) (length (delete-duplicates (on-each pool self)))))) (iota 3)))
  (set! done? #t)
  (join-thread killer))

(define (make-hang! folder)
  "Let who loads (tutti worker main) from FOLDER wait for ever."
  (mkdir (string-append folder "/tutti"))
  (mkdir (string-append folder "/tutti/worker"))
  (mknod (string-append folder "/tutti/worker/main.scm") 'fifo #o600 0))

(define (test-hanging)
  (call-with-folder
   (lambda (folder)
     (let* ((pool (make-pool 1 #:load-path (cons folder %load-path)))
            (watcher (car (pool-apply pool parent)))
            (before (templates watcher)))
       (make-hang! folder)
       (for-each (lambda (pid) (kill pid SIGKILL)) before)
       (test-assert "the template goes" (await (lambda () (null? (templates watcher))) 20))
       (parameterize ((task-retries 0)) (condition-of (lambda () (task-wait (pool-submit! pool be-killed)))))
       (test-assert "another one begins, and hangs" (await (lambda () (pair? (templates watcher))) 20))
       (let ((hanging (templates watcher)))
         (pool-close! pool)
         (test-equal "closing does not wait for it" hanging (templates watcher))
         (test-equal "all workers are gone" '(dead) (map worker-state (pool-workers pool)))
         (for-each (lambda (pid) (kill pid SIGKILL)) hanging))
       ;; Of those that are started the next pool knows the numbers, and closes as any other.
       (let ((pool (make-pool 2 #:load-path (cons folder %load-path))))
         (test-assert "a template that hangs is given up: workers are started" (every worker-pid (pool-workers pool)))
         (pool-close! pool)
         (test-equal "and end" '(dead dead) (map worker-state (pool-workers pool))))))))

(call-with-tap
 (lambda ()
   (test-group "template"
     (call-with-pool 3
       (lambda (pool)
         ;; With threads it cannot be copied: its workers are started.
         (call-with-pool 1
           (lambda (other)
             (test-identity pool other)
             (test-environment pool other)
             (test-descriptors pool other)
             (test-state pool other))
           #:threads 2)
         (test-deaths pool)
         (test-template-lost pool)
         (test-killed-while-making (car (on-each pool parent)))))
     (test-many))
   (test-group "hanging" (test-hanging))))
