;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Magnetotelluric processing: the stages on two sites of 800000 samples, with 1 and with 2 workers, and one site of 40000 samples. The
;; series are those of the shared data sets, repeated, if TUTTI_SHARED names their folder, else noise over a simple Earth.
(use-modules (bench) (mt-data) (programs) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (tutti) (tutti mt))

(define tiles 20)
(define rounds 5)

(define (tiled x)
  (vec-concatenate (make-list tiles x)))

(define (made seed)
  (over-earth (noise seed 40000) (noise (1+ seed) 40000) #:z '(0 -10 10 0) #:tipper '(0.1 0)))

(define series
  (let ((files (map (lambda (name) (shared-file "data" "mt-synthetic" name)) '("test1.asc.xz" "test2.asc.xz"))))
    (if (every identity files) (map shared-series files) (map made '(1 3)))))

(define (make-data folder)
  (let ((project (create-project (string-append folder "/data"))))
    (for-each (lambda (site channels)
                (write-measurement project site "first" #:start "2020-01-01" #:rate 1 #:format 'float32
                                   #:channels (map (lambda (channel) (cons (car channel) (tiled (cdr channel)))) channels)))
              '("test1" "test2") series)
    project))

(define (make-small folder kind)
  (let ((project (create-project (format #f "~a/small-~a" folder kind))))
    (write-measurement project "test1" "first" #:start "2020-01-01" #:rate 1 #:format kind #:channels (first series))
    project))

(define (forget-results! project)
  (for-each (lambda (stage) (system* "rm" "-rf" (string-append (project-folder project) "/" stage)))
            '("specData" "statData" "maskData" "transFunctionData")))

(define (microseconds thunk)
  (let ((start (now-us)))
    (thunk)
    (- (now-us) start)))

(define (coherent)
  (let ((mask (make-mask "coherent" '("coherence"))))
    (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0.7 1)))
    mask))

;; Name, and what it does.
(define stages
  `(("spectra" . ,(lambda (project) (calculate-spectra project)))
    ("statistics" . ,(lambda (project) (calculate-statistics project)))
    ("transfer functions" . ,(lambda (project) (process-project project)))
    ("remote reference" . ,(lambda (project) (process-site project "test2" #:remote-site "test1" #:postpend "remote")))))

(define (measure project stages)
  "Return the list of the times that STAGES took, one after the other, from nothing."
  (forget-results! project)
  (map (match-lambda ((name . stage) (microseconds (lambda () (stage project))))) stages))

(define (chain times) (apply + (take times 3)))

(define (measure-workers project size)
  "Return the times of the stages with SIZE workers: a list for each round.  Workers have done it all before: that they start, and load the
modules, is not measured."
  (call-with-pool size
    (lambda (pool)
      (measure project stages)
      (repeat rounds (lambda () (measure project stages))))))

(define (report-large project)
  (let* ((one (measure-workers project 1))
         (two (measure-workers project 2)))
    (for-each (lambda (name i)
                (for-each (lambda (size all)
                            (print-row (format #f "~a, 2 x 5 x 800000 samples, ~a worker~:p" name size)
                                       (map (lambda (times) (list-ref times i)) all)))
                          '(1 2) (list one two)))
              (map car stages) (iota (length stages)))
    (print-row "spectra to transfer functions, 1 worker" (map chain one))
    (print-row "spectra to transfer functions, 2 workers" (map chain two) #:target 1500)
    (for-each (lambda (name i)
                (let ((ratio (lambda (all) (median (map (lambda (times) (list-ref times i)) all)))))
                  (format #t "~a: ~,2f times faster with 2 workers than with 1 (target: 1.6)~%" name
                          (exact->inexact (/ (ratio one) (ratio two))))))
              '("spectra" "statistics") '(0 1))))

(define (report-small project format)
  (call-with-pool 1
    (lambda (pool)
      (let ((stages (list (first stages) (third stages))))
        (measure project stages)
        (print-row (simple-format #f "5 x 40000 samples in ~A, spectra and transfer functions, 1 worker" format)
                   (map (lambda (times) (apply + times)) (repeat 9 (lambda () (measure project stages)))) #:target 100)))))

(print-machine)
(print-header)
(call-with-folder
 (lambda (folder)
   (report-large (make-data folder))
   (for-each (lambda (format) (report-small (make-small folder format) format)) '(float32 text))))
