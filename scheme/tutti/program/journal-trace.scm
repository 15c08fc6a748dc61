;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A run as a trace, for Perfetto and others that read the format of Chrome.
(define-module (tutti program journal-trace)
  #:use-module (tutti look journal-read)
  #:use-module (tutti program journal-file)
  #:export (write-trace))

(define (write-trace journal run source file)
  "Write @var{run}, an alist of @var{journal}, which is in the file @var{source}, as a trace into @var{file}."
  (call-with-new-file 'report file source
    (lambda (port)
      (write-journal-trace journal run port))))
