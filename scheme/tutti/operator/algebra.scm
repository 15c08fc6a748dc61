;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators made of operators: one after the other, sums, multiples. The chain rule is in here and nowhere else.
(define-module (tutti operator algebra)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti conditions)
  #:use-module (tutti operator missing)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:use-module (tutti sum)
  #:use-module (tutti vector)
  #:export (operator-compose operator-sum operator-scale))

(define (check-operators ops who)
  (when (null? ops)
    (scm-error 'wrong-number-of-args (symbol->string who) "expected at least one operator" '() #f))
  (for-each (lambda (op i)
              (unless (operator? op)
                (scm-error 'wrong-type-arg (symbol->string who) "expected an operator as argument ~A (counted from 0), got ~S"
                           (list i op) (list op))))
            ops (iota (length ops))))

(define (names ops separator)
  (string-append "(" (string-join (map operator-name ops) separator) ")"))

;;; One after the other.

(define (check-chain f g)
  (unless (space-like? (operator-domain f) (operator-codomain g))
    (raise-tutti (make-shape-error (operator-domain f) (operator-codomain g)
                                   (format #f "~a takes vectors of ~a, but ~a returns vectors of ~a" (operator-name f)
                                           (space->string (operator-domain f)) (operator-name g)
                                           (space->string (operator-codomain g))))
                 'operator-compose)))

(define (linearize-chain ops x)
  "Return two values: the value of the composition of @var{ops} at @var{x}, and the list of the derivatives."
  (if (null? ops)
      (values x '())
      (call-with-values (lambda () (linearize-chain (cdr ops) x))
        (lambda (inner derivatives)
          (call-with-values (lambda () (linearize (car ops) inner))
            (lambda (y derivative) (values y (cons derivative derivatives))))))))

(define (compose-two-or-more ops)
  (let ((name (names ops " . "))
        (domain (operator-domain (last ops)))
        (codomain (operator-codomain (first ops)))
        (parts (cons operator-compose ops)))
    (define (apply-all x) (fold-right evaluate x ops))
    (if (every linear? ops)
        (make-linear #:name name #:domain domain #:codomain codomain #:parts parts #:apply apply-all
                     #:adjoint (lambda (y) (fold apply-adjoint y ops)))
        (make-nonlinear #:name name #:domain domain #:codomain codomain #:parts parts #:evaluate apply-all
                        #:linearize (lambda (x)
                                      (call-with-values (lambda () (linearize-chain ops x))
                                        (lambda (y derivatives) (values y (apply operator-compose derivatives)))))))))

(define (operator-compose . ops)
  "Return the operator that applies the last of @var{ops} first, and the first of them last."
  (check-operators ops 'operator-compose)
  (for-each check-chain (drop-right ops 1) (cdr ops))
  (cond ((null? (cdr ops)) (car ops))
        ((and (every linear? ops) (pair? (derivative-gaps (last ops))))
         ;; Columns that are missing are so behind whatever else is applied.
         (map-known-part (lambda (known) (compose-two-or-more (append (drop-right ops 1) (list known)))) (last ops)))
        (else (compose-two-or-more ops))))

;;; Sums.

(define (check-same what space ops who)
  (for-each (lambda (op)
              (unless (space-like? (space (car ops)) (space op))
                (raise-tutti (make-shape-error (space (car ops)) (space op)
                                               (format #f "the ~a of ~a is ~a, that of ~a is ~a" what (operator-name (car ops))
                                                       (space->string (space (car ops))) (operator-name op)
                                                       (space->string (space op))))
                             who)))
            (cdr ops)))

(define (operator-sum . ops)
  "Return the sum of @var{ops}, which have the same domain and the same codomain. Values are added by the tree by which those of several
workers are."
  (check-operators ops 'operator-sum)
  (check-same "domain" operator-domain ops 'operator-sum)
  (check-same "codomain" operator-codomain ops 'operator-sum)
  (let ((name (names ops " + "))
        (domain (operator-domain (car ops)))
        (codomain (operator-codomain (car ops)))
        (parts (cons operator-sum ops)))
    (define (sum-at x) (sum-vectors #f (map (lambda (op) (evaluate op x)) ops)))
    (define (linearize-at x)
      (let ((pairs (map (lambda (op) (call-with-values (lambda () (linearize op x)) cons)) ops)))
        (values (sum-vectors #f (map car pairs)) (apply operator-sum (map cdr pairs)))))
    (cond ((null? (cdr ops)) (car ops))
          ((and (every linear? ops) (any (lambda (op) (pair? (derivative-gaps op))) ops))
           (derivative-with-gaps (apply operator-sum (map known-part ops)) (join-gaps (map derivative-gaps ops)) name))
          ((every linear? ops)
           (make-linear #:name name #:domain domain #:codomain codomain #:parts parts #:apply sum-at
                        #:adjoint (lambda (y) (sum-vectors #f (map (lambda (op) (apply-adjoint op y)) ops)))))
          (else
           (make-nonlinear #:name name #:domain domain #:codomain codomain #:parts parts #:evaluate sum-at
                           #:linearize linearize-at)))))

;;; Multiples.

(define (conjugate a)
  (make-rectangular (real-part a) (- (imag-part a))))

(define (operator-scale a op)
  "Return the operator @var{op} times the number @var{a}, which may be complex if the values of @var{op} are."
  (check-operator-argument op 'operator-scale)
  (unless (and (number? a) (or (real? a) (space-complex? (operator-codomain op))))
    (scm-error 'wrong-type-arg "operator-scale" "the values of ~A are in ~A: expected a ~A number, got ~S"
               (list (operator-name op) (space->string (operator-codomain op))
                     (if (space-complex? (operator-codomain op)) "real or complex" "real") a)
               (list a)))
  (let ((name (format #f "~a ~a" a (operator-name op)))
        (domain (operator-domain op))
        (codomain (operator-codomain op))
        (parts (list operator-scale a op)))
    (cond
     ((and (linear? op) (pair? (derivative-gaps op)))
      (map-known-part (lambda (known) (operator-scale a known)) op))
     ((linear? op)
      (make-linear #:name name #:domain domain #:codomain codomain #:parts parts
                   #:apply (lambda (x) (vec-scale a (evaluate op x)))
                   #:adjoint (lambda (y) (apply-adjoint op (vec-scale (if (real? a) a (conjugate a)) y)))))
     (else
      (make-nonlinear #:name name #:domain domain #:codomain codomain #:parts parts
                      #:evaluate (lambda (x) (vec-scale a (evaluate op x)))
                      #:linearize (lambda (x)
                                    (call-with-values (lambda () (linearize op x))
                                      (lambda (y derivative) (values (vec-scale a y) (operator-scale a derivative))))))))))
