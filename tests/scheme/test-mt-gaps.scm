;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Samples that are none: what is taken for a gap, which windows that costs, that the others give the right transfer function, and that
;; channels without a field are told by that name.
(use-modules (tap) (programs) (mt-data) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64) (tutti) (tutti mt)
             (tutti mt gaps) (tutti mt levels))

(define n 18000)
(define z '(1 -10 8 2))
(define clean (over-earth (noise 1 n) (noise 2 n) #:z z))

(define (changed x f)
  "Return the f64vector of F of the indices and the samples of X."
  (list->f64vector (map f (iota (f64vector-length x)) (f64vector->list x))))

(define (within start end f)
  "Return the procedure for changed that applies F from the sample START up to END."
  (lambda (i x) (if (<= start i (1- end)) (f i x) x)))

(define (found x)
  (map (lambda (gap) (list (gap-start gap) (gap-end gap) (gap-kind gap))) (find-gaps x)))

(define field (noise 5 5000))
(define (coarse step) (lambda (i x) (* step (round (/ x step)))))
(define (swell i) (* 20 (sin (/ i 300.))))

(define (test-finding)
  (test-equal "none in a field" '() (found field))
  (test-equal "none in one that is far from zero" '() (found (changed field (lambda (i x) (+ 48000 (* 1e-3 x))))))
  (for-each (lambda (step)
              (test-equal (format #f "none in one in steps of ~a of its strength" step) '() (found (changed field (coarse step)))))
            '(0.001 0.1 0.5 1 2))
  (test-equal "none in a slow one in coarse steps" '() (found (changed field (lambda (i x) ((coarse 1) i (+ x (swell i)))))))
  (test-equal "none in one that is weaker than the steps now and then" '()
    (found (changed field (lambda (i x) ((coarse 1) i (* x (+ 0.62 (* 0.5 (sin (/ i 200.))))))))))
  (test-equal "none in a sine" '() (found (changed field (lambda (i x) (sin (* i (/ (acos -1) 4)))))))
  (test-equal "none in outliers" '() (found (changed field (lambda (i x) (if (zero? (remainder i 200)) 50. x)))))
  (test-equal "none with a damaged number" '() (found (changed field (lambda (i x) (if (= i 77) 1.6e22 x)))))
  (test-equal "not a number" '((0 1 missing) (100 103 missing))
    (found (changed field (lambda (i x) (if (or (= i 0) (<= 100 i 102)) (nan) x)))))
  (test-equal "zeros" '((50 54 zeros)) (found (changed field (within 50 54 (const 0.)))))
  (test-equal "not three of them" '() (found (changed field (within 50 53 (const 0.)))))
  (test-equal "zeros of a field that is far from zero" '((50 60 zeros))
    (found (changed field (lambda (i x) (if (<= 50 i 59) 0. (+ 100 x))))))
  (test-equal "zeros in coarse steps" '((1000 1100 zeros))
    (found (changed (changed field (lambda (i x) ((coarse 1) i (+ 10 x)))) (within 1000 1100 (const 0.)))))
  (test-equal "another value" '((200 300 stuck)) (found (changed field (within 200 300 (const 0.3)))))
  (test-equal "the largest, once" '((4000 5000 stuck)) (found (changed field (within 4000 5000 (const 7.)))))
  (let ((clipped (changed field (lambda (i x) (max -2. (min 2.5 x))))))
    (test-equal "the ends of the range" '(saturated) (delete-duplicates (map third (found clipped))))
    (test-equal "all of them" (count (lambda (x) (or (= x -2.) (= x 2.5))) (f64vector->list clipped))
      (apply + (map (lambda (gap) (- (second gap) (first gap))) (found clipped))))
    (test-equal "in steps of the instrument" '(saturated)
      (delete-duplicates (map third (found (changed field (lambda (i x) (max -2. (min 2.5 ((coarse 0.1) i x))))))))))
  (test-equal "a field between two values" '((0 5000 saturated)) (found (changed field (lambda (i x) (if (> x 0) 1. -1.)))))
  (test-equal "no samples" '() (found (f64vector)))
  (test-equal "a line in their place" #f64(1 1 1 2 3 3 3)
    (let ((x (f64vector (nan) (nan) 1 (nan) 3 (nan) (nan)))) (fill-gaps! x (find-gaps x))))
  (test-equal "zero if there is nothing" #f64(0 0) (let ((x (f64vector (nan) (nan)))) (fill-gaps! x (find-gaps x)))))

(define (test-windows)
  "Which windows of 512 samples, 384 apart, gaps cost."
  (define levels (configuration-levels (default-configuration) 1))
  (define (lost first . gaps)
    (map (lambda (extent)
           (match (usable-windows (map (match-lambda ((start end) (gap start end 'missing))) gaps) first extent)
             (#f '())
             (usable (filter-map (lambda (i) (and (zero? (u8vector-ref usable i)) (+ i (extent-first-window extent))))
                                 (iota (u8vector-length usable))))))
         (level-extents (default-configuration) levels first 40000)))
  (test-equal "none without gaps" '() (first (lost 0)))
  (test-equal "the first sample" '(0) (first (lost 0 '(0 1))))
  (test-equal "one sample in two windows" '(0 1) (first (lost 0 '(384 385))))
  (test-equal "one in one" '(0) (first (lost 0 '(383 384))))
  (test-equal "long gaps" '(0 1 2 10 11) (first (lost 0 '(500 800) '(4000 4300))))
  (test-equal "counted from the reference" '(1 2) (first (lost 384 '(384 385))))
  (test-equal "a level whose windows are 8 times as long does without some samples" '() (second (lost 0 '(5000 5064))))
  (test-equal "not without more" '(1) (second (lost 0 '(5000 5065))))
  (test-equal "nor in pieces" '(1) (second (lost 0 '(5000 5040) '(5100 5125)))))

;;; The stages.

(define (gap-of result)
  "Return the largest distance of an impedance of RESULT from what is true."
  (apply max (append-map (lambda (row) (map (lambda (a b) (magnitude (- a b))) (c64vector->list row) z))
                         (transfer-function-impedances result))))

(define (with-channel name f)
  (map (lambda (channel) (if (string=? name (car channel)) (cons name (f (cdr channel))) channel)) clean))

(define number 0)
(define* (processed folder channels #:key (format 'text) (lines '()))
  "Return the transfer function over CHANNELS and what was said beside, or the text of the error."
  (set! number (1+ number))
  (let ((project (create-project (string-append folder "/" (number->string number))))
        (port (open-output-string)))
    (write-measurement project "hill" "first" #:start "2021-03-04T05:06:00" #:rate 1 #:format format #:channels channels)
    (let ((header (open-file (string-append (project-folder project) "/timeData/hill/first/header.ini") "a")))
      (for-each (lambda (line) (display line header) (newline header)) lines)
      (close-port header))
    (with-exception-handler condition->string
      (lambda ()
        (parameterize ((current-error-port port) (current-pool (make-serial-pool)))
          (let ((project (load-project (project-folder project))))
            (calculate-spectra project)
            (calculate-statistics project)
            (cons (first (process-site project "hill")) (get-output-string port)))))
      #:unwind? #t)))

(define (has? text . parts)
  (or (and (string? text) (every (lambda (part) (string-contains text part)) parts) #t)
      text))

(define (test-gaps folder)
  (match (processed folder clean)
    ((usual . said)
     (test-equal "nothing is said of a field" "" said)
     (let ((all (first (transfer-function-observations usual))))
       (for-each
        (match-lambda
          ((name text f options ...)
           (match (apply processed folder (with-channel "Hx" (lambda (x) (changed x f))) options)
             ((result . said)
              (test-equal (string-append name ": what is said") #t
                          (has? said "site hill, measurement first, channel Hx" "2 of 46 windows are not used" text))
              ;; Of 46 windows with 45 bins each.
              (test-equal (string-append name ": two windows are lost") (- all (* 2 45)) (first (transfer-function-observations result)))
              (test-equal (string-append name ": frequencies") (transfer-function-frequencies usual) (transfer-function-frequencies result))
              (test-assert (string-append name ": the others give what is true") (< (gap-of result) 1e-3)))
             (error (test-equal name #f error)))))
        `(("not a number" "100 samples are missing" ,(within 5000 5100 (lambda (i x) (nan))) #:format float32)
          ("dropouts" "100 samples are zero" ,(within 5000 5100 (const 0.)))
          ("a value that stays" "100 samples are constant" ,(within 5000 5100 (const 0.5)))
          ("saturation" "100 samples are constant at the end of the range, -9 or 9" ,(within 5000 5100 (lambda (i x) (if (> x 0) 9. -9.))))
          ("a number that stands for none" "100 samples are missing" ,(within 5000 5100 (const 99999.)) #:lines ("missing = 99999"))))
       ;; One sample, in all channels at once.
       (match (processed folder clean #:format 'float64 #:lines '("gaps = 2021-03-04T06:20:00, 2021-03-04T06:20:00"))
         ((result . said)
          (test-equal "a declared gap" (- all 45) (first (transfer-function-observations result)))
          (test-equal "of one sample" #t (has? said "channel Ey: 1 of 46 windows are not used: 1 sample is missing"))))))))

(define (test-dead folder)
  (define (refused name parts channels . options)
    (test-equal name #t (apply has? (match (apply processed folder channels options) ((result . _) result) (text text)) parts)))
  (for-each
   (match-lambda
     ((channel value text)
      (refused (format #f "~a constant, ~a" channel value)
               (list "site hill, measurement first" (string-append "channel " channel " is dead") "constant"
                     (string-append "samples are " text)
                     "use = False" (string-append "[" channel "]") "header.ini")
               (with-channel channel (lambda (x) (make-f64vector n value))))))
   '(("Hx" 5. "5 nT") ("Hy" 0.1 "0.1 nT") ("Ex" -32768. "-32768 mV/km") ("Ey" 0. "0 mV/km")))
  (refused "constant but for gaps" '("channel Hx is dead" "constant")
           (with-channel "Hx" (lambda (x) (changed (make-f64vector n 5.) (within 70 90 (lambda (i x) (nan)))))))
  (refused "a straight line" '("channel Hx is dead" "straight line") (with-channel "Hx" (lambda (x) (changed x (lambda (i x) (* 0.1 i))))))
  (refused "nothing" '("channel Ex has no sample" "18000 samples are missing") (with-channel "Ex" (lambda (x) (make-f64vector n (nan)))))
  (refused "constant most of the time" '("channel Hx has no window of 512 samples" "15000 samples are constant for too long (dead)")
           (with-channel "Hx" (lambda (x) (changed x (lambda (i x) (if (< (remainder i 300) 250) 0.5 x))))))
  (refused "saturated" '("channel Hy has no window" "at the end of the range" "-1 or 1" "(saturated)")
           (with-channel "Hy" (lambda (x) (changed x (lambda (i x) (max -1. (min 1. x)))))))
  (refused "two values" '("channel Hy has no sample" "(saturated)")
           (with-channel "Hy" (lambda (x) (changed x (lambda (i x) (if (> x 0) 1. -1.))))))
  (refused "twice the other" '("Hx and Hy are proportional" "Hy = 2 Hx" "site hill, measurement first" "header.ini")
           (with-channel "Hy" (lambda (x) (scale-series 2 (assoc-ref clean "Hx")))))
  (refused "the other with an offset, rounded" '("Hx and Hy are proportional" "Hy = -1.7 Hx")
           (with-channel "Hy" (lambda (x) (changed (assoc-ref clean "Hx") (lambda (i x) (- 300 (* 1.7 x)))))) #:format 'float32)
  (refused "electric channels" '("Ex and Ey are proportional" "Ey = 3 Ex")
           (with-channel "Ey" (lambda (x) (scale-series 3 (assoc-ref clean "Ex")))))
  (refused "the other with gaps of its own" '("Hy = 2 Hx")
           (with-channel "Hy" (lambda (x) (changed (assoc-ref clean "Hx") (lambda (i x) (if (< 100 i 150) (nan) (* 2 x)))))))
  (match (processed folder `(,@(with-channel "Hx" identity) ("Hz" . ,(make-f64vector n 7.))) #:lines '("[Hz]" "use = False"))
    ((result . _)
     (test-assert "without the dead channel all is as it should be" (< (gap-of result) 1e-3))
     (test-equal "and there is no tipper" #f (transfer-function-tippers result)))))

(call-with-tap
 (lambda ()
   (test-group "mt-gaps"
     (test-group "finding" (test-finding))
     (test-group "windows" (test-windows))
     (call-with-folder
      (lambda (folder)
        (test-group "stages" (test-gaps folder))
        (test-group "dead" (test-dead folder)))))))
