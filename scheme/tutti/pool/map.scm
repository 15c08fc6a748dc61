;; SPDX-License-Identifier: LGPL-3.0-or-later
;; pool-map: many items, handed out in chunks as workers become free, values in the order of the items.
(define-module (tutti pool map)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-9)
  #:use-module (tutti base interrupt)
  #:use-module (tutti base primitives)
  #:use-module (tutti conditions)
  #:use-module (tutti pool deaths)
  #:use-module (tutti pool failed-item)
  #:use-module (tutti pool items)
  #:use-module (tutti pool progress)
  #:use-module (tutti pool type)
  #:use-module (tutti pool wait)
  #:use-module (tutti random)
  #:use-module (tutti remote arguments)
  #:use-module ((tutti remote names) #:select (name-of))
  #:use-module (tutti remote object)
  #:use-module (tutti task)
  #:use-module (tutti worker answer)
  #:use-module (tutti worker description)
  #:export (pool-map pool-for-each))

;; A chunk should take this long: much longer than handing it out, much shorter than a person or another worker would notice. If its items
;; take much longer than was expected, the worker gives back those that it has not begun; see (tutti worker answer).
(define chunk-seconds 0.01)
(define least-seconds 2e-4)             ; and this at least, however many workers there are: to hand it out takes a fifth of that
;; Chunks with a worker or queued, per worker: the next is there when one is done.
(define chunks-ahead 2)

;; A map in progress. What is not a procedure's argument or constant is in here, and belongs to the thread that maps.
(define-record-type <job>
  (make-job pool procedure name stream total collect? pieces fresh returned running done item-seconds check-seconds failed pause lost
            doomed)
  job?
  (pool job-pool)
  (procedure job-procedure)             ; what travels for it
  (name job-name)                       ; its name for people, a string, or #f
  (stream job-stream)                   ; of random numbers
  (total job-total)
  (collect? job-collect?)
  (pieces job-pieces set-job-pieces!)   ; number of the first item, list of values or of conditions, and the last pair of that
  (fresh job-fresh set-job-fresh!)      ; range of the items that were never handed out
  (returned job-returned set-job-returned!) ; ranges that were handed out, and came back
  (running job-running set-job-running!)        ; chunks that were handed out and are not settled
  (done job-done set-job-done!)                 ; items that are done
  (item-seconds job-item-seconds set-job-item-seconds!) ; how long one takes, as far as is known; #f: nothing is known
  ;; How long a worker takes after each chunk to check whether its items have changed what others see.
  (check-seconds job-check-seconds set-job-check-seconds!)
  (pause job-pause set-job-pause!)      ; seconds after which to poll the chunks again
  (lost job-lost set-job-lost!)         ; chunks that have cost a worker, or may have
  (doomed job-doomed set-job-doomed!)   ; numbers of tasks that have ended, and whose workers are being ended
  (failed job-failed set-job-failed!))  ; the failed item that is first in order, as (number . condition); #f: none

;;; Handing out.

(define (items-left job range)
  "Return the number of items in @var{range} and in all that has not been handed out."
  (fold (lambda (range sum) (+ (range-count range) sum)) 0 (cons* range (job-fresh job) (job-returned job))))

(define (next-size job range)
  "Return how many of the items of @var{range}, from its first on, should be handed out together."
  (let ((seconds (job-item-seconds job)))
    (if (or (task-timeout) (not seconds) (range-alone? range))
        1                               ; a time-out is for one item
        ;; Guided by the time that items take; towards the end smaller and smaller, so that workers end together.
        (min (range-count range)
             (max (least-size job)
                  (min (quotient (items-left job range) (* 2 chunks-ahead (pool-size (job-pool job))))
                       (inexact->exact (floor (min 1e6 (/ chunk-seconds (max seconds 1e-9)))))))))))

(define (least-size job)
  (let ((seconds (max least-seconds (* chunk-checks (job-check-seconds job)))))
    (inexact->exact (ceiling (min 1e6 (/ seconds (max (job-item-seconds job) 1e-9)))))))

