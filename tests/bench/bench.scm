;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Measurements as rows of a table: they say what was measured and how often it came out how, and pass no judgement on a machine
;; that may be busy with something else.
(define-module (bench)
  #:use-module (ice-9 format)
  #:use-module (ice-9 rdelim)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-19)
  #:export (now-us median quartiles repeat wait-for print-machine print-header print-row))

(define (now-us)
  "Return the time of day in microseconds: one clock for all processes."
  (let ((t (gettimeofday)))
    (+ (* 1000000 (car t)) (cdr t))))

(define (median numbers)
  "Return the median of @var{numbers}."
  (let* ((sorted (sort numbers <)) (n (length sorted)) (middle (quotient n 2)))
    (if (odd? n)
        (list-ref sorted middle)
        (/ (+ (list-ref sorted (1- middle)) (list-ref sorted middle)) 2))))

(define (quartiles numbers)
  "Return a list of two numbers between which the middle half of @var{numbers} is: they are interpolated."
  (let* ((sorted (sort numbers <)) (last (1- (length sorted))))
    (map (lambda (fraction)
           (let* ((place (* fraction last)) (below (floor place)))
             (+ (* (- 1 (- place below)) (list-ref sorted below))
                (* (- place below) (list-ref sorted (min last (1+ below)))))))
         '(1/4 3/4))))

(define (repeat n thunk)
  "Return the list of what @var{thunk} returns, @var{n} times."
  (map (lambda (i) (thunk)) (iota n)))

(define* (wait-for ready? #:optional (pause-us 200))
  "Return what @var{ready?} returns when that is true; asks every @var{pause-us} microseconds, and gives up after a minute."
  (let ((limit (+ (now-us) 60000000)))
    (let loop ()
      (or (ready?)
          (begin
            (when (> (now-us) limit)
              (error "what was to happen has not happened within a minute"))
            (usleep pause-us)
            (loop))))))

(define (field file name)
  (false-if-exception
   (call-with-input-file file
     (lambda (port)
       (let loop ()
         (let ((line (read-line port)))
           (cond ((eof-object? line) #f)
                 ((string-prefix? name line) (string-trim-both (substring line (1+ (string-index line #\:)))))
                 (else (loop)))))))))

(define (print-machine)
  "Print when and on what this is measured."
  (format #t "~a, ~a, ~a cores, Linux ~a, Guile ~a~%" (date->string (current-date) "~Y-~m-~d")
          (or (field "/proc/cpuinfo" "model name") (utsname:machine (uname))) ((@ (ice-9 threads) total-processor-count))
          (utsname:release (uname)) (version)))

(define (print-header)
  "Print the names of the columns."
  (format #t "~%~60a ~9@a ~9@a ~9@a ~6@a  ~a~%" "" "median" "min" "max" "n" "target"))

(define* (print-row what times #:key (unit 'ms) target)
  "Print the row for @var{what}: @var{times} are in microseconds and shown in @var{unit}; @var{target} is what the median should keep
to, in that unit."
  (define (in-unit us) (if (eq? unit 'ms) (/ us 1000.) us))
  (define (show us) (format #f "~,2f" (exact->inexact (in-unit us))))
  (format #t "~60a ~9@a ~9@a ~9@a ~6d  ~a~%" (format #f "~a [~a]" what unit)
          (show (median times)) (show (apply min times)) (show (apply max times)) (length times)
          (if target
              (format #f "~a~a" target (if (<= (in-unit (median times)) target) "" " (missed)"))
              ""))
  (force-output))
