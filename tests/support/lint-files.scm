;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which Scheme files there are to look at.
(define-module (lint-files)
  #:use-module (ice-9 ftw)
  #:use-module (srfi srfi-1)
  #:export (module-files script-files text-files module-of))

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

(define (files-in suffix . parts)
  (let ((folder (apply in-tree parts)))
    (map (lambda (name) (string-append folder "/" name))
         (scandir folder (lambda (name) (and (string-suffix? suffix name) (not (string-prefix? "." name))))))))

(define (text-files)
  "Return the texts for users: README.md, the chapters of the manual, the templates of projects."
  (cons (in-tree "README.md")
        (append (files-in ".texi" "doc")
                (append-map (lambda (kind) (files-in ".template" "scheme" "tutti" "templates" kind))
                            (cdr (cdr (scandir (in-tree "scheme" "tutti" "templates"))))))))

(define (module-of file)
  "Return the name of the module that @var{file} defines."
  (let ((form (call-with-input-file file read)))
    (if (and (pair? form) (eq? (car form) 'define-module))
        (cadr form)
        (error "the first form must be define-module:" file))))
