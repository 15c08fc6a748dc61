;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a missing module was looked for, and which module may have been meant.
(define-module (tutti advice missing-module)
  #:use-module (ice-9 format)
  #:use-module (ice-9 ftw)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti advice spelling)
  #:use-module (tutti advice unbound)
  #:export (missing-module-advice))

(define (missing-module exception)
  "Return the name of the module that @var{exception} says there is no code for, or @code{#f}."
  (match (exception-args exception)
    ((_ "no code for module ~S" ((and name ((? symbol?) ..1))) . _) name)
    (_ #f)))

(define (module-file name)
  "Return the name below a folder of the load path, without extension, of the file for the module @var{name}."
  (string-join (map symbol->string name) "/"))

;;; A file of that name that is not the module.

(define (defined-module file)
  "Return the name of the module that @var{file} defines, or @code{#f}."
  (match (false-if-exception (call-with-input-file file read #:guess-encoding #t #:encoding "UTF-8"))
    (((or 'define-module 'library 'define-library) (and name ((? symbol?) ..1)) . _) name)
    (_ #f)))

(define (found-text file name)
  (let ((defined (defined-module file)))
    (cond ((equal? defined name) #f)
          (defined (format #f "~a defines ~a; write (use-modules ~a) in a file of that name, or (define-module ~a …) there"
                           file defined defined name))
          (else (format #f "~a defines no module: its first expression must be (define-module ~a …)" file name)))))

;;; Former names of Tutti's modules.

;; Room -> what was once at the top: the name that it has there, or a pair of that name and the former one.
(define former-names
  '((advice (exception . advice) keywords missing-module spelling unbound unclosed unwritten)
    (base config documented file-names frame-limit interrupt log primitives scope seconds terminal text)
    (pool apply deaths (environment . worker-environment) items map (options . pool-options) progress progress-text serial spills
          (type . pool-type) wait)
    (program main)
    (remote (arguments . given) holder (lifetime . holding) (object . remote-object) (object-type . remote-object-type) record-reducer
            shared)
    (worker answer backtrace base-state description (main . worker) wire)))

(define (renamed-module name)
  "Return the present name of the module that was called @var{name}, or @code{#f}."
  (define (in-room former)
    (any (match-lambda
           ((room . entries)
            (any (match-lambda
                   ((new . (? (lambda (old) (eq? old former)))) (list 'tutti room new))
                   ((? (lambda (same) (eq? same former)) same) (list 'tutti room same))
                   (_ #f))
                 entries)))
         former-names))
  (match name
    (('tutti former) (in-room former))
    (('tutti 'main part) (list 'tutti 'program part))
    (('tutti 'remote 'digest) '(tutti base digest))
    (('tutti 'simulation 'crew) '(tutti simulation member-workers))
    (_ #f)))

(define (renamed-text name)
  (let ((new (renamed-module name)))
    (and new (format #f "~a is ~a now" name new))))

;;; Similar names.

(define (readable-folder? name)
  ;; Asked before, not tried: where this is called, in the handler of an exception, another one ends the program.
  (and (file-exists? name) (file-is-directory? name) (access? name (logior R_OK X_OK))))

(define (modules-beside name)
  "Return the names of the modules that are in the folder of the module @var{name}, for each folder of the load path."
  (define parents (drop-right name 1))
  (define (module-of file)
    (and (string-suffix? ".scm" file)
         (append parents (list (string->symbol (string-drop-right file 4))))))
  (if (equal? parents '(tutti))
      '()                               ; of ours, those that are for others are known
      (append-map (lambda (folder)
                    (let ((within (string-join (cons folder (map symbol->string parents)) "/")))
                      (filter-map module-of (or (and (readable-folder? within) (scandir within)) '()))))
                  %load-path)))

(define (similar-module name)
  (let* ((text (module-file name))
         (most (min 2 (quotient (string-length text) 3)))
         (candidates (map (lambda (module) (cons (distance text (module-file module) most) module))
                          (delete name (append known-modules (modules-beside name))))))
    (match (sort (filter (lambda (candidate) (<= (car candidate) most)) candidates)
                 (lambda (a b) (< (car a) (car b))))
      (((_ . module) . _) module)
      (() #f))))

(define (missing-module-advice exception)
  "Return what is to be known of the module that @var{exception} says there is no code for, or @code{#f} if it says something else."
  (let ((name (missing-module exception)))
    (and name
         (let* ((file (module-file name))
                (found (search-path %load-path file '(".scm")))
                (similar (similar-module name)))
           (or (and found (found-text found name))
               (renamed-text name)
               (format #f "~@[is it ~a?  ~]~a.scm was looked for beside the script, in the folders of -L DIR, and in the rest of the \
load path: ~{~a~^, ~}"
                       similar file %load-path))))))
