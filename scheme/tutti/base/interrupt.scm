;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Ctrl-C, and the other signals that ask a program to end, SIGTERM and SIGHUP. A script that uses this library ends by them in
;; good order: scopes unwind, workers end, and then the process ends by the signal, so that a shell stops its own loops and a batch system
;; sees what has happened. A signal that another program handles, as Guile's REPL does with SIGINT, or ignores, as nohup does with SIGHUP,
;; is left alone.
(define-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:export (install-interrupt-handler! call-with-interrupts call-cancelling))

(define patience 5)                     ; seconds: closing a pool takes two at most

(define (seconds-now)
  (/ (get-internal-real-time) internal-time-units-per-second))

(define first-signal-at #f)

(define (die-of-signal signal)
  (cond ((not first-signal-at)
         (set! first-signal-at (seconds-now))
         (%die-of-signal-at-exit! signal)
         ;; No other signal may cut the unwinding short, and none may be left to its default action: nothing restores the handlers any
         ;; more.
         (for-each arm! (%unhandled-signals))
         (throw 'quit (+ 128 signal)))
        ;; The unwinding hangs, or the script has caught it and goes on as if nothing had happened: a second signal ends the process.
        ((> (- (seconds-now) first-signal-at) patience)
         (%die-of-signal! signal))))

(define (ours? signal)
  (eq? (car (sigaction signal)) die-of-signal))

(define (arm! signal)
  (%signal-received! signal)
  (unless (ours? signal)
    (%check-signal-thread)
    (sigaction signal die-of-signal)))

(define (disarm! signal)
  (when (and (ours? signal) (not first-signal-at))
    (%signal-default! signal)))

(define (install-interrupt-handler!)
  "Let Ctrl-C, SIGTERM and SIGHUP unwind the program and end it, where there is no handler already."
  (for-each arm! (%unhandled-signals)))

(define (call-with-interrupts thunk)
  "Call @var{thunk}, which waits. Meanwhile Ctrl-C, SIGTERM and SIGHUP unwind the program, if otherwise they would have ended it on the
spot."
  (let ((signals (%unhandled-signals)))
    (if (null? signals)
        (thunk)
        (dynamic-wind
          (lambda () (for-each arm! signals))
          thunk
          (lambda () (for-each disarm! signals))))))

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
