;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Objects that two processes can refer to by name: the modules that both can import, and the procedures and record types in them.  An
;; object has a name only if looking that up returns this very object.
(define-module (tutti remote names)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base lock)
  #:use-module (tutti conditions)
  #:use-module (tutti remote supplied)
  #:export (importable-module? procedure-reference record-type-reference record-type-descriptor? record-advice inlined-name
            resolve-reference resolve-variable find-module name-of))

(define (find-module name)
  "Return the module called @var{name} if it exists in this process already, else @code{#f}."
  (if (equal? name '(guile))
      the-root-module
      (resolve-module name #f #:ensure #f)))

;; To ask a procedure for its name reads the debugging information from its start, 50 us and more for one of this library.
(define names (make-weak-key-hash-table)) ; of strings, or the symbol none

(define (name-of procedure)
  "Return the name of @var{procedure} as a string, @code{#f} if it has none or is none."
  (and (procedure? procedure)
       (let ((name (or (hashq-ref names procedure)
                       (let ((name (or (and=> (procedure-name procedure) symbol->string) 'none)))
                         (hashq-set! names procedure name)
                         name))))
         (and (string? name) name))))

;;; Importable modules.

(define known-importable (make-weak-key-hash-table))

(define (relative-file name)
  (string-join (map symbol->string name) "/"))

(define (autoloaded? name)
  ;; A script that is being run, and a module made inside it, may have a name that matches a file: what tells is that
  ;; the module system loaded the file because somebody asked for the module.
  (let ((folder (string-concatenate
                 (map (lambda (part) (string-append (symbol->string part) "/")) (drop-right name 1)))))
    (autoload-done-or-in-progress? folder (symbol->string (last name)))))

(define (findable? name)
  (let ((file (relative-file name)))
    (or (supplied-module file)
        (%search-load-path file)
        (search-path %load-compiled-path file %load-compiled-extensions))))

(define (importable-module? module)
  "Return true if @var{module}, a module or its name, can be imported by another process with the same load path, and is
what that process would get: it was loaded from the file that is found under its name."
  (let ((module (if (module? module) module (find-module module))))
    (and module
         (or (eq? module the-root-module)
             (hashq-ref known-importable module)
             (let ((name (module-name module)))
               (and (pair? name)
                    (every symbol? name)
                    (not (equal? name '(guile-user)))
                    (eq? module (find-module name))
                    (autoloaded? name)
                    (findable? name)
                    ;; Only positive answers are cached: a module may become importable when it has been loaded.
                    (begin (hashq-set! known-importable module #t) #t)))))))

;;; From a name to what it names.

(define (module-or-refuse name wanted)
  (define (refuse why)
    (raise-tutti (make-not-remotable
                  (format #f "the module ~a, needed for `~a', cannot be imported here~a" name wanted why)
                  #:variable wanted
                  #:advice "put the folder that contains it on the load path of the pool's workers")))
  (or (with-exception-handler
          (lambda (error)
            (if (interruption? error)
                (raise-exception error)
                (refuse (string-append ": " (condition->string error)))))
        (lambda () (if (equal? name '(guile)) the-root-module (resolve-module name #t #:ensure #f)))
        #:unwind? #t)
      (refuse "")))

(define* (resolve-variable module-name name #:key private?)
  "Return the variable that @var{name} means in the interface of the module @var{module-name}, which is imported if need
be; with @var{private?}, what it means inside that module."
  (let* ((module (module-or-refuse module-name name))
         (interface (module-public-interface module))
         (variable (or (and (not private?) interface (module-variable interface name))
                       (module-variable module name))))
    (unless (and variable (variable-bound? variable))
      (raise-tutti (make-not-remotable (format #f "the module ~a has no variable `~a' here" module-name name)
                                       #:variable name
                                       #:advice "all workers must find the same version of the module as the master")))
    variable))

(define (resolve-reference module-name name)
  "Return the value of the variable @var{name} of the module @var{module-name}, which is imported if need be.  It need
not be exported."
  (variable-ref (resolve-variable module-name name)))

;;; From an object to its name.

;; Object -> (module-name name variable rank).
(define procedure-names (make-weak-key-hash-table))
(define record-type-names (make-weak-key-hash-table))

(define (fold-modules proc seed root)
  (define seen (make-hash-table))
  (let visit ((module (resolve-module root #f #:ensure #f)) (seed seed))
    (hash-fold (lambda (name child seed)
                 (if (or (not (module? child)) (hashq-ref seen child))
                     seed
                     (begin
                       (hashq-set! seen child #t)
                       (visit child (proc child seed)))))
               seed
               (module-submodules module))))

(define (importable-modules root)
  (fold-modules (lambda (module modules)
                  (if (importable-module? module) (cons module modules) modules))
                '()
                root))

(define (rank module name variable)
  ;; The less there is to import, the better.
  (+ (if (eq? module the-root-module) 2 0)
     (if (eq? variable (module-local-variable module name)) 1 0)))

(define (better? object name variable new old)
  (or (not old)
      (> new (fourth old))
      (and (= new (fourth old))
           (not (eq? variable (third old)))
           ;; Two names in one module: the one it was defined with.  Looked at last, because it is slow to find out.
           (procedure? object)
           (eq? name (procedure-name object)))))

(define (index-module! module)
  (define (note! table wanted? from)
    (module-for-each
     (lambda (name variable)
       (when (variable-bound? variable)
         (let ((object (variable-ref variable)))
           (when (and (wanted? object name) (eq? variable (resolve-quietly module name)))
             (let ((new (rank module name variable)))
               (when (better? object name variable new (hashq-ref table object))
                 (hashq-set! table object (list (module-name module) name variable new))))))))
     from))
  (and=> (module-public-interface module)
         (lambda (interface) (note! procedure-names (lambda (object name) (procedure? object)) interface)))
  ;; What a module exports of a record are macros, which stand for procedures that it does not.
  (note! procedure-names (lambda (object name) (and (procedure? object) (inlined-name name))) module)
  (note! record-type-names (lambda (object name) (record-type-descriptor? object)) module))

(define (resolve-quietly module name)
  (or (and=> (module-public-interface module) (lambda (interface) (module-variable interface name)))
      (module-variable module name)))

(define (record-type-descriptor? x)
  "Return true if @var{x} is a record type."
  (and (struct? x) (record-type? x)))

(define record-type?
  ;; Guile keeps the predicate to itself: a record type is an instance of the type of record types.
  (let ((type-of-types (struct-vtable (make-record-type 'probe '()))))
    (lambda (x) (eq? (struct-vtable x) type-of-types))))

(define (inlined-name name)
  "Return the name for users of what is called @var{name}, a symbol, if @code{define-record-type} (or @code{define-inlinable}) has named
it so; else @code{#f}."
  (let ((text (symbol->string name)))
    (and (string-prefix? "%" text) (string-suffix? "-procedure" text)
         (string-drop-right (string-drop text 1) (string-length "-procedure")))))

(define (record-advice name)
  "Return what to do so that workers know the record type called @var{name}, a string."
  (simple-format #f "put the definition of ~A into a module beside the script (or in a folder given with -L): a file records.scm that \
begins with (define-module (records) #:export (…)) and names its procedures there; and write (use-modules (records)) in the script" name))

(define index-lock (make-shared-mutex))

(define (names? entry object)
  (let ((variable (third entry)))
    (and (variable-bound? variable) (eq? object (variable-ref variable)))))

;; What was asked for last, a list of pairs of object and entry, since weak tables are slow. It is never changed: several threads may ask.
(define recent '())
(define most-recent 16)

(define (recent-reference object)
  (let ((entry (assq-ref recent object)))
    (and entry (names? entry object) (cons (first entry) (second entry)))))

(define (remember! object entry)
  (let ((others (remove (lambda (pair) (eq? (car pair) object)) recent)))
    (set! recent (acons object entry (if (< (length others) most-recent) others (list-head others (1- most-recent)))))))

(define (reference table object)
  (define (index! root)
    (for-each index-module! (importable-modules root)))
  (define* (search #:optional (least 0))
    (let ((entry (hashq-ref table object)))
      (and entry
           (>= (fourth entry) least)
           (names? entry object)
           (begin
             (remember! object entry)
             (cons (first entry) (second entry))))))
  (or (recent-reference object)
      (search)
      ;; A miss is on its way to an error, so that it may cost a walk over all modules. Not so the first, which is one of our own
      ;; procedures that each map or task needs: there is no better name for what one of our modules has defined.
      (with-mutex index-lock
        (hashq-remove! table object)
        (index! '(tutti))
        (or (search 1)
            (begin
              (index! '())
              (search))))))

(define (procedure-reference procedure)
  "Return the pair of module name and name under which @var{procedure} is exported by an importable module or by Guile
itself, or @code{#f}."
  (reference procedure-names procedure))

(define (record-type-reference type)
  "Return the pair of module name and name of the top-level variable that holds the record type @var{type} in an
importable module, exported or not, or @code{#f}."
  (reference record-type-names type))
