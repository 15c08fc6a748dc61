;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which Scheme files there are to look at.
(define-module (lint-files)
  #:use-module (ice-9 ftw)
  #:use-module (srfi srfi-1)
  #:export (module-files script-files module-of))

(define (in-tree . parts)
  (string-join (cons (getenv "TUTTI_SOURCE_DIR") parts) "/"))

(define (scheme-files directory)
  "Return the Scheme files in @var{directory} and below."
  (let ((subdirectories (filter (lambda (name) (file-is-directory? (string-append directory "/" name)))
                                (or (scandir directory (lambda (name) (not (string-prefix? "." name)))) '()))))
    (append (scheme-files-in directory)
            (append-map (lambda (name) (scheme-files (string-append directory "/" name))) subdirectories))))

(define (scheme-files-in directory)
  (map (lambda (name) (string-append directory "/" name))
       (or (scandir directory (lambda (name) (and (string-suffix? ".scm" name) (not (string-prefix? "." name))))) '())))

(define (module-files)
  "Return the files of all (tutti …) modules, those of the domains included."
  (append (filter file-exists? (list (in-tree "scheme" "tutti.scm")))
          (scheme-files (in-tree "scheme" "tutti"))
          (scheme-files (in-tree "modules"))
          (list (string-append (getenv "TUTTI_BUILD_DIR") "/scheme/tutti/base/config.scm"))))

(define (script-files)
  "Return the scripts among the examples."
  (scheme-files (in-tree "examples")))

(define (module-of file)
  "Return the name of the module that @var{file} defines."
  (let ((form (call-with-input-file file read)))
    (if (and (pair? form) (eq? (car form) 'define-module))
        (cadr form)
        (error "the first form must be define-module:" file))))
