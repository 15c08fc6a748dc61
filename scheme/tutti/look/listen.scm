;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A way into a running job: a REPL for those who come.
(define-module (tutti look listen)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:autoload (tutti repl server) (start-server!)
  #:replace (listen))

(define listen-on-socket (@ (guile) listen))

(define* (listen #:optional socket (backlog 5))
  "Let others of this user talk to this job while it runs, as @command{tutti attach} does, and return the name of the socket to which they
come. They have a REPL each, in the module @code{(guile-user)}, which is the script's: they see its variables and can change them, and what
they evaluate runs in a thread of its own, beside the script.

The socket is in a folder that no other user can enter; whoever else comes is sent away. At most eight can be there at once. The job waits
for none of them, not at its end either. To call it again changes nothing.

With @var{socket} and @var{backlog} it is Guile's own procedure of that name, which lets others connect to a socket."
  (if socket
      (listen-on-socket socket backlog)
      (listen-here)))

(define (listen-here)
  (when (%in-worker?)
    (refuse 'listen "a worker has no REPL for others; call listen in the script, and look at workers from there: ,backtrace WORKER"))
  (let ((path (start-server!)))
    (if (pair? path)
        (refuse 'listen "nobody can come to this job: ~a" (car path))
        path)))
