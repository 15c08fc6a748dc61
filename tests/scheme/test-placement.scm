;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Workers that are bound to processors, and are told which GPUs are theirs; tasks that need the share of several workers.
(use-modules (tap) (programs) (ice-9 textual-ports) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-64) (tutti))

;;; What a worker knows of its processors: lists as the kernel writes them, as "0-3,8".

(define-remote (allowed-in file)
  (let ((text (call-with-input-file file (module-ref (resolve-interface '(ice-9 textual-ports)) 'get-string-all))))
    (any (lambda (line)
           (and (string-prefix? "Cpus_allowed_list:" line) (string-trim-both (substring line 18))))
         (string-split text #\newline))))
(define-remote (allowed) (allowed-in "/proc/self/status"))
;; The threads that libraries have started as well, and what a program that is started may use.
(define-remote (allowed-of-threads)
  (delete-duplicates
   (map (lambda (name) (allowed-in (string-append "/proc/self/task/" name "/status")))
        ((module-ref (resolve-interface '(ice-9 ftw)) 'scandir) "/proc/self/task" (lambda (name) (string-every char-numeric? name))))))
(define-remote (thread-count) (stat:nlink (stat "/proc/self/task")))
(define-remote (allowed-of-program)
  (let* ((port ((module-ref (resolve-interface '(ice-9 popen)) 'open-input-pipe) "grep Cpus_allowed_list /proc/self/status"))
         (line ((module-ref (resolve-interface '(ice-9 rdelim)) 'read-line) port)))
    (string-trim-both (substring line 18))))
(define-remote (go-elsewhere! cpus) (setaffinity (getpid) cpus) (allowed))
(define-remote (gpu-settings) (map getenv '("CUDA_VISIBLE_DEVICES" "ROCR_VISIBLE_DEVICES")))
(define-remote (die) (kill (getpid) SIGKILL) (sleep 100))
(define-remote (double x) (* 2 x))

(define (condition-of thunk)
  (with-exception-handler identity (lambda () (thunk) #f) #:unwind? #t))

(define (says? thunk . parts)
  "Return true if what THUNK raises has all of PARTS in its text."
  (let ((condition (condition-of thunk)))
    (and (exception? condition)
         (let ((text (condition->string condition)))
           (or (every (lambda (part) (string-contains text part)) parts)
               (begin (format #t "# ~a~%" text) #f))))))

(define (expand text)
  "Return the numbers in TEXT, a list as the kernel writes it."
  (append-map (lambda (range)
                (let ((ends (map string->number (string-split range #\-))))
                  (iota (1+ (- (last ends) (first ends))) (first ends))))
              (string-split text #\,)))

(define own-cpus (expand (allowed-in "/proc/self/status")))
(define n-cpus (length own-cpus))

(define (replace! pool)
  (parameterize ((task-retries 0) (death-port #f))
    (for-each (lambda (index) (condition-of (lambda () (pool-apply-only pool index die)))) (iota (pool-size pool)))))

(define (call-with-setting name value thunk)
  (let ((before (getenv name)))
    (define (set value) (if value (setenv name value) (unsetenv name)))
    (dynamic-wind (lambda () (set value)) thunk (lambda () (set before)))))

(define-syntax-rule (with-setting (name value) body ...)
  (call-with-setting name value (lambda () body ...)))

;; Workers are copies of a template unless each has a thread more.
(define (test-bound size threads)
  (test-group (format #f "~a with ~a threads" size threads)
    (call-with-pool size
      (lambda (pool)
        (let* ((texts (pool-apply pool allowed))
               (sets (map expand texts)))
          (test-equal "how many each has" (make-list size 1) (map length sets))
          (test-equal "nobody has the same" size (length (delete-duplicates (concatenate sets))))
          (test-assert "which are ours" (lset<= eqv? (concatenate sets) own-cpus))
          (test-equal "as pool-workers says" sets (map worker-cpus (pool-workers pool)))
          (test-equal "all threads" (map list texts) (pool-apply pool allowed-of-threads))
          (test-equal "and programs" texts (pool-apply pool allowed-of-program))
          (when (> threads 1)
            (test-assert "of which there are some" (every (lambda (n) (> n 3)) (pool-apply pool thread-count))))
          (replace! pool)
          (test-equal "the same after their deaths" texts (pool-apply pool allowed))
          (test-equal "that were deaths" (make-list size 1) (map worker-restarts (pool-workers pool)))))
      #:cpus-per-worker 1 #:threads threads)))

(define (test-binding)
  (test-bound 1 1)
  (test-bound 1 2)
  (when (> n-cpus 1)
    (test-bound 2 1)
    (test-bound 2 2)
    (test-bound n-cpus 1))
  (with-setting ("TUTTI_WORKER" (string-append (dirname (getenv "TUTTI")) "/tutti-worker"))
    (test-bound 1 1))
  (call-with-pool 1
    (lambda (pool)
      (test-equal "all of them" own-cpus (expand (car (pool-apply pool allowed)))))
    #:cpus-per-worker n-cpus)
  (let ((pool (make-pool #:cpus-per-worker n-cpus)))
    (test-equal "as many workers as there are processors for" 1 (pool-size pool))
    (pool-close! pool))
  (with-setting ("TUTTI_WORKERS" "1")
    (let ((pool (make-pool #:cpus-per-worker 1)))
      (test-equal "or as TUTTI_WORKERS says" 1 (pool-size pool))
      (pool-close! pool)))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "unbound" (list own-cpus own-cpus) (map expand (pool-apply pool allowed)))
      (test-equal "as pool-workers says" '(#f #f) (map worker-cpus (pool-workers pool)))))
  (define before (length (descendants)))
  (test-assert "more workers than processors"
    (says? (lambda () (make-pool (1+ n-cpus) #:cpus-per-worker 1))
           (format #f "~a workers with 1 processor each need ~a, and there are ~a" (1+ n-cpus) (1+ n-cpus) n-cpus)
           (allowed-in "/proc/self/status")))
  (test-assert "more processors than there are"
    (says? (lambda () (make-pool 1 #:cpus-per-worker 5000 #:name "large"))
           "large: a worker needs 5000 processors" (format #f "there are ~a" n-cpus)))
  (test-equal "nothing was started" before (length (descendants))))

(define (test-subset)
  ;; As a batch system or taskset does; Guile's threads keep what they have.
  (let ((before (getaffinity 0))
        (one (last own-cpus)))
    (define (only) (let ((set (make-bitvector (1+ one) #f))) (bitvector-set-bit! set one) set))
    (dynamic-wind
      (lambda () (setaffinity 0 (only)))
      (lambda ()
        (call-with-pool 1
          (lambda (pool)
            (setaffinity 0 before)
            (test-equal "within the script's set" (list (number->string one)) (pool-apply pool allowed))
            (replace! pool)
            (test-equal "also later" (list (number->string one)) (pool-apply pool allowed))
            (setaffinity 0 (only)))
          #:cpus-per-worker 1)
        (test-assert "and no more"
          (says? (lambda () (make-pool 2 #:cpus-per-worker 1)) "there are 1 on which" (format #f "(~a)" one))))
      (lambda () (setaffinity 0 before)))))

(define (test-tasks-change-it)
  (call-with-pool 2
    (lambda (pool)
      (let ((before (pool-apply pool allowed)))
        (pool-apply pool go-elsewhere! (getaffinity 0))
        (test-equal "a task's change ends with it" before (pool-apply pool allowed))))
    #:cpus-per-worker 1))

(define (test-several-pools)
  (call-with-pool 1
    (lambda (first)
      (call-with-pool 1
        (lambda (second)
          (test-assert "pools do not share what they need not"
            (not (equal? (pool-apply first allowed) (pool-apply second allowed)))))
        #:cpus-per-worker 1)
      (let ((errors (call-with-output-string
                     (lambda (port)
                       (parameterize ((current-error-port port))
                         (call-with-pool n-cpus (lambda (pool) #t) #:cpus-per-worker 1 #:name "second"))))))
        (test-assert "and say when they do"
          (string-contains errors (format #f "warning: 1 of the ~a processors of pool second is also bound" n-cpus)))))
    #:cpus-per-worker 1))

;;; GPUs.

(define (gpus-of pool) (map (lambda (settings) (string-split (first settings) #\,)) (pool-apply pool gpu-settings)))

(define (test-gpus)
  (with-setting ("CUDA_VISIBLE_DEVICES" "0,1,2,3")
    (call-with-pool 2
      (lambda (first)
        (test-equal "each its own" '(("0" #f) ("1" #f)) (pool-apply first gpu-settings))
        (test-equal "as pool-workers says" '(("0") ("1")) (map worker-gpus (pool-workers first)))
        (call-with-pool 1
          (lambda (second)
            (test-equal "two, of those that are left" '(("2" "3")) (gpus-of second))
            (test-assert "nothing is left"
              (says? (lambda () (make-pool 1 #:gpus-per-worker 1))
                     "a worker needs 1 GPU" "there are 4 (0,1,2,3), of which other workers have 4"))
            (replace! first)
            (replace! second)
            (test-equal "they are those of replacements" '(("0") ("1") ("2" "3")) (append (gpus-of first) (gpus-of second))))
          #:gpus-per-worker 2 #:threads 2)
        (call-with-pool 2
          (lambda (second) (test-equal "free again when a pool is closed" '(("2") ("3")) (gpus-of second)))
          #:gpus-per-worker 1))
      #:gpus-per-worker 1)
    (call-with-pool 2
      (lambda (pool)
        (test-equal "none are asked for: the script's own" '(("0,1,2,3" #f) ("0,1,2,3" #f)) (pool-apply pool gpu-settings))
        (test-equal "as pool-workers says" '(#f #f) (map worker-gpus (pool-workers pool)))))
    (test-assert "more than there are"
      (says? (lambda () (make-pool 3 #:gpus-per-worker 2)) "3 workers with 2 GPUs each need 6" "there are 4 (0,1,2,3)")))
  (call-with-pool 2
    (lambda (pool)
      (test-equal "by names, of #:env" '("GPU-b" "GPU-a")
        (map first (map (lambda (settings) (string-split (first settings) #\,)) (pool-apply pool gpu-settings)))))
    #:gpus-per-worker 1 #:env '("CUDA_VISIBLE_DEVICES=GPU-b,GPU-a"))
  (with-setting ("ROCR_VISIBLE_DEVICES" "5,7")
    (call-with-pool 2
      (lambda (pool) (test-equal "AMD's" '((#f "5") (#f "7")) (pool-apply pool gpu-settings)))
      #:gpus-per-worker 1))
  (with-setting ("CUDA_VISIBLE_DEVICES" "")
    (test-assert "none" (says? (lambda () (make-pool 1 #:gpus-per-worker 1)) "a worker needs 1 GPU" "there is none"))))

;; Whoever has a GPU makes its file, which nobody else may do meanwhile.
(define-remote (use-gpu folder)
  (let ((file (string-append folder "/" (getenv "CUDA_VISIBLE_DEVICES"))))
    (close-fdes (open-fdes file (logior O_CREAT O_EXCL O_WRONLY)))
    (usleep 500)
    (delete-file file)
    file))

(define (test-gpus-in-use)
  (with-setting ("CUDA_VISIBLE_DEVICES" "0,1,2,3")
    (call-with-folder
     (lambda (folder)
       (call-with-pool 2
         (lambda (first)
           (call-with-pool 2
             (lambda (second)
               (let ((tasks (append-map (lambda (i) (list (pool-submit! first use-gpu folder) (pool-submit! second use-gpu folder)))
                                        (iota 100))))
                 (test-assert "no two workers have one at the same time"
                   (every string? (map task-wait tasks)))
                 (test-equal "all are used" 4 (length (delete-duplicates (map task-wait tasks))))))
             #:gpus-per-worker 1))
         #:gpus-per-worker 1)))))

;;; Tasks that need more.

(define-remote (alone folder)
  (let ((file (string-append folder "/lock")))
    (close-fdes (open-fdes file (logior O_CREAT O_EXCL O_WRONLY)))
    (usleep 2000)
    (delete-file file)
    (allowed)))

(define-remote (nobody? folder)
  (not (file-exists? (string-append folder "/lock"))))

(define (test-wide-tasks threads)
  (call-with-folder
   (lambda (folder)
     (call-with-pool 2
       (lambda (pool)
         (let* ((own (pool-apply pool allowed))
                (both (sort (append-map expand own) <))
                (wide (parameterize ((task-resources '(#:cpus 2))) (map (lambda (i) (pool-submit! pool alone folder)) (iota 10))))
                (small (map (lambda (i) (pool-submit! pool nobody? folder)) (iota 20)))
                (later (parameterize ((task-resources '(#:cpus 2))) (pool-submit! pool allowed-of-program))))
           (test-equal "none beside another, each with the processors of both" (make-list 10 both)
             (map expand (map task-wait wide)))
           (test-equal "and small ones neither" (make-list 20 #t) (map task-wait small))
           (test-equal "what it starts has them too" both (expand (task-wait later)))
           (test-equal "given back" own (pool-apply pool allowed))
           (parameterize ((task-resources '(#:cpus 2)))
             (test-equal "all threads" (list (list both))
               (list (map expand (task-wait (pool-submit! pool allowed-of-threads)))))
             (test-equal "items of a map" (map double (iota 50)) (pool-map pool double (iota 50)))
             (test-equal "for one worker" (list both both) (map expand (pool-apply pool allowed)))
             (test-equal "that changes it" both (expand (task-wait (pool-submit! pool go-elsewhere! (getaffinity 0))))))
           (test-equal "given back, also then" own (pool-apply pool allowed))
           (parameterize ((task-resources '(#:cpus 2)) (task-retries 0) (death-port #f))
             (test-assert "its worker dies" (worker-died? (condition-of (lambda () (task-wait (pool-submit! pool die))))))
             (test-equal "and another one leads" both (expand (task-wait (pool-submit! pool allowed)))))
           (test-equal "given back by the dead" own (pool-apply pool allowed))
           (parameterize ((task-resources '(#:cpus 3)))
             (test-assert "more than there are together"
               (says? (lambda () (pool-submit! pool allowed)) "the task needs 3 processors, which are those of 3 workers" "has 2"))
             (test-assert "in a map" (says? (lambda () (pool-map pool double '(1 2))) "needs 3 processors")))))
       #:cpus-per-worker 1 #:threads threads))))

(define (test-unbound-wide)
  (call-with-folder
   (lambda (folder)
     (call-with-pool 3
       (lambda (pool)
         (test-equal "unbound workers count as one each" (make-list 20 own-cpus)
           (parameterize ((task-resources '(#:cpus 2)))
             (map expand (map task-wait (map (lambda (i) (pool-submit! pool alone folder)) (iota 20))))))
         (parameterize ((task-resources '(#:cpus 4)))
           (test-assert "refused" (says? (lambda () (pool-submit! pool allowed)) "needs 4 processors"))))))))

(define mega 1000000)
(define-remote (use-memory bytes)
  (let ((block (make-bytevector bytes 1)))
    (usleep 300000)
    (bytevector-length block)))

(define (test-memory)
  (call-with-pool 2
    (lambda (pool)
      (define (use) (task-wait (pool-submit! pool use-memory (* 120 mega))))
      (define (reason) (certificate-reason (worker-died-certificate (condition-of use))))
      (parameterize ((task-retries 0) (death-port #f))
        (test-eq "more than a worker may have" 'memory-limit (reason))
        (for-each (lambda (resources)
                    ;; What is of no use any more counts until it is collected.
                    (replace! pool)
                    (parameterize ((task-resources resources))
                      (test-equal (format #f "~s" resources) (* 120 mega) (use))))
                  `((#:memory ,(* 130 mega)) (#:cpus 2) (#:cpus 1 #:memory ,(* 81 mega))))
        (test-eq "and no longer" 'memory-limit (reason))
        (parameterize ((task-resources `(#:memory ,(* 161 mega))))
          (test-assert "more than all have"
            (says? (lambda () (pool-submit! pool use-memory 1)) "needs 161.0 MB of memory" "160.0 MB together")))))
    #:memory-limit (* 80 mega) #:cpus-per-worker 1)
  (call-with-pool 2
    (lambda (pool)
      (parameterize ((task-resources `(#:memory ,(expt 2 60))))
        (test-assert "more than the machine has" (says? (lambda () (pool-submit! pool double 1)) "MB of memory" "together at most")))
      (parameterize ((task-resources `(#:memory ,mega)))
        (test-equal "less than its part of it" 4 (task-wait (pool-submit! pool double 2)))))))

(define (test-values)
  (for-each (lambda (value)
              (test-assert (format #f "task-resources ~s" value)
                (says? (lambda () (parameterize ((task-resources value)) #t)) "expected a list such as (#:cpus 2")))
            `(2 #f (#:cpus) (#:cpus 0) (#:cpus 1.5) (#:memory -1) (#:gpus 1) (cpus 2) (#:cpus 1 #:cpus 2) (#:cpus . 2)
              (#:cpus ,(expt 2 70))))
  (test-equal "by default" '() (task-resources))
  (call-with-pool 1
    (lambda (pool)
      (parameterize ((task-resources '(#:cpus 1)))
        (test-equal "what any worker has" 4 (task-wait (pool-submit! pool double 2))))))
  (let ((pool (make-serial-pool)))
    (parameterize ((task-resources '(#:cpus 64)))
      (test-equal "a serial pool has no slots" 4 (task-wait (pool-submit! pool double 2))))
    (test-equal "nor processors" '(#f #f) (let ((worker (car (pool-workers pool)))) (list (worker-cpus worker) (worker-gpus worker))))
    (pool-close! pool)))

(call-with-tap
 (lambda ()
   (for-each unsetenv '("CUDA_VISIBLE_DEVICES" "ROCR_VISIBLE_DEVICES"))
   (test-group "placement"
     (test-binding)
     (test-subset)
     (test-gpus)
     (test-gpus-in-use)
     (test-unbound-wide)
     (test-values)
     (cond ((> n-cpus 1)
            (test-tasks-change-it)
            (test-several-pools)
            (test-wide-tasks 1)
            (test-wide-tasks 2)
            (test-memory))
           (else (tap-skip "several processors" "this machine has one processor only"))))))
