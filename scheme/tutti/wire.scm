;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What values mean on their way between two processes, beyond what the codec knows: procedures, records, tasks, held objects.
(define-module (tutti wire)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:use-module (tutti primitives)
  #:use-module (tutti remote)
  #:export (make-held held? held-handle
            encode-value decode-value call-with-held-objects))

;; A value that workers keep: HANDLE is the engine's object, ID its number.
(define-record-type <held>
  (%make-held-record handle id)
  held?
  (handle held-handle)
  (id held-id))

(define (make-held payload)
  "Return a held object: its value, encoded in @var{payload}, is sent once to each worker that needs it."
  (let ((handle (%make-held payload)))
    (%make-held-record handle (%held-id handle))))

;; The kinds of extensions. Numbers are part of the protocol: never reuse one.
(define kind-remote 1)
(define kind-exported 2)
(define kind-record 3)

(define (record-items object)
  (let* ((type (record-type-descriptor object))
         (reference (record-type-reference type)))
    (if reference
        (cons* 'extension kind-record (car reference) (cdr reference)
               (map (lambda (i) (struct-ref object i)) (iota (length (record-type-fields type)))))
        (cons* 'refused
               (format #f "a record of type ~a cannot travel: workers cannot import its definition" (record-type-name type))
               "define the record type in a module that is found on the load path"))))

(define (procedure-items object)
  (cond ((remotable-procedure? object)
         (list 'extension kind-remote (remote-bundle object)))
        ((procedure-reference object)
         => (lambda (reference) (list 'extension kind-exported (car reference) (cdr reference))))
        (else (list 'extension kind-remote (remote-bundle object))))) ; raises, and says what to write

(define* (encode-value value who #:optional (task-index (const #f)) (step-name #f))
  "Return the payload for @var{value}. @var{task-index} returns the number under which the value of a task is embedded, or
@code{#f} for what is not a task. What cannot travel is a @code{&not-remotable} raised as @var{who}; @var{step-name} names the outer steps
of the way there: it is called with their indices and returns a string, @code{#t} to leave the step out, or @code{#f}."
  (%encode value
           (lambda (object)
             (cond ((task-index object) => (lambda (k) (cons 'embedded k)))
                   ((held? object) (cons 'held (held-id object)))
                   ((procedure? object) (procedure-items object))
                   ((record? object) (record-items object))
                   (else #f)))
           step-name who))

(define (decode-record module-name name . fields)
  (apply make-struct/no-tail (resolve-reference module-name name) fields))

(define held-objects (make-parameter (lambda (id) (error "no held object" id))))

(define (call-with-held-objects lookup thunk)
  "Call @var{thunk}; where a value refers to a held object, @var{lookup} returns it for its number."
  (parameterize ((held-objects lookup)) (thunk)))

(define (decode-value payload)
  "Return the value in @var{payload}."
  (%decode payload
           (lambda (kind items)
             (cond ((eq? kind 'held) ((held-objects) items))
                   ((= kind kind-remote) (bundle->procedure (car items)))
                   ((= kind kind-exported) (resolve-reference (car items) (cadr items)))
                   ((= kind kind-record) (apply decode-record items))
                   (else (raise-tutti (make-tutti-error (format #f "received a value of unknown kind ~a" kind))))))))
