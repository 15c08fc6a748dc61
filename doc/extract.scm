;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The reference chapter of the manual, out of the docstrings: guile extract.scm OUTPUT.
(use-modules (ice-9 format) (ice-9 match) (ice-9 session) (srfi srfi-1))

(define modules
  '((tutti pool) (tutti manager) (tutti vector) (tutti operator) (tutti solver) (tutti greedy) (tutti reduced-basis) (tutti conditions) (tutti gravity)
    (tutti mt) (tutti mt1d)))

(define (keyword-text argument)
  (match argument
    ((keyword . _) (format #f "[~a]" (object->string keyword)))))

(define (formals procedure)
  "Return the text of the formal arguments of @var{procedure}."
  (define alist (or (procedure-arguments procedure) '()))
  (define (arguments key) (or (assq-ref alist key) '()))
  (string-join
   (append (map symbol->string (arguments 'required))
           (map (lambda (name) (format #f "[~a]" name)) (arguments 'optional))
           (map keyword-text (arguments 'keyword))
           (match (assq-ref alist 'rest)
             ((? symbol? name) (list (format #f "~a @dots{}" name)))
             (_ '())))
   " "))

(define (own-documentation value)
  (and (procedure? value) (procedure-documentation value)))

(define (category value)
  (if (parameter? value) "Parameter" "Procedure"))

(define (parameter? value)
  (and (struct? value) (procedure? value) (eq? (struct-vtable value) (struct-vtable (make-parameter #f)))))

(define (document name value port)
  (format port "@deffn {~a} ~a ~a~%~a~%@end deffn~%~%" (category value) name
          (if (parameter? value) "" (formals value))
          (own-documentation value)))

(define (exported-documented module)
  "Return the pairs of name and value that @var{module} exports and that have documentation, by name."
  (sort (filter (lambda (entry) (own-documentation (cdr entry)))
                (module-map (lambda (name variable) (cons name (and (variable-bound? variable) (variable-ref variable))))
                            (resolve-interface module)))
        (lambda (a b) (string<? (symbol->string (car a)) (symbol->string (car b))))))

(define (write-reference port)
  (for-each (lambda (module)
              (format port "@section @code{~a}~%~%" module)
              (for-each (lambda (entry) (document (car entry) (cdr entry) port))
                        (exported-documented module)))
            modules))

(match (command-line)
  ((_ output)
   (call-with-output-file output write-reference #:encoding "UTF-8"))
  ((program . _)
   (format (current-error-port) "usage: ~a OUTPUT~%" program)
   (exit 2)))
