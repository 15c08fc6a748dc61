;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C of (tutti python): its primitives, whose names begin with %.  They check what would otherwise crash and no more; only
;; modules of (tutti python) use them.
(define-module (tutti python primitives)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti conditions)
  #:export (extension-folder))

(define file-name "tutti-python.so")

(define (extension-folder)
  "Return the folder of the extension, which also has what of Tutti is written in Python."
  (let ((folders (delete "" (string-split (module-directory) #\:))))
    (define (there? folder) (file-exists? (string-append folder "/" file-name)))
    (or (find there? folders)
        (raise-tutti (make-tutti-error (format #f "the part of Tutti that loads Python, ~a, was not found in ~a; set TUTTI_MODULEDIR \
to its folder" file-name (string-join folders ", ")))
                     'python))))

;; (A name without folder would be looked for by Guile.)
(load-extension (string-append (extension-folder) "/" file-name) "tti_python_init")

(module-export! (current-module)
                (filter (lambda (name) (string-prefix? "%" (symbol->string name)))
                        (module-map (lambda (name variable) name) (current-module))))
