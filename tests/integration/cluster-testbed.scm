;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The virtual cluster of the tests is one: hosts of their own, Slurm, ssh, networks that are cut and healed, losses of power; and an end
;; that leaves nothing.
(use-modules (tap) (cluster) (pace) (processes) (programs) (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (sh host script . arguments) (run-on host (cons* "sh" "-c" script "sh" arguments)))
(define (lines text) (remove string-null? (string-split text #\newline)))

(define (test-hosts)
  (test-equal "hosts" '("head" "n1" "n2" "n3")
    (map (lambda (line) (first (string-split line #\space))) (lines (cluster! "status"))))
  (test-equal "each has a name" "n2\n" (program-output (run-on "n2" '("hostname"))))
  (test-equal "a status comes back" 7 (program-status (sh "n1" "exit 7")))
  (test-assert "an error is seen" (string-contains (program-errors (sh "n1" "echo oh >&2")) "oh"))
  (sh "n1" "cd /tmp; echo here > file; echo here > /dev/shm/file; echo here > \"$1/file\"" (cluster-folder))
  (test-equal "temporary files are a host's own" "no no here\n"
    (program-output (sh "n2" "cd /tmp; cat file 2>/dev/null || printf 'no '; cat /dev/shm/file 2>/dev/null || printf 'no '; cat \"$1/file\""
                        (cluster-folder))))
  (test-equal "machine and boot ids, too" 8
    (length (delete-duplicates
             (append-map (lambda (host) (lines (program-output (sh host "cat /etc/machine-id /proc/sys/kernel/random/boot_id"))))
                         '("head" "n1" "n2" "n3"))))))

(define (test-programs)
  (test-equal "srun" '("n1" "n2" "n3") (sort (lines (program-output (run-on "head" '("srun" "-N3" "hostname")))) string<?))
  (test-equal "its status" 3 (program-status (run-on "head" '("srun" "-N1" "sh" "-c" "exit 3"))))
  (test-equal "ssh" "n2\n" (program-output (run-on "n1" '("ssh" "n2" "hostname"))))
  (let ((script (string-append (cluster-folder) "/script.scm"))
        (expected "(0 1 4 9)\n"))
    (call-with-output-file script
      (lambda (port)
        (write '(use-modules (tutti)) port)
        (write '(call-with-pool 2 (lambda (pool) (write (pool-map pool (remote () (lambda (i) (* i i))) (iota 4))) (newline)))
               port)))
    (test-equal "a script on head" expected (program-output (tutti-on "head" script)))
    (test-equal "by srun" expected (program-output (run-on "head" (list "srun" "-N1" tutti "run" script))))
    (test-equal "by ssh" expected (program-output (run-on "head" (over-ssh "n3" (list tutti "run" script)))))))

(define (test-network)
  ;; An echo on n2, to which n1 has a connection; what has come back is in a file.
  (define heard (string-append (cluster-folder) "/heard"))
  (define (heard? text seconds) (await (lambda () (string=? text (call-with-input-file heard get-string-all))) seconds #:pause 10000))
  (call-with-running-on "n1" (list "sh" "-c" "exec ssh n2 'while read x; do echo \"$x\"; done' > \"$1\"" "sh" heard)
    (lambda (port)
      (define (say text) (write-line text port) (force-output port))
      (say "one")
      (test-assert "a connection" (await (lambda () (and (file-exists? heard) (heard? "one\n" 0))) patience))
      (cluster! "partition" "n2")
      (say "two")
      (test-assert "a cut: nothing arrives" (not (heard? "one\ntwo\n" 1)))
      (test-equal "the host goes on" "n2\n" (program-output (run-on "n2" '("hostname"))))
      (cluster! "heal" "n2")
      (test-assert "healed: it arrives" (heard? "one\ntwo\n" patience)))))

(define (test-power)
  (define mark (make-mark))
  (define (boot) (program-output (run-on "n3" '("cat" "/proc/sys/kernel/random/boot_id"))))
  (let ((before (boot)))
    (sh "n3" "cd /tmp; echo here > file")
    (call-with-running-on "n3" '("sh" "-c" "echo up; sleep 1000")
      (lambda (port)
        (read-line port)
        (cluster! "power-off" "n3"))
      #:env (list mark))
    (test-assert "without power no process" (await (lambda () (null? (marked-processes mark))) patience))
    (test-equal "none can be started" 255 (program-status (run-on "n3" '("true"))))
    (test-assert "nobody answers" (not (eqv? 0 (program-status (run-on "head" '("ssh" "-o" "ConnectTimeout=1" "n3" "true"))))))
    (cluster! "power-on" "n3")
    (test-assert "another boot" (not (string=? before (boot))))
    (test-equal "temporary files are gone" 1 (program-status (sh "n3" "cd /tmp; test -e file")))
    (test-equal "Slurm has it again" "n3\n" (program-output (run-on "head" '("srun" "-N1" "-w" "n3" "hostname"))))))

;;; The end.

(define (network pid) (false-if-exception (readlink (format #f "/proc/~a/ns/net" pid))))
(define (all-pids) (filter-map string->number ((@ (ice-9 ftw) scandir) "/proc" (lambda (name) (string-every char-numeric? name)))))

(define (host-pids status)
  "Return the first processes of the hosts, according to the text STATUS."
  (map (lambda (line) (string->number (fifth (string-tokenize line)))) (lines status)))

(define (processes-in networks) (filter (lambda (pid) (and=> (network pid) (lambda (net) (member net networks)))) (all-pids)))

(define (test-owner)
  "A cluster whose test is killed."
  (call-with-folder
   (lambda (folder)
     (let* ((state (string-append folder "/state"))
            (script "CLUSTER_OWNER=$$ \"$0\" up 1 --ssh && \"$0\" status; kill -KILL $$")
            (made (run-program (list "sh" "-c" script cluster-command) #:env (list (string-append "CLUSTER_DIR=" state))))
            (pids (host-pids (program-output made))))
       (test-equal "it was there" 2 (length pids))
       (test-assert "it ends with its owner" (await (lambda () (and (every process-gone? pids) (not (file-exists? state)))) patience))))))

(define (test-obstacles)
  (call-with-folder
   (lambda (folder)
     (for-each (lambda (name) (symlink (string-append "/bin/" name) (string-append folder "/" name))) '("bash" "readlink"))
     (let ((refused (run-program (list cluster-command "up" "1" "--slurm")
                                 #:env (list (string-append "PATH=" folder) (string-append "CLUSTER_DIR=" folder "/state")))))
       (test-equal "packages that are missing: its status" 77 (program-status refused))
       (test-assert "their names" (string-contains (program-errors refused) "packages of Debian are missing: util-linux slurm-wlm"))))))

(call-with-tap
 (lambda ()
   (let ((networks '()))
     (call-with-cluster
      (lambda ()
        (test-group "hosts" (test-hosts))
        (test-group "programs" (test-programs))
        (test-group "network" (test-network))
        (test-group "power" (test-power))
        (set! networks (filter-map network (host-pids (cluster! "status"))))
        (test-assert "its processes are known" (> (length (processes-in networks)) 8))))
     (test-equal "none is left" '() (processes-in networks)))
   (test-group "owner" (test-owner))
   (test-group "obstacles" (test-obstacles))))
