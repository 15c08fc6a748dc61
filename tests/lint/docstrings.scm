;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Every procedure that a (tutti …) module defines and exports has a docstring; macros, re-exports and the primitives, which are
;; not for users, are not asked.
(use-modules (tap) (lint-files) (srfi srfi-1) (srfi srfi-64))

(define (documentation procedure)
  ;; A parameter is a structure that can be applied: its text is a property of the object.
  (or (procedure-documentation procedure) (object-property procedure 'documentation)))

(define (undocumented name)
  "Return the exported procedures of the module @var{name} that have no docstring."
  (let ((module (resolve-module name)))
    (filter (lambda (symbol)
              (let ((own (module-local-variable module symbol)))
                (and own (variable-bound? own) (procedure? (variable-ref own))
                     (not (char=? (string-ref (symbol->string symbol) 0) #\%))
                     (not (documentation (variable-ref own))))))
            (module-map (lambda (symbol variable) symbol) (module-public-interface module)))))

;; A procedure that was not written with a lambda, such as one made by define-exception-type, is given its text with
;; (set-procedure-property! worker-died? 'documentation "Return true if …").
(call-with-tap
 (lambda ()
   (for-each (lambda (name)
               (test-equal (format #f "~a" name) '() (undocumented name)))
             (map module-of (module-files)))))
