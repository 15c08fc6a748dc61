;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Steps for many unknowns, by conjugate gradients. Without bounds they are truncated at the radius (Steihaug 1983). With bounds the
;; radius is a box around the model, so that there is one problem of one kind: a convex quadratic within bounds, for which gradient
;; projection finds the face and conjugate gradients its minimum (Moré and Toraldo 1991).
(define-module (tutti solver krylov-step)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-11)
  #:use-module (tutti solver bounds)
  #:use-module (tutti solver functional)
  #:use-module (tutti solver krylov)
  #:use-module (tutti solver result)
  #:use-module (tutti solver run)
  #:use-module (tutti solver step)
  #:use-module (tutti solver stop)
  #:use-module (tutti vector)
  #:export (make-krylov-linearizer))

(define (quadratic-value gradient p hessian-p)
  (+ (* 2 (inner-product gradient p)) (inner-product p hessian-p)))

(define (sup-norm v)
  (fold (lambda (x most) (max most (abs x))) 0. (f64vector->list v)))

;;; Without bounds.

(define (solve-free gradient hessian stop radius)
  (let* ((reached (lambda (iteration p) (and (> (vec-norm p) radius) 'radius)))
         (inner (run-conjugate-gradient 'gauss-newton hessian (vec-scale -1 gradient) #f
                                        (if radius (stop-when stop reached) stop) #f))
         (p (solver-result-solution inner))
         (size (vec-norm p))
         ;; Iterates grow in norm, and the quadratic falls along the ray to each of them.
         (p (if (and radius (> size radius)) (vec-scale (/ radius size) p) p)))
    (make-step p (- (quadratic-value gradient p (hessian p))) (vec-norm p) (solver-result-iterations inner))))

;;; Within bounds.

(define-record-type <place>
  (make-place p hessian-p)
  place?
  (p place-p)
  (hessian-p place-hessian-p))

(define least-decrease 1e-4)
(define most-halvings 40)
(define most-searches 200)

(define (search-path gradient hessian bounds from direction)
  "Return two values: the place at the first of the projections of @var{from} + t @var{direction}, t = 1, 1/2, 1/4 @dots{}, that
lowers the quadratic enough, or @var{from} itself if there is none; and the number of products that took."
  (let* ((p (place-p from))
         (slope-at (vec+ gradient (place-hessian-p from)))
         (value (quadratic-value gradient p (place-hessian-p from))))
    (let try ((length 1.) (count 1))
      (let* ((next (project (vec-axpy length direction p) bounds))
             (next-place (make-place next (hessian next)))
             (slope (* 2 (inner-product slope-at (vec- next p)))))
        (cond ((and (< slope 0)
                    (<= (- (quadratic-value gradient next (place-hessian-p next-place)) value) (* least-decrease slope)))
               (values next-place count))
              ((= count most-halvings) (values from count))
              (else (try (/ length 2) (1+ count))))))))

(define (steepest-direction hessian reduced)
  ;; To the minimum along the projected gradient, if there were no bounds.
  (let ((curvature (inner-product reduced (hessian reduced))))
    (vec-scale (- (if (> curvature 0) (/ (square-norm reduced) curvature) 1.)) reduced)))

(define (face-direction hessian slope mask stop)
  "Return two values: the step to the minimum in the unknowns for which @var{mask} is 1, and how many iterations it took."
  (let ((inner (run-conjugate-gradient 'gauss-newton (lambda (x) (vec* mask (hessian (vec* mask x)))) (vec-scale -1 (vec* mask slope))
                                       #f stop #f)))
    (values (solver-result-solution inner) (solver-result-iterations inner))))

(define (tolerance-of stop)
  ;; The criterion of the caller, asked how far the projected gradient has come.
  (lambda (count convergence p)
    (criterion-reason stop (make-iteration count #:residual-norm convergence #:convergence convergence) p)))

(define (solve-bounded gradient hessian bounds stop)
  (define n (f64vector-length gradient))
  (define start (project (make-f64vector n 0.) bounds))
  (define done? (tolerance-of (stop-when stop)))
  (define (reduced-at place)
    (project-gradient (vec+ gradient (place-hessian-p place)) (place-p place) bounds))
  (define (finish place count)
    (let ((p (place-p place)))
      (make-step p (- (quadratic-value gradient p (place-hessian-p place))) (sup-norm p) count)))
  (let* ((first (make-place start (hessian start)))
         (scale (vec-norm (reduced-at first))))
    (let loop ((place first) (count 0) (searches 0))
      (let* ((reduced (reduced-at place))
             (norm (vec-norm reduced)))
        (if (or (zero? norm) (= searches most-searches) (done? count (/ norm scale) (place-p place)))
            (finish place count)
            (let*-values (((projected products) (search-path gradient hessian bounds place (steepest-direction hessian reduced)))
                          ((mask) (strictly-inside (place-p projected) bounds))
                          ((slope) (vec+ gradient (place-hessian-p projected)))
                          ((direction inner) (if (zero? (vec-norm (vec* mask slope)))
                                                 (values (make-f64vector n 0.) 0)
                                                 (face-direction hessian slope mask stop)))
                          ((next more) (if (zero? (vec-norm direction))
                                           (values projected 0)
                                           (search-path gradient hessian bounds projected direction)))
                          ((count) (+ count products inner more)))
              (if (eq? next place)
                  (finish place count)
                  (loop next count (1+ searches)))))))))

(define (free-parameters point)
  "Return the procedure that sets the numbers of a model, or of a gradient, to zero that are not to change from @var{point}."
  (if (null? (point-frozen point))
      identity
      (let ((mask (make-f64vector (f64vector-length (point-model point)) 1.)))
        (for-each (lambda (parameter) (f64vector-set! mask (car parameter) 0.)) (point-frozen point))
        (lambda (v) (vec* mask v)))))

(define (make-krylov-linearizer functional bounds stop)
  "Return a procedure of a point of @var{functional}, the weight beta and a procedure that raises an error with a text: it
returns the functional, linearised at the point, as a @code{quadratic}, whose steps are found until @var{stop}."
  (lambda (point beta fail)
    (let* ((free (free-parameters point))
           (gradient (free (half-gradient functional point beta)))
           (whole (half-hessian functional point beta))
           (hessian (if (null? (point-frozen point)) whole (lambda (x) (free (whole (free x)))))))
      (define limits (and bounds (step-bounds bounds (point-model point))))
      (when limits
        (hold-parameters! limits (point-frozen point)))
      (make-quadratic
       (lambda (radius)
         (call-with-inner-solver fail
           (lambda ()
             (cond ((not bounds) (solve-free gradient hessian stop radius))
                   (radius (solve-bounded gradient hessian (intersect-radius limits radius) stop))
                   (else (solve-bounded gradient hessian limits stop))))))
       (if bounds sup-norm vec-norm)
       #f))))
