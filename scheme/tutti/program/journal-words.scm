;; SPDX-License-Identifier: LGPL-3.0-or-later
;; What reports say, in words: times, memory, how a run ended.
(define-module (tutti program journal-words)
  #:use-module (ice-9 format)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module ((tutti program job-text) #:select (current-microseconds plural))
  #:re-export (current-microseconds plural)
  #:export (duration->text bytes->text time->text first-line count-of failed-count ended-count
            unended-count sum-of end->text state->text death-kind gap->text coarse-bins bound->text))

(define (three-digits x)
  "Return the text of the real number @var{x}, from 0 to below 1000, with three digits."
  (cond ((>= x 99.95) (number->string (inexact->exact (round x))))
        ((>= x 9.995) (format #f "~,1f" x))
        (else (format #f "~,2f" x))))

(define (duration->text us)
  "Return the text of a duration of @var{us} microseconds."
  (let ((s (quotient (+ us 500000) 1000000)))
    (cond ((< us 1000) (format #f "~a µs" us))
          ((< us 999500) (string-append (three-digits (/ us 1e3)) " ms"))
          ((< us 59950000) (string-append (three-digits (/ us 1e6)) " s"))
          ((< s 3600) (format #f "~d:~2,'0d min" (quotient s 60) (remainder s 60)))
          ((< s 86400) (format #f "~d:~2,'0d h" (quotient s 3600) (quotient (remainder s 3600) 60)))
          (else (format #f "~d d ~d h" (quotient s 86400) (quotient (remainder s 86400) 3600))))))

(define (bytes->text bytes)
  "Return the text of a number of @var{bytes}."
  (let loop ((x bytes) (units '("B" "kB" "MB" "GB" "TB")))
    (cond ((and (< x 999.5) (string=? (car units) "B")) (format #f "~a B" bytes))
          ((or (< x 999.5) (null? (cdr units))) (string-append (three-digits (exact->inexact x)) " " (car units)))
          (else (loop (/ x 1000) (cdr units))))))

(define (time->text us)
  "Return the text of the time @var{us}, in microseconds since 1970, where this process is."
  (strftime "%Y-%m-%d %H:%M:%S" (localtime (quotient us 1000000))))

(define (gap->text gap)
  "Return the words for the @var{gap}, an alist."
  (define lost (or (assq-ref gap 'lost) 0))
  (define began (or (assq-ref gap 'began) 0))
  (format #f "~a, ~a: ~a" (time->text began) (duration->text (max 0 (- (or (assq-ref gap 'ended) 0) began)))
          (match (assq-ref gap 'kind)
            ("dropped" (format #f "events came faster than they were written down; ~a lost" (plural lost "event")))
            ("recorder" (if (zero? lost)
                            "the recorder had ended and was started again; nothing was lost"
                            (format #f "the recorder had ended and was started again; ~a lost" (plural lost "event"))))
            ("full" (format #f "nothing could be written~@[ (~a)~]; ~a lost" (assq-ref gap 'text) (plural lost "row")))
            ("output" (format #f "more came on standard output than is kept; ~a lost" (plural lost "line")))
            ("broken" (format #f "what the job wrote could not be read from then on~@[: ~a~]" (assq-ref gap 'text)))
            (kind (format #f "~a; ~a lost" kind lost)))))

(define (first-line text)
  "Return the first line of @var{text}."
  (car (string-split text #\newline)))

(define (count-of counts key)
  "Return the number under @var{key} in the alist @var{counts}."
  (or (assq-ref counts key) 0))

(define (sum-of counts . keys)
  "Return the sum of the numbers under @var{keys} in the alist @var{counts}."
  (apply + (map (lambda (key) (count-of counts key)) keys)))

(define (failed-count counts)
  "Return how many tasks have failed, by the alist @var{counts} of a summary."
  (sum-of counts 'raised 'failed 'timed-out 'died))

(define (ended-count counts)
  "Return how many tasks have ended, by the alist @var{counts} of a summary."
  (sum-of counts 'done 'raised 'failed 'timed-out 'died 'cancelled 'closed))

(define (unended-count run counts pools)
  "Return how many tasks of the @var{run} have not ended, if it goes on, else @code{#f}. Its @var{pools} tell how many were submitted,
@var{counts} how many have ended; the latter may be newer."
  (and (eq? (assq-ref run 'state) 'running)
       (max 0 (- (apply + (map (lambda (pool) (or (assq-ref pool 'submitted) 0)) pools)) (ended-count counts)))))

(define (end->text end)
  "Return the words for how a task ended, the symbol @var{end} or @code{#f}."
  (match end
    (#f "not ended")
    ('timed-out "timed out")
    ('again "tried again")
    ('item "failed item")
    ('failed "failed with another task, or without a worker")
    ('unknown "ended in a gap, nobody knows how")
    (end (symbol->string end))))

(define silence 10000000)               ; µs without a word from a recorder: it is no longer there

(define (state->text run facts counts now)
  "Return the words for what became of the @var{run}, an alist with the @var{facts}, whose tasks have ended as @var{counts} says; it is
@var{now}, in microseconds."
  (define failed (failed-count counts))
  (define tasks (if (zero? failed) "" (format #f "; ~a failed" (plural failed "task"))))
  (match (assq-ref run 'state)
    ('ended (string-append (if (assoc-ref facts "failure") "the script failed" "done") tasks))
    ('lost "lost: its process was gone before its end, killed perhaps")
    (_ (if (< (- now (assq-ref run 'ended)) silence)
           "still running"
           (format #f "not known: it was running when this was written last, at ~a" (time->text (assq-ref run 'ended)))))))

(define (death-kind death)
  "Return the words for the reason of the @var{death}, an alist."
  (let ((signal (or (assq-ref death 'signal) 0)) (status (or (assq-ref death 'status) -1)) (reason (or (assq-ref death 'reason) "?")))
    (cond ((positive? signal) (format #f "~a, signal ~a" reason signal))
          ((>= status 0) (format #f "~a, status ~a" reason status))
          (else reason))))

;;; Histograms: 1, 2, 5, 10 ... are their bounds.

(define (bound->text low)
  "Return the text of the bin whose least duration is @var{low}, one of the above."
  (cond ((zero? low) "below 1 µs")
        ((< low 1000) (format #f "from ~a µs" low))
        ((< low 1000000) (format #f "from ~a ms" (quotient low 1000)))
        ((< low 100000000) (format #f "from ~a s" (quotient low 1000000)))
        (else (string-append "from " (duration->text low)))))

(define (bounds-below top)
  (let loop ((bounds '(1)) (steps '(2 5 10)) (unit 1))
    (if (> (car bounds) top)
        (reverse bounds)
        (match steps
          ((step) (loop (cons (* step unit) bounds) '(2 5 10) (* 10 unit)))
          ((step . rest) (loop (cons (* step unit) bounds) rest unit))))))

(define (coarse-bins bins)
  "Return the many @var{bins} of a summary as a few: a list of lists of least and largest duration and number, without empty ones at either
end."
  (let* ((top (fold (lambda (bin top) (max top (first bin))) 0 bins))
         (bounds (cons 0 (bounds-below top)))
         (counts (make-vector (length bounds) 0)))
    (for-each (match-lambda
                ((low _ n)
                 (let ((i (1- (count (lambda (bound) (<= bound low)) bounds))))
                   (vector-set! counts i (+ n (vector-ref counts i))))))
              bins)
    (let* ((all (map (lambda (low high n) (list low high n)) bounds (append (cdr bounds) (list #f)) (vector->list counts)))
           (empty? (lambda (bin) (zero? (third bin)))))
      (reverse (drop-while empty? (reverse (drop-while empty? all)))))))
