;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Weights of a penalty from iteration to iteration.
(define-module (tutti solver schedule)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti solver result)
  #:use-module (tutti solver units)
  #:export (->schedule schedule-in-units first-weight))

(define (weight? x)
  (and (finite-number? x) (>= x 0)))

(define (check-weight x who what)
  (unless (weight? x)
    (refuse who "~a: expected a number from 0, got ~s" what x)))

(define (->schedule who name first schedule)
  "Return the procedure that returns the weight of an iteration, given its number from 1 and the account of the
iteration before. @var{first}, a number, and @var{schedule}, a factor, list or procedure, are what the caller of
@var{who} gave under @var{name}; either may be @code{#f}."
  (define keyword (string-append "#:" name "-schedule"))
  (when first
    (check-weight first who (string-append "#:" name)))
  (when (and first (or (pair? schedule) (procedure? schedule)))
    (refuse who "#:~a ~a: a list or procedure as ~a says all weights itself; leave one of them out" name first keyword))
  (cond ((or (not schedule) (and (weight? schedule) (positive? schedule)))
         (lambda (number before)
           (if (= number 1)
               (or first 1)
               (* (or schedule 1) (iteration-weight before)))))
        ((and (pair? schedule) (list? schedule))
         (for-each (lambda (weight) (check-weight weight who keyword)) schedule)
         (lambda (number before)
           (list-ref schedule (1- (min number (length schedule))))))
        ((procedure? schedule)
         (lambda (number before)
           (let ((weight (schedule number before)))
             (check-weight weight who (format #f "what ~a returned for iteration ~a" keyword number))
             weight)))
        (else
         (refuse who "~a: expected a positive factor, a list of weights, or a procedure of the number of an iteration and the \
account of the one before; got ~s" keyword schedule))))

(define (schedule-in-units units schedule)
  "Return @var{schedule}, which @code{->schedule} returned, for weights and accounts in @var{units}."
  (if (equal? units usual-units)
      schedule
      (lambda (number before)
        (weight-in-units units (schedule number (iteration-out-of-units units before))))))

(define (first-weight first schedule)
  "Return the weight of the first iteration as far as @var{first} and @var{schedule}, as @code{->schedule} takes them, say it without
being called, else 0."
  (cond (first)
        ((procedure? schedule) 0)
        ((pair? schedule) (car schedule))
        (else 1)))
