;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Objects of Python as models: what they have, the spaces that they name, and what their methods return.
(define-module (tutti python model)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (srfi srfi-4 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:use-module (tutti base text)
  #:use-module (tutti conditions)
  #:use-module (tutti python primitives)
  #:use-module (tutti python worker)
  #:use-module (tutti space)
  #:export (model-outline has-attribute? value->space attribute-space refuse-model model-method method->procedure returned-element))

(define (support name . arguments)
  (call-here "tutti_support" name arguments '() #f))

;; What an object has: its handle, the name of its type, the names of those attributes that were asked for, and of all methods.
(define (model-outline object names)
  "Return the outline of @var{object}, a handle: for @code{has-attribute?}, with the attributes in @var{names}, strings."
  (match (support "outline" object names)
    (#(type there methods) (list object type there methods))))

(define (has-attribute? outline name)
  "Return true if the object of @var{outline} has the attribute @var{name}."
  (member name (third outline)))

(define (refuse-model outline place expected)
  "Raise that the object of @var{outline}, of a class in @var{place}, is not what is @var{expected}: its kind, and what such have."
  (match outline
    ((_ type _ methods)
     (refuse 'python "~a of ~a is no ~a; its methods are ~a" type (place->text place) expected
             (if (null? methods) "none" (string-join methods ", "))))))

(define (value->space value)
  "Return the space for @var{value}, which space of tutti_support.py returns."
  (match value
    ((? exact-integer? n) n)
    (#("complex" n) (complex-space n))
    ((? list? parts) (apply direct-sum (map value->space parts)))))

(define (attribute-space outline name)
  "Return the space that the attribute @var{name} of the object of @var{outline} says."
  (value->space (support "space" (first outline) name)))

;;; Methods.

(define worth-sharing 2048)             ; numbers: more than that travel without a copy if they are in shared memory

(define (make-destination space)
  (let ((n (space-dimension space)) (complex? (space-complex? space)))
    (cond ((> n worth-sharing) (%make-shared-to-fill (if complex? 'c64 'f64) n))
          (complex? (make-c64vector n 0))
          (else (make-f64vector n 0.)))))

;; (In Guile a text is an array, too.)
(define (numbers? value)
  (and (array? value) (memq (array-type value) '(u8 s8 u16 s16 u32 s32 u64 s64 f32 f64 c32 c64 b))))

(define (numbers->element value complex?)
  "Return the vector of any numbers @var{value} as an f64vector or c64vector, or @code{#f}."
  (cond ((and (not complex?) (f64vector? value)) value)
        ((and complex? (c64vector? value)) value)
        ((not (and (numbers? value) (= (array-rank value) 1))) #f)
        ((eq? (array-type value) 'b) #f)
        ((and (not complex?) (memq (array-type value) '(c32 c64))) #f)
        (else ((if complex? list->c64vector list->f64vector) (map exact->inexact (array->list value))))))

(define (returned-element value space who)
  "Return @var{value}, which the method @var{who} has returned, as a vector of @var{space}, or raise what is wrong with it."
  (define complex? (space-complex? space))
  (define (length-of element) (if complex? (c64vector-length element) (f64vector-length element)))
  (define (expected) (format #f "expected a numpy array of ~a ~a numbers" (space-dimension space) (if complex? "complex" "real")))
  (cond ((numbers->element value complex?)
         => (lambda (element)
              (unless (= (length-of element) (space-dimension space))
                (raise-tutti (make-shape-error (space-dimension space) (length-of element)
                                               (format #f "~a returned an array of ~a numbers; ~a" who (length-of element) (expected)))
                             'python))
              element))
        ((unspecified? value)
         (refuse 'python "~a returned None; ~a: is there a return in each of its branches?" who (expected)))
        ((not (numbers? value))
         (refuse 'python "~a returned ~a; ~a" who (object->text value most-shown) (expected)))
        ((not (= (array-rank value) 1))
         (raise-tutti (make-shape-error (space-dimension space) (array-dimensions value)
                                        (format #f "~a returned an array of the shape ~a; ~a in one dimension: with reshape (-1) it has one"
                                                who (array-dimensions value) (expected)))
                      'python))
        (else
         (refuse 'python "~a returned an array of ~a; ~a" who (array-type value) (expected)))))

(define most-shown 80)                  ; characters

(define (model-method outline name)
  "Return a handle of the method @var{name} of the object of @var{outline}."
  (%python-get name (first outline) name))

(define (method->procedure outline name space)
  "Return a procedure that calls the method @var{name} of the object of @var{outline} with vectors and returns a vector of @var{space}. A
method with a parameter @code{out} gets a vector to write to, which need not be copied afterwards."
  (let ((method (model-method outline name))
        (who (format #f "~a.~a" (second outline) name)))
    (if (%python-takes? method "out")
        (lambda arguments
          (returned-element (%python-call-into who method arguments (make-destination space)) space who))
        (lambda arguments
          (returned-element (%python-call who method arguments '()) space who)))))
