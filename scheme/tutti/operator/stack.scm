;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Vectors of operators: T(x)_i = T_i(x), or T_i of those components of x that a matrix selects. Where the T_i are, here or on workers, is
;; for a RUNNER to decide; how x is divided and how results are put together is the same for all, and so are its bits.
(define-module (tutti operator stack)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti gather)
  #:use-module (tutti operator family)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti sum)
  #:use-module (tutti vector)
  #:export (vector-of-operators block-diagonal-operator stack-operators distribute-operators diagonalise-operators stack-name
            make-runner runner-run runner-sum-adjoints runner-linearize runner-summaries runner-pool runner-run-into serial-runner
            check-specs check-distribution))

;; RUN: kind, vector, vector of ranges by number -> list of vectors by number. SUM-ADJOINTS: vector, ranges -> the sum of what RUN returns
;; for the kind adjoint. LINEARIZE: vector, ranges -> two values: list of vectors, and the runner of the derivatives.
;; SUMMARIES: of the members, by number. RUN-INTO, #f if the members are here: kind, vector, ranges, and a vector for the values to be
;; written to, with the ranges there by number.
(define-record-type <runner>
  (make-runner run sum-adjoints linearize summaries pool run-into)
  runner?
  (run runner-run)
  (sum-adjoints runner-sum-adjoints)
  (linearize runner-linearize)
  (summaries runner-summaries)
  (pool runner-pool)
  (run-into runner-run-into))

