;; Guile for people who come from Python. The comments are what Python has.
(use-modules (ice-9 exceptions) (ice-9 format) (ice-9 match) (srfi srfi-1) (srfi srfi-9))

(define speed 30)                                    ; speed = 30
(define (half x) (/ x 2))                            ; def half(x): return x / 2
(define* (power x #:optional (n 2)) (expt x n))      ; def power(x, n=2): return x ** n
(define* (line x #:key (slope 1) (at-zero 0))        ; def line(x, *, slope=1, at_zero=0):
  (+ at-zero (* slope x)))

(format #t "~a ~a ~a~%" (half speed) (power 3) (line 2 #:slope 5))     ; print(...)
(format #t "~,3f ~a~%" (/ 1. 3) (/ 1 3))             ; fractions are exact: 1/3 is a third

(define numbers (list 3 1 2))                        ; numbers = [3, 1, 2]
(format #t "~a ~a ~a~%" (car numbers) (cdr numbers) (length numbers))  ; numbers[0], numbers[1:], len(numbers)
(format #t "~a~%" (map half numbers))                ; [half(x) for x in numbers]
(format #t "~a~%" (filter odd? (iota 6)))            ; [x for x in range(6) if x % 2 == 1]
(format #t "~a ~a~%" (apply + numbers) (sort numbers <))               ; sum(numbers), sorted(numbers)
(for-each (lambda (x name)                           ; for x, name in zip(numbers, ["a", "b", "c"]):
            (format #t "~a=~a;" name x))
          numbers '("a" "b" "c"))
(newline)

(let loop ((i 0) (sum 0))                            ; sum = 0; i = 0; while i < 10: sum += i; i += 1
  (if (< i 10)
      (loop (+ i 1) (+ sum i))
      (format #t "sum ~a~%" sum)))

(let* ((a 2) (b (* a 3)))                            ; local variables: a = 2; b = a * 3
  (cond ((> b 10) (display "large\n"))               ; if b > 10: ...
        ((= b 6) (display "six\n"))                  ; elif b == 6: ...
        (else (display "other\n"))))                 ; else: ...

(define table (make-hash-table))                     ; table = {}
(hash-set! table "site" 7)                           ; table["site"] = 7
(format #t "~a ~a~%" (hash-ref table "site")
        (hash-ref table "none" 'nothing))            ; table.get("none", "nothing")

(define-record-type <site>                           ; @dataclass class Site: name: str; depth: float
  (make-site name depth)
  site?
  (name site-name)
  (depth site-depth))
(format #t "~a~%" (site-depth (make-site "valley" 12.5)))

(match '(point 3 4)                                  ; match ("point", 3, 4):
  (('point x y) (format #t "~a~%" (sqrt (+ (* x x) (* y y))))))        ; case ("point", x, y): ...

(with-exception-handler                              ; try: ... except Exception as e: ...
    (lambda (e) (format #t "no: ~a~%" (exception-message e)))
  (lambda () (error "no such site"))
  #:unwind? #t)

(call-with-output-file "sites.txt"                   ; with open("sites.txt", "w") as port:
  (lambda (port) (format port "valley 12.5~%")))

(call-with-values (lambda () (partition even? (iota 6)))               ; two values at once, as a tuple:
  (lambda (evens odds) (format #t "~a ~a~%" evens odds)))              ; evens, odds = partition(...)
