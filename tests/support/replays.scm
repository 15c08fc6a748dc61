;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The command tutti replay under test, and what it says.
(define-module (replays)
  #:use-module (ice-9 match)
  #:use-module (programs)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-64)
  #:export (replay missing test-replay))

(define (replay . words)
  "Run @code{tutti replay} with @var{words}, and return a list of its status and all that it has written."
  (let ((program (run-program (cons* tutti "replay" words))))
    (list (program-status program) (string-append (program-output program) (program-errors program)))))

(define (missing text . words)
  "Return the empty list if all @var{words} are in @var{text}; otherwise that, to be shown."
  (if (every (lambda (word) (string-contains text word)) words) '() text))

;; CALL, of replay, ends with STATUS, and each WORD is in what it says.
(define-syntax-rule (test-replay name status (word ...) call)
  (match call
    ((its-status text)
     (test-equal name (list status '()) (list its-status (missing text word ...))))))
