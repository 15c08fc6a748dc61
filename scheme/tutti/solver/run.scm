;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What all solvers have in common: the loop around their steps, the checks of their arguments, and the real inner
;; product, for which complex spaces are real ones of twice the dimension.
(define-module (tutti solver run)
  #:use-module (ice-9 exceptions)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti operator missing)
  #:use-module (tutti solver result)
  #:use-module (tutti solver stop)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (run-solver call-with-inner-solver
            inner-product square-norm vec-axpy relative-change norm-square-estimate
            check-operator check-linear check-complete linearize-completely check-vector check-positive check-criterion ->weighting
            count-heard))

;;; The loop.

;; The limit of a criterion without one: a criterion that is never met must not run a script for ever.
(define last-resort 10000)

(define (check-criterion stop who keyword)
  "Raise an error in the name of @var{who} unless @var{stop}, the argument of @var{keyword}, is a criterion."
  (unless (stop-criterion? stop)
    (refuse who "~s: expected what stop-when returns, or a procedure of an iteration and a model; got ~s" keyword stop)))

(define (as-criterion stop who)
  (check-criterion stop who #:stop)
  (let ((criterion (stop-when stop)))
    (if (criterion-limited? criterion) criterion (stop-when criterion #:iterations last-resort))))

(define (what-is-not-finite iteration model)
  ;; In the units of the solver: that a square cannot be represented in those of the caller is no fault.
  (let ((wrong (find (lambda (entry) (and (cdr entry) (not (finite-number? (cdr entry)))))
                     `(("the norm of the residual" . ,(iteration-residual-norm iteration))
                       ("the misfit" . ,(iteration-phi-d iteration))
                       ("the penalty" . ,(iteration-phi-m iteration))
                       ("the measure of convergence" . ,(iteration-convergence iteration))
                       ("the norm of the model" . ,(vec-norm model))))))
    (and wrong (format #f "~a is ~a" (car wrong) (cdr wrong)))))

(define* (run-solver who first model state advance #:key stop callback advice (show-iteration identity) (show-model identity))
  "Return the result of the steps that @var{advance} makes from the iteration @var{first}, which is the start, and
@var{model}.

@var{advance} is called with the state of its own (at first @var{state}), the last model, the last iteration, and a
procedure that raises a @code{&solver-error} with a text and the last good model. It returns three values: state,
iteration and model; or @code{#f}, and the symbol and the text of the reason why it goes no further. Numbers that are
not finite end the run with an error; @var{advice} is what to do about them.

The caller sees what @var{show-iteration} and @var{show-model} return."
  (define criterion (as-criterion stop who))
  (define (result model history reason)
    (make-solver-result model (reverse history) (car reason) (cdr reason)))
  (define (fail number text model history)
    (let ((before (and (pair? history) (result model history (cons 'failed text)))))
      (raise-tutti (make-solver-error
                    (format #f "~a ~a~a~a" (if (zero? number) "at the start" (format #f "in iteration ~a" number)) text
                            (if before "; solver-error-result has the last good model" "")
                            (if advice (string-append ". " advice) ""))
                    before)
                   who)))
  (define (keep! iteration model shown last-shown history)
    (let ((wrong (what-is-not-finite iteration model))
          (account (show-iteration iteration)))
      (when wrong
        (fail (iteration-number iteration) wrong last-shown history))
      (when callback
        (callback account shown))
      (cons account history)))
  (unless (or (not callback) (procedure? callback))
    (refuse who "#:callback: expected a procedure of an iteration and a model, or #f; got ~s" callback))
  (let* ((shown (show-model model))
         (history (keep! first model shown #f '())))
    (let loop ((state state) (last-iteration first) (model model) (shown shown) (history history))
      (define reason (criterion-reason criterion (car history) shown))
      (if reason
          (result shown history reason)
          (let-values (((state iteration next)
                        (advance state model last-iteration
                                 (lambda (text) (fail (1+ (iteration-number last-iteration)) text shown history)))))
            (if state
                (let ((next-shown (show-model next)))
                  (loop state iteration next next-shown (keep! iteration next next-shown shown history)))
                (result shown history (cons iteration next))))))))

(define (call-with-inner-solver fail thunk)
  "Return what @var{thunk} returns; an error of the solver in it becomes one of the outer solver, by @var{fail}."
  (with-exception-handler
      (lambda (error) (fail (string-append "the inner solver failed: " (exception-message error))))
    thunk
    #:unwind? #t #:unwind-for-type &solver-error))

;;; Vectors.

(define (inner-product x y)
  "Return Re<@var{x}, @var{y}>."
  (real-part (vec-dot x y)))

(define (square-norm x)
  "Return the square of the norm of @var{x}."
  (inner-product x x))

(define (vec-axpy a x y)
  "Return @var{a} times @var{x} plus @var{y}, a new vector."
  (vec+ (vec-scale a x) y))

(define (relative-change step before after)
  "Return the norm of @var{step} by the larger one of the norms of @var{before} and @var{after}."
  (let ((size (vec-norm step)))
    (if (zero? size)
        0.
        (/ size (max (vec-norm before) (vec-norm after))))))

(define (norm-square-estimate apply transpose space)
  "Return an estimate from below of the square of the norm of the linear map @var{apply} with the adjoint
@var{transpose} on @var{space}, by 20 steps of the power method from a vector that is always the same."
  (let loop ((x (space-random space (seed->random-state "power method"))) (left 20) (estimate 0.))
    (let ((norm (vec-norm x)))
      (if (or (zero? left) (zero? norm))
          estimate
          (let ((next (transpose (apply (vec-scale (/ norm) x)))))
            (loop next (1- left) (vec-norm next)))))))

;;; Arguments.

(define (check-operator op who)
  "Raise an error in the name of @var{who} unless @var{op} is an operator."
  (unless (operator? op)
    (scm-error 'wrong-type-arg (symbol->string who) "expected an operator, got ~S" (list op) (list op))))

(define (check-linear op who what)
  "Raise an error in the name of @var{who} unless @var{op} is a linear operator; @var{what} says what it is."
  (check-operator op who)
  (unless (linear? op)
    (refuse who "~a: ~a is not linear; expected a linear operator, such as the derivative that linearize returns" what
            (operator-name op))))

(define* (check-complete derivative who #:optional fail)
  "Raise a @code{&solver-error} if columns of the linear operator @var{derivative} are missing: by @var{fail}, a procedure of a text, or,
at the start, in the name of @var{who}."
  (let ((gaps (derivative-gaps derivative)))
    (unless (null? gaps)
      (if fail
          (fail (refusal-text gaps))
          (raise-tutti (make-solver-error (string-append "at the start " (refusal-text gaps)) #f) who)))))

(define* (linearize-completely op x who #:optional fail)
  "Return two values, as @code{linearize} does for @var{op} and @var{x}. Missing columns of the derivative are an error, as of
@code{check-complete}."
  (call-with-values (lambda () (linearize op x))
    (lambda (y derivative)
      (check-complete derivative who fail)
      (values y derivative))))

(define (numbers v)
  (if (f64vector? v) (f64vector->list v) (c64vector->list v)))

(define (check-vector v space who what)
  "Raise an error in the name of @var{who} unless @var{v} is an element of @var{space} and all its numbers are finite; @var{what} says
what it is."
  (check-element v space who what)
  (unless (finite-number? (vec-norm v))
    (let ((items (numbers v)))
      (define (finite? z)
        (and (finite-number? (real-part z)) (finite-number? (imag-part z))))
      (let ((index (list-index (negate finite?) items)))
        (if index
            (refuse who "~a: number ~a (from 0) is ~a; expected finite numbers" what index (list-ref items index))
            (refuse who "~a: its norm is too large to be represented" what))))))

(define (check-positive x who what)
  "Raise an error in the name of @var{who} unless @var{x} is a positive number; @var{what} says what it is."
  (unless (and (finite-number? x) (positive? (exact->inexact x)))
    (refuse who "~a: expected a positive number, got ~s" what x)))

(define (count-heard std n)
  "Return how many of @var{n} data have finite standard deviations @var{std}."
  (if (f64vector? std)
      (count (lambda (x) (< x +inf.0)) (f64vector->list std))
      n))

(define (->weighting std space who)
  "Return the procedure that divides a vector of @var{space} by the standard deviations @var{std}: a number, an
f64vector of one for each datum, of which some may be infinite, or @code{#f} for 1."
  (define n (space-dimension space))
  (cond ((not std) identity)
        ((real? std)
         (check-positive std who "#:std")
         (lambda (r) (vec-scale (/ 1. std) r)))
        ((not (f64vector? std))
         (refuse who "#:std: expected a number or an f64vector, got ~s" std))
        (else
         (check-element std n who "#:std")
         ;; An infinite one mutes its datum.
         (let ((index (list-index (lambda (x) (not (> x 0))) (f64vector->list std))))
           (when index
             (refuse who "#:std: number ~a (from 0) is ~a; standard deviations must be positive" index
                     (f64vector-ref std index))))
         (when (zero? (count-heard std n))
           (refuse who "#:std: all are infinite, so no datum counts"))
         (let ((weights (vec-map / std)))
           (lambda (r) (vec* weights r))))))
