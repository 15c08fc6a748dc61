;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators: things with a domain and a codomain.  Leaf operators come from C modules.
;;
;; An operator is a record of plain parts: module, class and parameters, for a derivative the operator and the point.  What the
;; C code made of them is kept beside the record, and made again wherever the record arrives without it.  So operators travel
;; to workers as any record does.
(define-module (tutti operator)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti conditions)
  #:use-module (tutti primitives)
  #:export (load-operator-module
            operator-module?
            operator-module-name
            operator-module-file
            operator-module-description
            operator-module-classes
            native-operator
            operator?
            operator-name
            operator-domain
            operator-codomain
            operator-module
            operator-parameters
            linear?
            evaluate
            linearize
            apply-adjoint
            adjoint
            operator->matrix))

(define-record-type <operator-module>
  (make-operator-module file name description classes)
  operator-module?
  (file module-file)                 ; absolute file name
  (name module-name)                 ; what the module calls itself
  (description module-description)   ; one line
  (classes module-classes))          ; list of (name description linear? (parameter ...)), all strings

(define-record-type <native-operator>
  (make-native-operator module class parameters domain codomain)
  native-operator?
  (module native-module)             ; <operator-module>
  (class native-class)               ; string
  (parameters native-parameters)     ; list of (name . f64vector), never changed
  (domain native-domain)
  (codomain native-codomain))

(define-record-type <derivative>
  (make-derivative operator point transposed?)
  derivative?
  (operator derivative-operator)     ; <native-operator>
  (point derivative-point)           ; f64vector of our own
  (transposed? derivative-transposed?))

(define (write-shape object port)
  (format port "#<~aoperator ~a: R^~a -> R^~a>" (if (linear? object) "linear " "") (operator-name object)
          (operator-domain object) (operator-codomain object)))

(set-record-type-printer! <native-operator> write-shape)
(set-record-type-printer! <derivative> write-shape)

;;; What C made of a record.

(define handles (make-weak-key-hash-table))

(define (handle-of record make)
  (or (hashq-ref handles record)
      (let ((handle (make)))
        (hashq-set! handles record handle)
        handle)))

(define (native-handle operator)
  (handle-of operator
             (lambda ()
               (%make-native-operator (module-file (native-module operator)) (native-class operator)
                                      (native-parameters operator)))))

(define (derivative-handle derivative)
  (handle-of derivative
             (lambda ()
               (cdr (%native-linearize (native-handle (derivative-operator derivative)) (derivative-point derivative))))))

;;; Modules.

(define (load-operator-module file-or-name)
  "Return the operator module @var{file-or-name}: a file if it has a slash or ends in @file{.so}, else a name that is looked for
in the folders of @env{TUTTI_MODULEDIR} and where modules are installed.  The same file is loaded once and stays loaded."
  (apply make-operator-module (%open-operator-module file-or-name)))

(define (operator-module-file module)
  "Return the absolute name of the file of @var{module}."
  (module-file module))

(define (operator-module-name module)
  "Return the name that @var{module} gives itself."
  (module-name module))

(define (operator-module-description module)
  "Return what @var{module} says of itself in one line."
  (module-description module))

(define (operator-module-classes module)
  "Return what @var{module} has: a list of lists of a class's name, its description, whether it is linear, and the list of its
parameters' names."
  (module-classes module))

