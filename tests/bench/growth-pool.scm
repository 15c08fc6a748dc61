;; SPDX-License-Identifier: LGPL-3.0-or-later
;; growth-pool.scm CASE NUMBER...: what one more costs a script of Tutti when there are many. Each line of the answer is the name of a
;; figure, a size, and seconds for one unit of it. Every result is looked at.
;;
;;   start WORKERS                a pool of so many workers, up to the first answers of all; each worker
;;   apply WORKERS                pool-apply of an empty procedure; each worker
;;   submit WORKERS TASKS         pool-submit! of so many empty procedures at once, and all their values; each task
;;   map WORKERS ITEMS            pool-map of an empty procedure; each item
;;   broadcast BYTES              a private vector to 2 workers, each of which looks at one number; each byte
;;   shared BYTES                 the same with a shared vector: one broadcast, which copies nothing
;;   gather BYTES                 from 2 workers, which have a half each; each byte of the whole
;;   sum BYTES                    of 2 vectors that 2 workers have; each byte of one
;;   held MOST SECONDS            pool-push, and a task that uses the oldest one, while workers hold 1, 10, 100 ... objects, up to MOST; it
;;                                ends after SECONDS
;;   vectors MOST SECONDS         making a shared vector of 1 KB, and showing it to a worker, while so many are alive
(use-modules (bench) (ice-9 match) (rnrs bytevectors) (srfi srfi-1) (tutti))

