;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Surveys as they come: what was recorded twice counts once, starts are as exact as they can be written, and a site that fails is not the
;; end of the others.
(use-modules (tap) (programs) (mt-data) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64) (tutti) (tutti mt)
             (tutti mt align) (tutti mt layout))

(define n 18000)
(define z '(1 -10 8 2))
(define clean (over-earth (noise 1 n) (noise 2 n) #:z z))
(define hour (* 3600 (expt 10 9)))
(define start (string->time "2021-03-04T05:06:00"))

(define-syntax-rule (quietly expression)
  ;; The values are that of EXPRESSION, and what was said beside.
  (let ((port (open-output-string)))
    (let ((value (parameterize ((current-error-port port) (current-pool (make-serial-pool))) expression)))
      (list value (get-output-string port)))))

(define (part channels from to)
  (map (lambda (channel) (cons (car channel) (vec-slice (cdr channel) from to))) channels))

(define* (survey folder #:rest measurements)
  "Make a project of MEASUREMENTS, lists of site, name, start in samples of a second and channels, with spectra."
  (let ((project (create-project folder #:reference start)))
    (for-each (match-lambda
                ((site name first channels)
                 (write-measurement project site name #:start (+ start (* first (expt 10 9))) #:rate 1 #:format 'float32
                                    #:channels channels)))
              measurements)
    (parameterize ((current-pool (make-serial-pool)))
      (calculate-spectra project))
    project))

(define (same? a b)
  (and (equal? (transfer-function-impedances a) (transfer-function-impedances b))
       (equal? (transfer-function-variances a) (transfer-function-variances b))
       (equal? (transfer-function-observations a) (transfer-function-observations b))))

(define (windows project level)
  "Return the numbers of the windows that the site hill has, as often as it has them, and the measurement of each."
  (append-map (lambda (piece)
                (map (lambda (i) (list (+ i (piece-first-window piece))
                                       (measurement-name (place-measurement (first (piece-places piece))))))
                     (iota (piece-windows piece))))
              (simultaneous-pieces (append-map (lambda (measurement) (measurement-places project measurement level))
                                               (site-measurements project "hill")))))

(define (test-overlaps folder)
  (define noisy (map (lambda (channel i) (cons (car channel) (add-series (cdr channel) (scale-series 0.5 (noise i n))))) clean (iota 4 20)))
  (define (in name) (string-append folder "/" name))
  (let* ((once (survey (in "once") `("hill" "first" 0 ,noisy)))
         (twice (survey (in "twice") `("hill" "first" 0 ,noisy) `("hill" "copy" 0 ,noisy)))
         (partly (survey (in "partly") `("hill" "a" 0 ,(part noisy 0 10000)) `("hill" "b" 6000 ,(part noisy 6000 18000)))))
    (match (list (quietly (first (process-site once "hill"))) (quietly (first (process-site twice "hill"))))
      (((single nothing) (double said))
       (test-equal "nothing is said of one measurement" "" nothing)
       (test-assert "a copy changes neither impedances nor errors" (same? single double))
       (test-assert "it is named"
         (string-contains said "site hill: the measurements copy and first overlap from 2021-03-04T05:06:00 to 2021-03-04T10:06:00"))
       (test-assert "with what is left out" (string-contains said "those of first are left out"))))
    (test-equal "overlaps of a part" `(("b" "a" ,(+ start (* 6000 (expt 10 9))) ,(+ start (* 10000 (expt 10 9)))))
                (map (match-lambda ((later earlier start end) (list (measurement-name later) (measurement-name earlier) start end)))
                     (site-overlaps partly "hill" #f)))
    (test-equal "none at another rate" '() (site-overlaps partly "hill" '()))
    (let ((all (windows partly 0)))
      ;; Windows of 512 samples begin every 384.
      (test-equal "each window once" (iota 46) (map first all))
      (test-equal "those of the earlier one before" (append (make-list 25 "a") (make-list 21 "b")) (map second all)))
    (test-equal "so on the next level" (map first (windows once 1)) (sort (map first (windows twice 1)) <))
    (parameterize ((most-windows 3))
      (test-equal "and in chunks" (iota 46) (sort (map first (windows partly 0)) <)))
    (let ((remote (survey (in "remote") `("hill" "first" 0 ,noisy) `("valley" "first" 0 ,clean) `("valley" "copy" 0 ,clean)
                          `("peak" "first" 0 ,clean))))
      (test-assert "so for a remote site"
        (apply same? (map (lambda (site) (first (first (quietly (process-site remote "hill" #:remote-site site #:postpend site)))))
                          '("valley" "peak")))))))

(define (test-starts folder)
  ;; A sample lasts 15258.789 ns.
  (define rate 65536)
  (define project (create-project (string-append folder "/fast") #:reference start))
  (define (begun name first)
    (write-measurement project "hill" name #:start (+ start (round (/ (* first (expt 10 9)) rate))) #:rate rate
                       #:channels `(("Hx" . ,(f64vector 1 2)))))
  (for-each (lambda (k)
              (test-equal (format #f "sample ~a" k) k (measurement-first-sample project (begun (format #f "m~a" k) k))))
            '(1 3 65535 655361 5662310401))
  (let ((long (make-f64vector 65537 1)))
    ;; The third begins a sample before the end of the second.
    (for-each (lambda (name first)
                (write-measurement project "long" name #:start (+ start (round (/ (* first (expt 10 9)) rate))) #:rate rate
                                   #:channels `(("Hx" . ,long))))
              '("a" "b" "c") (list 1 65538 131074))
    (test-equal "one that goes on where another ends does not overlap" '(("c" "b"))
      (map (match-lambda ((later earlier _ _) (list (measurement-name later) (measurement-name earlier))))
           (site-overlaps project "long" #f))))
  (test-condition "not between samples"
    (lambda (error) (and (tutti-error? error) (string-contains (condition->string error) "not a whole number of samples")))
    (measurement-first-sample project (write-measurement project "hill" "odd" #:start (+ start 15265) #:rate rate
                                                         #:channels `(("Hx" . ,(f64vector 1 2))))))
  (let ((project (create-project (string-append folder "/zone") #:reference "2021-03-04T06:06:00+01:00")))
    (test-equal "a time with a zone" 3600
      (measurement-first-sample project (write-measurement project "hill" "m" #:start "2021-03-04T06:06:00Z" #:rate 1
                                                           #:channels `(("Hx" . ,(f64vector 1 2))))))))

(define (test-failures folder)
  (define dead (cons (cons "Hx" (make-f64vector n 5.)) (alist-delete "Hx" clean)))
  (define mask (let ((mask (make-mask "coherent" '("coherence"))))
                 (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0 1)))
                 mask))
  (define project (create-project (string-append folder "/failing") #:reference start))
  (for-each (lambda (site channels)
              (write-measurement project site "m" #:start start #:rate 1 #:format 'float32 #:channels channels))
            '("a" "b" "c" "d") (list clean dead clean (alist-delete "Ey" clean)))
  (match (quietly (list (calculate-spectra project #:on-error 'collect)
                        (calculate-statistics project #:on-error 'collect)
                        (calculate-mask project mask #:on-error 'collect)
                        (process-project project #:sites '("a" "b" "c" "d") #:masks (list mask) #:on-error 'collect)))
    (((spectra statistics masks results) _)
     (test-equal "the channel that fails" '("site b, measurement m, channel Hx") (map car (stage-report-failed spectra)))
     (test-assert "says why" (string-contains (condition->string (cdr (first (stage-report-failed spectra)))) "constant"))
     (test-equal "all others are done" 14 (length (stage-report-done spectra)))
     (test-equal "the measurement without statistics" '("site b, measurement m") (map car (stage-report-failed statistics)))
     (test-equal "and without masks" '("site b, measurement m") (map car (stage-report-failed masks)))
     (test-equal "results are in their places" '(#t #f #t #f) (map transfer-function? results))
     (test-assert "with errors that name the site" (every (lambda (result site) (string-contains (condition->string result) site))
                                                         (list (second results) (fourth results)) '("site b" "site d")))
     (test-assert "the others are as always"
       (same? (first results) (first (first (quietly (process-site project "a" #:masks (list mask)))))))
     (test-equal "it is not repeated" '() (map car (stage-report-failed (first (quietly (calculate-spectra project #:sites '("a" "c"))))))))
    (_ (test-assert "returned" #f)))
  (test-condition "raised otherwise" tutti-error? (first (quietly (process-project project #:sites '("a" "b")))))
  (test-condition "another word" (lambda (error) (string-contains (condition->string error) "'raise or 'collect"))
    (process-project project #:on-error 'ignore)))

(call-with-tap
 (lambda ()
   (test-group "mt-survey"
     (call-with-folder
      (lambda (folder)
        (test-group "overlaps" (test-overlaps folder))
        (test-group "starts" (test-starts folder))
        (test-group "failures" (test-failures folder)))))))
