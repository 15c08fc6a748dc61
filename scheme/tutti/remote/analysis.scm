;; SPDX-License-Identifier: LGPL-3.0-or-later
;; From the syntax of a remote procedure to bytecode in which nothing is free: what was free has become parameters.
;; Runs while a program is being expanded, and is the only part that needs the compiler.
;;
;; The form is expanded for a second time, by itself.  The locals around it would then be taken for top-level
;; variables.  So those that it mentions are bound again, by their own identifiers, right around it: the expander then
;; tells exactly which of them the form means, whatever it shadows and whatever its macros do.
(define-module (tutti remote analysis)
  #:use-module (language tree-il)
  #:use-module ((language tree-il primitives) #:select (resolve-primitives))
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-11)
  #:use-module (system base compile)
  #:use-module (system syntax)
  #:use-module (tutti base frame-limit)
  #:use-module (tutti remote code)
  #:export (compile-remote syntax-place top-level-name))

;;; Places.

(define (place source)
  ;; Syntax objects and tree-il give an alist or a vector, depending on the version of Guile; lines there count from 0.
  (cond ((vector? source)
         (list (vector-ref source 0) (1+ (vector-ref source 1)) (vector-ref source 2)))
        ((pair? source)
         (list (assq-ref source 'filename) (1+ (or (assq-ref source 'line) 0)) (or (assq-ref source 'column) 0)))
        (else #f)))

(define (syntax-place stx)
  "Return the list of file, line and column where @var{stx} was read, or @code{#f}."
  (place (or (syntax-source stx)
             (syntax-case stx ()
               ((head . tail) (syntax-source #'head))
               (_ #f)))))

;;; The locals around a form.

(define (identifiers stx)
  "Return the different identifiers in @var{stx}."
  (define seen (make-hash-table))
  (let visit ((stx stx))
    (syntax-case stx ()
      (id
       (identifier? #'id)
       (let* ((name (syntax->datum #'id))
              (same-name (hashq-ref seen name '())))
         (unless (find (lambda (other) (bound-identifier=? other #'id)) same-name)
           (hashq-set! seen name (cons #'id same-name)))))
      ((head . tail) (begin (visit #'head) (visit #'tail)))
      (#(item ...) (for-each visit #'(item ...)))
      (_ #f)))
  (hash-fold (lambda (name ids all) (append ids all)) '() seen))

(define (binding id)
  (call-with-values (lambda () (syntax-local-binding id)) cons))

(define (local-macro? id)
  (and (eq? (car (binding id)) 'macro)
       (find (lambda (other) (bound-identifier=? id other)) (syntax-locally-bound-identifiers id))))

(define (renamed-global? id)
  ;; A definition at top level by a macro that made up its name: the expander calls it something else.
  (let ((found (binding id)))
    (and (eq? (car found) 'global)
         (not (eq? (cadr found) (syntax->datum id))))))

(define (expand-with-locals form)
  "Return the tree-il of @code{(lambda (local ...) @var{form})}, with the local macros around @var{form} bound too."
  (let ((ids (identifiers form)))
    (with-syntax ((form form)
                  (((renamed name) ...)
                   (map (lambda (id) (list id (datum->syntax #f (cadr (binding id))))) (filter renamed-global? ids)))
                  ((variable ...) (filter (lambda (id) (eq? (car (binding id)) 'lexical)) ids))
                  (((macro transformer) ...)
                   (map (lambda (id) (list id (datum->syntax #f (cdr (binding id))))) (filter local-macro? ids))))
      (macroexpand #'(lambda (variable ...)
                       (let-syntax ((macro 'transformer) ... (renamed (identifier-syntax name)) ...)
                         form))
                   'c '(compile load eval)))))

(define (out-of-scope arguments)
  ;; What the template of a local macro means cannot be bound again: it is nowhere in the form.
  (and (equal? (second arguments) "reference to identifier outside its scope")
       (list (syntax->datum (fourth arguments)) (place (third arguments)))))

;;; Free variables.

(define (make-collector)
  "Return two procedures: one that notes a free variable and returns the symbol of its parameter, and one that returns
all that were noted, as a list of pairs of symbol and free variable."
  (let ((noted '()))
    (values
     (lambda (module name assigned? source)
       (let* ((known (find (lambda (entry)
                             (and (eq? (free-name (cdr entry)) name) (equal? (free-module (cdr entry)) module)))
                           noted))
              (symbol (if known (car known) (gensym "free"))))
         (set! noted
               (acons symbol
                      (make-free module name (or assigned? (and known (free-assigned? (cdr known))))
                                 (if known (free-source (cdr known)) source))
                      (if known (delq known noted) noted)))
         symbol))
     (lambda () (reverse noted)))))

(define (environment-reference? tree)
  (and (module-ref? tree) (eq? (module-ref-name tree) 'remote-environment)))

(define (close-over tree note! environment here)
  "Return @var{tree} with its free variables, which @var{note!} is called with, replaced by references to parameters."
  (define (parameter src module name assigned?)
    (let ((module (if (or (not module) (equal? module here)) (lasting-name here) module)))
      (make-lexical-ref src name (note! module name assigned? (place src)))))
  (define (reference src module name)
    (make-primcall src 'variable-ref (list (parameter src module name #f))))
  (define (assignment src module name value)
    (make-primcall src 'variable-set! (list (parameter src module name #t) value)))
  (define (close x)
    (cond ((toplevel-ref? x)
           (reference (toplevel-ref-src x) (toplevel-ref-mod x) (toplevel-ref-name x)))
          ((environment-reference? x)
           x)                           ; its call is replaced as a whole
          ((module-ref? x)
           (reference (module-ref-src x) (module-ref-mod x) (module-ref-name x)))
          ((toplevel-set? x)
           (assignment (toplevel-set-src x) (toplevel-set-mod x) (toplevel-set-name x) (toplevel-set-exp x)))
          ((toplevel-define? x)
           (assignment (toplevel-define-src x) (toplevel-define-mod x) (toplevel-define-name x)
                       (toplevel-define-exp x)))
          ((module-set? x)
           (assignment (module-set-src x) (module-set-mod x) (module-set-name x) (module-set-exp x)))
          ;; Remote code inside remote code finds its free variables with those of the outer one, which has the same: the
          ;; inner procedure is part of it.
          ((and (call? x) (environment-reference? (call-proc x)))
           (make-lexical-ref #f 'environment environment))
          (else x)))
  (post-order close tree))

(define (referenced tree)
  "Return a hash table from each lexical symbol that @var{tree} uses to the place of a use."
  (define table (make-hash-table))
  (define (note! src symbol)
    (hashq-set! table symbol (or (place src) 'unknown)))
  (post-order (lambda (x)
                (cond ((lexical-ref? x) (note! (lexical-ref-src x) (lexical-ref-gensym x)))
                      ((lexical-set? x) (note! (lexical-set-src x) (lexical-set-gensym x))))
                x)
              tree)
  table)

;;; The whole way.

(define (bytecode tree parameters module)
  (let ((symbols (map car parameters))
        (names (map (lambda (parameter) (if (cdr parameter) (free-name (cdr parameter)) 'environment)) parameters)))
    (compile (make-lambda #f '() (make-lambda-case #f names #f #f #f '() symbols tree #f))
             ;; The compilation of the program itself emits the warnings.
             #:from 'tree-il #:to 'bytecode #:env module #:warning-level 0)))

(define (first-captured case)
  "Return what tells of a parameter of @var{case}, a lambda case, that its body uses, or @code{#f}."
  (let ((used (referenced (lambda-case-body case))))
    (any (lambda (name symbol)
           (let ((where (hashq-ref used symbol)))
             (and where (list name (and (pair? where) where)))))
         (lambda-case-req case) (lambda-case-gensyms case))))

(define (captured-variables case)
  "Return the vector of pairs, of name and whether it is assigned, for the captured values: what @var{case}, a lambda case, requires."
  (define assigned (make-hash-table))
  (post-order (lambda (x)
                (when (lexical-set? x)
                  (hashq-set! assigned (lexical-set-gensym x) #t))
                x)
              (lambda-case-body case))
  (list->vector (map (lambda (name symbol) (cons name (hashq-ref assigned symbol)))
                     (lambda-case-req case) (lambda-case-gensyms case))))

(define (captures-of body)
  ;; BODY is the procedure of the captured values.
  (if (and (lambda? body) (lambda-case? (lambda-body body)))
      (captured-variables (lambda-body body))
      #()))

(define (lasting-name module-name)
  "Return @var{module-name}, or @code{#f} if Guile has made it up: scripts are compiled in a module without a name."
  (and (not (string-prefix? " " (symbol->string (car module-name)))) module-name))

(define (compile-closed body name source home)
  (define module (current-module))
  (let*-values (((note! noted) (make-collector))
                ((environment) (gensym "environment"))
                ((closed) (close-over (resolve-primitives body module) note! environment (module-name module))))
    (make-unit (bytecode closed (acons environment #f (noted)) module)
               name source home (list->vector (map cdr (noted))) (captures-of body))))

(define (compile-remote form name source home)
  "Compile @var{form}, the syntax of a procedure of the captured values that returns the remote procedure.  Return a
unit; or, if the form uses what is local around it, a list of its name and its place."
  (let ((tree (catch 'syntax-error
                (lambda () (expand-with-locals form))
                (lambda (key . arguments)
                  (or (out-of-scope arguments) (apply throw key arguments))))))
    (if (pair? tree)
        tree
        (let ((case (lambda-body tree)))
          (or (first-captured case)
              (compile-closed (check-frames (lambda-case-body case)) name source home))))))

(define (top-level-name id)
  "Return the pair of module name and symbol under which @var{id} is known at top level, or @code{#f} if it is local."
  (let ((found (binding id)))
    (and (eq? (car found) 'global)
         (cons (lasting-name (cddr found)) (cadr found)))))