(define (bad-argument who message . arguments)
  (raise-tutti (make-tutti-error (apply format #f message arguments)) who))

(define (->f64vector who name value)
  (cond ((f64vector? value) (bytevector-copy-f64 value))
        ((real? value) (f64vector value))
        ((and (list? value) (every real? value)) (list->f64vector value))
        (else (bad-argument who "parameter ~a is ~s, expected a number, a list of numbers or an f64vector" name value))))

(define (bytevector-copy-f64 vector)
  (let ((copy (make-f64vector (f64vector-length vector))))
    (bytevector-copy! vector 0 copy 0 (bytevector-length vector))
    copy))

(define (keywords->parameters arguments)
  (let loop ((rest arguments) (parameters '()))
    (cond ((null? rest) (reverse parameters))
          ((and (keyword? (car rest)) (pair? (cdr rest)))
           (let ((name (symbol->string (keyword->symbol (car rest)))))
             (loop (cddr rest) (acons name (->f64vector 'native-operator name (cadr rest)) parameters))))
          (else
           (bad-argument 'native-operator "expected a keyword and its value, got ~s" rest)))))

(define (native-operator module name . parameters)
  "Return the operator of the class @var{name} (a string or symbol) of @var{module}, which was returned by
@code{load-operator-module} or is what that accepts.  @var{parameters} are keywords and values: numbers, lists of
numbers, or f64vectors, which are copied."
  (let* ((module (if (string? module) (load-operator-module module) module))
         (class (if (symbol? name) (symbol->string name) name))
         (parameters (keywords->parameters parameters))
         (handle (%make-native-operator (module-file module) class parameters))
         (sizes (%native-operator-sizes handle))
         (operator (make-native-operator module class parameters (car sizes) (cdr sizes))))
    (hashq-set! handles operator handle)
    operator))

;;; Operators of all kinds.

(define (operator? x)
  "Return true if @var{x} is an operator."
  (or (native-operator? x) (derivative? x)))

(define (not-an-operator who x)
  (scm-error 'wrong-type-arg (symbol->string who) "Wrong type argument in position 1 (expecting operator): ~S" (list x) (list x)))

(define (operator-name op)
  "Return the name of the operator @var{op}, for people."
  (cond ((native-operator? op) (string-append (module-name (native-module op)) " " (native-class op)))
        ((derivative? op)
         (string-append (if (derivative-transposed? op) "adjoint of the derivative of " "derivative of ")
                        (operator-name (derivative-operator op))))
        (else (not-an-operator 'operator-name op))))

(define (operator-domain op)
  "Return the space of the arguments of @var{op}: @var{n} for R^@var{n}."
  (cond ((native-operator? op) (native-domain op))
        ((derivative? op) ((if (derivative-transposed? op) native-codomain native-domain) (derivative-operator op)))
        (else (not-an-operator 'operator-domain op))))

(define (operator-codomain op)
  "Return the space of the values of @var{op}: @var{n} for R^@var{n}."
  (cond ((native-operator? op) (native-codomain op))
        ((derivative? op) ((if (derivative-transposed? op) native-domain native-codomain) (derivative-operator op)))
        (else (not-an-operator 'operator-codomain op))))

(define (operator-module op)
  "Return the module that @var{op} comes from."
  (cond ((native-operator? op) (native-module op))
        ((derivative? op) (operator-module (derivative-operator op)))
        (else (not-an-operator 'operator-module op))))

(define (operator-parameters op)
  "Return what @var{op} was made from: an association list of names and f64vectors, which must not be changed."
  (cond ((native-operator? op) (native-parameters op))
        ((derivative? op) (operator-parameters (derivative-operator op)))
        (else (not-an-operator 'operator-parameters op))))

(define (linear? op)
  "Return true if @var{op} is a linear operator."
  (cond ((native-operator? op) (third (assoc (native-class op) (module-classes (native-module op)))))
        ((derivative? op) #t)
        (else (not-an-operator 'linear? op))))

(define (evaluate op x)
  "Return the value of @var{op} at @var{x}, a new f64vector."
  (cond ((native-operator? op) (%native-evaluate (native-handle op) x))
        ((derivative? op)
         ((if (derivative-transposed? op) %derivative-adjoint %derivative-apply) (derivative-handle op) x))
        (else (not-an-operator 'evaluate op))))

(define (linearize op x)
  "Return two values: the value of @var{op} at @var{x}, and its derivative there, a linear operator that belongs to this point
for ever."
  (cond ((native-operator? op)
         (let* ((y+handle (%native-linearize (native-handle op) x))
                (derivative (make-derivative op (bytevector-copy-f64 x) #f)))
           (hashq-set! handles derivative (cdr y+handle))
           (values (car y+handle) derivative)))
        ((derivative? op) (values (evaluate op x) op))
        (else (not-an-operator 'linearize op))))

(define (adjoint op)
  "Return the adjoint of the linear operator @var{op}, an operator from its codomain to its domain.  The adjoint of the adjoint is
the same as @var{op}."
  (cond ((derivative? op)
         (let ((handle (derivative-handle op))
               (result (make-derivative (derivative-operator op) (derivative-point op) (not (derivative-transposed? op)))))
           (hashq-set! handles result handle)
           result))
        ((linear? op)
         (call-with-values (lambda () (linearize op (make-f64vector (operator-domain op) 0.)))
           (lambda (y derivative) (adjoint derivative))))
        (else (bad-argument 'adjoint "~a is not linear; take the derivative that linearize returns" op))))

(define (apply-adjoint op y)
  "Return the value of the adjoint of the linear operator @var{op} at @var{y}, a new f64vector."
  (evaluate (adjoint op) y))

(define (transpose rows columns matrix)
  (let ((result (make-f64vector (* rows columns))))
    (do ((k 0 (1+ k)))
        ((= k (* rows columns)) result)
      (f64vector-set! result (+ (* (remainder k columns) rows) (quotient k columns)) (f64vector-ref matrix k)))))

(define (operator->matrix op)
  "Return the matrix of the linear operator @var{op}: an f64vector of its entries, row-major, codomain by domain."
  (cond ((and (derivative? op) (derivative-transposed? op))
         (transpose (operator-domain op) (operator-codomain op) (operator->matrix (adjoint op))))
        ((derivative? op) (%derivative-matrix (derivative-handle op)))
        (else (operator->matrix (adjoint (adjoint op))))))
