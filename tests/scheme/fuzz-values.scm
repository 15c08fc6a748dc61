;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Spoiled values, decoded as a master or worker decodes what has arrived, with records, procedures and code among them: a value or an
;; ordinary exception, never a crash or a hang. TUTTI_FUZZ_INPUTS says how many; TUTTI_FUZZ_SEED repeats a run.
(use-modules (tap) (rnrs bytevectors) (srfi srfi-1) (srfi srfi-4) (srfi srfi-64) (ice-9 exceptions)
             (test-primitives) (tutti) (tutti conditions) (tutti base primitives) (tutti worker wire))

(define n-inputs (string->number (or (getenv "TUTTI_FUZZ_INPUTS") "20000")))
(define seed (or (getenv "TUTTI_FUZZ_SEED") (number->string (current-time))))
(define state (seed->random-state seed))
(define (below n) (random n state))

(define-remote (add-up . numbers) (apply + numbers))
(define-remote offset 7)
(define-remote (shifted x) (add-up x offset))

(define (table . alist)
  (let ((table (make-hash-table)))
    (for-each (lambda (entry) (hash-set! table (car entry) (cdr entry))) alist)
    table))

(define values-to-corrupt
  (list '() #t "text: äöü" 'symbol #:keyword #\x 12 -3.5 1/3 (expt 7 50) (- (expt 7 50)) 1+2i (if #f #f)
        (iota 20) (vector 1.5 2.5 3.5) '(a (b . c) #(d "e" #f)) (f64vector 1 2 3) (u8vector 1 2) #vu8(3 4 5)
        #*10110111010 (make-array 'x '(1 2) 3) (make-typed-array 'f64 0.5 2 2)
        (table '(a . 1) '("b" . (2 3)))
        first car (list shifted add-up) (let ((k 5)) (remote ((k k)) (lambda (x) (+ x k))))
        (make-certificate #:reason 'killed #:signal 9 #:stderr '("a" "b"))
        (make-exception (make-error) (make-exception-with-message "m") (make-exception-with-irritants '(1 "x")))
        (vector 'call add-up '(1 2) '(0 . 1))
        (vector 'map shifted 0 '((1 2 3)) '(0 . 1) #t)))

(define corpus
  (list->vector (map (lambda (value) (%payload->bytevector (encode-value value 'fuzz))) values-to-corrupt)))

;;; Spoiling.

(define edges #vu8(0 1 2 127 128 255 15 16 17 19 20 22 24 26 27))

(define (cut bytes from to)
  (let ((part (make-bytevector (- to from))))
    (bytevector-copy! bytes from part 0 (- to from))
    part))

(define (glue . parts)
  (let ((whole (make-bytevector (apply + (map bytevector-length parts)))))
    (fold (lambda (part at)
            (bytevector-copy! part 0 whole at (bytevector-length part))
            (+ at (bytevector-length part)))
          0 parts)
    whole))

(define (with-byte bytes at byte)
  (let ((changed (bytevector-copy bytes)))
    (bytevector-u8-set! changed at byte)
    changed))

(define (corrupt bytes)
  (let* ((n (bytevector-length bytes)) (at (if (zero? n) 0 (below n))) (end (min n (+ at 1 (below 8)))))
    (if (zero? n)
        (bytevector-copy edges)
        (case (below 6)
          ((0) (with-byte bytes at (logxor (bytevector-u8-ref bytes at) (ash 1 (below 8)))))
          ((1) (with-byte bytes at (bytevector-u8-ref edges (below (bytevector-length edges)))))
          ((2) (with-byte bytes at (below 256)))
          ((3) (cut bytes 0 at))
          ((4) (glue (cut bytes 0 at) (cut bytes end n)))
          (else
           (let* ((other (vector-ref corpus (below (vector-length corpus)))) (m (bytevector-length other)) (from (below m)))
             (glue (cut bytes 0 at) (cut other from (min m (+ from 1 (below 40)))) (cut bytes at n))))))))

(define (corrupt-often bytes)
  (let loop ((i (below 4)) (bytes (corrupt bytes)))
    (if (zero? i) bytes (loop (1- i) (corrupt bytes)))))

;;; Trying.

(define (try bytes)
  "Return true if decoding BYTES gave a value, false if an exception; what is neither is raised."
  (with-exception-handler
      (lambda (e)
        (when (quit-exception? e) (raise-exception e))
        #f)
    (lambda ()
      ;; What came out is touched from end to end.
      (encode-value (decode-value (%bytevector->payload bytes)) 'fuzz)
      #t)
    #:unwind? #t))

(define (run n)
  (let loop ((i 0) (good 0))
    (when (zero? (modulo i 1000)) (alarm 60))  ; a hang ends the program
    (if (= i n)
        (begin (alarm 0) good)
        (loop (1+ i) (if (try (corrupt-often (vector-ref corpus (below (vector-length corpus))))) (1+ good) good)))))

(call-with-tap
 (lambda ()
   (test-group "fuzz"
     (test-assert "all are good before they are corrupted" (every try (vector->list corpus)))
     (let* ((start (get-internal-real-time))
            (good (run n-inputs))
            (seconds (/ (- (get-internal-real-time) start) internal-time-units-per-second 1.)))
       (format #t "# seed ~a: ~a inputs in ~a s, ~a of them are values~%" seed n-inputs seconds good)
       (test-assert "some are values, some are not" (< 0 good n-inputs))))))
