;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Pools on what launchers start: when that is started, shared, lost and ended. Agents are processes of this machine (fake-cluster).
(use-modules (tap) (fake-cluster) (processes) (programs) (ice-9 match) (srfi srfi-1) (srfi srfi-64)
             ((ice-9 threads) #:select (call-with-new-thread join-thread))
             (tutti) (tutti base log) (tutti conditions) (tutti launcher) (tutti launcher cluster)
             ((tutti launcher events) #:select (take-events!)) (tutti launcher nodes) (tutti pool type))

(use-fake-cluster!)

(define (text-of thunk)
  (with-exception-handler condition->string (lambda () (thunk) "nothing was raised") #:unwind? #t))

(define (missing text words)
  "Return those of WORDS that are not in TEXT, or TEXT itself if there are some."
  (if (every (lambda (word) (string-contains text word)) words) '() text))

(define-syntax-rule (test-words name text word ...)
  (test-equal name '() (missing text (list word ...))))

(define* (starts #:rest commands)
  "Return a launcher that starts an agent with each of COMMANDS."
  (make-launcher #:name "fake" #:describe "two of this machine"
                 #:start (lambda (request) (map (lambda (command) (cons 1 command)) commands))))

(define cluster-of pool-cluster)
(define (names pool) (sort (map node-name (there-nodes (cluster-of pool))) string<?))
(define (fake-left? cluster) (file-exists? (fake-folder (cluster-handle cluster))))

(define-syntax-rule (with-errors body ...)
  "Return the list of what is written to the error port while BODY is evaluated, and its value."
  (let* ((value #f)
         (text (call-with-output-string
                (lambda (port)
                  (let ((before (current-error-port)))
                    (dynamic-wind
                      (lambda () (set-current-error-port port))
                      (lambda () (set! value (begin body ...)))
                      (lambda () (set-current-error-port before))))))))
    (list text value)))

(define (clusters-made-by thunk)
  (let ((before clusters-made))
    (thunk)
    (- clusters-made before)))

(define-remote (square x) (* x x))
(define-remote (parent-of-mine) (getppid))

(define (test-there)
  (define launcher (starts (fake-agent "n1") (fake-agent "n2")))
  (test-equal "as many workers as processors of all" '(4 (0 1 4 9 16) 2 2)
    (call-with-pool 4
      (lambda (pool)
        (let ((parents (pool-apply pool parent-of-mine)))
          (list (pool-size pool) (pool-map pool square '(0 1 2 3 4))
                (length (delete-duplicates parents))     ; each node has a watcher of its own
                (length (there-nodes (cluster-of pool))))))
      #:on launcher))
  (test-equal "ten pools, one start" '(0 (1 4 9))
    (let ((values #f))
      (list (clusters-made-by (lambda ()
                                (for-each (lambda (_)
                                            (call-with-pool 2 (lambda (pool) (set! values (pool-map pool square '(1 2 3))))
                                              #:on launcher))
                                          (iota 10))))
            values)))
  (test-equal "without a size" '(4 0)
    (let* ((size #f)
           (made (clusters-made-by (lambda () (let ((pool (make-pool #:on launcher))) (set! size (pool-size pool)) (pool-close! pool))))))
      (list size made)))
  (test-equal "TUTTI_WORKERS counts more" 3
    (begin
      (setenv "TUTTI_WORKERS" "3")
      (let* ((pool (make-pool #:on launcher)) (size (pool-size pool)))
        (unsetenv "TUTTI_WORKERS")
        (pool-close! pool)
        size)))
  (test-equal "the parameter" '(2 0)
    (let* ((nodes #f)
           (made (clusters-made-by (lambda ()
                                     (parameterize ((current-launcher launcher))
                                       (call-with-pool 2 (lambda (pool) (set! nodes (length (there-nodes (cluster-of pool)))))))))))
      (list nodes made)))
  (test-equal "this machine, inside of that" #f
    (parameterize ((current-launcher launcher))
      (call-with-pool 1 pool-cluster #:on "local")))
  (test-equal "another launcher is another start" 1
    (clusters-made-by (lambda () (call-with-pool 1 (const #t) #:on (starts (fake-agent "m1"))))))
  (test-equal "whoever lets other bits in has others" 1
    (clusters-made-by (lambda () (call-with-pool 1 (const #t) #:on launcher #:allow-different-bits #t))))
  (test-equal "two threads, one start" '(1 (1 1))
    (let* ((launcher (starts (fake-agent "t1" #:before "sleep 0.5")))
           (sizes #f)
           (pool-of-one (lambda () (call-with-pool 1 (lambda (pool) (pool-apply pool square 1) (pool-size pool)) #:on launcher)))
           (made (clusters-made-by
                  (lambda ()
                    (let ((threads (map (lambda (_) (call-with-new-thread pool-of-one)) '(1 2))))
                      (set! sizes (map join-thread threads)))))))
      (list made sizes))))

(define (test-idle)
  (define launcher (starts (fake-agent "i1")))
  (define (ended? cluster) (await (lambda () (and (cluster-closed? cluster) (not (fake-left? cluster)))) 20))
  (parameterize ((linger-seconds 0.3))
    (let ((cluster (call-with-pool 1 cluster-of #:on launcher)))
      (test-equal "after a while without a pool they end" #t (ended? cluster))
      (test-equal "the next pool starts them again" 1 (clusters-made-by (lambda () (call-with-pool 1 (const #t) #:on launcher))))))
  (parameterize ((linger-seconds 0.5))
    (let* ((launcher (starts (fake-agent "i2")))
           (pool (make-pool 1 #:on launcher)))
      (call-with-pool 1 (const #t) #:on launcher)
      (usleep 1000000)
      (test-equal "but not while another pool has them" '(1) (pool-apply pool square 1))
      (pool-close! pool)
      (test-equal "closing twice is once" '(0 #t)
        (let ((cluster (call-with-pool 1
                         (lambda (pool)
                           (let ((cluster (cluster-of pool)))
                             (pool-close! pool)
                             (pool-close! pool)
                             cluster))
                         #:on launcher)))
          (list (cluster-pools cluster) (ended? cluster)))))))

(define (test-failures)
  (define (failing . commands) (lambda () (make-pool 1 #:on (apply starts commands))))
  (let ((text (text-of (failing '("sh" "-c" "echo first; echo the reason >&2; exit 3") '("sh" "-c" "exit 4")))))
    (test-words "no agent: which command, its end and its lines" text "make-pool" "no node has come up: two of this machine"
                "`sh -c echo first; echo the reason >&2; exit 3': ended with status 3; its last lines:" "    first" "    the reason"
                "ended with status 4" "tutti doctor --on"))
  (test-words "no such program" (text-of (failing '("no-such-launcher" "x"))) "cannot run no-such-launcher")
  (test-words "no commands" (text-of (failing)) "no node has come up" "which starts no agent")
  (test-words "what the launcher advises"
              (text-of (lambda () (make-pool 1 #:on (make-launcher #:name "fake" #:start (const '((1 "sh" "-c" "echo no key; exit 1")))
                                                                   #:advise (lambda (lines) (string-append "advice on " (last lines)))))))
              "advice on no key")
  (test-words "START itself"
              (text-of (lambda () (make-pool 1 #:on (make-launcher #:name "fake" #:start (lambda (request) (error "oh no"))))))
              "oh no")
  (test-words "what is wrong is found before anything starts"
              (text-of (lambda () (make-pool 0 #:on (starts (fake-agent "x"))))) "a pool has 1 to")
  (test-equal "and nothing stays" '() (filter (lambda (command) (equal? (last command) "x")) commands-run))
  (test-words "a text" (text-of (lambda () (make-pool 1 #:on "slrum:nodes=2"))) "make-pool" "there is no launcher `slrum'")
  (match (with-errors (parameterize ((settle-seconds 0.3))
                        (call-with-pool 2 (lambda (pool) (list (pool-size pool) (names pool)))
                          #:on (starts (fake-agent "p1") '("sh" "-c" "exit 1")))))
    ((text value)
     (test-equal "some have not come: on with the others" '(2 ("p1")) value)
     (test-words "and it is said" text "tutti: fake: 1 of 2 nodes have not come; going on with p1")))
  (match (with-errors (parameterize ((settle-seconds 0.3))
                        (call-with-pool 1 (lambda (pool) (names pool))
                          #:on (starts (fake-agent "q1") '("sh" "-c" "sleep 60")))))
    ((text value)
     (test-equal "nor are they waited for without end" '("q1") value)
     (test-words "and it is said, too" text "1 of 2 nodes have not come"))))

(define (test-different)
  (define launcher (starts (fake-agent "d1") (fake-agent "d2")))
  (set-fake-differences! '(("d2" . "OpenBLAS 0.3.0 on d2, 0.3.21 here")))
  (match (with-errors (parameterize ((settle-seconds 0.3))
                        (call-with-pool 1 (lambda (pool) (names pool)) #:on launcher)))
    ((text value)
     (test-equal "one that differs is refused" '("d1") value)
     (test-words "for a reason" text "tutti: fake: refused: OpenBLAS 0.3.0 on d2" "1 of 2 nodes have not come")))
  (match (with-errors (call-with-pool 1 (lambda (pool) (names pool)) #:on launcher
                                      #:allow-different-bits #t))
    ((text value)
     (test-equal "or let in" '("d1" "d2") value)
     (test-words "which is said" text "tutti: fake: d2: OpenBLAS 0.3.0 on d2")))
  (set-fake-differences! '(("e1" . "Tutti 0.0.9 on e1, 0.1.0 here")))
  (test-words "if there is no other, the error says why" (text-of (lambda () (make-pool 1 #:on (starts (fake-agent "e1")))))
              "no node has come up" "refused: Tutti 0.0.9 on e1")
  (set-fake-differences! '()))

(define (test-one-by-one)
  (define launcher
    (make-launcher #:name "fake" #:describe "three" #:hosts (const '("h1" "h2" "h3"))
                   #:start (lambda (request)
                             (match (request-hosts request)
                               (#f '((3 "sh" "-c" "echo h2 is down; exit 1")))
                               (("h2") '((1 "sh" "-c" "echo h2 is down; exit 1")))
                               ((host) (list (cons 1 (fake-agent host))))))))
  (match (with-errors (call-with-pool 2 (lambda (pool) (names pool)) #:on launcher))
    ((text value)
     (test-equal "if the command for all fails, each is tried" '("h1" "h3") value)
     (test-words "as is said" text "h2 is down" "trying each of h1, h2, h3 by itself" "1 of 3 nodes have not come"))))

(define (test-files)
  (define file #f)
  (define launcher
    (make-launcher #:name "queue"
                   #:start (lambda (request)
                             (set! file (request-invitation-file request 2))
                             ;; It ends at once, as qsub does.
                             (list (list 0 "sh" "-c" (string-append
                                                      "for n in f1 f2; do setsid sh -c 'read folder; cd $folder; echo $$ > new-'$n'; "
                                                      "mv new-'$n' agent-'$n'; while test -e run; do sleep 0.1; done' < " file
                                                      " > /dev/null 2>&1 & done"))))
                   #:stop (lambda () (list (list "sh" "-c" "echo ended > \"$0\"" (string-append (dirname (dirname file)) "/ended"))))))
  (call-with-folder
   (lambda (folder)
     (setenv "XDG_CACHE_HOME" folder)
     (parameterize ((linger-seconds 0.1))
       (let ((cluster #f))
         (test-equal "an invitation in a file" '("f1" "f2")
           (call-with-pool 2 (lambda (pool) (set! cluster (cluster-of pool)) (names pool))
             #:on launcher))
         (test-equal "for nobody else" #t (and (string-prefix? (string-append folder "/tutti/invitation-") file) #t))
         (test-equal "the end's commands are run, and the file is removed" #t
           (await (lambda ()
                    (and (file-exists? (string-append folder "/tutti/ended"))
                         (not (file-exists? file))
                         (not (file-exists? (dirname file)))))
                  20))
         (await (lambda () (not (fake-left? cluster))) 20)))
     (unsetenv "XDG_CACHE_HOME"))))

(define (test-loss)
  (define tries 0)
  (define launcher
    (make-launcher #:name "fake" #:hosts (const '("l1" "l2"))
                   #:start (lambda (request)
                             (match (request-hosts request)
                               (#f (list (cons 1 (fake-agent "l1")) (cons 1 (fake-agent "l2"))))
                               ((host) (set! tries (1+ tries)) (list (cons 1 (fake-agent host))))))))
  (define (again? pool) (await (lambda () (pool-apply pool square 1) (equal? '("l1" "l2") (names pool))) 20))
  (match (with-errors
           (call-with-pool 2
             (lambda (pool)
               (let ((before (names pool)))
                 (kill-agent! (cluster-of pool) "l2")
                 (list before
                       (await (lambda () (pool-apply pool square 1) (equal? '("l1") (names pool))) 10)
                       (again? pool))))
             #:on launcher))
    ((text value)
     (test-equal "one that is lost is started again" '(("l1" "l2") #t #t) value)
     (test-equal "once" 1 tries)
     (test-assert "the pool tells people" (not (string-contains text "l2")))))
  (for-each (lambda (name start over? reason)
              (let ((launcher (make-launcher #:name "fake" #:hosts (const '("l1" "l2")) #:over? over?
                                             #:start (lambda (request)
                                                       (if (request-hosts request)
                                                           start
                                                           (list (cons 1 (fake-agent "l1")) (cons 1 (fake-agent "l2"))))))))
                (test-equal name (list #t (cons "l2" reason))
                  (second
                   (with-errors
                    (call-with-pool 2
                      (lambda (pool)
                        (let ((before (length given-up)))
                          (kill-agent! (cluster-of pool) "l2")
                          (list (await (lambda () (pool-apply pool square 1) (< before (length given-up))) 20) (first given-up))))
                      #:on launcher))))))
            '("one that nothing starts again is given up" "and so is one of what is over")
            '(() ((1 "sh" "-c" "echo it is over; exit 1")))
            (list (const #f) (lambda (lines) (equal? lines '("it is over"))))
            '("nothing starts it again" "it could not be started again: it is over"))
  (match (with-errors
           (let ((cluster (call-with-pool 2 cluster-of #:on launcher)))
             (kill-agent! cluster "l2")
             (list (await (lambda () (take-events! cluster) (= 1 (length (there-nodes cluster)))) 10)
                   (call-with-pool 2 (lambda (pool) (list (eq? cluster (cluster-of pool)) (again? pool))) #:on launcher))))
    ((text value)
     (test-equal "also while there is no pool" '(#t (#t #t)) value)
     (test-words "which people are told of" text "tutti: fake: l2 is lost: its agent has ended"))))

(define (test-late folder)
  "An agent that comes when the pool has been made already has its share of it."
  (define go (in-vicinity folder "go"))
  (define launcher
    (starts (fake-agent "a1") (fake-agent "a2" #:before (string-append "until test -e '" go "'; do sleep 0.02; done"))))
  (match (with-errors
           (parameterize ((settle-seconds 0.1))
             (call-with-pool 4
               (lambda (pool)
                 (define (parents) (length (delete-duplicates (pool-apply pool parent-of-mine))))
                 (let ((before (parents)))
                   (close-port (open-output-file go))
                   (list before (await (lambda () (= 2 (parents))) 20) (pool-apply pool square 3))))
               #:on launcher)))
    ((text value)
     (test-equal "a node that comes later" '(1 #t (9 9 9 9)) value)
     (test-words "people are told who is missing" text "1 of 2 nodes have not come; going on with a1"))))

(call-with-tap
 (lambda ()
   (test-group "there" (test-there))
   (test-group "idle" (test-idle))
   (test-group "failures" (test-failures))
   (test-group "different" (test-different))
   (test-group "one by one" (test-one-by-one))
   (test-group "files" (test-files))
   (test-group "loss" (test-loss))
   (test-group "late" (call-with-folder test-late))
   (test-group "the end"
     (let ((left (filter file-exists? fake-folders)))
       ;; As when a program of Tutti's ends.
       (call-ends)
       (test-assert "some nodes were there" (pair? left))
       (test-equal "none is there after the session" '() (filter file-exists? fake-folders))))))
