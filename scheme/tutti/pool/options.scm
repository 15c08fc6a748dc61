;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The options of make-pool: checked before any process is started, and refused with the name of the option.
(define-module (tutti pool options)
  #:use-module (ice-9 format)
  #:use-module (srfi srfi-1)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:export (largest-pool default-pool-size bound-pool-size check-pool-options check-pool-procedure))

(define largest-pool 4096)
(define most-threads 4096)
(define most-processors 65536)

(define (refuse option expected value)
  (raise-tutti (make-tutti-error (format #f "~a: expected ~a; got ~s" option expected value)) 'make-pool))

(define (default-pool-size)
  "Return the number of workers that a pool has if nothing else is said: $TUTTI_WORKERS, or the number of processors that there are for
this process: those that it may run on, but no more than its control groups grant it time for, rounded up."
  (let ((text (getenv "TUTTI_WORKERS")))
    (if text
        ;; Guile refuses to read numbers that are too large.
        (let ((n (false-if-error (string->number text))))
          (unless (and (exact-integer? n) (<= 1 n largest-pool))
            (raise-tutti (make-tutti-error (format #f "TUTTI_WORKERS is ~s, expected a positive number of workers, at most ~a"
                                                   text largest-pool))))
          n)
        (vector-ref (%processors) 0))))

(define (bound-pool-size cpus)
  "Return the number of workers that a pool has if nothing else is said but that each is bound to @var{cpus} processors, or @code{#f}."
  (if (and cpus (not (getenv "TUTTI_WORKERS")))
      (max 1 (quotient (default-pool-size) cpus))
      (default-pool-size)))

(define (check-size size)
  (unless (and (exact-integer? size) (<= 1 size largest-pool))
    (raise-tutti (make-tutti-error (format #f "a pool has 1 to ~a workers; expected their number, got ~s" largest-pool size))
                 'make-pool)))

(define (printable? c)
  (and (char>=? c #\space) (not (char<=? #\delete c #\x9f))))

(define (check-name name)
  (unless (and (string? name) (not (string-null? name)) (string-every printable? name))
    (refuse "#:name" "a string for messages, without control characters" name)))

(define (check-folder folder)
  (define (refuse-folder expected)
    (refuse "#:load-path" (string-append "a list of folders, each " expected) folder))
  (cond ((not (string? folder)) (refuse-folder "a string"))
        ((string-index folder (char-set #\nul #\:)) (refuse-folder "without a colon or NUL in its name"))
        ((not (false-if-error (eq? 'directory (stat:type (stat (if (string-null? folder) "." folder))))))
         (refuse-folder "one that is there"))))

(define (check-load-path load-path)
  (unless (list? load-path)
    (refuse "#:load-path" "a list of folders" load-path))
  ;; The master's own folders are not checked: Guile names some that need not exist.
  (for-each (lambda (folder)
              (unless (member folder %load-path)
                (check-folder folder)))
            load-path))

(define (check-threads threads)
  (unless (and (exact-integer? threads) (<= 1 threads most-threads))
    (refuse "#:threads" (format #f "a positive number of BLAS threads, at most ~a" most-threads) threads)))

(define (check-cpus n)
  (unless (or (not n) (and (exact-integer? n) (<= 1 n most-processors)))
    (refuse "#:cpus-per-worker" "a positive number of processors, or #f to bind workers to none" n)))

(define (check-gpus n)
  (unless (and (exact-integer? n) (<= 0 n most-processors))
    (refuse "#:gpus-per-worker" "a number of GPUs, an exact integer that is not negative" n)))

(define (check-memory-limit limit)
  (unless (or (not limit) (and (exact-integer? limit) (< 0 limit (expt 2 63))))
    (refuse "#:memory-limit" "a number of bytes, a positive exact integer, or #f for no limit" limit)))

(define (check-output-limit limit)
  (unless (and (exact-integer? limit) (<= 0 limit) (< limit (expt 2 63)))
    (refuse "#:output-limit" "a number of bytes, an exact integer that is not negative" limit)))

(define (check-pool-options size name load-path threads memory-limit output-limit cpus gpus)
  "Raise a @code{&tutti-error} that names the first of the options that is none."
  (check-size size)
  (check-name name)
  (check-load-path load-path)
  (check-threads threads)
  (check-memory-limit memory-limit)
  (check-output-limit output-limit)
  (check-cpus cpus)
  (check-gpus gpus))

(define (check-pool-procedure proc who)
  "Raise an error in the name of @var{who} unless @var{proc} is a procedure."
  (unless (procedure? proc)
    (scm-error 'wrong-type-arg (symbol->string who) "expected a procedure that takes the pool, got ~S" (list proc) (list proc))))
