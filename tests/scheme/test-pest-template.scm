;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Templates of PEST: fields are found, and filled with as many digits as they hold.
(use-modules (tap)
             (damage)
             (pest)
             (programs)
             (tutti command pest-number)
             (tutti command pest-template)
             (ice-9 match)
             (srfi srfi-1)
             (srfi srfi-64))

(define (parse text) (parse-pest-template "m.tpl" text))
(define (fill text values . options) (apply fill-pest-template (parse text) values options))

;;; The checked cases.

(define (check-segment name text position segment)
  "Test the SEGMENT that is at POSITION of TEXT, and return where it ends."
  (match (ref segment "literal")
    ((? string? literal)
     (let ((end (+ position (string-length literal))))
       (test-equal (format #f "~a: ~s" name literal) literal (substring text position (min end (string-length text))))
       end))
    (_
     (let* ((end (+ position (ref segment "width")))
            (value (ref segment "value"))
            (written (string->number (string-trim-both (substring text position (min end (string-length text)))))))
       (test-assert (format #f "~a: ~a" name (ref segment "par"))
         (and written
              (<= (abs (- (inexact->exact written) (inexact->exact value)))
                  (+ (inexact->exact (ref segment "max_abs_error")) (* 2.3e-16 (abs value))))))
       end))))

(define (check-line name text line)
  (define whole (ref line "text"))
  (when (string? whole) (test-equal (string-append name ": the line") whole text))
  (test-equal (string-append name ": its length") (string-length text)
    (fold (lambda (segment position) (check-segment name text position segment)) 0 (vector->list (ref line "segments")))))

(define (test-case case)
  (define name (ref case "name"))
  (define (text) (fill-pest-template (parse-pest-template "m.tpl" (ref case "files" "m.tpl")) (ref case "inputs" "values")))
  (if (ref case "expected" "error")
      (test-equal name #t (says-all? text case))
      (let ((lines (string-split (string-trim-right (text) #\newline) #\newline))
            (expected (vector->list (ref case "expected" "lines"))))
        (test-equal (string-append name ": lines") (length expected) (length lines))
        (for-each (lambda (text line) (check-line name text line)) lines expected))))

;;; Numbers.

(define (texts digits e)
  "Return all texts with a decimal point of the number with the significant DIGITS, the first of which has the power of ten E."
  (define n (string-length digits))
  (append
   (map (lambda (whole)
          (string-append (substring digits 0 whole) "." (substring digits whole) "e" (number->string (- e (1- whole)))))
        (iota (1+ n)))
   (cond ((> (abs e) 40) '())
         ((negative? e) (list (string-append "." (make-string (- -1 e) #\0) digits)))
         ((< n (1+ e)) (list (string-append digits (make-string (- (1+ e) n) #\0) ".")))
         (else (list (string-append (substring digits 0 (1+ e)) "." (substring digits (1+ e))))))))

(define (exact-number text) (string->number (string-append "#e" text)))

(define (best-error x width)
  "Return the smallest error of a text with a decimal point that has the double X in WIDTH characters, or #f: all of them are tried."
  (define exact (abs (inexact->exact x)))
  (define room (if (negative? x) (1- width) width))
  (define (errors n)
    (call-with-values (lambda () (significant-digits exact n))
      (lambda (digits e)
        (filter-map (lambda (text) (and (<= (string-length text) room) (abs (- exact (exact-number text))))) (texts digits e)))))
  (let ((errors (append-map errors (iota 17 1))))
    (and (pair? errors) (apply min errors))))

(define (as-good? x text width)
  (define best (best-error x width))
  (if text
      (and best
           (= width (string-length text))
           (string-index text #\.)
           (or (= x (string->number (string-trim text)))
               (= best (abs (- (exact-number (string-trim text)) (inexact->exact x))))))
      (not best)))

(define (test-numbers)
  (define state (seed->random-state 3))
  (define (any-number)
    (let ((x (* (- (random:uniform state) 0.5) (expt 10. (- (random 30 state) 15)))))
      (case (random 4 state)
        ((0) (1+ (exact->inexact (abs (round x)))))
        ((1) (/ (1+ (abs (round (* x 100)))) 100))
        ((2) (* x (expt 10. (- (random 500 state) 250))))
        (else x))))
  (test-equal "no text is better than what is written" '()
    (filter-map
     (lambda (i)
       (let* ((x (any-number))
              (width (+ 3 (random 21 state)))
              (text (number->field x width)))
         (and (not (as-good? x text width)) (list x width text))))
     (iota 3000))))

(define (field x width . options) (let ((text (apply number->field x width options))) (and text (string-trim text))))

(define (test-field)
  (test-equal "right" "       1.5" (number->field 1.5 10))
  (test-equal "all digits" "0.1" (field 0.1 23))
  (test-equal "17 digits" "0.12345678901234568" (field 0.12345678901234568 23))
  (test-equal "rounding takes a digit more" "10.0" (field 9.9999 4))
  (test-equal "a third" '(#f ".3" ".33" ".333") (map (lambda (n) (field (/ 1. 3) n)) '(1 2 3 4)))
  (test-equal "large" '(#f "1.e6" "1.2e6" "1.23e6" "1234568.") (map (lambda (n) (field 1234567.8 n)) '(3 4 5 6 8)))
  (test-equal "without a point" '(#f "1e6" "12e5" "123e4" "1235e3" "1234568")
    (map (lambda (n) (field 1234567.8 n #:point? #f)) '(2 3 4 5 6 7)))
  (test-equal "an integer without its point" "12345" (field 12345 5 #:point? #f))
  (test-equal "a point that is moved" '("1.e99" "12.3e99") (list (field 1e99 5) (field 1.23e100 7)))
  (test-equal "the letter" "1.d-12" (field 1e-12 6 #:letter "d"))
  (test-equal "single precision" 13 (string-length (field (/ 1. 3) 30 #:precision 'single)))
  (test-equal "double precision" 18 (string-length (field (/ 1. 3) 30)))
  (test-equal "zero" '("0.0" "0." "0." #f "0") (list (field 0 3) (field 0. 2) (field 0 2) (field 0 1) (field 0 1 #:point? #f)))
  (test-equal "zero with its sign" "-0.0" (field -0. 5))
  (test-equal "the smallest and the largest" '(5e-324 1.7976931348623157e308)
    (map (lambda (x) (string->number (field x 23))) '(5e-324 1.7976931348623157e308)))
  (test-equal "exact numbers" '("0.3333333333333333" "1.e20") (list (field 1/3 23) (field (expt 10 20) 23))))

;;; Files.

(define (test-files)
  (define template (parse "ptf ~\na ~ Hk ~ b ~rch~~   hk~\n\nlast ~ hk          ~"))
  (test-equal "names" '("hk" "rch") (pest-template-names template))
  (test-equal "the narrowest fields" '(("hk" . 6) ("rch" . 5)) (pest-template-widths template))
  (test-equal "the file" "m.tpl" (pest-template-file template))
  (test-equal "text" "a 1.2346 b   2.0 1.2346\n\nlast          1.2346"
    (fill-pest-template template '(("HK" . 1.23456789) ("rch" . 2))))
  (test-equal "narrower fields elsewhere" "  1.23" (fill "ptf ~\n~ a  ~" '(("a" . 1.23456)) #:widths '(("a" . 4))))
  (test-equal "a hash table" "1.0  \n" (let ((values (make-hash-table)))
                                          (hash-set! values "A" 1)
                                          (fill "ptf #\n#a#  \n" values)))
  (test-equal "lines of other systems" "x 1.5\r\ny\r\n" (fill "PTF ~\r\nx ~a~\r\ny\r\n" '(("a" . 1.5))))
  (test-equal "nothing but a header" '("" "") (list (fill "ptf ~" '()) (fill "jtf ~\n" '())))
  (test-equal "options" "1e6| 12" (fill "ptf ~\n~a~|~b~" '(("a" . 1e6) ("b" . 12)) #:point 'nopoint #:widths '(("b" . 2))))
  (test-equal "the exponent" " 1.d-9" (fill "ptf ~\n~ a  ~" '(("a" . 1e-9)) #:exponent "d")))

(define (test-errors)
  (define-syntax-rule (refused name text part ...) (test-equal name #t (says? (fill text '(("a" . 1.5) ("b" . -123456.))) part ...)))
  (refused "no header" "" "m.tpl:1: " "ptf" "\"\"")
  (refused "another header" "pif ~\n~a~" "m.tpl:1: " "\"pif ~\"")
  (refused "no marker" "ptf\n~a~" "m.tpl:1: ")
  (refused "two markers" "ptf ~#\n~a~" "m.tpl:1: ")
  (refused "a letter as marker" "ptf a\naxa" "m.tpl:1:5: " "neither a letter nor a digit")
  (refused "an odd marker" "ptf ~\nx\n ~ a ~ ~" "m.tpl:3:8: " "no partner")
  (refused "an empty field" "ptf ~\n ~  ~" "m.tpl:2:2: " "has no name")
  (refused "two words" "ptf ~\n ~ a b ~" "m.tpl:2:2: " "more than one word")
  (refused "no value" "ptf ~\n ~a~ ~ c  ~" "m.tpl:2:6: " "parameter c has no value" "a, b")
  (refused "no room" "ptf ~\n ~b~" "m.tpl:2:2: " "parameter b" "3 characters" "-123456.0" "wider")
  (test-equal "a hint" #t (says? (fill "ptf ~\n~a~" '(("a" . 1e6))) "#:point 'nopoint"))
  (test-equal "a value that is not finite" #t (says? (fill "ptf ~\n~ a ~" '(("a" . +nan.0))) "m.tpl:2:1: " "parameter a" "+nan.0"))
  (test-equal "no number" #t (says? (fill "ptf ~\n~ a ~" '(("a" . "x"))) "parameter a" "\"x\""))
  (test-equal "no table" #t (says? (fill "ptf ~\n~ a ~" 3) "hash table"))
  (test-equal "no template" #t (says? (fill-pest-template 3 '()) "parse-pest-template"))
  (test-equal "no text" #t (says? (parse 3) "expected a string"))
  (test-equal "no option" #t (says? (fill "ptf ~\n" '() #:precision 'half) "single"))
  (test-equal "no file" #t (says? (read-pest-template "/nothing/m.tpl") "/nothing/m.tpl" (strerror ENOENT)))
  (test-equal "a folder" #t (says? (read-pest-template "/tmp") "/tmp" "directory")))

(define good "ptf ~\nsand ~  hk   ~, ~ por ~\n  ~  hk ~\nend\n")

(define (test-damage)
  (define values '(("hk" . 12.5) ("por" . 0.25)))
  (define (use template) (fill-pest-template template values))
  (test-equal "words and lines" '() (unharmed (mutated-texts good 2000) (lambda (text) (use (parse text)))))
  (call-with-folder
   (lambda (folder)
     (test-equal "bits and ends" '()
       (damaged-reads (write-text folder "good.tpl" good) (string-append folder "/bad.tpl") 500
                      (lambda (file) (use (read-pest-template file))))))))

(call-with-tap
 (lambda ()
   (test-group "cases" (for-each-case "pest-tpl" test-case))
   (test-group "numbers" (test-numbers))
   (test-group "field" (test-field))
   (test-group "files" (test-files))
   (test-group "errors" (test-errors))
   (test-group "damage" (test-damage))))
