;; Guile for people who come from Python. The comments are what is written there.
(use-modules (ice-9 exceptions) (ice-9 format) (ice-9 match)       ; from ice_9 import ...
             (srfi srfi-1) (srfi srfi-9))

(define speed 30)                                    ; speed = 30
(define (half x) (/ x 2))                            ; def half(x): return x / 2
(define* (power x #:optional (n 2)) (expt x n))      ; def power(x, n=2): return x ** n
(define* (line x #:key (slope 1) (at-zero 0))        ; def line(x, *, slope=1, at_zero=0):
  (+ at-zero (* slope x)))

(format #t "~a ~a ~a~%"                              ; print(half(speed), power(3),
        (half speed) (power 3) (line 2 #:slope 5))   ;       line(2, slope=5))
(format #t "~,3f ~a~%" (/ 1. 3) (/ 1 3))             ; print(f"{1/3:.3f}", Fraction(1, 3))

(define numbers (list 3 1 2))                        ; numbers = [3, 1, 2]
(format #t "~a ~a ~a~%" (car numbers)                ; print(numbers[0],
        (cdr numbers) (length numbers))              ;       numbers[1:], len(numbers))
(format #t "~a~%" (map half numbers))                ; [half(x) for x in numbers]
(format #t "~a~%" (filter odd? (iota 6)))            ; [x for x in range(6) if x % 2 == 1]
(format #t "~a ~a~%"                                 ; print(sum(numbers), sorted(numbers))
        (apply + numbers) (sort numbers <))
(for-each (lambda (x name)                           ; for x, name in zip(numbers, "abc"):
            (format #t "~a=~a;" name x))             ;     print(f"{name}={x};", end="")
          numbers '("a" "b" "c"))
(newline)

(let loop ((i 0) (sum 0))                            ; i = 0; sum = 0
  (if (< i 10)                                       ; while i < 10:
      (loop (+ i 1) (+ sum i))                       ;     i, sum = i + 1, sum + i
      (format #t "sum ~a~%" sum)))                   ; print("sum", sum)

(let* ((a 2) (b (* a 3)))                            ; a = 2; b = a * 3
  (cond ((> b 10) (display "large\n"))               ; if b > 10: ...
        ((= b 6) (display "six\n"))                  ; elif b == 6: ...
        (else (display "other\n"))))                 ; else: ...

(define table (make-hash-table))                     ; table = {}
(hash-set! table "site" 7)                           ; table["site"] = 7
(format #t "~a ~a~%" (hash-ref table "site")
        (hash-ref table "none" 'nothing))            ; table.get("none", "nothing")

(define-record-type <site>                           ; @dataclass
  (make-site name depth)                             ; class Site:
  site?
  (name site-name)                                   ;     name: str
  (depth site-depth))                                ;     depth: float
(define valley (make-site "valley" 12.5))            ; valley = Site("valley", 12.5)
(format #t "~a~%" (site-depth valley))               ; print(valley.depth)

(match '(point 3 4)                                  ; match ("point", 3, 4):
  (('point x y)                                      ;     case ("point", x, y):
   (format #t "~a~%" (sqrt (+ (* x x) (* y y))))))   ;         print(sqrt(x * x + y * y))

(with-exception-handler
    (lambda (e)                                      ; except Exception as e:
      (format #t "no: ~a~%" (exception-message e)))  ;     print("no:", e)
  (lambda ()                                         ; try:
    (error "no such site"))                          ;     raise Exception("no such site")
  #:unwind? #t)

(call-with-output-file "sites.txt"                   ; with open("sites.txt", "w") as port:
  (lambda (port) (format port "valley 12.5~%")))     ;     print("valley 12.5", file=port)

(define-values (evens odds)                          ; evens, odds = partition(even, range(6))
  (partition even? (iota 6)))
(format #t "~a ~a~%" evens odds)
