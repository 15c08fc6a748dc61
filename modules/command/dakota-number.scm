;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Numbers as Dakota reads and writes them, which is as C++ does.
(define-module (tutti command dakota-number)
  #:use-module (tutti command pest-number)
  #:use-module (tutti command scan)
  #:export (string->value string->real real->text))

(define (string->real text)
  "Return the number that @var{text} is for C++, or @code{#f}: with no other exponents than those behind @samp{e}."
  (let ((x (parse-real text)))
    (and x
         (or (not (finite? x))
             (and (not (string-any (char-set #\d #\D #\q #\Q) text))
                  (not (string-rindex text (char-set #\+ #\-) 1 (or (string-index text (char-set #\e #\E)) (string-length text))))))
         x)))

(define (string->value text)
  "Return the number, exact if it is an integer, that @var{text} is, or @code{#f}."
  (let* ((x (string->real text))
         (signed? (and x (memv (string-ref text 0) '(#\+ #\-)) #t))
         (n (and x (parse-natural text (if signed? 1 0)))))
    (cond (n (if (char=? #\- (string-ref text 0)) (- n) n))
          ((and x (finite? x)) x)
          (else #f))))

(define (real->text x)
  "Return @var{x} with 17 significant digits, all that a double has."
  (let ((x (exact->inexact x)))
    (cond ((nan? x) "nan")
          ((inf? x) (if (positive? x) "inf" "-inf"))
          ((zero? x) (if (eqv? x -0.) "-0.0000000000000000e+00" "0.0000000000000000e+00"))
          (else
           (call-with-values (lambda () (significant-digits (abs (inexact->exact x)) 17))
             (lambda (digits e)
               (string-append (if (negative? x) "-" "") (substring digits 0 1) "." (substring digits 1)
                              (if (negative? e) "e-" "e+")
                              (let ((text (number->string (abs e)))) (string-pad text (max 2 (string-length text)) #\0)))))))))
