;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a task leaves in its worker for the next ones of the same call: large private vectors, which others get in pieces. A vector is as
;; the task left it, whatever other tasks do to it later: before one of these runs, it becomes a copy. A worker that dies takes along what
;; was left in it; who asks then gets nothing, and has to do it again.
(define-module (tutti worker left)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base primitives)
  #:export (leave-vector! left-vector forget-left! settle-left! use-left!))

;; More are left by calls that were given up, and go: the oldest first.
(define most 16)

;; Lists of number, vector, and whether that is a copy of ours; the latest first.
(define entries '())
(define last-number 0)

;; The procedures whose tasks are for what was left. They change none of it.
(define users '())

(define (use-left! procedure)
  "Let tasks that call @var{procedure} find what was left without a copy. It changes nothing of that."
  (set! users (cons procedure users)))

(define (leave-vector! v)
  "Keep the f64vector or c64vector @var{v} and return the number under which it is found."
  (set! last-number (1+ last-number))
  (set! entries (cons (list last-number v #f) (if (< (length entries) most) entries (list-head entries (1- most)))))
  last-number)

(define (left-vector number)
  "Return the vector that was left under @var{number}, @code{#f} if there is none."
  (let ((entry (assv number entries)))
    (and entry (cadr entry))))

(define (forget-left! number)
  "Forget what was left under @var{number}."
  (set! entries (filter (lambda (entry) (not (eqv? number (car entry)))) entries)))

(define (copied v)
  (%vec-part v 0 (if (f64vector? v) (f64vector-length v) (c64vector-length v))))

(define (settle-left! procedure)
  "A task that calls @var{procedure} is about to run: make copies of what was left, unless it is one of those for which that was left."
  (unless (or (null? entries) (memq procedure users))
    (set! entries (map (lambda (entry)
                         (if (caddr entry)
                             entry
                             (list (car entry) (copied (cadr entry)) #t)))
                       entries))))
