;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What a run depends on, for those who look at it: versions, and digests of the code that it has loaded.
(define-module (tutti look facts)
  #:use-module (ice-9 binary-ports)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti base digest)
  #:use-module (tutti base libraries)
  #:use-module (tutti base primitives)
  #:export (note-run! note-code!))

(define (note-run!)
  "Let those who look see what this run computes with."
  (for-each (lambda (entry) (%note! (car entry) (cdr entry)))
            `(("version" . ,(tutti-version))
              ("host" . ,(gethostname))
              ,@(library-versions)))
  (set! noted '())
  (note-code!))

;;; Code.

(define (user-module-files)
  "Return the names of the files of modules, as modules have them, that belong neither to Guile nor to Tutti."
  (define seen (make-hash-table))
  (define files '())
  (let visit ((module (resolve-module '() #f #:ensure #f)))
    (hash-for-each (lambda (name child)
                     (when (and (module? child) (not (hashq-ref seen child)))
                       (hashq-set! seen child #t)
                       (let ((file (module-filename child)))
                         (when (and file (not (eq? name 'tutti)))
                           (set! files (cons file files))))
                       (unless (eq? name 'tutti)
                         (visit child))))
                   (module-submodules module)))
  (delete-duplicates files))

(define guile-folders
  (delay (filter-map (lambda (key) (assq-ref %guile-build-info key)) '(pkgdatadir libdir ccachedir))))

(define (of-guile? file)
  (any (lambda (folder) (string-prefix? folder file)) (force guile-folders)))

(define (digest-of-file file)
  (and=> (false-if-exception (call-with-input-file file get-bytevector-all #:binary #t))
         (lambda (bytes) (and (not (eof-object? bytes)) (digest->string (digest bytes))))))

(define noted '())                      ; the files that are

(define (note-code!)
  "Let those who look see the digests of the files of modules that the script has loaded until now, but for those of Guile and Tutti."
  (for-each (lambda (name)
              (let ((file (%search-load-path name)))
                (when (and file (not (of-guile? file)))
                  (and=> (digest-of-file file) (lambda (text) (%note! (string-append "digest:" file) text))))
                (set! noted (cons name noted))))
            (lset-difference string=? (user-module-files) noted)))
