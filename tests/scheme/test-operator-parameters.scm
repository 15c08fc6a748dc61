;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Parameters of operators in C that are text, here and on workers, and modules that were built for version 1 of the ABI.
(use-modules (tap)
             (operators)
             (tutti conditions)
             (tutti operator)
             (tutti pool)
             (tutti remote)
             (tutti vector)
             (rnrs bytevectors)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-4 gnu)
             (srfi srfi-64))

(define (helper name)
  (string-append (getenv "TUTTI_HELPERS") "/" name ".so"))

(define module (load-operator-module (helper "text-operator")))
(define earth "a\u00e9\u20ac\U01f30d\n")   ; one to four bytes a character

(define (letters . parameters)
  (apply native-operator module "letters" parameters))

(define (bytes text)
  (list->f64vector (bytevector->u8-list (string->utf8 text))))

(define-remote (two-makes op)
  (evaluate op (f64vector 2)))

(define-remote (slopes op)
  (call-with-values (lambda () (linearize op (f64vector 3)))
    (lambda (value derivative) (evaluate derivative (f64vector 1)))))

(call-with-tap
 (lambda ()
   (test-group "of a module"
     (test-equal "all" '(("letters" #f ("scale" "text" "power")))
       (map (lambda (class) (list (first class) (third class) (fourth class))) (operator-module-classes module)))
     (test-equal "a class has four things" '(4) (map length (operator-module-classes module)))
     (test-equal "those that are text" '("text" "power") (operator-module-text-parameters module "letters"))
     (test-equal "none" '() (operator-module-text-parameters (load-operator-module "mt1d") 'sounding))
     (test-assert "of an unknown class"
       (refused? tutti-error? (lambda () (operator-module-text-parameters module "letter")) "\"letter\"" "\"letters\"")))

   (test-group "text"
     (test-equal "in UTF-8" (bytes earth) (two-makes (letters #:text earth #:scale 1/4)))
     (test-equal "several" (vec-scale 8 (bytes earth)) (two-makes (letters #:power "cubic" #:text earth)))
     (test-equal "empty" (f64vector) (two-makes (letters #:text "" #:power "linear")))
     (test-equal "of another string" (bytes "bc") (two-makes (letters #:text (substring/shared "abcd" 1 3) #:scale 0.25)))
     (test-equal "long" 100000 (operator-codomain (letters #:text (make-string 100000 #\x))))
     (test-equal "parameters" `(("text" . ,earth) ("power" . "linear") ("scale" . ,(f64vector 2)))
       (operator-parameters (letters #:text earth #:power "linear" #:scale 2)))
     (test-equal "of a derivative" `(("text" . "a")) (operator-parameters (derivative-of (letters #:text "a") (f64vector 1))))
     (let* ((given (string-copy "abc"))
            (op (letters #:text given #:scale 1/4)))
       (string-set! given 0 #\z)
       (test-equal "is copied" `(("text" . "abc") ("scale" . ,(f64vector 1/4))) (operator-parameters op))
       (test-equal "is copied for workers" (list (bytes "abc"))
         (call-with-pool 1 (lambda (pool) (pool-map pool two-makes (list op)))))))

   (test-group "refused"
     (test-assert "a number" (refused? tutti-error? (lambda () (letters #:text 3))
                                       "operator 'text letters': parameter 'text' is the number 3, expected text"))
     (test-assert "numbers" (refused? tutti-error? (lambda () (letters #:text '(1 2))) "'text' is 2 numbers, expected text"))
     (test-assert "text for numbers"
       (refused? tutti-error? (lambda () (letters #:text "a" #:scale "2"))
                 "operator 'text letters': parameter 'scale' is the text \"2\", expected numbers"))
     (test-assert "text for numbers of another module"
       (refused? tutti-error? (lambda () (native-operator "mt1d" "response" #:periods "1 10"))
                 "operator 'mt1d response': parameter 'periods' is the text \"1 10\", expected numbers"))
     (test-assert "neither, for text"
       (refused? tutti-error? (lambda () (letters #:text 'abc)) "operator 'text letters'" "'text' is abc" "expected text: a string"))
     (test-assert "a list of strings" (refused? tutti-error? (lambda () (letters #:text '("a" "b"))) "'text' is (\"a\" \"b\")" "a string"))
     (test-assert "neither, for numbers"
       (refused? tutti-error? (lambda () (letters #:scale 'abc)) "operator 'text letters'" "'scale' is abc"
                 "expected a number, a list of numbers or an f64vector"))
     (test-assert "a NUL" (refused? tutti-error? (lambda () (letters #:text "\u00e9\x00b")) "'text' has a NUL at byte 2 of 4"))
     (test-assert "an unknown name"
       (refused? tutti-error? (lambda () (letters #:texts "a")) "no parameter 'texts', only 'scale', 'text' (text), 'power' (text)"))
     (test-assert "twice" (refused? tutti-error? (lambda () (letters #:text "a" #:text "b")) "'text' was given twice"))
     (test-assert "by the class"
       (refused? tutti-error? (lambda () (letters #:text "" #:power "qu\u00e4rtic"))
                 "operator 'text letters', create: 'power' is \"qu\u00e4rtic\", expected \"linear\", \"square\" or \"cubic\"")))

   (test-group "on workers"
     (call-with-pool 2
       (lambda (pool)
         (let ((ops (map (lambda (text power) (letters #:text text #:power power))
                         (list earth "" "abc" earth) '("linear" "square" "cubic" "square"))))
           (test-equal "the same" (map two-makes ops) (pool-map pool two-makes ops))
           (test-equal "parameters" (map operator-parameters ops) (pool-map pool operator-parameters ops))
           (test-equal "derivatives" (map slopes ops) (pool-map pool slopes ops)))
         (let* ((ops (list (letters #:text earth) (letters #:text "abc" #:power "cubic")))
                (parallel (parallel-vector-of-operators ops #:pool pool))
                (together (vector-of-operators ops)))
           (test-equal "of a vector of operators" (two-makes together) (two-makes parallel))
           (test-equal "of its derivative" (evaluate (derivative-of together (f64vector 3)) (f64vector 1))
             (evaluate (derivative-of parallel (f64vector 3)) (f64vector 1)))))))

   (test-group "version 1"
     (let* ((makes (lambda (file)
                     (list (native-operator (helper file) "cubic" #:c '(1 -2 4) #:scale 0.3 #:shift 3)
                           (native-operator (helper file) "pair" #:scale 3))))
            (former (makes "numbers-operator-1"))
            (present (makes "numbers-operator-2"))
            (points (list (f64vector 0.1 2.5 -3) (f64vector 1 -2))))
       (test-equal "describes itself" (operator-module-classes (load-operator-module (helper "numbers-operator-2")))
         (operator-module-classes (load-operator-module (helper "numbers-operator-1"))))
       (test-equal "values" (list (f64vector 0.1) (c64vector 3-6i 3+6i))
         (list (evaluate (native-operator (helper "numbers-operator-1") "cubic" #:c 0 #:shift 0.1) (f64vector 1))
               (evaluate (second former) (f64vector 1 -2))))
       (test-equal "the same bits" (map evaluate present points) (map evaluate former points))
       (test-equal "linear" '(#f #t) (map linear? former))
       (test-equal "derivatives" (map operator->matrix (map derivative-of present points))
         (map operator->matrix (map derivative-of former points)))
       (test-equal "on workers" (map evaluate present points)
         (call-with-pool 2 (lambda (pool) (pool-map pool evaluate former points))))
       (test-assert "no text"
         (refused? tutti-error? (lambda () (native-operator (helper "numbers-operator-1") "pair" #:scale "3"))
                   "operator 'numbers pair': parameter 'scale' is the text \"3\", expected numbers"))))))