(define (submit-range! job range)
  ;; A chunk whose worker dies is not tried again as a whole: its items are, each for itself, so that the one at fault is found.
  (let* ((count (range-count range))
         (lists (map (lambda (l) (%list-prefix l count)) (range-lists range)))
         (task (submit-request (job-pool job)
                               (vector 'map (job-procedure job) (range-first range) lists (job-stream job) (not (job-collect? job)))
                               'pool-map
                               #:retries (if (= count 1) (task-retries) 0)
                               #:name (job-name job))))
    (set-job-running! job (append (job-running job) (list (make-chunk task range 0 (> count 1)))))))

(define (wanted? job range)
  ;; Items after the first failed one do not matter any more; one before it may still fail, and is the first then.
  (and (positive? (range-count range))
       (not (and (stopping? job) (> (range-first range) (car (job-failed job)))))))

(define (next-range! job)
  "Return the range from which to hand out next, and forget it; or @code{#f} if nothing is left."
  (let ((returned (job-returned job)) (fresh (job-fresh job)))
    (cond ((pair? returned)
           (set-job-returned! job (cdr returned))
           (if (wanted? job (car returned)) (car returned) (next-range! job)))
          ((wanted? job fresh)
           (set-job-fresh! job no-items)
           fresh)
          (else #f))))

(define (put-back! job range)
  (cond ((zero? (range-count range)) #t)
        ((= (range-end range) (job-total job)) (set-job-fresh! job range))
        (else (set-job-returned! job (cons range (job-returned job))))))

(define (hand-out! job)
  (let loop ()
    (when (< (length (job-running job)) (* chunks-ahead (pool-size (job-pool job))))
      (let ((range (next-range! job)))
        (when range
          (let ((size (next-size job range)))
            (put-back! job (range-tail range size))
            (submit-range! job (range-head range size))
            (loop)))))))

(define (stopping? job)
  (and (job-failed job) (not (job-collect? job))))

;;; Taking back.

;; While some workers are idle, the running chunks are first checked after so many seconds, and each further time after twice as many, up
;; to the other limit.
(define first-pause 0.0002)
(define longest-pause 0.02)

(define (helpless? job)
  "Return true if there are workers for whom there is nothing left to hand out."
  (and (not (serial-pool? (job-pool job)))
       (< (length (job-running job)) (pool-size (job-pool job)))
       (pair? (job-running job))
       (not (stopping? job))))

(define (take-back! job chunk)
  "Let others have what the worker of @var{chunk} will not come to soon: all that it has not begun, if it is still at the item of the
last look, else half of it."
  (let* ((handle (task-handle (chunk-task chunk)))
         (before (chunk-begun chunk))
         (begun (%task-parts-begun handle))
         (left (- (chunk-size chunk) begun)))
    (set-chunk-begun! chunk begun)
    (when (and (positive? before) (positive? left))
      (let* ((keep (if (= begun before) 0 (quotient left 2)))
             (count (%task-withhold-parts! handle keep)))
        (when (< 0 count (chunk-size chunk))
          (let ((range (chunk-range chunk)))
            (set-chunk-range! chunk (range-head range count))
            (put-back! job (range-tail range count))))))))

(define (share-out! job)
  (when (helpless? job)
    (for-each (lambda (chunk)
                (when (> (chunk-size chunk) 1) (take-back! job chunk)))
              (job-running job))
    (set-job-pause! job (min longest-pause (* 2 (job-pause job))))
    (hand-out! job)))

(define (next-check job)
  "Return after how many seconds to poll again."
  (if (and (helpless? job) (any (lambda (chunk) (> (chunk-size chunk) 1)) (job-running job)))
      (min drawing-interval (job-pause job))
      drawing-interval))

;;; Settling.

(define (item-failed! job item condition)
  (unless (and (job-failed job) (< (car (job-failed job)) item))
    (set-job-failed! job (cons item condition))))

(define (piece-done! job first values count)
  "Note the list @var{values}, of @var{count} items from number @var{first} on."
  ;; Its end is looked for now, while all of it is in a cache.
  (set-job-pieces! job (cons (vector first values (last-pair values)) (job-pieces job)))
  (set-job-done! job (+ (job-done job) count)))

(define (note-time! job seconds count)
  (let ((one (/ seconds (max 1 count)))
        (before (job-item-seconds job)))
    ;; The time of a single chunk is noisy, and the items of a map are not all alike.
    (set-job-item-seconds! job (if before (+ (* 0.5 before) (* 0.5 one)) one))))

(define (of-item job item condition)
  (make-in-item condition item (job-name job)))

(define (read-answer job chunk answer)
  "Return five values, or raise an error if @var{answer} is none to @var{chunk}: the seconds that it took, the values of its items, their
number, the failed items as a list of (@var{item} . @var{condition}), and the seconds that looking for changes took. There may be fewer
values than items, but not none."
  (define task (chunk-task chunk))
  (define (in-chunk? item)
    (and (exact-integer? item) (< -1 (- item (chunk-first chunk)) (chunk-size chunk))))
  (match answer
    (#((? real? seconds) items (((? in-chunk? failed) . descriptions) ...) (? real? check-seconds))
     (=> refuse)
     (define n (%list-length items))
     (if (and n (<= n (chunk-size chunk))
              (or (pair? items) (pair? failed)))
         (values seconds items n
                 (map (lambda (item description)
                        (cons item (of-item job item (description->condition description (task-worker task) (task-number task)
                                                                             (and=> (task-handle task) %task-host)))))
                      failed descriptions)
                 check-seconds)
         (refuse)))
    (_ (raise-tutti (make-tutti-error (format #f "it is no answer to ~a items from number ~a on"
                                              (chunk-size chunk) (chunk-first chunk)))))))

(define (chunk-answered! job chunk answer)
  (call-with-answer (chunk-task chunk)
    (lambda ()
      (call-with-values (lambda () (read-answer job chunk answer))
        (lambda (seconds values n failures check-seconds)
          (set-job-check-seconds! job check-seconds)
          (let* ((first (chunk-first chunk))
                 (last (fold max -1 (map car failures)))
                 ;; A failed item may have no value. Lists may be long: nothing is copied or walked through without need.
                 (count (max n (- (1+ last) first)))
                 (values (if (= count n) values (append values (make-list (- count n) #f)))))
            (for-each (lambda (failure)
                        (list-set! values (- (car failure) first) (cdr failure))
                        (show-failed-item! (job-pool job) (job-procedure job) (job-name job) (job-stream job) (chunk-task chunk)
                                           (chunk-range chunk) (car failure) (cdr failure))
                        (item-failed! job (car failure) (cdr failure)))
                      failures)
            (note-time! job seconds count)
            (piece-done! job first values count)
            (when (< count (chunk-size chunk))
              (put-back! job (range-tail (chunk-range chunk) count)))))))
    (lambda (condition) (chunk-failed! job chunk condition))))

(define (of-one-item? condition)
  ;; One item ended the worker, and with it the whole chunk; or changed what the other items saw; or cannot be sent, or its value cannot be
  ;; read. What ends all items is something else.
  (not (or (task-cancelled? condition) (task-timeout? condition) (pool-closed-error? condition))))

(define (again-alone? chunk)
  "Return true if the items of @var{chunk}, whose worker died, are tried again, each for itself: the engine does not do that."
  ;; If the others were taken back before it died, the one left is at fault.
  (or (> (chunk-size chunk) 1) (and (chunk-together? chunk) (positive? (task-retries)))))

(define (chunk-failed! job chunk condition)
  (let ((first (chunk-first chunk)) (size (chunk-size chunk)))
    (if (and (again-alone? chunk) (of-one-item? condition))
        (set-job-returned! job (cons (make-range first size (range-lists (chunk-range chunk)) #t) (job-returned job)))
        (let ((conditions (map (lambda (i) (of-item job i condition)) (iota size first))))
          (item-failed! job first (car conditions))
          (piece-done! job first conditions size)))))

(define (ends-worker? condition)
  "Return true if a task that ends with @var{condition} does so before its worker, which is ended as well, has."
  (or (task-timeout? condition)
      (and (worker-error? condition) (eq? (worker-error-key condition) 'read-only-vector))))

(define (note-death! job chunk)
  ;; The report of the death of a worker that had it may come later than the result of the chunk.
  (set-job-lost! job (cons chunk (job-lost job))))

(define (settle-chunk! job chunk)
  (match (task-settle! (chunk-task chunk))
    (('value . answer)
     (when (tried-again? (chunk-task chunk)) (note-death! job chunk))
     (chunk-answered! job chunk answer))
    (('error . condition)
     (note-death! job chunk)
     (when (ends-worker? condition)
       (set-job-doomed! job (cons (task-number (chunk-task chunk)) (job-doomed job))))
     (chunk-failed! job chunk condition))))

(define (settle-ended! job)
  (call-with-values (lambda () (partition (lambda (chunk) (task-done? (chunk-task chunk))) (job-running job)))
    (lambda (ended running)
      (set-job-running! job running)
      (for-each (lambda (chunk) (settle-chunk! job chunk)) ended)
      (pair? ended))))

(define (cancel-after-failure! job)
  (for-each (lambda (chunk)
              (unless (wanted? job (chunk-range chunk))
                (task-cancel! (chunk-task chunk))))
            (job-running job)))

(define (advance! job progress)
  "Settle what has ended and hand out more. Return true when all is done."
  (let loop ()
    (when (settle-ended! job)
      ;; Here as well, as in the serial pool nothing is waited for.
      (progress-update! progress (job-done job))
      (set-job-pause! job first-pause)
      (when (stopping? job) (cancel-after-failure! job))
      (hand-out! job)
      (loop)))
  (null? (job-running job)))

(define (find-items job task)
  ;; For (tutti pool deaths).
  (let ((chunk (find (lambda (chunk) (eqv? (task-number (chunk-task chunk)) task)) (append (job-running job) (job-lost job)))))
    (and chunk
         (list (chunk-first chunk) (chunk-size chunk) (chunk-together? chunk)
               (and (again-alone? chunk) (wanted? job (chunk-range chunk)))))))

(define (job->string job)
  (string-append "a map" (if (job-name job) (string-append " of `" (job-name job) "'") "")))

(define (run-job! job)
  (call-watching-deaths (job-pool job) (job->string job) (lambda (task) (find-items job task))
    (lambda () (map (lambda (chunk) (task-number (chunk-task chunk)))
                    (take (job-lost job) (min (* chunks-ahead (pool-size (job-pool job))) (length (job-lost job))))))
    (lambda (reported?)
      (run-watched-job! job)
      (await-deaths job reported?))))

;; Workers that end by a time-out, or by writing to read-only memory, end within moments. If not, the map has waited long enough.
(define most-seconds-for-deaths 0.5)

(define (await-deaths job reported?)
  ;; So that lines and summary come before the map returns.
  (when (and (pair? (job-doomed job)) (death-port) (not (serial-pool? (job-pool job))))
    (wait-until (lambda () (every reported? (job-doomed job))) (list (job-pool job))
                #:deadline (+ (now) most-seconds-for-deaths))))

(define (run-watched-job! job)
  (let ((progress (make-progress (job-total job) (job-name job))))
    (call-cancelling
     (lambda ()
       (hand-out! job)
       (wait-until (lambda () (advance! job progress))
                   (if (serial-pool? (job-pool job)) '() (list (job-pool job)))
                   #:tick (lambda ()
                            (progress-update! progress (job-done job))
                            (share-out! job))
                   #:interval (lambda () (next-check job)))
       (progress-end! progress (job-done job)))
     ;; Left by an error or by Ctrl-C: nobody waits for the rest.
     (lambda ()
       (progress-end! progress (job-done job))
       (for-each (lambda (chunk) (task-cancel! (chunk-task chunk))) (job-running job))))))

;;; The procedures.

(define (job-values job)
  "Return the list of all values of @var{job}, in the order of the items. It is made of the lists that have arrived."
  (fold (lambda (piece rest)
          (match piece
            (#(_ values end)
             (set-cdr! end rest)
             values)))
        '()
        (sort! (job-pieces job) (lambda (a b) (> (vector-ref a 0) (vector-ref b 0))))))

(define (split-keywords who arguments)
  "Return two values: the lists in front of the first keyword, and the value of #:on-error."
  (let ((lists (take-while (negate keyword?) arguments))
        (options (drop-while (negate keyword?) arguments)))
    (match options
      (() (values lists 'raise))
      ((#:on-error (and mode (or 'raise 'collect))) (values lists mode))
      (_ (scm-error 'misc-error who "after the lists only #:on-error 'raise or #:on-error 'collect may follow, got ~S"
                    (list options) #f)))))

(define (make-map-job pool proc lists mode)
  (let ((total (check-lists "pool-map" lists)))
    ;; The procedure may be large: it is sent to each worker once, not with every chunk.
    (make-job pool
              (cond ((zero? total) proc)
                    ((serial-pool? pool) (give-to-workers pool proc 'pool-map))
                    (else (or (remote-argument pool proc) (give-to-workers pool proc 'pool-map))))
              (name-of proc)
              (next-stream! pool) total (eq? mode 'collect) '() (make-range 0 total lists #f) '() '() 0 #f 0 #f first-pause '() '())))

(define (pool-map pool proc . arguments)
  "Return the list of the values of @var{proc} for the items of the lists that follow, which are of equal length, in the order of the
items. Workers of @var{pool} get items as they become free. If an item raises, the first such item's condition, in the order of the
items, is raised after all running ones have ended; with @code{#:on-error 'collect} behind the lists, conditions stand among the values."
  (check-open pool 'pool-map)
  (unless (procedure? proc)
    (scm-error 'wrong-type-arg "pool-map" "expected a procedure, got ~S" (list proc) (list proc)))
  (call-with-values (lambda () (split-keywords "pool-map" arguments))
    (lambda (lists mode)
      (let ((job (make-map-job pool proc lists mode)))
        (run-job! job)
        (when (stopping? job)
          (raise-tutti (cdr (job-failed job))))
        (job-values job)))))

(define (pool-for-each pool proc . arguments)
  "Like @code{pool-map}, for what @var{proc} does on the workers: the values are dropped."
  (apply pool-map pool proc arguments)
  *unspecified*)
