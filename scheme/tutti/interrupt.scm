;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Ctrl-C. Whoever runs a script by this library dies of it properly: scopes unwind, processes end, and then the process ends by
;; SIGINT, so that the shell stops its own loops as well. Where somebody else handles SIGINT, as Guile's REPL does, nothing is changed.
(define-module (tutti interrupt)
  #:use-module (tutti primitives)
  #:export (install-interrupt-handler! call-with-interrupts call-cancelling))

(define (die-of-interrupt signal)
  (%die-of-interrupt-at-exit!)
  ;; A second Ctrl-C must not cut the unwinding short in the middle; the engine bounds how long it takes.
  (sigaction SIGINT SIG_IGN)
  (throw 'quit 130))

(define (unhandled? signal)
  (eqv? (car (sigaction signal)) SIG_DFL))

(define (install-interrupt-handler!)
  "Let Ctrl-C unwind the program and end it, unless there is a handler already."
  (when (unhandled? SIGINT)
    (sigaction SIGINT die-of-interrupt)))

(define (call-with-interrupts thunk)
  "Call @var{thunk}, which waits. Meanwhile Ctrl-C unwinds the program, if otherwise it would have ended it on the spot."
  (if (unhandled? SIGINT)
      (let ((installed? #f))
        (dynamic-wind
          (lambda () (sigaction SIGINT die-of-interrupt) (set! installed? #t))
          thunk
          (lambda ()
            (when (and installed? (eq? (car (sigaction SIGINT)) die-of-interrupt))
              (sigaction SIGINT SIG_DFL)))))
      (thunk)))

(define (call-cancelling thunk cancel)
  "Call @var{thunk}, which waits, and return its value. If it is left in any other way, by Ctrl-C above all, call @var{cancel}. An
exception goes on only after that, from here: Guile's REPL stays inside of what raised, and what it waited for would keep workers busy."
  (let ((complete? #f))
    (with-exception-handler raise-exception
      (lambda ()
        (dynamic-wind
          (const #t)
          (lambda ()
            (let ((value (thunk)))
              (set! complete? #t)
              value))
          (lambda () (unless complete? (cancel)))))
      #:unwind? #t)))
