;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Sums on nodes elsewhere, where several workers add what they have before it comes: the bits are those of one machine, whoever has what,
;; and whatever is lost in between. The agents are real ones, all on this machine.
(use-modules (processes) (programs) (summands) (tap) (ice-9 match) (ice-9 rdelim) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu)
             (srfi srfi-64) ((ice-9 threads) #:select (call-with-new-thread join-thread))
             (tutti) (tutti base primitives) (tutti operator) (tutti pool apply) (tutti random) (tutti simulation) (tutti sum)
             (tutti vector))

(define large 65536)                    ; so many numbers stay at first
(define patience 60)

(define (agents n)
  "Return a launcher that starts @var{n} agents here."
  (make-launcher #:name "agents" #:describe (format #f "~a agents of this machine" n)
                 #:start (lambda (request) (make-list n (cons 1 (request-command request))))))

(define (same? a b) (same-numbers? (list-of a) (list-of b)))
(define (sum-here vectors) (sum-vectors #f vectors))

;;; Who is where.

(define-remote (parent pid)
  ;; The name of the program may have spaces and brackets.
  (call-with-input-file (format #f "/proc/~a/stat" pid)
    (lambda (port)
      (let ((text (read-line port)))
        (string->number (second (string-tokenize (substring text (1+ (string-rindex text #\)))))))))))

(define-remote (agent)
  ;; Above the worker are its watcher and the guard.
  (parent (parent (getppid))))

(define (homes-of pool n)
  "Return where each worker of @var{pool} leaves @var{n} numbers, @code{#f}: here."
  (let* ((values (apply-in-places pool (pool-size pool) (iota (pool-size pool)) call-to-sum (list own-noise n) '(0 . 0) #:leave 1))
         (homes (map %vector-home values)))
    (for-each %vector-release! values)
    homes))

;;; All of them.

(define-remote (own-complex n)
  (vec->complex (noise (current-worker-index) n)))
(define-remote (own-mixed n)
  ((if (even? (current-worker-index)) own-noise own-complex) n))
(define-remote (own-length n)
  (own-noise (if (= 1 (current-worker-index)) (1+ n) n)))

(define (test-pool pool n-agents per-agent)
  (define workers (pool-size pool))
  (define name (format #f "~a agents with ~a workers" n-agents per-agent))
  (define (vectors n) (map (lambda (i) (noise i n)) (iota workers)))
  (test-equal (string-append name ": what stays") (if (= per-agent 1) '(#f) n-agents)
    (let ((homes (delete-duplicates (homes-of pool large))))
      (if (every identity homes) (length homes) homes)))
  (for-each (lambda (n)
              (test-assert (format #f "~a: ~a numbers" name n) (same? (sum-here (vectors n)) (pool-sum pool own-noise n)))
              (test-assert (format #f "~a: ~a shared numbers" name n) (same? (sum-here (vectors n)) (pool-sum pool own-shared-noise n))))
            (list 5 (1- large) large 700001))
  (let ((complex (map vec->complex (vectors large))))
    (test-assert (string-append name ": complex") (same? (sum-here complex) (pool-sum pool own-complex large)))
    (test-assert (string-append name ": real and complex") (same? (sum-here complex) (vec->complex (pool-sum pool own-mixed large)))))
  (for-each
   (lambda (count)
     (define vectors (map (lambda (i) (noise i large)) (iota count)))
     (test-assert (format #f "~a: adjoint of ~a operators" name count)
       (same? (sum-here vectors)
              (apply-adjoint (parallel-vector-of-operators (lines count large) #:pool pool) (make-f64vector count 1.)))))
   '(1 2 3 5 7 11 13))
  (let ((vectors (map (lambda (i) (noise i large)) (iota 6))))
    (test-assert (string-append name ": simulations")
      (same? (sum-here vectors)
             (dpred (make-sum-meta-simulation (rays 6 large) (make-list 6 (identity-operator 1)) #:pool pool) (f64vector 1)))))
  (when (> workers 1)
    (test-error (string-append name ": other lengths") shape-error? (pool-sum pool own-length large))))

(define (test-all)
  (for-each (lambda (n)
              (define launcher (agents n))
              (for-each (lambda (k) (call-with-pool (* n k) (lambda (pool) (test-pool pool n k)) #:on launcher)) (iota 4 1)))
            '(1 2 3)))

;;; What happens in between.

(define-remote (random-noise folder n)
  ;; Others than the last time.
  (let ((v (vec-scale (random 1.) (noise (current-worker-index) n))))
    (close-port (open-file (format #f "~a/run.~a.~a" folder (current-worker-index) (getpid)) "a"))
    v))

(define-remote (late folder n)
  (let ((v (random-noise folder n)))
    (when (zero? (current-worker-index))
      (let wait () (unless (file-exists? (string-append folder "/go")) (usleep 2000) (wait))))
    v))

(define (runs folder place)
  (length ((@ (ice-9 ftw) scandir) folder (lambda (name) (string-prefix? (format #f "run.~a." place) name)))))

;; The agent whose workers have answered already is lost while worker 0, of another, is at its item.
(define (test-lost-agent)
  (call-with-pool 4
    (lambda (pool)
      (call-with-folder
       (lambda (folder)
         (define there (pool-apply pool agent))
         (define (sum proc) (parameterize ((random-seed 7)) (pool-sum pool proc folder large)))
         (define expected (sum random-noise))
         (define lost (filter (lambda (place) (not (= (car there) (list-ref there place)))) (iota 4)))
         (define before (map worker-tasks-done (pool-workers pool)))
         (for-each (lambda (file) (delete-file (string-append folder "/" file)))
                   ((@ (ice-9 ftw) scandir) folder (lambda (name) (string-prefix? "run." name))))
         (let ((summing (call-with-new-thread (lambda () (sum late)))))
           (test-equal "two workers of another agent" 2 (length lost))
           (test-assert "they have answered"
             (await (lambda ()
                      (let ((now (map worker-tasks-done (pool-workers pool))))
                        (every (lambda (place) (> (list-ref now place) (list-ref before place))) lost)))
                    patience))
           (kill (list-ref there (car lost)) SIGKILL)
           (close-port (open-output-file (string-append folder "/go")))
           (test-assert "a lost agent: the same bits" (same? expected (join-thread summing)))
           (test-equal "a lost agent: only what was lost is done again" '((0 . 1) (1 . 1) (2 . 2) (3 . 2))
             (map (lambda (place) (cons place (runs folder place))) (iota 4)))
           (test-assert "and then" (same? expected (sum random-noise)))))))
    #:on (agents 2)))

(define-remote (mortal file n)
  (when (and (= 1 (current-worker-index)) (not (file-exists? file)))
    (close-port (open-output-file file))
    (kill (getpid) SIGKILL))
  (own-noise n))
(define-remote (slow n)
  (when (= 1 (current-worker-index)) (sleep 1000))
  (own-noise n))
(define-remote (failing n)
  (if (= 1 (current-worker-index)) (error "nothing to add") (own-noise n)))

(define (memory-of pid)
  "Return how many bytes of shared memory the process @var{pid} can see."
  (define (size line)
    (match (string-split (car (string-tokenize line)) #\-)
      ((start end) (- (string->number end 16) (string->number start 16)))))
  (call-with-input-file (format #f "/proc/~a/maps" pid)
    (lambda (port)
      (let next ((sum 0))
        (let ((line (read-line port)))
          (cond ((eof-object? line) sum)
                ((string-contains line "/memfd:") (next (+ sum (size line))))
                (else (next sum))))))))

(define (test-ends)
  (call-with-pool 3
    (lambda (pool)
      (define expected (sum-here (map (lambda (i) (noise i large)) (iota 3))))
      (define (sum) (pool-sum pool own-noise large))
      (call-with-folder
       (lambda (folder)
         (test-assert "a worker that dies" (same? expected (pool-sum pool mortal (string-append folder "/died") large)))))
      (test-error "a worker that raises" worker-error? (pool-sum pool failing large))
      (test-error "one that is too slow" task-timeout? (parameterize ((task-timeout 0.5)) (pool-sum pool slow large)))
      (test-assert "and then" (same? expected (sum)))
      (let ((pid (car (pool-apply pool agent)))
            (n 500000))
        (do ((i 0 (1+ i))) ((= i 10)) (pool-sum pool own-noise n))
        (let ((before (memory-of pid)))
          (do ((i 0 (1+ i))) ((= i 40)) (pool-sum pool own-noise n))
          ;; 480 MB have stayed meanwhile.
          (test-assert "nothing stays for ever" (< (memory-of pid) (+ before 100e6))))))
    #:on (agents 1)))

;; What adds takes no random numbers: those of later tasks do not depend on where a sum was.
(define (test-random)
  (define (numbers pool)
    (parameterize ((random-seed 3))
      (pool-sum pool own-noise large)
      (pool-apply pool (remote (lambda () (random 1.))))))
  (define here (call-with-pool 2 numbers #:on "local"))
  (test-equal "random numbers after a sum: on a node" here (call-with-pool 2 numbers #:on (agents 1)))
  (test-equal "random numbers after a sum: serially" (car here) (car (numbers (make-serial-pool)))))

(call-with-tap
 (lambda ()
   (test-group "all" (test-all))
   (test-group "a lost agent" (test-lost-agent))
   (test-group "ends" (test-ends))
   (test-group "random numbers" (test-random))))
