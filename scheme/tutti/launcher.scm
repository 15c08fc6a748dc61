;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Launchers: what starts agents on other machines, so that pools have workers there. A launcher says which commands these are; the engine
;; runs them.
(define-module (tutti launcher)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti conditions)
  #:autoload (tutti launcher slurm) (slurm-launcher)
  #:autoload (tutti launcher ssh) (ssh-launcher)
  #:autoload (tutti launcher text) (text->launcher)
  #:export (make-launcher launcher? launcher-name launcher->string local slurm ssh current-launcher
            request? request-hosts request-command request-invitation-file
            make-request start-commands stop-commands launcher-hosts launcher-tell launcher-advise launcher-over? as-launcher local?))

;;; What a launcher is asked for.

(define-record-type <request>
  (make-request hosts command write-file)
  request?
  (hosts hosts-of)
  (command command-of)
  (write-file write-file-of))           ; a procedure of the number of agents

(set-object-property! make-request 'documentation
                      "Return a request for agents on @var{hosts}, or all if that is @code{#f}, which are started by @var{command}.")
(set-object-property! request? 'documentation
                      "Return true if the argument is a request, as the procedure @code{#:start} of a launcher gets.")

(define-documented #:of request
  (request-hosts hosts-of
   "Return the list of names of the hosts on which @var{request} wants an agent each; @code{#f} if it wants all agents of the launcher.")
  (request-command command-of
   "Return the command that starts an agent, a list of strings."))

(define (request-invitation-file request count)
  "Return the name of a new file from which @var{count} agents will read what they need to find their master, for launchers whose commands
pass no standard input on: the agent's command gets the further arguments @samp{--invitation} and that name. It is in the folder
@file{tutti} below that for caches, in the home folder, which the hosts must see; nobody else can read it; it is removed in the end."
  ((write-file-of request) count))

;;; Launchers.

(define-record-type <launcher>
  (%make-launcher name start stop describe hosts tell advise over?)
  launcher?
  (name launcher-name)
  (start launcher-start)                ; #f: this machine; an exception: it is none, for that reason
  (stop launcher-stop)
  (describe launcher-describe)
  (hosts hosts-procedure)
  (tell launcher-tell)
  (advise launcher-advise)
  (over? launcher-over?))

