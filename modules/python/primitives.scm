;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C of (tutti python): its primitives, whose names begin with %.  They check what would otherwise crash and no more; only
;; modules of (tutti python) use them.
(define-module (tutti python primitives)
  #:use-module ((tutti base extension) #:prefix base:)
  #:export (extension-folder))

(define file-name "tutti-python.so")
(define purpose "loads Python")

(define (extension-folder)
  "Return the folder of the extension, which also has what of Tutti is written in Python."
  (base:extension-folder file-name 'python purpose))

(base:load-primitives (current-module) file-name "tti_python_init" 'python purpose)
