;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the script has in files, on a machine that may have none of them: modules and operator libraries, as bytes. They are used from
;; there, and not from files of the same name, so that all workers run what the master does.
(define-module (tutti worker files)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module ((system vm loader) #:select (load-thunk-from-memory))
  #:use-module (tutti base primitives)
  #:use-module (tutti remote supplied)
  #:export (take-files!))

(define (load-source bytes file)
  (let ((port (open-bytevector-input-port bytes)))
    (set-port-encoding! port (or (file-encoding port) "UTF-8"))
    (set-port-filename! port file)
    (let loop ()
      (let ((form (read port)))
        (unless (eof-object? form)
          (primitive-eval form)
          (loop))))))

(define (load-bytecode bytes)
  ;; A copy: what is loaded stays for good, and the bytes need not.
  ((load-thunk-from-memory (bytevector-copy bytes))))

(define (take-file! item)
  (match item
    (#('module name file compiled? bytes)
     (supply-module! name (if compiled? (lambda () (load-bytecode bytes)) (lambda () (load-source bytes file)))))
    (#('library file bytes)
     (%supply-operator-module! file bytes))))

;; The module system has found out what to import when it calls this procedure with the name of a file below the load path.
(define put-in-front!
  (let ((done? #f))
    (lambda ()
      (unless done?
        (set! done? #t)
        (let* ((variable (module-variable the-root-module 'primitive-load-path))
               (original (variable-ref variable)))
          (variable-set! variable
                         (lambda (name . rest)
                           (let ((load (supplied-module name)))
                             (if load (load) (apply original name rest))))))))))

(define (take-files! items)
  "From now on let this process load the modules and operator libraries that @var{items}, made by @code{files-for}, has from there."
  (put-in-front!)
  (for-each take-file! items))
