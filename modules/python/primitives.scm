;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C of (tutti python): its primitives, whose names begin with %.  They check what would otherwise crash and no more; only modules
;; of (tutti python) use them.
(define-module (tutti python primitives)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti conditions))

(define (extension)
  "Return the file of the extension; a name without folder would be looked for by Guile."
  (let ((files (map (lambda (folder) (string-append folder "/tutti-python.so"))
                    (delete "" (string-split (module-directory) #\:)))))
    (or (find file-exists? files)
        (raise-tutti (make-tutti-error (string-append "the part of Tutti that loads Python was not found; looked for "
                                                      (string-join files ", ") "; set TUTTI_MODULEDIR to its folder"))
                     'python))))

(load-extension (extension) "tti_python_init")

(module-export! (current-module)
                (filter (lambda (name) (string-prefix? "%" (symbol->string name)))
                        (module-map (lambda (name variable) name) (current-module))))
