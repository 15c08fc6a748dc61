;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Impedances and tippers from averaged powers of channels, which some programs write in their place: >SPECTRA has a square matrix for
;; each frequency.  Its element in row i and column j is the real part of <A_i conj (A_j)> for i >= j, and the imaginary part of
;; <A_j conj (A_i)> for i < j.
;;
;; With the reference R, the magnetic field itself or that of another site, Z = <E R*> <H R*>^-1.  To first order its error is that of the
;; noise N = E - Z H in <N R*> <H R*>^-1, so the variance of Z_ij is <|N_i|^2> (<H R*>^-1* <R R*> <H R*>^-1)_jj over the number of
;; averages less the two that Z has been fitted to.
(define-module (tutti mt edi spectra)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti mt edi blocks)
  #:use-module (tutti mt edi rotation)
  #:export (section-channels spectra-frequency spectra-responses))

;;; Which channels there are: the section lists identities, and >HMEAS and >EMEAS say what these are.

(define local-kinds '(("HX" . hx) ("HY" . hy) ("HZ" . hz) ("EX" . ex) ("EY" . ey) ("BX" . hx) ("BY" . hy) ("BZ" . hz)))
(define remote-kinds
  '(("RX" . rx) ("RY" . ry) ("RHX" . rx) ("RHY" . ry) ("RRHX" . rx) ("RRHY" . ry) ("HXR" . rx) ("HYR" . ry) ("RBX" . rx) ("RBY" . ry)))

(define (channel-kind name before)
  "Return what the channel called NAME is, a symbol; those of another site may have the names of those of the list BEFORE.  Others are #f."
  (let ((local (assoc-ref local-kinds name)))
    (cond ((assoc-ref remote-kinds name) => identity)
          ((not (and local (memq local before))) local)
          (else (case local ((hx) 'rx) ((hy) 'ry) ((ex) 'rex) ((ey) 'rey) (else #f))))))

(define (usual-channels n)
  (case n
    ((4) '(hx hy ex ey))
    ((5) '(hx hy hz ex ey))
    ((6) '(hx hy ex ey rx ry))
    ((7) '(hx hy hz ex ey rx ry))
    (else #f)))

(define (section-channels fail note section measurements n)
  "Return the list of what the @var{n} channels of the spectra of @var{section} are.  @var{measurements} are pairs of identity and kind;
@var{note} is called like @var{fail} when the usual order has to be taken."
  (define (kind-of word)
    (or (any (match-lambda ((id . kind) (and (same-identity? id word) kind))) measurements)
        (and (or (assoc (string-upcase word) local-kinds) (assoc (string-upcase word) remote-kinds)) (string-upcase word))))
  (let* ((words (if section
                    (filter-map (match-lambda ((_ . word) (and (not (string-contains word "=")) word)))
                                (block-words fail section))
                    '()))
         (names (map kind-of (if (> (length words) n) (take-right words n) words))))
    (if (and (= (length names) n) (every identity names))
        (reverse (fold (lambda (name kinds) (cons (channel-kind name kinds) kinds)) '() names))
        (let ((usual (or (usual-channels n)
                         (fail (and section (block-line section)) "it does not say which the ~a channels of the spectra are" n))))
          (note (and section (block-line section)) "it does not say which the channels of the spectra are: ~{~a~^ ~} is taken" usual)
          usual))))

(define (same-identity? a b)
  (let ((x (word->number a)) (y (word->number b)))
    (if (and x y) (= x y) (string-ci=? a b))))

;;; One frequency.

(define (option-number fail block key)
  (let ((text (block-option block key)))
    (and text (or (word->number text) (fail (block-line block) "~a of >SPECTRA is ~a, which is no number" key text)))))

(define (spectra-frequency fail block)
  "Return the frequency of the @var{block} >SPECTRA."
  (or (option-number fail block "FREQ") (fail (block-line block) "there is no FREQ in >SPECTRA")))

(define (spectra-angle fail block)
  "Return the angle of the axes of the channels in the @var{block} >SPECTRA."
  (or (option-number fail block "ROTSPEC") 0))

(define (powers numbers n)
  "Return the procedure that gives <A_i conj (A_j)> for i and j."
  (let ((items (list->vector numbers)))
    (define (element i j) (vector-ref items (+ (* i n) j)))
    (lambda (i j)
      (cond ((= i j) (make-rectangular (element i i) 0.))
            ((> i j) (make-rectangular (element i j) (element j i)))
            (else (make-rectangular (element j i) (- (element i j))))))))

(define (conjugate z) (make-rectangular (real-part z) (- (imag-part z))))

(define (power-matrix power rows columns)
  (map (lambda (i) (map (lambda (j) (power i j)) columns)) rows))

(define (transpose* m) (apply map (lambda row (map conjugate row)) m))
(define (product a b)
  (let ((columns (apply map list b)))
    (map (lambda (row) (map (lambda (column) (fold (lambda (x y sum) (+ sum (* x y))) 0 row column)) columns)) a)))

(define (inverse m)
  "Return the inverse of the matrix M of 2 x 2, or #f."
  (match m
    (((a b) (c d))
     (let ((determinant (- (* a d) (* b c)))
           (size (+ (magnitude (* a d)) (magnitude (* b c)))))
       ;; A reference that does not tell x from y, or that is dead.
       (and (> (magnitude determinant) (* 1e-14 size))
            (map (lambda (row) (map (lambda (x) (/ x determinant)) row)) (list (list d (- b)) (list (- c) a))))))))

(define (turned-powers power channels r)
  "Return POWER of the same channels along axes from which theirs are turned by the rotation R."
  (define c (vector-ref r 0))
  (define s (vector-ref r 1))
  (define (index kind) (list-index (lambda (known) (eq? known kind)) channels))
  (define parts
    ;; by channel, the list of pairs of coefficient and channel that it becomes
    (let ((parts (list->vector (map (lambda (i) (list (cons 1 i))) (iota (length channels))))))
      (for-each (match-lambda
                  ((x y)
                   (let ((i (index x)) (j (index y)))
                     (when (and i j)
                       (vector-set! parts i (list (cons c i) (cons (- s) j)))
                       (vector-set! parts j (list (cons s i) (cons c j)))))))
                '((hx hy) (ex ey) (rx ry) (rex rey)))
      parts))
  (if (eqv? c 1)
      power
      (lambda (i j)
        (fold (lambda (a sum)
                (fold (lambda (b sum) (+ sum (* (car a) (car b) (power (cdr a) (cdr b))))) sum (vector-ref parts j)))
              0 (vector-ref parts i)))))

(define (spectra-responses fail void block channels azimuth)
  "Return four values: the impedances in the @var{block} >SPECTRA of @var{channels} along axes at @var{azimuth}, a c64vector, their
variances, an f64vector, the tippers, and their variances.  What cannot be computed is not a number."
  (define n (length channels))
  (define (index kind) (list-index (lambda (known) (eq? known kind)) channels))
  (define averages (option-number fail block "AVGT"))
  (define power
    (turned-powers (powers (block-numbers fail block void (* n n)) n) channels
                   (rotation (- (spectra-angle fail block) azimuth))))
  (define h (map index '(hx hy)))
  (define reference
    (find (lambda (pair) (every identity pair)) (map (lambda (kinds) (map index kinds)) '((rx ry) (rex rey) (hx hy)))))
  (define solved (and (every identity h) (inverse (power-matrix power h reference))))
  (define sensitivity
    (and solved (let ((m (product (product (transpose* solved) (power-matrix power reference reference)) solved)))
                  (list (real-part (first (first m))) (real-part (second (second m)))))))
  (define (row kind)
    "Return two lists: the transfer functions from the magnetic field to the channel KIND, and their variances."
    (let ((e (index kind)))
      (if (and e solved)
          (let* ((z (product (power-matrix power (list e) reference) solved))
                 (cross (first (first (product z (power-matrix power h (list e))))))
                 (predicted (first (first (product (product z (power-matrix power h h)) (transpose* z)))))
                 (noise (max 0. (+ (real-part (power e e)) (* -2 (real-part cross)) (real-part predicted)))))
            (list (first z)
                  (map (lambda (s) (if (and averages (> averages 2)) (/ (* noise s) (- averages 2)) +nan.0)) sensitivity)))
          (list '(+nan.0 +nan.0) '(+nan.0 +nan.0)))))
  (unless (every identity h)
    (fail (block-line block) "the spectra have no HX and HY"))
  (match (map row '(ex ey hz))
    (((zx vx) (zy vy) (t vt))
     (values (list->c64vector (append zx zy)) (list->f64vector (append vx vy)) (list->c64vector t) (list->f64vector vt)))))
