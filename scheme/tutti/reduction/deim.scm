;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Discrete empirical interpolation: degrees of freedom for a basis that is given (Chaturantabut and Sorensen 2010),
;; or by a QR decomposition with pivoting, which is never much worse and does not depend on the basis of the space
;; (Drmač and Gugercin 2016).
(define-module (tutti reduction deim)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti reduction pod)
  #:use-module (tutti reduction result)
  #:use-module (tutti reduction snapshots)
  #:use-module (tutti remote object)
  #:use-module (tutti vector)
  #:export (deim qdeim))

;; A mode of which only this share is left has been within the span of those before it.
(define smallest-share 1e-14)

(define (unit-rows size count)
  (map (lambda (k)
         (let ((unit (make-f64vector count 0.)))
           (f64vector-set! unit k 1.)
           unit))
       (iota size)))

(define (finish modes dofs sizes)
  (let ((size (length dofs)) (count (length modes)))
    (make-ei-result dofs (list-head modes size) sizes (unit-rows size count)
                    (if (= size count) 'modes 'stagnation)
                    (if (= size count)
                        (format #f "each of ~a mode~:p has got its degree of freedom" count)
                        (format #f "mode ~a (from 0) is within the span of those before it, but for rounding" size))
                    #f)))

(define (modes-of who vectors pod? pool options)
  (check-pool who pool)
  (when (and (remote-object? vectors) (not pod?))
    (refuse who "the modes: expected a list or vector of f64vectors, got a remote object; if it is for snapshots, give #:modes or \
another keyword of pod, or #:pod? #t, to compute their modes"))
  (let ((modes (if pod? (pod-result-modes (apply pod vectors options)) (snapshots->list who vectors "mode"))))
    (for-each (lambda (mode k) (check-divisor who k (largest mode))) modes (iota (length modes)))
    modes))

(define (largest v)
  (abs (f64vector-ref v (%vec-largest v))))

(define (check-divisor who k size)
  "Raise an error in the name of @var{who} unless numbers can be divided by @var{size}, the largest number of mode @var{k}, or that is
zero."
  (unless (or (zero? size) (and (< size +inf.0) (< (/ size) +inf.0)))
    (refuse who "mode ~a (from 0): the largest number that interpolation leaves of it is ~a, too ~a to divide by: scale the modes" k size
            (if (< size 1) "small" "large"))))

(define (options-for-pod . options)
  ;; Only those that are present: the others have defaults of their own.
  (let loop ((rest options) (present '()))
    (cond ((null? rest) (reverse present))
          ((cadr rest) (loop (cddr rest) (cons* (cadr rest) (car rest) present)))
          (else (loop (cddr rest) present)))))

(define (check-few who modes)
  (let ((count (length modes)))
    (when (and (pair? modes) (> count (f64vector-length (car modes))))
      (refuse who "there are ~a modes of ~a numbers: at most as many as these can be interpolated" count
              (f64vector-length (car modes))))))

(define (eliminate who modes)
  "Return two values: the degrees of freedom of @var{modes}, and the sizes of what was left of them there."
  ;; What is left of a mode is what interpolation in those before it misses: a combination of what was left of these, each of which
  ;; vanishes at the degrees of freedom before its own.
  (let loop ((rest modes) (left '()) (dofs '()) (sizes '()))
    (if (null? rest)
        (values (reverse dofs) (reverse sizes))
        (let* ((v (vec-scale 1. (car rest)))
               (before (largest v)))
          (for-each (lambda (vector dof) (vec-axpy! (- (f64vector-ref v dof)) vector v)) (reverse left) (reverse dofs))
          (let ((dof (%vec-largest v)) (size (largest v)))
            (if (or (<= size (* smallest-share before)) (memv dof dofs))
                (values (reverse dofs) (reverse sizes))
                (let ((vector (begin (check-divisor who (length dofs) size) (vec-scale (/ (f64vector-ref v dof)) v))))
                  (f64vector-set! vector dof 1.)
                  (loop (cdr rest) (cons vector left) (cons dof dofs) (cons size sizes)))))))))

(define* (deim vectors #:key modes rtol atol l2-error product method pool (pod? (or modes rtol atol l2-error product method)))
  "Return the discrete empirical interpolation in the space of @var{vectors}, an @code{ei-result}: for each mode the
index of the first of the largest numbers of what interpolation by the modes before it misses. @var{vectors} is a list
or vector of f64vectors of one length, the modes; or, if @var{pod?} is true or one of the other keywords is given,
snapshots, of which @code{pod} computes the modes, with these keywords. Modes within the span of those before them end
it, by @code{stagnation}."
  (define who 'deim)
  (let ((found (modes-of who vectors pod? pool (options-for-pod #:modes modes #:rtol rtol #:atol atol #:l2-error l2-error #:product product
                                                                #:method method #:pool pool))))
    (check-few who found)
    (call-with-values (lambda () (eliminate who found))
      (lambda (dofs sizes) (finish found dofs sizes)))))

(define* (qdeim vectors #:key modes rtol atol l2-error product method pool (pod? (or modes rtol atol l2-error product method)))
  "Return what @code{deim} returns for @var{vectors}, with the degrees of freedom that a QR decomposition with
pivoting takes from the transpose of the matrix of the modes: the factor by which interpolation can be worse than
projection is smaller, and does not depend on the order of the modes, which should be orthonormal."
  (define who 'qdeim)
  (let ((found (modes-of who vectors pod? pool (options-for-pod #:modes modes #:rtol rtol #:atol atol #:l2-error l2-error #:product product
                                                                #:method method #:pool pool))))
    (check-few who found)
    (if (null? found)
        (finish '() '() '())
        (let* ((columns+sizes (or (%pivoted-columns found)
                                  (refuse who "there is no memory for a copy of ~a modes of ~a numbers" (length found)
                                          (f64vector-length (car found)))))
               (sizes (f64vector->list (cdr columns+sizes)))
               (count (or (list-index (lambda (size) (<= size smallest-share)) sizes) (length sizes))))
          (finish found (list-head (u32vector->list (car columns+sizes)) count) (list-head sizes count))))))
