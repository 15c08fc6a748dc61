;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How procedures, records, tasks and remote objects are encoded, which the codec itself does not know.
(define-module (tutti worker wire)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti remote record-reducer)
  #:use-module (tutti remote)
  #:use-module ((tutti remote staying) #:select (engine-pool? staying-advice))
  #:use-module (tutti remote object-type)
  #:re-export (set-record-reducer!)
  #:export (make-cargo cargo-tasks cargo-held cargo-places
            encode-value decode-value decode-held-value call-with-held-objects set-held-objects! keep-object!))

;; What has to reach the worker along with a value: found while the value is encoded. FIND-TASK returns the engine's object of a task, a
;; list of its value if the engine does not know the task, and #f for what is none; FITS? is #f unless it is certain which workers the value
;; goes to: then it tells whether what is in so many parts has one for each of them. PLACES is the number of parts of what was found to be
;; in parts, or #f.
(define-record-type <cargo>
  (%make-cargo pool find-task fits? tasks held places)
  cargo?
  (pool cargo-pool)
  (find-task cargo-find-task)
  (fits? cargo-fits?)
  (tasks cargo-reversed-tasks set-cargo-reversed-tasks!)
  (held cargo-held set-cargo-held!)
  (places cargo-places set-cargo-places!))

(define* (make-cargo pool #:key (find-task (const #f)) fits?)
  "Return an empty cargo for a value on its way to a worker of @var{pool}. With @var{fits?} it is for certain workers: the procedure returns
true if what is in as many parts as its argument says has a part for each."
  (%make-cargo pool find-task fits? '() '() #f))

(define (cargo-tasks cargo)
  "Return the engine's tasks whose values are embedded, in the order of their numbers."
  (reverse (cargo-reversed-tasks cargo)))

(set-object-property! cargo-held 'documentation "Return the engine's objects that the worker must hold.")
(set-object-property! cargo-places 'documentation "Return the number of parts of what is in parts, or @code{#f} if there is none.")

(define (embed-task! cargo task)
  (set-cargo-reversed-tasks! cargo (cons task (cargo-reversed-tasks cargo)))
  (cons 'embedded (1- (length (cargo-reversed-tasks cargo)))))

(define (refused-object object cargo)
  "Return the message and the advice, in a pair, if the remote object @var{object} cannot go where @var{cargo} goes, else @code{#f}."
  (cond ((not cargo)
         (cons "a remote object cannot travel from here: it is known to the master alone" "return what it stands for"))
        ((not (eq? (remote-object-pool object) (cargo-pool cargo)))
         (cons (format #f "a remote object of ~a cannot be used in ~a" (remote-object-pool object) (cargo-pool cargo))
               "push it to that pool as well"))
        ((and (remote-object-placed? object) (not (cargo-fits? cargo)))
         (cons (format #f "what was ~a differs from worker to worker: the result would depend on who runs the task"
                       (remote-object-kind object))
               "use it in pool-apply or pool-apply-only, or push it"))
        ((and (remote-object-places object) (not ((cargo-fits? cargo) (remote-object-places object))))
         (cons (format #f "what was ~a is in ~a part~:p, one for each worker that the pool had then, and this is for others"
                       (remote-object-kind object) (remote-object-places object))
               "make it again, since the pool has grown or shrunk; as an argument of its own pool-apply takes it for all its parts"))
        (else #f)))

(define (load-object! cargo object who)
  (check-not-removed object who)
  (or (and=> (refused-object object cargo) (lambda (refusal) (cons 'refused refusal)))
      (let ((handle (storage-handle (remote-object-storage object))))
        (when (and handle (not (memq handle (cargo-held cargo))))
          (set-cargo-held! cargo (cons handle (cargo-held cargo))))
        (when (remote-object-places object)
          (set-cargo-places! cargo (remote-object-places object)))
        (cons 'held (remote-object-id object)))))

;; The kinds of extensions. Numbers are part of the protocol: never reuse one.
;; What comes with the code of a procedure nobody may change where it arrives: TUTTI_EXTENSION_FROZEN.
(define kind-remote (+ 1 128))
(define kind-exported 2)
(define kind-record 3)
(define kind-call 4)
(define kind-parameter 5)

(define (reduced-items call)
  (if (eq? (car call) 'refused)
      call
      (cons* 'extension kind-call call)))

(define (engine-pool-items pool)
  (cons* 'refused (format #f "~a cannot travel to another process" pool) (staying-advice pool)))

(define (record-items object)
  (let* ((type (record-type-descriptor object))
         (reducer (record-reducer object)))
    (cond (reducer (reduced-items (reducer object)))
          ((engine-pool? object) (engine-pool-items object))
          (else (field-items object type)))))

(define (field-items object type)
  (let ((reference (record-type-reference type)))
    (if reference
        (cons* 'extension kind-record (car reference) (cdr reference)
               (map (lambda (i) (struct-ref object i)) (iota (length (record-type-fields type)))))
        (cons* 'refused
               (format #f "a record of type ~a cannot travel: workers cannot import its definition" (record-type-name type))
               (record-advice (record-type-name type))))))

(define (procedure-items object)
  (cond ((remotable-procedure? object)
         (list 'extension kind-remote (remote-bundle object)))
        ((remote-parameter? object)
         (cons* 'extension kind-parameter (remote-parameter-items object)))
        ((procedure-reference object)
         => (lambda (reference) (list 'extension kind-exported (car reference) (cdr reference))))
        (else (cons 'refused (bundle-refusal object)))))

(define* (encode-value value who #:optional cargo step-name #:key limit)
  "Return the payload for @var{value}. What has to go along is added to @var{cargo}; without one, tasks and remote objects cannot
travel. What cannot travel is a @code{&not-remotable} raised in the name of @var{who}; @var{step-name} names the outer steps of the way
there: it is called with their indices and returns a string, @code{#t} to leave the step out, or @code{#f}. With @var{limit}, what takes
more bytes without its large vectors of numbers cannot travel either."
  (define (hook object)
    (cond ((and cargo ((cargo-find-task cargo) object))
           => (lambda (task)
                (if (pair? task)
                    (cons* 'extension kind-call identity task)
                    (embed-task! cargo task))))
          ((remote-object? object) (load-object! cargo object who))
          ((procedure? object) (procedure-items object))
          ((record? object) (record-items object))
          (else #f)))
  (if limit
      (%encode value hook step-name who limit)
      (%encode value hook step-name who)))

(define (decode-record module-name name . fields)
  (apply make-struct/no-tail (resolve-reference module-name name) fields))

;; Where held objects are: procedures that return the one with a number, and that keep one under a number.
(define held-object (make-parameter (lambda (id) (error "no held object" id))))
(define keep-held-object! (make-parameter (lambda (id value) (error "no place to keep an object" id))))

(define (call-with-held-objects ref keep! thunk)
  "Call @var{thunk}; where a value refers to a held object, @var{ref} returns it for its number; @var{keep!} is called with a number and
what is to be held under it."
  (parameterize ((held-object ref)
                 (keep-held-object! keep!))
    (thunk)))

(define (set-held-objects! ref keep!)
  "Let @var{ref} and @var{keep!} be called as by @code{call-with-held-objects} from now on."
  (held-object ref)
  (keep-held-object! keep!))

(define (keep-object! id value)
  "Keep @var{value} under the number @var{id}."
  ((keep-held-object!) id value))

(define (decode-extension kind items)
  (cond ((eq? kind 'held) ((held-object) items))
        ((= kind kind-remote) (bundle->procedure (car items)))
        ((= kind kind-exported) (resolve-reference (car items) (cadr items)))
        ((= kind kind-record) (apply decode-record items))
        ((= kind kind-call) (apply (car items) (cdr items)))
        ((= kind kind-parameter) (apply arrived-parameter items))
        (else (raise-tutti (make-tutti-error (format #f "received a value of unknown kind ~a" kind))))))

(define (decode-value payload)
  "Return the value in @var{payload}."
  (%decode payload decode-extension))

(define* (decode-held-value payload #:key protect-numbers?)
  "Return the value in @var{payload}, which several tasks will use: as far as Guile guards it, nobody can change it. With
@var{protect-numbers?}, what code writes to its vectors of numbers past Guile ends as a fault of the process."
  (%decode payload decode-extension #t protect-numbers?))
