;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What is sent with a remote procedure: its code, and everything that it needs and a worker does not have.  This module finds all of that
;; before anything is sent.
;;
;; A bundle is a vector #(tutti-code ROOT UNITS INSTANCES).  UNITS is a vector of #(DIGEST UNIT).  INSTANCES is a vector
;; of #(UNIT-INDEX CELLS CAPTURES): one cell for each free variable of the unit, one for each captured value.  A cell,
;; like ROOT, is one of
;;   (import MODULE NAME)    what the interface of an importable module calls NAME
;;   (private MODULE NAME)   what NAME means inside an importable module
;;   (instance INDEX)        a remote procedure of the bundle
;;   (value V)               V, as it is
;; All is plain data but for the values.
(define-module (tutti remote bundle)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base digest)
  #:use-module (tutti conditions)
  #:use-module (tutti remote code)
  #:use-module (tutti remote names)
  #:use-module (tutti remote parameter)
  #:use-module (tutti remote staying)
  #:export (remote-bundle bundle-refusal))

;; A bundle while it is made.
(define-record-type <draft>
  (make-draft instances procedures units checks)
  draft?
  (instances draft-instances set-draft-instances!)   ; alist: index -> instance
  (procedures draft-procedures)                      ; hash table: procedure -> index
  (units draft-units)                                ; hash table: unit -> index
  (checks draft-checks set-draft-checks!))           ; list of checks: does the bundle still say what the program says?

;; What was seen when NAME was looked up in MODULE: a cached bundle is good as long as that has not changed.
(define-record-type <check>
  (make-check module name variable value)
  check?
  (module check-module)
  (name check-name)
  (variable check-variable)
  (value check-value))

(define (holds? check)
  (let ((variable (check-variable check)))
    (and (eq? variable (module-variable (check-module check) (check-name check)))
         (variable-bound? variable)
         (eqv? (check-value check) (variable-ref variable)))))

(define (add-check! draft module name variable)
  (set-draft-checks! draft (cons (make-check module name variable (variable-ref variable)) (draft-checks draft))))

;;; Refusals.

