;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What waits behind a long item of the same chunk is given to workers that have nothing to do. Here long means for ever, unless that
;; happens: an item waits for the one that comes after it.
(use-modules (tap) (srfi srfi-1) (srfi srfi-64) (tutti) (tutti conditions))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-sharing-XXXXXX")))
(define-remote seconds 120)

(define-remote (note i folder)
  (let ((port (open-file (string-append folder "/begun") "a0l")))
    (display (string-append (number->string i) "\n") port)
    (close-port port)))

(define-remote (file-of i folder) (string-append folder "/" (number->string i)))
(define-remote (make-file i folder) (close-port (open-output-file (file-of i folder))))
(define-remote (await-file i folder)
  (let ((end (+ seconds (current-time))))
    (let loop ()
      (cond ((file-exists? (file-of i folder)) #t)
            ((> (current-time) end) (error "nobody has done item" i))
            (else (usleep 1000) (loop))))))

;; Each item of WAITING waits until the one behind it is done, which then is AFTER of it.
(define (item-procedure waiting after)
  (remote ((waiting waiting) (after after) (folder folder))
    (lambda (i)
      (note i folder)
      (when (memv (1- i) waiting) (make-file i folder))
      (when (memv i waiting) (await-file (1+ i) folder))
      (if (memv (1- i) waiting) (after i) i))))

(define (begun)
  (let ((file (string-append folder "/begun")))
    (if (file-exists? file)
        (call-with-input-file file
          (lambda (port)
            (let loop ((all '()))
              (let ((i (read port)))
                (if (eof-object? i) (sort all <) (loop (cons i all)))))))
        '())))

(define (clean!)
  (for-each (lambda (name) (false-if-exception (delete-file (string-append folder "/" name))))
            (cons "begun" (map number->string (iota 4000)))))

(define n 3000)

(define* (run pool waiting after #:rest options)
  "Return the values of a map over N items, and which items were begun."
  (clean!)
  ;; So that chunks are large.
  (pool-map pool (item-procedure '() identity) (iota 200))
  (clean!)
  (let ((all (apply pool-map pool (item-procedure waiting after) (iota n) options)))
    (list all (begun))))

(define-remote (same i) i)
(define-remote (fail i) (error "it fails:" i))
(define-remote (map-here i) (apply + (pool-map (current-pool) same (iota 100))))

(define (test-sharing n-workers waiting)
  (call-with-pool n-workers
    (lambda (pool)
      (test-equal "all values, in order, each item once" (list (iota n) (iota n)) (run pool waiting same))
      (let ((all (run pool waiting fail #:on-error 'collect)))
        (test-equal "collected failures" (map 1+ waiting) (filter (lambda (i) (worker-error? (list-ref (first all) i))) (iota n)))
        (test-equal "each item once" (iota n) (second all)))
      (test-equal "maps within items" (map (lambda (i) (if (memv (1- i) waiting) 4950 i)) (iota n)) (first (run pool waiting map-here)))
      (let ((draw (item-procedure waiting (remote (lambda (i) (random 1000000000))))))
        (define (draws pool) (clean!) (parameterize ((random-seed 5)) (pool-map pool draw (iota n))))
        (let ((first-draws (draws pool)))
          (test-equal "draws" first-draws (draws pool))
          (test-assert "differ" (not (= (list-ref first-draws (1+ (car waiting))) (1+ (car waiting))))))))))

(define (lines text)
  (remove string-null? (string-split text #\newline)))

(define (test-retry)
  (call-with-pool 2
    (lambda (pool)
      (clean!)
      (pool-map pool (item-procedure '() identity) (iota 200))
      (clean!)
      ;; The first four items travel alone, as nobody knows how long they take; the next is the first of a chunk. The first time it dies
      ;; after all that comes behind it was taken back.
      (let* ((die-once (remote ((folder folder))
                         (lambda (i)
                           (case i
                             ((4)
                              (unless (file-exists? (file-of 4 folder))
                                (await-file 5 folder)
                                (make-file 4 folder)
                                (kill (getpid) SIGKILL)))
                             ((5) (make-file i folder)))
                           i)))
             (all #f)
             (told (call-with-output-string
                     (lambda (port)
                       (parameterize ((task-retries 1) (death-port port))
                         (set! all (pool-map pool die-once (iota n) #:on-error 'collect)))))))
        (test-equal "it is tried again" (iota n) all)
        (test-equal "that is told" '(#t #t)
          (map (lambda (line part) (and (string-contains line part) #t)) (lines told)
               '("item 4 of a map is tried again" "a map: 1 worker died, 1 item tried again")))))))

(define (test-deaths)
  (call-with-pool 2
    (lambda (pool)
      (clean!)
      (pool-map pool (item-procedure '() identity) (iota 200))
      (clean!)
      ;; It dies after what comes behind it was taken back.
      (let ((die (remote ((folder folder))
                   (lambda (i)
                     (case i
                       ((500) (await-file 501 folder) (kill (getpid) SIGKILL))
                       ((501) (make-file i folder)))
                     i))))
        (parameterize ((task-retries 0))
          (let ((all (pool-map pool die (iota n) #:on-error 'collect)))
            (test-equal "one item" '(500) (filter (lambda (i) (worker-died? (list-ref all i))) (iota n)))
            (test-equal "and no other" (delete 500 (iota n)) (remove worker-died? all))))))))

(call-with-tap
 (lambda ()
   (test-group "sharing"
     (worker-output-port #f)
     (test-group "two workers" (test-sharing 2 '(500)))
     (test-group "eight workers" (test-sharing 8 '(400 1100 1950)))
     (test-group "deaths" (test-deaths))
     (test-group "retry" (test-retry))
     (clean!)
     (rmdir folder))))
