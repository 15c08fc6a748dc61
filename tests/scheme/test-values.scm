;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Values as bytes and back: everything that may travel, refusals with their place, cycles, depth, hash tables in a second
;; process.
(use-modules (ice-9 binary-ports)
             (ice-9 match)
             (ice-9 popen)
             (ice-9 regex)
             (ice-9 weak-vector)
             (rnrs bytevectors)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-9)
             (srfi srfi-64)
             (tap)
             (test-primitives)
             (tutti conditions)
             (tutti base primitives)
             (tutti vector))

(define-record-type <point> (make-point x y) point? (x point-x set-point-x!) (y point-y))

(define (hook object)
  (cond ((point? object) (list 'extension 7 'point (point-x object) (point-y object)))
        ((fluid? object) '(held . 123456789012))
        ((promise? object) '(embedded . 0))
        ((variable? object) '(refused "variables stay at home" . "send what is in it"))
        (else #f)))

(define (unhook kind items)
  (match (cons kind items)
    ((7 'point x y) (make-point x y))
    (('held . id) (list 'held id))))

(define (round-trip x)
  (%decode (%payload-arrived (%encode x hook)) unhook))

(define (bits x)
  (let ((bytes (make-bytevector 8)))
    (bytevector-ieee-double-native-set! bytes 0 x)
    (bytevector-u64-native-ref bytes 0)))

(define (from-bits n)
  (let ((bytes (make-bytevector 8)))
    (bytevector-u64-native-set! bytes 0 n)
    (bytevector-ieee-double-native-ref bytes 0)))

(define-syntax-rule (test-trip name value)
  (let ((v value))
    (test-equal name v (round-trip v))))

(define (refusal x)
  (with-exception-handler
      (lambda (e) (if (not-remotable? e) e (raise-exception e)))
    (lambda () (%encode x hook) (error "not refused"))
    #:unwind? #t))

(define-syntax-rule (test-refused name value where message)
  (let ((e (refusal value)))
    (test-equal (string-append name ": where") where (not-remotable-where e))
    (test-assert (string-append name ": message") (string-contains (condition->string e) message))))

(define-syntax-rule (test-cycle name value where)
  (let ((e (refusal value)))
    (test-equal (string-append name ": where") where (not-remotable-where e))
    (test-assert (string-append name ": message") (string-contains (condition->string e) "contains itself"))))

(define (circular . items)
  (set-cdr! (last-pair items) items)
  items)

(define (resident-memory)
  (call-with-input-file "/proc/self/statm" (lambda (port) (read port) (* 4096 (read port)))))

;;; A second process, in which every address is another.

(define (in-second-process payload expression)
  "Return what EXPRESSION gives in another process, where v is the value in PAYLOAD."
  (let* ((port (mkstemp! (string-append (or (getenv "TMPDIR") "/tmp") "/tutti-values-XXXXXX")))
         (file (port-filename port)))
    (put-bytevector port (%payload->bytevector payload))
    (close-port port)
    (let* ((script `(begin (use-modules (ice-9 binary-ports) (test-primitives) (tutti base primitives) (srfi srfi-4))
                           (define bytes (call-with-input-file ,file get-bytevector-all #:binary #t))
                           (define v (%decode (%bytevector->payload bytes) #f))
                           (write ,expression)))
           (pipe (open-pipe* OPEN_READ (or (getenv "GUILE") "guile") "-c" (object->string script)))
           (answer (read pipe)))
      (delete-file file)
      (unless (zero? (status:exit-val (close-pipe pipe))) (error "the second process failed"))
      answer)))

;;; Random structures.

(define state (seed->random-state 42))

(define (random-value depth)
  (define (many make) (map (lambda (i) (make)) (iota (random 6 state))))
  (define (deeper) (random-value (1- depth)))
  (case (random (if (zero? depth) 12 18) state)
    ((0) (- (random (expt 2 70) state) (expt 2 69)))
    ((1) (random 1000 state))
    ((2) (* 1e3 (random:normal state)))
    ((3) (/ (random 100 state) (1+ (random 50 state))))
    ((4) (integer->char (random #xd000 state)))
    ((5) (list->string (many (lambda () (integer->char (random #xd000 state))))))
    ((6) (string->symbol (number->string (random 100 state))))
    ((7) (make-rectangular (random:uniform state) 2.5))
    ((8) (zero? (random 2 state)))
    ((9) (apply f64vector (many (lambda () (random:normal state)))))
    ((10) (symbol->keyword (string->symbol (number->string (random 9 state)))))
    ((11) (iota (random 8 state)))
    ((12) (many deeper))
    ((13) (list->vector (many deeper)))
    ((14) (cons (deeper) (deeper)))
    ((15) (let ((tail (random 5 state))) (append (many deeper) tail)))
    ((16) (u8-list->bytevector (many (lambda () (random 256 state)))))
    ((17) (list->array 2 (list (many (lambda () 1)))))))

(define (test-scalars)
  (test-trip "integers" (append-map (lambda (k)
                                      (let ((n (expt 2 k))) (list n (- n) (1- n) (- 1 n) (list n))))
                                    '(0 7 8 31 32 60 61 62 63 64 65 127 128 1000)))
  (test-trip "a very large integer" (1- (expt 3 100000)))
  (test-trip "rationals" (list 1/3 -22/7 (/ (expt 7 90) (expt 2 99)) (/ -1 (expt 10 30))))
  (test-equal "reals keep all their bits" '(0 #x8000000000000000 1 #x7ff0000000000000 #xfff0000000000000
                                            #x7ff8000000000123 #xfff8dead0000beef #x3ff0000000000001)
    (map (lambda (b) (bits (round-trip (from-bits b))))
         '(0 #x8000000000000000 1 #x7ff0000000000000 #xfff0000000000000
           #x7ff8000000000123 #xfff8dead0000beef #x3ff0000000000001)))
  (test-equal "and so do those in a run" '(#x8000000000000000 #x7ff8000000000123 0 1)
    (map bits (round-trip (map from-bits '(#x8000000000000000 #x7ff8000000000123 0 1)))))
  (test-trip "complex" (list 1+2i -0.5-1.5i +inf.0-inf.0i))
  (test-assert "complex with imaginary part 0" (not (real? (round-trip (make-rectangular 1. 0.)))))
  (test-trip "characters" (map integer->char '(0 65 255 256 #xd7ff #xe000 #xffff #x10000 #x10ffff)))
  (test-trip "strings" (list "" "abc" "nul\x00;inside" "äöü" "λ→𝄞" (make-string 100000 #\x)))
  (test-trip "symbols" (cons 'λ (map string->symbol '("a" "" "with space" "nul\x00;" "("))))
  (test-assert "symbols are interned" (eq? 'abc (round-trip 'abc)))
  (test-trip "keywords" '(#:a #:λ))
  (test-trip "many symbols and keywords of one length"
             (append-map (lambda (i)
                           (let ((s (string->symbol (string-append "s" (number->string i)))))
                             (list s (symbol->keyword s) s)))
                         (iota 300 100)))
  (test-trip "constants" (list #t #f '() *unspecified* the-eof-object #nil))
  (test-assert "#nil stays #nil" (eq? #nil (round-trip #nil)))
  (test-assert "end of file" (eof-object? (round-trip the-eof-object))))

(define the-eof-object (call-with-input-string "" read))

(define (test-composites)
  (test-trip "lists" '((1) (1 2 3) (1 2 3 4) (1 2 3 4 5.) (1. 2. 3. 4.) (a (b (c ())) "d")))
  (test-trip "improper" '((1 . 2) (1 2 3 4 5 . 6) (a . #(b)) (1 2 . "x")))
  (test-trip "vectors" '#(#() #(1 2 3 4) #(1. 2. 3. 4.) #(a "b" #\c) #(1 2 3 4.)))
  (test-trip "fixnum run, largest and smallest" (list most-positive-fixnum most-negative-fixnum 0 -1))
  (test-assert "a run is packed" (< (%payload-size (%encode (iota 1000) #f)) 8010))
  (test-trip "a list of 10^6" (iota 1000000))
  (test-trip "a mixed list of 10^6" (map (lambda (i) (if (even? i) i 'odd)) (iota 1000000)))
  (let deep ((i 0) (x '()))
    (if (< i 1000000)
        (deep (1+ i) (case (modulo i 3) ((0) (list x)) ((1) (vector x)) (else (list 1 x 2))))
        (test-equal "a list nested 10^6 deep"
          1000000
          (let dig ((x (round-trip x)) (i 0))
            (cond ((null? x) i)
                  ((vector? x) (dig (vector-ref x 0) (1+ i)))
                  ((null? (cdr x)) (dig (car x) (1+ i)))
                  (else (dig (cadr x) (1+ i))))))))
  (test-assert "what is referred to twice is no cycle"
    (let* ((x (list 1 2)) (shared (list x x (vector x x))))
      (equal? shared (round-trip shared))))
  (test-assert "many composites at one depth beyond the first look for cycles"
    (let* ((deep (fold (lambda (i x) (list x)) '() (iota 100)))
           (wide (make-list 5000 deep)))
      (equal? wide (round-trip wide))))
  (test-assert "random structures"
    (every (lambda (i) (let ((v (random-value 5))) (equal? v (round-trip v)))) (iota 3000)))
  (test-equal "extension" '(1 (2))
    (let ((p (round-trip (make-point 1 (list 2))))) (list (point-x p) (point-y p))))
  (test-equal "extension in all places" 3
    (point-x (car (vector-ref (point-y (round-trip (make-point 0 (vector (list (make-point 3 '()))))))  0))))
  (test-equal "held" '(held 123456789012) (round-trip (make-fluid))))

(define (test-arrays)
  (for-each
   (lambda (make)
     (let ((v (make 3 1)))
       (test-trip (format #f "~a" (array-type v)) (list v (make 0 0)))
       (test-equal (format #f "~a: type" (array-type v)) (array-type v) (array-type (round-trip v)))))
   (list make-u8vector make-s8vector make-u16vector make-s16vector make-u32vector make-s32vector make-u64vector
         make-s64vector make-f32vector make-f64vector make-c32vector make-c64vector make-bytevector))
  (test-trip "extreme numbers" (list (s64vector (- (expt 2 63))) (u64vector (1- (expt 2 64))) (c64vector 1+2i -3.5)))
  (test-trip "bit vectors" (map (lambda (n) (list->bitvector (map (lambda (i) (zero? (modulo i 3))) (iota n))))
                                '(0 1 7 8 9 31 32 33 100)))
  (test-trip "arrays"
             (list #2((1 2) (3 4)) #3(((1) (2)) ((a) ("b"))) #@1(1 2 3) #2@-1@5((1 2) (3 4)) #2f64((1. 2.) (3. 4.)) #0(7)))
  (test-equal "rank 0" '(0 5) (let ((a (round-trip (make-array 5)))) (list (array-rank a) (array-ref a))))
  (test-equal "rank 0 of reals" '(f64 5.)
    (let ((a (round-trip (make-typed-array 'f64 5.)))) (list (array-type a) (array-ref a))))
  (test-equal "bounds" '((-1 0) (5 6)) (array-shape (round-trip #2@-1@5((1 2) (3 4)))))
  (test-trip "no elements" (list (make-array 0 0 3) (make-array 0 3 0) (make-typed-array 'f32 0 2 0)))
  (test-trip "characters" (make-typed-array 'a #\z 2 3))
  (test-trip "bits" (make-typed-array 'b #t 3 3))
  (let* ((m (list->typed-array 'f64 2 '((1 2 3) (4 5 6)))) (t (transpose-array m 1 0)))
    (test-equal "strided" '((1. 4.) (2. 5.) (3. 6.)) (array->list (round-trip t)))
    (test-equal "a shared row" '(4. 5. 6.) (array->list (round-trip (make-shared-array m (lambda (j) (list 1 j)) 3))))
    (test-equal "only what is seen travels" 3
      (array-length
       (shared-array-root (round-trip (make-shared-array m (lambda (j) (list 1 (1- j))) '(1 3))))))))

(define (test-large)
  (let* ((n 100000) (v (make-f64vector n 1.5)) (shared (make-shared-f64vector n 2.5)))
    (test-equal "a large private vector" v (round-trip v))
    (test-assert "a large private vector can be written to"
      (let ((w (round-trip v)))
        (f64vector-set! w 0 7.)
        (= 1.5 (f64vector-ref v 0))))
    (test-assert "a shared one is not copied"
      (let ((w (round-trip shared)))
        (f64vector-set! shared 5 9.)
        (= 9. (f64vector-ref w 5))))
    (test-assert "its bytes are not in the payload"
      (< (bytevector-length (%payload->bytevector (%encode shared #f))) 30))
    (test-assert "twice is once" (< (%payload-size (%encode (list shared shared shared) #f)) (* 9 n)))
    (test-equal "an array over one" 9.
      (array-ref (round-trip (make-shared-array shared (lambda (i j) (list (+ (* 100 i) j))) 1000 100)) 0 5))
    (let ((here (%decode (%encode shared #f) #f)) (before (f64vector-ref shared 1)))
      (test-condition "in one process: cannot be written to" (lambda (e) (eq? 'wrong-type-arg (exception-kind e)))
                      (bytevector-u8-set! here 0 1))
      (f64vector-set! shared 1 11.)
      (test-equal "in one process: without a copy" 11. (f64vector-ref here 1)))
    (let* ((p (%encode v #f)) (a (%decode p #f)) (b (%decode p #f)))
      (f64vector-set! a 0 100.)
      (test-equal "in one process: each has its own" '(1.5 1.5)
        (list (f64vector-ref b 0) (f64vector-ref (%decode p #f) 0))))))

(define (table put! . entries)
  (let ((t (make-hash-table)))
    (for-each (match-lambda ((key . value) (put! t key value))) entries)
    t))

(define (entries table) (sort (map (lambda (e) (object->string e)) (hash-map->list cons table)) string<?))

(define (test-tables)
  (let ((keys (list 1 "str" 'sym #\c 2.5 1/3 (expt 2 80) '(a list) #(a vector) #:key (f64vector 1. 2.))))
    (test-equal "equal" (map (const #t) keys)
      (let ((t (round-trip (apply table hash-set! (map (lambda (k) (cons k #t)) keys)))))
        (map (lambda (k) (hash-ref t k)) keys))))
  (test-equal "entries" (map object->string '((a . 1) (b . 2)))
    (entries (round-trip (table hashq-set! '(a . 1) '(b . 2)))))
  (test-equal "empty" 0 (hash-count (const #t) (round-trip (make-hash-table))))
  (test-equal "nested" 5
    (hash-ref (hash-ref (round-trip (table hash-set! (cons "t" (table hash-set! (cons "k" 5))))) "t") "k"))
  (test-condition "hashx" not-remotable?
                  (let ((t (make-hash-table)))
                    (for-each (lambda (i) (hashx-set! (lambda (k n) (modulo (* 7 i) n)) assoc t (list i) i)) (iota 20))
                    (round-trip t)))
  (test-condition "weak" not-remotable? (round-trip (make-weak-key-hash-table))))

(define (test-second-process)
  (define symbols (map (lambda (i) (string->symbol (string-append "key" (number->string i)))) (iota 100)))
  (define numbers (append (iota 50)
                          (map (lambda (i) (+ i 0.5)) (iota 50))
                          (map (lambda (i) (expt 3 (+ 50 i))) (iota 20))))
  (define (filled put! keys)
    (apply table put! (map (lambda (k) (cons k k)) keys)))
  (define (all-found ref)
    `(let ((t (car v)) (keys (cadr v)))
       (list (length keys) (length (filter (lambda (k) (,ref t k)) keys)))))
  (for-each
   (match-lambda
     ((name put! ref keys)
      (test-equal name (list (length keys) (length keys))
        (in-second-process (%encode (list (filled put! keys) keys) #f) (all-found ref)))))
   `(("equal, strings" ,hash-set! hash-ref ,(map symbol->string symbols))
     ("equal, symbols" ,hash-set! hash-ref ,symbols)
     ("equal, everything" ,hash-set! hash-ref ,(append symbols numbers (list #t #\a #:k '(1 (2)) #(1 2))))
     ("eqv, numbers" ,hashv-set! hashv-ref ,numbers)
     ("eqv, symbols and numbers" ,hashv-set! hashv-ref ,(append symbols numbers))
     ("eq, symbols" ,hashq-set! hashq-ref ,symbols)
     ("eq, symbols, keywords, fixnums" ,hashq-set! hashq-ref
      ,(append symbols (map symbol->keyword symbols) (iota 50)))))
  ;; Nobody else has the same numbers in the sense of eq?, but the table's own keys must be where hashq-ref looks.
  (test-equal "eq, numbers" 50
    (in-second-process (%encode (filled hashq-set! (map (lambda (i) (+ i 0.5)) (iota 50))) #f)
                       '(length (filter (lambda (k) (hashq-ref v k)) (hash-map->list (lambda (k v) k) v)))))
  ;; One key fits another kind by chance in one of 31 tables: with 400 of them that happens.
  (for-each
   (match-lambda
     ((name put! ref)
      (test-equal name 400
        (in-second-process
         (%encode (map (lambda (i) (let ((k (string->symbol (number->string i)))) (cons k (filled put! (list k)))))
                       (iota 400))
                  #f)
         `(length (filter (lambda (entry)
                            (and (,ref (cdr entry) (car entry))
                                 ;; Adding keys must not lose the first.
                                 (begin (for-each (lambda (i) (,(procedure-name put!) (cdr entry) i i)) (iota 40))
                                        (,ref (cdr entry) (car entry)))))
                          v))))))
   `(("one symbol, equal" ,hash-set! hash-ref)
     ("one symbol, eqv" ,hashv-set! hashv-ref)
     ("one symbol, eq" ,hashq-set! hashq-ref)))
  (test-equal "undecided ones can be sent on" 400
    (length (filter (lambda (i)
                      (let ((k (string->symbol (number->string i))))
                        (hashq-ref (round-trip (round-trip (filled hashq-set! (list k)))) k)))
                    (iota 400)))))

(define (test-refusals)
  (define port (current-input-port))
  (test-refused "by itself" port #f "cannot travel")
  (test-refused "in a list" (list 1 2 port) "item 2 of the list" "cannot travel")
  (test-refused "as the tail" (cons* 1 2 port) "item 2 of the list" "cannot travel")
  (test-refused "deeper" (list 'a (vector 1 port)) "item 1 of the list, item 1 of the vector" "cannot travel")
  (test-refused "value of a key" (list (table hashq-set! (cons 'a port)))
                "item 0 of the list, value of key a of the hash table" "#<")
  (test-refused "key" (table hash-set! (cons (list port) 1)) "key a list of the hash table, item 0 of the list" "#<")
  (test-refused "field" (list 0 (make-point 1 port)) "item 1 of the list, field y of <point>" "cannot travel")
  (test-refused "array" (let ((a (make-array 0 '(1 2) '(3 4)))) (array-set! a port 2 3) a)
                "element (2 3) of the array" "cannot travel")
  (test-refused "uninterned symbol" (list (make-symbol "x")) "item 0 of the list" "uninterned")
  (test-refused "in the hook's words" (list (make-variable 1)) "item 0 of the list" "variables stay at home")
  (test-refused "procedure" (list car) "item 0 of the list" "car")
  (test-refused "unknown record" (make-parameter 1) #f "cannot travel")
  (test-refused "weak vector" (weak-vector 1 2) #f "cannot travel")
  (test-assert "a long way is shortened"
    (string-match "^item 0 of the list(, item 0 of the list){4}, \\(990 more steps\\)(, item 0 of the list){5}$"
                  (not-remotable-where (refusal (fold (lambda (i x) (list x)) port (iota 1000))))))
  (test-equal "the value itself" port (not-remotable-value (refusal (list port))))
  (test-equal "names of the outer steps: given, left out, described" "argument 2, item 0 of the list"
    (with-exception-handler not-remotable-where
      (lambda () (%encode (list car 1 (list (list port))) (lambda (x) (and (procedure? x) '(held . 1)))
                          (case-lambda ((i) (format #f "argument ~a" i)) ((i j) #t) (_ #f))))
      #:unwind? #t))
  (test-equal "the hook's own exception" 'mine
    (catch 'mine (lambda () (%encode (list port) (lambda (x) (throw 'mine)))) (lambda (key) key))))

(define (test-cycles)
  (test-cycle "a circular list" (circular 1 2 3) #f)
  (test-cycle "a circular list of one" (circular 1) #f)
  (test-cycle "a list that becomes circular"
              (list 0 (append (iota 1000) (circular 'a 'b 'c 'd 'e))) "item 1 of the list")
  (let ((v (vector 1 2)))
    (vector-set! v 1 v)
    (test-cycle "a vector in itself" v "item 1 of the vector"))
  (let ((v (make-vector 1000000 0)))
    (vector-set! v 999999 v)
    (test-cycle "a long vector in itself" (list v) "item 0 of the list, item 999999 of the vector"))
  (let ((l (list 1 2 3)))
    (set-car! (cdr l) l)
    (test-cycle "a list in itself" l "item 1 of the list"))
  (let ((l (list 1 2 3)))
    (set-car! (cddr l) (cdr l))
    (test-cycle "a list in its end" l "item 2 of the list, item 1 of the list"))
  (let ((t (make-hash-table)))
    (hash-set! t "self" (list t))
    (test-cycle "a hash table" t "value of key \"self\" of the hash table, item 0 of the list"))
  (let ((p (make-point 1 2)))
    (set-point-x! p (vector p))
    (test-cycle "a record" p "field x of <point>, item 0 of the vector"))
  (let ((a (make-array 0 2 2)))
    (array-set! a a 1 1)
    (test-cycle "an array" a "element (1 1) of the array"))
  (test-cycle "a long round"
              (let* ((last (list 0)) (first (fold (lambda (i x) (vector x)) last (iota 10000))))
                (set-car! last first)
                first)
              (string-join `(,@(make-list 5 "item 0 of the vector") "(9991 more steps)"
                             ,@(make-list 4 "item 0 of the vector") "item 0 of the list")
                           ", ")))

(define (test-bad-bytes)
  (define (decode . bytes)
    (%decode (%bytevector->payload (u8-list->bytevector bytes)) #f))
  (define (refused? bytes)
    (with-exception-handler (lambda (e) (or (tutti-error? e) (raise-exception e)))
      (lambda () (apply decode bytes) #f)
      #:unwind? #t))
  (test-condition "nothing" tutti-error? (decode))
  (test-condition "an unknown tag" tutti-error? (decode 200))
  (test-condition "no hook" tutti-error? (%decode (%payload-arrived (%encode (make-point 1 2) hook)) #f))
  (test-condition "1/0" tutti-error? (apply decode (append '(8 6 1 0 0 0 0 0 0 0 6 0 0 0 0 0 0 0 0))))
  (let ((bytes (bytevector->u8-list
                (%payload->bytevector
                 (%encode (list 1 'a "bc" 1/2 #2((1 2) (3 4)) (table hash-set! '(1 . 2)) '(1 . 2) (iota 9)) #f)))))
    (test-assert "cut off anywhere"
      (every (lambda (n) (refused? (take bytes n))) (iota (length bytes))))
    (test-assert "any byte changed gives a value or a condition"
      (every (lambda (i)
               (for-each (lambda (b)
                           (refused? (append (take bytes i) (list b) (drop bytes (1+ i)))))
                         '(0 1 2 5 11 15 19 20 21 22 23 127 128 255))
               #t)
             (iota (length bytes))))))

(define (test-memory)
  (define value (list (make-f64vector 100000 1.) (make-shared-f64vector 5000) (iota 1000) 'a "text"
                      (table hash-set! '(1 . 2))))
  (define (loop n)
    (do ((i 0 (1+ i))) ((= i n))
      (round-trip value)
      (refusal (list value (current-input-port)))
      (catch #t (lambda () (%decode (%encode (list value (make-point 1 2)) hook) (lambda _ (throw 'no)))) (const #f))))
  (define (settled-usage)
    (gc) (gc) (usleep 1000) (gc)
    (shared-memory-usage))
  (loop 50)
  (let ((usage (settled-usage)) (memory (resident-memory)))
    (loop 400)
    (test-assert "shared memory comes back"
      ;; Finalisers run when they run, and the collector is conservative: a few may be late, hundreds may not.
      (let wait ((tries 0))
        (cond ((<= (settled-usage) (+ usage (* 10 800000))) #t)
              ((< tries 100) (wait (1+ tries)))
              (else #f))))
    (test-assert "memory does not grow" (< (resident-memory) (+ memory (* 80 1024 1024))))))

(define (cpu-time thunk)
  (let ((before (get-internal-run-time)))
    (thunk)
    (- (get-internal-run-time) before)))

(define (interrupted-early? thunk)
  "Return true if a signal that arrives while THUNK, one call of a primitive, runs is handled before half of it is done.
The signal may come too late, when the machine is busy; then try again."
  (define whole (cpu-time thunk))
  (define (attempt)
    (cpu-time (lambda ()
                (catch 'stop
                  (lambda ()
                    (sigaction SIGALRM (lambda (signal) (throw 'stop)))
                    (setitimer ITIMER_REAL 0 0 0 2000)
                    (thunk)
                    (let wait () (sleep 1) (wait)))
                  (const #t)))))
  (let try ((attempts 50))
    (or (< (attempt) (/ whole 2))
        (and (> attempts 0) (try (1- attempts))))))

(define (test-interrupt)
  (let* ((value (make-list 20000 (map (lambda (i) (list i 'a)) (iota 100))))
         (payload (%encode value #f)))
    (test-assert "encode" (interrupted-early? (lambda () (%encode value #f))))
    (test-assert "decode" (interrupted-early? (lambda () (%decode payload #f))))))

(call-with-tap
 (lambda ()
   (test-group "scalars" (test-scalars))
   (test-group "composites" (test-composites))
   (test-group "arrays" (test-arrays))
   (test-group "large" (test-large))
   (test-group "tables" (test-tables))
   (test-group "second-process" (test-second-process))
   (test-group "refusals" (test-refusals))
   (test-group "cycles" (test-cycles))
   (test-group "bad-bytes" (test-bad-bytes))
   (test-group "memory" (test-memory))
   (test-group "interrupt" (test-interrupt))))
