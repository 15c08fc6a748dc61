;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators as sparse matrices, and diagonals of A^H Q A: against the matrix of what operators do to unit vectors.
(use-modules (tap) (ice-9 match) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti operator gram)
             (tutti operator sparse) (tutti operator type) (tutti base primitives) (tutti space) (vectors))

(define (derivative-of op x)
  (call-with-values (lambda () (linearize op x)) (lambda (y derivative) derivative)))

(define (entries->matrix rows columns entries)
  "Return the row-major matrix of sparse ENTRIES, a list of row indices, column indices and values."
  (match entries
    ((row-indices column-indices values)
     (let ((matrix (if (c64vector? values) (make-c64vector (* rows columns) 0.) (make-f64vector (* rows columns) 0.))))
       (for-each (lambda (i j value)
                   ((if (c64vector? values) c64vector-set! f64vector-set!) matrix (+ j (* i columns)) value))
                 (u32vector->list row-indices) (u32vector->list column-indices)
                 (if (c64vector? values) (c64vector->list values) (f64vector->list values)))
       matrix))))

(define dimension space-dimension)
(define (vec->list v) (if (c64vector? v) (c64vector->list v) (f64vector->list v)))

(define (right? op)
  "Return true if the sparse matrix of OP is the matrix of OP."
  (match (operator->sparse op)
    (#f #f)
    (matrix
     (let ((ours (entries->matrix (dimension (operator-codomain op)) (dimension (operator-domain op))
                                  (%sparse-entries matrix)))
           (theirs (operator->matrix op)))
       (close? (if (c64vector? theirs) (list->c64vector (vec->list ours)) ours) theirs 1e-15)))))

(define (own-diagonal op weights)
  "Return the diagonal of A^H Q A by the definition, from the matrix."
  (let* ((rows (dimension (operator-codomain op)))
         (columns (dimension (operator-domain op)))
         (matrix (vec->list (operator->matrix op))))
    (list->f64vector
     (map (lambda (j)
            (fold (lambda (i sum)
                    (+ sum (* (f64vector-ref weights i) (expt (magnitude (list-ref matrix (+ j (* i columns)))) 2))))
                  0. (iota rows)))
          (iota columns)))))

(define (right-diagonal? op)
  (let ((weights (random-real (dimension (operator-codomain op))))
        (ones (make-f64vector (dimension (operator-codomain op)) 1.)))
    (and (close? (gram-diagonal op weights) (own-diagonal op weights))
         (close? (gram-diagonal op #f) (own-diagonal op ones)))))

(define (random-matrix rows columns) (matrix-operator rows columns (random-real (* rows columns))))
(define (random-complex-matrix rows columns) (matrix-operator rows columns (random-complex (* rows columns))))

(define (hidden op)
  "Return OP as something that is not known to be anything."
  (make-linear-operator #:name "hidden" #:domain (operator-domain op) #:codomain (operator-codomain op)
                        #:apply (lambda (x) (evaluate op x)) #:adjoint (lambda (y) (apply-adjoint op y))))

(define sparse (sparse-operator 3 5 '(0 1 1 2 0) '(4 0 3 3 4) (f64vector 1 2 3 4 5)))
(define complex-sparse (sparse-operator 3 5 '(0 1 2) '(4 0 3) (c64vector 1+2i 3 4-1i)))

(define known
  `(("sparse" ,sparse)
    ("complex sparse" ,complex-sparse)
    ("dense" ,(matrix-operator 2 3 (f64vector 1 0 2 0 0 3)))
    ("dense, complex" ,(random-complex-matrix 2 3))
    ("identity" ,(identity-operator 4))
    ("complex identity" ,(identity-operator (complex-space 3)))
    ("diagonal" ,(diagonal-operator (f64vector 1 -2 0)))
    ("projection" ,(projection-operator 5 '(3 0 3)))
    ("projection by a u32vector" ,(projection-operator 5 (u32vector 4 1)))
    ("multiple" ,(operator-scale 1/3 sparse))
    ("complex multiple" ,(operator-scale 2+1i complex-sparse))
    ("composition" ,(operator-compose (random-matrix 2 3) (diagonal-operator (f64vector 1 2 3)) sparse))
    ("sum" ,(operator-sum sparse (operator-scale -2 sparse) (random-matrix 3 5)))
    ("adjoint" ,(adjoint (operator-compose (diagonal-operator (f64vector 1 2 3)) sparse)))
    ("complex adjoint" ,(adjoint complex-sparse))
    ("derivative of exp" ,(derivative-of (exp-operator 3) (f64vector 1 2 3)))
    ("derivative of exp (A x + b) / 2"
     ,(derivative-of (operator-scale 0.5 (operator-compose (exp-operator 3) (affine-operator sparse (f64vector 1 2 3))))
                     (random-real 5)))
    ("derivative of a sum" ,(derivative-of (operator-sum (exp-operator 5) (identity-operator 5)) (random-real 5)))
    ("derivative in C"
     ,(derivative-of (native-operator "mt1d" "response" #:thicknesses '(100) #:periods '(1 10)) (f64vector 3 4)))
    ("adjoint of a derivative" ,(adjoint (derivative-of (operator-compose (exp-operator 3) sparse) (random-real 5))))
    ("derivative of procedures, a known operator"
     ,(derivative-of (make-operator #:domain 2 #:codomain 2 #:evaluate (lambda (x) (vec* x x))
                                    #:linearize (lambda (x) (values (vec* x x) (diagonal-operator (vec-scale 2 x)))))
                     (f64vector 3 4)))))

(define unknown
  `(("procedures" ,(hidden sparse))
    ("with a part that is" ,(operator-compose (hidden (random-matrix 2 3)) sparse))
    ("sum with one" ,(operator-sum sparse (hidden (random-matrix 3 5))))
    ("multiple of one" ,(operator-scale 2 (hidden sparse)))
    ("adjoint of one" ,(adjoint (hidden sparse)))
    ("Fourier transform" ,(fourier-operator (complex-space 4) '(4)))))

(call-with-tap
 (lambda ()
   (test-group "operator-sparse"
     (for-each (match-lambda ((name op)
                              (test-assert (string-append "matrix: " name) (right? op))
                              (test-assert (string-append "diagonal: " name) (right-diagonal? op))))
               known)
     (for-each (match-lambda ((name op)
                              (test-equal (string-append "unknown: " name) #f (operator->sparse op))
                              (test-assert (string-append "diagonal: unknown: " name) (right-diagonal? op))))
               unknown)
     (test-equal "not linear" #f (operator->sparse (exp-operator 2)))
     (test-equal "dense matrices can be left out" '(#f #f #t)
                 (map (lambda (op) (->bool (operator->sparse op #:dense? #f)))
                      (list (random-matrix 2 3) (operator-compose (random-matrix 2 3) sparse) sparse)))
     (test-assert "diagonal: more rows than columns" (right-diagonal? (random-matrix 7 3)))
     (test-assert "diagonal: fewer" (right-diagonal? (operator-compose (random-matrix 2 7) (random-matrix 7 9))))
     (test-assert "diagonal: complex, fewer"
       (right-diagonal? (operator-compose (random-complex-matrix 2 3) (random-complex-matrix 3 5))))
     (test-equal "diagonal: from real to complex" (f64vector 25 4)
       (gram-diagonal (make-linear-operator #:name "widen" #:domain 2 #:codomain (complex-space 1)
                                            #:apply (lambda (x)
                                                      (c64vector (+ (* 3+4i (f64vector-ref x 0)) (* 0+2i (f64vector-ref x 1)))))
                                            #:adjoint (lambda (y) (f64vector (real-part (* 3-4i (c64vector-ref y 0)))
                                                                             (real-part (* 0-2i (c64vector-ref y 0))))))
                      #f)))))
