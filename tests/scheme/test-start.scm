;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What starts quickly loads little: modules that take long and that nobody has asked for stay away.
(use-modules (tutti))

(define-remote (loaded modules)
  (filter (lambda (name) (resolve-module name #f #:ensure #f)) modules))
(define-remote (fail) (error "on purpose"))

(define objects '(oop goops))
(define debugger '((system vm frame) (system vm debug)))
(define compiler '((system base compile) (language tree-il)))

(define before (loaded (list objects)))
;; Not sooner: they might load what is looked for.
(use-modules (tap) (srfi srfi-64))

(call-with-tap
 (lambda ()
   (test-group "start"
     (test-equal "the master has no object system" '() before)
     (call-with-pool 1
       (lambda (pool)
         (define (loaded-there modules) (task-wait (pool-submit! pool loaded modules)))
         (test-equal "nor has a worker" '() (loaded-there (list objects)))
         (test-equal "nor a compiler" '() (loaded-there compiler))
         (test-equal "it gets the debugger" '() (loaded-there debugger))
         (test-assert "with the first exception"
           (worker-error? (with-exception-handler identity (lambda () (task-wait (pool-submit! pool fail))) #:unwind? #t)))
         (test-equal "and not before" debugger (loaded-there debugger)))))))
