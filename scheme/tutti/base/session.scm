;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A session is the run of one script. A program runs one script, or a REPL, and everything belongs to that. An application may run several
;; scripts at the same time, each in a thread of its own: what a script leaves behind in this process (open pools, counts, what is to be
;; done at its end) belongs to its session, so that no script sees another's. Threads that a script starts belong to its session as well.
(define-module (tutti base session)
  #:use-module (srfi srfi-9)
  #:export (make-session session-number session-owner session-port session-progress current-session call-with-session
            make-session-variable))

(define-record-type <session>
  (make-session number owner port progress)
  session?
  (number session-number)               ; from 1; #f: that of the program
  (owner session-owner)                 ; the engine's object for whose engine its pools belong to; #f: the default one
  (port session-port)                   ; the progress of maps that would be written here
  (progress session-progress))          ; is given to this procedure instead: see (tutti pool progress)

(for-each (lambda (procedure text) (set-object-property! procedure 'documentation text))
          (list make-session session-number session-owner session-port session-progress)
          '("Return a new session."
            "Return the number of a session of an application, from 1; @code{#f} for the program's."
            "Return the engine's object for whose engine the session's pools belong to, @code{#f} for the default one."
            "Return the port on which progress is not written, but told."
            "Return the procedure that is told the progress of the session's maps."))

;; Not a parameter: its value is asked for at each map, and threads inherit it as well.
(define session (make-fluid (make-session #f #f #f #f)))

(define (current-session)
  "Return the session that what runs now belongs to."
  (fluid-ref session))

(define (call-with-session it thunk)
  "Call @var{thunk} in the session @var{it}, and return its values."
  (with-fluids ((session it)) (thunk)))

(define (make-session-variable initial)
  "Return a procedure that returns what it was called with last in the current session, @var{initial} at first."
  (let ((values (make-weak-key-hash-table)))
    (case-lambda
      (() (hashq-ref values (current-session) initial))
      ((value) (hashq-set! values (current-session) value)))))
