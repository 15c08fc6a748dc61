;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Errors in writing, whose texts do not say what could not be written: Guile names its own procedure only.
(define-module (tutti advice unwritten)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (system vm frame)
  #:use-module (tutti base log)
  #:export (unwritten-advice))

;; Those that write to the current output port when they are given none.
(define writers '(display write newline write-char write-line write-string force-output))

(define (raising-frame stack)
  "Return the frame of STACK that raised, or #f."
  (let loop ((i 0))
    (and (< (1+ i) (stack-length stack))
         (if (eq? (frame-procedure-name (stack-ref stack i)) 'raise-exception)
             (stack-ref stack (1+ i))
             (loop (1+ i))))))

(define (port-of frame)
  "Return the port that the procedure of FRAME writes to, or #f if that is not to be seen."
  (or (find output-port? (frame-arguments frame))
      (and (memq (frame-procedure-name frame) writers) (current-output-port))))

(define (unwritten-advice exception stack)
  "Return a line that names what could not be written, or @code{#f} if @var{exception}, which was raised in @var{stack}, is of another kind
or that is not to be seen."
  (match (exception-args exception)
    (("fport_write" . _)
     (let ((port (and=> (raising-frame stack) port-of)))
       (and port (string-append "cannot write to " (port->text port)))))
    (_ #f)))
