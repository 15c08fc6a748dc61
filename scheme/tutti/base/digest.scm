;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Digests: short values that identify bytes. Equal bytes have equal digests, and no two different texts with equal ones are known.
(define-module (tutti base digest)
  #:use-module (ice-9 format)
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base primitives)
  #:export (digest digest->string))

(define (digest bytes)
  "Return the digest of the bytevector @var{bytes}, a bytevector: its SHA-256."
  (%digest bytes))

(define (digest->string digest)
  "Return the text of @var{digest}, in hexadecimal digits."
  (string-concatenate (map (lambda (byte) (format #f "~2,'0x" byte)) (bytevector->u8-list digest))))
