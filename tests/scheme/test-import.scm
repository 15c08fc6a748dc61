;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What (use-modules (tutti)) imports, and what it loads for that.
(use-modules (tap) (tutti) (tutti advice unbound) (ice-9 threads) (srfi srfi-1) (srfi srfi-64))

(define (loaded? name) (->bool (resolve-module name #f #:ensure #f)))
(define when-asked '((tutti greedy) (tutti linear) (tutti plot) (tutti reduced-basis) (tutti simulation) (tutti solver)))

;; Before anything else asks for them.
(define loaded-at-first (filter loaded? when-asked))

(define (same? name home)
  (eq? (module-variable (resolve-interface '(tutti)) name) (module-variable (resolve-interface home) name)))

(define (test-names)
  (test-equal "what a pool does not need is not loaded" '() loaded-at-first)
  (test-assert "a name that is used is there, and loads its module"
    (and (procedure? (eval 'conjugate-gradient (current-module))) (loaded? '(tutti solver))))
  (test-assert "several threads may be the first"
    (every procedure?
           (map join-thread
                (map (lambda (i) (call-with-new-thread (lambda () (eval 'weak-greedy (resolve-module '(guile-user))))))
                     (iota 8)))))
  (test-assert "the others are still not loaded" (not (loaded? '(tutti reduced-basis))))
  (for-each (lambda (home)
              (test-equal (format #f "all of ~a" home) '()
                (remove (lambda (name) (same? name home))
                        (module-map (lambda (name variable) name) (resolve-interface home)))))
            (append when-asked '((tutti conditions) (tutti manager) (tutti operator) (tutti pool) (tutti vector) (srfi srfi-4))))
  (test-assert "names that nobody has stay unbound" (not (module-variable (resolve-interface '(tutti)) 'no-such-name))))

(define (test-ways)
  (define (imported spec name)
    (module-variable (apply resolve-interface spec) name))
  (test-assert "#:select" (imported '((tutti) #:select (pool-map gauss-newton)) 'gauss-newton))
  (test-assert "#:prefix" (imported `((tutti) #:prefix t:) 't:pool-map))
  (test-assert "#:hide"
    (and (imported '((tutti) #:hide (pool-map)) 'vec-norm) (not (imported '((tutti) #:hide (pool-map)) 'pool-map)))))

;; What a message about an unbound variable says.
(define (test-advice)
  (for-each (lambda (name module)
              (test-assert (symbol->string name) (string-contains (module-advice name) (format #f "(use-modules ~a)" module))))
            '(pool-map gauss-newton plot-save solve-linear view-impedance gravity-operator mt-response fold)
            '((tutti) (tutti) (tutti) (tutti) (tutti mt) (tutti gravity) (tutti mt1d) (srfi srfi-1)))
  (test-assert "none" (not (module-advice 'no-such-name))))

(define-remote (solve x)
  (f64vector-ref (solver-result-solution (cgls (identity-operator 1) (f64vector x) #:callback #f)) 0))

(define (test-workers)
  (test-equal "workers find them too" '(1. 2.)
    (map round (call-with-pool 2 (lambda (pool) (pool-map pool solve '(1 2))))))
  (test-assert "a name of one's own comes first"
    (let ((module (make-fresh-user-module)))
      (module-use! module (resolve-interface '(tutti)))
      (equal? '(mine 2) (eval '(begin (define (residual x) (list 'mine x)) (residual 2)) module)))))

(call-with-tap
 (lambda ()
   (test-group "names" (test-names))
   (test-group "ways" (test-ways))
   (test-group "advice" (test-advice))
   (test-group "workers" (test-workers))))
