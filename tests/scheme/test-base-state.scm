;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Every task begins with the same state of its process, whatever the one before it has changed: on workers, item by item in maps, and in
;; the serial pool.
(use-modules (tap) (programs) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti base primitives))

(define-remote (c-function name result . arguments)
  ((module-ref (resolve-interface '(system foreign)) 'pointer->procedure)
   (module-ref (resolve-interface '(system foreign)) result)
   (dynamic-func name (dynamic-link))
   (map (lambda (type) (if (symbol? type) (if (eq? type '*) '* (module-ref (resolve-interface '(system foreign)) type)) type)) arguments)))
(define-remote (c-string text)
  ((module-ref (resolve-interface '(system foreign)) 'string->pointer) text))

(define-remote (blocked)
  (let ((line (call-with-input-file "/proc/self/status"
                (lambda (port)
                  (let next ()
                    (let ((line ((module-ref (resolve-interface '(ice-9 rdelim)) 'read-line) port)))
                      (if (string-prefix? "SigBlk" line) line (next))))))))
    line))

;; All that a task finds.
(define-remote (state . _)
  (list (getcwd)
        (umask)
        (filter (lambda (setting)
                  (or-map (lambda (name) (string-prefix? name setting)) '("HOME=" "PATH=" "TUTTI_" "A=" "B=" "C=" "D=")))
                (sort (environ) string<?))
        (map (lambda (resource) (call-with-values (lambda () (getrlimit resource)) list)) '(core fsize data))
        (getpriority PRIO_PROCESS 0)
        (bitvector-count (getaffinity 0))
        (map (lambda (signal) (let ((handler (car (sigaction signal)))) (if (procedure? handler) 'procedure handler)))
             (list SIGUSR1 SIGUSR2 SIGALRM SIGTERM SIGPIPE SIGCHLD SIGFPE))
        (setlocale LC_ALL)
        (car (getitimer ITIMER_REAL))
        (blocked)
        (module-name (current-module))
        (length %load-path)
        (map port-closed? (list (current-output-port) (current-error-port) (current-input-port) (current-warning-port)))
        (map (lambda (port) (and (file-port? port) (fileno port)))
             (list (current-output-port) (current-error-port) (current-input-port) (current-warning-port)))))

(define-remote (change-folder) (chdir "/usr"))
(define-remote (change-folder-by-c) ((c-function "chdir" 'int '*) (c-string "/usr")))
(define-remote (change-folder-by-descriptor) ((c-function "fchdir" 'int 'int) (open-fdes "/usr" O_RDONLY)))
(define-remote (change-folder-to-none folder) (mkdir folder) (chdir folder) (rmdir folder))
(define-remote (change-umask) (umask #o77))
(define-remote (set-variable) (setenv "HOME" "/nowhere") (setenv "TUTTI_TEST_NEW" "1"))
(define-remote (unset-variable) (unsetenv "PATH") (unsetenv "HOME"))
(define-remote (put-variable) (putenv "HOME=/else") (putenv "TUTTI_TEST_PUT=1"))
(define-remote (replace-environment) (environ '("A=1" "B=2")))
(define-remote (replace-and-set-environment) (environ '("A=1")) (setenv "C" "3") (environ '("D=4")))
(define-remote (clear-environment) ((c-function "clearenv" 'int)))
(define-remote (set-limit) (call-with-values (lambda () (getrlimit 'core)) (lambda (soft hard) (setrlimit 'core 12288 hard))))
(define-remote (set-niceness) (false-if-exception (nice 0)) (setpriority PRIO_PROCESS 0 (getpriority PRIO_PROCESS 0)))
(define-remote (set-processors) (setaffinity 0 (bitvector #t)))
(define-remote (handle-signal) (sigaction SIGUSR1 (lambda (_) 'handled)) (sigaction SIGUSR2 SIG_IGN) (sigaction SIGFPE SIG_IGN))
(define-remote (handle-child) (sigaction SIGCHLD SIG_IGN))
(define-remote (handle-by-c) ((c-function "signal" 'intptr_t 'int '*)
   SIGUSR1 ((module-ref (resolve-interface '(system foreign)) 'make-pointer) 1)))
(define-remote (block-signal)
  (let ((set ((module-ref (resolve-interface '(rnrs bytevectors)) 'make-bytevector) 128 0)))
    ((module-ref (resolve-interface '(rnrs bytevectors)) 'bytevector-u8-set!) set 1 8)
    ((c-function "sigprocmask" 'int 'int '* '*) 0
     ((module-ref (resolve-interface '(system foreign)) 'bytevector->pointer) set)
     ((module-ref (resolve-interface '(system foreign)) 'make-pointer) 0))))
(define-remote (set-alarm) (alarm 1))
(define-remote (set-timer) (setitimer ITIMER_REAL 0 0 0 300000))
(define-remote (change-locale) (setlocale LC_ALL "C.UTF-8"))
(define-remote (change-module) (set-current-module (resolve-module '(ice-9 popen))))
(define-remote (change-load-path) (module-set! (resolve-module (quote (guile))) (quote %load-path) (cons "/nowhere" %load-path)))
(define-remote (redirect) (set-current-output-port (open-output-file "/dev/null")) (set-current-error-port (%make-void-port "w")))
(define-remote (redirect-to-string) (set-current-output-port (open-output-string)) (set-current-input-port (open-input-string "x")))
(define-remote (redirect-warnings) (current-warning-port (%make-void-port "w")))
(define-remote (redirect-by-parameter)
  (current-output-port (open-output-file "/dev/null"))
  (current-error-port (%make-void-port "w"))
  (current-input-port (open-input-string "x")))
(define-remote (close-output) (close-port (current-output-port)))
(define-remote (close-error) (close-port (current-error-port)))
(define-remote (close-both) (close-port (current-output-port)) (close-port (current-error-port)) (close-port (current-input-port)))
(define-remote (close-descriptors) (for-each close-fdes '(0 1 2)))
(define-remote (redirect-descriptor) (dup2 (fileno (open-output-file "/dev/null")) 1))
(define-remote (change-all)
  (change-folder) (change-umask) (set-variable) (set-limit) (set-processors) (handle-signal) (set-alarm) (change-locale))

(define-remote (do-it change) (change) #t)
(define-remote (do-and-raise change) (change) (error "after the change"))
(define-remote (say text) (display text) (newline) (display text (current-error-port)) (newline (current-error-port)))

(define anywhere
  (list change-folder change-umask set-variable unset-variable put-variable replace-environment
        replace-and-set-environment set-limit set-niceness set-processors handle-signal handle-child set-alarm set-timer change-locale
        change-module change-load-path redirect redirect-to-string redirect-warnings redirect-by-parameter change-all))
(define on-workers
  (list change-folder-by-c change-folder-by-descriptor clear-environment handle-by-c block-signal
        close-output close-error close-both close-descriptors
        redirect-descriptor))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (run pool proc . arguments)
  (task-wait (apply pool-submit! pool proc arguments)))

(define (name-of proc)
  (symbol->string (procedure-name proc)))

(define-remote (change-or-look change item)
  (if (eq? item 'change) (begin (change) #f) (state)))

(define (test-changes pool changes)
  (let ((base (run pool state)))
    (for-each
     (lambda (change)
       (run pool do-it change)
       (test-equal (string-append (name-of change) ": the next task") base (run pool state))
       (condition-of (lambda () (run pool do-and-raise change)))
       (test-equal (string-append (name-of change) " and raise: the next task") base (run pool state))
       ;; The first items travel alone; those behind them share chunks.
       (test-equal (string-append (name-of change) ": the next items") (list #f base)
         (delete-duplicates (pool-map pool change-or-look (make-list 40 change) (append-map (const '(change look)) (iota 20)))))
       (test-equal (string-append (name-of change) ": pool-apply") base
         (begin (pool-apply pool do-it change) (car (pool-apply pool state)))))
     changes)))

;;; What is written is seen, whatever others have done to the ports.

(define (written-by-workers thunk)
  (call-with-output-string
   (lambda (port)
     (parameterize ((worker-output-port port)) (thunk)))))

(define (count-of text part)
  (let next ((from 0) (n 0))
    (let ((found (string-contains text part from)))
      (if found (next (1+ found) (1+ n)) n))))

(define (test-output)
  (for-each
   (lambda (change)
     (let ((text (written-by-workers
                  (lambda ()
                    (call-with-pool 1
                      (lambda (pool)
                        (run pool do-it change)
                        (run pool say "said afterwards")
                        (condition-of (lambda () (run pool do-and-raise change)))
                        (run pool say "and again")))))))
       (test-equal (string-append (name-of change) ": output and errors are seen") '(2 2)
         (list (count-of text "said afterwards") (count-of text "and again")))))
   (list redirect redirect-to-string close-output close-error close-both close-descriptors redirect-descriptor)))

;;; What modules set while they are loaded stays (but signals: Guile hangs if a module's source asks for one);
;;; so does what is set by a task's module after a change of the task's own.

(define-remote (load-setter) (module-ref (resolve-interface '(test-setter)) 'value))
(define-remote (change-and-load-setter) (setenv "TUTTI_TEST_OWN" "1") (chdir "/usr") (load-setter))
(define-remote (look-at-setter)
  (list (getenv "TUTTI_TEST_SETTER") (umask) (getenv "TUTTI_TEST_OWN") (getcwd)))
(define-remote (undo-setter) (unsetenv "TUTTI_TEST_SETTER") (umask #o22))

(define setter-text
  "(define-module (test-setter) #:export (value))
   (setenv \"TUTTI_TEST_SETTER\" \"yes\") (umask #o55) (define value 42)")

(define (test-loading make)
  (call-with-folder
   (lambda (folder)
     (call-with-output-file (string-append folder "/test-setter.scm") (lambda (port) (display setter-text port)))
     (for-each
      (lambda (load)
        (let ((pool (make (cons folder %load-path))))
          (test-equal (name-of load) 42 (run pool load))
          (test-equal "what the module set stays" (list "yes" #o55 #f (getcwd)) (run pool look-at-setter))
          (run pool undo-setter)
          (test-equal "for every task" (list "yes" #o55 #f (getcwd)) (run pool look-at-setter))
          (pool-close! pool)))
      (list load-setter change-and-load-setter)))))

(define (test-serial-loading)
  (let ((before (list (getenv "TUTTI_TEST_SETTER") (umask))) (load-path %load-path))
    (call-with-folder
     (lambda (folder)
       (call-with-output-file (string-append folder "/test-setter.scm") (lambda (port) (display setter-text port)))
       (set! %load-path (cons folder %load-path))
       (let ((pool (make-serial-pool)))
         (test-equal "a module in the serial pool" 42 (run pool change-and-load-setter))
         (test-equal "what it set stays, too" (list "yes" #o55 #f (getcwd)) (run pool look-at-setter))
         (run pool undo-setter)
         (test-equal "for every task of it" (list "yes" #o55 #f (getcwd)) (run pool look-at-setter)))
       (set! %load-path load-path)
       (unsetenv "TUTTI_TEST_SETTER")
       (umask (second before))))))

;;; Nested tasks have the state of the task that they are in.

(define-remote (nested)
  (chdir "/usr")
  (pool-map (current-pool) (lambda (_) (getcwd)) '(1 2)))
(define-remote (where _) (getcwd))
(define-remote (nested-maps)
  (chdir "/usr")
  (list (pool-map (current-pool) where '(1 2)) (getcwd)))

(call-with-tap
 (lambda ()
   (call-with-pool 1
     (lambda (pool)
       (let ((worker (worker-pid (car (pool-workers pool)))))
         (test-group "worker" (test-changes pool (append anywhere on-workers)))
         (call-with-folder
          (lambda (folder)
            (run pool change-folder-to-none (string-append folder "/gone"))
            (test-equal "a folder that is gone" (getcwd) (car (run pool state)))))
         (test-equal "nested tasks are where the task is" '(("/usr" "/usr") "/usr") (run pool nested-maps))
         (test-equal "it was the same worker all the time" worker (worker-pid (car (pool-workers pool)))))))
   (test-group "output" (test-output))
   (test-group "loading" (test-loading (lambda (load-path) (make-pool 1 #:load-path load-path))))
   (let ((pool (make-serial-pool)) (mine (map port-closed? (list (current-output-port) (current-error-port)))))
     (test-group "serial" (test-changes pool anywhere))
     (test-equal "nested tasks of the serial pool" '(("/usr" "/usr") "/usr") (run pool nested-maps))
     (test-equal "the script's own ports" mine (map port-closed? (list (current-output-port) (current-error-port))))
     (test-equal "Guile's procedures are its own again" '(umask chdir setenv)
       (map procedure-name (list umask chdir setenv))))
   (test-group "serial loading" (test-serial-loading))))
