;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the reference chapter of the manual says, from the documentation of what the public modules export.
(define-module (reference)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 session)
  #:use-module (srfi srfi-1)
  #:export (public-modules exported-names documentation write-reference))

(define public-modules
  '((tutti pool) (tutti manager) (tutti vector) (tutti conditions)
    (tutti operator) (tutti simulation) (tutti solver) (tutti greedy) (tutti reduced-basis) (tutti reduction) (tutti linear)
    (tutti plot)
    (tutti file) (tutti python) (tutti command) (tutti umbridge) (tutti mt1d) (tutti gravity) (tutti mt)))

(define (exported-names module)
  "Return the names that the module called @var{module} exports, sorted; primitives, whose names begin with a percent sign, are for
nobody else."
  (sort (remove (lambda (name) (string-prefix? "%" (symbol->string name)))
                (module-map (lambda (name variable) name) (resolve-interface module)))
        (lambda (a b) (string<? (symbol->string a) (symbol->string b)))))

(define (exported-value module name)
  "Return what @var{name} means in the module called @var{module}; of what SRFI-9 defines the procedure, not the macro."
  (let ((value (module-ref (resolve-interface module) name)))
    (if (macro? value)
        (or (false-if-exception (eval name (resolve-module module))) value)
        value)))

(define (documentation module name)
  "Return the text that documents what @var{module} exports as @var{name}, or @code{#f}."
  (let ((value (exported-value module name)))
    (or (object-property value 'documentation)
        (and (procedure? value) (procedure-documentation value))
        (and (macro? value) (procedure-documentation (macro-transformer value))))))

;;; What each entry looks like.

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

(define (parameter? value)
  (and (struct? value) (procedure? value) (eq? (struct-vtable value) (struct-vtable (make-parameter #f)))))

(define (condition-type? value)
  (and (struct? value) (false-if-exception (record-type-name value))))

(define (condition-parent type)
  (match (record-type-parents type)
    (#() #f)
    (parents (record-type-name (vector-ref parents (1- (vector-length parents)))))))

(define (own-fields type)
  "Return the names of the fields that @var{type} has and its parent has not."
  (match (record-type-parents type)
    (#() (record-type-fields type))
    (parents (drop (record-type-fields type)
                   (length (record-type-fields (vector-ref parents (1- (vector-length parents)))))))))

(define (write-entry category name formals text port)
  (format port "@deffn {~a} ~a ~a~%~a~%@end deffn~%~%" category name formals text))

(define (write-condition-type name type text port)
  (format port "@deftp {Condition type} ~a ~{~a ~}~%~a~@[  It is a @code{~a} as well.~]~%@end deftp~%~%"
          name (own-fields type) text (condition-parent type)))

(define (write-documented module name port)
  (let ((value (exported-value module name))
        (text (or (documentation module name) (error "this is exported and has no documentation:" module name))))
    (cond ((parameter? value) (write-entry "Parameter" name "" text port))
          ((procedure? value) (write-entry "Procedure" name (formals value) text port))
          ((macro? value) (write-entry "Macro" name "@dots{}" text port))
          ((condition-type? value) (write-condition-type name value text port))
          (else (write-entry "Variable" name "" text port)))))

(define (node module) (string-join (map symbol->string module) " "))

(define (write-reference port)
  "Write to @var{port}, in Texinfo, a section for each public module with all that it exports."
  (format port "@menu~%~{* ~a::~%~}@end menu~%~%" (map node public-modules))
  (for-each (lambda (module)
              (format port "@node ~a~%@section @code{~a}~%~%" (node module) module)
              (for-each (lambda (name) (write-documented module name port))
                        (exported-names module)))
            public-modules))
