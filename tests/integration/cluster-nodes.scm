;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools on other hosts: a script that does not change, the bits of one machine, and what is left when a host or the script is lost.
(use-modules (tap) (cluster) (cluster-jobs) (pace) (processes) (programs) (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1)
             (srfi srfi-64))

;; What a script computes on six workers, in all ways in which vectors travel.
(define job
  '((use-modules (tutti) (srfi srfi-4))
    (define-remote (waves k n)
      (let ((v (make-f64vector n)))
        (do ((i 0 (1+ i))) ((= i n) v)
          (f64vector-set! v i (/ (sin (* 0.1 (+ k i))) (+ 1.0 k))))))
    (define-remote (weighted x k) (* k (f64vector-ref x (* 100 k))))
    (define-remote (fail) (error "this is not" 'good))
    (define (sample v) (map (lambda (i) (f64vector-ref v i)) (list 0 7 (quotient (f64vector-length v) 2) (1- (f64vector-length v)))))
    (call-with-pool 6
      (lambda (pool)
        (define model (vector->shared (waves 1 50000)))
        (define numbers (per-worker (iota 6)))
        (define (show . x) (write x) (newline))
        (show 'map (pool-map pool waves '(1 2 3) '(2 2 2)))
        (show 'shared (pool-map pool weighted (make-list 20 model) (iota 20)))
        (f64vector-set! model 500 7.0)
        (show 'changed (pool-map pool weighted (make-list 20 model) (iota 20)))
        (show 'large (sample (car (pool-map pool waves '(5) '(300000)))))
        (show 'gather (sample (pool-gather pool waves numbers 30000)) (sample (pool-gather pool waves numbers 30000)))
        (show 'sum (sample (pool-sum pool waves numbers 100000)))
        (let ((held (pool-push pool (waves 2 40000))))
          (show 'held (pool-apply pool (remote (lambda (v k) (f64vector-ref v k))) held numbers)))
        (let* ((operators (map (lambda (k) (matrix-operator 3 4 (list->f64vector (map (lambda (i) (sin (+ i k))) (iota 12))))) (iota 7)))
               (all (parallel-vector-of-operators operators #:pool pool))
               (x (f64vector 1.0 2.0 3.0 4.0))
               (y (evaluate all x)))
          (show 'operators (f64vector->list y) (f64vector->list (evaluate (adjoint all) y))))
        (let ((letters (pool-scatter pool '(a b c d e f g h))))
          (pool-shrink! pool 4)
          (show 'shrunk (pool-size pool) (pool-apply pool (remote (lambda (part) (cons (current-worker-index) part))) letters))
          (remote-object-remove! letters)
          (pool-grow! pool 2)
          (show 'grown (pool-apply pool (remote (lambda () (current-worker-index))))))
        (show 'random (parameterize ((random-seed 5)) (pool-map pool (remote (lambda (i) (random 1.0))) (iota 5))))
        (show 'error (catch #t (lambda () (pool-map pool (remote (lambda (i) (fail))) '(1)) 'none) (lambda _ 'raised)))))))

(define (test-bits)
  (let* ((script (write-script "job.scm" job))
         (here (tutti-on "head" script))
         (answer (lambda (on) (tutti-on "head" script #:options (list "--on" on)))))
    (test-equal "here" 0 (program-status here))
    (for-each (lambda (on)
                (let ((there (answer on)))
                  (test-equal (string-append on ": its end") 0 (program-status there))
                  (test-equal (string-append on ": the same bits") (program-output here) (program-output there))
                  (test-assert (string-append on ": nothing is wrong") (not (string-contains (program-errors there) "lost")))))
              '("slurm:nodes=3" "slurm:nodes=2" "ssh:n1,n2,n3"))))

;; What scripts begin with: they name the hosts of their workers, and say that they have begun.
(define beginning
  '((use-modules (tutti))
    (define-remote (slow i) (usleep 20000) (* i i))
    (define-remote (host) (gethostname))
    (define-remote (made-for i) (iota i))
    (define-remote (what-was-made made) (length made))
    (define (show x) (write x) (newline))
    (define (say-begun hosts)
      (let ((file (cadr (command-line))))
        (call-with-output-file (string-append file ".new") (lambda (port) (write (cons (getpid) hosts) port)))
        (rename-file (string-append file ".new") file)))))

;; One whose tasks take a while: it writes the sum of their values, what all of its workers have made before, and where they are then.
(define long
  `(,@beginning
    (call-with-pool 6
      (lambda (pool)
        (define made (pool-keep pool made-for (per-worker (iota 6))))
        (say-begun (pool-apply pool host))
        (show (apply + (pool-map pool slow (iota 1000))))
        (show (pool-apply pool what-was-made made))
        (show (pool-apply pool host))))))

(define right (format #f "~a\n(0 1 2 3 4 5)\n" (apply + (map (lambda (i) (* i i)) (iota 1000)))))

;; One that makes a second pool when it is told to.
(define second-pool
  `(,@beginning
    (call-with-pool 6
      (lambda (pool)
        (say-begun (pool-apply pool host))
        (let wait () (unless (file-exists? (string-append (cadr (command-line)) ".go")) (usleep 1000) (wait)))
        (call-with-pool 6 (lambda (other) (show (pool-apply other host))))))))

;; Run LONG by ON; PROC is called with its pid and the hosts when it has begun. Returns what it has written, and its errors.
(define* (run-long on proc #:key (env '()) (forms long))
  (let ((script (write-script "long.scm" forms))
        (file (in-folder "begun"))
        (errors (in-folder "errors")))
    (when (file-exists? file) (delete-file file))
    (call-with-running-on "head"
        ;; Not as the shell itself: what has entered the host stops with its own process.
        (list "sh" "-c" "\"$@\" 2> \"$0\" & wait $!" errors (getenv "TUTTI") "run" "--on" on script file)
      (lambda (port)
        (test-assert "it begins" (await (lambda () (file-exists? file)) patience))
        (match (call-with-input-file file read)
          ((pid . hosts) (proc (number->string pid) hosts)))
        (let ((output (get-string-all port)))
          (list output (call-with-input-file errors get-string-all))))
      #:env env)))

(define (test-loss name do undo)
  (match (run-long "slurm:nodes=3" (lambda (pid hosts)
                                     (test-equal (string-append name ": on all hosts") '("n1" "n2" "n3")
                                       (sort (delete-duplicates hosts) string<?))
                                     (do)))
    ((output errors)
     (test-assert (string-append name ": the right value, and all workers have what they had") (string-prefix? right output))
     (test-assert (string-append name ": they go on on the others") (not (string-contains output "n2")))
     (test-assert (string-append name ": people are told") (string-contains errors "n2"))))
  (undo))

;; A pool that is made while nobody knows yet that a host is cut off has all its workers on the others.
(define (test-made-without)
  (let ((go (in-folder "begun.go")))
    (match (run-long "slurm:nodes=3"
                     (lambda (pid hosts)
                       (cluster! "partition" "n2")
                       (close-port (open-output-file go)))
                     #:forms second-pool)
      ((output errors)
       (test-equal "a pool without a host: six workers on two others" '("n1" "n3")
         (let ((hosts (call-with-input-string output read)))
           (and (list? hosts) (= 6 (length hosts)) (sort (delete-duplicates hosts) string<?))))
       (test-assert "a pool without a host: people are told" (string-contains errors "n2"))))
    (delete-file go)
    (cluster! "heal" "n2")))

(define (test-killed on)
  (define mark (make-mark))
  (run-long on (lambda (pid hosts)
                 (test-assert "it runs on hosts" (> (length (marked-processes mark)) 6))
                 (run-on "head" (list "kill" "-KILL" pid))
                 (test-assert (string-append on ": nothing is left of a script that was killed")
                   (await (lambda () (null? (marked-processes mark))) patience)))
            #:env (list mark)))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (test-bits)
      (test-loss "no power" (lambda () (cluster! "power-off" "n2")) (lambda () (cluster! "power-on" "n2")))
      (test-loss "no network" (lambda () (cluster! "partition" "n2")) (lambda () (cluster! "heal" "n2")))
      (test-made-without)
      (test-killed "slurm:nodes=3")))))