(define (procedure-label description)
  (let ((name (unit-name (description-unit description)))
        (source (unit-source (description-unit description))))
    (simple-format #f "the remote procedure ~A (~A)"
                   (if name (simple-format #f "`~A'" name) "without a name")
                   (source->string source))))

(define (refuse owners free what advice)
  "Raise the @code{&not-remotable} for the free variable @var{free} of the first of @var{owners}, a list of procedures
each of which is needed by the next."
  (let ((descriptions (map description owners)))
    (raise-tutti
     (make-not-remotable
      (simple-format #f "~A ~A" (procedure-label (first descriptions)) what)
      #:value (first owners)
      #:variable (free-name free)
      #:source (or (free-source free) (unit-source (description-unit (first descriptions))))
      #:where (and (pair? (cdr descriptions))
                   (string-append "needed by " (string-join (map procedure-label (cdr descriptions)) ", needed by ")))
      #:advice advice))))

(define (refuse-unbound owners free)
  (refuse owners free (simple-format #f "uses the unbound variable `~A'" (free-name free))
          (or ((@ (tutti advice unbound) module-advice) (free-name free))
              "import the module that exports it, or define it with define-remote")))

(define (refuse-assigned owners free)
  (refuse owners free
          (simple-format #f "assigns the top-level variable `~A': each worker would change a copy of its own"
                         (free-name free))
          "return the new value instead, and assign it here"))

(define (refuse-changed owners free)
  (let ((name (free-name free)))
    (refuse owners free
            (simple-format #f "uses `~A', which has been assigned since define-remote gave it its value" name)
            (simple-format #f "write (define-remote ~A …) again where it changes" name))))

(define (refuse-staying owners free value outer)
  (refuse owners free
          (simple-format #f "uses `~A', ~A, which cannot travel to another process" (free-name free)
                         (if (eq? value outer)
                             (staying-description value)
                             (string-append "in which there is " (staying-description value))))
          (staying-advice value)))

(define (check-travels owners free value)
  (let ((staying (find-staying value)))
    (when staying (refuse-staying owners free (car staying) value))))

(define (refuse-plain owners free value)
  ;; For a value that can never travel there is other advice.
  (unless (procedure? value) (check-travels owners free value))
  (let ((name (free-name free)))
    (refuse owners free (simple-format #f "uses `~A', which a plain define has made: workers do not know it" name)
            (if (procedure? value)
                (simple-format #f "write (define-remote (~A …) …)" name)
                (simple-format #f "write (define-remote ~A …), or give its value to a procedure: ~A"
                               name (simple-format #f "(remote ((~A ~A)) (lambda …))" name name))))))

(define (refuse-record-part owners free what name)
  (refuse owners free
          (simple-format #f "uses ~A `~A', which the script itself defines: workers do not know it" what name)
          (record-advice "the record type")))

(define (procedure-place procedure)
  ;; Only looked for on the way to an error: the debugging modules are large.
  (let* ((program? (@ (system vm program) program?))
         (source (and (program? procedure) ((@ (system vm program) program-source) procedure 0))))
    (and source
         (list ((@ (system vm program) source:file) source)
               ((@ (system vm program) source:line-for-user) source)
               ((@ (system vm program) source:column) source)))))

(define (closure-refusal procedure place)
  "Return the pair of what to say of @var{procedure}, with the text @var{place} behind its name, and of what to do."
  (let ((inlined (and=> (procedure-name procedure) inlined-name)))
    (if inlined
        (cons (simple-format #f "the procedure ~A~A, which define-record-type has made in the script itself, is not known to workers"
                             inlined place)
              (record-advice "the record type"))
        (cons (simple-format #f "the procedure ~A~A is not remote: workers cannot be given a closure"
                             (or (procedure-name procedure) "without a name") place)
              closure-advice))))

(define (refuse-closure procedure)
  (let ((refusal (closure-refusal procedure "")))
    (raise-tutti
     (make-not-remotable (car refusal) #:value procedure #:source (procedure-place procedure) #:advice (cdr refusal)))))

(define (bundle-refusal procedure)
  "Return the pair of message and advice that says why workers cannot be given @var{procedure}, which is neither remote nor
known by a name."
  (let ((place (procedure-place procedure)))
    (closure-refusal procedure (if place (simple-format #f " (~A)" (source->string place)) ""))))

;;; What a free variable stands for.

(define (find-import module name variable)
  "Return the cell for @var{variable}, which is called @var{name} in @var{module}, if it comes from an importable
module."
  (define (exported-name interface)
    (if (eq? variable (module-variable interface name))
        name
        ;; Renamed on its way: by #:prefix, #:renamer or a pair in #:select.
        (let search ((names (module-map (lambda (name other) (and (eq? other variable) name)) interface)))
          (cond ((null? names) #f)
                ((car names) => identity)
                (else (search (cdr names)))))))
  (and (not (eq? variable (module-local-variable module name)))
       (any (lambda (interface)
              (and (eq? variable (module-variable interface name))
                   (importable-module? (module-name interface))
                   (let ((exported (exported-name (module-public-interface (find-module (module-name interface))))))
                     (and exported (list 'import (module-name interface) exported)))))
            (module-uses module))))

(define (home free program)
  "Return the module that @var{free} is looked up in, if it exists; @var{program} is the module of the program."
  (if (free-module free)
      (find-module (free-module free))
      program))

(define (free-variable free program)
  "Return the variable that @var{free} is in its module, or @code{#f} if it is unbound."
  (let* ((module (home free program))
         (variable (and module (module-variable module (free-name free)))))
    (and variable (variable-bound? variable) variable)))

(define (reaches-remote-value? procedure)
  "Return true if @var{procedure} needs a value made by @code{define-remote}.  Such a value is made here, once; a
worker that imports the same module makes another."
  (define seen (make-hash-table))
  (let reaches? ((procedure procedure))
    (and (not (hashq-ref seen procedure))
         (let ((description (description procedure)))
           (hashq-set! seen procedure #t)
           (or (environment? (description-environment description))
               (any (lambda (free)
                      (let ((variable (free-variable free (description-environment description))))
                        (and variable
                             (or (remote-value-state variable)
                                 (and (remotable-procedure? (variable-ref variable))
                                      (reaches? (variable-ref variable)))))))
                    (vector->list (unit-free (description-unit description)))))))))

(define (in-module->cell draft owners free module variable)
  "Return the cell for a variable of an importable module, which a worker has too."
  (let ((value (variable-ref variable)))
    (cond ((remote-value-state variable)
           (when (free-assigned? free) (refuse-assigned owners free))
           (value->cell draft owners free value))
          ((and (remotable-procedure? value) (reaches-remote-value? value))
           (procedure->cell draft owners value))
          (else
           (list 'private (module-name module) (free-name free))))))

(define (in-script->cell draft owners free variable)
  "Return the cell for a variable of a script or the REPL, of which a worker knows nothing."
  (let ((value (variable-ref variable)))
    (cond ((free-assigned? free)
           (refuse-assigned owners free))
          ((remotable-procedure? value)
           (procedure->cell draft owners value))
          ((remote-parameter? value)
           (list 'value value))
          (else
           (case (remote-value-state variable)
             ((current) (value->cell draft owners free value))
             ((changed) (refuse-changed owners free))
             (else
              (cond ((record-type-descriptor? value) (refuse-record-part owners free "the record type" (free-name free)))
                    ((inlined-name (free-name free))
                     => (lambda (name) (refuse-record-part owners free "the record's procedure" name)))
                    (else (refuse-plain owners free value)))))))))

(define (module->cell draft owners free program)
  (let ((module (home free program))
        (name (free-name free))
        (variable (or (free-variable free program) (refuse-unbound owners free))))
    (add-check! draft module name variable)
    (cond ((importable-module? module)
           (in-module->cell draft owners free module variable))
          ((find-import module name variable)
           => (lambda (cell) (if (free-assigned? free) (refuse-assigned owners free) cell)))
          (else
           (in-script->cell draft owners free variable)))))

(define (environment->cell draft owners free environment)
  "Return the cell for a free variable of a procedure that has arrived here."
  (let* ((index (list-index (lambda (other)
                              (and (eq? (free-name other) (free-name free))
                                   (equal? (free-module other) (free-module free))))
                            (vector->list (environment-free environment))))
         (cell (vector-ref (environment-cells environment) index)))
    (case (car cell)
      ((import private) cell)
      (else (value->cell draft owners free (variable-ref (vector-ref (environment-variables environment) index)))))))

(define (free->cell draft owners free environment)
  (if (environment? environment)
      (environment->cell draft owners free environment)
      (module->cell draft owners free environment)))

;;; Procedures and values.

(define (value->cell draft owners free value)
  (cond ((remotable-procedure? value)
         (procedure->cell draft owners value))
        (else
         (check-travels owners free value)
         (list 'value value))))

(define (named-cell procedure description)
  "Return the cell for a procedure that a worker gets by importing the module it was defined in, or @code{#f}."
  (let ((home (unit-home (description-unit description))))
    (and home
         (car home)
         (not (environment? (description-environment description)))
         (importable-module? (car home))
         (let ((variable (module-variable (find-module (car home)) (cdr home))))
           (and variable
                (variable-bound? variable)
                (eq? procedure (variable-ref variable))
                (not (reaches-remote-value? procedure))
                (list 'private (car home) (cdr home)))))))

(define (unit-index draft unit)
  (let ((units (draft-units draft)))
    (or (hashq-ref units unit)
        (let ((index (hash-count (const #t) units)))
          (hashq-set! units unit index)
          index))))

(define (add-instance! draft owners procedure description)
  "Add @var{procedure} to @var{draft} and return its index.  Its index is known before its cells are: procedures may
need each other."
  (let* ((procedures (draft-procedures draft))
         (index (hash-count (const #t) procedures))
         (unit (description-unit description))
         (owners (cons procedure owners)))
    (hashq-set! procedures procedure index)
    (let* ((cells (map (lambda (free) (free->cell draft owners free (description-environment description)))
                       (vector->list (unit-free unit))))
           (captures (map (lambda (variable value) (value->cell draft owners (make-free #f (car variable) #f #f) value))
                          (vector->list (unit-captured unit)) (vector->list (description-captures description))))
           (instance (vector (unit-index draft unit) (list->vector cells) (list->vector captures))))
      (set-draft-instances! draft (acons index instance (draft-instances draft)))
      index)))

(define (procedure->cell draft owners procedure)
  (let ((description (description procedure)))
    (if description
        (or (named-cell procedure description)
            (list 'instance
                  (or (hashq-ref (draft-procedures draft) procedure)
                      (add-instance! draft owners procedure description))))
        (let ((reference (or (procedure-reference procedure) (refuse-closure procedure))))
          (list 'import (car reference) (cdr reference))))))

;;; The whole.

(define digests (make-weak-key-hash-table))

(define (unit->wire unit)
  (or (hashq-ref digests unit)
      (let ((wire (vector (digest (unit-bytecode unit)) unit)))
        (hashq-set! digests unit wire)
        wire)))

(define (table->vector table items)
  "Return the vector of @var{items}, an alist by index."
  (let ((result (make-vector (hash-count (const #t) table))))
    (for-each (lambda (item) (vector-set! result (car item) (cdr item))) items)
    result))

(define (draft->bundle draft root)
  (vector 'tutti-code
          root
          (table->vector (draft-units draft)
                         (hash-map->list (lambda (unit index) (cons index (unit->wire unit))) (draft-units draft)))
          (table->vector (draft-procedures draft) (draft-instances draft))))

;; Procedure -> (bundle check ...).
(define bundles (make-weak-key-hash-table))

(define (remote-bundle procedure)
  "Return the description of @var{procedure} that @code{bundle->procedure} makes into an equivalent procedure in
another process: plain data, with the values of captured variables in it as they are.  The same object as long as
nothing has been redefined.  What cannot be given to a worker raises @code{&not-remotable}."
  (let ((cached (hashq-ref bundles procedure)))
    (if (and cached (every holds? (cdr cached)))
        (car cached)
        (let* ((draft (make-draft '() (make-hash-table) (make-hash-table) '()))
               (bundle (draft->bundle draft (procedure->cell draft '() procedure))))
          (hashq-set! bundles procedure (cons bundle (draft-checks draft)))
          bundle))))
