;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Tests on several hosts, which are virtual ones on this machine: see the program cluster in this folder.
;;
;; A test program has one cluster, for all its cases:
;;
;;   (call-with-tap
;;    (lambda ()
;;      (call-with-cluster
;;        (lambda ()
;;          (test-equal "srun" "n1\n" (program-output (run-on "head" '("srun" "-N1" "hostname"))))
;;          (test-equal "a script" 0 (program-status (tutti-on "head" script '("argument"))))))))
;;
;; Where no cluster can be, the whole program is skipped, with the reason. The cluster ends when this procedure is left, when this process
;; ends, however it does, and in any case after #:seconds; then nothing of it is left, neither processes nor files.
;;
;; What runs on a host has the environment of the test, and so that of the build (TUTTI and others), but TMPDIR: each host has a /tmp of its
;; own. Files in the source tree, in the build tree and in (cluster-folder) are the same on all hosts; so scripts and what they write for
;; the test belong there. srun hands the environment on, ssh does not: see over-ssh. The hosts are head, where Slurm's controller runs and
;; no job, and n1 to nN, with two processors each.
;;
;; Processes on hosts are processes of this machine: those that a test has started are found by marked-processes of (processes) with a mark
;; in #:env, whichever host they are on and whatever has started them.
(define-module (cluster)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 regex)
  #:use-module (programs)
  #:use-module (srfi srfi-1)
  #:use-module (tap)
  #:export (call-with-cluster cluster-folder in-folder cluster-command run-on tutti-on over-ssh call-with-running-on cluster! allocate))

(define cluster-command (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/cluster"))

(define folder (make-parameter #f))

(define (cluster-folder)
  "Return the name of a folder that is the same on all hosts and here, and is removed with the cluster."
  (folder))

(define (in-folder . parts)
  "Return the name of the file that all hosts see whose name below that folder is @var{parts}, one behind the other."
  (string-append (folder) "/" (string-concatenate parts)))

(define (state-folder) (string-append (folder) "/state"))

(define* (call-with-cluster thunk #:key (hosts 3) (slurm? #t) (ssh? #t) (seconds 300))
  "Call @var{thunk} while there is a cluster of @var{hosts}, for @var{seconds} at most. Where there can be none, the test program is
skipped."
  (call-with-folder
   (lambda (name)
     (let ((before (getenv "TMPDIR")))
       (parameterize ((folder name))
         (dynamic-wind
           (lambda ()
             (unsetenv "TMPDIR")
             (setenv "CLUSTER_DIR" (state-folder))
             (setenv "CLUSTER_SHARE" name)
             (setenv "CLUSTER_TTL" (number->string seconds))
             (setenv "CLUSTER_OWNER" (number->string (getpid))))
           (lambda ()
             (start! hosts slurm? ssh?)
             (thunk))
           (lambda ()
             (run-program (list cluster-command "down"))
             (for-each unsetenv '("CLUSTER_DIR" "CLUSTER_SHARE" "CLUSTER_TTL" "CLUSTER_OWNER"))
             (when before (setenv "TMPDIR" before)))))))))

(define (start! hosts slurm? ssh?)
  (let ((made (run-program `(,cluster-command "up" ,(number->string hosts) ,@(if slurm? '("--slurm") '()) ,@(if ssh? '("--ssh") '())))))
    (match (program-status made)
      (0 #t)
      (77 (system* "rm" "-rf" (folder)) ; no way back from here
          (tap-skip-all (string-trim-right (program-errors made))))
      (status (error "the cluster did not come up:" status (program-errors made))))))

(define (cluster! . arguments)
  "Call the program cluster with @var{arguments}, such as @code{\"partition\" \"n2\"}, and return its output; an error if it fails."
  (let ((done (run-program (cons cluster-command arguments))))
    (unless (eqv? (program-status done) 0)
      (error "cluster failed:" arguments (program-status done) (program-errors done)))
    (program-output done)))

(define (command-on host command) (cons* cluster-command "exec" host command))

(define* (run-on host command #:key (env '()) (seconds 60))
  "Run @var{command}, a list of strings, on @var{host}, and return what came of it, as @code{run-program} does."
  (run-program (command-on host command) #:env env #:seconds seconds))

(define* (tutti-on host script #:optional (arguments '()) #:key (options '()) (env '()) (seconds 120))
  "Run @code{tutti run} with @var{options}, the file @var{script} and @var{arguments} on @var{host}, and return what came of it."
  (run-on host `(,tutti "run" ,@options ,script ,@arguments) #:env env #:seconds seconds))

(define (allocate hosts)
  "Return the setting by which a program knows a job of Slurm with all processors of @var{hosts} hosts, which stays until the cluster ends."
  (let ((made (run-on "head" (list "salloc" "--no-shell" (format #f "-N~a" hosts) (format #f "-n~a" (* 2 hosts))))))
    (string-append "SLURM_JOB_ID=" (match:substring (string-match "allocation ([0-9]+)" (program-errors made)) 1))))

;; Of a program of the build.
(define needed-variables
  '("TUTTI" "TUTTI_LIBEXECDIR" "TUTTI_MODULEDIR" "TUTTI_SOURCE_DIR" "TUTTI_BUILD_DIR" "TUTTI_HELPERS" "GUILE_LOAD_PATH"
    "GUILE_LOAD_COMPILED_PATH" "GUILE_EXTENSIONS_PATH" "GUILE_AUTO_COMPILE" "LD_LIBRARY_PATH" "OPENBLAS_NUM_THREADS" "LC_ALL"))

(define (over-ssh host command)
  "Return the command, a list of strings, that runs @var{command} on @var{host} by ssh, with those variables of this environment that a
program of the build needs."
  (define (setting name) (let ((value (getenv name))) (if value (list (string-append name "=" value)) '())))
  (define (quoted word) (string-append "'" (string-join (string-split word #\') "'\\''") "'"))
  (list "ssh" host
        (string-join
         (map quoted
              (append '("env") (append-map setting needed-variables) command)))))

(define* (call-with-running-on host command proc #:key (env '()))
  "Call @var{proc} with a port, to and from @var{command}, which runs on @var{host}, and return what it returns. The command ends then."
  (let ((port (apply open-pipe* OPEN_BOTH (if (null? env) (command-on host command) (append '("env") env (command-on host command))))))
    (dynamic-wind
      (const #t)
      (lambda () (proc port))
      (lambda () (close-pipe port)))))
