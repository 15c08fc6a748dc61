;; SPDX-License-Identifier: LGPL-3.0-or-later
;; When to stop: criteria, each of which reads the record of an iteration and returns a reason to stop, or none.
(define-module (tutti solver stop)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base text)
  #:use-module (tutti solver result)
  #:export (stop-when stop-criterion? criterion-reason criterion-limited?))

(define default-tau 1.5)

(define-record-type <criterion>
  (make-criterion tests limited?)
  criterion?
  (tests criterion-tests)               ; list of procedures of an iteration and a model: #f, or a pair of a symbol and a text
  (limited? criterion-limited?))        ; whether there is a number of iterations among them

(set-record-type-printer! <criterion>
  (lambda (criterion port)
    (format port "#<stop-criterion of ~a test~:p>" (length (criterion-tests criterion)))))

(define (stop-criterion? x)
  "Return true if @var{x} can be given to a solver as @code{#:stop}: what @code{stop-when} returned, or a procedure."
  (or (criterion? x) (procedure? x)))

(define (check-number keyword value ok? expected)
  (unless (and (real? value) (ok? value))
    (refuse 'stop-when "~s: expected ~a, got ~s" keyword expected value)))

(define (check-tolerance keyword value)
  (check-number keyword value (lambda (x) (and (finite-number? x) (>= x 0))) "a number from 0"))

(define (after-iterations n)
  (check-number #:iterations n (lambda (x) (and (exact-integer? x) (>= x 0))) "a number of iterations, an exact integer from 0")
  (lambda (iteration model)
    (and (>= (iteration-number iteration) n)
         (cons 'iterations (format #f "the limit of ~a iteration~:p is reached" n)))))

(define (at-relative-change tolerance)
  (check-tolerance #:relative-change tolerance)
  (lambda (iteration model)
    (let ((change (iteration-change iteration)))
      (and change (<= change tolerance)
           (cons 'relative-change (format #f "the model changed by ~a of its norm, the limit is ~a" (rounded change) tolerance))))))

(define (at-discrepancy noise-level tau)
  (check-tolerance #:discrepancy noise-level)
  (lambda (iteration model)
    (let ((norm (iteration-residual-norm iteration)))
      (and (<= norm (* tau noise-level))
           (cons 'discrepancy
                 (format #f "the residual norm ~a is not above ~a times the noise level ~a" (rounded norm) tau noise-level))))))

(define (at-tolerance tolerance)
  (check-tolerance #:tolerance tolerance)
  (lambda (iteration model)
    (let ((measure (iteration-convergence iteration)))
      (unless measure
        (refuse 'stop-when "#:tolerance is for conjugate-gradient and cgls; this method does not know how far it has to go: use \
#:relative-change or #:discrepancy"))
      (and (<= measure tolerance)
           (cons 'tolerance (format #f "converged to ~a, the limit is ~a" (rounded measure) tolerance))))))

(define (custom procedure)
  (lambda (iteration model)
    (match (procedure iteration model)
      (#f #f)
      ((? symbol? reason) (cons reason (symbol->string reason)))
      ((? string? text) (cons 'custom text))
      (_ (cons 'custom "a criterion of the caller's own")))))

(define (stop-when . criteria)
  "Return the criterion for @code{#:stop} that is met as soon as one of @var{criteria} is. These are any of

@table @code
@item #:iterations @var{n}
so many iterations are done;
@item #:relative-change @var{tolerance}
the norm of the last change of the model is at most @var{tolerance} times the larger one of its norms before and after;
@item #:discrepancy @var{noise-level} [#:tau @var{tau}]
the norm of the residual, weighted where the method weights, is at most @var{tau} (1.5) times @var{noise-level}:
Morozov's principle;
@item #:tolerance @var{tolerance}
the method's own measure of convergence is at most @var{tolerance}: for @code{conjugate-gradient} the norm of the
residual by that of the right-hand side, for @code{cgls} the norm of the gradient by that at zero;
@end table

@noindent
criteria that @code{stop-when} returned, and procedures of an iteration and the model after it, which must not be
changed. A procedure returns @code{#f} to go on, or a symbol or string as the reason to stop, or @code{#t} for a
reason without a name."
  (define tau
    (match (memq #:tau criteria)
      ((_ (? real? tau) . _) (check-number #:tau tau (lambda (x) (and (finite-number? x) (positive? x))) "a positive number") tau)
      (#f default-tau)
      ((_ . other) (refuse 'stop-when "#:tau: expected a positive number, got ~s" other))))
  (define (add criterion test limited?)
    (make-criterion (append (criterion-tests criterion) (list test)) (or limited? (criterion-limited? criterion))))
  (when (and (memq #:tau criteria) (not (memq #:discrepancy criteria)))
    (refuse 'stop-when "#:tau ~a: there is no #:discrepancy that it belongs to" tau))
  (let loop ((rest criteria) (so-far (make-criterion '() #f)))
    (match rest
      (() so-far)
      ((#:iterations n . rest) (loop rest (add so-far (after-iterations n) #t)))
      ((#:relative-change tolerance . rest) (loop rest (add so-far (at-relative-change tolerance) #f)))
      ((#:discrepancy level . rest) (loop rest (add so-far (at-discrepancy level tau) #f)))
      ((#:tau _ . rest) (loop rest so-far))
      ((#:tolerance tolerance . rest) (loop rest (add so-far (at-tolerance tolerance) #f)))
      (((? criterion? criterion) . rest)
       (loop rest (fold (lambda (test so-far) (add so-far test (criterion-limited? criterion)))
                        so-far (criterion-tests criterion))))
      (((? procedure? procedure) . rest) (loop rest (add so-far (custom procedure) #f)))
      ((other . _)
       (refuse 'stop-when "expected #:iterations, #:relative-change, #:discrepancy, #:tau or #:tolerance with its value, another \
criterion or a procedure; got ~s" other)))))

(define (criterion-reason criterion iteration model)
  "Return the pair of the symbol and the text that say why to stop after @var{iteration} with @var{model}, or
@code{#f} to go on."
  (any (lambda (test) (test iteration model)) (criterion-tests criterion)))
