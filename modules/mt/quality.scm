;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Doubts about estimates: where an estimate rests on few or contradictory data, its stated error alone would be misleading.
(define-module (tutti mt quality)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:export (with-doubts))

(define doubt-names
  ;; what may be doubtful about an estimate
  '(few-windows noisy uncertain neighbours remote))

(define least-windows 9)        ; that the estimate is worth, all weights considered
(define least-weight 1/3)       ; of observations, on average
(define least-explained 0.85)   ; of the power of an electric field, by the magnetic one
(define most-error 0.3)         ; of a resistivity
(define most-difference 0.12)   ; of an impedance from what it should be, if that is also more than
(define deviations 3)           ; of both

;; The off-diagonal components, and the outputs that they belong to.
(define components '((1 . 0) (2 . 1)))

(define (support estimate output k)
  (f64vector-ref (assq-ref estimate 'support) (+ k (* 3 output))))

(define (z estimate i) (c64vector-ref (assq-ref estimate 'transfer) i))
(define (variance estimate i) (f64vector-ref (assq-ref estimate 'variances) i))

(define (differs? z variance other other-variance)
  (let ((distance (magnitude (- z other))))
    (and (> distance (* most-difference (magnitude z)))
         (> distance (* deviations (sqrt (/ (+ variance other-variance) 2)))))))

(define (between below here above)
  "Return what the estimate HERE should be by those of the next frequencies, which are not far, as a list of four pairs of a number and
its variance; or #f.  All are pairs of a frequency and an estimate, or #f."
  (and below above (< (/ (car above) (car below)) 4.1)
       (let ((part (/ (log (/ (car here) (car below))) (log (/ (car above) (car below))))))
         (map (lambda (i)
                (let ((a (z (cdr below) i)) (b (z (cdr above) i)))
                  (cons (if (or (zero? a) (zero? b)) (/ (+ a b) 2) (* a (exp (* part (log (/ b a))))))
                        (+ (* (expt (- 1 part) 2) (variance (cdr below) i)) (* part part (variance (cdr above) i))))))
              (iota 4)))))

(define (doubts below here above)
  "Return the list of the doubts about the estimate HERE, and the contradictions: lists of the number of a component and how far off it
may be."
  (define estimate (cdr here))
  (define single (assq-ref estimate 'single))
  (define expected (between below here above))
  (define (explained output) (support estimate output 2))
  (define (any-output test) (any test '(0 1)))
  (define (contradicted others)
    (if others
        (filter-map (match-lambda
                      ((i . _)
                       (match (list-ref others i)
                         ((other . other-variance)
                          (and (differs? (z estimate i) (variance estimate i) other other-variance)
                               (list i (magnitude (- (z estimate i) other))))))))
                    components)
        '()))
  (let ((by-neighbours (contradicted expected))
        (by-remote (contradicted (and single (map (lambda (i) (cons (z single i) (variance single i))) (iota 4)))))
        (noisy (if single
                   '()
                   (filter-map (match-lambda
                                 ((i . output)
                                  (and (< (explained output) least-explained)
                                       (list i (* (magnitude (z estimate i)) (- 1 (explained output)))))))
                               components))))
    (values
     (filter-map (lambda (name there?) (and there? name))
                 doubt-names
                 (list (any-output (lambda (output) (or (< (support estimate output 0) least-windows)
                                                        (< (support estimate output 1) least-weight))))
                       (pair? noisy)
                       (any (match-lambda
                              ((i . _) (> (* 2 (sqrt (/ (variance estimate i) 2))) (* most-error (magnitude (z estimate i))))))
                            components)
                       (pair? by-neighbours)
                       (pair? by-remote)))
     (append by-neighbours noisy))))

(define (with-contradictions variances contradictions)
  "Return VARIANCES with those of the components that are contradicted, and of the others of their rows, so large that their errors are
half of what these may be off."
  (list->f64vector
   (map (lambda (variance i)
          (fold (match-lambda* (((j off) most) (if (= (quotient i 2) (quotient j 2)) (max most (/ (* off off) 2)) most)))
                variance contradictions))
        (f64vector->list variances) (iota (f64vector-length variances)))))

(define (with-doubts estimates)
  "Return @var{estimates}, pairs of a frequency and an estimate of @code{regress}, the highest frequency first, with their @code{doubts},
lists of @code{doubt-names}: @code{few-windows}, where the weights of all but a few windows are small; @code{noisy}, where the magnetic
field of a site alone does not explain the electric one, and its noise may have made impedances too small; @code{uncertain}, where the
error is large; @code{neighbours}, where an impedance is not between those of the next frequencies, or levels contradict each other; and
@code{remote}, where that of the site alone, which is in the estimate as @code{single}, is another.  Variances of what is contradicted are
larger than before."
  (level-doubts
   (map (lambda (above here below)
          (call-with-values (lambda () (doubts below here above))
            (lambda (names contradictions)
              (cons (car here)
                    (cons* (cons 'doubts names)
                           (cons 'variances (with-contradictions (assq-ref (cdr here) 'variances) contradictions))
                           (alist-delete 'variances (cdr here)))))))
        (cons #f (drop-right estimates 1)) estimates (append (cdr estimates) '(#f)))))

;;; A level against the one before it, whose windows are shorter and more.

(define (contradicted? entry)
  (memq 'neighbours (assq-ref (cdr entry) 'doubts)))

(define (another-level? before here)
  ;; Windows of a level last at least twice as long as those of the one before.
  (> (assq-ref (cdr before) 'windows) (* 3/2 (assq-ref (cdr here) 'windows))))

(define (widened entry share)
  "Return ENTRY, contradicted as others of its level are, with errors of its impedances that are at least SHARE of these."
  (let ((estimate (cdr entry)))
    (cons (car entry)
          (cons* (cons 'doubts (delete-duplicates (append (assq-ref estimate 'doubts) '(neighbours))))
                 (cons 'variances (with-contradictions (assq-ref estimate 'variances)
                                                       (map (match-lambda ((i . _) (list i (* 2 share (magnitude (z estimate i))))))
                                                            components)))
                 (alist-delete 'doubts (alist-delete 'variances estimate))))))

(define (level-doubts entries)
  "Return ENTRIES with doubts about all frequencies of a level that the one before contradicts where they meet: its windows are fewer, and
what corrupts one may corrupt all."
  (let loop ((entries entries) (before #f) (doubtful? #f) (result '()))
    (match entries
      (() (reverse result))
      ((entry . rest)
       (let ((doubtful? (if (and before (another-level? before entry))
                            (or doubtful? (and (contradicted? before) (contradicted? entry) #t))
                            doubtful?)))
         (loop rest entry doubtful? (cons (if doubtful? (widened entry 1/2) entry) result)))))))
