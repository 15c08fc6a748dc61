;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators for tests: one or more from every constructor, real and complex, and what has to be true of all of them.
(define-module (operators)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti operator)
  #:use-module (tutti remote)
  #:use-module (tutti simulation)
  #:use-module (tutti space)
  #:use-module (tutti vector)
  #:use-module (vectors)
  #:export (all-operators all-numbers linear-numbers make-squares make-square real-part-operator derivative-of element-of real-dot
            adjoint-gap taylor-slope condition-of refused?))

(define (derivative-of op x)
  "Return the derivative of @var{op} at @var{x}."
  (call-with-values (lambda () (linearize op x)) (lambda (value derivative) derivative)))

(define (element-of space)
  "Return a random element of @var{space}, with parts between -1 and 1."
  ((if (space-complex? space) random-complex random-real) (space-dimension space)))

(define (real-dot x y)
  "Return the real part of the inner product of @var{x} and @var{y}."
  (real-part (vec-dot x y)))

(define (adjoint-gap op h y)
  "Return by how much Re<A @var{h}, @var{y}> and Re<@var{h}, A* @var{y}> differ for the linear operator @var{op}, relative to the norms."
  (let ((ah (evaluate op h)) (a*y (apply-adjoint op y)))
    (/ (abs (- (real-dot ah y) (real-dot h a*y)))
       (max 1e-300 (* (vec-norm ah) (vec-norm y)) (* (vec-norm h) (vec-norm a*y))))))

(define (taylor-slope op x h)
  "Return the order of the remainder |T(x + s h) - T(x) - s T'(x) h| in s, between s = 1e-2 and 1e-3."
  (call-with-values (lambda () (linearize op x))
    (lambda (y derivative)
      (let* ((ah (evaluate derivative h))
             (remainder (lambda (s) (vec-norm (vec- (vec- (evaluate op (vec+ x (vec-scale s h))) y) (vec-scale s ah))))))
        (log10 (/ (remainder 1e-2) (remainder 1e-3)))))))

