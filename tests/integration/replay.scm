;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Failed tasks and items leave capsules, from which they are run again alone: in the same way, and elsewhere.
(use-modules (tap) (programs) (replays) (ice-9 match) (ice-9 regex) (ice-9 ftw) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define* (make-capsules folder #:key (env '()))
  "Return the journal's name, and what the script has written, in a pair."
  (let* ((journal (string-append folder "/journal"))
         (script (run-program (list tutti "run" (fixture "replayed.scm") journal)
                              #:env (append '("MY_TOKEN=hidden-one" "kept_password=hidden-two" "KEPT_TOKEN=shown" "OF_THE_JOB=yes") env))))
    (unless (eqv? 0 (program-status script))
      (error "the script has failed" (program-status script) (program-errors script)))
    (cons journal (program-output script))))

(define (capsules-of journal)
  (sort (filter (lambda (name) (string-suffix? ".capsule" name)) (scandir (string-append journal ".capsules"))) string<?))

(define (number-of journal name)
  "Return the number of the task that runs the procedure NAME, as the listing says."
  (let ((m (string-match (string-append "task ([0-9]+)[^\n]*  " name " ") (second (replay journal)))))
    (or (and m (match:substring m 1)) (error "no capsule" name (replay journal)))))

(define (test-same-way journal output)
  (define drawn (match:substring (string-match "task (drawn: 3 [0-9]+)" output) 1))
  (test-replay "the same error, with the same random numbers" 0 (drawn "It failed the same way")
               (replay journal (number-of journal "unlucky")))
  (let ((item (string-match "task ([0-9]+), item 3" (second (replay journal)))))
    (test-replay "an item of a map" 0
                 ((match:substring (string-match "item ([^\n]*drawn: 3 [0-9]+|drawn: 3 [0-9]+)" output) 1) "It failed the same way")
                 (replay journal (string-append (match:substring item 1) ":3"))))
  (test-replay "a signal" 0 ("It failed the same way: it was ended by signal 11") (replay journal (number-of journal "deadly")))
  (test-replay "an exit" 0 ("It failed the same way: it ended its process with status 7") (replay journal (number-of journal "leaving")))
  (test-replay "too slow" 0 ("It failed the same way: it took longer than it may") (replay journal (number-of journal "slow")))
  (test-replay "too large" 0 ("It failed the same way: it ran into its memory limit") (replay journal (number-of journal "greedy")))
  (test-replay "a shared vector" 0 ("sum 50000 1.5" "It failed the same way") (replay journal (number-of journal "sum-of")))
  (test-replay "what the script had defined" 0 ("offset 42" "It failed the same way") (replay journal (number-of journal "with-offset")))
  (test-replay "folder, environment and worker" 0 ((getcwd) "shown" "yes" "It failed the same way")
               (replay journal (number-of journal "of-here"))))

(define (test-other-way journal)
  ;; Its environment is that of the capsule, so what is set here does not count, but for a capsule that is written anew.
  (let* ((number (number-of journal "lucky"))
         (file (string-append journal ".capsules/1-" number ".capsule"))
         (bytes (call-with-input-file file get-string-all #:encoding "ISO-8859-1"))
         (at (string-contains bytes "environment:OF_THE_JOB")))
    (test-replay "what is set now does not count" 0 ("It failed the same way")
                 (begin (setenv "GOOD_NOW" "1")
                        (let ((result (replay journal number))) (unsetenv "GOOD_NOW") result)))
    (call-with-output-file file
      (lambda (port)
        (display (string-append (substring bytes 0 at) "environment:GOOD_NOW\0yes!!\0"
                                (substring bytes (+ at (string-length "environment:OF_THE_JOB\0yes\0"))))
                 port))
      #:encoding "ISO-8859-1")
    (test-replay "it does not fail" 1 ("its value: fine" "did not fail this time" "bad luck") (replay journal number))))

(define (test-refused journal)
  (test-replay "a task without a capsule" 1 ("there is no capsule of task 123456") (replay journal "123456"))
  (test-replay "no number" 1 ("expected the number of a task") (replay journal "x"))
  (test-replay "no file" 1 ("there is no file /nowhere") (replay "/nowhere"))
  (test-replay "no capsules" 1 ("there are no capsules beside") (replay (fixture "replayed.scm")))
  (test-replay "an option that is none" 1 ("there is no option `--bogus'") (replay "--bogus" journal "1"))
  (test-replay "nothing" 1 ("usage: tutti replay") (replay))
  (let* ((file (string-append journal ".capsules/" (last (capsules-of journal))))
         (bytes (call-with-input-file file get-string-all #:encoding "ISO-8859-1")))
    (call-with-output-file file
      (lambda (port) (display (substring bytes 0 (quotient (string-length bytes) 2)) port))
      #:encoding "ISO-8859-1")
    (test-replay "half a capsule" 1 ("is no capsule of this version of Tutti, or its end is missing") (replay file))))

(define (test-secrets journal)
  (define texts
    (map (lambda (name) (call-with-input-file (string-append journal ".capsules/" name) get-string-all #:encoding "ISO-8859-1"))
         (capsules-of journal)))
  (test-equal "no secrets in capsules" '(#f #f #t)
    (map (lambda (word) (any (lambda (text) (and (string-contains text word) #t)) texts)) '("hidden-one" "hidden-two" "KEPT_TOKEN")))
  (test-replay "what was left out is said" 0 ("MY_TOKEN" "kept_password") (replay journal (number-of journal "sum-of"))))

(define (test-here journal)
  (call-with-folder
   (lambda (folder)
     (let ((input (string-append folder "/input")))
       (call-with-output-file input
         (lambda (port) (display "(list 'so: (procedure-name procedure) (car arguments))\n" port)))
       (let ((program (run-program (list "sh" "-c" (format #f "'~a' replay --here '~a' ~a < '~a'" tutti journal
                                                           (number-of journal "with-offset") input)))))
         (test-equal "procedure and arguments are bound" '(0 ())
           (list (program-status program) (missing (program-output program) "(so: with-offset 2)"))))))))

(define (test-limit)
  (call-with-folder
   (lambda (folder)
     (let* ((journal (car (make-capsules folder #:env '("CAPSULE_LIMIT=100000"))))
            (file (find (lambda (name)
                          (string-prefix? "it has more than" (call-with-input-file (string-append journal ".capsules/" name) get-string-all
                                                               #:encoding "ISO-8859-1")))
                        (capsules-of journal))))
       (test-assert "what is larger than the limit leaves the reason" file)))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (folder)
      (match (make-capsules folder)
        ((journal . output)
         (test-equal "a capsule of each" 10 (length (capsules-of journal)))
         (test-group "same way" (test-same-way journal output))
         (test-group "here" (test-here journal))
         (test-group "secrets" (test-secrets journal))
         (test-group "other way" (test-other-way journal))
         (test-group "refused" (test-refused journal))))))
   (test-group "limit" (test-limit))))
