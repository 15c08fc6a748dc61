;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Execution scopes: what is made inside ends with them, however they are left; and nothing of it stays.
(use-modules (tap) (processes) (ice-9 control) (ice-9 exceptions) (ice-9 ftw) (ice-9 rdelim) (ice-9 threads)
             (srfi srfi-1) (srfi srfi-11) (srfi srfi-64) (tutti) (tutti base scope))

(define-remote (double x) (* 2 x))

(define-remote (make-cube n)
  (make-operator #:name "cube" #:domain n #:codomain n
                 #:evaluate (lambda (x) (vec* x (vec* x x)))
                 #:linearize (lambda (x) (values (vec* x (vec* x x)) (diagonal-operator (vec-scale 3. (vec* x x)))))))

(define-remote (held-count)
  (hash-count (const #t) (module-ref (resolve-module '(tutti worker main)) 'held)))

(define cubes (list (make-cube 2) (make-cube 2) (make-cube 2)))
(define x (f64vector 1 2))
(define y (make-f64vector 6 1.))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (refused? predicate thunk . parts)
  (let* ((condition (condition-of thunk))
         (text (if condition (condition->string condition) "nothing was raised")))
    (or (and (predicate condition) (every (lambda (part) (string-contains text part)) parts))
        (begin (format #t "# ~a~%" text) #f))))

(define-syntax-rule (closed? expression part ...)
  (refused? pool-closed-error? (lambda () expression) part ...))

(define (derivative-of op)
  (let-values (((value derivative) (linearize op x))) derivative))

(define (pids-of pool)
  (map worker-pid (pool-workers pool)))

(define (gone? pid)
  (not (file-exists? (format #f "/proc/~a" pid))))

;; Something in a scope whose closing can be seen. Scopes keep nothing alive: what was not closed yet has to be kept here.
(define probes '())
(define (probe! name close!)
  (set! probes (cons (list name) probes))
  (adopt! (car probes) 'operator close!))

;; The names of the probes that were closed, the last first.
(define closings '())
(define (note-closing! probe)
  (set! closings (cons (car probe) closings)))

;;; Ways in and out.

(define (test-nesting)
  (let*-values
      (((outer inner)
        (call-with-execution-manager
         (lambda (manager)
           (let* ((outer (make-pool 1))
                  (inner (with-execution-manager
                          (let ((inner (make-pool 1)))
                            (test-equal "two scopes, two workers" 2 (total-worker-count))
                            (test-equal "a pool inside works" 4 (task-wait (pool-submit! inner double 2)))
                            inner))))
             (test-assert "the inner scope ends its pool" (pool-closed? inner))
             (test-equal "and the outer goes on" '(2 4) (pool-map outer double '(1 2)))
             (test-assert "with the right manager" (eq? manager (current-manager)))
             (values outer inner))))))
    (test-equal "all values arrive, all pools are closed" '(#t #t) (map pool-closed? (list outer inner)))
    (test-equal "no worker is counted" 0 (total-worker-count))
    (test-equal "no manager is current" #f (current-manager))))

(define (test-order)
  (set! closings '())
  (with-execution-manager
   (probe! 'a note-closing!)
   (with-execution-manager
    (for-each (lambda (name) (probe! name note-closing!)) '(c d)))
   (probe! 'b note-closing!))
  (test-equal "the inner scope first, the newest first" '(d c b a) (reverse closings))
  (test-equal "nothing of it is listed" '() (adopted 'operator)))

(define (test-exits)
  (let* ((pool #f)
         (make! (lambda () (set! pool (make-pool 1)))))
    (test-equal "an escape" 'away
      (call/ec (lambda (escape) (with-execution-manager (make!) (escape 'away)))))
    (test-assert "closes" (pool-closed? pool))
    (let ((original (make-shape-error 1 2)))
      (test-assert "an error arrives unchanged"
        (eq? original (condition-of (lambda () (with-execution-manager (make!) (raise-exception original)))))))
    (test-assert "and closes" (pool-closed? pool))
    (test-equal "a throw with its arguments" '(some-key 1 2)
      (catch 'some-key (lambda () (with-execution-manager (make!) (throw 'some-key 1 2))) list))
    (test-assert "closes" (pool-closed? pool))
    (test-assert "an error in a task arrives as it is"
      (worker-error? (condition-of (lambda () (with-execution-manager (make!) (pool-map pool double '(a)))))))
    (test-assert "and closes" (pool-closed? pool))))

(define (test-return)
  (let* ((again #f)
         (times 0)
         (condition (condition-of
                     (lambda ()
                       (with-execution-manager
                        (call/cc (lambda (k) (set! again k)))
                        (set! times (1+ times)))
                       (when (= times 1) (again #t))))))
    (test-assert "coming back is an error"
      (and (tutti-error? condition) (string-contains (condition->string condition) "was left, and cannot be entered again")))
    (test-equal "and nothing was run" 1 times)))

(define (call-with-failures thunk)
  "Call @var{thunk} in a scope of three things, of which the first two that are closed raise errors."
  (with-execution-manager
   (probe! 'last note-closing!)
   (for-each (lambda (text) (probe! text (lambda (_) (error text)))) '("second" "first"))
   (thunk)))

(define (test-failures)
  (set! closings '())
  (test-assert "what cannot be closed does not keep the rest from it: the first error is raised"
    (refused? error? (lambda () (call-with-failures (const 'value))) "first"))
  (test-equal "after the rest" '(last) closings)
  (let* ((condition #f)
         (told (call-with-output-string
                (lambda (port)
                  (parameterize ((current-error-port port))
                    (set! condition (condition-of
                                     (lambda () (call-with-failures (lambda () (raise-exception (make-removed 'it))))))))))))
    (test-assert "of two errors that of the scope arrives" (removed? condition))
    (test-assert "and the other is reported" (and (string-contains told "first") (string-contains told "execution manager"))))
  (test-equal "Ctrl-C while it closes is not lost" '(quit 130)
    (catch 'quit
      (lambda ()
        (with-execution-manager
         (probe! 1 (lambda (_) (throw 'quit 130)))
         (probe! 2 (lambda (_) (error "an error")))
         (raise-exception (make-removed 'it))))
      list)))

;;; Out of order.

(define (test-closed-manager outside)
  (call-with-execution-manager
   (lambda (manager)
     (let ((pool (make-pool 1)))
       (manager-close! manager)
       (test-assert "closed before the scope is left" (pool-closed? pool))
       (manager-close! manager)
       (for-each (lambda (name thunk)
                   (test-assert (string-append "refused there: " name)
                     (refused? tutti-error? thunk "execution manager" "is closed" "outside of that scope")))
                 '("a pool" "a serial pool" "a parallel operator" "a scope")
                 (list (lambda () (make-pool 1)) make-serial-pool
                       (lambda () (parallel-vector-of-operators cubes #:pool outside))
                       (lambda () (with-execution-manager 'never))))
       (set! closings '())
       (test-assert "what was being made meanwhile is closed at once"
         (and (refused? tutti-error? (lambda () (probe! 'late note-closing!)) "is closed") (equal? '(late) closings)))
       (test-assert "what is outside works" (equal? '(2) (pool-map outside double '(1)))))))
  (test-condition "not a manager" (lambda (c) (eq? 'wrong-type-arg (exception-kind c))) (manager-close! outside)))

(define (test-out-of-order)
  (call-with-execution-manager
   (lambda (outer)
     (let ((first (make-pool 1)))
       (call-with-execution-manager
        (lambda (inner)
          (let ((second (make-pool 1)))
            (test-assert "the outer one before the inner one: refused, both are named"
              (refused? tutti-error? (lambda () (manager-close! outer))
                        (manager->string outer) (manager->string inner) "cannot be closed while"))
            (test-equal "nothing is closed" '(#f #f) (map pool-closed? (list first second)))
            (manager-close! inner)
            (test-equal "the inner one alone" '(#f #t) (map pool-closed? (list first second)))
            (manager-close! outer)
            (test-assert "then the outer one" (pool-closed? first)))))
       (test-equal "nothing leaked" 0 (total-worker-count))))))

;;; Use after the scope.

(define (operators-on pool)
  "Return the list of pairs of name and thunk that uses it, for parallel operators of all kinds on POOL."
  (let* ((op (parallel-vector-of-operators cubes #:pool pool))
         (derivative (derivative-of op))
         (distributed (distributed-vector-of-operators cubes (direct-sum 2 2) '((#t #f) (#f #t) (#t #f)) #:pool pool))
         (linear (parallel-vector-of-operators (list (identity-operator 2) (diagonal-operator x)) #:pool pool))
         (composed (operator-compose (identity-operator 6) op))
         (composed-derivative (derivative-of composed)))
    (map cons
         '("value" "linearize" "derivative" "its adjoint" "the adjoint of it as an operator" "distributed" "linear" "adjoint"
           "composition" "linearize a composition" "derivative of a composition" "sum" "multiple" "stacked")
         (list (lambda () (evaluate op x)) (lambda () (linearize op x))
               (lambda () (evaluate derivative x)) (lambda () (apply-adjoint derivative y))
               (let ((a (adjoint derivative))) (lambda () (evaluate a y)))
               (lambda () (evaluate distributed (f64vector 1 2 3 4)))
               (lambda () (evaluate linear x)) (lambda () (apply-adjoint linear (f64vector 1 2 3 4)))
               (lambda () (evaluate composed x)) (lambda () (linearize composed x))
               (lambda () (apply-adjoint composed-derivative y))
               (let ((s (operator-sum op op))) (lambda () (evaluate s x)))
               (let ((m (operator-scale 2 op))) (lambda () (evaluate m x)))
               (let ((v (vector-of-operators (list op (identity-operator 2))))) (lambda () (evaluate v x)))))))

(define (test-operators-after name pool)
  "Operators on what POOL returns, called in the scope, in that and afterwards."
  (for-each (lambda (use)
              (test-assert (format #f "~a: ~a" name (car use))
                (closed? ((cdr use)) "vector of (" "the scope" "was left" "execution manager")))
            (with-execution-manager
             (let ((uses (operators-on (pool))))
               (test-assert (string-append name ": all work inside") (every (lambda (use) ((cdr use)) #t) uses))
               uses))))

(define (test-outside-pool)
  (call-with-pool 2
    (lambda (pool)
      (define (all-forgotten?)
        ;; Workers are told in the background; a collection could do by chance what the scope has to do.
        (dynamic-wind
          gc-disable
          (lambda () (await (lambda () (equal? '(0 0) (pool-apply pool held-count))) 60))
          gc-enable))
      (test-operators-after "on the pool around" (lambda () pool))
      (test-assert "its workers hold nothing more" (all-forgotten?))
      (let* ((op (parallel-vector-of-operators cubes))
             (derivative (with-execution-manager (derivative-of op))))
        (test-equal "a derivative belongs to its operator, not to a scope inside"
          (apply-adjoint (derivative-of (vector-of-operators cubes)) y) (apply-adjoint derivative y))
        (test-equal "and the operator goes on" (evaluate (vector-of-operators cubes) x) (evaluate op x))
        (test-equal "two things are held on each" '(2 2) (pool-apply pool held-count)))
      (test-equal "that pool goes on" '(2 4) (pool-map pool double '(1 2)))
      (test-closed-manager pool))))

(define (test-objects-after)
  (let* ((task #f)
         (objects (with-execution-manager
                   (let ((pool (make-pool 1)))
                     (set! task (pool-submit! pool double 1))
                     (task-wait task)
                     (list pool (pool-push pool x) (pool-submit! pool (remote (lambda () (sleep 1000)))))))))
    (test-assert "a pool" (closed? (pool-map (first objects) double '(1)) "is closed"))
    (test-assert "a remote object" (closed? (pool-fetch (second objects)) "is closed"))
    (test-assert "a task that had not ended" (closed? (task-wait (third objects) 60)))
    (test-equal "one that had" 2 (task-wait task)))
  (test-operators-after "with a pool of their own" (const 2))
  (test-operators-after "on a pool made inside" (lambda () (make-pool 1)))
  (test-operators-after "on a serial pool" make-serial-pool)
  (test-equal "no pool: nothing to close" (evaluate (vector-of-operators cubes) x)
    (evaluate (with-execution-manager (parallel-vector-of-operators cubes #:pool #f)) x))
  (let ((op (parallel-vector-of-operators cubes #:pool 1)))
    (pool-close! (operator-pool op))
    (test-assert "a pool that was closed by hand" (closed? (evaluate op x) "vector of (" "its pool" "is closed"))))

;;; Many scopes, and none.

(define (open-descriptors)
  (length (scandir "/proc/self/fd" (lambda (name) (string-every char-numeric? name)))))

(define (shared-mappings)
  (call-with-input-file "/proc/self/maps"
    (lambda (port)
      (let next ((n 0))
        (let ((line (read-line port)))
          (cond ((eof-object? line) n)
                ((string-contains line "/memfd:tutti") (next (1+ n)))
                (else (next n))))))))

(define all-pids '())

(define (one-scope pool i)
  (condition-of
   (lambda ()
     (with-execution-manager
      (let* ((own (parallel-vector-of-operators cubes #:pool 1))
             (op (parallel-vector-of-operators cubes #:pool pool))
             (derivative (derivative-of op))
             (object (pool-push (operator-pool own) (make-f64vector 10000 1.))))
        (set! all-pids (append (pids-of (operator-pool own)) all-pids))
        (pool-apply (operator-pool own) f64vector-length object)
        (evaluate own x)
        (when (zero? (modulo i 3)) (error "out")))))))

(define (test-many-scopes)
  ;; Memory that is kept to be used again is not a leak, but looks like one.
  (shared-memory-kept-limit 0)
  (call-with-pool 1
    (lambda (pool)
      (define (count-all)
        (gc)
        (list (open-descriptors) (shared-mappings) (length (adopted 'operator)) (length (adopted 'manager))
              (length (adopted 'pool)) (total-worker-count) (pool-apply pool held-count)))
      (for-each (lambda (i) (one-scope pool i)) (iota 5))
      (let ((before (begin (await (lambda () (equal? '(0) (pool-apply pool held-count))) 60) (count-all))))
        (test-equal "before: one pool, one worker, nothing held" '(1 1 (0)) (drop before 4))
        ;; The collector is conservative: a word on a stack may look like an address, but a thread that has ended has no stack.
        (join-thread (call-with-new-thread (lambda () (for-each (lambda (i) (one-scope pool i)) (iota 50)))))
        (test-assert "50 scopes, and as much is open as before"
          (or (await (lambda () (every (lambda (a b) (or (equal? a b) (and (number? a) (< a b)))) (count-all) before)) 60)
              (begin (format #t "# ~s, now ~s~%" before (count-all)) #f)))
        (test-equal "with 55 workers that are gone" '(55 ())
          (list (length all-pids) (remove gone? all-pids)))))))

(define (clear-stack depth)
  (if (zero? depth) 0 (+ 1 (clear-stack (1- depth)))))

(define (forget-operators)
  (append-map (lambda (i)
                (let ((op (parallel-vector-of-operators cubes #:pool 1)))
                  (evaluate op x)
                  (apply-adjoint (derivative-of op) y)
                  (pids-of (operator-pool op))))
              (iota 6)))

(define (test-forgotten name)
  ;; The collector is conservative: one of the six may be seen on the stack.
  (let ((pids (forget-operators)))
    (clear-stack 1000)
    (test-assert (string-append name ": workers were there") (every integer? pids))
    (test-assert (string-append name ": they end when the operators are collected")
      (await (lambda () (gc) (clear-stack 1000) (>= (count gone? pids) 5)) 60))))

;;; Threads and tasks.

(define (adopt-many)
  (map (lambda (i) (adopt! (list i) 'operator note-closing!)) (iota 200)))

(define (test-threads)
  (set! closings '())
  (let* ((left (make-mutex))
         (inside #f)
         (pool #f)
         (thread #f))
    (lock-mutex left)
    (with-execution-manager
     (set! pool (join-thread (call-with-new-thread (lambda () (make-pool 1)))))
     (set! probes (append-map (lambda (thread) (join-thread thread))
                              (map (lambda (_) (call-with-new-thread adopt-many)) (iota 4))))
     (set! thread (call-with-new-thread
                   (lambda ()
                     (with-execution-manager
                      (set! inside (make-pool 1))
                      (lock-mutex left)
                      (map condition-of (list (lambda () (pool-map inside double '(1))) (lambda () (make-pool 1))))))))
     (test-assert "a scope in a thread" (await (lambda () inside) 60))
     (test-assert "is open" (not (pool-closed? inside))))
    (test-assert "a pool of a thread ends with the scope in which that was started" (pool-closed? pool))
    (test-equal "800 registrations of four threads" 800 (length closings))
    (test-equal "each once" (append-map (lambda (i) (make-list 4 i)) (iota 200)) (sort closings <))
    (test-assert "what is in an inner scope of a thread ends, too" (pool-closed? inside))
    (unlock-mutex left)
    (let ((conditions (join-thread thread)))
      (test-assert "the thread is told" (pool-closed-error? (first conditions)))
      (test-assert "and makes nothing more"
        (string-contains (condition->string (second conditions)) "is closed, and nothing can be made")))
    (test-equal "nothing leaked" 0 (total-worker-count))))

(define-remote (scopes-in-a-task)
  (let* ((before (list (current-manager) (total-worker-count)))
         (op (with-execution-manager (parallel-vector-of-operators (list (make-cube 1) (make-cube 1)))))
         (after (with-exception-handler pool-closed-error? (lambda () (evaluate op (f64vector 1)) #f) #:unwind? #t))
         (pool (with-execution-manager (make-pool 1))))
    (close-all-pools!)
    (list before after (pool-closed? pool) (pool-map (current-pool) double '(1 2)))))

(define (test-tasks)
  (for-each (lambda (name pool)
              (test-equal (string-append "in a task " name) '((#f 0) #t #t (2 4)) (task-wait (pool-submit! pool scopes-in-a-task)))
              (test-equal (string-append "the tasks after it " name) '(2 4) (pool-map pool double '(1 2))))
            '("on a worker")
            (list (make-pool 1)))
  (with-execution-manager
   (test-equal "in a task of a serial pool no scope of the master counts" #f
     (task-wait (pool-submit! (make-serial-pool) (remote (lambda () (current-manager)))))))
  (close-all-pools!))

;;; All of them.

(define (lines-of thunk)
  (remove string-null?
          (string-split (call-with-output-string (lambda (port) (parameterize ((current-error-port port)) (thunk)))) #\newline)))

(define (test-warning)
  (test-equal "128 unless said otherwise" 128 (worker-count-warning))
  (test-condition "not a number of workers" (lambda (c) (eq? 'wrong-type-arg (exception-kind c)))
    (parameterize ((worker-count-warning 1/2)) #t))
  (parameterize ((worker-count-warning 2))
    (with-execution-manager
     (let* ((first (make-pool 1))
            (silent (lines-of (lambda () (make-pool 1))))
            (third #f)
            (lines (lines-of (lambda () (set! third (make-pool 2)))))
            (more (lines-of (lambda () (make-pool 1)))))
       (test-equal "not at the limit, and once when it is passed" '(() 1 ()) (list silent (length lines) more))
       (test-assert "with figures and advice"
         (every (lambda (part) (string-contains (car lines) part))
                '("warning" "4 workers" "3 pools" "worker-count-warning (2)" "close")))
       (pool-close! third)
       (pool-close! first)
       (test-equal "again when it is passed again" 1 (length (lines-of (lambda () (make-pool 1)))))
       (test-equal "not at all" '() (parameterize ((worker-count-warning #f)) (lines-of (lambda () (make-pool 1)))))))))

(define (test-close-all)
  (let* ((pools (list (make-pool 2) (make-serial-pool)))
         (op (parallel-vector-of-operators cubes #:pool 1)))
    (with-execution-manager
     (let ((inside (make-pool 1)))
       (test-equal "four workers" 4 (total-worker-count))
       (close-all-pools!)
       (close-all-pools!)
       (test-equal "none, in whatever scope" '(#t #t #t #t)
         (map pool-closed? (cons* (operator-pool op) inside pools)))
       (test-assert "their operators are closed" (closed? (evaluate op x)))
       (test-equal "and nothing is counted" 0 (total-worker-count))))))

(define (test-print)
  (call-with-execution-manager
   (lambda (manager)
     (let* ((op (parallel-vector-of-operators cubes #:pool 1))
            (text (object->string manager)))
       (test-assert "what a manager shows" (string-contains text ": 1 pool, 1 parallel operator>"))
       (pool-close! (operator-pool op))
       (test-assert "a pool closed by hand has left the scope" (string-contains (object->string manager) ": 0 pools, 1 "))
       (manager-close! manager)
       (test-assert "and when it is closed" (string-suffix? ": closed>" (object->string manager)))))))

(call-with-tap
 (lambda ()
   (test-group "nesting" (test-nesting))
   (test-group "order" (test-order))
   (test-group "exits" (test-exits))
   (test-group "return" (test-return))
   (test-group "failures" (test-failures))
   (test-group "out of order" (test-out-of-order))
   (test-group "outside" (test-outside-pool))
   (test-group "after" (test-objects-after))
   (test-group "many" (test-many-scopes))
   (test-group "forgotten" (test-forgotten "outside of scopes") (with-execution-manager (test-forgotten "in a scope")))
   (test-group "threads" (test-threads))
   (test-group "tasks" (test-tasks))
   (test-group "close all" (test-close-all))
   (test-group "warning" (test-warning))
   (test-group "print" (test-print))))
