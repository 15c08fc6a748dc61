;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What does not come to be on several hosts, and says why: launchers that cannot do what they are asked for, agents of another version,
;; and strangers at the door.
(use-modules (tap) (cluster) (cluster-jobs) (pace) (programs) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define programs (getenv "TUTTI_LIBEXECDIR"))

(define (write-program name . lines)
  (let ((file (in-folder name)))
    (call-with-output-file file (lambda (port) (display (string-join (cons "#!/bin/bash" lines) "\n" 'suffix) port)))
    (chmod file #o755)
    file))

;;; Launchers, all in one script: what comes of a text, and after how many seconds.

(define cases
  `(("slurm:nodes=0" "nodes" "expected" "0")
    ("slurm:partition=nowhere" "no node has come up" "invalid partition" "`sinfo' lists the partitions")
    ("slurm:nodes=2,agent=/nowhere/tutti-agent" "no node has come up" "/nowhere/tutti-agent" "the nodes must have tutti-agent")
    ("ssh:nowhere" "no node has come up" "nowhere" "check the name of the host")
    ("ssh:n1:2222" "no node has come up" "refused" "check that the host runs")
    ("ssh:10.78.0.99" "no node has come up" "10.78.0.99" "check that the host runs")
    ("ssh:nobody@n1" "no node has come up" "Permission denied" "ssh-copy-id")
    ("ssh:n1,agent=/nowhere/tutti-agent" "no node has come up" "/nowhere/tutti-agent" "install Tutti on the host")))

(define (test-launchers)
  (let* ((script (write-script "launchers.scm"
                               '((use-modules (tutti) (ice-9 exceptions))
                                 (for-each
                                  (lambda (on)
                                    (let ((begun (get-internal-real-time)))
                                      (write (list on
                                                   (guard (c ((tutti-error? c) (exception-message c)))
                                                     (call-with-pool 2 (const 'none) #:on on))
                                                   (/ (- (get-internal-real-time) begun) internal-time-units-per-second 1.)))
                                      (newline)))
                                  (cdr (command-line))))))
         (done (tutti-on "head" script (map car cases))))
    (test-equal "the script goes on" 0 (program-status done))
    (call-with-input-string (program-output done)
      (lambda (port)
        (for-each (match-lambda
                    ((on . words)
                     (match (read port)
                       ((_ message seconds)
                        (test-equal on #t (apply says? (if (string? message) message (object->string message)) words))
                        (test-assert (string-append on ": soon") (< seconds 20)))
                       (_ (test-equal (string-append on ": an answer") "" (program-errors done))))))
                  cases)))))

;;; Another version.

(define (replace-all text from to)
  (let loop ((start 0) (parts '()))
    (let ((at (string-contains text from start)))
      (if at
          (loop (+ at (string-length from)) (cons* to (substring text start at) parts))
          (string-concatenate-reverse (cons (substring text start) parts))))))

(define (make-other-agent version other)
  "Write an agent that takes itself for version OTHER, and return its name."
  (let ((file (in-folder "other-agent")))
    (call-with-output-file file
      (lambda (port)
        (display (replace-all (call-with-input-file (string-append programs "/tutti-agent") get-string-all #:encoding "ISO-8859-1")
                              (string-append "\0" version "\0") (string-append "\0" other "\0"))
                 port))
      #:encoding "ISO-8859-1")
    (chmod file #o755)
    file))

(define job
  '((use-modules (tutti) (srfi srfi-1))
    (call-with-pool 6
      (lambda (pool)
        (display (sort (delete-duplicates (pool-apply pool (remote (lambda () (gethostname))))) string<?))
        (display " ")
        (display (apply + (pool-map pool (remote (lambda (i) (* i i))) (iota 100))))
        (newline)))))

(define (run-with-agent . lines)
  "Run a job on three hosts; on n2 a program of shell with LINES is its agent."
  (let ((agent (apply write-program "agent" (format #f "[ \"$(hostname)\" = n2 ] || exec ~a/tutti-agent" programs) lines)))
    (tutti-on "head" (write-script "job.scm" job) #:options (list "--on" (string-append "ssh:n1,n2,n3,agent=" agent)))))

(define (test-version)
  (let* ((version (last (string-tokenize (program-output (run-program (list tutti "--version"))))))
         (other (string-append (string-drop-right version 1) "z"))
         (agent (make-other-agent version other))
         ;; What the program finds beside itself it has to be told.
         (start (format #f "TUTTI_LIBEXECDIR=~a LD_LIBRARY_PATH=~a/.. ~a" programs programs agent)))
    (for-each
     (lambda (name command)
       (let ((done (run-with-agent command)))
         (test-equal (string-append name ": it goes on with the others") '(0 "(n1 n3) 328350\n")
           (list (program-status done) (program-output done)))
         (test-equal (string-append name ": it is refused and named") #t
           (says? (program-errors done) "n2" version other "install the same"))))
     '("another version" "another version that comes nevertheless")
     (list start (format #f "sed -u 's/^version: .*/version: ~a/' | ~a" other start)))))

;;; Strangers. As long as the agent of n2 has not come, the door is open, and what it was given tells where.

(define strangers
  `("invitation=$(sed '/^end$/q')"
    "port=$(sed -n 's/^port: //p' <<< \"$invitation\")"
    "exec 5<> /dev/tcp/head/$port       # says nothing"
    "exec 6<> /dev/tcp/head/$port; printf 'GET / HTTP/1.1\\r\\n\\r\\n' >&6; timeout 10 cat <&6 > /dev/null 2>&1"
    "[ $? != 124 ] || echo plain: not closed >&2"
    "head -c 100000 /dev/urandom > /dev/tcp/head/$port"
    "timeout 10 openssl s_client -tls1_3 -connect head:$port < <(sleep 15) > /dev/null 2>&1"
    "[ $? != 124 ] || echo no certificate: not closed >&2"
    "own=$(mktemp)"
    "sed -n '/^-----BEGIN/,/^-----END/p' <<< \"$invitation\" > \"$own\""
    "yes garbage | timeout 10 openssl s_client -tls1_3 -cert \"$own\" -key \"$own\" -connect head:$port > /dev/null 2>&1"
    "[ $? != 124 ] || echo garbage: not closed >&2"
    "rm \"$own\""
    "exec 6>&-"
    ,(format #f "~a/tutti-agent <<< \"$invitation\"" programs)))

(define (test-strangers)
  (let ((done (apply run-with-agent strangers)))
    (test-equal "the run is not disturbed" '(0 "(n1 n2 n3) 328350\n") (list (program-status done) (program-output done)))
    (test-equal "people are told" #t (says? (program-errors done) "it does not speak TLS"))
    (test-equal "nobody is let in" #f (and (string-contains (program-errors done) "not closed") (program-errors done)))))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (test-group "launchers" (test-launchers))
      (test-group "version" (test-version))
      (test-group "strangers" (test-strangers))))))
