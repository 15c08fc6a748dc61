;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators remember the call of the remote procedure that returned them, so that workers can make them again by repeating the call. So a
;; remote procedure that is called as an ordinary one reports what it returned.
(define-module (tutti remote memory)
  #:use-module (tutti remote code)
  #:export (set-call-memory! remembering raw-procedure attach-remembering!))

(define call-memory #f)

(define (set-call-memory! memory)
  "Let @var{memory} be called with each record that a remote procedure returns here, with the procedure and with the list of its
arguments."
  (set! call-memory memory))

(define (remember result procedure arguments)
  (when (and call-memory (struct? result) (not (procedure? result)))
    (call-memory result procedure arguments))
  result)

;; Remembering procedure -> what it was before.
(define raws (make-weak-key-hash-table))

(define (remembering raw properties)
  "Return a procedure that does the same as the remote procedure @var{raw}, and remembers what it returned. It has the procedure
properties in the association list @var{properties}."
  (define (remembered . arguments)
    (call-with-values (lambda () (apply raw arguments))
      (case-lambda
        ((result) (remember result remembered arguments))
        (results (apply values results)))))
  ;; All at once: to change one, Guile asks for those that there are, and loads its debugging modules for that.
  (set-procedure-properties! remembered properties)
  (hashq-set! raws remembered raw)
  remembered)

(define (raw-procedure procedure)
  "Return what @var{procedure} was before it began to remember; itself, if it does not.  The remembering one takes any number of arguments."
  (hashq-ref raws procedure procedure))

(define (attach-remembering! procedure . description)
  "Attach @var{description}, arguments of @code{attach-remote!}, to the remembering @var{procedure} and to what it was before."
  ;; In its own body a procedure knows itself as what it was before it began to remember: there its calls are proper tail calls.
  (let ((raw (hashq-ref raws procedure)))
    (when raw (apply attach-remote! raw description))
    (apply attach-remote! procedure description)))
