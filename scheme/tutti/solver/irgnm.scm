;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The iteratively regularised Gauss-Newton method (Bakushinskii 1992): the data are fitted more and more closely, up to their noise.
(define-module (tutti solver irgnm)
  #:use-module ((srfi srfi-1) #:select (car+cdr))
  #:use-module (srfi srfi-11)
  #:use-module (tutti base check)
  #:use-module (tutti operator)
  #:use-module (tutti solver krylov)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver schedule)
  #:use-module (tutti solver stop)
  #:use-module (tutti solver units)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (irgnm))

(define usual-factor 2/3)

(define (usual-alpha apply transpose space who)
  (let ((estimate (norm-square-estimate apply transpose space)))
    (unless (< 0 estimate +inf.0)
      (refuse who "the square of the norm of the derivative at the start is estimated as ~a: give #:alpha-schedule, \
or another start" estimate))
    estimate))

(define (->alphas schedule who)
  ;; A pair of numbers is the first weight and the factor.
  (cond ((not schedule) #f)
        ((and (pair? schedule) (real? (cdr schedule))) (->schedule who "alpha" (car schedule) (cdr schedule)))
        ((number? schedule)
         (refuse who "#:alpha-schedule: expected a pair of the first alpha and the factor, a list of alphas, or a \
procedure; got ~s" schedule))
        (else (->schedule who "alpha" #f schedule))))

(define* (irgnm op data start #:key std
                (noise-level (and std (operator? op) (sqrt (count-heard std (space-dimension (operator-codomain op))))))
                tau alpha-schedule (stop (stop-when #:iterations 50))
                (inner-stop (stop-when #:tolerance 1e-8 #:iterations 1000))
                (callback (solver-callback)))
  "Return the result of the iteratively regularised Gauss-Newton method for F(m) = @var{data}, F = @var{op}, from the
model @var{start} on. Its kth model, k = 1, 2, @dots{}, minimises |W (F(m) + F'(m) (x - m) - @var{data})|^2 + alpha_k
|x - @var{start}|^2 over x, where m is the model before and W = 1 / @var{std}, a number or an f64vector of one for
each datum (1).

It ends when |W (F(m) - @var{data})| is at most @var{tau} (1.5) times @var{noise-level}, and also when @var{stop} says
so, by default after 50 iterations. @var{noise-level} is the norm of the noise divided by @var{std}; by default it is
the square root of the number of data whose deviations are finite if @var{std} is given, and else there is none. @code{#f} turns this off.

@var{alpha-schedule} is a pair (@var{a} . @var{q}) for alpha_k = @var{a} @var{q}^(k-1), a list of all alphas, the last
of which stays, or a procedure of k and the account of the iteration before. By default @var{q} is 2/3, and @var{a} an
estimate of |W F'(@var{start})|^2 by the power method. Each model is found by CGLS from the model before, until
@var{inner-stop}: by default when the norm of the gradient is 1e-8 times what it was there, or after 1000 iterations."
  (define who 'irgnm)
  (check-operator op who)
  (check-vector data (operator-codomain op) who "the data")
  (check-vector start (operator-domain op) who "the start")
  (when noise-level (check-positive noise-level who "#:noise-level"))
  (when (and tau (not noise-level))
    (refuse who "#:tau ~a: there is no #:noise-level that it belongs to" tau))
  (check-criterion inner-stop who #:inner-stop)
  (let*-values (((weigh) (->weighting std (operator-codomain op) who))
                ((criterion) (cond ((not noise-level) stop)
                                   (tau (stop-when #:discrepancy noise-level #:tau tau stop))
                                   (else (stop-when #:discrepancy noise-level stop))))
                ((alphas) (->alphas alpha-schedule who))
                ((value derivative) (linearize-completely op start who))
                ((units image) (choose-units (weigh (vec- data value)) (lambda (y) (apply-adjoint derivative (weigh y)))
                                             (if alphas (first-weight #f alpha-schedule) 0) (vec- start start)))
                ((derivative) (derivative-in-units units derivative)))
    (run-irgnm who (operator-in-units units op) (data-in-units units data) (model-in-units units start)
               (data-in-units units value) derivative weigh
               (if alphas
                   (schedule-in-units units alphas)
                   (->schedule who "alpha"
                               (usual-alpha (weighted derivative weigh) (transposed derivative weigh) (operator-domain op) who)
                               usual-factor))
               inner-stop units criterion callback)))

(define (weighted derivative weigh)
  (lambda (x) (weigh (evaluate derivative x))))

(define (transposed derivative weigh)
  (lambda (y) (apply-adjoint derivative (weigh y))))

(define (run-irgnm who op data start value derivative weigh alphas inner-stop units stop callback)
  ;; VALUE and DERIVATIVE are those at START; all is in UNITS.
  (define (account number residual distance alpha inner change)
    (make-iteration number #:residual-norm (vec-norm residual) #:phi-d (square-norm residual) #:phi-m (square-norm distance)
                    #:weight alpha #:inner-iterations inner #:step-length (and change 1.) #:change change))
  (define (advance residual+derivative model last-iteration fail)
    (let*-values (((number) (1+ (iteration-number last-iteration)))
                  ((residual derivative) (car+cdr residual+derivative))
                  ((alpha) (alphas number last-iteration))
                  ;; The unknown is the distance from the start: for it this is a damped least-squares problem.
                  ((distance) (vec- model start))
                  ((apply) (weighted derivative weigh))
                  ((inner) (call-with-inner-solver fail
                             (lambda ()
                               (run-cgls who apply (transposed derivative weigh) (vec+ residual (apply distance)) distance alpha
                                         inner-stop #f #:from-start? #t))))
                  ((next-distance) (solver-result-solution inner))
                  ((next) (vec+ start next-distance))
                  ((value derivative) (linearize-completely op next who fail))
                  ((residual) (weigh (vec- data value))))
      (values (cons residual derivative)
              (account number residual next-distance alpha (solver-result-iterations inner)
                       (relative-change (vec- next model) model next))
              next)))
  (let ((residual (weigh (vec- data value))))
    (run-solver who (account 0 residual (vec- start start) #f #f #f) start (cons residual derivative) advance
                #:stop stop #:callback callback
                #:advice "Full steps may lead astray: larger alphas are more careful"
                #:show-iteration (lambda (iteration) (iteration-out-of-units units iteration))
                #:show-model (lambda (m) (model-out-of-units units m)))))
