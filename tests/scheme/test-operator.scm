;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Operators of C modules as Scheme sees them; what they compute is tested in C.
(use-modules (tap)
             (tutti conditions)
             (tutti operator)
             (ice-9 exceptions)
             (srfi srfi-1)
             (srfi srfi-4)
             (srfi srfi-64))

(define module (load-operator-module "mt1d"))

(define (make-response)
  (native-operator module "response" #:thicknesses '(100 200.) #:periods (f64vector 0.1 1 10 100)))

(define point (f64vector 3. 1. 5.))

(define (derivative-at op x)
  (call-with-values (lambda () (linearize op x)) (lambda (y derivative) derivative)))

(define (dot x y)
  (fold + 0. (map * (f64vector->list x) (f64vector->list y))))

(define (copy record)
  "Return RECORD as it arrives elsewhere: its parts, without what was kept beside it."
  (let ((type (record-type-descriptor record)))
    (apply make-struct/no-tail type
           (map (lambda (i)
                  (let ((part (struct-ref record i)))
                    (if (record? part) (copy part) part)))
                (iota (length (record-type-fields type)))))))

(define (message-of thunk)
  (with-exception-handler
      (lambda (error) (if (exception-with-message? error) (exception-message error) (format #f "~s" error)))
    (lambda () (thunk) "no error")
    #:unwind? #t))

(define (says? thunk . parts)
  (let ((message (message-of thunk)))
    (or (every (lambda (part) (string-contains message part)) parts)
        (begin (format #t "# ~a~%" message) #f))))

(call-with-tap
 (lambda ()
   (test-group "load-operator-module"
     (test-assert "describes itself"
       (and (operator-module? module)
            (string=? (operator-module-name module) "mt1d")
            (absolute-file-name? (operator-module-file module))
            (string? (operator-module-description module))))
     (test-equal "classes" '(("response" #f ("thicknesses" "periods")) ("sounding" #f ("thicknesses" "frequencies" "impedance")))
       (map (lambda (class) (list (first class) (third class) (fourth class))) (operator-module-classes module)))
     (test-equal "by file" (operator-module-file module)
       (operator-module-file (load-operator-module (operator-module-file module))))
     (test-condition "missing" tutti-error? (load-operator-module "no-such-module"))
     (test-assert "missing: says where it looked"
       (says? (lambda () (load-operator-module "no-such-module")) "no-such-module.so" "TUTTI_MODULEDIR"))
     (test-condition "not a name" (lambda (e) (eq? (exception-kind e) 'wrong-type-arg)) (load-operator-module 'mt1d)))

   (test-group "native-operator"
     (let ((op (make-response)))
       (test-assert "is an operator" (and (operator? op) (not (operator? 3)) (not (linear? op))))
       (test-equal "spaces" '(3 8) (list (operator-domain op) (operator-codomain op)))
       (test-equal "name" "mt1d response" (operator-name op))
       (test-equal "prints its shape" "#<operator mt1d response: R^3 -> R^8>" (format #f "~a" op))
       (test-equal "module" "mt1d" (operator-module-name (operator-module op)))
       (test-equal "parameters" `(("thicknesses" . ,(f64vector 100 200)) ("periods" . ,(f64vector 0.1 1 10 100)))
         (operator-parameters op))
       (test-equal "by name of the module" 3
         (operator-domain (native-operator "mt1d" 'response #:thicknesses '(1 2) #:periods 1))))
     (test-assert "unknown class" (says? (lambda () (native-operator module "respond")) "'respond'" "'response'"))
     (test-assert "unknown parameter"
       (says? (lambda () (native-operator module "response" #:period '(1))) "'period'" "'periods'"))
     (test-assert "refused parameter"
       (says? (lambda () (native-operator module "response" #:periods '(1 -2))) "'periods' number 1 is -2"))
     (test-condition "parameter that is no number" tutti-error? (native-operator module "response" #:periods "1"))
     (test-condition "keyword without value" tutti-error? (native-operator module "response" #:periods)))

   (test-group "evaluate"
     (let* ((op (make-response))
            (y (evaluate op point)))
       (test-assert "a half-space" (every (lambda (value) (< (abs (- value 45)) 1e-12))
                                          (drop (f64vector->list (evaluate op (f64vector 2. 2. 2.))) 4)))
       (test-assert "makes a new vector each time" (not (eq? y (evaluate op point))))
       (test-condition "shape" shape-error? (evaluate op (f64vector 1. 2.)))
       (test-assert "shape: names both" (says? (lambda () (evaluate op (f64vector 1. 2.))) "an f64vector of 2" "an element of R^3"
                                                "mt1d response"))
       (test-equal "shape: accessors" '(3 2)
         (with-exception-handler (lambda (e) (list (shape-error-expected e) (shape-error-actual e)))
           (lambda () (evaluate op (f64vector 1. 2.))) #:unwind? #t))
       (test-condition "not a vector" (lambda (e) (eq? (exception-kind e) 'wrong-type-arg)) (evaluate op '(1 2 3)))
       (test-condition "not an operator" (lambda (e) (eq? (exception-kind e) 'wrong-type-arg)) (evaluate + point))
       (test-equal "the same on arrival elsewhere" y (evaluate (copy op) point))))

   (test-group "linearize"
     (let* ((op (make-response))
            (x (f64vector 3. 1. 5.))
            (derivative (derivative-at op x))
            (h (f64vector 0.3 -1. 0.7))
            (u (f64vector 1. -2. 0.5 3. 1.5 0.1 -0.4 0.9))
            (dy (evaluate derivative h)))
       (test-equal "value" (evaluate op x) (call-with-values (lambda () (linearize op x)) (lambda (y d) y)))
       (test-assert "is linear" (and (operator? derivative) (linear? derivative)))
       (test-equal "spaces" '(3 8) (list (operator-domain derivative) (operator-codomain derivative)))
       (test-assert "adjoint"
         (let ((gap (- (dot dy u) (dot h (apply-adjoint derivative u)))))
           (< (abs gap) (* 1e-12 (abs (dot dy u))))))
       (test-equal "adjoint's spaces" '(8 3)
         (let ((transpose (adjoint derivative))) (list (operator-domain transpose) (operator-codomain transpose))))
       (test-equal "adjoint evaluates" (apply-adjoint derivative u) (evaluate (adjoint derivative) u))
       (test-equal "adjoint of the adjoint" dy (evaluate (adjoint (adjoint derivative)) h))
       (test-equal "a linear operator is its own derivative" (list dy derivative)
         (call-with-values (lambda () (linearize derivative h)) list))
       (test-equal "belongs to its point for ever" dy
         (begin
           (f64vector-set! x 0 100.)
           (linearize op (f64vector 0. 0. 0.))
           (gc)
           (evaluate derivative h)))
       (test-equal "the same on arrival elsewhere" dy (evaluate (copy derivative) h))
       (test-condition "shape" shape-error? (evaluate derivative u))
       (test-condition "shape of the adjoint" shape-error? (apply-adjoint derivative h))
       (test-condition "adjoint of what is not linear" tutti-error? (adjoint op))))

   (test-group "operator->matrix"
     (let* ((derivative (derivative-at (make-response) point))
            (matrix (f64vector->list (operator->matrix derivative)))
            (column (lambda (j) (map (lambda (i) (list-ref matrix (+ (* 3 i) j))) (iota 8)))))
       (test-equal "columns" (map (lambda (j) (f64vector->list (evaluate derivative (f64vector (if (= j 0) 1 0) (if (= j 1) 1 0)
                                                                                              (if (= j 2) 1 0)))))
                                  (iota 3))
         (map column (iota 3)))
       (test-equal "adjoint" (append-map column (iota 3)) (f64vector->list (operator->matrix (adjoint derivative))))))))
