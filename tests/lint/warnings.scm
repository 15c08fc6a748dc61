;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Every module and every example compiles at the highest warning level without a warning, but for what an application gives its script.
(use-modules (tap) (lint-files) (ice-9 regex) (srfi srfi-1) (srfi srfi-64) (system base compile))

(define (warnings file)
  "Return the lines that the compiler says about @var{file}, without those that are about what SRFI-9 records and match make for
themselves. From 3.0.10 on Guile tells of modules that are not used: where it is not sure we are not either; numeric vectors belong to
Guile's core as well, which it takes for their only home; and what is imported to be exported is used by others."
  (remove (lambda (line)
            (or (string-null? line)
                (string-match "unused local top-level variable `(%.*-procedure|<.*>)'$" line)
                (string-match "unused variable `(failure|w|x)'$" line)
                (and (string=? (basename file) "script-runner.scm") (string-match "unbound variable `show-point'$" line))
                (string-match "possibly unused module|unused module \\(srfi srfi-4( gnu)?\\)$" line)
                (and (string=? (basename file) "tutti.scm") (string-match "unused module" line))))
          (string-split (compiler-output file) #\newline)))

(define (compiler-output file)
  (call-with-output-string
    (lambda (port)
      (let* ((output (mkstemp (string-append (or (getenv "TMPDIR") "/tmp") "/lint-XXXXXX")))
             (name (port-filename output)))
        (close-port output)
        (dynamic-wind
          (const #t)
          (lambda ()
            (parameterize ((current-warning-port port))
              (compile-file file #:output-file name #:warning-level 3 #:optimization-level 0)))
          (lambda () (delete-file name)))))))

(call-with-tap
 (lambda ()
   ;; A module must be loaded before it is compiled in this process: the compiler would make an empty one, and others import that.
   (for-each resolve-interface (map module-of (module-files)))
   (for-each (lambda (file) (test-equal (basename file) '() (warnings file)))
             (append (module-files) (script-files)))))
