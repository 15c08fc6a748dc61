;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Series over an Earth that is known, and the ways in which records are corrupted: each is the same for the same seed.  What is measured
;; with them, and by what rules, is in doc/measurements.md.
;;
;; Channels are an association list of names and f64vectors.  A share is that of all samples, a strength is in root mean squares of
;; the channel before it was corrupted.
(define-module (contaminated)
  #:use-module (mt-data)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti operator)
  #:use-module (tutti space)
  #:export (half-space layered red-noise earth-series with-noise bursts spikes steps coherent dropouts line electric magnetic))

(define pi (acos -1))
(define electric '("Ex" "Ey"))
(define magnetic '("Hx" "Hy"))

;;; Series.

(define (filtered x rate response)
  "Return the real series whose spectrum is that of the f64vector X, at RATE Hz, times RESPONSE of the frequency, which is positive."
  (let* ((n (f64vector-length x))
         (fourier (fourier-operator (complex-space n) (list n)))
         (spectrum (evaluate fourier (let ((z (make-c64vector n 0)))
                                       (do ((i 0 (1+ i))) ((= i n) z) (c64vector-set! z i (f64vector-ref x i)))))))
    (define (conjugate z) (make-rectangular (real-part z) (- (imag-part z))))
    (c64vector-set! spectrum 0 0)
    (do ((k 1 (1+ k)))
        ((> (* 2 k) n))
      (let ((z (* (response (/ (* k rate) n)) (c64vector-ref spectrum k))))
        (c64vector-set! spectrum k (if (= (* 2 k) n) (real-part z) z))
        (unless (= (* 2 k) n)
          (c64vector-set! spectrum (- n k) (conjugate z)))))
    (let ((y (apply-adjoint fourier spectrum))
          (real (make-f64vector n)))
      (do ((i 0 (1+ i)))
          ((= i n) real)
        (f64vector-set! real i (real-part (c64vector-ref y i)))))))

(define (half-space rho)
  "Return the impedance of a half-space of @var{rho} ohm m, a procedure of the frequency in Hz; in mV/km/nT."
  (lambda (f) (* (sqrt (* 5 rho f)) (exp (* +i pi 1/4)))))

(define (layered rho thickness deep)
  "Return the impedance of a layer of @var{rho} ohm m, @var{thickness} m thick, above @var{deep} ohm m."
  (lambda (f)
    (let* ((omega-mu (* 2 pi f 4e-7 pi))
           (k (sqrt (/ (* +i omega-mu) rho)))
           (upper (* k rho)) (lower (sqrt (* +i omega-mu deep)))
           (turned (exp (* -2 k thickness)))
           (r (/ (- lower upper) (+ lower upper))))
      ;; From ohm to mV/km/nT.
      (/ (* upper (/ (+ 1 (* r turned)) (- 1 (* r turned)))) 4e-4 pi))))

(define* (red-noise seed n #:key (rate 1) (slope 0))
  "Return @var{n} samples of noise whose power density falls as the frequency to the power @var{slope}."
  (if (zero? slope)
      (noise seed n)
      (filtered (noise seed n) rate (lambda (f) (expt (/ f rate) (/ slope -2))))))

(define* (earth-series n #:key (rate 1) (impedance (half-space 100)) (seed 1) (slope 0))
  "Return the channels of @var{n} samples over an Earth with this scalar @var{impedance}, a procedure of the frequency."
  (let ((hx (red-noise seed n #:rate rate #:slope slope))
        (hy (red-noise (+ seed 1) n #:rate rate #:slope slope)))
    `(("Hx" . ,hx) ("Hy" . ,hy)
      ("Ex" . ,(filtered hy rate impedance)) ("Ey" . ,(scale-series -1 (filtered hx rate impedance))))))

;;; Contamination.

(define (rms x)
  (let ((n (f64vector-length x)))
    (do ((i 0 (1+ i)) (sum 0. (+ sum (expt (f64vector-ref x i) 2))))
        ((= i n) (sqrt (/ sum n))))))

(define (corrupted channels names change)
  "Return CHANNELS, those of NAMES as CHANGE makes them of a copy, the root mean square and the number of the channel."
  (map (lambda (channel i)
         (if (member (car channel) names)
             (let ((x (scale-series 1. (cdr channel))))
               (change x (rms x) i)
               (cons (car channel) x))
             channel))
       channels (iota (length channels))))

(define (add! x i y) (f64vector-set! x i (+ y (f64vector-ref x i))))

(define (stretches n share length seed)
  "Return a list of the first samples and the ends of stretches of LENGTH, at random places, that are SHARE of N samples in all."
  (let ((state (seed->random-state seed))
        (taken (make-bitvector n #f)))
    (let loop ((left (inexact->exact (round (* share n)))) (result '()) (tries 0))
      (if (or (<= left 0) (> tries 100000))
          result
          (let* ((first (random (- n length) state)) (end (+ first length))
                 (free? (not (any (lambda (i) (bitvector-bit-set? taken i)) (iota length first)))))
            (if free?
                (begin
                  (for-each (lambda (i) (bitvector-set-bit! taken i)) (iota length first))
                  (loop (- left length) (cons (cons first end) result) (1+ tries)))
                (loop left result (1+ tries))))))))

(define (with-noise channels names strength seed)
  "Add white noise of its own to each of @var{names}."
  (corrupted channels names
    (lambda (x rms k)
      (let ((extra (noise (+ seed k) (f64vector-length x))))
        (do ((i 0 (1+ i))) ((= i (f64vector-length x))) (add! x i (* strength rms (f64vector-ref extra i))))))))

(define* (bursts channels names #:key (share 0.3) (length 500) (strength 10) (seed 1000))
  "Add white noise to @var{names} in stretches of @var{length} samples, the same for all of them."
  (corrupted channels names
    (lambda (x rms k)
      (let ((extra (noise (+ seed 1 k) (f64vector-length x))))
        (for-each (lambda (stretch)
                    (do ((i (car stretch) (1+ i))) ((= i (cdr stretch))) (add! x i (* strength rms (f64vector-ref extra i)))))
                  (stretches (f64vector-length x) share length seed))))))

(define* (spikes channels names #:key (share 0.01) (strength 30) (seed 2000))
  "Add to a share of the samples of each of @var{names}, at random, a number of either sign of up to @var{strength}, at least half of it."
  (corrupted channels names
    (lambda (x rms k)
      (let ((state (seed->random-state (+ seed k))))
        (do ((i 0 (1+ i)))
            ((= i (f64vector-length x)))
          (when (< (random 1. state) share)
            (add! x i (* strength rms (+ 0.5 (random 0.5 state)) (if (zero? (random 2 state)) 1 -1)))))))))

(define* (steps channels names #:key (count 20) (strength 30) (seed 3000))
  "Make each of @var{names} jump up or down by @var{strength} at @var{count} random places of its own, and stay there."
  (corrupted channels names
    (lambda (x rms k)
      (let ((state (seed->random-state (+ seed k))) (n (f64vector-length x)))
        (for-each (lambda (_)
                    (let ((jump (* strength rms (if (zero? (random 2 state)) 1 -1))))
                      (do ((i (random n state) (1+ i))) ((>= i n)) (add! x i jump))))
                  (iota count))))))

(define* (coherent channels #:key (share 0.3) (length 500) (strength 5) (seed 4000))
  "Add the noise of a source nearby, where E goes with H as nothing else does, to all channels in stretches of @var{length}."
  (let* ((n (f64vector-length (cdar channels)))
         (sources (map (lambda (name seed) (cons name (noise seed n))) '("Hx" "Hy" "Ey" "Ex") (list seed (1+ seed) seed (1+ seed)))))
    (corrupted channels (append electric magnetic)
      (lambda (x rms k)
        (let ((source (assoc-ref sources (car (list-ref channels k)))))
          (for-each (lambda (stretch)
                      (do ((i (car stretch) (1+ i))) ((= i (cdr stretch))) (add! x i (* strength rms (f64vector-ref source i)))))
                    (stretches n share length (+ seed 2))))))))

(define* (dropouts channels names #:key (share 0.1) (length 200) (seed 5000))
  "Make each of @var{names} zero in stretches of @var{length} samples of its own."
  (corrupted channels names
    (lambda (x rms k)
      (for-each (lambda (stretch)
                  (do ((i (car stretch) (1+ i))) ((= i (cdr stretch))) (f64vector-set! x i 0.)))
                (stretches (f64vector-length x) share length (+ seed k))))))

(define* (line channels frequency #:key (rate 1) (strength 10))
  "Add a line at @var{frequency} Hz to all channels, in each with a phase of its own."
  (corrupted channels (map car channels)
    (lambda (x rms k)
      (do ((i 0 (1+ i)))
          ((= i (f64vector-length x)))
        (add! x i (* (sqrt 2) strength rms (cos (+ k (* 2 pi frequency (/ i rate))))))))))
