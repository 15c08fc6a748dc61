;; SPDX-License-Identifier: LGPL-3.0-or-later
;; All of Tutti but the domains, with the homogeneous vectors of SRFI-4.
(define-module (tutti)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti manager)
  #:use-module (tutti operator)
  #:use-module (tutti pool)
  #:use-module (tutti vector))

(define (export-all! interface name)
  "Export what the module @var{name} exports from @var{interface} as well, as it is: a list of names could only fall behind."
  (module-for-each (lambda (symbol variable) (module-add! interface symbol variable))
                   (resolve-interface name)))

(for-each (lambda (name) (export-all! (module-public-interface (current-module)) name))
          '((srfi srfi-4) (srfi srfi-4 gnu) (tutti conditions) (tutti manager) (tutti operator) (tutti pool) (tutti vector)))

;; What is not needed to run tasks is loaded when a program, or a worker, first looks for one of its names: it would take a tenth of the
;; time that a small script takes to start. Which names these are is found out when this is compiled.
(define-syntax names-of
  (lambda (form)
    (syntax-case form ()
      ((context name ...)
       (datum->syntax #'context
                      `(quote ,(map (lambda (name)
                                      (cons name (module-map (lambda (symbol variable) symbol) (resolve-interface name))))
                                    (syntax->datum #'(name ...)))))))))

(define homes                           ; symbol -> the name of its module
  (let ((table (make-hash-table)))
    (for-each (lambda (entry)
                (for-each (lambda (symbol) (hashq-set! table symbol (car entry))) (cdr entry)))
              (names-of (tutti greedy) (tutti linear) (tutti look capsules) (tutti look journal) (tutti look listen) (tutti look page)
                        (tutti plot)
                        (tutti reduced-basis) (tutti reduction) (tutti simulation) (tutti solver)))
    table))

;; It takes the place of Guile's own, and does what that does with a socket.
(hashq-set! (module-replacements (module-public-interface (current-module))) 'listen #t)

;; Guile calls the binder of a module for names that are not in its table; several threads may do so at once.
(set-module-binder! (module-public-interface (current-module))
                    (lambda (interface symbol define?)
                      (let ((home (hashq-ref homes symbol)))
                        (and home
                             (begin
                               (export-all! interface home)
                               (module-variable (resolve-interface home) symbol))))))
