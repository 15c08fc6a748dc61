;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Hosts that have no folder in common: what the script has in files is on all of them all the same, as the script has it, and nothing of
;; it is left there. Each host has a folder for temporary files of its own; the script is in that of head.
(use-modules (tap) (cluster) (processes) (programs) (ice-9 match) (ice-9 textual-ports) (srfi srfi-1) (srfi srfi-64))

(define patience 30)

;; On head; n1 has the same, n2 nothing of it, and n3 other files of the same names.
(define temporary "/tmp")
(define there (string-append temporary "/Größe und mehr"))
(define (in-there name) (string-append there "/" name))

;;; Files.

;; What was expanded elsewhere has the number of that process.
(define model
  '((define-module (model)
      #:use-module (deep größe)
      #:use-module (srfi srfi-9)
      #:autoload (deep later) (tripled)
      #:export (scaled thrice expanded-in make-point point? point-x))
    (define-record-type <point> (make-point x) point? (x point-x))
    (define-syntax this-process (lambda (x) (datum->syntax x (getpid))))
    (define expanded-in this-process)
    (define (thrice x) (tripled x))
    (define (scaled x) (* 2 (scale x)))))

;; It is long enough to be asked for before it is sent.
(define size
  `((define-module (deep größe) #:export (scale))
    (define filling ,(make-string 20000 #\ß))
    (define (scale x) (+ x (/ (string-length filling) 40000.0)))))

(define later
  '((define-module (deep later) #:export (tripled))
    (define (tripled x) (* 3 x))))

(define other-model
  '((define-module (model) #:export (scaled thrice expanded-in make-point point? point-x))
    (define (wrong . _) 'wrong)
    (define scaled wrong) (define thrice wrong) (define expanded-in 'wrong)
    (define make-point wrong) (define point? wrong) (define point-x wrong)))

(define wrong-size
  `((define-module (deep größe) #:export (scale))
    (define filling ,(make-string 20000 #\s))
    (define (scale x) (list 'wrong x filling))))

(define (write-forms file forms)
  (call-with-output-file file
    (lambda (port)
      (for-each (lambda (form) (write form port) (newline port)) forms))
    #:encoding "UTF-8"))

;; 4 MB of numbers, the last of which is LAST.
(define (write-numbers file last)
  (let ((numbers (make-f64vector 500000 1.5)))
    (f64vector-set! numbers 499999 last)
    (call-with-output-file file (lambda (port) ((@ (ice-9 binary-ports) put-bytevector) port numbers)) #:binary #t)))

(define* (fill-folder folder #:key (model model) (size size) (last 2.5))
  (for-each mkdir (list folder (string-append folder "/lib") (string-append folder "/lib/deep")))
  (write-forms (string-append folder "/model.scm") model)
  (write-forms (string-append folder "/lib/deep/größe.scm") size)
  (write-forms (string-append folder "/lib/deep/later.scm") later)
  (write-numbers (string-append folder "/numbers") last)
  (copy-file (helper (if (eq? model other-model) "numbers-operator-1.so" "numbers-operator-2.so")) (string-append folder "/operators.so"))
  (close-port (open-output-file (string-append folder "/empty"))))

(define (put-on host folder)
  (program-output (run-on host (list "cp" "-r" (in-folder folder) there))))

(define (make-hosts!)
  (fill-folder (in-folder "right"))
  (fill-folder (in-folder "wrong") #:model other-model #:size wrong-size #:last 3.5)
  (put-on "head" "right")
  (put-on "n1" "right")
  (put-on "n3" "wrong")
  ;; Nothing needs room on the disks of a host.
  (run-on "n2" (list "sh" "-c" "mount -n -o remount,size=4k \"$0\"; head -c 8192 /dev/zero > \"$0/full\"" temporary)))

;;; Scripts.

(define (write-script name forms)
  (write-forms (in-folder name) forms)
  (run-on "head" (list "cp" (in-folder name) (in-there name)))
  (in-there name))

(define* (run-script script #:key (on "ssh:n1,n2,n3") (env '()) (compile? #f))
  (tutti-on "head" script
            #:options (append (list "-L" (in-there "lib")) (if on (list "--on" on) '()))
            #:env (cons* (string-append "XDG_CACHE_HOME=" (in-there (if compile? "cache" "no-cache")))
                         (string-append "GUILE_AUTO_COMPILE=" (if compile? "1" "0"))
                         env)))

(define beginning
  '((use-modules (tutti) (srfi srfi-4) (ice-9 exceptions) (ice-9 textual-ports) (srfi srfi-1))
    (define (show . x) (write x) (newline))))

(define job
  `(,@beginning
    (use-modules (model))
    (define numbers (map-f64vector ,(in-there "numbers")))
    (define part (map-f64vector ,(in-there "numbers") #:offset 8 #:count 300000))
    (define operator (native-operator ,(in-there "operators.so") "cubic" #:c '(1 2 3) #:shift 0.25 #:scale 2.0))
    (define-remote (sum v) (let loop ((i 0) (sum 0.0)) (if (= i (f64vector-length v)) sum (loop (1+ i) (+ sum (f64vector-ref v i))))))
    (define-remote (point-at x) (make-point (scaled x)))
    (call-with-pool 6
      (lambda (pool)
        (show 'by-name (pool-apply pool scaled 3))
        (show 'inside (pool-apply pool (remote (lambda (x) (list (scaled x) (thrice x)))) 4))
        (show 'records (map point-x (pool-apply pool point-at 5)) (pool-map pool point-x (map point-at '(1 2 3 4 5 6))))
        (show 'mapped (pool-apply pool sum numbers) (pool-apply pool sum part))
        (show 'parts (pool-apply pool sum (pool-scatter pool numbers)))
        (show 'operator (map f64vector->list (pool-apply pool evaluate operator (f64vector 0.1 0.2 0.3))))
        (show 'adjoint (map f64vector->list
                            (pool-apply pool (remote (lambda (o)
                                                   (call-with-values (lambda () (linearize o (f64vector 1 2 3)))
                                                     (lambda (y derivative) (evaluate (adjoint derivative) (f64vector 4 5 6))))))
                                        operator)))
        (show 'made-there (map (lambda (p) (p 1)) (pool-apply pool (remote (lambda (x) (remote ((x x)) (lambda (y) (scaled (+ x y)))))) 2)))
        (when (pool-apply pool (remote (lambda () expanded-in)))
          (show 'compiled (every (lambda (number) (eqv? number expanded-in))
                                 (pool-apply pool (remote (lambda () expanded-in))))))
        ;; What is loaded by now goes there by now.
        (let ((square (module-ref (resolve-interface '(deep square)) 'square)))
          (show 'later (pool-apply pool square 7)))))))

(define (test-the-same)
  (write-forms (in-folder "square.scm") '((define-module (deep square) #:export (square)) (define (square x) (* x x))))
  (run-on "head" (list "cp" (in-folder "square.scm") (in-there "lib/deep/square.scm")))
  (let* ((script (write-script "job.scm" job))
         (here (run-script script #:on #f #:compile? #t))
         (there (run-script script #:compile? #t))
         (as-text (run-script script)))
    (test-equal "here" 0 (program-status here))
    (test-equal "there: its end" 0 (program-status there))
    (test-equal "there: nothing to complain of" "" (program-errors there))
    (test-equal "there: the same bits" (program-output here) (program-output there))
    (test-assert "there: what was compiled here" (string-contains (program-output there) "(compiled #t)"))
    (test-equal "without bytecode: its end" 0 (program-status as-text))
    (test-assert "without bytecode: the same bits"
      (string-prefix? (car (string-split (program-output here) #\newline)) (program-output as-text)))
    (test-assert "without bytecode: what was not compiled here" (string-contains (program-output as-text) "(compiled #f)"))))

;; Where the numbers are that a worker was sent: TRUE if they are those of its host's own file.
(define mapped
  `(,@beginning
    (define numbers (map-f64vector ,(in-there "numbers")))
    (define-remote (own-file? v)
      (f64vector-ref v 499999)
      (list (gethostname) (->bool (string-contains (call-with-input-file "/proc/self/maps" get-string-all) "/numbers"))))
    (call-with-pool 6
      (lambda (pool)
        (for-each show (delete-duplicates (pool-apply pool own-file? numbers)))))))

(define (test-mapped)
  (test-equal "a file that is there is mapped, another is not" "((\"n1\" #t))\n((\"n2\" #f))\n((\"n3\" #f))\n"
    (program-output (run-script (write-script "mapped.scm" mapped)))))

;; What a script finds where it has its folder, and where it has not.
(define places
  `(,@beginning
    (call-with-pool 6
      (lambda (pool)
        (for-each show (delete-duplicates (pool-apply pool (remote (lambda () (list (gethostname) (getcwd) (getenv "MINE")))))))))))

(define (test-places)
  (let ((script (write-script "places.scm" places))
        (home (passwd:dir (getpwuid (getuid)))))
    (test-equal "folder and environment"
      (format #f "(~s)\n(~s)\n(~s)\n" (list "n1" there "yes") (list "n2" home "yes") (list "n3" there "yes"))
      (program-output (run-on "head" (list "sh" "-c" "cd \"$0\" && exec \"$@\"" there tutti "run" "-L" "lib" "--on" "ssh:n1,n2,n3" script)
                              #:env '("MINE=yes"))))))

;; A module is what it was when it was loaded, or else an error.
(define changing
  `(,@beginning
    (define file (in-vicinity (dirname (car (command-line))) "changing.scm"))
    (define (write-module! value)
      (call-with-output-file file
        (lambda (port) (write '(define-module (changing) #:export (value)) port) (write (list 'define '(value) value) port))))
    (define (message-of thunk)
      (with-exception-handler exception-message (lambda () (format #f "no error: ~s" (thunk))) #:unwind? #t))
    (write-module! 1)
    (define value (module-ref (resolve-interface '(changing)) 'value))
    (call-with-pool 6
      (lambda (pool)
        (write-module! 22)
        (show (delete-duplicates (pool-apply pool value)))))
    (call-with-pool 6 (lambda (pool) (show (delete-duplicates (pool-apply pool value)))))
    (write-module! 1)
    (reload-module (resolve-module '(changing)))
    (write-module! 333)
    (show (message-of (lambda () (call-with-pool 6 (lambda (pool) (pool-apply pool value))))))
    (delete-file file)
    (show (message-of (lambda () (call-with-pool 6 (lambda (pool) (pool-apply pool value))))))))

(define (test-changing)
  (let* ((done (run-script (write-script "changing-script.scm" changing)))
         (lines (string-split (program-output done) #\newline)))
    (test-equal "it goes on" "" (program-errors done))
    (test-equal "changed after the pool was made" '("((1))" "((1))") (list-head lines 2))
    (test-assert "changed before" (and (string-contains (third lines) "changing.scm") (string-contains (third lines) "has changed")))
    (test-assert "gone" (string-contains (fourth lines) "changing.scm"))))

;; Nothing is left of a script that is killed, nor of an agent.
(define endless
  `(,@beginning
    (use-modules (model))
    (define numbers (map-f64vector ,(in-there "numbers")))
    (call-with-pool 6
      (lambda (pool)
        (pool-apply pool scaled 1)
        (call-with-output-file (cadr (command-line)) (lambda (port) (write (getpid) port)))
        (pool-apply pool (remote (lambda (v) (sleep 100))) numbers)))))

(define (files-of-hosts)
  (map (lambda (host)
         (program-output (run-on host (list "find" temporary "/dev/shm" "/var/tmp" "-xdev" "-not" "-path" "*/tutti-test-*"))))
       '("n1" "n2" "n3")))

(define (agents-on host)
  (string-tokenize (program-output (run-on host '("pgrep" "-x" "tutti-agent")))))

(define (test-left)
  (define mark (make-mark))
  (let ((before (files-of-hosts))
        (script (write-script "endless.scm" endless))
        (begun (in-folder "begun")))
    (call-with-running-on "head" (list tutti "run" "-L" (in-there "lib") "--on" "ssh:n1,n2,n3" script begun)
      (lambda (port)
        (test-assert "it runs" (await (lambda () (and (file-exists? begun) (not (zero? (stat:size (stat begun)))))) patience))
        (let ((agents (agents-on "n2")))
          (test-equal "one agent" 1 (length agents))
          (run-on "n2" (list "kill" "-KILL" (first agents))))
        (run-on "head" (list "kill" "-KILL" (number->string (call-with-input-file begun read))))
        (test-assert "killed: no process is left"
          (await (lambda () (and (null? (marked-processes mark)) (null? (append-map agents-on '("n1" "n2" "n3"))))) patience)))
      #:env (list mark))
    (test-equal "killed: no file is left" before (files-of-hosts))))

(call-with-tap
 (lambda ()
   (call-with-cluster
    (lambda ()
      (make-hosts!)
      (test-the-same)
      (test-mapped)
      (test-places)
      (test-changing)
      (test-left))
    #:slurm? #f)))
