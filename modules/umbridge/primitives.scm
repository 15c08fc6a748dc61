;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C of (tutti umbridge): its primitives, whose names begin with %.  They check what would otherwise crash and no more; only
;; modules of (tutti umbridge) use them.  The extension is loaded by the first call of one: an installation may lack it, and the
;; modules can be imported all the same.
(define-module (tutti umbridge primitives)
  #:use-module (tutti base check)
  #:use-module (tutti base extension)
  #:export (define-primitives available? primitive))

(define file-name "tutti-umbridge.so")

(define (available?)
  "Return true if this installation has the part in C."
  (->bool (find-shared-object file-name)))

(define (load-primitives)
  (let ((file (find-shared-object file-name))
        (module (make-module)))
    (unless file
      (refuse 'umbridge "this installation has no part for UM-Bridge, ~a; if it is a build of your own, install libsoup-3.0-dev and \
build again, else set TUTTI_MODULEDIR to its folder" (string-join (shared-object-names file-name) ", ")))
    (save-module-excursion
     (lambda ()
       (set-current-module module)
       (load-extension file "tti_umbridge_init")))
    module))

(define extension (delay (load-primitives)))

(define (primitive name)
  "Return a procedure that calls the primitive @var{name}, a symbol, of the extension."
  (let ((procedure (delay (module-ref (force extension) name))))
    (lambda arguments
      (apply (force procedure) arguments))))

(define-syntax-rule (define-primitives name ...)
  (begin (define name (primitive 'name)) ...))
