;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The part in C for nodes elsewhere: its primitives, whose names begin with %. They check what would otherwise crash and no more. The
;; extension is loaded by the first call of one: an installation may lack it, and the modules can be imported all the same.
(define-module (tutti launcher primitives)
  #:use-module (tutti base check)
  #:use-module (tutti base extension)
  #:export (use-primitives! %cluster-new %cluster-launch! %cluster-write-invitation! %cluster-events! %cluster-wakeup %cluster-nodes
            %cluster-give-up! %cluster-close! %cluster-ping %cluster-stream %facts %facts-different %agent-program))

(define file-name "tutti-cluster.so")

(define (find-extension)
  ;; A build has it beside the other part of the bindings.
  (or (find-shared-object file-name)
      (search-path (parse-path (or (getenv "GUILE_EXTENSIONS_PATH") "")) file-name)))

(define (load-extension!)
  (let ((file (find-extension))
        (module (make-module)))
    (unless file
      (refuse 'make-pool "this installation has no part for nodes elsewhere, ~a; if it is a build of your own, install libgnutls28-dev and \
build again, else set TUTTI_MODULEDIR to its folder" (string-join (shared-object-names file-name) ", ")))
    (save-module-excursion
     (lambda ()
       (set-current-module module)
       (load-extension file "tti_cluster_init")))
    module))

(define home (delay (load-extension!)))

(define (use-primitives! module)
  "Take the primitives from @var{module} from now on; @code{#f}: from the extension again."
  (set! home (if module (delay module) (delay (load-extension!)))))

(define-syntax-rule (define-primitives name ...)
  (begin (define (name . arguments) (apply (module-ref (force home) 'name) arguments)) ...))

(define-primitives %cluster-new %cluster-launch! %cluster-write-invitation! %cluster-events! %cluster-wakeup %cluster-nodes
  %cluster-give-up! %cluster-close! %cluster-ping %cluster-stream %facts %facts-different %agent-program)
