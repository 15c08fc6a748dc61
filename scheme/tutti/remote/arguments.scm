;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Procedures as arguments of requests: code that is used again and again is sent once to each worker, as a remote object, and requests
;; refer to that.
(define-module (tutti remote arguments)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool type)
  #:use-module (tutti remote object-type)
  #:use-module (tutti remote)
  #:use-module (tutti worker wire)
  #:export (remote-argument))

(define (constant? value)
  (or (boolean? value) (number? value) (symbol? value) (keyword? value) (null? value) (char? value)
      (remote-parameter? value)))

(define (constant-cell? cell)
  (or (not (eq? (car cell) 'value)) (constant? (cadr cell))))

(define (constant-bundle? bundle)
  "Return true if all tasks may share the procedure of @var{bundle}: it has no values that one task could change for the next, or that the
program could change here."
  (every (lambda (instance)
           (and (every constant-cell? (vector->list (vector-ref instance 1)))
                (zero? (vector-length (vector-ref instance 2)))))
         (vector->list (vector-ref bundle 3))))

(define (give pool procedure)
  (let* ((id (%next-held-id))
         (held (%make-held id #f (list (encode-value procedure 'remote-argument)) '() 0 0)))
    (and=> (procedure-name procedure) (lambda (name) (%held-name! held name)))
    (make-remote-object pool 'pushed (make-storage held id))))

;; What a pool remembers, in a pair: the procedure of the last request, its bundle and its remote object; and a weak table of all, from
;; procedure to a pair of bundle and remote object, because weak tables are slow. The object is #f for what cannot be shared. The three are
;; in a vector that is never changed: several threads may use the pool.
(define (remember! memory procedure bundle object)
  (set-car! memory (vector procedure bundle object))
  object)

(define (pool-memory pool)
  (or (pool-remote-arguments pool)
      (let ((memory (cons (vector #f #f #f) (make-weak-key-hash-table))))
        (set-pool-remote-arguments! pool memory)
        memory)))

(define (remote-argument pool procedure)
  "Return the remote object that stands for @var{procedure} in @var{pool}, which is not serial; @code{#f} if the procedure has to travel
with each task: because values do so with it, or because this is the first request for it."
  (let* ((memory (pool-memory pool))
         (last (car memory))
         (bundle (remote-bundle procedure)))
    (define (remembered object)
      (hashq-set! (cdr memory) procedure (cons bundle object))
      (remember! memory procedure bundle object))
    (if (and (eq? procedure (vector-ref last 0)) (eq? bundle (vector-ref last 1)))
        (vector-ref last 2)
        (let ((known (hashq-ref (cdr memory) procedure)))
          (cond ((not (and known (eq? bundle (car known))))
                 ;; It may be one of many that are made and used once.
                 (hashq-set! (cdr memory) procedure (cons bundle 'once))
                 #f)
                ((eq? (cdr known) 'once)
                 (remembered (and (constant-bundle? bundle) (give pool procedure))))
                (else (remember! memory procedure bundle (cdr known))))))))
