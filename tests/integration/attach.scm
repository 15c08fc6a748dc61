;; SPDX-License-Identifier: LGPL-3.0-or-later
;; A REPL in a running job: who comes, what is seen, what is left unharmed.
(use-modules (tap) (programs) (processes) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (ice-9 regex) (ice-9 textual-ports)
             (rnrs bytevectors) (srfi srfi-1) (srfi srfi-64))

(define patience 60)
(define prompt "(guile-user)> ")
(define folder (getenv "XDG_RUNTIME_DIR"))

;;; Jobs.

(define (contents file)
  (call-with-input-file file get-string-all #:encoding "UTF-8"))

(define* (start-job script file #:key (verb '("run")))
  "Start SCRIPT, whose output goes to FILE; return its process."
  (let* ((command (append (list "sh" "-c" "out=$0; \"$@\" > \"$out\" 2>&1 < /dev/null & echo $!" file tutti) verb (list script)))
         (pipe (apply open-pipe* OPEN_READ command))
         (pid (string->number (read-line pipe))))
    (close-pipe pipe)
    pid))

(define (await-text file text)
  (await (lambda () (false-if-exception (string-contains (contents file) text))) patience))

(define (gone? pid) (process-gone? pid))

(define (call-with-job proc)
  "Call PROC with the process of a job that listens, the file of its output, and the path of its socket."
  (call-with-folder
   (lambda (folder)
     (let* ((file (string-append folder "/output"))
            (pid (start-job (fixture "listening.scm") file)))
       (dynamic-wind
         (const #t)
         (lambda ()
           (unless (await-text file "listening ")
             (error "the job does not listen" (contents file)))
           (proc pid file (match:substring (string-match "listening ([^\n]*)" (contents file)) 1)))
         (lambda ()
           (false-if-exception (kill pid SIGKILL))))))))

;;; Those who come.

(define* (say-to pid text #:key (seconds 60))
  "Let `tutti attach' send TEXT to the job PID."
  (run-program (list "sh" "-c" "printf '%s' \"$0\" | \"$@\"" text tutti "attach" (number->string pid)) #:seconds seconds))

(define (said pid . lines)
  (program-output (say-to pid (string-append (string-join lines "\n") "\n"))))

(define (has? text . parts)
  "Does each of PARTS, regular expressions, match TEXT? If not, it is the value."
  (or (every (lambda (part) (->bool (string-match part text))) parts) text))

(define (connect-raw path)
  (let ((port (socket PF_UNIX SOCK_STREAM 0)))
    (connect port AF_UNIX path)
    port))

(define (read-until port text)
  "Return what comes from PORT up to TEXT, or up to the end."
  (let loop ((characters '()) (tail ""))
    (if (string-suffix? text tail)
        (list->string (reverse characters))
        (let ((c (match (select (list port) '() '() patience)
                   ((() _ _) (the-eof))
                   (_ (read-char port)))))
          (if (eof-object? c)
              (list->string (reverse characters))
              (loop (cons c characters)
                    (let ((more (string-append tail (string c))))
                      (if (> (string-length more) (string-length text)) (substring more 1) more))))))))

(define (flood! port text)
  "Send all of TEXT, ASCII, as fast as the other side takes it. #f: it has taken nothing for a minute, or has left."
  (let ((bytes (string->utf8 text)))
    (fcntl port F_SETFL (logior O_NONBLOCK (fcntl port F_GETFL)))
    (let loop ((from 0))
      (or (= from (bytevector-length bytes))
          (match (select '() (list port) '() patience)
            ((_ () _) #f)
            (_ (let* ((piece (min 65536 (- (bytevector-length bytes) from)))
                      (part (make-bytevector piece)))
                 (bytevector-copy! bytes from part 0 piece)
                 (let ((n (catch 'system-error
                            (lambda () (send port part #x4000)) ; MSG_NOSIGNAL
                            (lambda error (if (memv (system-error-errno error) (list EAGAIN EINTR)) 0 #f)))))
                   (and n (loop (+ from n)))))))))))

(define (the-eof) (call-with-input-string "" read-char))

(define (end-of? port)
  (match (select (list port) '() '() patience)
    ((() _ _) #f)
    (_ (eof-object? (catch #t (lambda () (read-char port)) (const (the-eof)))))))

;; Read until there is no more.
(define (ends? port)
  (or (end-of? port) (and (pair? (car (select (list port) '() '() 0))) (ends? port))))

;;; What is seen and changed.

(define (test-variables)
  (call-with-job
   (lambda (pid file path)
     (test-equal "what is evaluated is answered there" #t
       (has? (said pid "(+ 1 2)" "(list 1" "2)" "(begin (display \"only here\") (newline))" "(car '())" ",q" "(values 7 8)")
             "\\$1 = 3" "\\$2 = \\(1 2\\)" "only here" "Wrong type argument" "= 7" "= 8"))
     (test-equal "and nowhere else" #f (string-contains (contents file) "only here"))
     (test-assert "(exit) leaves, and says so" (has? (said pid "(exit 3)") "ends this connection"))
     (test-assert "the job goes on" (not (gone? pid)))
     (said pid "(set! going? #f)")
     (test-assert "a variable that is set ends it" (await (lambda () (gone? pid)) patience))
     (test-equal "its socket is gone as well" #f (file-exists? path)))))

;;; Any program as a client.

(define (test-raw)
  (call-with-job
   (lambda (pid file path)
     (let ((one (connect-raw path)) (two (connect-raw path)))
       (test-equal "a greeting and a prompt" #t (has? (read-until one prompt) (format #f "Process ~a, .*listening.scm" pid)))
       (read-until two prompt)
       (display "(define mine 5)\n" one)
       (display "(define mine-too 6)\n" two)
       (read-until one prompt)
       (read-until two prompt)
       (display "(list mine mine-too)\n" one)
       (test-equal "two at once" #t (has? (read-until one prompt) "\\(5 6\\)"))
       (display "\x01what is that\n(+ 20 1)\n" one)
       (test-equal "what means nothing is nothing" #t (has? (read-until one prompt) "= 21"))
       (display "(exit)\n" two)
       (test-equal "(exit) is an end" #t (has? (read-until two "the job goes on; ") "ends this connection"))
       (test-assert "the job goes on" (not (gone? pid)))
       (close-port one)
       (close-port two))
     ;; Those above are about to be missed, or not yet.
     (let ((many (map (lambda (_)
                        (await (lambda ()
                                 (let ((port (connect-raw path)))
                                   (if (string-suffix? prompt (read-until port prompt)) port (begin (close-port port) #f))))
                               patience #:pause 20000))
                      (iota 8))))
       (let ((ninth (connect-raw path)))
         (test-equal "eight, no more" #t (has? (read-until ninth "first\n") "8 clients already")))
       (for-each close-port many))
     (test-assert "who has left makes room" (await (lambda () (string-match "= 3" (said pid "(+ 1 2)"))) patience #:pause 20000)))))

(define (test-unharmed)
  (call-with-job
   (lambda (pid file path)
     (let ((port (connect-raw path)))
       (read-until port prompt)
       (display "(let loop () (display \"and on \") (loop))\n" port)
       (force-output port)
       (test-equal "one who does not read keeps nobody" #t
         (has? (said pid "(+ 1 2)" "(let ((before counter)) (usleep 200000) (> counter before))") "= 3" "#t"))
       (close-port port))
     (let ((port (connect-raw path)))
       (read-until port prompt)
       (display "(define ticks 0)\n(let loop () (set! ticks (1+ ticks)) (loop))\n" port)
       (force-output port)
       (test-assert "it has begun"
         (await (lambda () (string-match "#t" (said pid "(> ticks 0)"))) patience #:pause 20000))
       (close-port port)
       (test-assert "what one has begun who goes is left"
         (await (lambda () (string-match "#t" (said pid "(let ((before ticks)) (usleep 500000) (= ticks before))"))) patience)))
     (let ((port (connect-raw path)))
       (read-until port prompt)
       (test-assert "a long line is taken" (flood! port (string-append "(string-length \"" (make-string 900000 #\x) "\")\n")))
       (test-equal "and answered" #t (has? (read-until port prompt) "= 900000"))
       ;; It may be sent away before it has sent all.
       (flood! port (make-string 3000000 #\())
       (test-assert "who sends one without an end is sent away" (ends? port))
       (test-equal "and keeps nobody" #t (has? (said pid "(+ 1 2)") "= 3"))
       (close-port port))
     (let ((hanging (connect-raw path)) (quiet (connect-raw path)))
       (read-until quiet prompt)
       (read-until hanging prompt)
       (display "(let loop () (display \"and on \") (loop))\n" hanging)
       (force-output hanging)
       (said pid "(set! going? #f)")
       (test-assert "at its end it waits for nobody" (await (lambda () (gone? pid)) 20))
       (test-assert "and they learn of it" (end-of? quiet))
       (test-equal "it ended as if nobody had been there" #t (has? (contents file) "\ndone\n$"))))))

;;; On a terminal.

(define* (on-terminal pid steps)
  (run-on-terminal (list tutti "attach" (number->string pid)) (append `((expect ,patience ,prompt)) steps)
                   #:env '("XDG_STATE_HOME=/dev/null/none" "INPUTRC=/dev/null")))

(define (check name terminal end)
  (let ((ok? (and (every step-ok? (terminal-steps terminal)) (equal? (terminal-end terminal) end))))
    (test-assert name ok?)
    (unless ok?
      (format (current-error-port) "~a: ~a\n~a\n" name (terminal-end terminal) (terminal-text terminal)))))

(define (test-terminal)
  (call-with-job
   (lambda (pid file path)
     (check "lines, over several of them"
            (on-terminal pid `((send "(+ 1 (* 10 2))\n") (expect ,patience "= 21") (expect ,patience ,prompt)
                               (send "(list 4\n") (expect ,patience "... ") (send "(+ 1 1))\n") (expect ,patience "(4 2)")
                               (expect ,patience ,prompt) (send ",q\n") (exit ,patience)))
            '(exited 0))
     (check "Ctrl-C in a line, in an expression, in what is evaluated"
            (on-terminal pid `((send "(+ 1") (interrupt) (expect ,patience ,prompt)
                               (send "(list 1\n") (expect ,patience "... ") (interrupt) (expect ,patience ,prompt)
                               (send "(begin (display \"be\") (display \"gun\") (newline) (let loop () (loop)))\n")
                               (expect ,patience "begun") (interrupt) (expect ,patience "Interrupted.") (expect ,patience ,prompt)
                               (send "(+ 1 (* 10 2))\n") (expect ,patience "= 21") (expect ,patience ,prompt)
                               (send "\x04") (exit ,patience)))
            '(exited 0))
     (test-assert "the job goes on" (not (gone? pid)))
     (check "names of the job are completed, and lines remembered"
            (on-terminal pid `((send "(eq? mo-such-name-") (send "\t") (interrupt) (expect ,patience ,prompt)
                               (send "(define a-name-of-the-job 7)\n") (expect ,patience ,prompt)
                               (send "(+ 20 a-name-of-the\t)\n") (expect ,patience "= 27") (expect ,patience ,prompt)
                               (send "\x1b[A\n") (expect ,patience "= 27") (expect ,patience ,prompt)
                               (send "\x04") (exit ,patience)))
            '(exited 0))
     (check "a program that reads lines is given them"
            (on-terminal pid `((send "(use-modules (ice-9 rdelim))\n") (expect ,patience ,prompt)
                               (send "(string-append \"got \" (read-line))\n") (send "a line\n") (expect ,patience "got a line")
                               (expect ,patience ,prompt) (send ",q\n") (exit ,patience)))
            '(exited 0))
     (check "the end of the job at the prompt is told"
            (on-terminal pid `((send "(set! going? #f)\n") (expect ,patience ,prompt) (expect ,patience "The job has ended.")
                               (exit ,patience)))
            '(exited 0)))))

;;; Which job.

(define (complaint . arguments)
  (let ((program (run-program (cons* tutti "attach" arguments))))
    (format #f "~a ~a" (program-status program) (program-errors program))))

(define (test-choice)
  (test-equal "nobody listens" #t (has? (complaint) "^1 tutti: no job of yours listens; start it with `tutti run --listen SCRIPT'"))
  (test-equal "no number" #t (has? (complaint "x") "^1 tutti: attach: `x' is no number"))
  (test-equal "a process that does not" #t
    (has? (complaint (number->string (getpid)))
          (format #f "^1 tutti: process ~a does not listen; start it with `tutti run --listen" (getpid))))
  (call-with-folder
   (lambda (folder)
     (let* ((script (string-append folder "/wait.scm"))
            (file (string-append folder "/output")))
       (call-with-output-file script
         (lambda (port) (write '(begin (display "up") (newline) (force-output) (let loop () (sleep 1000) (loop))) port)))
       (let ((one (start-job script file #:verb '("run" "--listen"))))
         (await-text file "up")
         (test-equal "the only one" #t
           (has? (program-output (run-program (list "sh" "-c" "echo '(getpid)' | \"$0\" attach" tutti))) (format #f "= ~a" one)))
         (let ((two (start-job script (string-append file "-2") #:verb '("run" "--listen"))))
           (await-text (string-append file "-2") "up")
           (test-equal "several" #t
             (has? (complaint) "^1 tutti: several jobs listen, processes [0-9]+, [0-9]+: say which, tutti attach PID"))
           (kill one SIGSTOP)
           (test-equal "a stopped one" #t
             (has? (complaint (number->string one)) "^1 tutti: process [0-9]+ has not answered in 5 s: it may be stopped"))
           (kill one SIGKILL)
           (await (lambda () (gone? one)) patience)
           (test-equal "one that is gone is not there" #t
             (has? (program-output (run-program (list "sh" "-c" "echo '(getpid)' | \"$0\" attach" tutti))) (format #f "= ~a" two)))
           (kill two SIGTERM)
           (test-assert "SIGTERM ends it" (await (lambda () (gone? two)) patience))
           (test-equal "and its socket is gone" #f (file-exists? (format #f "~a/tutti/~a.repl" folder two)))))))))

;;; Others.

(define (as-nobody . command)
  (run-program (append '("setpriv" "--reuid=65534" "--regid=65534" "--clear-groups") command)))

(define try-to-connect
  "(let ((s (socket PF_UNIX SOCK_STREAM 0)))
     (catch #t
       (lambda () (connect s AF_UNIX (cadr (command-line))) (display \"(getuid)\\n\" s) (force-output s)
                  (write (read-char s)))
       (lambda (key . arguments) (display (strerror (system-error-errno (cons key arguments)))))))")

(define (test-others)
  (if (not (zero? (getuid)))
      (tap-skip "another user" "needs root, to be another user")
      (call-with-job
       (lambda (pid file path)
         (define (attempt) (program-output (as-nobody "guile" "-c" try-to-connect path)))
         (test-equal "another user cannot come in" "Permission denied" (attempt))
         (chmod folder #o755)
         (chmod (dirname path) #o755)
         (chmod path #o777)
         (test-equal "and is sent away where the way is open" #t (has? (attempt) "^(#<eof>|Connection reset by peer|Broken pipe|)$"))
         (chmod (dirname path) #o777)
         (test-equal "a folder that is open to others is not used" #t
           (has? (complaint) "is open to others: it must be a folder of yours that no other user can enter"))))))

(call-with-tap
 (lambda ()
   (call-with-folder
    (lambda (runtime)
      (setenv "XDG_RUNTIME_DIR" runtime)
      (set! folder runtime)
      (test-group "variables" (test-variables))
      (test-group "any client" (test-raw))
      (test-group "the job" (test-unharmed))
      (test-group "a terminal" (test-terminal))
      (test-group "which" (test-choice))
      (test-group "others" (test-others))))))
