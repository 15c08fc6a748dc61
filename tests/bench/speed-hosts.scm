;; SPDX-License-Identifier: LGPL-3.0-or-later
;; speed-hosts.scm CASE [ARGUMENT...]: what hosts.scm runs on the head of its cluster. Every result is looked at. Figures, in seconds
;; unless said otherwise, are lines of a name and a number, one a round.
;;
;;   trip ROUNDS TLS ADDRESS PORT FILE     a task for a worker of another host, and as many bytes through a stream of TLS
;;   ship ROUNDS TLS ADDRESS PORT FILE     80 MB to one worker of another host, to four of it, and through a stream of TLS
;;   sum ROUNDS                            one vector of 80 MB of each of four workers of a host, which have it, and of one
;;   rate ROUNDS TASKS                     tasks a second: 2 hosts with 2 workers each, and 4 workers here
;;   start                                 `srun' of a trivial step on three hosts, and a pool of three workers on them
;;   loss FILE                             six tasks of a second on three hosts; writes to FILE what begins where; returns when all are done
(use-modules (bench) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1) (tutti))

(define n-numbers 10000000)
(define message-bytes 256)              ; of a task that does nothing, and of its answer, about

(define (figure name value)
  (format #t "~a ~a~%" name (exact->inexact value))
  (force-output))

(define (check what complaint)
  (unless what (error complaint)))

(define (seconds-of thunk)
  (let ((start (get-internal-real-time)))
    (thunk)
    (/ (- (get-internal-real-time) start) internal-time-units-per-second 1.0)))

(define (repeat-rounds rounds . thunks)
  "Call all @var{thunks} in turn, @var{rounds} times, after once for nothing."
  (parameterize ((current-output-port (%make-void-port "w"))) (for-each (lambda (thunk) (thunk)) thunks))
  (do ((i 0 (1+ i))) ((= i (string->number rounds)))
    (for-each (lambda (thunk) (thunk)) thunks)))

(define (bare what bytes rounds)
  "Return a thunk that gives the figure of the program speed-tls, whose path and arguments the list @var{what} has."
  (match what
    ((tls kind . where)
     (lambda ()
       (let* ((port (apply open-pipe* OPEN_READ tls kind (append where (list (number->string bytes) (number->string rounds)))))
              (line (read-line port)))
         (check (zero? (close-pipe port)) "the stream of TLS failed")
         (write-line line))))))

;;; What workers do.

(define-remote (same x) x)
(define-remote (look v index) (f64vector-ref v index))
(define-remote (numbers k n) (make-shared-f64vector n (+ 1.0 k)))
(define-remote (begin-at file i)
  (let ((port (open-file file "a")))
    (format port "~a ~a ~a~%" (let ((t (gettimeofday))) (+ (car t) (* 1e-6 (cdr t)))) i (gethostname))
    (close-port port)
    (sleep 1)
    i))

;;; Measurements.

(define (median-trip pool k)
  (median (map-in-order (lambda (i) (seconds-of (lambda () (check (= i (task-wait (pool-submit! pool same i))) "a wrong value"))))
                        (iota k))))

(define (measure-trip rounds tls . where)
  (call-with-pool 1
    (lambda (pool)
      (repeat-rounds rounds
                     (bare (cons* tls "ping" where) message-bytes 1000)
                     (lambda () (figure "trip" (median-trip pool 1000)))))
    #:on "slurm:nodes=1"))

(define (ship pool v i)
  "Show a changed @var{v} to all workers."
  (f64vector-set! v i (+ i 0.5))
  (seconds-of (lambda () (check (every (lambda (x) (= x (+ i 0.5))) (pool-apply pool look v i)) "a worker sees something else"))))

(define (measure-ship rounds tls . where)
  (define v (make-shared-f64vector n-numbers 1.0))
  (define next (let ((i 0)) (lambda () (set! i (1+ i)) i)))
  (call-with-pool 1
    (lambda (one)
      (call-with-pool 4
        (lambda (four)
          (repeat-rounds rounds
                         (bare (cons* tls "stream" where) (* 8 n-numbers) 3) ; the first is into new memory
                         (lambda () (figure "ship-to-1" (ship one v (next))))
                         (lambda () (figure "ship-to-4" (ship four v (next))))))
        #:on "slurm:nodes=1"))
    #:on "slurm:nodes=1"))

(define (measure-sum rounds)
  ;; Workers have their vectors before: all of them would make these with the processors of one machine.
  (define (keep pool n) (pool-keep pool numbers (per-worker (iota n)) n-numbers))
  (define (sum pool kept n)
    (let ((v #f))
      (let ((seconds (seconds-of (lambda () (set! v (pool-sum pool same kept))))))
        (check (= (f64vector-ref v 7) (* n (1+ n) 0.5)) "a wrong sum")
        seconds)))
  (call-with-pool 1
    (lambda (one)
      (call-with-pool 4
        (lambda (four)
          (let ((kept-by-one (keep one 1))
                (kept-by-four (keep four 4)))
            (repeat-rounds rounds
                           (lambda () (figure "sum-of-1" (sum one kept-by-one 1)))
                           (lambda () (figure "sum-of-4" (sum four kept-by-four 4))))))
        #:on "slurm:nodes=1"))
    #:on "slurm:nodes=1"))

(define (measure-rate rounds tasks)
  (define n (string->number tasks))
  (define (rate pool)
    (/ n (seconds-of
          (lambda ()
            (let ((submitted (map-in-order (lambda (i) (pool-submit! pool same i)) (iota n))))
              (check (equal? (iota n) (map-in-order task-wait submitted)) "a wrong value"))))))
  (call-with-pool 4
    (lambda (there)
      (call-with-pool 4
        (lambda (here)
          (repeat-rounds rounds
                         (lambda () (figure "rate-here" (rate here)))
                         (lambda () (figure "rate-there" (rate there)))))
        #:on "local"))
    #:on "slurm:nodes=2"))

(define (measure-start)
  (figure "srun" (seconds-of (lambda () (check (zero? (system* "srun" "-N3" "-n3" "true")) "srun failed"))))
  (figure "start" (seconds-of (lambda () (pool-close! (make-pool 3 #:on "slurm:nodes=3"))))))

(define (measure-loss file)
  (call-with-pool 6
    (lambda (pool)
      (format #t "ready~%")
      (force-output)
      (read-line)
      (check (equal? (iota 6) (pool-map pool begin-at (make-list 6 file) (iota 6))) "wrong values")
      (figure "end" (/ (now-us) 1e6)))
    #:on "slurm:nodes=3"))

(match (cdr (command-line))
  (("trip" . rest) (apply measure-trip rest))
  (("ship" . rest) (apply measure-ship rest))
  (("sum" rounds) (measure-sum rounds))
  (("rate" rounds tasks) (measure-rate rounds tasks))
  (("start") (measure-start))
  (("loss" file) (measure-loss file))
  (_ (error "usage: speed-hosts.scm CASE [ARGUMENT...]")))
