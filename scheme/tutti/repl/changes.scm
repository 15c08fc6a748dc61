;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What somebody changes of a running job from a REPL, and what it computes depends on: procedures, variables and parameters that workers
;; know too. A journal has that as notes, or nobody could tell later with which code a task ran.
(define-module (tutti repl changes)
  #:use-module (ice-9 match)
  #:use-module ((ice-9 threads) #:select (with-mutex))
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base digest)
  #:use-module (tutti base lock)
  #:use-module (tutti base primitives)
  #:use-module (tutti remote)
  #:export (call-noting-changes))

(define longest-source 4000)            ; characters; of longer ones the digest tells whether they are the same
(define most-changes 20)                ; of one name, in its note

(define lock (make-shared-mutex))
(define changes (make-hash-table))      ; name -> texts, the newest first; by the lock

(define (remote-value? name)
  (let ((variable (module-variable (current-module) name)))
    (and variable (variable-bound? variable) (procedure? (variable-ref variable)) (remotable-procedure? (variable-ref variable)))))

(define (changed-names form)
  "Return the names that workers know too, and that evaluating @var{form}, plain data, gives another meaning."
  (match form
    (('begin forms ...) (append-map changed-names forms))
    (('define-remote ((? symbol? name) . _) . _) (list name))
    (((or 'define-remote 'define-remote-parameter) (? symbol? name) . _) (list name))
    (((or 'define 'define* 'set!) (or (? symbol? name) ((? symbol? name) . _)) . _) (if (remote-value? name) (list name) '()))
    (_ '())))

(define (source-text form)
  (let ((text (object->string form)))
    (if (> (string-length text) longest-source)
        (format #f "~a…, ~a characters, SHA-256 ~a" (string-take text 200) (string-length text)
                (digest->string (digest (string->utf8 text))))
        text)))

(define (note-change! name text)
  (let ((all (with-mutex lock
               (let ((all (cons text (hashq-ref changes name '()))))
                 (hashq-set! changes name (if (> (length all) most-changes) (take all most-changes) all))
                 (hashq-ref changes name)))))
    (%note! (format #f "changed:~a" name) (string-join (reverse all) "\n"))))

(define (call-noting-changes form thunk)
  "Return what @var{thunk} returns, which evaluates @var{form}; then note what that has changed, if somebody looks at this job."
  (let ((form (syntax->datum form)))
    (define before (changed-names form))
    (call-with-values thunk
      (lambda results
        ;; It may be one only now.
        (let ((names (lset-union eq? before (changed-names form))))
          (when (and (pair? names) (%shown?))
            (let ((text (string-append (strftime "%Y-%m-%dT%H:%M:%S%z " (localtime (current-time))) (source-text form))))
              (for-each (lambda (name) (note-change! name text)) names))))
        (apply values results)))))
