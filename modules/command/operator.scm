;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators whose value a program computes.
(define-module (tutti command operator)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tutti base check)
  #:use-module (tutti command reader)
  #:use-module (tutti command run)
  #:use-module (tutti command start)
  #:use-module (tutti command template)
  #:use-module (tutti command words)
  #:use-module (tutti conditions)
  #:use-module (tutti operator type)
  #:use-module (tutti space)
  #:export (command-operator plan->operator))

(define own-keywords '(#:name #:parameters #:codomain))

(define (flatten value)
  "Return the list of numbers in @var{value}, which readers have returned."
  (match value
    ((? real? x) (list (exact->inexact x)))
    ((? f64vector? v) (f64vector->list v))
    ((((? string?) . (? real?)) ...) (map (lambda (entry) (exact->inexact (cdr entry))) value))
    ((values ...) (append-map flatten values))
    (_ (refuse 'command-operator "#:read gave ~s; expected numbers and f64vectors" value))))

(define (value->element value space name)
  (let ((numbers (flatten value)))
    (unless (= (length numbers) (space-dimension space))
      (raise-tutti (make-shape-error (space-dimension space) (length numbers)
                                     (format #f "~a: ~a number~:p ~:[was~;were~] read, expected ~a" name (length numbers)
                                             (> (length numbers) 1) (space-dimension space)))
                   'command-operator))
    (list->f64vector numbers)))

(define (known-size who readers)
  (let ((sizes (map (lambda (reader) (and (reader? reader) (reader-size reader))) readers)))
    (if (every identity sizes)
        (apply + sizes)
        (refuse who "#:codomain is missing: how many numbers are read is not known before for ~a"
                (let ((unknown (find (lambda (reader) (not (and (reader? reader) (reader-size reader)))) readers)))
                  (if (reader? unknown) (reader->string unknown) unknown))))))

(define (plan->operator who plan parameters codomain name)
  "Return the operator that runs the program of @var{plan}: from numbers for the names @var{parameters} in its templates to those that are
read, in the space @var{codomain}."
  (define fixed (option plan 'values))
  (make-nonlinear #:name name #:domain (length parameters) #:codomain codomain
                  #:evaluate (lambda (x)
                               (value->element (run-plan who plan (append (map cons parameters (f64vector->list x)) fixed)) codomain name))
                  #:linearize (lambda (x)
                                (raise-tutti (make-tutti-error (format #f "~a has no derivative: use (with-differences operator)" name))
                                             'linearize))
                  #:parts (list plan->operator who plan parameters codomain name)))

(define (check-parameters parameters templates values)
  (unless (and (list? parameters) (pair? parameters) (every (lambda (name) (or (symbol? name) (string? name))) parameters))
    (refuse 'command-operator "#:parameters: expected the list of names in the templates that the numbers of the argument are for, got ~s"
            parameters))
  (let ((text (lambda (name) (if (symbol? name) (symbol->string name) name)))
        (fields (append-map (lambda (entry) (template-names (car entry))) templates)))
    (let ((all (map text (append parameters (map car values)))))
      (unless (= (length all) (length (delete-duplicates all string-ci=?)))
        (refuse 'command-operator "a name is there twice in #:parameters and #:values: ~{~a~^, ~}" all)))
    (for-each (lambda (name)
                (unless (member (text name) fields string-ci=?)
                  (refuse 'command-operator "no template has a field for the parameter ~a; the fields are ~a" name
                          (if (null? fields) "none" (string-join (delete-duplicates fields) ", ")))))
              parameters)
    (for-each (lambda (field)
                (unless (or (member field (map text parameters) string-ci=?)
                            (member field (map (lambda (value) (text (car value))) values) string-ci=?))
                  (refuse 'command-operator "the field ~a of the templates is neither among #:parameters nor among #:values" field)))
              fields)))

(define (command-operator program . rest)
  "Return the operator that runs @var{program} for each evaluation, with the arguments and keywords of @code{run-command}, and
@code{#:parameters}, the list of names in the templates that its argument has the numbers for. Its value is what is read: numbers,
f64vectors, or a list of those, in their order. @code{#:codomain} is how many there are; it can be left out if the readers know.
@code{#:name} is for messages. It has no derivative: @code{with-differences} gives it one."
  (call-with-values (lambda () (split-command rest 'command-operator (append own-keywords run-keywords)))
    (lambda (arguments keywords)
      (define (ref key) (and=> (assq key keywords) cdr))
      (let* ((plan (make-plan 'command-operator program arguments keywords))
             (read (option plan 'read))
             (readers (cond ((not read) '()) ((list? read) read) (else (list read))))
             (name (or (ref #:name) (basename (option plan 'program)))))
        (unless read
          (refuse 'command-operator "#:read is missing: what the values are, such as (output-value \"out.dat\" \"T =\")"))
        (check-parameters (ref #:parameters) (option plan 'templates) (option plan 'values))
        (let ((codomain (or (ref #:codomain) (known-size 'command-operator readers))))
          (check-space codomain 'command-operator)
          (plan->operator 'command-operator plan (ref #:parameters) codomain name))))))
