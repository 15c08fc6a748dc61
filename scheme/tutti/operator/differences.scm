;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A derivative by finite differences, for operators that have none: all evaluations at once, on a pool. An evaluation may fail: it is tried
;; with other steps, and if none helps its column is missing, which the derivative knows.
(define-module (tutti operator differences)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti operator bounds)
  #:use-module (tutti operator difference-steps)
  #:use-module (tutti operator family)
  #:use-module (tutti operator leaf)
  #:use-module (tutti operator missing)
  #:use-module (tutti operator type)
  #:use-module (tutti pool type)
  #:use-module (tutti pool)
  #:use-module (tutti remote)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:use-module (tutti worker description)
  #:export (with-differences))

;;; Evaluations.

(define (evaluate-at op place x)
  (if place
      (call-naming (string-append (operator-name op) ", " place) (lambda () (evaluate op x)))
      (evaluate op x)))

(define (failed-here exception)
  ;; As on a worker, where whatever is raised becomes a condition.
  (if (exception? exception) exception (make-operator-error "an evaluation" exception)))

(define (evaluate-here op place x)
  (if place
      (call-or-else (lambda () (evaluate-at op place x)) failed-here)
      (evaluate op x)))

(define (evaluate-all op places points pool)
  "Return the list of the values of @var{op} at @var{points}, which errors call @var{places}, and of the conditions of those that failed.
Without a place, what is raised here is not caught."
  ;; In this process nothing has to travel: an operator of closures that a worker has made can be used there.
  (if (elsewhere? pool)
      (pool-map pool (remote ((op op)) (lambda (place x) (evaluate-at op place x))) places points #:on-error 'collect)
      (map (lambda (place x) (evaluate-here op place x)) places points)))

(define (elsewhere? pool)
  (and pool (not (serial-pool? pool))))

(define undefined-variable? (exception-predicate &undefined-variable))

(define (of-the-run? condition)
  "Return true if @var{condition} tells of an evaluation that failed at its point; not of its end by somebody else, and not of a mistake in
the program, which would fail at every point."
  (not (or (task-cancelled? condition) (pool-closed-error? condition) (not-remotable? condition) (shape-error? condition)
           (removed? condition) (value-changed? condition) (vector-busy? condition) (undefined-variable? condition))))

(define (what-is-not-finite v place)
  "Return the text that says which number of the value @var{v} at @var{place} is not finite, @code{#f} if all are."
  (and (not (finite-number? (vec-norm v)))
       (let ((i (list-index (negate finite-number?) (f64vector->list v))))
         (and i (format #f "number ~a (from 0) of the value~@[, ~a,~] is ~a" i place (f64vector-ref v i))))))

;;; Columns on their way.

;; Parameter number INDEX, X, with its RULE. MOVE: a place from a number of steps. PLANS of this LEVEL, of which the first is under way.
;; KNOWN: pairs of an offset and the operator's value there. FAILED: offsets. REASON of the first failure, or #f. LEFT: how many other plans
;; may be tried.
(define-record-type <column>
  (make-column index x rule move plans level known failed reason left)
  column?
  (index column-index)
  (x column-x)
  (rule column-rule)
  (move column-move)
  (plans column-plans set-column-plans!)
  (level column-level set-column-level!)
  (known column-known set-column-known!)
  (failed column-failed set-column-failed!)
  (reason column-reason set-column-reason!)
  (left column-left set-column-left!))

(define (hopeless-column index x rule reason)
  (make-column index x rule #f '() 0 '() '() reason 0))

(define (step-text rule x)
  (format #f "the step ~a of a parameter that is ~a" (rule-size-text rule) x))

(define (start-column index x rule size lower upper retries)
  "Return the column for parameter number @var{index}, before its first evaluation."
  (let* ((move (make-mover rule x size))
         (plans-of (lambda (move) (level-plans (rule-scheme rule) move 1)))
         (bounded (within-bounds move x lower upper))
         (plans (plans-of bounded)))
    (define (hopeless text) (hopeless-column index x rule text))
    (cond ((pair? plans) (make-column index x rule bounded plans 0 '() '() #f retries))
          ((null? (plans-of (within-bounds move x -inf.0 +inf.0)))
           (hopeless (format #f "~a is ~a: no other number is that far from it. Give a least size, as in (relative 0.01 1e-6)"
                             (step-text rule x) size)))
          (else
           (call-with-values (lambda () (room-mover rule x lower upper))
             (lambda (move size)
               (let ((move (within-bounds move x lower upper)))
                 (if (null? (plans-of move))
                     (hopeless (format #f "there is no room for a step between the bounds ~a and ~a of a parameter that is ~a" lower upper
                                       x))
                     (make-column index x rule move (plans-of move) 0 '() '() #f retries)))))))))

(define (under-way? column) (pair? (column-plans column)))

(define (known-at column place) (assv-ref (column-known column) (place-offset place)))

(define (wanted-places column)
  "Return the list of the places of the present plan of @var{column} at which the operator's value is not known."
  (remove (lambda (place) (known-at column place)) (car (column-plans column))))

(define (place-name column place)
  (string-append "where number " (number->string (column-index column)) " of the argument"
                 (let ((name (rule-name (column-rule column)))) (if name (string-append ", " name ",") ""))
                 (if (positive? (place-offset place)) " is larger" " is smaller")))

(define (note-value! column place value)
  "Note the @var{value} of the operator at @var{place}, or the condition or text of its failure."
  (if (f64vector? value)
      (set-column-known! column (acons (place-offset place) value (column-known column)))
      (begin
        (set-column-failed! column (cons (place-offset place) (column-failed column)))
        (unless (column-reason column)
          (set-column-reason! column value)))))

(define (complete? column)
  (every (lambda (place) (known-at column place)) (car (column-plans column))))

(define (next-plan! column ratio)
  "Let the next plan of @var{column} that may help be the present one; if there is none, or no more may be tried, none is."
  (define (useless? plan)
    (any (lambda (place) (memv (place-offset place) (column-failed column))) plan))
  (let loop ((plans (drop-while useless? (column-plans column))))
    (cond ((or (pair? plans) (zero? (column-left column)))
           (set-column-plans! column (if (zero? (column-left column)) '() plans))
           (set-column-left! column (max 0 (1- (column-left column)))))
          (else
           (set-column-level! column (1+ (column-level column)))
           (let ((plans (level-plans (rule-scheme (column-rule column)) (column-move column) (expt ratio (column-level column)))))
             (if (null? plans)          ; as small as rounding
                 (begin (set-column-left! column 0) (loop '()))
                 (loop (drop-while useless? plans))))))))

;;; Rounds: all that is needed next, at once.

(define (moved-point x column place)
  (let ((moved (copy-element x)))
    (f64vector-set! moved (column-index column) (place-value place))
    moved))

(define (settle! column place value name)
  (when (and (exception? value) (not (of-the-run? value)))
    (raise-tutti value))
  (note-value! column place (if (exception? value) value (or (what-is-not-finite value name) value))))

(define (run-round! op x columns pool base?)
  "Evaluate @var{op} at @var{x} if @var{base?} is true, and wherever @var{columns} need it next. Return the value at @var{x} or @code{#f}."
  (let* ((wanted (append-map (lambda (column) (map (lambda (place) (cons column place)) (wanted-places column)))
                             (filter under-way? columns)))
         (points (map (lambda (pair) (moved-point x (car pair) (cdr pair))) wanted))
         (names (map (lambda (pair) (place-name (car pair) (cdr pair))) wanted))
         (values (if base?
                     (evaluate-all op (cons #f names) (cons x points) pool)
                     (evaluate-all op names points pool))))
    (when (and base? (exception? (car values)))
      (raise-tutti (car values)))
    (for-each (lambda (pair value name) (settle! (car pair) (cdr pair) value name))
              wanted (if base? (cdr values) values) names)
    (and base? (car values))))

(define (run-rounds! op x columns pool ratio)
  "Evaluate @var{op} at @var{x} and for @var{columns}. Return its value at @var{x}."
  ;; On a pool the value at the point itself is one of many, and none has to wait for it.
  (let* ((together? (and (elsewhere? pool) (any under-way? columns)))
         (y (if together? (run-round! op x columns pool #t) (evaluate op x))))
    (define (advance!)
      (for-each (lambda (column)
                  (when (and (under-way? column) (not (complete? column)))
                    (next-plan! column ratio)))
                columns)
      (any (lambda (column) (and (under-way? column) (not (complete? column)))) columns))
    (unless (what-is-not-finite y #f)
      (let loop ((again? (if together? (advance!) (any under-way? columns))))
        (when again?
          (run-round! op x columns pool #f)
          (loop (advance!)))))
    y))

;;; The derivative.

(define (finish-column column y)
  "Return the vector of @var{column}, where the operator's value at the point itself is @var{y}; or @code{#f} if it is missing."
  (define formula (rule-formula (column-rule column)))
  (cond ((under-way? column)
         (let ((plan (car (column-plans column))))
           (difference-column formula y (map place-offset plan) (map (lambda (place) (known-at column place)) plan))))
        ((pair? (column-known column))  ; one side only: a difference of first order
         (let ((pair (last (column-known column))))
           (difference-column formula y (list (car pair)) (list (cdr pair)))))
        (else #f)))

(define (columns->row-major rows columns)
  (let* ((n (length columns))
         (matrix (make-f64vector (* rows n) 0.)))
    (for-each (lambda (column j)
                (when column
                  (do ((i 0 (1+ i)))
                      ((= i rows))
                    (f64vector-set! matrix (+ j (* i n)) (f64vector-ref column i)))))
              columns (iota n))
    matrix))

(define (column-gap column reason)
  (make-gap (column-index column) (rule-name (column-rule column)) (or reason (column-reason column))))

(define (refuse-gaps name gaps mark?)
  (let* ((first (car gaps))
         (reason (gap-reason first)))
    (raise-tutti (cond (mark?
                        (missing-error name (format #f "all columns of the derivative are missing; the first, that of parameter ~a: ~a"
                                                    (gap->string first) (reason->line reason))
                                       reason))
                       ((exception? reason) reason)
                       (else (missing-error name (describe-gaps (list first)) #f))))))

(define (make-derivative op name y columns mark?)
  "Return the derivative with @var{columns} of @var{op}, which has the value @var{y}, in the name of @var{name}. Gaps are an error if
@var{mark?} is false, or if there is nothing else."
  (define rows (space-dimension (operator-codomain op)))
  (define n (length columns))
  (define nowhere (what-is-not-finite y #f))
  (let* ((vectors (if nowhere (make-list n #f) (map (lambda (column) (finish-column column y)) columns)))
         (gaps (filter-map (lambda (column vector) (and (not vector) (column-gap column nowhere))) columns vectors))
         (matrix (matrix-operator rows n (columns->row-major rows vectors))))
    ;; Where the operator has no value, there is nothing to say of its derivative, and that need not be an error: the caller has the value.
    (when (and (pair? gaps) (or (not mark?) (and (= (length gaps) n) (not nowhere))))
      (refuse-gaps name gaps mark?))
    (derivative-with-gaps matrix gaps name)))

(define (start-columns rules x bounds retries)
  (map (lambda (j x rule size)
         (let ((lower (if bounds (f64vector-ref (car bounds) j) -inf.0))
               (upper (if bounds (f64vector-ref (cdr bounds) j) +inf.0)))
           (when (or (< x lower) (> x upper)) ; a solver may try what is not even a number, and looks at the value
             (refuse 'linearize "number ~a~@[ (~a)~] of the point is ~a, outside of the #:bounds ~a and ~a of with-differences; \
a solver needs the same" j (rule-name rule) x lower upper))
           (start-column j x rule size lower upper retries)))
       (iota (length rules)) (f64vector->list x) rules (step-sizes rules x)))

(define not-given (list 'not-given))

(define (check-real space op what)
  (when (space-complex? space)
    (raise-tutti (make-shape-error 'real space
                                   (format #f "differences are for real spaces; the ~a of ~a is ~a" what (operator-name op)
                                           (space->string space)))
                 'with-differences)))

(define (check-argument ok? keyword expected value)
  (unless ok?
    (scm-error 'wrong-type-arg "with-differences" "~A: expected ~A, got ~S" (list keyword expected value) (list value))))

(define (check-arguments op scheme step steps retries retry-ratio missing pool)
  (check-operator-argument op 'with-differences)
  (check-real (operator-domain op) op "domain")
  (check-real (operator-codomain op) op "codomain")
  (check-argument (or (not (symbol? scheme)) (memq scheme '(central forward))) #:scheme "central or forward" scheme)
  (unless (eq? step not-given)
    (check-argument (and (finite-number? step) (positive? step)) #:step "a positive number" step)
    (when steps
      (refuse 'with-differences "#:step ~a and #:steps: give one of them" step)))
  (check-argument (and (exact-integer? retries) (>= retries 0)) #:retries "a number of retries, an exact integer from 0" retries)
  (check-argument (and (finite-number? retry-ratio) (< 0 retry-ratio 1)) #:retry-ratio "a number between 0 and 1" retry-ratio)
  (check-argument (memq missing '(mark raise)) #:missing "mark or raise" missing)
  (check-argument (or (not pool) (pool? pool)) #:pool "a pool or #f" pool))

(define* (with-differences op #:key (scheme 'central) (step not-given) steps (multiplier 1) (formula 'parabolic) bounds
                           (retries 2) (retry-ratio 0.1) (missing 'mark) names (pool (current-pool)))
  "Return the operator @var{op} with a derivative by finite differences, a matrix. The evaluations run on @var{pool}, @code{#f}: here.

@var{scheme} is central (two evaluations for each coordinate, error of second order) or forward (one, first order), for all coordinates, or
a list or vector of one for each.

@var{step} is the step for all coordinates, times the size of the coordinate if that is more than 1. @var{steps} in its place says more:
one of these for all coordinates, or a list or vector of one for each, @code{#f} for the default.

@table @code
@item @var{number}
times the size of the coordinate, at least @var{number}, as @code{#:step};
@item (absolute @var{size})
always the same;
@item (relative @var{factor} [@var{least}])
@var{factor} times the coordinate, at least @var{least} (0);
@item (relative-to-max @var{factor} [@var{least} [@var{group}]])
@var{factor} times the largest of all coordinates, or of those whose steps have the same @var{group}, at least @var{least} (0);
@item (log10 @var{step})
for a coordinate that is a logarithm to base 10: @var{step}, one of these, is for what it is the logarithm of.
@end table

@noindent
Where the scheme is central, steps are multiplied by @var{multiplier}, before @var{least} counts; and @var{formula} says what is made of
three points that are not at equal distances to both sides: parabolic takes the slope of the parabola, outside that of the outer points,
best-fit that of the line of least squares. For both a list or vector may have one for each coordinate.

@var{bounds} is a pair of lower and upper bounds, numbers or f64vectors. No evaluation is beyond them: a step that would be goes the other
way, or is shortened if there is no room for it there.

An evaluation that raises an error, that ends its worker or takes too long, or whose value is not finite, is tried again with other steps,
@var{retries} times for each coordinate: with the opposite one, then with both times @var{retry-ratio}, and so on. If one evaluation of
a central difference is all that succeeds, the difference is to one side. If none does, the column is missing: @code{missing-columns}
says so and why, @code{gauss-newton} holds the parameter in this step, and everybody else who applies the derivative gets an
@code{&operator-error}. If @var{missing} is @code{'raise}, @code{linearize} raises the reason instead; it does in any case if all columns
are missing, or if @var{op} fails at the point itself. @var{names}, a list of strings or symbols, are those of the coordinates, for
messages."
  (check-arguments op scheme step steps retries retry-ratio missing pool)
  (let* ((name (string-append (operator-name op) " with differences"))
         (rules (make-rules (space-dimension (operator-domain op)) #:scheme scheme #:step (if (eq? step not-given) #f step) #:steps steps
                            #:multiplier multiplier #:formula formula #:names names))
         (limits (->bounds bounds (operator-domain op) 'with-differences)))
    (define (linearize-at x)
      (let* ((columns (start-columns rules x limits retries))
             (y (run-rounds! op x columns pool retry-ratio)))
        (values y (make-derivative op name y columns (eq? missing 'mark)))))
    (make-nonlinear #:name name
                    #:domain (operator-domain op) #:codomain (operator-codomain op)
                    #:evaluate (lambda (x) (evaluate op x)) #:linearize linearize-at
                    #:pool pool
                    #:parts (append (list with-differences op #:scheme scheme #:steps steps #:multiplier multiplier #:formula formula
                                          #:bounds bounds #:retries retries #:retry-ratio retry-ratio #:missing missing #:names names)
                                    (if (eq? step not-given) '() (list #:step step))))))
