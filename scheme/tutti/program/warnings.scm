;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The places of compiler warnings. Guile 3.0.8 keeps places in vectors, but its printer only knows lists, and prints <unknown-location>
;; for each. It is enough to import this module.
(define-module (tutti program warnings)
  #:use-module (ice-9 match)
  #:use-module (system base message))

(define printer (resolve-module '(system base message)))

(define (place->list place)
  (match place
    (#(file line column) `((filename . ,file) (line . ,line) (column . ,column)))
    (_ place)))

(when (string=? "<unknown-location>" ((module-ref printer 'location-string) #("file" 0 0)))
  (let ((warn (module-ref printer 'warning)))
    (module-set! printer 'warning
                 (lambda (type place . arguments)
                   (apply warn type (place->list place) arguments)))))
