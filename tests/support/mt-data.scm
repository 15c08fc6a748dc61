;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Series for tests of magnetotelluric processing: made by fixed rules, or those of the shared data sets.
(define-module (mt-data)
  #:use-module (ice-9 binary-ports)
  #:use-module (ice-9 popen)
  #:use-module (ice-9 rdelim)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-1)
  #:use-module (srfi srfi-4)
  #:export (noise add-series scale-series half-and-half over-earth shared-file shared-series disturbed files-below))

(define (noise seed n)
  "Return an f64vector of @var{n} normal numbers, the same for the same @var{seed}."
  (let ((state (seed->random-state seed))
        (v (make-f64vector n)))
    (do ((i 0 (1+ i)))
        ((= i n) v)
      (f64vector-set! v i (random:normal state)))))

(define (combine f . series)
  (let ((v (make-f64vector (f64vector-length (car series)))))
    (do ((i 0 (1+ i)))
        ((= i (f64vector-length v)) v)
      (f64vector-set! v i (apply f (map (lambda (x) (f64vector-ref x i)) series))))))

(define (add-series . series)
  "Return the sum of @var{series}."
  (apply combine + series))

(define (scale-series a x)
  "Return @var{x} times @var{a}."
  (combine (lambda (x) (* a x)) x))

(define (half-and-half a b)
  "Return the first half of @var{a} and the second half of @var{b}."
  (let ((v (make-f64vector (f64vector-length a))))
    (do ((i 0 (1+ i)))
        ((= i (f64vector-length v)) v)
      (f64vector-set! v i (f64vector-ref (if (< (* 2 i) (f64vector-length v)) a b) i)))))

(define* (over-earth hx hy #:key (z '(1 -10 8 2)) tipper)
  "Return the channels over an Earth whose impedance is @var{z}, the same real numbers at all frequencies, and whose tipper is the list
@var{tipper}, if that is given."
  (define (field a b) (add-series (scale-series a hx) (scale-series b hy)))
  `(("Hx" . ,hx) ("Hy" . ,hy)
    ,@(if tipper `(("Hz" . ,(apply field tipper))) '())
    ("Ex" . ,(field (first z) (second z))) ("Ey" . ,(field (third z) (fourth z)))))

;;; Shared data sets.

(define (shared-file . parts)
  "Return the name of a file of the shared data, or @code{#f} if there are none."
  (let ((folder (getenv "TUTTI_SHARED")))
    (and folder
         (let ((file (string-join (cons folder parts) "/")))
           (and (file-exists? file) file)))))

(define (shared-series file)
  "Return the channels in the compressed table of numbers @var{file}."
  (let* ((port (open-pipe* OPEN_READ "xz" "-dc" file))
         (rows (let loop ((rows '()))
                 (let ((line (read-line port)))
                   (if (eof-object? line)
                       (reverse rows)
                       (loop (cons (map (lambda (word) (exact->inexact (string->number word))) (string-tokenize line)) rows)))))))
    (close-pipe port)
    (map (lambda (name i) (cons name (list->f64vector (map (lambda (row) (list-ref row i)) rows))))
         '("Hx" "Hy" "Hz" "Ex" "Ey") (iota 5))))

(define (rms x)
  (sqrt (/ (fold (lambda (x sum) (+ sum (* x x))) 0 (f64vector->list x)) (f64vector-length x))))

(define (disturbed channels)
  "Return @var{channels} with noise of their own strength in each in the last 60 % of all samples."
  (map (lambda (channel seed)
         (let* ((x (cdr channel))
                (n (f64vector-length x))
                (strength (rms x))
                (extra (noise seed n)))
           (cons (car channel)
                 (let ((v (make-f64vector n)))
                   (do ((i 0 (1+ i)))
                       ((= i n) v)
                     (f64vector-set! v i (+ (f64vector-ref x i)
                                            (if (>= (* 10 i) (* 4 n)) (* strength (f64vector-ref extra i)) 0))))))))
       channels (iota (length channels) 100)))

;;; Results.

(define (files-below folder)
  "Return the sorted list of all files below @var{folder}, with what is in them: pairs of a name and a bytevector."
  (let below ((folder folder) (prefix ""))
    (append-map (lambda (name)
                  (let ((file (string-append folder "/" name)))
                    (if (file-is-directory? file)
                        (below file (string-append prefix name "/"))
                        (list (cons (string-append prefix name) (call-with-input-file file get-bytevector-all #:binary #t))))))
                (sort ((@ (ice-9 ftw) scandir) folder (lambda (name) (not (member name '("." ".."))))) string<?))))
