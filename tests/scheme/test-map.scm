;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Chunks of maps: what has taken too long gives the rest back; items share a chunk and nothing else.
(use-modules (tap) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti worker answer) (tutti base primitives) (tutti task) (tutti worker wire))

(define-remote (nap ms) (usleep (* 1000 ms)) ms)
(define-remote (nap-where ms) (usleep (* 1000 ms)) (current-worker-index))
(define-remote (nap-and-draw ms) (usleep (* 1000 ms)) (random 1000000000))
(define-remote (nap-or-fail ms) (if (negative? ms) (error "no such nap:" ms) (begin (usleep (* 1000 ms)) ms)))
(define-remote (die-at-300 i) (when (= i 300) (kill (getpid) SIGKILL)) i)
(define-remote (corrupt-state i)
  (let ((draw (random 1000000000)))
    (random:normal)
    ;; As a module may.
    (module-set! (resolve-module '(guile)) '*random-state* (seed->random-state i))
    draw))
(define-remote (values-of n) (apply values (iota n)))
(define-remote (three-ways i)
  (let ((copy (copy-random-state)) (datum (random-state->datum *random-state*)))
    (list (random 1000000 copy) (random 1000000 (datum->random-state datum)) (random 1000000))))

(define slow 60)                        ; milliseconds: by far longer than a chunk may take

(define (answer-to request)
  (let ((payload (encode-request (make-serial-pool) request 'test)))
    (decode-value (car (answer-request payload)))))

(define (map-request proc first items stop?)
  (vector 'map proc first (list items) '(0 . 0) stop?))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (test-chunk)
  (define (values-in answer) (vector-ref answer 1))
  (define (failed-in answer) (map car (vector-ref answer 2)))
  (test-equal "what was not begun after a slow one comes back" (list slow) (values-in (answer-to (map-request nap 0 (list slow 0 0) #t))))
  (parameterize ((chunk-patience 0))
    (test-equal "but one is always done" '(0) (values-in (answer-to (map-request nap 0 '(0 0) #t))))
    (let ((answer (answer-to (map-request nap-or-fail 7 '(-1 0) #f))))
      (test-equal "if it fails as well" '((7) (#f)) (list (failed-in answer) (values-in answer)))))
  (parameterize ((chunk-patience 10000000))
    (test-equal "quick items are done in one go" (make-list 50 0) (values-in (answer-to (map-request nap 0 (make-list 50 0) #t))))
    (let ((answer (answer-to (map-request nap-or-fail 7 '(1 -1 1 -1) #f))))
      (test-equal "failures are collected" '(8 10) (failed-in answer))
      (test-equal "and the items behind them done" '(1 #f 1 #f) (values-in answer)))
    (let ((answer (answer-to (map-request nap-or-fail 7 '(1 -1 1 -1) #t))))
      (test-equal "or the first one ends it" '(8) (failed-in answer))
      (test-equal "and nothing behind it" '(1 #f) (values-in answer))))
  (test-equal "a part of a list is encoded like a list of it" '((0 1 2) ("a" 1))
              (map (lambda (part) (decode-value (encode-value part 'test)))
                   (list (%list-prefix (iota 10) 3) (%list-prefix '("a" 1 2) 2)))))

(define (with-slow-ones before slow-ones after)
  (append (make-list before 0) (make-list slow-ones slow) (make-list after 0)))

(define (test-pool-map pool)
  (let ((items (with-slow-ones 2000 10 2000)))
    (test-equal "all values, in order" items (pool-map pool nap items)))
  (let ((places (lambda () (take (drop (pool-map pool nap-where (with-slow-ones 2000 12 2000)) 2000) 12))))
    ;; In one chunk of quick ones by the look of it, twelve slow items come one after the other on one worker. A machine may keep one of
    ;; them waiting for a turn, but not always.
    (test-assert "slow ones among quick ones are shared"
      (any (lambda (_) (let ((where (places))) (every (lambda (w) (<= 4 (count (lambda (x) (= x w)) where))) '(0 1))))
           (iota 5))))
  (test-equal "several lists, some items slow" (append (iota 500) (map (lambda (i) (+ i slow)) (iota 4)) (iota 500))
              (pool-map pool (remote (lambda (ms i) (usleep (* 1000 ms)) (+ ms i)))
                        (with-slow-ones 500 4 500) (append (iota 500) (iota 4) (iota 500))))
  (let ((items (append (make-list 1000 0) (list slow -5 slow) (make-list 200 0) (list -6) (make-list 500 0))))
    (test-assert "the first failure in order"
      (string-contains (condition->string (condition-of (lambda () (pool-map pool nap-or-fail items)))) "-5"))
    (let ((all (pool-map pool nap-or-fail items #:on-error 'collect)))
      (test-equal "collected: conditions in their places" '(1001 1203) (filter (lambda (i) (worker-error? (list-ref all i))) (iota 1704)))
      (test-equal "and all other values" (remove negative? items) (remove worker-error? all))))
  (parameterize ((task-retries 0))
    (let ((all (pool-map pool die-at-300 (iota 600) #:on-error 'collect)))
      (test-equal "the item that ends its worker is found" '(300) (filter (lambda (i) (worker-died? (list-ref all i))) (iota 600)))
      (test-equal "all others have values" (delete 300 (iota 600)) (remove worker-died? all)))))

(define-remote (mishap i)
  (case i
    ((150) (kill (getpid) SIGKILL))
    ((151) (error "no value"))
    ((152) (sleep 1000))
    (else i)))

(define (test-places pool)
  (define (collect items) (filter exception? (pool-map pool mishap items #:on-error 'collect)))
  (define (place condition)
    (list (condition-item condition) (condition-procedure condition)
          (and (string-prefix? (format #f "item ~a of a map of `mishap': " (condition-item condition)) (condition->string condition)) #t)))
  (parameterize ((task-retries 0))
    (let ((conditions (append (collect (delete 152 (iota 300)))
                              (parameterize ((task-timeout 2)) (collect '(1 152))))))
      (test-equal "an error, a death and a time-out name the item and the procedure"
        '((150 "mishap" #t) (151 "mishap" #t) (1 "mishap" #t)) (map place conditions))
      (test-equal "of their types" '(#t #t #t)
        (map (lambda (type? condition) (type? condition)) (list worker-died? worker-error? task-timeout?) conditions))
      (test-equal "the task is a number, and so is the item" '(#t 151)
        (list (integer? (worker-error-task (second conditions))) (worker-error-item (second conditions))))))
  (let ((raised (condition-of (lambda () (pool-map pool (remote (lambda (i) (car i))) '(1 2))))))
    (test-equal "a procedure without a name" '(0 #f) (list (condition-item raised) (condition-procedure raised))))
  (let ((raised (condition-of (lambda () (task-wait (pool-submit! pool mishap 151))))))
    (test-equal "what is no item" '(#t #f #f) (list (worker-error? raised) (condition-item raised) (worker-error-item raised)))))

(define (test-draws pool)
  (test-assert "the seed is a parameter like others"
    (and (parameter? random-seed)
         (equal? '(7 8 7) (parameterize ((random-seed 7))
                            (let ((p random-seed))
                              (list (p) (parameterize ((p 8)) (p)) (p)))))
         (equal? '(7 9) (parameterize ((random-seed 7)) (let ((before (random-seed 9))) (list before (random-seed)))))))
  (for-each (lambda (seed)
              (test-assert (format #f "no seed: ~s" seed)
                (with-exception-handler (const #t)
                  (lambda () (parameterize ((random-seed seed)) #f))
                  #:unwind? #t)))
            '(-1 1.5 x #f))
  (define (seeded pool seed proc items) (parameterize ((random-seed seed)) (pool-map pool proc items)))
  (define items (with-slow-ones 300 3 300))
  (let ((here (seeded (make-serial-pool) 3 nap-and-draw items)))
    (test-equal "draws do not depend on chunks" here (seeded pool 3 nap-and-draw items))
    (test-equal "all differ" (length here) (length (delete-duplicates here))))
  (test-equal "nor on what other items did to the state" (seeded pool 3 nap-and-draw (make-list 100 0))
              (seeded pool 3 corrupt-state (iota 100)))
  (test-assert "a seed of any size"
    (let ((draws (map (lambda (seed) (seeded pool seed nap-and-draw '(0))) (list 5 (expt 2 61) (expt 2 200) (1+ (expt 2 200))))))
      (= 4 (length (delete-duplicates draws)))))
  (test-assert "a state is one before it is drawn from"
    (every (lambda (draws) (apply = draws)) (pool-map pool three-ways '(1 2 3)))))

(define (test-values pool)
  (test-equal "no value" (list *unspecified*) (pool-map pool values-of '(0)))
  (test-assert "two values"
    (string-contains (condition->string (condition-of (lambda () (pool-map pool values-of '(1 2))))) "this one returned 2")))

(define-remote constant 5)
(define-remote (add-constant x) (+ x constant))
(define-remote (list-of . arguments) arguments)

(define (test-short-way pool)
  (define (twice thunk) (thunk) (thunk) (thunk))
  (test-equal "nothing, and the same again" 6 (twice (lambda () (pool-apply-only pool 1 add-constant 1))))
  (for-each (lambda (arguments)
              (test-equal (format #f "arguments ~s" arguments) arguments
                          (twice (lambda () (apply pool-apply-only pool 0 list-of arguments)))))
            '(() (1 -2.5 #t #\x) ((1 (2 . 3)) 7/2) (1+2i 100000000000000000000) ("a" b) (#(1 2)) ((1 2 3 4 5 6 7 8 9 10) 1 2 3)))
  (for-each (lambda (value)
              (test-equal (format #f "value ~s" value) value (twice (lambda () (task-wait (pool-submit! pool identity value))))))
            (list 1 -1.5 #t #f *unspecified* '() most-positive-fixnum (expt 2 62) (- (expt 2 63)) 1/2 "text" '(1)))
  (test-equal "what a task does to a captured value, the next does not see" '(1 1 1)
    (let ((count-up (remote ((n 0)) (lambda () (set! n (1+ n)) n))))
      (map (lambda (_) (pool-apply-only pool 0 count-up)) (iota 3))))
  (test-equal "a captured vector travels as it is now" '(1 2 3)
    (let* ((v (vector 0)) (look (remote ((v v)) (lambda () (vector-ref v 0)))))
      (map (lambda (i) (vector-set! v 0 i) (pool-apply-only pool 0 look)) '(1 2 3))))
  (test-assert "an exception"
    (every worker-error? (map (lambda (_) (condition-of (lambda () (pool-apply-only pool 0 nap-or-fail -1)))) (iota 3))))
  (test-assert "a time-out"
    (parameterize ((task-timeout 0.2) (task-retries 0))
      (task-timeout? (condition-of (lambda () (pool-apply-only pool 0 nap 100000))))))
  (test-equal "a new worker has it again" 6 (pool-apply-only pool 0 add-constant 1)))

(call-with-tap
 (lambda ()
   (test-group "map"
     (test-group "a chunk" (test-chunk))
     (call-with-pool 2
       (lambda (pool)
         (test-group "pool-map" (test-pool-map pool))
         (test-group "places" (test-places pool))
         (test-group "draws" (test-draws pool))
         (test-group "values" (test-values pool))
         (test-group "the short way" (test-short-way pool)))))))