(define (figure name size seconds)
  (format #t "~a ~a ~a~%" name size (exact->inexact seconds))
  (force-output))

(define (check what complaint)
  (unless what
    (error complaint)))

(define (now) (/ (get-internal-real-time) (exact->inexact internal-time-units-per-second)))

(define (seconds-of thunk verify)
  (let* ((start (now)) (value (thunk)) (seconds (- (now) start)))
    (verify value)
    seconds))

(define* (median-time action verify #:key (prepare (const #t)) (least 3) (most 200) (enough 0.5))
  "Return the median of the seconds that @var{action} takes, which gets the number of the round, as often as is good: the first rounds, in
which memory is touched for the first time, are not counted."
  (let loop ((i 0) (sum 0) (all '()))
    (if (or (= i (+ 2 most)) (and (>= i (+ 2 least)) (> sum enough)))
        (median (drop-right all 2))
        (begin
          (prepare i)
          (let ((seconds (seconds-of (lambda () (action i)) (lambda (value) (verify i value)))))
            (loop (1+ i) (+ sum seconds) (cons seconds all)))))))

(define-remote (nothing . arguments) #t)
(define-remote (look v index) (f64vector-ref v index))
(define-remote (numbers-from start n)
  (let ((v (make-f64vector n)))
    (do ((i 0 (1+ i))) ((= i n) v)
      (f64vector-set! v i (+ start i)))))
(define-remote (give numbers) numbers)
(define-remote (size-of object) (length object))

(define (all-true? n) (lambda (i values) (check (and (= (length values) n) (every (lambda (v) (eq? v #t)) values)) "a wrong answer")))

;;; Workers, tasks.

(define (measure-start workers)
  (let ((times (repeat 5 (lambda ()
                           (seconds-of (lambda () (call-with-pool workers (lambda (pool) (pool-apply pool nothing))))
                                       (lambda (values) ((all-true? workers) 0 values)))))))
    (figure "start" workers (/ (median times) workers))))

(define (measure-apply workers)
  (call-with-pool workers
    (lambda (pool)
      (figure "apply" workers (/ (median-time (lambda (i) (pool-apply pool nothing)) (all-true? workers)) workers)))))

(define (measure-submit workers tasks)
  (call-with-pool workers
    (lambda (pool)
      (define (run n) (map task-wait (map-in-order (lambda (i) (pool-submit! pool nothing i)) (iota n))))
      (run 1000)
      (figure "submit" tasks (/ (if (>= tasks 1000000)
                                    (seconds-of (lambda () (run tasks)) (lambda (values) ((all-true? tasks) 0 values)))
                                    (median-time (lambda (i) (run tasks)) (all-true? tasks) #:most 20))
                                tasks)))))

(define (measure-map name workers n)
  (define items (iota n))
  (call-with-pool workers
    (lambda (pool)
      (pool-map pool nothing (iota 10000))
      (figure name (if (string=? name "map") n workers)
              (/ (median-time (lambda (i) (pool-map pool nothing items)) (all-true? n) #:most 20) n)))))

;;; Vectors.

(define (measure-broadcast bytes make name per-byte?)
  (define n (quotient bytes 8))
  (define v (make n))
  (call-with-pool 2
    (lambda (pool)
      (define seconds
        (median-time (lambda (i) (pool-apply pool look v (modulo (* 997 i) n)))
                     (lambda (i values) (check (equal? values (make-list 2 (+ i 0.5))) "a worker sees something else"))
                     #:prepare (lambda (i) (f64vector-set! v (modulo (* 997 i) n) (+ i 0.5)))))
      (figure name bytes (if per-byte? (/ seconds bytes) seconds)))))

(define (measure-parts name bytes parts-length collect verify)
  (define n (quotient bytes 8))
  (call-with-pool 2
    (lambda (pool)
      (define parts (pool-keep pool numbers-from (per-worker (list 0 parts-length)) parts-length))
      (figure name bytes (/ (median-time (lambda (i) (collect pool parts))
                                         (lambda (i v)
                                           (check (= (f64vector-length v) n) "the length is wrong")
                                           (for-each (lambda (k) (check (= (f64vector-ref v k) (verify k)) "a number is wrong"))
                                                     (list 0 (modulo (* 997 i) n) (1- n))))
                                         #:most 50)
                            bytes)))))

(define (measure-gather bytes)
  (measure-parts "gather" bytes (quotient bytes 16) (lambda (pool parts) (pool-gather pool give parts)) identity))

(define (measure-sum bytes)
  (let ((n (quotient bytes 8)))
    (measure-parts "sum" bytes n (lambda (pool parts) (pool-sum pool give parts)) (lambda (k) (+ n (* 2 k))))))

;;; Many that are there.

(define (grow most seconds add! probe)
  "Call @var{add!} with 0, 1, ..., and @var{probe} with 1, 10, 100, ... when so many are there, up to @var{most}, or until
@var{seconds} are over."
  (let ((end (+ (now) seconds)))
    (let loop ((n 0) (next 1))
      (cond ((= n next)
             (probe n)
             (loop n (* 10 next)))
            ((and (< n most) (< (now) end))
             (add! n)
             (loop (1+ n) next))
            ((< n most)
             (format #t "given-up ~a ~a~%" n seconds))))))

(define (measure-held most seconds)
  (call-with-pool 2
    (lambda (pool)
      (define objects '())
      ;; The workers have it, too.
      (define (add! i)
        (let ((object (pool-push pool (list i 'object))))
          (check (equal? (pool-apply pool size-of object) '(2 2)) "a wrong answer")
          (set! objects (cons object objects))))
      (grow most seconds add!
            (lambda (n)
              (let ((oldest (last objects)))
                (figure "push" n (median-time (lambda (i) (pool-push pool (list n i 'new)))
                                              (lambda (i remote) (remote-object-remove! remote)) #:most 50))
                (figure "task-with-held" n (median-time (lambda (i) (task-wait (pool-submit! pool size-of oldest)))
                                                        (lambda (i value) (check (= value 2) "a wrong answer")) #:most 100))))))))

(define (measure-vectors most seconds)
  (call-with-pool 2
    (lambda (pool)
      (define vectors '())
      (define (add! i)
        (set! vectors (cons (make-shared-f64vector 128 i) vectors)))
      (grow most seconds add!
            (lambda (n)
              (figure "make-vector" n (median-time (lambda (i) (make-shared-f64vector 128 i))
                                                   (lambda (i v) (check (= (f64vector-ref v 127) i) "a wrong number")) #:most 100))
              (figure "show-vector" n (median-time (lambda (i)
                                                     (pool-apply-only pool 0 look (make-shared-f64vector 128 i) 127))
                                                   (lambda (i value) (check (= value i) "a worker sees something else")) #:most 100))
              (check (= (f64vector-ref (last vectors) 127) 0) "a vector has changed"))))))

(match (cons (cadr (command-line)) (map string->number (cddr (command-line))))
  (("start" workers) (measure-start workers))
  (("apply" workers) (measure-apply workers))
  (("submit" workers tasks) (measure-submit workers tasks))
  (("map" workers items) (measure-map "map" workers items))
  (("map-on" workers items) (measure-map "map-on" workers items))
  (("broadcast" bytes) (measure-broadcast bytes (lambda (n) (make-f64vector n 0)) "broadcast" #t))
  (("shared" bytes) (measure-broadcast bytes make-shared-f64vector "shared" #f))
  (("gather" bytes) (measure-gather bytes))
  (("sum" bytes) (measure-sum bytes))
  (("held" most seconds) (measure-held most seconds))
  (("vectors" most seconds) (measure-vectors most seconds)))
