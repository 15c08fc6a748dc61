;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The axes of impedances and tippers, and their rotation.  Angles are those of the x axis, in degrees clockwise from
;; north; y is 90 degrees further.
(define-module (tutti mt edi rotation)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:export (rotation same-axes? turn-impedance turn-impedance-variances turn-tipper turn-tipper-variances))

(define (rotation degrees)
  "Return the vector of cosine and sine of @var{degrees}, without rounding where both are integers."
  (let* ((turn (- degrees (* 360 (floor (/ degrees 360)))))
         (quarter (list-index (lambda (angle) (= turn angle)) '(0 90 180 270))))
    (if quarter
        (list-ref '(#(1 0) #(0 1) #(-1 0) #(0 -1)) quarter)
        (let ((radians (* turn (/ (acos -1) 180))))
          (vector (cos radians) (sin radians))))))

(define (same-axes? degrees)
  "Return true if axes that are turned by @var{degrees} are the same."
  (eqv? (vector-ref (rotation degrees) 0) 1))

(define (entries r)
  ;; Row-major: components along the turned axes are this matrix times those along the others.
  (let ((c (vector-ref r 0)) (s (vector-ref r 1)))
    (vector c s (- s) c)))

(define (weighted-sum weights items)
  ;; Components that do not contribute may be unknown.
  (fold (lambda (weight item sum) (if (eqv? weight 0) sum (+ sum (* weight item)))) 0 weights items))

(define (turned r weight items)
  "Return the four components of the tensor with ITEMS along axes that are turned by the rotation R along those that are not; WEIGHT is
called with each coefficient."
  (let ((m (entries r)))
    (append-map (lambda (i)
                  (map (lambda (j)
                         (weighted-sum (append-map (lambda (k)
                                                     (map (lambda (l)
                                                            (weight (* (vector-ref m (+ (* 2 k) i)) (vector-ref m (+ (* 2 l) j)))))
                                                          '(0 1)))
                                                   '(0 1))
                                       items))
                       '(0 1)))
                '(0 1))))

(define (square x) (* x x))

(define (turn-impedance r z)
  "Return the impedances @var{z}, a c64vector Zxx Zxy Zyx Zyy, in axes from which those they are in are turned by the rotation @var{r}."
  (list->c64vector (turned r identity (c64vector->list z))))

(define (turn-impedance-variances r variances)
  "Return the @var{variances} of impedances that are turned as by @code{turn-impedance}: errors of components are taken for independent."
  (list->f64vector (turned r square (f64vector->list variances))))

(define (turned-row r weight items)
  (let ((m (entries r)))
    (map (lambda (j) (weighted-sum (map (lambda (l) (weight (vector-ref m (+ (* 2 l) j)))) '(0 1)) items)) '(0 1))))

(define (turn-tipper r t)
  "Return the tippers @var{t}, a c64vector Tx Ty, in axes from which those they are in are turned by the rotation @var{r}."
  (list->c64vector (turned-row r identity (c64vector->list t))))

(define (turn-tipper-variances r variances)
  "Return the @var{variances} of tippers that are turned as by @code{turn-tipper}."
  (list->f64vector (turned-row r square (f64vector->list variances))))
