;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators for the clients of UM-Bridge: what they are told, what becomes of what they should not have sent, and that none of them stops
;; the server, nor does a worker that dies.
(use-modules (tap) (mpi) (processes) (programs) (tutti) (tutti command) (tutti umbridge) (tutti umbridge primitives) (ice-9 exceptions)
             (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 textual-ports) (ice-9 threads) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64))

(define client-file (string-append (getenv "TUTTI_SOURCE_DIR") "/tests/support/umbridge-client.py"))

(define (client-command server words)
  (cons* (getenv "TUTTI_PYTHON") client-file (number->string (umbridge-port server)) words))

(define (client server . words)
  "Return the lines that the client prints, and what it complains of."
  (let ((program (run-program (client-command server words))))
    (unless (string-null? (program-errors program))
      (format (current-error-port) "~a~%" (program-errors program)))
    (string-split (string-trim-right (program-output program)) #\newline)))

(define (ask server . requests)
  "Return the lines with status and body of the answers to @var{requests}, lists of method, path and body."
  (apply client server "ask" (concatenate requests)))

(define (post server path . bodies)
  (apply ask server (map (lambda (body) (list "POST" path body)) bodies)))

(define (call-with-server arguments proc)
  (let ((server (apply umbridge-serve (append arguments (list #:port 0)))))
    (dynamic-wind (const #t)
                  (lambda () (proc server))
                  (lambda () (umbridge-stop server)))))

(define-syntax-rule (with-server (server argument ...) body ...)
  (call-with-server (list argument ...) (lambda (server) body ...)))

(define (has-all? text words)
  (every (lambda (word) (string-contains text word)) words))

(define-syntax-rule (test-has name words text)
  (let ((it text))
    (test-equal name (list #t it) (list (->bool (has-all? it words)) it))))

;;; Models.

(define square
  (make-operator #:name "square" #:domain 10 #:codomain 10
                 #:evaluate (remote (lambda (x) (list->f64vector (map (lambda (a) (* a a)) (f64vector->list x)))))
                 #:linearize #f))

;; (a, b), (c) -> (a b, c), (a c, b, 2 a), with its derivative.
(define (blocks)
  (make-operator #:name "blocks" #:domain (direct-sum 2 1) #:codomain (direct-sum 2 3)
                 #:evaluate (remote (lambda (x) (match (f64vector->list x) ((a b c) (f64vector (* a b) c (* a c) b (* 2 a))))))
                 #:linearize
                 (remote
                  (lambda (x)
                    (match (f64vector->list x)
                      ((a b c)
                       (values (f64vector (* a b) c (* a c) b (* 2 a))
                               (matrix-operator 5 3 (f64vector b a 0 0 0 1 c 0 a 0 1 0 2 0 0)))))))))

(define (text->list text)
  "Return the numbers of the JSON of numbers and arrays in the answer @var{text}."
  (call-with-input-string (string-map (lambda (c) (case c ((#\[) #\() ((#\]) #\)) ((#\,) #\space) (else c)))
                                      (let ((from (string-index text #\[))) (substring text from (string-rindex text #\}))))
    read))

;;; What clients are told.

(define (test-answers pool)
  (with-server (server `(("forward" . ,square) ("blocks" . ,(blocks))) #:pool pool)
    (test-equal "Info, ModelInfo and sizes"
      '("200 {\"protocolVersion\":1.0,\"models\":[\"forward\",\"blocks\"]}"
        "200 {\"support\":{\"Evaluate\":true,\"Gradient\":false,\"ApplyJacobian\":false,\"ApplyHessian\":false}}"
        "200 {\"support\":{\"Evaluate\":true,\"Gradient\":true,\"ApplyJacobian\":true,\"ApplyHessian\":false}}"
        "200 {\"inputSizes\":[2,1]}" "200 {\"outputSizes\":[2,3]}" "200 -")
      (let ((name "{\"name\":\"blocks\",\"config\":{}}"))
        (map string-trim-right
             (ask server '("GET" "/Info" "") '("POST" "/ModelInfo" "{\"name\":\"forward\"}") `("POST" "/ModelInfo" ,name)
                  `("POST" "/InputSizes" ,name) `("POST" "/OutputSizes" ,name) '("HEAD" "/Info" "")))))
    (test-equal "Evaluate" '((6. 5.) (10. 3. 4.))
      (text->list (first (post server "/Evaluate" "{\"name\":\"blocks\",\"input\":[[2,3],[5]]}"))))
    (test-equal "numbers come back exactly" '((1e-300 -0.0 0.30000000000000004))
      (with-server (same (identity-operator 3) #:pool #f)
        (text->list (first (post same "/Evaluate" "{\"name\":\"forward\",\"input\":[[1e-300,-0.0,0.30000000000000004]]}")))))
    ;; The Jacobian of (a b, c) by (a, b) at (2, 3, 5), and so on.
    (test-equal "ApplyJacobian and Gradient for all blocks"
      '((11. 0.) (0. 7.) (10. 2. 4.) (14. 0. 0.) (3. 2.) (1.) (7. 1.) (2.))
      (let ((request (lambda (path out in key vector)
                       (list "POST" path (format #f "{\"name\":\"blocks\",\"input\":[[2,3],[5]],\"outWrt\":~a,\"inWrt\":~a,\"~a\":~a}"
                                                 out in key vector)))))
        (map text->list
             (ask server
                  (request "/ApplyJacobian" 0 0 "vec" "[1,4]") (request "/ApplyJacobian" 0 1 "vec" "[7]")
                  (request "/ApplyJacobian" 1 0 "vec" "[2,2]") (request "/ApplyJacobian" 1 1 "vec" "[7]")
                  (request "/Gradient" 0 0 "sens" "[1,0]") (request "/Gradient" 0 1 "sens" "[1,1]")
                  (request "/Gradient" 1 0 "sens" "[1,1,1]") (request "/Gradient" 1 1 "sens" "[1,1,1]")))))))

(define (test-mistakes pool)
  (define right "\"name\":\"blocks\",\"input\":[[2,3],[5]]")
  (define (gradient rest) (format #f "{~a,~a}" right rest))
  (define cases
    `(("POST" "/Evaluate" "{\"name\":\"other\"}" "400" "ModelNotFound" "no model other" "forward, blocks")
      ("POST" "/ModelInfo" "{\"name\":\"other\"}" "400" "ModelNotFound")
      ("POST" "/Evaluate" "" "400" "InvalidInput" "not JSON: line 1, column 1" "found the end")
      ("POST" "/Evaluate" "{\"name\":\"blocks\",\n\"input\":[[1,NaN],[3]]}" "400" "InvalidInput" "line 2, column 13" "JSON has no NaN")
      ("POST" "/Evaluate" "[1]" "400" "InvalidInput" "expected an object")
      ("POST" "/Evaluate" "{}" "400" "InvalidInput" "name" "missing")
      ("POST" "/Evaluate" "{\"name\":1}" "400" "InvalidInput" "name" "is a number; expected the name of a model")
      ("POST" "/Evaluate" "{\"name\":\"blocks\"}" "400" "InvalidInput" "input is missing; expected an array of arrays of numbers")
      ("POST" "/Evaluate" "{\"name\":\"blocks\",\"input\":[[1,2]]}" "400" "InvalidInput" "input has 1 vector; expected 2")
      ("POST" "/Evaluate" "{\"name\":\"blocks\",\"input\":[1,2,3]}" "400" "InvalidInput" "expected an array of arrays")
      ("POST" "/Evaluate" "{\"name\":\"blocks\",\"input\":[[1,2],[3,4]]}" "400" "InvalidInput"
       "vector 1 of input has 2 numbers; expected 1")
      ("POST" "/Evaluate" "{\"name\":\"blocks\",\"input\":[[1,\"2\"],[3]]}" "400" "InvalidInput" "vector 0 of input")
      ("POST" "/Evaluate" ,(gradient "\"config\":{\"level\":2}") "400" "InvalidInput" "has no configuration" "level")
      ("POST" "/Evaluate" ,(gradient "\"config\":\"fine\"") "400" "InvalidInput" "expected an object")
      ("POST" "/Gradient" "{\"name\":\"forward\"}" "400" "UnsupportedFeature" "no derivative")
      ("POST" "/ApplyJacobian" "{\"name\":\"forward\"}" "400" "UnsupportedFeature")
      ("POST" "/ApplyHessian" "{\"name\":\"blocks\"}" "400" "UnsupportedFeature" "second derivatives")
      ("POST" "/Gradient" ,(gradient "\"inWrt\":0,\"sens\":[1,1]") "400" "InvalidInput" "outWrt" "missing")
      ("POST" "/Gradient" ,(gradient "\"outWrt\":2,\"inWrt\":0,\"sens\":[1,1]") "400" "InvalidInput"
       "outWrt" "is 2; expected an integer from 0 to 1")
      ("POST" "/Gradient" ,(gradient "\"outWrt\":0,\"inWrt\":-1,\"sens\":[1,1]") "400" "InvalidInput" "inWrt" "is -1")
      ("POST" "/Gradient" ,(gradient "\"outWrt\":0,\"inWrt\":0.5,\"sens\":[1,1]") "400" "InvalidInput" "inWrt" "is 0.5")
      ("POST" "/Gradient" ,(gradient "\"outWrt\":0,\"inWrt\":\"0\",\"sens\":[1,1]") "400" "InvalidInput" "inWrt" "a string")
      ("POST" "/Gradient" ,(gradient "\"outWrt\":1,\"inWrt\":0,\"sens\":[1,1]") "400" "InvalidInput" "sens has 2 numbers; expected 3")
      ("POST" "/ApplyJacobian" ,(gradient "\"outWrt\":1,\"inWrt\":0") "400" "InvalidInput" "vec is missing")
      ("POST" "/Nothing" "{}" "404" "/Nothing is nothing that UM-Bridge has")
      ("GET" "/" "" "404" "InvalidInput")
      ("GET" "/Evaluate" "" "405" "the method is GET; expected POST /Evaluate")
      ("POST" "/Info" "{}" "405" "expected GET /Info")
      ("PUT" "/Evaluate" "{}" "405" "the method is PUT")
      ("DELETE" "/Info" "" "405" "the method is DELETE")))
  (with-server (server `(("forward" . ,square) ("blocks" . ,(blocks))) #:pool pool)
    (for-each (lambda (case line)
                (test-has (format #f "~a ~a ~a" (first case) (second case) (third case)) (cdddr case) line))
              cases
              (apply ask server (map (lambda (case) (list-head case 3)) cases)))))

;;; Models that fail.

(define (request i) (format #f "{\"name\":\"forward\",\"input\":[[~a]]}" i))

(define fails
  (make-operator #:name "fails" #:domain 1 #:codomain 1
                 #:evaluate (remote
                             (lambda (x)
                               (case (inexact->exact (f64vector-ref x 0))
                                 ((1) (error "the mesh is not a mesh:" 7))
                                 ((2) (f64vector +nan.0))
                                 ((3) (f64vector 1 2))
                                 ((4) (kill (getpid) SIGKILL) (sleep 60) x)
                                 ((5) (sleep 60) x)
                                 (else x))))))

(define (test-failures)
  (parameterize ((task-retries 0) (task-timeout 2) (death-port #f))
    (call-with-pool 1
      (lambda (pool)
        (with-server (server fails)
          (define answers (apply post server "/Evaluate" (map request '(1 2 3 4 5 6))))
          (for-each (lambda (name words line) (test-has name words line))
                    '("an error in the model" "not a number" "a value of another size" "a worker that dies" "a model that takes too long"
                      "and the server goes on")
                    '(("500" "ModelError" "the mesh is not a mesh: 7")
                      ("500" "InvalidOutput" "vector 0: number 0 is not a number (NaN)")
                      ("500" "ModelError" "R^1")
                      ("500" "ModelError" "died" "signal 9")
                      ("500" "ModelError" "longer than its limit of 2 s")
                      ("200" "{\"output\":[[6.0]]}"))
                    answers))))))

;;; Where it is computed.

(define (test-places pool)
  (define count 0)
  (with-server (server (make-operator #:domain 1 #:codomain 1 #:evaluate (lambda (x) (set! count (1+ count)) x)) #:pool #f)
    (test-has "an operator that cannot travel is computed here" '("200" "[[5.0]]")
              (first (post server "/Evaluate" "{\"name\":\"forward\",\"input\":[[5]]}")))
    (test-equal "once" 1 count))
  (test-condition "elsewhere it is refused" (lambda (c) (string-contains (exception-message c) "cannot travel"))
    (umbridge-serve (make-operator #:domain 1 #:codomain 1 #:evaluate (lambda (x) (set! count (1+ count)) x)) #:port 0 #:pool pool))
  (with-server (server (parallel-vector-of-operators (list square square square) #:pool pool) #:name "all")
    (test-has "a parallel operator" '("{\"output\":[[1.0,4.0" "]," "1.0]]}")
              (first (post server "/Evaluate" "{\"name\":\"all\",\"input\":[[1,2,3,4,5,6,7,8,9,1]]}"))))
  (with-server (server (remote (lambda () (make-operator #:domain 1 #:codomain 1 #:evaluate (lambda (x) (f64vector (getpid))))))
                       #:pool pool)
    (test-equal "what a remote procedure returns is the worker's" #t
      (->bool (member (inexact->exact (caar (text->list (first (post server "/Evaluate" "{\"name\":\"forward\",\"input\":[[1]]}")))))
                      (map worker-pid (pool-workers pool))))))
  (with-server (server (identity-operator 2))
    (test-has "without a pool it has one of its own" '("[[1.0,2.0]]")
              (first (post server "/Evaluate" "{\"name\":\"forward\",\"input\":[[1,2]]}")))))

(define-remote (scaled config)
  (let ((n (assoc-ref config "n")) (factor (or (assoc-ref config "factor") 2)))
    (unless n (error "the configuration needs n"))
    (if (eqv? factor 0)
        (make-operator #:domain n #:codomain n #:evaluate identity)
        (diagonal-operator (make-f64vector n factor)))))

(define (test-configurations pool)
  (with-server (server scaled #:pool pool)
    (define (request path rest) (list "POST" path (format #f "{\"name\":\"forward\",~a}" rest)))
    (define answers
      (ask server
           (request "/InputSizes" "\"config\":{\"n\":3}")
           (request "/OutputSizes" "\"config\":{\"n\":2,\"factor\":1.5}")
           (request "/Evaluate" "\"config\":{\"n\":2,\"factor\":1.5},\"input\":[[1,2]]")
           (request "/Evaluate" "\"config\":{\"n\":3},\"input\":[[1,2]]")
           (request "/Gradient" "\"config\":{\"n\":2,\"factor\":0},\"input\":[[1,2]],\"outWrt\":0,\"inWrt\":0,\"sens\":[1,1]")
           (request "/Gradient" "\"config\":{\"n\":2,\"factor\":-3},\"input\":[[1,2]],\"outWrt\":0,\"inWrt\":0,\"sens\":[1,1]")
           (request "/Evaluate" "\"input\":[[1,2]]")
           (request "/InputSizes" "\"config\":{\"n\":[1,[true,null,\"a\"]]}")))
    (for-each (lambda (name words line) (test-has name words line))
              '("sizes" "other sizes" "a value" "wrong sizes" "without a derivative" "a derivative" "none" "one that makes no sense")
              '(("200 {\"inputSizes\":[3]}") ("200 {\"outputSizes\":[2]}") ("200 {\"output\":[[1.5,3.0]]}")
                ("400" "InvalidInput" "vector 0 of input has 2 numbers; expected 3") ("400" "UnsupportedFeature" "for this configuration")
                ("200 {\"output\":[-3.0,-3.0]}") ("500" "ModelError" "the configuration needs n") ("500" "ModelError"))
              answers)
    (test-equal "many configurations" '(#t)
      (delete-duplicates
       (map (lambda (n line) (->bool (string-contains line (format #f "[~a]" n))))
            (iota 30 1)
            (apply ask server (map (lambda (n) (request "/InputSizes" (format #f "\"config\":{\"n\":~a}" n))) (iota 30 1))))))))

;;; Bounds, and the end.

(define waits
  ;; Until the file named in the environment is there.
  (remote
   (lambda ()
     (make-operator #:domain 1 #:codomain 1
                    #:evaluate (lambda (x)
                                 (let ((folder (getenv "TEST_FOLDER")))
                                   (call-with-output-file (format #f "~a/began-~a" folder (f64vector-ref x 0)) (const #t))
                                   (let loop ((n 0))
                                     (unless (or (file-exists? (string-append folder "/go")) (= n 12000))
                                       (usleep 5000)
                                       (loop (1+ n))))
                                   x))))))

(define (start-client server . words)
  (apply open-pipe* OPEN_READ (client-command server words)))

(define (end-client pipe)
  (let ((text (string-trim-right (get-string-all pipe))))
    (close-pipe pipe)
    text))

(define (statistic server key) (assq-ref (umbridge-statistics server) key))

(define (call-with-waiting-server arguments proc)
  "Call @var{proc} with a server of one worker whose model waits, the folder that its files are in, and a procedure that lets it go on."
  (call-with-folder
   (lambda (folder)
     (let ((pool (make-pool 1 #:env `(("TEST_FOLDER" . ,folder)))))
       (call-with-server (cons* waits #:pool pool arguments)
         (lambda (server)
           (proc server
                 (lambda (i) (await (lambda () (file-exists? (format #f "~a/began-~a" folder i))) 60))
                 (lambda (i) (file-exists? (format #f "~a/began-~a" folder i)))
                 (lambda () (call-with-output-file (string-append folder "/go") (const #t))))))
       (pool-close! pool)))))

(define (test-busy)
  (call-with-waiting-server '(#:waiting 1)
    (lambda (server await-begin began? go!)
      (define first-client (start-client server "patient" "/Evaluate" (request 1.)))
      (test-equal "a request is being computed" #t (await-begin 1.))
      (let ((second-client (start-client server "patient" "/Evaluate" (request 2.))))
        (test-equal "another one waits" #t (await (lambda () (= 1 (statistic server 'waiting))) 60))
        (test-equal "meanwhile others are answered" '("200" "200" "400")
          (map (lambda (line) (string-take line 3))
               (ask server '("GET" "/Info" "") '("POST" "/InputSizes" "{\"name\":\"forward\"}")
                    '("POST" "/Evaluate" "{\"name\":\"forward\"}"))))
        (test-has "one more is told to come again" '("503" "ServiceUnavailable" "as many requests wait" "retry-after=1")
                  (first (post server "/Evaluate" (request 3.))))
        (go!)
        (test-equal "the others have their answers" '("asked\n200 {\"output\":[[1.0]]}" "asked\n200 {\"output\":[[2.0]]}")
          (list (end-client first-client) (end-client second-client))))
      (test-equal "the one that was refused was never computed" #f (began? 3.)))))

(define (test-leaving)
  (call-with-waiting-server '()
    (lambda (server await-begin began? go!)
      (define first-client (start-client server "patient" "/Evaluate" (request 1.)))
      (await-begin 1.)
      (client server "leave" "/Evaluate" (request 2.))
      (test-equal "a client that went away is noticed" #t (await (lambda () (= 1 (statistic server 'lost))) 60))
      (test-equal "and does not wait any more" 0 (statistic server 'waiting))
      (go!)
      (test-equal "the other one has its answer" "asked\n200 {\"output\":[[1.0]]}" (end-client first-client))
      (test-equal "nothing was computed for nobody" #f (began? 2.)))))

(define (seconds-of thunk)
  (let ((start (get-internal-real-time)))
    (thunk)
    (/ (- (get-internal-real-time) start) 1. internal-time-units-per-second)))

(define (test-stop)
  (call-with-waiting-server '()
    (lambda (server await-begin began? go!)
      (define first-client (start-client server "patient" "/Evaluate" (request 1.)))
      (define second-client (begin (await-begin 1.) (start-client server "patient" "/Evaluate" (request 2.))))
      (await (lambda () (= 1 (statistic server 'waiting))) 60)
      (test-equal "stopping does not wait for what does not end" #t (> 30 (seconds-of (lambda () (umbridge-stop server 0.2)))))
      (test-has "what was being computed is cancelled" '("503" "ServiceUnavailable" "cancelled") (end-client first-client))
      (test-has "what waited is refused" '("503" "being stopped") (end-client second-client))
      (test-equal "it can be stopped again" *unspecified* (umbridge-stop server))
      (test-equal "it still knows what it has done" 2 (statistic server 'requests))
      (test-equal "and is printed" #t (->bool (string-contains (format #f "~a" server) "forward, stopped")))))
  (call-with-waiting-server '()
    (lambda (server await-begin began? go!)
      (define first-client (start-client server "patient" "/Evaluate" (request 1.)))
      (await-begin 1.)
      (call-with-new-thread (lambda ()
                              (await (lambda () (string-contains (format #f "~a" server) ", stopped")) 60)
                              (go!)))
      (umbridge-stop server 60)
      (test-equal "what ends in time is answered" "asked\n200 {\"output\":[[1.0]]}" (end-client first-client))))
  (let ((server #f))
    (call-with-execution-manager
     (lambda (manager) (set! server (umbridge-serve (identity-operator 1) #:port 0 #:pool #f))))
    (test-equal "the end of a scope stops it" #t (->bool (string-contains (format #f "~a" server) "stopped")))))

(define (test-many pool)
  (with-server (server square #:pool pool)
    (test-equal "64 clients at once" '("right 1280 wrong 0 refused 0 lost 0") (client server "many" "64" "20"))
    (test-equal "200 clients at once" '("right 1000 wrong 0 refused 0 lost 0") (client server "many" "200" "5"))
    (test-equal "no request is left" 0 (statistic server 'waiting)))
  (with-server (server square #:pool pool #:patience 0.5)
    (test-equal "slow clients are given up, and stop nobody"
      '("200 {\"protocolVersion\":1.0,\"models\":[\"forward\"]}" "HTTP/1.1 408 Request Timeout")
      (client server "slow"))))

(define (test-deaths)
  (parameterize ((death-port #f))
    (call-with-pool 2
      (lambda (pool)
        (with-server (server square)
          (let* ((done? #f)
                 (killed 0)
                 (killer (call-with-new-thread
                          (lambda ()
                            (let loop ((i 0))
                              (unless done?
                                ;; One that is killed before it has begun to work is a fault of the pool, which gives up after some.
                                (let ((worker (list-ref (pool-workers pool) (modulo i 2))))
                                  (when (and (memq (worker-state worker) '(idle busy))
                                             (false-if-exception (begin (kill (worker-pid worker) SIGKILL) #t)))
                                    (set! killed (1+ killed))))
                                (usleep 100000)
                                (loop (1+ i))))))))
            (test-equal "workers are killed all the time, and no request is lost or wrong" '("right 4000 wrong 0 refused 0 lost 0")
              (client server "many" "8" "500"))
            (set! done? #t)
            (join-thread killer)
            (test-equal "some were killed" #t (> killed 2))))))))

(define (call-with-script text proc)
  "Call @var{proc} with the name of a file with the script @var{text}, and that of its folder."
  (call-with-folder
   (lambda (folder)
     (let ((file (string-append folder "/serve.scm")))
       (call-with-output-file file
         (lambda (port)
           (display "(use-modules (tutti) (tutti umbridge))\n(define server (umbridge-serve (identity-operator 1) #:port 0))\n" port)
           (display text port)))
       (proc file folder)))))

(define (test-no-processes mark)
  (test-equal "and leaves no processes" #t (await (lambda () (null? (marked-processes mark))) 30)))

(define (test-exit)
  (call-with-script "(display \"done\")"
    (lambda (file folder)
      (let* ((mark (make-mark))
             (program (run-program (list tutti "run" file) #:env (list mark "TUTTI_WORKERS=1"))))
        (test-equal "a script that ends does not wait for its server" '(0 "done" "")
          (list (program-status program) (program-output program) (program-errors program)))
        (test-no-processes mark)))))

(define (test-interrupt)
  (call-with-script "(format #t \"serves at ~a~%\" (umbridge-url server)) (umbridge-wait server)"
    (lambda (file folder)
      (let* ((mark (make-mark))
             (terminal (run-on-terminal (list tutti "run" file) '((expect 60 "serves at http://127.0.0.1:") (interrupt) (exit 30))
                                        #:env (list mark "TUTTI_WORKERS=1"))))
        (test-equal "Ctrl-C ends a script that serves" '(signal 2) (terminal-end terminal))
        (test-no-processes mark)))))

(define (test-missing)
  (call-with-script ""
    (lambda (file folder)
      (test-has "an installation without the part in C says what to install" '("no part for UM-Bridge" "libsoup-3.0-dev")
                (program-errors (run-program (list tutti "run" file)
                                             #:env (list (string-append "TUTTI_MODULEDIR=" folder) "TUTTI_WORKERS=1")))))))

;;; Mistakes of the script.

(define (test-refusals pool)
  (define-syntax-rule (test-refused name word expression)
    (test-condition name (lambda (c) (string-contains (exception-message c) word)) expression))
  (test-refused "complex spaces" "real numbers only" (umbridge-serve (identity-operator (complex-space 2)) #:port 0 #:pool pool))
  (test-refused "no operator" "expected an operator" (umbridge-serve 7 #:port 0))
  (test-refused "no models" "at least one model" (umbridge-serve '() #:port 0))
  (test-refused "two of a name" "the same name" (umbridge-serve `(("a" . ,square) ("a" . ,square)) #:port 0 #:pool pool))
  (test-refused "a procedure of too many arguments" "expected an operator, or a procedure" (umbridge-serve (lambda (a b) a) #:port 0))
  (test-refused "a procedure that returns something else" "must return an operator, not 7"
    (umbridge-serve (remote (lambda () 7)) #:port 0 #:pool pool))
  (test-refused "an address that is none" "is no address" (umbridge-serve square #:port 0 #:address "somewhere" #:pool pool))
  (test-error "a port that is none" 'wrong-type-arg (umbridge-serve square #:port 70000 #:pool pool))
  (test-error "memory for less than one request" 'wrong-type-arg (umbridge-serve square #:port 0 #:memory 1 #:pool pool))
  (with-server (server square #:pool pool)
    (test-refused "a port that is in use" "in use" (umbridge-serve square #:port (umbridge-port server) #:pool pool))
    (test-equal "its address" (format #f "http://127.0.0.1:~a" (umbridge-port server)) (umbridge-url server)))
  (let ((warning (call-with-output-string
                   (lambda (port)
                     (parameterize ((worker-output-port port))
                       (with-server (server square #:address "0.0.0.0" #:pool pool) #t))))))
    (test-has "that others may use it is said" '("anybody who reaches 0.0.0.0" "do not authenticate") warning)))

;; Each evaluation is a program of several ranks.
(define (test-mpi)
  (call-with-folder
   (lambda (folder)
     (define template (string-append folder "/in.tpl"))
     (call-with-output-file template (lambda (port) (display "@{x}\n" port)))
     (prepare-mpi)
     (call-with-pool 2
       (lambda (pool)
         (define op (command-operator (mpi-command 3 ranks-program "sum" "in") #:templates (list (cons template "in")) #:parameters '(x)
                                      #:read (output-value "stdout" "sum =")))
         (with-server (server op #:name "ranks" #:pool pool)
           (test-has "an operator that is a program with MPI" '("200" "[[7.5]]")
             (first (post server "/Evaluate" "{\"name\": \"ranks\", \"input\": [[1.5]], \"config\": {}}")))))))))

(unless (available?)
  (tap-skip-all "this build has no libsoup"))

(call-with-tap
 (lambda ()
   (test-group "missing" (test-missing))
   (call-with-pool 2
     (lambda (pool)
       (test-group "answers" (test-answers pool))
       (test-group "mistakes" (test-mistakes pool))
       (test-group "places" (test-places pool))
       (test-group "configurations" (test-configurations pool))
       (test-group "refusals" (test-refusals pool))
       (test-group "many" (test-many pool))))
   (if (mpi-obstacle)
       (tap-skip "ranks" (mpi-obstacle))
       (test-group "ranks" (test-mpi)))
   (test-group "failures" (test-failures))
   (test-group "busy" (test-busy))
   (test-group "leaving" (test-leaving))
   (test-group "stop" (test-stop))
   (test-group "deaths" (test-deaths))
   (test-group "exit" (test-exit))
   (test-group "interrupt" (test-interrupt))))
