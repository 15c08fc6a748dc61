;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The description of a remote procedure: its code, compiled when it was expanded, the environment in which the free variables of that code
;; are looked up, and its captured values.
;;
;; A unit is a literal in the program that made the procedure: a vector
;;   #(tutti-unit BYTECODE NAME SOURCE HOME FREE CAPTURED)
;; BYTECODE loads as a thunk; its value takes the environment and one variable per item of FREE, and returns a
;; procedure of the captured values, which returns the remote procedure.  HOME is (module . name) if it was defined at
;; top level.  FREE is a vector of free variables #(MODULE NAME ASSIGNED? SOURCE), CAPTURED one of pairs (NAME . ASSIGNED?)
;; for the captured values.  No SOURCE is more than a list of
;; file, line and column.  A MODULE is a name, or #f for the module of the program itself: a script is compiled in a
;; module without a name, and run in another.
(define-module (tutti remote code)
  #:use-module (srfi srfi-9)
  #:use-module (tutti conditions)
  #:export (make-unit unit-bytecode unit-name unit-source unit-home unit-free unit-captured
            make-free free-module free-name free-assigned? free-source
            make-environment environment? environment-maker environment-free environment-cells environment-variables remote-environment
            attach-remote! description description-unit description-environment description-captures
            remotable-procedure?
            mark-remote-value! remote-value-state
            raise-captured))

;;; Units and free variables: plain data, so that they can be literals.

(define (make-unit bytecode name source home free captured)
  "Return the unit of the given parts."
  (vector 'tutti-unit bytecode name source home free captured))

(define (unit-bytecode unit) "Return the bytevector with the code of @var{unit}." (vector-ref unit 1))
(define (unit-name unit) "Return the name of the procedure made by @var{unit}, or @code{#f}." (vector-ref unit 2))
(define (unit-source unit) "Return where @var{unit} was written, or @code{#f}." (vector-ref unit 3))
(define (unit-home unit)
  "Return the pair of module and name where @var{unit} was defined, or @code{#f}."
  (vector-ref unit 4))
(define (unit-free unit) "Return the vector of free variables of @var{unit}." (vector-ref unit 5))
(define (unit-captured unit)
  "Return the vector of pairs, of a name and whether it is assigned, for the captured values of @var{unit}."
  (vector-ref unit 6))

(define (make-free module name assigned? source)
  "Return the free variable @var{name} of the module of that name."
  (vector module name assigned? source))

(define (free-module free)
  "Return the name of the module that @var{free} is looked up in, @code{#f} for that of the program."
  (vector-ref free 0))
(define (free-name free) "Return the name of @var{free}, a symbol." (vector-ref free 1))
(define (free-assigned? free) "Return true if @var{free} is assigned." (vector-ref free 2))
(define (free-source free) "Return where @var{free} is first used, or @code{#f}." (vector-ref free 3))

;;; Environments.  In the program that contains the remote code it is the program's module: free variables are looked
;;; up in modules.  A procedure that has arrived has one of these, because the modules of a script do not exist in a
;;; worker.

(define-record-type <environment>
  (make-environment maker free cells variables)
  environment?
  (maker environment-maker)            ; what the loaded code is: a procedure of the environment and the variables
  (free environment-free)              ; vector of free variables, as in the unit
  (cells environment-cells)            ; vector: what each of them stood for in the bundle
  (variables environment-variables))   ; vector of variable objects

(define (remote-environment)
  "Return the environment of remote code, the current module.  In code for workers, a call of this procedure is
replaced by the environment of the procedure it is in, so that remote procedures made on a worker are remotable too."
  (current-module))

;;; Descriptions.

(define-record-type <description>
  (make-description unit environment captures)
  description?
  (unit description-unit)
  (environment description-environment)   ; <environment>, or module
  (captures description-captures))        ; vector of values

;; Guile's weak tables have locks of their own.
(define descriptions (make-weak-key-hash-table))

(define (attach-remote! procedure unit environment captures)
  "Return @var{procedure}, from now on known to be made by @var{unit} in @var{environment} with the values
@var{captures}."
  (hashq-set! descriptions procedure (make-description unit environment captures))
  procedure)

(define (description x)
  "Return the description of the remote procedure @var{x}, or @code{#f} if it is none."
  (and (procedure? x) (hashq-ref descriptions x)))

(define (remotable-procedure? x)
  "Return true if @var{x} is a procedure made by @code{define-remote} or @code{remote}, here or on its way here."
  (->bool (description x)))

;;; Variables that define-remote gave a value.

;; Variable -> value at that time.  A plain define or set! of the same name changes the same variable object.
(define remote-values (make-weak-key-hash-table))

(define (mark-remote-value! module name)
  "Note that workers are to be given the value that @var{name} has now in @var{module}, a name, or @code{#f} for the
current module."
  (let ((variable (module-variable (if module (resolve-module module) (current-module)) name)))
    (hashq-set! remote-values variable (list (variable-ref variable)))
    *unspecified*))

(define (remote-value-state variable)
  "Return @code{current} if @var{variable} has the value that @code{define-remote} gave it, @code{changed} if it has
been given another since, @code{#f} if it was never defined that way."
  (let ((mark (hashq-ref remote-values variable)))
    (and mark
         (if (and (variable-bound? variable) (eqv? (car mark) (variable-ref variable)))
             'current
             'changed))))

;;; What the expander found wrong is raised where the form is evaluated: a guard around it sees it, and the rest of
;;; the file is none the worse.

(define (raise-captured variable source advice)
  "Raise the @code{&not-remotable} for remote code that uses the local @var{variable} around it."
  (raise-tutti
   (make-not-remotable
    (simple-format #f "remote code uses the local `~A' that is bound around it; a worker does not know it" variable)
    #:variable variable #:source source #:advice advice)))
