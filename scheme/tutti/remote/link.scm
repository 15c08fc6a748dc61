;; SPDX-License-Identifier: LGPL-3.0-or-later
;; From a bundle to a procedure, on the other side.  Code is loaded once for all the procedures that are made of it:
;; what it was loaded into cannot be freed.  All that differs between them, free variables and captured values, are
;; arguments to it.
(define-module (tutti remote link)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module ((system vm loader) #:select (load-thunk-from-memory))
  #:use-module (tutti base digest)
  #:use-module (tutti base lock)
  #:use-module (tutti conditions)
  #:use-module (tutti remote code)
  #:use-module (tutti remote names)
  #:export (bundle->procedure))

(define-record-type <loaded>
  (make-loaded unit maker cells variables)
  loaded?
  (unit loaded-unit)
  (maker loaded-maker)                 ; procedure of an environment and variables
  ;; Free variables that were found in modules, for the next procedure of the same code: in the same places.
  (cells loaded-cells)
  (variables loaded-variables))

;; Digest -> list of <loaded>.
(define code (make-hash-table))
(define code-lock (make-shared-mutex))

;; Damaged code would not raise an error: it would end the process.
(define (check-code expected unit)
  (unless (equal? expected (digest (unit-bytecode unit)))
    (raise-tutti (make-not-remotable "the code of a remote procedure was damaged on its way" #:value unit
                                     #:advice "master and workers must run the same version of Tutti")
                 'bundle->procedure)))

(define (load-unit wire)
  (let ((key (vector-ref wire 0))
        (unit (vector-ref wire 1)))
    (with-mutex code-lock
      (or (find (lambda (loaded) (equal? unit (loaded-unit loaded))) (hash-ref code key '()))
          (let* ((n (begin (check-code key unit) (vector-length (unit-free unit))))
                 (loaded (make-loaded unit ((load-thunk-from-memory (unit-bytecode unit)))
                                      (make-vector n #f) (make-vector n #f))))
            (hash-set! code key (cons loaded (hash-ref code key '())))
            loaded)))))

(define (module-variable-of cell)
  (resolve-variable (second cell) (third cell) #:private? (eq? (first cell) 'private)))

(define (found-variable loaded index cell)
  "Return the variable for @var{cell}, an import, which is the @var{index}th free variable of @var{loaded}."
  (if (equal? cell (vector-ref (loaded-cells loaded) index))
      (vector-ref (loaded-variables loaded) index)
      (let ((variable (module-variable-of cell)))
        (vector-set! (loaded-variables loaded) index variable)
        (vector-set! (loaded-cells loaded) index cell)
        variable)))

(define (link-instances units instances)
  "Return the vector of procedures that @var{instances} describe."
  (define n (vector-length instances))
  (define procedures (make-vector n #f))
  (define variables (make-vector n))

  (define (cell->variable loaded index cell)
    (case (first cell)
      ((instance) (vector-ref variables (second cell)))
      ((value) (make-variable (second cell)))
      (else (found-variable loaded index cell))))
  (define (cell->value cell)
    (case (first cell)
      ((instance) (procedure-at (second cell)))
      (else (second cell))))
  (define (procedure-at index)
    ;; Procedures may be each other's free variables in any way; as captured values they come before what captures them.
    (or (vector-ref procedures index)
        (let ((procedure (make (vector-ref instances index))))
          (vector-set! procedures index procedure)
          (variable-set! (vector-ref variables index) procedure)
          procedure)))
  (define (make instance)
    (let* ((loaded (vector-ref units (vector-ref instance 0)))
           (unit (loaded-unit loaded))
           (cells (vector-ref instance 1))
           (free (map (lambda (index) (cell->variable loaded index (vector-ref cells index)))
                      (iota (vector-length cells))))
           (environment (make-environment (loaded-maker loaded) (unit-free unit) cells (list->vector free)))
           (captures (map cell->value (vector->list (vector-ref instance 2)))))
      (attach-remote! (apply (apply (loaded-maker loaded) environment free) captures)
                      unit environment (list->vector captures))))

  (do ((i 0 (1+ i))) ((= i n))
    (vector-set! variables i (make-undefined-variable)))
  (do ((i 0 (1+ i))) ((= i n) procedures)
    (procedure-at i)))

(define (bundle->procedure bundle)
  "Return the procedure that @var{bundle}, made by @code{remote-bundle}, describes.  Modules it needs are imported;
one that is missing, or that lacks a name, raises @code{&not-remotable}."
  (unless (and (vector? bundle) (= (vector-length bundle) 4) (eq? (vector-ref bundle 0) 'tutti-code))
    (raise-tutti (make-not-remotable "what has arrived as a remote procedure is none" #:value bundle
                                     #:advice "master and workers must run the same version of Tutti")
                 'bundle->procedure))
  (let ((root (vector-ref bundle 1))
        (units (list->vector (map load-unit (vector->list (vector-ref bundle 2))))))
    (if (eq? (first root) 'instance)
        (vector-ref (link-instances units (vector-ref bundle 3)) (second root))
        (variable-ref (module-variable-of root)))))
