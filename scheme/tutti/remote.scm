;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote code: procedures that are ordinary here and that workers can be given.  A remote procedure is compiled twice
;; while its program is expanded: once in place, like any other, and once for itself, as bytecode that is part of the
;; program.
(define-module (tutti remote)
  #:use-module (tutti remote bundle)
  #:use-module (tutti remote code)
  #:use-module (tutti remote link)
  #:use-module (tutti remote memory)
  #:use-module (tutti remote names)
  #:use-module (tutti remote parameter)
  #:export (define-remote define-remote-parameter remote)
  #:re-export (set-call-memory!
               remotable-procedure? remote-bundle bundle-refusal bundle->procedure
               procedure-reference record-type-reference record-advice resolve-reference importable-module?
               remote-parameter? remote-parameter-name remote-parameter-items arrived-parameter
               current-settings call-with-settings parameters-set-back!))

;; The compiler is loaded when the first remote form is expanded, never by a program that was compiled before.
(define (compile-remote* . arguments)
  (apply (@ (tutti remote analysis) compile-remote) arguments))

(define (lambda-form? stx)
  (syntax-case stx ()
    ((head . rest)
     (identifier? #'head)
     (or-map (lambda (id) (free-identifier=? #'head id)) (list #'lambda #'lambda* #'case-lambda #'case-lambda*)))
    (_ #f)))

(define (advice kind name variables)
  ;; VARIABLES: what is in the binding list already.
  (let ((bindings (string-join (map (lambda (variable) (simple-format #f "(~A ~A)" variable variable))
                                    (append variables (list name))))))
    (if (eq? kind 'remote)
        (simple-format #f "write (remote (~A) (lambda …)): the value then travels with the procedure" bindings)
        (simple-format #f "write (define … (remote (~A) (lambda …))), or define `~A' at top level with define-remote"
                       bindings name))))

;; A macro use in a body is expanded when it is met, before it is known what the body defines: not so in the body of a
;; let.
(define-syntax-rule (later expression)
  (let () expression))

;; What procedure-name and procedure-documentation tell, taken from the lambda form itself: to ask a procedure for it loads Guile's
;; debugging modules, which takes longer than all else that the first remote procedure of a program needs.
(define (properties-of name form)
  (define (with-documentation body)
    (syntax-case body ()
      ((metadata . rest) (vector? (syntax->datum #'metadata)) (with-documentation #'rest))
      ((text _ . _) (string? (syntax->datum #'text)) `((documentation . ,(syntax->datum #'text))))
      (_ '())))
  (define (with-name rest) (if name (acons 'name name rest) rest))
  (with-name
   (syntax-case form (case-lambda case-lambda*)
     ((case-lambda (_ . body) . _) (with-documentation #'body))
     ((case-lambda* (_ . body) . _) (with-documentation #'body))
     ((_ _ . body) (with-documentation #'body)))))

;; PROCEDURE, made by FORM, as a procedure that remembers its calls; NAME is #f if it has none.
(define-syntax remembering-form
  (lambda (stx)
    (syntax-case stx ()
      ((_ procedure name form)
       (with-syntax ((properties (datum->syntax #f (properties-of (syntax->datum #'name) #'form))))
         #'(remembering procedure 'properties))))))

;; (attach-unit KIND PROCEDURE NAME CODE VARIABLE ...): PROCEDURE, with the description of CODE, which for workers
;; makes it.
(define-syntax attach-unit
  (lambda (stx)
    (syntax-case stx ()
      ((_ kind procedure name code variable ...)
       (let* ((name (syntax->datum #'name))
              (place ((@ (tutti remote analysis) syntax-place) #'code))
              (home (and name ((@ (tutti remote analysis) top-level-name) #'procedure)))
              (unit (compile-remote* #'(lambda (variable ...) code) name place home)))
         (if (pair? unit)
             (with-syntax ((local (datum->syntax #f (car unit)))
                           (source (datum->syntax #f (or (cadr unit) place)))
                           (text (advice (syntax->datum #'kind) (car unit) (syntax->datum #'(variable ...)))))
               #'(raise-captured 'local 'source text))
             (with-syntax ((unit (datum->syntax #f unit)))
               #'(attach-remembering! procedure 'unit (remote-environment) (vector variable ...)))))))))

(define-syntax remote
  (lambda (stx)
    "Return a procedure that may run on a worker.  @code{(remote (lambda formals body ...))}, or, to give it values of
local variables, @code{(remote ((k expression) ...) (lambda formals body ...))}: like @code{let}, the expressions are
evaluated here, and their values travel with the procedure.  What @code{(current-module)} is while it runs is up to
the worker: to @code{eval} there, name the module."
    (syntax-case stx ()
      ((_ procedure)
       (lambda-form? #'procedure)
       #'(later (attach-unit remote (remembering-form procedure #f procedure) #f procedure)))
      ((_ ((variable expression) ...) procedure)
       (and (lambda-form? #'procedure) (and-map identifier? #'(variable ...)))
       #'(let ((variable expression) ...)
           (later (attach-unit remote (remembering-form procedure #f procedure) #f procedure variable ...))))
      (_ (syntax-violation 'remote "expected (remote (lambda …)) or (remote ((name expression) …) (lambda …))" stx)))))

(define-syntax define-remote
  (lambda (stx)
    "Define what workers know too: @code{(define-remote (name . formals) body ...)}, a procedure; or
@code{(define-remote name expression)}, a variable whose value, made here and once, travels."
    (syntax-case stx ()
      ((_ (id . formals) body0 body ...)
       (identifier? #'id)
       #'(define-remote-procedure id (lambda* formals #((name . id)) body0 body ...)))
      ((_ name procedure)
       (and (identifier? #'name) (lambda-form? #'procedure))
       #'(define-remote-procedure name procedure))
      ((_ name expression)
       (identifier? #'name)
       #'(begin
           (define name expression)
           (mark-value name)))
      (_ (syntax-violation 'define-remote
                           "expected (define-remote (name . formals) body …) or (define-remote name expression)"
                           stx)))))

(define-syntax define-remote-parameter
  (lambda (stx)
    "Define, at top level, a parameter whose value travels with each task: tasks find the value that it has where they are submitted.
@code{(define-remote-parameter name default)}, or with a third expression, a procedure that converts values as for
@code{make-parameter}; workers are given it, too."
    (syntax-case stx ()
      ((_ name default)
       (identifier? #'name)
       #'(define-parameter-here name default))
      ((_ name default converter)
       (and (identifier? #'name) (lambda-form? #'converter))
       #'(define-parameter-here name default (remote converter)))
      ((_ name default converter)
       (identifier? #'name)
       #'(define-parameter-here name default converter))
      (_ (syntax-violation 'define-remote-parameter "expected (define-remote-parameter name default [converter])" stx)))))

(define-syntax define-parameter-here
  (lambda (stx)
    (syntax-case stx ()
      ((_ name default converter ...)
       #'(begin
           (define name #f)
           (assign-parameter name default converter ...))))))

;; Expanded after the definition: only now does the expander know where the name is.
(define-syntax assign-parameter
  (lambda (stx)
    (syntax-case stx ()
      ((_ name default converter ...)
       (let ((home ((@ (tutti remote analysis) top-level-name) #'name)))
         (unless home
           (syntax-violation 'define-remote-parameter "a remote parameter is defined at top level, where workers find it" stx #'name))
         (with-syntax ((module (datum->syntax #f (car home)))
                       (symbol (datum->syntax #f (cdr home))))
           #'(set! name (make-remote-parameter 'module 'symbol default converter ...))))))))

(define-syntax define-remote-procedure
  (lambda (stx)
    (syntax-case stx ()
      ((_ name procedure)
       #'(begin
           (define name (remembering-form (letrec ((name procedure)) name) name procedure))
           (later (attach-named name procedure)))))))

;; A procedure defined inside a body may call itself: there its name is local, so the code for workers binds it.
(define-syntax attach-named
  (lambda (stx)
    (syntax-case stx ()
      ((_ name procedure)
       (if ((@ (tutti remote analysis) top-level-name) #'name)
           #'(begin (attach-unit define name name procedure) (if #f #f))
           #'(begin (attach-unit define name name (letrec ((name procedure)) name)) (if #f #f)))))))

(define-syntax mark-value
  (lambda (stx)
    (syntax-case stx ()
      ((_ name)
       (let ((home ((@ (tutti remote analysis) top-level-name) #'name)))
         (if home
             (with-syntax ((module (datum->syntax #f (car home)))
                           (symbol (datum->syntax #f (cdr home))))
               #'(mark-remote-value! 'module 'symbol))
             ;; A local: to be captured like any other.
             #'(if #f #f)))))))
