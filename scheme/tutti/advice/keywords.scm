;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Which keywords a procedure takes that was called with a wrong one. Guile's exception does not name the procedure, but its frame is there.
(define-module (tutti advice keywords)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (system vm debug)
  #:use-module (system vm frame)
  #:export (keyword-advice))

(define (keywords-of frame)
  "Return the keywords of the procedure that @var{frame} is in, or @code{#f}."
  (let ((arity (find-program-arity (frame-instruction-pointer frame))))
    (and arity
         (arity-has-keyword-args? arity)
         (map car (arity-keyword-args arity)))))

(define (name-of frame)
  (let ((name (frame-procedure-name frame)))
    (if name (format #f "`~a'" name) "the procedure")))

(define (raises? frame)
  (memq (frame-procedure-name frame) '(raise-exception throw)))

(define (frame-that-raised frames)
  ;; Handlers, which may be called with keywords, too, are inside of it. None may be left in the stack.
  (cond ((null? frames) #f)
        ((keywords-of (car frames)) (car frames))
        (else
         (let loop ((frames frames))
           (cond ((or (null? frames) (null? (cdr frames))) #f)
                 ((and (raises? (first frames)) (keywords-of (second frames))) (second frames))
                 (else (loop (cdr frames))))))))

(define (keyword-advice stack)
  "Return a sentence that says which keywords the procedure takes in which, in @var{stack}, a call with a wrong one was found; or
@code{#f} if that is not to be seen."
  (let ((frame (frame-that-raised (map (lambda (i) (stack-ref stack i)) (iota (stack-length stack))))))
    (and frame
         (format #f "~a takes ~{~s~^, ~}" (name-of frame) (keywords-of frame)))))
