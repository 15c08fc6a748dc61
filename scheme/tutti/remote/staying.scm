;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Values that cannot travel to another process by any means, such as ports: advice to send them in another way would lead to the next
;; error.
(define-module (tutti remote staying)
  #:use-module ((ice-9 threads) #:select (mutex? condition-variable? thread?))
  #:use-module (tutti base text)
  #:use-module (tutti pool type)
  #:use-module (tutti remote code)
  #:use-module (tutti remote names)
  #:use-module (tutti remote parameter)
  #:export (engine-pool? find-staying staying-description staying-advice closure-advice))

(define closure-advice
  "define it with (define-remote (name …) …), or write (remote (lambda …)), or export it from a module")

(define (closure? x)
  (and (procedure? x)
       (not (remotable-procedure? x))
       (not (remote-parameter? x))
       (not (procedure-reference x))))

(define (engine-pool? x)
  "Return true if @var{x} is a pool of processes."
  (and (pool? x) (not (serial-pool? x))))

(define (thread-object? x)
  (or (mutex? x) (condition-variable? x) (thread? x)))

;; Pairs of predicate and advice.
(define kinds
  (list (cons port? "a port stays in its process; give the task the name of the file, and open it there")
        (cons engine-pool? "a pool stays in its process; in a task, use (current-pool)")
        (cons thread-object? "what threads share stays in their process; make it in the task")
        (cons closure? closure-advice)))

(define (kind-of x)
  (let find ((kinds kinds))
    (cond ((null? kinds) #f)
          (((car (car kinds)) x) (car kinds))
          (else (find (cdr kinds))))))

;; Values further inside are found when they are encoded.
(define most-looked-at 1000)

(define (find-staying value)
  "Return a list of the first value in @var{value}, it itself or an item of its lists and vectors, that stays in this process;
@code{#f} if there is none among the first."
  (let search ((rest (list value)) (left most-looked-at))
    (cond ((or (null? rest) (zero? left)) #f)
          ((pair? (car rest)) (search (cons* (caar rest) (cdar rest) (cdr rest)) (1- left)))
          ((and (vector? (car rest)) (<= (vector-length (car rest)) left))
           (search (append (vector->list (car rest)) (cdr rest)) (1- left)))
          ((kind-of (car rest)) (list (car rest)))
          (else (search (cdr rest) (1- left))))))

(define most-text 60)                   ; characters

(define (staying-description x)
  "Return a short text for @var{x}, a value that stays in this process."
  (object->text x most-text))

(define (staying-advice x)
  "Return what to do instead of sending @var{x}, a value that stays in this process; @code{#f} for others."
  (let ((kind (kind-of x)))
    (and kind (cdr kind))))
