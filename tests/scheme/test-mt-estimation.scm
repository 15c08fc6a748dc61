;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Transfer functions over an Earth that is known: their numbers and errors where series are clean, and what is left of the errors, or said
;; about them, where they are corrupted.  Series are white, which is harder than nature: noise is then seen at all periods.
(use-modules (tap) (programs) (mt-data) (contaminated) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu)
             (srfi srfi-64) (tutti) (tutti mt))

(define n 40000)
(define fields (append electric magnetic))
(define base (with-noise (earth-series n #:seed 1) fields 0.05 77))
(define remote (filter (lambda (channel) (member (car channel) magnetic)) (with-noise (earth-series n #:seed 1) magnetic 0.1 99)))

(define (add project site channels)
  (write-measurement project site "first" #:start "2020-01-01" #:rate 1 #:format 'float32 #:channels channels)
  (parameterize ((current-error-port (%make-void-port "w")))
    (calculate-spectra project #:sites (list site))))

(define (estimate project site channels . options)
  (add project site channels)
  (first (apply process-site project site options)))

;; Of one component: period, resistivity in percent above the true one, its error, and doubts.
(define (rows tf component impedance least most)
  (filter (match-lambda ((period . _) (<= least period most)))
          (map (lambda (f rho error doubts)
                 (let ((true (* 0.2 (/ f) (expt (magnitude (impedance f)) 2))))
                   (list (/ f) (* 100 (1- (/ rho true))) (* 100 (/ error true)) doubts)))
               (transfer-function-frequencies tf) (apparent-resistivities tf component) (apparent-resistivity-errors tf component)
               (transfer-function-quality tf))))

(define (worst rows) (apply max 0 (map (compose abs second) rows)))
(define (errors-ratio rows) (apply max 0 (map (match-lambda ((_ off error _) (/ (abs off) error))) rows)))

(define (test-clean project)
  (for-each
   (lambda (name impedance slope most)
     (let ((tf (estimate project name (earth-series 100000 #:seed 7 #:impedance impedance #:slope slope))))
       (for-each (lambda (component)
                   (let ((rows (rows tf component impedance 0 1e9)))
                     (test-assert (format #f "~a, ~a: at most ~a deviations off" name component most)
                       (< (errors-ratio rows) most))
                     (test-assert (format #f "~a, ~a: not more on one side" name component)
                       (< (abs (/ (apply + (map (match-lambda ((_ off error _) (/ off error))) rows)) (length rows))) 1))
                     (test-assert (format #f "~a, ~a: within 1.5 % up to 32 s" name component)
                       (< (worst (filter (lambda (row) (<= (first row) 32)) rows)) 1.5))))
                 '("xy" "yx"))))
   '("half-space" "layered") (list (half-space 100) (layered 100 2000 10)) '(0 1) '(2.6 3.2)))

(define (test-resolution folder)
  (let* ((configuration (configuration-with (default-configuration) 'frequencies 'frequencies '(0.1 0.01 0.001)
                                            'window 'minwindowsize 128 'window 'minoverlapsize 32))
         (tf (estimate (create-project (string-append folder "/frequencies") #:configuration configuration)
                       "far" (earth-series 100000 #:seed 3))))
    (test-equal "frequencies that are far apart" '(0.1 0.01 0.001) (transfer-function-frequencies tf))
    (test-assert "are what they are" (< (worst (rows tf "xy" (half-space 100) 0 1e9)) 6)))
  (let* ((configuration (configuration-with (default-configuration) 'window 'minwindowsize 32 'window 'minoverlapsize 8
                                            'frequencies 'perlevel 10))
         (tf (estimate (create-project (string-append folder "/small") #:configuration configuration)
                       "small" (earth-series 40000 #:seed 4))))
    (test-assert "small windows, many frequencies a level: none is far off"
      (< (worst (rows tf "xy" (half-space 100) 0 200)) 8))))

;; Name, options, what percentage the worst period may be off where there is no doubt, and what makes the channels.
(define cases
  `(("bursts in E" () 10 ,(lambda () (bursts base electric)))
    ("bursts in H" () 10 ,(lambda () (bursts base magnetic)))
    ("short bursts in H" () 10 ,(lambda () (bursts base magnetic #:length 50)))
    ("bursts as strong as the field in H" () 10 ,(lambda () (bursts base magnetic #:strength 1)))
    ("spikes" () 15 ,(lambda () (spikes base fields)))
    ("steps" () 10 ,(lambda () (steps base fields)))
    ("dropouts" () 10 ,(lambda () (dropouts base magnetic)))
    ("coherent noise" (#:remote-site "remote") 15 ,(lambda () (coherent base)))
    ("a line" () 10 ,(lambda () (line base 0.1)))
    ("a line, excluded" (#:exclude (0.1)) 10 ,(lambda () (line base 0.1 #:strength 1000)))))

(define (test-corrupted project)
  (add project "remote" remote)
  (for-each
   (match-lambda
     ((name options most make)
      (let* ((rows (rows (apply estimate project name (make) options) "xy" (half-space 100) 4.5 110))
             (sure (filter (match-lambda ((_ _ _ doubts) (null? doubts))) rows)))
        (format #t "# ~a: worst ~,1f %, where not in doubt (~a of ~a) ~,1f %, at most ~,1f deviations~%" name (worst rows)
                (length sure) (length rows) (worst sure) (errors-ratio rows))
        (test-assert (format #f "~a: ~a % off at most, or in doubt" name most) (<= (worst sure) most))
        (test-assert (format #f "~a: most short periods are not in doubt" name)
          (<= 2 (count (match-lambda ((period _ _ doubts) (and (null? doubts) (< period 32)))) rows)))
        (test-assert (format #f "~a: no error is less than a third of what it should be" name) (< (errors-ratio rows) 3.6)))))
   cases))

(define (test-notch folder)
  (define (project frequencies)
    (create-project (string-append folder "/notch" (number->string (length frequencies)))
                    #:configuration (configuration-with (default-configuration) 'spectra 'notch frequencies)))
  (define (worst-of tf) (worst (rows tf "xy" (half-space 100) 4.5 110)))
  (let ((channels (line base 0.1 #:strength 1000)))
    (test-assert "a line that is taken out of the series"
      (< (worst-of (estimate (project '(0.1)) "line" channels)) 10))
    (test-assert "a frequency that the series cannot have is none's loss"
      (< (worst-of (estimate (project '(0.1 50)) "line" channels)) 10)))
  (test-assert "nothing is there to be taken out"
    (< (worst-of (estimate (project '(0.1 0.02 0.3)) "clean" base)) 10)))

(define (test-quality project)
  (let ((sure (estimate project "sure" base))
        (doubtful (first (site-transfer-functions project "bursts as strong as the field in H"))))
    (test-equal "no doubts" '()
      (filter-map (match-lambda ((period _ _ doubts) (and (<= period 32) (pair? doubts) (cons period doubts))))
                  (rows sure "xy" (half-space 100) 4.5 110)))
    (test-assert "doubts" (any (lambda (doubts) (memq 'noisy doubts)) (transfer-function-quality doubtful)))
    (test-assert "they are in the EDI file"
      (equal? (transfer-function-quality doubtful)
              (transfer-function-quality
               (read-edi (transfer-function-file project "bursts as strong as the field in H" 1 #:suffix ".edi")))))
    (test-assert "and in the picture"
      (let ((data ((@@ (tutti mt view) picture-data)
                   (first (view-impedance project #:sites '("bursts as strong as the field in H") #:save? #f)))))
        (pair? (assoc-ref data "xy0doubtful"))))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (let ((project (create-project (string-append folder "/data"))))
        (call-with-pool 2
          (lambda (pool)
            (test-group "mt-estimation"
              (test-group "clean" (test-clean project))
              (test-group "resolution" (test-resolution folder))
              (test-group "corrupted" (test-corrupted project))
              (test-group "notch" (test-notch folder))
              (test-group "quality" (test-quality project))))))))))
