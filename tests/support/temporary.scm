;; SPDX-License-Identifier: LGPL-3.0-or-later
;; For tests of what leaves temporary files behind on purpose.
(define-module (temporary)
  #:use-module (programs)
  #:export (call-with-temporary-files))

(define (call-with-temporary-files proc)
  "Call @var{proc} with the name of a temporary folder, in which this process and those that it starts have their temporary files until
@var{proc} returns."
  (call-with-folder
   (lambda (folder)
     (let ((before (getenv "TMPDIR")))
       (dynamic-wind
         (lambda () (setenv "TMPDIR" folder))
         (lambda () (proc folder))
         (lambda () (if before (setenv "TMPDIR" before) (unsetenv "TMPDIR"))))))))
