;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Units of a stage: run once, recorded, left out the next time; after a failure, and after a kill, only the rest is done.
(use-modules (tap) (programs) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64)
             (tutti) (tutti conditions) (tutti mt configuration) (tutti mt stage) (tutti mt store))

(define-remote (note log text value)
  (let ((port (open log (logior O_WRONLY O_APPEND O_CREAT))))
    (write text port)
    (newline port)
    (close-port port))
  value)
(define-remote (write-note log file i)
  (write-array file '() (f64vector i))
  (note log i (* i i)))
(define-remote (fail-at-3 log file i)
  (if (= i 3)
      (error "three is unlucky:" i)
      (write-note log file i)))
(define-remote (shape-fails log file i)
  (raise-exception (make-shape-error 2 i "wrong by nature")))

(define (log-of folder) (string-append folder "/log"))
(define (lines file)
  (if (file-exists? file)
      (string-split (string-trim-right (call-with-input-file file get-string-all) #\newline) #\newline)
      '()))
(define (times-run folder) (length (lines (log-of folder))))

(define* (units folder procedure n #:key (salt ""))
  (map (lambda (i)
         (let ((file (format #f "~a/result-~a" folder i)))
           (make-unit (format #f "unit ~a" i) procedure (list (log-of folder) file i)
                      #:folder folder #:key (number->string i) #:fingerprint (fingerprint-of salt i) #:files (list file))))
       (iota n)))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (contains? condition . parts)
  (and (tutti-error? condition)
       (every (lambda (part) (string-contains (condition->string condition) part)) parts)))

(define (test-resume pool folder)
  (define (run . options) (run-units 'testing pool (apply units folder write-note 6 options)))
  (let* ((values '())
         (report (run-units 'testing pool (units folder write-note 6)
                            #:settle! (lambda (unit value) (set! values (acons (unit-name unit) value values))))))
    (test-equal "all are done" '(6 0) (map length (list (stage-report-done report) (stage-report-skipped report))))
    (test-equal "their values come back" '(0 1 4 9 16 25) (map (lambda (i) (assoc-ref values (format #f "unit ~a" i))) (iota 6)))
    (test-equal "the stage" 'testing (stage-report-stage report)))
  (let ((report (run)))
    (test-equal "a second time, none is" '(0 6) (map length (list (stage-report-done report) (stage-report-skipped report))))
    (test-equal "really" 6 (times-run folder)))
  (delete-file (string-append folder "/result-4"))
  (test-equal "one whose file is gone is done again" '("unit 4") (stage-report-done (run)))
  (let ((report (run-units 'testing pool (append (take (units folder write-note 6) 2)
                                                 (drop (units folder write-note 6 #:salt "other") 2)))))
    (test-equal "and those that depend on something else" '("unit 2" "unit 3" "unit 4" "unit 5") (stage-report-done report))
    (test-equal "but no other" '("unit 0" "unit 1") (stage-report-skipped report)))
  (test-equal "without a record it is always done" '("free")
    (let ((free (make-unit "free" note (list (log-of folder) "x" 1))))
      (run-units 'testing pool (list free))
      (stage-report-done (run-units 'testing pool (list free))))))

(define (test-failure pool folder)
  (let ((condition (condition-of (lambda () (run-units 'testing pool (units folder fail-at-3 8))))))
    (test-assert "the error names stage and unit" (contains? condition "testing failed at unit 3" "three is unlucky"))
    (test-assert "it is still what it was" (worker-error? condition)))
  (let ((report (run-units 'testing pool (units folder write-note 8))))
    (test-equal "all others were done" '("unit 3") (stage-report-done report)))
  (let ((condition (condition-of (lambda () (run-units 'testing pool (units folder shape-fails 8 #:salt "new"))))))
    (test-assert "of several, the first; and how many more" (contains? condition "unit 0" "7 more units failed" "wrong by nature"))
    (test-assert "of its own type" (shape-error? condition))
    (test-assert "what was raised on purpose comes without a backtrace" (not (contains? condition "backtrace")))))

(define (test-forgotten folder)
  ;; A unit that is begun again and fails leaves no record of what it was before.
  (define serial (make-serial-pool))
  (run-units 'testing serial (units folder write-note 4))
  (delete-file (string-append folder "/result-3"))
  (condition-of (lambda () (run-units 'testing serial (units folder fail-at-3 4))))
  (write-array (string-append folder "/result-3") '() (f64vector 0))
  (test-equal "begun again is not complete" '(#t #t #t #f) (map unit-complete? (units folder write-note 4))))

(define (test-kill folder)
  ;; The master ends itself, by SIGKILL, when it has the value of the fourth unit, before that is recorded.
  (let ((script (string-append folder "/script.scm")))
    (call-with-output-file script
      (lambda (port)
        (for-each
         (lambda (form) (write form port))
         `((use-modules (tutti) (tutti mt stage) (tutti mt store))
           (define-remote (work file i) (write-array file '() (f64vector i)) i)
           (define done 0)
           (call-with-pool 2
             (lambda (pool)
               (run-units 'testing pool
                          (map (lambda (i)
                                 (let ((file (format #f "~a/result-~a" ,folder i)))
                                   (make-unit "unit" work (list file i) #:folder ,folder #:key (number->string i)
                                              #:fingerprint (fingerprint-of "" i) #:files (list file))))
                               (iota 12))
                          #:settle! (lambda (unit value)
                                      (set! done (1+ done))
                                      (when (= done 4) (kill (getpid) SIGKILL))))))))))
    (let ((program (run-program (list tutti "run" script) #:seconds 120)))
      (test-assert "it was killed" (member (program-status program) '((signal 9) 137)))))
  (let ((report (run-units 'testing (make-serial-pool) (units folder write-note 12))))
    (test-equal "three were recorded, nine are done again" '(3 9)
                (map length (list (stage-report-skipped report) (stage-report-done report)))))
  (test-equal "and all results are there" (map exact->inexact (iota 12))
    (map (lambda (i)
           (call-with-values (lambda () (read-array (format #f "~a/result-~a" folder i)))
             (lambda (header v) (f64vector-ref v 0))))
         (iota 12))))

(define (test-interrupted signal)
  ;; The signal arrives while the value of the second unit is settled: no unit has failed by that.
  (call-with-folder
   (lambda (folder)
     (let ((script (string-append folder "/script.scm")))
       (call-with-output-file script
         (lambda (port)
           (for-each
            (lambda (form) (write form port))
            `((use-modules (tutti) (tutti mt stage))
              (define-remote (work i) i)
              (define settled 0)
              (dynamic-wind
                (const #t)
                (lambda ()
                  (call-with-pool 2
                    (lambda (pool)
                      (run-units 'testing pool (map (lambda (i) (make-unit "unit" work (list i))) (iota 100))
                                 #:settle! (lambda (unit value)
                                             (set! settled (1+ settled))
                                             (when (= settled 2)
                                               (kill (getpid) ,signal)
                                               (let wait () (usleep 1000) (wait))))))))
                (lambda () (display settled)))))))
       (let ((program (run-program (list tutti "run" script) #:seconds 60)))
         (test-equal "the script ends by it" (+ 128 signal)
           (let ((status (program-status program)))
             (if (pair? status) (+ 128 (second status)) status)))
         (test-equal "at once" "2" (program-output program)))))))

(define (test-ended-from-outside)
  (define (stopped-by raise)
    (let ((settled 0))
      (define condition
        (call-with-pool 2
          (lambda (pool)
            (condition-of
             (lambda ()
               (run-units 'testing pool (map (lambda (i) (make-unit (format #f "unit ~a" i) + (list i))) (iota 20))
                          #:settle! (lambda _
                                      (set! settled (1+ settled))
                                      (raise pool))))))))
      (cons condition settled)))
  (test-assert "an interruption in a REPL"
    (let ((end (stopped-by (lambda (pool) (scm-error 'signal #f "User interrupt" '() (list SIGINT))))))
      (and (interruption? (car end)) (= 1 (cdr end)))))
  (test-assert "exit"
    (let ((end (stopped-by (lambda (pool) (exit 3)))))
      (and (interruption? (car end)) (= 1 (cdr end)))))
  (test-assert "a pool that is closed meanwhile"
    (let ((end (stopped-by (lambda (pool) (pool-close! pool)))))
      (and (pool-closed-error? (car end)) (not (contains? (car end) "failed at unit"))))))

(define (test-pools)
  (define* (workers #:key (changes '()) pool ncores)
    (call-with-stage-pool 'testing (apply configuration-with (default-configuration) changes) 'spectra pool ncores
                          (lambda (pool) (length (delete-duplicates (pool-apply pool getpid))))))
  (define several '(global ncores 2 spectra ncores 3))
  (test-equal "one worker if nobody says otherwise" 1 (workers))
  (test-equal "what is said for all sections" 2 (workers #:changes '(global ncores 2)))
  (test-equal "what is said for the section" 3 (workers #:changes several))
  (test-equal "what is said for another section" 2 (workers #:changes '(global ncores 2 solver ncores 3)))
  (test-equal "the keyword" 4 (workers #:changes several #:ncores 4))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "the current pool" 2 (workers #:changes '(spectra ncores 3)))
      (test-equal "not with the keyword" 3 (workers #:ncores 3))
      (call-with-pool 1
        (lambda (current)
          (test-equal "a pool that is given" 2 (workers #:pool pool #:ncores 4))))))
  (test-assert "a number that is none" (contains? (condition-of (lambda () (workers #:ncores 0))) "#:ncores" "at least 1"))
  (test-equal "equal values, equal fingerprints" (fingerprint-of 1 "a" '(2.5)) (fingerprint-of 1 "a" (list 2.5)))
  (test-assert "other values, others" (not (equal? (fingerprint-of 1 "a") (fingerprint-of 1 'a)))))

(call-with-tap
 (lambda ()
   (test-group "mt-stage"
     (call-with-pool 2
       (lambda (pool)
         (test-group "resume" (call-with-folder (lambda (folder) (test-resume pool folder))))
         (test-group "serially" (call-with-folder (lambda (folder) (test-resume (make-serial-pool) folder))))
         (test-group "failure" (call-with-folder (lambda (folder) (test-failure pool folder))))
         (test-group "forgotten" (call-with-folder test-forgotten))))
     (test-group "kill" (call-with-folder test-kill))
     (for-each (lambda (signal) (test-group (format #f "signal ~a" signal) (test-interrupted signal))) (list SIGINT SIGTERM SIGHUP))
     (test-group "ended from outside" (test-ended-from-outside))
     (test-group "pools" (test-pools)))))
