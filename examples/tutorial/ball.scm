;; A module of our own, in a file beside the scripts: the track of a ball as an operator.
(define-module (ball)
  #:use-module (tutti)
  #:export (make-track))

(define (places u v drag times)
  "Return the list x y x y ... of where a ball is at each of TIMES, multiples of 0.01 s.
U and V are its speeds at the start in m/s, DRAG is in 1/m."
  (let step ((i 0) (x 0.) (y 0.) (u u) (v v) (times times))
    (cond ((null? times) '())
          ((= i (inexact->exact (round (* 100 (car times)))))
           (cons* x y (step i x y u v (cdr times))))
          (else
           (let ((a (* drag (sqrt (+ (* u u) (* v v))))) (dt 0.01))
             (step (1+ i) (+ x (* dt u)) (+ y (* dt v))
                   (- u (* dt a u)) (- v (* dt (+ 9.81 (* a v)))) times))))))

(define-remote (make-track times)
  "Return the operator from (u, v, ln drag) to the places at TIMES."
  (with-differences
   (make-operator #:name "track" #:domain 3 #:codomain (* 2 (length times))
                  #:evaluate (lambda (m)
                               (list->f64vector
                                (places (f64vector-ref m 0) (f64vector-ref m 1)
                                        (exp (f64vector-ref m 2)) times))))))
