;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The weak greedy algorithm with a training set that is refined where the model would otherwise fit that set only
;; (Haasdonk, Dihlmann and Ohlberger 2011): errors are compared with those of a validation set, and cells of
;; parameters are halved until the two agree.
(define-module (tutti greedy adaptive)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base documented)
  #:use-module (tutti base text)
  #:use-module (tutti greedy cells)
  #:use-module (tutti pool)
  #:export (adaptive-weak-greedy errors-in-part
            adaptive-result? adaptive-result-parameters adaptive-result-errors adaptive-result-validation-errors
            adaptive-result-training-sizes adaptive-result-training adaptive-result-model adaptive-result-reason
            adaptive-result-message))

(define-record-type <adaptive-result>
  (make-adaptive-result parameters errors validation-errors training-sizes training model reason message)
  %adaptive-result?
  (parameters %parameters)              ; list, in the order of the extensions
  (errors %errors)                      ; list of the largest error in the training set before each; one more if that was small enough
  (validation-errors %validation-errors) ; the same for the validation set
  (training-sizes %training-sizes)      ; and how large the training set was then
  (training %training)                  ; list of parameters
  (model %model)
  (reason %reason)                      ; tolerance, size, stagnation, or training-size
  (message %message))                   ; string

(set-record-type-printer! <adaptive-result>
  (lambda (result port)
    (format port "#<adaptive-result after ~a extension~:p: ~a>" (length (%parameters result)) (%message result))))

