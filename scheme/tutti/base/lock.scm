;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Mutexes for what all of a process shares.  A script that an application interrupts must not be left while it holds one: with-mutex
;; unlocks in the last guard of a dynamic-wind, and whoever interrupts a thread right there leaves the mutex locked for ever.  So
;; whoever interrupts asks first.
(define-module (tutti base lock)
  #:use-module ((ice-9 threads) #:select (current-thread make-mutex mutex-owner with-mutex))
  #:export (make-shared-mutex holds-shared-mutex? note-shared-mutex!)
  #:re-export (with-mutex))

(define mutexes '())

(define (note-shared-mutex! mutex)
  "Let @code{holds-shared-mutex?} ask about @var{mutex} as well.  It is never forgotten: for mutexes at top level."
  (set! mutexes (cons mutex mutexes)))

(define (make-shared-mutex . kind)
  "Return a new mutex, of @var{kind} as for @code{make-mutex}, for a variable at top level.  It is held for moments only, and
while nobody waits for the application."
  (let ((mutex (apply make-mutex kind)))
    (note-shared-mutex! mutex)
    mutex))

(define (holds-shared-mutex?)
  "Return whether this thread holds a mutex of @code{make-shared-mutex}."
  (let ((self (current-thread)))
    (let loop ((rest mutexes))
      (and (pair? rest)
           (or (eq? (mutex-owner (car rest)) self)
               (loop (cdr rest)))))))
