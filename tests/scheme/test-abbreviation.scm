;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How the REPL prints what is large.
(use-modules (tap) (tutti) (tutti repl abbreviation) (srfi srfi-1) (srfi srfi-9) (srfi srfi-64))

(define-record-type <box> (make-box name content) box? (name box-name) (content box-content))

(define* (shown value #:key (threshold 10))
  (parameterize ((print-threshold threshold))
    (call-with-output-string
      (lambda (port)
        (set-port-encoding! port "UTF-8")
        (write-abbreviated value port)))))

(define (test-small)
  (for-each (lambda (value)
              (test-equal "what is small is written as ever" (object->string value) (shown value)))
            (list 1 "text" 'symbol '() '(1 2 . 3) '#(1 (2) "3") (f64vector 1. 2.) (u8vector 1) #vu8(1 2) #*0101 (make-box "a" '(1 2))
                  (make-array 1. 2 2) (make-typed-array 'f64 1. 2 '(1 2)) (vector) (make-array 0 0 3) (iota 10) (make-hash-table)
                  (string->list "abc") car (current-output-port)))
  (test-equal "all, where there is no threshold" (object->string (iota 5000)) (shown (iota 5000) #:threshold #f)))

(define (test-sequences)
  (test-equal "a list" "(0 1 2 … 17 18 19)  ; 20 elements" (shown (iota 20)))
  (test-equal "one with a tail" "(0 1 2 … 17 18 19 . end)  ; 20 elements" (shown (append (iota 20) 'end)))
  (test-equal "one without end" "(1 2 1 2 1 2 …)  ; without end" (shown (circular-list 1 2)))
  (test-equal "a vector" "#(0 1 2 … 17 18 19)  ; 20 elements" (shown (list->vector (iota 20))))
  (test-equal "seven are more than six" "(0 1 2 … 4 5 6)  ; 7 elements" (shown (iota 7) #:threshold 5))
  (test-equal "six are all shown" "(0 1 2 3 4 5)" (shown (iota 6) #:threshold 5))
  (for-each (lambda (type)
              (test-equal (format #f "numbers of type ~a" type)
                (let ((one (object->string (array-ref (make-typed-array type 1 1) 0))))
                  (format #f "#~a(~a ~a ~a … ~a ~a ~a)  ; 20 elements" type one one one one one one))
                (shown (make-typed-array type 1 20))))
            '(u8 s8 u16 s16 u32 s32 u64 s64 f32 f64 c32 c64 vu8))
  (test-equal "shared numbers" "#f64(2.0 2.0 2.0 … 2.0 2.0 2.0)  ; 5000 elements, shared"
    (shown (make-shared-f64vector 5000 2.) #:threshold 1000))
  (test-equal "bits" "#*000…111  ; 20 bits"
    (shown (let ((v (make-bitvector 20 #f))) (bitvector-set-bits! v (apply bitvector (map (lambda (i) (> i 9)) (iota 20)))) v)))
  (test-assert "a string"
    (let ((text (shown (string-append "\"" (make-string 5000 #\a)))))
      (and (string-prefix? "\"\\\"aaa" text) (string-suffix? "aaa\"  ; 5001 characters" text) (< (string-length text) 700)))))

(define (test-arrays)
  (test-equal "rows and columns"
    "#2f64((1.0 1.0 1.0 … 1.0 1.0 1.0) (1.0 1.0 1.0 … 1.0 1.0 1.0))  ; 2 x 30 elements"
    (shown (make-typed-array 'f64 1. 2 30)))
  (test-equal "with other bounds" "#1@5(1 1 1 … 1 1 1)  ; 30 elements" (shown (make-array 1 '(5 34))))
  (test-equal "of anything"
    (let ((rows (string-join (make-list 3 "(x x x … x x x)") " ")))
      (format #f "#2(~a … ~a)  ; 9 x 9 elements" rows rows))
    (shown (make-array 'x 9 9) #:threshold 40)))

(define (test-nested)
  (test-equal "inside" "(a #f64(1.0 1.0 1.0 … 1.0 1.0 1.0) #|20 elements|# b)" (shown (list 'a (make-f64vector 20 1.) 'b)))
  (test-equal "what is small beside something large stays"
    "((1 2 3) #f64(1.0 1.0 1.0 … 1.0 1.0 1.0) #|20 elements|#)" (shown (list '(1 2 3) (make-f64vector 20 1.))))
  (test-equal "in a record" "#<<box> name: \"a\" content: (0 1 2 … 17 18 19) #|20 elements|#>" (shown (make-box "a" (iota 20))))
  (test-assert "however it is nested, it is no flood"
    (let ((tree (let grow ((depth 12)) (if (zero? depth) 1 (let ((below (grow (1- depth)))) (list below below below below))))))
      (< (string-length (shown tree #:threshold 1000)) 20000)))
  (test-assert "nor is what is nested deeply"
    (< (string-length (shown (fold (lambda (_ value) (list value)) 1 (iota 100000)) #:threshold 1000)) 20000))
  (test-assert "nor a value that contains itself"
    (let ((v (vector 1 2)))
      (vector-set! v 1 v)
      (< (string-length (shown (list v) #:threshold 1000)) 20000))))

(define (test-settings)
  (test-equal "the threshold of numpy" 1000 (print-threshold))
  (test-error "a threshold that is none" 'wrong-type-arg (print-threshold "many"))
  (test-equal "a port without the character" "(0 1 2 ... 17 18 19)  ; 20 elements"
    (parameterize ((print-threshold 10))
      (call-with-output-string
        (lambda (port)
          (set-port-encoding! port "ISO-8859-1")
          (write-abbreviated (iota 20) port)))))
  (test-equal "write is what it was" (string-join (map number->string (iota 2000)) " " 'infix)
    (let ((text (object->string (iota 2000)))) (substring text 1 (1- (string-length text))))))

(call-with-tap
 (lambda ()
   (test-group "small values" (test-small))
   (test-group "sequences" (test-sequences))
   (test-group "arrays" (test-arrays))
   (test-group "nested" (test-nested))
   (test-group "settings" (test-settings))))
