;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The parts in C of domains that are more than kernels: extensions of Guile, each with its primitives.
(define-module (tutti base extension)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti conditions)
  #:export (extension-folder load-primitives))

(define (extension-folder file-name who what)
  "Return the folder of the extension @var{file-name}, which @var{who}, a domain, needs to @var{what}."
  (let ((folders (delete "" (string-split (module-directory) #\:))))
    (define (there? folder) (file-exists? (string-append folder "/" file-name)))
    (or (find there? folders)
        (raise-tutti (make-tutti-error (format #f "the part of Tutti that ~a, ~a, was not found in ~a; set TUTTI_MODULEDIR to its folder"
                                               what file-name (string-join folders ", ")))
                     who))))

(define (load-primitives module file-name initializer who what)
  "Load the extension @var{file-name} by its C function @var{initializer} into the current module, which is @var{module}, and export what it
has defined: all names that begin with %. @var{who} and @var{what} are for @code{extension-folder}."
  ;; (A name without folder would be looked for by Guile.)
  (load-extension (string-append (extension-folder file-name who what) "/" file-name) initializer)
  (module-export! module
                  (filter (lambda (name) (string-prefix? "%" (symbol->string name)))
                          (module-map (lambda (name variable) name) module))))
