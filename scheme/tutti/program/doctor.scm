;; SPDX-License-Identifier: LGPL-3.0-or-later
;; tutti doctor: is everything there that Tutti needs, and does it work?  Everything that can be tried is tried.
(define-module (tutti program doctor)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (ice-9 rdelim)
  #:use-module (ice-9 regex)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base config)
  #:use-module (tutti base libraries)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti launcher)
  #:use-module (tutti pool)
  #:autoload (tutti program doctor-bound) (check-bound)
  #:autoload (tutti program doctor-nodes) (check-nodes)
  #:use-module (tutti program finding)
  #:use-module (tutti remote)
  #:use-module (tutti vector)
  #:export (run-doctor))

;;; Versions.

(define (version-numbers text)
  (map string->number (map match:substring (list-matches "[0-9]+" text))))

(define (older? text wanted)
  "Return true if the version in @var{text} is older than the list of numbers @var{wanted}."
  (let loop ((have (version-numbers text)) (want wanted))
    (cond ((null? want) #f)
          ((null? have) #t)
          ((= (car have) (car want)) (loop (cdr have) (cdr want)))
          (else (< (car have) (car want))))))

(define (version-finding version wanted advice)
  (if (older? version wanted)
      (fail "~a; Tutti needs ~a or newer: ~a" version (string-join (map number->string wanted) ".") advice)
      (ok "~a" version)))

(define (check-guile) (version-finding (version) '(3 0 8) "install a newer Guile and build Tutti again"))

(define (check-glib) (version-finding (glib-version) '(2 74) "install a newer GLib"))

(define (check-kernel)
  (let ((release (utsname:release (uname))))
    (if (older? release '(5 4))
        (fail "Linux ~a; workers are watched through pidfds, which need 5.4 or newer" release)
        (ok "Linux ~a" release))))

(define (check-blas)
  (let ((threads (openblas-threads))
        (config (first (string-split (openblas-configuration) #\space))))
    (if (= threads 1)
        (ok "~a, 1 thread" config)
        (warn "~a, ~a threads: results depend on their number, and workers will fight for the cores
unset OPENBLAS_NUM_THREADS and OMP_NUM_THREADS" config threads))))

(define (check-fftw) (ok "~a" (fftw-version)))

(define (path? name) (string-prefix? "/" name))

(define (check-path name)
  (let ((problem (assoc-ref (%requirements) name)))
    (if problem (fail "~a" problem) (ok "works"))))

(define (check-system-calls)
  (let ((calls (remove (lambda (requirement) (path? (car requirement))) (%requirements))))
    (match (filter-map cdr calls)
      (() (ok "~a" (string-join (map car calls) ", ")))
      (problems (fail "~a" (string-join problems "\n"))))))

;;; Programs and processes.

(define (check-program name)
  (let ((file (string-append (libexec-directory) "/" name)))
    (cond ((not (file-exists? file))
           (fail "~a does not exist; install Tutti again, or set TUTTI_LIBEXECDIR to the folder that has it" file))
          ((not (access? file X_OK)) (fail "~a cannot be executed; chmod +x it, or install Tutti again" file))
          (else (ok "~a" file)))))

(define (milliseconds-of thunk)
  (let ((start (get-internal-real-time)))
    (thunk)
    (/ (* 1000. (- (get-internal-real-time) start)) internal-time-units-per-second)))

(define (median numbers)
  (list-ref (sort numbers <) (quotient (length numbers) 2)))

(define (check-workers)
  (let* ((pool #f)
         (start (milliseconds-of (lambda () (set! pool (make-pool 2 #:name "doctor" #:on (local)))))))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let* ((indices #f)
               (first-task (milliseconds-of (lambda () (set! indices (pool-apply pool current-worker-index)))))
               (round-trips (map (lambda (_) (milliseconds-of (lambda () (task-wait (pool-submit! pool + 1 2))))) (iota 200))))
          (if (equal? indices '(0 1))
              (ok "2 started in ~,1f ms, first task on each after ~,1f ms more; a task there and back in ~,3f ms"
                  start first-task (median round-trips))
              (fail "the workers 0 and 1 say that they are ~s" indices))))
      (lambda () (pool-close! pool)))))

(define (check-shared-memory)
  (let ((v (make-shared-f64vector 100000 1.)))
    (if (and (shared-vector? v) (= (vec-dot v v) 100000))
        (ok "a vector in shared memory can be made and read")
        (fail "a vector in shared memory does not hold what was put into it"))))

;; A page of new memory is a page fault; of what is used again, none.
(define huge-page-setting "/sys/kernel/mm/transparent_hugepage/shmem_enabled")

(define (huge-pages-for-shared-memory)
  "Return the setting of the system, a string such as never; @code{#f}: it has none, or it cannot be read."
  (false-if-error
   (call-with-input-file huge-page-setting
     (lambda (port) (match:substring (string-match "\\[([a-z_]+)\\]" (read-line port)) 1)))))

(define (check-memory-speed)
  (match (map (lambda (speed) (/ speed 1e9)) (%memory-speed))
    ((private-touch private-copy shared-touch shared-copy)
     (ok "GB/s, one thread: shared memory ~,1f when new, ~,1f when copied; private memory ~,1f, ~,1f~a"
         shared-touch shared-copy private-touch private-copy
         (match (huge-pages-for-shared-memory)
           ((or "never" "deny")
            (format #f "
large shared vectors that are new could be several times as fast: as root, echo advise > ~a" huge-page-setting))
           ((? string? setting) (format #f "; huge pages for shared memory: ~a" setting))
           (#f ""))))))

;;; The machine.

(define (file-lines file)
  (call-with-input-file file
    (lambda (port)
      (let loop ((lines '()))
        (let ((line (read-line port)))
          (if (eof-object? line) (reverse lines) (loop (cons line lines))))))))

(define (field lines name)
  (any (lambda (line) (and (string-prefix? name line) (first (version-numbers line)))) lines))

(define (check-memory)
  (let* ((lines (file-lines "/proc/meminfo"))
         (gigabytes (lambda (name) (/ (* 1024 (field lines name)) 1e9))))
    (if (< (gigabytes "MemAvailable:") 0.25)
        (warn "~,1f of ~,1f GB free: a worker needs about 0.02" (gigabytes "MemAvailable:") (gigabytes "MemTotal:"))
        (ok "~,1f of ~,1f GB free" (gigabytes "MemAvailable:") (gigabytes "MemTotal:")))))

(define (check-cores)
  (let* ((processors (vector->list (%processors)))
         (workers (default-pool-size)))
    (ok "~a~a; a pool has ~a worker~:p if nothing else is said" (first processors)
        (if (third processors)
            (format #f " (~a may be used, the control groups grant the time of ~,1f)" (second processors) (third processors))
            "")
        workers)))

(define (check-descriptors)
  (call-with-values (lambda () (getrlimit 'nofile))
    (lambda (soft hard)
      (cond ((not soft) (ok "unlimited"))
            ((< soft 256) (warn "~a: a worker needs about 4; raise the limit with ulimit -n" soft))
            (else (ok "~a" soft))))))

(define (own-cgroup)
  (any (lambda (line) (and (string-prefix? "0::" line) (substring line 3))) (file-lines "/proc/self/cgroup")))

(define (check-cgroup)
  ;; For information: nothing depends on it.
  (let* ((group (and (file-exists? "/proc/self/cgroup") (own-cgroup)))
         (folder (and group (string-append "/sys/fs/cgroup" group))))
    (ok (if (and folder (access? (string-append folder "/cgroup.procs") W_OK)
                 (access? (string-append folder "/cgroup.subtree_control") W_OK))
            "version 2, ours to divide"
            "not ours to divide; nothing needs it"))))

;; A worker asks, as workers are who use it: so a Python that hangs ends with us, however we end.
(define-remote (look-for-python) ((@ (tutti python interpreter) python-finding)))

(define (check-python)
  (let ((pool (false-if-error (make-pool 1 #:name "doctor" #:on (local)))))
    (if pool
        (dynamic-wind
          (const #t)
          (lambda ()
            (match (pool-apply-only pool 0 look-for-python)
              ((#t . text) (ok "~a" text))
              ((#f . text) (warn "~a" text))))
          (lambda () (pool-close! pool)))
        (warn "not looked for: there is no worker that could"))))

(define (check-gnuplot)
  (let ((found (search-path (parse-path (getenv "PATH")) "gnuplot")))
    (if found
        (ok "~a" found)
        (warn "not found: examples cannot draw; install gnuplot (Debian: gnuplot-nox)"))))

;;; All of it.

(define checks
  `(("Guile" ,check-guile)
    ("GLib" ,check-glib)
    ("kernel" ,check-kernel)
    ("system calls" ,check-system-calls)
    ("/proc" ,(lambda () (check-path "/proc")))
    ("/dev/null" ,(lambda () (check-path "/dev/null")))
    ("BLAS" ,check-blas)
    ("FFTW" ,check-fftw)
    ("watcher" ,(lambda () (check-program "tutti-watcher")))
    ("worker" ,(lambda () (check-program "tutti-worker")))
    ("pool" ,check-workers)
    ("end of a worker" ,(lambda () (check-bound)))
    ("shared memory" ,check-shared-memory)
    ("memory speed" ,check-memory-speed)
    ("memory" ,check-memory)
    ("cores" ,check-cores)
    ("open files" ,check-descriptors)
    ("cgroup" ,check-cgroup)
    ("gnuplot" ,check-gnuplot)
    ("Python" ,check-python)))

(define (check-environment command)
  (if (string-null? command)
      (ok "guile, pkg-config and others find this Tutti")
      (warn "guile, pkg-config and others do not look for Tutti where it is; in this shell they do after\n~a" command)))

(define* (run-doctor #:optional command)
  "Print one line for each thing that Tutti needs, and if the current launcher is not that of this machine, for what it starts; exit with 1
if one of them fails. @var{command} lets other programs find this installation, and is empty if they do; without it, this is none."
  (format #t "Tutti ~a~%" (tutti-version))
  (let ((findings (map (lambda (check) (show! (first check) (call-check (second check))))
                       (if command
                           `(,@checks ("environment" ,(lambda () (check-environment command))))
                           checks)))
        (launcher (current-launcher)))
    (exit (if (memq 'fail (if (local? launcher) findings (append findings (check-nodes launcher)))) 1 0))))
