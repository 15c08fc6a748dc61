;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Guile (3.0.8 and 3.0.10) miscompiles a procedure that needs about 4096 slots of its frame: with 4094 arguments in one call, say, some
;; are exchanged for other values, or the process crashes.  So code that would need so many slots is refused before it is compiled.
;;
;; Slots are counted in the source: one for each variable that is bound, and one for each operand of a call while the others are computed.
(define-module (tutti base frame-limit)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (language tree-il)
  #:use-module (srfi srfi-1)
  #:export (check-frames))

(define limit 4000)   ; the compiler adds some of its own

(define literals
  (append (map (lambda (tag) (cons (symbol-append tag 'vector) (format #f "#~a(…)" tag)))
               '(f64 c64 f32 c32 u8 s8 u16 s16 u32 s32 u64 s64))
          '((list . "'(…)") (vector . "#(…)") (cons* . "'(…)") (bytevector . "#vu8(…)"))))

(define (callee-name exp)
  (cond ((toplevel-ref? exp) (toplevel-ref-name exp))
        ((module-ref? exp) (module-ref-name exp))
        ((lexical-ref? exp) (lexical-ref-name exp))
        ((primitive-ref? exp) (primitive-ref-name exp))
        ((symbol? exp) exp)
        (else #f)))

(define (refuse src who message . arguments)
  (throw 'syntax-error who (apply format #f message arguments) src #f #f))

(define (refuse-call src callee n)
  (let* ((name (callee-name callee))
         (literal (assq-ref literals name)))
    (refuse src name "a call with ~a arguments~a, where Guile compiles no more than ~a rightly; ~a" n
            (if (> n limit) "" " within others") limit
            (if literal
                (format #f "write constants as a literal, ~a, and take others from a file or a loop" literal)
                (format #f "write constants as a quoted list, (apply ~a '(…)), and take others from a file or a loop" (or name "proc"))))))

(define (refuse-variables src n)
  (refuse src #f "~a variables at a time, where Guile compiles no more than ~a rightly; keep them in a vector, or in several procedures"
          n limit))

(define (trivial? exp)
  ;; Operands that are only computed when they are needed.
  (or (const? exp) (lexical-ref? exp) (primitive-ref? exp) (void? exp) (lambda? exp)))

(define (check-frames exp)
  "Return the tree-il @var{exp}, or raise a syntax error at the place of code in it that needs too many slots."
  (define (walk-operands operands near depth)
    (fold (lambda (operand depth)
            (walk operand near depth)
            (if (trivial? operand) depth (1+ depth)))
          depth operands))
  (define (walk-call src near callee operands depth)
    (let ((n (length operands)))
      (when (> (+ depth n) limit)
        (refuse-call (or src near) callee n)))
    (walk-operands operands (or src near) depth))
  (define (walk-binding src near n inits body depth)
    (when (> (+ depth n) limit)
      (refuse-variables (or src near) n))
    (walk-operands inits (or src near) depth)
    (walk body (or src near) (+ depth n)))
  (define (walk exp near depth)
    (match exp
      (($ <call> src proc args) (walk proc (or src near) depth) (walk-call src near proc args depth))
      (($ <primcall> src name args) (walk-call src near name args depth))
      (($ <seq> src head tail) (walk head (or src near) depth) (walk tail near depth))
      (($ <conditional> src test consequent alternate)
       (for-each (lambda (exp) (walk exp (or src near) depth)) (list test consequent alternate)))
      (($ <toplevel-define> src _ _ exp) (walk exp (or src near) depth))
      (($ <toplevel-set> src _ _ exp) (walk exp (or src near) depth))
      (($ <module-set> src _ _ _ exp) (walk exp (or src near) depth))
      (($ <lexical-set> src _ _ exp) (walk exp (or src near) depth))
      (($ <lambda> src _ body) (when body (walk body (or src near) 0)))
      (($ <lambda-case> src _ _ _ _ inits gensyms body alternate)
       (walk-binding src near (length gensyms) inits body depth)
       (when alternate (walk alternate near depth)))
      (($ <let> src _ gensyms vals body) (walk-binding src near (length gensyms) vals body depth))
      (($ <letrec> src _ _ gensyms vals body) (walk-binding src near (length gensyms) vals body depth))
      (($ <fix> src _ gensyms vals body) (walk-binding src near (length gensyms) vals body depth))
      (($ <let-values> src exp body) (walk exp (or src near) depth) (walk body (or src near) depth))
      (($ <prompt> src _ tag body handler) (for-each (lambda (exp) (walk exp (or src near) depth)) (list tag body handler)))
      (($ <abort> src tag args tail) (walk-operands (cons* tag tail args) (or src near) depth))
      (_ #t)))
  (walk exp #f 0)
  exp)
