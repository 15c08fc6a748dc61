;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What the tests of model reduction share: snapshots, figures of others, pools, and workers that are killed.
(define-module (reduction)
  #:use-module (ice-9 exceptions)
  #:use-module (ice-9 ftw)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:use-module (tap)
  #:use-module (tutti)
  #:export (bumps waves oracle-cases field columns rows->matrix known with-all-pools all-equal? distance complains? kill-worker
            call-with-counter count-and-die))

;;; Snapshots: bumps and waves on a line, with a parameter.

(define (on-line n f)
  (let ((v (make-f64vector n)))
    (do ((i 0 (1+ i)))
        ((= i n) v)
      (f64vector-set! v i (f (/ (+ i 0.5) n))))))

(define (bumps n count)
  "Return @var{count} bumps of @var{n} numbers, each at another place."
  (map (lambda (k)
         (let ((centre (/ (+ k 0.5) count)) (height (+ 1 (sin (* 3. k)))))
           (on-line n (lambda (x) (* height (exp (* -60 (- x centre) (- x centre))))))))
       (iota count)))

(define (waves n count)
  "Return @var{count} waves of @var{n} numbers that span a space of few dimensions but for little."
  (map (lambda (k)
         (let ((a (* 1.3 k)))
           (on-line n (lambda (x)
                        (fold (lambda (m sum) (+ sum (* (expt 0.3 m) (sin (* a (1+ m))) (sin (* 3 x (1+ m)))))) 0. (iota 12))))))
       (iota count)))

;;; Figures of others.

(define (field object . names)
  "Return what is in @var{object}, as it was read from JSON, under @var{names}."
  (fold (lambda (name object) (assoc-ref object name)) object names))

(define (known x)
  "Return @var{x}, as it was read from JSON, or @code{#f} if that is null."
  (and (not (eq? x 'null)) x))

(define (columns x)
  "Return the list of f64vectors that @var{x} is, a vector of vectors of numbers."
  (map (lambda (column) (list->f64vector (map exact->inexact (vector->list column)))) (vector->list x)))

(define (rows->matrix x)
  (vec-concatenate (columns x)))

(define (oracle-cases file . names)
  "Return the list of the cases in @var{file} of $TUTTI_SHARED under @var{names}; @code{#f} if there are none, and
tell why."
  (let ((shared (getenv "TUTTI_SHARED"))
        (json->scm (false-if-exception (module-ref (resolve-interface '(json)) 'json->scm))))
    (cond ((not shared) (tap-skip file "TUTTI_SHARED is not set") #f)
          ((not json->scm) (tap-skip file "guile-json is not installed") #f)
          (else
           (vector->list (apply field (call-with-input-file (string-append shared "/oracle/pymor/" file) json->scm) names))))))

;;; Comparing.

(define (with-all-pools proc)
  "Return the list of what @var{proc} returns for a serial pool and for pools of 1, 2, 3 and 8 workers."
  (cons (proc (make-serial-pool))
        (map (lambda (workers) (call-with-pool workers proc)) '(1 2 3 8))))

(define (all-equal? items)
  (every (lambda (item) (equal? item (car items))) (cdr items)))

(define (distance a b)
  "Return the largest difference between the numbers of the f64vectors @var{a} and @var{b}, relative to the largest of
@var{b}."
  (define (largest v) (fold (lambda (x most) (max most (abs x))) 0. (f64vector->list v)))
  (if (= (f64vector-length a) (f64vector-length b))
      (/ (largest (vec- a b)) (max (largest b) 1e-300))
      +inf.0))

(define (complains? part thunk)
  "Return true if @var{thunk} raises an error with @var{part} in its text."
  (let ((text (with-exception-handler condition->string (lambda () (thunk) "no error") #:unwind? #t)))
    (or (string-contains text part)
        (begin (format (current-error-port) "~a~%" text) #f))))

;;; Killing.

(define (kill-worker pool index)
  "Kill the process of worker @var{index} of @var{pool}, if there is one."
  (let ((pid (worker-pid (list-ref (pool-workers pool) index))))
    (when pid
      (kill pid SIGKILL))))

(define (count-and-die folder mortal)
  "Note in @var{folder} that this has been called; the process that does so for the time whose number is in
@var{mortal} is killed."
  (let loop ((n 1))
    (let ((fd (false-if-exception (open (format #f "~a/~a" folder n) (logior O_CREAT O_EXCL O_WRONLY)))))
      (cond ((not fd) (loop (1+ n)))
            (else
             (close fd)
             (when (memv n mortal)
               (kill (getpid) SIGKILL)
               ;; The signal ends this before anything else can be.
               (pause)))))))

(define (call-with-counter proc)
  "Call @var{proc} with a folder for @code{count-and-die}, and return two values: that of @var{proc}, and how often
that was called."
  (let ((folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-count-XXXXXX"))))
    (define (files) (filter string->number (scandir folder)))
    (dynamic-wind
      (const #t)
      (lambda ()
        (let ((value (proc folder)))
          (values value (length (files)))))
      (lambda ()
        (for-each (lambda (file) (delete-file (string-append folder "/" file))) (files))
        (rmdir folder)))))
