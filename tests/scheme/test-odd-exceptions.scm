;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Whatever an item raises or returns, it costs that item only, and the condition names it, with its type and a text of bounded length.
(use-modules (tap) (odd-records) (ice-9 exceptions) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define n 600)
(define-remote odd 431)                 ; the item

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (contains? text . parts)
  (every (lambda (part) (string-contains text part)) parts))

(define-syntax-rule (test-odd pool name (part ...) expression)
  "All items but one return their number; that one evaluates EXPRESSION."
  (begin
    (test-assert (string-append name ": its item only")
      (let* ((values (pool-map pool (remote (lambda (i) (if (= i odd) expression i))) (iota n) #:on-error 'collect))
             (condition (list-ref values odd))
             (text (condition->string condition)))
        (or (and (worker-error? condition)
                 (equal? (delete odd (iota n)) (append (take values odd) (drop values (1+ odd))))
                 (contains? text (format #f "item ~a" odd) part ...)
                 (< (string-length text) 20000))
            (begin (format #t "# ~a~%" (substring text 0 (min 500 (string-length text)))) #f))))
    (test-assert (string-append name ": as a task")
      (let* ((condition (condition-of (lambda () (task-wait (pool-submit! pool (remote (lambda () expression)))))))
             (text (condition->string condition)))
        (and (worker-error? condition) (contains? text part ...) (< (string-length text) 20000))))))

(define (test-raised pool)
  (test-odd pool "a list with a port" ("raised what is no exception" "bad" "port")
            (raise-exception (list 'bad (open-input-string "") 'port)))
  (test-odd pool "a port" ("input") (raise-exception (open-input-string "")))
  (test-odd pool "a closure" ("#<procedure") (raise-exception (let ((x (current-time))) (lambda () x))))
  (test-odd pool "a symbol" ("oops") (raise-exception 'oops))
  (test-odd pool "a circular list" ("(1 2 . #") (raise-exception (let ((l (list 1 2))) (set-cdr! (cdr l) l) l)))
  (test-odd pool "a large list" ("(0 1 2 3") (raise-exception (iota 1000000)))
  (test-odd pool "a deep list" ("((((") (raise-exception (fold (lambda (i l) (list l)) '() (iota 200000))))
  (test-odd pool "odd arguments" ("to key `odd'") (throw 'odd (open-input-string "") car (lambda () 1)))
  (test-odd pool "an improper argument" ("to key `odd'") (throw 'odd (cons 1 (open-input-string ""))))
  (test-odd pool "arguments that the printer of the key does not understand" ("misc-error")
            (scm-error 'misc-error 5 "x ~a" 'no-list #f))
  (test-odd pool "a long message" ("xxxx" "misc-error") (error (make-string 3000000 #\x)))
  (test-odd pool "a large argument" ("large one") (error "large one" (make-string 3000000 #\y)))
  (test-odd pool "a compound exception" ("&message" "half")
            (raise-exception (make-exception (make-exception-with-message "half of it")
                                             (make-exception-with-irritants (list (open-input-string "")))
                                             (make-exception-with-origin (lambda () 1))))))

(define (test-records pool)
  (test-odd pool "a printer that raises" ("a record of type <raiser>") (raise-exception (make-raiser (current-output-port))))
  (test-odd pool "in an argument" ("bad") (error "bad" (make-raiser 1)))
  (test-odd pool "in a frame" ("bad")
            (let loop ((record (make-raiser 1)) (i 3))
              (if (zero? i) (list (error "bad" 1) record loop) (loop record (1- i)))))
  (test-odd pool "in an array of what is returned" ("cannot travel") (vector (make-raiser 1) (current-output-port)))
  (test-odd pool "a printer that does not end" ("a record of type <looper>" "takes too long") (raise-exception (make-looper 1)))
  (test-odd pool "a printer that writes for ever" ("a record of type <flooder>" "and on and on") (raise-exception (make-flooder 1)))
  (test-odd pool "in an argument" ("bad") (error "bad" (make-flooder 1))))

(define (test-returned pool)
  (test-odd pool "a port" ("cannot travel") (current-output-port))
  (test-odd pool "a closure" ("closure") (let ((x (current-time))) (lambda () x)))
  (test-odd pool "a circular list" ("contains itself") (let ((l (list 1 2))) (set-cdr! (cdr l) l) l))
  (test-odd pool "a port deep inside" ("cannot travel") (list 1 (vector 2 (list (current-output-port)))))
  (test-odd pool "several values" ("one value") (values 1 2)))

(define (test-types pool)
  (test-assert "types arrive, with texts for what cannot travel"
    (let ((condition (condition-of (lambda ()
                                     (pool-map pool (remote (lambda (port)
                                                              (raise-exception
                                                               (make-exception (make-exception-with-message "half")
                                                                               (make-exception-with-irritants (list (port)))))))
                                               (list current-output-port))))))
      (and (exception-with-irritants? condition) (exception-with-message? condition))))
  (test-assert "no worker has died" (every (lambda (worker) (zero? (worker-restarts worker))) (pool-workers pool))))

(call-with-tap
 (lambda ()
   (test-group "odd exceptions"
     (worker-output-port #f)
     (progress-port #f)
     (let ((pool (make-serial-pool)))
       (test-group "serial, raised" (test-raised pool))
       (test-group "serial, returned" (test-returned pool)))
     (call-with-pool 2
       (lambda (pool)
         (test-group "raised" (test-raised pool))
         (test-group "records" (test-records pool))
         (test-group "returned" (test-returned pool))
         (test-group "types" (test-types pool)))))))
