;; SPDX-License-Identifier: LGPL-3.0-or-later
;; The chapter on Python models shows what is in examples/python-models: each script runs there as a reader would run it, and prints what is
;; shown. What adapters make of scipy's operators gives what scipy gives.
(use-modules (tap) (listings) (programs) (srfi srfi-1) (srfi srfi-64))

(define python (or (getenv "TUTTI_PYTHON") "/usr/bin/python3"))

(define (has? package)
  (eqv? 0 (program-status (run-program (list python "-c" (string-append "import " package))))))
(define missing
  (find (negate has?) '("numpy" "scipy")))

(define settings (list (string-append "TUTTI_PYTHON=" python) "PYTHONDONTWRITEBYTECODE=1"))

(define (write-file file text)
  (call-with-output-file file (lambda (port) (display text port))))

;;; scipy: the same operator, product by product, and a damped least squares problem.

(define in-scheme "
(use-modules (tutti) (tutti python))
(define op (python-operator \"smooth.py\" \"smoother\" 20 2.))
(define x (list->f64vector (map (lambda (i) (- (modulo (* i i) 7) 3)) (iota 20))))
(define (show v) (write (f64vector->list v)) (newline))
(show (evaluate op x))
(show (apply-adjoint op x))
(show (solver-result-solution (cgls op x #:damping 0.01 #:stop (stop-when #:iterations 200 #:tolerance 1e-13) #:callback #f)))
")
(define in-python "
import numpy as np
from scipy.sparse.linalg import lsqr
from smooth import smoother
op = smoother(20, 2.0).operator
x = np.arange(20) ** 2 % 7 - 3.0
for v in op.matvec(x), op.rmatvec(x), lsqr(op, x, damp=0.1, atol=1e-14, btol=1e-14, iter_lim=1000)[0]:
    print('(' + ' '.join(map(repr, v.tolist())) + ')')
")

(define (numbers program)
  "Return the lists of numbers that it has printed."
  (unless (eqv? 0 (program-status program))
    (display (program-errors program) (current-error-port)))
  (map (lambda (line) (call-with-input-string line read)) (string-split (string-trim-right (program-output program)) #\newline)))

(define (distance a b)
  (if (= (length a) (length b))
      (/ (sqrt (reduce + 0 (map (lambda (x y) (expt (- x y) 2)) a b))) (sqrt (reduce + 0 (map (lambda (y) (* y y)) b))))
      (inf)))

(define (test-scipy folder)
  (write-file (string-append folder "/compare.scm") in-scheme)
  (let ((ours (numbers (run-in folder (list tutti "run" "compare.scm") #:env settings)))
        (theirs (numbers (run-in folder (list python "-c" in-python) #:env settings))))
    (test-equal "the same products" (take theirs 2) (take ours 2))
    (test-assert "the same solution" (< (distance (third ours) (third theirs)) 1e-8))))

;;; SimPEG itself is not needed: a simulation that has what those of SimPEG have, and nothing else.

(define like-simpeg "
import types
import numpy as np
import adapters

class Squares:  # d = A m^2
    def __init__(self):
        self.matrix = np.arange(1.0, 7.0).reshape(2, 3)
        self.survey = types.SimpleNamespace(nD=2)

    def fields(self, m):
        return {'square': m * m, 'slope': 2 * m}

    def dpred(self, m=None, f=None):
        return self.matrix @ (self.fields(m) if f is None else f)['square']

    def Jvec(self, m, v, f=None):
        return self.matrix @ ((self.fields(m) if f is None else f)['slope'] * v)

    def Jtvec(self, m, v, f=None):
        return (self.fields(m) if f is None else f)['slope'] * (self.matrix.T @ v)

    def getJtJdiag(self, m, W=None, f=None):
        J = self.matrix * (self.fields(m) if f is None else f)['slope']
        if W is not None:
            J = W @ J
        return (J * J).sum(axis=0)

def squares():
    return adapters.Simulation(Squares(), types.SimpleNamespace(nP=3))
")
(define with-simpeg "
(use-modules (tutti) (tutti python))
(define sim (python-simulation \"squares.py\" \"squares\"))
(define m (f64vector 1 -2 3))
(define f (fields sim m))
(write (map f64vector->list
            (list (dpred sim m) (dpred sim f) (jvec sim f (f64vector 1 1 0)) (jtvec sim f (f64vector 1 -1)) (jtj-diagonal sim f)
                  (jtj-diagonal sim m #:weights (f64vector 2 0)) (evaluate sim m))))
")

(define (test-simpeg folder)
  (write-file (string-append folder "/squares.py") like-simpeg)
  (write-file (string-append folder "/squares.scm") with-simpeg)
  ;; A = (1 2 3; 4 5 6), slopes 2 -4 6
  (test-equal "data, derivatives and diagonals"
    '(((36. 78.) (36. 78.) (-6. -12.) (-6. 12. -18.) (68. 464. 1620.) (16. 256. 1296.) (36. 78.)))
    (numbers (run-in folder (list tutti "run" "squares.scm") #:env settings))))

(call-with-tap
 (lambda ()
   (test-group "manual" (test-chapter "python.texi" "python-models"))
   (if missing
       (tap-skip "scripts" (string-append missing " is not installed"))
       (call-with-listings "python-models"
         (lambda (folder)
           (test-group "scripts" (test-listings folder #:env settings))
           (test-group "scipy" (test-scipy folder))
           (test-group "SimPEG" (test-simpeg folder)))))))
