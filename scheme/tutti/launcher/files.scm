;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which files of the script's a machine needs that has only Guile and Tutti: those of the modules that are loaded. What workers run is
;; sent as bytecode; but it imports what is in files.
(define-module (tutti launcher files)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base digest)
  #:export (script-files))

(define (loaded-modules)
  "Return all modules with a name, as they are in Guile's tree of them."
  (let visit ((module (resolve-module '() #f #:ensure #f)) (seen '()))
    (if (memq module seen)
        seen
        (hash-fold (lambda (name submodule seen) (visit submodule seen)) (cons module seen) (module-submodules module)))))

(define guile's-folders
  (filter string? (list (%package-data-dir) (%library-dir))))

(define (below? folder file)
  (string-prefix? (string-append folder "/") file))

(define (file-of module)
  "Return the absolute name of the file with the source of MODULE, or #f."
  (let ((name (module-filename module)))
    (and (string? name)
         (if (absolute-file-name? name)
             (and (file-exists? name) name)
             (search-path %load-path name)))))

(define (ours? name)
  (match name
    (('tutti . _) #t)
    (_ #f)))

(define (relative-name name)
  ;; Where Guile looks for it below each folder of its load path.
  (string-append (string-join (map symbol->string name) "/") ".scm"))

(define (bytes-of file)
  (call-with-input-file file
    (lambda (port)
      (let ((bytes (get-bytevector-all port)))
        (if (eof-object? bytes) (make-bytevector 0) bytes)))
    #:binary #t))

(define (entry module)
  (let* ((name (module-name module))
         (file (and (every symbol? name) (not (ours? name)) (file-of module))))
    (and file
         (not (any (lambda (folder) (below? folder file)) guile's-folders))
         ;; A script is a file without a module of its own, and is not looked for by a name.
         (string-suffix? (string-append "/" (relative-name name)) file)
         (list name (relative-name name) file (digest (bytes-of file))))))

(define (script-files)
  "Return what another machine must have, besides Guile and Tutti, for the modules that are loaded here: a list of their names, of the
name of each one's file below a folder of the load path, of that file here, and of its digest, sorted by the second."
  (sort (filter-map entry (loaded-modules))
        (lambda (a b) (string<? (second a) (second b)))))