(for-each (lambda (procedure text) (set-object-property! procedure 'documentation text))
          (list launcher? launcher-name launcher-tell launcher-advise launcher-over?)
          '("Return true if the argument is a launcher."
            "Return the name of a launcher, a string."
            "Return the procedure of a launcher that says what people are told of a line of its commands."
            "Return the procedure of a launcher that says what to do when its commands have failed."
            "Return the procedure of a launcher that says whether no command of it can start anything any more."))

(define (check-text option value)
  (unless (and (string? value) (not (string-null? value)) (not (string-any char-set:iso-control value)))
    (refuse 'make-launcher "~a: expected one line of text, got ~s" option value)))

(define* (make-launcher #:key name start (stop #f) (describe #f) (hosts (const #f)) (tell identity) (advise (const #f))
                        (over? (const #f)))
  "Return a launcher, which starts agents on other machines: each runs the workers of its machine. @var{name} is what messages call it.

@var{start} is a procedure that is called with a request and returns the list of commands to be run here, each a list of how many agents
it starts and of the strings that are the command: @code{((2 \"launch\" \"-n\" \"2\" \"tutti-agent\"))}. The agent's command is
@code{(request-command request)}. Each agent reads from its standard input, of which every one must get all; where that cannot be, see
@code{request-invitation-file}. A command lives as long as its agents; one that ends by itself is listed as one that starts none. When
an agent is to be started again, @code{(request-hosts request)} is the list of its host's name; a launcher that cannot do that
returns the empty list.

@var{stop} is a list of commands to be run in the end, a procedure that returns one, or @code{#f}. They get ten seconds. Commands of
@var{start} that live then are ended by SIGTERM. @var{describe} is one line of text, or a procedure that returns one.

@var{hosts} is a procedure that returns the names of the hosts, if they are known before: if a command for several of them fails, it is
tried with each by itself, so that one that is down does not keep the others away. @var{tell} is a procedure of a line that a
command has written, which returns what people are told of it, or @code{#f}. @var{advise} is a procedure of the last lines of commands
that have failed, which returns what to do, or @code{#f}. @var{over?} is a procedure of the last lines of a command that was to start an
agent again and has failed; it returns true if none can be started any more, as in an allocation that has ended."
  (check-text "#:name" name)
  (unless (procedure? start)
    (refuse 'make-launcher "#:start: expected a procedure of a request that returns a list of commands, got ~s" start))
  (unless (or (not stop) (procedure? stop) (list? stop))
    (refuse 'make-launcher "#:stop: expected a list of commands, a procedure that returns one, or #f; got ~s" stop))
  (unless (or (not describe) (procedure? describe))
    (check-text "#:describe" describe))
  (for-each (lambda (option value)
              (unless (procedure? value)
                (refuse 'make-launcher "~a: expected a procedure, got ~s" option value)))
            '("#:hosts" "#:tell" "#:advise" "#:over?") (list hosts tell advise over?))
  (%make-launcher name start stop describe hosts tell advise over?))

(define (launcher->string launcher)
  "Return one line about @var{launcher}: what it starts, and where."
  (match (launcher-describe launcher)
    (#f (launcher-name launcher))
    ((? string? text) text)
    (describe (let ((text (describe))) (if (string? text) text (launcher-name launcher))))))

(set-record-type-printer! <launcher>
  (lambda (launcher port)
    (format port "#<launcher ~a>" (launcher->string launcher))))

;;; What launchers answer.

(define (command? x)
  (and (pair? x) (list? x)
       (every (lambda (word) (and (string? word) (not (string-index word #\nul)))) x)
       (not (string-null? (car x)))))

(define (start-commands launcher request)
  "Return what the procedure @code{#:start} of @var{launcher} returns for @var{request}: pairs of a number of agents and a command."
  (let ((answer ((launcher-start launcher) request)))
    (unless (list? answer)
      (refuse (string->symbol (launcher-name launcher)) "#:start: expected a list of commands, got ~s" answer))
    (for-each (lambda (entry)
                (unless (and (pair? entry) (exact-integer? (car entry)) (>= (car entry) 0) (command? (cdr entry)))
                  (refuse (string->symbol (launcher-name launcher))
                         "#:start: expected the number of agents that a command starts, and then the strings that are the command, \
as in (2 \"launch\" \"-n\" \"2\" \"tutti-agent\"); got ~s" entry)))
              answer)
    answer))

(define (stop-commands launcher)
  "Return the commands that @var{launcher} wants to be run in the end."
  (let* ((stop (launcher-stop launcher))
         (answer (or (if (procedure? stop) (stop) stop) '())))
    (unless (and (list? answer) (every command? answer))
      (refuse (string->symbol (launcher-name launcher)) "#:stop: expected a list of commands, each a list of strings; got ~s" answer))
    answer))

(define (launcher-hosts launcher)
  "Return the names of the hosts on which @var{launcher} starts agents, or @code{#f} if it does not know."
  ((hosts-procedure launcher)))

;;; Those that there are.

(define this-machine (%make-launcher "local" #f #f "this machine" (const #f) identity (const #f) (const #f)))

(define (local)
  "Return the launcher that starts nothing: workers run on this machine."
  this-machine)

(define (local? launcher)
  "Return true if @var{launcher} is that of this machine."
  (eq? launcher this-machine))

(define* (slurm #:key (nodes #f) (partition #f) (time #f) (account #f) (qos #f) (cpus #f) (extra '()) (agent #f))
  "Return a launcher that starts an agent on each of @var{nodes} nodes of a cluster, by Slurm's @command{srun}, each in a
job step of its own.

In an allocation, as in a script for @command{sbatch} or below @command{salloc}, these are nodes of that, by default all; the other
keywords, which are about an allocation, have no effect. Submit with @option{--no-kill}, so that Slurm does not end everything when one
node fails.

Elsewhere @command{salloc} asks for an allocation, by default of one node, and waits in the queue. @var{partition}, @var{time}
(@code{\"10:00\"} as Slurm writes it, or a number of minutes), @var{account} and @var{qos} are as for salloc. The nodes are for nobody
else, unless @var{cpus} says how many processors of each are wanted. The allocation ends with the pools that use it, ten seconds after the
last of them, and with the script.

@var{extra} is a list of further options: of salloc, or of srun in an allocation; @var{agent} is where the nodes have the program
@command{tutti-agent}, by default where it is here."
  (slurm-launcher (lambda (name expected value) (refuse 'slurm "#:~a: expected ~a; got ~s" name expected value))
                  #:nodes nodes #:partition partition #:time time #:account account #:qos qos #:cpus cpus #:extra extra #:agent agent))

(define (ssh . hosts)
  "Return a launcher that starts an agent on each of @var{hosts}, by @command{ssh}, which must get there without asking for anything. A
host is a string: its name or address, @code{\"user@@host\"}, @code{\"host:port\"} or @code{\"user@@[address]:port\"}. Behind the hosts
may follow the keywords @code{#:agent}, where the hosts have the program @command{tutti-agent}, by default where it is here; and
@code{#:options}, a list of further options of ssh."
  (call-with-values (lambda () (break keyword? hosts))
    (lambda (hosts options)
      (match options
        ((or () ((or #:agent #:options) _) (#:agent _ #:options _) (#:options _ #:agent _)) #t)
        (_ (refuse 'ssh "expected hosts, then #:agent FILE and #:options LIST; got ~s" options)))
      (apply ssh-launcher (lambda (name expected value) (refuse 'ssh "~a: expected ~a; got ~s" name expected value)) hosts options))))

;;; The one that is used.

(define* (as-launcher x #:optional (who 'current-launcher))
  "Return @var{x}, a launcher, or the one that the text @var{x} describes; complain in the name of @var{who} if it is neither."
  (cond ((and (launcher? x) (exception? (launcher-start x))) (raise-exception (launcher-start x)))
        ((launcher? x) x)
        ((string? x) (text->launcher x who))
        (else (refuse who "expected a launcher, such as (ssh \"host\"), or a text, such as \"ssh:host\"; got ~s" x))))

(define (launcher-of-environment)
  (let ((text (getenv "TUTTI_ON")))
    (if (or (not text) (string-null? text))
        this-machine
        (with-exception-handler
            ;; Who asks for a pool is told (see as-launcher), not who loads this.
            (lambda (exception)
              (%make-launcher "TUTTI_ON" exception #f (string-append "TUTTI_ON=" text) (const #f) identity (const #f) (const #f)))
          (lambda () (text->launcher text 'TUTTI_ON))
          #:unwind? #t #:unwind-for-type &tutti-error))))

(define current-launcher
  (let ((initial (launcher-of-environment)))
    (make-parameter initial (lambda (x) (if (eq? x initial) x (as-launcher x))))))
(set-object-property! current-launcher 'documentation
                      "What starts the machines on which @code{make-pool} has workers if @code{#:on} does not say: a parameter. It takes a
launcher, or a text as @command{tutti run --on} does. It is what that says; otherwise @env{TUTTI_ON}; otherwise this machine.")
