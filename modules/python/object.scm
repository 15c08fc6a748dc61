;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Calls and objects, wherever they are asked for: in a worker they are here; in the master, also in its serial pools, they are on a worker,
;; since the master loads no Python.
(define-module (tutti python object)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 format)
  #:use-module (ice-9 regex)
  #:use-module ((ice-9 threads) #:select (make-mutex with-mutex))
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-9 gnu)
  #:use-module (tutti base check)
  #:use-module (tutti conditions)
  #:use-module (tutti pool)
  #:use-module (tutti pool apply)
  #:use-module (tutti pool helper)
  #:use-module (tutti pool type)
  #:use-module (tutti python primitives)
  #:use-module (tutti python worker)
  #:use-module (tutti remote object)
  #:use-module (tutti remote record-reducer)
  #:use-module (tutti worker answer)
  #:export (python-call python-object python-object? python-send
            split-arguments without-pool python-pool
            ;; For workers, which find them by their names.
            call-python object-here construct-python-object touch send-to-python))

;;; Arguments.

(define (split-arguments rest who reserved)
  "Return three values for the list @var{rest} of arguments and keywords with values: the arguments, the list of pairs of string and
value for Python, and the association list of the keywords in @var{reserved}, which are ours."
  (let loop ((rest rest) (arguments '()) (keywords '()) (ours '()))
    (match rest
      (() (values (reverse! arguments) (reverse! keywords) ours))
      (((? keyword? key) value . rest)
       (cond ((memq key reserved) (loop rest arguments keywords (acons key value ours)))
             (else (loop rest arguments (acons (symbol->string (keyword->symbol key)) value keywords) ours))))
      (((? keyword? key))
       (refuse who "the keyword ~s has no value after it" key))
      ((value . rest)
       (unless (null? keywords)
         (refuse who "the argument ~s comes after keywords; arguments by position come first" value))
       (loop rest (cons value arguments) keywords ours)))))

(define (check-python name who)
  (unless (or (not name) (string? name))
    (scm-error 'wrong-type-arg (symbol->string who) "#:python: expected the file name of an interpreter, got ~S" (list name) (list name))))

(define (check-name name who what)
  (unless (string? name)
    (scm-error 'wrong-type-arg (symbol->string who) "expected the name of a ~A, a string, got ~S" (list what name) (list name))))

(define (without-pool rest)
  "Return the arguments @var{rest} without the keyword @code{#:pool} and its value."
  (match rest
    (() '())
    ((#:pool _ . rest) rest)
    ((first . rest) (cons first (without-pool rest)))))

;;; Where it runs if this process is no worker.

(define (python-pool pool python who)
  "Return the pool of processes in which Python runs for this one: @var{pool}, if that is not @code{#f}, else the current one; where these
have no processes, a helper with one worker."
  (pool-of-processes pool who "python" (list 'python python)))

;; Tasks of serial pools have random numbers of their own, which go with what they have done elsewhere.
(define (lent-seed)
  "Return the number of the task that runs in this process and its seed, for @code{call-lending-seed}; @code{#f} outside of tasks."
  (and (current-worker-index) (%python-task-seed)))

(define (call-lending-seed seed thunk)
  "Call @var{thunk} and return its value. Python's random numbers are meanwhile those of @var{seed}."
  (if seed
      (dynamic-wind
        (lambda () (%python-lend-seed! (car seed) (cdr seed)))
        thunk
        (lambda () (%python-lend-seed! #f #f)))
      (thunk)))

;; What cannot travel is said in the terms of the user's call: by the number in it, and not in that of our own procedure.
(define (in-own-terms who condition position)
  (define ours (format #f "argument ~a, item ([0-9]+) of the list" position))
  (define text
    (regexp-substitute/global #f ours (exception-message condition)
                              'pre (lambda (found) (format #f "argument ~a" (1+ (string->number (match:substring found 1))))) 'post))
  (apply make-exception (make-exception-with-message text) (make-exception-with-origin who)
         (remove (lambda (part) (or (exception-with-message? part) (exception-with-origin? part))) (simple-exceptions condition))))

(define (apply-there pool who procedure arguments)
  "Call @var{procedure} with @var{arguments}, of which one is the list of those of the user's call of @var{who}, on the first worker of
@var{pool}, and return its value."
  (with-exception-handler
      (lambda (condition)
        (raise-exception (if (and (not-remotable? condition) (not (worker-error? condition)))
                             (in-own-terms who condition (list-index list? arguments))
                             condition)))
    (lambda () (apply pool-apply-only pool 0 procedure arguments))))

;;; Calls.

;; What follows is called on workers, by name.
(define (call-python seed place name arguments keywords python)
  "Return the value of @code{call-here} for the other arguments, with the random numbers of @var{seed}."
  (call-lending-seed seed (lambda () (call-here place name arguments keywords python))))

(define (python-call module function . rest)
  "Call the Python @var{function} of @var{module}, both strings, and return its value: with arguments by position, then keywords and
values for arguments by name. @var{module} is the name of a module, or of a file: one with a slash or that ends in @samp{.py}.
@code{#:python} is the interpreter, see @code{find-python}.

In a task it is called in the worker. In the master it is called in a worker of the current pool, or in a helper if there is none."
  (check-name function 'python-call "function")
  (call-with-values (lambda () (split-arguments rest 'python-call '(#:python #:pool)))
    (lambda (arguments keywords ours)
      (let ((python (assq-ref ours #:python)))
        (check-python python 'python-call)
        (if (here?)
            (call-here module function arguments keywords python)
            (apply-there (python-pool (assq-ref ours #:pool) python 'python-call) 'python-call
                         call-python (list (lent-seed) (whole-place module 'python-call) function arguments keywords python)))))))

;;; Objects. In a worker an object is a handle. In the master it is a record that stands for the one that each worker of a pool has.

(define-record-type <python-object>
  (make-python-object text pool remote)
  python-reference?
  (text reference-text)
  (pool reference-pool)
  (remote reference-remote))

(set-record-type-printer! <python-object>
  (lambda (object port)
    (format port "#<python-object ~a in ~a>" (reference-text object) (pool-name (reference-pool object)))))

(define (object-here handle)
  "Return @var{handle}: what a record that stands for an object arrives as."
  handle)

(set-record-reducer! <python-object> (lambda (object) (list object-here (reference-remote object))))

;; What is pushed: the call that makes the object, which each worker repeats. NUMBER keeps two that are made alike apart.
(define-record-type <construction>
  (make-construction number place class arguments keywords python)
  construction?
  (number construction-number)
  (place construction-place)
  (class construction-class)
  (arguments construction-arguments)
  (keywords construction-keywords)
  (python construction-python))

(define (construct-python-object number place class arguments keywords python)
  "Return a handle of the object, which @var{number} tells from others that are made alike."
  (make-here place class arguments keywords python))

(set-record-reducer! <construction>
  (lambda (c)
    (list construct-python-object (construction-number c) (construction-place c) (construction-class c) (construction-arguments c)
          (construction-keywords c) (construction-python c))))

(define last-number 0)
(define lock (make-mutex))

(define (next-number!)
  (with-mutex lock
    (set! last-number (1+ last-number))
    last-number))

(define (touch object)
  "Return true: @var{object} has been made, or this would not have been called."
  #t)

(define (python-object? x)
  "Return true if @var{x} is an object of Python, or stands for one that workers have."
  (or (python-reference? x) (%python-object? x)))

(define (python-object module class . rest)
  "Return the object that the @var{class} of the Python @var{module}, or any function of it, makes of the other arguments, which are as
for @code{python-call}. In a task it belongs to the worker, and lives as long as something refers to it. In the master it stands for an
object that each worker of a pool makes for itself, once, and again if the worker has taken the place of another: the pool is
@code{#:pool}, or the current one, or a helper. It may be among the arguments of that pool's tasks; like all that workers have in common it
is to be left as it is by those."
  (check-name class 'python-object "class")
  (call-with-values (lambda () (split-arguments rest 'python-object '(#:python #:pool)))
    (lambda (arguments keywords ours)
      (let ((place (whole-place module 'python-object)) (python (assq-ref ours #:python)))
        (check-python python 'python-object)
        (if (here?)
            (make-here place class arguments keywords python)
            (let* ((pool (python-pool (assq-ref ours #:pool) python 'python-object))
                   (remote (pool-push pool (make-construction (next-number!) place class arguments keywords python)))
                   (object (make-python-object (string-append (place->text place) " " class) pool remote)))
              ;; What is wrong with it is said now.
              (pool-apply-only pool 0 touch object)
              object))))))

(define (send-to-python seed object name arguments keywords)
  "Return the value of @code{send-here} for the other arguments, with the random numbers of @var{seed}."
  (call-lending-seed seed (lambda () (send-here object name arguments keywords))))

(define (python-send object method . rest)
  "Call the @var{method}, a string, of the Python @var{object}, and return its value; the other arguments are as for @code{python-call}. In
the master it is called in the first worker of the pool of @var{object}."
  (check-name method 'python-send "method")
  (call-with-values (lambda () (split-arguments rest 'python-send '()))
    (lambda (arguments keywords _)
      (cond ((%python-object? object) (send-here object method arguments keywords))
            ((python-reference? object)
             (apply-there (reference-pool object) 'python-send
                          send-to-python (list (lent-seed) object method arguments keywords)))
            (else
             (scm-error 'wrong-type-arg "python-send" "expected what python-object returns, got ~S" (list object) (list object)))))))
