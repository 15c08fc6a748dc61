;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The compiled half of Tutti: its primitives, whose names begin with %.  They check what would otherwise crash and no
;; more; only modules of Tutti use them.
(define-module (tutti base primitives)
  #:use-module (tutti base config))

(load-extension (extension-file) "tutti_guile_init")

;; The tables in C are the list of what there is: a second one here could only be wrong.
(module-export! (current-module)
                (filter (lambda (name) (string-prefix? "%" (symbol->string name)))
                        (module-map (lambda (name variable) name) (current-module))))
