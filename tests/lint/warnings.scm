;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Every module and every example compiles at the highest warning level without a warning.
(use-modules (tap) (lint-files) (ice-9 regex) (srfi srfi-1) (srfi srfi-64) (system base compile))

(define (warnings file)
  "Return the lines that the compiler says about @var{file}, without those that are about the insides of SRFI-9 records."
  (remove (lambda (line)
            (or (string-null? line)
                (string-match "unused local top-level variable `%.*-procedure'$" line)))
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
              (compile-file file #:output-file name #:warning-level 3)))
          (lambda () (delete-file name)))))))

(call-with-tap
 (lambda ()
   (for-each (lambda (file) (test-equal (basename file) '() (warnings file)))
             (append (module-files) (script-files)))))
