;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that stay: who starts them and when, what they are sent, and all the ways in which an answer can fail to be one.
(use-modules (tap) (programs) (processes) (pace) ((python-models) #:select (says? outcome)) (ice-9 format) (ice-9 match)
             (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (tutti) (tutti command))

(define python (getenv "TUTTI_PYTHON"))
(define (setting mark) (match (string-split mark #\=) ((name value) (list (cons name value)))))
(define mark (make-mark))
(define* (all-gone? #:optional (mark mark)) (await (lambda () (null? (marked-processes mark))) patience))

;; What they do with the line of each request.
(define prologue "import sys, os, json, time
out, err = sys.stdout, sys.stderr
def say(text, end='\\n'):
    out.write(text + end); out.flush()
def lines():
    while True:
        line = sys.stdin.readline()
        if not line: break
        yield json.loads(line)
")

(define* (server body #:rest options)
  (apply command-server python "-c" (string-append prologue body) (append options (list #:environment (setting mark)))))

(define (failure thunk)
  (let ((raised (outcome thunk)))
    (if (command-failed? raised)
        (list (command-failed-kind raised) (command-failed-status raised))
        raised)))

(define echo "for x in lines(): say(json.dumps(x))\n")

(define (test-values)
  (define ask (server echo))
  (for-each (lambda (case) (test-equal (object->string (car case)) (cadr case) (ask (car case))))
            `((1 1) (-2.5 -2.5) (1/4 0.25) (5e-324 5e-324) (0.1 0.1) (1.7976931348623157e308 1.7976931348623157e308) (#t #t) (#f #f)
              ("größe\n\"✓\\" "größe\n\"✓\\") (name "name") (#() #()) (#(1 #(2)) #(1 #(2))) ((1 2) #(1 2))
              (,(f64vector 1.5 2.5) #(1.5 2.5))
              (((a . 1)) (("a" . 1))) ((("a" . ((b . ,(f64vector 1)))) ("c" . "d")) (("c" . "d") ("a" . (("b" . #(1))))))))
  (for-each (lambda (value) (test-assert (object->string value) (says? (lambda () (ask value)) "cannot be written in JSON")))
            (list +nan.0 +inf.0 (list +nan.0) (f64vector -inf.0) 1+2i car #\a))
  (test-equal "it answers after that" 7 (ask 7))
  (let ((large (make-string 10000000 #\x)))
    (test-assert "10 MB there and back" (string=? large (ask large))))
  (let ((early (server "for x in lines(): say('1')\n")))
    (test-equal "10 MB that are read, then a short answer" '(1 1) (list (early (make-string 10000000 #\x)) (early 1)))))

(define (test-one-each mark)
  (define (server body) (command-server python "-c" (string-append prologue body) #:environment (setting mark)))
  (define ask (server "n = 0\nfor x in lines():\n    n += 1\n    say(json.dumps([os.getpid(), n]))\n"))
  (define there (remote ((ask ask)) (lambda (i) (ask i))))
  (call-with-pool 3
    (lambda (pool)
      (let* ((answers (map vector->list (pool-map pool there (iota 60))))
             (pids (delete-duplicates (map first answers))))
        (test-assert "one for each worker, at most" (<= 1 (length pids) 3))
        (test-assert "which stays" (every (lambda (pid) (not (process-gone? pid))) pids))
        (test-assert "and counts its requests without gaps"
          (every (lambda (pid)
                   (let ((counts (sort (filter-map (match-lambda ((p n) (and (= p pid) n))) answers) <)))
                     (equal? counts (iota (length counts) 1))))
                 pids)))))
  (test-assert "they end with the pool" (all-gone? mark))
  (call-with-pool 1
    (lambda (pool)
      (define (pid) (vector-ref (pool-apply-only pool 0 there 0) 0))
      (let ((first-pid (pid)))
        (kill first-pid SIGKILL)
        (await (lambda () (process-gone? first-pid)) patience)
        (test-assert "one that has ended between requests is started again" (not (= first-pid (pid)))))
      (test-equal "another place of the script has another program" 2
        (length (delete-duplicates (map (lambda (ask) (vector-ref (pool-apply-only pool 0 (remote ((ask ask)) (lambda () (ask 0)))) 0))
                                        (list ask (server "for x in lines(): say(json.dumps([os.getpid()]))\n"))))))
      ;; More than a worker keeps.
      (let ((many (map (lambda (i) (server "for x in lines(): say(json.dumps(os.getpid()))\n")) (iota 20))))
        (define all (remote ((many many)) (lambda () (map (lambda (ask) (ask 0)) many))))
        (let ((pids (pool-apply-only pool 0 all)))
          (test-equal "many programs" 20 (length (delete-duplicates pids)))
          (test-assert "of which a worker keeps some" (<= (length (remove process-gone? pids)) 16))
          (test-equal "all answer again" 20 (length (pool-apply-only pool 0 all)))))))
  (test-assert "none is left" (all-gone? mark))
  (test-equal "in the serial pool" '(1 2) (map (lambda (x) (vector-ref x 1)) (pool-map (make-serial-pool) there '(0 0)))))

(define (test-failures)
  (define-syntax-rule (fails name expected (body option ...) part ...)
    (let ((ask (server (string-append "count = 0\nfor x in lines():\n    if x == 0: say('0'); continue\n" body) option ...)))
      (test-equal (string-append name ": before") 0 (ask 0))
      (test-equal name expected (failure (lambda () (ask 1))))
      (test-assert (string-append name ": its message") (says? (lambda () (ask 1)) part ... "command: "))
      (test-equal (string-append name ": it is started again") 0 (ask 0))))
  (fails "an end" '(status 3) ("    err.write('no\\nlicence\\n'); sys.exit(3)\n")
         "it ended with status 3 instead of answering" "    licence")
  (fails "an end without an error" '(status 0) ("    sys.exit(0)\n") "status 0" "nothing to its standard error")
  (fails "a signal" '(signal (signal 9)) ("    os.kill(os.getpid(), 9)\n") "signal 9")
  (fails "half an answer" '(status 0) ("    say('[1, 2', ''); sys.exit(0)\n") "status 0")
  (fails "no JSON" '(output running) ("    say('<html>')\n") "is not JSON" "<html>")
  (fails "an empty line" '(output running) ("    say('')\n") "is not JSON")
  (fails "bytes that are no text" '(output running) ("    out.buffer.write(b'\\xff\\xfe\\n'); out.buffer.flush()\n") "is not JSON")
  (fails "two lines" '(output running) ("    say('1\\n2')\n") "more than the line" "2")
  (fails "a number that would take all memory" '(output running) ("    say('1e999999999')\n") "is not JSON")
  (fails "silence" '(timeout timeout) ("    time.sleep(1000)\n" #:timeout 0.3) "did not answer within 0.3 s")
  (fails "drops" '(timeout timeout) ("    while True: say('1', ''); time.sleep(0.01)\n" #:timeout 0.3) "within 0.3 s")
  (fails "a flood" '(flooded flooded) ("    while True: say('1' * 1000, '')\n" #:limit 100000) "more than 100000 bytes")
  (fails "a closed output" '(output running) ("    os.close(1); time.sleep(1000)\n") "closed its standard output")
  (fails "an error that is said" '(status 1) ("    raise ValueError('x is wrong')\n") "ValueError: x is wrong" "status 1"))

(define (test-order)
  ;; The second line comes when the first was taken: it must not become the answer to what is asked next.
  (call-with-folder
   (lambda (folder)
     (let* ((taken (string-append folder "/taken"))
            (flag (string-append folder "/said"))
            (ask (server (format #f "for x in lines():
    say(str(x))
    if x == 1:
        while not os.path.exists('~a'): time.sleep(0.002)
        say('99'); open('~a', 'w')\n" taken flag))))
       (test-equal "an answer" 1 (ask 1))
       (call-with-output-file taken (const #t))
       (test-assert "the line after it was written" (await (lambda () (file-exists? flag)) patience))
       (test-assert "is not the next answer" (says? (lambda () (ask 2)) "more than the line that it was asked for"))
       (test-equal "and what follows is right" 3 (ask 3)))))
  (let ((early (server "say('1')\nwhile True: time.sleep(1000)\n")) (large (make-string 1000000 #\x)))
    (test-equal "an answer before the request was read" 1 (early large))
    (test-equal "the next one goes to another program" 1 (early large)))
  (test-equal "a program that closes its input" '(output running)
    (failure (lambda () ((server "os.close(0)\nwhile True: time.sleep(1000)\n") (make-string 1000000 #\x)))))
  (test-equal "and answers all the same" 5
    ((server "os.close(0); say('5')\nwhile True: time.sleep(1000)\n") (make-string 1000000 #\x)))
  (let ((ask (server "for x in lines():\n    for i in range(3000): err.write('y' * 1000 + '\\n')\n    err.flush(); say('1')\n")))
    (test-equal "one that talks to its standard error" '(1 1 1) (list (ask 0) (ask 0) (ask 0)))))

(define (test-start)
  (define (said program . parts)
    (test-equal (string-append program ": its kind") '(not-started not-started) (failure (lambda () ((command-server program) 1))))
    (test-assert program (apply says? (lambda () ((command-server program) 1)) parts)))
  (said "/nonexistent/model" "cannot be started" "No such file")
  (said "no-such-model" "there is no program no-such-model on the PATH")
  (said "/tmp" "Permission denied" "it is a folder")
  (test-equal "one that ends at once" '(status 0) (failure (lambda () ((command-server "true") 1))))
  (test-assert "a keyword for runs" (says? (lambda () (command-server "cat" #:read 1)) "no keyword #:read" "#:timeout"))
  (call-with-folder
   (lambda (folder)
     (test-equal "its folder" folder ((server "for x in lines(): say(json.dumps(os.getcwd()))\n" #:directory folder) 0)))))

(call-with-tap
 (lambda ()
   (cond ((not (file-exists? python)) (tap-skip "servers" (string-append "there is no " python)))
         ((not (false-if-exception (resolve-interface '(json)))) (tap-skip "servers" "guile-json is not installed"))
         (else
          (with-execution-manager
            (test-group "values" (test-values))
            (test-group "one each" (test-one-each (make-mark)))
            (test-group "failures" (test-failures))
            (test-group "order" (test-order))
            (test-group "start" (test-start)))
          (test-assert "no process is left" (all-gone?))))))
