;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Soundings and their inversion: against an independent code, against a known answer, and with bad input.
(use-modules (tap)
             (tutti conditions)
             (tutti mt1d)
             (tutti operator)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-11)
             (srfi srfi-64))

(define (near? a b tolerance)
  (<= (abs (- a b)) tolerance))

(define (with-text text proc)
  "Call @var{proc} with the name of a file that has @var{text}."
  (let* ((port (mkstemp (string-append (or (getenv "TMPDIR") "/tmp") "/test-mt1d-XXXXXX")))
         (name (port-filename port)))
    (display text port)
    (close-port port)
    (dynamic-wind (const #t) (lambda () (proc name)) (lambda () (delete-file name)))))

(define (message-of thunk)
  (with-exception-handler exception-message thunk #:unwind? #t))

(define (refused text)
  (with-text text (lambda (file) (message-of (lambda () (read-sounding file))))))

;;; A forward code of somebody else's: with z upwards, the layers from the bottom, and ln of conductivities.

(define shared (getenv "TUTTI_SHARED"))
(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

(define (ref object . keys)
  (fold (lambda (key object) (if (integer? key) (vector-ref object key) (assoc-ref object key))) object keys))

(define (column-model oracle sounding)
  "Return ln of the resistivities of @var{sounding}, top first: its map takes ln of conductivities, bottom first."
  (let* ((map-part (lambda (key) (vector->list (ref oracle "maps" sounding "A_coo" key))))
         (model (ref oracle "input" "m"))
         (logs (make-vector (ref oracle "n_layers") 0.)))
    (for-each (lambda (row column value)
                (vector-set! logs row (+ (vector-ref logs row) (* value (vector-ref model column)))))
              (map-part "row") (map-part "col") (map-part "val"))
    (list->f64vector (reverse (map - (vector->list logs))))))

(define (compare-with-oracle oracle)
  (let* ((mu (ref oracle "mu_0"))
         (frequencies (vector->list (ref oracle "frequencies_Hz")))
         (count (length frequencies))
         (op (native-operator "mt1d" "response"
                              #:thicknesses (reverse (vector->list (ref oracle "thicknesses_m_from_bottom")))
                              #:periods (map / frequencies))))
    (for-each
     (lambda (sounding)
       (let* ((y (evaluate op (column-model oracle sounding)))
              (impedances (map vector->list (vector->list (ref oracle "impedance_surface" sounding)))))
         (for-each
          (lambda (i frequency z)
            ;; Third quadrant to first.
            (let ((rho (/ (+ (* (first z) (first z)) (* (second z) (second z))) (* 2 (acos -1) frequency mu)))
                  (phase (/ (* 180 (atan (- (second z)) (- (first z)))) (acos -1))))
              (test-assert (format #f "sounding ~a, ~a Hz" sounding frequency)
                (and (near? (expt 10 (f64vector-ref y i)) rho (* 1e-9 rho))
                     (near? (f64vector-ref y (+ count i)) phase 1e-9)))))
          (iota count) frequencies impedances)))
     (iota (ref oracle "n_sim")))))

;;; The sounding of Cull.

(define source (or (getenv "TUTTI_SOURCE_DIR") "."))
(define sounding (read-sounding (string-append source "/examples/data/cull-1985.txt")))
(define tops (layer-tops 40 50. 200e3))
(define response (mt-response (sounding-periods sounding) tops))
(define start (make-f64vector 40 (log 10.)))

(define (noisy seed)
  (perturb-sounding sounding (seed->random-state seed)))

(call-with-tap
 (lambda ()
   (test-group "layer-tops"
     (test-equal "first" '(0. 50.) (take tops 2))
     (test-assert "last" (near? (last tops) 200e3 1e-6))
     (test-equal "number" 40 (length tops))
     (test-assert "equal ratios" (every (lambda (a b c) (near? (/ b a) (/ c b) 1e-9)) (cdr tops) (cddr tops) (cdddr tops))))

   (test-group "read-sounding"
     (test-equal "numbers" '(23 46 46)
       (list (length (sounding-periods sounding)) (f64vector-length (sounding-data sounding))
             (f64vector-length (sounding-deviations sounding))))
     (test-equal "order" '(0.02 1995. 0.712 20.5 0.0434 21.63)
       (list (first (sounding-periods sounding)) (last (sounding-periods sounding))
             (f64vector-ref (sounding-data sounding) 0) (f64vector-ref (sounding-data sounding) 23)
             (f64vector-ref (sounding-deviations sounding) 0) (f64vector-ref (sounding-deviations sounding) 45)))
     (test-assert "too few numbers" (string-contains (refused "# period\n1 2 3 4 5\n1 2 3\n") ":3: expected five numbers"))
     (test-assert "not a number" (string-contains (refused "1 2 x 4 5\n") ":1: expected five numbers"))
     (test-assert "a deviation of 0" (string-contains (refused "1 2 0 4 5\n") ":1: the period and the deviations"))
     (test-assert "no data" (string-contains (refused "# nothing\n\n") "has no data")))

   (test-group "perturb-sounding"
     (test-equal "the seed decides" (sounding-data (noisy 3)) (sounding-data (noisy 3)))
     (test-assert "another seed, other noise" (not (equal? (sounding-data (noisy 3)) (sounding-data (noisy 4)))))
     (test-assert "of the right size"
       (let* ((z (append-map (lambda (seed)
                               (map (lambda (a b s) (/ (- a b) s)) (f64vector->list (sounding-data (noisy seed)))
                                    (f64vector->list (sounding-data sounding))
                                    (f64vector->list (sounding-deviations sounding))))
                             (iota 40)))
              (n (length z)))
         (and (near? (/ (apply + z) n) 0 0.1)
              (near? (/ (apply + (map * z z)) n) 1 0.1)))))

   (test-group "oracle"
     (cond ((not shared) (tap-skip "impedances" "TUTTI_SHARED is not set"))
           ((not json->scm) (tap-skip "impedances" "guile-json is not installed"))
           (else
            (compare-with-oracle
             (call-with-input-file (string-append shared "/oracle/simpeg/mt1d_rho_phase.json") json->scm)))))

   (test-group "smooth-fit"
     (let ((fit (smooth-fit response sounding start 60.5)))
       (test-assert "is a minimum"
         ;; No single layer can be changed for the better.
         (let* ((objective (lambda (model)
                             (let ((r (map (lambda (d f s) (/ (- d f) s)) (f64vector->list (sounding-data sounding))
                                           (f64vector->list (evaluate response model))
                                           (f64vector->list (sounding-deviations sounding)))))
                               (+ (apply + (map * r r)) (* 60.5 (roughness model))))))
                (changed (lambda (j by)
                           (let ((model (list->f64vector (f64vector->list (fit-model fit)))))
                             (f64vector-set! model j (+ by (f64vector-ref model j)))
                             model)))
                (least (objective (fit-model fit))))
           (every (lambda (j) (and (< least (objective (changed j 1e-3))) (< least (objective (changed j -1e-3)))))
                  (iota 40))))
       (test-equal "says what it is" (list #t #f 60.5) (list (fit? fit) (fit-goal fit) (fit-mu fit)))
       (test-equal "response" (evaluate response (fit-model fit)) (fit-response fit))))

   (test-group "occam"
     (let ((fit (occam response sounding start)))
       (test-assert "RMS" (near? (fit-rms fit) 1 2e-6))
       (test-equal "goal" 1. (fit-goal fit))
       (test-assert "roughness" (near? (fit-roughness fit) 0.384 5e-4))
       (test-assert "mu" (near? (fit-mu fit) 60.5 0.05))
       (test-assert "a larger mu does not reach it"
         (> (fit-rms (smooth-fit response sounding start (* 1.01 (fit-mu fit)))) 1.001)))
     (let ((fit (occam response sounding start #:target 0.1)))
       (test-assert "out of reach: within 5 % of the least"
         (let ((least (fit-rms (smooth-fit response sounding start 1.))))
           (and (near? (fit-goal fit) (* 1.05 least) 1e-3) (near? (fit-rms fit) (fit-goal fit) 2e-6)))))
     (let ((fit (occam response sounding start #:target 5.)))
       (test-equal "reached at once: the largest" 1e5 (fit-mu fit)))
     (test-assert "a muted datum does not count"
       (let* ((rows (map (lambda (period i)
                           (define (datum k) (f64vector-ref (sounding-data sounding) k))
                           (define (deviation k) (f64vector-ref (sounding-deviations sounding) k))
                           (list period (if (= i 5) 9. (datum i)) (if (= i 5) +inf.0 (deviation i)) (datum (+ i 23)) (deviation (+ i 23))))
                         (sounding-periods sounding) (iota 23)))
              (fit (with-text (string-join (map (lambda (row) (string-join (map number->string row) " ")) rows) "\n")
                     (lambda (file)
                       (let ((muted (read-sounding file)))
                         (and (= 9. (f64vector-ref (sounding-data (perturb-sounding muted (seed->random-state 1))) 5))
                              (occam response muted start #:target 1.)))))))
         (let ((residuals (map (lambda (k d f s) (if (= k 5) 0 (/ (- d f) s))) (iota 46) (f64vector->list (sounding-data sounding))
                               (f64vector->list (fit-response fit)) (f64vector->list (sounding-deviations sounding)))))
           (and (near? (fit-rms fit) (sqrt (/ (apply + (map * residuals residuals)) 45)) 1e-12)
                (near? (fit-rms fit) 1 2e-6)))))
     (test-assert "noisy data get there, too"
       (every (lambda (seed)
                (let ((fit (occam response (noisy seed) start)))
                  (near? (fit-rms fit) (fit-goal fit) 2e-6)))
              (iota 20))))

   (test-group "refused"
     (define (start-with x) (let ((v (make-f64vector 40 (log 10.)))) (f64vector-set! v 7 x) v))
     (define-syntax-rule (test-refused part expression)
       (let ((text (message-of (lambda () expression "no error"))))
         (test-equal (string-append (object->string 'expression) ": " part) (list #t text)
           (list (->bool (string-contains text part)) text))))
     (for-each (lambda (x)
                 (test-refused "the start model: number 7 (from 0) is" (occam response sounding (start-with x)))
                 (test-refused "the start model: number 7 (from 0) is" (smooth-fit response sounding (start-with x) 1.))
                 (test-refused "#:largest: expected a positive number" (occam response sounding start #:largest x))
                 (test-refused "#:smallest: expected a positive number" (occam response sounding start #:smallest x))
                 (test-refused "#:target: expected a positive number" (occam response sounding start #:target x))
                 (test-refused "mu, the weight of the roughness: expected a number from 0" (smooth-fit response sounding start x))
                 (test-refused "#:tolerance: expected a number from 0" (smooth-fit response sounding start 1. #:tolerance x)))
               '(+nan.0 +inf.0 -inf.0))
     (test-refused "#:largest 1.0 is less than #:smallest 2.0" (occam response sounding start #:largest 1. #:smallest 2.))
     (test-refused "#:target: expected a positive number, got 0" (occam response sounding start #:target 0))
     (test-refused "#:iterations: expected a whole number from 1, got 1.5" (smooth-fit response sounding start 1. #:iterations 1.5))
     (test-refused "#:iterations: expected a whole number from 1, got -1" (smooth-fit response sounding start 1. #:iterations -1))
     (test-refused "the response there is not finite" (smooth-fit response sounding (make-f64vector 40 1e4) 1.))
     (test-condition "a start of another length" shape-error? (occam response sounding (f64vector 1 2)))
     (test-condition "another number of periods" shape-error? (occam (mt-response '(1. 2.) tops) sounding start))
     (test-assert "data that are no numbers"
       (string-contains (refused "1 +nan.0 1 4 5\n") ":1: the apparent resistivity and the phase must be finite"))
     (test-assert "all muted"
       (with-text "1 2 +inf.0 4 +inf.0"
         (lambda (file)
           (string-contains (message-of (lambda () (occam (mt-response '(1.) tops) (read-sounding file) start))) "no datum counts"))))
     (test-refused "expected a number of layers" (layer-tops 0 1 2))
     (test-refused "expected two depths" (layer-tops 3 5 2))
     (test-refused "from 0 down" (mt-response '(1.) '(1. 2.))))))
