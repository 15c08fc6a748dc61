;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Scripts that a chapter of the manual shows, with what they print: run in a copy of their folder, as a reader would run them.
(define-module (listings)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 regex)
  #:use-module (ice-9 textual-ports)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-64)
  #:use-module (programs)
  #:export (contents listed-files call-with-listings run-in test-listing test-listings test-chapter))

(define (in-tree name) (string-append (getenv "TUTTI_SOURCE_DIR") "/" name))

(define (contents file) (call-with-input-file file get-string-all #:encoding "UTF-8"))

(define (listed-files folder)
  "Return the names of the files in @var{folder} of the examples."
  (scandir (in-tree (string-append "examples/" folder)) (lambda (name) (not (member name '("." ".." "__pycache__"))))))

(define (call-with-listings folder proc)
  "Call @var{proc} with a copy of @var{folder} of the examples."
  (call-with-folder
   (lambda (copy)
     (for-each (lambda (name)
                 (let ((from (in-tree (string-append "examples/" folder "/" name))) (to (string-append copy "/" name)))
                   (copy-file from to)
                   (chmod to (stat:perms (stat from)))))
               (listed-files folder))
     (proc copy))))

(define* (run-in folder command #:key (env '()))
  "Run @var{command}, a list of strings, in @var{folder}, and return what came of it."
  (run-program (append (list "sh" "-c" "cd \"$0\" && exec \"$@\"" folder) command) #:env env #:seconds 240))

(define* (test-listing folder script #:key (env '()))
  "Test that @var{script} in @var{folder} prints what stands in the file beside it."
  (let ((program (run-in folder (list tutti "run" script) #:env env)))
    (test-equal script (contents (string-append folder "/" (basename script ".scm") ".out")) (program-output program))
    (unless (eqv? 0 (program-status program))
      (display (program-errors program) (current-error-port)))
    (test-equal (string-append script ": status") 0 (program-status program))))

(define* (test-listings folder #:key (env '()))
  "Test all scripts in @var{folder}, which is a copy."
  (for-each (lambda (script) (test-listing folder script #:env env))
            (scandir folder (lambda (name) (string-suffix? ".scm" name)))))

(define (test-chapter chapter folder)
  "Test that the file @var{chapter} of the manual shows each file of @var{folder} of the examples once."
  (let ((shown (map (lambda (found) (match:substring found 1))
                    (list-matches (format #f "@verbatiminclude ~a/([^\n]+)" folder) (contents (in-tree (string-append "doc/" chapter)))))))
    (test-equal "each file is shown, once, and nothing else" (listed-files folder) (sort shown string<?))))
