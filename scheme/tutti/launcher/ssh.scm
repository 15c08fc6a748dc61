;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Agents by ssh, one on each host.
(define-module (tutti launcher ssh)
  #:use-module (ice-9 format)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (tutti launcher)
  #:use-module (tutti launcher hosts)
  #:export (ssh-launcher))

;;; Hosts.

;; [user@]host, [user@]host:port, [user@][address], [user@][address]:port; an address with several colons needs its brackets if a port
;; follows
(define with-brackets (make-regexp "^(.*@)?\\[([^][]+)\\](:([0-9]+))?$"))
(define with-port (make-regexp "^(.*@)?([^@:]+)(:([0-9]+))?$"))
(define address (make-regexp "^(.*@)?([^@:]*:[^@]*:[^@]*)$"))

(define (host-parts text)
  "Return the list of user (with its @, or empty), name and port, or #f, in TEXT; #f if it is no host."
  (let ((found (or (regexp-exec with-brackets text) (regexp-exec with-port text) (regexp-exec address text))))
    (and found
         (list (or (match:substring found 1) "")
               (match:substring found 2)
               (and (> (match:count found) 4) (match:substring found 4))))))

(define (host? x)
  (and (string? x)
       (not (string-prefix? "-" x))     ; ssh would take it for an option
       (not (string-any (lambda (c) (or (char-whitespace? c) (char-set-contains? char-set:iso-control c))) x))
       (let ((parts (host-parts x)))
         (and parts
              (not (string-prefix? "-" (second parts)))
              (or (not (third parts)) (<= 1 (string->number (third parts)) 65535))))))

(define (host-name text) (second (host-parts text)))

;;; Commands.

(define usual-options
  '("-T" "-a" "-x"
    ;; Nobody is there who could answer a question.
    "-o" "BatchMode=yes" "-o" "ConnectTimeout=10"
    "-o" "ServerAliveInterval=15" "-o" "ServerAliveCountMax=4"
    ;; What people have in their configuration for themselves: a connection that stays behind, and ports that one ssh alone can have.
    "-o" "ControlMaster=no" "-o" "ClearAllForwardings=yes"))

(define (quoted word)
  "Return WORD as the shell on the other side reads it: ssh gives it the words with spaces between them."
  (string-append "'" (string-join (string-split word #\') "'\\''") "'"))

;; An agent computes as its workers do, which have the script's environment; and OpenBLAS looks at this when a program begins.
(define (settings)
  (let ((core (getenv "OPENBLAS_CORETYPE")))
    (if core (list "env" (string-append "OPENBLAS_CORETYPE=" core)) '())))

(define (ssh-command host options agent)
  (let ((parts (host-parts host)))
    `(1 "ssh" ,@usual-options ,@options ,@(if (third parts) (list "-p" (third parts)) '())
        "--" ,(string-append (first parts) (second parts)) ,(string-join (cons "exec" (map quoted (append (settings) agent))) " "))))

(define (advise lines)
  (define (says? words) (any (lambda (line) (string-contains-ci line words)) lines))
  (cond ((says? "permission denied") "let ssh get there by a key, without a password: ssh-copy-id HOST")
        ((says? "host key verification failed") "`ssh HOST true' once, to accept the host's key")
        ((says? "could not resolve") "check the name of the host")
        ((or (says? "not found") (says? "no such file")) "install Tutti on the host in the same place, or say where it is with #:agent")
        ((or (says? "connection refused") (says? "timed out") (says? "no route")) "`ssh HOST true' must work; check that the host runs")
        (else "`ssh HOST true' must work without asking for anything")))

(define* (ssh-launcher complain hosts #:key (agent #f) (options '()))
  "Return what @code{ssh} does for @var{hosts}. @var{complain} is called with the name of an option, what is expected, and its value, if
that is not so."
  (when (null? hosts)
    (complain "hosts" "the names of one or more hosts" hosts))
  (for-each (lambda (host)
              (unless (host? host)
                (complain "host" "a name, user@host, host:port or [address]:port" host)))
            hosts)
  (unless (or (not agent) (and (string? agent) (not (string-null? agent))))
    (complain "#:agent" "the name of a file" agent))
  (unless (and (list? options) (every string? options))
    (complain "#:options" "a list of options of ssh" options))
  (make-launcher
   #:name "ssh"
   #:start (lambda (request)
             (let ((command (if agent (cons agent (cdr (request-command request))) (request-command request))))
               (map (lambda (host) (ssh-command host options command))
                    (if (request-hosts request)
                        (filter-map (lambda (name) (find-host name hosts host-name)) (request-hosts request))
                        hosts))))
   #:describe (format #f "ssh (~a)" (string-join hosts ", "))
   #:hosts (lambda () (map host-name hosts))
   #:advise advise))
