;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Commands of REPLs about the pools of this process. They look, and change nothing; no task waits for them.
(define-module (tutti repl commands)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (system repl command)
  #:use-module (tutti base primitives)
  #:use-module (tutti pool type)
  #:use-module (tutti repl facts)
  #:use-module (tutti repl stacks)
  #:autoload (tutti task) (task? task-number)
  #:export (attached-client))

;; Whom this thread talks to, if that has come to a running job; else #f.
(define attached-client (make-fluid #f))

;;; What they are given.

(define (misused usage message . arguments)
  "Leave a command whose arguments are wrong: tell why, and what they are."
  (throw 'misused (format #f "~a~%Usage: ,~a~%" (apply format #f message arguments) usage)))

(define-syntax-rule (telling-misuse body ...)
  (catch 'misused
    (lambda () body ...)
    (lambda (key text) (display text))))

(define (value-of name)
  "Return the value of the variable @var{name} where the user is, or @code{#f}."
  (let ((variable (module-variable (current-module) name)))
    (and variable (variable-bound? variable) (variable-ref variable))))

(define (open? pool) (memq (vector-ref pool 2) '(open failed)))

(define (known-pools-text pools)
  (if (null? pools)
      "there is none"
      (format #f "there ~a ~a" (if (null? (cdr pools)) "is" "are") (string-join (map pool-label pools) ", "))))

(define (named pools name)
  ;; Of several with one name the last is meant.
  (find (lambda (pool) (equal? name (vector-ref pool 1))) (reverse pools)))

(define (find-pool argument usage)
  "Return the pool, a vector of @code{%pools}, that @var{argument} stands for: a name, a number, or a variable with a pool."
  (let ((pools (pool-facts)))
    (define (numbered number) (find (lambda (pool) (eqv? number (vector-ref pool 0))) pools))
    (or (match argument
          ((? string? name) (named pools name))
          ((? number? number) (numbered number))
          ((? symbol? name)
           (match (value-of name)
             ((? serial-pool?) (misused usage "~a is a serial pool: it has no processes, and no tasks that wait" name))
             ((? pool? pool) (numbered (vector-ref (%pool-facts (pool-handle pool)) 0)))
             (_ (named pools (symbol->string name)))))
          (_ #f))
        (misused usage "~s is no pool; expected the name or the number of one, or a variable; ~a" argument (known-pools-text pools)))))

(define (pools-of arguments usage)
  "Return the pools that the optional argument in @var{arguments} stands for, or all that are open."
  (match arguments
    (() (filter open? (pool-facts)))
    ((argument) (list (find-pool argument usage)))
    (_ (misused usage "expected one argument, or none; got ~a" (length arguments)))))

(define (the-pool arguments usage)
  (match (pools-of arguments usage)
    ((pool) pool)
    (() (misused usage "there is no pool"))
    (pools (misused usage "there are several pools: say which, one of ~a" (string-join (map pool-label pools) ", ")))))

;;; The commands.

(define-meta-command ((pools tutti) repl . arguments)
  "pools
List the pools of this process.

With their numbers, their workers, and how many tasks are queued, wait for others, and have ended."
  (telling-misuse
   (unless (null? arguments)
     (misused "pools" "expected no argument"))
   (display (pools-text (pool-facts)))))

(define-meta-command ((workers tutti) repl . arguments)
  "workers [POOL]
List the workers of POOL, or of all pools.

POOL is the name of a pool, its number, or a variable whose value it is."
  (telling-misuse
   (match (pools-of arguments "workers [POOL]")
     (() (display "There is no pool.\n"))
     (pools (for-each (lambda (pool) (display (workers-text pool))) pools)))))

(define-meta-command ((tasks tutti) repl . arguments)
  "tasks [POOL]
List the tasks of POOL, or of all pools: those that run, then those that are queued or wait.

POOL is the name of a pool, its number, or a variable whose value it is."
  (telling-misuse
   (match arguments
     (() (display (tasks-text #f)))
     (_ (display (tasks-text (the-pool arguments "tasks [POOL]")))))))

(define (number-of-task argument usage)
  (match (if (symbol? argument) (value-of argument) argument)
    ((? (lambda (x) (and (exact-integer? x) (< 0 x (expt 2 64)))) id) id)
    ((? (lambda (x) (and (record? x) (task? x))) task)
     (or (task-number task) (misused usage "a task of a serial pool has no number: it has ended when it was submitted")))
    (_ (misused usage "~s is no task; expected its number, which ,tasks shows, or a variable" argument))))

(define-meta-command ((why tutti) repl . arguments)
  "why TASK
Tell what a task waits for, where it runs, or how it has ended.

TASK is its number, or a variable whose value it is."
  (telling-misuse
   (match arguments
     ((argument) (display (why-text (number-of-task argument "why TASK"))))
     (_ (misused "why TASK" "expected one argument, got ~a" (length arguments))))))

;;; Stacks.

(define stack-usage "backtrace WORKER [POOL]")

(define (show-stack arguments)
  (telling-misuse
   (match arguments
     ((index . pool)
      (let ((pool (the-pool pool stack-usage)))
        (unless (and (exact-integer? index) (>= index 0))
          (misused stack-usage "~s is no worker; expected its number, which ,workers shows" index))
        (unless (< index (vector-ref pool 3))
          (misused stack-usage "pool ~a has the workers 0 to ~a, and no worker ~a" (pool-label pool) (1- (vector-ref pool 3)) index))
        (display (stack-text pool index))))
     (_ (misused stack-usage "expected the number of a worker")))))

;; Guile's own command of that name shows the stack of an error, and stays what it is without a worker; `,bt' is always that.
(define guiles-backtrace
  (let ((infos (@@ (system repl command) *command-infos*)))
    (hashq-set! infos 'bt (hashq-ref infos 'backtrace))
    (car (hashq-ref infos 'bt))))

(define (separate-abbreviation! table)
  "Return @var{table}, of commands, with @code{bt} as a command of its own."
  (map (match-lambda
         (('debug ('backtrace 'bt) . rest) `(debug (backtrace) (bt) . ,rest))
         (group group))
       table))

(set! (@@ (system repl command) *command-table*)
      (separate-abbreviation! (@@ (system repl command) *command-table*)))

(define (guiles? arguments)
  (match arguments
    (() #t)
    (((? keyword?) . _) #t)
    (((? (lambda (x) (and (exact-integer? x) (negative? x)))) . _) #t)
    (_ #f)))

(define-meta-command (backtrace repl . arguments)
  "backtrace [WORKER [POOL]]
Print the stack of a worker, or the one of an error.

WORKER is the number of a worker, which goes on meanwhile; POOL is needed where there are several. A worker that computes in Scheme
tells its Scheme stack, of others gdb shows the C stack. Without a worker the stack of the error is shown at hand; `,bt' always does
that, and takes the arguments [COUNT] [#:width W] [#:full? F]."
  (if (guiles? arguments)
      (apply guiles-backtrace repl arguments)
      (show-stack arguments)))

(define-meta-command ((stack tutti) repl . arguments)
  "stack WORKER [POOL]
Print the stack of a worker, as `,backtrace WORKER' does."
  (show-stack arguments))
