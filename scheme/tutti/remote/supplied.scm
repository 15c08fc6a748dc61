;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Modules that have come from the master as bytes: this process can import them whether or not it finds their files.
(define-module (tutti remote supplied)
  #:export (supply-module! supplied-module))

;; By the name of the file below a folder of the load path, without its ending.
(define modules (make-hash-table))

(define (supply-module! name load)
  "From now on the module whose file is called @var{name} below a folder of the load path, without its ending, is loaded by @var{load}, a
procedure without arguments."
  (hash-set! modules name load))

(define (supplied-module name)
  "Return the procedure that loads the module whose file is called @var{name}, or @code{#f} if it has not come."
  (hash-ref modules name))
