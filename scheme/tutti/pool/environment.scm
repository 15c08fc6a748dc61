;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The environment of workers, checked here, where a message can still name what is wrong: the system only says that a list is too long.
(define-module (tutti pool environment)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base check)
  #:use-module (tutti base primitives)
  #:export (worker-settings))

;;; Limits.

;; Linux's limits: of one string, with its name and the NUL behind it; and of all strings and pointers together, a quarter of the stack's.
(define most-bytes-of-one (* 32 4096))
(define most-bytes (* 6 1024 1024))

(define (bytes-of text)
  (1+ (string-utf8-length text)))

(define (most-bytes-of-all)
  (call-with-values (lambda () (getrlimit 'stack))
    (lambda (soft hard)
      (if soft (max most-bytes-of-one (min most-bytes (quotient soft 4))) most-bytes))))

(define (setting-name text)
  (substring text 0 (or (string-index text #\= 1) (string-length text))))

(define (check-size size where advice)
  "Refuse the setting of @var{size}, a pair of its name and its bytes, if it has too many."
  (when (> (cdr size) most-bytes-of-one)
    (refuse 'make-pool "~a: ~a has ~a bytes with its name, but the system takes at most ~a; ~a"
            where (car size) (cdr size) most-bytes-of-one advice)))

(define (size-of text)
  (cons (setting-name text) (bytes-of text)))

(define (check-all sizes)
  (let ((bytes (fold (lambda (size sum) (+ (cdr size) 8 sum)) 0 sizes))
        (most (- (most-bytes-of-all) 8192))) ; for the program's own name and arguments
    (when (> bytes most)
      (let ((largest (sort sizes (lambda (a b) (> (cdr a) (cdr b))))))
        (refuse 'make-pool "the environment of a worker would have ~a bytes in ~a settings, but the system takes at most ~a \
(a quarter of `ulimit -s'); the largest: ~{~a~^, ~}"
                bytes (length sizes) most
                (map (lambda (size) (format #f "~a (~a)" (car size) (cdr size)))
                     (list-head largest (min 3 (length largest)))))))))

;;; What a worker's process gets.

(define (shown object)
  (let ((text (object->string object)))
    (if (> (string-length text) 60) (string-append (substring text 0 60) "…") text)))

(define (setting->string setting)
  (define (expected what)
    (refuse 'make-pool "#:env: expected \"NAME=VALUE\" or (\"NAME\" . \"VALUE\")~a, got ~a" what (shown setting)))
  (let ((text (cond ((string? setting) setting)
                    ((and (pair? setting) (string? (car setting)) (string? (cdr setting)))
                     (when (string-index (car setting) #\=) (expected " without = in the name"))
                     (string-append (car setting) "=" (cdr setting)))
                    (else (scm-error 'wrong-type-arg "make-pool" "#:env: expected \"NAME=VALUE\" or (\"NAME\" . \"VALUE\"), got ~A"
                                     (list (shown setting)) (list setting))))))
    (cond ((string-index text #\nul) (expected " without NUL"))
          ((not (string-index text #\=)) (expected ""))
          ((string-prefix? "=" text) (expected " with a name")))
    (check-size (size-of text) "#:env" "write it to a file, and give workers the name of that")
    text))

(define (absolute-folder name)
  ;; The worker's own folder may be another one by the time it looks. One that was removed has no name.
  (cond ((absolute-file-name? name) name)
        ((false-if-exception (getcwd)) => (lambda (here) (if (string-null? name) here (in-vicinity here name))))
        (else name)))

(define (join-path directories)
  (string-join (map absolute-folder (filter string? directories)) ":"))

(define (blas-threads n)
  (map (lambda (name) (format #f "~a=~a" name n))
       '("OPENBLAS_NUM_THREADS" "OMP_NUM_THREADS" "MKL_NUM_THREADS" "BLIS_NUM_THREADS" "VECLIB_MAXIMUM_THREADS")))

(define (own-settings load-path threads)
  (append (blas-threads threads)
          ;; Guile's own folders are on its path without being named; naming them again does no harm.
          (list (string-append "GUILE_LOAD_PATH=" (join-path load-path))
                (string-append "GUILE_LOAD_COMPILED_PATH=" (join-path %load-compiled-path))
                ;; It is of no use if many workers compile the same file into one cache at a time.
                "GUILE_AUTO_COMPILE=0")
          ;; Other machines are the script's to ask for: a program that a task runs must not start them all again.
          (if (getenv "TUTTI_ON") '("TUTTI_ON=local") '())))

(define (worker-settings env load-path threads)
  "Return what the environment of a worker has besides the master's, a list of which the first setting of a name counts: that of
@code{#:env}, @var{env}, before all others."
  (unless (list? env)
    (scm-error 'wrong-type-arg "make-pool" "#:env: expected a list of \"NAME=VALUE\" or (\"NAME\" . \"VALUE\"), got ~A" (list (shown env))
               (list env)))
  (let* ((own (own-settings load-path threads))
         (settings (append (map setting->string env) own))
         (names (map setting-name settings))
         (master's (%environment-sizes)))
    (for-each (lambda (text) (check-size (size-of text) "the load path" "have fewer folders on it")) own)
    (for-each (lambda (size) (check-size size "the script's own environment" "unset it")) master's)
    (check-all (append (map size-of settings) (remove (lambda (size) (member (car size) names)) master's)))
    settings))