(for-each (lambda (accessor text) (set-object-property! accessor 'documentation text))
          (list runner-run runner-sum-adjoints runner-linearize runner-summaries runner-pool runner-run-into)
          '("Return the procedure of a runner that evaluates its members."
            "Return the procedure of a runner that adds the values of the adjoints of its members."
            "Return the procedure of a runner that linearizes its members."
            "Return the summaries of the members of a runner, a list by number."
            "Return the pool whose workers hold the members of a runner, @code{#f} if they are here."
            "Return the procedure of a runner that lets its members write their values into one vector, @code{#f} if they are here."))

(define (serial-runner ops)
  "Return the runner of @var{ops}, operators that are here."
  (let ((held (map cons (iota (length ops)) ops)))
    (make-runner (lambda (kind x selection) (map cdr (run-held kind held x selection)))
                 (lambda (y ranges) (sum-vectors #f (map cdr (run-held 'adjoint held y ranges))))
                 (lambda (x selection)
                   (match (linearize-held held x selection)
                     ((derivatives . values-by-number)
                      (values (map cdr values-by-number) (serial-runner (map cdr derivatives))))))
                 (map member-summary ops)
                 #f #f)))

(define (check-specs ops who)
  "Raise an error in the name of @var{who} unless @var{ops} is a list of at least one operator or procedure."
  (unless (and (list? ops) (pair? ops))
    (scm-error 'wrong-type-arg (symbol->string who) "expected a list of at least one operator, got ~S" (list ops) (list ops)))
  (for-each (lambda (op i)
              (unless (or (operator? op) (procedure? op))
                (scm-error 'wrong-type-arg (symbol->string who)
                           "expected an operator, or a remote thunk that returns one, as number ~A (from 0) of the list, got ~S"
                           (list i op) (list op))))
            ops (iota (length ops))))

;;; Spaces.

(define (summaries->spaces which summaries)
  (map (if (eq? which 'domain) second third) summaries))

(define summary-name first)

(define (check-domains summaries who)
  (let ((domains (summaries->spaces 'domain summaries)))
    (for-each (lambda (domain summary i)
                (unless (space-like? (car domains) domain)
                  (raise-tutti (make-shape-error (car domains) domain
                                                 (format #f "all operators need the same domain: that of operator 0, ~a, is ~a, \
that of operator ~a, ~a, is ~a"
                                                         (summary-name (car summaries)) (space->string (car domains))
                                                         i (summary-name summary) (space->string domain)))
                               who)))
              domains summaries (iota (length summaries)))))

(define* (check-kinds summaries who #:optional (which 'codomain))
  (let ((spaces (summaries->spaces which summaries)))
    (for-each (lambda (space summary i)
                (unless (eq? (space-complex? space) (space-complex? (car spaces)))
                  (raise-tutti (make-shape-error (car spaces) space
                                                 (format #f "the ~a must be all real or all complex: those of operator 0, ~a, \
are in ~a, those of operator ~a, ~a, in ~a"
                                                         (if (eq? which 'domain) "arguments" "values")
                                                         (summary-name (car summaries)) (space->string (car spaces))
                                                         i (summary-name summary) (space->string space)))
                               who)))
              spaces summaries (iota (length summaries)))))

;;; Putting together.

(define (run-adjoints runner domain y ranges selection)
  "Return the sum of the values of the adjoints of the members of @var{runner} at their @var{ranges} of the vector @var{y}, each in its
ranges in @var{selection} of a zero of @var{domain}."
  (if (every not (vector->list selection))
      ((runner-sum-adjoints runner) y ranges)
      (scatter-add domain ((runner-run runner) 'adjoint y ranges) selection)))

(define (pieces-by-range vectors selection)
  "Return a list of pairs of a range and the list of the vectors that have numbers for it, in order, as pairs of vector and the index of the
first of these numbers there."
  (let ((table (make-hash-table)))
    (for-each (lambda (v ranges)
                (fold (lambda (range start)
                        (hash-set! table range (cons (cons v start) (hash-ref table range '())))
                        (+ start (- (cdr range) (car range))))
                      0 ranges))
              vectors selection)
    (hash-map->list (lambda (range pieces) (cons range (reverse pieces))) table)))

(define (scatter-add domain vectors selection)
  ;; Ranges are components of the domain, or each has one operator: two are the same or have nothing in common. A component is the sum, by
  ;; the tree, over the operators that have it.
  (let ((sum (space-zero domain)))
    (for-each (match-lambda
                (((start . end) . pieces)
                 (%vec-sum! sum start (map car pieces) (map cdr pieces) #f (- end start))))
              (pieces-by-range vectors (vector->list selection)))
    sum))

(define (stacked runner name domain selection parts)
  "Return the operator from @var{domain} whose values are those of all members of @var{runner}, each of its ranges in
@var{selection}, a vector."
  (let* ((summaries (runner-summaries runner))
         (codomain (apply direct-sum (summaries->spaces 'codomain summaries)))
         (dimensions (map space-dimension (summaries->spaces 'codomain summaries)))
         ;; All numbers of a member are in one range.
         (ranges (list->vector (map list (consecutive-ranges dimensions)))))
    (define (run-joined runner kind x)
      (let ((number-kind (if (space-complex? codomain) 'c64 'f64))
            (n (space-dimension codomain)))
        (if (and (runner-run-into runner) (worth-a-destination? number-kind n))
            (call-with-destination number-kind n
              (lambda (destination) ((runner-run-into runner) kind x selection destination ranges))
              #:pool (runner-pool runner))
            (vec-concatenate ((runner-run runner) kind x selection)))))
    (define (make-derivative runner)
      (make-linear #:name name #:domain domain #:codomain codomain #:parts parts #:pool (runner-pool runner)
                   #:apply (lambda (h) (run-joined runner 'derivative h))
                   #:adjoint (lambda (y) (run-adjoints runner domain y ranges selection))
                   #:detail runner))
    (if (every fourth summaries)
        (make-derivative runner)
        (make-nonlinear #:name name #:domain domain #:codomain codomain #:parts parts #:pool (runner-pool runner)
                        #:evaluate (lambda (x) (run-joined runner 'evaluate x))
                        #:linearize (lambda (x)
                                      (call-with-values (lambda () ((runner-linearize runner) x selection))
                                        (lambda (ys derivatives)
                                          (values (vec-concatenate ys) (make-derivative derivatives)))))
                        #:detail runner))))

(define (stack-operators runner who parts)
  "Return the operator T(x)_i = T_i(x) of the members of @var{runner}."
  (let ((summaries (runner-summaries runner)))
    (check-domains summaries who)
    (check-kinds summaries who)
    (stacked runner (stack-name "vector" summaries) (car (summaries->spaces 'domain summaries))
             (make-vector (length summaries) #f) parts)))

(define (stack-name what summaries)
  "Return the name of a family of the kind @var{what} of the members in @var{summaries}."
  (let ((names (map summary-name summaries)))
    (format #f "~a of ~a" what
            (if (<= (length names) 4)
                (string-append "(" (string-join names ", ") ")")
                (format #f "~a operators (~a, …)" (length names) (car names))))))

(define (vector-of-operators ops)
  "Return the operator T(x)_i = T_i(x) for the list @var{ops} of the T_i, which have the same domain. Its values are in the direct sum of
their codomains. It is evaluated here, one after the other."
  (check-specs ops 'vector-of-operators)
  (stack-operators (serial-runner (map build-member ops (iota (length ops)))) 'vector-of-operators
                   (list vector-of-operators ops)))

(define (diagonalise-operators runner who parts)
  "Return the operator T(x)_i = T_i(x_i) of the members of @var{runner}."
  (let* ((summaries (runner-summaries runner))
         (domains (summaries->spaces 'domain summaries)))
    (check-kinds summaries who 'domain)
    (check-kinds summaries who)
    (stacked runner (stack-name "block diagonal" summaries) (apply direct-sum domains)
             (list->vector (map list (consecutive-ranges (map space-dimension domains)))) parts)))

(define (block-diagonal-operator ops)
  "Return the operator T(x)_i = T_i(x_i) for the list @var{ops} of the T_i, whose matrix, if they are linear, has theirs along its
diagonal: from the direct sum of their domains to that of their codomains. It is evaluated here, one after the other."
  (check-specs ops 'block-diagonal-operator)
  (diagonalise-operators (serial-runner (map build-member ops (iota (length ops)))) 'block-diagonal-operator
                         (list block-diagonal-operator ops)))

;;; Distribution.

(define (check-distribution domain matrix n-operators who)
  "Raise an error in the name of @var{who} unless @var{matrix} has a row for each of @var{n-operators} operators, and each row selects
parts of @var{domain}."
  (check-space domain who)
  (unless (and (list? matrix) (every list? matrix))
    (scm-error 'wrong-type-arg (symbol->string who) "expected a list of rows, lists of booleans, as distribution matrix, got ~S"
               (list matrix) (list matrix)))
  (unless (= (length matrix) n-operators)
    (raise-tutti (make-shape-error n-operators (length matrix)
                                   (format #f "the distribution matrix has ~a rows for ~a operators" (length matrix) n-operators))
                 who))
  (let ((n-parts (length (space-parts domain))))
    (for-each (lambda (row i)
                (unless (= (length row) n-parts)
                  (raise-tutti (make-shape-error n-parts (length row)
                                                 (format #f "row ~a of the distribution matrix has ~a entries for ~a components of ~a"
                                                         i (length row) n-parts (space->string domain)))
                               who))
                ;; A 0 would be true.
                (unless (every boolean? row)
                  (scm-error 'wrong-type-arg (symbol->string who)
                             "row ~A of the distribution matrix: expected a list of #t and #f, got ~S" (list i row) (list row)))
                (unless (any identity row)
                  (raise-tutti (make-shape-error 'component 'none
                                                 (format #f "row ~a of the distribution matrix selects nothing" i))
                               who)))
              matrix (iota (length matrix)))))

(define (row-ranges row domain)
  (filter-map (lambda (selected? range) (and selected? range)) row (space-ranges domain)))

(define (row-space row domain)
  (let ((spaces (filter-map (lambda (selected? space) (and selected? space)) row (space-parts domain))))
    (if (null? (cdr spaces)) (car spaces) (apply direct-sum spaces))))

(define (distribute-operators runner domain matrix who parts)
  "Return the operator T(x)_i = T_i(the components of x in @var{domain} that row i of @var{matrix} selects) of the members of
@var{runner}."
  (let ((summaries (runner-summaries runner)))
    (for-each (lambda (row summary i)
                (unless (space-like? (row-space row domain) (second summary))
                  (raise-tutti (make-shape-error (second summary) (row-space row domain)
                                                 (format #f "row ~a of the distribution matrix selects ~a, but operator ~a, ~a, takes ~a" i
                                                         (space->string (row-space row domain)) i (summary-name summary)
                                                         (space->string (second summary))))
                               who)))
              matrix summaries (iota (length matrix)))
    (check-kinds summaries who)
    (stacked runner (stack-name "distributed vector" summaries) domain
             (list->vector (map (lambda (row) (row-ranges row domain)) matrix)) parts)))
