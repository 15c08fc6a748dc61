;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Numbers in fields of so many characters, as PEST fills them: with as many significant digits as there is room for.
(define-module (tutti command pest-number)
  #:use-module (srfi srfi-1)
  #:export (number->field significant-digits))

;; All is done with exact numbers, so that each number of digits gives the decimal number that is nearest to the double.

(define (magnitude exact)
  "Return the exponent E for which EXACT, positive, is at least ten to the power of E and below ten times that."
  (let fix ((e (inexact->exact (floor (/ (log exact) (log 10))))))
    (cond ((< exact (expt 10 e)) (fix (1- e)))
          ((>= exact (expt 10 (1+ e))) (fix (1+ e)))
          (else e))))

(define (significant-digits exact n)
  "Return the string of the @var{n} significant digits of @var{exact}, a positive exact number, and the power of ten of the first of them."
  (let* ((e (magnitude exact))
         (scaled (round (* exact (expt 10 (- n 1 e))))))
    (if (= scaled (expt 10 n))
        (values (number->string (quotient scaled 10)) (1+ e))
        (values (number->string scaled) e))))

(define (shortest-digits x)
  "Return the fewest significant digits that tell the double X, positive, from its neighbours, and the power of ten of the first of them."
  (let* ((text (number->string x))
         (mark (or (string-index text #\e) (string-length text)))
         (power (if (< mark (string-length text)) (string->number (substring text (1+ mark))) 0))
         (point (string-index text #\.))
         (all (string-append (substring text 0 point) (substring text (1+ point) mark)))
         (first (string-skip all #\0)))
    (values (substring all first (1+ (string-skip-right all #\0)))
            (+ power (- point first 1)))))

(define (fixed digits e point?)
  "Return the texts without an exponent of DIGITS, the first of which has the power of ten E: the most readable first."
  (let ((n (string-length digits)))
    (cond ((negative? e)
           (let ((fraction (string-append "." (make-string (- -1 e) #\0) digits)))
             (list (string-append "0" fraction) fraction)))
          ((> n (1+ e)) (list (string-append (substring digits 0 (1+ e)) "." (substring digits (1+ e)))))
          (else
           (let ((whole (string-append digits (make-string (- (1+ e) n) #\0))))
             (append (list (string-append whole ".0") (string-append whole "."))
                     (if point? '() (list whole))))))))

;; A point that is moved may save a digit of the exponent: .5e-9 for 5.e-10, 269505249.e5 for 2.69505249e13.
(define (scientific digits e point? letter)
  "Return the texts with an exponent after LETTER: the most readable first."
  (define n (string-length digits))
  (define (power e) (string-append letter (number->string e)))
  (define (text whole)                  ; so many digits before the point
    (string-append (substring digits 0 whole) "." (substring digits whole) (power (- e (1- whole)))))
  (append (map text (iota n 1))
          (list (text 0))
          (if point? '() (list (string-append digits (power (- e (1- n))))))))

(define* (number->field x width #:key (room width) (precision 'double) (point? #t) (letter "e"))
  "Return a text of @var{width} characters that is the number @var{x} with as many significant digits as go into @var{room} of them, or
@code{#f} if not one digit does. With single @var{precision} no more than 13 characters are used, with double no more than 23. Unless
@var{point?} is true, a decimal point that says nothing may be left out. Before an exponent there is @var{letter}."
  (define most (min room (if (eq? precision 'single) 13 23)))
  (define sign (if (or (negative? x) (eqv? x -0.)) "-" ""))
  (define (fits text) (<= (+ (string-length sign) (string-length text)) most))
  (define (filled text) (string-pad (string-append sign text) width))
  (define (try digits e)
    (or (find fits (if (< -6 e 17) (fixed digits e point?) '()))
        (find fits (scientific digits e point? letter))
        (find fits (fixed digits e point?))))
  (if (zero? x)
      (and=> (find fits (if point? '("0.0" "0." ".0") '("0.0" "0." "0"))) filled)
      (call-with-values (lambda () (shortest-digits (abs (exact->inexact x))))
        (lambda (digits e)
          (let next ((n (string-length digits)) (digits digits) (e e))
            (cond ((and (<= n most) (try digits e)) => filled)
                  ((= n 1) #f)
                  (else
                   (let ((n (min most (1- n))))
                     (call-with-values (lambda () (significant-digits (abs (inexact->exact x)) n))
                       (lambda (digits e) (next n digits e)))))))))))
