;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What solvers tell: a line for each iteration, a result at the end, and where numbers run wild an error that keeps
;; the last good model.
(define-module (tutti solver result)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base documented)
  #:use-module (tutti base log)
  #:use-module (tutti conditions)
  #:use-module (tutti pool progress)
  #:use-module (tutti worker answer)
  #:export (make-iteration iteration?
            iteration-number iteration-phi-d iteration-phi-m iteration-weight iteration-residual-norm iteration-step-length
            iteration-inner-iterations iteration-change iteration-convergence iteration-frozen iteration-frozen-names
            iteration-frozen-parameters
            make-solver-result solver-result?
            solver-result-solution solver-result-history solver-result-reason solver-result-message solver-result-iterations
            &solver-error make-solver-error solver-error? solver-error-result
            print-iteration solver-callback))

(define-record-type <iteration>
  (%make-iteration number phi-d phi-m weight residual-norm step-length inner-iterations change convergence frozen)
  %iteration?
  (number %number)
  (phi-d %phi-d)
  (phi-m %phi-m)
  (weight %weight)
  (residual-norm %residual-norm)
  (step-length %step-length)
  (inner-iterations %inner-iterations)
  (change %change)
  (convergence %convergence)
  (frozen %frozen))                     ; list of pairs of the number of a parameter and its name, or #f

(define-record-type <solver-result>
  (make-solver-result solution history reason message)
  %solver-result?
  (solution %solution)                  ; vector
  (history %history)                    ; list of <iteration>, the start first
  (reason %reason)                      ; symbol
  (message %message))                   ; string

