;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the tutorial shows is what is in examples/tutorial: each script runs there as a reader would run it, and prints what is shown.
(use-modules (tap) (programs) (ice-9 ftw) (ice-9 regex) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define (in-tree name) (string-append (getenv "TUTTI_SOURCE_DIR") "/" name))
(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))
(define tutorial (in-tree "examples/tutorial"))
;; Not what somebody has made by trying them where they are.
(define files
  (scandir tutorial (lambda (name) (or-map (lambda (suffix) (string-suffix? suffix name)) '(".scm" ".out" ".c" ".sh" ".py")))))
(define (stem name) (substring name 0 (string-rindex name #\.)))

(define scripts
  (filter (lambda (name)
            (and (string-suffix? ".scm" name) (not (string=? name "ball.scm"))))   ; a module, which others import
          files))

(define (call-with-copy proc)
  "Call @var{proc} with a folder that has what examples/tutorial has, and the operator module, compiled as its first comment says."
  (call-with-folder
   (lambda (folder)
     (for-each (lambda (name) (copy-file (string-append tutorial "/" name) (string-append folder "/" name))) files)
     (chmod (string-append folder "/simulate.sh") #o755)
     (let ((compiled (run-in folder (list "cc" "-shared" "-fPIC" "-O2" "-o" "heights.so" "heights.c"
                                          "-I" (in-tree "engine/include")))))
       (test-equal "heights.c compiles" '(0 "") (list (program-status compiled) (program-errors compiled))))
     (proc folder))))

(define (run-in folder command)
  (run-program (append (list "sh" "-c" "cd \"$0\" && exec \"$@\"" folder) command) #:seconds 240))

(define (expected name) (contents (string-append tutorial "/" name ".out")))

(define (test-scripts folder)
  (for-each (lambda (script)
              (let ((program (run-in folder (list tutti "run" script))))
                (if (and (string=? script "plot.scm") (not (search-path (parse-path (getenv "PATH")) "gnuplot")))
                    (tap-skip script "gnuplot is not installed")
                    (test-equal script (expected (stem script)) (program-output program)))
                (unless (eqv? 0 (program-status program))
                  (display (program-errors program) (current-error-port)))
                (test-equal (string-append script ": status") 0 (program-status program))))
            scripts))

;; What scripts have written.
(define (test-files folder)
  (define (written name) (contents (string-append folder "/" name)))
  (test-assert "workers.log has the index of a worker at each line"
    (string-match "^(\\[worker [01]\\] simulating [0-4]\n){5}$" (written "workers.log")))
  (test-assert "failures.log has the backtraces" (string-contains (written "failures.log") "backtrace on the worker"))
  (let ((numpy (find (lambda (python) (eqv? 0 (program-status (run-program (list python "-c" "import numpy")))))
                     '("python3" "/usr/bin/python3"))))
    (if numpy
        (let ((program (run-in folder (list numpy "results.py"))))
          (test-equal "numpy reads the results" (expected "results-numpy") (program-output program)))
        (tap-skip "numpy reads the results" "numpy is not installed"))))

(define (test-any-number-of-workers folder)
  (test-equal "the same with one worker" (expected "monte-carlo")
    (program-output (run-in folder (list "env" "TUTTI_WORKERS=1" tutti "run" "monte-carlo.scm")))))

(define (test-manual)
  (let* ((chapters (map (lambda (name) (contents (in-tree (string-append "doc/" name))))
                        (scandir (in-tree "doc") (lambda (name) (string-suffix? ".texi" name)))))
         (shown (append-map (lambda (text)
                              (map (lambda (m) (match:substring m 1))
                                   (list-matches "@verbatiminclude tutorial/([^\n]+)" text)))
                            chapters)))
    (test-equal "all is shown, and nothing else" '() (lset-xor string=? files (delete-duplicates shown)))
    (test-equal "nothing is shown twice" (length (delete-duplicates shown)) (length shown))))

(call-with-tap
 (lambda ()
   (call-with-copy
    (lambda (folder)
      (test-group "scripts" (test-scripts folder))
      (test-group "files" (test-files folder))
      (test-group "workers" (test-any-number-of-workers folder))))
   (test-group "manual" (test-manual))))
