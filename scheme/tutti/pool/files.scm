;; SPDX-License-Identifier: LGPL-3.0-or-later
;; When workers on other machines are to be given what the script has in files: before each task, but only if the script has loaded
;; something since the last one.
(define-module (tutti pool files)
  #:use-module (tutti base check)
  #:use-module (tutti base config)
  #:use-module (tutti pool type)
  #:autoload (tutti launcher files) (files-for)
  #:export (send-files! note-library! noted-module noted-libraries check-stamp))

;; Counts what was loaded, so that looking takes nothing.
(define version 0)

;; What was loaded: name of a module -> pair of its file and the stamp of that by then; file of a library -> stamp. Of modules that were
;; loaded before this one nothing is known.
(define modules (make-hash-table))
(define libraries (make-hash-table))

(define (noted-module name)
  "Return the pair of the file that the module @var{name} was loaded from, and its stamp by then; @code{#f}: that is not known."
  (hash-ref modules name))

(define (noted-libraries)
  "Return the list of pairs of the file of each operator library that was loaded, and its stamp by then, sorted by the file."
  (sort (hash-map->list cons libraries) (lambda (a b) (string<? (car a) (car b)))))

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
  (let* ((name (module-name module))
         (file (and (not (eq? (car name) 'tutti)) (file-of module))))
    (when (and file (not (string-prefix? (string-append (%library-dir) "/") file)))
      (hash-set! modules name (cons file (stamp file)))
      (set! version (1+ version)))))

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
