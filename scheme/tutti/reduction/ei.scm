;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Empirical interpolation by a greedy algorithm (Barrault, Maday, Nguyen and Patera 2004): the snapshot that is
;; interpolated worst becomes, by what is left of it, the next vector of the basis, and the place where most is left
;; the next degree of freedom.
;;
;; Each worker has the residuals of its part of the snapshots. They are a function of these and of the basis so far,
;; which every request names as a whole: a worker that takes the place of another begins with its snapshots and
;; repeats all steps, in the same order.
(define-module (tutti reduction ei)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti base text)
  #:use-module (tutti pool)
  #:use-module (tutti reduction result)
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti remote object)
  #:use-module (tutti vector)
  #:export (ei-greedy start-residuals largest-residual residual-at))

;;; On a worker.

(define-record-type <residuals>
  (make-residuals snapshots vectors factors errors)
  residuals?
  (snapshots residuals-snapshots)
  (vectors residuals-vectors set-residuals-vectors!)    ; list; the snapshots themselves before the first step
  ;; For each step, the last one first: an f64vector with what of the basis vector was taken from each snapshot.
  (factors residuals-factors set-residuals-factors!)
  (errors residuals-errors set-residuals-errors!))      ; the norms, and how many steps that was after; or #f

(define (start-residuals part)
  "Return the residuals of the snapshots in @var{part} before the first step."
  (let ((snapshots (list-of-snapshots part)))
    (make-residuals snapshots snapshots '() #f)))

(define (copy v)
  (let ((new (make-f64vector (f64vector-length v))))
    (vec-copy! new v)
    new))

(define (restart! residuals)
  (set-residuals-vectors! residuals (residuals-snapshots residuals))
  (set-residuals-factors! residuals '())
  (set-residuals-errors! residuals #f))

(define (step! residuals vector dof norm)
  (define before (residuals-factors residuals))
  ;; Should it be left halfway, all begins anew.
  (set-residuals-factors! residuals #f)
  (when (null? before)
    (set-residuals-vectors! residuals (map copy (residuals-snapshots residuals))))
  (let ((norms+factors (%vectors-interpolate! (residuals-vectors residuals) vector dof norm)))
    (set-residuals-factors! residuals (cons (cdr norms+factors) before))
    (set-residuals-errors! residuals (and (symbol? norm) (car norms+factors)))))

(define (catch-up! residuals basis dofs norm)
  "Do the steps with the vectors in @var{basis} that have not been done yet."
  (unless (and (residuals-factors residuals)
               (<= (length (residuals-factors residuals)) (length basis)))
    (restart! residuals))
  (let ((done (length (residuals-factors residuals))))
    (for-each (lambda (vector dof) (step! residuals vector dof norm))
              (list-tail basis done) (list-tail dofs done))))

(define (errors-of residuals norm)
  (define vectors (residuals-vectors residuals))
  (if (symbol? norm)
      (or (residuals-errors residuals) (%vectors-norms vectors norm))
      (list->f64vector
       (map (lambda (v)
              (let ((error (norm v)))
                (unless (finite-from-zero? error)
                  (refuse 'ei-greedy "#:norm returned ~s; expected a finite number from 0" error))
                error))
            vectors))))

(define (largest-residual residuals basis dofs norm)
  "Return the pair of the largest norm of @var{residuals} after the steps with @var{basis} and @var{dofs}, and the
first index that has it; @code{#f} if there are none. Workers call this."
  (catch-up! residuals basis dofs norm)
  (and (pair? (residuals-vectors residuals))
       (let* ((errors (errors-of residuals norm))
              (index (%vec-largest errors)))
         (cons (f64vector-ref errors index) index))))

(define (residual-at residuals basis dofs norm index)
  "Return the pair of number @var{index} of @var{residuals} after the steps with @var{basis} and @var{dofs}, and the
list of what was taken from it in each. Workers call this."
  (catch-up! residuals basis dofs norm)
  (cons (list-ref (residuals-vectors residuals) index)
        (map (lambda (factors) (f64vector-ref factors index)) (reverse (residuals-factors residuals)))))

;;; In the master.

(define (first-largest bests)
  "Return three values: the first largest error in @var{bests}, pairs of error and index by worker, its worker, and
its index there."
  (let loop ((rest bests) (worker 0) (error #f) (its-worker #f) (index #f))
    (cond ((null? rest) (values error its-worker index))
          ((and (car rest) (or (not error) (> (caar rest) error)))
           (loop (cdr rest) (1+ worker) (caar rest) worker (cdar rest)))
          (else (loop (cdr rest) (1+ worker) error its-worker index)))))

(define (scaled v dof)
  "Return @var{v} divided by its number at @var{dof}; there it is 1, to the last bit, so that residuals there are 0."
  (let ((new (vec-scale (/ (f64vector-ref v dof)) v)))
    (f64vector-set! new dof 1.)
    new))

(define (new-coefficients count index value factors rows)
  "Return the coefficients of a basis vector in the @var{count} snapshots: it is @var{value} times less than number
@var{index} of these without @var{factors} times what has the coefficients @var{rows}."
  (let ((unit (make-f64vector count 0.)))
    (f64vector-set! unit index 1.)
    (vec-scale (/ value) (combination (cons 1. (map - factors)) (cons unit rows)))))

(define (limits atol rtol first)
  ;; Without a tolerance it ends where nothing but rounding is left.
  (max (or atol 0) (* first (or rtol (if atol 0 1e-14)))))

(define (check-arguments who norm atol rtol most callback)
  (unless (or (memq norm '(euclidean sup)) (procedure? norm))
    (refuse who "#:norm: expected euclidean, sup, or a procedure of an f64vector that workers can be given; got ~s" norm))
  (check-tolerance who "#:atol" atol)
  (check-tolerance who "#:rtol" rtol)
  (check-count who "#:most" most)
  (unless (or (not callback) (procedure? callback))
    (refuse who "#:callback: expected a procedure of a number, an index and an error, or #f; got ~s" callback)))

(define (search pool residuals offsets count norm atol rtol most callback push!)
  "Return the result of the greedy algorithm for the @var{residuals} that the workers of @var{pool} hold. The first of
these on each worker has its number of @var{offsets} among all @var{count} snapshots. @var{push!} gives a vector to
the workers."
  ;; All lists but REMOTE, NAMES and DOFS, which workers see, have the last one first.
  (let loop ((remote '()) (dofs '()) (basis '()) (errors '()) (rows '()) (first #f))
    (define size (length dofs))
    (define (finish reason error text)
      (make-ei-result dofs (reverse basis) (reverse errors) (reverse rows) reason text error))
    (call-with-values (lambda () (first-largest (pool-apply pool largest-residual residuals remote dofs norm)))
      (lambda (error worker index)
        (define initial (or first error))
        (define tolerance (limits atol rtol initial))
        (define (extend v factors dof)
          (let* ((value (f64vector-ref v dof))
                 (vector (scaled v dof))
                 (number (+ index (list-ref offsets worker))))
            (when callback
              (callback (1+ size) number error))
            (loop (append remote (list (push! vector))) (append dofs (list dof)) (cons vector basis) (cons error errors)
                  (cons (new-coefficients count number value factors (reverse rows)) rows)
                  initial)))
        (cond ((and most (>= size most))
               (finish 'size error (format #f "the limit of ~a degree~:p of freedom is reached" size)))
              ((<= error tolerance)
               (finish 'tolerance error (format #f "the largest error is ~a, the tolerance ~a" (rounded error) (rounded tolerance))))
              (else
               (let* ((v+factors (pool-apply-only pool worker residual-at residuals remote dofs norm index))
                      (v (car v+factors))
                      (dof (%vec-largest v)))
                 (if (or (memv dof dofs) (not (< (abs (/ 1. (f64vector-ref v dof))) +inf.0)))
                     (finish 'stagnation error
                             (format #f "what is left of snapshot ~a, with the largest error ~a, is rounding"
                                     (+ index (list-ref offsets worker)) (rounded error)))
                     (extend v (cdr v+factors) dof)))))))))

(define (offsets-of counts)
  (reverse (cdr (fold (lambda (count offsets) (cons (+ count (car offsets)) offsets)) '(0) counts))))

(define (call-pushing pool proc)
  "Call @var{proc} with a procedure that gives a vector to the workers of @var{pool}, for as long as this call lasts."
  (let ((pushed '()))
    (dynamic-wind
      (const #t)
      (lambda ()
        (proc (lambda (vector)
                (let ((object (give-to-workers pool vector 'ei-greedy)))
                  (set! pushed (cons object pushed))
                  object))))
      (lambda () (for-each remote-object-remove! pushed)))))

(define* (ei-greedy snapshots #:key pool (norm 'euclidean) atol rtol most nodal-basis? callback)
  "Return the empirical interpolation of @var{snapshots}, an @code{ei-result}: a basis, and as many degrees of
freedom, such that a vector is approximated by the combination of the basis that agrees with it there. @var{snapshots}
is a list or vector of f64vectors of one length, at least one, or a remote object of @var{pool} for such, of which
each worker has a part (@code{pool-scatter}, or @code{pool-keep} where workers have computed them).

In each step the snapshot with the largest interpolation error is found, by @var{norm}: @code{euclidean} (the
default), @code{sup}, or a procedure of an f64vector that workers can be given. Its residual, divided by its largest
number, becomes the next vector of the basis, and the index of that number the next degree of freedom: always the
first of the largest, in the order of snapshots and of numbers. It ends when the largest error is at most @var{atol},
or at most @var{rtol} times the first one (1e-14, if neither is given), when there are @var{most} degrees of freedom,
or when one would come twice. With @var{nodal-basis?} the basis is changed so that each vector is 1 at its own degree
of freedom and 0 at the others.

The snapshots are scattered over the workers of @var{pool} (that of the snapshots, the current one, or a serial one);
one vector travels per step. The result is the same on any number of workers, to the last bit. @var{callback} is
called with the number of the step from 1, the index of its snapshot, and the error before it."
  (define who 'ei-greedy)
  (check-arguments who norm atol rtol most callback)
  (let* ((pool (pool-for who pool snapshots))
         (result (call-with-scattered who pool snapshots
                   (lambda (parts counts)
                     (call-with-remote-object (pool-keep pool start-residuals parts)
                       (lambda (residuals)
                         (call-pushing pool
                           (lambda (push!)
                             (search pool residuals (offsets-of counts) (apply + counts) norm atol rtol most callback push!)))))))))
    (if nodal-basis? (ei-result-with-nodal-basis result) result)))