(define-documented
  (adaptive-result? %adaptive-result?
   "Return true if @var{x} is what an adaptive greedy algorithm returned.")
  (adaptive-result-parameters %parameters
   "Return the list of the parameters that were selected, in order, of the result @var{x}.")
  (adaptive-result-errors %errors
   "Return the list of the largest errors in the training set, after its refinements, before each extension of the
result @var{x}; if the last one was within the tolerance it is there as well, without an extension.")
  (adaptive-result-validation-errors %validation-errors
   "Return the list of the largest errors in the validation set, one for each of @code{adaptive-result-errors} of the
result @var{x}.")
  (adaptive-result-training-sizes %training-sizes
   "Return the list of how many parameters were in the training set, one for each of @code{adaptive-result-errors} of
the result @var{x}.")
  (adaptive-result-training %training
   "Return the list of the parameters in the training set at the end of the algorithm that returned @var{x}.")
  (adaptive-result-model %model
   "Return the model after the last extension of the result @var{x}.")
  (adaptive-result-reason %reason
   "Return the symbol that says why the algorithm ended that returned @var{x}: @code{tolerance}, @code{size},
@code{stagnation}, or @code{training-size}.")
  (adaptive-result-message %message
   "Return a text for people that says why the algorithm ended that returned @var{x}."))

(define who 'adaptive-weak-greedy)

;;; Errors.

(define (errors-in-part estimate model part)
  "Return the list of the errors of @var{model} for the parameters in @var{part}, a list. Workers call this."
  (map (lambda (parameter)
         (let ((error (estimate model parameter)))
           ;; What is not a number fails this, too.
           (unless (and (real? error) (>= error 0))
             (refuse who "the estimate is ~s; expected a number from 0. The parameter is ~s" error parameter))
           error))
       part))

(define (errors-at pool estimate shipped parameters)
  "Return the list of the errors for @var{parameters}, in their order."
  (call-with-remote-object (pool-scatter pool parameters)
    (lambda (parts) (concatenate (pool-apply pool errors-in-part estimate shipped parts)))))

(define (first-largest errors)
  "Return the pair of the largest of the list @var{errors} and the first index that has it."
  (let loop ((rest (cdr errors)) (index 1) (best (cons (car errors) 0)))
    (cond ((null? rest) best)
          ((> (car rest) (car best)) (loop (cdr rest) (1+ index) (cons (car rest) index)))
          (else (loop (cdr rest) (1+ index) best)))))

;;; Refinement.

(define (choose-cells cells errors centre-errors gamma theta)
  "Return the list of the cells to refine: those that need it most by their @var{errors} and their age."
  (let* ((largest (let ((most (apply max errors))) (if (zero? most) 1 most)))
         (errors (list->vector errors))
         (leaves (cells-leaves cells))
         (needs (map (lambda (cell centre-error index)
                       (let ((error (apply max centre-error (map (lambda (v) (vector-ref errors v)) (cell-vertices cell)))))
                         (list (+ (* gamma (cell-share cells cell) (cell-age cells cell)) (/ error largest)) index cell)))
                     leaves centre-errors (iota (length leaves))))
         (count (max 1 (inexact->exact (floor (* theta (length leaves)))))))
    (define (needier? a b)
      (or (> (first a) (first b))
          (and (= (first a) (first b)) (< (second a) (second b)))))
    (map third (list-head (sort needs needier?) count))))

(define (overfitted? error validation-error rho tolerance)
  ;; What is within the tolerance fits well enough; where nothing is known, nothing can be compared.
  (and (> validation-error tolerance)
       (< validation-error +inf.0)
       (>= validation-error (* rho error))))

(define (refine-while-overfitted pool estimate shipped cells validation rho gamma theta tolerance most)
  "Return four values: @var{cells} after refinements, the errors at their vertices, the largest error in the
validation set, and whether another refinement was wanted, but not possible with @var{most} vertices."
  (let loop ((cells cells))
    (let* ((errors (errors-at pool estimate shipped (cells-parameters cells)))
           (centre-errors (errors-at pool estimate shipped (cells-centres cells)))
           (validation-error (car (first-largest (if validation (errors-at pool estimate shipped validation) centre-errors)))))
      (cond ((not (overfitted? (car (first-largest errors)) validation-error rho tolerance))
             (values cells errors validation-error #f))
            ((>= (cells-vertex-count cells) most) (values cells errors validation-error #t))
            (else (loop (cells-refine cells (choose-cells cells errors centre-errors gamma theta))))))))

;;; The algorithm.

(define (check-number keyword x least)
  (unless (and (finite-number? x) (>= x least))
    (refuse who "~a: expected a finite number from ~a, got ~s" keyword least x)))

(define (check-arguments pool ranges estimate extend ship validation tolerance max-size max-training rho gamma theta callback)
  (unless (pool? pool)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a pool, got ~S" (list pool) (list pool)))
  (unless (and (pair? ranges) (list? ranges)
               (every (lambda (r) (and (pair? r) (finite-number? (car r)) (finite-number? (cdr r)) (< (car r) (cdr r)))) ranges))
    (refuse who "the ranges: expected a list of pairs of the least and the largest number, one for each number of a parameter, got ~s"
            ranges))
  (for-each (lambda (proc what)
              (unless (procedure? proc)
                (refuse who "expected ~a, got ~s" what proc)))
            (list estimate extend ship)
            '("a procedure that estimates the error of a model" "a procedure that extends the model"
              "as #:ship a procedure of a model"))
  (unless (or (not validation) (and (pair? validation) (list? validation)))
    (refuse who "#:validation: expected a list of at least one parameter, or #f for the centres of the cells, got ~s" validation))
  (check-number "#:tolerance" tolerance 0)
  (check-number "#:rho" rho 1)
  (check-number "#:gamma" gamma 0)
  (check-number "#:theta" theta 0)
  (unless (<= theta 1)
    (refuse who "#:theta: expected a share, at most 1, got ~s" theta))
  (for-each (lambda (keyword x least)
              (unless (or (not x) (and (exact-integer? x) (>= x least)))
                (refuse who "~a: expected an exact integer from ~a, or #f; got ~s" keyword least x)))
            '("#:max-size" "#:max-training") (list max-size max-training) '(0 1))
  (unless (or (not callback) (procedure? callback))
    (refuse who "#:callback: expected a procedure of a number, a parameter, two errors and a size, or #f; got ~s" callback)))

(define* (adaptive-weak-greedy pool ranges estimate extend
                               #:key model (ship identity) validation (tolerance 0) max-size (max-training 10000) (rho 1.1) (gamma 0.2)
                               (theta 0) callback)
  "Return the result of the weak greedy algorithm with a training set that is refined as it goes, an
@code{adaptive-result}. Parameters are lists of numbers within @var{ranges}, a list of pairs of the least and the
largest one. The training set is the vertices of cells, at first of one cell. Before each extension the largest error
in it is compared with that in the set @var{validation}, a list of parameters, or the centres of the cells
(@code{#f}): as long as the latter is above @var{tolerance} and at least @var{rho} (1.1) times as large, the model
fits the training set only, and the share @var{theta} of all cells (0: one), those that need it most, are halved in
each direction. A cell needs it for the errors at its vertices and its centre, by the largest one, and, times
@var{gamma} (0.2), for its share of the volume and its age. With @var{max-training} (10000) parameters in the training
set it is refined no more and the algorithm ends by @code{training-size}.

The rest is as for @code{weak-greedy}: @var{estimate}, @var{extend}, @var{model}, @var{ship} and @var{max-size}
(@code{#f}: no limit). @var{callback} is called with the number of the extension from 1, its parameter, the largest
error in the training set and in the validation set, and the size of the training set. The result is the same on any
number of workers, to the last bit."
  (check-arguments pool ranges estimate extend ship validation tolerance max-size max-training rho gamma theta callback)
  (let loop ((cells (make-cells ranges)) (model model) (parameters '()) (errors '()) (validation-errors '()) (sizes '()))
    (define size (length parameters))
    (define (finish errors validation-errors sizes cells reason text)
      (make-adaptive-result (reverse parameters) (reverse errors) (reverse validation-errors) (reverse sizes)
                            (cells-parameters cells) model reason text))
    (if (and max-size (>= size max-size))
        (finish errors validation-errors sizes cells 'size (format #f "the limit of ~a extension~:p is reached" size))
        (call-with-values (lambda ()
                            (refine-while-overfitted pool estimate (ship model) cells validation rho gamma theta tolerance
                                                     max-training))
          (lambda (cells vertex-errors validation-error stuck?)
            (let* ((best (first-largest vertex-errors))
                   (error (car best))
                   (parameter (list-ref (cells-parameters cells) (cdr best)))
                   (count (cells-vertex-count cells))
                   (errors (cons error errors))
                   (validation-errors (cons validation-error validation-errors))
                   (sizes (cons count sizes)))
              (define (end reason text . arguments)
                (finish errors validation-errors sizes cells reason (apply format #f text arguments)))
              (cond (stuck?
                     (end 'training-size
                          "with ~a parameters in the training set the largest error is ~a there and ~a in the validation set"
                          count (rounded error) (rounded validation-error)))
                    ((<= error tolerance) (end 'tolerance "the largest error is ~a, the tolerance ~a" (rounded error) (rounded tolerance)))
                    ((extend model parameter)
                     => (lambda (extended)
                          (when callback
                            (callback (1+ size) parameter error validation-error count))
                          (loop cells extended (cons parameter parameters) errors validation-errors sizes)))
                    (else
                     (end 'stagnation "parameter ~s, with the largest error ~a, adds nothing to the model" parameter
                          (rounded error))))))))))
