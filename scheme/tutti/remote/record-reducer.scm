;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Types of records that travel as the call that makes them again.
(define-module (tutti remote record-reducer)
  #:export (set-record-reducer! record-reducer))

;; The procedure that returns that call, by type.
(define reducers (make-hash-table))

(define (set-record-reducer! type reducer)
  "Let records of @var{type} travel as a call. @var{reducer} is called with a record, and returns the list of a procedure and its
arguments, which travel and are applied on arrival; or @code{(refused message . advice)}."
  (hashq-set! reducers type reducer))

(define (record-reducer record)
  "Return the reducer of the type of @var{record}, @code{#f} if it has none."
  (hashq-ref reducers (record-type-descriptor record)))
