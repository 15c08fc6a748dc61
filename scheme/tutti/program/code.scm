;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The modules in C that the task of a capsule needs: its arguments travel in the capsule, these do not.
(define-module (tutti program code)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base digest)
  #:export (of-module? code-problem))

(define handler-module "3")             ; TTI_HANDLER_MODULE

(define (of-module? facts)
  "Return true if the task of @var{facts} is one for modules in C."
  (equal? (assoc-ref facts "handler") handler-module))

(define (digest-of file)
  (match (call-with-input-file file get-bytevector-all #:binary #t)
    ((? eof-object?) "")
    (bytes (digest->string (digest bytes)))))

(define (module-problem name then file)
  "Return why the module @var{name} in @var{file}, whose digest was @var{then}, is not what the task has run, a string; or @code{#f}."
  (define now (and (file-exists? file) (false-if-exception (digest-of file))))
  (cond ((not now)
         (format #f "the module `~a' that the task has run was in ~a, and cannot be read there now: put it back, or run the task all the \
same with --anyway" name file))
        ((not (string=? now then))
         (format #f "the module `~a' in ~a has changed since the task has failed (its SHA-256 was ~a…, and is ~a…): build that version \
again, or run the task with the present one with --anyway" name file (string-take then 12) (string-take now 12)))
        (else #f)))

(define (code-problem facts)
  "Return why the modules that the task of @var{facts} has run are not there as they were, a string; or @code{#f}: they are."
  (any (match-lambda
         ((key . text)
          (and (string-prefix? "module:" key)
               (match (string-index text #\space)
                 (#f #f)
                 (at (module-problem (substring key (string-length "module:")) (string-take text at) (string-drop text (+ at 1))))))))
       facts))
