;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Records that are unpleasant to print.
(define-module (odd-records)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:export (make-raiser make-looper make-flooder))

(define-record-type <raiser> (make-raiser content) raiser? (content raiser-content))
(set-record-type-printer! <raiser> (lambda (record port) (error "it does not want to be printed" record)))

(define-record-type <looper> (make-looper content) looper? (content looper-content))
(set-record-type-printer! <looper> (lambda (record port) (let loop () (loop))))

(define-record-type <flooder> (make-flooder content) flooder? (content flooder-content))
(set-record-type-printer! <flooder> (lambda (record port) (let loop () (display "and on " port) (loop))))
