;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The digest by which a piece of code is known.  It only has to tell apart what one user writes: whoever looks code
;; up by its digest compares the bytes as well.
(define-module (tutti remote digest)
  #:use-module (rnrs bytevectors)
  #:export (unit-digest set-unit-digest!))

;; The largest primes below 2^29: a state times a multiplier stays a fixnum.
(define primes '(536870909 536870879 536870869 536870849))

(define (lane bytes prime multiplier)
  (let ((n (bytevector-length bytes)))
    (let loop ((i 0) (h (modulo n prime)))
      (if (= i n)
          h
          (loop (1+ i) (modulo (+ (* h multiplier) (bytevector-u8-ref bytes i) 1) prime))))))

(define (fingerprint bytes)
  "Return a digest of the bytevector @var{bytes}, a bytevector of 16 bytes: its values as a polynomial modulo four
primes."
  (let ((digest (make-bytevector 16)))
    (for-each (lambda (i prime multiplier)
                (bytevector-u32-set! digest (* 4 i) (lane bytes prime multiplier) (endianness little)))
              (iota 4) primes '(131071 65599 16777619 40503))
    digest))

(define digest-of fingerprint)

(define (set-unit-digest! procedure)
  "Make @var{procedure}, of a bytevector, the one that @code{unit-digest} uses: it may be stronger, and faster."
  (set! digest-of procedure))

(define (unit-digest bytes)
  "Return the digest of the bytevector @var{bytes}, a bytevector."
  (digest-of bytes))
