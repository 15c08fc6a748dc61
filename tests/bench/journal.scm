;; SPDX-License-Identifier: LGPL-3.0-or-later
;; journal.scm [--rounds N] [--seconds N]: what a journal costs, and how much a recorder can write down. The job runs without and with a
;; journal in turn, each second round in the opposite order; the table has medians, and the quartiles of the ratios.
(use-modules (bench) (ice-9 format) (ice-9 match) (ice-9 popen) (ice-9 rdelim) (srfi srfi-1))

(define-values (rounds seconds)
  (let loop ((arguments (cdr (command-line))) (rounds 9) (seconds 60))
    (match arguments
      (() (values rounds seconds))
      (("--rounds" (= string->number (? exact-integer? (? positive? n))) . rest) (loop rest n seconds))
      (("--seconds" (= string->number (? exact-integer? (? positive? n))) . rest) (loop rest rounds n))
      (_ (display "usage: journal.scm [--rounds N] [--seconds N]\n" (current-error-port))
         (exit 2)))))

(define folder (mkdtemp (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-bench-XXXXXX")))
(define journal (string-append folder "/journal"))

(define (output-of . command)
  (let* ((pipe (apply open-pipe* OPEN_READ command))
         (line (read-line pipe)))
    (unless (and (eqv? 0 (status:exit-val (close-pipe pipe))) (string? line))
      (error "it fails:" command))
    line))

(define (remove-journal!)
  (system* "sh" "-c" "rm -rf \"$0\"*" journal))

(define (speed us n journaled?)
  (remove-journal!)
  (string->number (apply output-of `(,(getenv "TUTTI") "run" ,@(if journaled? (list "--journal" journal) '())
                                     ,(string-append (getenv "TUTTI_HELPERS") "/bench/speed-journal.go")
                                     ,(number->string us) ,(number->string n)))))

(define (pair-of-speeds us n round)
  "Return tasks a second without and with a journal."
  (if (even? round)
      (let* ((without (speed us n #f)) (with (speed us n #t))) (cons without with))
      (let* ((with (speed us n #t)) (without (speed us n #f))) (cons without with))))

(define (quantile numbers part)
  (list-ref (sort numbers <) (inexact->exact (round (* part (1- (length numbers)))))))

(define (show-cost us n promised)
  (let* ((pairs (map-in-order (lambda (round) (pair-of-speeds us n round)) (iota rounds)))
         (costs (map (lambda (pair) (* 100 (- 1 (/ (cdr pair) (car pair))))) pairs)))
    (format #t "~6d us ~10d ~10d ~10,1f % (~,1f to ~,1f; promised ~a)~%" us
            (inexact->exact (round (median (map car pairs)))) (inexact->exact (round (median (map cdr pairs))))
            (median costs) (quantile costs 1/4) (quantile costs 3/4) promised)
    (force-output)))

(define (show-rate rate)
  (match (string-split (output-of (string-append (getenv "TUTTI_HELPERS") "/bench/journal-rate")
                                  (string-append (getenv "TUTTI_LIBEXECDIR") "/tutti-recorder")
                                  (number->string rate) (number->string seconds))
                       #\space)
    ((_ shown dropped missing)
     (format #t "~8d tasks/s for ~a s: ~a shown a second, ~a events lost, ~a tasks missing~%" rate seconds shown dropped missing)
     (force-output))))

(define (replay-ms)
  "Return how long it takes to replay a failed task, in ms."
  (let ((script (string-append folder "/fails.scm")))
    (call-with-output-file script
      (lambda (port)
        (for-each (lambda (form) (write form port))
                  '((use-modules (tutti))
                    (define-remote (fail) (error "as always"))
                    (call-with-pool 1 (lambda (pool) (false-if-exception (task-wait (pool-submit! pool fail)))))))))
    (remove-journal!)
    (system* (getenv "TUTTI") "run" "--journal" journal script)
    (median (repeat 9 (lambda ()
                        (let ((start (now-us)))
                          (system (format #f "'~a' replay '~a' 1 > /dev/null 2>&1" (getenv "TUTTI") journal))
                          (/ (- (now-us) start) 1000.)))))))

(dynamic-wind
  (const #t)
  (lambda ()
    (print-machine)
    (format #t "~%tasks of   without       with       cost~%")
    (show-cost 100 20000 "2 %")
    (show-cost 10 50000 "5 %")
    (newline)
    (for-each show-rate '(50000 200000))
    (format #t "~%a failed task is replayed, with all that belongs to it, in ~,0f ms~%" (replay-ms)))
  (lambda () (system* "rm" "-rf" folder)))
