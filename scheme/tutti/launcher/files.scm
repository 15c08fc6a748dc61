;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which files of the script's a machine needs that has only Guile and Tutti: those of the modules that are loaded, and operator libraries.
;; What workers run is sent as bytecode; but it imports what is in files.
;;
;; A file is read once, when it is needed first, and so all machines have the same, whenever they come and whatever becomes of the file.
(define-module (tutti launcher files)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool files)
  #:use-module (tutti pool type)
  #:use-module (tutti task)
  #:use-module (tutti worker wire)
  #:export (script-files files-for))

;;; Modules.

(define (all-modules)
  "Return all modules with a name, as they are in Guile's tree of them, and those that some of them load when they use them first."
  (let visit ((module (resolve-module '() #f #:ensure #f)) (seen '()))
    (if (memq module seen)
        seen
        (hash-fold (lambda (name submodule seen) (visit submodule seen))
                   (append (filter autoload? (module-uses module)) (cons module seen))
                   (module-submodules module)))))

(define (autoload? module)
  (eq? (module-kind module) 'autoload))

(define (below? folder file)
  (string-prefix? (string-append folder "/") file))

(define (guile's? file)
  (or (below? (%library-dir) file)
      (below? (assq-ref %guile-build-info 'ccachedir) file)))

(define (relative-name name)
  ;; Where Guile looks for it below each folder of its load path, without the ending.
  (string-join (map symbol->string name) "/"))

(define (file-of module relative)
  "Return the absolute name of the file with the source of MODULE, or of its bytecode if there is no other, or #f."
  (let ((name (and (not (autoload? module)) (module-filename module))))
    (cond ((noted-module (module-name module)) => car)
          ((and (string? name) (absolute-file-name? name)) name)
          (else (or (%search-load-path relative)
                    (search-path %load-compiled-path relative %load-compiled-extensions))))))

(define (newer? file source)
  (let ((a (stat file #f))
        (b (stat source)))
    (and a
         (or (> (stat:mtime a) (stat:mtime b))
             (and (= (stat:mtime a) (stat:mtime b)) (>= (stat:mtimensec a) (stat:mtimensec b)))))))

(define (compiled-file relative source)
  "Return the file that Guile loads in place of SOURCE, or #f."
  (find (lambda (file) (and file (newer? file source)))
        (list (search-path %load-compiled-path relative %load-compiled-extensions)
              (and %compile-fallback-path
                   (string-append %compile-fallback-path (canonicalize-path source) (car %load-compiled-extensions))))))

(define (ours? name)
  (match name
    (('tutti . _) #t)
    (_ #f)))

(define (entry module)
  (let* ((name (module-name module))
         (relative (and (pair? name) (every symbol? name) (not (ours? name)) (relative-name name)))
         (file (and relative (file-of module relative))))
    (and file
         (not (guile's? file))
         ;; A script is a file without a module of its own, and is not looked for by a name.
         (any (lambda (ending) (string-suffix? (string-append "/" relative ending) file))
              (append %load-extensions %load-compiled-extensions))
         (list name relative file))))

(define (script-files)
  "Return what another machine must have, besides Guile and Tutti, for the modules that are loaded here: a list of their names, of the
name of each one's file below a folder of the load path, without its ending, and of that file here, sorted by the second."
  (sort (delete-duplicates (filter-map entry (all-modules)) (lambda (a b) (string=? (second a) (second b))))
        (lambda (a b) (string<? (second a) (second b)))))

;;; What is sent.

;; File -> pair of the stamp that it had when it was loaded, and its item.
(define taken (make-hash-table))
(define lock (make-shared-mutex))

(define (take! file loaded make)
  "Return the item that MAKE returns for FILE, which is called once for each time that FILE was loaded, of which LOADED is the stamp."
  (match (hash-ref taken file)
    ((known . item) (if (equal? known loaded) item (begin (hash-remove! taken file) (take! file loaded make))))
    (#f
     (check-stamp file loaded)
     (let ((item (make)))
       (check-stamp file loaded)
       (hash-set! taken file (cons loaded item))
       item))))

(define (module-item entry)
  (match entry
    ((name relative file)
     (take! file (and=> (noted-module name) cdr)
            (lambda ()
              (let ((compiled (if (any (lambda (ending) (string-suffix? ending file)) %load-compiled-extensions)
                                  file
                                  (compiled-file relative file))))
                (vector 'module relative file (->bool compiled) (%read-file (or compiled file)))))))))

(define (library-item noted)
  (match noted
    ((file . loaded)
     (take! file loaded (lambda () (vector 'library file (%read-file file)))))))

(define (items)
  (with-mutex lock
    (append (map module-item (script-files))
            (map library-item (noted-libraries)))))

;; Pool -> the items that its workers have.
(define sent (make-weak-key-hash-table))

(define (files-for pool)
  "Let the workers of @var{pool} have what the script has loaded from files until now, before their next tasks."
  (let ((now (items)))
    (unless (equal? now (hashq-ref sent pool '()))
      (let* ((id (%next-held-id))
             (payload (%payload-freeze (encode-value (vector 'files id now) 'make-pool (make-cargo pool)) #f #t)))
        (%pool-set-files! (pool-handle pool) (%make-held id #t (list payload) '() 0 (task-retries)))
        (hashq-set! sent pool now)))))
