;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The shared objects of domains: where they are, and those that are extensions of Guile, each with its primitives.
(define-module (tutti base extension)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti conditions)
  #:export (shared-object-names find-shared-object extension-folder load-primitives))

(define (shared-object-names file-name)
  "Return the list of the absolute names under which the shared object @var{file-name} is looked for."
  (map (lambda (folder) (string-append folder "/" file-name)) (delete "" (string-split (module-directory) #\:))))

(define (find-shared-object file-name)
  "Return the absolute name of the shared object @var{file-name}, or @code{#f} if this installation has none."
  (find file-exists? (shared-object-names file-name)))

(define (extension-folder file-name who what)
  "Return the folder of the extension @var{file-name}, which @var{who}, a domain, needs to @var{what}."
  (or (and=> (find-shared-object file-name) dirname)
      (raise-tutti (make-tutti-error (format #f "the part of Tutti that ~a was not found; looked for ~a; set TUTTI_MODULEDIR to its folder"
                                             what (string-join (shared-object-names file-name) ", ")))
                   who)))

(define (load-primitives module file-name initializer who what)
  "Load the extension @var{file-name} by its C function @var{initializer} into the current module, which is @var{module}, and export what it
has defined: all names that begin with %. @var{who} and @var{what} are for @code{extension-folder}."
  ;; (A name without folder would be looked for by Guile.)
  (load-extension (string-append (extension-folder file-name who what) "/" file-name) initializer)
  (module-export! module
                  (filter (lambda (name) (string-prefix? "%" (symbol->string name)))
                          (module-map (lambda (name variable) name) module))))
