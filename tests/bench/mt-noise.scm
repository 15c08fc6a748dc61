;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How far transfer functions are from the truth, and from what their errors say, when series are corrupted: 40000 samples at 1 Hz over a
;; half-space of 100 ohm m, white, with noise of 5 % in each channel (the remote site has 10 % of its own), 4.5 to 110 s, xy.  Names of
;; cases, or parts of them, may follow; TAPER in the environment is another windowfunc.
(use-modules (contaminated) (mt-data) (programs) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (tutti) (tutti mt))

(define n 40000)
(define fields (append electric magnetic))
(define clean (earth-series n #:seed 1))
(define base (with-noise clean fields 0.05 77))
(define remote (filter (lambda (channel) (member (car channel) magnetic)) (with-noise clean magnetic 0.1 99)))

(define (of-lengths name make)
  (append-map (lambda (length)
                (map (lambda (strength)
                       (list (format #f "~a, ~a samples, ~a x rms" name length strength) #f (lambda () (make length strength))))
                     '(1 3 10 100)))
              '(50 500 2000)))

;; Name, whether with the remote site, and what makes the channels.
(define cases
  `(("clean" #f ,(lambda () base))
    ,@(of-lengths "bursts in E" (lambda (length strength) (bursts base electric #:length length #:strength strength)))
    ,@(of-lengths "bursts in H" (lambda (length strength) (bursts base magnetic #:length length #:strength strength)))
    ("one burst in H, 12000 samples" #f ,(lambda () (bursts base magnetic #:length 12000)))
    ("spikes in E" #f ,(lambda () (spikes base electric)))
    ("spikes in H" #f ,(lambda () (spikes base magnetic)))
    ("spikes in both" #f ,(lambda () (spikes base fields)))
    ("small spikes in both" #f ,(lambda () (spikes base fields #:strength 10)))
    ("steps in E" #f ,(lambda () (steps base electric)))
    ("steps in H" #f ,(lambda () (steps base magnetic)))
    ("steps in both" #f ,(lambda () (steps base fields)))
    ("coherent noise, 10 %" #f ,(lambda () (coherent base #:share 0.1)))
    ("coherent noise, 30 %" #f ,(lambda () (coherent base)))
    ("coherent noise, 30 %, remote" #t ,(lambda () (coherent base)))
    ("coherent noise, 30 %, 2000 samples, remote" #t ,(lambda () (coherent base #:length 2000)))
    ("coherent noise, 50 %, remote" #t ,(lambda () (coherent base #:share 0.5)))
    ("bursts in H, remote" #t ,(lambda () (bursts base magnetic)))
    ("dropouts in E" #f ,(lambda () (dropouts base electric)))
    ("dropouts in H" #f ,(lambda () (dropouts base magnetic)))
    ("line at 0.1 Hz" #f ,(lambda () (line base 0.1)))
    ("line at 0.1 Hz, 1000 x rms" #f ,(lambda () (line base 0.1 #:strength 1000)))))

(define configuration
  (apply configuration-with (default-configuration) (if (getenv "TAPER") (list 'spectra 'windowfunc (getenv "TAPER")) '())))

(define (off row) (abs (- (second row) 100)))
(define (worst rows) (fold (lambda (row most) (if (or (not most) (> (off row) (off most))) row most)) #f rows))

(define (report name tf)
  (let* ((rows (filter (lambda (row) (<= 4.5 (first row) 110))
                       (map list (transfer-function-periods tf) (apparent-resistivities tf "xy") (apparent-resistivity-errors tf "xy")
                            (transfer-function-quality tf))))
         (sure (filter (lambda (row) (null? (fourth row))) rows)))
    (format #t "~44a median ~6,1f %, worst ~7,1f % (~,1f +- ~,1f at ~,1f s); not in doubt: ~a of ~a, worst ~,1f %; ~
at most ~,1f deviations~%"
            name (list-ref (sort (map off rows) <) (quotient (length rows) 2)) (off (worst rows)) (second (worst rows)) (third (worst rows))
            (first (worst rows)) (length sure) (length rows) (if (null? sure) 0 (off (worst sure)))
            (apply max (map (lambda (row) (/ (off row) (third row))) rows)))))

(define (chosen? name)
  (let ((parts (cdr (command-line))))
    (or (null? parts) (any (lambda (part) (string-contains name part)) parts))))

(call-with-folder
 (lambda (folder)
   (call-with-pool 2
     (lambda (pool)
       (let ((project (create-project (string-append folder "/data") #:configuration configuration)))
         (define (add site channels)
           (write-measurement project site "first" #:start "2020-01-01" #:rate 1 #:format 'float32 #:channels channels)
           (parameterize ((current-error-port (%make-void-port "w")))
             (calculate-spectra project #:sites (list site))))
         (add "remote" remote)
         (for-each (match-lambda
                     ((name remote? make)
                      (when (chosen? name)
                        (let ((site (string-map (lambda (c) (if (char=? c #\%) #\p c)) name)))
                          (add site (make))
                          (report name (first (apply process-site project site (if remote? '(#:remote-site "remote") '()))))))))
                   cases))))))
