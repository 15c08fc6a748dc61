;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Work beside that of the test itself, in a thread.  Guile's own join-thread returns no value at all for a thread that an error has ended,
;; so that the test fails with an error about values, and what was wrong is lost.
(define-module (background)
  #:use-module ((ice-9 threads) #:select (call-with-new-thread join-thread))
  #:export (in-background))

(define (in-background thunk)
  "Call @var{thunk}, which returns one value, in a thread of its own. Return a procedure of no argument that waits for its end, and returns
what @var{thunk} has returned or raises what it has raised."
  (let ((thread (call-with-new-thread
                 (lambda ()
                   (with-exception-handler
                       (lambda (error) (lambda () (raise-exception error)))
                     (lambda () (let ((value (thunk))) (lambda () value)))
                     #:unwind? #t)))))
    (lambda () ((join-thread thread)))))
