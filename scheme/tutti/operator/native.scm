;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Leaf operators in C: modules are loaded at run time, and their classes are made into operators.
(define-module (tutti operator native)
  #:use-module (ice-9 format)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti operator check)
  #:use-module (tutti operator type)
  #:use-module (tutti pool files)
  #:use-module (tutti space)
  #:export (load-operator-module operator-module? operator-module-name operator-module-file operator-module-description
            operator-module-classes operator-module-text-parameters native-operator operator-module operator-parameters
            native-derivative-matrix))

(define-record-type <operator-module>
  (make-operator-module file name description classes)
  operator-module?
  (file module-file)                 ; absolute file name
  (name module-name)                 ; what the module calls itself
  (description module-description)   ; one line
  (classes module-classes))          ; list of (name description linear? (parameter ...) (text-parameter ...)), all strings

(set-record-type-printer! <operator-module>
  (lambda (module port)
    (format port "#<operator-module ~a: ~a>" (module-name module) (string-join (map car (module-classes module)) ", "))))

(set-object-property! operator-module? 'documentation "Return true if the argument is what @code{load-operator-module} returns.")

(define (load-operator-module file-or-name)
  "Return the operator module @var{file-or-name}: a file if it has a slash or ends in @file{.so}, else a name that is looked for
in the folders of @env{TUTTI_MODULEDIR} and where modules are installed.  The same file is loaded once and stays loaded."
  (let ((parts (%open-operator-module file-or-name)))
    (note-library! (car parts))
    (apply make-operator-module parts)))

(define (operator-module-file module)
  "Return the absolute name of the file of @var{module}."
  (module-file module))

(define (operator-module-name module)
  "Return the name that @var{module} gives itself."
  (module-name module))

(define (operator-module-description module)
  "Return the description of @var{module}, one line."
  (module-description module))

(define (operator-module-classes module)
  "Return the classes of @var{module}: a list of lists of a class's name, its description, whether it is linear, and the list of its
parameters' names; the last of them are those of @code{operator-module-text-parameters}."
  (map (lambda (class) (append (take class 3) (list (append (fourth class) (fifth class)))))
       (module-classes module)))

(define (operator-module-text-parameters module name)
  "Return the list of the names of those parameters that are text, not numbers, of the class @var{name} (a string or symbol) of
@var{module}; an unknown class raises @code{&tutti-error}."
  (let ((class (assoc (if (symbol? name) (symbol->string name) name) (module-classes module))))
    (unless class
      (refuse 'operator-module-text-parameters "operator module '~a' has no class ~s, only ~s" (module-name module) name
              (map first (module-classes module))))
    (fifth class)))

(define (->parameter label text? name value)
  ;; A copy: the caller may change what was given, and workers make their operators later. Whether the class wants numbers or text the
  ;; loader checks.
  (cond ((string? value) (string-copy value))
        ((f64vector? value) (bytevector-copy-f64 value))
        ((real? value) (f64vector value))
        ((and (list? value) (every real? value)) (list->f64vector value))
        (else (refuse 'native-operator "operator '~a': parameter '~a' is ~s, expected ~a" label name value
                      (if text? "text: a string" "a number, a list of numbers or an f64vector")))))

(define (bytevector-copy-f64 vector)
  (let ((copy (make-f64vector (f64vector-length vector))))
    (bytevector-copy! vector 0 copy 0 (bytevector-length vector))
    copy))

(define (keywords->parameters label texts arguments)
  (let loop ((rest arguments) (parameters '()))
    (cond ((null? rest) (reverse parameters))
          ((and (keyword? (car rest)) (pair? (cdr rest)))
           (let ((name (symbol->string (keyword->symbol (car rest)))))
             (loop (cddr rest) (acons name (->parameter label (member name texts) name (cadr rest)) parameters))))
          (else
           (refuse 'native-operator "expected a keyword and its value, got ~s" rest)))))

;; The detail of a native operator: its module and parameters; that of a derivative also has its handle in C.
(define-record-type <native>
  (make-native module parameters derivative)
  native?
  (module native-module)
  (parameters native-parameters)     ; list of (name . f64vector-or-string), never changed
  (derivative native-derivative))    ; the C object, #f for an operator

(define (native-derivative-operator name native handle domain codomain)
  (make-linear #:name name #:domain domain #:codomain codomain
               #:apply (lambda (h) (%derivative-apply handle h))
               #:adjoint (lambda (y) (%derivative-adjoint handle y))
               #:detail (make-native (native-module native) (native-parameters native) handle)))

(define (linear-class? module class)
  (third (assoc class (module-classes module))))

(define (text-parameters module class)
  ;; The loader says what is wrong with a class that is not there.
  (cond ((assoc class (module-classes module)) => fifth)
        (else '())))

(define (native-space n complex?)
  (if complex? (complex-space n) n))

(define (native-operator module name . parameters)
  "Return the operator of the class @var{name} (a string or symbol) of @var{module}, which was returned by
@code{load-operator-module} or is what that accepts.  @var{parameters} are keywords and values, which are copied: numbers, lists of
numbers, or f64vectors; or strings, for those that the class declares to be text, see @code{operator-module-text-parameters}.  A
string reaches the class in UTF-8, and cannot contain a NUL.  Unknown parameters, text for numbers and numbers for text raise
@code{&tutti-error}."
  (let* ((module (if (string? module) (load-operator-module module) module))
         (class (if (symbol? name) (symbol->string name) name))
         (label (format #f "~a ~a" (module-name module) class))
         (parameters (keywords->parameters label (text-parameters module class) parameters))
         (handle (%make-native-operator (module-file module) class parameters))
         (sizes (%native-operator-sizes handle))
         (complex? (%native-operator-complex handle))
         (domain (native-space (car sizes) (car complex?)))
         (codomain (native-space (cdr sizes) (cdr complex?)))
         (native (make-native module parameters #f))
         (parts (cons* native-operator (module-file module) class
                       (append-map (lambda (p) (list (symbol->keyword (string->symbol (car p))) (cdr p))) parameters))))
    (define (linearize x)
      (let ((y+derivative (%native-linearize handle x)))
        (values (car y+derivative)
                (native-derivative-operator (string-append "derivative of " label) native (cdr y+derivative) domain codomain))))
    (define derivative-of-linear
      ;; Of a linear class it is the same at every point.
      (let ((derivative (delay (cdr (%native-linearize handle (space-zero domain))))))
        (lambda () (force derivative))))
    (checked
     (if (linear-class? module class)
         (make-linear #:name label #:domain domain #:codomain codomain
                      #:apply (lambda (x) (%native-evaluate handle x))
                      #:adjoint (lambda (y) (%derivative-adjoint (derivative-of-linear) y))
                      #:parts parts #:detail native)
         (make-nonlinear #:name label #:domain domain #:codomain codomain
                         #:evaluate (lambda (x) (%native-evaluate handle x))
                         #:linearize linearize
                         #:parts parts #:detail native)))))

(define (native-of op who)
  (check-operator-argument op who)
  (let ((detail (operator-detail op)))
    (unless (native? detail)
      (refuse who "~a does not come from a module in C" op))
    detail))

(define (operator-module op)
  "Return the module that @var{op}, an operator in C or a derivative of one, comes from."
  (native-module (native-of op 'operator-module)))

(define (operator-parameters op)
  "Return the parameters of @var{op}, an operator in C or a derivative of one: an association list of names and f64vectors or strings,
which must not be changed."
  (native-parameters (native-of op 'operator-parameters)))

(define (native-derivative-matrix op)
  "Return the matrix of @var{op}, row-major, if it is the derivative of an operator in C on real spaces, else @code{#f}."
  (let ((detail (operator-detail op)))
    (and (native? detail)
         (native-derivative detail)
         (%derivative-matrix (native-derivative detail)))))
