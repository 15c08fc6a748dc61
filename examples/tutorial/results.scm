;; Results to files that numpy reads: a table as text, and an array of any size as it is in memory.
(use-modules (tutti) (ice-9 binary-ports) (ice-9 format) (rnrs bytevectors))

(define-remote (path angle)                                  ; heights at 100 places, 1 m apart
  (let ((slope (tan (* angle (/ (acos -1) 180)))))
    (vec-map (lambda (x) (- (* slope x) (* 0.5 9.81 (expt (/ x 30) 2) (+ 1 (* slope slope)))))
             (list->f64vector (iota 100)))))

(define angles (iota 9 10 10))
(define paths (call-with-pool 2 (lambda (pool) (pool-map pool path angles))))

(call-with-output-file "paths.csv"
  (lambda (port)
    (format port "angle,highest~%")
    (for-each (lambda (angle path)
                (format port "~a,~,6f~%" angle (apply max (f64vector->list path))))
              angles paths)))

(define (write-npy file vector . shape)
  "Write VECTOR, an f64vector, to FILE as an array of SHAPE, in the order of C."
  (let* ((head (format #f "{'descr': '<f8', 'fortran_order': False, 'shape': (~{~a,~}), }" shape))
         (rest (modulo (- 53 (string-length head)) 64))     ; all of it fills blocks of 64 bytes
         (n (+ (string-length head) rest 1)))
    (call-with-output-file file
      (lambda (port)
        (put-bytevector port #vu8(#x93 78 85 77 80 89 1 0))      ; 147 NUMPY, version 1.0
        (put-bytevector port (u8-list->bytevector (list (modulo n 256) (quotient n 256))))
        (put-bytevector port (string->utf8 (string-append head (make-string rest #\space) "\n")))
        (put-bytevector port vector))
      #:binary #t)))

(write-npy "paths.npy" (vec-concatenate paths) (length angles) 100)
(display "wrote paths.csv and paths.npy\n")
