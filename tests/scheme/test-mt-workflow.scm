;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The whole chain: the same bits from any number of workers; each key of the configuration has a say; what is killed half-way is resumed.
(use-modules (tap) (programs) (mt-data) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti) (tutti mt)
             (tutti mt layout))

(define n 20480)

(define (noisy-site seed)
  "Return the channels of a site over a known Earth, with noise of its own in all of them, and outliers in Ex and Hx."
  (map (lambda (channel i)
         (let ((series (add-series (cdr channel) (scale-series 0.3 (noise (+ seed i) n)))))
           (for-each (lambda (name start size)
                       (when (string=? (car channel) name)
                         (for-each (lambda (k) (f64vector-set! series k size)) (iota 20 start 7))))
                     '("Ex" "Hx") '(3000 9000) '(500. 50.))
           (cons (car channel) series)))
       (over-earth (noise 1 n) (noise 2 n) #:tipper '(0.3 -0.2)) (iota 5)))

(define (make-data folder)
  "Make a project with two sites at 4096 Hz, where windows last half a second, and return its folder."
  (let ((project (create-project (string-append folder "/data") #:name "survey" #:reference "2021-03-04T05:06:00")))
    (for-each (lambda (site seed start)
                (write-measurement project site "first" #:start start #:rate 4096 #:format 'float32 #:channels (noisy-site seed)))
              '("hill" "valley") '(10 20) '("2021-03-04T05:06:00" "2021-03-04T05:06:00.25"))
    (project-folder project)))

(define* (copy-of data folder name #:optional configuration)
  (let ((copy (string-append folder "/" name)))
    (system* "cp" "-r" data copy)
    (load-project copy #:configuration configuration)))

(define (coherent)
  (let ((mask (make-mask "coherent" '("coherence"))))
    (mask-add-constraint! mask "coherence" #:components '(("cohExHy" 0.2 1)))
    mask))

(define (run-chain project pool)
  (calculate-spectra project #:pool pool)
  (calculate-statistics project #:pool pool)
  (calculate-statistics project #:sites '("valley") #:remote-site "hill" #:pool pool)
  (calculate-mask project (coherent) #:pool pool)
  (process-project project #:pool pool)
  (process-project project #:masks '("coherent") #:postpend "masked" #:pool pool)
  (process-site project "valley" #:remote-site "hill" #:postpend "remote" #:pool pool))

(define (results project)
  "Return what is in all files of results of PROJECT, by name."
  (filter (lambda (file) (string-contains (car file) "Data/"))
          (remove (lambda (file) (string-prefix? "timeData" (car file))) (files-below (project-folder project)))))

(define (differing a b)
  (append (lset-difference string=? (map car a) (map car b))
          (lset-difference string=? (map car b) (map car a))
          (filter-map (lambda (file) (and=> (assoc (car file) b) (lambda (other) (and (not (equal? file other)) (car file))))) a)))

(define (without-records files)
  (remove (lambda (file) (string-contains (car file) "/complete/")) files))

(define (test-sameness data folder)
  "Return the results, and the folder of the project that has them."
  (let* ((project (copy-of data folder "serial"))
         (serial (begin (run-chain project (make-serial-pool)) (results project))))
    (test-assert "there are results of all stages"
      (every (lambda (stage) (any (lambda (file) (string-prefix? stage (car file))) serial))
             '("specData/" "statData/" "maskData/" "transFunctionData/")))
    (for-each (lambda (size)
                (call-with-pool size
                  (lambda (pool)
                    (let ((project (copy-of data folder (format #f "with-~a" size))))
                      (run-chain project pool)
                      (test-equal (format #f "the same bits in all files from ~a workers" size) '()
                                  (differing serial (results project)))))))
              '(1 3 8))
    (values serial (project-folder project))))

(define (test-chunks data folder usual)
  (define (transfer files) (without-records (filter (lambda (file) (string-suffix? ".txt" (car file))) files)))
  (let ((project (copy-of data folder "chunks")))
    (call-with-pool 2
      (lambda (pool)
        (parameterize ((most-windows 3))
          (run-chain project pool))))
    (let ((files (results project)))
      (test-assert "results are in more files"
        (every (lambda (name) (assoc name files))
               '("specData/hill/first/spectra/level-0-Ex-0004" "statData/valley/first/spectra/remote-hill/level-1-0001")))
      (test-equal "transfer functions have the same bits" '() (differing (transfer usual) (transfer files))))))

;; Each is against what the project has by default: two levels, of about 12 and 5 windows. All results are there already, so that a stage
;; that did not see the change would leave what it has.
(define changes
  '((global name "another")
    (decimation numlevels 1) (decimation minsamples 2600) (frequencies frequencies (900 500 100 40)) (frequencies perlevel 4)
    (window minwindows 6) (window windowfactor 4) (window minwindowsize 300) (window minoverlapsize 200) (window overlapfraction 0.4)
    (spectra specdir "elsewhere") (spectra applywindow #f) (spectra windowfunc "hann")
    (statistics stats ("coherence" "resPhase")) (statistics remotestats ("RR_coherence"))
    (solver method "ols") (solver method "mmestimate") (solver intercept #t)))

(define (test-keys finished folder usual)
  (for-each (lambda (change)
              (let ((project (copy-of finished folder (format #f "~a-~a-~a" (first change) (second change) (third change))
                                      (apply configuration-with (default-configuration) change))))
                (run-chain project (make-serial-pool))
                (test-assert (format #f "~a of ~a, ~s, changes results" (second change) (first change) (third change))
                  (pair? (differing (without-records usual) (without-records (results project)))))))
            changes))

(define (test-resume data folder usual)
  (let* ((project (copy-of data folder "killed"))
         (script (string-append folder "/script.scm")))
    (call-with-output-file script
      (lambda (port)
        (for-each
         (lambda (form) (write form port))
         `((use-modules (tutti) (tutti mt) (tutti mt spectra) (tutti mt stage) (srfi srfi-1))
           (define project (load-project ,(project-folder project)))
           (define done 0)
           (call-with-pool 2
             (lambda (pool)
               (run-units 'calculate-spectra pool
                          (spectra-units project (append-map (lambda (site) (site-measurements project site)) (project-sites project)) pool)
                          ;; Before it is recorded.
                          #:settle! (lambda (unit value)
                                      (set! done (1+ done))
                                      (when (= done 5) (kill (getpid) SIGKILL))))))))))
    (test-assert "killed" (member (program-status (run-program (list tutti "run" script) #:seconds 120)) '((signal 9) 137)))
    (let ((report (calculate-spectra project #:ncores 2)))
      (test-equal "four channels were complete, six are done" '(4 6)
                  (map length (list (stage-report-skipped report) (stage-report-done report)))))
    (test-equal "names of units" #t (->bool (member "site hill, measurement first, channel Hx"
                                                    (let ((report (calculate-spectra project))) (stage-report-skipped report)))))
    (run-chain project (make-serial-pool))
    (test-equal "in the end all is as if nothing had happened" '() (differing usual (results project)))
    (let ((before (results project)))
      (run-chain project (make-serial-pool))
      (test-equal "again: nothing is done" '() (differing before (results project))))
    (test-equal "nothing half-written is left" '()
      (filter (lambda (file) (string-contains (car file) ".part")) (files-below (project-folder project))))))

(define (test-changes finished folder)
  "What later stages do when what they go by has changed."
  (let ((project (copy-of finished folder "changing"))
        (pool (make-serial-pool)))
    (define (counts report) (map length (list (stage-report-done report) (stage-report-skipped report))))
    (let ((file (string-append (project-folder project) "/timeData/hill/first/data.bin")))
      (let ((port (open-file file "r+b")))
        (seek port 40000 SEEK_SET)
        (display "abcd" port)
        (close-port port)))
    (test-equal "spectra of data that have changed, and only these" '(5 5) (counts (calculate-spectra project #:pool pool)))
    (test-equal "their statistics" '(2 2) (counts (calculate-statistics project #:pool pool)))
    (test-equal "those of the other site with it for remote one" '(2 2)
                (counts (calculate-statistics project #:sites '("valley") #:remote-site "hill" #:pool pool)))
    (test-equal "its mask" '(2 2) (counts (calculate-mask project (coherent) #:pool pool)))
    (let ((mask (coherent)))
      (mask-add-constraint! mask "coherence" #:components '(("cohEyHx" 0.1 1)))
      (test-equal "another mask of the same name" '(4 0) (counts (calculate-mask project mask #:pool pool))))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (let ((data (make-data folder)))
        (test-group "mt-workflow"
          (call-with-values (lambda () (test-sameness data folder))
            (lambda (usual finished)
              (test-group "chunks" (test-chunks data folder usual))
              (test-group "keys" (test-keys finished folder usual))
              (test-group "resume" (test-resume data folder usual))
              (test-group "changes" (test-changes finished folder))))))))))
