;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators that are interpolated empirically: evaluated at a few degrees of freedom only, from those few numbers of the argument on which
;; their values there depend.
(define-module (tutti reduction interpolated)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti linear)
  #:use-module (tutti operator)
  #:use-module (tutti reduction result)
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:export (interpolated-operator interpolated-sources interpolated-local expansion-columns numbers-at check-interpolated))

;; What an interpolated operator is made of.
(define-record-type <parts>
  (make-parts ei sources local)
  parts?
  (ei parts-ei)
  (sources parts-sources)               ; list of indices of the numbers that it needs of its argument
  (local parts-local))                  ; operator from these to the numbers at the degrees of freedom

(define all-parts (make-weak-key-hash-table))

(define (check-interpolated op who)
  "Raise an error in the name of @var{who} unless @var{op} is what @code{interpolated-operator} returned."
  (unless (and (operator? op) (hashq-ref all-parts op))
    (scm-error 'wrong-type-arg (symbol->string who) "expected an operator that interpolated-operator returned, got ~S" (list op)
               (list op))))

(define (interpolated-sources op)
  "Return the list of the indices of those numbers of its argument that @var{op}, an interpolated operator, needs."
  (check-interpolated op 'interpolated-sources)
  (parts-sources (hashq-ref all-parts op)))

(define (interpolated-local op)
  "Return the operator that maps the numbers of an argument at the sources of @var{op}, an interpolated operator, to
those of its value at the degrees of freedom."
  (check-interpolated op 'interpolated-local)
  (parts-local (hashq-ref all-parts op)))

(define (numbers-at v indices)
  "Return the f64vector of the numbers of @var{v} at @var{indices}, a list."
  (list->f64vector (map (lambda (i) (f64vector-ref v i)) indices)))

(define (expansion-columns op)
  "Return the list of the vectors that the values of @var{op}, an interpolated operator, are made of: one for each
degree of freedom, which is 1 there and 0 at the others."
  (check-interpolated op 'expansion-columns)
  (let* ((ei (parts-ei (hashq-ref all-parts op)))
         (size (length (ei-result-dofs ei))))
    (map (lambda (k)
           (let ((unit (make-f64vector size 0.)))
             (f64vector-set! unit k 1.)
             (ei-expand ei unit)))
         (iota size))))

;;; Making them.

(define (two-values who)
  "Return a procedure that returns the two values that it is given, and raises an error in the name of @var{who} if there are not two."
  (case-lambda
    ((sources local) (values sources local))
    (others
     (refuse who "the restriction returned ~a value~a; expected two, the list of sources and an operator" (length others)
             (if (= 1 (length others)) "" "s")))))

(define (check-sources who sources domain)
  (unless (and (list? sources) (every exact-integer? sources))
    (refuse who "the restriction returned ~s as sources; expected a list of indices" sources))
  (let ((stray (find (lambda (i) (not (< -1 i domain))) sources)))
    (when stray
      (refuse who "the restriction returned the source ~a; expected indices from 0 to ~a" stray (1- domain)))))

(define (check-local who local sources dofs)
  (unless (operator? local)
    (refuse who "the restriction returned ~s; expected an operator from the numbers at the sources to those at the degrees of freedom"
            local))
  (unless (and (space-like? (operator-domain local) (length sources)) (space-like? (operator-codomain local) (length dofs)))
    (raise-tutti (make-shape-error (list (length dofs) (length sources))
                                   (map space-dimension (list (operator-codomain local) (operator-domain local)))
                                   (format #f "the restriction returned ~a sources and an operator from ~a to ~a; for ~a degrees of \
freedom, expected one from ~a to ~a real numbers"
                                           (length sources) (space->string (operator-domain local))
                                           (space->string (operator-codomain local)) (length dofs) (length sources) (length dofs)))
                 who)))

(define (scatter-add numbers indices n)
  (let ((v (make-f64vector n 0.)))
    (for-each (lambda (i x) (f64vector-set! v i (+ x (f64vector-ref v i)))) indices (f64vector->list numbers))
    v))

(define (transposed-expand ei y)
  ;; The transpose of ei-expand: products with the basis, then the transposed system.
  (let* ((basis (ei-result-basis ei))
         (size (length basis))
         (matrix (ei-result-interpolation-matrix ei))
         (transposed (make-f64vector (* size size))))
    (do ((i 0 (1+ i)))
        ((= i size))
      (do ((j 0 (1+ j)))
          ((= j size))
        (f64vector-set! transposed (+ i (* size j)) (f64vector-ref matrix (+ j (* size i))))))
    (solve-linear size transposed (list->f64vector (map (lambda (b) (vec-dot b y)) basis)))))

(define* (interpolated-operator ei restrict #:key domain (name "interpolated"))
  "Return the empirical interpolation of an operator: the operator from R^@var{domain} (by default as many numbers as
@var{ei} interpolates) whose values are the combinations of the basis of @var{ei}, a result of @code{ei-greedy},
@code{deim} or @code{qdeim} for values of that operator, that agree with its values at the degrees of freedom.
@var{restrict} is a procedure of a list of degrees of freedom, indices from 0, that returns two values: the list of
the indices of those numbers of an argument that the values there depend on, and the operator from these numbers to
the values at the degrees of freedom, in this order, with a derivative if one is needed. It is called once, and only
what it has returned is evaluated: for a difference scheme, a few numbers for each degree of freedom."
  (define who 'interpolated-operator)
  (check-ei-result ei who)
  (unless (procedure? restrict)
    (refuse who "expected a procedure of a list of degrees of freedom, got ~s" restrict))
  (let ((n (ei-result-dimension ei)) (dofs (ei-result-dofs ei)))
    (unless n
      (refuse who "the basis is empty: the values that were to be interpolated are zero"))
    (check-count who "#:domain" domain 1)
    (unless (string? name)
      (refuse who "#:name: expected a string, got ~s" name))
    (call-with-values (lambda () (call-with-values (lambda () (restrict dofs)) (two-values who)))
      (lambda (sources local)
        (define inputs (or domain n))
        (define (at-sources x) (numbers-at x sources))
        (check-sources who sources inputs)
        (check-local who local sources dofs)
        (let ((op (make-operator
                   #:name name #:domain inputs #:codomain n
                   #:evaluate (lambda (x) (ei-expand ei (evaluate local (at-sources x))))
                   #:linearize
                   (lambda (x)
                     (call-with-values (lambda () (linearize local (at-sources x)))
                       (lambda (y derivative)
                         (values (ei-expand ei y)
                                 (make-linear-operator
                                  #:name (string-append "derivative of " name) #:domain inputs #:codomain n
                                  #:apply (lambda (v) (ei-expand ei (evaluate derivative (at-sources v))))
                                  #:adjoint (lambda (w)
                                              (scatter-add (apply-adjoint derivative (transposed-expand ei w)) sources inputs))))))))))
          (hashq-set! all-parts op (make-parts ei sources local))
          op)))))
