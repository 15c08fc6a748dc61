;; SPDX-License-Identifier: LGPL-3.0-or-later
;; When workers on other machines are to be given what the script has in files: before each task, but only if the script has loaded
;; something since the last one.
(define-module (tutti pool files)
  #:use-module (tutti base check)
  #:use-module (tutti base config)
  #:use-module (tutti pool type)
  #:autoload (tutti launcher files) (files-for)
  #:export (send-files! note-library! stamp loaded-modules loaded-libraries check-stamp))

;; Counts what was loaded, so that looking takes nothing.
(define version 0)

;; What was loaded: file -> its stamp by then. Of modules that were loaded before this one none is known.
(define modules (make-hash-table))
(define libraries (make-hash-table))

(define (loaded-modules) "Return the table of stamps by the files of modules that were loaded." modules)
(define (loaded-libraries) "Return the table of stamps by the files of operator libraries that were loaded." libraries)

(define (stamp file)
  "Return what changes when @var{file} does, as far as the system tells; @code{#f} if there is none."
  (let ((st (stat file #f)))
    (and st (list (stat:size st) (stat:mtime st) (stat:mtimensec st) (stat:ino st)))))

(define (check-stamp file known)
  "Raise if @var{file} is not what it was when its stamp was @var{known}; @code{#f}: that is not known."
  (when (and known (not (equal? known (stamp file))))
    (refuse 'make-pool "~s has changed since the script loaded it, so workers on other machines cannot be given what the script runs; \
load it again, or start the script again" file)))

(define (file-of module)
  (let ((name (module-filename module)))
    (and (string? name)
         (if (absolute-file-name? name) name (%search-load-path name)))))

(define (note-module! module)
  (set! version (1+ version))
  (let ((file (file-of module)))
    (when (and file (not (string-prefix? (string-append (%library-dir) "/") file)))
      (hash-set! modules file (stamp file)))))

(add-hook! module-defined-hook note-module!)

(define (note-library! file)
  "Note that the operator library @var{file}, an absolute name, was loaded."
  ;; What is beside Tutti's own shared objects comes with Tutti.
  (unless (or (hash-ref libraries file) (string=? (dirname file) (installed-module-directory)))
    (hash-set! libraries file (stamp file))
    (set! version (1+ version))))

(define (send-files! pool)
  "See to it that the workers of @var{pool}, if they are on other machines, have what the script has loaded from files. Return true."
  (when (and (pool-cluster pool) (not (eqv? (pool-files pool) version)))
    (let ((now version))
      (files-for pool)
      (set-pool-files! pool now)))
  #t)