(define* (make-iteration number #:key phi-d phi-m weight residual-norm step-length inner-iterations change convergence
                         (frozen '()))
  "Return the account of the iteration @var{number}; what a method does not know is @code{#f}. @var{frozen} is the list of the parameters
that were held because their columns of the derivative were missing: pairs of number, from 0, and name, @code{#f} if it has none."
  (%make-iteration number phi-d phi-m weight residual-norm step-length inner-iterations change convergence frozen))

(define (iteration-frozen iteration)
  "Return the list of the numbers, from 0, of the parameters that @code{gauss-newton} held in @var{iteration}, because their columns of
the derivative were missing, see @code{missing-columns}."
  (map car (%frozen iteration)))

(define (parameter-name parameter)
  (or (cdr parameter) (number->string (car parameter))))

(define (iteration-frozen-names iteration)
  "Return the list of the names of the parameters in @code{(iteration-frozen @var{iteration})}, strings; of one without a name the number."
  (map parameter-name (%frozen iteration)))

(define-documented
  (iteration-frozen-parameters %frozen
   "Return the list of pairs of number and name of the parameters that were held in the iteration @var{x}.")
  (iteration? %iteration?
   "Return true if @var{x} is the account of an iteration.")
  (iteration-number %number
   "Return the number of the iteration @var{x}; 0 is the start.")
  (iteration-phi-d %phi-d
   "Return the misfit after the iteration @var{x}, the square of its residual norm.")
  (iteration-phi-m %phi-m
   "Return the penalty of the model after the iteration @var{x}, without its weight, or @code{#f} if the method has
none.")
  (iteration-weight %weight
   "Return the weight of the penalty in the iteration @var{x}: beta, alpha or the damping; @code{#f} if there was none.")
  (iteration-residual-norm %residual-norm
   "Return the norm of the residual after the iteration @var{x}, weighted where the method weights.")
  (iteration-step-length %step-length
   "Return the factor of the step in the iteration @var{x}, or @code{#f} at the start.")
  (iteration-inner-iterations %inner-iterations
   "Return how many inner iterations the iteration @var{x} took, or @code{#f} if it has none.")
  (iteration-change %change
   "Return the norm of the change of the model in the iteration @var{x} by the larger one of the norms of the model before
and after it, or @code{#f} at the start.")
  (iteration-convergence %convergence
   "Return the method's own measure of how far it still had to go after the iteration @var{x}, or @code{#f} if it has
none.")
  (solver-result? %solver-result?
   "Return true if @var{x} is what a solver returned.")
  (solver-result-solution %solution
   "Return the last model of the result @var{x}.")
  (solver-result-history %history
   "Return the list of the iterations of the result @var{x}, from the start on, which has the number 0.")
  (solver-result-reason %reason
   "Return the symbol that says why the solver ended that returned @var{x}.")
  (solver-result-message %message
   "Return a text for people that says why the solver ended that returned @var{x}."))

(define (solver-result-iterations result)
  "Return how many iterations led to @var{result}."
  (- (length (%history result)) 1))

(set-record-type-printer! <solver-result>
  (lambda (result port)
    (format port "#<solver-result after ~a iteration~:p: ~a>" (solver-result-iterations result) (%message result))))

(set-record-type-printer! <iteration>
  (lambda (iteration port)
    (format port "#<iteration ~a>" (string-join (string-tokenize (iteration->string iteration)) " "))))

(define-exception-type &solver-error &tutti-error %make-solver-error %solver-error? (result %solver-error-result))

(set-object-property! &solver-error 'documentation "A condition that tells of a solver that cannot go on.")

(define (make-solver-error message result)
  "Return the @code{&solver-error} of a solver that cannot go on, with the text @var{message}. @var{result} is what it
has reached: a result as it would have returned, or @code{#f} if there is no good model."
  (make-exception (%make-solver-error result) (make-exception-with-message message)))

(define-documented
  (solver-error? %solver-error?
   "Return true if @var{x} tells of a solver that could not go on.")
  (solver-error-result %solver-error-result
   "Return the result with the last good model of the @code{&solver-error} @var{x}, or @code{#f} if there was none."))

;;; A line for each iteration.

(define (number-text x)
  ;; 1.234e-05. The ~e of format writes 10.000E+09 for 9.9999e9.
  (let* ((exponent (if (zero? x) 0 (inexact->exact (floor (log10 (abs x))))))
         (thousandths (round (* 1000 (/ (inexact->exact (abs x)) (expt 10 exponent)))))
         (carry? (= thousandths 10000))
         (exponent (if carry? (1+ exponent) exponent)))
    (format #f "~a~,3fe~a~2,'0d" (if (negative? x) "-" "") (/ thousandths (if carry? 10000. 1000.))
            (if (negative? exponent) "-" "+") (abs exponent))))

(define (iteration->string iteration)
  (define (part label value text)
    (if value (string-append "  " label " " (text value)) ""))
  (string-append
   (format #f "~4d" (%number iteration))
   (if (%phi-d iteration)
       (string-append (part "phi_d" (%phi-d iteration) number-text) (part "phi_m" (%phi-m iteration) number-text))
       (part "residual" (%residual-norm iteration) number-text))
   (part "weight" (%weight iteration) number-text)
   (part "change" (%change iteration) number-text)
   (part "step" (%step-length iteration) number-text)
   (part "inner" (%inner-iterations iteration) (lambda (n) (format #f "~4d" n)))
   (part "held" (and (pair? (%frozen iteration)) (iteration-frozen-names iteration)) (lambda (names) (string-join names ", ")))))

(define (print-iteration iteration model)
  "Write one line about @var{iteration} to the port @code{(progress-port)}, if there is one. Inside a task nothing is
written: the lines of many inversions at a time would be of no use."
  (let ((port (progress-port)))
    (when (and port (not (current-worker-index)))
      (write-beside port (string-append (iteration->string iteration) "\n")))))

(define solver-callback (make-parameter print-iteration))
(set-object-property! solver-callback 'documentation
                      "The callback of solvers that are given none: a procedure of an iteration and the model after it, or
@code{#f}. A parameter; by default @code{print-iteration}, which writes a line.")
