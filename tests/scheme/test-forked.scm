;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A script that forks: the copy is refused what belongs to the engine, with a reason, and its exit changes nothing for the original.
(use-modules (tap) (ice-9 match) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti))

(define-remote (double x) (* 2 x))
(define-remote (slow x) (usleep 300000) x)

(define (outcome thunk)
  "Return the value of @var{thunk}, or what it raised: a list of the symbol and the text."
  (with-exception-handler
      (lambda (e) (list (if (tutti-error? e) 'refused 'error) (condition->string e)))
    thunk #:unwind? #t))

(define (call-in-copy thunk)
  "Call @var{thunk} in a copy of this process, which then exits as scripts do, and return what its value is written as, and its status."
  (match (pipe)
    ((in . out)
     (match (primitive-fork)
       (0 (close-port in)
          ;; Whatever happens, the copy does not go on as if it were the test.
          (let ((value (outcome thunk)))
            (write value out)
            (close-port out)
            (exit 0)))
       (pid (close-port out)
            (let ((value (read in)))
              (close-port in)
              (list value (status:exit-val (cdr (waitpid pid))))))))))

(define (refused? result)
  (match result
    ((('refused text) 0) (and (string-contains text (format #f "forked copy of process ~a" (getpid)))
                              (string-contains text "start a new process")
                              #t))
    (_ (format #t "# ~s~%" result) #f)))

(define large (make-shared-f64vector 100000 3.))
(define small (make-shared-f64vector 5000 4.))

(define (fork-and-use pool)
  "Return a list of what is expected and what came of it, with its name: first in copies, then here."
  (let* ((object (pool-push pool '(1 2 3)))
         (done (pool-submit! pool double 5))
         (done-value (task-wait done))
         (running (pool-submit! pool slow 6))
         (before (map worker-pid (pool-workers pool)))
         (refusals
          (map (match-lambda ((name . thunk) (list (string-append "refused: " name) #t (refused? (call-in-copy thunk)))))
               `(("pool-submit!" . ,(lambda () (pool-submit! pool double 1)))
                 ("pool-map" . ,(lambda () (pool-map pool double '(1 2 3))))
                 ("pool-apply" . ,(lambda () (pool-apply pool double 1)))
                 ("pool-push" . ,(lambda () (pool-push pool 1)))
                 ("pool-fetch" . ,(lambda () (pool-fetch object)))
                 ("task-wait" . ,(lambda () (task-wait running)))
                 ("task-wait-any" . ,(lambda () (task-wait-any (list running))))
                 ("pool-workers" . ,(lambda () (pool-workers pool)))
                 ("make-pool" . ,(lambda () (make-pool 1)))
                 ("call-with-pool" . ,(lambda () (call-with-pool 1 (lambda (p) 1)))))))
         (others
          (list
           (list "what had ended before, a serial pool and shared vectors can be used" '((10 (2 4) 3. 4.) 0)
                 (call-in-copy
                  (lambda ()
                    (list (task-wait done) (pool-map (make-serial-pool) double '(1 2))
                          (f64vector-ref large 99999) (f64vector-ref small 4999)))))
           (list "new vectors of the copy are its own" '((7. 8.) 0)
                 (call-in-copy
                  (lambda ()
                    (set! large #f) (set! small #f)
                    (gc) (gc)
                    (let ((a (make-shared-f64vector 100000 7.)) (b (make-shared-f64vector 5000 8.)))
                      (list (f64vector-ref a 0) (f64vector-ref b 0))))))
           (list "closing and cancelling do nothing" '(done 0)
                 (call-in-copy
                  (lambda () (task-cancel! running) (remote-object-remove! object) (pool-close! pool) 'done))))))
    (append refusals others
            (list
             (list "the original's vectors are as they were" '(3. 4. 0.)
                   (list (f64vector-ref large 0) (f64vector-ref small 0) (f64vector-ref (make-shared-f64vector 100000) 50)))
             (list "its task is done" 6 (task-wait running))
             (list "its pool works" (iota 1000 0 2) (pool-map pool double (iota 1000)))
             (list "its remote objects are there" '((1 2 3) (1 2 3)) (pool-fetch object))
             (list "with the same workers" before (map worker-pid (pool-workers pool)))))))

;; Memory that is kept at the time of the fork is the original's.
(make-shared-f64vector 100000 1.)
(gc)
;; Before the first case: a copy that exits leaves what it is in.
(define results (call-with-pool 2 fork-and-use))

(call-with-tap
 (lambda ()
   (for-each (match-lambda ((name expected actual) (test-equal name expected actual))) results)))
