;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Where a name is from that a program uses without having imported it.
(define-module (tutti advice unbound)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti advice spelling)
  #:export (known-modules module-advice unbound-variable-advice))

;; Tutti's modules, and those of Guile that scripts with Tutti use most. The names that (tutti) and Guile itself export are never unbound.
(define known-modules
  '((tutti) (tutti solver) (tutti simulation) (tutti plot) (tutti linear) (tutti greedy) (tutti reduced-basis) (tutti reduction)
    (tutti mt) (tutti mt1d) (tutti gravity)
    (srfi srfi-1) (ice-9 match) (ice-9 format) (ice-9 rdelim) (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-9) (srfi srfi-11)
    (srfi srfi-26) (ice-9 exceptions) (ice-9 threads) (ice-9 ftw)))

(define (exporter name)
  (find (lambda (module)
          (let ((interface (false-if-exception (resolve-interface module))))
            (and interface (module-variable interface name))))
        known-modules))

;; Names in other languages.
(define other-names
  '((print . "Guile's is display") (println . "Guile's are display and newline") (printf . "Guile's is format: (format #t \"~a\" x)")
    (len . "Guile's are length and vector-length") (range . "Guile's is iota")
    (null . "the empty list is '()") (nil . "the empty list is '()")
    (true . "Guile's is #t") (True . "Guile's is #t") (false . "Guile's is #f") (False . "Guile's is #f")
    (pow . "Guile's is expt") (pi . "write (acos -1)")))

;;; Near misses.

(define (visible-names module)
  "Return the names of variables that are bound in @var{module} and in what it uses."
  (define (names module)
    (module-map (lambda (name variable) (and (variable-bound? variable) name)) module))
  (filter identity (append (names module) (append-map names (module-uses module)))))

(define (nearest name names)
  "Return the one of @var{names} that differs least from @var{name}, if that is little enough for a slip, else @code{#f}."
  (let* ((text (symbol->string name))
         (most (cond ((< (string-length text) 3) 0) ((< (string-length text) 7) 1) (else 2))))
    (let search ((names names) (best #f) (least (1+ most)))
      (if (null? names)
          best
          (let ((d (distance text (symbol->string (car names)) most)))
            (if (and (< 0 d least)) (search (cdr names) (car names) d) (search (cdr names) best least)))))))

(define (near-advice name)
  (let ((seen (nearest name (visible-names (current-module)))))
    (if seen
        (format #f "is it `~a'?" seen)
        (any (lambda (module)
               (let* ((interface (false-if-exception (resolve-interface module)))
                      (near (and interface (nearest name (visible-names interface)))))
                 (and near (format #f "is it `~a', which is in ~a? Then write (use-modules ~a) first" near module module))))
             known-modules))))

(define (module-advice name)
  "Return what to write to have the variable @var{name}, a symbol, as a string, or @code{#f} if no module of ours or of Guile's that is
known here has it, nor one with nearly that name."
  (let ((module (exporter name)))
    (cond (module (format #f "`~a' is in ~a; write (use-modules ~a) first" name module module))
          ((assq-ref other-names name))
          (else (near-advice name)))))

(define (unbound-variable-advice exception)
  "Return the advice for @var{exception} if it tells of an unbound variable that a known module has, else @code{#f}."
  (and (exception? exception)
       (eq? 'unbound-variable (exception-kind exception))
       (match (exception-args exception)
         ((_ _ ((? symbol? name) . _) . _) (module-advice name))
         (_ #f))))
