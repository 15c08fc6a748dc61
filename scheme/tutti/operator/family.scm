;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A family of operators that are used together: here, or in parts on workers. This module is what runs at either place; (tutti operator
;; stack) puts the results together.
(define-module (tutti operator family)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti gather)
  #:use-module (tutti operator check)
  #:use-module (tutti operator type)
  #:use-module (tutti vector)
  #:export (build-member member-summary call-naming build-held run-held run-held-into linearize-held))

(define* (build-member spec index #:optional (what "operator"))
  "Return the operator that @var{spec} stands for: an operator, or a procedure that returns one, number @var{index} of its family. Errors
call it @var{what}."
  (let ((op (if (procedure? spec) (call-naming (format #f "~a ~a" what index) spec) spec)))
    (unless (operator? op)
      (raise-tutti (make-tutti-error (format #f "~a ~a (counted from 0) is ~s, expected an operator or a procedure that returns one"
                                             what index op))))
    (checked op)))

(define (member-summary op)
  "Return the summary of @var{op} for the other side: name, domain, codomain, and whether it is linear."
  (list (operator-name op) (operator-domain op) (operator-codomain op) (linear? op)))

(define (call-naming name thunk)
  "Call @var{thunk}; what it raises names the operator @var{name}."
  (with-exception-handler
      (lambda (exception)
        (raise-exception (if (and (error? exception) (not (interruption? exception)))
                             (make-operator-error name exception)
                             exception)))
    thunk))

(define (select x ranges)
  "Return the numbers of the vector @var{x} in @var{ranges}, a list of pairs of the first index and the one behind the last; all
of it if that is @code{#f}."
  (match ranges
    (#f x)
    (((start . end)) (vec-slice x start end))
    (_ (vec-concatenate (map (lambda (range) (vec-slice x (car range) (cdr range))) ranges)))))

(define (run-member kind op x)
  "Return the value of @var{op} at the vector @var{x}, or that of its adjoint if @var{kind} is adjoint. Errors name the operator."
  (call-naming (operator-name op)
    (lambda ()
      (if (eq? kind 'adjoint) (apply-adjoint op x) (evaluate op x)))))

;;; On a worker: HELD is a list of pairs of an operator's number in the family and the operator.

(define (build-held specs checks?)
  "Return a pair of the operators for @var{specs}, pairs of number and operator or thunk, and the list of their numbers and summaries."
  (parameterize ((operator-checks checks?))
    (let ((held (map (match-lambda ((index . spec) (cons index (build-member spec index)))) specs)))
      (cons held (map (match-lambda ((index . op) (cons index (member-summary op)))) held)))))

(define (run-held kind held x selection)
  "Return the list of pairs of the number of each operator and its value at its part of the vector @var{x}: @var{selection} is a
vector of ranges by number."
  (map (match-lambda
         ((index . op) (cons index (run-member kind op (select x (vector-ref selection index))))))
       held))

(define (run-held-into kind held x selection part)
  "Like @code{run-held}, but write the values one behind the other to @var{part}, a slice of a destination that is as long as they are."
  (dynamic-wind
    (const #t)
    (lambda ()
      (fold (match-lambda*
              (((index . op) start)
               (let ((value (run-member kind op (select x (vector-ref selection index)))))
                 (write-part! part start value)
                 (+ start (vector-numbers value)))))
            0 held))
    (lambda () (%vector-release! part)))
  #t)

(define (linearize-held held x selection)
  "Like @code{run-held}, but return a pair of what is to be held, the derivatives, and the values."
  (let ((both (map (match-lambda
                     ((index . op)
                      (call-with-values
                          (lambda ()
                            (call-naming (operator-name op) (lambda () (linearize op (select x (vector-ref selection index))))))
                        (lambda (y derivative) (list index y derivative)))))
                   held)))
    (cons (map (lambda (item) (cons (first item) (third item))) both)
          (map (lambda (item) (cons (first item) (second item))) both))))
