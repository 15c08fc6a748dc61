;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How well the whole chain does, with the default configuration, on data whose truth is known, and on those of a real station that
;; others have processed. The data sets are not part of the project: TUTTI_SHARED names their folder.
(use-modules (tap) (programs) (mt-data) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti mt))

(define test1 (shared-file "data" "mt-synthetic" "test1.asc.xz"))
(define test2 (shared-file "data" "mt-synthetic" "test2.asc.xz"))
(define station (shared-file "data" "mt-emi" "d05l1_ts1_cal.asc.xz"))
(define sorted (shared-file "oracle" "mt" "emi-emtf-coherence-sorted.json"))
(define json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm)))

(unless (and test1 test2 station)
  (tap-skip-all "TUTTI_SHARED does not name a folder with the data sets"))

(define (median numbers)
  (let* ((sorted (sort numbers <)) (n (length sorted)))
    (/ (+ (list-ref sorted (quotient (1- n) 2)) (list-ref sorted (quotient n 2))) 2)))

;; Of one component: periods, differences of resistivities in percent and of phases in degrees.
(define (differences tf component rho-at phase-at least most)
  (filter (lambda (row) (<= least (first row) most))
          (map (lambda (period rho phase)
                 (list period (abs (* 100 (1- (/ rho (rho-at period))))) (abs (- phase (phase-at period)))))
               (transfer-function-periods tf) (apparent-resistivities tf component) (folded-phases tf component))))

(define (truth-differences tf component)
  (differences tf component (const 100) (const 45) 4.5 110))

(define (medians rows) (map (lambda (i) (median (map (lambda (row) (list-ref row i)) rows))) '(1 2)))
(define (maxima rows) (map (lambda (i) (apply max (map (lambda (row) (list-ref row i)) rows))) '(1 2)))

(define (say what component rows)
  (format #t "# ~a ~a: resistivity median ~,2f % max ~,2f %; phase median ~,2f max ~,2f degrees~%" what component
          (first (medians rows)) (first (maxima rows)) (second (medians rows)) (second (maxima rows))))

(define* (test-against what tf component rows #:key (rho 1e9) (rho-max 1e9) (phase 1e9))
  (say what component rows)
  (test-assert (format #f "~a: ~a within ~a % and ~a degrees by median, ~a % at most" what component rho phase rho-max)
    (and (<= (first (medians rows)) rho) (<= (first (maxima rows)) rho-max) (<= (second (medians rows)) phase))))

(define (coherent)
  (let ((mask (make-mask "coherent" '("coherence"))))
    (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0.7 1) ("cohEyHx" 0.7 1)))
    mask))

(define (test-synthetic project)
  (match (process-site project "test1")
    ((tf)
     (for-each (lambda (component)
                 (test-against "single site" tf component (truth-differences tf component) #:rho 3.5 #:rho-max 6.5 #:phase 0.3))
               '("xy" "yx"))))
  (match (process-site project "test2" #:remote-site "test1" #:postpend "remote")
    ((tf)
     (for-each (lambda (component)
                 (test-against "remote reference" tf component (truth-differences tf component) #:rho 2 #:rho-max 5 #:phase 0.3))
               '("xy" "yx")))))

(define (test-disturbed project)
  (let* ((least-squares (load-project (project-folder project)
                                      #:configuration (configuration-with (default-configuration) 'solver 'method "ols")))
         (plain (car (process-site least-squares "disturbed" #:postpend "ols")))
         (robust (car (process-site project "disturbed")))
         (masked (car (process-site project "disturbed" #:masks '("coherent") #:postpend "masked"))))
    (for-each (lambda (component)
                (let ((rows (truth-differences plain component)))
                  (say "disturbed, least squares" component rows)
                  (test-assert (format #f "least squares without a mask: ~a is far off" component) (> (first (medians rows)) 30)))
                (test-against "disturbed, robust" robust component (truth-differences robust component) #:rho 45)
                (test-against "disturbed, masked" masked component (truth-differences masked component) #:rho 4 #:rho-max 13 #:phase 0.9))
              '("xy" "yx"))))

;;; A real station.

(define (interpolated periods values)
  "Return a procedure that interpolates VALUES at the logarithms of PERIODS."
  (lambda (period)
    (let loop ((p periods) (v values))
      (if (or (null? (cddr p)) (<= period (second p)))
          (let ((t (/ (log (/ period (first p))) (log (/ (second p) (first p))))))
            (+ (* (- 1 t) (first v)) (* t (second v))))
          (loop (cdr p) (cdr v))))))

(define (test-station project)
  (let* ((rows (vector->list (call-with-input-file sorted json->scm)))
         (column (lambda (name) (map (lambda (row) (assoc-ref row name)) rows)))
         (periods (column "period_s"))
         (tf (car (process-site project "station" #:masks '("coherent") #:postpend "masked"))))
    (for-each (lambda (component limit)
                (let ((rho (compose exp (interpolated periods (map log (column (string-append "rho_" component))))))
                      (phase (interpolated periods (column (string-append "phi_" component "_folded_deg")))))
                  (test-against "station, masked" tf component (differences tf component rho phase 2.4 200) #:rho limit #:phase 2)))
              '("xy" "yx") '(5 7))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (call-with-pool 2
        (lambda (pool)
          (let ((project (create-project (string-append folder "/data"))))
            (define (add site rate channels)
              (write-measurement project site "first" #:start "2020-01-01" #:rate rate #:channels channels))
            (add "test1" 1 (shared-series test1))
            (add "test2" 1 (shared-series test2))
            (add "disturbed" 1 (disturbed (shared-series test1)))
            (add "station" 2 (shared-series station))
            (calculate-spectra project)
            (calculate-statistics project)
            (calculate-mask project (coherent))
            (test-group "mt-accuracy"
              (test-synthetic project)
              (test-disturbed project)
              (if json->scm
                  (test-station project)
                  (tap-skip "station" "guile-json is not installed"))))))))))