(define (condition-of thunk)
  "Return what @var{thunk} raises, @code{#f} if it returns."
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refused? predicate thunk . parts)
  "Return true if @var{thunk} raises something of @var{predicate} whose text has all of @var{parts}; else show the text."
  (let* ((condition (condition-of thunk))
         (text (if condition (condition->string condition) "nothing is raised")))
    (or (and condition (predicate condition) (every (lambda (part) (string-contains text part)) parts))
        (begin
          (for-each (lambda (line) (format #t "# ~a~%" line)) (string-split text #\newline))
          #f))))

;;; Of procedures.

(define-remote (make-square space)
  ;; The derivative keeps the point as it got it.
  (make-operator #:name "square" #:domain space #:codomain space
                 #:evaluate (lambda (x) (vec* x x))
                 #:linearize (lambda (x)
                               (values (vec* x x)
                                       (make-linear-operator #:name "2 x" #:domain space #:codomain space
                                                             #:apply (lambda (h) (vec-scale 2 (vec* x h)))
                                                             #:adjoint (lambda (y) (vec-scale 2 (vec* (vec-conjugate x) y))))))))

(define-remote (real-part-operator n)
  (adjoint (embedding-operator n)))

;; The adjoint with respect to real parts; travels as its parts.
(define (conjugation n)
  (make-linear-operator #:name "conjugation" #:domain (complex-space n) #:codomain (complex-space n)
                        #:apply vec-conjugate #:adjoint vec-conjugate))

;;; Everything of one. Workers can be asked as well.

(define-remote (all-numbers op x h y)
  "Return all that @var{op} gives at @var{x}: its derivative for @var{h}, the adjoint of that for @var{y}."
  (call-with-values (lambda () (linearize op x))
    (lambda (value derivative)
      (list (evaluate op x) value (evaluate derivative h) (apply-adjoint derivative y) (operator-name op)
            (operator-domain op) (operator-codomain op) (linear? op)))))

(define-remote (linear-numbers op h y)
  "Return all that the linear operator @var{op} gives for @var{h}, and its adjoint for @var{y}."
  (list (evaluate op h) (apply-adjoint op y) (evaluate (adjoint op) y)))

;;; Simulations. Workers make them again by repeating these calls.

(define-remote (make-squares name rows columns entries)
  ;; d = G m^2, with the fields 2 m; the approximate kinds are half the exact ones.
  (let ((g (matrix-operator rows columns entries)))
    (make-simulation #:name name #:model-size columns #:data-size rows
                     #:fields (lambda (m) (vec-scale 2 m))
                     #:dpred (lambda (m f) (evaluate g (vec* m m)))
                     #:jvec (lambda (m v f) (evaluate g (vec* f v)))
                     #:jtvec (lambda (m u f) (vec* f (apply-adjoint g u)))
                     #:jvec-approx (lambda (m v f) (vec-scale 0.5 (evaluate g (vec* f v))))
                     #:jtvec-approx (lambda (m u f) (vec-scale 0.5 (vec* f (apply-adjoint g u)))))))

;;; Of everything.

(define (all-operators)
  "Return an association list of names and operators, of every constructor."
  (let* ((c complex-space)
         (real (matrix-operator 3 4 (random-real 12)))
         (complex (matrix-operator 3 4 (random-complex 12)))
         (square (operator-compose (make-square 3) real))
         (complex-square (operator-compose (make-square (c 3)) complex))
         (distribution '((#t #f #t) (#f #t #f))))
    `(("identity" . ,(identity-operator 4))
      ("identity of a direct sum" . ,(identity-operator (direct-sum (c 1) (c 3))))
      ("matrix" . ,real)
      ("complex matrix" . ,complex)
      ("matrix for several vectors" . ,(matrix-product-operator 3 4 (random-real 12) 10))
      ("complex matrix for several vectors" . ,(matrix-product-operator 3 4 (random-complex 12) 2))
      ("sparse" . ,(sparse-operator 3 4 '(0 2 0 2) '(1 3 1 0) (random-real 4)))
      ("complex sparse" . ,(sparse-operator 3 4 (u32vector 0 2 0 2) (u32vector 1 3 1 0) (random-complex 4)))
      ("diagonal" . ,(diagonal-operator (random-real 4)))
      ("complex diagonal" . ,(diagonal-operator (random-complex 4)))
      ("projection" . ,(projection-operator 4 '(3 1 3)))
      ("complex projection" . ,(projection-operator (direct-sum (c 1) (c 3)) (u32vector 3 1 3)))
      ("exp" . ,(exp-operator 4))
      ("complex exp" . ,(exp-operator (c 4)))
      ("affine" . ,(affine-operator real (random-real 3)))
      ("complex affine" . ,(affine-operator complex (random-complex 3)))
      ("fourier" . ,(fourier-operator (c 12) '(3 4)))
      ("composition" . ,(operator-compose real (diagonal-operator (random-real 4)) (projection-operator 2 '(0 1 1 0))))
      ("complex composition" . ,(operator-compose (diagonal-operator (random-complex 4)) (fourier-operator (c 4) '(4))))
      ("composition that is not linear" . ,(operator-compose real (exp-operator 4) (diagonal-operator (random-real 4))))
      ("complex composition that is not linear" . ,(operator-compose complex (exp-operator (c 4)) (diagonal-operator (random-complex 4))))
      ("sum" . ,(operator-sum real (matrix-operator 3 4 (random-real 12)) real))
      ("complex sum" . ,(operator-sum complex (matrix-operator 3 4 (random-complex 12))))
      ("sum that is not linear" . ,(operator-sum real square))
      ("complex sum that is not linear" . ,(operator-sum complex-square complex complex-square))
      ("multiple" . ,(operator-scale -2/3 real))
      ("complex multiple" . ,(operator-scale 2-3i complex))
      ("real multiple of complex" . ,(operator-scale 1/3 complex))
      ("multiple that is not linear" . ,(operator-scale 0.3 square))
      ("complex multiple that is not linear" . ,(operator-scale +2i complex-square))
      ("complex multiple of real arguments" . ,(operator-scale 1-2i (embedding-operator 4)))
      ("adjoint" . ,(adjoint real))
      ("complex adjoint" . ,(adjoint (operator-scale +i complex)))
      ("from real to complex" . ,(embedding-operator 4))
      ("from complex to real" . ,(real-part-operator 4))
      ("conjugation" . ,(conjugation 4))
      ("square" . ,(make-square 4))
      ("complex square" . ,(make-square (c 4)))
      ("vector" . ,(vector-of-operators (list real square (identity-operator 4))))
      ("complex vector" . ,(vector-of-operators (list complex complex-square (operator-scale +i (identity-operator (c 4))))))
      ("distributed" . ,(distributed-vector-of-operators (list real (exp-operator 2)) (direct-sum 1 2 3) distribution #:pool #f))
      ("complex distributed" . ,(distributed-vector-of-operators (list complex-square (exp-operator (c 2)))
                                                                 (direct-sum (c 1) (c 2) (c 3)) distribution #:pool #f))
      ("block diagonal" . ,(block-diagonal-operator (list real (projection-operator (direct-sum 1 2) '(2 0)) real)))
      ("complex block diagonal" . ,(block-diagonal-operator
                                    (list complex (operator-scale +i (identity-operator (direct-sum (c 1) (c 2)))))))
      ("block diagonal from real to complex" . ,(block-diagonal-operator (list (embedding-operator 2) (embedding-operator 3))))
      ("block diagonal that is not linear" . ,(block-diagonal-operator (list square (exp-operator 2) real)))
      ("embedding of a direct sum" . ,(embedding-operator (direct-sum 1 3)))
      ("between direct sums" . ,(operator-compose
                                 (vector-of-operators (list (exp-operator (direct-sum (c 3) (c 1))) (identity-operator (c 4))))
                                 (vector-of-operators (list complex (projection-operator (c 4) '(2))))))
      ("differences" . ,(with-differences square #:pool #f))
      ("C" . ,(native-operator "mt1d" "response" #:thicknesses '(0.5 1) #:periods '(1 2)))
      ("C with text" . ,(native-operator (string-append (getenv "TUTTI_HELPERS") "/text-operator.so") "letters"
                                         #:text "tutti" #:power "cubic" #:scale 0.01)))))
