;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Remote parameters: those whose values travel with tasks. In another process a parameter is known by its key, a list of the name of its
;; module (#f: a script's; a number: that of the session of a script), its own name, and how many that were called so there were before it.
(define-module (tutti remote parameter)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base lock)
  #:use-module (tutti base session)
  #:export (make-remote-parameter remote-parameter? remote-parameter-name remote-parameter-items arrived-parameter
            current-settings call-with-settings parameters-set-back! forget-parameters!))

(define-record-type <entry>
  (make-entry key parameter default)
  entry?
  (key entry-key)
  (parameter entry-parameter)
  (default entry-default))              ; converted

(define lock (make-shared-mutex))
(define entries '())
(define by-parameter (make-weak-key-hash-table))

(define (entry-of parameter)
  (and (procedure? parameter) (hashq-ref by-parameter parameter)))

(define (add-entry! key parameter)
  (let ((entry (make-entry key parameter (parameter))))
    (hashq-set! by-parameter parameter entry)
    ;; A program that defines a name again does not need the former value any more.
    (set! entries (cons entry (remove (lambda (other) (equal? (list-head (entry-key other) 2) (list-head key 2))) entries)))
    parameter))

(define (find-entry key)
  (find (lambda (entry) (equal? key (entry-key entry))) entries))

;; How many there were, by module and name.
(define counts (make-hash-table))

(define* (make-remote-parameter module name default #:optional (converter identity))
  "Return the parameter that @var{name} is in @var{module}, a name, or @code{#f} for that of the script."
  (unless (procedure? converter)
    (scm-error 'wrong-type-arg "define-remote-parameter" "expected a procedure that converts values, got ~S" (list converter)
               (list converter)))
  (with-mutex lock
    (let* ((module (or module (session-number (current-session))))
           (count (hash-ref counts (list module name) 0))
           (key (list module name count)))
      (hash-set! counts (list module name) (1+ count))
      ;; A value of it may have come here before the module.
      (cond ((find-entry key) => entry-parameter)
            (else (add-entry! key (make-parameter default converter)))))))

(define (forget-parameters! session)
  "Forget the remote parameters of the script of @var{session}, which has ended."
  (with-mutex lock
    (define (its? module) (eqv? module (session-number session)))
    (set! entries (remove (lambda (entry) (its? (first (entry-key entry)))) entries))
    (for-each (lambda (module+name) (hash-remove! counts module+name))
              (filter (lambda (module+name) (its? (first module+name))) (hash-map->list (lambda (key count) key) counts)))))

(define (remote-parameter? x)
  "Return true if @var{x} was defined by @code{define-remote-parameter}, here or on its way here."
  (->bool (entry-of x)))

(define (remote-parameter-name parameter)
  "Return the name of the remote parameter @var{parameter}, a symbol."
  (second (entry-key (entry-of parameter))))

(define (remote-parameter-items parameter)
  "Return what makes the remote parameter @var{parameter} known to another process: arguments of @code{arrived-parameter}."
  (let ((entry (entry-of parameter)))
    (list (entry-key entry) (entry-default entry) (parameter-converter parameter))))

(define (arrived-parameter key default converter)
  "Return the parameter with @var{key}; if there is none yet, it is made with @var{default} and @var{converter}."
  (with-mutex lock
    (cond ((find-entry key) => entry-parameter)
          (else (add-entry! key (fluid->parameter (make-fluid default) converter))))))

(define (current-settings)
  "Return the list of pairs of parameter and value for the remote parameters that have other values than their defaults now."
  (if (null? entries)
      '()
      (filter-map (lambda (entry)
                    (let ((value ((entry-parameter entry))))
                      (and (not (eq? value (entry-default entry)))
                           (cons (entry-parameter entry) value))))
                  entries)))

(define (call-with-settings settings thunk)
  "Call @var{thunk} while the parameters in @var{settings} have their values there, which were converted where they come from."
  (with-fluids* (map (lambda (setting) (parameter-fluid (car setting))) settings) (map cdr settings) thunk))

(define (parameters-set-back!)
  "Give all remote parameters their defaults: a task may have assigned them."
  (unless (null? entries)
    (for-each (lambda (entry)
                (let ((fluid (parameter-fluid (entry-parameter entry))))
                  (unless (eq? (fluid-ref fluid) (entry-default entry))
                    (fluid-set! fluid (entry-default entry)))))
              entries)))
