;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The same bits from six workers on three hosts as on one: of every kind of operator, simulation, object and result, and of every example.
(use-modules (tap) (background) (cluster) (programs) (pythons) (ice-9 format) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1)
             (srfi srfi-64)
             ((tutti umbridge primitives) #:select (available?)))

(define python? (and (python-has? "numpy") (python-has? "scipy")))
(define gnuplot? (search-path (parse-path (getenv "PATH")) "gnuplot"))

(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))

;; Lines that stand in the same place of two outputs, each a test; so what differs is named.
(define (test-lines name here there)
  (define (lines text) (string-split (string-trim-right text #\newline) #\newline))
  (define (title line) (match (false-if-exception (call-with-input-string line read)) (((? string? title) _) title) (_ line)))
  (test-equal (string-append name ": as many results") (length (lines here)) (length (lines there)))
  (for-each (lambda (here there) (test-equal (string-append name ": " (title here)) here there)) (lines here) (lines there)))

;;; Every kind.

(define (test-kinds job)
  (define arguments (cons (cluster-folder) (if python? '("python") '())))
  (define* (answer #:key (options '()) (env '()))
    (let ((program (tutti-on "head" (fixture "cluster-kinds.scm") arguments #:options options #:env env)))
      (test-equal (format #f "~{~a~^ ~}: status" (append options env)) 0 (program-status program))
      program))
  (define here (program-output (answer)))
  (define (test-there name program)
    (test-lines name here (program-output program))
    (test-assert (string-append name ": on all hosts") (string-suffix? "(\"n1\" \"n2\" \"n3\")" (program-errors program)))
    (test-assert (string-append name ": nothing is lost") (not (string-contains (program-errors program) "lost"))))
  (unless python?
    (tap-skip "python" (string-append python " has no numpy or no scipy")))
  (test-there "--on slurm" (answer #:options '("--on" "slurm") #:env (list job "SLURM_JOB_NUM_NODES=3")))
  (test-there "$TUTTI_ON" (answer #:env '("TUTTI_ON=ssh:n1,n2,n3"))))

;;; Every example.

;; Files, and the arguments that make what takes long shorter. Behind a name are those that need something.
(define examples
  `(("coils.scm" "--workers" "6")
    ("gravity-tiles.scm" "--workers" "6" "--iterations" "1")
    ("greedy.scm" "--workers" "6")
    ("mt-sounding.scm" "--workers" "6" "--ensemble" "12")
    ("reduction.scm" "--workers" "6" "--unknowns" "100")
    ("mt-processing/mt-processing.scm" "--workers" "6" "--folder" "project")
    ("programs/strip.scm" "--workers" "6")
    ("python/calibrate.scm" "--workers" "6")
    ("umbridge/both.scm")
    ("program-runs/calibrate.scm")
    ("program-runs/failures.scm")
    ("program-runs/server.scm")
    ("python-models/tomography.scm")
    ("tutorial/log.scm")
    ("tutorial/monte-carlo.scm")
    ("tutorial/operator-in-c.scm")
    ("tutorial/plot.scm")
    ("tutorial/pool.scm")
    ("tutorial/results.scm")
    ("tutorial/two-operators.scm")))

;; These wait for time-outs, so they run beside the others.
(define slow-examples '(("tutorial/failures.scm") ("tutorial/program-study.scm")))

(define left-out
  '(("embedding/script-runner.scm" . "a script for an application, run by that below")
    ("program-runs/dakota.scm" . "no pool")
    ("program-runs/pest.scm" . "no pool")
    ("program-runs/run.scm" . "no pool")
    ("python-models/adapters.scm" . "no pool: Python's own worker stays here")
    ("python-models/failures.scm" . "no pool: Python's own worker stays here")
    ("python-models/rays.scm" . "no pool: Python's own worker stays here")
    ("python-models/values.scm" . "no pool: Python's own worker stays here")
    ("tutorial/ball.scm" . "a module")
    ("tutorial/guile.scm" . "no pool")
    ("tutorial/inversion.scm" . "no pool")
    ("tutorial/loop.scm" . "no pool")
    ("tutorial/operator.scm" . "no pool")
    ("tutorial/vectors.scm" . "no pool")))

(define (all-scripts)
  (let* ((folder (string-append (getenv "TUTTI_SOURCE_DIR") "/examples"))
         (found (run-program (list "find" folder "-name" "*.scm" "-printf" "%P\\n"))))
    (string-tokenize (program-output found))))

(define (lacks script)
  "Return what SCRIPT lacks here, or #f."
  (cond ((and (string-prefix? "python" script) (not python?)) "numpy or scipy is not installed")
        ((and (string-prefix? "umbridge" script) (not (available?))) "this build has no libsoup")
        ((and (string=? "tutorial/plot.scm" script) (not gnuplot?)) "gnuplot is not installed")
        (else #f)))

;; Run SCRIPT in the copy of the examples at ROOT, as its reader would; returns what came of it.
(define (run-example root script arguments env)
  (run-on "head" (append (list "sh" "-c" "cd \"$0\" && exec \"$@\"" (string-append root "/" (dirname script))
                               tutti "run" (basename script))
                         arguments)
          #:env env))

(define (run-examples root entries env)
  "Return an alist of scripts and what came of them; there is nothing of those that lack something."
  (filter-map (match-lambda
                ((script . arguments)
                 (and (not (lacks script))
                      (cons script (run-example root script arguments env)))))
              entries))

(define (copy-examples! name)
  (let ((root (in-folder name)))
    (system* "cp" "-r" (string-append (getenv "TUTTI_SOURCE_DIR") "/examples") root)
    ;; Its images are smaller, which takes a ninth of the time.
    (system* "sed" "-i" "s/^(define n 96)$/(define n 32)/" (string-append root "/coils.scm"))
    (system* "cc" "-shared" "-fPIC" "-O2" "-o" (string-append root "/tutorial/heights.so") (string-append root "/tutorial/heights.c")
             "-I" (string-append (getenv "TUTTI_SOURCE_DIR") "/engine/include"))
    root))

(define (test-example script here there)
  (test-equal (string-append script ": the same") here (program-output there))
  (test-equal (string-append script ": status") 0 (program-status there))
  (unless (eqv? 0 (program-status there))
    (display (program-errors there) (current-error-port)))
  (test-assert (string-append script ": no node is lost") (not (string-contains (program-errors there) "lost"))))

;; What stands beside a script is what it prints on one host: the test of its chapter sees to that. Others run there before.
(define (printed root script)
  (let ((file (string-append root "/" (substring script 0 (- (string-length script) 4)) ".out")))
    (and (file-exists? file) (contents file))))

(define (test-examples job)
  (define here (copy-examples! "here"))
  (define there (copy-examples! "there"))
  (define on-slurm (list job "SLURM_JOB_NUM_NODES=3" "TUTTI_ON=slurm"))
  (define (test-all entries results)
    (for-each (match-lambda
                ((script . arguments)
                 (match (assoc-ref results script)
                   (#f (tap-skip script (lacks script)))
                   (there (test-example script (or (printed here script) (program-output (run-example here script arguments '())))
                                        there)))))
              entries))
  (test-equal "each example is run, or left out with a reason" '()
    (lset-xor string=? (all-scripts) (map car (append examples slow-examples left-out))))
  (let ((slow (in-background (lambda () (run-examples there slow-examples '("TUTTI_ON=ssh:n1,n2,n3"))))))
    (test-all examples (run-examples there examples on-slurm))
    (test-all slow-examples (slow)))
  ;; An application has no options; its scripts know the variable.
  (let* ((script (string-append there "/embedding/script-runner.scm"))
         (answer (lambda (env) (run-on "head" (list (helper "script-runner") script) #:env env)))
         (local (answer '())))
    (test-equal "an application's script: the same" (list 0 (program-output local))
      (let ((remote (answer on-slurm))) (list (program-status remote) (program-output remote))))))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (let ((job (allocate 3)))
        (test-group "kinds" (test-kinds job))
        (test-group "examples" (test-examples job))))
    #:seconds 460)))
