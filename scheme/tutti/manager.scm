;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Execution scopes: pools and parallel operators that are made inside end with the scope, however it is left.
(define-module (tutti manager)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (tutti base log)
  #:use-module (tutti base scope)
  #:use-module (tutti conditions)
  #:use-module (tutti pool type)
  #:re-export (execution-manager? total-worker-count worker-count-warning)
  #:export (call-with-execution-manager with-execution-manager manager-close! close-all-pools!))

(define (leave manager complete?)
  "Close @var{manager}. Return what that raised, or @code{#f}; if the scope is left by another exception, that one arrives and this
one is only reported."
  (let ((problem (close-manager! manager)))
    (cond ((or complete? (not problem)) problem)
          ((and (error? problem) (not (interruption? problem)))
           (write-line-beside (current-error-port)
                              (format #f "tutti: while the scope of ~a was left: ~a" (manager->string manager)
                                      (condition->string problem)))
           #f)
          (else (raise-exception problem)))))

(define (call-with-execution-manager proc)
  "Call @var{proc} with a new execution manager, and return its values. Pools and parallel operators that are made meanwhile, also by
threads that are started meanwhile, are closed however @var{proc} is left: first those of scopes inside, then the others, the
newest first. To come back into a scope that was left, by a continuation, is an error."
  (let ((manager (open-manager!))
        (entered? #f)
        (complete? #f)
        (problem #f))
    (define (enter)
      (when entered?
        (raise-tutti (make-tutti-error (format #f "the scope of ~a was left, and cannot be entered again" (manager->string manager)))
                     'call-with-execution-manager))
      (set! entered? #t))
    (define (run)
      (call-with-values (lambda () (parameterize ((current-manager manager)) (proc manager)))
        (lambda results
          (set! complete? #t)
          (apply values results))))
    (call-with-values
        (lambda () (dynamic-wind enter run (lambda () (set! problem (leave manager complete?)))))
      (lambda results
        (when problem (raise-exception problem))
        (apply values results)))))

(define-syntax-rule (with-execution-manager body ...)
  "Evaluate BODY in a scope of its own, and return its values."
  (call-with-execution-manager (lambda (_) body ...)))

(define (manager-close! manager)
  "Close what was made in the scope of @var{manager}, before the scope is left; nothing more can be made in it. While a scope inside
is open this is an error, and nothing is closed. Closing twice is fine."
  (unless (execution-manager? manager)
    (scm-error 'wrong-type-arg "manager-close!" "expected an execution manager, got ~S" (list manager) (list manager)))
  (let ((inner (adopted 'manager manager)))
    (unless (null? inner)
      (raise-tutti (make-tutti-error
                    (format #f "~a cannot be closed while ~a, which was opened inside of it, is open; leave or close that first"
                            (manager->string manager) (manager->string (car inner))))
                   'manager-close!)))
  (and=> (close-manager! manager) raise-exception)
  *unspecified*)

(define (close-all-pools!)
  "Close all pools of this process, or if an application runs several scripts of this one, the newest first, whatever scope they belong to."
  (and=> (close-things! 'pool) raise-exception)
  *unspecified*)
