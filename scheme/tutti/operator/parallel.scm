;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Vectors of operators whose members are held by the workers of a pool. The members and, after linearize, their derivatives are remote
;; objects: a worker that takes the place of another makes them again.
(define-module (tutti operator parallel)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti base scope)
  #:use-module (tutti gather)
  #:use-module (tutti operator check)
  #:use-module (tutti operator family)
  #:use-module (tutti operator stack)
  #:use-module (tutti operator type)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool type)
  #:use-module (tutti pool)
  #:use-module (tutti remote lifetime)
  #:use-module (tutti remote object)
  #:use-module (tutti sum)
  #:export (parallel-vector-of-operators distributed-vector-of-operators parallel-block-diagonal-operator
            pool-for-members default-argument in-order deal))

(define default-argument (list 'default))

(define (pool-for-members pool n)
  "Return the pool for @var{n} members: @var{pool}, if that was given; otherwise the current one, or one of its own."
  (cond ((not (eq? pool default-argument)) (if (exact-integer? pool) (make-pool pool #:name "operators") pool))
        ((current-pool))
        (else (make-pool (min (vector-ref (%processors) 0) n) #:name "operators"))))

(define (in-order n-members answers)
  "Return the values in @var{answers}, lists by worker of pairs of number and value, by number."
  (let ((values (make-vector n-members #f)))
    (for-each (match-lambda ((index . value) (vector-set! values index value))) (concatenate answers))
    (vector->list values)))

(define (run-into pool workers kind held x selection destination ranges)
  ;; What a worker's members return is in one piece.
  (call-with-parts destination
                   (map (match-lambda
                          ((first . end) (cons (caar (vector-ref ranges first)) (cdar (vector-ref ranges (1- end))))))
                        (part-bounds (vector-length ranges) workers))
    (lambda (parts)
      (apply-on-workers pool workers run-held-into kind held x selection (per-worker parts)))))

(define (held-runner lifetime pool workers held summaries)
  ;; HELD: the remote object of the members, on the first WORKERS workers, one of LIFETIME. So are the derivatives: they belong to their
  ;; operator, and go with it.
  (let ((n (length summaries)))
    (make-runner
     (lambda (kind x selection)
       (in-order n (apply-on-workers pool workers run-held kind held x selection)))
     (lambda (y ranges)
       (call-members-and-sum pool workers n run-held 'adjoint held y ranges))
     (lambda (x selection)
       (call-with-values (lambda () (keep-answering pool workers linearize-held held x selection))
         (lambda (derivatives answers)
           (values (in-order n answers)
                   (held-runner lifetime pool workers (lifetime-add! lifetime derivatives)
                                (map (match-lambda ((name domain codomain _) (list name domain codomain #t))) summaries))))))
     summaries
     pool
     (lambda (kind x selection destination ranges)
       (run-into pool workers kind held x selection destination ranges)))))

(define (deal n workers)
  "Return the list of the lists of the numbers of those of @var{n} members that each of @var{workers} workers has, at most as many:
neighbours, so that it can add them and write what they return in one piece."
  (map (match-lambda ((start . end) (iota (- end start) start))) (part-bounds n workers)))

(define (runner-while runner lifetime)
  ;; That of a serial pool, too, ends with its scope: a workflow must not work here and fail with workers.
  (define (while-it-lasts proc)
    (and proc
         (lambda arguments
           (check-lifetime lifetime)
           (apply proc arguments))))
  (make-runner
   (while-it-lasts (runner-run runner))
   (while-it-lasts (runner-sum-adjoints runner))
   (lambda (x selection)
     (check-lifetime lifetime)
     (call-with-values (lambda () ((runner-linearize runner) x selection))
       (lambda (ys derivatives) (values ys (runner-while derivatives lifetime)))))
   (runner-summaries runner)
   (runner-pool runner)
   (while-it-lasts (runner-run-into runner))))

(define (build-here pool specs what)
  (let ((runner (serial-runner (map build-member specs (iota (length specs))))))
    (runner-while runner (make-lifetime (stack-name what (runner-summaries runner)) pool))))

(define (build-there pool specs what)
  (let ((workers (min (pool-size pool) (length specs))))
    (call-with-values
        (lambda ()
          (keep-answering pool workers build-held
                          (per-worker (map (lambda (numbers) (map (lambda (i) (cons i (list-ref specs i))) numbers))
                                           (deal (length specs) workers)))
                          (operator-checks)))
      (lambda (held answers)
        (let* ((summaries (in-order (length specs) answers))
               (lifetime (make-lifetime (stack-name what summaries) pool)))
          (runner-while (held-runner lifetime pool workers (lifetime-add! lifetime held) summaries) lifetime))))))

(define* (members-runner pool specs #:optional (what "vector"))
  "Return the runner of the operators for @var{specs}, which the workers of @var{pool} hold as long as the current scope lasts; here,
if it is serial or @code{#f}. @var{what} says what they are, for messages."
  (cond ((not pool) (serial-runner (map build-member specs (iota (length specs)))))
        (else
         (check-scope)
         (if (serial-pool? pool)
             (build-here pool specs what)
             (build-there pool specs what)))))

(define* (parallel-vector-of-operators ops #:key (pool default-argument))
  "Return the operator T(x)_i = T_i(x) for the list @var{ops} of the T_i, which have the same domain: like
@code{vector-of-operators}, but each T_i is held by a worker of @var{pool}. In place of an operator a remote thunk may stand that
returns it: it is called on its worker only. Without @code{#:pool} it is the current pool, or one of its own with no more workers
than cores; a number is the size of one of its own; with @code{#f} all is here."
  (check-specs ops 'parallel-vector-of-operators)
  (stack-operators (members-runner (pool-for-members pool (length ops)) ops) 'parallel-vector-of-operators
                   (list parallel-vector-of-operators ops)))

(define* (distributed-vector-of-operators ops domain matrix #:key (pool default-argument))
  "Return the operator T(x)_i = T_i(x_j for which @var{matrix}[i][j] is true) for the list @var{ops} of the T_i: @var{domain} is
the direct sum of the spaces of the components x_j, and @var{matrix} a list of rows, lists of booleans. One component arrives as
it is, several as their direct sum, in ascending order. The rest is as for @code{parallel-vector-of-operators}."
  (check-specs ops 'distributed-vector-of-operators)
  (check-distribution domain matrix (length ops) 'distributed-vector-of-operators)
  (distribute-operators (members-runner (pool-for-members pool (length ops)) ops "distributed vector")
                        domain matrix 'distributed-vector-of-operators
                        (list distributed-vector-of-operators ops domain matrix)))

(define* (parallel-block-diagonal-operator ops #:key (pool default-argument))
  "Return the operator T(x)_i = T_i(x_i) for the list @var{ops} of the T_i: like @code{block-diagonal-operator}, but each T_i is held by a
worker. The rest is as for @code{parallel-vector-of-operators}."
  (check-specs ops 'parallel-block-diagonal-operator)
  (diagonalise-operators (members-runner (pool-for-members pool (length ops)) ops "block diagonal") 'parallel-block-diagonal-operator
                         (list parallel-block-diagonal-operator ops)))
