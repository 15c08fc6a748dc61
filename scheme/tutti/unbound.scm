;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a name is from that a program uses without having imported it.
(define-module (tutti unbound)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:export (module-advice unbound-variable-advice))

;; Ours, and those of Guile's that scripts with Tutti use most. What (tutti) and Guile itself export needs no advice: it is there.
(define modules
  '((tutti) (tutti solver) (tutti simulation) (tutti plot) (tutti linear) (tutti greedy) (tutti reduced-basis)
    (tutti mt) (tutti mt1d) (tutti gravity)
    (srfi srfi-1) (ice-9 match) (ice-9 format) (ice-9 rdelim) (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-9) (srfi srfi-11)
    (srfi srfi-26) (ice-9 exceptions) (ice-9 threads) (ice-9 ftw)))

(define (exporter name)
  (find (lambda (module)
          (let ((interface (false-if-exception (resolve-interface module))))
            (and interface (module-variable interface name))))
        modules))

(define (module-advice name)
  "Return what to write to have the variable @var{name}, a symbol, as a string, or @code{#f} if no module of ours or of Guile's that is
known here has it."
  (let ((module (exporter name)))
    (and module (format #f "`~a' is in ~a; write (use-modules ~a) first" name module module))))

(define (unbound-variable-advice exception)
  "Return the advice for @var{exception} if it tells of an unbound variable that a known module has, else @code{#f}."
  (and (exception? exception)
       (eq? 'unbound-variable (exception-kind exception))
       (match (exception-args exception)
         ((_ _ ((? symbol? name) . _) . _) (module-advice name))
         (_ #f))))
