;; SPDX-License-Identifier: LGPL-3.0-or-later
;; hosts.scm [--rounds N] [CASE...]: pools on other hosts beside a bare stream of TLS between the same hosts, and beside a pool of one
;; machine. The hosts are virtual ones of this machine (tests/support/cluster), whose processors all of them share, the master too.
;;
;; What is compared is measured in turn, in one process; a ratio is that of one round, and what is shown of them is the median, the least
;; and the most. To be slow is no failure; a wrong result is.
(use-modules (bench) (cluster) (programs) (tap) (ice-9 format) (ice-9 match) (ice-9 rdelim) (srfi srfi-1))

(define tls (string-append (getenv "TUTTI_HELPERS") "/bench/speed-tls"))
(define script (string-append (getenv "TUTTI_HELPERS") "/bench/speed-hosts.go"))
(define (parse-figures text)
  (filter-map (lambda (line)
                (match (string-tokenize line)
                  ((name value) (and=> (string->number value) (lambda (number) (cons name number))))
                  (_ #f)))
              (string-split text #\newline)))

(define (named figures name)
  (filter-map (lambda (figure) (and (string=? (car figure) name) (cdr figure))) figures))

(define (run . arguments)
  (let ((done (tutti-on "head" script arguments #:env '("OPENBLAS_NUM_THREADS=1") #:seconds 300)))
    (unless (eqv? (program-status done) 0)
      (error "a measurement failed:" arguments (program-status done) (program-errors done)))
    (parse-figures (program-output done))))

(define (with-bare proc)
  "Call @var{proc} with the arguments by which a program on the head finds a bare stream of TLS to n1."
  (let ((file (in-folder "key")))
    (call-with-running-on "n1" (list tls "listen" file)
      (lambda (port)
        (proc tls "n1" (read-line port) file)))))

;;; The table.

(define (spread numbers show)
  (format #f "~a (~a to ~a)" (show (median numbers)) (show (apply min numbers)) (show (apply max numbers))))

(define (show-seconds x)
  (cond ((>= x 1) (format #f "~,2f s" x)) ((>= x 1e-3) (format #f "~,2f ms" (* 1e3 x))) (else (format #f "~,0f µs" (* 1e6 x)))))
(define (show-rate x) (format #f "~,0f /s" x))
(define (show-ratio x) (format #f "~,2f" x))

(define (print-line . columns)
  (apply format #t "| ~52a | ~32a | ~24a | ~32a | ~20a | ~7a | ~6a |~%" columns)
  (force-output))

(define (verdict target value)
  (match target
    (('at-most limit) (if (<= value limit) "met" "missed"))
    (('at-least limit) (if (>= value limit) "met" "missed"))))

(define (show-target target)
  (match target
    (('at-most limit) (format #f "<= ~a" limit))
    (('at-least limit) (format #f ">= ~a" limit))))

(define* (compare what ours against theirs target #:key (show show-seconds) (ratio /))
  (let ((ratios (map ratio ours theirs)))
    (print-line what (spread ours show) against (spread theirs show) (spread ratios show-ratio) (show-target target)
                (verdict target (median ratios)))))

(define (print-seconds what times target)
  (print-line what (spread times show-seconds) "" "" "" (format #f "~a s" (show-target target)) (verdict target (median times))))

;;; Cases.

(define (measure-trip rounds)
  (let ((figures (with-bare (lambda where (apply run "trip" rounds where)))))
    (compare "a task that does nothing, there and back" (named figures "trip") "256 bytes there and back" (named figures "tls-ping")
             '(at-most 4))))

(define (measure-ship rounds)
  (let* ((figures (with-bare (lambda where (apply run "ship" rounds where)))) (one (named figures "ship-to-1")))
    ;; As rates: of twice the time half the rate.
    (compare "80 MB to a host" one "one stream" (named figures "tls-stream") '(at-least 0.8)
             #:ratio (lambda (ours theirs) (/ theirs ours)))
    (compare "80 MB to four workers of a host" (named figures "ship-to-4") "to one worker" one '(at-most 1.1))))

(define (measure-sum rounds)
  (let ((figures (run "sum" rounds)))
    (compare "sum of 80 MB of each of four workers of a host" (named figures "sum-of-4") "of one" (named figures "sum-of-1")
             '(at-most 2))))

(define (measure-rate rounds)
  (let ((figures (run "rate" rounds "20000")))
    (compare "tasks that do nothing, 2 hosts with 2 workers" (named figures "rate-there") "4 workers here" (named figures "rate-here")
             '(at-least 0.5) #:show show-rate)))

(define (measure-start rounds)
  (let ((figures (append-map (lambda (i) (run "start")) (iota (string->number rounds)))))
    (print-seconds "pool of 3 on 3 hosts, after what `srun' takes" (map - (named figures "start") (named figures "srun"))
                   '(at-most 1))))

;; What was begun, as a list of lists of time, number and host.
(define (read-begun file)
  (call-with-input-file file
    (lambda (port)
      (let loop ((lines '()))
        (let ((line (read-line port)))
          (if (eof-object? line)
              (reverse lines)
              (match (string-tokenize line)
                ((time i host) (loop (cons (list (string->number time) (string->number i) host) lines))))))))))

(define (measure-one-loss)
  "Return the seconds from the loss of a host to the first retry, and to the end of all."
  (let ((file (in-folder "begun")))
    (when (file-exists? file) (delete-file file))
    (call-with-running-on "head" (list (getenv "TUTTI") "run" script "loss" file)
      (lambda (port)
        (read-line port)
        (newline port)
        (force-output port)
        (wait-for (lambda () (and (file-exists? file) (= 6 (length (read-begun file))))))
        (let ((start (/ (now-us) 1e6)))
          (cluster! "power-off" "n2")
          (let ((end (named (parse-figures (read-line port)) "end")))
            (cluster! "power-on" "n2")
            (list (- (apply min (map first (drop (read-begun file) 6))) start)
                  (- (car end) start)))))
      #:env '("OPENBLAS_NUM_THREADS=1"))))

(define (measure-loss rounds)
  (let ((times (map-in-order (lambda (i) (measure-one-loss)) (iota (string->number rounds)))))
    (print-seconds "a host has no power, to the first retry elsewhere" (map first times) '(at-most 2.2))
    (print-seconds "... to the end of a map of tasks of 1 s" (map second times) '(at-most 5))))

(define cases
  `(("trip" "9" ,measure-trip) ("ship" "9" ,measure-ship) ("sum" "5" ,measure-sum) ("rate" "9" ,measure-rate)
    ("start" "5" ,measure-start) ("loss" "3" ,measure-loss)))

(define (main rounds names)
  (call-with-cluster
   (lambda ()
     (print-machine)
     (format #t "load ~a at the start; medians, in brackets the least and the most~%~%" (call-with-input-file "/proc/loadavg" read-line))
     (print-line "case" "Tutti" "against" "its figure" "ratio" "target" "")
     (format #t "|---|--:|---|--:|--:|---|---|~%")
     (for-each (match-lambda
                 ((name default measure)
                  (when (or (null? names) (member name names))
                    (measure (or rounds default)))))
               cases))
   #:ssh? #f #:seconds 850))

(match (cdr (command-line))
  (("--rounds" rounds . names) (main rounds names))
  (names (main #f names)))
