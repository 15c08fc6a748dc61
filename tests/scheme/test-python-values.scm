;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Values of Scheme as values of Python, and back.
(use-modules (tap) (python-models) (ice-9 match) (srfi srfi-1) (srfi srfi-4) (srfi srfi-4 gnu) (srfi srfi-64)
             (tutti) (tutti python))

(define file (model-file "values.py"))

(define (call name . arguments) (apply python-call file name arguments))

;;; There and back.

(define (same? a b)
  (cond ((and (hash-table? a) (hash-table? b))
         (and (= (hash-count (const #t) a) (hash-count (const #t) b))
              (hash-fold (lambda (key value all?) (and all? (same? value (hash-ref b key)))) #t a)))
        ((and (number? a) (number? b)) (or (eqv? a b) (and (real? a) (real? b) (nan? a) (nan? b))))
        (else (equal? a b))))

(define table
  (let ((table (make-hash-table)))
    (hash-set! table "text" '(1 2))
    (hash-set! table 3 #(#t))
    table))

(define (test-echo)
  (for-each
   (match-lambda
     ((kind value)
      (test-equal (format #f "~s is a ~a" value kind) kind (call "kind" value))
      (test-assert (format #f "~s comes back" value) (same? value (call "echo" value)))))
   `(("int" 0) ("int" -1) ("int" 9223372036854775807) ("int" -9223372036854775808) ("int" 9223372036854775808)
     ("int" ,(expt 10 400)) ("int" ,(- (expt 2 64))) ("float" 1.5) ("float" -0.) ("float" +inf.0) ("float" +nan.0) ("float" 5e-324)
     ("Fraction" 2/3) ("Fraction" ,(/ (expt 10 30) 7)) ("complex" 1.+2.i) ("complex" +inf.0-1.i) ("bool" #t) ("bool" #f)
     ("NoneType" ,*unspecified*) ("str" "") ("str" "text") ("str" "λ, 字, 😀") ("str" "a\x00;b") ("list" ()) ("list" (1 "a" (2.5 #f)))
     ("tuple" #()) ("tuple" #(1 #(2) (3))) ("dict" ,table) ("dict" ,(make-hash-table)) ("bytes" #vu8()) ("bytes" #vu8(0 255))))
  (test-equal "a symbol is a text" "name" (call "echo" 'name))
  (test-equal "so is a character" "λ" (call "echo" #\λ)))

(define (test-names)
  (test-equal "by position" '(1 2 3) (call "named" 1))
  (test-equal "by name" '(1 5 6) (call "named" 1 #:c 6 #:b 5))
  (test-equal "all by name" '(1 2 7) (call "named" #:c 7 #:a 1))
  (test-equal "a fraction of Python's" 2/3 (call "ratio"))
  (test-equal "scalars of numpy" '(1.5 -3 #t 1.+2.i "text" 7 2.5) (call "scalars")))

;;; Numbers in bulk.

(define (typed kind . numbers) (list->typed-array kind 1 numbers))

(define (test-vectors)
  (for-each
   (match-lambda
     ((kind dtype)
      (let ((v (typed kind 1 2 3)))
        (test-equal (format #f "~a" kind) (list dtype '(3) '(1. 2. 3.) #t) (call "outline" v))
        (test-equal (format #f "~a comes back" kind) v (call "echo" v))
        (test-equal (format #f "~a, none" kind) (typed kind) (call "echo" (typed kind))))))
   '((u8 "uint8") (s8 "int8") (u16 "uint16") (s16 "int16") (u32 "uint32") (s32 "int32") (u64 "uint64") (s64 "int64")
     (f32 "float32") (f64 "float64") (c32 "complex64") (c64 "complex128")))
  (test-equal "extremes" (list (u64vector 18446744073709551615) (s64vector -9223372036854775808))
    (list (call "echo" (u64vector 18446744073709551615)) (call "echo" (s64vector -9223372036854775808))))
  (test-equal "bits" #*1011 (call "echo" #*1011))
  (test-equal "no bits" #* (call "echo" #*))
  (test-equal "a shared vector can only be read" (list "float64" '(3000) (make-list 3000 1.) #f)
    (call "outline" (make-shared-f64vector 3000 1.))))

(define (test-arrays)
  (define matrix (list->typed-array 'f64 2 '((1. 2. 3.) (4. 5. 6.))))
  (test-equal "a matrix" '("float64" (2 3) (1. 2. 3. 4. 5. 6.) #t) (call "outline" matrix))
  (test-equal "comes back" matrix (call "echo" matrix))
  (test-equal "its transpose, over the same numbers" '("float64" (3 2) (1. 4. 2. 5. 3. 6.) #t)
    (call "outline" (transpose-array matrix 1 0)))
  (test-equal "a column" '("float64" (2) (2. 5.) #t) (call "outline" (make-shared-array matrix (lambda (i) (list i 1)) 2)))
  (test-equal "bounds from elsewhere" '("float64" (2) (7. 7.) #t) (call "outline" (make-typed-array 'f64 7. '(5 6))))
  (test-equal "of rank 3" '(2 1 2) (second (call "outline" (make-typed-array 'c64 1. 2 1 2))))
  (test-equal "empty" '(0 3) (second (call "outline" (make-typed-array 'f64 0. 0 3)))))

(define (test-other-arrays)
  (for-each
   (match-lambda ((name value) (test-equal name value (call "made" name))))
   `(("fortran" ,(list->typed-array 'f64 2 '((0. 1. 2.) (3. 4. 5.))))
     ("transposed" ,(list->typed-array 'f64 2 '((0. 3.) (1. 4.) (2. 5.))))
     ("strided" ,(f64vector 0 3 6 9)) ("reversed" ,(f64vector 3 2 1 0)) ("swapped" ,(f64vector 0 1 2 3))
     ("swapped integers" ,(s16vector 0 1 2 3)) ("broadcast" ,(list->typed-array 'f64 2 '((1. 2.) (1. 2.))))
     ("matrix" ,(list->typed-array 'f64 2 '((1. 2.)))) ("empty" ,(f64vector)) ("empty matrix" ,(make-typed-array 'f64 0. 0 3))
     ("unaligned" ,(f64vector 0 1 2)) ("longlong" ,(s64vector 0 1 2)) ("truths" #*101) ("array" ,(f64vector 1 2))
     ("memory" #vu8(97 98)) ("bytearray" #vu8(97 98))))
  (test-equal "rank 4" '(2 2 2 2) (array-dimensions (call "made" "rank 4")))
  (for-each (lambda (name)
              (let ((v (call "made" name)))
                (test-equal (string-append name ": as many") 100000 (f64vector-length v))
                (test-equal (string-append name ": the last") 99999. (f64vector-ref v 99999))))
            '("large" "large view"))
  (test-equal "large reshaped" '((100 1000) 99999.)
    (let ((array (call "made" "large reshaped"))) (list (array-dimensions array) (array-ref array 99 999)))))

;;; What is refused.

(define (test-refused-arguments)
  (define (refused name place . arguments)
    (test-assert name (says? (lambda () (apply call "named" arguments)) "named" place "has no counterpart in Python")))
  (refused "a procedure" "argument 1:" car)
  (refused "a keyword inside" "argument 2, item 1:" 1 '(1 #:k))
  (refused "in a vector, a table and a list" "argument 1, item 0, value of key 0, item 2:"
           (let ((table (make-hash-table))) (hash-set! table 1 '(1 2 #:key)) (vector table)))
  (refused "a key" "argument 1, key 0:" (let ((table (make-hash-table))) (hash-set! table car 1) table))
  (refused "by name" "argument c:" 1 #:c car)
  (refused "an improper list" "argument 1:" '(1 . 2))
  (refused "a general array" "argument 1:" (make-array 1 2 2))
  (test-assert "what cannot travel"
    (says? (lambda () (call "echo" 1 (list (current-output-port)))) "python-call" "at: argument 2, item 0 of the list"))
  (test-assert "what is in itself"
    (says? (lambda () (call "echo" (let ((v (vector 1))) (vector-set! v 0 v) v))) "contains itself (it is argument 1)"))
  (test-assert "a keyword without a value" (says? (lambda () (call "named" 1 #:c)) "#:c has no value"))
  (test-assert "by position after names" (says? (lambda () (call "named" #:c 1 2)) "comes after keywords"))
  (test-assert "no module" (says? (lambda () (python-call 3 "f")) "a Python module or file"))
  (test-assert "no function" (says? (lambda () (python-call file 'named)) "the name of a function")))

;; In a task nothing has to travel.
(define-remote (call-with-cycle file list?)
  (python-call file "echo"
               (if list?
                   (let ((l (list 1 2))) (set-cdr! (cdr l) l) l)
                   (let ((v (vector 1))) (vector-set! v 0 v) v))))

(define (test-cycles pool)
  (test-assert "a vector in itself" (says? (lambda () (pool-apply-only pool 0 call-with-cycle file #f)) "nested too deeply, or in itself"))
  (test-assert "a list in itself" (says? (lambda () (pool-apply-only pool 0 call-with-cycle file #t)) "argument 1" "proper lists")))

(define (test-refused-values)
  (define (refused name type . place)
    (test-assert name (apply says? (lambda () (call "made" name)) "made returned" type place)))
  (refused "objects" "numpy.ndarray of object")
  (refused "records" "numpy.ndarray of [('a', '<f8'), ('b', '<i4')]")
  (refused "strings" "numpy.ndarray of <U1")
  (refused "dates" "datetime64")
  (refused "halves" "float16")
  (refused "long doubles" "float128")
  (refused "masked" "MaskedArray")
  (refused "many truths" "numpy.uint8")
  (refused "set" "set")
  (refused "function" "function")
  (refused "surrogate" "surrogate")
  (refused "inside" "object" "value of key k, item 1, value of key x, item 0")
  (test-assert "nested too deeply" (says? (lambda () (call "nested" 5000)) "nested too deeply"))
  (test-assert "nested, but not so deeply" (list? (call "nested" 500)))
  (test-assert "in itself" (says? (lambda () (call "circular")) "in itself")))

(define (test-all)
  (test-group "echo" (test-echo))
  (test-group "names" (test-names))
  (test-group "vectors" (test-vectors))
  (test-group "arrays" (test-arrays))
  (test-group "other arrays" (test-other-arrays))
  (test-group "refused arguments" (test-refused-arguments))
  (test-group "refused values" (test-refused-values)))

(call-with-python-tap '("numpy")
 (lambda ()
   (test-group "pool" (call-with-pool 1 (lambda (pool) (test-all) (test-cycles pool))))
   (test-group "master" (test-all))
   (test-group "serial pool" (parameterize ((current-pool (make-serial-pool))) (test-all)))))
